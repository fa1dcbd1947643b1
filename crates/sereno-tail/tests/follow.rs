//! Single situations, on the real kernel.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod common;

use common::{Dir, Rig, options};
use sereno_tail::{Notice, Options, Start};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::time::Duration;

#[test]
fn files_and_directories_that_come_later() {
    let dir = Dir::new();
    let mut rig = Rig::new(&[dir.path("a/b/*/log"), dir.path("late/x")], options());
    assert!(rig.seen.has(|n| matches!(n, Notice::Waiting { .. })));
    fs::create_dir_all(dir.path("a/b/one")).unwrap();
    dir.append("a/b/one/log", "1\n");
    assert_eq!(rig.run(), ["1"]);
    fs::create_dir(dir.path("a/b/two")).unwrap();
    assert!(rig.run().is_empty());
    dir.append("a/b/two/log", "2\n");
    fs::create_dir(dir.path("late")).unwrap();
    dir.append("late/x", "3\n");
    let mut got = rig.run();
    got.sort();
    assert_eq!(got, ["2", "3"]);
    fs::remove_dir_all(dir.path("late")).unwrap();
    rig.run();
    fs::create_dir(dir.path("late")).unwrap();
    rig.run();
    dir.append("late/x", "4\n");
    assert_eq!(rig.run(), ["4"]);
    let patterns = rig.follow.patterns();
    assert_eq!((patterns[0].2.len(), patterns[1].2.len()), (2, 2), "the removed x is kept open");
}

#[test]
fn a_directory_renamed_away() {
    let dir = Dir::new();
    fs::create_dir(dir.path("d")).unwrap();
    dir.append("d/log", "1\n");
    let mut rig = Rig::new(&[dir.path("d/log")], options());
    fs::rename(dir.path("d"), dir.path("old")).unwrap();
    rig.run();
    fs::create_dir(dir.path("d")).unwrap();
    rig.run();
    dir.append("d/log", "2\n");
    dir.append("old/log", "late\n");
    let mut got = rig.run();
    got.sort();
    assert_eq!(got, ["2", "late"]);
}

#[test]
fn a_symbolic_link_is_swapped_and_its_target_rotated() {
    let dir = Dir::new();
    fs::create_dir(dir.path("data")).unwrap();
    dir.append("data/one", "1\n");
    symlink(dir.path("data/one"), dir.path("log")).unwrap();
    let mut rig = Rig::new(&[dir.path("log")], options());
    dir.append("data/two", "2\n");
    symlink("data/two", dir.path("new")).unwrap();
    fs::rename(dir.path("new"), dir.path("log")).unwrap();
    assert_eq!(rig.run(), ["2"]);
    // Rotation happens where the target is, out of sight of the link's own directory.
    fs::rename(dir.path("data/two"), dir.path("data/two.1")).unwrap();
    dir.append("data/two.1", "2b\n");
    assert_eq!(rig.run(), ["2b"]);
    dir.append("data/two", "3\n");
    assert_eq!(rig.run(), ["3"]);
}

#[test]
fn what_is_no_log_file_is_refused_with_a_reason() {
    let dir = Dir::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path("fifo"), 0o600.into()).unwrap();
    fs::create_dir(dir.path("dir")).unwrap();
    symlink("/dev/zero", dir.path("zero")).unwrap();
    let paths = ["fifo", "dir", "zero"].map(|name| dir.path(name));
    let mut rig = Rig::new(&paths, options());
    let why: Vec<String> = rig.seen.notices.iter().map(|n| format!("{n:?}")).collect();
    let joined = why.join("\n");
    assert!(joined.contains("a FIFO") && joined.contains("a directory"), "{joined}");
    assert!(joined.contains("a device"), "{joined}");
    rig.seen.notices.clear();
    rig.pass(600);
    assert!(rig.seen.notices.is_empty(), "told once");
    fs::remove_file(dir.path("fifo")).unwrap();
    dir.append("fifo", "now a file\n");
    assert_eq!(rig.run(), ["now a file"]);
}

#[test]
fn two_patterns_read_one_file_once() {
    let dir = Dir::new();
    dir.append("a.log", "1\n");
    fs::hard_link(dir.path("a.log"), dir.path("b.log")).unwrap();
    let paths = [dir.path("*.log"), dir.path("a.log"), dir.path("b.log")];
    let mut rig = Rig::new(&paths, options());
    dir.append("b.log", "2\n");
    assert_eq!(rig.run(), ["2"]);
    let status = rig.follow.status();
    assert_eq!(status.len(), 1);
    assert_eq!(status[0].patterns, [0, 1, 2]);
    // One of its names is taken over by another file.
    fs::remove_file(dir.path("a.log")).unwrap();
    dir.append("a.log", "3\n");
    dir.append("b.log", "4\n");
    let mut got = rig.run();
    got.sort();
    assert_eq!(got, ["3", "4"]);
}

