//! Single knocks.

use crate::Trouble;
use sereno_core::door::{Hit, Protocol};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

/// Between two knocks, where nothing is said: long enough that a network which lets packets overtake
/// each other keeps their order, short enough that nobody waits.
pub const DELAY: Duration = Duration::from_millis(50);
/// How long a TCP knock listens for an answer it does not need. Much less than the second after
/// which a system sends a SYN again.
const GLANCE: Duration = Duration::from_millis(1);
/// What a UDP knock says: one zero byte, as that of the `knock` program.
const NOTHING: [u8; 1] = [0];

/// Knocks at ports in their order, `delay` apart; `told` hears of each.
pub(crate) fn knocks(
    server: SocketAddr,
    hits: &[Hit],
    delay: Duration,
    told: &mut dyn FnMut(Hit),
) -> Result<(), Trouble> {
    for (at, hit) in hits.iter().enumerate() {
        if at > 0 {
            sleep(delay);
        }
        one(server, *hit).map_err(|why| Trouble::Knock { hit: *hit, why })?;
        told(*hit);
    }
    Ok(())
}

fn one(mut server: SocketAddr, hit: Hit) -> io::Result<()> {
    server.set_port(hit.port);
    match hit.protocol {
        Protocol::Udp => datagram(server, None, &NOTHING),
        Protocol::Tcp => {
            // What has no way there is known without asking anybody: after the SYN the same error
            // may be an answer.
            outside(server, None)?.connect(server)?;
            match TcpStream::connect_timeout(&server, GLANCE) {
                Err(why) if !is_answer(why.kind()) => Err(why),
                _ => Ok(()),
            }
        }
    }
}

/// Whether somebody out there said no, or nobody said anything yet: the SYN was sent.
fn is_answer(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    use ErrorKind::{TimedOut, WouldBlock};
    matches!(
        kind,
        ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | TimedOut
            | WouldBlock
    )
}

/// Sends one datagram, from a port of the system's choice if none is given.
pub(crate) fn datagram(server: SocketAddr, from: Option<u16>, said: &[u8]) -> io::Result<()> {
    let socket = outside(server, from)?;
    // Of a socket of its own: an answer to an earlier datagram is no error of this one.
    socket.send_to(said, server).map(drop)
}

/// A socket of the server's family.
fn outside(server: SocketAddr, from: Option<u16>) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, from.unwrap_or(0)))
}
