//! The parts of a rule as iptables says them: the one place that knows each of them.
//!
//! A test becomes the ways in which a packet can pass it, each of which is a line of its own: none if
//! no packet of the family can. What iptables cannot say is an error with its reason.

use super::name::{Names, hash};
use super::sets::{per_family, per_proto, ports_of};
use crate::gate::plan::{Part, Shape, Source, Test, memory};
use crate::gate::policy::Rate;
use crate::gate::{Family, Member, PortRange, Proto, Verdict};
use crate::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Set in the mark of packets whose answers would leave where they came from. Only `mangle` at
/// PREROUTING can ask that, and the policy wants to know it later.
pub const BELIEVED: u32 = 0x2000_0000;

/// The last second iptables knows, 2038-01-19T03:14:07.
const LAST: i64 = i32::MAX as i64;
/// Sources that one match counts.
const COUNTED: u32 = 65_536;
/// The largest burst of `hashlimit`, and how many a second it tells apart.
const FASTEST: u32 = 10_000;

/// What is said of parts that only floods need.
pub(super) const ANSWERS: &str = "SYNs are answered by nftables only";
pub(super) const MEASURES: &str = "floods are measured by nftables only";

/// One way to pass a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// The protocol's number, if the test is about one.
    pub(super) proto: Option<u8>,
    /// The words; none where the protocol says all.
    pub(super) words: String,
}

/// What a part comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It asks.
    Ways(Vec<Way>),
    /// It does something, and the packet goes on to the next rule.
    Target(String),
    /// As a target, and whether it was done is asked by these words.
    Tried(String, String),
    /// The rule's packets are counted under this name.
    Count(String),
    /// It leaves our chains.
    Leave,
    /// It goes through another chain, and comes back.
    Jump(String),
    /// It goes through another chain, and does not come back.
    Goto(String),
    /// It is stopped so.
    Stop(Verdict),
}

/// What the words depend on.
#[derive(Debug)]
pub(super) struct Grammar<'a> {
    pub(super) family: Family,
    pub(super) names: &'a Names,
    /// The sets of ipset, by their plain names.
    pub(super) sets: &'a BTreeMap<String, String>,
    pub(super) shapes: &'a BTreeMap<String, Shape>,
}

fn way(words: impl Into<String>) -> Said {
    Said::Ways(vec![Way { proto: None, words: words.into() }])
}

fn of_proto(proto: u8, words: impl Into<String>) -> Said {
    Said::Ways(vec![Way { proto: Some(proto), words: words.into() }])
}

/// Nothing of this family passes.
fn never() -> Said {
    Said::Ways(Vec::new())
}