#[test]
fn where_to_start() {
    let dir = Dir::new();
    dir.append("log", "one\ntwo\nthree\nfou");
    let cases = [
        (Start::Beginning, vec!["one", "two", "three", "four"]),
        (Start::End, vec!["four"]),
        (Start::Last(9), vec!["three", "four"]),
        (Start::Last(10), vec!["three", "four"]),
        (Start::Last(3), vec!["four"]),
        (Start::Last(2), vec![]),
        (Start::Last(1000), vec!["one", "two", "three", "four"]),
    ];
    for (start, want) in cases {
        let mut rig = Rig { ..Rig::new(&[], options()) };
        let text = dir.path("log").to_str().unwrap().to_owned();
        let pattern = sereno_tail::Pattern { id: 1, path: text };
        let opts = Options { start, ..options() };
        rig.follow = sereno_tail::Follow::open(&[pattern], &[], opts).unwrap();
        let mut got = rig.run();
        dir.append("log", "r\n");
        got.extend(rig.run());
        assert_eq!(got, want, "{start:?}");
        fs::write(dir.path("log"), "one\ntwo\nthree\nfou").unwrap();
    }
}

#[test]
fn an_overflowing_event_queue_loses_nothing() {
    let dir = Dir::new();
    dir.append("log", "");
    let mut rig = Rig::new(&[dir.path("log"), dir.path("other*")], options());
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 100_000 {
        return println!("skipped: the event queue holds {limit} events");
    }
    for n in 0..limit {
        let name = dir.path(&format!("noise{}", n % 2));
        fs::write(&name, "").unwrap();
        fs::remove_file(&name).unwrap();
    }
    dir.append("log", "1\n");
    fs::rename(dir.path("log"), dir.path("log.1")).unwrap();
    dir.append("log", "2\n");
    dir.append("other", "3\n");
    let mut got = rig.run();
    for _ in 0..10 {
        got.extend(rig.run());
    }
    assert_eq!(got, ["1", "2", "3"]);
    assert!(rig.seen.has(|n| *n == Notice::Overflow));
}

#[test]
fn an_inode_number_used_again_is_another_file() {
    let dir = Dir::new();
    dir.append("log", "old 1\nold 2\n");
    let rig = Rig::new(&[dir.path("log")], options());
    let mut points = rig.follow.checkpoints();
    drop(rig);
    fs::remove_file(dir.path("log")).unwrap();
    let file = dir.append("log", "new 1\nnew 2\nnew 3\n");
    // Most file systems reuse the number; make sure of it.
    points[0].ino = std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
    let mut rig = Rig::new(&[], options());
    let text = dir.path("log").to_str().unwrap().to_owned();
    let pattern = sereno_tail::Pattern { id: 1, path: text };
    rig.follow = sereno_tail::Follow::open(&[pattern], &points, options()).unwrap();
    assert_eq!(rig.run(), ["new 1", "new 2", "new 3"]);
    assert!(rig.seen.has(|n| matches!(n, Notice::Lost { offset: 12, .. })));
}

#[test]
fn another_device_number_after_a_reboot_is_the_same_file() {
    let dir = Dir::new();
    dir.append("log", "one\ntwo\n");
    let rig = Rig::new(&[dir.path("log")], options());
    let mut points = rig.follow.checkpoints();
    drop(rig);
    points[0].dev += 1;
    let mut rig = Rig::resume(&[dir.path("log")], &points, options());
    dir.append("log", "three\n");
    assert_eq!(rig.run(), ["three"]);
    assert_eq!(rig.follow.status()[0].offset, 14);
    assert!(!rig.seen.has(|n| matches!(n, Notice::Lost { .. })));
}

#[test]
fn a_file_shortened_by_a_crash_is_not_read_again() {
    let dir = Dir::new();
    let file = dir.append("log", &"a line\n".repeat(500));
    let rig = Rig::new(&[dir.path("log")], options());
    let points = rig.follow.checkpoints();
    drop(rig);
    file.set_len(700).unwrap();
    dir.append("log", "");
    let mut rig = Rig::resume(&[dir.path("log")], &points, options());
    assert!(rig.seen.has(|n| matches!(n, Notice::Truncated { lost: 2800, .. })));
    dir.append("log", "after\n");
    assert_eq!(rig.run(), ["after"]);
    assert_eq!(rig.follow.status()[0].offset, 706);
}

#[test]
fn an_emptied_file_that_has_grown_past_the_offset_is_noticed() {
    let dir = Dir::new();
    let file = dir.append("log", "one\ntwo\n");
    let mut rig = Rig::new(&[dir.path("log")], options());
    file.set_len(0).unwrap();
    dir.append("log", "three is longer than both\nfour\n");
    assert_eq!(rig.run(), ["three is longer than both", "four"]);
    assert!(rig.seen.has(|n| matches!(n, Notice::Truncated { rescued: false, .. })));
}

#[test]
fn a_writer_without_append_leaves_a_hole() {
    let dir = Dir::new();
    let mut file = fs::File::create(dir.path("log")).unwrap();
    file.write_all(&b"0123456789\n".repeat(100_000)).unwrap();
    let mut rig = Rig::new(&[dir.path("log")], options());
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(1_100_000)).unwrap();
    file.write_all(b"behind the hole\n").unwrap();
    let got = rig.run();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].trim_start_matches('\0'), "behind the hole");
}

