//! A full disk: said in words, survived, and nothing lost once there is space again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Dir, Load, NOW, bans};
use sereno_store::{Batch, Opened, Options, Store, StoreError};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const DISK: &str = "SERENO_TEST_DISK";

/// Runs `inside` again in a mount namespace of its own, with a disk of sixteen megabytes.
#[test]
fn a_full_disk_is_said_and_survived() {
    let dir = Dir::new();
    fs::create_dir(dir.path()).unwrap();
    let able = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(dir.path())
        .output();
    if !able.is_ok_and(|out| out.status.success()) {
        println!("skipped: cannot mount in a private namespace (needs root, unshare and mount)");
        return;
    }
    let script =
        "mount -t tmpfs -o size=16m tmpfs \"$1\" && exec \"$2\" --exact inside --nocapture";
    let out = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(DISK, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("survived"));
}

/// Not a test of its own: what happens on the small disk.
#[test]
fn inside() {
    let Some(disk) = std::env::var_os(DISK) else { return };
    let disk = Path::new(&disk);
    let state = disk.join("state");
    let often = Duration::from_millis(20);
    let options = Options { sync_every: often, checkpoint_every: often, ..Options::default() };
    let mut store = Store::open_with(&state, options.clone()).unwrap();
    let (mut waiting, mut kept, mut refused) = (Batch::default(), 0, 0);
    for round in 0..4 {
        let filler = fill(disk);
        for n in 0..40 {
            let first = (round * 40 + n) * 20;
            waiting.merge(bans(first..first + 20));
            match store.commit(&waiting) {
                Ok(()) => kept += std::mem::take(&mut waiting).events.len(),
                Err(e) => {
                    assert!(e.passing() && matches!(e, StoreError::Full { .. }), "{e:?}");
                    if refused == 0 {
                        println!("{e}");
                    }
                    refused += 1;
                }
            }
            assert_eq!(store.load(NOW).unwrap().bans.len(), kept, "all or nothing");
        }
        std::thread::sleep(often * 3);
        println!("full: {kept} kept, {refused} refused; {}", store.trouble().unwrap_or_default());
        fs::remove_file(&filler).unwrap();
        store.commit(&waiting).unwrap();
        kept += std::mem::take(&mut waiting).events.len();
        wait_for_checkpoints(&store);
        if round == 1 {
            drop(store);
            store = Store::open_with(&state, options.clone()).unwrap();
        }
    }
    assert!(refused > 0);
    drop(store);
    let store = Store::open(&state).unwrap();
    assert_eq!((store.opened(), store.load(NOW).unwrap().bans.len()), (&Opened::Existing, kept));
    println!("survived: {kept} kept, {refused} refusals");
}

/// Fills the disk to the last page.
fn fill(disk: &Path) -> PathBuf {
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write(&[7; 4096]).is_ok_and(|n| n > 0) {}
    filler
}

fn wait_for_checkpoints(store: &Store) {
    let start = Instant::now();
    while store.trouble().is_some() && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(store.trouble(), None);
}
