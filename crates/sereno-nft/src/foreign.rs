//! Other firewalls on this machine: whether they turn away what nobody asked for, and the one rule
//! that lets pass whom a door let in, and what it lets on to other machines.
//!
//! One turns strangers away if a chain of it at the input hook (or forward hook) has the policy `drop`, or ends with a
//! rule that drops or rejects, itself or by a jump. That is a guess at what its administrator means,
//! good enough to decide who closes a door, and told to him.

use crate::decode::{Message, attributes, text, u32_attribute};
use crate::encode::Attributes;
use crate::exchange::Fault;
use crate::express::{compare, expression, mask, meta, verdict};
use crate::kernel::Kernel;
use crate::numbers::*;
use crate::words::{Doing, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// What our rules in other tables are known by.
const COMMENT: &str = "sereno doors";
/// Jumps that are followed.
const DEPTH: usize = 8;
/// Chains and rules that are looked at, at most.
const MOST: usize = 20_000;

/// A chain: its family, its table, its name.
type Place = (u8, Vec<u8>, Vec<u8>);

/// What the last rule of a chain does at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Closes,
    Jumps(Vec<u8>),
    Other,
}

/// What stands in other tables.
#[derive(Debug, Default)]
struct Foreign {
    /// Chains at the input hook, and whether their policy is to drop.
    inputs: BTreeMap<Place, bool>,
    /// Those at the forward hook.
    forwards: BTreeMap<Place, bool>,
    ends: BTreeMap<Place, End>,
    /// Chains that have our rule.
    passed: BTreeSet<Place>,
}

impl Foreign {
    /// The chains of these that turn strangers away.
    fn closing<'a>(&'a self, of: &'a BTreeMap<Place, bool>) -> impl Iterator<Item = &'a Place> {
        let closes = |(place, drops): &(&Place, &bool)| **drops || closes(&self.ends, place);
        of.iter().filter(closes).map(|(place, _)| place)
    }
}

impl Kernel {
    /// Whether another table than `ours` (family inet) turns strangers away at the input hook.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn is_closed_by_others(&mut self, ours: &str) -> Result<bool, Refusal> {
        let foreign = self.foreign(ours).map_err(|why| why.refusal(Doing::Look))?;
        Ok(foreign.closing(&foreign.inputs).next().is_some())
    }

    /// Sees to it that every chain of another table that turns strangers away at the input hook, and
    /// with `forwards` at the forward hook, begins with a rule that accepts packets with these bits
    /// in their mark; says how many rules had to be put in.
    ///
    /// # Errors
    /// When the kernel refuses to say, or to take one of them; the others are there then.
    pub fn let_pass(&mut self, ours: &str, mark: u32, forwards: bool) -> Result<usize, Refusal> {
        let foreign = self.foreign(ours).map_err(|why| why.refusal(Doing::Look))?;
        let inputs = foreign.closing(&foreign.inputs);
        let others = foreign.closing(&foreign.forwards).filter(|_| forwards);
        let missing = inputs.chain(others).filter(|place| !foreign.passed.contains(*place));
        let mut count = 0;
        let mut done = Ok(());
        for (family, table, chain) in missing {
            let (Ok(table), Ok(chain)) = (str::from_utf8(table), str::from_utf8(chain)) else {
                continue;
            };
            let batch = self.exchange().begin();
            batch.push_for(*family, NEWRULE, NLM_F_CREATE, |a| {
                a.text(NFTA_TABLE, table);
                a.text(NFTA_RULE_CHAIN, chain);
                a.nest(NFTA_RULE_EXPRESSIONS, |a| pass(a, mark));
                a.bytes(NFTA_RULE_USERDATA, &comment());
            });
            // A table may be somebody's own; that is no reason to leave out another.
            match self.exchange().carry_out(0..1, |_| Doing::Pass) {
                Ok(()) => count += 1,
                Err(why) => done = done.and(Err(why)),
            }
        }
        done.map(|()| count)
    }

    fn foreign(&mut self, ours: &str) -> Result<Foreign, Fault> {
        let mut found = Foreign::default();
        self.dump_all(GETCHAIN, |message| {
            let all = message.attributes();
            let hook = attributes(all).find(|(kind, _)| *kind == NFTA_CHAIN_HOOK);
            let number = hook.and_then(|(_, hook)| u32_attribute(hook, NFTA_HOOK_HOOKNUM));
            // A network device has hooks of its own, with numbers that are others'.
            let ip = matches!(message.family(), Some(NFPROTO_INET | NFPROTO_IPV4 | NFPROTO_IPV6));
            let list = match number.filter(|_| ip && !message.is_about(ours)) {
                Some(NF_INET_LOCAL_IN) => &mut found.inputs,
                Some(NF_INET_FORWARD) => &mut found.forwards,
                _ => return,
            };
            let policy = u32_attribute(all, NFTA_CHAIN_POLICY).map(u32::cast_signed);
            if let Some(place) = place(message, NFTA_CHAIN_NAME).filter(|_| list.len() <= MOST) {
                list.insert(place, policy == Some(NF_DROP));
            }
        })?;
        if found.inputs.is_empty() && found.forwards.is_empty() {
            return Ok(found);
        }
        self.dump_all(GETRULE, |message| {
            let Some(place) = place(message, NFTA_RULE_CHAIN) else { return };
            if found.ends.len() > MOST && !found.ends.contains_key(&place) {
                return;
            }
            let data =
                attributes(message.attributes()).find(|(kind, _)| *kind == NFTA_RULE_USERDATA);
            if data.is_some_and(|(_, data)| data == comment()) {
                found.passed.insert(place.clone());
            }
            // Rules come in their order: the last one stays. Where iptables keeps our gate, its chains
            // are in such tables.
            let end = match end(message) {
                End::Jumps(chain) if is_ours(&chain, ours) => End::Other,
                end => end,
            };
            found.ends.insert(place, end);
        })?;
        Ok(found)
    }

    fn dump_all(&mut self, what: u8, take: impl FnMut(&Message<'_>)) -> Result<(), Fault> {
        self.exchange().ask(what, NFPROTO_UNSPEC, NLM_F_DUMP, |_| {}, take)
    }
}

