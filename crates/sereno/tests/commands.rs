//! Commands of actions, run by a real shell.
#![allow(clippy::unwrap_used, clippy::panic)]

use sereno::run::commands::{Begun, Failure, Outcome, Report, Runner};
use sereno_fail2ban::act::{Commands, Kind, Operation, Ticket, kind};
use sereno_fail2ban::{Files, read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

struct Texts(Vec<(&'static str, String)>);

impl Files for Texts {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        Ok(found.map(|(_, text)| text.as_bytes().to_vec()))
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// The commands of an action file. `DIR` is `folder`.
fn commands(text: &str, folder: &Path) -> Commands {
    let action = text.replace("DIR", folder.to_str().unwrap());
    let files = Texts(vec![
        ("/f/jail.conf", "[j]\nenabled = true\nfilter = f\naction = a\nlogpath = /x\n".to_owned()),
        ("/f/filter.d/f.conf", "[Definition]\nfailregex = ^<HOST>$\n".to_owned()),
        ("/f/action.d/a.conf", action),
    ]);
    let tree = read(&files, "/f");
    assert_eq!(tree.problems, []);
    match kind(&tree, &tree.jails[0].actions[0]) {
        (Kind::Command(commands), problems) if problems.is_empty() => *commands,
        other => panic!("{other:?}"),
    }
}

fn ticket(id: &str) -> Ticket {
    Ticket { jail: "j".to_owned(), id: id.to_owned(), addr: id.parse().ok(), ..Ticket::default() }
}

/// A runner with one action.
struct Scene {
    folder: tempfile::TempDir,
    runner: Runner,
    woken: Arc<AtomicUsize>,
    reports: Vec<Report>,
}

impl Scene {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let mut runner = Runner::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let commands = commands(text, folder.path());
        assert_eq!(runner.start("j", "a", commands, PATIENCE).unwrap(), Begun::New);
        Self { folder, runner, woken, reports: Vec::new() }
    }

    /// Waits until so many reports were made.
    fn reports(&mut self, count: usize) -> Vec<(Operation, Option<String>, Outcome)> {
        let began = Instant::now();
        while self.reports.len() < count {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.reports);
            sleep(Duration::from_millis(5));
            self.reports.extend(self.runner.take_reports());
        }
        let taken = std::mem::take(&mut self.reports);
        taken.into_iter().map(|report| (report.operation, report.id, report.outcome)).collect()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn log(&self) -> Vec<String> {
        self.text("log").lines().map(ToOwned::to_owned).collect()
    }

    fn stop(&mut self, patience: Duration) -> Vec<(Operation, Option<String>, Outcome)> {
        self.runner.stop_all(patience);
        self.reports.extend(self.runner.take_reports());
        self.reports(0)
    }
}

const PLAIN: &str = "[Definition]
actionstart = echo start >> DIR/log
actionstop = echo stop >> DIR/log
actionban = echo ban <ip> >> DIR/log
actionunban = echo unban <ip> >> DIR/log
";

#[test]
fn an_action_starts_bans_lifts_and_stops_in_order() {
    let mut scene = Scene::new(PLAIN);
    for id in ["192.0.2.1", "2001:db8::1", "192.0.2.3"] {
        scene.runner.ban(&ticket(id));
    }
    scene.reports(4);
    scene.runner.unban(&ticket("192.0.2.1"));
    scene.runner.unban(&ticket("192.0.2.9"));
    assert_eq!(scene.reports(1), [(Operation::Unban, Some("192.0.2.1".to_owned()), Outcome::Done)]);
    let other = Ticket { jail: "other".to_owned(), ..ticket("192.0.2.7") };
    scene.runner.ban(&other);
    scene.stop(PATIENCE);
    assert_eq!(
        scene.log(),
        [
            "start",
            "ban 192.0.2.1",
            "ban 2001:db8::1",
            "ban 192.0.2.3",
            "unban 192.0.2.1",
            "unban 192.0.2.3",
            "unban 2001:db8::1",
            "stop",
        ]
    );
    assert!(scene.woken.load(Ordering::Relaxed) >= 8);
}

#[test]
fn a_command_finds_a_clean_place_and_hostile_values_as_they_are() {
    let text = "[Definition]
actionban = printf '%%s|' \"<matches>\" '<F-USER>' <F-NONE> > DIR/log; pwd >> DIR/log
    env | grep -v -e ^f2bV -e ^PATH -e ^HOME -e ^L -e ^TZ -e ^PWD -e ^USER -e ^_ -e ^SHLVL -e ^OLDPWD >> DIR/log
    cat >> DIR/log; ps -o pgid= -p $$ >/dev/null 2>&1; echo $$ > DIR/pid; cut -d' ' -f5 /proc/$$/stat > DIR/group
    touch DIR/done
";
    let mut scene = Scene::new(text);
    let evil = "`touch canary`$(touch canary)\n;touch canary; ' \" <ip> ${f2bV_x}";
    let mut ticket = ticket("192.0.2.1");
    ticket.matches = vec![evil.to_owned()];
    ticket.captures.insert("user".to_owned(), evil.to_owned());
    scene.runner.ban(&ticket);
    let reports = scene.reports(1);
    assert_eq!(reports[0].2, Outcome::Done, "{}", scene.text("log"));
    let log = scene.text("log");
    let rest = log.strip_prefix(&format!("{evil}|{evil}||")).unwrap();
    let mut lines: Vec<&str> = rest.lines().collect();
    lines.retain(|line| !line.contains("canary") && !line.starts_with("TMPDIR="));
    assert_eq!(lines, ["/"], "{log}");
    assert!(!Path::new("/canary").exists() && !scene.folder.path().join("canary").exists());
    assert_eq!(scene.text("pid"), scene.text("group"));
}

#[test]
fn what_takes_too_long_is_killed_with_all_it_started() {
    let text = "[Definition]
actionban = (trap '' TERM; sleep 300 & echo $! > DIR/child; wait; sleep 300) & echo x; wait; touch DIR/after
[Init]
timeout = 1
";
    let mut scene = Scene::new(text);
    let began = Instant::now();
    scene.runner.ban(&ticket("192.0.2.1"));
    let reports = scene.reports(1);
    assert!(began.elapsed() < Duration::from_secs(4));
    let Outcome::Failed { failure: Failure::Timeout(after), output } = &reports[0].2 else {
        panic!("{reports:?}")
    };
    assert!(*after >= Duration::from_secs(1) && output == "x\n");
    let child = scene.text("child").trim().to_owned();
    let gone = || {
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ") || state.contains(") X ")
    };
    // A kill is on its way for a moment.
    let began = Instant::now();
    while !gone() {
        assert!(began.elapsed() < Duration::from_secs(3));
        sleep(Duration::from_millis(10));
    }
    assert_eq!(scene.text("after"), "");
}

#[test]
fn output_is_cut_and_the_background_is_not_waited_for() {
    let mut scene = Scene::new(
        "[Definition]\nactionban = sleep 30 & head -c 3000000 /dev/zero | tr '\\\\0' x; exit 3\n",
    );
    let began = Instant::now();
    scene.runner.ban(&ticket("192.0.2.1"));
    let reports = scene.reports(1);
    assert!(began.elapsed() < Duration::from_secs(10));
    let Outcome::Failed { failure, output } = &reports[0].2 else { panic!() };
    assert_eq!((failure, output.len()), (&Failure::Exit(3), 64 << 10));
}

#[test]
fn families_start_on_demand() {
    let mut scene = Scene::new(
        "[Definition]
actionstart = echo start <set> <family> >> DIR/log
actionstop = echo stop <set> <family> >> DIR/log
actionflush = echo flush <set> >> DIR/log
actionban = echo ban <set> <ip> >> DIR/log
actionunban = echo unban <set> <ip> >> DIR/log
[Init]
set = four
[Init?family=inet6]
set = six
",
    );
    scene.runner.ban(&ticket("192.0.2.1"));
    scene.runner.ban(&ticket("192.0.2.2"));
    scene.reports(3);
    assert_eq!(scene.log(), ["start four inet4", "ban four 192.0.2.1", "ban four 192.0.2.2"]);
    scene.runner.ban(&ticket("2001:db8::1"));
    scene.runner.unban(&ticket("192.0.2.2"));
    scene.reports(3);
    scene.stop(PATIENCE);
    assert_eq!(
        scene.log()[3..],
        [
            "start six inet6",
            "ban six 2001:db8::1",
            "unban four 192.0.2.2",
            "flush four",
            "flush six",
            "stop four inet4",
            "stop six inet6",
        ]
    );
}

#[test]
fn an_action_that_nobody_needed_is_not_stopped() {
    let mut scene = Scene::new(&format!("{PLAIN}actionstart_on_demand = true\n"));
    assert_eq!(scene.stop(PATIENCE), []);
    assert_eq!(scene.log(), Vec::<String>::new());
}

/// A set that can vanish.
const SET: &str = "[Definition]
actionstart = mkdir DIR/set && echo start >> DIR/log
actionstop = rm -r DIR/set; echo stop >> DIR/log
actioncheck = test -d DIR/set
actionban = touch DIR/set/<ip> 2>/dev/null
actionunban = rm DIR/set/<ip>
";

fn members(scene: &Scene) -> Vec<String> {
    let set = std::fs::read_dir(scene.folder.path().join("set"));
    let names = set.into_iter().flatten().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn what_vanished_is_put_back_with_all_who_are_held() {
    for repair in ["", "actionrepair = mkdir DIR/set && echo repair >> DIR/log\n"] {
        let mut scene = Scene::new(&format!("{SET}{repair}"));
        for n in 1..=3 {
            scene.runner.ban(&ticket(&format!("192.0.2.{n}")));
        }
        scene.reports(4);
        std::fs::remove_dir_all(scene.folder.path().join("set")).unwrap();
        // A lift is no reason to repair.
        scene.runner.unban(&ticket("192.0.2.3"));
        let reports = scene.reports(1);
        assert!(matches!(reports[0].2, Outcome::Failed { .. }));
        assert_eq!(members(&scene), Vec::<String>::new());
        scene.runner.ban(&ticket("192.0.2.4"));
        // Repair or stop and start, check, ban, and two again.
        let reports = scene.reports(if repair.is_empty() { 6 } else { 5 });
        let last = &reports[reports.len() - 3..];
        assert!(last.iter().all(|report| report.2 == Outcome::Done), "{reports:?}");
        assert_eq!(last[0].1.as_deref(), Some("192.0.2.4"));
        assert_eq!(members(&scene), ["192.0.2.1", "192.0.2.2", "192.0.2.4"]);
        let word = if repair.is_empty() { "start" } else { "repair" };
        assert_eq!(scene.log().last().map(String::as_str), Some(word));
    }
}

#[test]
fn what_cannot_be_repaired_is_reported_and_tried_again_later() {
    let mut scene = Scene::new(&format!("{SET}actionrepair = echo broken; exit 7\n"));
    scene.runner.ban(&ticket("192.0.2.1"));
    scene.reports(2);
    let set = scene.folder.path().join("set");
    std::fs::remove_dir_all(&set).unwrap();
    scene.runner.ban(&ticket("192.0.2.2"));
    let reports = scene.reports(2);
    assert_eq!(reports[0].0, Operation::Repair);
    assert_eq!(
        reports[0].2,
        Outcome::Failed { failure: Failure::Exit(7), output: "broken\n".to_owned() }
    );
    assert!(matches!(reports[1], (Operation::Ban, Some(_), Outcome::Failed { .. })));
    std::fs::create_dir(&set).unwrap();
    scene.runner.ban(&ticket("192.0.2.2"));
    assert_eq!(scene.reports(1)[0].2, Outcome::Done);
    assert_eq!(members(&scene), ["192.0.2.2"]);
}

#[test]
fn a_thousand_bans_run_one_after_the_other() {
    let mut scene = Scene::new(
        "[Definition]
actionban = mkdir DIR/lock || echo two >> DIR/log; echo <ip> >> DIR/done; rmdir DIR/lock
actionunban = echo <ip> >> DIR/undone
",
    );
    for n in 0..1000 {
        scene.runner.ban(&ticket(&format!("192.0.{}.{}", n / 250, n % 250)));
    }
    // Those that have not begun need not begin.
    for n in 900..1000 {
        scene.runner.unban(&ticket(&format!("192.0.{}.{}", n / 250, n % 250)));
    }
    let began = Instant::now();
    while scene.runner.pending("j", "a") > 100 {
        assert!(began.elapsed() < PATIENCE * 3);
        sleep(Duration::from_millis(20));
    }
    let reports = scene.reports(900);
    assert!(reports.iter().all(|report| report.2 == Outcome::Done));
    sleep(Duration::from_millis(100));
    assert_eq!(scene.text("done").lines().count(), 900);
    assert_eq!((scene.log(), scene.text("undone")), (Vec::new(), String::new()));
}

#[test]
fn one_that_hangs_delays_nobody_else_and_ends_when_everything_ends() {
    let mut scene = Scene::new("[Definition]\nactionban = sleep 100\nactionunban = true\n");
    let quick = commands("[Definition]\nactionban = touch DIR/quick\n", scene.folder.path());
    scene.runner.start("j", "b", quick, PATIENCE).unwrap();
    scene.runner.ban(&ticket("192.0.2.1"));
    scene.runner.ban(&ticket("192.0.2.2"));
    let reports = scene.reports(2);
    assert!(reports.iter().all(|report| report.2 == Outcome::Done), "{reports:?}");
    assert!(scene.folder.path().join("quick").exists());
    let began = Instant::now();
    let reports = scene.stop(Duration::from_secs(1));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let failed = |o: &Outcome| matches!(o, Outcome::Failed { failure: Failure::Timeout(_), .. });
    assert!(reports.iter().any(|(op, _, o)| *op == Operation::Ban && failed(o)), "{reports:?}");
    // The other was not begun.
    assert!(reports.iter().any(|(_, _, o)| *o == Outcome::Dropped(1)), "{reports:?}");
}

#[test]
fn the_oldest_messages_go_when_there_are_too_many() {
    let mut scene =
        Scene::new("[Definition]\nactionban = echo <ip> >> DIR/log; test -e DIR/go || sleep 1\n");
    for n in 0..1200 {
        scene.runner.ban(&ticket(&format!("192.0.{}.{}", n / 250, n % 250)));
    }
    std::fs::write(scene.folder.path().join("go"), "").unwrap();
    let mut dropped = 0;
    let mut sent = 0;
    while dropped + sent < 1200 {
        for (_, _, outcome) in scene.reports(1) {
            match outcome {
                Outcome::Done => sent += 1,
                Outcome::Dropped(count) => dropped += count,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!((190..=201).contains(&dropped), "{dropped}");
    assert_eq!(scene.log().last().map(String::as_str), Some("192.0.4.199"));
}

#[test]
fn a_reload_keeps_what_is_the_same_and_replaces_what_is_not() {
    let mut scene = Scene::new(&format!("{PLAIN}actionreload = echo reload >> DIR/log\n"));
    scene.runner.ban(&ticket("192.0.2.1"));
    scene.reports(2);
    let folder = scene.folder.path().to_owned();
    let same = commands(&format!("{PLAIN}actionreload = echo reload >> DIR/log\n"), &folder);
    assert_eq!(scene.runner.start("j", "a", same, PATIENCE).unwrap(), Begun::Same);
    scene.reports(1);
    let other = PLAIN.replace("echo ban", "echo other");
    let begun = scene.runner.start("j", "a", commands(&other, &folder), PATIENCE).unwrap();
    assert_eq!(begun, Begun::New);
    scene.runner.ban(&Ticket { restored: true, ..ticket("192.0.2.1") });
    scene.reports(4);
    scene.runner.flush("j");
    scene.reports(1);
    scene.stop(PATIENCE);
    assert_eq!(
        scene.log(),
        [
            "start",
            "ban 192.0.2.1",
            "reload",
            "unban 192.0.2.1",
            "stop",
            "start",
            "other 192.0.2.1",
            "unban 192.0.2.1",
            "stop",
        ]
    );
}

#[test]
fn messages_are_not_repeated_for_bans_from_before() {
    let mut scene = Scene::new(
        "[Definition]\nnorestored = 1\nactionban = echo <ip> <fq-hostname> >> DIR/log\n",
    );
    scene.runner.ban(&Ticket { restored: true, ..ticket("192.0.2.1") });
    scene.runner.ban(&ticket("192.0.2.2"));
    scene.reports(1);
    let log = scene.log();
    assert!(log.len() == 1 && log[0].starts_with("192.0.2.2 ") && log[0].len() > 10, "{log:?}");
}
