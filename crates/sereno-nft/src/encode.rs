//! Bytes of netlink messages: headers, attributes, batches.
//!
//! Headers are in host order, the contents of nf_tables attributes in network order. Every
//! message and attribute starts on a multiple of four bytes.

use crate::heard::ulog_kind;
use crate::numbers::*;
use std::ops::Range;

/// Bytes of `struct nlmsghdr` and `struct nfgenmsg` together.
const HEADER: usize = 20;

/// Writes the attributes of one message.
pub(crate) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    fn head(&mut self, kind: u16, len: usize) {
        // Names are short and lists are cut by their writers; a length beyond the 16 bits of
        // the field would be refused by the kernel as malformed.
        let len = u16::try_from(len + 4).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&len.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
    }

    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.head(kind, value.len());
        self.0.extend_from_slice(value);
        pad(self.0);
    }

    /// A string with its closing zero byte.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        self.head(kind, value.len() + 1);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        pad(self.0);
    }

    pub(crate) fn u16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, kind: u16, value: i32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute that holds attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.head(kind | NLA_F_NESTED, 0);
        fill(self);
        let len = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends one message to `out`: `kind` is the full 16-bit type.
fn message(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    seq: u32,
    family: u8,
    resource: u16,
    fill: impl FnOnce(&mut Attributes<'_>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&seq.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[family, 0]);
    out.extend_from_slice(&resource.to_be_bytes());
    fill(&mut Attributes(out));
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_ne_bytes());
}

/// The type of an nf_tables message.
pub(crate) fn nft_kind(kind: u8) -> u16 {
    u16::from(NFNL_SUBSYS_NFTABLES) << 8 | u16::from(kind)
}

/// A single request outside a batch (questions and dumps).
pub(crate) fn request(
    kind: u8,
    family: u8,
    flags: u16,
    seq: u32,
    fill: impl FnOnce(&mut Attributes<'_>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    message(&mut out, nft_kind(kind), NLM_F_REQUEST | flags, seq, family, 0, fill);
    out
}

/// A request about a group of the kernel's log, to be answered.
pub(crate) fn log_config(group: u16, seq: u32, fill: impl FnOnce(&mut Attributes<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let (kind, flags) = (ulog_kind(NFULNL_MSG_CONFIG), NLM_F_REQUEST | NLM_F_ACK);
    message(&mut out, kind, flags, seq, NFPROTO_UNSPEC, group, fill);
    out
}

/// What the kernel's log sends for a packet, for tests: why, when (seconds, microseconds), the
/// packet from IP's header on.
#[cfg(test)]
pub(crate) fn packet(prefix: &str, at: Option<(u64, u64)>, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, ulog_kind(NFULNL_MSG_PACKET), 0, 0, NFPROTO_IPV4, 0, |a| {
        a.text(NFULA_PREFIX, prefix);
        if let Some((secs, micros)) = at {
            a.bytes(NFULA_TIMESTAMP, &[secs.to_be_bytes(), micros.to_be_bytes()].concat());
        }
        a.bytes(NFULA_PAYLOAD, bytes);
    });
    out
}

/// Messages that the kernel carries out together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each message starts.
    starts: Vec<usize>,
    /// The sequence number of the message before the first.
    base: u32,
}

impl Batch {
    /// Empties the batch; its first message will have the sequence number `base + 1`.
    pub(crate) fn restart(&mut self, base: u32) {
        self.bytes.clear();
        self.starts.clear();
        self.base = base;
    }

    /// How many messages it holds.
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// The sequence number just before the message at `index`.
    pub(crate) fn seq_before(&self, index: usize) -> u32 {
        self.base.wrapping_add(index as u32)
    }

    /// Adds a message about things in an `inet` table.
    pub(crate) fn push(&mut self, kind: u8, flags: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        self.push_for(NFPROTO_INET, kind, flags, fill);
    }

