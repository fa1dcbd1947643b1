//! The thread of the lists: reads them, fetches them, and keeps their table in the kernel.

use super::fetch::{self, age, gather};
use super::{Info, News, Order, Wanted, place};
use sereno_config::{ListConf, Origin};
use sereno_core::gate::Name;
use sereno_core::gate::list::{List, Listed, Roster, Use};
use sereno_nft::Kernel;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

/// How often files and the kernel's table are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// After a failure the web is asked again so soon, unless the list's own time is shorter.
const AGAIN: Duration = Duration::from_secs(1800);

/// A list, and what is known of it.
struct Kept {
    conf: ListConf,
    /// What each source said last, and all of it together.
    parts: Vec<List>,
    read: List,
    /// Without those whom nothing may shut out.
    list: Arc<List>,
    info: Info,
    /// When its files were changed.
    stamps: Vec<Option<(SystemTime, u64)>>,
    /// When the web is asked again.
    due: Instant,
    /// The kernel does not have it yet.
    fresh: bool,
}

pub(super) struct Worker {
    pub(super) orders: Receiver<Order>,
    pub(super) tell: Sender<News>,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
    kernel: Option<Kernel>,
    wanted: Wanted,
    lists: Vec<Kept>,
    /// The whole table is to be written.
    whole: bool,
    /// It was said that something is to be written.
    asked: bool,
    /// It was, and that did not work.
    failed: bool,
}

