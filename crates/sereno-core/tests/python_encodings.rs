//! Encodings beside Python itself: every name it knows, and every byte.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test asks the real program"
)]

use sereno_core::filter::{Encoding, Named};
use std::process::Command;

/// Prints each name that is an encoding of text, and what it makes of the bytes from 0 to 255, each
/// alone, as numbers.
const PYTHON: &str = r"
import codecs, encodings, encodings.aliases as aliases, pkgutil
names = set(aliases.aliases) | {m.name for m in pkgutil.iter_modules(encodings.__path__)}
names |= {'latin-1', 'L1', 'ISO-8859-15', 'iso8859-15', 'Windows-1252', 'CP1252', 'US-ASCII', 'UTF8'}
for name in sorted(names):
    try:
        codec = codecs.lookup(name)
        if not codec._is_text_encoding: continue
        chars = [bytes([b]).decode(name, 'replace') for b in range(256)]
    except Exception: continue
    print(name, ','.join('.'.join(str(ord(c)) for c in s) for s in chars), sep='\t')
";

#[test]
fn names_and_bytes_are_python_s() {
    let output = match Command::new("python3").args(["-c", PYTHON]).output() {
        Ok(output) => output,
        Err(e) => return println!("skipped: python3: {e}"),
    };
    assert!(output.status.success(), "{output:?}");
    let (mut known, mut others) = (0, Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (name, chars) = line.split_once('\t').unwrap();
        let Named::Known(encoding) = Encoding::named(name) else {
            others.push(name.to_owned());
            continue;
        };
        known += 1;
        let theirs: Vec<String> = chars
            .split(',')
            .map(|one| {
                let number = |c: &str| char::from_u32(c.parse().unwrap()).unwrap();
                one.split('.').filter(|c| !c.is_empty()).map(number).collect()
            })
            .collect();
        for (byte, theirs) in (0..=255u8).zip(theirs) {
            assert_eq!(encoding.text(&[byte]), theirs, "{name}, byte {byte:#x}");
        }
    }
    println!("{known} names known, not read: {others:?}");
    assert!(known > 100, "{known}");
    for wide in ["utf_16", "utf_32_be", "utf_7", "cp037", "gbk"] {
        assert!(others.iter().any(|other| other == wide), "{wide}");
    }
}
