//! A command of an action as a script for `sh`, made once.
//!
//! What the configuration says is text of the script. What a log line says never is: fail2ban
//! puts a value without special characters into the command as it stands, and one with them as
//! `$f2bV_name`. Here each tag becomes an expansion of a variable of that name, quoted for the
//! place where it stands, so that the command is given the value byte for byte:
//!
//! | place | written | becomes |
//! |---|---|---|
//! | bare | `cmd <x>` | `cmd "${f2bV_x}"`: one word, where fail2ban may make several, or file names |
//! | double quotes | `"a <x>"` | `"a ${f2bV_x}"` |
//! | single quotes | `'a <x>'` | `'a '"${f2bV_x}"''`; with fail2ban the command may get the words `$f2bV_x` |
//! | here-document | `<x>` | `${f2bV_x}` |
//!
//! The result of an expansion is not expanded again, so there is no value with an effect; one that
//! begins with `-` gets a blank before it, so that it is no option. Where a
//! program would take the value for its own text (`sh -c`, `awk`, `eval`, the name of a command or
//! of a file, ...), only values made of digits, letters and `. _ : / @ % + , -` are let in
//! ([`Script::admits`] looks), and tags of log lines are refused.
//!
//! `mail` takes a line that begins with `~` for a command (CVE-2021-32749), whoever wrote it: a log
//! line, `whois`, or `printf %b` out of `\176`. So each `mail` reads its text through `sed`, which
//! puts a blank before such a `~`.

use super::code;
use super::shell::{self, Quoting, Tag};
use super::variable::{Trust, Variable};
use crate::tags;
use crate::text::Text;
use std::collections::BTreeSet;

/// Bytes of a script at most: Linux takes no longer argument.
const LONGEST: usize = 120_000;

/// Defined in scripts that mail something.
const FILTER: &str = "f2bV_mail() { sed 's/^~/ ~/' | \"$@\"; }\n";

/// A script for `sh -c`, and the variables it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The script. Empty if there is nothing to do.
    pub text: String,
    /// What has to be in its environment.
    pub needs: BTreeSet<Variable>,
    /// Those of them that become a part of a program's text.
    pub plain: BTreeSet<Variable>,
    /// The programs it starts, those of the shell itself among them, as far as their names stand in
    /// it as they are.
    pub programs: BTreeSet<String>,
}

/// A value that would have become a part of a program's text and has characters that are none of
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub Variable);

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the value of <{}> cannot be a part of this command's program text", self.0)
    }
}

