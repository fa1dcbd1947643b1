//! Building a guard from a policy.

use super::control::Control;
use super::gate::Warden;
use super::guard::Guard;
use super::hands::Hands;
use super::keeper::{self, Places, cursor_key};
use super::sources::Book;
use crate::doors::Doors;
use crate::fail2ban::House;
use crate::words;
use sereno_config::{Backend, Policy, Settings};
use sereno_core::addr::Prefix;
use sereno_core::engine::{Clock, Engine, scope};
use sereno_core::gate::{Draft, Family, Gate, Name, Scope};
use sereno_core::jail::{Friend, Friends, JailPolicy};
use sereno_core::time::Time;
use sereno_tail::{Follow, Journal, JournalOptions, Options, Start, Stdin};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of an old log that are read at the first start: enough to know who is at it just now.
const FIRST_LOOK: u64 = 1 << 20;
/// Bytes of standard input read in one round: others wait meanwhile.
const STDIN_ROUND: usize = 128 << 10;

/// What the command line adds to the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The ledger's folder.
    pub state: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// Whose members may use it.
    pub group: String,
    /// Whether nothing is to be enforced.
    pub observe: bool,
    /// By which firewall.
    pub backend: Backend,
}

/// Builds everything, restores what was remembered, puts the gate in place, opens the sources.
///
/// # Errors
/// When the control socket or the sources cannot be opened. A store that cannot be opened is
/// an alarm, not an end.
pub fn build(
    policy: &Policy,
    house: Option<House>,
    doors: Doors,
    place: &Place,
    now: Time,
) -> io::Result<Guard> {
    let group = group_id(&place.group);
    let control = Control::listen(&place.socket, group)?;
    let kept = group.is_some() && control.is_own();
    let (mut engine, mut book) = engine(policy, now)?;
    let porter = super::doors::porter(&doors, now)?;
    let (store, places) = keeper::restore(&place.state, &mut engine, now);
    let (follow, journals) = open(policy, &book, &places)?;
    book.adopt(places.health);
    let mut hands = Hands::new(engine.friends().clone(), place.observe, place.backend, now);
    hands.claim(policy.settings.table)?;
    engine.enforce(hands.observing().is_none());
    let mut guard = Guard::new(engine, hands, store, control, book, draft(policy), now)?;
    guard.house = house;
    let memory = super::doors::kept(&places.cursors);
    guard.take_up_doors((doors, porter), policy.settings.ears, memory, now);
    super::fail2ban::begin(&mut guard, &places.cursors, place, now);
    if kept {
        guard.notes.push(words::not_in_group(&place.group));
    }
    guard.warden = Warden::recall(&place.state, &places.cursors);
    take_up(&mut guard, policy);
    stand(&mut guard, now);
    guard.lists.state = place.state.clone();
    guard.want_lists();
    guard.follow = follow;
    guard.journals = journals;
    if guard.book.reads_stdin() {
        let fd = rustix::io::dup(rustix::stdio::stdin())?;
        guard.stdin = Some(Stdin::new(fd, policy.settings.line_cap, STDIN_ROUND)?);
    }
    guard.register()?;
    Ok(guard)
}

/// Puts a new policy in place of the old one. What is remembered goes over from the old engine
/// to the new one, and the bans stay in force throughout.
///
/// # Errors
/// When the new sources cannot be opened; then nothing has changed.
pub fn rebuild(
    guard: &mut Guard,
    policy: &Policy,
    house: Option<House>,
    doors: Doors,
    now: Time,
) -> io::Result<()> {
    let cursor = |(journal, (matches, _)): (&Journal, &(Vec<String>, _))| {
        Some((cursor_key(matches), journal.cursor()?.to_owned()))
    };
    let places = Places {
        files: guard.follow.as_ref().map(Follow::checkpoints).unwrap_or_default(),
        cursors: guard.journals.iter().zip(guard.book.journals()).filter_map(cursor).collect(),
        ..Places::default()
    };
    guard.hands.claim(policy.settings.table)?;
    let (engine, mut book) = engine(policy, now)?;
    let porter = super::doors::porter(&doors, now)?;
    if guard.stdin.is_none() {
        book.leave_stdin();
    }
    let (follow, journals) = open(policy, &book, &places)?;
    let old = std::mem::replace(
        &mut guard.engine,
        Engine::new(Vec::new(), Friends::default(), Clock::Wall, 1),
    );
    guard.hands.befriend(engine.friends().clone());
    guard.engine = engine;
    book.adopt(std::mem::take(&mut guard.book.health));
    guard.book = book;
    guard.draft = draft(policy);
    guard.house = house;
    guard.take_up_doors((doors, porter), policy.settings.ears, None, now);
    guard.engine.inherit(old);
    // The old one knows which doors were closed for good.
    guard.draw_doors(policy.settings.ears);
    take_up(guard, policy);
    super::fail2ban::renew(guard, now);
    stand(guard, now);
    guard.renew_friends(now);
    guard.want_lists();
    guard.follow = follow;
    guard.journals = journals;
    guard.register_sources()
}

