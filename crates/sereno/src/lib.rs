//! The program: sources, the hands, the store, the control socket, the command line.
//!
//! Everything that reads, writes or waits is in here; what it all means is in `sereno-core`.
#![forbid(unsafe_code)]

pub mod cli;
pub mod discover;
pub mod doors;
pub mod fail2ban;
pub mod invite;
pub mod policy;
pub mod run;
pub mod words;
