//! Where reading stands in a file, in a form that survives a restart and recognises the file
//! when it has been renamed, copied, truncated, or when its inode now belongs to another.
//!
//! Names and inodes are reused, bytes of a log are not: they carry times. So a place is known
//! by the bytes themselves, the first [`FINGER`] of the file and the last [`FINGER`] before the
//! offset. Checking the latter costs nothing while following (they come with the same read)
//! and also notices a truncated file that has already grown past the old offset.

use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// How many bytes are remembered of the beginning and before the offset.
pub(crate) const FINGER: usize = 512;

/// Device and inode number: which file it is, for as long as somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

impl Key {
    pub(crate) fn of(meta: &Metadata) -> Self {
        Self { dev: meta.dev(), ino: meta.ino() }
    }
}

/// An offset and the bytes around it, hashed (FNV-1a, 64 bits: against chance, not malice;
/// who can choose a log's bytes cannot choose its times).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Bytes read and delivered.
    pub offset: u64,
    /// How many first bytes `head_hash` covers.
    pub head_len: u16,
    /// Hash of the first bytes of the file.
    pub head_hash: u64,
    /// How many bytes before `offset` the `mark_hash` covers.
    pub mark_len: u16,
    /// Hash of the bytes just before `offset`.
    pub mark_hash: u64,
}

/// The position in one file after the last delivered block. Save them all, give them all to
/// [`crate::Follow::open`] in the same order, and reading goes on exactly there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The path the file is, or was before its rotation, followed under.
    pub path: String,
    /// Device number.
    pub dev: u64,
    /// Inode number; 0: the path was followed but there was no file.
    pub ino: u64,
    /// Newest modification time of anything fully read under this path (nanoseconds since the
    /// epoch). Rotated files that are newer were never seen.
    pub seen: i64,
    /// Where reading stands.
    #[serde(flatten)]
    pub place: Place,
}

impl Checkpoint {
    pub(crate) fn key(&self) -> Key {
        Key { dev: self.dev, ino: self.ino }
    }
}

/// How a file compares with a remembered place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The same beginning and the same bytes before the offset.
    Exact,
    /// The same beginning, but not the same bytes before the offset.
    Beginning,
    /// Another file.
    Other,
}

impl Place {
    pub(crate) fn of(offset: u64, head: &[u8], mark: &[u8]) -> Self {
        Self {
            offset,
            head_len: u16::try_from(head.len()).unwrap_or(0),
            head_hash: hash(head),
            mark_len: u16::try_from(mark.len()).unwrap_or(0),
            mark_hash: hash(mark),
        }
    }

    /// Compares `file` with this place. At offset 0 nothing is known and any file is `Exact`.
    pub(crate) fn fit(&self, file: &File) -> io::Result<Fit> {
        let mut buf = [0; FINGER];
        let head_len = usize::from(self.head_len).min(FINGER);
        let mark_len = usize::from(self.mark_len).min(FINGER);
        let head = read_at(file, 0, &mut buf[..head_len])?;
        if head != head_len || hash(&buf[..head]) != self.head_hash {
            return Ok(if self.offset == 0 { Fit::Exact } else { Fit::Other });
        }
        let start = self.offset.saturating_sub(mark_len as u64);
        let mark = read_at(file, start, &mut buf[..mark_len])?;
        let same = mark == mark_len && hash(&buf[..mark]) == self.mark_hash;
        Ok(if same { Fit::Exact } else { Fit::Beginning })
    }

    /// Whether `file` begins with the same bytes, if any are known.
    pub(crate) fn begins_like(&self, file: &File) -> bool {
        self.head_len > 0 && !matches!(self.fit(file), Ok(Fit::Other) | Err(_))
    }
}

/// Fills `buf` from `offset` on, as far as the file goes; returns how far.
pub(crate) fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Modification time in nanoseconds since the epoch.
pub(crate) fn modified(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec())
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable over versions of Rust, as a stored hash must be.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_reference_values() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
