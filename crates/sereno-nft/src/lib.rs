//! Sereno's gate in the Linux kernel, by nf_tables netlink.
//!
//! [`Kernel`] installs the gate in one transaction, changes bans in batches of a few
//! microseconds each, and reads back what is in force; [`Watch`] tells when somebody else
//! touched it; [`Ears`] hear the packets that the gate's rules hand over. Encoding and decoding are pure; `socket.rs` holds the system calls and the
//! only unsafe code. No process is started and only `CAP_NET_ADMIN` is needed.

pub mod decode;
mod ears;
mod encode;
mod exchange;
mod express;
mod foreign;
pub mod heard;
mod kernel;
mod lists;
mod look;
mod members;
mod numbers;
mod socket;
mod structure;
mod watch;
mod words;

pub use ears::{Drained, Ears};
pub use heard::{Heard, Why};
pub use kernel::{Change, Installed, Kernel};
pub use watch::{Seen, Watch};
pub use words::{Cause, Doing, Refusal};
