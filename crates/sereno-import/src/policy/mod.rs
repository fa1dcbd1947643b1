//! From what packets meet elsewhere to a policy.

mod families;
mod lines;
pub(crate) mod out;
pub(crate) mod weak;

use crate::Imported;
use crate::entry::{Verdict, Way};
use crate::remark::{Notes, Remark};
pub(crate) use lines::{Made, plain};
pub(crate) use out::Outward;
use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::gate::policy::{Deed, Policy, Rule, TRUSTED, What, Who, Zone};

/// Rules of a policy at most.
const MOST: usize = 1000;

/// The policy that does for packets of both families what these do.
pub(crate) fn compose(
    v4: Option<Way>,
    v6: Option<Way>,
    outward: [Option<Outward>; 2],
    mut notes: Notes,
) -> Imported {
    match (&v4, &v6) {
        (Some(_), None) => notes.say_of_all(Remark::V6Open),
        (None, Some(_)) => notes.say_of_all(Remark::V4Open),
        _ => {}
    }
    let empty = v4.is_none() && v6.is_none();
    // Of rules that shut nothing, none would be left, and that would shut all.
    let nothing = || Way { entries: Vec::new(), rest: Verdict::Accept };
    let v4 = if v6.is_none() { v4.or_else(|| Some(nothing())) } else { v4 };
    let [v4, v6] = [v4, v6].map(|way| way.map(|way| lines::lines(way, &mut notes)));
    let mut made = families::merge(v4, v6);
    if made.len() > MOST {
        notes.say(made[MOST].place, &made[MOST].text, Remark::TooMany);
        made.truncate(MOST);
    }
    let zones = trusted(&mut made, &mut notes);
    weak::look(&made, &mut notes);
    let rules = made.into_iter().map(|made| made.rule.written(&made.why)).collect();
    let out = out::leaving(outward, &mut notes);
    let policy = Policy { zones, rules, out, ..Policy::default() };
    Imported { policy, remarks: notes.into_told(), empty }
}

/// Who may do everything, as a zone: where nothing behind the rule could stop or slow him down.
fn trusted(made: &mut Vec<Made>, notes: &mut Notes) -> Vec<Zone> {
    let Ok(name) = Name::new(TRUSTED) else { return Vec::new() };
    let mut zone = Zone { name, networks: Vec::new(), interfaces: Vec::new(), open: true };
    let mut at = 0;
    while at < made.len() {
        let rule = &made[at].rule;
        let all = rule.what == [What::All] && rule.deed == Deed::Allow && rule.to.is_empty();
        let all = all && rule.rate.is_none() && rule.limit.is_none();
        let free = !made[at..].iter().skip(1).any(|later| narrows(later, rule));
        match &rule.from {
            _ if !all || made[at].last || !free => at += 1,
            Who::Those { networks, .. }
                if rule.on.is_empty() && networks.iter().all(|network| network.bits() > 0) =>
            {
                for network in networks.iter().filter(|network| weak::is_private(**network)) {
                    notes.say(made[at].place, &made[at].text, Remark::Spoofed(*network));
                }
                zone.networks.extend(networks);
                made.remove(at);
            }
            Who::Anybody if !rule.on.is_empty() => {
                zone.interfaces.append(&mut made[at].rule.on);
                made.remove(at);
            }
            _ => at += 1,
        }
    }
    zone.networks.sort_unstable_by_key(|network| (network.addr(), network.bits()));
    zone.networks.dedup();
    zone.interfaces.sort_unstable();
    zone.interfaces.dedup();
    let empty = zone.networks.is_empty() && zone.interfaces.is_empty();
    if empty { Vec::new() } else { vec![zone] }
}

/// Whether a later rule could stop or slow down those of an earlier one, if it came first.
fn narrows(later: &Made, earlier: &Rule) -> bool {
    let Rule { deed, rate, limit, from, .. } = &later.rule;
    let plain = *deed == Deed::Allow && rate.is_none() && limit.is_none();
    let apart = match (from, &earlier.from) {
        (Who::Those { zones, networks }, Who::Those { networks: own, .. }) => {
            let meets = |network: &Prefix| own.iter().any(|own| own.overlaps(*network));
            zones.is_empty() && !networks.iter().any(meets)
        }
        _ => false,
    };
    !later.last && !plain && !apart
}
