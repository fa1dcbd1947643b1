//! Ways to attack and not be counted, or to blind: each was open once.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test")]

mod shipped;

use jiff::tz::TimeZone;
use sereno_core::engine::{Action, Clock, Engine, Input, SourceHealth, SourceId};
use sereno_core::gate::{Name, Through};
use sereno_core::jail::{Friends, JailPolicy};
use sereno_core::line::{Dates, Record, Style};
use sereno_core::rule::Rule;
use sereno_core::rule::spec::{ExtensionSpec, RuleSpec};
use sereno_core::time::Time;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const SOURCE: SourceId = SourceId(1);

static RULE: LazyLock<Arc<Rule>> = LazyLock::new(|| {
    let spec = shipped::rules().into_iter().find(|spec| spec.name == "asterisk").unwrap();
    Arc::new(Rule::compile(&spec).unwrap())
});

/// A guard with one jail, by the clock of the log.
struct Guard {
    engine: Engine,
    actions: Vec<Action>,
}

impl Guard {
    fn new(maxretry: u32) -> Self {
        let name = Name::new("asterisk").unwrap();
        let policy = JailPolicy { maxretry, maxhosts: 0, ..JailPolicy::new(name, "asterisk") };
        let mut engine = Engine::new(vec![policy], Friends::new(Vec::new()), Clock::Log, 1);
        let dates = Dates::new(TimeZone::UTC);
        engine.add_source(SOURCE, &[Arc::clone(&RULE)], &[name], dates).unwrap();
        Self { engine, actions: Vec::new() }
    }

    /// A log is read.
    fn read(mut self, log: &str) -> Self {
        let input = Input::Block { source: SOURCE, bytes: log.as_bytes(), live: false };
        self.engine.handle(input, now(), &mut self.actions);
        self
    }

    /// An entry of the journal is read.
    fn entry(mut self, program: &str, text: &str) -> Self {
        let record = Record {
            program: program.as_bytes(),
            text: text.as_bytes().into(),
            style: Style::Syslog,
            ..Record::default()
        };
        let input = Input::Record { source: SOURCE, record: &record, when: now() };
        self.engine.handle(input, now(), &mut self.actions);
        self
    }

    fn health(&self) -> SourceHealth {
        self.engine.source(SOURCE).unwrap()
    }

    /// Who is banned in the end.
    fn bans(mut self) -> Vec<String> {
        self.engine.settle(SOURCE, now().plus(Duration::from_secs(3600)), &mut self.actions);
        let banned = |action: &Action| match action {
            Action::Ban(ban) => Some(ban.prefix.to_string()),
            _ => None,
        };
        self.actions.iter().filter_map(banned).collect()
    }
}

fn now() -> Time {
    "2026-11-22T16:00:00Z".parse().unwrap()
}

/// A line with a header; `second` is of 15:22.
fn line(second: u32, level: &str, file: &str, text: &str) -> String {
    format!("[2026-11-22 15:22:{second:02}.000] {level} {file}: {text}\n")
}

fn notice(second: u32, file: &str, text: &str) -> String {
    line(second, "NOTICE[4108]", file, text)
}

/// IAX2 refuses: evidence that anybody could write who writes line breaks.
fn iax(second: u32, addr: &str) -> String {
    notice(second, "chan_iax2.c", &format!("Host {addr}:5 failed to authenticate as 700"))
}

/// IAX2's complaint about a user whose name the stranger wrote.
fn token(second: u32, addr: &str, user: &str) -> String {
    let text = format!(
        "Call rejected, CallToken Support required. If unexpected, resolve by placing address \
         {addr}:4569 in the calltokenoptional list or setting user {user} requirecalltoken=no"
    );
    line(second, "ERROR[4116]", "chan_iax2.c", &text)
}

/// A security event; `more` follows the address.
fn event(
    second: u32,
    what: &str,
    account: &str,
    session: &str,
    remote: &str,
    more: &str,
) -> String {
    let (service, remote) = remote.split_once(' ').unwrap();
    let text = format!(
        "SecurityEvent=\"{what}\",EventTV=\"\",Severity=\"Error\",Service=\"{service}\",\
         EventVersion=\"1\",AccountID=\"{account}\",SessionID=\"{session}\",\
         LocalAddress=\"IPV4/UDP/198.51.100.16/5060\",RemoteAddress=\"IPV4/{remote}/5060\"{more}"
    );
    line(second, "SECURITY[4132]", "res_security_log.c", &text)
}

fn success(second: u32, remote: &str) -> String {
    event(second, "SuccessfulAuth", "602", "p1", remote, ",UsingPassword=\"1\"")
}

