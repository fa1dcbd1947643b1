//! Lines of a script, or of what `iptables-save` prints, as words.
//!
//! A script is read, not run: variables that are set to a plain value are filled in, everything else
//! of the shell is told. Pages and books print commands behind a prompt, break them where the paper
//! ends, and make a dash of two hyphens; such lines are read as they were meant.

use crate::remark::{Notes, Place, Remark};
use sereno_core::gate::Family;
use std::collections::BTreeMap;

/// Bytes of a line at most, once its variables are filled in.
const LONGEST: usize = 16 << 10;
/// Variables at most.
const MOST_VARIABLES: usize = 256;
/// What a shell does by itself, and what changes nothing.
const IDLE: [&str; 18] = [
    "echo", "printf", "exit", "set", "true", ":", "if", "then", "else", "elif", "fi", "do", "done",
    "for", "while", "case", "esac", "sleep",
];
/// Options of iptables that stand alone.
const ALONE: [&str; 14] =
    ["-F", "-X", "-Z", "-L", "-S", "-n", "-v", "-h", "-w", "--flush", "--list", "--syn", "-f", "!"];

/// A line, split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) place: Place,
    /// As it stands there, in one line.
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The words behind `iptables`, or a line of `iptables-save`; the family if the line says it.
    Command(Option<Family>, Vec<String>),
    /// `*filter`.
    Table(String),
    /// `:INPUT DROP [0:0]`.
    Chain(String, String),
}

/// Reads all lines of a source; what is no rule is told.
pub(super) fn lines(text: &str, source: usize, notes: &mut Notes) -> Vec<Said> {
    let page = text.lines().any(|line| bare(line, true) != line.trim())
        && !text.lines().any(|line| is_command(line.trim_start()));
    let mut reader =
        Reader { source, depth: 0, variables: BTreeMap::new(), said: Vec::new(), notes };
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let mut whole = bare(line, page).to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.truncate(whole.trim_end().len());
            whole.push(' ');
            whole.push_str(next.trim());
            if whole.len() > LONGEST {
                break;
            }
        }
        let goes_on = |next: &str| !next.trim().is_empty() && !next.trim_start().starts_with('#');
        if is_command(&whole)
            && wants_more(&whole)
            && let Some((_, next)) =
                lines.next_if(|(_, next)| goes_on(next) && !is_command(next.trim_start()))
        {
            whole = format!("{whole} {}", next.trim());
        }
        // Between prompts there is what a page says to people.
        if !page || is_command(&whole) {
            reader.line(at + 1, &whole);
        }
    }
    reader.said
}

/// Whether a line is a command for iptables.
fn is_command(line: &str) -> bool {
    let line = line.strip_prefix("sudo ").unwrap_or(line).trim_start();
    let first = line.split_whitespace().next().unwrap_or_default();
    family(first).is_some() || first.starts_with("$IP") || first.starts_with("${IP")
}

/// A line without what stands around it; a prompt is taken away where all commands have one.
fn bare(line: &str, prompts: bool) -> &str {
    let line = line.trim();
    let behind = |prompt: char| line.strip_prefix(prompt).map(str::trim_start);
    match behind('$').or_else(|| behind('#').filter(|_| prompts)) {
        Some(rest) if is_command(rest) => rest,
        _ => line,
    }
}

/// Whether the last word of a command needs another behind it.
fn wants_more(line: &str) -> bool {
    let last = line.split_whitespace().last().unwrap_or_default();
    last.starts_with('-') && last.len() > 1 && !ALONE.contains(&last)
}

/// The family of a program's name; `None` if it is none of iptables'.
fn family(program: &str) -> Option<Family> {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name.trim_end_matches("-legacy").trim_end_matches("-nft") {
        "iptables" => Some(Family::V4),
        "ip6tables" => Some(Family::V6),
        _ => None,
    }
}

struct Reader<'n> {
    source: usize,
    /// Within so many functions, conditions and loops.
    depth: usize,
    variables: BTreeMap<String, String>,
    said: Vec<Said>,
    notes: &'n mut Notes,
}

