//! Which files a pattern names, and which directories to watch for more of them.

use crate::place::modified;
use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Most directory entries looked at for one pattern and directory.
const MAX_ENTRIES: usize = 65_536;

/// Endings of files no line can be read from.
const COMPRESSED: [&str; 7] = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".Z"];

/// An absolute path, or a shell pattern (`*`, `?`, `[...]` within one component; `*` does not
/// match a leading dot), of the files to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The consumer's name for it.
    pub id: u32,
    /// Path or pattern.
    pub path: String,
}

/// One component of a pattern.
#[derive(Debug)]
enum Part {
    Name(String),
    Any(glob::Pattern),
}

/// A pattern taken apart.
#[derive(Debug)]
pub(crate) struct Glob {
    pub(crate) id: u32,
    pub(crate) text: String,
    parts: Vec<Part>,
    wild: bool,
}

/// What a pattern names right now.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// All directories on the way: in each, the next part can appear, vanish, be replaced. (A
    /// removed directory does not say so itself while a file that was in it is open.)
    pub(crate) dirs: BTreeSet<PathBuf>,
    /// More than the limit matched.
    pub(crate) more: bool,
}

impl Glob {
    /// Takes a pattern apart; says what is wrong with one that cannot be followed.
    pub(crate) fn parse(pattern: &Pattern) -> io::Result<Self> {
        let text = pattern.path.clone();
        let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{text}: {why}"));
        if !text.starts_with('/') || text.ends_with('/') || text.contains('\0') {
            return Err(bad("the absolute path of a file is needed"));
        }
        let mut parts = Vec::new();
        for part in text.split('/').filter(|part| !part.is_empty()) {
            parts.push(match part {
                "." | ".." | "**" => return Err(bad("`.`, `..` and `**` cannot be followed")),
                _ if !part.contains(['*', '?', '[']) => Part::Name(part.to_owned()),
                _ => Part::Any(glob::Pattern::new(part).map_err(|e| bad(e.msg))?),
            });
        }
        let wild = parts.iter().any(|part| matches!(part, Part::Any(_)));
        Ok(Self { id: pattern.id, text, parts, wild })
    }

    /// The one path a pattern without wildcards names, whether it exists or not.
    pub(crate) fn literal(&self) -> Option<&Path> {
        (!self.wild).then(|| Path::new(&self.text))
    }

    /// Whether `path` is, or leads to, something the pattern could name.
    pub(crate) fn touches(&self, path: &Path) -> bool {
        self.agrees(path).is_some()
    }

    /// Whether the pattern names `path`.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.agrees(path) == Some(self.parts.len())
    }

    /// How many parts `path` has, if they all agree with the pattern's first.
    fn agrees(&self, path: &Path) -> Option<usize> {
        let mut parts = self.parts.iter();
        let mut count = 0;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            if !parts.next()?.matches(name.to_str()?) {
                return None;
            }
            count += 1;
        }
        Some(count)
    }

    /// Walks the directories. At most `limit` paths, those modified last if there are more.
    pub(crate) fn expand(&self, limit: usize) -> Found {
        let mut found = Found::default();
        let mut at = vec![PathBuf::from("/")];
        let Some((last, dirs)) = self.parts.split_last() else { return found };
        for part in dirs {
            let mut next = Vec::new();
            for dir in at {
                next.extend(part.under(&dir).into_iter().filter(|path| path.is_dir()));
                found.dirs.insert(dir);
            }
            found.more |= next.len() > limit;
            next.truncate(limit);
            at = next;
        }
        let mut paths: Vec<PathBuf> = at.iter().flat_map(|dir| last.under(dir)).collect();
        found.dirs.extend(at);
        if matches!(last, Part::Any(_)) {
            drop_rotated(&mut paths);
        }
        if paths.len() > limit {
            found.more = true;
            paths.sort_by_cached_key(|path| std::fs::metadata(path).map_or(0, |m| -modified(&m)));
            paths.truncate(limit);
        }
        found.paths.extend(paths);
        found.paths.extend(self.literal().map(Path::to_path_buf));
        found
    }
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Any(pattern) => {
                let options =
                    glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
                pattern.matches_with(name, options)
            }
        }
    }

    /// What exists under `dir` and agrees. Names that are not UTF-8 are left out: no pattern
    /// can spell them.
    fn under(&self, dir: &Path) -> Vec<PathBuf> {
        let pattern = match self {
            Self::Name(name) => {
                let path = dir.join(name);
                return if path.symlink_metadata().is_ok() { vec![path] } else { Vec::new() };
            }
            Self::Any(_) => self,
        };
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut out: Vec<PathBuf> = entries
            .take(MAX_ENTRIES)
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(|name| pattern.matches(name)))
            .map(|entry| entry.path())
            .collect();
        out.sort();
        out
    }
}

