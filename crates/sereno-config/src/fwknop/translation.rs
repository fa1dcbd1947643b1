//! What a stanza says of translation.

use super::stanza::Reader;
use sereno_core::gate::{Snat, is_host};
use sereno_spa::Translation;
use std::net::{Ipv4Addr, SocketAddrV4};

impl Reader<'_> {
    pub(super) fn translation(&mut self) -> Translation {
        let rules = self.context.rules;
        let force = self.force();
        let (all, as_sent) = (self.yes("FORWARD_ALL"), self.yes("DISABLE_DNAT"));
        if let Some(said) = self.said("FORWARD_ALL").filter(|_| all) {
            if !rules.forwarding {
                self.wrong(said, NOT_ALLOWED, "write ENABLE_IPT_FORWARDING Y; in fwknopd.conf");
            } else if force.is_none() && !as_sent {
                let why = "where everything is to go is not said";
                let remedy = "write DISABLE_DNAT Y, and it goes where it was sent; or FORCE_NAT";
                self.wrong(said, why, remedy);
            }
        }
        if let Some(said) = self.said("DISABLE_DNAT").filter(|_| as_sent && !all) {
            let why = "without FORWARD_ALL there is nothing that goes on as it was sent";
            self.wrong(said, why, "write FORWARD_ALL Y, or leave it out");
        }
        let own = self.snat();
        let said = self.said("FORCE_SNAT").or_else(|| self.said("FORCE_MASQUERADE"));
        if let Some(said) = said.filter(|_| own.is_some() && force.is_none() && !all) {
            self.wrong(
                said,
                "there is no FORCE_NAT or FORWARD_ALL that this belongs to",
                "write FORCE_NAT 192.0.2.7 22, or leave it out",
            );
        }
        Translation {
            forwarding: rules.forwarding,
            local: rules.local_nat,
            force,
            all,
            as_sent,
            snat: own.or(rules.snat),
        }
    }

    fn force(&mut self) -> Option<SocketAddrV4> {
        let said = self.said("FORCE_NAT")?;
        let rules = self.context.rules;
        let mut parts = self.value(said).split_whitespace();
        let addr = parts.next().and_then(|addr| addr.parse::<Ipv4Addr>().ok());
        let port = parts.next().and_then(|port| port.parse::<u16>().ok());
        let (Some(addr), Some(port), None) =
            (addr.filter(|addr| is_host(*addr)), port.filter(|port| *port > 0), parts.next())
        else {
            let why = "this is no IPv4 address of one machine with a port";
            self.wrong(said, why, "write FORCE_NAT 192.0.2.7 22");
            return None;
        };
        if !rules.forwarding && !rules.local_nat {
            self.wrong(said, NOT_ALLOWED, "write ENABLE_IPT_FORWARDING Y; in fwknopd.conf");
        }
        Some(SocketAddrV4::new(addr, port))
    }

    fn snat(&mut self) -> Option<Snat> {
        let masquerade = self.yes("FORCE_MASQUERADE").then_some(Snat::Masquerade);
        let Some(said) = self.said("FORCE_SNAT") else { return masquerade };
        match self.value(said).parse::<Ipv4Addr>() {
            Ok(addr) if is_host(addr) => Some(Snat::To(addr)),
            _ => {
                self.wrong(said, "this is no IPv4 address", "write FORCE_SNAT 192.0.2.7");
                None
            }
        }
    }
}

const NOT_ALLOWED: &str = "translation is not allowed";