impl Reader<'_> {
    fn line(&mut self, number: usize, line: &str) {
        let place = Place { source: self.source, line: number };
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        let (before, blocks) = (self.depth, blocks(line));
        self.depth = (before + blocks.0).saturating_sub(blocks.1);
        let is_rule = line.split([';', ' ', '\t']).any(is_command);
        if (before > 0 || blocks != (0, 0)) && !line.starts_with(['*', ':']) {
            // Nobody knows here whether it is run.
            if is_rule {
                let opens = line.contains("DROP") || line.contains("REJECT");
                self.notes.say(place, line, Remark::Conditional { opens });
            }
            return;
        }
        let put = |kind| Said { place, text: line.to_owned(), kind };
        if let Some(table) = line.strip_prefix('*') {
            self.said.push(put(Kind::Table(table.trim().to_owned())));
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            let mut word = || words.next().unwrap_or_default().to_owned();
            self.said.push(put(Kind::Chain(word(), word())));
        } else if line == "COMMIT" || self.assigns(line) {
        } else if let Some(line) = self.filled(place, line) {
            self.commands(place, &line);
        }
    }

    /// Whether the line sets a variable, which is remembered.
    fn assigns(&mut self, line: &str) -> bool {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { return false };
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(is_name) {
            return false;
        }
        match split(value).as_deref() {
            // A value, and nothing behind it.
            Some([words]) if words.len() <= 1 && self.variables.len() < MOST_VARIABLES => {
                let value = words.first().cloned().unwrap_or_default();
                self.variables.insert(name.to_owned(), value);
                true
            }
            plain => {
                // What it is now only a shell knows.
                self.variables.remove(name);
                plain.is_none_or(|commands| commands.len() == 1)
            }
        }
    }

    /// The line with its variables filled in; `None`, and told, if one is not known.
    fn filled(&mut self, place: Place, line: &str) -> Option<String> {
        let mut full = String::new();
        let mut rest = line;
        while let Some((before, behind)) = rest.split_once('$') {
            full.push_str(before);
            let braced = behind.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let end = behind.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
            let (name, behind) =
                braced.unwrap_or_else(|| behind.split_at(end.unwrap_or(behind.len())));
            let value = self.variables.get(name);
            match value.filter(|value| full.len() + value.len() + behind.len() <= LONGEST) {
                Some(value) => full.push_str(value),
                None => {
                    let remark = if name.is_empty() {
                        Remark::Shell
                    } else {
                        Remark::Word(format!("${name}"))
                    };
                    self.notes.say(place, line, remark);
                    return None;
                }
            }
            rest = behind;
        }
        full.push_str(rest);
        Some(full)
    }

    fn commands(&mut self, place: Place, line: &str) {
        let Some(commands) = split(line).filter(|_| line.len() <= LONGEST) else {
            self.notes.say(place, line, Remark::Shell);
            return;
        };
        // What stands behind another program's word is done if that likes it.
        let own = |words: &Vec<String>| {
            let counted =
                |word: &str| word.len() > 2 && word.starts_with('[') && word.ends_with(']');
            words.first().is_none_or(|word| {
                is_command(word) || word == "sudo" || word.starts_with('-') || counted(word)
            })
        };
        let foreign = commands.iter().position(|words| !own(words));
        let behind =
            foreign.is_some_and(|at| commands[at..].iter().flatten().any(|w| is_command(w)));
        if behind && line.contains("&&") {
            let opens = line.contains("DROP") || line.contains("REJECT");
            self.notes.say(place, line, Remark::Conditional { opens });
            return;
        }
        for mut words in commands {
            let first = words.first().map_or("", String::as_str);
            if first == "sudo" {
                words.remove(0);
            }
            let Some(first) = words.first() else { continue };
            // A line of `iptables-save -c` begins with what was counted.
            if first.starts_with('[') && first.ends_with(']') {
                words.remove(0);
            }
            let first = words.first().map_or("", String::as_str);
            let kind = match family(first) {
                Some(family) => Kind::Command(Some(family), words[1..].to_vec()),
                None if first.starts_with('-') => Kind::Command(None, words),
                None if first == "exit" || first == "return" => {
                    // What stands behind is not run, or nobody knows.
                    self.depth = self.depth.saturating_add(1);
                    continue;
                }
                None if IDLE.contains(&first) => continue,
                None => {
                    self.notes.say(place, line, Remark::Shell);
                    continue;
                }
            };
            self.said.push(Said { place, text: line.to_owned(), kind });
        }
    }
}

/// How many functions, conditions and loops begin on a line, and how many end.
fn blocks(line: &str) -> (usize, usize) {
    let (mut begun, mut ended) = (0, 0);
    for part in line.split([';', '&', '|']) {
        let mut words = part.split_whitespace();
        let mut first = words.next().unwrap_or_default();
        while ["then", "do", "else", "!", "time"].contains(&first) {
            first = words.next().unwrap_or_default();
        }
        let title = first.trim_end_matches('{').trim_end_matches("()");
        let named = !title.is_empty()
            && title.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        // The brace may stand on the next line, and begins it there.
        let function = part.contains('{')
            && (first == "function"
                || named
                    && (first.ends_with("()")
                        || first.contains("(){")
                        || words.clone().next() == Some("()")));
        begun += usize::from(
            function || ["if", "for", "while", "until", "case", "select", "{"].contains(&first),
        );
        ended += usize::from(["fi", "done", "esac", "}"].contains(&first));
        // `name() {` and `{` on one line are one block; `}` may stand behind the last command.
        ended +=
            usize::from(first != "}" && part.trim_end().ends_with('}') && !part.contains("${"));
    }
    (begun, ended)
}

