//! `access.conf` and what it includes, as stanzas of options.

use super::Files;
use super::line::{Line, is_name, lines};
use super::said::{Said, Slips, Stanza};
use crate::Document;
use crate::problem::{Notes, Wrong};

/// How deep files include each other at most.
const DEEP: usize = 8;
/// Files at most.
const FILES: usize = 500;
/// Bytes of all files at most.
const BYTES: usize = 8 << 20;
/// Stanzas at most.
const STANZAS: usize = 5000;

/// The options of a stanza.
pub(super) const OPTIONS: [&str; 35] = [
    "SOURCE",
    "DESTINATION",
    "OPEN_PORTS",
    "RESTRICT_PORTS",
    "KEY",
    "KEY_BASE64",
    "HMAC_KEY",
    "HMAC_KEY_BASE64",
    "HMAC_DIGEST_TYPE",
    "REQUIRE_HMAC",
    "ENCRYPTION_MODE",
    "FW_ACCESS_TIMEOUT",
    "MAX_FW_TIMEOUT",
    "ACCESS_EXPIRE",
    "ACCESS_EXPIRE_EPOCH",
    "REQUIRE_USERNAME",
    "REQUIRE_SOURCE_ADDRESS",
    "REQUIRE_SOURCE",
    "ENABLE_CMD_EXEC",
    "ENABLE_CMD_SUDO_EXEC",
    "CMD_EXEC_USER",
    "CMD_EXEC_GROUP",
    "CMD_SUDO_EXEC_USER",
    "CMD_SUDO_EXEC_GROUP",
    "CMD_CYCLE_OPEN",
    "CMD_CYCLE_CLOSE",
    "CMD_CYCLE_TIMER",
    "FORCE_NAT",
    "FORCE_SNAT",
    "FORCE_MASQUERADE",
    "DISABLE_DNAT",
    "FORWARD_ALL",
    "%include",
    "%include_folder",
    "%include_keys",
];

/// Whether the value of an option may be cited.
pub(super) fn is_open(name: &str) -> bool {
    let key = matches!(name, "KEY" | "KEY_BASE64" | "HMAC_KEY" | "HMAC_KEY_BASE64");
    !key && (OPTIONS.contains(&name) || super::daemon::is_option(name))
}

/// What was read.
pub(super) struct Tree<'f> {
    files: &'f dyn Files,
    /// The documents, in the order in which they were read.
    pub(super) docs: Vec<Document>,
    pub(super) notes: Notes,
    /// The stanzas, in the order in which they begin.
    pub(super) stanzas: Vec<Stanza>,
    bytes: usize,
    slips: Slips,
}

/// What an included file may say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Stanzas,
    /// Keys for the stanza that includes it.
    Keys,
}

impl<'f> Tree<'f> {
    pub(super) fn read(document: &Document, files: &'f dyn Files) -> Self {
        let (docs, bytes) = (vec![document.clone()], document.text.len());
        let mut tree = Self {
            files,
            docs,
            notes: Notes::default(),
            stanzas: Vec::new(),
            bytes,
            slips: Slips::default(),
        };
        let mut current = None;
        tree.document(0, 0, What::Stanzas, &mut current);
        tree
    }

