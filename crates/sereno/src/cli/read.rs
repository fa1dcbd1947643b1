//! Reading a log once from its beginning: plain, `.gz`, `.xz` or standard input, in blocks of
//! whole lines.
//!
//! What a file is, its first bytes say, not its name. A block is what one read gave, up to
//! `BLOCK`: nothing waits for a block to fill, nothing is copied but the unfinished line at
//! its end. A line over `LINE` is cut, and its end is made to look like no line's end: where
//! it was cut, a stranger may have chosen.

use super::failure::Failure;
use super::progress::Progress;
use crate::words;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use sereno_core::time::Time;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// Bytes of a block at most: large enough that a read costs nothing, small enough for the cache of
/// one core, where what was just read is still found.
const BLOCK: usize = 128 << 10;
/// Bytes of a line at most, without its line break. The core's records are no longer either.
const LINE: usize = 64 << 10;
/// Kilobytes that an `.xz` file may ask for (`xz -9` makes files that want 64 MB).
const XZ_KILOBYTES: u32 = 256 << 10;
/// A file older than this was written in other times: its dates are read as seen from then.
const OLD: Duration = Duration::from_secs(86_400);
/// What stands at the end of a line that was cut; no program writes it.
const CUT_MARK: u8 = 0;

/// A log being read.
pub struct Log {
    path: PathBuf,
    progress: Option<Progress>,
    source: Box<dyn Read>,
    position: Rc<Cell<u64>>,
    size: Option<u64>,
    modified: Option<Time>,
    buffer: Vec<u8>,
    /// `start..whole` are whole lines that were not used yet, `whole..end` an unfinished one.
    start: usize,
    whole: usize,
    end: usize,
    ended: bool,
    trouble: Option<io::Error>,
    dropping: bool,
    cut: u64,
}

/// Whole lines of a log.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The lines; only the log's last one may lack its line break.
    pub bytes: &'a [u8],
    /// Whether nothing follows.
    pub last: bool,
}

/// Counts what is read from the file itself, compressed or not.
struct Counted<R> {
    inner: R,
    position: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.position.set(self.position.get() + n as u64);
        Ok(n)
    }
}

