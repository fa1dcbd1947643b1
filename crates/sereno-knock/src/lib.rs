//! The client of doors, for any system: it knocks, or sends a packet, waits until the port answers,
//! and starts a command.
//!
//! [`carry_out`] does what a [`Plan`] says and tells how it ended as an [`Outcome`] or a [`Trouble`];
//! the sentences for people are made elsewhere. Nothing here needs rights, and nothing but the
//! standard library speaks to the system, so that it builds for Windows and macOS as it does for
//! Linux.
#![forbid(unsafe_code)]

mod files;
mod host;
mod packet;
mod plan;
mod send;
mod start;
mod trouble;
mod wait;

pub use files::{door_path, is_door, rc_path, read};
pub use host::{Family, addresses};
pub use packet::{Spa, choose_port, user};
pub use plan::{Outcome, Plan, Progress, What, carry_out};
pub use send::DELAY;
pub use start::start;
pub use trouble::Trouble;
