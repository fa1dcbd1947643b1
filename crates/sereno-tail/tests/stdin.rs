//! Lines from a pipe.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod common;

use common::Seen;
use proptest::prelude::*;
use sereno_core::time::Time;
use sereno_tail::{Notice, Stdin};
use std::io::{PipeWriter, Write};

fn pipe(cap: usize) -> (Stdin, PipeWriter) {
    let (read, write) = std::io::pipe().unwrap();
    (Stdin::new(read.into(), cap, 1024 * 1024).unwrap(), write)
}

#[test]
fn waits_for_newlines_and_ends() {
    let (mut stdin, mut writer) = pipe(8192);
    let (mut seen, now) = (Seen::default(), Time::from_secs(1));
    assert!(!stdin.wake(now, &mut seen));
    for (text, want) in [("on", vec![]), ("e\ntwo\nthr", vec!["one", "two"]), ("ee", vec![])] {
        writer.write_all(text.as_bytes()).unwrap();
        stdin.wake(now, &mut seen);
        assert_eq!(seen.take(), want);
    }
    drop(writer);
    stdin.wake(now, &mut seen);
    assert_eq!(seen.take(), ["three"]);
    assert!(stdin.has_ended());
    assert!(seen.has(|n| matches!(n, Notice::Ended { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_cutting_of_the_input_gives_the_same_lines(
        lines in prop::collection::vec("[a-z]{0,60}", 0..50),
        sizes in prop::collection::vec(1usize..200, 1..10),
    ) {
        let (mut stdin, mut writer) = pipe(40);
        let mut seen = Seen::default();
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let (mut at, mut turn) = (0, 0);
        while at < text.len() {
            let to = (at + sizes[turn % sizes.len()]).min(text.len());
            writer.write_all(&text.as_bytes()[at..to]).unwrap();
            stdin.wake(Time::from_secs(1), &mut seen);
            (at, turn) = (to, turn + 1);
        }
        // A line that is cut ends in a NUL: its end is not its writer's to choose.
        let shown = |line: &String| if line.len() > 40 { format!("{}\0", &line[..39]) } else { line.clone() };
        let want: Vec<String> = lines.iter().map(shown).collect();
        prop_assert_eq!(seen.take(), want);
    }
}
