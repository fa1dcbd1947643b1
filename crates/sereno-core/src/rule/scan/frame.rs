//! Where the records of Asterisk's text formats begin and end.

use crate::line::{Headers, Record, Style, parse, without_colours};
use std::borrow::Cow;

/// What Asterisk writes of one message at most: `format_log_message_ap` (main/logger.c) cuts it
/// to a buffer of `BUFSIZ` (8192 bytes in glibc, one of them for the NUL), line break and all.
pub(super) const TEXT_BYTES: usize = 8191;
/// A record is at most this long: such a message behind a header with a date of 255 bytes.
pub(in crate::rule) const RECORD_BYTES: usize = TEXT_BYTES + 513;

pub(super) fn breaks(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The end of the line that starts at `start`, without its line break.
pub(super) fn line_end(block: &[u8], start: usize) -> usize {
    let start = start.min(block.len());
    memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |i| start + i)
}

/// How a line of Asterisk's is framed; `None` when it is none.
pub(super) fn framing(line: &[u8]) -> Option<Style> {
    let clean = without_colours(line);
    let record = parse(&clean);
    (!record.level.is_empty()).then_some(record.style)
}

/// The record, if it is framed as this log is; text otherwise.
pub(super) fn framed<'a>(record: Record<'a>, frame: Option<Style>, line: &'a [u8]) -> Record<'a> {
    if frame.is_some_and(|frame| frame != record.style) {
        return Record { text: Cow::Borrowed(line), ..Record::default() };
    }
    record
}

/// Whether a line starts with a header of its own, as this log's lines do.
fn has_header(line: &[u8], frame: Option<Style>, headers: &Headers) -> bool {
    let clean;
    let line = match line.first() {
        Some(0x1b) => {
            clean = without_colours(line);
            &*clean
        }
        _ => line,
    };
    match line.first() {
        Some(b'[' | b'<' | b'{' | b'0'..=b'9' | b'A'..=b'Z') => {
            let style = headers.style(line);
            frame.map_or(style != Style::Bare, |frame| frame == style)
        }
        _ => false,
    }
}

/// Where the record starts to which the line at `start` belongs.
pub(super) fn head_of_record(
    block: &[u8],
    start: usize,
    frame: Option<Style>,
    headers: &Headers,
) -> usize {
    let mut head = start;
    while head > 0
        && start - head <= RECORD_BYTES
        && !has_header(&block[head..line_end(block, head)], frame, headers)
    {
        head = memchr::memrchr(b'\n', &block[..head - 1]).map_or(0, |i| i + 1);
    }
    head
}

/// Where the record ends whose (so far) last line ends at `end`: at the latest where it has too
/// many bytes to be one.
pub(super) fn end_of_record(
    block: &[u8],
    mut end: usize,
    frame: Option<Style>,
    headers: &Headers,
) -> usize {
    let limit = end.saturating_add(RECORD_BYTES);
    while end <= limit && end + 1 < block.len() {
        let next_end = line_end(block, end + 1);
        if has_header(&block[end + 1..next_end], frame, headers) {
            break;
        }
        end = next_end;
    }
    end
}

/// Where the record at `head` was cut off for its length, and the next one follows without a
/// line break between them; `None` when it was not.
pub(super) fn seam(
    block: &[u8],
    head: usize,
    frame: Option<Style>,
    headers: &Headers,
) -> Option<usize> {
    let line = &block[head..line_end(block, head)];
    let record = parse(line);
    if record.style != Style::Asterisk {
        return None;
    }
    let at = head + line.len() - record.text.len() + TEXT_BYTES;
    let inside = at.checked_sub(1).and_then(|before| block.get(before)) != Some(&b'\n');
    (inside && at < block.len() && has_header(&block[at..line_end(block, at)], frame, headers))
        .then_some(at)
}

/// Where the last record of the block starts.
pub(super) fn last_record(block: &[u8], frame: Option<Style>, headers: &Headers) -> usize {
    let body = block.strip_suffix(b"\n").unwrap_or(block);
    let start = memchr::memrchr(b'\n', body).map_or(0, |i| i + 1);
    let head = head_of_record(block, start, frame, headers);
    // A block that is one record, or one without an end in sight, is read as it is.
    if head == 0 || block.len() - head > RECORD_BYTES { block.len() } else { head }
}
