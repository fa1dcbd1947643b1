//! Starting in the background, as scripts expect of `fail2ban-client start`: it comes back when the
//! server answers.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Says to the one who is started that he is to leave the terminal.
const BEHIND: &str = "SERENO_BEHIND";
/// How often it is looked whether he answers.
const LOOK: Duration = Duration::from_millis(20);
/// How long at least he has for it: he reads back what he did not see.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of it.
pub(super) enum Began {
    /// It answers.
    Ready,
    /// It ended.
    Ended(ExitStatus),
    /// It does neither.
    Late,
}

/// Starts a server for the tree `conf`, and waits until it answers at one of `places`.
///
/// # Errors
/// It cannot be started.
pub(super) fn begin(conf: &str, places: &[PathBuf], patience: Duration) -> io::Result<Began> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["fail2ban-client", "-c", conf]);
    if let [place] = places {
        command.arg("-s").arg(place);
    }
    command.args(["-f", "start"]).env(BEHIND, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let end = Instant::now() + patience.max(PATIENCE);
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(Began::Ended(status));
        }
        if answers(places) {
            return Ok(Began::Ready);
        }
        sleep(LOOK);
    }
    Ok(Began::Late)
}

/// Whether somebody listens at one of these places.
pub(super) fn answers(places: &[PathBuf]) -> bool {
    places.iter().any(|place: &PathBuf| UnixStream::connect(Path::new(place)).is_ok())
}

/// Leaves the terminal, if that was said.
pub(super) fn leave() {
    if std::env::var_os(BEHIND).is_some() {
        // Who leads a session already has no terminal to leave.
        let _ = rustix::process::setsid();
    }
}