    /// Reads a document; `current` is the stanza that options belong to.
    fn document(&mut self, doc: usize, depth: usize, what: What, current: &mut Option<usize>) {
        let text = self.docs[doc].text.clone();
        for line in lines(&text) {
            self.line(&line, &text, (doc, depth, what), current);
        }
        sereno_spa::wipe(text);
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        text: &str,
        (doc, depth, what): (usize, usize, What),
        current: &mut Option<usize>,
    ) {
        let said = Said { doc, key: line.key.clone(), value: line.value.clone() };
        if line.name.starts_with("GPG_") && is_name(line.name) {
            let message =
                format!("{} is not read: packets in OpenPGP's form are refused", line.name);
            let remedy =
                "make keys with fwknop --key-gen, and write KEY_BASE64 and HMAC_KEY_BASE64";
            self.notes.error(doc, Wrong::new(said.key, message).remedy(remedy));
            return self.spoil(*current);
        }
        let Some(&name) = OPTIONS.iter().find(|name| **name == line.name) else {
            return self.unknown(line, doc, *current);
        };
        if line.value.is_empty() {
            let wrong = Wrong::new(said.key, format!("{name} has no value"));
            self.notes.error(doc, wrong.remedy("write a value behind it, or leave it out"));
            return self.spoil(*current);
        }
        let is_key = name.contains("KEY") && !name.starts_with('%');
        if what == What::Keys && !is_key {
            let message = format!("{name} is passed over in a file of %include_keys");
            let remedy = "write it in the stanza that includes the file";
            return self.notes.warn(doc, Wrong::new(said.key, message).remedy(remedy));
        }
        if name.starts_with('%') {
            return self.include(name, text[line.value.clone()].trim(), &said, depth, current);
        }
        if name == "SOURCE" {
            if self.stanzas.len() >= STANZAS {
                let wrong = Wrong::new(said.key, format!("there are more than {STANZAS} stanzas"));
                *current = None;
                return self.notes.error(doc, wrong.remedy("leave some out"));
            }
            *current = Some(self.stanzas.len());
            self.stanzas.push(Stanza { head: Some(said), ..Stanza::default() });
            return;
        }
        let Some(stanza) = current.and_then(|at| self.stanzas.get_mut(at)) else {
            let message = format!("{name} stands before any SOURCE, and belongs to nothing");
            return self
                .notes
                .error(doc, Wrong::new(said.key, message).remedy("write SOURCE ANY above it"));
        };
        if let Some(before) = stanza.said.insert(name, said) {
            let wrong = Wrong::new(before.key, format!("{name} is said again below, which counts"));
            self.notes.warn(before.doc, wrong.remedy("leave one of them out"));
        }
    }

    fn spoil(&mut self, current: Option<usize>) {
        if let Some(stanza) = current.and_then(|at| self.stanzas.get_mut(at)) {
            stanza.broken = true;
        }
    }

    /// fwknopd passes over what it does not know; a slip of the pen may have been a restriction.
    fn unknown(&mut self, line: &Line<'_>, doc: usize, current: Option<usize>) {
        let name: String =
            line.name.split(['=', ':']).next().unwrap_or("").chars().take(40).collect();
        let shown = if is_name(&name) { format!(" {name}") } else { String::new() };
        let wrong = Wrong::new(line.key.clone(), format!("there is no such option{shown}"));
        match self.slips.nearest(&name, OPTIONS) {
            (true, None) => {
                self.notes.warn(doc, wrong.remedy("leave it out; fwknopd passes over it too"));
            }
            (_, near) => {
                let remedy = near.map_or("leave it out".to_owned(), |near| {
                    format!("did you mean {near} VALUE?")
                });
                self.notes.error(doc, wrong.remedy(remedy));
                self.spoil(current);
            }
        }
    }

    fn include(
        &mut self,
        name: &str,
        path: &str,
        said: &Said,
        depth: usize,
        current: &mut Option<usize>,
    ) {
        let found = match name {
            "%include_folder" => self.files.list(path).map(|mut names| {
                names.sort();
                names.retain(|name| name.ends_with(".conf"));
                let folder = path.trim_end_matches('/');
                names.into_iter().map(|name| format!("{folder}/{name}")).collect()
            }),
            _ => Ok(vec![path.to_owned()]),
        };
        let spoiled = *current;
        let refuse = |tree: &mut Self, why: String, remedy: &str| {
            tree.notes.error(said.doc, Wrong::new(said.value.clone(), why).remedy(remedy));
            tree.spoil(spoiled);
        };
        let paths: Vec<String> = match found {
            Ok(paths) => paths,
            Err(why) => {
                return refuse(self, format!("{path}: {why}"), "name a folder that can be read");
            }
        };
        if depth >= DEEP {
            let why = format!("files include each other more than {DEEP} deep");
            return refuse(self, why, "leave out an %include, perhaps of a file by itself");
        }
        for path in paths {
            let text = match self.files.read(&path) {
                Ok(text) => text,
                Err(why) => {
                    refuse(self, format!("{path}: {why}"), "name a file that can be read");
                    continue;
                }
            };
            self.bytes = self.bytes.saturating_add(text.len());
            if self.docs.len() >= FILES || self.bytes > BYTES {
                let why = format!("more than {FILES} files or {} MiB are included", BYTES >> 20);
                return refuse(self, why, "include less");
            }
            let doc = self.docs.len();
            // The name is shown, and was written by whoever wrote the file that includes it.
            let called = path.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            self.docs.push(Document { name: called, text });
            if name == "%include_keys" {
                self.document(doc, depth + 1, What::Keys, current);
            } else {
                self.document(doc, depth + 1, What::Stanzas, &mut None);
            }
        }
    }
}
