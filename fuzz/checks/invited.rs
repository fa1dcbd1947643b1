//! The file of a door that somebody was invited to.

use sereno_config::invited::{Knock, is_host, read_invited};
use sereno_config::{Document, Severity};

/// What holds for any text: it is a door or has an error; problems can be shown; a door can be knocked
/// at, its host can stand in a command line, and what is written of it is read as the same.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = |text: &str| {
        read_invited(&Document { name: "office.toml".to_owned(), text: text.to_owned() })
    };
    let (door, problems) = read(text);
    for problem in &problems {
        assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
        let shown = problem.to_string();
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.len() < 4096, "{}", shown.len());
    }
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(door.is_none(), errors);
    let Some(door) = door else { return };
    assert!(is_host(&door.host));
    match &door.knock {
        Knock::Fixed { sequence, .. } => assert!(sequence.hits().iter().all(|hit| hit.port > 0)),
        Knock::Timed(timed) => {
            assert!(timed.timed().is_ok_and(|timed| timed.sequence(7).is_some()));
        }
    }
    let (again, problems) = read(&door.render());
    assert_eq!((again, problems.len()), (Some(door), 0));
}
