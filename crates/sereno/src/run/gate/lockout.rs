//! Whom a policy would cut off who gets in now, or whom this machine reaches.

use super::Trial;
use super::approach::Ground;
use crate::run::guard::Guard;
use crate::words;
use sereno_config::facts::{Asterisk, Facts};
use sereno_core::gate::policy::{Policy, Services};
use sereno_core::gate::walk::Model;
use sereno_core::gate::{Contents, Draft, Gate, PortRange, Ports, Proto};
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
    /// Ways of which nobody knows which he uses: none may be lost.
    all: Vec<Probe>,
    /// What he is, in words.
    who: String,
}

impl Guard {
    /// Those who get in now and would not under this policy, in words: the session that asks, those
    /// who are logged in, those who logged in or registered well lately, and open connections. And those
    /// whom this machine would not reach any more.
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
            let from = comer.from;
            let enter = |ways: &[Probe]| -> Vec<Probe> {
                ways.iter().filter(|probe| enters(&old, probe)).cloned().collect()
            };
            let (mut lost, mut all) = (enter(&comer.ways), enter(&comer.all));
            if lost.iter().any(|probe| enters(&new, probe)) {
                lost.clear();
            }
            all.retain(|probe| !enters(&new, probe));
            lost.append(&mut all);
            if lost.is_empty() || cut.iter().any(|(addr, _)| *addr == from) {
                continue;
            }
            let ports = lost.iter().filter_map(|probe| Some((probe.proto?, probe.port)));
            let ports = ports.map(|(proto, port)| format!("{}/{port}", proto.as_str()));
            let ports = ports.collect::<Vec<_>>().join(", ");
            cut.push((from, words::gate_cuts_who(comer.who, from, ports)));
        }
        let cut = cut.into_iter().map(|(_, text)| text);
        let cut: Vec<String> = cut.chain(self.kept_in(policy, now)).collect();
        let more = cut.len().saturating_sub(NAMED);
        let named = cut.into_iter().take(NAMED);
        named.chain((more > 0).then(|| words::gate_cuts_more(more))).collect()
    }

    /// Who comes here, those first who matter most.
    fn who_comes(&self, trial: &Trial, now: Time) -> Vec<Comer> {
        let facts = crate::discover::gather(Path::new("/"));
        let ssh = facts.sshd.as_ref().map(|sshd| sshd.ports.clone()).unwrap_or_default();
        let logs_in = |from: IpAddr| ssh.iter().map(move |port| tcp(from, *port));
        let mut who = Vec::new();
        if let Some((from, to)) = trial.session {
            let ways = vec![Probe { to: Some(to.ip()), ..tcp(from.ip(), to.port()) }];
            let (from, all) = (from.ip(), Vec::new());
            who.push(Comer { from, ways, all, who: words::gate_this_session() });
        }
        let sessions = facts.sessions.iter();
        who.extend(sessions.map(|from| Comer {
            from: *from,
            ways: logs_in(*from).collect(),
            all: Vec::new(),
            who: words::gate_logged_in(),
        }));
        let phones = phones_listen(&facts);
        let calls = |from: IpAddr| phones.iter().map(move |range| at(from, *range));
        let friends = trial.friends.iter().map(|friend| friend.prefix);
        let friends = friends.filter(|friend| friend.bits() > 0 && !friend.addr().is_loopback());
        who.extend(friends.map(|friend| {
            let from = friend.addr();
            Comer {
                from,
                ways: logs_in(from).collect(),
                all: calls(from).collect(),
                who: words::gate_friend(),
            }
        }));
        self.greeted(&ssh, &phones, now, &mut who);
        let listening = crate::discover::listening(Path::new("/"));
        let streams = crate::discover::streams(Path::new("/")).into_iter();
        let served = streams.filter(|stream| listening.contains(&stream.to));
        who.extend(served.map(|stream| Comer {
            from: stream.from,
            ways: vec![tcp(stream.from, stream.to)],
            all: Vec::new(),
            who: words::gate_connected(),
        }));
        who
    }

    /// Those whom jails saw succeed lately.
    fn greeted(&self, ssh: &[u16], phones: &[PortRange], now: Time, who: &mut Vec<Comer>) {
        // Asterisk's files may be elsewhere, as in a container: then its ports are those that are usual.
        let guessed = Services::phones();
        for (jail, _) in self.engine.jails() {
            let Some(jail) = self.engine.jail(jail.name) else { continue };
            let policy = jail.policy();
            let ports: &[PortRange] = match (policy.rule.as_str(), &policy.ports) {
                ("asterisk", _) if !phones.is_empty() => phones,
                ("asterisk", _) => &guessed,
                (_, Ports::Only(ranges)) => ranges,
                (_, Ports::All) => &[],
            };
            for from in jail.greeted_since(now.minus(LATELY)) {
                let (ways, all) = match policy.rule.as_str() {
                    "sshd" => (ssh.iter().map(|port| tcp(from, *port)).collect(), Vec::new()),
                    _ => (Vec::new(), ports.iter().map(|range| at(from, *range)).collect()),
                };
                who.push(Comer { from, ways, all, who: words::gate_known() });
            }
        }
    }
}

/// The ports at which Asterisk's telephones are served; none where its files are not seen.
fn phones_listen(facts: &Facts) -> Vec<PortRange> {
    let mut phones = facts.asterisk.as_ref().map(Asterisk::phones).unwrap_or_default();
    if !phones.is_empty() {
        // Whoever calls without it hears nothing.
        phones.extend(crate::discover::rtp(Path::new("/")));
    }
    phones
}

fn tcp(from: IpAddr, port: u16) -> Probe {
    Probe { proto: Some(Proto::Tcp), from, port, to: None, on: None, out: false }
}

fn at(from: IpAddr, range: PortRange) -> Probe {
    Probe { proto: Some(range.proto()), ..tcp(from, range.first()) }
}
