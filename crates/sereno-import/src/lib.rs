//! What other firewalls say, as a policy of the gate.
//!
//! [`iptables()`] reads what `iptables-save` prints and scripts of commands, [`ufw()`], [`firewalld()`]
//! and [`csf()`] the files of those programs. Each gives the [`Imported`] policy, and remarks: what could
//! not be expressed, what is otherwise now, and where the old rules were weak. Nothing here touches a
//! file or the network.

mod csf;
mod entry;
mod firewalld;
mod iptables;
mod matching;
mod policy;
mod remark;
mod ufw;

pub use csf::csf;
pub use firewalld::firewalld;
pub use iptables::read as iptables;
pub use remark::{Grade, Place, Remark, Told};
pub use ufw::ufw;

use sereno_core::gate::policy::Policy;

/// A file that is read, and the name remarks call it by.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Usually its path.
    pub name: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// A policy in the place of other rules.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Who may reach what.
    pub policy: Policy,
    /// What there is to know of it, in the order of files and lines.
    pub remarks: Vec<Told>,
    /// There was nothing about what comes in: the policy lets in everything, and is not to be used.
    pub empty: bool,
}
