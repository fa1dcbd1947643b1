//! The machine that files are read for, and the dates that its logs have.

use crate::problem::Wrong;
use crate::quoted::Said;
use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, Zone};
use sereno_core::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// What has to be known of the machine that files are read for.
#[derive(Clone, Copy)]
pub struct Machine<'m> {
    /// Its own time zone: that of its logs, where nobody says another.
    pub zone: &'m TimeZone,
    /// The time zones that it knows, by their IANA names.
    pub zones: &'m dyn Fn(&str) -> Option<TimeZone>,
    /// The time: which years are near enough for a date.
    pub now: Time,
    /// Where it is in the network, if that is known.
    pub net: Option<&'m Net>,
    /// Whether it has a file of this name.
    pub has_file: &'m dyn Fn(&Path) -> bool,
}

/// A machine's place in the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// The names of its interfaces.
    pub interfaces: Vec<String>,
    /// Its addresses.
    pub addrs: Vec<IpAddr>,
}

/// 2096-01-01T00:00:00Z, in microseconds.
const LATE: i64 = 3_976_214_400_000_000;

impl Machine<'static> {
    /// One of which nothing is known: it knows all zones, and all are UTC; it has all files. Dates of this whole
    /// century are dates there.
    pub(crate) const ANY: Self = Self {
        zone: &TimeZone::UTC,
        zones: &|_| Some(TimeZone::UTC),
        now: Time(LATE),
        net: None,
        has_file: &|_| true,
    };
}

/// What finds the dates of rules; those that look for the same share it, and so the work.
pub(crate) struct Dates<'m> {
    pub(crate) machine: Machine<'m>,
    /// The zone of logs, where a rule says no other.
    pub(crate) zone: TimeZone,
    known: BTreeMap<(String, String), Arc<Detector>>,
}

impl<'m> Dates<'m> {
    /// For logs written in the zone of this name, if there is one.
    pub(crate) fn new(machine: Machine<'m>, zone: Option<&str>) -> Self {
        let named = zone.and_then(machine.zones);
        let zone = named.unwrap_or_else(|| machine.zone.clone());
        Self { machine, zone, known: BTreeMap::new() }
    }

    /// What finds the dates that `patterns` describe (none: all usual ones), in logs of a zone.
    pub(crate) fn detector(
        &mut self,
        patterns: &[Said],
        zone: Option<&Said>,
    ) -> Result<Arc<Detector>, Wrong> {
        let texts: Vec<&str> = patterns.iter().map(|said| said.text.as_str()).collect();
        let key = (texts.join("\n"), zone.map(|said| said.text.clone()).unwrap_or_default());
        if let Some(known) = self.known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let mut meant = Zone::machine(self.zone.clone());
        if let Some(said) = zone {
            meant = meant.log(&said.text, self.machine.zones).map_err(|wrong| {
                Wrong::new(said.within(wrong.at, wrong.width), wrong.message).remedy(wrong.remedy)
            })?;
        }
        let pattern = (!patterns.is_empty()).then_some(key.0.as_str());
        let dates = Detector::new(pattern, meant, self.machine.now).map_err(|wrong| {
            let place = place(patterns, wrong.at, wrong.width);
            Wrong::new(place, wrong.message).remedy(wrong.remedy)
        })?;
        let dates = Arc::new(dates);
        self.known.insert(key, Arc::clone(&dates));
        Ok(dates)
    }
}

/// The place of byte `at` of the patterns, each on a line of its own.
fn place(patterns: &[Said], at: usize, width: usize) -> std::ops::Range<usize> {
    let mut rest = at;
    for said in patterns {
        if rest <= said.text.len() {
            return said.within(rest, width);
        }
        rest -= said.text.len() + 1;
    }
    patterns.last().map_or(0..0, |said| said.span.clone())
}
