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

/// What ufw keeps, below its folder.
const UFW: [&str; 8] = [
    "ufw.conf",
    "../default/ufw",
    "before.rules",
    "user.rules",
    "after.rules",
    "before6.rules",
    "user6.rules",
    "after6.rules",
];
/// What csf keeps, below its folder.
const CSF: [&str; 4] = ["csf.conf", "csf.allow", "csf.deny", "csf.ignore"];
/// What firewalld keeps below its folder, and below that of its package.
const FIREWALLD: [&str; 4] = ["zones", "services", "ipsets", "policies"];

/// Reads all that there is of a firewall: what was named, or what is in its usual places.
pub(super) fn gather(kind: FirewallKind, named: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let own = folder(kind, named);
    let paths: Vec<PathBuf> = match kind {
        FirewallKind::Iptables if !named.is_empty() => named.to_vec(),
        FirewallKind::Iptables => {
            IPTABLES.iter().map(PathBuf::from).filter(|p| p.is_file()).collect()
        }
        FirewallKind::Ufw => below(&own, &UFW),
        FirewallKind::Csf => below(&own, &CSF),
        FirewallKind::Firewalld => {
            // Beside the folder of the machine that is looked at.
            let root = own.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
            let package = root.join("usr/lib/firewalld");
            let mut paths = below(&own, &["firewalld.conf", "direct.xml"]);
            for folder in [own, package] {
                paths.extend(FIREWALLD.iter().flat_map(|kind| listed(&folder.join(kind))));
            }
            paths
        }
    };
    let files: Vec<File> = paths.iter().map(|path| file(path)).collect::<Result<_, _>>()?;
    match files.is_empty() {
        true => Err(Failure::usage(words::import_nothing(kind.as_str()))),
        false => Ok(files),
    }
}

/// The folder of a firewall's files.
fn folder(kind: FirewallKind, named: &[PathBuf]) -> PathBuf {
    named.first().cloned().unwrap_or_else(|| Path::new("/etc").join(kind.as_str()))
}

/// Where files were read: their names, or that of the folder they lie in.
pub(super) fn place(kind: FirewallKind, named: &[PathBuf], names: &[&str]) -> String {
    match kind {
        FirewallKind::Iptables => names.join(", "),
        _ => folder(kind, named).display().to_string(),
    }
}

/// Those of the files that are there.
fn below(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// The files of XML in a folder, in their order; none if there is no such folder.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "xml") && path.is_file())
        .take(MOST)
        .collect();
    paths.sort_unstable();
    paths
}

/// What the files mean.
pub(super) fn read(kind: FirewallKind, files: &[File]) -> Imported {
    let sources: Vec<Source<'_>> = files.iter().map(File::source).collect();
    match kind {
        FirewallKind::Iptables => sereno_import::iptables(&sources),
        FirewallKind::Ufw => sereno_import::ufw(&sources),
        FirewallKind::Firewalld => sereno_import::firewalld(&sources),
        FirewallKind::Csf => sereno_import::csf(&sources),
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