impl Grammar<'_> {
    /// What a part comes to.
    pub(super) fn part(&self, part: &Part) -> Result<Said, String> {
        Ok(match part {
            Part::Loopback => way("-i lo"),
            Part::NotOn(set) => {
                let set = self.set(&per_family(set, self.family))?;
                way(format!("-m set ! --match-set {set} src,src"))
            }
            Part::Elsewhere => way("-m addrtype ! --dst-type LOCAL"),
            Part::Here => way("-m addrtype --dst-type LOCAL"),
            Part::Passing => match self.family {
                Family::V4 => way("-m addrtype --dst-type UNICAST"),
                // Addresses of this machine are among them there.
                Family::V6 => way("-m addrtype --dst-type UNICAST -m addrtype ! --dst-type LOCAL"),
            },
            Part::If(test) => self.test(test)?,
            Part::Neighbour => self.icmp(Family::V6, &[135, 136]),
            Part::Protocol(proto) => of_proto(proto.number(), ""),
            Part::ProtocolIn(set) => {
                let one = |proto: Proto| {
                    let set = self.set(&per_proto(set, proto, self.family))?;
                    let words = format!("-m set --match-set {set} src");
                    Ok(Way { proto: Some(proto.number()), words })
                };
                let ways: Result<_, String> =
                    [Proto::Tcp, Proto::Udp].map(one).into_iter().collect();
                Said::Ways(ways?)
            }
            Part::To(range) => ports(*range, "dport"),
            Part::ToAnyOf(proto, set) => {
                of_proto(proto.number(), format!("-m set --match-set {} dst", self.set(set)?))
            }
            Part::From(prefix) => self.only(Family::of(*prefix), || format!("-s {prefix}")),
            Part::FromAnyOf(source, set) => self.member(source.family, set, "src")?,
            Part::Single(family, set) => self.member(*family, set, "src,dst")?,
            Part::Syn => of_proto(6, "-m tcp --tcp-flags SYN,ACK SYN"),
            Part::Fresh => way("-m conntrack --ctstate NEW,UNTRACKED"),
            Part::Known => way("-m conntrack --ctstate ESTABLISHED"),
            Part::Answer => way("-m conntrack --ctdir REPLY"),
            Part::Remember(from, set, span) => self.remember(from.family, set, *span, "src")?,
            Part::Count(counter) => Said::Count(counter.clone()),
            Part::Mark(bits) => Said::Target(format!("-j MARK --or-mark {bits:#x}")),
            Part::Unmark(bits) => Said::Target(format!("-j MARK --and-mark {:#x}", !bits)),
            // How many bytes are handed over is not said: programs before 1.6.1 do not know the word.
            Part::Log { prefix, group, .. } => {
                Said::Target(format!("-j NFLOG --nflog-group {group} --nflog-prefix {prefix}"))
            }
            Part::Accept => Said::Leave,
            Part::Jump(chain) => Said::Jump(chain.clone()),
            Part::Goto(chain) => Said::Goto(chain.clone()),
            Part::Stop(verdict, _) => Said::Stop(*verdict),
            Part::Undate | Part::SynProxy(..) => return Err(ANSWERS.to_owned()),
            Part::RememberTo(to, set, span) => self.remember(to.family, set, *span, "dst")?,
            Part::RememberSingle(family, set, span) => {
                self.remember(*family, set, *span, "src,dst")?
            }
            Part::Translate(_) => return Err("it translates".to_owned()),
        })
    }

    fn test(&self, test: &Test) -> Result<Said, String> {
        Ok(match test {
            Test::Of(family) => self.only(*family, String::new),
            Test::FamilyIn(set) => self.member(self.family, &per_family(set, self.family), "src")?,
            Test::On(name) => way(format!("-i {name}")),
            Test::Leaves(name) => way(format!("-o {name}")),
            Test::WayBack => way(format!("-m mark --mark {BELIEVED:#x}/{BELIEVED:#x}")),
            Test::ToAddr(prefix) => self.only(Family::of(*prefix), || format!("-d {prefix}")),
            // To iptables that number is every protocol.
            Test::Number(0) => return Err("iptables has no word for the protocol 0".to_owned()),
            Test::Number(number) => of_proto(*number, ""),
            Test::Icmp(family, kind) => self.icmp(*family, &[*kind]),
            Test::IcmpIn(family, set) => {
                let fixed = self.shapes.get(set).map(|shape| &shape.fixed[..]).unwrap_or_default();
                let kinds = fixed.iter().filter_map(|member| match member {
                    Member::Icmp(_, kind) => Some(*kind),
                    _ => None,
                });
                self.icmp(*family, &kinds.collect::<Vec<u8>>())
            }
            Test::Marked(bits) => way(format!("-m mark --mark {bits:#x}/{bits:#x}")),
            Test::Before(time) => before(*time),
            Test::ToLoopback => way("-o lo"),
            Test::Begun => way("-m conntrack --ctdir ORIGINAL"),
            Test::SipAnswer => self.sip_answer(),
            Test::Rush(rate) => self.rush(rate),
            Test::MiniFrame => return Err(MEASURES.to_owned()),
            Test::New => way("-m conntrack --ctstate NEW"),
            Test::Foreign | Test::Heard => return Err(ANSWERS.to_owned()),
            Test::Acks => of_proto(6, "-m tcp --tcp-flags SYN,RST,ACK ACK"),
            Test::Breaks => of_proto(6, "-m tcp --tcp-flags RST RST"),
            Test::Pushed => of_proto(6, "-m tcp --tcp-flags PSH PSH"),
            Test::MidStream => of_proto(6, "-m tcp ! --tcp-flags SYN,ACK SYN"),
            Test::Stream(family, set) => self.stream(*family, set, ["src,src", "dst"])?,
            Test::StreamBack(family, set) => self.stream(*family, set, ["dst,dst", "src"])?,
            Test::FromPorts(range) => ports(*range, "sport"),
            Test::FromRange(family, set) => self.member(*family, set, "src")?,
            Test::ToRange(family, set) => self.member(*family, set, "dst")?,
            Test::Going => way("-m conntrack --ctstate ESTABLISHED,RELATED"),
            Test::Invalid => way("-m conntrack --ctstate INVALID"),
            Test::Over(source, set, rate) => self.over(*source, set, rate)?,
            Test::Crowded(source, _, most) => self.only(source.family, || {
                let bits = source.bits;
                format!("-m connlimit --connlimit-above {most} --connlimit-mask {bits} --connlimit-saddr")
            }),
        })
    }

    /// Words for packets of one family.
    fn only(&self, family: Family, words: impl Fn() -> String) -> Said {
        if family == self.family { way(words()) } else { never() }
    }

    fn set(&self, plain: &str) -> Result<&str, String> {
        let found = self.sets.get(plain).map(String::as_str);
        found.ok_or_else(|| format!("iptables can have no set {plain}"))
    }

    fn member(&self, family: Family, set: &str, what: &str) -> Result<Said, String> {
        if family != self.family {
            return Ok(never());
        }
        Ok(way(format!("-m set --match-set {} {what}", self.set(set)?)))
    }

    /// Its other end and that one's port are in a set, and the port of this machine in that of the ports.
    fn stream(&self, family: Family, set: &str, ends: [&str; 2]) -> Result<Said, String> {
        if family != self.family {
            return Ok(never());
        }
        let (those, ports) = (self.set(set)?, self.set(&ports_of(set))?);
        let [there, here] = ends;
        let words = format!("-m set --match-set {those} {there} -m set --match-set {ports} {here}");
        Ok(of_proto(6, words))
    }

    fn icmp(&self, family: Family, kinds: &[u8]) -> Said {
        if family != self.family {
            return never();
        }
        let one = |kind: &u8| match family {
            Family::V4 => Way { proto: Some(1), words: format!("-m icmp --icmp-type {kind}") },
            Family::V6 => Way { proto: Some(58), words: format!("-m icmp6 --icmpv6-type {kind}") },
        };
        Said::Ways(kinds.iter().map(one).collect())
    }

    /// Puts the address, or what `what` says, into a set.
    fn remember(
        &self,
        family: Family,
        set: &str,
        span: Duration,
        what: &str,
    ) -> Result<Said, String> {
        if family != self.family {
            return Ok(never());
        }
        let set = self.set(set)?;
        let add =
            format!("-j SET --add-set {set} {what} --exist --timeout {}", span.as_secs().max(1));
        Ok(Said::Tried(add, format!("-m set --match-set {set} {what}")))
    }

    /// What UDP carries begins like an answer of SIP.
    fn sip_answer(&self) -> Said {
        let place = match self.family {
            // Behind a header as long as its first byte says.
            Family::V4 => "0>>22&0x3C@8",
            Family::V6 => "48",
        };
        of_proto(17, format!("-m u32 --u32 {place}=0x5349502f"))
    }

    /// More than this of all together.
    fn rush(&self, rate: &Rate) -> Said {
        let unit = unit(rate);
        let own = format!("{} all {}/{unit} {}", self.names.prefix(), rate.count, rate.burst);
        way(format!(
            "-m hashlimit --hashlimit-above {}/{unit} --hashlimit-burst {} --hashlimit-name s.{}",
            rate.count,
            rate.burst,
            hash(&own),
        ))
    }

    fn over(&self, source: Source, set: &str, rate: &Rate) -> Result<Said, String> {
        if source.family != self.family {
            return Ok(never());
        }
        let unit = unit(rate);
        let per_second = u64::from(rate.count) / rate.per.as_secs().max(1);
        if per_second > u64::from(FASTEST) || rate.burst > FASTEST {
            return Err(format!(
                "iptables counts up to {FASTEST} a second, in bursts of up to {FASTEST}; write a \
                 smaller rate than {}/{unit} burst {}",
                rate.count, rate.burst
            ));
        }
        // Who has the same name shares the counts and what they are measured by: of another rate,
        // another name. The kernel keeps 15 bytes of it.
        let own = format!("{} {set} {}/{unit} {}", self.names.prefix(), rate.count, rate.burst);
        Ok(way(format!(
            "-m hashlimit --hashlimit-above {}/{unit} --hashlimit-burst {} --hashlimit-mode srcip \
             --hashlimit-srcmask {} --hashlimit-name s.{} --hashlimit-htable-max {COUNTED} \
             --hashlimit-htable-expire {}",
            rate.count,
            rate.burst,
            source.bits,
            hash(&own),
            memory(rate).as_millis().min(u128::from(u32::MAX))
        )))
    }
}

