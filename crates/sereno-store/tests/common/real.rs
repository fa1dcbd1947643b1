//! The real fail2ban.

use super::Dir;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A real server in a folder of its own; stopped at the end.
pub(crate) struct Real {
    dir: Dir,
}

impl Real {
    pub(crate) fn start() -> Option<Self> {
        let version = Command::new("fail2ban-client").arg("-V").output();
        if !version.is_ok_and(|output| output.stdout.starts_with(b"1.0.2")) {
            println!("skipped: fail2ban-client 1.0.2 is not installed");
            return None;
        }
        let dir = Dir::new();
        let at = dir.path().display().to_string();
        for name in ["filter.d", "run"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let put = |name: &str, text: &str| {
            fs::write(dir.path().join(name), text.replace('@', &at)).unwrap();
        };
        put(
            "fail2ban.conf",
            "[Definition]\nloglevel = INFO\nlogtarget = @/f2b.log\nsyslogsocket = auto\n\
             socket = @/run/sock\npidfile = @/run/pid\ndbfile = @/run/db\ndbpurgeage = 1d\n\
             dbmaxmatches = 10\nallowipv6 = auto\n",
        );
        put(
            "jail.conf",
            "[DEFAULT]\nbackend = polling\nenabled = true\nfilter = x\nlogpath = @/a.log\naction =\n\
             maxretry = 3\nbantime = 1h\n\
             [plain]\n[ever]\nbantime = -1\n\
             [more]\nbantime = 1\nbantime.increment = true\nbantime.rndtime = 0.5\n",
        );
        put("filter.d/x.conf", "[Definition]\nfailregex = ^fail (?P<fid>\\S+)\n");
        put("a.log", "");
        let real = Self { dir };
        real.go_on();
        Some(real)
    }

    /// Starts it again.
    pub(crate) fn go_on(&self) {
        self.ask(&["start"]);
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Output {
        let conf = ["-c", self.dir.path().to_str().unwrap()];
        let output = Command::new("fail2ban-client").args(conf).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("run/db")
    }

    pub(crate) fn stop(&self) {
        let conf = ["-c", self.dir.path().to_str().unwrap()];
        let _ = Command::new("fail2ban-client").args(conf).arg("stop").output();
        let started = Instant::now();
        while self.dir.path().join("run/pid").exists() && started.elapsed().as_secs() < 20 {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.stop();
    }
}
