//! What the gate does for doors: ports that open to who was let in, and what is heard of those
//! who knock.

use super::{
    Dnat, Family, Forward, Gate, Left, Misplaced, Name, Nat, PortRange, Ports, Proto, Stream,
};
use crate::addr::{Prefix, canonical};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// The kernel's longest interface name, in bytes.
const INTERFACE_MAX: usize = 15;

/// The kernel makes room for all of them at once, 16 bytes each, and 100 when they come.
const FOLLOWED_MOST: u32 = 1 << 20;

/// What the gate does for doors. Nothing, unless it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doorway {
    /// Ports that open to those who were let in, one for each distinct set of ports.
    #[serde(default)]
    pub openings: Vec<Opening>,
    /// Whether single ports may be opened to single addresses besides.
    #[serde(default)]
    pub single: bool,
    /// Openings whose ports are closed on trial: only while the kernel says so, of itself and for
    /// a while ([`Gate::trial`]).
    #[serde(default)]
    pub trial: Vec<Name>,
    /// What is heard.
    #[serde(default)]
    pub ears: Option<Ears>,
    /// Set in the mark of packets that were let in, so that another firewall can let them pass
    /// with one rule.
    #[serde(default)]
    pub mark: Option<u32>,
    /// What is translated; nothing if `None`.
    #[serde(default)]
    pub nat: Option<Nat>,
}

/// Ports that open together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// What passes refer to.
    pub name: Name,
    /// Which ports open.
    pub ports: Ports,
    /// Whether they are closed to everybody else here; otherwise others close them.
    pub closed: bool,
    /// Whether connections end with the opening; otherwise what is established goes on. Matters
    /// only where we close. What this machine itself began is never cut.
    pub cut: bool,
    /// Who needs no opening.
    #[serde(default)]
    pub free: Vec<Prefix>,
}

impl Opening {
    /// The chain that knows who may pass.
    #[must_use]
    pub fn chain(&self) -> String {
        format!("door_{}", self.name)
    }

    /// The set of those who were let in.
    #[must_use]
    pub fn set(&self, family: Family) -> String {
        format!("door_{}_{}", self.name, family.as_str())
    }

    /// The counter object: packets and bytes that met a closed door.
    #[must_use]
    pub fn counter(&self) -> String {
        format!("closed_{}", self.name)
    }

    /// Its ports one range at a time; `None` stands for every packet.
    pub(super) fn ranges(&self) -> Vec<Option<PortRange>> {
        match &self.ports {
            Ports::All => vec![None],
            Ports::Only(ranges) => ranges.iter().copied().map(Some).collect(),
        }
    }
}

/// What of arriving packets is told to the program, by the kernel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ears {
    /// The group of the kernel's log.
    pub group: u16,
    /// knockd's manner: every packet to a knock port is heard, and nothing else.
    #[serde(default)]
    pub strict: bool,
    /// Everything that begins something is heard, whoever sends it. Not in knockd's manner.
    #[serde(default)]
    pub all: bool,
    /// Packets to other addresses than this machine's are heard too.
    #[serde(default)]
    pub elsewhere: bool,
    /// Interfaces that are listened to; all if there are none.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// UDP ports whose datagrams are heard whole.
    #[serde(default)]
    pub datagrams: Vec<u16>,
    /// How many sources that hit a knock port are followed, for each family. A source is an
    /// IPv4 address or an IPv6 /64.
    #[serde(default = "followed")]
    pub followed: u32,
}

impl Ears {
    /// Ears for this group of the kernel's log: the fair manner, all interfaces, no datagrams,
    /// 131,072 sources followed.
    #[must_use]
    pub fn of(group: u16) -> Self {
        Self {
            group,
            strict: false,
            all: false,
            elsewhere: false,
            interfaces: Vec::new(),
            datagrams: Vec::new(),
            followed: followed(),
        }
    }
}

/// Some 100 bytes each, so 13 MiB of the kernel's memory when full.
fn followed() -> u32 {
    131_072
}

/// Where somebody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Through {
    /// At all ports of an [`Opening`].
    Opening(Name),
    /// At one port.
    Port(Proto, u16),
    /// At one port, which leads to another place.
    Dnat(Dnat),
    /// Everywhere behind this machine.
    Forward(Forward),
    /// Where all others get in too; but what he sends is measured as that of somebody known
    /// ([`crate::gate::Flood`]).
    Known,
}

impl fmt::Display for Through {
    /// `NAME`, `tcp/22`, `tcp/5555 -> 10.0.0.2:22`, `all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening(name) => name.fmt(f),
            Self::Port(proto, port) => write!(f, "{}/{port}", proto.as_str()),
            Self::Dnat(dnat) => dnat.fmt(f),
            Self::Forward(forward) => forward.fmt(f),
            Self::Known => f.write_str("known"),
        }
    }
}

/// Somebody let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// Where.
    pub to: Through,
    /// Who.
    pub addr: IpAddr,
    /// When it ends by itself (`None`: never).
    pub until: Option<Time>,
}

