//! Lists of addresses that shut out: what the guard says to their thread, and what it hears.
//!
//! A million addresses take the kernel a second, and the web takes its time; neither is to hold up a
//! ban. While the thread writes, the guard does not listen to the kernel's notices: it would be told of
//! every element, and the kernel keeps a page for each of those notices until all is written.

mod fetch;
mod place;
mod worker;

use super::doors::MARK;
use super::gate::LATELY;
use super::guard::Guard;
use crate::words;
use sereno_config::{ListConf, Origin};
use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::gate::list::{List, Skipped, Use, networks};
use sereno_core::gate::{PortRange, Ports};
use sereno_core::jail::Friend;
use sereno_core::time::Time;
use sereno_wire::control::Reply;
use sereno_wire::gate::{ListAsk, ListStatus};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What says that somebody is a friend by a list, before its name.
pub(super) const LIST: &str = "list ";
/// Friends by lists at most.
const FRIENDS: usize = 1024;
/// A list whose copy is older than so many of its times is stale.
const STALE: u32 = 7;

/// What is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    lists: Vec<ListConf>,
    /// Whom nothing may shut out.
    friends: Vec<Prefix>,
    /// The mark of whom a door let in.
    mark: Option<u32>,
    table: String,
    state: PathBuf,
    /// Whether the kernel is told.
    enforce: bool,
}

/// What the thread is told.
enum Order {
    Want(Box<Wanted>),
    /// Fetch it now, or all of them.
    Refresh(Option<Name>),
    /// Nobody listens to the kernel: write.
    Go,
}

/// What the thread says.
enum News {
    Read(Name, Arc<List>, Box<Info>),
    /// There is something to write.
    Ready,
    Wrote(Result<(), String>),
    Counts(Vec<(Name, u64)>),
}

/// What is known of a list.
#[derive(Clone, Debug, Default)]
struct Info {
    at: Option<SystemTime>,
    ranges: usize,
    addresses: u64,
    skipped: Skipped,
    problems: Vec<String>,
    partial: bool,
}

/// The lists, as the guard knows them.
pub(super) struct Lists {
    orders: Option<Sender<Order>>,
    news: Receiver<News>,
    tell: Sender<News>,
    wake: Arc<dyn Fn() + Send + Sync>,
    pub(super) state: PathBuf,
    confs: Vec<ListConf>,
    wanted: Option<Wanted>,
    known: BTreeMap<Name, (Arc<List>, Info)>,
    counts: BTreeMap<Name, u64>,
    /// Who got in well lately and is shut out by a list: one of them, and how many.
    shuts: BTreeMap<Name, (IpAddr, usize)>,
    /// Something is still to be written.
    pending: bool,
    /// Why the kernel does not have them.
    refused: Option<String>,
}

