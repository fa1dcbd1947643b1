//! Who knocked at a first port, in memory that never grows.
//!
//! Any stranger can send packets to a first port under any address, faster than an honest knock goes
//! on. So a first hit costs 12 bytes in a table of fixed size: under a flood of 100,000 made-up
//! addresses a second it takes seconds until an honest one is pushed out, and whoever got further is
//! not in this table at all. Addresses stand in it as keyed hashes of 62 bits, 16 to a bucket: a
//! stranger is taken for another one in fewer than one of 2^40 cases.

use super::packet::Protocol;
use super::sequence::Hit;
use crate::time::Time;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

/// Slots in a bucket.
const WAYS: usize = 16;
/// Slots, unless told otherwise: 12 MiB, of which only what was touched takes memory.
pub(super) const SLOTS: usize = 1 << 20;
/// The bits of a port and its protocol, and the mark that a slot is taken.
const PORT: u32 = 0x1_ffff;
const TAKEN: u32 = 0x2_0000;
const REST: u32 = !(PORT | TAKEN);

/// Part of the hash; port, mark and another part of the hash; milliseconds.
type Slot = [u32; 3];

#[derive(Debug)]
pub(super) struct Firsts {
    slots: Vec<Slot>,
    key: RandomState,
    /// How many were pushed out before their time.
    pub(super) pushed: u64,
}

impl Firsts {
    /// A table with about as many slots.
    pub(super) fn new(slots: usize) -> Self {
        let buckets = (slots / WAYS).clamp(1, 1 << 24).next_power_of_two();
        Self { slots: vec![[0; 3]; buckets * WAYS], key: RandomState::new(), pushed: 0 }
    }

    fn bucket(&mut self, source: IpAddr) -> (&mut [Slot], u32, u32) {
        let hash = self.key.hash_one(source);
        let buckets = self.slots.len() / WAYS;
        let at = (hash as usize & (buckets - 1)) * WAYS;
        let (tag, rest) = ((hash >> 32) as u32, (hash as u32) & REST);
        (&mut self.slots[at..at + WAYS], tag, rest)
    }

    /// Takes out what is known of a source: the port, and when it was hit, to the millisecond.
    pub(super) fn take(&mut self, source: IpAddr, now: Time) -> Option<(Hit, Time)> {
        let (bucket, tag, rest) = self.bucket(source);
        let mine =
            |slot: &&mut Slot| slot[0] == tag && slot[1] & TAKEN != 0 && slot[1] & REST == rest;
        let slot = bucket.iter_mut().find(mine)?;
        let [_, hit, then] = std::mem::take(slot);
        Some((unpack(hit & PORT), now.minus(age(now, then))))
    }

    /// Notes a hit, in place of what is known of the source. Whoever is older than `oldest` is
    /// worth nothing, and leaves before all others.
    pub(super) fn put(&mut self, source: IpAddr, hit: Hit, at: Time, oldest: Duration) {
        let (bucket, tag, rest) = self.bucket(source);
        let worth = |slot: &Slot| {
            let mine = slot[0] == tag && slot[1] & REST == rest;
            match slot[1] & TAKEN != 0 {
                true if mine => (0, 0),
                false => (1, 0),
                true => (2, u64::MAX - age(at, slot[2]).as_millis() as u64),
            }
        };
        let Some(slot) = bucket.iter_mut().min_by_key(|slot| worth(slot)) else { return };
        let pushed = worth(slot).0 == 2 && age(at, slot[2]) <= oldest;
        *slot = [tag, pack(hit) | TAKEN | rest, millis(at)];
        self.pushed += u64::from(pushed);
    }
}

fn millis(time: Time) -> u32 {
    time.0.div_euclid(1000) as u32
}

/// How long ago; times go round after 49 days, and what seems to be ahead is now.
fn age(now: Time, then: u32) -> Duration {
    let by = millis(now).wrapping_sub(then);
    if by > u32::MAX / 2 { Duration::ZERO } else { Duration::from_millis(u64::from(by)) }
}

fn pack(hit: Hit) -> u32 {
    u32::from(hit.port) | u32::from(hit.protocol == Protocol::Udp) << 16
}

fn unpack(bits: u32) -> Hit {
    let protocol = if bits >> 16 == 0 { Protocol::Tcp } else { Protocol::Udp };
    Hit { protocol, port: bits as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_is_put_is_taken_once() {
        let mut firsts = Firsts::new(16);
        let source: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let (now, hour) = (Time::from_secs(1_800_000_000), Duration::from_secs(3600));
        firsts.put(source, Hit::udp(65535), now, hour);
        firsts.put(source, Hit::udp(7), now.plus(Duration::from_millis(3)), hour);
        let later = now.plus(Duration::from_secs(2));
        let known = firsts.take(source, later);
        assert_eq!(known, Some((Hit::udp(7), now.plus(Duration::from_millis(3)))));
        assert_eq!(firsts.take(source, later), None);
    }

    #[test]
    fn a_flood_pushes_out_the_oldest_only() {
        let mut firsts = Firsts::new(1 << 12);
        let hour = Duration::from_secs(3600);
        let source = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        for n in 0..100_000u32 {
            firsts.put(source(n), Hit::tcp(1), Time(i64::from(n) * 1000), hour);
        }
        let now = Time(100_000_000);
        let held: Vec<u32> =
            (0..100_000).filter(|n| firsts.take(source(*n), now).is_some()).collect();
        assert_eq!(held.len(), 1 << 12);
        // The last 1000 of 4096 places: as good as all of them are there.
        assert!(held.iter().filter(|n| **n >= 99_000).count() >= 999);
        assert!(firsts.pushed > 90_000);
    }
}
