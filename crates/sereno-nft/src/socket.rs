//! The netlink socket, and the only unsafe code: three socket options rustix does not wrap.
#![allow(unsafe_code)]

use crate::numbers::NFNLGRP_NFTABLES;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_send_buffer_size,
    set_socket_send_buffer_size_force, socket_send_buffer_size,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, bind,
    getsockname, recvfrom, sendmsg, socket_with,
};
use std::io::IoSlice;

/// Room for answers: a batch of a thousand refused changes answers with three thousand
/// messages of under a kilobyte each.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The kernel keeps this much of the send buffer for itself (`netlink_sendmsg`).
const SEND_RESERVE: usize = 32;

/// A netlink socket of the netfilter family.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    port: u32,
}

impl Socket {
    /// A socket for requests.
    pub(crate) fn open() -> Result<Self, Errno> {
        Self::bound(0, RECEIVE_BUFFER)
    }

    /// A socket for packets, of which so many bytes may wait. Where more are lost, nothing is
    /// said, and those behind them come: after a notice of loss the kernel would throw away all
    /// others too until everything that waits is read.
    pub(crate) fn hear(waiting: usize) -> Result<Self, Errno> {
        let this = Self::bound(0, waiting)?;
        set_option(&this.fd, libc::SOL_NETLINK, libc::NETLINK_NO_ENOBUFS, &1u32)?;
        Ok(this)
    }

    /// A socket that hears every change of nf_tables in this network namespace, except those
    /// made through the socket with the netlink port `deaf_to`.
    pub(crate) fn listen(deaf_to: u32) -> Result<Self, Errno> {
        let this = Self::bound(1 << (NFNLGRP_NFTABLES - 1), RECEIVE_BUFFER)?;
        this.ignore(deaf_to)?;
        Ok(this)
    }

    fn bound(groups: u32, waiting: usize) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
        bind(&fd, &SocketAddrNetlink::new(0, groups))?;
        let port = SocketAddrNetlink::try_from(getsockname(&fd)?)?.pid();
        // Without CAP_NET_ADMIN in the first user namespace only the ordinary limit applies.
        set_socket_recv_buffer_size_force(&fd, waiting)
            .or_else(|_| set_socket_recv_buffer_size(&fd, waiting))?;
        // Ask for the place of an error (Linux 4.12) and not to have the request echoed (4.3).
        // Kernels without them answer all the same.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let _ = set_option(&fd, libc::SOL_NETLINK, option, &1u32);
        }
        Ok(Self { fd, port })
    }

    /// The address of this socket among netlink sockets.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Raises the send buffer to at least `want` bytes where that is permitted; says how many
    /// bytes one send may have.
    pub(crate) fn make_room(&self, want: usize) -> usize {
        let room =
            || socket_send_buffer_size(&self.fd).map_or(0, |all| all.saturating_sub(SEND_RESERVE));
        if room() < want {
            let _ = set_socket_send_buffer_size_force(&self.fd, want + SEND_RESERVE)
                .or_else(|_| set_socket_send_buffer_size(&self.fd, want + SEND_RESERVE));
        }
        room()
    }

    /// Sends the pieces as one datagram; the kernel has carried it out on return.
    pub(crate) fn send(&self, pieces: &[&[u8]]) -> Result<(), Errno> {
        let mut slices = [IoSlice::new(&[]); 3];
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
        }
        let mut nothing = SendAncillaryBuffer::default();
        rustix::io::retry_on_intr(|| sendmsg(&self.fd, &slices, &mut nothing, SendFlags::empty()))
            .map(|_| ())
    }

    /// The next datagram from the kernel; `None` when nothing is queued.
    ///
    /// # Errors
    /// `NOBUFS` when messages were lost, also for a datagram larger than `buffer`.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
        loop {
            let got = recvfrom(&self.fd, &mut *buffer, RecvFlags::TRUNC | RecvFlags::DONTWAIT);
            let (len, from) = match got {
                Ok((_, len, from)) => (len, from),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(None),
                Err(why) => return Err(why),
            };
            // Other processes can have netlink ports too; only the kernel's is 0.
            let sender = from.map(SocketAddrNetlink::try_from);
            if !matches!(sender, Some(Ok(addr)) if addr.pid() == 0) {
                continue;
            }
            return if len <= buffer.len() { Ok(Some(&buffer[..len])) } else { Err(Errno::NOBUFS) };
        }
    }

    /// Has the kernel throw away notices caused by the netlink port `port`, so that a hundred
    /// thousand restored bans neither wake us nor overrun the buffer.
    fn ignore(&self, port: u32) -> Result<(), Errno> {
        // The filter loads words in network order; the port is stored in host order.
        let port = u32::from_be_bytes(port.to_ne_bytes());
        let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut steps = [
            // The port of whoever caused the message: bytes 12..16 of its header.
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 12),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, port),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        set_option(&self.fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn set_option<T>(fd: &OwnedFd, level: i32, name: i32, value: &T) -> Result<(), Errno> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the whole call, and `value` points to `len` readable
    // bytes. The kernel only reads them; where they hold a pointer (sock_fprog), the caller
    // keeps what it points to alive across the call.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const *value).cast(), len) };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}
