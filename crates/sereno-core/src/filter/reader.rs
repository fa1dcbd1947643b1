//! One filter at work on the lines of one source (`findFailure` of fail2ban 1.0.2).

use super::fields::{Fields, Name};
use super::gate::Gate;
use super::lines::{self, Line};
use super::regex::{Regex, Room};
use super::session::{Lines, Sessions, Story};
use super::trial::{Manner, Trace};
use super::witness::{Opinion, Witness};
use super::{Expression, Filter};
use crate::addr::{Prefix, parse_addr};
use crate::time::Time;
use std::sync::Arc;

/// A line, and what is left of it without its date.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    pub(super) whole: &'a str,
    pub(super) rest: &'a str,
    /// Where in the rest the first literal stands that lets it pass.
    pub(super) first: usize,
    /// No other filter lets lines pass.
    pub(super) only: bool,
    pub(super) when: Option<Time>,
    pub(super) now: Time,
    /// Which line, from 1.
    pub(super) number: u64,
}

/// Whom a failure is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// An address, or a network where the expression has `<CIDR>`.
    Prefix(Prefix),
    /// A host by its name.
    Named(String),
    /// Something else to know him by: `<F-ID>`.
    Other(String),
    /// Nobody yet: a line to come may tell.
    Pending,
}

impl Who {
    fn of(text: &str, bits: Option<&str>) -> Self {
        let addr = parse_addr(text.as_bytes());
        let bits = bits.and_then(|bits| bits.parse().ok());
        let prefix = addr.and_then(|addr| match bits {
            Some(bits) => Prefix::new(addr, bits),
            None => Some(Prefix::host(addr)),
        });
        prefix
            .or_else(|| text.parse().ok())
            .map_or_else(|| Self::Other(text.to_owned()), Self::Prefix)
    }
}

/// What a line amounts to.
#[derive(Debug)]
pub struct Finding<'a> {
    /// Which failregex matched.
    pub regex: usize,
    /// Whom it is about.
    pub who: &'a Who,
    /// When; `None` if neither the line nor one just before it says.
    pub when: Option<Time>,
    /// What was captured, here and in earlier lines of the session.
    pub story: &'a Story,
    /// The line.
    pub line: &'a str,
    /// Which line of the source, from 1.
    pub number: u64,
}

/// What a filter has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that could matter.
    pub candidates: u64,
    /// Lines that a failregex matched, or that could only have ended a session of which nothing is
    /// known.
    pub matched: u64,
    /// Lines that an ignoreregex matched.
    pub ignored: u64,
    /// Searches given up because they took too many steps.
    pub exhausted: u64,
    /// Sessions forgotten for want of room while a failure of theirs waited for its address.
    pub lost: u64,
    /// Lines in which an expression took an address for the stranger's that is not his.
    pub forged: u64,
}

/// A filter and what it remembers of a source.
#[derive(Debug)]
pub(super) struct Reader {
    filter: Arc<Filter>,
    manner: Manner,
    trace: Trace,
    room: Room,
    /// Which failregex may match the line, in their order.
    chosen: Vec<usize>,
    buffer: Vec<Line>,
    sessions: Sessions,
    counts: Counts,
    witness: Option<Witness>,
    /// The text that is searched: a line break stands behind it.
    text: String,
    /// What the prefregex captured.
    before: Fields,
    /// What a failregex captured, and with it the prefregex.
    fields: Fields,
    /// A failure that is no part of a session.
    single: Story,
}

/// What is looked at, for one line.
struct Look<'l> {
    /// The lines, if several are looked at together.
    lines: Vec<Line>,
    cut: Cut<'l>,
}

impl Reader {
    pub(super) fn new(filter: Arc<Filter>, manner: Manner) -> Self {
        let witness = filter.witness.clone().filter(|_| filter.maxlines <= 1).map(Witness::new);
        Self {
            before: Fields::new(&filter.names),
            fields: Fields::new(&filter.names),
            single: Story::default(),
            filter,
            manner,
            witness,
            trace: Trace::default(),
            room: Room::new(),
            chosen: Vec::new(),
            buffer: Vec::new(),
            sessions: Sessions::default(),
            counts: Counts::default(),
            text: String::new(),
        }
    }

