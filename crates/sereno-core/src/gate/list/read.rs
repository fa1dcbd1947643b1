//! What others publish: plain lines, what `ipset save` prints, sets of nft, JSON.
//!
//! A page that says that a list is gone is no list: where too many lines are no addresses, nothing is
//! taken.

use super::{List, ends};
use crate::addr::{Prefix, parse_addr};
use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// Networks wider than this are mistakes, or aim at everybody: bits that IPv4 and IPv6 networks have
/// at least.
const WIDEST: (u8, u8) = (8, 16);
/// What no list shuts out, because it is nobody out there: private, shared, local and multicast
/// addresses (IANA's registries of special purpose addresses).
const NOBODY: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "255.255.255.255/32",
];
/// Keys under which JSON has addresses.
const KEYS: [&str; 14] = [
    "ip",
    "ips",
    "cidr",
    "address",
    "addr",
    "prefix",
    "network",
    "net",
    "subnet",
    "value",
    "ip_address",
    "ipAddress",
    "ip_prefix",
    "ipv6_prefix",
];
/// Depth of JSON at most.
const DEEPEST: usize = 16;

/// What of a text was not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Lines, or values, that are no addresses; and the first of them, cut short.
    pub unknown: usize,
    /// The first of them.
    pub first: String,
    /// Networks that are too wide to be meant.
    pub wide: usize,
    /// Addresses that are nobody out there.
    pub nobody: usize,
}

/// Networks that are nobody out there: private, shared, local and multicast addresses.
#[must_use]
pub fn nobody() -> Vec<Prefix> {
    NOBODY.iter().filter_map(|network| network.parse().ok()).collect()
}

/// What is being read.
struct Reader {
    ranges: Vec<(IpAddr, IpAddr)>,
    nobody: Vec<Prefix>,
    skipped: Skipped,
    most: usize,
    over: bool,
}

/// Reads a text of at most `most` entries. A `local` list may name private addresses: it lets in.
///
/// # Errors
/// A sentence: there is no address in it, one line of ten is none, or there are too many.
pub fn read(text: &str, most: usize, local: bool) -> Result<(List, Skipped), String> {
    let nobody = if local { Vec::new() } else { nobody() };
    let skipped = Skipped::default();
    let mut reader = Reader { ranges: Vec::new(), nobody, skipped, most, over: false };
    let start = text.trim_start();
    if start.starts_with('{') || start.starts_with('[') {
        reader.json(text)?;
    } else {
        reader.lines(text);
    }
    let Reader { ranges, nobody, skipped, over, .. } = reader;
    if over {
        return Err(format!("there are more than {most} entries in it"));
    }
    let taken = ranges.len() + skipped.wide + skipped.nobody;
    if skipped.unknown > taken / 10 {
        let (bad, all) = (skipped.unknown, taken + skipped.unknown);
        return Err(format!("{bad} of {all} lines are no addresses, such as: {}", skipped.first));
    }
    let list: List = ranges.into_iter().collect();
    // A wide range may have them in its middle.
    Ok((list.without(&nobody), skipped))
}

impl Reader {
    fn lines(&mut self, text: &str) {
        let mut within = false;
        for line in text.lines() {
            let line = bare(line);
            if line.is_empty() || self.over {
                continue;
            }
            if let Some(rest) = line.strip_prefix("add ") {
                // `add NAME ADDRESS ...` of ipset; `add element ... { ... }` of nft.
                match rest.split_once('{') {
                    Some((_, elements)) => within = self.elements(elements),
                    None if !rest.starts_with("element ")
                        && !rest.starts_with("set ")
                        && !rest.starts_with("table ") =>
                    {
                        self.one(rest.split_whitespace().nth(1).unwrap_or_default());
                    }
                    None => {}
                }
            } else if let Some((head, elements)) = line.split_once('{').filter(|_| !within) {
                within = head.trim_end().ends_with('=') && self.elements(elements);
            } else if within {
                within = self.elements(line);
            } else if !is_frame(line) {
                // What stands behind a comma or a semicolon is said about the address.
                let first = line.split([',', ';', ' ', '\t', '|']).find(|word| !word.is_empty());
                let spaced =
                    line.split_once(" - ").map(|(a, b)| format!("{}-{}", a.trim(), first_word(b)));
                self.one(spaced.as_deref().or(first).unwrap_or_default());
            }
        }
    }

