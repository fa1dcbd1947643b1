//! Rules that never decide, because one above them always does.

use super::{Rule, What, Who};
use crate::addr::Prefix;

/// The first of some rules above this one that decides about all that it is about, if there is one. Not every
/// such pair is seen: which networks are in a zone is not asked, nor what several rules cover together.
#[must_use]
pub fn shadow(rules: &[Rule], rule: usize) -> Option<usize> {
    let later = rules.get(rule)?;
    rules.iter().take(rule).position(|earlier| earlier.covers(later))
}

impl Rule {
    fn covers(&self, other: &Self) -> bool {
        let lasts = match (self.until, other.until) {
            (None, _) => true,
            (Some(own), Some(theirs)) => own >= theirs,
            (Some(_), None) => false,
        };
        let what = other.what.iter().all(|part| self.what.iter().any(|own| own.covers(*part)));
        let on = self.on.is_empty()
            || !other.on.is_empty() && other.on.iter().all(|name| self.on.contains(name));
        let to = self.to.is_empty() || !other.to.is_empty() && all_within(&other.to, &self.to);
        let who = self.from.covers(&other.from) && self.toward.covers(&other.toward);
        lasts && what && on && to && who
    }
}

impl What {
    fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Ports(own), Self::Ports(other)) => {
                own.proto() == other.proto()
                    && own.first() <= other.first()
                    && own.last() >= other.last()
            }
            (own, other) => own == other,
        }
    }
}

impl Who {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anybody, _) => true,
            (Self::Those { .. }, Self::Anybody) => false,
            (Self::Those { zones, networks }, Self::Those { zones: others, networks: theirs }) => {
                others.iter().all(|zone| zones.contains(zone)) && all_within(theirs, networks)
            }
        }
    }
}

fn all_within(inner: &[Prefix], outer: &[Prefix]) -> bool {
    let within =
        |one: &Prefix| outer.iter().any(|own| own.bits() <= one.bits() && own.contains(one.addr()));
    inner.iter().all(within)
}
