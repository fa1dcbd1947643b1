//! The quick ways held to the slow ones: gate and walk against the plain regex engine, on the
//! shipped rules' own samples, mutated.

use super::scan::{Behind, Ear, Hit, Scan};
use super::spec::{ExtensionSpec, Format, RuleSpec};
use super::{Rule, fast};
use crate::line::{Dates, Record, Style, parse};
use crate::time::Time;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

#[path = "../../tests/shipped/mod.rs"]
mod shipped;

struct Shipped {
    rule: Arc<Rule>,
    samples: Vec<String>,
}

static SHIPPED: LazyLock<Vec<Shipped>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for spec in shipped::rules() {
        let of = |p: &super::spec::PatternSpec| {
            p.matches.iter().map(|m| m.line.clone()).chain(p.reject.clone()).collect::<Vec<_>>()
        };
        let samples = spec.patterns.iter().flat_map(of).collect();
        all.push(Shipped { rule: Arc::new(Rule::compile(&spec).unwrap()), samples });
    }
    all
});

/// A sample with pieces cut out, doubled, or taken from another sample.
fn mutated() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let edits = proptest::collection::vec((any::<u16>(), any::<u16>(), 0u8..6, any::<u8>()), 0..4);
    (any::<u16>(), any::<u16>(), any::<u16>(), edits).prop_map(|(rule, one, other, edits)| {
        let index = usize::from(rule) % SHIPPED.len();
        let shipped = &SHIPPED[index];
        let pick = |n: u16| shipped.samples[usize::from(n) % shipped.samples.len()].as_bytes();
        let (mut line, donor) = (pick(one).to_vec(), pick(other));
        for (from, length, what, byte) in edits {
            let from = usize::from(from) % (line.len() + 1);
            let to = (from + usize::from(length) % 24).min(line.len());
            let piece: Vec<u8> = match what {
                0 => Vec::new(),
                1 => line[from..to].repeat(2),
                2 => donor[usize::from(length) % donor.len()..].iter().copied().take(40).collect(),
                3 => vec![byte],
                4 => b" from 192.0.2.66 port 22 ssh2".to_vec(),
                _ => b"\",RemoteAddress=\"IPV4/UDP/192.0.2.66/5060\"".to_vec(),
            };
            line.splice(from..to, piece);
        }
        line.retain(|b| *b != b'\n');
        (index, line)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_finds_what_the_engine_finds((index, line) in mutated()) {
        let record = parse(&line);
        for pattern in &SHIPPED[index].rule.patterns {
            let (walked, engine) = pattern.both(&record.text);
            if walked.is_some() {
                prop_assert_eq!(walked, engine, "{} on {:?}", &pattern.id, String::from_utf8_lossy(&line));
            }
            if engine.is_some() {
                let text = String::from_utf8_lossy(&line);
                prop_assert!(!pattern.lacks(&record.text), "{} on {:?}", &pattern.id, text);
            }
        }
    }

    #[test]
    fn the_gate_loses_nothing((index, line) in mutated()) {
        let rule = &SHIPPED[index].rule;
        let other: &[u8] = b"[Nov 22 15:22:38] VERBOSE[1] pbx.c: something else\n";
        let text = [other, &line, b"\n", other].concat();
        let mut hits = 0;
        let mut scan = Scan::new(vec![Arc::clone(rule)], Dates::new(TimeZone::UTC)).unwrap();
        scan.read(&text, Behind::Nothing, Time::default(), &mut |_| hits += 1);
        let record = parse(&line);
        let plain = rule.cares(&record)
            && rule.patterns.iter().any(|p| {
                (p.files.is_empty() || p.files.iter().any(|f| *f == record.file.as_ref()))
                    && p.find(&record.text, &mut None).is_some()
            });
        if plain {
            prop_assert!(hits > 0, "the gate lost {:?}", String::from_utf8_lossy(&line));
        }
    }

    /// What stood before a line changes nothing about it, whether the gate is asked or not.
    #[test]
    fn lines_that_begin_alike_are_read_as_each_alone(
        (index, line) in mutated(),
        others in proptest::collection::vec(any::<u16>(), 1..8),
        ahead: bool,
    ) {
        let Shipped { rule, samples } = &SHIPPED[index];
        let sample = |n: &u16| samples[usize::from(*n) % samples.len()].as_bytes();
        let lines: Vec<&[u8]> = others
            .iter()
            .map(|n| if n % 3 == 0 { line.as_slice() } else { sample(n) })
            .filter(|line| !line.contains(&b'\n'))
            .collect();
        // A line of Asterisk's may go on in the next.
        if rule.format == Format::Asterisk {
            return Ok(());
        }
        let read = |lines: &[&[u8]]| {
            let mut scan = Scan::new(vec![Arc::clone(rule)], Dates::new(TimeZone::UTC)).unwrap();
            let text = [lines.join(&b'\n'), b"\n".to_vec()].concat();
            let (now, mut heard) = (Time::default(), Heard::default());
            match ahead {
                true => scan.read_ahead(&text, Behind::Nothing, now, &mut heard),
                false => scan.read(&text, Behind::Nothing, now, &mut |hit| heard.hear(&hit)),
            };
            let counts = scan.counts();
            (heard.0, [counts.candidates, counts.hits, counts.unknown])
        };
        let (mut hits, mut counts) = (Vec::new(), [0; 3]);
        for line in &lines {
            let alone = read(&[line]);
            hits.extend(alone.0);
            counts.iter_mut().zip(alone.1).for_each(|(sum, one)| *sum += one);
        }
        prop_assert_eq!(read(&lines), (hits, counts));
    }
}

/// What was heard of each hit.
#[derive(Default)]
struct Heard(Vec<String>);

impl Ear for Heard {
    fn expect(&mut self, _: &mut [Hit<'_>]) {}

    fn hear(&mut self, hit: &Hit<'_>) {
        let line = String::from_utf8_lossy(hit.line);
        self.0.push(format!(
            "{} {:?} {:?} {line} {:?}",
            hit.pattern.id, hit.found, hit.when, hit.record
        ));
    }
}

#[test]
fn an_entry_of_the_journal_is_read_as_the_line_is() {
    let rule = SHIPPED.iter().find(|shipped| shipped.rule.name == "asterisk").unwrap();
    let mut scan = Scan::new(vec![Arc::clone(&rule.rule)], Dates::new(TimeZone::UTC)).unwrap();
    let text = "NOTICE[18600]: chan_sip.c:29062 in handle_request_register: Registration from \
                '<sip:100@198.51.100.16>' failed for '203.0.113.50:39749' - Wrong password";
    for (program, want) in [("asterisk", Some("203.0.113.50".parse().unwrap())), ("logger", None)] {
        let record = Record {
            program: program.as_bytes(),
            text: text.as_bytes().into(),
            style: Style::Syslog,
            ..Record::default()
        };
        let mut found = None;
        scan.read_record(&record, Time::default(), &mut |hit| found = hit.found.addr);
        assert_eq!(found, want, "{program}");
    }
}

#[test]
fn the_walk_takes_the_common_patterns() {
    let mut walked = 0;
    let mut all = 0;
    for shipped in SHIPPED.iter() {
        for sample in &shipped.samples {
            let record = parse(sample.as_bytes());
            for pattern in &shipped.rule.patterns {
                let (walk, engine) = pattern.both(&record.text);
                all += usize::from(engine.is_some());
                walked += usize::from(walk.is_some());
            }
        }
    }
    assert!(walked * 10 >= all * 7, "{walked} of {all}: the quick way became the rare one");
    assert_eq!(fast::UNSET.0, usize::MAX);
}
