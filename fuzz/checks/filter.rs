//! Lines through filters as fail2ban's are: prefix, sessions, several lines together.

use jiff::tz::TimeZone;
use sereno_core::addr::{Prefix, parse_addr};
use sereno_core::filter::date::{Detector, Zone};
use sereno_core::filter::{Filter, Manner, Scan, Spec, Who};
use sereno_core::time::Time;
use std::sync::Arc;

/// 2026-11-22T18:00:00Z.
const NOW: Time = Time(1_795_370_400_000_000);

const GATE: &str = r"^<F-MLFID>\S* ?gated\[\d+\]</F-MLFID>: (?:warn: )?<F-CONTENT>.+</F-CONTENT>$";

thread_local! {
    static FILTERS: Vec<Arc<Filter>> = filters();
}

/// Filters with everything that stock ones have, in words of our own.
fn filters() -> Vec<Arc<Filter>> {
    let zone = || Zone::machine(TimeZone::UTC);
    let dates = |pattern| Detector::new(pattern, zone(), NOW).map(Arc::new);
    let (usual, own) = (dates(None), dates(Some("{^LN-BEG}%Y-%m-%d %H:%M:%S")));
    let specs = [
        Spec {
            prefregex: Some(GATE),
            failregex: vec![
                r"^<F-NOFAIL>hello</F-NOFAIL> from <HOST>$",
                r"^wrong word of <F-USER>.*</F-USER> from <HOST>(?: at \d+)?$",
                r"^wrong word(?: of <F-ALT_USER>\S+</F-ALT_USER>)?$",
                r"^<F-MLFFORGET>bye</F-MLFFORGET>(?: <HOST>)?$",
                r"^<F-MLFFORGET><F-MLFGAINED>in</F-MLFGAINED></F-MLFFORGET> as <F-USER>\S+</F-USER> from <ADDR>$",
            ],
            ignoreregex: vec![r"of friend from"],
            maxlines: 1,
            names: true,
        },
        Spec {
            failregex: vec![
                r"^\s*open <F-ID>\d+</F-ID>$<SKIPLINES>^\s*shut (?P=fid) by <HOST>$",
                r"^\s*knock <SUBNET>$",
            ],
            maxlines: 4,
            names: false,
            ..Spec::default()
        },
        Spec {
            failregex: vec![
                r#"^(?:\[\])?\s*client <HOST>(:\d{1,5})? (?P<q>["']).*(?P=q) denied\b(?!ly)"#,
                r"(?i)^\s*\[?refused\]? <IP6>|<IP4> refused(?<!not refused)$",
                r"name=<DNS> <F-ID>\S+</F-ID>",
            ],
            ignoreregex: vec!["^$", r"\bquiet\b"],
            names: true,
            ..Spec::default()
        },
    ];
    let dates = [&usual, &usual, &own];
    let made = specs.iter().zip(dates).map(|(spec, dates)| {
        let dates = dates.as_ref().map_err(|wrong| format!("{wrong:?}"));
        dates.and_then(|dates| {
            Filter::compile(spec, Arc::clone(dates)).map_err(|w| format!("{w:?}"))
        })
    });
    let made: Result<Vec<_>, String> = made.collect();
    assert!(made.is_ok(), "{made:?}");
    made.unwrap_or_default().into_iter().map(Arc::new).collect()
}

/// Which filter, which line, which expression, and who.
type Seen = (usize, u64, usize, Who, Option<Time>);

/// What holds for any lines: an address that is accused stands in what was read; a guard, who
/// passes over most lines, finds what he finds who looks at all of them; and what was read in
/// pieces is what is read at once.
pub fn check(data: &[u8]) {
    let Some((&cut, lines)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(lines);
    let guard = seen(&[lines], Manner::Guard);
    for (_, _, _, who, when) in &guard {
        let Who::Prefix(prefix) = who else { continue };
        assert!(stands_in(*prefix, text.as_bytes()), "{prefix} is not in {text:?}");
        assert!(when.is_none_or(|when| when.secs() < 253_402_387_200));
    }
    let mut all = seen(&[lines], Manner::First);
    all.retain(|(_, _, _, who, _)| *who != Who::Pending);
    assert_eq!(guard, all, "with the gate, and without, of {text:?}");
    let at = lines.len() * usize::from(cut) / 256;
    let at = lines[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    assert_eq!(guard, seen(&[&lines[..at], &lines[at..]], Manner::Guard));
}

fn seen(blocks: &[&[u8]], manner: Manner) -> Vec<Seen> {
    FILTERS.with(|filters| {
        let mut scan = Scan::new();
        for filter in filters {
            scan.add_as(Arc::clone(filter), manner);
        }
        let mut all = Vec::new();
        for block in blocks {
            scan.read(block, NOW, &mut |place, one| {
                assert!(one.story.attempts() <= 64 && one.story.users.len() <= 64);
                all.push((place, one.number, one.regex, one.who.clone(), one.when));
            });
        }
        for place in 0..filters.len() {
            let counts = scan.counts(place);
            assert!(counts.matched <= counts.candidates);
            assert!(scan.waiting(place).count() <= 4);
        }
        all
    })
}

/// Whether an address of the network is there.
fn stands_in(prefix: Prefix, text: &[u8]) -> bool {
    let part = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    (0..text.len()).any(|from| {
        let longest = text[from..].iter().take(45).take_while(|b| part(b)).count();
        let found = |len| parse_addr(&text[from..from + len]);
        (2..=longest).filter_map(found).any(|addr| prefix.contains(addr))
    })
}
