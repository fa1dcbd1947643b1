//! The lines of a `datepattern` and the templates they stand for.

use super::Wrong;
use super::shape::Shape;
use super::stamp::Decades;
use super::template::{Beginning, DEFAULTS, LINE, Template, replace_word};

/// Bytes of a datepattern at most, and its lines. Each line of a log is searched with each of them.
const LONGEST: usize = 8 << 10;
const LINES: usize = 64;

/// All templates of a datepattern; fail2ban's own when it has no line.
pub(super) fn templates(text: &str, decades: Decades) -> Result<Vec<Template>, Wrong> {
    if text.len() > LONGEST || text.lines().count() > LINES {
        let message = format!("a datepattern has {} KiB and {LINES} lines at most", LONGEST >> 10);
        return Err(Wrong::whole(&message, "write fewer patterns, or shorter ones"));
    }
    let mut list = List { templates: Vec::new(), decades };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let pattern = line.trim();
        if !pattern.is_empty() {
            let start = at + (line.len() - line.trim_start().len());
            list.line(pattern).map_err(|problem| wrong(problem, start, pattern.len()))?;
        }
        at += line.len();
    }
    if list.templates.is_empty() {
        list.defaults(false).map_err(|problem| wrong(problem, 0, text.len()))?;
    }
    Ok(list.templates)
}

/// A problem of one line as one of the whole text.
fn wrong(wrong: Wrong, start: usize, length: usize) -> Wrong {
    let width = if wrong.width == 0 { length } else { wrong.width };
    Wrong { at: start + wrong.at, width, ..wrong }
}

struct List {
    templates: Vec<Template>,
    decades: Decades,
}

impl List {
    /// One line: a word that stands for several templates, or one pattern.
    fn line(&mut self, pattern: &str) -> Result<(), Wrong> {
        let key = key(pattern);
        match key.as_str() {
            "{DEFAULT}" => self.defaults(false),
            LINE => self.defaults(true),
            _ if key.contains("{DATE}") => self.dates(pattern),
            "{NONE}" => {
                let template = Template::pattern("{UNB}^", self.decades)?;
                self.push(template, false)
            }
            _ => {
                let template = single(pattern, self.decades)?;
                self.push(template, false)
            }
        }
    }

    /// fail2ban's own templates, those for the line's beginning first, or only they.
    fn defaults(&mut self, anchored: bool) -> Result<(), Wrong> {
        let lenient = !self.templates.is_empty();
        let (mut front, mut back) = (Vec::new(), Vec::new());
        for (shape, pattern) in DEFAULTS {
            match pattern {
                None => {
                    front.push(Template::plain(shape, Beginning::Line, true));
                    back.push(Template::plain(shape, Beginning::Anywhere, false));
                }
                Some(pattern) => {
                    if !pattern.starts_with(LINE) && !pattern.starts_with('^') {
                        front.push(Template::pattern(&format!("{LINE}{pattern}"), self.decades)?);
                    }
                    back.push(Template::pattern(pattern, self.decades)?);
                }
            }
        }
        for template in front.into_iter().chain(back) {
            if template.anchored || !anchored {
                self.push(template, lenient)?;
            }
        }
        Ok(())
    }

    /// A pattern with `{DATE}` in it, once for every template of fail2ban's. Those that are no
    /// patterns are written out as their name, as fail2ban does it.
    fn dates(&mut self, pattern: &str) -> Result<(), Wrong> {
        let lenient = !self.templates.is_empty();
        for (shape, default) in DEFAULTS {
            let plain = if shape == Shape::Epoch { "Epoch" } else { "TAI64N" };
            let date = default.unwrap_or(plain);
            let date = date.strip_prefix(LINE).unwrap_or(date);
            let whole = replace_word(pattern, &["{DATE}"], |_| date.to_owned());
            // Behind the date, places are not those of what was written.
            let same = pattern.bytes().zip(whole.bytes()).take_while(|(a, b)| a == b).count();
            let template = single(&whole, self.decades).map_err(|wrong| match wrong.at < same {
                true => wrong,
                false => Wrong { at: 0, width: 0, ..wrong },
            })?;
            self.push(template, lenient)?;
        }
        Ok(())
    }

    fn push(&mut self, template: Template, lenient: bool) -> Result<(), Wrong> {
        if self.templates.iter().any(|known| known.name == template.name) {
            if lenient {
                return Ok(());
            }
            return Err(Wrong::whole("this template is already there", "remove one of the two"));
        }
        self.templates.push(template);
        Ok(())
    }
}

/// How fail2ban looks a pattern up: without regard to case when it has no fields.
fn key(pattern: &str) -> String {
    if pattern.contains('%') { pattern.to_owned() } else { pattern.to_uppercase() }
}

/// The template of one pattern.
fn single(pattern: &str, decades: Decades) -> Result<Template, Wrong> {
    let key = key(pattern);
    let numbers = replace_word(pattern, &["{EPOCH}", "{LEPOCH}"], |_| String::new());
    if key.contains("EPOCH") && numbers != pattern {
        return Template::epoch(pattern, key.contains("LEPOCH"));
    }
    let word = key.strip_prefix(LINE).or_else(|| key.strip_prefix('^'));
    let beginning = if word.is_some() { Beginning::Line } else { Beginning::Anywhere };
    let shape = match word.unwrap_or(&key) {
        "EPOCH" => Shape::Epoch,
        "LEPOCH" => Shape::LongEpoch,
        "TAI64N" => Shape::Tai64n,
        _ => return Template::pattern(pattern, decades),
    };
    // Only written so it is the default's copy for the beginning; fail2ban's other spelling
    // makes a template of its own, with the same name.
    let preferred = key.starts_with(LINE) && shape != Shape::LongEpoch;
    Ok(Template::plain(shape, beginning, preferred))
}
