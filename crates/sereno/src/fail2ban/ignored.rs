//! `ignoreip`: who is left alone, in one jail or in all.

use crate::cli::fail2ban::config::Disk;
use sereno_core::addr::{Prefix, parse_addr};
use sereno_core::jail::Friend;
use sereno_fail2ban::{Files, Settings};
use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};

/// Who is left alone by how many jails. Names were asked for once.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    by: BTreeMap<Prefix, usize>,
    names: BTreeMap<String, Vec<Prefix>>,
}

impl Ignored {
    /// Whom a jail with these settings leaves alone.
    pub(super) fn of(&mut self, settings: &Settings) -> Vec<Prefix> {
        let mut all: Vec<Prefix> = Vec::new();
        for word in &settings.ignoreip {
            all.extend(self.meant(word.as_str()));
        }
        all.sort();
        all.dedup();
        for prefix in &all {
            *self.by.entry(*prefix).or_default() += 1;
        }
        all
    }

    /// Those whom all of so many jails leave alone: they are friends.
    pub(super) fn everywhere(&self, jails: usize) -> Vec<Friend> {
        let all = self.by.iter().filter(|(_, by)| **by == jails);
        all.map(|(prefix, _)| Friend { prefix: *prefix, why: "ignoreip".to_owned() }).collect()
    }

    fn meant(&mut self, word: &str) -> Vec<Prefix> {
        if let Some(path) = word.strip_prefix("file:") {
            return listed(path);
        }
        if let Some(prefix) = network(word) {
            return vec![prefix];
        }
        let known = self.names.entry(word.to_owned()).or_insert_with(|| {
            let found = (word, 0).to_socket_addrs().into_iter().flatten();
            found.map(|address| Prefix::host(address.ip())).collect()
        });
        known.clone()
    }
}

/// An address, `address/bits` or `address/mask`.
fn network(word: &str) -> Option<Prefix> {
    if let Ok(prefix) = word.parse() {
        return Some(prefix);
    }
    let (addr, mask) = word.split_once('/')?;
    let (addr, mask) = (parse_addr(addr.as_bytes())?, parse_addr(mask.as_bytes())?);
    let bits = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    Prefix::new(addr, u8::try_from(bits).ok()?)
}

/// Addresses and networks in a file, a line or more; `#` and `;` begin remarks.
fn listed(path: &str) -> Vec<Prefix> {
    // No pipe is waited for, and nothing is read without end.
    let bytes = Disk.read(path).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let words = text.lines().flat_map(|line| {
        let bare = line.split(['#', ';']).next().unwrap_or_default();
        bare.split([' ', '\t', ',']).filter(|word| !word.is_empty())
    });
    words.filter_map(network).collect()
}
