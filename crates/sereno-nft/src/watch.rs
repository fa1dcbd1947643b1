//! Notices of changes that others make to our table.

use crate::decode::{self, Message, messages};
use crate::kernel::Kernel;
use crate::numbers::*;
use crate::socket::Socket;
use crate::words::{Cause, Doing, Refusal};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use sereno_core::gate::Gate;
use std::fmt;

/// Datagrams read in one go: whoever floods the firewall with changes must not hold us up.
const DATAGRAMS_PER_DRAIN: usize = 1024;

/// Notices arrive in datagrams of one page or so.
const INBOX: usize = 64 << 10;

/// What others did to our table since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The table was deleted. It may be there again, if somebody put another in its place.
    pub table_lost: bool,
    /// A chain, rule, set or counter was added, changed or removed, or the table changed.
    pub structure_changed: bool,
    /// Bans were put in.
    pub elements_added: bool,
    /// Bans were taken out. Those that merely expire are not reported.
    pub elements_removed: bool,
    /// Notices were lost: anything may have happened.
    pub overrun: bool,
    /// More is queued; drain again.
    pub more: bool,
    /// The last culprit, where the kernel names one: `nft (pid 4711)`.
    pub by: Option<String>,
}

impl Seen {
    /// Whether nothing of ours was touched.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !(self.table_lost
            || self.structure_changed
            || self.elements_added
            || self.elements_removed
            || self.overrun)
    }
}

/// A subscription to the changes of nf_tables. Wake on its descriptor, then [`Watch::drain`].
pub struct Watch {
    socket: Socket,
    inbox: Box<[u8]>,
    ours: u32,
    /// Whether the transaction being read touched our table.
    touched: bool,
}

impl Watch {
    /// Listens to every change but those made through `ours`.
    ///
    /// # Errors
    /// A sentence for the administrator.
    pub fn open(ours: &Kernel) -> Result<Self, Refusal> {
        let ours = ours.port();
        let socket = Socket::listen(ours).map_err(|why| refusal(why, true))?;
        Ok(Self { socket, inbox: vec![0; INBOX].into_boxed_slice(), ours, touched: false })
    }

    /// Reads the queued notices, without waiting, and sums up what concerns the gate's table.
    ///
    /// # Errors
    /// When the socket fails; lost notices are no error but [`Seen::overrun`].
    pub fn drain(&mut self, gate: &Gate) -> Result<Seen, Refusal> {
        let mut seen = Seen::default();
        for _ in 0..DATAGRAMS_PER_DRAIN {
            match self.socket.receive(&mut self.inbox) {
                Ok(None) => return Ok(seen),
                Ok(Some(bytes)) => {
                    for message in messages(bytes).filter(|message| message.port != self.ours) {
                        note(&message, gate, &mut seen, &mut self.touched);
                    }
                }
                Err(Errno::NOBUFS) => seen.overrun = true,
                Err(why) => return Err(refusal(why, false)),
            }
        }
        seen.more = true;
        Ok(seen)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Adds one notice to the sum. A transaction's notices end with that of the new generation,
/// which names the process.
fn note(message: &Message<'_>, gate: &Gate, seen: &mut Seen, touched: &mut bool) {
    match message.nft() {
        Some(NEWGEN) => {
            if std::mem::take(touched) {
                seen.by = decode::committer(message);
            }
            return;
        }
        None | Some(TRACE) => return,
        Some(_) if !message.is_about(gate.table()) => return,
        Some(DELTABLE) => seen.table_lost = true,
        Some(NEWSETELEM) => seen.elements_added = true,
        Some(DELSETELEM) => seen.elements_removed = true,
        Some(_) => seen.structure_changed = true,
    }
    *touched = true;
}

fn refusal(why: Errno, whole: bool) -> Refusal {
    let cause = Cause::Kernel { errno: why.raw_os_error(), whole, note: None };
    Refusal { doing: Doing::Watch, cause }
}
