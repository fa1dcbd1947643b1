//! The gate on machines without nftables: the plan of the core in the words of iptables
//! ([`sereno_core::gate::iptables`]), handed to `iptables-restore`, `ip6tables-restore` and `ipset`.
//!
//! Those programs are started by their paths, without a shell, and read what is wanted on their
//! standard input. They are the only ones that are started here. Chains and sets of others are not
//! touched, but for one jump from each built-in chain that ours hang at.

mod form;
mod found;
mod look;
mod program;
mod tables;

pub use found::is_alone;
pub use tables::Tables;