/// The commands of a line as words; `None` if it needs a shell.
fn split(line: &str) -> Option<Vec<Vec<String>>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    let end = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(hyphens(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        close if close == c => break,
                        '\\' if c == '"' => word.extend(chars.next()),
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '#' if word.is_none() => break,
            ';' => {
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            '&' if chars.next_if_eq(&'&').is_some() => {
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            // What a command says may go where it likes; nothing may come from there.
            '>' => {
                word = word.filter(|word| word != "2" && word != "1");
                end(&mut word, &mut commands);
                while chars.next_if(|c| *c == '>' || *c == '&' || c.is_whitespace()).is_some() {}
                while chars.next_if(|c| !c.is_whitespace() && *c != ';').is_some() {}
            }
            '|' | '&' | '<' | '`' | '(' | ')' | '{' | '}' => return None,
            c if c.is_whitespace() => end(&mut word, &mut commands),
            c => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut commands);
    Some(commands)
}

/// A word whose hyphens became a dash in print.
fn hyphens(word: String) -> String {
    match word.strip_prefix(['\u{2013}', '\u{2014}', '\u{2212}']) {
        Some(rest) => {
            let rest = rest.trim_start_matches('-');
            format!("{}{rest}", if rest.chars().count() == 1 { "-" } else { "--" })
        }
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(usize, String)> {
        let mut notes = Notes::default();
        let said = lines(text, 0, &mut notes);
        let words = said.into_iter().map(|said| match said.kind {
            Kind::Command(_, words) => (said.place.line, words.join("|")),
            other => (said.place.line, format!("{other:?}")),
        });
        let told = notes.into_told();
        let told =
            told.into_iter().map(|told| (told.place.unwrap().line, format!("{:?}", told.remark)));
        words.chain(told).collect()
    }

    #[test]
    fn commands_of_a_page_and_of_a_script() {
        let page =
            "# iptables -A INPUT -p udp --dport 10000:20000 -j  \nACCEPT\n\n# iptables -L\n# Listo";
        let all = "-A|INPUT|-p|udp|--dport|10000:20000|-j|ACCEPT";
        assert_eq!(words(page), [(1, all.to_owned()), (4, "-L".to_owned())]);
        let script = "#!/bin/sh\nIPT=/sbin/iptables\nLAN=\"10.0.0.0/8\"\n# $IPT -F\n$IPT -A INPUT -s ${LAN} \\\n  -j ACCEPT # all\n\
                      sudo iptables \u{2013}P INPUT DROP; ip6tables -F 2>/dev/null && echo done\n";
        let found: Vec<_> = words(script).into_iter().map(|(_, words)| words).collect();
        assert_eq!(found, ["-A|INPUT|-s|10.0.0.0/8|-j|ACCEPT", "-P|INPUT|DROP", "-F"]);
        let saved = "*filter\n:INPUT DROP [0:0]\n[1:2] -A INPUT -m comment --comment \"it's \\\"x\\\"\" -j ACCEPT\nCOMMIT\n";
        let found: Vec<_> = words(saved).into_iter().map(|(_, words)| words).collect();
        assert_eq!(found[2], "-A|INPUT|-m|comment|--comment|it's \"x\"|-j|ACCEPT");
    }

    #[test]
    fn what_needs_a_shell_is_told() {
        let script = "for p in 25 110; do\niptables -A INPUT --dport $p -j ACCEPT\ndone\nmodprobe ip_tables\n\
                      iptables -A INPUT -s `cat lan` -j ACCEPT\niptables -A INPUT -s \"10.0.0.1\n";
        let told = words(script);
        let told: Vec<&str> = told.iter().map(|(_, what)| what.as_str()).collect();
        let conditional = "Conditional { opens: false }";
        assert_eq!(told, [conditional, "Shell", "Shell", "Shell"]);
    }

    #[test]
    fn nobody_runs_what_may_not_be_run() {
        let script = "X=1\nstart() {\n  iptables -P INPUT DROP\n  iptables -A INPUT -j ACCEPT\n}\nflush_all(){ iptables -F; }\n\
                      function stop\n{\niptables -F\n}\n[ -f /etc/open ] && iptables -A INPUT -p udp -j ACCEPT\n\
                      if [ \"$X\" = 1 ]; then iptables -A INPUT -p tcp -j ACCEPT; fi\nif true; then\niptables -A INPUT -j DROP\nfi\n\
                      case \"$1\" in\nstart)\niptables -A INPUT -p gre -j ACCEPT ;;\nesac\niptables -A INPUT -i lo -j ACCEPT\n";
        let told = words(script);
        let rules: Vec<&str> =
            told.iter().map(|(_, what)| what.as_str()).filter(|w| w.starts_with('-')).collect();
        assert_eq!(rules, ["-A|INPUT|-i|lo|-j|ACCEPT"], "{told:?}");
        let lines = |wanted: &str| -> Vec<usize> {
            told.iter().filter(|(_, what)| what == wanted).map(|(line, _)| *line).collect()
        };
        assert_eq!(lines("Conditional { opens: true }"), [3, 14]);
        assert_eq!(lines("Conditional { opens: false }"), [4, 6, 9, 11, 12, 18]);
    }
}
