//! One open file: reading on from a place, and noticing that the ground has moved.

use crate::lines::{Cut, Lines};
use crate::place::{FINGER, Key, Place, read_at};
use crate::sink::Block;
use memchr::memrchr;
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where to begin in a file that was there before and has no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At its first byte.
    Beginning,
    /// Behind its last whole line.
    End,
    /// With the first line that begins within its last so many bytes.
    Last(u64),
}

/// What one read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// That many bytes were dealt with, and there may be more.
    More(usize),
    /// That many bytes were dealt with, and the end was reached.
    End(usize),
    /// The bytes before the offset are not the ones that were read: truncated, perhaps
    /// written anew. Nothing was delivered.
    Moved,
}

/// An open log file and how far it has been read.
///
/// An unfinished last line is not kept: the offset stays before it and it is read again
/// with what follows.
#[derive(Debug)]
pub(crate) struct Tail {
    file: File,
    pub(crate) key: Key,
    pub(crate) offset: u64,
    pub(crate) lines: Lines,
    /// First bytes of the file, up to the offset or [`FINGER`].
    head: Vec<u8>,
    /// Last bytes before the offset.
    mark: Vec<u8>,
    /// The farthest byte known to exist.
    end: u64,
    continues: bool,
}

/// Why a file is not opened.
#[derive(Debug)]
pub(crate) enum Refusal {
    Missing,
    /// It is something else than a regular file.
    Kind(&'static str),
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Failed(e),
        }
    }
}

/// Looks at what `path` leads to, through symbolic links, without opening it: opening a
/// device can have effects.
pub(crate) fn look(path: &Path) -> Result<Metadata, Refusal> {
    let meta = std::fs::metadata(path)?;
    check_kind(&meta)?;
    Ok(meta)
}

fn check_kind(meta: &Metadata) -> Result<(), Refusal> {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(Refusal::Kind(match kind {
        k if k.is_dir() => "it is a directory",
        k if k.is_fifo() => "it is a FIFO",
        k if k.is_socket() => "it is a socket",
        _ => "it is a device",
    }))
}

impl Tail {
    /// Opens the regular file at `path`, to be read from its beginning.
    pub(crate) fn open(path: &Path, cap: usize) -> Result<Self, Refusal> {
        // NONBLOCK: between look and open it may have become a FIFO.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let file: File =
            rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?.into();
        let meta = file.metadata()?;
        check_kind(&meta)?;
        Ok(Self {
            file,
            key: Key::of(&meta),
            offset: 0,
            lines: Lines::new(cap),
            head: Vec::new(),
            mark: Vec::new(),
            end: 0,
            continues: false,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn place(&self) -> Place {
        Place::of(self.offset, &self.head, &self.mark)
    }

    /// Bytes known to exist behind the offset.
    pub(crate) fn known_unread(&self) -> u64 {
        self.end.saturating_sub(self.offset)
    }

    /// Goes to `offset`, which must not be behind the end. In the middle of a line, the rest
    /// of that line is dropped: half a line can be made to look like another one.
    pub(crate) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        let near = usize::try_from(offset).unwrap_or(FINGER).min(FINGER);
        let (mut head, mut mark) = (vec![0; near], vec![0; near]);
        let got = read_at(&self.file, 0, &mut head)?.min(read_at(
            &self.file,
            offset - near as u64,
            &mut mark,
        )?);
        if got < near {
            return Err(io::Error::other("the file shrank while it was being opened"));
        }
        self.lines.restart(mark.last().is_some_and(|byte| *byte != b'\n'));
        (self.offset, self.head, self.mark) = (offset, head, mark);
        (self.end, self.continues) = (offset, false);
        Ok(())
    }

    /// Goes where `start` says. `buf` is scratch space of more than the cap.
    pub(crate) fn start(&mut self, start: Start, cap: usize, buf: &mut [u8]) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        match start {
            Start::Beginning => self.go_to(0),
            Start::Last(bytes) => self.go_to(size.saturating_sub(bytes)),
            Start::End => {
                let near = (cap + 1).min(usize::try_from(size).unwrap_or(cap + 1));
                let base = size - near as u64;
                let got = read_at(&self.file, base, &mut buf[..near])?;
                match memrchr(b'\n', &buf[..got]) {
                    Some(at) => self.go_to(base + at as u64 + 1),
                    None if base == 0 => self.go_to(0),
                    None => self.go_to(size),
                }
            }
        }
    }

    /// Forgets everything read: the file was emptied.
    pub(crate) fn begin_again(&mut self) {
        self.lines.restart(false);
        self.head.clear();
        self.mark.clear();
        (self.offset, self.end, self.continues) = (0, 0, false);
    }

    /// Reads once into `buf` and delivers the whole lines in it. `buf` must have room for a
    /// fingerprint and a line of the cap's length at least.
    pub(crate) fn read(
        &mut self,
        buf: &mut [u8],
        give: &mut dyn FnMut(Block<'_>),
    ) -> io::Result<Got> {
        let base = self.offset - self.mark.len() as u64;
        let got = match self.file.read_at(buf, base) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(Got::More(0)),
            other => other?,
        };
        let known = self.mark.len();
        if !buf[..got].starts_with(&self.mark) {
            return Ok(Got::Moved);
        }
        self.end = base + got as u64;
        let mut at = known;
        loop {
            let (taken, line) = match self.lines.cut(&buf[at..got]) {
                Cut::Whole(n) => (n, true),
                Cut::Long(n) => {
                    // The line's end is not its writer's to choose: what is cut ends in a NUL.
                    let dropped = [std::mem::replace(&mut buf[at + n - 2], 0), buf[at + n - 1]];
                    buf[at + n - 1] = b'\n';
                    self.give(base + at as u64, &buf[at..at + n], give);
                    buf[at + n - 2..at + n].copy_from_slice(&dropped);
                    (n, false)
                }
                Cut::Drop(n) => (n, false),
                Cut::Wait => break,
            };
            if line {
                self.give(base + at as u64, &buf[at..at + taken], give);
            } else {
                self.continues = false;
            }
            at += taken;
        }
        self.advance(base, &buf[..at]);
        let read = at - known;
        Ok(if got == buf.len() { Got::More(read) } else { Got::End(read) })
    }

    fn give(&mut self, offset: u64, bytes: &[u8], give: &mut dyn FnMut(Block<'_>)) {
        give(Block { bytes, offset, continues_previous: self.continues });
        self.continues = true;
    }

    /// Moves behind `done`, the bytes from `base` on. Head and mark are equally long, so
    /// while the head is not complete `base` is 0.
    fn advance(&mut self, base: u64, done: &[u8]) {
        if self.head.len() < FINGER {
            self.head = done[..done.len().min(FINGER)].to_vec();
        }
        self.offset = base + done.len() as u64;
        self.mark.clear();
        self.mark.extend_from_slice(&done[done.len().saturating_sub(FINGER)..]);
    }

    /// Delivers the unfinished last line, if there is one, before the file is left. To be
    /// called at the end of the file.
    pub(crate) fn finish(&mut self, cap: usize, buf: &mut [u8], give: &mut dyn FnMut(Block<'_>)) {
        if self.lines.is_dropping() {
            return;
        }
        if let Ok(n @ 1..) = read_at(&self.file, self.offset, &mut buf[..cap]) {
            buf[n] = b'\n';
            self.give(self.offset, &buf[..=n], give);
            self.offset += n as u64;
        }
    }
}
