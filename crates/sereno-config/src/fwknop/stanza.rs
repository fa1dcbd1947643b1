//! A stanza of options, as what it allows.

use super::daemon::Rules;
use super::keys::{self, MAKE};
use super::said::{Said, Stanza as Written};
use super::text;
use crate::Document;
use crate::problem::{Notes, Wrong};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sereno_core::addr::Prefix;
use sereno_core::gate::{PortRange, Proto};
use sereno_core::time::Time;
use sereno_spa::{Commands, Cycle, Digest, Keys, Secret, Source, Stanza, Sudo, Template};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Longest time a port can be configured to be open, in seconds: 30 days.
const LONGEST: u64 = 30 * 86_400;

/// What a stanza is read in.
pub(super) struct Context<'c> {
    pub(super) docs: &'c [Document],
    pub(super) rules: &'c Rules,
    pub(super) zone: &'c TimeZone,
}

/// Reads values of one stanza.
pub(super) struct Reader<'r> {
    written: &'r Written,
    pub(super) context: &'r Context<'r>,
    notes: &'r mut Notes,
}

/// What the stanza allows; nothing if there is an error in it.
pub(super) fn stanza(
    written: &Written,
    context: &Context<'_>,
    notes: &mut Notes,
) -> Option<Stanza> {
    let before = notes.errors();
    let head = written.head.as_ref()?;
    let mut reader = Reader { written, context, notes };
    let source = reader.source(Some(head));
    let destination = reader.source(written.said.get("DESTINATION"));
    let keys = reader.keys(head);
    let timeout = reader.seconds("FW_ACCESS_TIMEOUT", 30);
    let max_timeout = reader.seconds("MAX_FW_TIMEOUT", 300);
    let stanza = Stanza {
        name: reader.name(head),
        source,
        destination,
        open_ports: reader.ports("OPEN_PORTS"),
        restrict_ports: reader.ports("RESTRICT_PORTS"),
        timeout,
        max_timeout,
        expires: reader.expires(),
        user: reader.text("REQUIRE_USERNAME").map(str::to_owned),
        require_address: reader.yes("REQUIRE_SOURCE_ADDRESS") || reader.yes("REQUIRE_SOURCE"),
        commands: reader.commands(keys.as_ref()),
        cycle: reader.cycle(),
        translation: reader.translation(),
        keys: keys?,
    };
    (!written.broken && notes.errors() == before).then_some(stanza)
}

