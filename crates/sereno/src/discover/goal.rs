//! To whom this machine turns: its name servers, and what it began that is under way.

use super::{net, tcp, text};
use sereno_core::addr::canonical;
use sereno_core::gate::Proto;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Where name servers are told (resolv.conf(5)); the second are those behind systemd's own.
const RESOLVERS: [&str; 2] = ["etc/resolv.conf", "run/systemd/resolve/resolv.conf"];
const DNS: u16 = 53;
/// What those have who keep the clock right.
const CLOCKS: [&str; 5] = [
    "run/systemd/timesync",
    "etc/chrony.conf",
    "etc/chrony/chrony.conf",
    "etc/ntp.conf",
    "etc/ntpsec/ntp.conf",
];
/// The state of a socket of UDP that has another end.
const CONNECTED: &str = "01";
/// As many are told at most.
const MOST: usize = 4096;

/// Somebody to whom this machine turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Goal {
    /// What he is.
    pub kind: GoalKind,
    /// How he is spoken to.
    pub proto: Proto,
    /// Where he is.
    pub at: SocketAddr,
}

/// What somebody is to this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GoalKind {
    /// He is asked for names.
    Resolver,
    /// The other end of what this machine began.
    Connection,
}

/// Them all, but for this machine itself.
#[must_use]
pub fn goals(root: &Path) -> Vec<Goal> {
    let own = net::gather(root).own;
    let resolvers = resolvers(root).map(|addr| goal(GoalKind::Resolver, Proto::Udp, addr, DNS));
    let listening = tcp::listening(root);
    let streams = tcp::streams(root).into_iter();
    // What began at a port where somebody listens began elsewhere.
    let begun = streams.filter(|stream| !listening.contains(&stream.to));
    let begun =
        begun.map(|stream| goal(GoalKind::Connection, Proto::Tcp, stream.from, stream.port));
    let connected = tcp::rows(root, ["udp", "udp6"], CONNECTED).into_iter();
    let connected = connected.map(|row| row.remote);
    let tracked = tracked(root, &own);
    let datagrams = connected.chain(tracked);
    let datagrams = datagrams.map(|at| goal(GoalKind::Connection, Proto::Udp, at.ip(), at.port()));
    let is_other = |goal: &Goal| {
        let addr = goal.at.ip();
        let none = addr.is_unspecified() || addr.is_loopback() || addr.is_multicast();
        !none && goal.at.port() > 0 && !own.contains(&addr)
    };
    let mut all: Vec<Goal> = resolvers.chain(begun).chain(datagrams).filter(is_other).collect();
    all.sort_unstable();
    // A name server is asked by what is under way, too.
    let mut known = BTreeSet::new();
    all.retain(|goal| known.insert((goal.proto, goal.at)));
    all.truncate(MOST);
    all
}

/// Whether something here keeps the clock right by asking others.
#[must_use]
pub fn asks_the_time(root: &Path) -> bool {
    CLOCKS.iter().any(|path| super::inside(root, path).exists())
}

fn goal(kind: GoalKind, proto: Proto, addr: IpAddr, port: u16) -> Goal {
    Goal { kind, proto, at: SocketAddr::new(canonical(addr), port) }
}

fn resolvers(root: &Path) -> impl Iterator<Item = IpAddr> + use<> {
    let files: Vec<String> = RESOLVERS.iter().filter_map(|path| text(root, path)).collect();
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let addr = (words.next()? == "nameserver").then(|| words.next()).flatten()?;
        // A zone behind it says by which link.
        addr.split('%').next()?.parse().ok()
    };
    let found = files.iter().flat_map(|file| file.lines().filter_map(server));
    found.collect::<Vec<IpAddr>>().into_iter()
}

/// Whom datagrams of this machine went to first, and who answered, as connection tracking lists it where it
/// does: `ipv4 2 udp 17 29 src=ADDR dst=ADDR sport=PORT dport=PORT ...`.
fn tracked(root: &Path, own: &[IpAddr]) -> Vec<SocketAddr> {
    let row = |line: &str| {
        let mut words = line.split_whitespace().skip(2);
        if words.next()? != "udp" || line.contains("[UNREPLIED]") {
            return None;
        }
        let mut said = |key: &str| words.find_map(|word| word.strip_prefix(key));
        let (from, to) = (said("src=")?.parse().ok()?, said("dst=")?.parse().ok()?);
        let port = said("dport=")?.parse().ok()?;
        own.contains(&canonical(from)).then(|| SocketAddr::new(to, port))
    };
    let table = text(root, "proc/net/nf_conntrack").unwrap_or_default();
    table.lines().filter_map(row).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::machine;

    #[test]
    fn name_servers_and_what_was_begun_are_found() {
        let tcp = "  sl  local rem st\n   0: 010200C0:D431 096433C6:0CEA 01 0 0 0\n   \
            1: 010200C0:0016 096433C6:D432 01 0 0 0\n   2: 00000000:0016 00000000:0000 0A 0 0 0\n";
        let udp = "  sl  local rem st\n   0: 010200C0:D431 0A6433C6:007B 01 0 0 0\n   \
            1: 00000000:13C4 00000000:0000 07 0 0 0\n";
        let tracked = "ipv4     2 udp      17 29 src=192.0.2.1 dst=203.0.113.10 sport=5060 dport=5060 src=203.0.113.10 dst=192.0.2.1 sport=5060 dport=5060 [ASSURED] mark=0 use=1\n\
            ipv4     2 udp      17 29 src=192.0.2.1 dst=203.0.113.11 sport=5060 dport=5060 [UNREPLIED] src=203.0.113.11 dst=192.0.2.1 sport=5060 dport=5060 mark=0 use=1\n\
            ipv4     2 udp      17 29 src=203.0.113.12 dst=192.0.2.1 sport=5060 dport=5060 src=192.0.2.1 dst=203.0.113.12 sport=5060 dport=5060 mark=0 use=1\n\
            ipv4     2 udp      17 29 src=192.0.2.1 dst=198.51.100.53 sport=4000 dport=53 src=198.51.100.53 dst=192.0.2.1 sport=53 dport=4000 mark=0 use=1\n";
        // What the kernel says this machine's own addresses are.
        let fib = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.1\n        /32 host LOCAL\n";
        let resolv = "# mine\nnameserver 198.51.100.53\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nsearch lan\nnameserver x\n";
        let machine = machine(&[
            ("proc/net/tcp", tcp),
            ("proc/net/udp", udp),
            ("proc/net/nf_conntrack", tracked),
            ("proc/net/fib_trie", fib),
            ("etc/resolv.conf", resolv),
            ("etc/chrony/chrony.conf", ""),
        ]);
        let said = |goal: &Goal| format!("{:?} {}/{}", goal.kind, goal.proto.as_str(), goal.at);
        let found: Vec<String> = goals(machine.path()).iter().map(said).collect();
        let expected = [
            "Resolver udp/198.51.100.53:53",
            "Resolver udp/[fe80::1]:53",
            "Connection tcp/198.51.100.9:3306",
            "Connection udp/198.51.100.10:123",
            "Connection udp/203.0.113.10:5060",
        ];
        if cfg!(target_endian = "little") {
            assert_eq!(found, expected);
        }
        assert!(asks_the_time(machine.path()) && !asks_the_time(Path::new("/nowhere")));
    }
}
