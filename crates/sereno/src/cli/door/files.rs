//! Files of keys and doors, and chance.

use crate::cli::failure::Failure;
use crate::words;
use sereno_spa::Secret;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Bytes nobody can guess.
pub(super) fn random(bytes: usize) -> io::Result<Secret> {
    let mut key = vec![0; bytes];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(Secret::new(key))
}

/// Writes a file that nobody else can read, and that was not there. A folder that is made for it is
/// private as well; those above it are not: others than root may read `/etc/sereno`.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let said = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => Failure::refused(words::file_there(path.display())),
        _ => Failure::file(path, &e),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        if let Some(above) = folder.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(above).map_err(said)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(said)?;
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(said)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(said)
}
