//! From who listens on a machine to a policy.

use super::{Lang, Page};
use crate::facts::{Facts, Listener};
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::is_delicate;
use sereno_core::gate::{PortRange, Proto};
use std::net::IpAddr;

/// From here on Linux takes ports for what begins on the machine itself.
const OWN: u16 = 32_768;
/// Where clients of DHCP hear what they are lent; the gate lets that in anyway.
const LENT: [u16; 2] = [68, 546];

/// Writes a `[gate]` that lets in who can get in now, but for what the world should not reach. It
/// reads back without problems. `rtp` are the ports of Asterisk's media.
#[must_use]
pub fn suggest_gate(
    facts: &Facts,
    listeners: &[Listener],
    rtp: Option<PortRange>,
    lang: Lang,
) -> String {
    let mut page = Page { lang, text: String::new() };
    page.say(
        "Who may reach what: what listens on this machine, and what follows from it.\n\
         Put it into /etc/sereno/sereno.toml, change what you like; `sereno gate apply` tries it.",
        "Quién puede llegar a qué: lo que escucha en esta máquina y lo que se sigue de ello.\n\
         Póngalo en /etc/sereno/sereno.toml y cambie lo que quiera; `sereno gate apply` lo prueba.",
    );
    page.line("[gate]");
    let local: Vec<Prefix> = facts.networks.iter().copied().filter(is_private).collect();
    if !local.is_empty() {
        page.say("Networks that this machine is in.", "Redes en las que está esta máquina.");
        let names: Vec<String> = local.iter().map(|network| format!("\"{network}\"")).collect();
        page.line(&format!("local = [{}]", names.join(", ")));
    }
    page.line("rules = [");
    for from in &facts.sessions {
        page.say(
            &format!("    Somebody is logged in from {from}."),
            &format!("    Alguien tiene sesión abierta desde {from}."),
        );
    }
    let mut seen = Vec::new();
    for one in listeners {
        let port = (one.proto, one.port);
        if !seen.contains(&port) && !is_left_out(one, rtp) {
            seen.push(port);
            rule(&mut page, facts, one, !local.is_empty());
        }
    }
    if let Some(rtp) = rtp {
        page.line(&format!("    \"allow {rtp}\",   # RTP: rtp.conf"));
    }
    page.line("]");
    portscan(&mut page);
    page.text
}

/// Whoever tries ports that are closed now. Nobody at work is cut off by it: it stops only what begins, for
/// a short while, and spares who is known.
fn portscan(page: &mut Page) {
    page.line("");
    page.say(
        "A stranger who tries six closed ports within five minutes may begin nothing for ten minutes.",
        "Un desconocido que prueba seis puertos cerrados en cinco minutos no puede iniciar nada en diez.",
    );
    page.line("[jail.portscan]\nmaxretry = 6\nfindtime = \"5m\"\nbantime = \"10m\"");
}

fn is_left_out(one: &Listener, rtp: Option<PortRange>) -> bool {
    let own = PortRange::new(one.proto, one.port, one.port);
    let media = rtp.zip(own).is_some_and(|(rtp, own)| rtp.meets(own));
    media || one.proto == Proto::Udp && (one.port >= OWN || LENT.contains(&one.port))
}

fn rule(page: &mut Page, facts: &Facts, one: &Listener, local: bool) {
    let is_sshd = facts.sshd.as_ref().is_some_and(|sshd| sshd.ports.contains(&one.port));
    let sshd = is_sshd && one.proto == Proto::Tcp;
    let who = if sshd || one.program.is_empty() { "sshd" } else { &one.program };
    let who = if !sshd && one.program.is_empty() { "?" } else { who };
    let what = format!("{}/{}", one.proto.as_str(), one.port);
    let why = match page.lang {
        Lang::English => "the world should not reach it",
        Lang::Spanish => "el mundo no debería llegar a él",
    };
    match (is_delicate(one.proto, one.port), local) {
        (false, _) => page.line(&format!("    \"allow {what}\",   # {who}")),
        (true, true) => page.line(&format!("    \"allow {what} from local\",   # {who}: {why}")),
        (true, false) => {
            page.line(&format!("    # \"allow {what} from 192.0.2.0/24\",   # {who}: {why}"));
        }
    }
}

/// A network that is nobody else's (RFC 1918, RFC 4193).
fn is_private(network: &Prefix) -> bool {
    match network.addr() {
        IpAddr::V4(addr) => addr.is_private(),
        IpAddr::V6(addr) => addr.is_unique_local(),
    }
}
