//! The text of a gate beside what the kernel is handed over.
#![allow(clippy::unwrap_used)]

use crate::net::Net;
use sereno_core::gate::{Contents, Gate, render};
use sereno_core::time::Time;
use sereno_nft::{Installed, Kernel};
use std::time::{SystemTime, UNIX_EPOCH};

/// That `nft` lists the same of either, that either is found whole, and that it is not the other gate.
pub(crate) fn agrees(net: &Net, gate: &Gate, contents: Contents<'_>, other: &Gate) -> Installed {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Time(i64::try_from(since.as_micros()).unwrap());
    let text = render(gate, contents, now);
    net.nft(&["-f", "-"], &text);
    let by_text = net.listing();
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    assert!(kernel.exists(gate).unwrap(), "{text}");
    let done = kernel.install(gate, contents, now).unwrap();
    assert_eq!(net.listing(), by_text);
    assert!(kernel.exists(gate).unwrap());
    assert!(!kernel.exists(other).unwrap());
    done
}
