//! Packets for single-packet authorization: what a stanza says, with the time and randomness of now.

use crate::Trouble;
use sereno_config::fwknop::Client;
use sereno_core::gate::Proto;
use sereno_core::time::Time;
use sereno_spa::{Ask, BadField, Keys, Message, Who, seal};
use std::net::{IpAddr, SocketAddr};

/// What to ask a server, each time anew.
#[derive(Clone, Debug)]
pub struct Spa {
    /// The server's stanza.
    pub client: Client,
    /// The keys that both have.
    pub keys: Keys,
    /// For whom; nobody for who sends it.
    pub who: Option<IpAddr>,
    /// Who asks, by his own word.
    pub user: String,
}

/// Where ports by chance begin: above the services.
const CHANCE: u16 = 10_000;

/// Chooses the server's port that is to lead on, where that is left to chance.
///
/// # Errors
/// [`Trouble::Random`].
pub fn choose_port(client: &mut Client) -> Result<(), Trouble> {
    if client.nat_random && client.translates() {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(Trouble::Random)?;
        let span = u32::from(u16::MAX - CHANCE) + 1;
        let above = u16::try_from(u32::from_ne_bytes(random) % span).unwrap_or(0);
        client.nat_port = Some(CHANCE.saturating_add(above));
    }
    Ok(())
}

impl Spa {
    /// What is asked for.
    ///
    /// # Errors
    /// [`Trouble::NoPort`].
    pub fn ask(&self, server: IpAddr) -> Result<Ask, Trouble> {
        let who = match (self.who, server) {
            (Some(addr), _) => Who::Addr(addr),
            (None, IpAddr::V4(_)) => Who::Sender,
            (None, IpAddr::V6(_)) => Who::Sender6,
        };
        self.client.ask(who, server).ok_or(Trouble::NoPort)
    }

    /// The first TCP port that is asked for: it answers once the door is open.
    ///
    /// # Errors
    /// [`Trouble::NoPort`].
    pub fn answering(&self, server: IpAddr) -> Result<Option<u16>, Trouble> {
        let Ask::Access { ports, .. } = self.ask(server)? else { return Ok(None) };
        let tcp = ports.into_iter().find(|port| port.proto() == Proto::Tcp);
        Ok(tcp.map(|port| port.first()))
    }

    /// A new packet: what it says, and how it is sent. No two are the same.
    ///
    /// # Errors
    /// [`Trouble::Packet`] or [`Trouble::NoPort`] when it cannot be said, [`Trouble::Random`],
    /// [`Trouble::Clock`].
    pub fn packet(&self, server: IpAddr, now: Time) -> Result<(Message, String), Trouble> {
        let sent = now.secs().checked_add(self.client.time_offset);
        let sent = sent.and_then(|sent| u64::try_from(sent).ok()).ok_or(Trouble::Clock)?;
        let message = Message {
            digits: digits()?,
            user: self.user.clone(),
            sent,
            version: Message::VERSION.to_owned(),
            ask: self.ask(server)?,
            server_auth: None,
        };
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).map_err(Trouble::Random)?;
        let packet = seal(&message, self.client.digest, &self.keys, salt);
        packet.map(|packet| (message, packet)).map_err(Trouble::Packet)
    }

    /// Sends a packet.
    pub(crate) fn send(&self, mut server: SocketAddr, now: Time) -> Result<(), Trouble> {
        let (_, packet) = self.packet(server.ip(), now)?;
        let port = self.client.port;
        server.set_port(port);
        let sent = crate::send::datagram(server, self.client.source_port, packet.as_bytes());
        sent.map_err(|why| Trouble::Send { port, why })
    }
}

/// Sixteen random decimal digits, each as likely as any other.
fn digits() -> Result<[u8; 16], Trouble> {
    let mut digits = [0; 16];
    let mut at = 0;
    while at < digits.len() {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(Trouble::Random)?;
        // 250 to 255 would make the first six digits more likely.
        for byte in random.into_iter().filter(|byte| *byte < 250) {
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + byte % 10;
                at += 1;
            }
        }
    }
    Ok(digits)
}

/// The first of these names that a packet can have in it; a name that says nothing if none can.
pub fn user(names: impl IntoIterator<Item = String>) -> String {
    let fits = |name: &String| {
        let ask = Ask::Command { who: Who::Sender, line: "true".to_owned() };
        let (version, user) = (Message::VERSION.to_owned(), name.clone());
        let digits = [b'0'; 16];
        let message = Message { digits, user, sent: 1, version, ask, server_auth: None };
        message.write().is_ok()
    };
    names.into_iter().find(fits).unwrap_or_else(|| "sereno".to_owned())
}

