//! Floods: who is known at the gate.

use super::guard::Guard;
use crate::discover::{handshake, is_newer};
use crate::words;
use sereno_config::FloodConf;
use sereno_core::addr::Prefix;
use sereno_core::engine::Action;
use sereno_core::gate::{Handshake, Pass, SynProxy, Through};
use sereno_core::time::Time;
use std::path::Path;
use std::time::Duration;

/// Who logged in well is known, at most: the gate has room for a third more, who come later.
const FAMILIAR: usize = 49_152;
/// Friends that are known by their network, at most.
const FRIENDS: usize = 4096;
/// For how long a friend is known who came later.
const LATER: Duration = Duration::from_secs(86_400);

impl Guard {
    /// Takes over what the files say.
    pub(super) fn take_up_flood(&mut self, conf: Option<&FloodConf>) {
        let measured = conf.filter(|conf| !conf.flood.ports.is_empty());
        self.memory = measured.map(|conf| conf.memory);
        self.engine.greet(self.memory);
        self.draft.flood = measured.map(|conf| conf.flood.clone());
        let ports = conf.map(|conf| conf.syn_proxy.clone()).unwrap_or_default();
        let (handshake, undates) = (Handshake::default(), false);
        self.proxied |= !ports.is_empty();
        // What was begun by the proxy goes on for as long as it is there at all.
        self.draft.syn_proxy = self.proxied.then_some(SynProxy { ports, handshake, undates });
    }

    /// Has the proxy of the wanted gate say what this machine says now; says whether that is something else
    /// than before.
    pub(super) fn draw_proxy(&mut self) -> bool {
        let Some(proxy) = &mut self.draft.syn_proxy else { return false };
        let handshake = handshake(Path::new("/"));
        proxy.undates = handshake.timestamps && is_newer();
        std::mem::replace(&mut proxy.handshake, handshake) != handshake
    }

    /// Has the proxy that is there say what this machine says now: the network may have come after us, or by
    /// another way.
    pub(super) fn renew_proxy(&mut self, now: Time) {
        if self.draw_proxy() {
            self.install(now);
        }
    }

    /// Why connections through the proxy are slow, if they are.
    pub(super) fn slow_proxy(&self) -> Option<String> {
        let proxy = self.draft.syn_proxy.as_ref().filter(|proxy| !proxy.ports.is_empty())?;
        let said = self.hands.observing().is_none() && self.hands.unproxied().is_none();
        (said && !proxy.handshake.timestamps).then(words::alarm_proxy_slow)
    }

    /// Puts the friends of now into the wanted gate.
    pub(super) fn draw_flood(&mut self) {
        let Some(flood) = &mut self.draft.flood else { return };
        let friends = self.engine.friends().list().iter().map(|friend| friend.prefix);
        let friends = friends.filter(|friend| friend.bits() > 0 && !friend.addr().is_loopback());
        flood.friends = friends.take(FRIENDS).collect();
    }

    /// Who logged in well, as far as that makes him known still.
    pub(super) fn familiar(&self, now: Time) -> Vec<Pass> {
        let Some(memory) = self.memory else { return Vec::new() };
        let jails = self.engine.jails().map(|(policy, _)| policy.name);
        let jails = jails.filter_map(|name| self.engine.jail(name));
        let greetings = jails.flat_map(|jail| jail.proven());
        let known = greetings.map(|(addr, at)| (addr, at.plus(memory)));
        let mut known: Vec<_> = known.filter(|(_, until)| *until > now).collect();
        known.sort_unstable_by_key(|(_, until)| std::cmp::Reverse(*until));
        known.truncate(FAMILIAR);
        known.into_iter().map(|(addr, until)| known_as(addr, until)).collect()
    }

    /// Has the gate know friends who were none before: hosts at once, networks with all the rest.
    pub(super) fn know_friends(&mut self, before: &[Prefix], now: Time) {
        if self.draft.flood.is_none() {
            return;
        }
        let friends = self.engine.friends().list().iter().map(|friend| friend.prefix);
        let new: Vec<Prefix> = friends.filter(|friend| !before.contains(friend)).collect();
        if new.iter().any(|friend| !friend.is_host()) {
            self.install(now);
            return;
        }
        let pass = |friend: &Prefix| Action::Open(known_as(friend.addr(), now.plus(LATER)));
        self.actions.extend(new.iter().map(pass));
    }
}

fn known_as(addr: std::net::IpAddr, until: Time) -> Pass {
    Pass { to: Through::Known, addr, until: Some(until) }
}
