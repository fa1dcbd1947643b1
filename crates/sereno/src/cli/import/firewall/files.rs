//! The files of other firewalls.

use crate::cli::failure::Failure;
use crate::cli::import::args::FirewallKind;
use crate::words;
use sereno_import::{Imported, Source};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a file at most.
const LARGEST: u64 = 16 << 20;
/// Files of a folder at most.
const MOST: usize = 1000;

/// A file and what it says.
pub(super) struct File {
    pub(super) name: String,
    text: String,
}

impl File {
    fn source(&self) -> Source<'_> {
        Source { name: &self.name, text: &self.text }
    }
}

/// Where rules of iptables are kept: Debian's iptables-persistent, Red Hat's service, Issabel's too.
const IPTABLES: [&str; 4] = [
    "/etc/iptables/rules.v4",
    "/etc/iptables/rules.v6",
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/ip6tables",
];

/// Reads all that there is of a firewall: what was named, or what is in its usual places.
pub(super) fn gather(kind: FirewallKind, named: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let usual: Vec<PathBuf> = match kind {
        FirewallKind::Iptables => {
            IPTABLES.iter().map(PathBuf::from).filter(|path| path.is_file()).collect()
        }
    };
    let paths = if named.is_empty() { usual } else { named.to_vec() };
    let mut files = Vec::new();
    for path in &paths {
        files.push(file(path)?);
    }
    match files.is_empty() {
        true => Err(Failure::usage(words::import_nothing(kind.as_str()))),
        false => Ok(files),
    }
}

/// What the files mean.
pub(super) fn read(kind: FirewallKind, files: &[File]) -> Imported {
    let sources: Vec<Source<'_>> = files.iter().map(File::source).collect();
    match kind {
        FirewallKind::Iptables => sereno_import::iptables(&sources),
    }
}

/// A file, or standard input; bytes that are no text are read as unknown characters.
fn file(path: &Path) -> Result<File, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::file(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::refused(words::import_too_large(path.display())));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(File { name: path.display().to_string(), text })
}
