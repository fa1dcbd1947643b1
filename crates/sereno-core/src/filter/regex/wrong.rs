//! What is wrong with an expression, and where.

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The byte it begins at, in the text that was given.
    pub at: usize,
    /// How many characters it is about; at least 1.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// The same while the tags are filled in: `from..to` are bytes of the filled-in text.
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
