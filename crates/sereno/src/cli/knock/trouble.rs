//! What went wrong, for people.

use crate::cli::failure::{Failure, reason};
use crate::cli::paint::safe;
use crate::words;
use sereno_config::{Problem, Severity};
use sereno_knock::Trouble;

/// The sentence and exit code of a trouble.
pub(super) fn failure(trouble: &Trouble) -> Failure {
    let message = match trouble {
        Trouble::NoAddress { host, why: Some(why) } => {
            words::knock_unknown_host(safe(host), reason(why))
        }
        Trouble::NoAddress { host, why: None } => words::knock_no_address(safe(host)),
        Trouble::Knock { hit, why } => words::knock_not_knocked(hit, reason(why)),
        Trouble::Send { port, why } => words::knock_not_knocked(format!("udp/{port}"), reason(why)),
        Trouble::Packet(bad) => words::knock_unsayable(bad),
        Trouble::NoPort => words::knock_no_port(),
        Trouble::Random(why) => words::knock_no_random(why),
        Trouble::Clock => words::knock_no_clock(),
        Trouble::File { path, why } => return Failure::file(path, why),
        Trouble::Open { path, mode } => {
            words::knock_file_open(path.display(), format!("{mode:03o}"))
        }
    };
    Failure::refused(message)
}

/// A file that has errors in it.
pub(super) fn unusable(problems: &[Problem]) -> Failure {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let said: Vec<String> = errors.map(ToString::to_string).collect();
    Failure::refused(said.join("\n"))
}
