//! A compiled pattern: placeholders expanded, anchored at both ends, with its captures.

use super::fast::{self, Walk};
use super::literal;
use super::partial::Partial;
use super::sender::Sender;
use super::spec::{Kind, PatternSpec, SessionKey, Step, Trust};
use crate::addr::parse_addr_within;
use crate::bytes;
use regex_automata::Anchored;
use regex_automata::meta;
use regex_automata::nfa::thompson::NFA;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, OnceLock};

/// What the placeholders stand for. `<user>` and `<text>` are whatever a stranger wrote, line
/// breaks included; the fixed text around them decides where they end.
const PLACEHOLDERS: [(&str, &str); 6] = [
    (
        "addr",
        r"(?P<addr>(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,41}|\[[0-9A-Fa-f:.]{2,45}\])",
    ),
    ("port", r"(?P<port>[0-9]{1,5})"),
    ("user", r"(?P<user>(?s-u:.)*)"),
    ("session", r"(?P<session>(?s-u:.)*)"),
    ("times", r"(?P<times>[0-9]{1,4})"),
    ("text", r"(?s-u:.)*"),
];

/// What `<addr>` stands for, without its group.
static ADDRESS: LazyLock<Option<Hir>> = LazyLock::new(|| {
    let (_, expression) = PLACEHOLDERS.first()?;
    match parse(expression).ok()?.into_kind() {
        HirKind::Capture(capture) => Some(*capture.sub),
        _ => None,
    }
});

/// The syntax tree of what stands in an address's group.
pub(super) fn address() -> Option<&'static Hir> {
    ADDRESS.as_ref()
}

/// The syntax tree of an expression.
fn parse(expression: &str) -> Result<Hir, String> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    parser.parse(expression).map_err(|e| e.to_string())
}

/// Bytes of a pattern's NFA at most; beyond it the pattern is refused.
const SIZE_LIMIT: usize = 4 << 20;

/// Of an expression with fewer states than this it is clear that its NFA is small enough: a state is
/// no larger than 64 bytes beside what a class has, whose ranges count as states here.
const FEW: usize = SIZE_LIMIT / 256;

/// States of an expression's NFA, at most.
fn states(hir: &Hir) -> usize {
    let all = |parts: &[Hir]| parts.iter().map(states).fold(0, usize::saturating_add);
    let own = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        // Beyond ASCII a range is several sequences of ranges.
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().saturating_mul(64),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(repetition.min).max(1);
            (states(&repetition.sub) + 2).saturating_mul(times as usize + 1)
        }
        HirKind::Capture(capture) => states(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            all(parts).saturating_add(parts.len())
        }
    };
    own.saturating_add(2)
}

/// Bytes of an expression at most, placeholders expanded.
const EXPRESSION_BYTES: usize = 16 << 10;

/// A pattern ready to match.
#[derive(Debug)]
pub struct Pattern {
    /// Its name within the rule.
    pub id: Arc<str>,
    /// What the line tells.
    pub kind: Kind,
    /// How much it counts.
    pub weight: u16,
    /// What joins it to other lines.
    pub session: SessionKey,
    /// At which step of the attempt it is written.
    pub step: Step,
    /// How far it may be believed.
    pub trust: Trust,
    /// Whether a packet with a false source address is enough to cause it.
    pub spoofable: bool,
    /// It begins with free text: what it tells is the end of a record, not its beginning.
    pub(super) ends: bool,
    /// Its beginning up to the address, where a stranger writes nothing before that.
    sender: Option<Sender>,
    pub(super) partial: Partial,
    pub(super) files: Vec<Vec<u8>>,
    /// The literals of which every matching text begins with one; an empty one says nothing.
    pub(super) starts: Vec<Vec<u8>>,
    pub(super) required: Option<literal::Required>,
    finder: Option<memchr::memmem::Finder<'static>>,
    /// Literals of which every matching text has one behind the address.
    behind: Vec<memchr::memmem::Finder<'static>>,
    once: Option<memchr::memmem::Finder<'static>>,
    walk: Option<Walk>,
    engine: Engine,
    slots: Slots,
}

/// The regex engine for an expression, made when it is first asked: most lines never get
/// there, and making a hundred of them is most of what a start costs.
#[derive(Debug)]
struct Engine {
    expression: Arc<str>,
    made: OnceLock<Option<meta::Regex>>,
}

impl Engine {
    /// Makes sure that it can be made.
    fn new(expanded: &str, hir: &Hir, walked: bool) -> Result<Self, String> {
        let expression = Arc::from(format!("^(?:{expanded})$"));
        let this = Self { expression, made: OnceLock::new() };
        if walked && states(hir) > FEW {
            let config = NFA::config().nfa_size_limit(Some(SIZE_LIMIT));
            NFA::compiler().configure(config).build_from_hir(hir).map_err(|e| e.to_string())?;
        } else if !walked {
            let _ = this.made.set(Some(this.make()?));
        }
        Ok(this)
    }

