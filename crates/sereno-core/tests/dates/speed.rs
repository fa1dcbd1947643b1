//! What dates cost; a measurement, run by hand.

use crate::ZONES;
use crate::random::Random;
use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, State, Zone};
use sereno_core::time::Time;

/// Nanoseconds per call, the best of several rounds: the machine has other work.
fn nanoseconds(mut call: impl FnMut(usize)) -> f64 {
    const CALLS: usize = 5_000;
    let round = |_| {
        let start = std::time::Instant::now();
        (0..CALLS).for_each(&mut call);
        start.elapsed().as_nanos() as f64 / CALLS as f64
    };
    (0..400).map(round).fold(f64::MAX, f64::min)
}

/// What finding and understanding a date costs once the order of templates has settled.
#[test]
#[ignore = "a measurement: cargo test --release --test dates -- --ignored --nocapture"]
fn how_long_it_takes() {
    const TAIL: &str = "host sshd[4242]: Failed password for invalid user admin from 192.0.2.7 \
                        port 50022 ssh2";
    const REQUEST: &str = "\"GET /wp-login.php?x=1:2 HTTP/1.1\" 404 209 \"-\" \"Mozilla/5.0 (X11; \
                           Linux x86_64) Gecko/20100101\"";
    let dull = "sshd[4242]: error maximum authentication attempts exceeded for invalid user \
                administrator from fe80::1:2:3 port 50022 ssh2 [preauth] (code 20, 17 tries: 5, \
                ratio 1.5), closing the connection now and here";
    let mut random = Random(3);
    let mut lines = |name: &'static str, pattern: Option<&'static str>, form: &str, tail: &str| {
        let line = |_| {
            let address = format!("10.{}.0.{}", random.below(256), random.below(256));
            random.fill(&form.replace("ADDRESS", &address)) + tail
        };
        (name, pattern, (0..256).map(line).collect::<Vec<String>>())
    };
    let shapes = [
        lines("Nov 22 15:22:38", None, "Nov 22 15:22:38 ", TAIL),
        lines("[Nov 22 15:22:38]", None, "[Nov 22 15:22:38] ", TAIL),
        lines("[2026-11-22 15:22:38]", None, "[2026-11-22 15:22:38] ", TAIL),
        lines("ISO, fraction, zone", None, "2026-11-22T15:22:38.123456+01:00 ", TAIL),
        lines("nginx", None, "2026/11/22 15:22:38 ", TAIL),
        lines("epoch", None, "1795357358.123 ", TAIL),
        lines("Apache, addresses vary", None, "ADDRESS - - [22/Nov/2026:15:22:38 +0100] ", REQUEST),
        lines("Apache, one address", None, "10.0.0.1 - - [22/Nov/2026:15:22:38 +0100] ", REQUEST),
        lines(
            "Apache, [({DATE})",
            Some("^[^\\[]*\\[({DATE})\n{^LN-BEG}"),
            "ADDRESS - - [22/Nov/2026:15:22:38 +0100] ",
            REQUEST,
        ),
        lines("own pattern", Some("^%Y-%m-%d %H:%M:%S"), "2026-11-22 15:22:38 ", TAIL),
        lines("no date, 200 bytes", None, "", &dull[..200]),
        lines("no date, {^LN-BEG}", Some("{^LN-BEG}"), "", &dull[..200]),
    ];
    let now = Time::from_secs(1_795_357_400);
    for (name, pattern, lines) in shapes {
        let zone = Zone::machine(TimeZone::posix(ZONES[1]).unwrap());
        let detector = Detector::new(pattern, zone, now).unwrap();
        let mut state = State::default();
        let mut found = None;
        let finding = nanoseconds(|i| found = detector.find(&mut state, &lines[i % 256], now));
        let meaning = found.map_or(0.0, |found| {
            nanoseconds(|_| {
                let line = &lines[4_999 % 256];
                let found = std::hint::black_box(&found);
                std::hint::black_box(detector.time(&mut state, found, line, now));
            })
        });
        eprintln!("{name:24} find {finding:6.1} ns, time {meaning:5.1} ns");
    }
    hostile(now);
}

/// Long lines that nearly hold dates: ten times the length may take ten times the time.
fn hostile(now: Time) {
    for length in [10_000, 100_000, 1_000_000] {
        for filler in
            ["1:2:3 ", "20050101 ", "(audit(@1234", "Jan 1 2005 1:2:", "+01:00 Z Sat Jan 1 "]
        {
            let line = filler.repeat(length / filler.len());
            let detector = Detector::new(None, Zone::machine(TimeZone::UTC), now).unwrap();
            let start = std::time::Instant::now();
            let _ = detector.find(&mut State::default(), &line, now);
            eprintln!("{length:8} bytes of {filler:?}: {:?}", start.elapsed());
        }
    }
}