#[test]
fn long_lines_are_cut_and_reported_once_a_minute() {
    let dir = Dir::new();
    // All of it in one wake: how long a line is shows at its end.
    let opts = Options { budget: 4 << 20, ..options() };
    let mut rig = Rig::new(&[dir.path("log")], opts);
    let long = "x".repeat(1_000_000);
    dir.append("log", &format!("{long}\nnext\n"));
    let got = rig.run();
    assert_eq!((got[0].len(), got[1].as_str()), (8192, "next"));
    dir.append("log", &format!("{long}\n{long}\n\0\u{e4}\n"));
    assert_eq!(rig.run().len(), 3);
    let cuts = |rig: &Rig| {
        let cut = |n: &Notice| match n {
            Notice::LineCut { count, longest, .. } => Some((*count, *longest)),
            _ => None,
        };
        rig.seen.notices.iter().filter_map(cut).collect::<Vec<_>>()
    };
    assert_eq!(cuts(&rig), [(1, 1_000_000)]);
    rig.pass(60);
    assert_eq!(cuts(&rig), [(1, 1_000_000), (2, 1_000_000)]);
}

#[test]
fn a_restart_inside_a_cut_line_does_not_deliver_its_rest() {
    let dir = Dir::new();
    dir.append("log", &"x".repeat(20_000));
    let mut rig = Rig::new(&[dir.path("log")], options());
    let points = rig.follow.checkpoints();
    assert_eq!(points[0].place.offset, 20_000);
    rig.run();
    dir.append("log", " forged\ngood\n");
    let mut rig = Rig::new(&[], options());
    let text = dir.path("log").to_str().unwrap().to_owned();
    let pattern = sereno_tail::Pattern { id: 1, path: text };
    rig.follow = sereno_tail::Follow::open(&[pattern], &points, options()).unwrap();
    assert_eq!(rig.run(), ["good"]);
}

#[test]
fn a_flooded_log_does_not_starve_another() {
    let dir = Dir::new();
    dir.append("flood", &"flood line\n".repeat(2_000_000));
    dir.append("quiet", "quiet line\n");
    let opts = Options { budget: 256 * 1024, ..options() };
    let mut rig = Rig::new(&[], options());
    let paths = ["flood", "quiet"].map(|n| dir.path(n).to_str().unwrap().to_owned());
    let pattern = |path: &String| sereno_tail::Pattern { id: 0, path: path.clone() };
    let patterns: Vec<_> = paths.iter().map(pattern).collect();
    rig.follow = sereno_tail::Follow::open(&patterns, &[], opts).unwrap();
    assert!(rig.follow.wake(rig.now, &mut rig.seen));
    let first = rig.seen.take();
    assert!(first.len() < 50_000 && first.iter().any(|line| line == "quiet line"));
}

#[test]
fn an_unreadable_file_is_tried_again_and_keeps_its_checkpoint() {
    let dir = Dir::new();
    // Root reads everything; too many symbolic links nobody can.
    symlink(dir.path("log"), dir.path("log")).unwrap();
    dir.append("good", "1\n");
    let mut rig = Rig::new(&[dir.path("log"), dir.path("good")], options());
    assert!(rig.seen.has(|n| matches!(n, Notice::Unreadable { .. })));
    assert_eq!(rig.follow.status().len(), 1, "the other is read");
    let (at, why) = rig.follow.next_wake();
    assert_eq!((at, why), (rig.now.plus(Duration::from_secs(1)), "try a file again"));
    fs::remove_file(dir.path("log")).unwrap();
    dir.append("log", "2\n");
    assert_eq!(rig.pass(1), ["2"]);
}

#[test]
fn asterisk_sequential_rotation_and_a_pipeline_of_names() {
    let dir = Dir::new();
    let mut writer = dir.append("full", "0\n");
    let mut rig = Rig::new(&[dir.path("full*")], options());
    let mut got = Vec::new();
    for n in 0..20 {
        writeln!(writer, "{n} before").unwrap();
        fs::rename(dir.path("full"), dir.path(&format!("full.{n}"))).unwrap();
        writeln!(writer, "{n} late").unwrap();
        writer = dir.append("full", &format!("{n} new\n"));
        if n % 3 == 0 {
            got.extend(rig.run());
        }
        std::thread::sleep(Duration::from_millis(11));
    }
    got.extend(rig.run());
    let want: Vec<String> =
        (0..20).flat_map(|n| ["before", "late", "new"].map(|word| format!("{n} {word}"))).collect();
    assert_eq!(got, want);
    rig.pass(61);
    assert_eq!(rig.follow.status().len(), 1);
    assert!(rig.seen.has(|n| matches!(n, Notice::Closed { .. })));
}

#[test]
fn more_files_than_the_limit() {
    let dir = Dir::new();
    for n in 0..20 {
        dir.append(&format!("{n}.log"), "");
    }
    let opts = Options { files_per_pattern: 8, ..options() };
    let rig = Rig::new(&[dir.path("*.log")], opts);
    assert_eq!(rig.follow.status().len(), 8);
    assert!(rig.seen.has(|n| *n == Notice::TooMany { pattern: 0, limit: 8 }));
}
