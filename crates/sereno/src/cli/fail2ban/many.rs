//! Asking, when the question or the answer is longer than a frame.

use crate::cli::failure::Failure;
use crate::cli::talk::{Talk, unexpected};
use sereno_fail2ban::client::Command;
use sereno_wire::control::{Ask, Reply};

/// Bytes of words in one question. In JSON they are about as many, and a frame has twice the room.
const ROOM: usize = 32 << 10;

/// Standard output, standard error, and the exit code.
type Said = (String, String, u8);

/// Asks. A list of addresses, of which scripts give thousands at once, goes in several questions,
/// and the numbers that come back are added.
pub(super) fn ask(
    mut talk: Talk,
    command: Option<&Command>,
    words: &[String],
) -> Result<Said, Failure> {
    let head = match command {
        Some(Command::Ban { .. } | Command::UnbanJail { report_absent: false, .. }) => 3,
        Some(Command::Unban(_)) => 1,
        _ => words.len(),
    };
    let (head, ids) = words.split_at(head.min(words.len()));
    let mut rest = ids;
    let mut total = 0;
    loop {
        let (some, others) = rest.split_at(fitting(rest));
        let said = heard(&mut talk, [head, some].concat())?;
        rest = others;
        let number = said.0.trim_end().parse::<u64>();
        match number {
            Ok(number) if said.2 == 0 && some.len() < ids.len() => total += number,
            // All at once, or something went wrong.
            _ => return Ok(said),
        }
        if rest.is_empty() {
            return Ok((format!("{total}\n"), String::new(), 0));
        }
    }
}

/// How many words fit into a question, at least one.
fn fitting(words: &[String]) -> usize {
    let mut room = ROOM;
    let fits = |word: &&String| {
        let size = word.len() + 3;
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    words.iter().take_while(fits).count().max(1).min(words.len())
}

/// Asks one question, and puts the frames of the answer together.
fn heard(talk: &mut Talk, words: Vec<String>) -> Result<Said, Failure> {
    let mut reply = talk.ask(Ask::Fail2ban { words })?;
    let (mut all_out, mut all_err) = (String::new(), String::new());
    loop {
        let Reply::Fail2ban { out, err, code, more } = reply else { return Err(unexpected()) };
        all_out += &out;
        all_err += &err;
        if !more {
            return Ok((all_out, all_err, code));
        }
        reply = talk.hear()?;
    }
}
