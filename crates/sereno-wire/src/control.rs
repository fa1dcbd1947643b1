//! The control protocol: what clients may ask of the running program.

use serde::{Deserialize, Serialize};
use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;

/// The protocol's version. A client of another version is told so.
pub const VERSION: u16 = 1;

/// A question or a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`VERSION`] of the client.
    pub v: u16,
    /// What is wanted.
    pub ask: Ask,
    /// The language of the texts in the answer, as a tag of BCP 47 (`es`). English for programs,
    /// and for what is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lang: String,
}

/// What a client may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// How everything is.
    Status,
    /// The bans in force.
    Bans,
    /// Ban an address or network.
    Ban {
        /// Who.
        prefix: Prefix,
        /// Whose ports close; by default every port.
        jail: Option<Name>,
        /// For how long, in seconds; by default for ever.
        seconds: Option<u64>,
        /// Why, in the administrator's words.
        why: String,
    },
    /// Lift what touches an address or network; everything when absent.
    Unban {
        /// Who.
        prefix: Option<Prefix>,
    },
    /// What is known of an address.
    Why {
        /// Who.
        prefix: Prefix,
    },
    /// Send events as they happen, until the client leaves.
    Watch,
    /// Read the configuration again.
    Reload,
    /// Stop cleanly; the bans stay in force.
    Stop,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Ask::Status`].
    Status(Box<Status>),
    /// To [`Ask::Bans`]; more frames follow while `more`.
    Bans {
        /// Some of the bans.
        bans: Vec<Ban>,
        /// Whether another frame follows.
        more: bool,
    },
    /// To [`Ask::Ban`], [`Ask::Unban`], [`Ask::Reload`], [`Ask::Stop`]: it was done.
    Done {
        /// How many bans it touched.
        count: u64,
        /// What else there is to say.
        notes: Vec<String>,
    },
    /// To [`Ask::Why`]; oldest first.
    Why {
        /// The bans in force that touch the address.
        bans: Vec<Ban>,
        /// What is remembered, as lines of time and text.
        timeline: Vec<Moment>,
    },
    /// To [`Ask::Watch`].
    Event(Moment),
    /// It was not done.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub time: Time,
    /// `failure`, `success`, `ban`, `lift`, `note`, `evidence`.
    pub kind: String,
    /// The jail, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jail: Option<Name>,
    /// Who, where there is somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<Prefix>,
    /// What, in words.
    pub text: String,
}

/// How everything is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since when it runs.
    pub since: Time,
    /// Why nothing is enforced, when nothing is.
    pub observing: Option<String>,
    /// The jails.
    pub jails: Vec<JailStatus>,
    /// The gate.
    pub gate: GateStatus,
    /// What should be looked at, in words. Empty is good.
    pub alarms: Vec<String>,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// How a jail is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JailStatus {
    /// Its name.
    pub name: Name,
    /// The rule that reads for it.
    pub rule: String,
    /// The ports that its bans close.
    pub ports: String,
    /// Failures until a ban.
    pub maxretry: u32,
    /// The window in seconds.
    pub findtime: u64,
    /// How long a ban lasts in seconds; absent for ever.
    pub bantime: Option<u64>,
    /// Failures counted since the start.
    pub failures: u64,
    /// Failures met with patience.
    pub patient: u64,
    /// Good logins seen.
    pub successes: u64,
    /// Strangers remembered.
    pub watching: u64,
    /// Strangers forgotten for want of room.
    pub forgotten: u64,
    /// Bans in force.
    pub in_force: u64,
    /// When the last failure was counted.
    pub last_failure: Option<Time>,
    /// What it reads.
    pub sources: Vec<SourceStatus>,
}

/// How a source is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Path, pattern or journal matches.
    pub what: String,
    /// Files being read.
    pub files: u64,
    /// Bytes written and not yet read.
    pub lag: u64,
    /// When it last gave a line.
    pub last_line: Option<Time>,
    /// Since when it has said nothing: since its last line, or since it is read.
    pub quiet_since: Option<Time>,
    /// The longest it said nothing in the last week, in seconds; absent while less than a day of
    /// it has been seen.
    pub longest_pause: Option<u64>,
    /// Saying nothing for longer than this, in seconds, is an alarm.
    pub silent_after: u64,
    /// When a line last matched.
    pub last_match: Option<Time>,
    /// Lines that could matter.
    pub candidates: u64,
    /// Lines that matched.
    pub matched: u64,
    /// Lines that could matter and that no pattern knows.
    pub unknown: u64,
    /// How many of those came since the last that matched.
    pub streak: u64,
    /// Lines not believed: forged or unvouched.
    pub disbelieved: u64,
    /// Those of the last 24 h, to the hour.
    pub disbelieved_day: u64,
}

/// How the gate is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateStatus {
    /// The table's name.
    pub table: String,
    /// Whether it stands in the kernel.
    pub present: bool,
    /// Bans in force.
    pub in_force: u64,
    /// Bans that the kernel has not taken yet.
    pub pending: u64,
    /// Packets stopped, by scope.
    pub dropped: Vec<(Name, u64)>,
    /// How often somebody else removed it and it was put back.
    pub mended: u64,
}
