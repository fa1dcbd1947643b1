//! Two network namespaces of their own, joined by a cable: a server and its visitors.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, bind, connect, sendto, socket, socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long to wait for a packet that should come, or should not.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// Addresses a visitor can use; the server is 10.9.0.1 and fd09::1.
const VISITORS: [&str; 8] = [
    "10.9.0.2/16",
    "10.9.0.3/16",
    "10.9.1.2/16",
    "10.9.1.3/16",
    "fd09::2/32",
    "fd09::3/32",
    "fd09:0:0:1::2/32",
    "fd09:0:0:1::3/32",
];

pub(crate) struct Net {
    server: String,
    visitor: String,
}

impl Net {
    /// The two namespaces, or `None` with the reason printed.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = Self { server: format!("srn-s-{id}"), visitor: format!("srn-v-{id}") };
        let able = ip(&["netns", "add", &net.server]) && ip(&["netns", "add", &net.visitor]);
        if !able {
            println!("skipped: cannot make network namespaces (needs root and iproute2)");
            return None;
        }
        let (s, v) = (net.server.as_str(), net.visitor.as_str());
        assert!(ip(&[
            "link", "add", "cable", "netns", s, "type", "veth", "peer", "name", "cable", "netns", v
        ]));
        for (side, addrs) in [(s, &["10.9.0.1/16", "fd09::1/32"][..]), (v, &VISITORS[..])] {
            for addr in addrs {
                let mut words = vec!["-n", side, "addr", "add", addr, "dev", "cable"];
                // Without this, an IPv6 address is unusable for a second or two.
                words.extend(addr.contains(':').then_some("nodad"));
                assert!(ip(&words), "{words:?}");
            }
            assert!(ip(&["-n", side, "link", "set", "cable", "up"]));
            assert!(ip(&["-n", side, "link", "set", "lo", "up"]));
        }
        // The kernel brings a link up in its own time, and drops packets until then. A while longer
        // nobody answers who asks where an IPv6 address is.
        for addr in VISITORS {
            let addr = addr.split('/').next().unwrap_or(addr).parse().unwrap();
            assert!((0..50).any(|_| net.finds(addr)), "the cable stays dead");
        }
        Some(net)
    }

    /// Whether a packet of the server reaches this address of the visitors.
    fn finds(&self, visitor: IpAddr) -> bool {
        let listening = self.speak(visitor);
        listening.set_read_timeout(Some(PATIENCE)).unwrap();
        let speaking = self.serve(|| UdpSocket::bind(server(visitor, 0)).unwrap());
        speaking.send_to(b"where", listening.local_addr().unwrap()).unwrap();
        listening.recv(&mut [0; 16]).is_ok()
    }

    /// Makes the server forget where its neighbours are.
    pub(crate) fn forget_neighbours(&self) {
        assert!(ip(&["-n", &self.server, "neigh", "flush", "dev", "cable"]));
    }

    /// Makes the server's connection tracking forget TCP connections; `packet` sends something on
    /// each, by which they take up the short time.
    pub(crate) fn forget_connections(&self, packet: impl FnOnce()) {
        let setting = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established";
        self.serve(|| std::fs::write(setting, "1").unwrap());
        packet();
        let known = || std::fs::read_to_string("/proc/thread-self/net/nf_conntrack").unwrap();
        let gone = |_| {
            std::thread::sleep(Duration::from_millis(100));
            !self.serve(known).contains("tcp")
        };
        assert!((0..100).any(gone), "{}", self.serve(known));
    }

    /// Runs `work` in the server's namespace. What it opens stays there.
    pub(crate) fn serve<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.server, work)
    }

    /// Runs `work` in the visitors' namespace.
    pub(crate) fn visit<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.visitor, work)
    }

    /// Runs `nft` at the server with `input`; its output.
    pub(crate) fn nft(&self, args: &[&str], input: &str) -> String {
        self.serve(|| {
            let mut child = Command::new("nft")
                .args(args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success(), "nft {args:?}\n{input}");
            String::from_utf8(out.stdout).unwrap()
        })
    }

    /// What `nft` lists at the server, without the passing of time.
    pub(crate) fn listing(&self) -> String {
        let text = self.nft(&["list", "table", "inet", "sereno"], "");
        let lines = text.lines().map(|line| {
            let mut words = line.split(' ').collect::<Vec<_>>();
            while let Some(at) = words.iter().position(|w| *w == "expires") {
                words.drain(at..(at + 2).min(words.len()));
            }
            words.retain(|w| !w.ends_with("ms"));
            words.join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Has the server answer no TCP packet. Who would answer thousands of made-up neighbours looks
    /// for each of them, and fills a table that all namespaces share.
    pub(crate) fn hush(&self) {
        let input = "chain c { type filter hook input priority 0; meta l4proto tcp drop; }";
        self.nft(&["-f", "-"], &format!("table inet quiet {{ {input}; }}"));
    }

    /// Somebody who lives behind the server, at 10.8.0.2; visitors know the way.
    pub(crate) fn lodger(&self) -> Lodger {
        let name = self.server.replace("srn-s", "srn-l");
        let (s, l) = (self.server.as_str(), name.as_str());
        for words in [
            &["netns", "add", l][..],
            &[
                "link", "add", "room", "netns", s, "type", "veth", "peer", "name", "room", "netns",
                l,
            ],
            &["-n", s, "addr", "add", "10.8.0.1/24", "dev", "room"],
            &["-n", l, "addr", "add", "10.8.0.2/24", "dev", "room"],
            &["-n", s, "link", "set", "room", "up"],
            &["-n", l, "link", "set", "room", "up"],
            &["-n", l, "route", "add", "default", "via", "10.8.0.1"],
            &["-n", &self.visitor, "route", "add", "10.8.0.0/24", "via", "10.9.0.1"],
        ] {
            assert!(ip(words), "{words:?}");
        }
        self.serve(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
        Lodger(name)
    }

    /// Gives the server another address.
    pub(crate) fn own(&self, addr: &str, link: &str) {
        assert!(ip(&["-n", &self.server, "addr", "add", addr, "dev", link]));
    }

    /// Lets visitors send packets with any IPv4 source address.
    pub(crate) fn forger(&self) -> Forger {
        let raw = Some(rustix::net::ipproto::RAW);
        let socket = self.visit(|| socket(AddressFamily::INET, SocketType::RAW, raw).unwrap());
        Forger(socket)
    }

    /// A SYN from `from` to `port` of the server; nothing more comes of it.
    pub(crate) fn syn(&self, from: &str, port: u16) {
        let from: IpAddr = from.parse().unwrap();
        self.visit(|| {
            let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let flags = SocketFlags::NONBLOCK;
            let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
            bind(&socket, &SocketAddr::new(from, 0)).unwrap();
            let why = connect(&socket, &server(from, port)).unwrap_err();
            assert!(why == Errno::INPROGRESS || why == Errno::CONNREFUSED, "{why}");
        });
    }

    /// A datagram socket at the server, on the address a visitor from `from` would use.
    pub(crate) fn listen(&self, from: IpAddr, port: u16) -> UdpSocket {
        let socket = self.serve(|| patiently(|| UdpSocket::bind(server(from, port))));
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// Whether a datagram from `from` reaches `port` of the server.
    pub(crate) fn arrives(&self, from: &str, port: u16) -> bool {
        let from: IpAddr = from.parse().unwrap();
        let (listening, speaking) = (self.listen(from, port), self.speak(from));
        speaking.send_to(b"knock", server(from, port)).unwrap();
        listening.recv(&mut [0; 16]).is_ok()
    }

    pub(crate) fn speak(&self, from: IpAddr) -> UdpSocket {
        self.visit(|| UdpSocket::bind((from, 0)).unwrap())
    }

    /// Whether a TCP connection from `from` to `port` of the server comes about.
    pub(crate) fn reaches(&self, from: &str, port: u16) -> bool {
        let from: IpAddr = from.parse().unwrap();
        let to = server(from, port);
        let listener = self.serve(|| patiently(|| TcpListener::bind(to)));
        listener.set_nonblocking(true).unwrap();
        self.syn(&from.to_string(), port);
        (0..25).any(|_| {
            std::thread::sleep(PATIENCE / 25);
            listener.accept().is_ok()
        })
    }

    /// A TCP connection: the server's end and the visitor's.
    pub(crate) fn connect(&self, from: &str, port: u16) -> (TcpStream, TcpStream) {
        let from: IpAddr = from.parse().unwrap();
        let to = server(from, port);
        let listener = self.serve(|| patiently(|| TcpListener::bind(to)));
        // std cannot choose the address a connection comes from.
        let visitor = self.visit(|| {
            let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = socket(family, SocketType::STREAM, None).unwrap();
            bind(&socket, &SocketAddr::new(from, 0)).unwrap();
            connect(&socket, &to).unwrap();
            TcpStream::from(socket)
        });
        let (server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        visitor.set_read_timeout(Some(PATIENCE)).unwrap();
        (server, visitor)
    }
}

/// A network namespace behind the server.
pub(crate) struct Lodger(String);

impl Lodger {
    /// Runs `work` there.
    pub(crate) fn at_home<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.0, work)
    }

    /// Takes away the way to everybody who does not live in the same network.
    pub(crate) fn forget_the_way(&self) {
        assert!(ip(&["-n", &self.0, "route", "del", "default"]));
    }
}

impl Drop for Lodger {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

/// Sends packets of its own making to the server, from port 4321.
pub(crate) struct Forger(OwnedFd);

impl Forger {
    /// A datagram.
    pub(crate) fn udp(&self, from: Ipv4Addr, port: u16, body: &[u8]) {
        let len = (8 + body.len()) as u16;
        // Without a checksum, which IPv4 allows.
        let head = [4321, port, len, 0].map(u16::to_be_bytes).concat();
        self.send(17, from, &[&head, body].concat());
    }

    /// A TCP packet with these flags.
    pub(crate) fn tcp(&self, from: Ipv4Addr, port: u16, flags: u8) {
        let mut packet = [0; 20];
        packet[..2].copy_from_slice(&4321u16.to_be_bytes());
        packet[2..4].copy_from_slice(&port.to_be_bytes());
        packet[12..16].copy_from_slice(&[0x50, flags, 0xff, 0xff]);
        let to: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
        let pseudo = [from.octets(), to.octets(), [0, 6, 0, 20]].concat();
        let words = pseudo.chunks(2).chain(packet.chunks(2));
        let sum: u32 = words.map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
        packet[16..18].copy_from_slice(&sum.to_be_bytes());
        self.send(6, from, &packet);
    }

    fn send(&self, protocol: u8, from: Ipv4Addr, inner: &[u8]) {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet[2..4].copy_from_slice(&((20 + inner.len()) as u16).to_be_bytes());
        packet.extend_from_slice(&from.octets());
        packet.extend_from_slice(&[10, 9, 0, 1]);
        packet.extend_from_slice(inner);
        let to: SocketAddr = "10.9.0.1:0".parse().unwrap();
        sendto(&self.0, &packet, SendFlags::empty(), &to).unwrap();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in [&self.server, &self.visitor] {
            ip(&["netns", "del", name]);
        }
    }
}

/// The server's address in the family of `from`.
pub(crate) fn server(from: IpAddr, port: u16) -> SocketAddr {
    let addr: IpAddr = if from.is_ipv4() { "10.9.0.1" } else { "fd09::1" }.parse().unwrap();
    SocketAddr::new(addr, port)
}

/// Binds again for a while when the address is in use: a process that another test is just
/// starting holds copies of our sockets until it executes its program.
fn patiently<T>(bind: impl Fn() -> std::io::Result<T>) -> T {
    for _ in 0..100 {
        match bind() {
            Err(why) if why.kind() == ErrorKind::AddrInUse => {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other.unwrap(),
        }
    }
    bind().unwrap()
}

pub(crate) fn ip(args: &[&str]) -> bool {
    let run = Command::new("ip").args(args).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// A namespace belongs to a thread, so the work gets one of its own.
fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let inside = || {
        let file = File::open(format!("/run/netns/{name}")).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        work()
    };
    std::thread::scope(|scope| match scope.spawn(inside).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
