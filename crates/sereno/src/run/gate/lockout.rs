//! Whom a policy would cut off who gets in now.

use super::Trial;
use super::approach::Ground;
use crate::run::guard::Guard;
use crate::words;
use sereno_core::gate::policy::Policy;
use sereno_core::gate::walk::Model;
use sereno_core::gate::{Contents, Draft, Gate, PortRange, Proto};
use sereno_core::time::Time;
use sereno_wire::gate::Probe;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Who registered or logged in well within this is a phone, a trunk or a colleague.
pub(in crate::run) const LATELY: Duration = Duration::from_secs(7 * 86_400);
/// How many of them are looked at, and how many are named.
const LOOKED: usize = 2000;
const NAMED: usize = 20;

/// Somebody who comes here.
struct Comer {
    from: IpAddr,
    /// The ways in he may use: one that is left is enough.
    ways: Vec<Probe>,
    /// What he is, in words.
    who: String,
}

impl Guard {
    /// Those who get in now and would not under this policy, in words: the session that asks, those
    /// who are logged in, those who logged in or registered well lately, and open connections.
    pub(super) fn cut_off(&self, policy: &Policy, trial: &Trial, now: Time) -> Vec<String> {
        let (_, passes) = self.holds_and_passes();
        let contents = Contents { passes: &passes, ..Contents::default() };
        let gate = |policy: Option<&Policy>| {
            let draft = Draft { policy: policy.cloned(), trying: None, ..self.draft.clone() };
            Some(Model::new(&Gate::try_from(draft).ok()?, contents, now))
        };
        let (Some(old), Some(new)) = (gate(self.warden.accepted()), gate(Some(policy))) else {
            return Vec::new();
        };
        let ground = Ground::look();
        let enters =
            |gate: &Model, probe: &Probe| gate.walk(&ground.seen(probe, now)).stopped.is_none();
        let mut cut: Vec<(IpAddr, String)> = Vec::new();
        for comer in self.who_comes(trial, now).into_iter().take(LOOKED) {
            let (from, ways) = (comer.from, comer.ways.iter().filter(|probe| enters(&old, probe)));
            let ways: Vec<&Probe> = ways.collect();
            let known = cut.iter().any(|(addr, _)| *addr == from);
            if known || ways.is_empty() || ways.iter().any(|probe| enters(&new, probe)) {
                continue;
            }
            let ports = ways.iter().filter_map(|probe| Some((probe.proto?, probe.port)));
            let ports = ports.map(|(proto, port)| format!("{}/{port}", proto.as_str()));
            let ports = ports.collect::<Vec<_>>().join(", ");
            cut.push((from, words::gate_cuts_who(comer.who, from, ports)));
        }
        let more = cut.len().saturating_sub(NAMED);
        let named = cut.into_iter().map(|(_, text)| text).take(NAMED);
        named.chain((more > 0).then(|| words::gate_cuts_more(more))).collect()
    }

    /// Who comes here, those first who matter most.
    fn who_comes(&self, trial: &Trial, now: Time) -> Vec<Comer> {
        let facts = crate::discover::gather(Path::new("/"));
        let ssh = facts.sshd.map(|sshd| sshd.ports).unwrap_or_default();
        let logs_in = |from: IpAddr| ssh.iter().map(move |port| tcp(from, *port));
        let mut who = Vec::new();
        if let Some((from, to)) = trial.session {
            let ways = vec![Probe { to: Some(to.ip()), ..tcp(from.ip(), to.port()) }];
            who.push(Comer { from: from.ip(), ways, who: words::gate_this_session() });
        }
        let sessions = facts.sessions.iter();
        who.extend(sessions.map(|from| Comer {
            from: *from,
            ways: logs_in(*from).collect(),
            who: words::gate_logged_in(),
        }));
        let phones: Vec<PortRange> =
            facts.asterisk.iter().flat_map(|a| &a.ports).filter_map(|p| p.parse().ok()).collect();
        let calls = |from: IpAddr| phones.iter().map(move |range| at(from, *range));
        let friends = trial.friends.iter().map(|friend| friend.prefix);
        let friends = friends.filter(|friend| friend.bits() > 0 && !friend.addr().is_loopback());
        who.extend(friends.map(|friend| {
            let from = friend.addr();
            Comer {
                from,
                ways: logs_in(from).chain(calls(from)).collect(),
                who: words::gate_friend(),
            }
        }));
        for (jail, _) in self.engine.jails() {
            let Some(jail) = self.engine.jail(jail.name) else { continue };
            let is_ssh = jail.policy().rule == "sshd";
            for from in jail.greeted_since(now.minus(LATELY)) {
                let ways = if is_ssh { logs_in(from).collect() } else { calls(from).collect() };
                who.push(Comer { from, ways, who: words::gate_known() });
            }
        }
        let listening = crate::discover::listening(Path::new("/"));
        let streams = crate::discover::streams(Path::new("/")).into_iter();
        let served = streams.filter(|stream| listening.contains(&stream.to));
        who.extend(served.map(|stream| Comer {
            from: stream.from,
            ways: vec![tcp(stream.from, stream.to)],
            who: words::gate_connected(),
        }));
        who
    }
}

fn tcp(from: IpAddr, port: u16) -> Probe {
    Probe { proto: Some(Proto::Tcp), from, port, to: None, on: None }
}

fn at(from: IpAddr, range: PortRange) -> Probe {
    Probe { proto: Some(range.proto()), ..tcp(from, range.first()) }
}
