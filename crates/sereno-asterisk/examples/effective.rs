//! Prints what a configuration file means, as JSON, for tests that ask Asterisk the same.
//!
//!     effective FOLDER FILE
//!
//! Each byte is a character of the same number. Templates are left out, as Asterisk does.
#![allow(clippy::print_stdout, reason = "it is what it does")]

use sereno_asterisk::{Files, Variable, alternatives, load};
use std::path::PathBuf;

/// A folder of this machine.
struct Folder(PathBuf);

impl Files for Folder {
    fn matching(&self, name: &[u8]) -> Vec<String> {
        let Ok(name) = std::str::from_utf8(name) else { return Vec::new() };
        let found = alternatives(name).into_iter().filter_map(|name| {
            let found = glob::glob(&self.0.join(name).to_string_lossy());
            let paths = found.ok()?.flatten().filter(|path| path.is_file());
            Some(paths.map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>())
        });
        found.flatten().collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

fn main() {
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(file)) = (words.next(), words.next()) else {
        println!("usage: effective FOLDER FILE");
        return;
    };
    let loaded = load(&Folder(folder.into()), &file);
    let (config, why) = match loaded {
        Ok(config) => (config, None),
        Err(refused) => (refused.2, Some(format!("{:?}", refused.1))),
    };
    let whole = config.documents.iter().all(|(path, document)| {
        std::fs::read(&**path).is_ok_and(|bytes| bytes == document.bytes())
    });
    let seen = config.sections.iter().filter(|section| !section.template && why.is_none());
    let sections = seen.map(|section| {
        let line = |one: &Variable| format!("{}={}", text(&one.name), text(&one.value));
        let lines: Vec<_> = section.variables.iter().map(line).collect();
        let inherits: Vec<_> = section.inherits.iter().map(|name| text(name)).collect();
        serde_json::json!({ "name": text(&section.name), "inherits": inherits, "lines": lines })
    });
    let sections: Vec<_> = sections.collect();
    println!("{}", serde_json::json!({ "why": why, "sections": sections, "whole": whole }));
}