impl Worker {
    pub(super) fn new(
        orders: Receiver<Order>,
        tell: Sender<News>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            orders,
            tell,
            wake,
            kernel: None,
            wanted: Wanted::default(),
            lists: Vec::new(),
            whole: false,
            asked: false,
            failed: false,
        }
    }

    /// Works until nobody gives orders any more.
    pub(super) fn work(mut self) {
        let mut looked = Instant::now();
        loop {
            let due = self.lists.iter().map(|kept| kept.due).chain([looked + LOOK]).min();
            let wait = due.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()));
            let wait = if self.asked { LOOK } else { wait };
            match self.orders.recv_timeout(wait) {
                Ok(Order::Want(wanted)) => self.adopt(*wanted),
                Ok(Order::Refresh(name)) => {
                    let of = |kept: &&mut Kept| name.is_none_or(|name| kept.conf.name == name);
                    self.lists.iter_mut().filter(of).for_each(|kept| kept.due = Instant::now());
                }
                Ok(Order::Go) => self.write(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look();
            }
            // Who was told to stop listening to the kernel is not kept waiting.
            let next = self.lists.iter().position(|kept| kept.due <= Instant::now());
            // Nor is what is here already: the web takes its time.
            if let Some(at) = next.filter(|_| !self.asked && !self.is_fresh()) {
                self.renew(at, true);
            }
            self.ask();
        }
    }

    fn say(&self, news: News) {
        // Without anybody who listens the thread ends with the next order.
        let _ = self.tell.send(news);
        (self.wake)();
    }

    /// Takes new orders; what is known of lists that stay is kept.
    fn adopt(&mut self, wanted: Wanted) {
        let mut known = std::mem::take(&mut self.lists);
        let same = |list: &Kept, conf: &ListConf| {
            let local = |conf: &ListConf| matches!(conf.deed, Some((Use::Closes, _)));
            let same = list.conf.name == conf.name
                && list.conf.from == conf.from
                && list.conf.database == conf.database;
            same && local(&list.conf) == local(conf)
        };
        let spared = wanted.friends != self.wanted.friends;
        self.whole |= wanted.table != self.wanted.table || roster(&wanted) != roster(&self.wanted);
        self.wanted = wanted;
        for conf in self.wanted.lists.clone() {
            if let Some(at) = known.iter().position(|list| same(list, &conf)) {
                self.lists.push(Kept { conf, ..known.swap_remove(at) });
                if spared {
                    self.spare(self.lists.len() - 1);
                }
                continue;
            }
            self.whole = true;
            self.lists.push(Kept {
                conf,
                parts: Vec::new(),
                read: List::default(),
                list: Arc::default(),
                info: Info::default(),
                stamps: Vec::new(),
                due: Instant::now(),
                fresh: true,
            });
            // What is here is in force at once; the web may take its time.
            let at = self.lists.len() - 1;
            self.renew(at, false);
            let kept = &mut self.lists[at];
            let young = kept.info.at.is_some_and(|at| age(at) < kept.conf.every);
            if !kept.info.partial && young {
                let left = kept
                    .info
                    .at
                    .map_or(Duration::ZERO, |at| kept.conf.every.saturating_sub(age(at)));
                kept.due = Instant::now() + left;
            }
        }
    }

    /// Reads a list anew.
    fn renew(&mut self, at: usize, web: bool) {
        let folder = self.folder();
        let kept = &mut self.lists[at];
        let far = |origin: &Origin| matches!(origin, Origin::Url(_) | Origin::Name(_));
        let has_web = kept.conf.from.iter().any(far);
        kept.stamps = stamps(&kept.conf);
        let got = gather(&kept.conf, &folder, web && has_web);
        let wait =
            if got.problems.is_empty() { kept.conf.every } else { kept.conf.every.min(AGAIN) };
        // Without the web there is nothing to wait for but changes of files.
        kept.due = Instant::now() + if has_web && !web { Duration::ZERO } else { wait };
        kept.info = Info {
            at: got.at,
            skipped: got.skipped,
            problems: got.problems,
            partial: got.partial,
            ..Info::default()
        };
        // A source that is gone takes nothing out of force that it said before.
        kept.parts.resize(got.parts.len(), List::default());
        for (old, new) in kept.parts.iter_mut().zip(got.parts) {
            if let Some(new) = new {
                *old = new;
            }
        }
        kept.read = kept.parts.iter().flat_map(List::ranges).collect();
        self.spare(at);
    }

    /// Leaves out those whom nothing may shut out, and says what the list is now.
    fn spare(&mut self, at: usize) {
        let kept = &mut self.lists[at];
        let list = match kept.conf.deed {
            Some((Use::Closes, _)) => kept.read.without(&self.wanted.friends),
            _ => kept.read.clone(),
        };
        kept.info.ranges = list.len();
        kept.info.addresses = list.addresses();
        if *kept.list != list {
            kept.list = Arc::new(list);
            kept.fresh = true;
        }
        let news = News::Read(kept.conf.name, Arc::clone(&kept.list), Box::new(kept.info.clone()));
        self.say(news);
    }

    fn folder(&self) -> PathBuf {
        self.wanted.state.join("lists")
    }

    /// Looks whether files changed, and whether the kernel still has the table.
    fn look(&mut self) {
        for at in 0..self.lists.len() {
            if stamps(&self.lists[at].conf) != self.lists[at].stamps {
                self.renew(at, false);
            }
        }
        let roster = roster(&self.wanted);
        if !self.wanted.enforce || roster.lists.is_empty() {
            return;
        }
        let table = self.wanted.table.clone();
        if let Some(kernel) = self.hold() {
            let there = kernel.has_lists(&table, &roster).unwrap_or(true);
            let counts = kernel.listed(&table, &roster).unwrap_or_default();
            self.whole |= !there || self.failed;
            self.say(News::Counts(counts));
        }
    }

    fn hold(&mut self) -> Option<&mut Kernel> {
        if self.kernel.is_none() {
            self.kernel = Kernel::open().ok();
        }
        self.kernel.as_mut()
    }

    /// Whether there is something to write.
    fn is_fresh(&self) -> bool {
        self.wanted.enforce && (self.whole || self.lists.iter().any(|kept| kept.fresh))
    }

    /// Says that something is to be written, once.
    fn ask(&mut self) {
        if self.is_fresh() && !self.asked {
            self.asked = true;
            self.say(News::Ready);
        }
    }

    /// Writes what the kernel does not have.
    fn write(&mut self) {
        self.asked = false;
        let done = self.put();
        self.failed = done.is_err();
        // What did not work is tried again when the kernel's table is looked at.
        self.whole = false;
        self.lists.iter_mut().for_each(|kept| kept.fresh = false);
        self.say(News::Wrote(done));
    }

    fn put(&mut self) -> Result<(), String> {
        let (table, roster) = (self.wanted.table.clone(), roster(&self.wanted));
        let all: Vec<(Name, Arc<List>, bool)> = self
            .lists
            .iter()
            .filter(|kept| kept.conf.deed.is_some())
            .map(|kept| (kept.conf.name, Arc::clone(&kept.list), kept.fresh))
            .collect();
        let whole = self.whole;
        let Some(kernel) = self.hold() else {
            return Err(Kernel::open().err().map(|why| why.to_string()).unwrap_or_default());
        };
        let told = |why: sereno_nft::Refusal| why.to_string();
        if all.is_empty() {
            return kernel.remove_lists(&table).map_err(told);
        }
        let mut grown = whole;
        for (name, list, _) in all.iter().filter(|(.., fresh)| *fresh && !whole) {
            // A list that outgrew its sets needs larger ones.
            grown |= kernel.put_list(&table, *name, list).is_err();
        }
        if grown {
            let lists: Vec<(Name, &List)> =
                all.iter().map(|(name, list, _)| (*name, list.as_ref())).collect();
            kernel.put_lists(&table, &roster, &lists).map_err(told)?;
        }
        Ok(())
    }
}

fn stamps(conf: &ListConf) -> Vec<Option<(SystemTime, u64)>> {
    let files = conf.from.iter().filter_map(|origin| match origin {
        Origin::File(path) => Some(path.clone()),
        _ => None,
    });
    files.chain(place::databases(conf)).map(|path| fetch::stamp(&path)).collect()
}

fn roster(wanted: &Wanted) -> Roster {
    let listed = |conf: &ListConf| {
        let (to, ports) = conf.deed.clone()?;
        Some(Listed { name: conf.name, to, ports })
    };
    Roster { lists: wanted.lists.iter().filter_map(listed).collect(), mark: wanted.mark }
}