fn filler(bytes: usize) -> String {
    let one = line(38, "VERBOSE[1]", "pbx.c", &"Spawn extension ".repeat(10));
    one.repeat(bytes / one.len() + 1)
}

#[test]
fn line_breaks_hide_nobody() {
    let log = token(38, "203.0.113.9", &"x\n".repeat(60));
    assert_eq!(Guard::new(1).read(&log).bans(), ["203.0.113.9"]);
}

#[test]
fn who_forges_is_counted_and_his_victim_is_not() {
    let forged = iax(38, "192.0.2.66");
    let log = token(38, "203.0.113.9", &format!("x\n{forged}"));
    assert_eq!(Guard::new(1).read(&log).bans(), ["203.0.113.9"]);
    // Nor does he hide behind his own shadow; but what he writes about others stays in it.
    let log = format!("{log}{}{}", iax(39, "203.0.113.9"), iax(39, "192.0.2.66"));
    assert_eq!(Guard::new(2).read(&log).bans(), ["203.0.113.9"]);
    // Not even about the one whose address he has put on his packet, beyond what the packet does.
    let text = "WebSocket connection from '192.0.2.66:5' could not be accepted - no key";
    let forged = line(38, "WARNING[7]", "res_http_websocket.c", text);
    let verbose = |text: &str| line(38, "VERBOSE[1]", "a.c", text);
    let head = notice(38, "chan_iax2.c", "Host 192.0.2.66:5 failed MD5 authentication for 'x");
    let whole = [head, verbose("' (q)"), forged, verbose("z' (a != b)")].concat();
    assert!(Guard::new(2).read(&whole).bans().is_empty());
}

#[test]
fn a_shadow_is_no_longer_than_a_record() {
    let forged = token(38, "203.0.113.1", &format!("x\n{}", iax(38, "192.0.2.66")));
    let near = format!("{forged}{}{}", filler(4_000), iax(38, "203.0.113.9"));
    assert_eq!(Guard::new(1).read(&near).bans(), ["203.0.113.1"]);
    let far = format!("{forged}{}{}", filler(9_000), iax(38, "203.0.113.9"));
    assert_eq!(Guard::new(1).read(&far).bans(), ["203.0.113.1", "203.0.113.9"]);
}

#[test]
fn a_record_ends_before_the_next_true_event() {
    let true_one = success(37, "PJSIP UDP/10.20.30.1");
    let forged = token(38, "203.0.113.1", &format!("x\n{}", iax(38, "192.0.2.66")));
    let log = format!("{true_one}{forged}{true_one}{}", iax(38, "203.0.113.9"));
    assert_eq!(Guard::new(1).read(&log).bans(), ["203.0.113.1", "203.0.113.9"]);
    // The end of a forged record casts its shadow on what stands before it, up to the event.
    let end = line(38, "VERBOSE[1]", "a.c", "x requirecalltoken=no");
    let log = format!("{}{true_one}{}{end}", iax(38, "203.0.113.9"), iax(38, "192.0.2.66"));
    assert_eq!(Guard::new(1).read(&log).bans(), ["203.0.113.9"]);
}

#[test]
fn guessing_at_threads_blinds_less_than_it_did() {
    let known = success(37, "PJSIP UDP/10.20.30.1");
    let guess = |thread: &str| {
        event(38, "InvalidPassword", "x", "0x1", "AMI TCP/192.0.2.66", "").replace("4132", thread)
    };
    let sign = line(38, "VERBOSE[1]", "a.c", "x requirecalltoken=no");
    let guesses = format!("{known}{sign}{}{}{}{sign}", guess("1"), guess("2"), guess("3"));
    let wrong = event(39, "ChallengeResponseFailed", "602", "s", "PJSIP UDP/203.0.113.9", "");
    let log = format!("{guesses}{}{wrong}", filler(9_000));
    assert_eq!(Guard::new(1).read(&log).bans(), ["203.0.113.9"]);
    // A guess that is right: the end of the record it stands in gives it away.
    let log = format!("{guesses}{}{sign}", guess("4132"));
    assert!(Guard::new(1).read(&log).bans().is_empty());
}

#[test]
fn many_open_records_use_up_no_caution() {
    let mut log = String::new();
    for _ in 0..60 {
        log += &notice(38, "chan_iax2.c", "No registration for peer 'a");
    }
    log += &iax(38, "192.0.2.66");
    log += &line(38, "VERBOSE[1]", "a.c", "' (from 203.0.113.3)");
    assert!(!Guard::new(1).read(&log).bans().contains(&"192.0.2.66".to_owned()));
}

