//! One Sereno for a table: two would put back for ever what the other one did.

use crate::words;
use rustix::fs::{FlockOperation, Mode, OFlags, fchmod, flock, open};
use rustix::io::Errno;
use sereno_core::gate::Name;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// Where the files lie by which programs see each other. Nobody else may open them: who can read a
/// file can lock it (flock(2)), and would keep Sereno from starting.
const FOLDER: &str = "/run/sereno";

/// Holds a table of this network namespace until it is dropped; `None` where there is no place to
/// say so. The kernel lets go of it when the process ends, however that comes about.
///
/// # Errors
/// When another Sereno holds it.
pub(super) fn claim(table: Name) -> io::Result<Option<File>> {
    let Some(mut file) = place(table) else { return Ok(None) };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            let mut other = String::new();
            let _ = (&file).take(32).read_to_string(&mut other);
            let why = words::another_guards(table, other.trim());
            return Err(io::Error::new(ErrorKind::ResourceBusy, why));
        }
        Err(_) => return Ok(None),
        Ok(()) => (),
    }
    // Only said to be of help.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Some(file))
}

fn place(table: Name) -> Option<File> {
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(FOLDER);
    let net = std::fs::metadata("/proc/self/ns/net").ok()?.ino();
    let path = Path::new(FOLDER).join(format!("{table}-{net}.lock"));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let own = Mode::RUSR | Mode::WUSR;
    let file = open(&path, flags, own).ok()?;
    // One that was there may have been open to others.
    fchmod(&file, own).ok()?;
    Some(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nobody_else_can_open_what_is_locked() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return;
        }
        let table: Name = "claim-test".parse().unwrap();
        let held = claim(table).unwrap().unwrap();
        assert_eq!(held.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let other = claim(table).unwrap_err();
        assert!(other.to_string().contains(&std::process::id().to_string()), "{other}");
        drop(held);
        assert!(claim(table).unwrap().is_some());
    }
}
