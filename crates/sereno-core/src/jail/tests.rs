use super::*;
use crate::rule::session::Line;
use proptest::prelude::*;
use std::borrow::Cow;

pub(super) fn verdict(at: i64, addr: &str, account: u64) -> Verdict<'static> {
    Verdict {
        captures: Captures::default(),
        at: Time::from_secs(at),
        addr: addr.parse().unwrap(),
        network: None,
        good: false,
        weight: 1,
        proved: 0,
        account,
        spoofable: false,
        pattern: Cow::Owned("p".into()),
        line: Line::new(format!("line {at}").as_bytes()).to_owned(),
    }
}

fn jail(change: impl FnOnce(&mut JailPolicy)) -> Jail {
    let mut policy = JailPolicy::new(Name::new("test").unwrap(), "test");
    change(&mut policy);
    Jail::new(policy)
}

#[test]
fn the_window_slides() {
    let mut jail = jail(|p| p.maxretry = 3);
    for at in [0, 500, 700, 1200] {
        assert!(jail.failure(&verdict(at, "203.0.113.9", 0)).is_empty(), "{at}");
    }
    let trip = jail.failure(&verdict(1250, "203.0.113.9", 0)).remove(0);
    assert_eq!((trip.count, trip.prefix.to_string()), (3, "203.0.113.9".to_owned()));
    let dated = [
        "1970-01-01T00:11:40Z line 700",
        "1970-01-01T00:20:00Z line 1200",
        "1970-01-01T00:20:50Z line 1250",
    ];
    assert!(trip.evidence.lines().eq(dated));
}

#[test]
fn ipv6_counts_by_prefix_and_networks_when_asked() {
    let mut by_prefix = jail(|p| p.maxretry = 2);
    assert!(by_prefix.failure(&verdict(0, "2001:db8:bad::1", 0)).is_empty());
    let trip = by_prefix.failure(&verdict(1, "2001:db8:bad::2", 0)).remove(0);
    assert_eq!(trip.prefix.to_string(), "2001:db8:bad::/64");
    let mut spread = jail(|p| p.nethosts = 3);
    assert!(spread.failure(&verdict(0, "203.0.113.1", 0)).is_empty());
    assert!(spread.failure(&verdict(0, "203.0.113.1", 0)).is_empty());
    assert!(spread.failure(&verdict(0, "203.0.113.2", 0)).is_empty());
    let trip = spread.failure(&verdict(0, "203.0.113.3", 0)).remove(0);
    assert_eq!(
        (trip.prefix.to_string(), trip.because),
        ("203.0.113.0/24".to_owned(), Because::Network)
    );
}

#[test]
fn slow_and_wide_scans_are_seen_by_their_accounts() {
    let mut jail = jail(|p| p.maxaccounts = 4);
    for (i, account) in [11, 12, 13].into_iter().enumerate() {
        assert!(jail.failure(&verdict(i as i64 * 3000, "203.0.113.9", account)).is_empty());
    }
    let trip = jail.failure(&verdict(9000, "203.0.113.9", 14)).remove(0);
    assert_eq!(trip.because, Because::Accounts);
}

#[test]
fn a_siege_of_one_account_is_seen_whole() {
    let mut jail = jail(|p| p.maxhosts = 3);
    assert!(jail.failure(&verdict(0, "203.0.113.1", 7)).is_empty());
    assert!(jail.failure(&verdict(1, "198.51.100.2", 7)).is_empty());
    let trips = jail.failure(&verdict(2, "192.0.2.3", 7));
    let mut who: Vec<String> = trips.iter().map(|t| t.prefix.to_string()).collect();
    who.sort();
    assert_eq!(who, ["192.0.2.3", "198.51.100.2", "203.0.113.1"]);
    assert_eq!(jail.failure(&verdict(3, "192.0.2.4", 7)).len(), 4, "who joins is meant, too");
}

#[test]
fn a_good_login_forgives_its_own_account_only() {
    let mut jail = jail(|p| p.maxretry = 3);
    let good = |account| Verdict { good: true, ..verdict(10, "10.20.30.1", account) };
    assert!(jail.failure(&verdict(1, "10.20.30.1", 7)).is_empty());
    assert!(jail.failure(&verdict(2, "10.20.30.1", 7)).is_empty());
    jail.success(&good(7));
    for at in 11..40 {
        assert!(
            jail.failure(&verdict(at, "10.20.30.1", 7)).is_empty(),
            "patience with one's own account"
        );
    }
    assert_eq!(jail.counts().patient, 29);
    assert!(jail.failure(&verdict(41, "10.20.30.1", 8)).is_empty());
    assert!(jail.failure(&verdict(42, "10.20.30.1", 9)).is_empty());
    assert!(
        !jail.failure(&verdict(43, "10.20.30.1", 9)).is_empty(),
        "one good account absolves nobody"
    );
}