/// Takes over what the files say of the wanted gate, beside doors.
fn take_up(guard: &mut Guard, policy: &Policy) {
    guard.take_up_lists(&policy.lists);
    guard.draw_policy();
    guard.take_up_flood(policy.flood.as_ref());
    guard.take_up_portscan(policy);
}

/// Puts the wanted gate in place, and listens at it.
fn stand(guard: &mut Guard, now: Time) {
    guard.install(now);
    guard.listen_at_doors();
    guard.listen_for_scans();
    guard.take_up_deeds(now);
}

/// Guards from now on, if what kept it from that is over.
pub(super) fn seize(guard: &mut Guard, now: Time) {
    if !guard.hands.seize(guard.draft.table, now) {
        return;
    }
    guard.notes.push(words::seized());
    guard.engine.enforce(true);
    super::fail2ban::seize(guard, now);
    stand(guard, now);
    guard.want_lists();
    if let Err(error) = guard.register_kernel() {
        // The gate is looked at every few seconds all the same.
        guard.notes.push(error.to_string());
    }
}

/// An engine for a policy, and who reads what.
fn engine(policy: &Policy, now: Time) -> io::Result<(Engine, Book)> {
    let policies = policy.jails.iter().map(|jail| jail.policy.clone()).collect();
    let seed = now.0.unsigned_abs() ^ u64::from(std::process::id()).rotate_left(32);
    let mut engine = Engine::new(policies, friends(policy), Clock::Wall, seed);
    let book = Book::new(policy, &mut engine, zone(policy)).map_err(io::Error::other)?;
    Ok((engine, book))
}

/// Opens the files and journals where reading stands.
fn open(
    policy: &Policy,
    book: &Book,
    places: &Places,
) -> io::Result<(Option<Follow>, Vec<Journal>)> {
    let patterns = book.patterns();
    let follow = if patterns.is_empty() {
        None
    } else {
        let start =
            if places.files.is_empty() { Start::Last(FIRST_LOOK) } else { Start::Beginning };
        let options = Options { start, line_cap: policy.settings.line_cap, ..Options::default() };
        Some(Follow::open(&patterns, &places.files, options)?)
    };
    let journal = |matches: &Vec<String>| {
        let known = places.cursors.iter().find(|(key, _)| *key == cursor_key(matches));
        let after = known.map(|(_, cursor)| cursor.clone());
        Journal::new(JournalOptions { args: matches.clone(), after, ..JournalOptions::default() })
    };
    let journals = book.journals().iter().map(|(matches, _)| journal(matches)).collect();
    Ok((follow, journals))
}

/// The wanted gate: a scope for every port, and one for each jail that closes only some.
#[must_use]
pub fn draft(policy: &Policy) -> Draft {
    let mut scopes: Vec<Scope> = Vec::new();
    if let Ok(all) = Scope::new("all", "all") {
        scopes.push(all);
    }
    let mut v4 = vec![32, 24];
    let mut v6 = vec![128, 64, 56, 48];
    for jail in policy.jails.iter().filter(|jail| jail.policy.closes) {
        let name = scope(&jail.policy);
        if !scopes.iter().any(|s| s.name == name) {
            let JailPolicy { ports, block, heard: begins, .. } = jail.policy.clone();
            scopes.push(Scope { name, ports, block, begins });
        }
        v4.extend([jail.policy.v4_bits, jail.policy.net4_bits]);
        v6.extend([jail.policy.v6_bits, jail.policy.net6_bits]);
    }
    for lengths in [&mut v4, &mut v6] {
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
    }
    Draft { table: policy.settings.table, v4_lengths: v4, v6_lengths: v6, ..Draft::of(scopes) }
}

