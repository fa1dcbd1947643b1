//! Sequences that change with the time.
//!
//! As in RFC 6238 time is cut into windows, and a window's number is put through an HMAC (RFC 2104)
//! with SHA-256 under the door's secret. RFC 4226 takes a number of digits out of that; here it
//! becomes ports: 16 bits each, brought into the door's range.

use super::packet::Protocol;
use super::sequence::{Hit, MOST_HITS, Sequence};
use crate::time::Time;
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;

/// The number of a window: whole steps since 1970.
pub type Window = u64;

/// Stands before the window in what is put through the HMAC, so that a secret that is used for
/// something else says nothing here.
const LABEL: &[u8] = b"sereno knock 1";
/// Bytes of SHA-256's blocks.
const BLOCK: usize = 64;

/// A secret and what is made of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Timed {
    secret: Vec<u8>,
    step: Duration,
    length: usize,
    ports: (u16, u16),
    protocol: Protocol,
}

impl fmt::Debug for Timed {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timed({} {:?} ports, {:?})", self.length, self.protocol, self.step)
    }
}

impl Timed {
    /// Sequences of `length` ports (2 to 32) from `first` to `last`, others in each `step` (1 s to 1
    /// day).
    ///
    /// # Errors
    /// A sentence about what is wrong; the secret must have 16 bytes, the range 1000 ports.
    pub fn new(
        secret: Vec<u8>,
        step: Duration,
        length: usize,
        (first, last): (u16, u16),
        protocol: Protocol,
    ) -> Result<Self, String> {
        if secret.len() < 16 {
            return Err("the secret needs at least 16 bytes".to_owned());
        }
        if !(1..=86_400).contains(&step.as_secs()) || step.subsec_nanos() != 0 {
            return Err("a step is 1 second to 1 day, in whole seconds".to_owned());
        }
        if !(2..=MOST_HITS).contains(&length) {
            return Err(format!("2 to {MOST_HITS} ports are needed"));
        }
        if first == 0 || last.saturating_sub(first) < 999 {
            return Err("a range of at least 1000 ports above 0 is needed".to_owned());
        }
        Ok(Self { secret, step, length, ports: (first, last), protocol })
    }

    /// The window a point in time is in.
    #[must_use]
    pub fn window(&self, now: Time) -> Window {
        u64::try_from(now.secs()).unwrap_or(0) / self.step.as_secs().max(1)
    }

    /// When the next window begins.
    #[must_use]
    pub fn next(&self, now: Time) -> Time {
        let secs = (self.window(now) + 1).saturating_mul(self.step.as_secs());
        Time::from_secs(i64::try_from(secs).unwrap_or(i64::MAX))
    }

    /// The sequence of a window. No port stands in it twice.
    #[must_use]
    pub fn sequence(&self, window: Window) -> Option<Sequence> {
        let room = u32::from(self.ports.1 - self.ports.0) + 1;
        let mut hits: Vec<Hit> = Vec::with_capacity(self.length);
        // 16 ports a block: a handful of blocks is enough, whatever repeats itself.
        for block in 0u32..64 {
            let text = [LABEL, &window.to_be_bytes(), &block.to_be_bytes()].concat();
            for two in hmac(&self.secret, &text).chunks_exact(2) {
                let number = u32::from(u16::from_be_bytes([two[0], two[1]]));
                let Ok(port) = u16::try_from(u32::from(self.ports.0) + number * room / 65536)
                else {
                    continue;
                };
                let hit = Hit { protocol: self.protocol, port };
                if !hits.contains(&hit) {
                    hits.push(hit);
                }
                if hits.len() == self.length {
                    return Sequence::new(hits);
                }
            }
        }
        None
    }
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let with = |pad: u8, text: &[u8]| -> [u8; 32] {
        let key = block.map(|byte| byte ^ pad);
        Sha256::new().chain_update(key).chain_update(text).finalize().into()
    };
    with(0x5c, &with(0x36, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let mac = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let mac = hmac(&[0xaa; 131], text);
        assert_eq!(hex(&mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn windows_have_ports_of_their_own() {
        let timed = |secret: &[u8]| {
            let step = Duration::from_secs(30);
            Timed::new(secret.to_vec(), step, 4, (10_000, 60_000), Protocol::Tcp).unwrap()
        };
        let door = timed(b"0123456789abcdef");
        let mut seen = std::collections::BTreeSet::new();
        for window in 0..500 {
            let sequence = door.sequence(window).unwrap();
            assert_eq!(sequence.hits().len(), 4);
            assert!(sequence.hits().iter().all(|hit| (10_000..=60_000).contains(&hit.port)));
            assert!(seen.insert(format!("{sequence:?}")));
        }
        assert_ne!(door.sequence(7), timed(b"0123456789abcdeF").sequence(7));
        assert_eq!(door.window(Time::from_secs(59)), 1);
        assert_eq!(door.next(Time::from_secs(59)), Time::from_secs(60));
        assert!(!format!("{door:?}").contains("0123"));
    }
}
