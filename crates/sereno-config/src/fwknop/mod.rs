//! fwknop's files: `access.conf`, what matters of `fwknopd.conf`, and the client's `.fwknoprc`.
//!
//! They are read as fwknop reads them; what is stricter is said as a problem with its place.
//! Problems cite lines, but never a value that may be a key.

mod client;
mod daemon;
mod keys;
mod line;
mod rc;
mod said;
mod stanza;
mod translation;
mod tree;

pub use client::{Allow, Client, PORT};
pub use daemon::Daemon;
pub use rc::{Clients, nat_place, read_client};
pub use stanza::port;

use crate::Document;
use crate::problem::{Notes, Problem, Severity};
use jiff::tz::TimeZone;
use said::Said;
use sereno_spa::Access;

/// Where included files come from.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words.
    fn read(&self, path: &str) -> Result<String, String>;

    /// The names of the files in a folder, in any order.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words.
    fn list(&self, folder: &str) -> Result<Vec<String>, String>;
}

/// No files: nothing can be included.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Result<String, String> {
        Err("nothing can be included here".to_owned())
    }

    fn list(&self, _: &str) -> Result<Vec<String>, String> {
        Err("nothing can be included here".to_owned())
    }
}

/// What a server's files mean, and what is wrong with them.
#[derive(Debug)]
pub struct Server {
    /// The stanzas that stand; one with an error in it does not.
    pub access: Access,
    /// Where packets come in.
    pub daemon: Daemon,
    /// All problems, in the order of files (`access.conf`, what it includes, `fwknopd.conf`) and
    /// lines.
    pub problems: Vec<Problem>,
}

impl Server {
    /// Whether anything was set aside.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads `access.conf` and, if there is one, `fwknopd.conf`. Dates are those of `zone`.
#[must_use]
pub fn read_server(
    access: &Document,
    daemon: Option<&Document>,
    files: &dyn Files,
    zone: &TimeZone,
) -> Server {
    let mut tree = tree::Tree::read(access, files);
    let conf = tree.docs.len();
    let (daemon, rules) = daemon.map_or_else(Default::default, |document| {
        tree.docs.push(document.clone());
        daemon::read(&document.text, conf, &mut tree.notes)
    });
    let tree::Tree { docs, mut notes, stanzas, .. } = tree;
    let mut read = Access { max_age: rules.max_age, ..Access::default() };
    if stanzas.is_empty() && notes.errors() == 0 {
        let message = "there is no stanza: packets open nothing";
        let remedy = "write SOURCE ANY, and KEY_BASE64 and HMAC_KEY_BASE64 below it";
        notes.warn(0, crate::problem::Wrong::new(0..0, message).remedy(remedy));
    }
    let context = stanza::Context { docs: &docs, rules: &rules, zone };
    for written in &stanzas {
        read.stanzas.extend(stanza::stanza(written, &context, &mut notes));
    }
    Server { access: read, daemon, problems: shown(docs, notes, &tree::is_open) }
}

/// The problems, with whatever may be a key hidden in the lines they cite.
fn shown(docs: Vec<Document>, notes: Notes, is_open: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let hidden: Vec<Document> =
        docs.iter().map(|document| line::hidden(document, is_open)).collect();
    docs.into_iter().for_each(|document| sereno_spa::wipe(document.text));
    notes.into_problems(&hidden.iter().collect::<Vec<_>>())
}

/// The text of something said.
fn text<'d>(docs: &'d [Document], said: &Said) -> &'d str {
    docs.get(said.doc).and_then(|document| document.text.get(said.value.clone())).unwrap_or("")
}