impl Pass {
    /// What is left of it at `now`.
    #[must_use]
    pub fn left(&self, now: Time) -> Left {
        Left::of(self.until, now)
    }
}

impl Doorway {
    /// Whether the gate does nothing for doors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.openings.is_empty() && !self.single && self.ears.is_none() && self.nat.is_none()
    }

    /// Sorts lists, and refuses what cannot be meant.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let mut names: Vec<Name> = self.openings.iter().map(|opening| opening.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("there are two openings named {}", twice[0]));
        }
        for opening in &self.openings {
            opening.check()?;
        }
        if let Some(none) = self.trial.iter().find(|name| !names.contains(name)) {
            return Err(format!("{none} is closed on trial, and no opening"));
        }
        if self.mark == Some(0) {
            return Err("the mark 0 marks nothing; use a bit of its own such as 0x100".to_owned());
        }
        if let Some(nat) = &mut self.nat {
            nat.check()?;
        }
        if let Some(ears) = &mut self.ears {
            if let Some(bad) = ears.interfaces.iter().find(|name| !is_interface(name)) {
                return Err(format!(
                    "{bad:?} is no name of an interface; write 1 to {INTERFACE_MAX} characters, \
                     as `ip link` shows them, no patterns"
                ));
            }
            if !(1..=FOLLOWED_MOST).contains(&ears.followed) {
                return Err(format!(
                    "{} sources cannot be followed; write 1 to {FOLLOWED_MOST}, the usual limit \
                     is 131072",
                    ears.followed
                ));
            }
            ears.interfaces.sort_unstable();
            ears.interfaces.dedup();
            ears.datagrams.sort_unstable();
            ears.datagrams.dedup();
        }
        Ok(())
    }
}

impl Opening {
    fn check(&self) -> Result<(), String> {
        let name = self.name;
        if self.closed && self.ports == Ports::All {
            return Err(format!(
                "the opening {name} would close the whole machine, even to its neighbours on \
                 the wire; name the ports to be closed"
            ));
        }
        if self.free.iter().any(|prefix| prefix.bits() == 0) {
            return Err(format!(
                "the opening {name} is free to everybody; leave it out, or name a smaller network"
            ));
        }
        Ok(())
    }
}

/// Whether the kernel could have an interface of that name, and nft and iptables could be told of it: to iptables
/// `eth+` is every interface whose name begins so, and `!` is for all others.
#[must_use]
pub fn is_interface(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_graphic() && !b"/:\"\\*".contains(&b);
    (1..=INTERFACE_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.ends_with('+')
        && !name.starts_with('!')
        && name.bytes().all(allowed)
}

/// One member of a set of the doorway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// An address.
    Addr(IpAddr),
    /// A port.
    Port(u16),
    /// A protocol.
    Proto(Proto),
    /// Addresses from one to another.
    Range(IpAddr, IpAddr),
    /// A type of ICMP or ICMPv6.
    Icmp(Family, u8),
    /// A family of addresses.
    Family(Family),
    /// An interface.
    Interface(String),
    /// A port opened to one address.
    Single(IpAddr, Proto, u16),
    /// A port, to one address, and where it leads.
    Dnat(Ipv4Addr, Proto, u16, SocketAddrV4),
    /// What one address sends to a port of another.
    Flow(Ipv4Addr, SocketAddrV4, Proto),
    /// A connection.
    Stream(Stream),
}

impl Member {
    /// Whether a set has room for one of the two only.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            // What belongs to the key is where it leads.
            (Self::Dnat(a, b, c, _), Self::Dnat(d, e, f, _)) => (a, b, c) == (d, e, f),
            (one, other) => one == other,
        }
    }
}

impl Gate {
    /// The sets, and the member of each, by which `addr` is let in.
    ///
    /// # Errors
    /// When the gate has no such opening, does not open single ports, or does not translate so.
    pub fn ways(&self, to: Through, addr: IpAddr) -> Result<Vec<(String, Member)>, Misplaced> {
        let addr = canonical(addr);
        let family = Family::of(Prefix::host(addr));
        match to {
            Through::Opening(name) => {
                let known = self.doorway().openings.iter().find(|opening| opening.name == name);
                let opening = known.ok_or(Misplaced::Opening(name))?;
                Ok(vec![(opening.set(family), Member::Addr(addr))])
            }
            Through::Port(proto, port) if self.doorway().single => {
                Ok(vec![(single(family), Member::Single(addr, proto, port))])
            }
            Through::Port(proto, port) => Err(Misplaced::Single(proto, port)),
            // Where nothing is measured nobody has to be known.
            Through::Known => Ok(self.knows(addr).into_iter().collect()),
            Through::Dnat(_) | Through::Forward(_) => {
                let (IpAddr::V4(addr), Some(nat)) = (addr, &self.doorway().nat) else {
                    return Err(Misplaced::Nat(to));
                };
                nat.ways(to, addr).ok_or(Misplaced::Nat(to))
            }
        }
    }

