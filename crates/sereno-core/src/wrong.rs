//! What is wrong with a text that somebody wrote, and where.

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The byte it begins at, in the text that was given.
    pub at: usize,
    /// How many characters it is about; none where it is about the whole.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl Wrong {
    /// About the whole text.
    pub(crate) fn whole(message: &str, remedy: &str) -> Self {
        Self { at: 0, width: 0, message: message.to_owned(), remedy: remedy.to_owned() }
    }
}
