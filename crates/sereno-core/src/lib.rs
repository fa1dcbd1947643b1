//! The pure heart of Sereno.
//!
//! Everything here is a function of its arguments: no clock, no files, no network, no
//! threads. Time comes in as [`time::Time`]; what should happen goes out as values. The
//! crate-local `clippy.toml` is the fence, and CI reads the symbols of the
//! object code to prove it.
#![forbid(unsafe_code)]

pub mod addr;
mod bytes;
pub mod cap;
pub mod door;
pub mod engine;
pub mod filter;
pub mod gate;
pub mod jail;
pub mod ledger;
pub mod line;
pub mod near;
pub mod rule;
mod text;
pub mod time;
pub mod wrong;