    /// Elements of a set of nft; whether more follow.
    fn elements(&mut self, text: &str) -> bool {
        let (elements, more) = text.split_once('}').map_or((text, true), |(head, _)| (head, false));
        for element in elements.split(',').map(str::trim).filter(|element| !element.is_empty()) {
            self.one(first_word(element));
        }
        more
    }

    /// JSON: one value, or one after the other. Nothing of it is kept but addresses.
    fn json(&mut self, text: &str) -> Result<(), String> {
        let mut values = serde_json::Deserializer::from_str(text);
        while values.end().is_err() {
            let walk = Walk { reader: self, named: true, depth: 0 };
            walk.deserialize(&mut values).map_err(|error| format!("broken JSON: {error}"))?;
        }
        Ok(())
    }

    /// An address, a network, or a range.
    fn one(&mut self, text: &str) {
        let text = text.trim_matches(['"', '\'', '[', ']']);
        let ends = range(text);
        match ends {
            None => self.unknown(text),
            Some((first, last)) if is_wide(first, last) => self.skipped.wide += 1,
            Some((first, last)) if self.is_nobody(first, last) => self.skipped.nobody += 1,
            Some(_) if self.ranges.len() >= self.most => self.over = true,
            Some(ends) => self.ranges.push(ends),
        }
    }

    fn is_nobody(&self, first: IpAddr, last: IpAddr) -> bool {
        self.nobody.iter().any(|net| net.contains(first) || net.contains(last))
    }

    fn unknown(&mut self, text: &str) {
        if self.skipped.unknown == 0 {
            self.skipped.first = text.chars().filter(|c| !c.is_control()).take(60).collect();
        }
        self.skipped.unknown += 1;
    }
}

/// A value of JSON that is walked and not kept. `named`: the key over it says that it is an address.
struct Walk<'r> {
    reader: &'r mut Reader,
    named: bool,
    depth: usize,
}

impl Walk<'_> {
    fn within(&mut self, named: bool) -> Walk<'_> {
        Walk { reader: self.reader, named, depth: self.depth + 1 }
    }

    fn too_deep<E: de::Error>(&self) -> Result<(), E> {
        if self.depth > DEEPEST { Err(E::custom("too deep")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of addresses")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.named && !self.reader.over {
            self.reader.one(text.trim());
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        self.too_deep()?;
        let named = self.named;
        while values.next_element_seed(self.within(named))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.too_deep()?;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let known = KEYS.contains(&key.as_ref()) || key.ends_with("_prefix");
            map.next_value_seed(self.within(known))?;
        }
        Ok(())
    }
}

/// A line without its remark.
fn bare(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}').trim();
    let end = line.find(['#', ';']).unwrap_or(line.len());
    let line = line[..end].trim_end();
    if line.starts_with("//") { "" } else { line }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// Lines around the addresses of a set: of ipset and of nft.
fn is_frame(line: &str) -> bool {
    let words = [
        "create ",
        "flush",
        "table ",
        "set ",
        "type ",
        "flags ",
        "auto-merge",
        "chain ",
        "define ",
        "delete ",
        "COMMIT",
        "}",
        "timeout ",
        "size ",
        "policy ",
    ];
    words.iter().any(|word| line.starts_with(word))
}

fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) =
            (parse_addr(first.trim().as_bytes())?, parse_addr(last.trim().as_bytes())?);
        return (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last));
    }
    text.parse::<Prefix>().ok().map(ends)
}

