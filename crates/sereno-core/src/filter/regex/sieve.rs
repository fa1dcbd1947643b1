//! The sieve: a lazy automaton of [`super::over`] that says in linear time which texts cannot
//! match. Most texts end here.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

/// Bytes of its table of steps at most; an expression that needs more has no sieve.
const NFA_BYTES: usize = 256 << 10;

/// Bytes of the states that it remembers, at most. With less than the stock prefregexes need, states
/// are made over and over, and everything takes four times as long.
const CACHE_BYTES: usize = 128 << 10;

type Make =
    Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>;

pub(super) struct Sieve {
    dfa: std::sync::Arc<DFA>,
    caches: Pool<Cache, Make>,
    anchored: Anchored,
}

impl std::fmt::Debug for Sieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sieve").finish_non_exhaustive()
    }
}

impl Sieve {
    /// `anchored`: a match begins where the text does. `None`: it would get too large.
    pub(super) fn new(hir: &Hir, anchored: bool) -> Option<Self> {
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(NFA_BYTES)),
            )
            .build_from_hir(hir)
            .ok()?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE_BYTES)
            .skip_cache_capacity_check(true)
            // Where states come faster than they are used, it is not worth it.
            .minimum_cache_clear_count(Some(3))
            .minimum_bytes_per_state(Some(10));
        let dfa = std::sync::Arc::new(DFA::builder().configure(config).build_from_nfa(nfa).ok()?);
        let made = std::sync::Arc::clone(&dfa);
        let caches = Pool::new(Box::new(move || made.create_cache()) as Make);
        Some(Self { dfa, caches, anchored: if anchored { Anchored::Yes } else { Anchored::No } })
    }

    /// Whether `text` may match.
    pub(super) fn lets_pass(&self, text: &str) -> bool {
        let input = Input::new(text).anchored(self.anchored).earliest(true);
        let mut cache = self.caches.get();
        match self.dfa.try_search_fwd(&mut cache, &input) {
            Ok(found) => found.is_some(),
            Err(_) => {
                // Giving up is not knowing. Without a new beginning every later search would give
                // up too.
                cache.reset(&self.dfa);
                true
            }
        }
    }
}
