//! Conversation with the kernel: a batch and its verdict, a question and its replies.

use crate::decode::{Message, answer, messages};
use crate::encode::{Attributes, Batch, nft_kind, request};
use crate::numbers::*;
use crate::socket::Socket;
use crate::words::{Cause, Doing, Refusal};
use rustix::io::Errno;
use std::fmt;
use std::ops::Range;

/// How often a dump is begun anew when the firewall changes under it.
const DUMP_TRIES: usize = 8;

/// Dumps arrive in datagrams of up to 32 KiB.
const INBOX: usize = 64 << 10;

/// One error in the kernel's answer.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Which message of the batch; `None`: all of them.
    pub(crate) index: Option<usize>,
    pub(crate) errno: i32,
    pub(crate) note: Option<String>,
}

impl Fault {
    pub(crate) fn whole(errno: i32) -> Self {
        Self { index: None, errno, note: None }
    }

    pub(crate) fn cause(&self) -> Cause {
        Cause::Kernel { errno: self.errno, whole: self.index.is_none(), note: self.note.clone() }
    }

    pub(crate) fn refusal(&self, doing: Doing) -> Refusal {
        Refusal { doing, cause: self.cause() }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::whole(errno.raw_os_error())
    }
}

/// A socket with the batch being built and room for replies.
pub(crate) struct Exchange {
    socket: Socket,
    pub(crate) batch: Batch,
    inbox: Box<[u8]>,
    seq: u32,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Exchange {
    pub(crate) fn open() -> Result<Self, Errno> {
        let inbox = vec![0; INBOX].into_boxed_slice();
        Ok(Self { socket: Socket::open()?, batch: Batch::default(), inbox, seq: 1 })
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Empties the batch for new messages.
    pub(crate) fn begin(&mut self) -> &mut Batch {
        self.batch.restart(self.seq);
        &mut self.batch
    }

    /// Raises the send buffer to fit the batch where that is permitted; says how many bytes
    /// one transaction may have.
    pub(crate) fn make_room(&self) -> usize {
        // The two borders of a batch are small; a page is ample.
        self.socket.make_room(self.batch.slice(0..self.batch.count()).len() + 4096)
    }

    /// Sends `part` of the batch as one transaction; its first fault as a refusal of what
    /// `doing` says of the message at that index of the batch, or of all.
    pub(crate) fn carry_out(
        &mut self,
        part: Range<usize>,
        doing: impl Fn(Option<usize>) -> Doing,
    ) -> Result<(), Refusal> {
        let start = part.start;
        self.transact(part).map_err(|faults| {
            let first = faults.into_iter().next().unwrap_or_else(|| Fault::whole(libc::EPROTO));
            first.refusal(doing(first.index.map(|index| start + index)))
        })
    }

    /// Sends `part` of the batch as one transaction and waits for the verdict, which is queued
    /// by the time `send` returns.
    pub(crate) fn transact(&mut self, part: Range<usize>) -> Result<(), Vec<Fault>> {
        let base = self.batch.seq_before(part.start);
        let last = part.len() as u32;
        self.seq = base.wrapping_add(last).wrapping_add(2);
        let [begin, end] = self.batch.framed(part.clone());
        let pieces = [&begin[..], self.batch.slice(part), &end[..]];
        self.socket.send(&pieces).map_err(|why| vec![why.into()])?;
        let mut faults = Vec::new();
        let mut answered = last == 0;
        while !answered {
            let bytes = match self.socket.receive(&mut self.inbox) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(why) => return Err(vec![why.into()]),
            };
            for answer in messages(bytes).filter_map(|message| answer(&message)) {
                let index = answer.seq.wrapping_sub(base);
                if index > last {
                    continue; // Left over from an earlier request.
                }
                // The last message's answer comes after all others.
                answered |= index == last;
                if answer.errno != 0 {
                    let index = (index as usize).checked_sub(1);
                    faults.push(Fault { index, errno: answer.errno, note: answer.note });
                }
            }
        }
        match (faults.is_empty(), answered) {
            (true, true) => Ok(()),
            (true, false) => Err(vec![Fault::whole(libc::EPROTO)]),
            (false, _) => Err(faults),
        }
    }

    /// Asks one question outside a batch and hands every reply message to `take`.
    pub(crate) fn ask(
        &mut self,
        kind: u8,
        family: u8,
        flags: u16,
        fill: impl FnOnce(&mut Attributes<'_>),
        mut take: impl FnMut(&Message<'_>),
    ) -> Result<(), Fault> {
        self.seq = self.seq.wrapping_add(1);
        self.socket.send(&[&request(kind, family, flags, self.seq, fill)])?;
        let mut interrupted = false;
        while let Some(bytes) = self.socket.receive(&mut self.inbox)? {
            for message in messages(bytes).filter(|message| message.seq == self.seq) {
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                match answer(&message) {
                    Some(answer) if answer.errno != 0 => {
                        return Err(Fault {
                            // A right that is missing turns any question away.
                            index: (answer.errno != libc::EPERM).then_some(0),
                            errno: answer.errno,
                            note: answer.note,
                        });
                    }
                    Some(_) if interrupted => return Err(Fault::whole(libc::EINTR)),
                    Some(_) => return Ok(()),
                    None if message.kind >= nft_kind(0) => take(&message),
                    None => (),
                }
            }
        }
        Err(Fault::whole(libc::EPROTO))
    }

    /// Dumps things of our table; `name` narrows it by the attribute `narrow`, when that is
    /// not 0. Begins anew when the firewall changes meanwhile.
    pub(crate) fn dump<T>(
        &mut self,
        kind: u8,
        narrow: u16,
        table: &str,
        name: &str,
        take: impl Fn(&Message<'_>, &mut Vec<T>),
    ) -> Result<Vec<T>, Fault> {
        let mut tries = 0;
        loop {
            let mut out = Vec::new();
            let fill = |a: &mut Attributes<'_>| {
                a.text(NFTA_TABLE, table);
                if narrow != 0 {
                    a.text(narrow, name);
                }
            };
            tries += 1;
            match self.ask(kind, NFPROTO_INET, NLM_F_DUMP, fill, |m| take(m, &mut out)) {
                Err(why) if why.errno == libc::EINTR && tries < DUMP_TRIES => (),
                other => return other.map(|()| out),
            }
        }
    }
}
