//! What can go wrong with the ledger, in words an administrator can act on.

use rusqlite::ErrorCode;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the ledger could not be opened, read or written.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Debug)]
pub enum StoreError {
    /// Somebody else owns the directory or the file, or could change it.
    Unsafe { path: PathBuf, why: String },
    /// Another process has the ledger.
    Locked { dir: PathBuf },
    /// There is no ledger to read.
    Missing { dir: PathBuf },
    /// The disk is full. Nothing of the batch was written; the store goes on working.
    Full { path: PathBuf },
    /// The operating system refused a read or a write. As with `Full`, the store goes on.
    Disk { path: PathBuf, source: rusqlite::Error },
    /// The file is damaged. The next [`crate::Store::open`] moves it aside.
    Damaged { path: PathBuf, why: String },
    /// Written by a newer version of the program.
    Newer { path: PathBuf, found: i64, known: i64 },
    /// Written by an older version, and opened for reading only.
    Older { path: PathBuf, found: i64, known: i64 },
    /// A SQLite file, but of another program.
    Foreign { path: PathBuf },
    /// A file operation failed.
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// Anything else SQLite says.
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl StoreError {
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::SystemIoFailure) => Self::Disk { path, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, why: source.to_string() }
            }
            _ => Self::Sqlite { path, source },
        }
    }

    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// Whether the same batch may succeed later without anybody repairing the file.
    #[must_use]
    pub fn passing(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Disk { .. } => true,
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OutOfMemory)
            ),
            _ => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsafe { path, why } => write!(f, "{} cannot be trusted: {why}", path.display()),
            Self::Locked { dir } => {
                write!(
                    f,
                    "another process uses the ledger in {}; only one can at a time",
                    dir.display()
                )
            }
            Self::Missing { dir } => write!(f, "there is no ledger in {}", dir.display()),
            Self::Full { path } => {
                write!(
                    f,
                    "the disk is full: {} could not be written, nothing of it was kept",
                    path.display()
                )
            }
            Self::Disk { path, source } => {
                write!(f, "the disk refuses {}: {source}", path.display())
            }
            Self::Damaged { path, why } => write!(f, "{} is damaged: {why}", path.display()),
            Self::Newer { path, found, known } => write!(
                f,
                "{} was written by a newer version (layout {found}, this one knows up to {known}); \
                 update, or move the file away",
                path.display()
            ),
            Self::Older { path, found, known } => write!(
                f,
                "{} was written by an older version (layout {found}, this one reads {known}); \
                 start the service once, it brings the file up to date",
                path.display()
            ),
            Self::Foreign { path } => {
                write!(f, "{} is a database of another program; move it away", path.display())
            }
            Self::Io { doing, path, source } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Self::Sqlite { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Disk { source, .. } | Self::Sqlite { source, .. } => Some(source),
            _ => None,
        }
    }
}