    /// Adds a message about things in a table of this family.
    pub(crate) fn push_for(
        &mut self,
        family: u8,
        kind: u8,
        flags: u16,
        fill: impl FnOnce(&mut Attributes<'_>),
    ) {
        let seq = self.seq_before(self.count()).wrapping_add(1);
        self.starts.push(self.bytes.len());
        let flags = NLM_F_REQUEST | flags;
        message(&mut self.bytes, nft_kind(kind), flags, seq, family, 0, fill);
    }

    /// The messages `part` as three pieces to send at once: begin, messages, end. The last
    /// message is marked to be acknowledged: silence alone would not prove success.
    pub(crate) fn framed(&mut self, part: Range<usize>) -> [Vec<u8>; 2] {
        if let Some(&last) = part.end.checked_sub(1).and_then(|index| self.starts.get(index)) {
            let flags = NLM_F_REQUEST | NLM_F_ACK;
            let old = u16::from_ne_bytes([self.bytes[last + 6], self.bytes[last + 7]]);
            self.bytes[last + 6..last + 8].copy_from_slice(&(old | flags).to_ne_bytes());
        }
        [
            border(NFNL_MSG_BATCH_BEGIN, self.seq_before(part.start)),
            border(NFNL_MSG_BATCH_END, self.seq_before(part.end).wrapping_add(1)),
        ]
    }

    /// The bytes of the messages `part`.
    pub(crate) fn slice(&self, part: Range<usize>) -> &[u8] {
        let at = |index: usize| self.starts.get(index).copied().unwrap_or(self.bytes.len());
        &self.bytes[at(part.start)..at(part.end)]
    }

    /// Cuts the batch into parts of at most `limit` bytes with their borders, the first
    /// `together` messages in one part whatever their size.
    pub(crate) fn parts(&self, limit: usize, together: usize) -> Vec<Range<usize>> {
        let room = limit.saturating_sub(2 * HEADER);
        let mut parts = Vec::new();
        let mut start = 0;
        for index in 0..self.count() {
            let must_stay = index < together || index == start;
            if !must_stay && self.slice(start..index + 1).len() > room {
                parts.push(start..index);
                start = index;
            }
        }
        if start < self.count() {
            parts.push(start..self.count());
        }
        parts
    }
}

fn border(kind: u16, seq: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    let subsystem = u16::from(NFNL_SUBSYS_NFTABLES);
    message(&mut out, kind, NLM_F_REQUEST, seq, NFPROTO_UNSPEC, subsystem, |_| ());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{attributes, messages};
    use proptest::prelude::*;

    #[test]
    fn a_message_has_the_bytes_of_the_kernel_header() {
        let bytes = request(GETTABLE, NFPROTO_INET, NLM_F_ACK, 7, |a| a.text(NFTA_TABLE, "abc"));
        let mut want = Vec::new();
        want.extend_from_slice(&28u32.to_ne_bytes());
        want.extend_from_slice(&0x0a01u16.to_ne_bytes());
        want.extend_from_slice(&5u16.to_ne_bytes());
        want.extend_from_slice(&7u32.to_ne_bytes());
        want.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
        want.extend_from_slice(&8u16.to_ne_bytes());
        want.extend_from_slice(&1u16.to_ne_bytes());
        want.extend_from_slice(b"abc\0");
        assert_eq!(bytes, want);
    }

    #[test]
    fn batch_borders_are_addressed_to_nf_tables_in_network_order() {
        let begin = border(NFNL_MSG_BATCH_BEGIN, 3);
        assert_eq!(begin.len(), HEADER);
        assert_eq!(begin[16..], [0, 0, 0, 10]);
    }

    #[test]
    fn parts_keep_the_structure_together_and_lose_nothing() {
        let mut batch = Batch::default();
        batch.restart(u32::MAX - 2);
        for size in [100, 100, 100, 40, 40, 300, 40] {
            batch.push(NEWSETELEM, 0, |a| a.bytes(1, &vec![0; size - HEADER - 4]));
        }
        assert_eq!(batch.parts(640, 3), [0..5, 5..7]);
        assert_eq!(batch.parts(140, 3), [0..3, 3..5, 5..6, 6..7]);
        assert_eq!(batch.parts(0, 1), [0..1, 1..2, 2..3, 3..4, 4..5, 5..6, 6..7]);
        assert_eq!(Batch::default().parts(100, 0), [] as [Range<usize>; 0]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            values in prop::collection::vec((1u16..200, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            base: u32,
        ) {
            let mut batch = Batch::default();
            batch.restart(base);
            batch.push(NEWRULE, NLM_F_CREATE, |a| a.nest(9, |a| {
                for (kind, bytes) in &values {
                    a.bytes(*kind, bytes);
                }
            }));
            batch.push(DELTABLE, 0, |_| ());
            let [begin, end] = batch.framed(0..2);
            let all = [&begin, batch.slice(0..2), &end].concat();
            let read: Vec<_> = messages(&all).collect();
            prop_assert_eq!(read.len(), 4);
            for (index, message) in read.iter().enumerate() {
                prop_assert_eq!(message.seq, base.wrapping_add(index as u32));
            }
            prop_assert_eq!(read[2].flags & NLM_F_ACK, NLM_F_ACK);
            prop_assert_eq!(read[1].flags & NLM_F_ACK, 0);
            let (kind, inner) = attributes(read[1].attributes()).next().unwrap();
            prop_assert_eq!(kind, 9);
            let inner: Vec<_> = attributes(inner).map(|(k, v)| (k, v.to_vec())).collect();
            prop_assert_eq!(inner, values);
        }
    }
}