impl Lists {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (tell, news) = channel();
        Self {
            orders: None,
            news,
            tell,
            wake: Arc::new(wake),
            state: PathBuf::new(),
            confs: Vec::new(),
            wanted: None,
            known: BTreeMap::new(),
            counts: BTreeMap::new(),
            shuts: BTreeMap::new(),
            pending: true,
            refused: None,
        }
    }

    /// Friends by lists.
    pub(super) fn friends(&self) -> Vec<Friend> {
        let named = self.confs.iter().filter(|conf| conf.friends);
        let named = named.filter_map(|conf| Some((conf.name, &self.known.get(&conf.name)?.0)));
        let friend = |(name, list): (Name, &Arc<List>)| {
            let ranges: Vec<(IpAddr, IpAddr)> = list.ranges().take(FRIENDS).collect();
            let networks = ranges.into_iter().flat_map(|(first, last)| networks(first, last));
            networks.map(move |prefix| Friend { prefix, why: format!("{LIST}{name}") })
        };
        named.flat_map(friend).take(FRIENDS).collect()
    }

    /// Packets that each list that closes stopped.
    pub(super) fn stopped(&self) -> Vec<(Name, u64)> {
        let closes = |conf: &&ListConf| matches!(conf.deed, Some((Use::Closes, _)));
        let names = self.confs.iter().filter(closes).map(|conf| conf.name);
        names.filter_map(|name| Some((name, *self.counts.get(&name)?))).collect()
    }

    /// Whether a list opens something: then the gate has to know the mark.
    pub(super) fn opens(&self) -> bool {
        self.confs.iter().any(|conf| matches!(conf.deed, Some((Use::Opens, _))))
    }

    /// The list that lets an address into a port, or shuts it out, if one does.
    pub(super) fn holding(&self, addr: IpAddr, to: Option<PortRange>) -> Option<(Name, Use)> {
        let about = |conf: &&ListConf| match (&conf.deed, to) {
            (Some((_, Ports::All)), _) => true,
            (Some((_, Ports::Only(ranges))), Some(port)) => {
                ranges.iter().any(|range| range.meets(port))
            }
            _ => false,
        };
        let holds = |conf: &&ListConf| {
            self.known.get(&conf.name).is_some_and(|(list, _)| list.contains(addr))
        };
        let named = self.confs.iter().filter(about).filter(holds);
        let mut found = named.filter_map(|conf| Some((conf.name, conf.deed.as_ref()?.0)));
        // Those that let in are asked first.
        let first = found.next()?;
        Some(if first.1 == Use::Opens {
            first
        } else {
            found.find(|(_, to)| *to == Use::Opens).unwrap_or(first)
        })
    }

    /// What is wrong, by what it is about.
    pub(super) fn alarms(&self) -> Vec<(String, String)> {
        let mut alarms = Vec::new();
        if let Some(why) = &self.refused {
            alarms.push(("lists".to_owned(), words::alarm_lists(why)));
        }
        for (name, (addr, count)) in &self.shuts {
            alarms.push((format!("list shuts {name}"), words::alarm_list_shuts(name, addr, count)));
        }
        for conf in &self.confs {
            let Some((_, info)) = self.known.get(&conf.name) else { continue };
            let old = info.at.is_some_and(|at| fetch::age(at) > conf.every * STALE);
            if (info.partial || old)
                && let Some(why) = info.problems.first()
            {
                alarms.push((format!("list {}", conf.name), words::alarm_list(conf.name, why)));
            }
        }
        alarms
    }
}

impl Guard {
    /// Takes up the lists of the configuration; nothing is read yet.
    pub(super) fn take_up_lists(&mut self, confs: &[ListConf]) {
        self.lists.confs = confs.to_vec();
        let named = |name: &Name| confs.iter().any(|conf| conf.name == *name);
        self.lists.known.retain(|name, _| named(name));
        self.lists.shuts.retain(|name, _| named(name));
        self.draw_mark();
    }

    /// Has the gate know the mark of whom a list lets in.
    pub(super) fn draw_mark(&mut self) {
        if self.lists.opens() {
            self.draft.doorway.mark = Some(MARK);
        }
    }

    /// Tells the thread what is wanted now, if that is something else than before.
    pub(super) fn want_lists(&mut self) {
        let table = format!("{}_lists", self.draft.table);
        let enforce = self.hands.observing().is_none() && !self.hands.by_iptables();
        if self.lists.confs.is_empty() && self.lists.orders.is_none() {
            if enforce && self.lists.wanted.is_none() {
                // What another run left behind.
                self.hands.drop_lists(&table);
            }
            self.lists.wanted = Some(Wanted::default());
            return;
        }
        let wanted = Wanted {
            lists: self.lists.confs.clone(),
            friends: self.engine.friends().list().iter().map(|friend| friend.prefix).collect(),
            mark: self.draft.doorway.mark,
            table,
            state: self.lists.state.clone(),
            enforce,
        };
        if self.lists.wanted.as_ref() == Some(&wanted) {
            return;
        }
        if self.hands.by_iptables() {
            self.lists.refused = Some(words::lists_by_nft());
        }
        self.lists.wanted = Some(wanted.clone());
        self.order_lists(Order::Want(Box::new(wanted)));
    }

    fn order_lists(&mut self, order: Order) {
        let lists = &mut self.lists;
        let orders = lists.orders.get_or_insert_with(|| {
            let (orders, received) = channel();
            let worker = worker::Worker::new(received, lists.tell.clone(), Arc::clone(&lists.wake));
            let name = "lists".to_owned();
            // Without a thread nothing is sent back, and the status shows no list.
            let _ = std::thread::Builder::new().name(name).spawn(move || worker.work());
            orders
        });
        let _ = orders.send(order);
    }

