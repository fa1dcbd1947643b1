//! Standard input, or any pipe or terminal: the same line rules, no position.

use crate::lines::{Cut, Lines};
use crate::sink::{Block, FileId, Notice, Sink};
use rustix::fs::OFlags;
use rustix::io::Errno;
use sereno_core::time::Time;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Reads a descriptor to its end.
///
/// A descriptor that cannot be polled (a regular file: epoll refuses it) is always ready.
#[derive(Debug)]
pub struct Stdin {
    fd: OwnedFd,
    lines: Lines,
    /// Unread bytes are at its front.
    buf: Vec<u8>,
    filled: usize,
    offset: u64,
    budget: usize,
    cap: usize,
    continues: bool,
    ended: bool,
}

impl Stdin {
    /// Reads `fd` (a duplicate of standard input, say) with lines of at most `line_cap`
    /// bytes, about `budget` bytes in one wake. Sets the descriptor non-blocking, which
    /// whoever shares it will notice.
    ///
    /// # Errors
    /// When the descriptor cannot be made non-blocking.
    pub fn new(fd: OwnedFd, line_cap: usize, budget: usize) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        Ok(Self {
            fd,
            lines: Lines::new(line_cap),
            buf: vec![0; (64 * 1024).max(2 * line_cap + 2)],
            filled: 0,
            offset: 0,
            budget,
            cap: line_cap,
            continues: false,
            ended: false,
        })
    }

    /// What to poll for reading.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether the end has been reached and everything delivered.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what is there, about the budget. Returns whether there may be more now.
    pub fn wake(&mut self, now: Time, sink: &mut dyn Sink) -> bool {
        let mut read = 0;
        while !self.ended && read < self.budget {
            match rustix::io::read(&self.fd, &mut self.buf[self.filled..]) {
                Ok(0) => self.end("the input has ended", sink),
                Ok(n) => {
                    self.filled += n;
                    read += n;
                    self.deliver(sink);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(e) => self.end(&format!("the input failed: {e}"), sink),
            }
            if let Some((count, longest)) = self.lines.report(now) {
                sink.notice(Notice::LineCut { file: FileId::STDIN, count, longest });
            }
        }
        !self.ended && read >= self.budget
    }

    fn deliver(&mut self, sink: &mut dyn Sink) {
        let mut at = 0;
        loop {
            let (taken, gives, whole) = match self.lines.cut(&self.buf[at..self.filled]) {
                Cut::Whole(n) => (n, true, true),
                Cut::Long(n) => {
                    // The line's end is not its writer's to choose: what is cut ends in a NUL.
                    self.buf[at + n - 2] = 0;
                    self.buf[at + n - 1] = b'\n';
                    (n, true, false)
                }
                Cut::Drop(n) => (n, false, false),
                Cut::Wait => break,
            };
            if gives {
                self.give(at, at + taken, sink);
            }
            self.continues = whole;
            at += taken;
            self.offset += taken as u64;
        }
        // The rest is no longer than the cap: there is always room to read into.
        self.buf.copy_within(at..self.filled, 0);
        self.filled -= at;
    }

    fn give(&self, from: usize, to: usize, sink: &mut dyn Sink) {
        let bytes = &self.buf[from..to];
        let block = Block { bytes, offset: self.offset, continues_previous: self.continues };
        sink.block(FileId::STDIN, block);
    }

    fn end(&mut self, why: &str, sink: &mut dyn Sink) {
        if self.filled > 0 && self.filled <= self.cap && !self.lines.is_dropping() {
            self.buf[self.filled] = b'\n';
            self.give(0, self.filled + 1, sink);
        }
        self.ended = true;
        sink.notice(Notice::Ended { why: why.to_owned() });
    }
}