impl From<BadField> for Trouble {
    fn from(bad: BadField) -> Self {
        Self::Packet(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sereno_config::Document;
    use sereno_config::fwknop::read_client;
    use sereno_spa::Wire;

    const RC: &str = "[a]\nSPA_SERVER srv\nACCESS udp/53,tcp/22\nKEY_BASE64 AQID\nHMAC_KEY_BASE64 BQYH\nTIME_OFFSET 60\n";

    fn spa(more: &str) -> Spa {
        let document = Document { name: "rc".to_owned(), text: format!("{RC}{more}") };
        let client = read_client(&document).clients.remove(0);
        Spa { keys: client.keys.clone().unwrap(), client, who: None, user: "ana".to_owned() }
    }

    #[test]
    fn a_packet_says_what_the_stanza_does_and_never_twice_the_same() {
        let spa = spa("FW_TIMEOUT 77\n");
        let server = "2001:db8::1".parse().unwrap();
        let (message, packet) = spa.packet(server, Time::from_secs(1000)).unwrap();
        assert_eq!(Wire::parse(packet.as_bytes()).unwrap().open(&spa.keys).unwrap(), message);
        assert_eq!((message.sent, message.user.as_str(), message.kind()), (1060, "ana", 3));
        assert_eq!(spa.answering(server).unwrap(), Some(22));
        assert!(matches!(message.ask, Ask::Access { who: Who::Sender6, .. }));
        let (other, again) = spa.packet([192, 0, 2, 1].into(), Time::from_secs(1000)).unwrap();
        assert!(matches!(other.ask, Ask::Access { who: Who::Sender, .. }));
        assert!(other.digits != message.digits && again != packet);
        assert!(matches!(spa.packet(server, Time::from_secs(-1000)), Err(Trouble::Clock)));
    }

    #[test]
    fn digits_are_digits_and_all_of_them_come() {
        let many: Vec<u8> = (0..200).flat_map(|_| digits().unwrap()).collect();
        for digit in b'0'..=b'9' {
            let count = many.iter().filter(|one| **one == digit).count();
            assert!((220..=420).contains(&count), "{digit}: {count} of {}", many.len());
        }
    }

    #[test]
    fn translation_is_asked_for_as_the_stanza_says() {
        let of = |more: &str| {
            let mut spa = spa(&format!("ACCESS tcp/22\n{more}"));
            choose_port(&mut spa.client).unwrap();
            let server = "192.0.2.1".parse().unwrap();
            let Ask::Access { ports, nat, .. } = spa.ask(server).unwrap() else { panic!() };
            let nat = nat.map(|nat| (nat.host, nat.port, nat.local));
            assert_eq!(spa.answering(server).unwrap(), Some(ports[0].first()));
            (ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(","), nat)
        };
        let to = |host: &str, port, local| Some((host.to_owned(), port, local));
        for (more, ports, nat) in [
            ("", "tcp/22", None),
            ("NAT_PORT 5555\n", "tcp/22", None),
            ("NAT_RAND_PORT Y\n", "tcp/22", None),
            ("NAT_ACCESS 10.0.0.2\n", "tcp/22", to("10.0.0.2", 22, false)),
            ("NAT_ACCESS 10.0.0.2:80\n", "tcp/22", to("10.0.0.2", 80, false)),
            ("NAT_ACCESS 10.0.0.2\nNAT_PORT 5555\n", "tcp/5555", to("10.0.0.2", 22, false)),
            ("NAT_ACCESS 10.0.0.2,80\nNAT_PORT 5555\n", "tcp/5555", to("10.0.0.2", 80, false)),
            ("NAT_LOCAL Y\n", "tcp/22", to("192.0.2.1", 22, true)),
            ("NAT_LOCAL Y\nNAT_PORT 5555\n", "tcp/5555", to("192.0.2.1", 22, true)),
        ] {
            assert_eq!(of(more), (ports.to_owned(), nat), "{more}");
        }
        let chance = || of("NAT_LOCAL Y\nNAT_PORT 5555\nNAT_RAND_PORT Y\n").0;
        let many: Vec<String> = (0..20).map(|_| chance()).collect();
        let number = |text: &String| text.strip_prefix("tcp/").unwrap().parse::<u16>().unwrap();
        assert!(many.iter().all(|port| number(port) >= CHANCE), "{many:?}");
        assert!(many.iter().any(|port| *port != many[0]), "{many:?}");
    }

    #[test]
    fn a_name_that_cannot_be_sent_is_not() {
        let from = |names: &[&str]| user(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(from(&["", "CORP\\ana", "ana"]), "ana");
        assert_eq!(from(&["señor", "a:b"]), "sereno");
    }
}