    /// The sets of those who were let in, and where; none where single ports are opened. What is
    /// translated is not among them.
    pub fn pass_sets(&self) -> impl Iterator<Item = (String, Option<Through>)> + '_ {
        let openings = self.doorway().openings.iter();
        let through = |opening: &Opening| Some(Through::Opening(opening.name));
        let opened = openings.flat_map(move |o| Family::BOTH.map(|f| (o.set(f), through(o))));
        let singles = Family::BOTH.map(|family| (single(family), None));
        opened.chain(singles.into_iter().filter(|_| self.doorway().single))
    }

    /// The gate without anything for doors: what is left when a kernel cannot do that part.
    #[must_use]
    pub fn without_doorway(&self) -> Self {
        let mut draft = self.0.clone();
        draft.doorway = Doorway::default();
        Self(draft)
    }

    /// The gate without a policy: what is left when a kernel cannot do that part.
    #[must_use]
    pub fn without_policy(&self) -> Self {
        let mut draft = self.0.clone();
        (draft.policy, draft.trying) = (None, None);
        Self(draft)
    }

    /// The gate without measures of floods: what is left when a kernel cannot do that part.
    #[must_use]
    pub fn without_flood(&self) -> Self {
        let mut draft = self.0.clone();
        draft.flood = None;
        Self(draft)
    }

    /// The gate without translation: what is left when a kernel cannot do that part.
    #[must_use]
    pub fn without_nat(&self) -> Self {
        let mut draft = self.0.clone();
        draft.doorway.nat = None;
        Self(draft)
    }
}

/// The set of single ports opened to single addresses.
pub(super) fn single(family: Family) -> String {
    format!("single_{}", family.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Draft;

    fn opening(name: &str, ports: &str) -> Opening {
        Opening {
            name: name.parse().unwrap(),
            ports: ports.parse().unwrap(),
            closed: true,
            cut: false,
            free: Vec::new(),
        }
    }

    fn gate(doorway: Doorway) -> Result<Gate, String> {
        Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) })
    }

    fn refused(change: impl FnOnce(&mut Doorway)) -> String {
        let mut doorway = Doorway {
            openings: vec![opening("a", "tcp/22"), opening("b", "tcp/80")],
            ears: Some(Ears::of(7)),
            ..Doorway::default()
        };
        change(&mut doorway);
        gate(doorway).unwrap_err()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_remedy() {
        assert!(refused(|d| d.openings[1].name = d.openings[0].name).contains("two openings"));
        assert!(refused(|d| d.openings[0].ports = Ports::All).contains("name the ports"));
        assert!(
            refused(|d| d.openings[0].free = vec!["0.0.0.0/0".parse().unwrap()]).contains("free")
        );
        assert!(refused(|d| d.mark = Some(0)).contains("0x100"));
        for wrong in [0, u32::MAX] {
            let follow = |d: &mut Doorway| d.ears.as_mut().unwrap().followed = wrong;
            assert!(refused(follow).contains("131072"));
        }
        for bad in ["", "sixteen-letters-", "a b", "a\"b", "a/b", "eth*", "..", "a\\", "ü"] {
            let named = |d: &mut Doorway| d.ears.as_mut().unwrap().interfaces = vec![bad.into()];
            assert!(refused(named).contains("ip link"), "{bad}");
        }
    }

    #[test]
    fn lists_are_sorted_and_have_each_once() {
        let mut ears = Ears::of(1);
        ears.interfaces = ["ppp0", "eth0.7", "ppp0"].map(str::to_owned).to_vec();
        ears.datagrams = vec![9, 3, 9];
        let gate = gate(Doorway { ears: Some(ears), ..Doorway::default() }).unwrap();
        let ears = gate.doorway().ears.as_ref().unwrap();
        assert_eq!(
            (&ears.interfaces[..], &ears.datagrams[..]),
            (&["eth0.7".into(), "ppp0".into()][..], &[3, 9][..])
        );
    }

    #[test]
    fn who_is_let_in_has_a_place_or_is_told_why_not() {
        let doorway = Doorway { openings: vec![opening("a", "tcp/22")], ..Doorway::default() };
        let mut gate = gate(doorway).unwrap();
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let plain: IpAddr = "192.0.2.1".parse().unwrap();
        let ways = gate.ways(Through::Opening(a), mapped).unwrap();
        assert_eq!(ways, [("door_a_v4".to_owned(), Member::Addr(plain))]);
        let said = gate.ways(Through::Opening(b), plain).unwrap_err().to_string();
        assert_eq!(said, "the gate has no opening named b");
        let port = Through::Port(Proto::Tcp, 22);
        let said = gate.ways(port, plain).unwrap_err().to_string();
        assert_eq!(said, "the gate does not open single ports such as tcp/22");
        gate.0.doorway.single = true;
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let ways = gate.ways(port, six).unwrap();
        assert_eq!(ways, [("single_v6".to_owned(), Member::Single(six, Proto::Tcp, 22))]);
        assert!(gate.without_doorway().doorway().is_empty());
    }
}
