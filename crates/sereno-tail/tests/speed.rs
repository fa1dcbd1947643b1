//! How fast lines come through; printed, with a floor far below what is normal.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod common;

use common::{Dir, options};
use sereno_core::time::Time;
use sereno_tail::{Block, FileId, Follow, Notice, Pattern, Sink};
use std::io::Write;
use std::time::{Duration, Instant};

const LINE: &str =
    "Nov 22 15:22:38 host sshd[12345]: Failed password for root from 192.0.2.1 port 51234 ssh2\n";

#[derive(Default)]
struct Count {
    bytes: u64,
    blocks: u64,
}

impl Sink for Count {
    fn block(&mut self, _: FileId, block: Block<'_>) {
        self.bytes += block.bytes.len() as u64;
        self.blocks += 1;
    }
    fn notice(&mut self, _: Notice) {}
}

fn cpu() -> Duration {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(usage.tv_sec.try_into().unwrap(), usage.tv_nsec.try_into().unwrap())
}

#[test]
fn a_hundred_megabytes_and_single_lines() {
    let dir = Dir::new();
    let lines = 100_000_000 / LINE.len();
    let mut writer = dir.append("log", &LINE.repeat(lines));
    let path = dir.path("log").to_str().unwrap().to_owned();
    let mut follow = Follow::open(&[Pattern { id: 1, path }], &[], options()).unwrap();
    let (mut count, now) = (Count::default(), Time::from_secs(1));
    let (begin, cpu_begin) = (Instant::now(), cpu());
    while follow.wake(now, &mut count) {}
    let (wall, used) = (begin.elapsed().as_secs_f64(), (cpu() - cpu_begin).as_secs_f64());
    assert_eq!(count.bytes, (lines * LINE.len()) as u64);
    println!(
        "{} MB in {} blocks: {:.0} MB/s wall, {:.0} MB per CPU second, {:.1} M lines/s",
        count.bytes / 1_000_000,
        count.blocks,
        count.bytes as f64 / 1e6 / wall,
        count.bytes as f64 / 1e6 / used,
        lines as f64 / 1e6 / used,
    );
    assert!(wall < 10.0);

    let turns = 20_000;
    let mut spent = Duration::ZERO;
    for _ in 0..turns {
        writer.write_all(LINE.as_bytes()).unwrap();
        let begin = cpu();
        follow.wake(now, &mut count);
        spent += cpu() - begin;
    }
    assert_eq!(count.bytes, ((lines + turns) * LINE.len()) as u64);
    println!(
        "one line, one wake: {:.2} us of CPU",
        spent.as_secs_f64() * 1e6 / f64::from(turns as u32)
    );
}