#[test]
fn what_cannot_become_a_record_is_not_waited_for() {
    let name = Name::new("asterisk").unwrap();
    let never = "Host 203.0.113.5 is reachable but failed to authenticate as 7 now";
    for (text, waits) in [(never, false), ("No registration for peer 'x", true)] {
        let policy = JailPolicy::new(name, "asterisk");
        let mut engine = Engine::new(vec![policy], Friends::new(Vec::new()), Clock::Wall, 1);
        let dates = Dates::new(TimeZone::UTC);
        engine.add_source(SOURCE, &[Arc::clone(&RULE)], &[name], dates).unwrap();
        let bytes = notice(38, "chan_iax2.c", text);
        let input = Input::Block { source: SOURCE, bytes: bytes.as_bytes(), live: false };
        engine.handle(input, now(), &mut Vec::new());
        assert_eq!(engine.next_wake().is_some(), waits, "{text}");
    }
}

#[test]
fn a_made_up_notice_takes_only_its_own_account_with_it() {
    let refused = |addr: &str, account: &str| {
        let text = format!(
            "Registration from '<sip:{account}@h>' failed for '{addr}:5060' - Wrong password"
        );
        notice(38, "chan_sip.c", &text)
    };
    let phone = success(37, "PJSIP UDP/10.20.30.1");
    let claim = event(38, "FailedACL", "104", "0x2", "SIP UDP/192.0.2.66", ",ACLName=\"x\"");
    let log = [refused("203.0.113.5", "104"), claim.clone(), refused("192.0.2.67", "999")];
    let log = format!("{phone}{}", log.concat());
    assert_eq!(Guard::new(1).read(&log).bans(), ["203.0.113.5"]);
    // Of one account nobody can say which is the true one.
    let log = [refused("203.0.113.5", "104"), claim, refused("192.0.2.67", "104")];
    let log = format!("{phone}{}", log.concat());
    assert!(Guard::new(1).read(&log).bans().is_empty());
}

#[test]
fn a_framed_address_stays_framed() {
    let claim = |second: u32, addr: &str| {
        event(second, "FailedACL", "104", "0x2", &format!("SIP UDP/{addr}"), ",ACLName=\"x\"")
    };
    let mut log = claim(1, "192.0.2.66");
    for i in 0..6_000u32 {
        log += &claim(5 + i / 1_000, &format!("198.18.{}.{}", i / 250, i % 250));
    }
    let call = |second: u32, what: &str, more: &str| {
        event(second, what, "sip:100@h", "0x9", "SIP UDP/192.0.2.66", more)
    };
    log += &call(30, "ChallengeSent", ",Challenge=\"a\"");
    log += &call(30, "InvalidPassword", ",Challenge=\"a\"");
    log += &claim(40, "198.18.255.1");
    assert!(Guard::new(1).read(&log).bans().is_empty());
}

#[test]
fn lines_that_changed_are_seen_among_lines_that_did_not() {
    let mut log = String::new();
    for _ in 0..100 {
        log += &success(38, "PJSIP UDP/10.20.30.1");
        log += &notice(38, "chan_sip.c", "Registration from '1' failed for 'udp:203.0.113.9': 403");
    }
    assert!(Guard::new(4).read(&log).health().counts.streak >= 20);
    let log = success(38, "PJSIP UDP/10.20.30.1").repeat(100);
    assert_eq!(Guard::new(4).read(&log).health().counts.streak, 0);
}

#[test]
fn where_records_cannot_run_into_each_other_there_is_no_shadow() {
    let refused =
        "NOTICE[18600]: chan_iax2.c:1 in f: Host 203.0.113.9:5 failed to authenticate as 7";
    let guard = Guard::new(1).entry("logger", "x requirecalltoken=no").entry("asterisk", refused);
    assert_eq!(guard.bans(), ["203.0.113.9"]);
    let json = |file: &str, text: &str| {
        let mut out =
            String::from("{\"hostname\":\"h\",\"timestamp\":\"2026-11-22 15:22:38.000\",");
        let location = format!("{{\"filename\":\"{file}\",\"function\":\"f\",\"line\":1}}");
        write!(out, "\"identifiers\":{{\"lwp\":1}},\"logmsg\":{{\"location\":{location},").unwrap();
        writeln!(out, "\"level\":\"NOTICE\",\"message\":\"{text}\"}}}}").unwrap();
        out
    };
    let dump = json("pjproject", " sip_endpoint.c Error processing packet from 203.0.113.1:4: x");
    let refused = json("chan_iax2.c", "Host 203.0.113.9:5 failed to authenticate as 7");
    assert_eq!(Guard::new(1).read(&format!("{dump}{refused}")).bans(), ["203.0.113.9"]);
}

