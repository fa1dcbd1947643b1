//! One entry of the systemd journal, from the JSON that `journalctl -o json` writes.
//!
//! The format is systemd's "Journal JSON Format" (systemd.io, journal export formats): an
//! object on one line; a value is a string, an array of numbers when it is not printable
//! UTF-8, an array of such values when the field is repeated, or null when it was too large.

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use sereno_core::time::Time;
use std::fmt;

/// A journal entry, as far as Sereno needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Where it is in the journal; reading can go on behind it.
    pub cursor: String,
    /// When the journal received it.
    pub time: Time,
    /// What the sender calls itself (`SYSLOG_IDENTIFIER`). Senders can lie.
    pub identifier: Option<String>,
    /// The text (`MESSAGE`), as sent: it can hold newlines, NULs and invalid UTF-8. Empty when
    /// there is none.
    pub message: Vec<u8>,
    /// What the journal itself knows about the sender.
    pub trusted: Trusted,
}

/// Fields beginning with an underscore: added by journald, not to be forged by senders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// Name of the program as the kernel has it (`_COMM`).
    pub comm: Option<String>,
    /// Its systemd unit (`_SYSTEMD_UNIT`).
    pub unit: Option<String>,
    /// Its process id (`_PID`).
    pub pid: Option<u32>,
    /// Its user id (`_UID`).
    pub uid: Option<u32>,
    /// The machine (`_HOSTNAME`).
    pub hostname: Option<String>,
}

impl JournalEntry {
    /// Parses one JSON object. Of a repeated field the first value counts.
    ///
    /// # Errors
    /// Not JSON of that form, or an entry without cursor or time; the text says which.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let time =
            raw.time.text().and_then(|us| us.parse().ok()).ok_or("no __REALTIME_TIMESTAMP")?;
        Ok(Self {
            cursor: raw.cursor.text().ok_or("no __CURSOR")?,
            time: Time(time),
            identifier: raw.identifier.text(),
            message: raw.message.0.unwrap_or_default(),
            trusted: Trusted {
                comm: raw.comm.text(),
                unit: raw.unit.text(),
                pid: raw.pid.text().and_then(|pid| pid.parse().ok()),
                uid: raw.uid.text().and_then(|uid| uid.parse().ok()),
                hostname: raw.hostname.text(),
            },
        })
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "__CURSOR", default)]
    cursor: Field,
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    time: Field,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Field,
    #[serde(rename = "MESSAGE", default)]
    message: Field,
    #[serde(rename = "_COMM", default)]
    comm: Field,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Field,
    #[serde(rename = "_PID", default)]
    pid: Field,
    #[serde(rename = "_UID", default)]
    uid: Field,
    #[serde(rename = "_HOSTNAME", default)]
    hostname: Field,
}

/// The (first) value of a field; none when it is null.
#[derive(Default)]
struct Field(Option<Vec<u8>>);

impl Field {
    fn text(self) -> Option<String> {
        self.0.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a journal field")
    }

    fn visit_unit<E: Error>(self) -> Result<Field, E> {
        Ok(Field(None))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
        Ok(Field(Some(text.as_bytes().to_vec())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        let mut bytes = Vec::new();
        while let Some(item) = items.next_element()? {
            match item {
                Item::Byte(byte) => bytes.push(byte),
                Item::Value(first) => {
                    while items.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(first);
                }
            }
        }
        Ok(Field(Some(bytes)))
    }
}

/// One element of an array: a byte of a value, or one of several values.
enum Item {
    Byte(u8),
    Value(Field),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte or a journal field")
    }

    fn visit_u64<E: Error>(self, byte: u64) -> Result<Item, E> {
        u8::try_from(byte).map(Item::Byte).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<Item, E> {
        FieldVisitor.visit_unit().map(Item::Value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
        FieldVisitor.visit_str(text).map(Item::Value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Item, A::Error> {
        FieldVisitor.visit_seq(items).map(Item::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Vec<u8> {
        let json = format!(r#"{{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":{json}}}"#);
        JournalEntry::parse(json.as_bytes()).unwrap().message
    }

    #[test]
    fn a_whole_entry() {
        let json = br#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1700000000000001","_PID":"42",
            "SYSLOG_IDENTIFIER":"sshd","_COMM":"sshd","_UID":"0","_SYSTEMD_UNIT":"ssh.service",
            "_HOSTNAME":"pbx","PRIORITY":"6","MESSAGE":"Failed password","_CMDLINE":["a","b"]}"#;
        let entry = JournalEntry::parse(json).unwrap();
        assert_eq!(entry.cursor, "s=1;i=2");
        assert_eq!(entry.time, Time(1_700_000_000_000_001));
        assert_eq!(entry.identifier.as_deref(), Some("sshd"));
        assert_eq!(entry.message, b"Failed password");
        let trusted = entry.trusted;
        assert_eq!((trusted.pid, trusted.uid), (Some(42), Some(0)));
        assert_eq!(trusted.unit.as_deref(), Some("ssh.service"));
        assert_eq!(
            (trusted.comm.as_deref(), trusted.hostname.as_deref()),
            (Some("sshd"), Some("pbx"))
        );
    }

    #[test]
    fn every_form_of_a_value() {
        assert_eq!(message(r#""a\nb\u0000""#), b"a\nb\0");
        assert_eq!(message("[104,105,255]"), b"hi\xff");
        assert_eq!(message("null"), b"");
        assert_eq!(message(r#"["one","two"]"#), b"one");
        assert_eq!(message(r#"[[1,2],"two",[3]]"#), b"\x01\x02");
        assert_eq!(message("[]"), b"");
    }

    #[test]
    fn refuses_the_rest() {
        for json in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"__CURSOR":"c"}"#,
            r#"{"__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"x"}"#,
            r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":[256]}"#,
            r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":{"a":1}}"#,
            r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1"} x"#,
        ] {
            assert!(JournalEntry::parse(json.as_bytes()).is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert!(JournalEntry::parse(deep.as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(json: Vec<u8>) {
            let _ = JournalEntry::parse(&json);
        }
    }
}
