//! What runs on this machine.

use sereno_config::facts::Facts;
use sereno_core::jail::Friend;
use std::path::Path;

/// Placeholder until the real one lands.
pub fn gather(_root: &Path) -> Facts { Facts::default() }

/// Placeholder.
pub fn friends() -> Vec<Friend> { Vec::new() }
