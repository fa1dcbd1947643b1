//! The files beside a followed one: where its earlier generations go when it is rotated.

use crate::pattern::{is_compressed, is_rotated_name};
use crate::place::{Fit, Key, Place, modified};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Most directory entries looked at.
const MAX_ENTRIES: usize = 4096;
/// Most unseen generations taken up at once, the newest ones.
const MAX_MISSED: usize = 64;

/// A regular, uncompressed file in the same directory.
#[derive(Clone, Debug)]
pub(crate) struct Sibling {
    pub(crate) path: PathBuf,
    pub(crate) key: Key,
    pub(crate) size: u64,
    modified: i64,
    /// Its name is the followed one's and a rotation suffix.
    rotated: bool,
}

/// Where a path lives: itself and, when it is a symbolic link, its target (which need not
/// exist). Rotation takes place in the directory of either.
pub(crate) fn homes(path: &Path) -> Vec<PathBuf> {
    let mut homes = vec![path.to_path_buf()];
    let target = std::fs::canonicalize(path).ok().or_else(|| {
        let link = std::fs::read_link(path).ok()?;
        Some(path.parent()?.join(link))
    });
    homes.extend(target.filter(|target| target != path));
    homes
}

/// The siblings of `path`, itself not among them.
pub(crate) fn siblings(path: &Path) -> Vec<Sibling> {
    let mut found = BTreeMap::new();
    for home in homes(path) {
        let (Some(dir), Some(base)) = (home.parent(), home.file_name()) else { continue };
        let base = base.to_string_lossy();
        for entry in std::fs::read_dir(dir).into_iter().flatten().take(MAX_ENTRIES).flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !is_compressed(name)) else { continue };
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_file() && name != base {
                let sibling = Sibling {
                    path: entry.path(),
                    key: Key::of(&meta),
                    size: meta.len(),
                    modified: modified(&meta),
                    rotated: is_rotated_name(name, &base),
                };
                found.insert(sibling.key, sibling);
            }
        }
    }
    found.into_values().collect()
}

/// The file in which a place is: under another name, or in the copy a rotation made. At
/// offset 0 nothing is known of the content: then inode and name must speak for it, and it
/// must not be (a copy of) something else that is `known`.
pub(crate) fn find<'a>(
    all: &'a [Sibling],
    key: Key,
    place: &Place,
    known: &[Place],
) -> Option<&'a Sibling> {
    let fits = |s: &&Sibling| match File::open(&s.path) {
        Ok(file) if place.offset == 0 => !known.iter().any(|other| other.begins_like(&file)),
        Ok(file) => matches!(place.fit(&file), Ok(Fit::Exact)),
        Err(_) => false,
    };
    let blank = place.offset == 0;
    let same = |s: &&Sibling| s.key == key && s.size >= place.offset && (!blank || s.rotated);
    let copy = |s: &&Sibling| !blank && s.rotated && s.size >= place.offset;
    let same = all.iter().filter(same).find(fits);
    same.or_else(|| all.iter().filter(copy).find(fits))
}

/// The file that was at a place, emptied and written anew since: the inode was held when the
/// checkpoint was made, so whatever else it holds now has not been read. Not a copy of
/// something `known`, though, in a reused inode.
pub(crate) fn find_anew<'a>(
    all: &'a [Sibling],
    key: Key,
    place: &Place,
    known: &[Place],
) -> Option<&'a Sibling> {
    let new = |file: File| {
        matches!(place.fit(&file), Ok(Fit::Other)) && !known.iter().any(|p| p.begins_like(&file))
    };
    all.iter().find(|s| s.key == key && s.rotated && File::open(&s.path).is_ok_and(new))
}

/// The newest modification of what has already been rotated away and is not being read, at
/// least 1: everything up to then has been judged. Where [`missed`] begins the next time.
pub(crate) fn baseline(all: &[Sibling], reading: impl Fn(Key) -> bool) -> i64 {
    let judged = all.iter().filter(|s| s.rotated && !reading(s.key));
    judged.map(|s| s.modified).max().unwrap_or(1)
}

/// Rotated generations that nobody has read: modified after everything that was, and neither
/// the beginning nor a copy of something `known`. Oldest first.
pub(crate) fn missed(all: &[Sibling], seen: i64, known: &[Place]) -> Vec<Sibling> {
    let mut missed: Vec<Sibling> = all
        .iter()
        .filter(|s| s.rotated && s.modified > seen)
        .filter(|s| {
            File::open(&s.path).is_ok_and(|file| !known.iter().any(|p| p.begins_like(&file)))
        })
        .cloned()
        .collect();
    missed.sort_by_key(|s| s.modified);
    missed.drain(..missed.len().saturating_sub(MAX_MISSED));
    missed
}
