//! What the gate opens and closes for doors.

use super::{DoorPolicy, Shut};
use crate::addr::Prefix;
use crate::door::{Deed, Door};
use crate::gate::{Name, Opening, Ports};
use std::collections::BTreeMap;

/// Whether a door's ports are closed to all others.
pub(super) fn is_shut(policy: &DoorPolicy, shut: &BTreeMap<Name, Shut>) -> bool {
    let closable = ports(&policy.door).any(|ports| *ports != Ports::All);
    let wanted = shut.get(&policy.name).is_some_and(|shut| *shut != Shut::AsSaid);
    closable && (policy.closed || wanted)
}

/// The ports that a door opens or closes.
pub(super) fn ports(door: &Door) -> impl Iterator<Item = &Ports> {
    let deeds = [&door.v4, &door.v6].into_iter().flat_map(|deeds| [&deeds.start, &deeds.stop]);
    deeds.filter_map(|deed| match deed {
        Deed::Open(ports) | Deed::Close(ports) => Some(ports),
        Deed::Nothing | Deed::Run(_) => None,
    })
}

/// One opening for each set of ports: doors that open the same share it.
pub(super) fn openings(policies: &[DoorPolicy], shut: &BTreeMap<Name, Shut>) -> Vec<Opening> {
    let mut openings: Vec<Opening> = Vec::new();
    for policy in policies {
        let closed = is_shut(policy, shut);
        for ports in ports(&policy.door) {
            if let Some(opening) = openings.iter_mut().find(|opening| opening.ports == *ports) {
                opening.closed |= closed && *ports != Ports::All;
                opening.cut |= policy.cut;
                let new = policy.free.iter().filter(|free| !opening.free.contains(free));
                let new: Vec<Prefix> = new.copied().collect();
                opening.free.extend(new);
                continue;
            }
            openings.push(Opening {
                name: free_name(policy.name, &openings),
                ports: ports.clone(),
                closed: closed && *ports != Ports::All,
                cut: policy.cut,
                free: policy.free.clone(),
            });
        }
    }
    openings
}

/// The door's name, or one like it that no opening has.
fn free_name(name: Name, openings: &[Opening]) -> Name {
    let taken = |name: Name| openings.iter().any(|opening| opening.name == name);
    let numbered = (2..).filter_map(|n: u32| {
        let number = format!("-{n}");
        let room = crate::gate::NAME_MAX - number.len();
        let text = name.as_str();
        Name::new(&format!("{}{number}", text.get(..room).unwrap_or(text))).ok()
    });
    std::iter::once(name).chain(numbered).find(|name| !taken(*name)).unwrap_or(name)
}
