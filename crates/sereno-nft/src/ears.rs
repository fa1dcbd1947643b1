//! Ears: the packets that rules of the gate hand to a group of the kernel's log.

use crate::decode::{answer, messages};
use crate::encode::log_config;
use crate::heard::{Heard, heard, number};
use crate::kernel::Kernel;
use crate::numbers::*;
use crate::socket::Socket;
use crate::words::{Cause, Doing, Refusal};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use std::fmt;

/// Room for packets that wait to be read, in bytes.
const RECEIVE_BUFFER: usize = 8 << 20;

/// A packet is at most 64 KiB, and what is told of it is little.
const INBOX: usize = 128 << 10;

/// What one look at the queue gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// How many packets were handed over.
    pub heard: usize,
    /// How many were lost before, because nobody read them in time.
    pub lost: u32,
    /// More may wait; drain again.
    pub more: bool,
}

/// A subscription to a group of the kernel's log. Wake on its descriptor, then [`Ears::drain`].
pub struct Ears {
    socket: Socket,
    inbox: Box<[u8]>,
    group: u16,
    /// The number the next packet should have.
    next: Option<u32>,
}

impl Ears {
    /// Listens to the group, in the network namespace of this thread. Nobody else can at the
    /// same time.
    ///
    /// # Errors
    /// A sentence for the administrator.
    pub fn open(group: u16) -> Result<Self, Refusal> {
        let refused = |errno| refusal(group, errno);
        let socket = Socket::hear(RECEIVE_BUFFER).map_err(|why| refused(why.raw_os_error()))?;
        let mut this = Self { socket, inbox: vec![0; INBOX].into_boxed_slice(), group, next: None };
        this.bind().map_err(refused)?;
        Ok(this)
    }

    /// Asks for the group's packets: whole, each at once, numbered.
    fn bind(&mut self) -> Result<(), i32> {
        let seq = 1;
        let request = log_config(self.group, seq, |a| {
            a.bytes(NFULA_CFG_CMD, &[NFULNL_CFG_CMD_BIND]);
            // A range of 32 bits, the mode, a byte of padding. Rules say where less is enough.
            a.bytes(NFULA_CFG_MODE, &[0, 0, 0xff, 0xff, NFULNL_COPY_PACKET, 0]);
            a.u32(NFULA_CFG_QTHRESH, 1);
            a.u16(NFULA_CFG_FLAGS, NFULNL_CFG_F_SEQ);
        });
        self.socket.send(&[&request]).map_err(Errno::raw_os_error)?;
        // Packets may come before the answer: those are from before we were there.
        while let Some(bytes) = self.socket.receive(&mut self.inbox).map_err(Errno::raw_os_error)? {
            for answer in messages(bytes).filter_map(|message| answer(&message)) {
                if answer.seq == seq {
                    return if answer.errno == 0 { Ok(()) } else { Err(answer.errno) };
                }
            }
        }
        Err(libc::EPROTO)
    }

    /// The group it listens to.
    #[must_use]
    pub fn group(&self) -> u16 {
        self.group
    }

    /// Reads at most `most` queued messages, without waiting, and hands over the packets in them.
    /// What is no packet of TCP or UDP is passed over.
    ///
    /// # Errors
    /// When the socket fails; lost packets are no error.
    pub fn drain(
        &mut self,
        most: usize,
        mut take: impl FnMut(&Heard<'_>),
    ) -> Result<Drained, Refusal> {
        let mut drained = Drained::default();
        for _ in 0..most {
            let bytes = match self.socket.receive(&mut self.inbox) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(drained),
                // More than fits into the inbox is no packet.
                Err(Errno::NOBUFS) => continue,
                Err(why) => return Err(refusal(self.group, why.raw_os_error())),
            };
            for message in messages(bytes) {
                if let Some(number) = number(&message) {
                    let lost = self.next.map_or(0, |next| number.wrapping_sub(next));
                    drained.lost = drained.lost.saturating_add(lost);
                    self.next = Some(number.wrapping_add(1));
                }
                if let Some(heard) = heard(&message) {
                    drained.heard += 1;
                    take(&heard);
                }
            }
        }
        drained.more = true;
        Ok(drained)
    }
}

impl fmt::Debug for Ears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ears").field("group", &self.group).finish_non_exhaustive()
    }
}

impl AsFd for Ears {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The kernel says the same to who may not listen at all and to who is too late. Who may change
/// the firewall is too late.
fn refusal(group: u16, errno: i32) -> Refusal {
    let forbidden = || Kernel::open().is_err_and(|why| why.is_not_permitted());
    let whole = errno != libc::EPERM || forbidden();
    Refusal { doing: Doing::Listen(group), cause: Cause::Kernel { errno, whole, note: None } }
}
