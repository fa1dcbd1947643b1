//! Expressions find what Python's `re` and fail2ban's own classes find.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test that asks another program and measures"
)]

#[path = "python_regex/characters.rs"]
mod characters;
#[path = "python_regex/cost.rs"]
mod cost;
#[path = "python_regex/oracle.rs"]
mod oracle;
#[path = "python_regex/random.rs"]
mod random;
#[path = "python_regex/stock.rs"]
mod stock;
