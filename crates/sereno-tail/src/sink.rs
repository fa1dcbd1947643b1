//! What a source hands over: blocks of whole lines, and notices about the files themselves.

use std::path::PathBuf;

/// One file, from when it is opened until it is closed; a rotated log's successor is another.
/// Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

impl FileId {
    /// Standard input.
    pub const STDIN: Self = Self(0);
    /// The systemd journal, in notices.
    pub const JOURNAL: Self = Self(u64::MAX);
}

/// Whole lines of one file.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// One or more lines, each ending in `\n`; NUL and invalid UTF-8 are passed on as found.
    /// A line of more than the cap is its beginning; the unfinished last line of a file that
    /// was left behind is given the newline it lacks.
    pub bytes: &'a [u8],
    /// Position of the first byte in the file.
    pub offset: u64,
    /// The first line follows the last line of the file's previous block: nothing was
    /// dropped between them.
    pub continues_previous: bool,
}

/// Something the administrator, or the consumer's bookkeeping, should know about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Reading of a file begins.
    Opened {
        /// Names it from now on.
        file: FileId,
        /// Where it was found.
        path: PathBuf,
        /// Ids of the patterns it belongs to.
        patterns: Vec<u32>,
        /// Offset of the first byte to be read.
        start: u64,
        /// Size now, in bytes.
        size: u64,
        /// Whether it is read until it is left: it has already been rotated away.
        rotated: bool,
    },
    /// A file being read got another name that is followed too.
    Named {
        /// Which.
        file: FileId,
        /// The other name.
        path: PathBuf,
        /// All patterns it belongs to now.
        patterns: Vec<u32>,
    },
    /// A file was renamed or deleted; it is read on to its end.
    Rotated {
        /// Which.
        file: FileId,
        /// Its name until now.
        path: PathBuf,
    },
    /// A file was emptied and is read from its beginning.
    Truncated {
        /// Which.
        file: FileId,
        /// Its name.
        path: PathBuf,
        /// Bytes known to have been there and unread: at least that many are gone. Zero when
        /// the copy that rotation made was found; then what was unread is read from it.
        lost: u64,
        /// Whether such a copy was found.
        rescued: bool,
    },
    /// A file that had been left behind has been read to its end.
    Closed {
        /// Which; not used again.
        file: FileId,
        /// Its last name among those followed.
        path: PathBuf,
        /// How far it was read, in bytes.
        offset: u64,
    },
    /// The file of a checkpoint is gone (deleted, or compressed): what it held behind the
    /// offset while nobody was reading cannot be had.
    Lost {
        /// Its name.
        path: PathBuf,
        /// How far it had been read, in bytes.
        offset: u64,
    },
    /// Nothing there (yet) under that path or pattern.
    Waiting {
        /// Path or pattern.
        path: PathBuf,
    },
    /// Cannot be opened or read, or is no log file; it is tried again.
    Unreadable {
        /// Path.
        path: PathBuf,
        /// Reason, for people.
        why: String,
    },
    /// Cannot be watched for changes; it is looked at from time to time instead.
    Unwatched {
        /// File or directory.
        path: PathBuf,
        /// Reason, for people.
        why: String,
    },
    /// Lines were longer than the cap; at most once a minute for each file.
    LineCut {
        /// Which.
        file: FileId,
        /// Lines cut since the last such notice.
        count: u64,
        /// Length of the longest in bytes, as far as it has been seen.
        longest: u64,
    },
    /// A pattern matches more files than are followed for one pattern.
    TooMany {
        /// The pattern.
        pattern: u32,
        /// How many are followed: those modified last.
        limit: usize,
    },
    /// The kernel dropped change events; everything is looked at again, nothing is lost.
    Overflow,
    /// A source other than a file (the journal, standard input) ended or failed.
    Ended {
        /// Reason, for people.
        why: String,
    },
    /// The journal had ended, and is read again: all that was written meanwhile has been read.
    Resumed,
}

/// Receives what sources hand over.
pub trait Sink {
    /// Whole lines of a file, valid during the call.
    fn block(&mut self, file: FileId, block: Block<'_>);
    /// Something happened to a source.
    fn notice(&mut self, notice: Notice);
}
