//! knockd.conf.

use sereno_config::{Document, Problem, knockd};
use sereno_core::door::{Deed, Knocks, MOST_HITS, Manner, Sequences};
use sereno_core::time::Time;

/// A knockd.conf and, behind a zero, a file of one-time sequences. What holds for any: problems are
/// at places that there are, in order, and can be shown; reading again says the same; a door has a
/// sequence, and can be knocked at; the places of one-time sequences are beginnings of lines.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, once) = text.split_once('\0').unwrap_or((text, ""));
    let document = Document { name: "knockd.conf".to_owned(), text: text.to_owned() };
    let file = |path: &str| path.starts_with('/').then(|| once.to_owned());
    let outcome = knockd::read(&document, &file);
    let places: Vec<_> = outcome.problems.iter().map(|problem| place(problem, text)).collect();
    assert!(places.is_sorted());
    for section in &outcome.doors {
        match &section.door.sequences {
            Sequences::Fixed(sequence) => {
                assert!((1..=MOST_HITS).contains(&sequence.hits().len()));
            }
            Sequences::Once(list) => {
                let places = section.once.as_ref().map(|once| once.places.as_slice()).unwrap_or(&[]);
                assert_eq!(places.len(), list.len());
                assert!(!list.is_empty());
                let begins = |at: &usize| *at == 0 || once.as_bytes()[*at - 1] == b'\n';
                assert!(places.iter().all(begins));
            }
            Sequences::Timed(_) => unreachable!("knockd has none"),
        }
        let start = &section.door.v4.start;
        assert!(matches!(start, Deed::Nothing | Deed::Run(_)) || text.contains("ACCEPT"));
        assert!(text.lines().nth(section.line - 1).is_some_and(|line| line.contains('[')));
    }
    let again = knockd::read(&document, &file);
    assert_eq!((&again.doors, &again.problems), (&outcome.doors, &outcome.problems));
    let doors: Vec<_> = outcome.doors.into_iter().map(|section| section.door).collect();
    if doors.len() <= 1000 {
        assert!(Knocks::new(doors, [], Manner::Strict, Time(0)).is_ok());
    }
}

/// Where a problem is: line and column, both there.
fn place(problem: &Problem, text: &str) -> (usize, usize) {
    assert!(problem.line >= 1 && problem.column >= 1);
    let line = text.split('\n').nth(problem.line - 1);
    let room = line.map(|line| line.chars().count() + 1);
    assert!(room.is_some_and(|room| problem.column <= room), "{problem:?} is not in the text");
    assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
    let shown = problem.to_string();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    (problem.line, problem.column)
}
