//! Two network namespaces of their own, joined by a cable: a server and its visitors.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use rustix::fd::AsFd;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
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
        Some(net)
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

fn ip(args: &[&str]) -> bool {
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
