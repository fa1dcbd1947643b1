//! The command line: each command reads its arguments, asks whom it must, and prints.

pub mod args;
