//! Where a packet leads that is granted translation.

use crate::Refusal;
use crate::message::Nat;
use crate::stanza::{Stanza, Translation};
use sereno_core::gate::{Dnat, Forward, PortRange, Through, is_host};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// Whether a message may ask for this at all.
pub(crate) fn is_allowed(translation: &Translation, nat: &Nat) -> bool {
    if nat.local { translation.local } else { translation.forwarding }
}

/// Where a packet leads that asks for these ports, of which the first counts, and for this
/// translation; `None` if the ports are to be opened as they are. `at` is where the packet was sent,
/// and the addresses of this machine.
///
/// # Errors
/// [`Refusal::Target`] for where nothing may lead, [`Refusal::Ports`] for a port of this machine
/// that the stanza does not open.
pub(crate) fn through(
    stanza: &Stanza,
    ports: &[PortRange],
    nat: Option<&Nat>,
    (sent_to, own): (IpAddr, &[Ipv4Addr]),
) -> Result<Option<Through>, Refusal> {
    let Translation { force, all, as_sent, snat, .. } = stanza.translation;
    if all && (force.is_some() || nat.is_some_and(|nat| !nat.local)) {
        let to = force.map(|to| *to.ip()).filter(|_| !as_sent);
        return Ok(Some(Through::Forward(Forward { to, snat })));
    }
    let Some(port) = ports.first() else { return Ok(None) };
    let (to, here) = match (force, nat) {
        (Some(to), _) => (to, own.contains(to.ip())),
        (None, None) => return Ok(None),
        (None, Some(nat)) if nat.local => (local(stanza, *port, nat, (sent_to, own))?, true),
        (None, Some(nat)) => {
            // Names are never looked up: who answers for a name would choose the target.
            let host = nat.host.parse().map_err(|_| Refusal::Target)?;
            if !is_host(host) || own.contains(&host) {
                return Err(Refusal::Target);
            }
            (SocketAddrV4::new(host, nat.port), false)
        }
    };
    // What ends here has no other address to come under.
    let snat = snat.filter(|_| !here);
    Ok(Some(Through::Dnat(Dnat { proto: port.proto(), port: port.first(), to, here, snat })))
}

