//! What the kernel sends back: answers, elements, counters, notices.
//!
//! Pure and total: any bytes give a value or nothing. Lengths are believed only as far as
//! the bytes reach.

use crate::numbers::*;
use std::net::IpAddr;
use std::time::Duration;

/// One netlink message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The 16-bit type; for nf_tables messages the upper byte is the subsystem.
    pub kind: u16,
    /// Header flags.
    pub flags: u16,
    /// The sequence number of the request it answers.
    pub seq: u32,
    /// The netlink port of whoever caused it.
    pub port: u32,
    /// What follows the 16-byte header.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The nf_tables message number, if it is one.
    #[must_use]
    pub fn nft(&self) -> Option<u8> {
        let [kind, subsystem] = self.kind.to_le_bytes();
        (subsystem == NFNL_SUBSYS_NFTABLES).then_some(kind)
    }

    /// The address family an nf_tables message is about.
    #[must_use]
    pub fn family(&self) -> Option<u8> {
        self.body.first().copied()
    }

    /// The attribute bytes of an nf_tables message.
    #[must_use]
    pub fn attributes(&self) -> &'a [u8] {
        self.body.get(4..).unwrap_or_default()
    }

    /// Whether it is about something in the `inet` table of that name.
    #[must_use]
    pub fn is_about(&self, table: &str) -> bool {
        self.family() == Some(NFPROTO_INET)
            && text(self.attributes(), NFTA_TABLE) == Some(table.as_bytes())
    }
}