    /// Deals with what the thread said.
    pub(super) fn settle_lists(&mut self, now: Time) {
        while let Ok(news) = self.lists.news.try_recv() {
            match news {
                News::Read(name, list, info) => {
                    let known = self.lists.known.get(&name);
                    self.lists.pending |= !known.is_some_and(|(old, _)| Arc::ptr_eq(old, &list));
                    self.look_whom(name, &list, now);
                    let before = self.lists.known.insert(name, (list, *info));
                    let problems = &self.lists.known[&name].1.problems;
                    let told = before.map(|(_, info)| info.problems).unwrap_or_default();
                    let new = problems.iter().filter(|problem| !told.contains(problem));
                    self.notes.extend(new.map(|problem| words::list_problem(name, problem)));
                    if self.lists.confs.iter().any(|conf| conf.name == name && conf.friends) {
                        self.renew_friends(now);
                    }
                }
                News::Counts(counts) => self.lists.counts = counts.into_iter().collect(),
                News::Ready => {
                    self.lists.pending = true;
                    self.hands.deafen();
                    self.order_lists(Order::Go);
                }
                News::Wrote(done) => {
                    self.lists.refused = done.err();
                    self.lists.pending = false;
                    // Whatever others did meanwhile is put right before anybody listens again.
                    if self.hands.observing().is_none() {
                        self.install(now);
                    }
                    self.hands.hark();
                    let failed = self.register_kernel().err();
                    self.notes.extend(failed.map(|error| error.to_string()));
                    // Nobody looked meanwhile.
                    self.look_at = now;
                }
            }
        }
    }

    /// Looks whom a list shuts out of those who got in well lately: phones, and colleagues.
    fn look_whom(&mut self, name: Name, list: &List, now: Time) {
        let conf = self.lists.confs.iter().find(|conf| conf.name == name);
        let closes = conf.is_some_and(|conf| matches!(conf.deed, Some((Use::Closes, _))));
        let jails = self.engine.jails().map(|(policy, _)| policy.name).collect::<Vec<_>>();
        let known = jails.iter().filter_map(|jail| self.engine.jail(*jail));
        let known = known.flat_map(|jail| jail.greeted_since(now.minus(LATELY)));
        let mut shut: Vec<IpAddr> = known.filter(|addr| closes && list.contains(*addr)).collect();
        shut.sort_unstable();
        shut.dedup();
        match shut.first() {
            Some(first) => self.lists.shuts.insert(name, (*first, shut.len())),
            None => self.lists.shuts.remove(&name),
        };
    }

    /// What is asked about lists.
    pub(super) fn answer_lists(&mut self, ask: &ListAsk) -> Reply {
        match ask {
            ListAsk::Show { addr } => Reply::Lists(self.list_status(*addr)),
            ListAsk::Refresh { name } => {
                let known = |name| self.lists.confs.iter().any(|conf| conf.name == name);
                if name.is_some_and(|name| !known(name)) {
                    return Reply::Refused { why: words::list_unknown() };
                }
                self.order_lists(Order::Refresh(*name));
                let count = if name.is_some() { 1 } else { self.lists.confs.len() as u64 };
                Reply::Done { count, notes: Vec::new() }
            }
        }
    }

    pub(super) fn list_status(&self, addr: Option<IpAddr>) -> Vec<ListStatus> {
        let status = |conf: &ListConf| {
            let known = self.lists.known.get(&conf.name);
            let info = known.map(|(_, info)| info.clone()).unwrap_or_default();
            ListStatus {
                name: conf.name,
                far: conf.from.iter().any(|origin| matches!(origin, Origin::Url(_))),
                to: conf.deed.as_ref().map(|(to, _)| *to),
                ports: conf.deed.as_ref().map(|(_, ports)| ports.to_string()).unwrap_or_default(),
                friends: conf.friends,
                read: known.is_some(),
                ranges: info.ranges as u64,
                addresses: info.addresses,
                fetched: info.at.map(|at| time(at).to_string()),
                unknown: info.skipped.unknown as u64,
                wide: info.skipped.wide as u64,
                private: info.skipped.nobody as u64,
                problems: info.problems,
                in_force: known.is_some()
                    && !self.lists.pending
                    && self.lists.refused.is_none()
                    && self.hands.observing().is_none(),
                packets: self.lists.counts.get(&conf.name).copied(),
                holds: addr.map(|addr| known.is_some_and(|(list, _)| list.contains(addr))),
            }
        };
        self.lists.confs.iter().map(status).collect()
    }
}

fn time(at: SystemTime) -> Time {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
