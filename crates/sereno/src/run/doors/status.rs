//! How the doors are.

use super::{Attendance, MARK};
use crate::run::guard::Guard;
use crate::words;
use sereno_core::door::{Deed, Sequences};
use sereno_core::engine::{DoorPolicy, Porter};
use sereno_core::gate::{Dnat, Name, Through};
use sereno_wire::control::{DoorStatus, EntryStatus, HeardStatus};

/// The doors, and who is in.
pub(in crate::run) fn status(guard: &Guard) -> Vec<DoorStatus> {
    let Some(porter) = guard.engine.porter() else { return Vec::new() };
    let signed = |name: Name| {
        let doors = &guard.attendance.doors.signed.doors;
        doors.iter().any(|door| door.name == name)
    };
    let policies = porter.policies().iter();
    policies.map(|policy| door(policy, signed(policy.name), porter)).collect()
}

fn door(policy: &DoorPolicy, signed: bool, porter: &Porter) -> DoorStatus {
    let way = match &policy.door.sequences {
        _ if signed => "signed",
        Sequences::Fixed(_) => "knock",
        Sequences::Once(_) => "once",
        Sequences::Timed(_) => "timed",
    };
    let ports = match &policy.door.v4.start {
        Deed::Open(ports) | Deed::Close(ports) => ports.to_string(),
        Deed::Nothing if signed => "asked".to_owned(),
        Deed::Nothing | Deed::Run(_) => String::new(),
    };
    let deeds = &policy.door.v4;
    let holds = signed || deeds.ends() || deeds.stop != Deed::Nothing;
    let entries = porter.entries().filter(|entry| entry.door == policy.name);
    let entry = |entry: &sereno_core::engine::Entry| EntryStatus {
        addr: entry.pass.addr,
        port: match entry.pass.to {
            Through::Opening(_) | Through::Known => None,
            Through::Port(proto, port) | Through::Dnat(Dnat { proto, port, .. }) => {
                Some(format!("{}/{port}", proto.as_str()))
            }
            Through::Forward(_) => Some("all".to_owned()),
        },
        to: match entry.pass.to {
            Through::Opening(_) | Through::Port(..) | Through::Known => None,
            Through::Dnat(dnat) => Some(dnat.to.to_string()),
            Through::Forward(forward) => forward.to.map(|to| to.to_string()),
        },
        since: entry.since,
        until: entry.pass.until,
    };
    DoorStatus {
        name: policy.name,
        title: policy.door.name.clone(),
        way: way.to_owned(),
        ports,
        closed: porter.is_shut(policy),
        closes: matches!(deeds.start, Deed::Close(_)),
        hold: holds.then_some(policy.door.hold.as_secs()),
        entries: entries.map(entry).collect(),
    }
}

/// What was heard.
pub(in crate::run) fn heard(guard: &Guard) -> Option<HeardStatus> {
    let at = &guard.attendance;
    if at.doors.is_empty() {
        return None;
    }
    let counts = guard.engine.porter().map(Porter::counts).unwrap_or_default();
    let (granted, refused) = at.signed.counts();
    let refused = refused.filter(|(_, count)| *count > 0);
    Some(HeardStatus {
        listening: at.ears.is_some(),
        packets: counts.packets,
        lost: at.lost,
        knocked: counts.knocked,
        spoiled: counts.spoiled,
        granted,
        refused: refused.map(|(why, count)| (why.as_str().to_owned(), count)).collect(),
    })
}

/// Why nothing is translated, where something should be.
#[derive(Debug)]
pub(in crate::run) enum Stuck {
    /// The kernel does not.
    Unable(String),
    /// This machine sends nothing on.
    NotForwarding,
}

impl Stuck {
    /// In the language of who asks.
    pub(in crate::run) fn words(&self) -> String {
        match self {
            Self::Unable(why) => words::nat_unable(why),
            Self::NotForwarding => words::nat_no_forwarding(),
        }
    }
}

impl Attendance {
    /// What keeps another firewall from letting pass whom a door let in, in words.
    pub(in crate::run) fn blocked(&self) -> Option<String> {
        self.blocked.as_ref().map(|why| words::doors_blocked(why, format!("{MARK:#x}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sereno_config::Lang;

    #[test]
    fn alarms_of_doors_are_told_in_the_language_of_who_asks() {
        for (stuck, spanish, english) in [
            (Stuck::NotForwarding, "esta no reenvía nada", "this one sends nothing on"),
            (Stuck::Unable("no".to_owned()), "no; los paquetes", "no; signed packets"),
        ] {
            let said = |lang| words::to(lang, || stuck.words());
            assert!(said(Lang::Spanish).contains(spanish), "{stuck:?}");
            assert!(said(Lang::English).contains(english), "{stuck:?}");
        }
    }
}