impl<'r> Reader<'r> {
    pub(super) fn said(&self, name: &str) -> Option<&'r Said> {
        self.written.said.get(name)
    }

    fn text(&self, name: &str) -> Option<&'r str> {
        self.said(name).map(|said| self.value(said))
    }

    /// A value without blanks and a comment behind it.
    pub(super) fn value(&self, said: &Said) -> &'r str {
        let whole = text(self.context.docs, said);
        whole.split(" #").next().unwrap_or("").trim()
    }

    pub(super) fn wrong(&mut self, said: &Said, why: impl Into<String>, remedy: impl Into<String>) {
        self.notes.error(said.doc, Wrong::new(said.value.clone(), why).remedy(remedy));
    }

    /// How to call it: where it begins.
    fn name(&self, head: &Said) -> String {
        let document = self.context.docs.get(head.doc);
        let before =
            document.and_then(|document| document.text.get(..head.key.start)).unwrap_or("");
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", document.map_or("", |document| document.name.as_str()))
    }

    pub(super) fn yes(&mut self, name: &str) -> bool {
        let Some(said) = self.said(name) else { return false };
        match self.value(said).as_bytes().first() {
            Some(b'y' | b'Y') => true,
            Some(b'n' | b'N') => false,
            _ => {
                self.wrong(said, format!("{name} is Y or N"), format!("write {name} Y"));
                false
            }
        }
    }

    fn seconds(&mut self, name: &str, otherwise: u64) -> Duration {
        let Some(said) = self.said(name) else { return Duration::from_secs(otherwise) };
        match self.value(said).parse() {
            Ok(seconds) if (1..=LONGEST).contains(&seconds) => Duration::from_secs(seconds),
            _ => {
                let why = format!("this is no number of seconds from 1 to {LONGEST}");
                self.wrong(said, why, format!("write {name} {otherwise}"));
                Duration::from_secs(otherwise)
            }
        }
    }

    fn source(&mut self, said: Option<&Said>) -> Source {
        let Some(said) = said else { return Source::Any };
        let value = self.value(said);
        if value.eq_ignore_ascii_case("any") {
            return Source::Any;
        }
        let mut prefixes = Vec::new();
        for part in value.split(',').map(str::trim) {
            match prefix(part) {
                Some(prefix) => prefixes.push(prefix),
                None => {
                    let why = format!("{part:?} is not an address or a network");
                    self.wrong(
                        said,
                        why,
                        "write addresses and networks such as 192.0.2.0/24 with commas, or ANY",
                    );
                }
            }
        }
        Source::Of(prefixes)
    }

    fn ports(&mut self, name: &str) -> Vec<PortRange> {
        let Some(said) = self.said(name) else { return Vec::new() };
        let mut ports = Vec::new();
        for part in self.value(said).split(',').map(str::trim) {
            match port(part) {
                Some(port) => ports.push(port),
                None => self.wrong(
                    said,
                    format!("{part:?} is not a port"),
                    format!("write {name} tcp/22, udp/53"),
                ),
            }
        }
        ports
    }

    /// The keys. Without a signature anybody who sees a packet can write it differently, so that
    /// this has to be wanted.
    fn keys(&mut self, head: &Said) -> Option<Keys> {
        let docs = self.context.docs;
        let (mode, digest) = keys::how(self.written, docs, self.notes);
        let before = self.notes.errors();
        let key = keys::key(self.written, ["KEY", "KEY_BASE64"], 32, docs, self.notes);
        let hmac = keys::key(self.written, ["HMAC_KEY", "HMAC_KEY_BASE64"], 128, docs, self.notes);
        if self.notes.errors() > before {
            return None;
        }
        let Some((key, _)) = key else {
            if !self.written.broken {
                self.wrong(
                    head,
                    "the stanza has no KEY_BASE64",
                    format!("{MAKE}, and write KEY_BASE64 and HMAC_KEY_BASE64 below"),
                );
            }
            return None;
        };
        let required = self.said("REQUIRE_HMAC").is_none() || self.yes("REQUIRE_HMAC");
        let Some((signs, said)) = hmac else {
            if required {
                let remedy = format!(
                    "{MAKE}, and write HMAC_KEY_BASE64 below; or REQUIRE_HMAC N if no client can sign"
                );
                self.wrong(
                    head,
                    "the stanza has no HMAC_KEY_BASE64: packets would not be signed",
                    remedy,
                );
                return None;
            }
            return Some(Keys { key, mode, hmac: None });
        };
        self.signed(key, mode, (signs, digest), &said)
    }

    fn signed(
        &mut self,
        key: Secret,
        mode: sereno_spa::Mode,
        hmac: (Secret, Digest),
        said: &Said,
    ) -> Option<Keys> {
        if key == hmac.0 {
            self.wrong(
                said,
                "the keys are the same: who breaks one has both",
                format!("{MAKE}, which makes two"),
            );
            return None;
        }
        Some(Keys { key, mode, hmac: Some(hmac) })
    }

    fn expires(&mut self) -> Option<Time> {
        if let Some(said) = self.said("ACCESS_EXPIRE_EPOCH") {
            match self.value(said).parse() {
                Ok(seconds) if seconds >= 0 => return Some(Time::from_secs(seconds)),
                _ => self.wrong(
                    said,
                    "this is no time",
                    "write seconds since 1970, as date +%s prints them",
                ),
            }
        }
        let said = self.said("ACCESS_EXPIRE")?;
        let parts: Vec<&str> = self.value(said).split('/').collect();
        let date = match parts[..] {
            [month, day, year] if year.len() == 4 => day_of(year, month, day),
            _ => None,
        };
        let time = date.and_then(|date| date.to_zoned(self.context.zone.clone()).ok());
        match time {
            Some(time) => Some(Time(time.timestamp().as_microsecond())),
            None => {
                self.wrong(
                    said,
                    "this is no date",
                    "write month, day and year: ACCESS_EXPIRE 12/31/2027",
                );
                None
            }
        }
    }

    fn account(&mut self, name: &str) -> Option<String> {
        let said = self.said(name)?;
        let value = self.value(said);
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.$".contains(c);
        if value.is_empty()
            || value.starts_with('-')
            || value.len() > 32
            || !value.chars().all(fits)
        {
            self.wrong(said, "this is no name of an account", format!("write {name} nobody"));
            return None;
        }
        Some(value.to_owned())
    }

    fn commands(&mut self, keys: Option<&Keys>) -> Option<Commands> {
        let sudo = self.yes("ENABLE_CMD_SUDO_EXEC").then(|| Sudo {
            user: self.account("CMD_SUDO_EXEC_USER"),
            group: self.account("CMD_SUDO_EXEC_GROUP"),
        });
        let (user, group) = (self.account("CMD_EXEC_USER"), self.account("CMD_EXEC_GROUP"));
        if !self.yes("ENABLE_CMD_EXEC") && sudo.is_none() {
            return None;
        }
        let said = self.said("ENABLE_CMD_EXEC").or_else(|| self.said("ENABLE_CMD_SUDO_EXEC"))?;
        if keys.is_some_and(|keys| keys.hmac.is_none()) {
            self.wrong(
                said,
                "commands are taken from signed packets only",
                "write HMAC_KEY_BASE64 in this stanza",
            );
        }
        Some(Commands { user, group, sudo })
    }

    fn cycle(&mut self) -> Option<Cycle> {
        let timer = self.said("CMD_CYCLE_TIMER").is_some();
        let timer = timer.then(|| self.seconds("CMD_CYCLE_TIMER", 30));
        let (open, close) = (self.said("CMD_CYCLE_OPEN"), self.said("CMD_CYCLE_CLOSE"));
        match (open, close) {
            (None, None) => None,
            (Some(said), None) => {
                self.wrong(
                    said,
                    "there is no CMD_CYCLE_CLOSE",
                    "write what closes again, or CMD_CYCLE_CLOSE NONE",
                );
                None
            }
            (None, Some(said)) => {
                self.wrong(
                    said,
                    "there is no CMD_CYCLE_OPEN",
                    "write what opens, or leave this out",
                );
                None
            }
            (Some(open), Some(close)) => {
                // A command line is taken whole.
                let [open, close] = [open, close].map(|said| text(self.context.docs, said).trim());
                let close = (close != "NONE").then(|| Template::new(close));
                Some(Cycle { open: Template::new(open), close, timer })
            }
        }
    }
}

fn day_of(year: &str, month: &str, day: &str) -> Option<Date> {
    let digits = |text: &str| {
        (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if ![year, month, day].into_iter().all(digits) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// An address or a network, also with a mask of dots.
fn prefix(text: &str) -> Option<Prefix> {
    let mask =
        text.split_once('/').and_then(|(addr, mask)| Some((addr, mask.parse::<Ipv4Addr>().ok()?)));
    match mask {
        None => text.parse().ok(),
        Some((addr, mask)) => {
            let bits = mask.to_bits();
            let whole = bits.leading_ones() + bits.trailing_zeros() == 32;
            let addr = addr.parse::<Ipv4Addr>().ok().filter(|_| whole)?;
            Prefix::new(addr.into(), bits.leading_ones() as u8)
        }
    }
}

/// A single port of TCP or UDP.
#[must_use]
pub fn port(text: &str) -> Option<PortRange> {
    let port: PortRange = text.parse().ok()?;
    let single = port.first() == port.last() && port.first() > 0;
    (single && matches!(port.proto(), Proto::Tcp | Proto::Udp)).then_some(port)
}