fn unit(rate: &Rate) -> &'static str {
    match rate.per.as_secs() {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        _ => "day",
    }
}

fn ports(range: PortRange, end: &str) -> Said {
    let (proto, first, last) = (range.proto(), range.first(), range.last());
    let ports = if first == last { first.to_string() } else { format!("{first}:{last}") };
    let words = match proto {
        _ if range.is_whole() => String::new(),
        Proto::Tcp | Proto::Udp => format!("-m {} --{end} {ports}", proto.as_str()),
        Proto::Sctp | Proto::Dccp | Proto::UdpLite => format!("-m multiport --{end}s {ports}"),
    };
    of_proto(proto.number(), words)
}

/// The last second before a time, of which iptables still takes it; every second if it cannot know
/// that one, and none if it is before all it knows.
fn before(time: Time) -> Said {
    match time.secs() - 1 {
        last if last > LAST => way(""),
        last if last < 0 => never(),
        last => {
            let text = Time::from_secs(last).to_string();
            way(format!("-m time --datestop {}", text.trim_end_matches('Z')))
        }
    }
}

/// Whether the end of a rule is later than iptables can say.
pub(super) fn is_late(test: &Test) -> bool {
    matches!(test, Test::Before(time) if time.secs() - 1 > LAST)
}

/// How a packet is stopped, in the words of a family.
pub(super) fn stop(verdict: Verdict, family: Family) -> &'static str {
    match (verdict, family) {
        (Verdict::Drop, _) => "-j DROP",
        (Verdict::Reset, _) => "-j REJECT --reject-with tcp-reset",
        (Verdict::Unreachable, Family::V4) => "-j REJECT --reject-with icmp-port-unreachable",
        (Verdict::Unreachable, Family::V6) => "-j REJECT --reject-with icmp6-port-unreachable",
        (Verdict::Prohibited, Family::V4) => "-j REJECT --reject-with icmp-admin-prohibited",
        (Verdict::Prohibited, Family::V6) => "-j REJECT --reject-with icmp6-adm-prohibited",
    }
}
