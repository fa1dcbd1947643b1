//! Commands with blanks for what a packet asked for.
//!
//! What fills a blank is an address or a number that was read and is written anew, never a text
//! that somebody sent.

use std::net::IpAddr;

/// A command line with `$IP`, `$SRC`, `$PKT_SRC`, `$DST`, `$PORT`, `$PROTO` and `$TIMEOUT` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// What fills the blanks, for one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blank {
    /// To whom it is opened (`$IP`, `$SRC`).
    pub address: IpAddr,
    /// Who sent the packet (`$PKT_SRC`).
    pub source: IpAddr,
    /// Where he sent it (`$DST`).
    pub destination: IpAddr,
    /// The port (`$PORT`).
    pub port: u16,
    /// The number of its protocol (`$PROTO`): 6 for TCP, 17 for UDP.
    pub proto: u8,
    /// When it closes again, in seconds since 1970 (`$TIMEOUT`).
    pub until: i64,
}

impl Template {
    /// A command line as it is configured.
    #[must_use]
    pub fn new(line: &str) -> Self {
        Self(line.to_owned())
    }

    /// The line as it was configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line with its blanks filled.
    #[must_use]
    pub fn fill(&self, blank: &Blank) -> String {
        let mut out = String::with_capacity(self.0.len() + 32);
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let end = after.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            let (name, behind) = after.split_at(end.unwrap_or(after.len()));
            match blank.value(name) {
                Some(value) => out.push_str(&value),
                None => {
                    out.push('$');
                    out.push_str(name);
                }
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }
}

impl Blank {
    fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "IP" | "SRC" => self.address.to_string(),
            "PKT_SRC" => self.source.to_string(),
            "DST" => self.destination.to_string(),
            "PORT" => self.port.to_string(),
            "PROTO" => self.proto.to_string(),
            "TIMEOUT" => self.until.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_filled_and_nothing_else() {
        let blank = Blank {
            address: [192, 0, 2, 1].into(),
            source: [192, 0, 2, 2].into(),
            destination: [192, 0, 2, 3].into(),
            port: 22,
            proto: 6,
            until: 99,
        };
        let fill = |line: &str| Template::new(line).fill(&blank);
        let all = "/x $IP $SRC $PKT_SRC $DST $PORT/$PROTO $TIMEOUT";
        assert_eq!(fill(all), "/x 192.0.2.1 192.0.2.1 192.0.2.2 192.0.2.3 22/6 99");
        assert_eq!(fill("$ $HOME $$PORT$"), "$ $HOME $22$");
        assert_eq!(fill(""), "");
    }
}