    fn make(&self) -> Result<meta::Regex, String> {
        // The size is checked without the anchors and the search backwards.
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(4 * SIZE_LIMIT));
        meta::Regex::builder()
            .configure(config)
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(&self.expression)
            .map_err(|e| e.to_string())
    }

    fn get(&self) -> Option<&meta::Regex> {
        self.made.get_or_init(|| self.make().ok()).as_ref()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slots {
    addr: Option<usize>,
    port: Option<usize>,
    user: Option<usize>,
    session: Option<usize>,
    times: Option<usize>,
    stream: Option<usize>,
}

/// What a pattern found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found<'t> {
    /// The stranger's address, canonical.
    pub addr: Option<IpAddr>,
    /// His port.
    pub port: Option<u16>,
    /// The account he tried, as written.
    pub user: Option<&'t [u8]>,
    /// The session's name, as written.
    pub session: Option<&'t [u8]>,
    /// How often the line says it happened; at least 1.
    pub times: u16,
    /// It came over a transport that begins with a handshake: the address is no false one.
    pub stream: bool,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A sentence saying what is wrong with the expression.
    pub fn compile(spec: &PatternSpec, define: &BTreeMap<String, String>) -> Result<Self, String> {
        let expanded = expand(&spec.regex, define);
        if expanded.len() > EXPRESSION_BYTES {
            return Err(format!("the expression is longer than {EXPRESSION_BYTES} bytes"));
        }
        let hir = parse(&expanded)?;
        let walk = Walk::new(&hir);
        let engine = Engine::new(&expanded, &hir, walk.is_some())?;
        let group = |name: &str| group(&hir, name);
        let slots = Slots {
            addr: group("addr"),
            port: group("port"),
            user: group("user"),
            session: group("session"),
            times: group("times"),
            stream: group("stream"),
        };
        if spec.session == SessionKey::Field && slots.session.is_none() {
            return Err("session = \"field\" needs <session> in the pattern".to_owned());
        }
        if spec.kind == Kind::Failure && spec.weight == 0 {
            return Err("weight = 0 counts nothing; write kind = \"neutral\"".to_owned());
        }
        if spec.kind == Kind::Failure && slots.addr.is_none() && spec.session == SessionKey::None {
            return Err(
                "a failure without <addr> needs a session that tells the address".to_owned()
            );
        }
        let required = literal::required(&hir);
        let finder = |one: &Vec<u8>| memchr::memmem::Finder::new(one).into_owned();
        let only = required.as_ref().and_then(|all| all.first().filter(|_| all.len() == 1));
        let has_addr = |part: &Hir| self::group(part, "addr").is_some();
        let behind = literal::required_behind(&hir, &has_addr).unwrap_or_default();
        Ok(Self {
            id: Arc::from(spec.id.as_str()),
            kind: spec.kind,
            weight: spec.weight,
            session: spec.session,
            step: spec.step,
            trust: spec.trust,
            spoofable: spec.spoofable,
            ends: fast::begins_free(&hir),
            sender: Sender::new(&hir, |part| self::group(part, "addr").is_some()),
            partial: Partial::new(&engine.expression),
            files: spec.files.iter().map(|f| f.as_bytes().to_vec()).collect(),
            starts: literal::starts(&hir),
            finder: only.map(finder),
            behind: behind.iter().map(finder).collect(),
            required,
            once: spec.once.as_ref().map(|text| memchr::memmem::Finder::new(text).into_owned()),
            walk,
            engine,
            slots,
        })
    }

    /// Whether it is about what this file writes.
    pub(super) fn is_of(&self, file: &[u8]) -> bool {
        self.files.is_empty() || self.files.iter().any(|f| bytes::same(f, file))
    }

    /// Whether a record of this file can be the beginning of the pattern's.
    pub(super) fn begins(&self, file: &[u8]) -> bool {
        !self.ends && self.is_of(file)
    }

    /// Matches a whole text. An address that does not parse is no match.
    pub(super) fn find<'t>(
        &self,
        text: &'t [u8],
        captures: &mut Option<Captures>,
    ) -> Option<Found<'t>> {
        // Asked first: a line that is ambiguous is not worth a match.
        let once = self.once.as_ref();
        if once.is_some_and(|wanted| wanted.find_iter(text).nth(1).is_some()) {
            return None;
        }
        let mut spans = [fast::UNSET; fast::GROUPS];
        let walked = self.walk.as_ref().is_some_and(|walk| walk.find(text, &mut spans));
        if !walked {
            if self.lacks(text) {
                return None;
            }
            spans = [fast::UNSET; fast::GROUPS];
            self.engine(text, captures, &mut spans)?;
        }
        let get = |slot: Option<usize>| {
            let (start, end) = *spans.get(slot?)?;
            text.get(start..end)
        };
        let addr = match self.slots.addr.and_then(|slot| spans.get(slot)) {
            Some((start, end)) if end <= &text.len() => {
                Some(parse_addr_within(text, *start, *end)?)
            }
            _ => None,
        };
        Some(Found {
            addr,
            port: get(self.slots.port).and_then(bytes::number),
            user: get(self.slots.user),
            session: get(self.slots.session),
            times: get(self.slots.times).and_then(bytes::number).unwrap_or(1).max(1),
            stream: get(self.slots.stream).is_some(),
        })
    }

    /// Whether a text has not the literals that every match has: where the walk does not arrive, it
    /// is not worth the engine.
    pub(super) fn lacks(&self, text: &[u8]) -> bool {
        let missing = |one: &memchr::memmem::Finder<'_>| one.find(text).is_none();
        self.finder.as_ref().is_some_and(missing)
            || !self.behind.is_empty() && self.behind.iter().all(missing)
    }

    /// Who wrote a record of which only the beginning is to be believed; `None` where a
    /// stranger's text stands before the address.
    pub(super) fn sender(&self, text: &[u8]) -> Option<Found<'static>> {
        let (addr, port) = self.sender.as_ref()?.find(text)?;
        Some(Found {
            addr: Some(addr),
            port: port.and_then(bytes::number),
            times: 1,
            ..Found::default()
        })
    }

    /// Whether [`Pattern::sender`] can tell anything.
    pub(super) fn names_sender(&self) -> bool {
        self.sender.is_some()
    }

    /// The regex engine's answer. `captures` is room to be used again.
    fn engine(
        &self,
        text: &[u8],
        captures: &mut Option<Captures>,
        spans: &mut fast::Spans,
    ) -> Option<()> {
        let regex = self.engine.get()?;
        let captures = captures.get_or_insert_with(|| regex.create_captures());
        let input = regex_automata::Input::new(text).anchored(Anchored::Yes);
        regex.search_captures(&input, captures);
        if !captures.is_match() {
            return None;
        }
        for (index, span) in spans.iter_mut().enumerate() {
            if let Some(found) = captures.get_group(index) {
                *span = (found.start, found.end);
            }
        }
        Some(())
    }

    /// Both ways through the pattern, for the test that holds them together: the spans of the
    /// walk, when it arrives, and of the engine, when it matches.
    #[cfg(test)]
    pub(super) fn both(&self, text: &[u8]) -> (Option<fast::Spans>, Option<fast::Spans>) {
        let (mut walked, mut engine) = ([fast::UNSET; fast::GROUPS], [fast::UNSET; fast::GROUPS]);
        let arrived = self.walk.as_ref().is_some_and(|walk| walk.find(text, &mut walked));
        let matched = self.engine(text, &mut None, &mut engine);
        // Group 0 is the whole match, which the walk does not fill.
        engine[0] = fast::UNSET;
        (arrived.then_some(walked), matched.map(|()| engine))
    }
}

