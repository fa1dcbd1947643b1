//! Values that fail2ban takes as they are, and stumbles over later.

use crate::near;
use crate::paste;
use crate::problem::{Wrong, quote};
use crate::text::Text;
use std::net::{Ipv4Addr, Ipv6Addr};

const USEDNS: [&str; 4] = ["yes", "warn", "no", "raw"];
const BACKENDS: [&str; 5] = ["auto", "polling", "pyinotify", "systemd", "gamin"];
/// The letters that may follow `%` in a date pattern: Python's `strptime`, `%k` and `%l` for
/// hours with a blank, and `%E` with `x` and a letter for exactly as many digits.
const DATE: &str = "aAbBcdfGHIjklmMpSuUVwWxXyYzZ+%";
const EXACT: &str = "dHIjklmMSyYzZ";

/// What to add to a remedy if something else than the value is in it.
pub(crate) fn remark(value: &Text) -> &'static str {
    match value.as_str() {
        text if text.contains('#') || text.contains("//") => {
            "; a remark stands behind a ; with a blank before it, not behind #"
        }
        text if paste::bent(text) => "; these quotes are typographic, and none are needed",
        text if text.contains('\n') => "; the lines below it are indented, so they belong to it",
        _ => "",
    }
}

pub(crate) fn usedns(value: &Text) -> Option<Wrong> {
    let text = value.as_str();
    if USEDNS.contains(&text.to_lowercase().as_str()) {
        return None;
    }
    let message =
        format!("{} is nothing that usedns can be; fail2ban takes it for no", quote(text));
    Some(Wrong::of(value, message, format!("write one of {}", USEDNS.join(", "))))
}

pub(crate) fn backend(value: &Text) -> Option<Wrong> {
    let name = value.as_str().split('[').next().unwrap_or("").trim_end();
    if name.is_empty() || BACKENDS.contains(&name) {
        return None;
    }
    let remedy = match near::nearest(name, BACKENDS) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write one of {}", BACKENDS.join(", ")),
    };
    Some(Wrong::of(value, format!("there is no backend {}", quote(name)), remedy))
}

/// A `%` in a date pattern that means nothing.
pub(crate) fn datepattern(value: &Text) -> Option<Wrong> {
    let text = value.as_str();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '%' {
            continue;
        }
        let rest = text.get(at + 1..).unwrap_or("");
        let length = match rest.strip_prefix("Ex") {
            Some(exact) if exact.starts_with(|c| EXACT.contains(c)) => 3,
            _ if rest.starts_with(|c| DATE.contains(c)) => 1,
            _ => {
                let message = format!(
                    "{} stands for no part of a date",
                    quote(&text[at..].chars().take(2).collect::<String>())
                );
                let remedy = "write %%Y, %%m, %%d, %%H, %%M, %%S, %%b, %%z, ... (strptime)";
                return Some(Wrong::new(value.place(at), 2, message, remedy));
            }
        };
        // All of it is ASCII.
        chars.nth(length - 1);
    }
    None
}

/// A word of `ignoreip` that can be neither an address nor a network nor a name.
pub(crate) fn ignored(word: &Text) -> Option<Wrong> {
    let text = word.as_str();
    if text.starts_with("file:") || network(text) {
        return None;
    }
    let numeric = |c: char| c.is_ascii_digit() || c == '.' || c == '/';
    let address = text.contains(':') || text.chars().all(numeric);
    let name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !address && text.chars().all(name) {
        return None;
    }
    let message = match text.contains('/') || address {
        true => format!("{} is no address and no network", quote(text)),
        false => format!("{} is no address, no network and no name of a host", quote(text)),
    };
    let remedy = if text.starts_with('#') || text.starts_with("//") {
        "a remark stands behind a ; with a blank before it, not behind #"
    } else if paste::bent(text) {
        "write it without quotes, with blanks or commas between several"
    } else {
        "write 192.0.2.7, 192.0.2.0/24, 2001:db8::/32 or host.example.org"
    };
    Some(Wrong::of(word, message, remedy))
}

/// An address, or one with a prefix or netmask.
fn network(text: &str) -> bool {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    let length =
        |most: u8| mask.is_none_or(|mask| mask.parse::<u8>().is_ok_and(|length| length <= most));
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    if address.parse::<Ipv4Addr>().is_ok() {
        return length(32) || mask.is_some_and(|mask| mask.parse::<Ipv4Addr>().is_ok());
    }
    address.parse::<Ipv6Addr>().is_ok()
        && (length(128) || mask.is_some_and(|mask| mask.parse::<Ipv6Addr>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_slips() {
        for good in [
            "127.0.0.1",
            "10.0.0.0/8",
            "10.0.0.0/255.0.0.0",
            "::1",
            "2001:db8::/32",
            "host.example.org",
            "localhost",
            "file:/etc/x",
            "fe80::/10",
            "MSK-X_1",
        ] {
            assert_eq!(ignored(&Text::plain(good)), None, "{good}");
        }
        for bad in [
            "999.1.1.1/99",
            "1.2.3.4/33",
            "1.2.3",
            "::1/129",
            "host/24",
            "“::1”",
            "#",
            "a@b",
            "::g",
        ] {
            assert!(ignored(&Text::plain(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn date_patterns_are_looked_at() {
        for good in ["{^LN-BEG}", "%Y-%m-%d %H:%M:%S(?:\\.%f)?", "%ExY%Exm", "^x %%", ""] {
            assert_eq!(datepattern(&Text::plain(good)), None, "{good}");
        }
        for bad in ["%Q", "a%", "%Y %é", "%ExQ"] {
            assert!(datepattern(&Text::plain(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn words_that_are_almost_right_are_named() {
        assert!(backend(&Text::plain("systemd[journalflags=1]")).is_none());
        assert!(
            backend(&Text::plain("poling")).is_some_and(|wrong| wrong.remedy.contains("polling"))
        );
        assert!(usedns(&Text::plain("maybe")).is_some_and(|wrong| wrong.remedy.contains("raw")));
    }
}
