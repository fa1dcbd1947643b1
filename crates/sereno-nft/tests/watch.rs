//! What others do to the table is noticed; what we do is not.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;

use net::Net;
use sereno_core::gate::{Contents, Draft, Gate, Hold, Scope};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel, Seen, Watch};

const NOW: Time = Time::from_secs(1_700_000_000);

fn hold(n: u32) -> Hold {
    let addr = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n);
    Hold {
        scope: "all".parse().unwrap(),
        prefix: sereno_core::addr::Prefix::host(addr.into()),
        until: None,
    }
}

#[test]
fn foreign_changes_are_told_and_our_own_are_not() {
    let Some(net) = Net::new() else { return };
    let gate = Gate::try_from(Draft::of(vec![Scope::new("all", "all").unwrap()])).unwrap();
    let (mut kernel, mut watch) = net.serve(|| {
        let kernel = Kernel::open().unwrap();
        let watch = Watch::open(&kernel).unwrap();
        (kernel, watch)
    });
    let many: Vec<_> = (0..100_000).map(hold).collect();
    kernel.install(&gate, Contents::bans(&many), NOW).unwrap();
    let ours: Vec<_> = (0..500).map(|n| Change::Ban(hold(n))).collect();
    assert!(kernel.apply(&gate, &ours, NOW).iter().all(Result::is_ok));
    net.nft(&["add", "table", "inet", "other"], "");
    net.nft(&["delete", "table", "inet", "other"], "");
    assert_eq!(watch.drain(&gate).unwrap(), Seen::default());

    let mut told = |words: &str| {
        kernel.install(&gate, Contents::bans(&[hold(1), hold(2)]), NOW).unwrap();
        net.nft(&words.split(' ').collect::<Vec<_>>(), "");
        let seen = watch.drain(&gate).unwrap();
        assert!(!seen.is_quiet() && !seen.overrun && !seen.more, "{words}: {seen:?}");
        assert!(seen.by.as_deref().is_some_and(|by| by.starts_with("nft (pid ")), "{seen:?}");
        (seen, kernel.exists(&gate).unwrap())
    };
    for words in ["flush ruleset", "delete table inet sereno"] {
        let (seen, exists) = told(words);
        assert!(seen.table_lost && !exists, "{words}: {seen:?}");
    }
    let (seen, exists) = told("flush table inet sereno");
    assert!(seen.structure_changed && !seen.table_lost && !exists, "{seen:?}");
    let (seen, exists) = told("flush set inet sereno ban_all_v4_32");
    assert!(seen.elements_removed && !seen.structure_changed && exists, "{seen:?}");
    let (seen, _) = told("add element inet sereno ban_all_v4_32 { 192.0.2.1 }");
    assert!(seen.elements_added && !seen.elements_removed, "{seen:?}");
    let (seen, exists) = told("insert rule inet sereno bans accept");
    assert!(seen.structure_changed && !exists, "{seen:?}");
    let (seen, exists) = told("add table inet sereno { flags dormant; }");
    assert!(seen.structure_changed && !exists, "{seen:?}");
}

#[test]
fn lost_notices_are_an_overrun_and_reading_goes_on() {
    let Some(net) = Net::new() else { return };
    let gate = Gate::try_from(Draft::of(vec![Scope::new("all", "all").unwrap()])).unwrap();
    let (mut other, mut watch) = net.serve(|| {
        let ours = Kernel::open().unwrap();
        let watch = Watch::open(&ours).unwrap();
        (Kernel::open().unwrap(), watch)
    });
    let many: Vec<_> = (0..200_000).map(hold).collect();
    other.install(&gate, Contents::bans(&many), NOW).unwrap();
    other.install(&gate, Contents::bans(&many), NOW).unwrap();
    let mut seen = watch.drain(&gate).unwrap();
    println!("after 400,000 foreign elements: {seen:?}");
    let mut overrun = seen.overrun;
    while seen.more {
        seen = watch.drain(&gate).unwrap();
        overrun |= seen.overrun;
    }
    assert!(overrun);
    other.remove(&gate).unwrap();
    other.install(&gate, Contents::bans(&[hold(1)]), NOW).unwrap();
    other.remove(&gate).unwrap();
    assert!(watch.drain(&gate).unwrap().table_lost);
}
