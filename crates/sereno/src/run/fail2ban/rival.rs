//! The other one: fail2ban itself, while it guards by the same tree.
//!
//! Who takes over starts Sereno first and stops fail2ban then, so that a ban is in force at every
//! moment. Meanwhile fail2ban's log and the actions that are commands stay fail2ban's: twice done
//! they would be done wrong, and fail2ban undoes at its end what both have done.

use super::{Office, take, view};
use crate::run::guard::Guard;
use crate::words;
use sereno_core::time::Time;
use sereno_fail2ban::Tree;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A fail2ban server that runs.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    /// Its socket, or its process.
    name: String,
    process: u32,
    /// The words it was started by: its number may become somebody else's.
    words: Vec<u8>,
}

impl Rival {
    /// Who guards by this tree, if it is not us.
    pub(super) fn find(tree: &Tree, own: &Path) -> Option<Self> {
        let socket = view::option(tree, "socket");
        let peer = |stream: UnixStream| rustix::net::sockopt::socket_peercred(stream).ok();
        let listens = Some(&socket).filter(|socket| Path::new(socket) != own);
        if let Some(peer) = listens.and_then(|socket| peer(UnixStream::connect(socket).ok()?)) {
            let process = u32::try_from(peer.pid.as_raw_nonzero().get()).ok()?;
            return Self::of(process, socket);
        }
        let text = std::fs::read_to_string(view::option(tree, "pidfile")).ok()?;
        let process: u32 = text.trim().parse().ok()?;
        let found = Self::of(process, format!("fail2ban-server[{process}]"))?;
        let said = String::from_utf8_lossy(&found.words).into_owned();
        let is_one = said.split('\0').any(|word| word.ends_with("fail2ban-server"));
        is_one.then_some(found)
    }

    fn of(process: u32, name: String) -> Option<Self> {
        let words = started_by(process).filter(|_| process != std::process::id())?;
        Some(Self { name, process, words })
    }

    /// Whether it still runs. It stops to listen first, lets in whom it banned, and ends then.
    fn runs(&self) -> bool {
        started_by(self.process).is_some_and(|words| words == self.words)
    }
}

/// The words a process was started by; `None` when it has ended.
fn started_by(process: u32) -> Option<Vec<u8>> {
    let words = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
    (!words.is_empty()).then_some(words)
}

impl Office {
    /// Who else guards by the tree, if somebody does.
    #[must_use]
    pub fn rival(&self) -> Option<&str> {
        self.rival.as_ref().map(|rival| rival.name.as_str())
    }

    /// Whether its end is waited for, to take over the rest.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits
    }
}

/// Looks whether fail2ban runs; takes over the rest when it has ended.
pub(in crate::run) fn look(guard: &mut Guard, now: Time) {
    if guard.hands.observing().is_some() {
        return;
    }
    let Some(house) = guard.house.take() else { return };
    match &guard.office.rival {
        Some(rival) if rival.runs() => {}
        Some(_) => {
            guard.office.rival = None;
            let waited = std::mem::take(&mut guard.office.waits);
            // What it banned since ours were taken over.
            take::all(guard, &house, now);
            guard.house = Some(house);
            guard.notes.push(words::rival_gone());
            if waited {
                guard.office.open_log(&mut guard.notes);
                guard.office.introduce();
            }
            for ban in guard.engine.ledger().bans() {
                guard.office.restored(&ban);
            }
            guard.install(now);
            guard.take_up_deeds(now);
            return;
        }
        None => guard.office.rival = Rival::find(&house.tree, &guard.office.socket),
    }
    guard.house = Some(house);
}