#[test]
fn an_event_too_long_for_its_address_vouches_for_the_notice() {
    let call_id = "a".repeat(9_000);
    let mut cut = event(38, "InvalidAccountID", "9000", &call_id, "PJSIP UDP/203.0.113.9", "");
    let header = cut.find("SecurityEvent").unwrap();
    cut.truncate(header + 8_191);
    let refused = format!(
        "Request 'REGISTER' from '<sip:9000@h>' failed for '203.0.113.9:5060' (callid: {}) - No \
         matching endpoint found",
        &call_id[..255]
    );
    let refused = notice(38, "res_pjsip/pjsip_distributor.c", &refused);
    let phone = success(37, "PJSIP UDP/10.20.30.1");
    // The next record follows on the same line, and is read.
    let log = format!("{phone}{refused}{cut}{}", iax(38, "203.0.113.8"));
    let mut bans = Guard::new(1).read(&log).bans();
    bans.sort();
    assert_eq!(bans, ["203.0.113.8", "203.0.113.9"]);
    // Without such an event the notice only repeats what the events say.
    assert!(Guard::new(1).read(&format!("{phone}{refused}")).bans().is_empty());
}

#[test]
fn a_good_account_excuses_only_what_may_have_been_faked() {
    let good = success(30, "PJSIP UDP/203.0.113.9");
    let unknown = |remote: &str| event(38, "InvalidAccountID", "9000", "c1", remote, "");
    let faked = format!("{good}{}", unknown("PJSIP UDP/203.0.113.9").repeat(50));
    assert!(Guard::new(4).read(&faked).bans().is_empty(), "anybody may have sent these");
    let stream = format!("{good}{}", unknown("PJSIP TCP/203.0.113.9").repeat(2));
    assert_eq!(Guard::new(4).read(&stream).bans(), ["203.0.113.9"], "behind a handshake");
    let answer =
        event(38, "ChallengeResponseFailed", "<unknown>", "c1", "PJSIP UDP/203.0.113.9", "");
    let answered = format!("{faked}{answer}");
    assert_eq!(Guard::new(4).read(&answered).bans(), ["203.0.113.9"], "a challenge was answered");
}

#[test]
fn who_logs_in_well_is_known_at_the_gate_and_told_of_once_an_hour() {
    let known = |log: &str, span: Option<u64>| {
        let mut guard = Guard::new(3);
        guard.engine.greet(span.map(Duration::from_secs));
        let passes = guard.read(log).actions.into_iter().filter_map(|action| match action {
            Action::Open(pass) => Some((pass.to, pass.addr.to_string(), pass.until.unwrap())),
            _ => None,
        });
        passes.collect::<Vec<_>>()
    };
    let log = [success(38, "PJSIP UDP/203.0.113.9"), success(39, "PJSIP UDP/203.0.113.9")].concat();
    let log = log + &success(39, "PJSIP UDP/203.0.113.8") + &iax(40, "203.0.113.7");
    let [(to, first, until), (_, second, _)] = &known(&log, Some(60))[..] else { panic!() };
    assert_eq!(
        (*to, first.as_str(), second.as_str()),
        (Through::Known, "203.0.113.9", "203.0.113.8")
    );
    let [(_, _, later), _] = &known(&log, Some(100))[..] else { panic!() };
    assert_eq!(later.since(*until), Duration::from_secs(40));
    assert!(known(&log, None).is_empty());
    // chan_sip takes the answer from anywhere; who is known is who was asked.
    let sent = |addr: &str| {
        event(38, "ChallengeSent", "102", "0x7", &format!("SIP UDP/{addr}"), ",Challenge=\"1\"")
    };
    let taken = |addr: &str| {
        event(
            39,
            "SuccessfulAuth",
            "102",
            "0x7",
            &format!("SIP UDP/{addr}"),
            ",UsingPassword=\"1\"",
        )
    };
    let asked = |asked: &str| known(&format!("{}{}", sent(asked), taken("203.0.113.9")), Some(60));
    assert_eq!(asked("203.0.113.9").len(), 1);
    assert!(asked("203.0.113.50").is_empty() && known(&taken("203.0.113.9"), Some(60)).is_empty());
    // What a stranger writes into his name makes nobody known.
    let forged = success(39, "PJSIP UDP/203.0.113.66");
    assert!(known(&token(38, "203.0.113.9", &format!("x\n{forged}")), Some(60)).is_empty());
}