/// What is wrong with a tag or a piece of the command.
pub(super) struct Fault {
    pub(super) at: usize,
    /// Characters meant.
    pub(super) width: usize,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Script {
    /// Whether it needs what the filter captured.
    #[must_use]
    pub fn captures(&self) -> bool {
        self.needs.iter().any(|variable| variable.capture().is_some())
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether these values may be given to it. A value is what `value` says; a variable it knows
    /// nothing of is empty.
    ///
    /// # Errors
    /// The first variable that may not have its value.
    pub fn admits(&self, value: impl Fn(&Variable) -> Option<String>) -> Result<(), Unfit> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:/@%+,-".contains(c);
        // Nor does it lead out of a folder.
        let tame = |value: &str| {
            value.chars().all(plain) && !value.contains("..") && !value.starts_with('/')
        };
        let wild = |one: &&Variable| value(one).is_some_and(|value| !tame(&value));
        self.plain.iter().find(wild).map_or(Ok(()), |one| Err(Unfit(one.clone())))
    }
}

/// The tags of a command, and the command with `<br>` and `<sp>` in place.
fn tags_of(text: &Text) -> (Text, Vec<Tag>) {
    let (mut out, mut from, mut found) = (Text::default(), 0, Vec::new());
    while let Some(range) = tags::next(text.as_str(), from) {
        let name = text.as_str()[range.start + 1..range.end - 1].to_owned();
        out.push(text, from..range.start);
        from = range.end;
        match name.as_str() {
            "br" => out.push_str("\n"),
            "sp" => out.push_str(" "),
            _ => {
                if Variable::of(&name).is_some() {
                    found.push(Tag { at: out.len(), len: range.len(), name });
                }
                out.push(text, range);
            }
        }
    }
    out.push(text, from..text.len());
    (out, found)
}

/// A command taken apart.
pub(super) struct Taken {
    pub(super) text: Text,
    pub(super) tags: Vec<Tag>,
    pub(super) parsed: shell::Parsed,
}

/// Takes a command apart that has all tags of the configuration filled in.
pub(super) fn take(text: &Text) -> Result<Taken, (Text, Fault)> {
    let (text, tags) = tags_of(text);
    let message = if text.len() > LONGEST {
        Err((0, "this command is longer than a shell takes (120,000 bytes)"))
    } else if let Some(at) = text.as_str().find('\0') {
        Err((at, "there is a NUL in this command"))
    } else {
        shell::parse(text.as_str(), &tags).map_err(|broken| (broken.at, broken.why))
    };
    match message {
        Ok(parsed) => Ok(Taken { text, tags, parsed }),
        Err((at, why)) => {
            let remedy = "write what sh understands; try it with sh -n";
            let message = format!("sh does not understand this command: {why}");
            Err((text, Fault { at, width: 1, message, remedy: remedy.to_owned() }))
        }
    }
}

/// The script of a command.
pub(super) fn make(taken: &Taken) -> Result<Script, Vec<Fault>> {
    let mut script = Script::default();
    let text = taken.text.as_str();
    if text.trim().is_empty() {
        return Ok(script);
    }
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    let mut faults = Vec::new();
    let mut seen = vec![false; taken.tags.len()];
    for (one, is_code) in taken.parsed.uses.iter().zip(code::positions(&taken.parsed)) {
        let Some(tag) = taken.tags.get(one.tag) else { continue };
        let Some(variable) = Variable::of(&tag.name) else { continue };
        seen.get_mut(one.tag).into_iter().for_each(|seen| *seen = true);
        let file = matches!(one.within, Some((_, shell::Part::File)));
        let number = matches!(one.quoting, Quoting::Arithmetic | Quoting::Parameter);
        let inside = is_code || file || number;
        let fault = match one.quoting {
            Quoting::Nowhere(remedy) => Some(fault(tag, "is at a place where sh", remedy)),
            _ if inside && variable.trust() == Trust::Free => Some(forbidden(tag, file)),
            _ => None,
        };
        if let Some(fault) = fault {
            faults.push(fault);
            continue;
        }
        edits.push((tag.at, tag.len, reference(&variable, one.quoting)));
        if inside {
            script.plain.insert(variable.clone());
        }
        script.needs.insert(variable);
    }
    let lost = taken.tags.iter().zip(seen).filter(|(_, seen)| !seen);
    faults.extend(lost.map(|(tag, _)| fault(tag, "is at a place where sh", "put it elsewhere")));
    if !faults.is_empty() {
        return Err(faults);
    }
    let literal = |name: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._/+-".contains(c);
        !name.is_empty() && name.chars().all(plain)
    };
    let programs = taken.parsed.commands.iter().filter_map(|command| {
        let word = command.words.get(code::program(command))?;
        Some(word.text.as_str()).filter(literal).map(str::to_owned)
    });
    script.programs = programs.collect();
    let mails = taken.parsed.commands.iter().filter(|command| code::is_mail(command));
    let starts: Vec<usize> =
        mails.filter_map(|command| command.words.first().map(|word| word.at)).collect();
    if !starts.is_empty() {
        script.text.push_str(FILTER);
    }
    edits.extend(starts.into_iter().map(|at| (at, 0, "f2bV_mail ".to_owned())));
    edits.sort();
    let mut from = 0;
    for (at, len, new) in edits {
        script.text.push_str(text.get(from..at).unwrap_or(""));
        script.text.push_str(&new);
        from = at + len;
    }
    script.text.push_str(text.get(from..).unwrap_or(""));
    Ok(script)
}

fn reference(variable: &Variable, quoting: Quoting) -> String {
    let name = variable.name();
    match quoting {
        Quoting::Bare => format!("\"${{{name}}}\""),
        Quoting::Single => format!("'\"${{{name}}}\"'"),
        _ => format!("${{{name}}}"),
    }
}

fn fault(tag: &Tag, place: &str, remedy: &str) -> Fault {
    let message = format!("<{}> {place} cannot be given a value safely", tag.name);
    Fault { at: tag.at, width: tag.name.chars().count() + 2, message, remedy: remedy.to_owned() }
}

