//! A second copy of what is in force, beside the ledger: a damaged ledger, or one that cannot be opened,
//! must not open the gate. It is on the disk before anybody is told that something holds.

use super::{KEY, Warden, panic};
use rustix::fs::{Mode, OFlags, open};
use serde::{Deserialize, Serialize};
use std::fs::{File, remove_file, rename};
use std::io::{self, Read, Write};
use std::path::Path;

const NAME: &str = "gate.json";
/// What is written until it is whole.
const NEXT: &str = "gate.json.new";
/// Bytes at most: ten policies of a thousand rules are less.
const LONGEST: u64 = 16 << 20;

/// The words under which the ledger keeps it.
#[derive(Debug, Deserialize, Serialize)]
struct Copy {
    gate: String,
    panic: String,
}

/// Puts what is in force on the disk.
pub(super) fn write(warden: &Warden) -> io::Result<()> {
    let folder = &warden.folder;
    let text = serde_json::to_string(&Copy { gate: warden.word(), panic: warden.panic_word() })?;
    let next = folder.join(NEXT);
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(open(&next, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    rename(&next, folder.join(NAME))?;
    File::open(folder)?.sync_all()
}

/// Takes away what was in force before, where the ledger knows better. Whatever cannot be taken away has an
/// older number than the ledger's.
pub(super) fn remove(folder: &Path) {
    for name in [NEXT, NAME] {
        let _ = remove_file(folder.join(name));
    }
}

/// What was on the disk, as the ledger would say it; `None` if there is nothing, or nothing whole.
pub(super) fn read(folder: &Path) -> Option<Vec<(String, String)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(folder.join(NAME), flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let Copy { gate, panic } = serde_json::from_str(&text).ok()?;
    Some(vec![(KEY.to_owned(), gate), (panic::KEY.to_owned(), panic)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use sereno_core::gate::policy::Policy;
    use sereno_core::time::Time;

    #[test]
    fn what_is_written_is_read_again_and_half_of_it_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_none());
        let mut warden = Warden::recall(folder.path(), &[]);
        warden.accept(Some(Policy::default()), Time::from_secs(7));
        warden.panic = Some(Time::from_secs(9));
        write(&warden).unwrap();
        let found = Warden::recall(folder.path(), &[]);
        assert_eq!((found.past, found.panic), (warden.past.clone(), warden.panic));
        // Of the same age, it is what was said last: the ledger's words may still be on their way.
        warden.accept(None, Time::from_secs(8));
        warden.panic = None;
        write(&warden).unwrap();
        let old = [(panic::KEY.to_owned(), "9000000".to_owned())];
        let found = Warden::recall(folder.path(), &old);
        assert!(found.is_flushed() && !found.panics());
        // What the ledger has is newer when a copy could neither be written nor taken away.
        let mut newer = Warden::recall(folder.path(), &[]);
        newer.accept(Some(Policy::default()), Time::from_secs(10));
        let ledger = [(KEY.to_owned(), newer.word()), old[0].clone()];
        let found = Warden::recall(folder.path(), &ledger);
        assert_eq!((found.past, found.panic), (newer.past, Some(Time::from_secs(9))));
        // Without it, or with half of it, the ledger is asked.
        let path = folder.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(Warden::recall(folder.path(), &old).panics());
        remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(Warden::recall(folder.path(), &old).panics());
    }
}
