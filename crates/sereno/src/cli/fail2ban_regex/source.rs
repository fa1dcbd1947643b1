//! What to look for: an expression, or a filter of a configuration, or a filter's file.

use super::args::Options;
use crate::cli::fail2ban::Disk;
use sereno_fail2ban::{Files, Text, Tree, Value};
use std::path::Path;

/// Characters of a line that are shown.
const SHORT: usize = 53;

/// What to look for.
#[derive(Debug, Default)]
pub(super) struct Sought {
    pub(super) prefix: Option<String>,
    pub(super) failures: Vec<String>,
    pub(super) ignored: Vec<String>,
    pub(super) maxlines: Option<u32>,
    pub(super) datepattern: Option<String>,
    /// What to ask the journal for: any of these.
    pub(super) journalmatch: Vec<Vec<String>>,
    /// What is told of it.
    pub(super) told: Vec<String>,
}

impl Sought {
    /// Reads the expression that stands for failures.
    ///
    /// # Errors
    /// What to print.
    pub(super) fn failures(written: &str, options: &Options) -> Result<Self, String> {
        let Some(place) = Place::find(written, &options.config) else {
            let told = vec![format!("Use {:>11} line : {}", "failregex", short(written))];
            return Ok(Self { failures: vec![written.to_owned()], told, ..Self::default() });
        };
        let tree = place.read();
        if tree.has_errors() {
            let problems: Vec<String> = tree.problems.iter().map(ToString::to_string).collect();
            let problems = place.shown(&problems.join("\n"));
            return Err(format!("{problems}\nERROR: failed to load filter {written}"));
        }
        let filter = tree.jails.into_iter().find_map(|jail| jail.filter).unwrap_or_default();
        let text = |text: &Text| text.as_str().to_owned();
        let mut told = vec![place.told()];
        let params = params(&place.brackets);
        if !params.is_empty() {
            told.push(format!("Use   filter options : {}", Value::Map(params)));
        }
        Ok(Self {
            prefix: filter.prefregex.as_ref().map(text),
            failures: filter.failregex.iter().map(text).collect(),
            ignored: filter.ignoreregex.iter().map(text).collect(),
            maxlines: filter.maxlines,
            datepattern: filter.datepattern.as_ref().map(text),
            journalmatch: filter.journalmatch.clone(),
            told,
        })
    }
}

/// A text on one line, cut if it is long.
pub(super) fn short(text: &str) -> String {
    if text.chars().count() <= SHORT {
        return text.to_owned();
    }
    text.chars().take(SHORT - 3).collect::<String>() + "..."
}

/// Where a filter is.
struct Place {
    /// The directory with `filter.d` in it, or the one of a file that is elsewhere.
    base: String,
    name: String,
    brackets: String,
    /// The file, if it is elsewhere.
    elsewhere: Option<String>,
}

impl Place {
    /// The filter of this name, or at this path. `None`: there is none, so it is an expression.
    fn find(written: &str, config: &str) -> Option<Self> {
        let (name, brackets) = match written.find('[') {
            Some(at) if written.ends_with(']') => written.split_at(at),
            _ => (written, ""),
        };
        let plain = |c: char| c.is_alphanumeric() || "/_-.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return None;
        }
        let suffixed = name.chars().rev().take(6).any(|c| c == '.');
        let tried: &[&str] = if suffixed { &[""] } else { &["", ".conf", ".local"] };
        let path = tried.iter().find_map(|suffix| {
            let path = match (name.contains('/'), is_filter_d(config)) {
                (true, _) => format!("{name}{suffix}"),
                (false, true) => format!("{config}/{name}{suffix}"),
                (false, false) => format!("{config}/filter.d/{name}{suffix}"),
            };
            Path::new(&path).is_file().then_some(path)
        })?;
        let path = Path::new(&path);
        let folder = path.parent()?.to_str()?;
        let inside = !name.contains('/') || is_filter_d(folder);
        let base = match (inside, is_filter_d(folder)) {
            (true, true) => Path::new(folder).parent()?.to_str()?,
            _ => folder,
        };
        Some(Self {
            base: if base.is_empty() { ".".to_owned() } else { base.to_owned() },
            name: path.file_stem()?.to_str()?.to_owned(),
            brackets: brackets.to_owned(),
            elsewhere: if inside { None } else { Some(name.to_owned()) },
        })
    }

    fn told(&self) -> String {
        match &self.elsewhere {
            Some(path) => format!("Use {:>11} file : {path}", "failregex"),
            None => format!(
                "Use {:>11} filter file : {}, basedir: {}",
                "failregex", self.name, self.base
            ),
        }
    }

    fn read(&self) -> Tree {
        let written = format!("{}{}", self.name, self.brackets);
        match self.elsewhere {
            None => sereno_fail2ban::filter(&Disk, &self.base, &written, "auto"),
            Some(_) => {
                let base = format!("{}/.", self.base);
                sereno_fail2ban::filter(&Elsewhere(&base), &base, &written, "auto")
            }
        }
    }

    /// A text with paths as they are, of which one elsewhere was read.
    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/./filter.d/", self.base), &format!("{}/", self.base))
    }
}

fn is_filter_d(folder: &str) -> bool {
    Path::new(folder).file_name().is_some_and(|name| name == "filter.d")
}

/// A directory of which everything is taken for its `filter.d`, so that a filter's file can be
/// anywhere, with what it includes beside it.
struct Elsewhere<'b>(&'b str);

impl Elsewhere<'_> {
    fn real(&self, path: &str) -> String {
        let inside = path.strip_prefix(self.0).and_then(|rest| rest.strip_prefix("/filter.d"));
        inside.map_or_else(|| path.to_owned(), |rest| format!("{}{rest}", self.0))
    }
}

impl Files for Elsewhere<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Disk.read(&self.real(path))
    }

    fn list(&self, directory: &str) -> Vec<String> {
        Disk.list(&self.real(directory))
    }
}

/// What stands in brackets, to be shown; what it means the reading of the filter decides.
fn params(brackets: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut rest = brackets.trim_start_matches('[').trim_end_matches(']');
    while let Some((key, value)) = rest.split_once('=') {
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (own, behind) = match quote {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_at(value.find([',', ']']).unwrap_or(value.len())),
        };
        all.push((key.trim().to_owned(), Value::Text(own.to_owned())));
        rest = behind.trim_start_matches([',', ']', '[', ' ', '\n']);
    }
    all
}