/// The index of the group with this name.
fn group(hir: &Hir, name: &str) -> Option<usize> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(name) => {
            Some(capture.index as usize)
        }
        HirKind::Capture(capture) => group(&capture.sub, name),
        HirKind::Repetition(repetition) => group(&repetition.sub, name),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().find_map(|part| group(part, name))
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

/// Replaces the rule's own definitions, then the placeholders.
fn expand(regex: &str, define: &BTreeMap<String, String>) -> String {
    let fixed = |name: &str| PLACEHOLDERS.iter().find(|(known, _)| *known == name).map(|(_, e)| *e);
    replace(&defined(regex, define), fixed)
}

/// Replaces definitions.
pub(super) fn defined(regex: &str, define: &BTreeMap<String, String>) -> String {
    // A definition may use others; a few rounds suffice, and one that names itself stays.
    let mut own = regex.to_owned();
    for _ in 0..4 {
        if own.len() <= EXPRESSION_BYTES {
            own = replace(&own, |name| define.get(name).map(String::as_str));
        }
    }
    own
}

/// Replaces `<name>` by what `meaning` knows of it. `(?P<user>...)` is a group of the
/// expression itself and stays, as does a `<` that names nothing.
fn replace<'m>(regex: &str, meaning: impl Fn(&str) -> Option<&'m str>) -> String {
    let mut out = String::with_capacity(regex.len() * 2);
    let mut rest = regex;
    while let Some(at) = rest.find('<') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let own_group = before.ends_with("(?P") || before.ends_with("(?");
        let name = tail[1..].split_once('>').map(|(name, _)| name).filter(|_| !own_group);
        match name.and_then(|name| meaning(name).map(|meaning| (name, meaning))) {
            Some((name, meaning)) => {
                out.push_str(meaning);
                rest = &tail[name.len() + 2..];
            }
            None => {
                out.push('<');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}