/// The messages in one datagram; stops at the first that does not fit.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = usize::try_from(u32_ne(bytes.get(..4)?)?).ok()?;
        let body = bytes.get(16..len)?;
        let message = Message {
            kind: u16_ne(&bytes[4..6])?,
            flags: u16_ne(&bytes[6..8])?,
            seq: u32_ne(&bytes[8..12])?,
            port: u32_ne(&bytes[12..16])?,
            body,
        };
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes`, as (type, contents); stops at the first that does not fit.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_ne(bytes.get(..2)?)?);
        let kind = u16_ne(bytes.get(2..4)?)? & NLA_TYPE_MASK;
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn u16_ne(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_ne(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// A string attribute, without its closing zero.
pub(crate) fn text(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    let value = find(bytes, kind)?;
    value.split(|&b| b == 0).next()
}

pub(crate) fn u32_attribute(bytes: &[u8], kind: u16) -> Option<u32> {
    find(bytes, kind)?.try_into().ok().map(u32::from_be_bytes)
}

fn u64_attribute(bytes: &[u8], kind: u16) -> Option<u64> {
    find(bytes, kind)?.try_into().ok().map(u64::from_be_bytes)
}

/// The kernel's answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which request.
    pub seq: u32,
    /// Zero for success, else a positive errno.
    pub errno: i32,
    /// Where in the request the trouble is, in bytes from its start.
    pub offset: Option<u32>,
    /// The kernel's own words, printable ASCII only; seldom sent.
    pub note: Option<String>,
}

/// Reads an error, an acknowledgement, or the end of a dump.
#[must_use]
pub fn answer(message: &Message<'_>) -> Option<Answer> {
    let errno = || u32_ne(message.body.get(..4)?).map(|n| n.cast_signed().wrapping_neg());
    match message.kind {
        NLMSG_DONE => {
            let errno = errno().unwrap_or(0);
            Some(Answer { seq: message.seq, errno, offset: None, note: None })
        }
        NLMSG_ERROR => {
            let extra = extended(message).unwrap_or_default();
            Some(Answer {
                seq: message.seq,
                errno: errno()?,
                offset: find(extra, NLMSGERR_ATTR_OFFS).and_then(u32_ne),
                note: text(extra, NLMSGERR_ATTR_MSG).map(printable).filter(|t| !t.is_empty()),
            })
        }
        NLMSG_OVERRUN => {
            Some(Answer { seq: message.seq, errno: libc::ENOBUFS, offset: None, note: None })
        }
        _ => None,
    }
}

/// The attributes of an extended acknowledgement: after the error number and the header of
/// the request, or the whole request where the kernel did not cap it.
fn extended<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    if message.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let echoed = if message.flags & NLM_F_CAPPED != 0 {
        16
    } else {
        usize::try_from(u32_ne(message.body.get(4..8)?)?).ok()?.checked_next_multiple_of(4)?
    };
    message.body.get(echoed.checked_add(4)?..)
}

/// Text from outside, made safe to show: printable ASCII, at most 80 characters.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let shown = |&b: &u8| if b.is_ascii_graphic() || b == b' ' { char::from(b) } else { '?' };
    bytes.iter().take(80).map(shown).collect()
}

/// One element of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// The address, or the first one of a prefix.
    pub addr: IpAddr,
    /// The number of a protocol and a port, where those belong to it.
    pub port: Option<(u8, u16)>,
    /// How much longer it stays; `None`: for ever.
    pub left: Option<Duration>,
}

/// The address elements of a message about set elements; others are passed over.
pub fn elements<'a>(message: &Message<'a>) -> impl Iterator<Item = Element> + use<'a> {
    let list = find(message.attributes(), NFTA_SET_ELEM_LIST_ELEMENTS).unwrap_or_default();
    attributes(list).filter_map(|(_, bytes)| element(bytes))
}

fn element(bytes: &[u8]) -> Option<Element> {
    let key = find(find(bytes, NFTA_SET_ELEM_KEY)?, NFTA_DATA_VALUE)?;
    // An address; or one with a protocol and a port, each on its own four bytes.
    let (addr, rest) = match key.len() {
        4 | 12 => (IpAddr::from(<[u8; 4]>::try_from(&key[..4]).ok()?), &key[4..]),
        16 | 24 => (IpAddr::from(<[u8; 16]>::try_from(&key[..16]).ok()?), &key[16..]),
        _ => return None,
    };
    let port = match *rest {
        [proto, _, _, _, high, low, _, _] => Some((proto, u16::from_be_bytes([high, low]))),
        _ => None,
    };
    let left = u64_attribute(bytes, NFTA_SET_ELEM_EXPIRATION)
        .or_else(|| u64_attribute(bytes, NFTA_SET_ELEM_TIMEOUT))
        .map(Duration::from_millis);
    Some(Element { addr, port, left })
}

/// A named counter: its name, packets, bytes.
pub(crate) fn counter<'a>(message: &Message<'a>) -> Option<(&'a [u8], u64, u64)> {
    let bytes = message.attributes();
    let data = find(bytes, NFTA_OBJ_DATA)?;
    let count = |kind| u64_attribute(data, kind);
    Some((text(bytes, NFTA_OBJ_NAME)?, count(NFTA_COUNTER_PACKETS)?, count(NFTA_COUNTER_BYTES)?))
}

/// Who committed a change, from the notice of a new generation: `nft (pid 4711)`.
pub(crate) fn committer(message: &Message<'_>) -> Option<String> {
    let bytes = message.attributes();
    let name = printable(text(bytes, NFTA_GEN_PROC_NAME)?);
    let pid = u32_attribute(bytes, NFTA_GEN_PROC_PID)?;
    Some(format!("{name} (pid {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(flags: u16, errno: i32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(20 + rest.len() as u32).to_ne_bytes());
        bytes.extend_from_slice(&NLMSG_ERROR.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&9u32.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(-errno).to_ne_bytes());
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn extended_acknowledgements_are_read_capped_and_whole() {
        let mut tlvs = Vec::new();
        tlvs.extend_from_slice(&[8, 0, 2, 0, 44, 0, 0, 0]);
        tlvs.extend_from_slice(b"\x0a\0\x01\0no\x1b[x\0\0\0");
        let capped = [vec![0; 16], tlvs.clone()].concat();
        let whole = [24u32.to_ne_bytes().to_vec(), vec![0; 20], tlvs].concat();
        for (flags, rest) in [(NLM_F_CAPPED | NLM_F_ACK_TLVS, capped), (NLM_F_ACK_TLVS, whole)] {
            let bytes = error(flags, libc::ENOENT, &rest);
            let answer = answer(&messages(&bytes).next().unwrap()).unwrap();
            if cfg!(target_endian = "little") {
                assert_eq!(answer.offset, Some(44));
                assert_eq!(answer.note.as_deref(), Some("no?[x"));
            }
            assert_eq!((answer.seq, answer.errno), (9, libc::ENOENT));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            walk(&bytes);
        }

        /// Random bodies behind a plausible header reach deeper than random headers do.
        #[test]
        fn no_body_makes_it_panic(
            kind in prop::sample::select(vec![2u16, 3, 4, 0x0a00, 0x0a06, 0x0a0c, 0x0a0f, 0x0a12]),
            flags: u16,
            body in prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..200),
        ) {
            let mut bytes = Vec::new();
            bytes.extend_from_slice(&(16 + body.len() as u32).to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&flags.to_ne_bytes());
            bytes.extend_from_slice(&[0; 8]);
            bytes.extend_from_slice(&body);
            walk(&bytes);
        }
    }

    fn walk(bytes: &[u8]) {
        for message in messages(bytes) {
            let _ = answer(&message);
            let _ = elements(&message).count();
            let _ = counter(&message);
            let _ = committer(&message);
            let _ = message.is_about("sereno");
            let _ = message.nft();
        }
    }
}