impl Log {
    /// Opens a log; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let trouble = |error: io::Error| Failure::file(path, &error);
        if path == Path::new("-") {
            return Self::new(path, Box::new(io::stdin().lock())).map_err(trouble);
        }
        let file = File::open(path).map_err(trouble)?;
        let about = file.metadata().map_err(trouble)?;
        let mut log = Self::new(path, Box::new(file)).map_err(trouble)?;
        log.size = about.is_file().then_some(about.len());
        log.modified = about.modified().ok().filter(|_| about.is_file()).map(since_epoch);
        Ok(log)
    }

    /// A log out of any bytes; `path` is what messages call it.
    ///
    /// # Errors
    /// When its first bytes cannot be read.
    pub fn new(path: &Path, source: Box<dyn Read>) -> io::Result<Self> {
        let position = Rc::new(Cell::new(0));
        let mut source = Counted { inner: source, position: Rc::clone(&position) };
        let mut head = Vec::with_capacity(6);
        source.by_ref().take(6).read_to_end(&mut head)?;
        let packed = (head.starts_with(&[0x1f, 0x8b]), head.starts_with(b"\xfd7zXZ\0"));
        let whole = io::Cursor::new(head).chain(source);
        let source: Box<dyn Read> = match packed {
            (true, _) => Box::new(MultiGzDecoder::new(whole)),
            (_, true) => Box::new(XzReader::new_mem_limit(whole, true, XZ_KILOBYTES)),
            _ => Box::new(whole),
        };
        Ok(Self {
            path: path.to_owned(),
            progress: None,
            source,
            position,
            size: None,
            modified: None,
            buffer: vec![0; BLOCK + 2 * LINE],
            start: 0,
            whole: 0,
            end: 0,
            ended: false,
            trouble: None,
            dropping: false,
            cut: 0,
        })
    }

    /// Shows on standard error how far the reading has come, if that is a terminal.
    #[must_use]
    pub fn showing_progress(mut self) -> Self {
        self.progress = Progress::new(&self.path.display().to_string(), self.size);
        self
    }

    /// Reads to the end; `take` says of every block how many bytes it used: all, or all but the
    /// last lines, which come again with what follows them.
    ///
    /// # Errors
    /// When reading fails, or as soon as `take` does.
    pub fn for_each(
        &mut self,
        mut take: impl FnMut(Block<'_>) -> Result<usize, Failure>,
    ) -> Result<(), Failure> {
        loop {
            let used = match self.next_block() {
                Ok(Some(block)) => take(block)?,
                Ok(None) => break,
                Err(error) => return Err(Failure::file(&self.path, &error)),
            };
            self.used(used);
            let done = self.position.get();
            if let Some(progress) = &mut self.progress {
                progress.show(done);
            }
        }
        self.progress = None;
        Ok(())
    }

    /// The next whole lines, those that were not used before included; `None` at the end.
    /// When reading fails, what was read before that comes first.
    fn next_block(&mut self) -> io::Result<Option<Block<'_>>> {
        while !self.ended {
            self.make_room();
            if self.end == self.buffer.len() {
                break;
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.arrived(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => (self.ended, self.trouble) = (true, Some(error)),
            }
            if !self.ended && self.whole > self.start {
                let bytes = &self.buffer[self.start..self.whole];
                return Ok(Some(Block { bytes, last: false }));
            }
        }
        self.whole = self.end;
        if self.start < self.end {
            return Ok(Some(Block { bytes: &self.buffer[self.start..self.end], last: true }));
        }
        self.trouble.take().map_or(Ok(None), Err)
    }

    /// Says how much of the last block was used; the rest comes again with what follows it.
    fn used(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.whole);
    }

    /// Lines cut because they were too long.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// The moment from which dates without a year are judged: what the administrator said
    /// (seconds since the epoch), else when an old file was last written, else now.
    #[must_use]
    pub fn seen_from(&self, said: Option<i64>) -> Time {
        let now = since_epoch(SystemTime::now());
        let written = self.modified.filter(|modified| now.since(*modified) > OLD);
        said.map(Time::from_secs).or(written).unwrap_or(now)
    }

    /// Moves what is left to the front of the buffer: an unfinished line, a record or two.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.whole -= self.start;
        self.end -= self.start;
        self.start = 0;
    }

    /// Takes note of `n` new bytes.
    fn arrived(&mut self, n: usize) {
        let (mut from, until) = (self.end, self.end + n);
        if self.dropping {
            match memchr::memchr(b'\n', &self.buffer[from..until]) {
                Some(at) => from += at,
                None => return,
            }
            self.dropping = false;
            self.buffer.copy_within(from..until, self.end);
        }
        let old = self.end;
        self.end = old + (until - from);
        if let Some(at) = memchr::memrchr(b'\n', &self.buffer[old..self.end]) {
            let before = std::mem::replace(&mut self.whole, old + at + 1);
            if may_be_long(&self.buffer[before..self.whole]) {
                self.shorten(before);
            }
        }
        if self.end - self.whole > LINE {
            self.end = self.whole + LINE;
            self.buffer[self.end - 1] = CUT_MARK;
            self.dropping = true;
            self.cut += 1;
        }
    }

    /// Cuts the long lines among the whole ones behind `before`.
    fn shorten(&mut self, before: usize) {
        let (mut from, mut to) = (before, before);
        while let Some(length) = memchr::memchr(b'\n', &self.buffer[from..self.whole]) {
            let kept = length.min(LINE);
            self.buffer.copy_within(from..from + kept, to);
            if length > LINE {
                self.buffer[to + kept - 1] = CUT_MARK;
                self.cut += 1;
            }
            self.buffer[to + kept] = b'\n';
            from += length + 1;
            to += kept + 1;
        }
        self.buffer.copy_within(self.whole..self.end, to);
        self.end -= self.whole - to;
        self.whole = to;
    }
}