fn forbidden(tag: &Tag, file: bool) -> Fault {
    let Tag { name, at, .. } = tag;
    let (what, remedy) = if file {
        ("the name of a file", "use <ip> in the file's name, and write the value into the file")
    } else {
        (
            "a part of a program's text",
            "give it to the program as a word of its own: sh -c '... \"$1\" ...' sh <tag>, \
             awk -v x=<tag>, or through a pipe",
        )
    };
    let message = format!("<{name}> is what an attacker wrote, and would become {what}");
    let remedy = remedy.replace("<tag>", &format!("<{name}>"));
    Fault { at: *at, width: name.chars().count() + 2, message, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Result<String, String> {
        let taken = take(&Text::plain(text)).map_err(|(_, fault)| fault.message)?;
        make(&taken).map(|script| script.text).map_err(|faults| faults[0].message.clone())
    }

    #[test]
    fn values_are_quoted_for_their_place() {
        let u = "${f2bV_F_user}";
        for (written, wanted) in [
            ("a <F-USER>b", format!("a \"{u}\"b")),
            ("a \"<F-USER>b\"", format!("a \"{u}b\"")),
            ("a 'x<F-USER>y'", format!("a 'x'\"{u}\"'y'")),
            ("a $(b <F-USER>)", format!("a $(b \"{u}\")")),
            ("a \"$(b '<F-USER>')\"", format!("a \"$(b ''\"{u}\"'')\"")),
            ("a \"x `b <F-USER>` <F-USER>\"", format!("a \"x `b \"{u}\"` {u}\"")),
            ("a `b \\`c <F-USER>\\``", format!("a `b \\`c \"{u}\"\\``")),
            (
                "cat <<E\nx <F-USER> '<F-USER>'\nE\nb <F-USER>",
                format!("cat <<E\nx {u} '{u}'\nE\nb \"{u}\""),
            ),
            (
                "cat <<-'E' | b <F-USER>\nx $(\n\tE\n",
                format!("cat <<-'E' | b \"{u}\"\nx $(\n\tE\n"),
            ),
            ("x=<F-USER>; a \"$x\"", format!("x=\"{u}\"; a \"$x\"")),
            (
                "case <F-USER> in (a|b) c;; *) d <F-USER>;; esac | e",
                format!("case \"{u}\" in (a|b) c;; *) d \"{u}\";; esac | e"),
            ),
            ("a # don't <F-USER>\nb", format!("a # don't {u}\nb")),
            ("a <sender> <br> b", "a <sender> \n b".to_owned()),
            ("sh -c 'a \"$1\"' sh <F-USER>", format!("sh -c 'a \"$1\"' sh \"{u}\"")),
            ("awk -v u=<F-USER> '{}'", format!("awk -v u=\"{u}\" '{{}}'")),
            ("f() { a <F-USER>; }; f", format!("f() {{ a \"{u}\"; }}; f")),
            (
                "echo <F-USER> | grep x || eval \"$y\"",
                format!("echo \"{u}\" | grep x || eval \"$y\""),
            ),
            ("[ -f x ] && nice -n 5 a <F-USER>", format!("[ -f x ] && nice -n 5 a \"{u}\"")),
        ] {
            assert_eq!(script(written).as_deref(), Ok(wanted.as_str()), "{written}");
        }
    }

    #[test]
    fn values_never_become_programs() {
        for bad in [
            "eval \"a <F-USER>\"",
            "sh -c 'a <matches>'",
            "sudo -u x /bin/bash -ec \"a '<matches>'\"",
            "sh -c \"$(printf %s <F-USER>)\"",
            "sh -c `printf %s <F-USER>`",
            "echo <F-USER> | sh",
            "{ if x; then echo '<F-USER>'; fi; } | tr a b | sh -s",
            "for i in 1 2; do echo <F-USER>; done | ssh host",
            "( echo <F-USER> ) | sh",
            "sh <<E\n<F-USER>\nE",
            "sh <<<<F-USER>",
            "awk '{ print \"<F-USER>\" }'",
            "perl -pe 's/x/<F-USER>/'",
            "python3 -c \"print('<F-USER>')\"",
            "sed -i '/<F-USER>/d' x",
            "echo \"insert '<F-USER>'\" | mysql db",
            "nft add element x { <F-USER> }",
            "<F-USER> a",
            "echo <F-USER> | xargs -I{} sh -c 'a {}'",
            "[[ <F-USER> -eq 1 ]]",
            "(( <F-USER> ))",
            "let a=<F-USER>",
            "/usr/lib/<F-USER>/x",
            "timeout 5 <F-USER>",
            "a > /tmp/<F-USER>",
            "a < <F-USER>",
            "a $((<F-USER> + 1))",
            "a ${x:-<F-USER>}",
            "a \\<F-USER>",
            "a \"\\<F-USER>\"",
            "a $<F-USER>",
            "a \"$<F-USER>\"",
            "a $'<F-USER>'",
            "cat <<'E'\n<ip>\nE",
            "a '<F-USER>",
            "a \"<F-USER>",
            "a $(<F-USER>",
            "a `x",
            "a ) <F-USER>",
        ] {
            assert!(script(bad).is_err(), "{bad}: {:?}", script(bad));
        }
    }

    #[test]
    fn plain_values_may_be_in_programs_and_are_looked_at() {
        let text = Text::plain("awk '{print \"<ip>\", <time>}' <F-USER> > /x/<ip>");
        let script = make(&take(&text).unwrap_or_else(|_| panic!())).unwrap_or_default();
        assert_eq!(script.plain.iter().map(Variable::tag).collect::<Vec<_>>(), ["ip", "time"]);
        assert_eq!(script.needs.len(), 3);
        let with = |ip: &'static str| script.admits(move |_| Some(ip.to_owned()));
        assert_eq!(with("2001:db8::/64"), Ok(()));
        for wild in ["x\"; system(\"id\")", "../x", "/x"] {
            assert!(with(wild).is_err());
        }
    }

    #[test]
    fn mail_is_read_through_a_filter() {
        assert_eq!(
            script("a=1 sudo /usr/bin/mailx -s x <<E\n~! id\nE").as_deref(),
            Ok(format!("{FILTER}a=1 f2bV_mail sudo /usr/bin/mailx -s x <<E\n~! id\nE").as_str())
        );
        assert_eq!(script("sendmail x | grep mail"), Ok("sendmail x | grep mail".to_owned()));
    }
}
