//! The state directory: made for us alone, refused when it is not, locked while in use.

use crate::StoreError;
use sereno_core::time::Time;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const FILE: &str = "ledger.sqlite3";
const LOCK: &str = "ledger.lock";

/// Who may own what is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Only who we are.
    Us,
    /// Root reads what a service wrote.
    UsOrAnyForRoot,
}

/// Makes the directory (mode 0700) or checks it; gives it back without symbolic links, because
/// SQLite is told to follow none.
pub(crate) fn prepare(dir: &Path) -> Result<PathBuf, StoreError> {
    if !dir.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| StoreError::io("make the directory", dir, e))?;
    }
    find(dir, Owner::Us)
}

/// Checks a directory that has to be there.
pub(crate) fn find(dir: &Path, owner: Owner) -> Result<PathBuf, StoreError> {
    let real = fs::canonicalize(dir).map_err(|e| match e.kind() {
        ErrorKind::NotFound => StoreError::Missing { dir: dir.to_owned() },
        _ => StoreError::io("open the directory", dir, e),
    })?;
    let meta = fs::metadata(&real).map_err(|e| StoreError::io("look at", &real, e))?;
    if !meta.is_dir() {
        return Err(StoreError::Unsafe { path: real, why: "it is not a directory".to_owned() });
    }
    trust(&real, &meta, owner)?;
    Ok(real)
}

/// The ledger's path, after a check of the file if there is one.
pub(crate) fn file(dir: &Path, owner: Owner) -> Result<Option<PathBuf>, StoreError> {
    let path = dir.join(FILE);
    match fs::symlink_metadata(&path) {
        Ok(meta) if !meta.is_file() => {
            Err(StoreError::Unsafe { path, why: "it is not a regular file".to_owned() })
        }
        Ok(meta) => trust(&path, &meta, owner).map(|()| Some(path)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io("look at", &path, e)),
    }
}

/// Makes the empty ledger file (mode 0600; SQLite gives its companions the same).
pub(crate) fn create(dir: &Path) -> Result<PathBuf, StoreError> {
    let path = dir.join(FILE);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| StoreError::io("make", &path, e))?;
    Ok(path)
}

fn trust(path: &Path, meta: &Metadata, owner: Owner) -> Result<(), StoreError> {
    let us = rustix::process::geteuid().as_raw();
    let refuse = |why: String| Err(StoreError::Unsafe { path: path.to_owned(), why });
    if meta.uid() != us && !(owner == Owner::UsOrAnyForRoot && us == 0) {
        return refuse(format!("it belongs to user {}, and we are user {us}", meta.uid()));
    }
    if meta.mode() & 0o022 != 0 {
        let mode = meta.mode() & 0o7777;
        return refuse(format!(
            "others may write to it (mode {mode:04o}); chmod go-w would mend that"
        ));
    }
    Ok(())
}

/// Takes the directory for this process, until the file is dropped.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(&path)
        .map_err(|e| StoreError::io("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path, e)),
    }
}

/// Moves a damaged ledger and its write-ahead log out of the way, under names that keep them
/// together for whoever wants to rescue something. Gives back the new name.
pub(crate) fn move_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let stamp = stamp();
    let target = (1..)
        .map(|n| with_suffix(path, &if n == 1 { stamp.clone() } else { format!("{stamp}-{n}") }))
        .find(|target| fs::symlink_metadata(target).is_err())
        .unwrap_or_else(|| with_suffix(path, &stamp));
    fs::rename(path, &target).map_err(|e| StoreError::io("move aside", path, e))?;
    for part in ["-wal", "-shm"] {
        let from = with_suffix(path, part);
        match fs::rename(&from, with_suffix(&target, part)) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("move aside", &from, e));
            }
            _ => {}
        }
    }
    Ok(target)
}

/// A companion of a file: its name with something behind it.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn stamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time::from_secs(i64::try_from(now.as_secs()).unwrap_or(0));
    format!(".corrupt-{}", now.to_string().replace(['-', ':'], ""))
}
