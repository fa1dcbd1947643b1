//! The real program in a folder of its own, and what one can ask it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests; not every test needs all of them"
)]

pub(crate) mod alarms;
pub(crate) mod house;

use serde_json::Value;
use sereno_core::time::Time;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a configuration, logs, a ledger, and a control socket.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// `@DIR@` in the configuration stands for the folder.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.configure(config);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    pub(crate) fn configure(&self, config: &str) {
        let text = config.replace("@DIR@", self.folder().to_str().unwrap());
        fs::write(self.path("sereno.toml"), text).unwrap();
    }

    /// `sereno run`, started by the words in `through`, if there are any.
    pub(crate) fn run(&self, through: &[&str]) -> Command {
        let words = [through, &[env!("CARGO_BIN_EXE_sereno"), "run"]].concat();
        let said = OpenOptions::new().create(true).append(true).open(self.path("said")).unwrap();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("--config").arg(self.path("sereno.toml"));
        command.arg("--state").arg(self.path("state")).arg("--socket").arg(self.socket());
        command.env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(said);
        command
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
        command.arg("--socket").arg(self.socket()).args(words).env("LC_ALL", "C").env("TZ", "UTC");
        command
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let out = self.ask(words);
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {out:?}"))
    }

    /// Whether a program listens; it answers once it is ready.
    pub(crate) fn answers(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Appends to a file, in one piece.
    pub(crate) fn append(&self, name: &str, text: &str) {
        let path = self.path(name);
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn log(&self, line: &str) {
        self.append("auth.log", &format!("{line}\n"));
    }

    /// What programs said here, of all that ran.
    pub(crate) fn said(&self) -> String {
        let bytes = fs::read(self.path("said")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn bans(&self) -> Vec<String> {
        let bans = self.json(&["bans", "--json"]);
        bans.as_array().unwrap().iter().map(|b| b["addr"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn until(&self, what: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !what(self) {
            assert!(started.elapsed() < PATIENCE, "it did not happen: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A running program, killed at the end.
pub(crate) struct Guard {
    home: Home,
    pub(crate) child: Child,
}

impl Guard {
    /// One that observes (no root needed), reading an empty `auth.log`.
    pub(crate) fn start(config: &str) -> Self {
        let home = Home::new(config);
        home.append("auth.log", "");
        let child = home.run(&[]).arg("--observe").spawn().unwrap();
        Self::wait_for(home, child)
    }

    /// The program that was just started here, once it answers.
    pub(crate) fn wait_for(home: Home, child: Child) -> Self {
        home.until(Home::answers);
        Self::just(home, child)
    }

    /// The program that was just started here.
    pub(crate) fn just(home: Home, child: Child) -> Self {
        Self { home, child }
    }
}

impl Deref for Guard {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time now.
pub(crate) fn now() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time(now.as_micros() as i64)
}

/// A wrong password, as the server of OpenSSH notes it.
pub(crate) fn wrong_password(at: Time, pid: u32, addr: &str) -> String {
    format!("{at} pbx sshd[{pid}]: Failed password for root from {addr} port 5 ssh2")
}

/// Gives this thread, and what it starts, a network of its own; says why if it cannot.
pub(crate) fn own_network() -> bool {
    let nft = Command::new("nft").arg("--version").stdout(Stdio::null()).status();
    let why = match nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
        Ok(()) if nft.is_ok_and(|status| status.success()) => return true,
        Ok(()) => "there is no nft".to_owned(),
        Err(e) => format!("no network namespace (needs root): {e}"),
    };
    println!("skipped: {why}");
    false
}