#[test]
fn a_flood_from_one_network_forgets_nobody_elsewhere() {
    let mut jail = jail(|p| p.memory = 1024);
    assert!(jail.failure(&verdict(0, "198.51.100.7", 0)).is_empty());
    for i in 0..65_536u32 {
        let addr = IpAddr::from([203, 0, (i >> 8) as u8, i as u8]);
        jail.failure(&Verdict { addr, ..verdict(1, "203.0.113.9", 0) });
    }
    let (here, there) = ("198.51.100.7".parse().unwrap(), "203.0.1.1".parse().unwrap());
    let same_quarter = jail.strangers.quarter(here) == jail.strangers.quarter(there);
    assert!(same_quarter || jail.track("198.51.100.7".parse().unwrap()).is_some());
    assert!(jail.watching() <= 1024);
    assert!(jail.counts().forgotten > 60_000);
}

#[test]
fn made_up_strangers_push_out_nobody_who_is_there() {
    let mut jail = jail(|p| p.memory = 1024);
    let flood = |jail: &mut Jail| {
        for i in 0..4096u32 {
            let addr = IpAddr::from([203, 0, (i >> 8) as u8, i as u8]);
            jail.failure(&Verdict { addr, spoofable: true, ..verdict(1, "203.0.113.9", 0) });
        }
    };
    // One whose address is true, and one who was seen twice.
    let (sure, twice) = ("203.0.200.1".parse().unwrap(), "203.0.200.2".parse().unwrap());
    jail.failure(&verdict(0, "203.0.200.1", 0));
    for at in [0, 1] {
        jail.failure(&Verdict { spoofable: true, ..verdict(at, "203.0.200.2", 0) });
    }
    flood(&mut jail);
    assert!(jail.track(sure).is_some() && jail.track(twice).is_some());
    assert!(jail.watching() <= 1024);
    // But nobody holds his place for ever: others come to stay, too.
    for i in 0..16 {
        jail.failure(&verdict(2, &format!("203.0.201.{i}"), 0));
    }
    assert!(jail.track(sure).is_none());
}

#[test]
fn one_account_makes_few_addresses_known() {
    let mut jail = jail(|p| p.maxretry = 2);
    let good = |addr: IpAddr, account| Verdict { addr, good: true, ..verdict(0, "::1", account) };
    let phone: IpAddr = "10.20.30.1".parse().unwrap();
    jail.success(&good(phone, 7));
    for i in 0..40_000u32 {
        jail.success(&good(IpAddr::from([198, 18, (i >> 8) as u8, i as u8]), 8));
    }
    assert!(jail.known(phone).is_some(), "somebody with one account pushed out everybody else");
    assert!(jail.known("198.18.0.1".parse().unwrap()).is_none());
    for at in 1..9 {
        assert!(jail.failure(&verdict(at, "10.20.30.1", 7)).is_empty());
    }
}

proptest! {
    /// The window against the obvious one: a list of everything.
    #[test]
    fn counts_like_a_list(
        maxretry in 1u32..6,
        findtime in 1u64..50,
        steps in proptest::collection::vec((0i64..20, 0u8..3, 1u32..3), 1..60),
    ) {
        let mut jail = jail(|p| { p.maxretry = maxretry; p.findtime = Duration::from_secs(findtime); p.maxaccounts = 0; });
        let mut lists: Vec<Vec<(i64, u32)>> = vec![Vec::new(); 3];
        let mut now = 0;
        for (wait, who, weight) in steps {
            now += wait;
            let list = &mut lists[usize::from(who)];
            list.push((now, weight));
            let count: u32 = list.iter().filter(|(at, _)| *at >= now - findtime as i64).map(|(_, w)| w).sum();
            let trip = jail.failure(&Verdict { weight, ..verdict(now, &format!("203.0.113.{who}"), 0) });
            prop_assert_eq!(trip.first().map(|t| t.count), (count >= maxretry).then_some(count));
            if count >= maxretry {
                list.clear();
            }
        }
    }
}