/// Where a port leads on this machine: to the address to which the packet was sent, whatever the
/// client calls it. Who opens a port opens it by whichever way it is reached.
fn local(
    stanza: &Stanza,
    port: PortRange,
    nat: &Nat,
    (sent_to, own): (IpAddr, &[Ipv4Addr]),
) -> Result<SocketAddrV4, Refusal> {
    let target = PortRange::new(port.proto(), nat.port, nat.port).ok_or(Refusal::Target)?;
    if !stanza.opens(target) {
        return Err(Refusal::Ports);
    }
    match sent_to {
        IpAddr::V4(addr) if own.contains(&addr) => Ok(SocketAddrV4::new(addr, nat.port)),
        _ => Err(Refusal::Target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keys, Mode, Secret, Source};
    use sereno_core::gate::Snat;
    use std::time::Duration;

    const OWN: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(10, 0, 0, 1)];

    fn stanza(translation: Translation, open: &[&str], restrict: &[&str]) -> Stanza {
        let ports = |list: &[&str]| list.iter().map(|port| port.parse().unwrap()).collect();
        Stanza {
            name: String::new(),
            source: Source::Any,
            destination: Source::Any,
            keys: Keys { key: Secret::new(vec![1]), mode: Mode::Cbc, hmac: None },
            open_ports: ports(open),
            restrict_ports: ports(restrict),
            timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(300),
            expires: None,
            user: None,
            require_address: false,
            commands: None,
            cycle: None,
            translation,
        }
    }

    fn nat(host: &str, port: u16, local: bool) -> Option<Nat> {
        Some(Nat { host: host.to_owned(), port, local })
    }

    /// What follows from `tcp/5555,tcp/443` and this.
    fn said(stanza: &Stanza, nat: Option<&Nat>) -> Result<Option<String>, Refusal> {
        let ports = ["tcp/5555", "tcp/443"].map(|port| port.parse().unwrap());
        let through = through(stanza, &ports, nat, (OWN[0].into(), &OWN))?;
        Ok(through.map(|to| match to {
            Through::Dnat(Dnat { here, snat, .. }) => format!("{to} {here} {snat:?}"),
            to => to.to_string(),
        }))
    }

    #[test]
    fn a_packet_leads_where_it_says_and_to_no_name_and_no_crowd() {
        let snat = Some(Snat::Masquerade);
        let stanza = stanza(Translation { snat, ..Translation::default() }, &["tcp/5555"], &[]);
        let of = |host: &str| said(&stanza, nat(host, 22, false).as_ref());
        assert_eq!(said(&stanza, None), Ok(None));
        let there = "tcp/5555 -> 10.0.0.2:22 false Some(Masquerade)";
        assert_eq!(of("10.0.0.2"), Ok(Some(there.to_owned())));
        for host in [
            "inner.example.org",
            "localhost",
            "fd00::2",
            "10.0.0.1",
            "198.51.100.1",
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "010.0.0.2",
            "10.2",
        ] {
            assert_eq!(of(host), Err(Refusal::Target), "{host}");
        }
    }

    #[test]
    fn on_this_machine_both_ports_are_to_be_allowed() {
        let snat = Some(Snat::Masquerade);
        let translation = Translation { local: true, snat, ..Translation::default() };
        let of = |open: &[&str], restrict: &[&str], host: &str| {
            said(&stanza(translation, open, restrict), nat(host, 22, true).as_ref())
        };
        let here = Ok(Some("tcp/5555 -> 198.51.100.1:22 true None".to_owned()));
        // Whatever the client calls this machine.
        for host in ["198.51.100.1", "gate.example.org", "203.0.113.9"] {
            assert_eq!(of(&[], &[], host), here);
        }
        assert_eq!(of(&["tcp/5555", "tcp/22"], &[], "198.51.100.1"), here);
        assert_eq!(of(&["tcp/5555"], &[], "198.51.100.1"), Err(Refusal::Ports));
        assert_eq!(of(&[], &["tcp/22"], "198.51.100.1"), Err(Refusal::Ports));
        let open = stanza(translation, &[], &[]);
        let at = |addr: &str| {
            let ports = ["tcp/5555".parse().unwrap()];
            through(&open, &ports, nat("x", 22, true).as_ref(), (addr.parse().unwrap(), &OWN))
        };
        for elsewhere in ["2001:db8::1", "198.51.100.255", "192.0.2.1"] {
            assert_eq!(at(elsewhere), Err(Refusal::Target));
        }
    }

    #[test]
    fn what_is_forced_counts_whatever_is_asked_for() {
        let forced =
            |to: &str| Translation { force: Some(to.parse().unwrap()), ..Translation::default() };
        let plain = stanza(forced("10.0.0.9:2222"), &[], &[]);
        let there = Ok(Some("tcp/5555 -> 10.0.0.9:2222 false None".to_owned()));
        for asked in [None, nat("10.0.0.2", 22, false), nat("127.0.0.1", 22, false)] {
            assert_eq!(said(&plain, asked.as_ref()), there);
        }
        let here = Ok(Some("tcp/5555 -> 10.0.0.1:22 true None".to_owned()));
        assert_eq!(said(&stanza(forced("10.0.0.1:22"), &[], &[]), None), here);
        let all = Translation { all: true, ..forced("10.0.0.9:2222") };
        assert_eq!(said(&stanza(all, &[], &[]), None), Ok(Some("all -> 10.0.0.9".to_owned())));
        let as_sent = Translation { as_sent: true, ..all };
        assert_eq!(said(&stanza(as_sent, &[], &[]), None), Ok(Some("all".to_owned())));
        // Without a place that is forced, a packet has to ask for it.
        let unforced = stanza(Translation { force: None, ..as_sent }, &[], &[]);
        assert_eq!(said(&unforced, None), Ok(None));
        let asked = nat("anything", 22, false);
        assert_eq!(said(&unforced, asked.as_ref()), Ok(Some("all".to_owned())));
    }
}