fn is_wide(first: IpAddr, last: IpAddr) -> bool {
    match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            u64::from(b.to_bits() - a.to_bits()) >= 1 << (32 - WIDEST.0)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => b.to_bits() - a.to_bits() >= 1 << (128 - WIDEST.1),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        let (list, _) = read(text, 1000, false).unwrap();
        list.ranges()
            .map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") })
            .collect()
    }

    #[test]
    fn forms_that_are_published() {
        let same = ["192.0.2.1", "198.51.100.0-198.51.100.255", "2001:db8::1"];
        for text in [
            "# list\n192.0.2.1\n198.51.100.0/24 ; SBL1\n2001:db8::1\n",
            "192.0.2.1,botnet,2026-01-01\r\n198.51.100.0 - 198.51.100.255\r\n2001:db8::1\r\n",
            "create bad hash:net family inet\nadd bad 192.0.2.1 timeout 0\nadd bad 198.51.100.0/24\nadd bad 2001:db8::1\n",
            "table inet x {\n  set bad {\n    type ipv4_addr\n    flags interval\n    elements = { 192.0.2.1, 198.51.100.0/24,\n 2001:db8::1 timeout 1h }\n  }\n}\n",
            "add element inet x bad { 192.0.2.1, 198.51.100.0-198.51.100.255, 2001:db8::1 }\n",
            r#"["192.0.2.1", "198.51.100.0/24", "2001:db8::1"]"#,
            r#"{"made": "2026-01-01", "prefixes": [{"ip_prefix": "192.0.2.1/32", "region": "x"}, {"cidr": "198.51.100.0/24"}, {"ipv6_prefix": "2001:db8::1/128"}]}"#,
            "{\"cidr\":\"192.0.2.1\",\"sblid\":\"1\"}\n{\"cidr\":\"198.51.100.0/24\"}\n{\"ip\":\"2001:db8::1\"}\n{\"type\":\"metadata\"}\n",
        ] {
            assert_eq!(found(text), same, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let page = "<!DOCTYPE html>\n<html><body>\n<p>404, your address is 192.0.2.1</p>\n</body></html>\n";
        let why = read(page, 10, false).unwrap_err();
        assert!(why.starts_with("4 of 4 lines are no addresses"), "{why}");
        assert_eq!(
            read("192.0.2.1\n192.0.2.3\n", 1, false).unwrap_err(),
            "there are more than 1 entries in it"
        );
        // What breaks off is not half a list, and nobody's depth or size is ours.
        for broken in
            ["[\"192.0.2.1\", \"192.0.2.2", "{\"ip\": \"192.0.2.1\"} x", &"[".repeat(100_000), "[1"]
        {
            assert!(
                read(broken, 10, false).unwrap_err().starts_with("broken JSON"),
                "{broken:.40}"
            );
        }
        let ones = format!("[{}\"192.0.2.1\"]", "1,".repeat(1_000_000));
        assert_eq!(read(&ones, 10, false).unwrap().0.len(), 1);
        // Nothing is a list, too: nobody is bad today.
        assert_eq!(read("# none\n", 1, false), Ok((List::default(), Skipped::default())));
        let (list, skipped) =
            read("0.0.0.0/0\n10.1.2.3\n127.0.0.1\n::/0\nfe80::1\n192.0.2.1", 10, false).unwrap();
        assert_eq!((list.len(), skipped.wide, skipped.nobody), (1, 2, 3));
        let (list, skipped) = read("10.1.2.3\n192.168.0.0/24", 10, true).unwrap();
        assert_eq!((list.len(), skipped.nobody), (2, 0));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,300}", words in prop::collection::vec(prop::sample::select(vec![
            "192.0.2.1", "/24", "-", "::", "add x ", "element ", "{", "}", "elements = {", ",", "\n", "\"", "[", "]", "{\"ip\":", "#", ";",
        ]), 0..40)) {
            let _ = read(&text, 10, false);
            let _ = read(&words.concat(), 10, true);
        }
    }
}
