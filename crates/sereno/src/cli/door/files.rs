//! Files of keys and doors, and chance.

use crate::cli::failure::Failure;
use sereno_spa::Secret;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes nobody can guess.
pub(super) fn random(bytes: usize) -> io::Result<Secret> {
    let mut key = vec![0; bytes];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(Secret::new(key))
}

/// Writes a file that nobody else can read, and that was not there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let said = |e: io::Error| Failure::refused(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent().map(PathBuf::from).filter(|folder| !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(said)?;
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(said)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(said)
}
