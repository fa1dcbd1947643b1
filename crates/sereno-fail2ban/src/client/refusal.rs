//! Why a command was not carried out, in the texts that `fail2ban-client` has for it.
//!
//! It says everything twice: for people on standard output, and on standard error behind `NOK:`
//! as Python writes the arguments of an exception, a tuple.

use super::{FAILED, Printed};
use crate::dump::Value;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such jail.
    UnknownJail(String),
    /// There is such a jail already.
    DuplicateJail(String),
    /// Words are missing.
    Incomplete,
    /// A name that is not there; printed in quotes.
    Key(String),
    /// Anything else.
    Said(String),
    /// The client itself refused, without asking: standard error only.
    Client(String),
}

impl Refusal {
    /// What `fail2ban-client` prints then.
    #[must_use]
    pub fn printed(&self) -> Printed {
        let (out, argument) = match self {
            Self::UnknownJail(name) => {
                (format!("Sorry but the jail '{name}' does not exist"), name)
            }
            Self::DuplicateJail(name) => (format!("The jail '{name}' already exists"), name),
            Self::Incomplete => (
                "Sorry but the command is invalid".to_owned(),
                &"list index out of range".to_owned(),
            ),
            Self::Key(text) => (quoted(text), text),
            Self::Said(text) => (text.clone(), text),
            Self::Client(text) => {
                return Printed { err: format!("{text}\n"), code: FAILED, ..Printed::default() };
            }
        };
        let err = format!("NOK: ({},)\n", quoted(argument));
        Printed { out: out + "\n", err, code: FAILED }
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::Said(text)
    }
}

/// A text as Python writes it.
pub(crate) fn quoted(text: &str) -> String {
    Value::Text(text.to_owned()).to_string()
}

/// What Python says of a text that is no whole number.
pub(crate) fn no_integer(text: &str) -> String {
    format!("invalid literal for int() with base 10: {}", quoted(text))
}
