//! What a door does for who knocked.

use crate::gate::Ports;

/// One thing that is done for an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Deed {
    /// Nothing.
    #[default]
    Nothing,
    /// Ports are opened to it.
    Open(Ports),
    /// Ports are closed to it again.
    Close(Ports),
    /// A command of the administrator is run, with `%IP%` where the address belongs. Which, the
    /// door's name says: the text goes nowhere from here.
    Run(String),
}

/// What is done at once, and what after [`super::Door::hold`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// At once. If this is nothing, so is the stop.
    pub start: Deed,
    /// Later.
    pub stop: Deed,
}

impl Deeds {
    /// Opens ports for as long as the door holds.
    #[must_use]
    pub fn open(ports: Ports) -> Self {
        Self { start: Deed::Open(ports.clone()), stop: Deed::Close(ports) }
    }

    /// Whether the stop closes what the start opens, so that the opening ends by itself.
    #[must_use]
    pub fn ends(&self) -> bool {
        matches!((&self.start, &self.stop), (Deed::Open(a), Deed::Close(b)) if a == b)
    }
}
