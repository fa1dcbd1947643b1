//! A rule as the line that it would be read from.

use super::{Deed, Rate, Rule, Services, What, Who};
use crate::time::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::fmt::{self, Display, Write};

/// Units of a rate, in seconds; the longest first.
const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)];

impl Rule {
    /// Writes `text` anew from what the rule means, with `why` behind it. Services have the names of
    /// the house where only one fits. What the rule says of `until` is not written.
    #[must_use]
    pub fn written(mut self, why: &str) -> Self {
        let mut line = String::new();
        // Writing into a text does not fail.
        let _ = self.line(&mut line);
        let why: String = why.chars().filter(|c| !c.is_control()).collect();
        let why = why.trim();
        // The name of the service says nothing that is not there.
        let known = line.split([' ', ',']).any(|word| word == why);
        if !why.is_empty() && !known {
            let _ = write!(line, "   # {why}");
        }
        self.text = line;
        self
    }

    /// The same rule with a text that means it on any machine: without services that only one
    /// configuration knows. `zone` is where dates are at home.
    #[must_use]
    pub fn portable(self, zone: &TimeZone) -> Self {
        let why = self.text.split_once('#').map_or("", |(_, why)| why).to_owned();
        let words = self.text.split('#').next().unwrap_or_default();
        let what = words.split([' ', ',']).skip(1).take_while(|word| !Self::begins_a_part(word));
        let known = Services::default();
        let house = what.filter(|word| !word.is_empty()).filter_map(|word| known.find(word));
        let mut house: Vec<What> = house.flatten().collect();
        house.sort_unstable();
        house.dedup();
        if house == self.what {
            return self;
        }
        let until =
            self.until.and_then(|until| civil(until, zone)).map(|at| format!(" until {at}"));
        let mut rule = self.written("");
        rule.text.push_str(&until.unwrap_or_default());
        if !why.trim().is_empty() {
            rule.text.push_str("   #");
            rule.text.push_str(&why);
        }
        rule
    }

    fn line(&self, line: &mut String) -> fmt::Result {
        let deed = match self.deed {
            Deed::Allow => "allow",
            Deed::Drop => "drop",
            Deed::Reject => "reject",
        };
        write!(line, "{deed} ")?;
        list(line, self.what.iter().map(|what| word(*what)), ", ")?;
        whom(line, "from", &self.from)?;
        if !self.on.is_empty() {
            line.push_str(" on ");
            list(line, &self.on, " ")?;
        }
        if !self.to.is_empty() {
            line.push_str(" to ");
            list(line, &self.to, " ")?;
        }
        whom(line, "to", &self.toward)?;
        if let Some(Rate { count, per, burst }) = self.rate {
            let unit = UNITS.iter().find(|(_, seconds)| *seconds <= per.as_secs());
            let unit = unit.map_or("second", |(name, _)| name);
            write!(line, " rate {count}/{unit}")?;
            if burst != count {
                write!(line, " burst {burst}")?;
            }
        }
        if let Some(limit) = self.limit {
            write!(line, " limit {limit}")?;
        }
        Ok(())
    }
}

/// A time as a clock on the wall of a zone shows it.
fn civil(time: Time, zone: &TimeZone) -> Option<DateTime> {
    let stamp = Timestamp::from_microsecond(time.0).ok()?;
    Some(stamp.to_zoned(zone.clone()).datetime())
}

fn whom(line: &mut String, head: &str, who: &Who) -> fmt::Result {
    let Who::Those { zones, networks } = who else { return Ok(()) };
    let zones = zones.iter().map(ToString::to_string);
    let networks = networks.iter().map(ToString::to_string);
    write!(line, " {head} ")?;
    list(line, zones.chain(networks), " ")
}

fn list<T: Display>(
    line: &mut String,
    words: impl IntoIterator<Item = T>,
    between: &str,
) -> fmt::Result {
    for (at, word) in words.into_iter().enumerate() {
        write!(line, "{}{word}", if at == 0 { "" } else { between })?;
    }
    Ok(())
}

fn word(what: What) -> String {
    match what {
        What::All => "all".to_owned(),
        What::Ping => "ping".to_owned(),
        What::Protocol(number) => format!("ip/{number}"),
        What::Ports(range) if range.is_whole() => range.proto().as_str().to_owned(),
        What::Ports(range) => Services::of(range).map_or_else(|| range.to_string(), str::to_owned),
    }
}