/// Says how many lines were cut, if any were, on standard error.
pub fn tell_of_cuts(cut: u64) {
    use std::io::Write;
    if cut > 0 {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "{}", words::lines_cut(LINE >> 10, words::lines(cut)));
    }
}

/// Whether some line may be over [`LINE`]: such a line covers a whole piece of half that size
/// wherever it starts, so that only the first line break of every piece is looked for.
fn may_be_long(lines: &[u8]) -> bool {
    lines.chunks_exact(LINE / 2).any(|piece| memchr::memchr(b'\n', piece).is_none())
}

fn since_epoch(at: SystemTime) -> Time {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Time::default().plus(after),
        Err(before) => Time::default().minus(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time, as a pipe does.
    struct Dribble(Vec<u8>, usize, usize);

    impl Read for Dribble {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.2.min(buffer.len()).min(self.0.len() - self.1);
            buffer[..n].copy_from_slice(&self.0[self.1..self.1 + n]);
            self.1 += n;
            Ok(n)
        }
    }

    /// Reads everything, leaving the last `keep` bytes of every block for the next time.
    fn all(bytes: Vec<u8>, step: usize, keep: usize) -> (Vec<u8>, u64) {
        let mut log = Log::new(Path::new("-"), Box::new(Dribble(bytes, 0, step))).unwrap();
        let mut out = Vec::new();
        while let Some(block) = log.next_block().unwrap() {
            assert!(block.last || block.bytes.ends_with(b"\n"));
            let used = if block.last {
                block.bytes.len()
            } else {
                block.bytes.len().saturating_sub(keep).max(1)
            };
            out.extend_from_slice(&block.bytes[..used]);
            log.used(used);
        }
        (out, log.cut())
    }

    /// What should come out, the slow way.
    fn model(bytes: &[u8]) -> (Vec<u8>, u64) {
        let (mut out, mut cut) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let body = line.strip_suffix(b"\n").unwrap_or(line);
            if body.len() > LINE {
                out.extend_from_slice(&body[..LINE - 1]);
                out.push(CUT_MARK);
                cut += 1;
            } else {
                out.extend_from_slice(body);
            }
            out.extend_from_slice(&line[body.len()..]);
        }
        (out, cut)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_comes_out_is_what_went_in(
            lengths in proptest::collection::vec(prop_oneof![0usize..200, 8000usize..8400, 10_000usize..40_000], 0..30),
            step in prop_oneof![Just(1usize << 20), 1usize..5000],
            keep in prop_oneof![Just(0usize), 0usize..300],
            open in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            for (i, length) in lengths.iter().enumerate() {
                bytes.extend(std::iter::repeat_n(b'a' + (i % 26) as u8, *length));
                bytes.push(b'\n');
            }
            if open {
                bytes.pop();
            }
            let expected = model(&bytes);
            prop_assert!(all(bytes, step, keep) == expected);
        }
    }

    #[test]
    fn a_line_without_an_end_needs_no_memory() {
        let mut log = Log::new(Path::new("-"), Box::new(io::repeat(b'x').take(50 << 20))).unwrap();
        let block = log.next_block().unwrap().unwrap();
        assert_eq!((block.bytes.len(), block.last), (LINE, true));
        assert_eq!(log.cut(), 1);
    }

    #[test]
    fn what_a_broken_archive_holds_is_read_before_its_error() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let text: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
        io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
        let mut packed = packed.finish().unwrap();
        packed.truncate(packed.len() / 2);
        let mut log = Log::new(Path::new("-"), Box::new(io::Cursor::new(packed))).unwrap();
        let mut read = 0;
        let error = loop {
            match log.next_block() {
                Ok(Some(block)) => {
                    let used = block.bytes.len();
                    read += used;
                    log.used(used);
                }
                Ok(None) => panic!("the end was not noticed"),
                Err(error) => break error,
            }
        };
        assert!(read > text.len() / 4);
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
