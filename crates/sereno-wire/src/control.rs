//! The control protocol: what clients may ask of the running program.

use crate::gate::{GateAsk, ListAsk, ListStatus, PolicyStatus, Reachable};
use serde::{Deserialize, Serialize};
use sereno_core::addr::Prefix;
use sereno_core::gate::{Judgement, Name, Reason};
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use std::net::IpAddr;

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
    /// Let somebody in through a door.
    LetIn {
        /// Which.
        door: Name,
        /// Who.
        addr: IpAddr,
        /// For how long, in seconds; by default as long as the door holds.
        seconds: Option<u64>,
    },
    /// Put out who came in through a door; all of them without an address.
    PutOut {
        /// Which.
        door: Name,
        /// Who.
        addr: Option<IpAddr>,
    },
    /// Close the ports of a door to all others, on trial: it opens again by itself unless that is
    /// confirmed.
    Guard {
        /// Which.
        door: Name,
        /// Who must have knocked there in the right way before; nobody without it.
        session: Option<IpAddr>,
        /// For how long on trial, in seconds.
        seconds: u64,
    },
    /// Keep a door closed that is so on trial; or, with `open`, leave it to its file again.
    Confirm {
        /// Which.
        door: Name,
        /// Whether it is to be as its file says.
        open: bool,
    },
    /// About who may reach what.
    Gate(GateAsk),
    /// About lists of addresses.
    Lists(ListAsk),
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
    /// Write the bans of a fail2ban configuration into its database, and stop cleanly.
    GiveBack,
    /// A command of `fail2ban-client`.
    Fail2ban {
        /// What stands behind its options.
        words: Vec<String>,
    },
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
        /// Why none of them is enforced, when none is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observing: Option<String>,
    },
    /// To [`Ask::Ban`], [`Ask::Unban`], [`Ask::LetIn`], [`Ask::PutOut`], [`Ask::Reload`], [`Ask::Stop`], [`Ask::GiveBack`]: it was
    /// done.
    Done {
        /// How many bans or openings it touched.
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
        /// Why nobody is kept out, when nobody is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observing: Option<String>,
        /// What else is known of the address.
        #[serde(default)]
        standing: Standing,
    },
    /// To [`GateAsk::Show`].
    Gate(Box<PolicyStatus>),
    /// To [`GateAsk::Stopped`]: since the counters began.
    Stopped(Vec<(Reason, u64)>),
    /// To [`ListAsk::Show`].
    Lists(Vec<ListStatus>),
    /// To [`GateAsk::Explain`].
    Explained(Judgement),
    /// To [`GateAsk::Diff`].
    Reachable(Box<Reachable>),
    /// To [`GateAsk::Text`].
    Text(String),
    /// To [`Ask::Watch`].
    Event(Moment),
    /// To [`Ask::Fail2ban`]; more frames follow while `more`, and what they say belongs behind
    /// this. See [`Reply::fail2ban`].
    Fail2ban {
        /// For standard output, in whole lines or a piece of that.
        out: String,
        /// For standard error, in whole lines without what `fail2ban-client` writes before each;
        /// in the last frame.
        err: String,
        /// The exit code; that of the last frame counts.
        code: u8,
        /// Whether another frame follows.
        more: bool,
    },
    /// It was not done.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// Bytes of text in one frame of [`Reply::Fail2ban`]: of standard output, and of standard error.
/// JSON writes a byte of it in six at most.
const PIECE: usize = 512 << 10;
const ERRORS: usize = 64 << 10;

/// A text cut in two, the first part at most `most` bytes long.
fn cut(text: &str, most: usize) -> (&str, &str) {
    let mut at = most.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.split_at(at)
}

impl Reply {
    /// What a command of `fail2ban-client` says, as frames: lists of bans may be longer than one.
    /// Of standard error the first 64 KiB are kept.
    pub fn fail2ban(out: &str, err: &str, code: u8) -> Vec<Self> {
        let mut frames = Vec::new();
        let mut rest = out;
        while rest.len() > PIECE {
            let (piece, after) = cut(rest, PIECE);
            let (out, err) = (piece.to_owned(), String::new());
            frames.push(Self::Fail2ban { out, err, code, more: true });
            rest = after;
        }
        let (out, err) = (rest.to_owned(), cut(err, ERRORS).0.to_owned());
        frames.push(Self::Fail2ban { out, err, code, more: false });
        frames
    }
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub time: Time,
    /// `failure`, `success`, `ban`, `lift`, `note`, `evidence`, `knock`, `open`, `close`, `run`.
    pub kind: String,
    /// The jail, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jail: Option<Name>,
    /// The door, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<Name>,
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
    /// The doors.
    #[serde(default)]
    pub doors: Vec<DoorStatus>,
    /// What was heard at them; absent without doors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<HeardStatus>,
    /// The gate.
    pub gate: GateStatus,
    /// What should be looked at, in words. Empty is good.
    pub alarms: Vec<String>,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// What is known of an address that is no event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Why it is never banned, if it is a friend.
    pub friend: Option<String>,
    /// When somebody last logged in well from there.
    pub known: Option<Time>,
    /// The lists it is in.
    pub lists: Vec<Name>,
}

