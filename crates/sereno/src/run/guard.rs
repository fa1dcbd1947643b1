//! The guard: one thread that waits for whatever comes first (a line, a client, the kernel, a
//! signal, the clock), lets the engine decide, and carries out what it says.

use super::control::Control;
use super::deeds::Deeds;
use super::doors::Attendance;
use super::fail2ban::Office;
use super::gate::Warden;
use super::hands::Hands;
use super::keeper::Keeper;
use super::lists::Lists;
use super::moments::{is_told, moment};
use super::portscan::Lookout;
use super::sources::{Book, Feed, JournalFeed};
use crate::fail2ban::House;
use crate::words;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use sereno_core::engine::{Action, Engine, Input, Lifted, Porter};
use sereno_core::gate::{Draft, Hold};
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_store::Store;
use sereno_tail::{Follow, Journal, Stdin};
use sereno_wire::orders::{Order, Report};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

pub(super) const SIGNALS: Token = Token(0);
pub(super) const LISTENER: Token = Token(1);
const KERNEL: Token = Token(2);
const FILES: Token = Token(3);
const STDIN: Token = Token(4);
/// The ledger's and the actions'.
const THREADS: Token = Token(5);
const JOURNALS: usize = 16;

/// How often the gate is looked at even if nobody says that it changed.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same where nobody tells when others change it.
pub(super) const POLL_EVERY: Duration = Duration::from_secs(3);
/// How often the ledger lets go of what is old.
pub(super) const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// Everything that guards.
pub struct Guard {
    /// The engine.
    pub engine: Engine,
    /// The hands.
    pub hands: Hands,
    /// The ledger on disk.
    pub keeper: Keeper,
    /// The control socket.
    pub control: Control,
    /// Who reads what.
    pub book: Book,
    /// The wanted gate.
    pub draft: Draft,
    /// The fail2ban configuration it guards by, if it does.
    pub house: Option<House>,
    /// What its jails do besides.
    pub deeds: Deeds,
    /// The doors, and what is heard at them.
    pub attendance: Attendance,
    /// Who may reach what.
    pub(super) warden: Warden,
    /// For how long who logged in well is known at the gate; `None`: nobody has to be.
    pub(super) memory: Option<Duration>,
    /// Whether SYNs were ever answered by a proxy.
    pub(super) proxied: bool,
    /// Lists of addresses.
    pub(super) lists: Lists,
    /// What the gate tells of closed ports.
    pub(super) lookout: Lookout,
    /// Errors in the files at the start, by file: what they are about is not in force.
    pub flaws: BTreeMap<String, usize>,
    /// What fail2ban's users see of it.
    pub(super) office: Office,
    pub(super) poll: Poll,
    pub(super) follow: Option<Follow>,
    pub(super) journals: Vec<Journal>,
    pub(super) stdin: Option<Stdin>,
    pub(super) since: Time,
    pub(super) mended: u64,
    /// Before this it is not put back again.
    pub(super) mend_at: Time,
    pub(super) stands: bool,
    pub(super) notes: Vec<String>,
    /// The alarms that were raised at the last look, by what they are about.
    pub(super) alarms: BTreeMap<String, String>,
    pub(super) actions: Vec<Action>,
    children: Vec<Option<(u32, RawFd)>>,
    pub(super) look_at: Time,
    pub(super) purge_at: Time,
    /// When the last round was: the clock can be set back.
    pub(super) last: Time,
    more: bool,
}

/// What a round of waiting brought that the guard does not deal with itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// A signal is waiting.
    pub signals: bool,
    /// Clients with something to say.
    pub clients: Vec<usize>,
}