/// Of files a wildcard matched, leaves out compressed ones and those whose name says they are
/// the rotated older brothers of another: `auth.log*` means `auth.log`, and its rotation is
/// followed by inode anyway.
fn drop_rotated(paths: &mut Vec<PathBuf>) {
    let all: BTreeSet<PathBuf> = paths.iter().cloned().collect();
    paths.retain(|path| {
        let text = path.to_string_lossy();
        let older = (1..text.len())
            .filter(|at| text.is_char_boundary(*at) && is_rotation_suffix(&text[*at..]))
            .any(|at| all.contains(Path::new(&text[..at])));
        !older && !is_compressed(&text)
    });
}

pub(crate) fn is_compressed(name: &str) -> bool {
    COMPRESSED.iter().any(|ending| name.ends_with(ending))
}

/// Whether `name` is `base` and then what rotation appends: a number, a date, an epoch time,
/// `.old` (logrotate, newsyslog, Asterisk, multilog's habits).
pub(crate) fn is_rotated_name(name: &str, base: &str) -> bool {
    name.strip_prefix(base).is_some_and(is_rotation_suffix)
}

fn is_rotation_suffix(suffix: &str) -> bool {
    let plain = COMPRESSED.iter().find_map(|end| suffix.strip_suffix(end)).unwrap_or(suffix);
    plain == ".old"
        || plain.starts_with(['.', '-', '_'])
            && plain.contains(|c: char| c.is_ascii_digit())
            && plain.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | 'T'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(path: &str) -> io::Result<Glob> {
        Glob::parse(&Pattern { id: 1, path: path.to_owned() })
    }

    #[test]
    fn refuses_what_cannot_be_followed() {
        for path in ["auth.log", "/var/log/", "/var/../log", "/var/**/log", "/a/[", ""] {
            assert!(glob(path).is_err(), "{path}");
        }
    }

    #[test]
    fn touches_and_matches() {
        let g = glob("/var/log/*/full").unwrap();
        assert!(g.touches(Path::new("/var/log")) && g.touches(Path::new("/var/log/asterisk")));
        assert!(!g.touches(Path::new("/var/log/.hidden")) && !g.touches(Path::new("/var/lib")));
        assert!(!g.touches(Path::new("/var/log/asterisk/full.1")));
        assert!(g.matches(Path::new("/var/log/asterisk/full")));
        assert!(!g.matches(Path::new("/var/log/asterisk")));
    }

    #[test]
    fn knows_rotated_names() {
        for name in [
            "full.0",
            "full.1",
            "full-20261122",
            "full.1700000000",
            "full.1.gz",
            "full.old",
            "full-2026-11-22.xz",
            "full.gz.1",
            "full_3",
            "full-20261122T1200",
        ] {
            assert_eq!(is_rotated_name(name, "full"), name != "full.gz.1", "{name}");
        }
        for name in ["full", "full2", "full.log", "fuller.1", "full.bak", "full.", "xfull.1"] {
            assert!(!is_rotated_name(name, "full"), "{name}");
        }
    }

    #[test]
    fn a_wildcard_leaves_rotated_files_out() {
        let mut paths: Vec<PathBuf> =
            ["/l/a.log", "/l/a.log.1", "/l/a.log.2.gz", "/l/b.log-1", "/l/c.gz"]
                .iter()
                .map(PathBuf::from)
                .collect();
        drop_rotated(&mut paths);
        assert_eq!(paths, [PathBuf::from("/l/a.log"), PathBuf::from("/l/b.log-1")]);
    }
}
