//! The boundaries fail2ban puts around the expressions of its templates.
//!
//! It looks at the text of an expression, not at its structure, and so does this.

/// How an expression is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Where a word begins.
    Begin,
    /// Near the line's beginning.
    Line,
    /// Anywhere.
    Free,
}

/// An expression with the boundaries fail2ban puts around it (`DateTemplate.setRegex`).
pub(super) struct Bounds {
    pub(super) regex: String,
    /// Whether the line's beginning was put in front.
    pub(super) line: bool,
    /// Whether it matches at the line's beginning or end only.
    pub(super) anchored: bool,
}

impl Bounds {
    /// `end`: whether a word has to end where it ends.
    pub(super) fn of(regex: &str, begin: Word, end: bool) -> Self {
        let mut regex = regex.trim().to_owned();
        let flags = global_flags(&regex).map(|range| {
            let flags = regex[range.clone()].to_owned();
            regex.replace_range(range, "");
            flags
        });
        let bound_begin = begin != Word::Free && !begins_by_itself(&regex);
        let bound_end = end && !ends_by_itself(&regex);
        if !has_group(&regex) {
            regex = grouped(&regex);
        }
        let line = bound_begin && begin == Word::Line;
        if line {
            regex.insert_str(0, r"^(?:\W{0,2})?");
        } else if bound_begin {
            regex.insert_str(0, r"(?=^|\b|\W)");
        }
        if bound_end {
            regex.push_str(r"(?=\b|\W|$)");
        }
        let anchored = line || anchored_begin(&regex) || anchored_end(&regex);
        let mut regex = without_stars(&regex);
        if let Some(flags) = flags {
            regex.insert_str(0, &flags);
        }
        Self { regex, line, anchored }
    }
}

/// The first `(?iu)`.
fn global_flags(regex: &str) -> Option<std::ops::Range<usize>> {
    regex.match_indices("(?").find_map(|(at, _)| {
        let letters = regex[at + 2..].bytes().take_while(u8::is_ascii_lowercase).count();
        let end = at + 2 + letters;
        (letters > 0 && regex[end..].starts_with(')')).then_some(at..end + 1)
    })
}

/// After `(`s, and after flags, what may stand at the very beginning.
fn without_flags(regex: &str) -> &str {
    match global_flags(regex) {
        Some(range) if range.start == 0 => &regex[range.end..],
        _ => regex,
    }
}

/// Whether an expression says itself where it begins: `^`, `(^`, `(?:^`, `**`.
fn begins_by_itself(regex: &str) -> bool {
    let open = regex.len() - regex.trim_start_matches('(').len();
    (0..=open).any(|skip| {
        let rest = without_flags(&regex[skip..]);
        rest.starts_with(['^'])
            || rest.starts_with("(^")
            || rest.starts_with("(?:^")
            || rest.trim_start_matches('(').starts_with("**")
    })
}

/// Whether an expression says itself where it ends: `$`, `$)`, `\b`, `\s`, `**`.
fn ends_by_itself(regex: &str) -> bool {
    let bare = |head: Option<&str>| head.is_some_and(|head| !head.ends_with('\\'));
    bare(regex.strip_suffix('$'))
        || bare(regex.strip_suffix("$)"))
        || bare(regex.strip_suffix(r"\b"))
        || bare(regex.strip_suffix(r"\s"))
        || bare(regex.trim_end_matches(')').strip_suffix("**"))
}

/// Whether there is a group without `?`; groups with names are not looked for.
fn has_group(regex: &str) -> bool {
    let bytes = regex.as_bytes();
    (0..bytes.len()).any(|at| {
        bytes[at] == b'('
            && bytes.get(at + 1) != Some(&b'?')
            && !regex[..at].ends_with('\\')
            && !regex[..at].ends_with("(?")
    })
}

/// Puts a group around everything but a leading `^` and a trailing `$`.
fn grouped(regex: &str) -> String {
    let inner = without_flags(regex);
    let inner = inner.strip_prefix('^').unwrap_or(inner);
    let inner = without_flags(inner);
    let (head, _) = regex.split_at(regex.len() - inner.len());
    match inner.strip_suffix('$') {
        Some(inner) => format!("{head}({inner})$"),
        None => format!("{head}({inner})"),
    }
}

fn anchored_begin(regex: &str) -> bool {
    let rest = without_flags(regex);
    let inner = rest.strip_prefix("(?:^").or_else(|| rest.strip_prefix("(^"));
    rest.starts_with('^') || inner.is_some_and(|inner| !inner.starts_with('|'))
}

fn anchored_end(regex: &str) -> bool {
    let bare = |head: Option<&str>| head.is_some_and(|head| !head.ends_with(['\\', '|']));
    bare(regex.strip_suffix('$')) || bare(regex.strip_suffix("$)"))
}

/// Removes the `**` of either end, which only said that there is no boundary.
fn without_stars(regex: &str) -> String {
    let mut regex = regex.to_owned();
    let open = regex.len() - regex.trim_start_matches('(').len();
    let first = (0..=open).find_map(|skip| {
        let rest = without_flags(&regex[skip..]).trim_start_matches('(');
        rest.starts_with("**").then_some(regex.len() - rest.len())
    });
    if let Some(at) = first {
        regex.replace_range(at..at + 2, "");
    }
    let closed = regex.trim_end_matches(')').len();
    let head = regex[..closed].strip_suffix("**");
    if head.is_some_and(|head| !head.ends_with('\\')) {
        regex.replace_range(closed - 2..closed, "");
    }
    regex
}
