//! Whether a text that does not match a pattern could, if it went on.
//!
//! A lazy automaton reads the text once. Where it has died, nothing that follows makes a match;
//! where it lives on, the text is the beginning of one. That tells a record that was cut off by
//! a line break from one that only begins alike.

use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;
use std::sync::{Arc, OnceLock};

/// Bytes of a cache of states at most.
const CACHE: usize = 1 << 20;

/// The automaton of an expression, made when it is first asked.
#[derive(Debug)]
pub(super) struct Partial {
    expression: Arc<str>,
    made: OnceLock<Option<DFA>>,
}

/// Room for the states of an automaton, to be used again.
pub(super) type Room = Option<Cache>;

impl Partial {
    /// For an expression with its anchors.
    pub(super) fn new(expression: &Arc<str>) -> Self {
        Self { expression: Arc::clone(expression), made: OnceLock::new() }
    }

    fn dfa(&self) -> Option<&DFA> {
        let make = || {
            let config = DFA::config().cache_capacity(CACHE).skip_cache_capacity_check(true);
            DFA::builder()
                .configure(config)
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
                .build(&self.expression)
                .ok()
        };
        self.made.get_or_init(make).as_ref()
    }

    /// The state before a text; `None` when there is no automaton, and nothing is known.
    pub(super) fn start(&self, room: &mut Room) -> Option<LazyStateID> {
        let dfa = self.dfa()?;
        let cache = room.get_or_insert_with(|| dfa.create_cache());
        let input = Input::new(b"").anchored(regex_automata::Anchored::Yes);
        dfa.start_state_forward(cache, &input).ok()
    }

    /// Reads on; `None` when nothing can make it match any more.
    pub(super) fn read(
        &self,
        room: &mut Room,
        mut state: LazyStateID,
        text: &[u8],
    ) -> Option<LazyStateID> {
        let (dfa, cache) = (self.dfa()?, room.as_mut()?);
        for byte in text {
            state = dfa.next_state(cache, state, *byte).ok()?;
            if state.is_dead() {
                return None;
            }
        }
        Some(state)
    }

    /// Whether what was read so far is a match.
    pub(super) fn arrived(&self, room: &mut Room, state: LazyStateID) -> bool {
        let (Some(dfa), Some(cache)) = (self.dfa(), room.as_mut()) else { return false };
        dfa.next_eoi_state(cache, state).is_ok_and(|state| state.is_match())
    }
}
