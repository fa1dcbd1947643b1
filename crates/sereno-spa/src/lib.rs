//! Single-packet authorization: one packet, signed and encrypted, opens a door to who sent it.
//!
//! The wire format is fwknop's ("3.0.0"), byte for byte, so that its clients and servers can be
//! talked to. [`seal`] makes a packet from a [`Message`]; [`judge`] says what follows from one that
//! came in: whom to let in, where and for how long, or why not.
//!
//! Nothing here reads a clock, draws a random number or knows an operating system: a client on any
//! system can use it, and every verdict can be had again.
#![forbid(unsafe_code)]

mod cipher;
mod cycle;
mod digest;
mod judge;
mod limit;
mod message;
mod packet;
mod refusal;
mod replay;
mod secret;
mod stanza;
mod translate;

pub use cipher::Mode;
pub use cycle::{Blank, Template};
pub use digest::Digest;
pub use judge::{Datagram, Deed, Grant, Memory, Verdict, judge};
pub use limit::Limits;
pub use message::{Ask, BadField, Message, Nat, Who};
pub use packet::{Keys, LONGEST, SHORTEST, Wire, seal};
pub use refusal::Refusal;
pub use replay::{Replay, Seen};
pub use secret::{Secret, wipe};
pub use stanza::{Access, Commands, Cycle, Source, Stanza, Sudo, Translation};