impl Standing {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a jail is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JailStatus {
    /// Its name.
    pub name: Name,
    /// The rule that reads for it.
    pub rule: String,
    /// The ports that its bans close; empty where its commands alone shut out.
    pub ports: String,
    /// Whether it counts closed ports that the gate tells of, instead of failures.
    #[serde(default)]
    pub heard: bool,
    /// Failures until a ban, or closed ports.
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
    /// Searches of fail2ban's expressions that were given up after too many steps.
    pub exhausted: u64,
    /// Those of the last 24 h, to the hour.
    pub exhausted_day: u64,
    /// Sessions forgotten for want of room, with a failure whose address was still to come.
    pub lost: u64,
    /// Those of the last 24 h, to the hour.
    pub lost_day: u64,
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

/// How a door is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoorStatus {
    /// Its name.
    pub name: Name,
    /// What its file calls it.
    pub title: String,
    /// How it is opened: `knock`, `once`, `timed`, `signed`.
    pub way: String,
    /// The ports behind it; empty for a command, `asked` where a packet names them.
    pub ports: String,
    /// Whether they are closed to all others here.
    pub closed: bool,
    /// Whether its knock puts out, instead of letting in.
    pub closes: bool,
    /// How long it stays open, in seconds; absent for ever.
    pub hold: Option<u64>,
    /// Who is in.
    pub entries: Vec<EntryStatus>,
}

/// Somebody who is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryStatus {
    /// Who.
    pub addr: IpAddr,
    /// At which port, where it is a single one: `tcp/22`; `all` for whom everything goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Where that leads, where it is translated: `10.0.0.2:22`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Since when.
    pub since: Time,
    /// Until when; absent for ever.
    pub until: Option<Time>,
}

/// What was heard at the doors since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardStatus {
    /// Whether anything is heard at all.
    pub listening: bool,
    /// Packets that may have been knocks.
    pub packets: u64,
    /// Packets that were lost because they came too fast.
    pub lost: u64,
    /// Right knocks.
    pub knocked: u64,
    /// Attempts that another packet of the same source spoiled.
    pub spoiled: u64,
    /// Signed packets that were granted something.
    pub granted: u64,
    /// Those that were not, by the reason; reasons that never came are left out.
    pub refused: Vec<(String, u64)>,
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
    /// Rules of the policy in force; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<u64>,
    /// When the policy on trial ends; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frames, REPLY_CAP, REQUEST_CAP, frame};
    use proptest::prelude::*;

    /// Everything said in some frames.
    fn heard(frames: &[Reply]) -> (String, String, u8) {
        let mut all = (String::new(), String::new(), 0);
        for (at, reply) in frames.iter().enumerate() {
            let mut stream = Frames::new(REPLY_CAP);
            stream.push(&frame(reply).unwrap());
            let Ok(Some(Reply::Fail2ban { out, err, code, more })) = stream.take() else {
                panic!("another answer")
            };
            assert_eq!(more, at + 1 < frames.len());
            all = (all.0 + &out, all.1 + &err, code);
        }
        all
    }

    #[test]
    fn long_answers_go_in_frames_that_may_be_sent() {
        for (text, count) in [("", 1), ("\u{1}", 3), ("é", 3), ("a\n", 3)] {
            let out = text.repeat(3 * PIECE / text.len().max(1) - 1);
            let frames = Reply::fail2ban(&out, "NOK: ('nix',)\n", 255);
            assert_eq!(frames.len(), count, "{text:?}");
            assert_eq!(heard(&frames), (out, "NOK: ('nix',)\n".to_owned(), 255));
        }
        let control = "\u{1f}".repeat(PIECE);
        assert_eq!(heard(&Reply::fail2ban(&control, &control, 1)).1.len(), ERRORS);
    }

    proptest! {
        #[test]
        fn words_arrive_as_they_are(words in proptest::collection::vec(".{0,20}", 0..6)) {
            let request = Request { v: VERSION, ask: Ask::Fail2ban { words }, lang: String::new() };
            let mut frames = Frames::new(REQUEST_CAP);
            frames.push(&frame(&request).unwrap());
            prop_assert_eq!(frames.take::<Request>().unwrap(), Some(request));
        }
    }
}
