//! The face of `fail2ban-client`: its command line, its commands, and what it prints.
//!
//! Panels, exporters and scripts call `fail2ban-client` and read what it says. Here is what they
//! need of it, to the letter, as release 1.0.2 does it (`fail2ban-client(1)`, its help, and, where
//! these are silent, what the program does): [`args::read`] for options, [`command::read`] for the
//! words behind them, [`run`] for the whole way from words to answer. Who guards is a [`Host`]: he
//! shows what there is, and carries out a [`Change`]. Nothing here touches a file, a clock or the
//! network.
//!
//! On purpose different:
//!
//! - What is an accident of Python is said in plain words instead: the text of a syntax error, of
//!   a missing argument, of a jail that is added twice. What is refused there is refused here, and
//!   with the same exit code.
//! - A length of time is a whole number of seconds; fail2ban prints `2629800.0` for `1mo`.
//! - A mask longer than the address is refused.
//! - Names are never looked up: `unbanip host.example` lifts what was banned by that name.
//! - Methods of actions cannot be called, nor can Python actions be added.
//! - `status --all` and `statistics` are answered as release 1.1 does.
//! - `restart` without a jail does not end the process; all jails begin anew.
//! - `multi-set`, `server-stream` and `config-error`, which the client sends its own server, are
//!   no commands.

pub mod args;
pub mod change;
pub mod command;
pub mod view;

mod answer;
mod execute;
mod get;
mod id;
mod options;
mod overview;
mod refusal;
mod rewrite;
mod set;
mod settle;
mod usage;

pub use change::{Change, ServerSetting, Setting};
pub use command::Command;
pub use id::Id;
pub use refusal::Refusal;
pub use rewrite::rewrite;
pub use view::{ActionView, Banned, Host, JailView, Server, Source};

/// What a command says, and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// For standard output; whole lines.
    pub out: String,
    /// For standard error; whole lines. Before each, `fail2ban-client` writes the time, its name
    /// and process, and `ERROR`.
    pub err: String,
    /// The exit code: 0, or [`FAILED`].
    pub code: u8,
}

/// The exit code of everything that did not work.
pub const FAILED: u8 = 255;

/// Does what the words behind the options say, and gives what `fail2ban-client` would print.
pub fn run(words: &[String], host: &mut dyn Host) -> Printed {
    match command::read(words).and_then(|command| execute::execute(command, host)) {
        Ok(text) => Printed { out: text + "\n", ..Printed::default() },
        Err(refusal) => refusal.printed(),
    }
}
