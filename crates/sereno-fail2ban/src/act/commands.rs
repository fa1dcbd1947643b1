//! The commands of an action, ready to run.

use super::script::{self, Fault, Script, Taken};
use crate::budget::Budget;
use crate::dict::Dict;
use crate::tags;
use crate::text::{Text, is_word};
use crate::time;
use crate::tree::{Action, Family, KEPT};
use crate::words;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a command may take if nothing is said (`timeout` of `jail.conf(5)`).
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `actionstart`: before anything else.
    Start,
    /// `actionstop`: at the end.
    Stop,
    /// `actioncheck`: whether what the start did is still there.
    Check,
    /// `actionrepair`: puts it back.
    Repair,
    /// `actionban`.
    Ban,
    /// `actionunban`.
    Unban,
    /// `actionreban`: bans again after a repair; `actionban` if there is none.
    Reban,
    /// `actionprolong`: a ban became longer.
    Prolong,
    /// `actionflush`: lifts all bans at once.
    Flush,
    /// `actionreload`.
    Reload,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Start,
        Self::Stop,
        Self::Check,
        Self::Repair,
        Self::Ban,
        Self::Unban,
        Self::Reban,
        Self::Prolong,
        Self::Flush,
        Self::Reload,
    ];

    /// The option that says it.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Start => "actionstart",
            Self::Stop => "actionstop",
            Self::Check => "actioncheck",
            Self::Repair => "actionrepair",
            Self::Ban => "actionban",
            Self::Unban => "actionunban",
            Self::Reban => "actionreban",
            Self::Prolong => "actionprolong",
            Self::Flush => "actionflush",
            Self::Reload => "actionreload",
        }
    }
}

/// The commands of one action of one jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// By operation, for IPv4 and for IPv6.
    scripts: Vec<[Script; 2]>,
    /// How long each may take.
    pub timeout: Duration,
    /// Whether bans that were in force before a restart are not told again.
    pub norestored: bool,
    /// Whether the start waits for the first ban (of a family, if they differ).
    pub on_demand: bool,
    /// Whether IPv4 and IPv6 have options of their own, and are started and stopped each.
    pub by_family: bool,
    /// Whether a failed unban repairs too.
    pub repair_on_unban: bool,
}

impl Commands {
    /// The script of an operation.
    #[must_use]
    pub fn script(&self, operation: Operation, family: Family) -> &Script {
        static NONE: Script = Script {
            text: String::new(),
            needs: BTreeSet::new(),
            plain: BTreeSet::new(),
            programs: BTreeSet::new(),
        };
        let both = self.scripts.get(operation as usize);
        both.map_or(&NONE, |both| &both[usize::from(family == Family::V6)])
    }

    /// All scripts.
    pub fn scripts(&self) -> impl Iterator<Item = &Script> {
        self.scripts.iter().flatten()
    }

    /// Whether a script of it needs what the filter captured.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.scripts.iter().flatten().any(Script::captures)
    }

    /// Whether there is anything to lift: if not, a ban is a message, and is forgotten when it
    /// was sent.
    #[must_use]
    pub fn lasting(&self) -> bool {
        let any = |operation| {
            self.scripts
                .get(operation as usize)
                .is_some_and(|both| both.iter().any(|script| !script.is_empty()))
        };
        any(Operation::Unban) || any(Operation::Flush) || any(Operation::Prolong)
    }
}

/// An action's commands taken apart, by operation and family.
pub(super) type Both = [Vec<Taken>; 2];

/// Fills in everything that does not depend on a ban, and takes the commands apart.
pub(super) fn take(action: &Action) -> Result<Both, (Text, Fault)> {
    let mut both = [Vec::new(), Vec::new()];
    for (family, taken) in [Family::V4, Family::V6].into_iter().zip(&mut both) {
        let filled = fill(action, family)?;
        for operation in Operation::ALL {
            let text = filled.get(operation.option()).cloned().unwrap_or_default();
            taken.push(script::take(&text)?);
        }
    }
    Ok(both)
}

fn fill(action: &Action, family: Family) -> Result<Dict<Text>, (Text, Fault)> {
    let mut own = Dict::default();
    // A length of bans that the action is given is not what the tag says.
    let named = |name: &str| !name.contains('?') && name != "bantime";
    for (name, value) in action.properties.iter().filter(|(name, _)| named(name)) {
        own.insert(name, action.property(name, family).unwrap_or(value).clone());
    }
    let kept = KEPT.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let none = &mut |_: &str, _: &mut Budget| Ok(None);
    tags::substitute(&own, None, &kept, none, &mut Budget::new()).map_err(|wrong| {
        let text = action.properties.get("actionban").cloned().unwrap_or_default();
        let fault = Fault { at: 0, width: 1, message: wrong.message, remedy: wrong.remedy };
        (text, fault)
    })
}

/// The commands, or what is wrong with them.
pub(super) fn make(action: &Action, both: &Both) -> Result<Commands, Vec<(Text, Fault)>> {
    let mut faults = Vec::new();
    let mut scripts = Vec::new();
    for (v4, v6) in both[0].iter().zip(&both[1]) {
        let mut pair = [Script::default(), Script::default()];
        for (taken, place) in [v4, v6].into_iter().zip(&mut pair) {
            match script::make(taken) {
                Ok(script) => *place = script,
                Err(all) => faults.extend(all.into_iter().map(|one| (taken.text.clone(), one))),
            }
        }
        scripts.push(pair);
    }
    let flag = |name: &str| action.properties.get(name).map(|value| words::yes(value.as_str()));
    let by_family = action.properties.keys().any(has_family);
    let timeout = timeout(action).unwrap_or_else(|fault| {
        faults.push(fault);
        TIMEOUT
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Commands {
        scripts,
        timeout,
        norestored: flag("norestored").unwrap_or(false),
        on_demand: flag("actionstart_on_demand").unwrap_or(by_family),
        by_family,
        repair_on_unban: flag("actionrepair_on_unban").unwrap_or(false),
    })
}

/// Whether an option is for one family only, as fail2ban recognises it.
fn has_family(name: &str) -> bool {
    let parts = name.split_once('?');
    parts.is_some_and(|(base, condition)| {
        !base.is_empty() && base.chars().all(is_word) && condition.starts_with("family=")
    })
}

fn timeout(action: &Action) -> Result<Duration, (Text, Fault)> {
    let Some(value) = action.properties.get("timeout") else { return Ok(TIMEOUT) };
    let seconds = time::seconds(value.as_str()).map_err(|error| error.message.to_string());
    let length = seconds.and_then(|seconds| {
        Duration::try_from_secs_f64(seconds).map_err(|_| "it is negative".to_owned())
    });
    length.map_err(|why| {
        let message = format!("{:?} is no length of time: {why}", value.as_str());
        let width = value.as_str().chars().count();
        (value.clone(), Fault { at: 0, width, message, remedy: "write timeout = 60".to_owned() })
    })
}
