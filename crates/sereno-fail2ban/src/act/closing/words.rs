//! The commands of a script as words with their variables filled in, as far as the stock files of
//! fail2ban use them: loops over a list that `echo` and `sed` make, and simple assignments.

use crate::act::script::Taken;
use crate::act::shell::{Command, PRINTED, VAR, VAR_END, Word};
use std::collections::BTreeMap;

/// Values of a loop at most.
const MOST: usize = 64;

type Values = BTreeMap<String, Vec<String>>;

/// One command as it would run: words, and the files of its redirections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) words: Vec<String>,
    pub(super) files: Vec<String>,
    /// Whether all words that matter are known; others are a `?`.
    pub(super) known: bool,
}

/// The commands of a script that stand in no substitution, in their order, once for each value of
/// the loop around them.
pub(super) fn runs(taken: &Taken) -> Vec<Run> {
    let mut values = Values::new();
    let mut runs = Vec::new();
    for command in taken.parsed.commands.iter().filter(|command| command.parent.is_none()) {
        if command.words.first().is_some_and(|word| word.text == "for") {
            let list = loop_values(command, taken, &values);
            let name = command.words.get(1).map_or("", |word| word.text.as_str());
            values.insert(name.to_owned(), list.unwrap_or_default());
        } else if command.words.is_empty() {
            for (name, word) in &command.assignments {
                let value = resolve(word, taken, &values, None);
                values.insert(name.clone(), value.into_iter().collect());
            }
        } else {
            run(command, taken, &values, &mut runs);
        }
    }
    runs
}

fn loop_values(command: &Command, taken: &Taken, values: &Values) -> Option<Vec<String>> {
    let mut list = Vec::new();
    for word in command.words.iter().skip(3) {
        let text = resolve(word, taken, values, None)?;
        list.extend(text.split_whitespace().map(ToOwned::to_owned));
    }
    (list.len() <= MOST).then_some(list)
}

fn run(command: &Command, taken: &Taken, values: &Values, runs: &mut Vec<Run>) {
    let named = |word: &Word| {
        let loops = values.iter().filter(|(_, list)| list.len() > 1);
        let mut names = loops.map(|(name, _)| name.clone());
        names.find(|name| word.text.contains(&format!("{VAR}{name}{VAR_END}")))
    };
    let name = command.words.iter().find_map(named);
    let turns: Vec<Option<(String, String)>> =
        match name.and_then(|name| values.get_key_value(&name)) {
            Some((name, list)) => list.iter().map(|v| Some((name.clone(), v.clone()))).collect(),
            None => vec![None],
        };
    for turn in turns {
        let turn = turn.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        let resolved = |word: &Word| resolve(word, taken, values, turn);
        let mut run = Run { words: Vec::new(), files: Vec::new(), known: true };
        for word in &command.words {
            let value = resolved(word);
            let matters = run.words.last().is_none_or(|before| before != "--log-prefix");
            run.known &= value.is_some() || !matters;
            run.words.push(value.unwrap_or_else(|| "?".to_owned()));
        }
        for (_, word) in &command.files {
            run.files.push(resolved(word).unwrap_or_else(|| "?".to_owned()));
        }
        runs.push(run);
    }
}

/// A word with its expansions filled in; `turn` is a variable's value in this turn of a loop.
fn resolve(
    word: &Word,
    taken: &Taken,
    values: &Values,
    turn: Option<(&str, &str)>,
) -> Option<String> {
    let mut out = String::new();
    let mut chars = word.text.chars();
    while let Some(c) = chars.next() {
        match c {
            VAR => {
                let name: String = chars.by_ref().take_while(|c| *c != VAR_END).collect();
                match turn.filter(|(known, _)| *known == name) {
                    Some((_, value)) => out.push_str(value),
                    None => match values.get(&name)?.as_slice() {
                        [value] => out.push_str(value),
                        _ => return None,
                    },
                }
            }
            PRINTED if word.text.matches(PRINTED).count() == 1 => {
                out.push_str(&printed(word, taken, values, turn)?);
            }
            PRINTED => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

/// What `echo ... | sed ...` prints.
fn printed(
    word: &Word,
    taken: &Taken,
    values: &Values,
    turn: Option<(&str, &str)>,
) -> Option<String> {
    let mut text: Option<String> = None;
    for id in &word.prints {
        let command = taken.parsed.commands.get(*id)?;
        let words = command.words.iter().map(|word| resolve(word, taken, values, turn));
        let words: Vec<String> = words.collect::<Option<_>>()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        text = Some(match (text, words.as_slice()) {
            (None, ["echo", rest @ ..]) => rest.join(" "),
            (Some(text), ["sed", script]) => replaced(&text, script)?,
            (Some(text), ["tr", from, to]) => {
                let to = to.chars().last().filter(|_| !from.contains(['[', '-', '\\']))?;
                text.chars().map(|c| if from.contains(c) { to } else { c }).collect()
            }
            _ => return None,
        });
    }
    text
}

/// What `s/x/y/g` makes of a text, if `x` means nothing special.
fn replaced(text: &str, script: &str) -> Option<String> {
    let mut parts = script.strip_prefix("s/")?.split('/');
    let (from, to, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let special = |text: &str| text.contains(['\\', '.', '*', '[', '^', '$', '&']);
    let clear = parts.next().is_none() && flags == "g" && !from.is_empty();
    (clear && !special(from) && !special(to)).then(|| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::script::take;
    use crate::text::Text;

    fn shown(text: &str) -> Vec<String> {
        let taken = take(&Text::plain(text)).unwrap_or_else(|_| panic!("{text}"));
        let shown = |run: Run| if run.known { run.words.join(" ") } else { "?".to_owned() };
        runs(&taken).into_iter().map(shown).collect()
    }

    #[test]
    fn loops_and_lists_are_followed() {
        let text = "for p in $(echo 'tcp,udp' | sed 's/,/ /g'); do\n { a -p $p; } || b\ndone";
        assert_eq!(shown(text), ["a -p tcp", "a -p udp", "b"]);
        let text = "x='1:2,3'; for p in $(echo $x | tr ', ' ' '); do a \"p=$p\"; done";
        assert_eq!(shown(text), ["a p=1:2", "a p=3"]);
        assert_eq!(shown("a $(echo '1:2' | sed s/:/-/g) b"), ["a 1-2 b"]);
        assert_eq!(shown("a $(id -u); a $y; a `echo x | sed s/.//g`; b"), ["?", "?", "?", "b"]);
    }
}
