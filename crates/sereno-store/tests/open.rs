//! Whom the store trusts, and what it does with a file it cannot use.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Dir, Load, Memory, NOW, bans};
use rusqlite::Connection;
use sereno_store::{Opened, Store, StoreError};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn refusal(dir: &Dir) -> String {
    match Store::open(dir.path()) {
        Ok(_) => panic!("opened"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn everything_is_ours_alone_and_one_process_has_it() {
    let dir = Dir::new();
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(*store.opened(), Opened::Fresh);
    store.commit(&bans(0..5)).unwrap();
    assert_eq!(mode(dir.path()), 0o700);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked { .. })));
    let words = refusal(&dir);
    assert!(
        words.contains(dir.path().to_str().unwrap()) && words.contains("another process"),
        "{words}"
    );
    // Readers need no lock, beside the writer or after it.
    assert_eq!(Store::read_only(dir.path()).unwrap().load(NOW).unwrap().bans.len(), 5);
    drop(store);
    assert_eq!(Store::read_only(dir.path()).unwrap().load(NOW).unwrap().bans.len(), 5);
    assert_eq!(*Store::open(dir.path()).unwrap().opened(), Opened::Existing);
}

#[test]
fn what_others_own_or_may_write_is_refused() {
    let dir = Dir::new();
    drop(Store::open(dir.path()).unwrap());
    fs::set_permissions(dir.file(), Permissions::from_mode(0o602)).unwrap();
    assert!(refusal(&dir).contains("mode 0602"));
    fs::set_permissions(dir.file(), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(refusal(&dir).contains("chmod go-w"));
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let elsewhere = Dir::new();
    fs::create_dir(elsewhere.path()).unwrap();
    let target = elsewhere.path().join("target");
    fs::rename(dir.file(), &target).unwrap();
    symlink(&target, dir.file()).unwrap();
    assert!(refusal(&dir).contains("not a regular file"));
    fs::remove_file(dir.file()).unwrap();
    if std::os::unix::fs::chown(dir.path(), Some(12_345), None).is_err() {
        println!("skipped: only root can give a directory away");
        return;
    }
    assert!(refusal(&dir).contains("belongs to user 12345"));
}

#[test]
fn a_directory_may_be_reached_through_a_symbolic_link() {
    let (real, link) = (Dir::new(), Dir::new());
    drop(Store::open(real.path()).unwrap());
    symlink(real.path(), link.path()).unwrap();
    assert_eq!(*Store::open(link.path()).unwrap().opened(), Opened::Existing);
    fs::remove_file(link.path()).unwrap();
}

#[test]
fn nothing_to_read_is_said_and_nothing_is_made() {
    let dir = Dir::new();
    assert!(matches!(Store::read_only(dir.path()), Err(StoreError::Missing { .. })));
    fs::create_dir(dir.path()).unwrap();
    assert!(matches!(Store::read_only(dir.path()), Err(StoreError::Missing { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn other_versions_and_other_programs_are_left_alone() {
    let dir = Dir::new();
    drop(Store::open(dir.path()).unwrap());
    let raw = Connection::open(dir.file()).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Newer { found: 99, .. })));
    raw.pragma_update(None, "user_version", 0).unwrap();
    assert!(matches!(Store::read_only(dir.path()), Err(StoreError::Older { found: 0, .. })));
    raw.pragma_update(None, "application_id", 7).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign { .. })));
    assert_eq!(
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().to_string_lossy().contains("corrupt"))
            .count(),
        0
    );
}

#[test]
fn a_damaged_file_is_moved_aside_and_the_caller_told() {
    type Spoil = fn(&mut Vec<u8>);
    let spoil: [(&str, Spoil); 4] = [
        ("header", |bytes| bytes[..16].fill(b'?')),
        ("inside", |bytes| {
            let middle = (bytes.len() / 2) & !4095;
            bytes[middle..middle + 8192].fill(0xA5);
        }),
        ("cut off", |bytes| bytes.truncate(bytes.len() / 3)),
        ("text", |bytes| *bytes = b"this is no database at all\n".repeat(999)),
    ];
    for (what, spoil) in spoil {
        let dir = Dir::new();
        let mut store = Store::open(dir.path()).unwrap();
        store.commit(&bans(0..2000)).unwrap();
        drop(store);
        let mut bytes = fs::read(dir.file()).unwrap();
        spoil(&mut bytes);
        fs::write(dir.file(), &bytes).unwrap();
        assert!(matches!(Store::read_only(dir.path()), Err(StoreError::Damaged { .. })), "{what}");
        let (store, memory) = Store::open_recalling(dir.path(), NOW, Memory::take);
        assert!(memory.bans.is_empty(), "{what}: {} bans of a damaged file", memory.bans.len());
        let mut store = store.unwrap();
        let Opened::Replaced { moved_to, why } = store.opened().clone() else {
            panic!("{what}: {:?}", store.opened())
        };
        println!("{what}: {why}; kept as {}", moved_to.display());
        assert!(moved_to.to_string_lossy().contains("ledger.sqlite3.corrupt-2"));
        assert_eq!(fs::read(moved_to).unwrap(), bytes);
        store.commit(&bans(0..3)).unwrap();
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(*store.opened(), Opened::Existing);
        assert_eq!(store.load(NOW).unwrap().bans.len(), 3);
    }
}

#[test]
fn opening_and_recalling_at_once_gives_what_both_give() {
    let dir = Dir::new();
    let (store, memory) = Store::open_recalling(dir.path(), NOW, Memory::take);
    assert_eq!(*store.as_ref().unwrap().opened(), Opened::Fresh);
    assert!(memory.bans.is_empty());
    let locked = Store::open_recalling(dir.path(), NOW, Memory::take);
    assert!(matches!(locked.0, Err(StoreError::Locked { .. })));
    store.unwrap().commit(&bans(0..2000)).unwrap();
    let apart = Store::open(dir.path()).unwrap().load(NOW).unwrap();
    let (store, memory) = Store::open_recalling(dir.path(), NOW, Memory::take);
    let mut store = store.unwrap();
    assert_eq!(*store.opened(), Opened::Existing);
    assert_eq!((memory.bans.len(), &memory.bans), (2000, &apart.bans));
    assert_eq!(memory.pasts, apart.pasts);
    store.commit(&bans(2000..2003)).unwrap();
    assert_eq!(store.load(NOW).unwrap().bans.len(), 2003);
}

#[test]
fn rows_that_make_no_sense_are_passed_over_and_counted() {
    let dir = Dir::new();
    Store::open(dir.path()).unwrap().commit(&bans(0..3)).unwrap();
    let raw = Connection::open(dir.file()).unwrap();
    raw.execute_batch(
        "UPDATE bans SET prefix = 'nowhere' WHERE id = 1; UPDATE bans SET count = -5 WHERE id = 2;
         INSERT INTO tracks (at, who, jail, body) VALUES (0, '192.0.2.1', 'sshd', '{')",
    )
    .unwrap();
    drop(raw);
    let memory = Store::open(dir.path()).unwrap().load(NOW).unwrap();
    assert_eq!((memory.bans.len(), memory.unreadable), (1, 3));
}
