//! Killed at every single effect, and nothing is different: a small scenario is run to its end;
//! then once more for each call by which the program changes anything outside itself (the ledger,
//! the kernel's table, the control socket), killed on entering that call, started again, and led
//! on to the same end. Ledger, kernel, history, and what is remembered of strangers have to be
//! the same as without the kill.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod program;
mod scenario;
mod tracer;

use program::own_network;
use scenario::{End, Scenario};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Runs at a time. They wait more than they work.
const WORKERS: usize = 3;
/// More effects than this, and the scenario is not the small one it should be.
const MOST: usize = 1000;

/// Every n-th effect only, where somebody is in a hurry.
fn stride() -> usize {
    std::env::var("SERENO_KILL_STRIDE").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

#[test]
fn a_kill_at_any_effect_changes_nothing() {
    let started = Instant::now();
    let Some(whole) = in_own_network(|| Scenario::run(usize::MAX)) else { return };
    whole.state.is_as_told();
    println!("{} effects, {:?}", whole.effects.len(), started.elapsed());
    let (next, stride) = (AtomicUsize::new(1), stride());
    let work = || {
        let mut ends = Vec::new();
        loop {
            let nth = next.fetch_add(stride, Ordering::Relaxed);
            assert!(nth < MOST, "it never gets by without being killed");
            let end = Scenario::run(nth);
            if !end.killed {
                return ends;
            }
            ends.push((nth, end));
        }
    };
    let ends: Vec<(usize, End)> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..WORKERS).map(|_| scope.spawn(|| in_own_network(work).unwrap())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, end) in &ends {
        *at.entry(end.effects.last().unwrap()).or_default() += 1;
    }
    println!("killed at {} effects in {:?}: {at:#?}", ends.len(), started.elapsed());
    let wrong: Vec<String> = ends
        .iter()
        .filter_map(|(nth, end)| {
            let difference = whole.state.difference(&end.state)?;
            Some(format!("killed at effect {nth}, {}:\n{difference}", end.effects.last().unwrap()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ends.len(), wrong.join("\n"));
    assert!(ends.len() * stride + stride > whole.effects.len() / 2, "{} are few", ends.len());
}

/// A network belongs to a thread, so the work gets one of its own.
fn in_own_network<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| match scope.spawn(|| own_network().then(work)).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
