//! What is wrong with an expression, and where.

/// A [`crate::wrong::Wrong`] while the tags are filled in: `from..to` are bytes of the filled-in text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(
        (from, to): (usize, usize),
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { from, to, message: message.into(), remedy: remedy.into() }
    }

    /// The same about its first `width` bytes only.
    pub(super) fn narrow(mut self, width: usize) -> Self {
        self.to = self.to.min(self.from + width);
        self
    }
}
