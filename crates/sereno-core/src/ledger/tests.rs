use super::*;
use proptest::prelude::*;

const WHO: [&str; 4] = ["192.0.2.1", "192.0.2.2", "198.51.100.0/24", "2001:db8::/64"];
const JAILS: [&str; 2] = ["a", "b"];

fn any_ban() -> impl Strategy<Value = Ban> {
    (0..4usize, 0..2usize, 0i64..9, proptest::option::of(0i64..9)).prop_map(
        |(who, jail, since, until)| Ban {
            jail: JAILS[jail].parse().unwrap(),
            scope: "all".parse().unwrap(),
            prefix: WHO[who].parse().unwrap(),
            offender: None,
            since: Time(since),
            until: until.map(Time),
            count: 3,
            because: Because::Failures,
            before: 0,
            evidence: Evidence::default(),
            captures: Captures::default(),
        },
    )
}

proptest! {
    /// Many put back at once, against one by one.
    #[test]
    fn all_are_put_back_as_one_by_one(
        bans in proptest::collection::vec(any_ban(), 0..8),
        pasts in proptest::collection::vec((0..4usize, 0..2usize, 0u32..5, 0i64..9), 0..8),
        known in proptest::option::of(any_ban()),
    ) {
        let (mut quick, mut slow) = (Ledger::default(), Ledger::default());
        if let Some(ban) = known {
            quick.ban(ban.clone());
            slow.ban(ban);
        }
        let mut all = Recollection::default();
        let mut seen = BTreeSet::new();
        for ban in bans.into_iter().filter(|ban| seen.insert((ban.jail, ban.prefix))) {
            all.ban(ban.clone());
            slow.recall(ban);
        }
        let mut seen = BTreeSet::new();
        for (who, jail, bans, last) in pasts.into_iter().filter(|(who, jail, ..)| seen.insert((*who, *jail))) {
            let (jail, prefix): (Name, Prefix) = (JAILS[jail].parse().unwrap(), WHO[who].parse().unwrap());
            let past = Past { bans, last: Time(last) };
            all.past(jail, prefix, past);
            slow.recall_past(jail, prefix, past);
        }
        quick.recall_all(all);
        prop_assert!(quick.bans().eq(slow.bans()));
        prop_assert_eq!(&quick.ends, &slow.ends);
        prop_assert_eq!(&quick.lengths, &slow.lengths);
        for jail in JAILS {
            let jail = jail.parse().unwrap();
            prop_assert_eq!(quick.count(jail), slow.count(jail));
            for who in WHO {
                let who = who.parse().unwrap();
                prop_assert_eq!(quick.before(jail, who), slow.before(jail, who));
            }
        }
        let order = |ledger: &Ledger| {
            let named = |((who, jail), past): (&Key, &Past)| (*who, ledger.names[usize::from(*jail)].0, *past);
            ledger.past.iter().map(named).collect::<Vec<_>>()
        };
        prop_assert_eq!(order(&quick), order(&slow));
    }

    /// What touches a prefix, against asking every ban.
    #[test]
    fn touching_misses_nothing(bans in proptest::collection::vec((any::<u16>(), 0u8..5), 0..40), asked: (u16, u8)) {
        let prefix = |low: u16, length: u8| {
            let addr = IpAddr::from([10, 0, (low >> 8) as u8, low as u8]);
            Prefix::new(addr, [32, 31, 28, 24, 16][usize::from(length % 5)]).unwrap()
        };
        let mut ledger = Ledger::default();
        let jail = Name::new("test").unwrap();
        for (low, length) in bans {
            ledger.ban(Ban {
                jail,
                scope: jail,
                prefix: prefix(low & 0x0f0f, length),
                offender: None,
                since: Time::default(),
                until: None,
                count: 1,
                because: Because::Failures,
                before: 0,
                evidence: Evidence::default(),
                captures: Captures::default(),
            });
        }
        let asked = prefix(asked.0 & 0x0f0f, asked.1);
        let mut quick: Vec<Prefix> = ledger.touching(asked).map(|ban| ban.prefix).collect();
        let mut slow: Vec<Prefix> = ledger.bans().map(|b| b.prefix).filter(|p| p.overlaps(asked)).collect();
        quick.sort();
        slow.sort();
        prop_assert_eq!(quick, slow);
        prop_assert!(ledger.of(asked).all(|ban| ban.prefix == asked));
    }
}
