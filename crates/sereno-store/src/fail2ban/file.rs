//! Opening the file without leaving a trace on it.

use super::{PATIENCE, TakeError};
use crate::dir::with_suffix;
use crate::schema;
use rusqlite::Connection;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes that are copied at most.
const LARGEST: u64 = 512 << 20;
/// How often copying is tried while somebody writes.
const TRIES: usize = 5;

/// The database, and the folder of its copy, if it is one.
pub(super) struct Opened {
    pub(super) conn: Connection,
    _copy: Option<Folder>,
}

/// Opens the database at `path` for writing, without a copy.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, TakeError> {
    let (real, _) = look(path)?;
    let sqlite = |source| TakeError::Sqlite { path: path.to_owned(), source };
    schema::connect(&real, true).map_err(sqlite)
}

/// Opens the database at `path` for reading.
pub(super) fn open(path: &Path) -> Result<Opened, TakeError> {
    let io = |source| TakeError::Io { path: path.to_owned(), source };
    let sqlite = |source| TakeError::Sqlite { path: path.to_owned(), source };
    let (real, logged) = look(path)?;
    let (real, copy) = if logged {
        let folder = Folder::new().map_err(io)?;
        let copied = copy(&real, &folder.0).map_err(io)?;
        let Some(copied) = copied else {
            return Err(TakeError::Unsteady { path: path.to_owned() });
        };
        (copied, Some(folder))
    } else {
        (real, None)
    };
    let conn = schema::connect(&real, copy.is_some()).map_err(sqlite)?;
    conn.busy_timeout(PATIENCE).map_err(sqlite)?;
    Ok(Opened { conn, _copy: copy })
}

/// The file behind a path, if it is a whole database, and whether it has a write-ahead log.
fn look(path: &Path) -> Result<(PathBuf, bool), TakeError> {
    let io = |source| TakeError::Io { path: path.to_owned(), source };
    // SQLite follows no link when we open something.
    let real = fs::canonicalize(path).map_err(io)?;
    if !fs::metadata(&real).map_err(io)?.is_file() {
        return Err(TakeError::Foreign { path: path.to_owned() });
    }
    let mut head = [0; 20];
    let read = File::open(&real).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Ok(()) if head.starts_with(b"SQLite format 3\0") => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(io(error)),
        _ => return Err(TakeError::Foreign { path: path.to_owned() }),
    }
    let full = |end: &str| fs::metadata(with_suffix(&real, end)).is_ok_and(|meta| meta.len() > 0);
    // To roll a change back is to write, and a journal may name other files.
    if full("-journal") {
        return Err(TakeError::Unfinished { path: path.to_owned() });
    }
    // A write-ahead log is read through a file beside it, which would be made. fail2ban has none.
    let logged = head[18] == 2 || head[19] == 2 || full("-wal");
    Ok((real, logged))
}

/// Copies a database and its write-ahead log, as they were at one moment; `None` if there is no
/// such moment, or they are too large.
fn copy(path: &Path, folder: &Path) -> io::Result<Option<PathBuf>> {
    let to = fs::canonicalize(folder)?.join("copy.sqlite3");
    let pairs = ["", "-wal"].map(|end| (with_suffix(path, end), with_suffix(&to, end)));
    for _ in 0..TRIES {
        let before: Vec<_> = pairs.iter().map(|(from, _)| state(from)).collect();
        for (from, to) in &pairs {
            match copy_file(from, to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let _ = fs::remove_file(to);
                }
                Err(error) => return Err(error),
                Ok(true) => {}
                Ok(false) => return Ok(None),
            }
        }
        if pairs.iter().map(|(from, _)| state(from)).eq(before) {
            return Ok(Some(to));
        }
    }
    Ok(None)
}

/// What changes when a file does.
fn state(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let meta = |meta: Metadata| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
    fs::metadata(path).ok().map(meta)
}

/// Copies a file; `false` if it is too large.
fn copy_file(from: &Path, to: &Path) -> io::Result<bool> {
    let from = File::open(from)?;
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    Ok(io::copy(&mut from.take(LARGEST + 1), &mut to)? <= LARGEST)
}

/// A folder that only we may enter; it goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let process = std::process::id();
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("sereno-import-{process}-{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
                made => return made.map(|()| Self(path)),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
