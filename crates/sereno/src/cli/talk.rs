//! A conversation with the running program, as a client has it.

use super::args::Json;
use super::failure::Failure;
use crate::words;
use sereno_config::Lang;
use sereno_wire::control::{Ask, Reply, Request, VERSION};
use sereno_wire::frame::{Frames, REPLY_CAP, receive, send};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A conversation with the running program.
pub(super) struct Talk {
    path: PathBuf,
    lang: String,
    stream: UnixStream,
    frames: Frames,
}

impl Talk {
    /// Begins one with who listens at `socket`, or, if none is named, at one of the usual places.
    /// Programs are spoken to in English, people in their language.
    ///
    /// # Errors
    /// When nobody does.
    pub(super) fn begin(socket: Option<&Path>, how: Json) -> Result<Self, Failure> {
        let lang = if how.json { Lang::English } else { words::lang() };
        let places = match socket {
            Some(socket) => vec![socket.to_owned()],
            None => crate::run::setup::usual_sockets(),
        };
        let mut nobody = None;
        for path in places {
            match UnixStream::connect(&path) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).map_err(Failure::io)?;
                    let (lang, frames) = (words::tag(lang).to_owned(), Frames::new(REPLY_CAP));
                    return Ok(Self { path, lang, stream, frames });
                }
                Err(e) => nobody = Some(Failure::absent(&path, &e).behind(nobody)),
            }
        }
        Err(nobody.unwrap_or_else(unexpected))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When it is a refusal, or none comes.
    pub(super) fn ask(&mut self, ask: Ask) -> Result<Reply, Failure> {
        // An error of the conversation, never one of the output: who hung up before the question
        // was out has done nothing.
        self.say(ask)?;
        self.hear()
    }

    /// Waits for another answer.
    ///
    /// # Errors
    /// When it is a refusal, or none comes.
    pub(super) fn hear(&mut self) -> Result<Reply, Failure> {
        match self.next()? {
            Some(Reply::Refused { why }) => Err(Failure::refused(why)),
            Some(reply) => Ok(reply),
            None => {
                let hung_up = std::io::Error::other(words::hung_up());
                Err(Failure::absent(&self.path, &hung_up))
            }
        }
    }

    /// Asks to be told what happens, however long that takes.
    ///
    /// # Errors
    /// When the conversation breaks off.
    pub(super) fn listen(&mut self) -> Result<(), Failure> {
        self.stream.set_read_timeout(None).map_err(Failure::io)?;
        self.say(Ask::Watch)
    }

    fn say(&mut self, ask: Ask) -> Result<(), Failure> {
        let request = Request { v: VERSION, ask, lang: self.lang.clone() };
        send(&mut self.stream, &request).map_err(|e| Failure::absent(&self.path, &e))
    }

    /// The next thing said; `None` at the end.
    ///
    /// # Errors
    /// When the conversation breaks off.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, Failure> {
        let heard = receive(&mut self.stream, &mut self.frames);
        heard.map_err(|e| Failure::absent(&self.path, &e))
    }
}

/// An answer that does not fit the question.
pub(super) fn unexpected() -> Failure {
    Failure::refused(words::another_answer())
}
