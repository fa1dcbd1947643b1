//! Files that doors are made of. Some hold secrets: of those it is asked that only their owner can
//! read them.

use crate::words;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a file at most.
const LONGEST: u64 = 1 << 20;

/// The text of a file in the form of another program, to which letters are bytes: where it is no
/// UTF-8, it is taken for Latin-1.
///
/// # Errors
/// It cannot be read, is no regular file, or too long.
pub(super) fn foreign(path: &Path) -> io::Result<String> {
    plain(&open(path)?)
}

fn plain(file: &File) -> io::Result<String> {
    let text = String::from_utf8(bytes(file)?);
    Ok(text.unwrap_or_else(|e| e.as_bytes().iter().map(|byte| char::from(*byte)).collect()))
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, is no regular file, too long, or no UTF-8.
pub(super) fn text(path: &Path) -> io::Result<String> {
    text_of(&open(path)?)
}

/// The text of a file that is open.
///
/// # Errors
/// It cannot be read, is no regular file, too long, or no UTF-8.
pub fn text_of(file: &File) -> io::Result<String> {
    let wrong = |e| io::Error::new(io::ErrorKind::InvalidData, e);
    String::from_utf8(bytes(file)?).map_err(wrong)
}

fn bytes(file: &File) -> io::Result<Vec<u8>> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > LONGEST {
        let why = if meta.is_file() { words::door_too_long() } else { words::door_no_file() };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The mode of a file that others than its owner can read or write.
pub(super) fn is_shared(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// The text of a file that holds a secret.
///
/// # Errors
/// As [`foreign`]; and others than its owner can read it.
pub(super) fn secret(path: &Path) -> io::Result<String> {
    let file = open(path)?;
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        let why = words::door_file_shared(format!("{:o}", mode & 0o777));
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    plain(&file)
}

/// Opens without waiting for who might write into a pipe.
fn open(path: &Path) -> io::Result<File> {
    let wait = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(wait).open(path)
}

/// What fwknop's files include.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk;

impl sereno_config::fwknop::Files for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        secret(Path::new(path)).map_err(|e| e.to_string())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(folder).map_err(|e| e.to_string())?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.collect())
    }
}
