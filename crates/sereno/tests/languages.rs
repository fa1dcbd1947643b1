//! Everybody is spoken to in his language: clients in theirs, whatever the guard's, and programs
//! in English.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod program;

use program::{Guard, Home, now, wrong_password};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const SPANISH: &str = "es_AR.UTF-8";
const CONFIG: &str =
    "ignoreip = [\"10.20.30.0/24\"]\n[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 2\n";

impl Home {
    /// What a command says to somebody of this language, on both outputs.
    fn says_in(&self, locale: &str, words: &[&str]) -> String {
        let out = self.command(words).env("LC_ALL", locale).output().unwrap();
        let both = [out.stdout, out.stderr].concat();
        String::from_utf8(both).unwrap()
    }
}

fn guard_in(locale: &str) -> Guard {
    let home = Home::new(CONFIG);
    home.append("auth.log", "");
    let child = home.run(&[]).arg("--observe").env("LC_ALL", locale).spawn().unwrap();
    Guard::wait_for(home, child)
}

/// Two failures of a stranger and of a friend.
fn fail(guard: &Guard) {
    for (pid, addr) in (1..).zip(["203.0.113.7", "203.0.113.7", "10.20.30.1", "10.20.30.1"]) {
        guard.log(&wrong_password(now(), pid, addr));
    }
    guard.until(|g| g.bans().len() == 1 && g.said().contains("10.20.30.1"));
}

#[test]
fn a_spanish_client_of_an_english_guard() {
    let guard = guard_in("C");
    fail(&guard);
    let both = |words: &[&str]| (guard.says_in(SPANISH, words), guard.says_in("C", words));
    let (spanish, english) = both(&["status"]);
    assert!(spanish.contains("ALARMA: no se veta a nadie: se pidió solo observar"), "{spanish}");
    assert!(english.contains("ALARM: nobody is banned: asked to observe only"), "{english}");
    let (spanish, english) = both(&["why", "203.0.113.7"]);
    assert!(spanish.contains("veto      203.0.113.7  por sshd hasta"), "{spanish}");
    assert!(english.contains("ban       203.0.113.7  banned by sshd until"), "{english}");
    // What was noted long ago is said in the language of who asks today.
    let (spanish, english) = both(&["why", "10.20.30.1"]);
    assert!(spanish.contains("sin vetar tras 2: es amigo (ignoreip)"), "{spanish}");
    assert!(english.contains("not banned after 2: a friend (ignoreip)"), "{english}");
    let (spanish, english) = both(&["ban", "10.20.30.1"]);
    assert!(spanish.contains("10.20.30.1 es amigo: ignoreip"), "{spanish}");
    assert!(english.contains("10.20.30.1 is a friend: ignoreip"), "{english}");
    let (spanish, english) = both(&["reload"]);
    assert!(spanish.contains("recargado") && english.contains("reloaded"), "{spanish}{english}");
    for words in [&["why", "203.0.113.7", "--json"][..], &["bans", "--json"]] {
        let (spanish, english) = both(words);
        assert_eq!(spanish, english, "programs are spoken to in one language");
    }
    assert!(guard.json(&["status", "--json"])["alarms"][0].as_str().unwrap().contains("nobody"));
    let said = guard.said();
    assert!(said.contains("observed only: ban 203.0.113.7 banned by sshd until"), "{said}");
    assert!(!said.contains("amigo"), "the guard keeps to its own language: {said}");
}

#[test]
fn an_english_client_of_a_spanish_guard() {
    let guard = guard_in(SPANISH);
    let watching = |locale: &str| {
        let mut command = guard.command(&["watch"]);
        command.env("LC_ALL", locale).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut watches = [SPANISH, "C"].map(watching);
    std::thread::sleep(std::time::Duration::from_millis(300));
    fail(&guard);
    let told = watches.each_mut().map(|watch| {
        let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap).find(|line| line.contains("by sshd") || line.contains("por sshd"))
    });
    for mut watch in watches {
        watch.kill().unwrap();
        watch.wait().unwrap();
    }
    let told = told.map(Option::unwrap);
    assert!(told[0].contains("veto") && told[0].contains("por sshd hasta"), "{told:?}");
    assert!(told[1].contains("ban ") && told[1].contains("banned by sshd"), "{told:?}");
    let said = guard.said();
    for note in [
        "SOLO OBSERVA, no se veta a nadie: se pidió solo observar",
        "jaula sshd: 2 fallos en 10 min, fuera durante 10 h",
        "auth.log desde el byte 0 de 0",
        "solo observado: veto 203.0.113.7 por sshd hasta",
    ] {
        assert!(said.contains(note), "{note}: {said}");
    }
    assert!(guard.says_in("C", &["status"]).contains("asked to observe only"));
}
