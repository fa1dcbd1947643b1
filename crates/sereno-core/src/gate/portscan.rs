//! Which closed ports strangers try: what of that is told to the program.
//!
//! The gate tells of each source and port once, and of no more than it can remember: whoever makes up
//! sources neither fills its memory nor keeps the program busy. What may be an answer is never told.

use super::{Gate, PortRange};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Ranges of ports that are not told of, at most: the kernel walks them.
const MOST_PORTS: usize = 32;
/// How long it is remembered of which port of whom was told, at most. With how many are told in that
/// time, the set never fills ([`super::plan`]).
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// Of what it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortScan {
    /// The group of the kernel's log in which it tells.
    pub group: u16,
    /// Ports that are never told of: who tries them searches for nothing.
    #[serde(default)]
    pub quiet: Vec<PortRange>,
    /// For how long the same port of the same source is not told again.
    pub memory: Duration,
}

impl PortScan {
    /// In this group of the kernel's log; the same port again after `memory`, or what is the longest.
    #[must_use]
    pub fn new(group: u16, quiet: Vec<PortRange>, memory: Duration) -> Self {
        Self { group, quiet, memory: memory.clamp(Duration::from_secs(1), LONGEST) }
    }

    /// Refuses what cannot be meant, in sentences.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.quiet.len() > MOST_PORTS {
            return Err(format!("these are too many ports; {MOST_PORTS} ranges are the most"));
        }
        if !(Duration::from_secs(1)..=LONGEST).contains(&self.memory) {
            let longest = LONGEST.as_secs();
            return Err(format!("a port that was told is remembered for 1 to {longest} seconds"));
        }
        Ok(())
    }
}

impl Gate {
    /// Of which closed ports it tells, if it does.
    #[must_use]
    pub fn portscan(&self) -> Option<&PortScan> {
        self.0.portscan.as_ref()
    }

    /// Whether strangers meet closed ports of which it can tell.
    #[must_use]
    pub fn tells_of_ports(&self) -> bool {
        self.portscan().is_some() && self.policy().is_some_and(|policy| !policy.cut)
    }

    /// The gate without that: what is left when a kernel cannot do that part.
    #[must_use]
    pub fn without_portscan(&self) -> Self {
        let mut draft = self.0.clone();
        draft.portscan = None;
        Self(draft)
    }
}
