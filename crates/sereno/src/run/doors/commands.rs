//! Commands of doors, and files of one-time sequences.

use crate::doors::Doors;
use crate::run::commands::{Ended, Names, Pool, Stop, run};
use crate::words;
use rustix::fs::OFlags;
use sereno_core::door::{Deed, Door, Sequence, When};
use sereno_core::gate::Name;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// After how long it is tried again to close what could not be closed because too many waited.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// Where the address belongs.
const BLANK: &str = "%IP%";

/// As whom a command is run that came in a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct As {
    /// What runs it; it finds user, group and line in `SERENO_USER`, `SERENO_GROUP`, `SERENO_LINE`.
    script: &'static str,
    user: String,
    group: String,
}

impl As {
    /// As a stanza says. The line is a value of the environment, never part of a script of ours.
    pub(super) fn of(commands: &sereno_spa::Commands) -> Self {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "root".to_owned());
        match &commands.sudo {
            Some(sudo) => Self {
                script: "exec sudo -n -u \"$SERENO_USER\" -g \"$SERENO_GROUP\" -- \
                         /bin/sh -c \"$SERENO_LINE\"",
                user: name(&sudo.user),
                group: name(&sudo.group),
            },
            None => Self {
                script: "exec setpriv --reuid \"$SERENO_USER\" --regid \"$SERENO_GROUP\" \
                         --init-groups -- /bin/sh -c \"$SERENO_LINE\"",
                user: name(&commands.user),
                group: name(&commands.group),
            },
        }
    }
}

/// What became of a command.
#[derive(Debug)]
struct Ran {
    door: Name,
    addr: IpAddr,
    ended: Ended,
}

/// The commands of all doors. Who asks names a door, never a command.
#[derive(Debug)]
pub(super) struct Commands {
    doors: BTreeMap<Name, Door>,
    pool: Pool<Ran>,
}

impl Commands {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { doors: BTreeMap::new(), pool: Pool::new("door", wake) }
    }

    pub(super) fn take_up(&mut self, doors: &Doors) {
        let doors = doors.policies.iter().map(|policy| (policy.name, policy.door.clone()));
        self.doors = doors.collect();
    }

    /// Runs the command of a door for an address; `false` if too many wait.
    pub(super) fn run(&mut self, door: Name, addr: IpAddr, when: When) -> bool {
        let Some(deeds) = self.doors.get(&door).map(|door| door.deeds(addr)) else { return true };
        let deed = match when {
            When::Start => &deeds.start,
            When::Stop => &deeds.stop,
        };
        let Deed::Run(text) = deed else { return true };
        // Digits, letters, dots and colons: what we write of an address means nothing to a shell.
        let script = text.replace(BLANK, &addr.to_string());
        self.run_script(door, addr, when, script)
    }

    /// Runs a script of ours for a door; `false` if too many wait. What opens leaves room for what
    /// closes.
    pub(super) fn run_script(
        &mut self,
        door: Name,
        addr: IpAddr,
        when: When,
        script: String,
    ) -> bool {
        let job = move |_: &mut Names, stop: &Stop| {
            let ended = run(&script, &[], TIMEOUT, stop);
            Ran { door, addr, ended }
        };
        match when {
            When::Start => self.pool.run_behind(job),
            When::Stop => self.pool.run(job),
        }
    }

    /// Has iptables in its old form, which is no part of nftables, let pass packets with this mark;
    /// also on to other machines, of IPv4.
    pub(super) fn let_pass_legacy(&mut self, mark: u32, forwards: bool) {
        let each = |old: &str, usual: &str, chain: &str| {
            let rule = format!("{chain} -m mark --mark {mark:#x}/{mark:#x} -j ACCEPT");
            format!(
                "t=$(command -v {old} || command -v {usual}) && \
                 {{ $t -w -C {rule} 2>/dev/null || $t -w -I {rule}; }}"
            )
        };
        let four = |chain| each("iptables-legacy", "iptables", chain);
        let mut script =
            format!("{} && {}", four("INPUT"), each("ip6tables-legacy", "ip6tables", "INPUT"));
        if forwards {
            script = format!("{script} && {}", four("FORWARD"));
        }
        self.run_script(Name::SERENO, IpAddr::V4(Ipv4Addr::LOCALHOST), When::Start, script);
    }

    /// Runs a line that came in a packet.
    pub(super) fn run_as(&mut self, door: Name, addr: IpAddr, who: &As, line: &str) -> bool {
        let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let script = who.script;
        let values = [
            value("SERENO_USER", &who.user),
            value("SERENO_GROUP", &who.group),
            value("SERENO_LINE", line),
        ];
        self.pool.run_behind(move |_, stop| Ran {
            door,
            addr,
            ended: run(script, &values, TIMEOUT, stop),
        })
    }

    /// Waits until all commands have run, `patience` at most: what closes is no more in any memory
    /// than here.
    pub(super) fn finish(&self, patience: Duration) {
        self.pool.finish(patience);
    }

    /// What went wrong since the last call, in words.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let failed = |ran: Ran| {
            let failure = ran.ended.result.err()?;
            let line = crate::run::faults::first_line(&ran.ended.output);
            Some(words::door_command_fails(ran.door, ran.addr, &failure, &line))
        };
        self.pool.take().into_iter().filter_map(failed).collect()
    }
}

/// Marks a sequence as used, as knockd does: `#` in place of the first byte of its line. Where that
/// is, the file says as it is now: somebody may have written it anew.
pub(super) fn use_up(path: &Path, sequence: &Sequence) -> io::Result<()> {
    // What is no file any more, such as a pipe, is not waited for.
    let wait = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).write(true).custom_flags(wait).open(path)?;
    let text = crate::doors::text_of(&file)?;
    let lines = text.split_inclusive('\n').scan(0, |at, line| {
        let begin = *at;
        *at += line.len();
        Some((begin, line))
    });
    let mut lines = lines.filter(|(_, line)| {
        let read = sereno_config::knockd::once(line);
        read.is_ok_and(|(list, _)| list.first() == Some(sequence))
    });
    match lines.next() {
        Some((place, _)) => file.write_all_at(b"#", place as u64),
        None => Err(io::Error::other("the sequence that was used does not stand in it any more")),
    }
}
