//! The firewall that the hands hold: nftables, or iptables where that is all there is.

use sereno_config::Backend;
use sereno_core::door::Hit;
use sereno_core::gate::{Contents, Gate, Name, Reason, Switch};
use sereno_core::time::Time;
use sereno_iptables::Tables;
use sereno_nft::{Cause, Change, Installed, Kernel, Refusal, Watch};
use std::time::Duration;

/// One of two ways to the same gate.
#[derive(Debug)]
pub(super) enum Firewall {
    /// Over netlink.
    Nft(Box<Kernel>),
    /// By programs.
    Iptables(Box<Tables>),
}

/// Asks whichever it is.
macro_rules! either {
    ($firewall:expr, $it:ident => $asked:expr) => {
        match $firewall {
            Firewall::Nft($it) => $asked,
            Firewall::Iptables($it) => $asked,
        }
    };
}

/// That neither can be had.
fn neither(nft: &Refusal, iptables: &Refusal) -> Refusal {
    let bare = |refusal: &Refusal| {
        let text = refusal.to_string();
        text.split_once(": ").map_or(text.clone(), |(_, reason)| reason.to_owned())
    };
    let said = format!("{}; as for iptables: {}", bare(nft), bare(iptables));
    Refusal { doing: nft.doing, cause: Cause::Program { said, lost: false } }
}

type Counted<T> = Result<Vec<T>, Refusal>;

impl Firewall {
    /// Takes hold of the one that is wanted; of nftables if it is there and nobody said.
    pub(super) fn open(backend: Backend) -> Result<Self, Refusal> {
        let nft = Kernel::open();
        // Who has rules in the old form has all of them there.
        let old = nft.is_err() || crate::discover::has_legacy();
        let iptables = || Tables::open(old).map(|tables| Self::Iptables(Box::new(tables)));
        match (backend, nft) {
            (Backend::Iptables, _) => iptables(),
            (_, Ok(kernel)) => Ok(Self::Nft(Box::new(kernel))),
            (Backend::Auto, Err(why)) if !why.is_not_permitted() => {
                iptables().map_err(|other| neither(&why, &other))
            }
            (_, Err(why)) => Err(why),
        }
    }

    pub(super) fn is_iptables(&self) -> bool {
        matches!(self, Self::Iptables(_))
    }

    /// Why nothing of IPv6 is guarded, where this machine has IPv6.
    pub(super) fn without_six(&self) -> Option<&str> {
        match self {
            Self::Nft(_) => None,
            Self::Iptables(tables) => tables.without_six(),
        }
    }

    /// What tells of changes; nobody does for iptables, which is looked at instead.
    pub(super) fn watch(&self) -> Option<Watch> {
        match self {
            // Without it the gate is looked at every few seconds all the same.
            Self::Nft(kernel) => Watch::open(kernel).ok(),
            Self::Iptables(_) => None,
        }
    }

    /// Takes away what stood in the other one: this machine's administrator changed his mind.
    pub(super) fn clear_other(&self, gate: &Gate) {
        // Where it cannot be done there is nothing.
        let _ = match self {
            Self::Nft(_) if !Tables::are_left(gate) => Ok(()),
            Self::Nft(_) => {
                Tables::open(crate::discover::has_legacy()).and_then(|mut it| it.remove(gate))
            }
            Self::Iptables(tables) => {
                let _ = tables.clear_other_form(gate);
                Kernel::open().and_then(|mut kernel| kernel.remove(gate))
            }
        };
    }

    pub(super) fn forget(&mut self, counters: Vec<String>) {
        either!(self, it => it.forget(counters));
    }

    pub(super) fn install(
        &mut self,
        gate: &Gate,
        contents: Contents<'_>,
        now: Time,
    ) -> Result<Installed, Refusal> {
        either!(self, it => it.install(gate, contents, now))
    }

    pub(super) fn apply(
        &mut self,
        gate: &Gate,
        changes: &[Change],
        now: Time,
    ) -> Vec<Result<(), Refusal>> {
        either!(self, it => it.apply(gate, changes, now))
    }

    pub(super) fn hear(&mut self, gate: &Gate, hits: &[Hit]) -> Result<(), Refusal> {
        either!(self, it => it.hear(gate, hits))
    }

    pub(super) fn for_a_while(
        &mut self,
        gate: &Gate,
        switch: Option<Switch>,
        span: Duration,
    ) -> Result<(), Refusal> {
        either!(self, it => it.for_a_while(gate, switch, span))
    }

    pub(super) fn let_pass(
        &mut self,
        ours: &str,
        mark: u32,
        forwards: bool,
    ) -> Result<usize, Refusal> {
        match self {
            Self::Nft(kernel) => kernel.let_pass(ours, mark, forwards),
            // Tables of nftables, if there are any; those of the old form are told by a command.
            Self::Iptables(_) => {
                Kernel::open().map_or(Ok(0), |mut kernel| kernel.let_pass(ours, mark, forwards))
            }
        }
    }

    pub(super) fn policy_counts(&mut self, gate: &Gate) -> Counted<(String, u64)> {
        either!(self, it => it.policy_counts(gate))
    }

    pub(super) fn measured(&mut self, gate: &Gate) -> Counted<(Reason, u64)> {
        match self {
            Self::Nft(kernel) => kernel.measured(gate),
            // There nothing is measured.
            Self::Iptables(_) => Ok(Vec::new()),
        }
    }

    pub(super) fn closed(&mut self, gate: &Gate) -> Counted<(Name, u64, u64)> {
        either!(self, it => it.closed(gate))
    }

    pub(super) fn dropped(&mut self, gate: &Gate) -> Counted<(Name, u64, u64)> {
        either!(self, it => it.dropped(gate))
    }

    pub(super) fn exists(&mut self, gate: &Gate) -> Result<bool, Refusal> {
        either!(self, it => it.exists(gate))
    }

    pub(super) fn remove(&mut self, gate: &Gate) -> Result<(), Refusal> {
        either!(self, it => it.remove(gate))
    }

    /// Takes away a table of lists. They are done by nftables only.
    pub(super) fn remove_lists(&mut self, table: &str) -> Result<(), Refusal> {
        match self {
            Self::Nft(kernel) => kernel.remove_lists(table),
            Self::Iptables(_) => {
                Kernel::open().map_or(Ok(()), |mut kernel| kernel.remove_lists(table))
            }
        }
    }
}
