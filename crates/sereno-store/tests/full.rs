//! A full disk: said in words, survived, and nothing lost once there is space again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Dir, NOW, bans};
use sereno_store::{Batch, Options, Store, StoreError};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
    let script = "mount -t tmpfs -o size=16m tmpfs \"$1\" && exec \"$2\" --exact inside --nocapture";
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
    let filler = disk.join("filler");
    let options = Options { checkpoint_every: Duration::from_millis(20), ..Options::default() };
    let mut store = Store::open_with(&state, options.clone()).unwrap();
    let (mut waiting, mut kept, mut refused) = (Batch::default(), 0, 0);
    for round in 0..4 {
        fs::write(&filler, vec![7; 1 << 20]).unwrap();
        // Whatever else is free goes too, so that the next page has no room.
        let mut more = fs::File::create(disk.join("more")).unwrap();
        while std::io::Write::write(&mut more, &[7; 4096]).is_ok_and(|n| n > 0) {}
        drop(more);
        for n in 0..40 {
            let first = (round * 40 + n) * 20;
            waiting.merge(bans(first..first + 20));
            match store.commit(&waiting) {
                Ok(()) => {
                    kept += waiting.events.len();
                    waiting = Batch::default();
                }
                Err(e) => {
                    assert!(e.passing(), "{e:?}");
                    assert!(matches!(e, StoreError::Full { .. }), "{e}");
                    if refused == 0 {
                        println!("{e}");
                    }
                    refused += 1;
                }
            }
            assert_eq!(store.load(NOW).unwrap().bans.len(), kept, "all or nothing");
        }
        std::thread::sleep(Duration::from_millis(60));
        println!("full: {kept} kept, {refused} refused, checkpoints: {:?}", store.trouble());
        fs::remove_file(&filler).unwrap();
        fs::remove_file(disk.join("more")).unwrap();
        store.commit(&waiting).unwrap();
        kept += waiting.events.len();
        waiting = Batch::default();
        let patience = std::time::Instant::now();
        while store.trouble().is_some() && patience.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("checkpoints work again after {:.0?}: {:?}", patience.elapsed(), store.trouble());
        assert_eq!(store.trouble(), None);
        if round == 1 {
            drop(store);
            store = Store::open_with(&state, options.clone()).unwrap();
        }
        if round % 2 == 1 {
            let lift = sereno_core::engine::Lifted::Manual;
            let bans = store.load(NOW).unwrap().bans;
            kept = 0;
            let event = |b: sereno_core::ledger::Ban| sereno_store::Event::Lift {
                jail: b.jail,
                prefix: b.prefix,
                at: NOW,
                why: lift,
            };
            let mut clear = Batch::default();
            clear.events = bans.into_iter().map(event).collect();
            store.commit(&clear).unwrap();
        }
    }
    assert!(refused > 0);
    drop(store);
    assert_eq!(Store::open(&state).unwrap().load(NOW).unwrap().bans.len(), kept);
    println!("survived: {refused} refusals");
}
