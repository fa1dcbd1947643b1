//! Connections that are older than the gate.
//!
//! The kernel tracks connections from the first rule on that asks for it. If the other side is the
//! first to speak on an older one, that looks like something new, in the middle: a port that closes
//! would cut off who is at work there, an administrator above all. So what went on when the gate
//! was put in place is written down in it. Nobody gains by sending on such a connection when it is
//! over: the host answers with a reset to what is no SYN and belongs to nothing.

use super::plan::{Kind, Part, Plan, Rule, Shape, Test};
use super::{Family, Gate, Member, Opening, PortRange, Proto};
use crate::addr::{Prefix, canonical};
use std::net::IpAddr;

/// A TCP connection to this machine, under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// Whose it is.
    pub from: IpAddr,
    /// From which port.
    pub port: u16,
    /// To which of ours.
    pub to: u16,
}

/// Connections written down in a gate, at most.
const MOST: usize = 16_384;

fn set(family: Family) -> String {
    format!("older_{}", family.as_str())
}

/// Whose connections outlive that it closes.
fn shuts(opening: &&Opening) -> bool {
    opening.closed && !opening.cut
}

impl Gate {
    /// Whether the gate wants to know of connections that are older.
    #[must_use]
    pub fn spares_streams(&self) -> bool {
        let shut = self.doorway().openings.iter().any(|opening| shuts(&opening));
        self.has_policy() || shut || !self.proxied().is_empty()
    }

    fn may_close(&self, port: u16) -> bool {
        let shut = self.doorway().openings.iter().filter(shuts);
        let mut ranges = shut.flat_map(Opening::ranges).flatten().chain(self.proxied().to_vec());
        let has = |range: PortRange| {
            range.proto() == Proto::Tcp && (range.first()..=range.last()).contains(&port)
        };
        self.has_policy() || ranges.any(has)
    }

    fn has_policy(&self) -> bool {
        self.policy().or(self.trying()).is_some()
    }

    /// The sets of older connections, empty.
    #[must_use]
    pub fn older_plan(&self) -> Plan {
        let sets = Family::BOTH.map(|family| Shape::new(set(family), Kind::Stream(family)));
        let sets = if self.spares_streams() { sets.to_vec() } else { Vec::new() };
        Plan { sets, ..Plan::default() }
    }

    /// The members of the sets of older connections: those of `streams` to ports that the gate closes, or
    /// at which it answers.
    #[must_use]
    pub fn older(&self, streams: &[Stream]) -> Vec<(String, Vec<Member>)> {
        if !self.spares_streams() {
            return Vec::new();
        }
        let mut streams: Vec<Stream> =
            streams.iter().filter(|stream| self.may_close(stream.to)).copied().collect();
        streams.iter_mut().for_each(|stream| stream.from = canonical(stream.from));
        streams.sort_unstable();
        streams.dedup();
        streams.truncate(MOST);
        let of = |family| {
            let those = streams.iter().filter(|s| Family::of(Prefix::host(s.from)) == family);
            (set(family), those.map(|stream| Member::Stream(*stream)).collect())
        };
        Family::BOTH.map(of).to_vec()
    }
}

/// What lets them in.
pub(super) fn rules() -> [Rule; 2] {
    through(Test::Stream)
}

/// What lets them out.
pub(super) fn returns() -> [Rule; 2] {
    through(Test::StreamBack)
}

fn through(is_one: fn(Family, String) -> Test) -> [Rule; 2] {
    Family::BOTH.map(|family| {
        let tests = [Test::MidStream, is_one(family, set(family))].map(Part::If);
        tests.into_iter().chain([Part::Accept]).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::policy::Policy;
    use crate::gate::samples::segment;
    use crate::gate::walk::{Seen, State, Toward, walk};
    use crate::gate::{Contents, Doorway, Draft, Verdict};

    fn gate(closed: &str, cut: bool) -> Gate {
        let opening = Opening {
            name: "ssh".parse().unwrap(),
            ports: closed.parse().unwrap(),
            closed: true,
            cut,
            free: Vec::new(),
        };
        let doorway = Doorway { openings: vec![opening], ..Doorway::default() };
        Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap()
    }

    #[test]
    fn what_was_under_way_is_answered_though_nothing_may_leave() {
        let from: IpAddr = "192.0.2.9".parse().unwrap();
        let streams = [Stream { from, port: 40_000, to: 22 }];
        let policy = Policy { out: Some(Vec::new()), ..Policy::default() };
        let draft = Draft { policy: Some(policy), ..Draft::of(Vec::new()) };
        let gate = Gate::try_from(draft).unwrap();
        let leaves = |syn, ports| {
            let own: IpAddr = "192.0.2.1".parse().unwrap();
            let (source, destination, toward) = (own, from, Toward::Away);
            let seen = Seen { source, destination, toward, ..segment(ports, syn, State::New) };
            let contents = Contents { streams: &streams, ..Contents::default() };
            walk(&gate, contents, &seen).stopped
        };
        assert_eq!(leaves(false, (22, 40_000)), None);
        for (syn, ports) in [(true, (22, 40_000)), (false, (22, 40_001)), (false, (40_000, 22))] {
            assert_eq!(leaves(syn, ports), Some(Verdict::Reset), "{syn} {ports:?}");
        }
    }

    #[test]
    fn what_was_under_way_goes_on_and_nothing_else() {
        let from: IpAddr = "192.0.2.9".parse().unwrap();
        let streams = [Stream { from, port: 40_000, to: 22 }];
        let passes = |gate: &Gate, state, syn, ports| {
            let seen = segment(ports, syn, state);
            let contents = Contents { streams: &streams, ..Contents::default() };
            walk(gate, contents, &seen).stopped.is_none()
        };
        let shut = gate("tcp/20-30", false);
        for state in [State::New, State::Invalid] {
            assert!(passes(&shut, state, false, (40_000, 22)));
            assert!(!passes(&shut, state, true, (40_000, 22)), "that is a new one");
            assert!(!passes(&shut, state, false, (40_001, 22)));
            assert!(!passes(&shut, state, false, (40_000, 23)));
        }
        assert!(!passes(&gate("tcp/22", true), State::New, false, (40_000, 22)), "it is cut");
        assert_eq!(gate("tcp/23, udp/22", false).older(&streams)[0].1, []);
        assert_eq!(gate("tcp/22", true).older(&streams), []);
    }

    #[test]
    fn only_so_many_are_written_down() {
        let from = |n: u32| IpAddr::V4(n.into());
        let streams: Vec<_> =
            (0..100_000).map(|n| Stream { from: from(n), port: 9, to: 22 }).collect();
        assert_eq!(gate("tcp/22", false).older(&streams)[0].1.len(), MOST);
    }
}
