//! The programs of one form of iptables, and what they say.

use crate::program::{self, Ran};
use sereno_core::gate::iptables::{Found, Layout, Rules};
use sereno_core::gate::{Counts, Family};
use sereno_nft::{Cause, Doing, Refusal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The programs of one form of iptables.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// `iptables-restore` and `ip6tables-restore`; the second is `None` where there is no IPv6, or no
    /// program for it.
    restore: [Option<PathBuf>; 2],
    save: [Option<PathBuf>; 2],
    pub(crate) ipset: PathBuf,
    /// Why IPv6 is not guarded, where there is IPv6.
    pub(crate) without_six: Option<String>,
}

/// How long one may take to say that it can do anything.
const TRIAL: Duration = Duration::from_secs(5);

pub(crate) fn said(doing: Doing, said: impl Into<String>) -> Refusal {
    Refusal { doing, cause: Cause::Program { said: said.into(), lost: false } }
}

fn has_six() -> bool {
    Path::new("/proc/thread-self/net/if_inet6").exists()
}

impl Programs {
    /// Those of the old form, or the usual ones: which form those are is the administrator's choice.
    pub(crate) fn find(old: bool) -> Result<Self, String> {
        let form = if old { "-legacy" } else { "" };
        let need = |name: String| {
            program::find(&name).ok_or_else(|| {
                format!("there is no program {name}; install the packages iptables and ipset")
            })
        };
        let four = |what: &str| need(format!("iptables{form}-{what}"));
        let six = |what: &str| need(format!("ip6tables{form}-{what}"));
        let (six, without_six) = match (has_six(), six("restore"), six("save")) {
            (false, ..) => ([None, None], None),
            (true, Ok(restore), Ok(save)) => ([Some(restore), Some(save)], None),
            (true, Err(why), _) | (true, _, Err(why)) => ([None, None], Some(why)),
        };
        let [six_restore, six_save] = six;
        Ok(Self {
            restore: [Some(four("restore")?), six_restore],
            save: [Some(four("save")?), six_save],
            ipset: need("ipset".to_owned())?,
            without_six,
        })
    }

    /// Whether both are the same programs, by whatever names.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let real = |form: &Self| form.restore[0].as_ref().and_then(|path| path.canonicalize().ok());
        match (real(self), real(other)) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        }
    }

    /// What stands in the tables of a family; nothing where there is no such family.
    pub(crate) fn found(&self, family: Family, table: &str) -> Result<Found, String> {
        let Some(save) = self.save[family as usize].as_deref() else { return Ok(Found::default()) };
        Ok(Found::read(&good(program::ask(save, &["-c"], ""))?, table))
    }

    /// Takes away all chains of a table of ours.
    pub(crate) fn clear(&self, table: &str, nothing: &Layout) -> Result<(), String> {
        for family in Family::BOTH {
            let found = self.found(family, table)?;
            let rules = Rules { found: &found, counts: Counts::new() };
            let text = rules.tidying(nothing.tables(family));
            if let Some(restore) = self.restore(family).filter(|_| !text.is_empty()) {
                good(program::ask(restore, &["--noflush"], &text))?;
            }
        }
        Ok(())
    }

    /// Whether they can do anything here.
    pub(crate) fn try_out(&self) -> Result<(), String> {
        for restore in self.restore.iter().flatten() {
            let args = ["--noflush", "--test"];
            good(program::ask_within(TRIAL, restore, &args, "*filter\nCOMMIT\n"))?;
        }
        good(program::ask_within(TRIAL, &self.ipset, &["list", "-n"], "")).map(|_| ())
    }

    pub(crate) fn restore(&self, family: Family) -> Option<&Path> {
        self.restore[family as usize].as_deref()
    }
}

/// What it printed, or what it complained of.
pub(crate) fn good(ran: std::io::Result<Ran>) -> Result<String, String> {
    match ran {
        Ok(ran) if ran.good => Ok(ran.printed),
        Ok(ran) => Err(ran.complaint()),
        Err(error) => Err(error.to_string()),
    }
}
