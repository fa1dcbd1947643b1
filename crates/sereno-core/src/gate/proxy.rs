//! Ports at which the kernel itself answers who begins a connection, before anything is kept of him.
//!
//! A SYN says nothing of who sent it. The answer has a number in it that only who receives it can give back
//! (RFC 4987, 3.6), and what is to be remembered is in that number. Only then does the kernel begin the
//! connection to the program, and it goes on between the two from there.

use super::{Family, Gate, PortRange, Proto};
use serde::{Deserialize, Serialize};

/// Ranges of ports at most: the kernel walks them for every packet that begins something.
const MOST_PORTS: usize = 32;
/// A scale of windows at most (RFC 7323, 2.3).
const MOST_SCALE: u8 = 14;

/// What an answer to a SYN says of this machine.
///
/// Whoever began the connection keeps to it, though the program's own answer may say something else:
/// it has to be what the kernel would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// The largest segment of IPv4 and of IPv6, in bytes (RFC 9293, 3.7.1).
    pub mss: [u16; 2],
    /// By how many bits windows are shifted; `None`: they are not.
    pub scale: Option<u8>,
    /// Whether segments have timestamps. Without them the number has no room for what the other side
    /// says of windows and lost segments.
    pub timestamps: bool,
    /// Whether it is told which segments arrived behind one that was lost (RFC 2018).
    pub sack: bool,
}

impl Default for Handshake {
    /// What Linux says at an Ethernet of 1500 bytes, if nobody set anything.
    fn default() -> Self {
        Self { mss: [1460, 1440], scale: Some(7), timestamps: true, sack: true }
    }
}

impl Handshake {
    /// The largest segment of a family.
    #[must_use]
    pub fn mss(&self, family: Family) -> u16 {
        let [v4, v6] = self.mss;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }
}

/// Where the kernel answers, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SynProxy {
    /// Ports of TCP. None: what was begun this way goes on, and nothing more is begun.
    pub ports: Vec<PortRange>,
    /// What it says.
    pub handshake: Handshake,
    /// Whether timestamps are taken out where they would be made wrong. Linux 5.18 and newer can.
    pub undates: bool,
}

impl SynProxy {
    /// Refuses what cannot be meant, in sentences.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(other) = self.ports.iter().find(|range| range.proto() != Proto::Tcp) {
            return Err(format!("{other} cannot have a SYN proxy; only ports of tcp can"));
        }
        if self.ports.len() > MOST_PORTS {
            return Err(format!(
                "these are too many ports for a SYN proxy; {MOST_PORTS} ranges are the most"
            ));
        }
        if self.handshake.scale.is_some_and(|bits| bits > MOST_SCALE) {
            return Err(format!("windows are shifted by {MOST_SCALE} bits at most"));
        }
        Ok(())
    }
}

impl Gate {
    /// Where the kernel answers SYNs, if it does.
    #[must_use]
    pub fn syn_proxy(&self) -> Option<&SynProxy> {
        self.0.syn_proxy.as_ref()
    }

    /// The ports at which it does.
    pub(super) fn proxied(&self) -> &[PortRange] {
        self.syn_proxy().map_or(&[], |proxy| &proxy.ports)
    }

    /// The gate without a SYN proxy: what is left when a kernel cannot do that part.
    #[must_use]
    pub fn without_syn_proxy(&self) -> Self {
        let mut draft = self.0.clone();
        draft.syn_proxy = None;
        Self(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::policy::{Known, Policy, Rule, Services};
    use crate::gate::samples::segment;
    use crate::gate::walk::{State, walk};
    use crate::gate::{Contents, Draft, Reason, reasons};
    use jiff::tz::TimeZone;

    fn proxy(ports: &[&str]) -> SynProxy {
        let ports = ports.iter().map(|range| range.parse().unwrap()).collect();
        SynProxy { ports, handshake: Handshake::default(), undates: true }
    }

    fn gate(proxy: SynProxy, lines: &[&str]) -> Result<Gate, String> {
        let known = Known { services: &Services::default(), zones: &[], zone: &TimeZone::UTC };
        let rules = lines.iter().map(|line| Rule::parse(line, known).unwrap()).collect();
        let policy = Some(Policy { rules, ..Policy::default() });
        Gate::try_from(Draft { policy, syn_proxy: Some(proxy), ..Draft::of(Vec::new()) })
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(gate(proxy(&["tcp/443", "udp/443"]), &[]).unwrap_err().contains("udp/443"));
        let many: Vec<String> = (1..=33).map(|port| format!("tcp/{}", port * 2)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(gate(proxy(&many), &[]).unwrap_err().contains("32"));
        let handshake = Handshake { scale: Some(15), ..Handshake::default() };
        let wide = SynProxy { handshake, ..proxy(&["tcp/443"]) };
        assert!(gate(wide, &[]).unwrap_err().contains("14"));
    }

    #[test]
    fn who_gets_in_is_told_who_answers() {
        let gate = gate(proxy(&["tcp/443", "tcp/22"]), &["allow https, tcp/25"]).unwrap();
        let judged = |port, syn, state| {
            let seen = segment((40_000, port), syn, state);
            reasons(&gate, &walk(&gate, Contents::default(), &seen))
        };
        let allowed = Reason::Rule(1, "allow https, tcp/25".to_owned());
        let told = judged(443, true, State::New);
        assert_eq!((told.passes, told.reasons), (true, vec![allowed.clone(), Reason::Proxied]));
        assert_eq!(judged(25, true, State::New).reasons, vec![allowed.clone()]);
        let told = judged(22, true, State::New);
        assert!(!told.passes && !told.reasons.contains(&Reason::Proxied), "{told:?}");
        // Numbers that nobody gave out.
        for state in [State::New, State::Invalid] {
            let told = judged(443, false, state);
            assert_eq!((told.passes, told.reasons), (false, vec![allowed.clone()]));
        }
        assert_eq!(judged(443, false, State::Established).reasons, [Reason::Needed]);
    }
}
