//! Cutting bytes into whole lines: the one mechanism behind files and standard input.
//!
//! A reader keeps unread bytes in a buffer and asks [`Lines::cut`] what to do with its front.
//! Newlines are not looked for one by one: a backward search from the end of the buffer finds
//! where whole lines end, and one backward search per cap-sized window proves that no line in
//! between is too long. That costs one short search per 8 KiB, whatever the lines look like.

use memchr::{memchr, memrchr};
use sereno_core::time::Time;
use std::time::Duration;

/// How often a file may report that lines were cut.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// What the front of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// That many bytes of whole lines, the last one being a newline.
    Whole(usize),
    /// A line longer than the cap: its first `n - 1` bytes are the line; the byte after them
    /// belongs to the part that is dropped, so its place can hold the newline.
    Long(usize),
    /// Drop that many bytes.
    Drop(usize),
    /// No whole line yet.
    Wait,
}

/// The state of line cutting for one stream of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    cap: usize,
    /// Inside the dropped rest of a line that was too long, or that began before we looked.
    dropping: bool,
    /// Length so far of the line being dropped; 0 when its beginning was not seen.
    length: u64,
    cuts: u64,
    longest: u64,
    reported: Option<Time>,
}

impl Lines {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, dropping: false, length: 0, cuts: 0, longest: 0, reported: None }
    }

    /// Starts over at a place that is (`false`) or is not (`true`) the start of a line.
    pub(crate) fn restart(&mut self, mid_line: bool) {
        self.dropping = mid_line;
        self.length = 0;
    }

    /// Whether the unfinished last line is being dropped rather than waited for.
    pub(crate) fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Judges the front of `buf`. The caller takes the bytes named by the answer off the
    /// front before asking again. Linear in what is taken.
    pub(crate) fn cut(&mut self, buf: &[u8]) -> Cut {
        if self.dropping {
            return self.drop_front(buf);
        }
        let mut whole = 0;
        while buf.len() - whole > self.cap {
            match memrchr(b'\n', &buf[whole..=whole + self.cap]) {
                Some(at) => whole += at + 1,
                None if whole > 0 => return Cut::Whole(whole),
                None => return self.too_long(buf),
            }
        }
        match memrchr(b'\n', &buf[whole..]) {
            Some(at) => Cut::Whole(whole + at + 1),
            None if whole > 0 => Cut::Whole(whole),
            None => Cut::Wait,
        }
    }

    fn drop_front(&mut self, buf: &[u8]) -> Cut {
        let end = memchr(b'\n', buf);
        let taken = end.map_or(buf.len(), |at| at + 1);
        if self.length > 0 {
            self.length += end.unwrap_or(taken) as u64;
            self.longest = self.longest.max(self.length);
        }
        if end.is_some() {
            self.restart(false);
        }
        if taken == 0 { Cut::Wait } else { Cut::Drop(taken) }
    }

    fn too_long(&mut self, buf: &[u8]) -> Cut {
        // A writer without O_APPEND leaves a hole of NULs when its file is truncated under
        // it. The hole is no part of the line behind it.
        let hole = buf.iter().take_while(|byte| **byte == 0).count();
        if hole > self.cap {
            return Cut::Drop(hole);
        }
        self.dropping = true;
        self.length = self.cap as u64 + 1;
        self.longest = self.longest.max(self.length);
        self.cuts += 1;
        Cut::Long(self.cap + 1)
    }

    /// Lines cut since the last report and the longest of them (bytes, without its newline;
    /// at least, when its end has not been seen), at most once a minute.
    pub(crate) fn report(&mut self, now: Time) -> Option<(u64, u64)> {
        let quiet = self.report_at().is_some_and(|due| now >= due);
        (quiet).then(|| {
            self.reported = Some(now);
            (std::mem::take(&mut self.cuts), std::mem::take(&mut self.longest))
        })
    }

    /// When the next report is due; none while there is nothing to tell.
    pub(crate) fn report_at(&self) -> Option<Time> {
        (self.cuts > 0).then(|| self.reported.map_or(Time::MIN, |last| last.plus(REPORT_EVERY)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `input` in pieces of the given sizes, as a pipe would, and returns the lines.
    fn run(input: &[u8], sizes: &[usize], cap: usize) -> Vec<Vec<u8>> {
        let (mut lines, mut buf, mut out) = (Lines::new(cap), Vec::new(), Vec::new());
        let (mut at, mut turn) = (0, 0);
        while at < input.len() {
            let step = sizes[turn % sizes.len()].min(input.len() - at);
            buf.extend_from_slice(&input[at..at + step]);
            (at, turn) = (at + step, turn + 1);
            loop {
                let n = match lines.cut(&buf) {
                    Cut::Whole(n) => {
                        assert_eq!(buf[n - 1], b'\n');
                        out.extend(buf[..n - 1].split(|b| *b == b'\n').map(<[u8]>::to_vec));
                        n
                    }
                    Cut::Long(n) => {
                        out.push(buf[..n - 1].to_vec());
                        n
                    }
                    Cut::Drop(n) => n,
                    Cut::Wait => break,
                };
                buf.drain(..n);
            }
            assert!(buf.len() <= cap, "memory is bounded by the cap");
        }
        out
    }

    proptest! {
        #[test]
        fn equals_the_naive_cutter(
            texts in prop::collection::vec(prop::collection::vec(1u8..=255, 0..40), 0..30),
            sizes in prop::collection::vec(1usize..60, 1..10),
        ) {
            let cap = 16;
            let mut input = Vec::new();
            let mut want = Vec::new();
            for text in texts {
                let line: Vec<u8> = text.into_iter().filter(|b| *b != b'\n').collect();
                input.extend_from_slice(&line);
                input.push(b'\n');
                want.push(line[..line.len().min(cap)].to_vec());
            }
            prop_assert_eq!(run(&input, &sizes, cap), want);
        }
    }

    #[test]
    fn exactly_the_cap_is_not_too_long() {
        let input = b"12345678\n123456789\nx\n";
        let got = run(input, &[input.len()], 8);
        assert_eq!(got, [b"12345678".to_vec(), b"12345678".to_vec(), b"x".to_vec()]);
    }

    #[test]
    fn a_hole_does_not_swallow_the_line_behind_it() {
        let mut input = vec![0u8; 100];
        input.extend_from_slice(b"hello\n");
        assert_eq!(run(&input, &[1000], 16), [b"hello".to_vec()]);
    }

    #[test]
    fn reports_once_a_minute_with_a_count() {
        let mut lines = Lines::new(4);
        for _ in 0..3 {
            assert_eq!(lines.cut(b"1234567\n"), Cut::Long(5));
            assert_eq!(lines.cut(b"67\n"), Cut::Drop(3));
        }
        assert_eq!(lines.report(Time::from_secs(10)), Some((3, 7)));
        assert_eq!(lines.cut(b"1234567\n"), Cut::Long(5));
        assert_eq!(lines.report(Time::from_secs(60)), None);
        assert_eq!(lines.report_at(), Some(Time::from_secs(70)));
        assert_eq!(lines.report(Time::from_secs(70)), Some((1, 5)));
    }
}
