//! `-o`: one thing of each failure, and nothing else.

use super::trial::Found;
use sereno_fail2ban::Value;
use std::io::{self, Write};

/// Prints what is asked for of a line's failures.
pub(super) fn print(format: &str, all: &[Found], out: &mut impl Write) -> io::Result<()> {
    for one in all {
        match format {
            "id" | "fid" => writeln!(out, "{}", one.id())?,
            "ip" => writeln!(out, "{}", one.ip())?,
            "msg" => {
                for line in &one.matches {
                    writeln!(out, "{line}")?;
                }
            }
            "row" => {
                let text = |text: &str| Value::Text(text.to_owned());
                let fields = one.fields.iter().map(|(k, v)| (k.clone(), text(v))).collect();
                let (id, when) = (text(one.id()), seconds(one));
                writeln!(out, "[{id},\t{when},\t{}],", Value::Map(fields))?;
            }
            "matches" => {
                let lines = one.matches.iter().map(|line| Value::Text(line.to_string()));
                writeln!(out, "{}", Value::List(lines.collect()))?;
            }
            tag if !tag.contains('<') => {
                writeln!(out, "{}", one.field(tag).unwrap_or("None"))?;
            }
            template => filled(template, one, out)?,
        }
    }
    Ok(())
}

/// The time as Python prints it.
fn seconds(found: &Found) -> String {
    match found.when {
        Some(when) => format!("{:?}", when.0 as f64 / 1e6),
        None => "None".to_owned(),
    }
}

/// Prints a text with tags; with `<msg>`, once for each line.
fn filled(template: &str, one: &Found, out: &mut impl Write) -> io::Result<()> {
    if !template.contains("<msg>") || one.matches.len() <= 1 {
        let message = one.matches.first().map_or("", |line| &**line);
        return writeln!(out, "{}", fill(template, one, message));
    }
    for line in &one.matches {
        writeln!(out, "{}", fill(template, one, line))?;
    }
    Ok(())
}

/// Fills in tags, each once: what stands in a log may look like one.
fn fill(template: &str, one: &Found, message: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('<') {
        let (before, tagged) = rest.split_at(open);
        filled.push_str(before);
        let word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let end = tagged[1..].find(|c| !word(c)).map_or(tagged.len(), |at| at + 1);
        let value = if tagged[end..].starts_with('>') && end > 1 {
            tag(&tagged[1..end], one, message)
        } else {
            None
        };
        match value {
            Some(value) => {
                filled.push_str(&value);
                rest = &tagged[end + 1..];
            }
            None => {
                filled.push('<');
                rest = &tagged[1..];
            }
        }
    }
    filled + rest
}

/// What a tag stands for; `None` if it stays.
fn tag(name: &str, one: &Found, message: &str) -> Option<String> {
    if let Some(field) = name.strip_prefix("F-") {
        let field = match field {
            "ID" => "fid".to_owned(),
            "PORT" => "fport".to_owned(),
            other => other.to_lowercase(),
        };
        return Some(one.field(&field).unwrap_or_default().to_owned());
    }
    Some(match name {
        "ip" => one.ip().to_owned(),
        "fid" => one.id().to_owned(),
        "family" => one.family().to_owned(),
        "failures" | "bancount" | "restored" => "0".to_owned(),
        "time" => seconds(one),
        "msg" => message.to_owned(),
        "matches" => one.matches.join("\n"),
        "br" => "\n".to_owned(),
        "sp" => " ".to_owned(),
        _ => return None,
    })
}
