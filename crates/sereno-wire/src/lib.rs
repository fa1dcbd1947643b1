//! What Sereno's parts say to each other.
//!
//! Both protocols are typed messages in frames of a length and JSON: [`control`] between the
//! program and its clients, [`orders`] between those who decide and those who do. A frame is
//! four bytes of length (big-endian) and that many bytes of JSON; a frame that says it is longer
//! than its reader allows ends the conversation before anything is kept of it.
#![forbid(unsafe_code)]

pub mod control;
pub mod frame;
pub mod gate;
pub mod orders;
