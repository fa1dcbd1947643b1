//! One Sereno for a table: two would put back for ever what the other one did.

use crate::words;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use sereno_core::gate::Name;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// Where the files lie by which programs see each other. Only root writes there: who could, would
/// keep Sereno from starting.
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
    Some(open(&path, flags, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH).ok()?.into())
}