impl Guard {
    /// Puts the parts together. Nothing is read or installed yet.
    ///
    /// # Errors
    /// When the kernel cannot wait for so many things.
    #[allow(clippy::too_many_arguments, reason = "the parts of the guard, each once")]
    pub fn new(
        engine: Engine,
        hands: Hands,
        store: Result<Store, String>,
        control: Control,
        book: Book,
        draft: Draft,
        now: Time,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        // There can be one only.
        let waker = Arc::new(Waker::new(poll.registry(), THREADS)?);
        // A wake that fails costs the time until the next.
        let wake = move || drop(waker.wake());
        let keeper = Keeper::new(store, wake.clone(), now);
        Ok(Self {
            engine,
            hands,
            keeper,
            control,
            book,
            draft,
            house: None,
            attendance: Attendance::new(wake.clone()),
            warden: Warden::default(),
            memory: None,
            proxied: false,
            lists: Lists::new(wake.clone()),
            lookout: Lookout::default(),
            flaws: BTreeMap::new(),
            deeds: Deeds::new(wake),
            office: Office::default(),
            poll,
            follow: None,
            journals: Vec::new(),
            stdin: None,
            since: now,
            mended: 0,
            mend_at: now,
            stands: false,
            notes: Vec::new(),
            alarms: BTreeMap::new(),
            actions: Vec::new(),
            children: Vec::new(),
            look_at: now.plus(LOOK_EVERY),
            purge_at: now,
            last: now,
            more: true,
        })
    }

    /// Registers what there is to wait for.
    ///
    /// # Errors
    /// When registering fails.
    pub fn register(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(self.control.listener(), LISTENER, Interest::READABLE)?;
        if let Some(stdin) = &self.stdin {
            registry.register(
                &mut SourceFd(&stdin.as_fd().as_raw_fd()),
                STDIN,
                Interest::READABLE,
            )?;
        }
        self.register_kernel()?;
        self.register_sources()
    }