    /// `None`: every line matters.
    pub(super) fn gate(&self) -> Option<&Gate> {
        self.guards().then_some(&self.filter.gate)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { lost: self.sessions.lost, ..self.counts }
    }

    /// What became of the last line. Guards do not keep it.
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The lines that wait for others.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.buffer.iter().map(|line| &*line.whole)
    }

    /// Whether lines that cannot matter are passed over.
    fn guards(&self) -> bool {
        matches!(self.manner, Manner::Guard | Manner::Keep)
    }

    fn every(&self) -> bool {
        self.manner == Manner::Every
    }

    /// Takes a line; tells what it amounts to.
    pub(super) fn take(&mut self, cut: Cut<'_>, emit: &mut dyn FnMut(&Finding<'_>)) {
        self.trace.ignored.clear();
        let guard = self.guards();
        if guard && !self.filter.gate.passes(cut.rest, cut.first, cut.only) {
            return;
        }
        self.counts.candidates += 1;
        self.before.clear();
        let filter = Arc::clone(&self.filter);
        let mut look = Look { lines: Vec::new(), cut };
        if filter.maxlines > 1 {
            let line = Line { whole: cut.whole.into(), rest: cut.rest.to_owned() };
            self.buffer.push(line);
            lines::keep(&mut self.buffer, filter.maxlines);
            look.lines = self.buffer.clone();
            self.text = lines::text(&look.lines);
        } else {
            self.text.clear();
            self.text.push_str(cut.rest);
            self.text.push('\n');
        }
        let early = filter.ignored.len() + 2 < filter.failures.len();
        if early && self.ignores(&filter) {
            return;
        }
        if !self.prefix(&filter) {
            return;
        }
        if guard {
            filter.gate.choose(&self.text, &mut self.chosen);
        } else {
            self.chosen.clear();
            self.chosen.extend(0..filter.failures.len());
        }
        let worth = self.worth(&filter);
        for at in 0..worth {
            let index = self.chosen[at];
            let one = &filter.failures[index];
            if guard && !one.may(&self.text) || !self.search(&one.regex) {
                continue;
            }
            if self.failure(&filter, &mut look, index, one, emit) {
                return;
            }
            if filter.maxlines > 1 {
                self.text = lines::text(&self.buffer);
            }
        }
        self.counts.matched += u64::from(worth < self.chosen.len());
    }

    fn search(&mut self, regex: &Regex) -> bool {
        regex.search(&self.text, &mut self.room).unwrap_or_else(|_| {
            self.counts.exhausted += 1;
            false
        })
    }

    /// Whether an ignoreregex matches what is looked at.
    fn ignores(&mut self, filter: &Filter) -> bool {
        let mut found = false;
        for (index, one) in filter.ignored.iter().enumerate() {
            if self.search(&one.regex) {
                found = true;
                self.trace.ignored.push(index);
                if !self.every() {
                    break;
                }
            }
        }
        self.counts.ignored += u64::from(found);
        found
    }

    /// Whether the prefregex lets the lines pass; what it says matters is what is searched then.
    fn prefix(&mut self, filter: &Filter) -> bool {
        let Some(prefix) = &filter.prefix else { return true };
        if !self.search(&prefix.regex) {
            self.trace.prefix = None;
            return false;
        }
        prefix.groups.captured(&self.text, &self.room, &mut self.before);
        if !self.guards() {
            let all = prefix.groups.everything(&self.text, &self.room, &filter.names);
            self.trace.prefix = Some(all);
        }
        if let Some(content) = prefix.groups.content(&self.room) {
            self.text.truncate(content.end);
            self.text.drain(..content.start);
            if filter.maxlines > 1 {
                let whole = self.text.as_str().into();
                self.buffer = vec![Line { whole, rest: self.text.clone() }];
            }
            self.text.push('\n');
        }
        true
    }

    /// How many of the chosen failregex are worth a search. If nothing is known of the session, those at
    /// the end that could only end it are not: most logins that went well.
    fn worth(&self, filter: &Filter) -> usize {
        let unknown =
            || self.before.value(Name::SESSION).is_some_and(|id| !self.sessions.knows(id));
        if !self.guards() || !unknown() {
            return self.chosen.len();
        }
        let fails = |index: &usize| !filter.failures[*index].ends;
        self.chosen.iter().rposition(fails).map_or(0, |at| at + 1)
    }

    /// Tells of a failure that was just found; whether that was all of the line.
    fn failure(
        &mut self,
        filter: &Filter,
        look: &mut Look<'_>,
        index: usize,
        one: &Expression,
        emit: &mut dyn FnMut(&Finding<'_>),
    ) -> bool {
        one.groups.captured(&self.text, &self.room, &mut self.fields);
        if let Some(name) = one.groups.name(&self.text, &self.room) {
            self.fields.rename(name);
        }
        let several = filter.maxlines > 1;
        let (matched, others) = if several {
            lines::sort(&look.lines, &self.text, &one.regex, &self.room)
        } else {
            (Vec::new(), Vec::new())
        };
        if !filter.ignored.is_empty() && self.ignores_matched(filter, &matched, several) {
            if several {
                self.buffer = others;
            }
            return !self.every();
        }
        self.counts.matched += 1;
        if several {
            self.buffer = others;
        }
        // A guard has use for one line only, and knows it.
        let speaking = match (self.manner == Manner::Guard, several) {
            (true, true) => Lines::new(matched.len(), Vec::new()),
            (true, false) => Lines::new(1, Vec::new()),
            (false, true) => {
                let texts = matched.iter().map(|line| Line::kept(&line.whole)).collect();
                Lines::new(matched.len(), texts)
            }
            (false, false) => Lines::new(1, vec![Line::kept(look.cut.whole)]),
        };
        self.tell(look, index, &speaking, emit)
    }

    /// Whether an ignoreregex matches the lines that a failregex matched.
    fn ignores_matched(&mut self, filter: &Filter, matched: &[Line], several: bool) -> bool {
        if !several {
            return self.ignores(filter);
        }
        let whole = std::mem::replace(&mut self.text, lines::text(matched));
        let found = self.ignores(filter);
        self.text = whole;
        found
    }

    fn tell(
        &mut self,
        look: &Look<'_>,
        index: usize,
        speaking: &Lines,
        emit: &mut dyn FnMut(&Finding<'_>),
    ) -> bool {
        let (every, guard) = (self.every(), self.guards());
        let fields = &mut self.before;
        if every {
            // Others of the line follow, which want it as it was.
            let captured = std::mem::replace(&mut self.fields, fields.clone());
            self.fields.update(&captured, usize::MAX);
        } else {
            fields.update(&self.fields, usize::MAX);
            std::mem::swap(fields, &mut self.fields);
        }
        if self.fields.accuses()
            && let Some(witness) = &mut self.witness
        {
            match witness.opinion(look.cut.whole) {
                Opinion::None => {}
                Opinion::Is(addr) => self.counts.forged += u64::from(self.fields.accuse(addr)),
                Opinion::Doubtful => {
                    self.counts.forged += 1;
                    return !every;
                }
            }
        }
        let fields = &self.fields;
        let at = look.cut.when.unwrap_or(look.cut.now);
        let session = fields.value(Name::SESSION);
        let story = match session {
            Some(id) => self.sessions.merge(id, fields, speaking, at, !every),
            None => {
                self.single.tell(fields, speaking);
                &self.single
            }
        };
        if story.is_no_failure() && session.is_some() && !every {
            return true;
        }
        let who = who(&story.fields);
        if who == Who::Pending && guard {
            return true;
        }
        let Cut { whole: line, when, number, .. } = look.cut;
        emit(&Finding { regex: index, who: &who, when, story, line, number });
        !every
    }
}

/// Whom captures are about: an id before an address, an address before a name.
fn who(fields: &Fields) -> Who {
    let id = fields.value(Name::FID);
    let addr = fields.value(Name::IP4).or_else(|| fields.value(Name::IP6));
    match (id, addr, fields.value(Name::DNS)) {
        (Some(id), Some(addr), _) if id != addr => Who::of(id, None),
        (_, Some(addr), _) => Who::of(addr, fields.value(Name::CIDR)),
        (_, None, Some(name)) => Who::Named(name.to_owned()),
        (Some(id), None, None) => Who::of(id, None),
        (None, None, None) => Who::Pending,
    }
}