/// Whether the gate has a place for a ban of this size.
///
/// # Errors
/// Which sizes it has.
pub fn fits(draft: &Draft, scope: Name, prefix: Prefix) -> Result<(), String> {
    let gate = Gate::try_from(draft.clone())?;
    gate.set_for(scope, prefix).map(|_| ()).map_err(|_| {
        let lengths = gate.lengths(Family::of(prefix)).iter().map(|bits| format!("/{bits}"));
        words::sizes(prefix, lengths.collect::<Vec<_>>().join(", "))
    })
}

/// The friends of the configuration and of the machine.
#[must_use]
pub fn friends(policy: &Policy) -> Friends {
    let mut list = policy.friends.clone();
    list.extend(crate::discover::friends());
    Friends::new(list)
}

/// The list with those who are friends just now; `None` when nothing changed. Who was a friend
/// for being logged in stays one until the restart: a session that ended a minute ago is no
/// attacker yet. Who is a friend by a list is one as long as he is `listed`.
#[must_use]
pub fn merged_friends(known: &Friends, now: Vec<Friend>, listed: Vec<Friend>) -> Option<Friends> {
    let is_listed = |friend: &Friend| friend.why.starts_with(super::lists::LIST);
    let mut all: Vec<Friend> = known.list().iter().filter(|f| !is_listed(f)).cloned().collect();
    let new: Vec<Friend> = now.into_iter().filter(|f| !all.contains(f)).collect();
    let gone = known.list().iter().any(|f| is_listed(f) && !listed.contains(f));
    let come = listed.iter().any(|f| !known.list().contains(f));
    let changed = !new.is_empty() || gone || come;
    all.extend(new);
    all.extend(listed);
    changed.then(|| Friends::new(all))
}

/// The zone of dates without one.
#[must_use]
pub fn zone(policy: &Policy) -> jiff::tz::TimeZone {
    let named =
        policy.settings.timezone.as_deref().and_then(|name| jiff::tz::TimeZone::get(name).ok());
    named.unwrap_or_else(jiff::tz::TimeZone::system)
}

/// The number of a group, from `/etc/group`.
fn group_id(name: &str) -> Option<u32> {
    let text = std::fs::read_to_string("/etc/group").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// Where state and socket are: as the command line says, or the configuration, or, for
/// somebody who is not root, in his own folders.
#[must_use]
pub fn place(policy: &Policy, state: Option<&Path>, socket: Option<&Path>, observe: bool) -> Place {
    let usual = Settings::default();
    let state = match state {
        Some(state) => state.to_owned(),
        None if policy.settings.state != usual.state => policy.settings.state.clone(),
        None => usual_state(),
    };
    let socket = match socket {
        Some(socket) => socket.to_owned(),
        None if policy.settings.socket != usual.socket => policy.settings.socket.clone(),
        None => usual_socket(),
    };
    let observe = observe || policy.settings.observe;
    let backend = policy.settings.backend;
    Place { state, socket, group: policy.settings.group.clone(), observe, backend }
}

impl Place {
    /// Names of the settings that another place has and this one has not: they are read at the
    /// start only.
    #[must_use]
    pub fn other_than(&self, new: &Self) -> Vec<&'static str> {
        let settings = [
            ("state", self.state != new.state),
            ("socket", self.socket != new.socket),
            ("group", self.group != new.group),
            ("observe", self.observe != new.observe),
            ("backend", self.backend != new.backend),
        ];
        settings.into_iter().filter(|(_, other)| *other).map(|(name, _)| name).collect()
    }
}

/// Where the ledger is when nobody says: the system's, or one's own for who is not root.
#[must_use]
pub fn usual_state() -> PathBuf {
    let own = || home("XDG_STATE_HOME", "sereno").or_else(|| home("HOME", ".local/state/sereno"));
    own_place(own).unwrap_or(Settings::default().state)
}

/// Where the control socket is made when nobody says.
fn usual_socket() -> PathBuf {
    own_place(|| home("XDG_RUNTIME_DIR", "sereno.sock")).unwrap_or(Settings::default().socket)
}

/// Where a client looks when nobody says: for one's own Sereno, then for the system's, which is
/// there for the members of its group too.
#[must_use]
pub fn usual_sockets() -> Vec<PathBuf> {
    let mut places = vec![usual_socket(), Settings::default().socket];
    places.dedup();
    places
}

fn own_place(own: impl Fn() -> Option<PathBuf>) -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() { None } else { own() }
}

fn home(variable: &str, under: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(|base| PathBuf::from(base).join(under))
}

/// A jail's name, for commands.
///
/// # Errors
/// When it is no name.
pub fn jail_name(text: &str) -> Result<Name, String> {
    Name::new(text)
}