    /// Registers the kernel's notices, if there are any.
    ///
    /// # Errors
    /// When registering fails.
    pub(super) fn register_kernel(&mut self) -> io::Result<()> {
        let Some(watch) = self.hands.watch() else { return Ok(()) };
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&watch.as_raw_fd()), KERNEL, Interest::READABLE)
    }

    /// Registers the files, and forgets the journals' children: they register when they start.
    ///
    /// # Errors
    /// When registering fails.
    pub fn register_sources(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        if let Some(follow) = &self.follow {
            registry.register(
                &mut SourceFd(&follow.as_fd().as_raw_fd()),
                FILES,
                Interest::READABLE,
            )?;
        }
        self.more = true;
        self.children = vec![None; self.journals.len()];
        Ok(())
    }

    /// Puts the whole gate in place with the bans in force.
    pub fn install(&mut self, now: Time) {
        self.draw_flood();
        self.draw_proxy();
        let held = self.engine.ledger().bans().filter(|ban| self.closes(ban));
        let holds = held.map(|ban| ban.hold()).collect();
        let passes = self.engine.porter().into_iter().flat_map(Porter::entries);
        let passes = passes.map(|entry| entry.pass).chain(self.familiar(now)).collect();
        let hits = self.engine.porter().map(Porter::heard).unwrap_or_default();
        let order = Order::Install { gate: Box::new(self.draft.clone()), holds, passes, hits };
        let reports = self.hands.carry(&[order], now);
        self.stands = matches!(reports.first(), Some(Report::Done));
        if let Some(Report::Refused { why, .. }) = reports.first() {
            self.notes.push(words::gate_refused(why));
        }
        // Who puts it in place anew takes no trial away.
        let trials = [self.go_on_closing(now), self.go_on_trying(now)];
        self.notes.extend(trials.into_iter().filter_map(Result::err));
    }

    /// Waits for the next thing and deals with it.
    ///
    /// # Errors
    /// When waiting itself fails.
    pub fn round(&mut self, events: &mut Events, clock: impl Fn() -> Time) -> io::Result<Woken> {
        let wait = if self.more || self.control.is_ready() {
            Duration::ZERO
        } else {
            self.next_wake().since(clock())
        };
        match self.poll.poll(events, Some(wait)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => other?,
        }
        let now = clock();
        if now < self.last {
            self.look_at = now;
            self.mend_at = now;
            self.purge_at = self.purge_at.min(now.plus(PURGE_EVERY));
            self.keeper.set_back(now);
        }
        self.last = now;
        let mut woken = Woken::default();
        for event in events.iter() {
            match event.token() {
                SIGNALS => woken.signals = true,
                LISTENER => self.control.accept(self.poll.registry()),
                KERNEL => self.look(now),
                Token(token) if token >= super::control::FIRST => woken.clients.push(token),
                _ => {}
            }
        }
        // Who knocks waits for an answer; a log has time.
        let heard = self.hear(now) | self.hear_scans(now);
        self.carry_out(now);
        self.more = self.read(now) | heard;
        self.engine.handle(Input::Tick, now, &mut self.actions);
        self.carry_out(now);
        self.settle_deeds(now);
        self.settle_doors(now);
        self.settle_policy(now);
        self.settle_lists(now);
        if now >= self.look_at {
            self.look_again(now);
        }
        self.save(now);
        woken.clients.extend(self.control.take_ready());
        self.control.flush();
        Ok(woken)
    }

    fn next_wake(&self) -> Time {
        let engine = self.engine.next_wake().map(|(at, _)| at);
        let files = self.follow.as_ref().map(|f| f.next_wake().0);
        let journals = self.journals.iter().filter_map(|j| j.next_wake().map(|(at, _)| at)).min();
        let save = self.keeper.due();
        let doors = self.attendance.next_wake();
        let policy = self.warden.next_wake();
        [engine, files, journals, save, doors, policy, Some(self.look_at)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.look_at)
    }

    /// Reads what sources have; says whether there is more at once.
    fn read(&mut self, now: Time) -> bool {
        let Self { engine, book, actions, notes, follow, journals, stdin, children, poll, .. } =
            self;
        let mut feed = Feed { book, engine, actions, notes, now };
        let mut more = follow.as_mut().is_some_and(|follow| follow.wake(now, &mut feed));
        if let Some(stdin) = stdin {
            more |= stdin.wake(now, &mut feed);
        }
        for (index, journal) in journals.iter_mut().enumerate() {
            let Some((_, source)) = feed.book.journals().get(index).cloned() else { continue };
            let mut feed = JournalFeed {
                source,
                feed: Feed {
                    book: feed.book,
                    engine: feed.engine,
                    actions: feed.actions,
                    notes: feed.notes,
                    now,
                },
            };
            more |= journal.wake(now, &mut feed);
            let child = journal.child().zip(journal.as_fd().map(|fd| fd.as_raw_fd()));
            if child != children[index] {
                if let Some((_, fd)) = child {
                    let token = Token(JOURNALS + index);
                    let _ = poll.registry().register(&mut SourceFd(&fd), token, Interest::READABLE);
                }
                children[index] = child;
            }
        }
        if book.take_fed() || !notes.is_empty() || !actions.is_empty() {
            self.keeper.touch();
        }
        more
    }

    /// Carries out what the engine decided: the kernel first, then the ledger. A crash in
    /// between loses nothing: the ledger's places in the logs are older than the ban, so the
    /// lines are read again and the same ban follows.
    pub(super) fn carry_out(&mut self, now: Time) {
        while !self.actions.is_empty() {
            let actions = std::mem::take(&mut self.actions);
            let news: Vec<bool> = actions.iter().map(|action| self.is_news(action)).collect();
            let ordered: Vec<(&Action, Order)> =
                actions.iter().filter_map(|action| Some((action, self.order(action)?))).collect();
            let orders: Vec<Order> = ordered.iter().map(|(_, order)| order.clone()).collect();
            for ((action, _), report) in ordered.iter().zip(self.hands.carry(&orders, now)) {
                match (action, report) {
                    (Action::Ban(ban), report) => self.reported(ban, &report, now),
                    (
                        Action::Open(_) | Action::Close { .. },
                        Report::Refused { why, gate_lost },
                    ) => {
                        if gate_lost {
                            self.look_at = now;
                        }
                        self.not_opened(action, why);
                    }
                    (Action::Lift { ban, .. }, Report::Refused { why, .. }) => {
                        self.notes.push(words::not_let_in(ban.prefix, why));
                        self.look_at = now;
                        self.stands = false;
                    }
                    _ => {}
                }
            }
            for (action, news) in actions.into_iter().zip(news) {
                if news {
                    self.do_deeds(&action);
                    if !self.at_doors(&action, now) {
                        continue;
                    }
                    self.announce(&action, now);
                }
                self.keeper.note(action, now);
            }
            self.notes.extend(self.office.send());
        }
    }

    /// Whether a ban closes anything: jails may only tell.
    fn closes(&self, ban: &Ban) -> bool {
        self.draft.scopes.iter().any(|scope| scope.name == ban.scope)
    }

    fn order(&self, action: &Action) -> Option<Order> {
        match action {
            Action::Ban(ban) | Action::Lift { ban, .. } if !self.closes(ban) => None,
            Action::Ban(ban) => {
                let until = longest(self.others(ban).chain([ban.until])).flatten();
                Some(Order::Ban(Hold { until, ..ban.hold() }))
            }
            // The kernel ends an expired ban by itself.
            Action::Lift { why: Lifted::Expired, .. } => None,
            Action::Open(pass) => Some(Order::Open(*pass)),
            Action::Close { to, addr } => Some(Order::Close { to: *to, addr: *addr }),
            // Another jail may hold him there still.
            Action::Lift { ban, .. } => Some(match longest(self.others(ban)) {
                Some(until) => Order::Ban(Hold { until, ..ban.hold() }),
                None => Order::Lift { scope: ban.scope, prefix: ban.prefix },
            }),
            _ => None,
        }
    }

    /// When the bans of the same prefix end that hold in the same place: jails that close the
    /// same ports share a set.
    fn others(&self, ban: &Ban) -> impl Iterator<Item = Option<Time>> {
        let same = self.engine.ledger().of(ban.prefix);
        same.filter(|other| other.scope == ban.scope).map(|other| other.until)
    }

    fn reported(&mut self, ban: &Ban, report: &Report, now: Time) {
        let (jail, prefix) = (ban.jail, ban.prefix);
        let input = match report {
            Report::Done | Report::Observed => Input::Applied { jail, prefix },
            Report::Friend { why } => {
                self.notes.push(words::friend_not_banned(prefix, why));
                Input::Lift { prefix: Some(prefix) }
            }
            Report::Refused { why, gate_lost } => {
                if *gate_lost {
                    self.look_at = now;
                }
                Input::Refused { jail, prefix, why: why.clone() }
            }
        };
        self.engine.handle(input, now, &mut self.actions);
    }

    /// Passes on what happened.
    fn announce(&mut self, action: &Action, now: Time) {
        if !is_told(action) {
            return;
        }
        self.control.tell(|| moment(action, now));
        self.office.note(action, &self.engine, now);
        if !matches!(action, Action::Saw { .. } | Action::Knock { .. }) {
            let moment = moment(action, now);
            let who = moment.addr.map(|a| format!("{a} ")).unwrap_or_default();
            let text = format!("{} {who}{}", words::happened(&moment.kind), moment.text);
            let observed = self.hands.observing().is_some();
            self.notes.push(if observed { words::observed_only(text) } else { text });
        }
    }

    /// Saves what changed, if it is time.
    fn save(&mut self, now: Time) {
        self.keeper.collect(&mut self.engine, now);
        if self.keeper.due().is_some_and(|due| due <= now) {
            self.keep(now);
        }
    }

    fn keep(&mut self, now: Time) {
        self.keeper.save(&mut self.engine, self.follow.as_ref(), &self.journals, &self.book, now);
    }

    /// Saves everything, and waits until that is done.
    pub(super) fn flush(&mut self, now: Time) {
        self.keeper.wait(&mut self.engine, now);
        self.keep(now);
        self.keeper.wait(&mut self.engine, now);
    }

    /// An administrator's command.
    pub(super) fn command(&mut self, input: Input<'_>, now: Time) -> Vec<Action> {
        self.commands([input], now)
    }

    /// Several of them, written down together.
    pub(super) fn commands<'i>(
        &mut self,
        inputs: impl IntoIterator<Item = Input<'i>>,
        now: Time,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for input in inputs {
            self.engine.handle(input, now, &mut actions);
        }
        self.actions.extend(actions.iter().cloned());
        self.carry_out(now);
        self.settle_doors(now);
        self.flush(now);
        actions
    }

    /// What is to be said, since the last call.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

/// The end that counts of several, `None` being for ever.
fn longest(ends: impl Iterator<Item = Option<Time>>) -> Option<Option<Time>> {
    ends.max_by_key(|until| (until.is_none(), *until))
}