/// Accepts packets with these bits in their mark, and counts them: what `iptables -m mark` makes.
fn pass(a: &mut Attributes<'_>, bits: u32) {
    meta(a, NFT_META_MARK);
    // Marks are in host order.
    mask(a, &bits.to_ne_bytes(), &[0; 4]);
    compare(a, NFT_CMP_EQ, &bits.to_ne_bytes());
    expression(a, "counter", |a| {
        a.u64(NFTA_COUNTER_BYTES, 0);
        a.u64(NFTA_COUNTER_PACKETS, 0);
    });
    verdict(a, NF_ACCEPT, None);
}

/// Whether a chain of iptables belongs to a table of ours.
fn is_ours(chain: &[u8], ours: &str) -> bool {
    chain.strip_prefix(ours.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'.'))
}

/// The rule's comment as libnftnl keeps it: type 0, length, text, zero.
fn comment() -> Vec<u8> {
    let length = u8::try_from(COMMENT.len() + 1).unwrap_or(u8::MAX);
    [&[0, length], COMMENT.as_bytes(), &[0]].concat()
}

fn place(message: &Message<'_>, chain: u16) -> Option<Place> {
    let all = message.attributes();
    Some((message.family()?, text(all, NFTA_TABLE)?.to_vec(), text(all, chain)?.to_vec()))
}

fn closes(ends: &BTreeMap<Place, End>, place: &Place) -> bool {
    let mut place = place.clone();
    for _ in 0..DEPTH {
        match ends.get(&place) {
            Some(End::Closes) => return true,
            Some(End::Jumps(chain)) => place.2.clone_from(chain),
            Some(End::Other) | None => return false,
        }
    }
    false
}

/// What a rule does in the end.
fn end(message: &Message<'_>) -> End {
    let all = attributes(message.attributes());
    let lists = all.filter(|(kind, _)| *kind == NFTA_RULE_EXPRESSIONS);
    let last = lists.flat_map(|(_, list)| attributes(list)).last();
    let Some((_, expression)) = last else { return End::Other };
    let data = attributes(expression).find(|(kind, _)| *kind == NFTA_EXPR_DATA);
    let data = data.map(|(_, data)| data).unwrap_or_default();
    match text(expression, NFTA_EXPR_NAME) {
        Some(b"reject") => End::Closes,
        // iptables' own words, in its nft form.
        Some(b"target") => match text(data, NFTA_TARGET_NAME) {
            Some(b"REJECT" | b"DROP") => End::Closes,
            _ => End::Other,
        },
        Some(b"immediate") => decided(data),
        _ => End::Other,
    }
}

fn decided(immediate: &[u8]) -> End {
    let inside =
        |bytes, wanted| attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let verdict = inside(immediate, NFTA_IMMEDIATE_DATA)
        .and_then(|data| inside(data, NFTA_DATA_VERDICT))
        .unwrap_or_default();
    let code = u32_attribute(verdict, NFTA_VERDICT_CODE).map(u32::cast_signed);
    match (code, text(verdict, NFTA_VERDICT_CHAIN)) {
        (Some(NF_DROP), _) => End::Closes,
        (Some(NFT_JUMP | NFT_GOTO), Some(chain)) => End::Jumps(chain.to_vec()),
        _ => End::Other,
    }
}
