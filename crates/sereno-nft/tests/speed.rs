//! How fast bans are: printed, with bounds loose enough for a busy machine.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;

use net::Net;
use sereno_core::addr::Prefix;
use sereno_core::gate::{Contents, Draft, Gate, Hold, Scope};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const NOW: Time = Time::from_secs(1_700_000_000);

fn hold(n: u32) -> Hold {
    Hold {
        scope: "sshd".parse().unwrap(),
        prefix: Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + n.wrapping_mul(7)).into()),
        until: Some(NOW.plus(Duration::from_secs(3600 + u64::from(n)))),
    }
}

#[test]
fn a_hundred_thousand_bans_are_restored_at_once_and_single_ones_take_microseconds() {
    let Some(net) = Net::new() else { return };
    let scopes = vec![Scope::new("sshd", "tcp/22").unwrap(), Scope::new("all", "all").unwrap()];
    let gate = Gate::try_from(Draft::of(scopes)).unwrap();
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    kernel.install(&gate, Contents::bans(&[]), NOW).unwrap();

    let start = Instant::now();
    for n in 0..10_000 {
        kernel.apply(&gate, &[Change::Ban(hold(n))], NOW).remove(0).unwrap();
    }
    let singles = start.elapsed();
    println!("10,000 single bans, empty set: {singles:?}, {:?} each", singles / 10_000);

    let many: Vec<_> = (0..100_000).map(hold).collect();
    let start = Instant::now();
    let done = kernel.install(&gate, Contents::bans(&many), NOW).unwrap();
    let restore = start.elapsed();
    println!("100,000 restored over 10,000: {restore:?}");
    assert_eq!((done.placed, done.transactions), (100_000, 1));
    let start = Instant::now();
    kernel.install(&gate, Contents::bans(&many), NOW).unwrap();
    println!("100,000 restored over 100,000: {:?}", start.elapsed());

    let start = Instant::now();
    for n in 200_000..210_000 {
        kernel.apply(&gate, &[Change::Ban(hold(n))], NOW).remove(0).unwrap();
    }
    let singles = start.elapsed();
    println!("10,000 single bans beside 100,000: {singles:?}, {:?} each", singles / 10_000);
    let start = Instant::now();
    let again: Vec<_> = (200_000..210_000).map(|n| Change::Ban(hold(n))).collect();
    assert!(kernel.apply(&gate, &again, NOW).iter().all(Result::is_ok));
    println!("10,000 renewed in batches: {:?}", start.elapsed());
    let start = Instant::now();
    let lifts = again.iter().map(|change| match change {
        Change::Ban(hold) => Change::Lift { scope: hold.scope, prefix: hold.prefix },
        other => *other,
    });
    assert!(kernel.apply(&gate, &lifts.collect::<Vec<_>>(), NOW).iter().all(Result::is_ok));
    println!("10,000 lifted in batches: {:?}", start.elapsed());

    let start = Instant::now();
    let mut listed = kernel.list(&gate, NOW).unwrap();
    println!("{} listed: {:?}", listed.len(), start.elapsed());
    assert_eq!(listed.len(), 100_000);
    listed.sort();
    // The kernel's clock went on since; ours stood still.
    for (have, want) in listed.iter().zip(&many) {
        assert_eq!((have.scope, have.prefix), (want.scope, want.prefix));
        let lag = want.until.unwrap().since(have.until.unwrap());
        assert!(lag < Duration::from_secs(30), "{have:?} {want:?}");
    }
    let start = Instant::now();
    assert!(kernel.exists(&gate).unwrap());
    println!("checked: {:?}", start.elapsed());
    assert!(restore < Duration::from_secs(2), "{restore:?}");
    assert!(singles < Duration::from_secs(2), "{singles:?}");
}
