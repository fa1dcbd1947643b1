//! `fail2ban-client` and `fail2ban-server`: called by these names, Sereno is spoken to as they are.
//!
//! What needs nobody who guards is done here; everything else goes over Sereno's control socket,
//! and what comes back is printed. Output, errors and exit codes are those of fail2ban.

mod behind;
pub(crate) mod config;
mod many;
mod say;

use super::failure::{NOBODY, Outcome};
use super::talk::Talk;
use super::{args::ConfigArgs, args::Json, args::RunArgs, failure::Failure};
use crate::run::setup::usual_sockets;
use crate::words;
use behind::Began;
pub(super) use config::Disk;
use say::Say;
use sereno_fail2ban::VERSION;
use sereno_fail2ban::client::args::{Invocation, Program, read};
use sereno_fail2ban::client::{Command, FAILED, Refusal, command};
use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Where fail2ban's own socket is; who names it means the one who guards this machine.
const THEIRS: [&str; 2] = ["/run/fail2ban/fail2ban.sock", "/var/run/fail2ban/fail2ban.sock"];

/// The program that this one was called as, and the words behind it.
#[must_use]
pub fn called() -> Option<(Program, Vec<OsString>)> {
    let mut args = std::env::args_os();
    let program = Program::named(&args.next()?.to_string_lossy())?;
    Some((program, args.collect()))
}

/// Runs the program. `socket` is where Sereno listens, if anybody said so.
///
/// # Errors
/// When the output cannot be written.
pub fn run(
    program: Program,
    args: &[OsString],
    socket: Option<&Path>,
    out: &mut impl Write,
) -> Outcome {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut face = Face { say: Say::new(out), socket: socket.map(Path::to_owned) };
    let code = match read(program, &args) {
        Ok(invocation) => face.run(&invocation)?,
        Err(printed) => {
            face.say.out(&printed.out)?;
            face.say.bare(&printed.err);
            printed.code
        }
    };
    Ok(ExitCode::from(code))
}

struct Face<'o, W> {
    say: Say<'o, W>,
    /// `None`: at one of the usual places.
    socket: Option<PathBuf>,
}

/// The exit code, or why the output cannot be written.
type Code = io::Result<u8>;

impl<W: Write> Face<'_, W> {
    fn run(&mut self, invocation: &Invocation) -> Code {
        if let Some(socket) = &invocation.socket
            && !THEIRS.contains(&socket.as_str())
        {
            self.socket = Some(PathBuf::from(socket));
        }
        if let Some(conf) = &invocation.conf
            && !Path::new(conf).is_dir()
        {
            self.say
                .out(&format!("ERROR: Base configuration directory {conf} does not exist \n"))?;
            if invocation.program == Program::Client {
                self.say.error("Init of command line failed");
            }
            return Ok(FAILED);
        }
        if let Some(code) = config::look(invocation, &mut self.say)? {
            return Ok(code);
        }
        if invocation.interactive {
            return self.interactive(invocation);
        }
        if invocation.words.is_empty() {
            return self.start(invocation);
        }
        self.command(invocation, &invocation.words)
    }

    fn interactive(&mut self, invocation: &Invocation) -> Code {
        if !invocation.words.is_empty() && self.command(invocation, &invocation.words)? != 0 {
            return Ok(FAILED);
        }
        self.say.out(&format!("Sereno in the place of Fail2Ban v{VERSION}.\n\n"))?;
        let mut lines = io::stdin().lock().lines();
        loop {
            self.say.out("fail2ban> ")?;
            let Some(Ok(line)) = lines.next() else { break };
            match line.trim() {
                "" => {}
                "exit" | "quit" => return Ok(0),
                "help" => {
                    let help = read(invocation.program, &["-h".to_owned()]);
                    self.say.out(&help.err().map(|printed| printed.out).unwrap_or_default())?;
                }
                line => match command::split(line) {
                    Some(words) => {
                        self.command(invocation, &words)?;
                    }
                    None => self.say.error("No closing quotation"),
                },
            }
        }
        self.say.out("\n")?;
        self.say.error("EOF when reading a line");
        Ok(FAILED)
    }

    fn command(&mut self, invocation: &Invocation, words: &[String]) -> Code {
        let command = command::read(words);
        if let Err(refusal @ Refusal::Client(_)) = &command {
            self.say.error(refusal.printed().err.trim_end());
            return Ok(FAILED);
        }
        let known = command.ok();
        if known == Some(Command::Start) {
            return self.start(invocation);
        }
        let talk = Talk::begin(self.socket.as_deref(), Json { json: true });
        match talk.and_then(|talk| many::ask(talk, known.as_ref(), words)) {
            Ok((out, err, code)) => {
                if let (Some(Command::Sleep(seconds)), 0) = (known, code) {
                    let long = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
                    std::thread::sleep(long);
                }
                self.say.out(&out)?;
                err.lines().for_each(|line| self.say.error(line));
                Ok(code)
            }
            Err(failure) if failure.code == NOBODY => match known {
                Some(Command::Restart) => self.start(invocation),
                Some(Command::Reload { .. }) => {
                    self.say.error("Could not find server");
                    Ok(FAILED)
                }
                known => {
                    self.absent(known == Some(Command::Ping), &failure);
                    Ok(FAILED)
                }
            },
            Err(failure) => {
                self.say.error(&failure.message);
                Ok(FAILED)
            }
        }
    }

    /// Guards by the configuration: in the background, unless the options say otherwise. The control
    /// socket is Sereno's.
    fn start(&mut self, invocation: &Invocation) -> Code {
        let places = self.places();
        if behind::answers(&places) {
            self.say.error("Server already running");
            return Ok(FAILED);
        }
        let conf = invocation.conf.as_deref().unwrap_or(Invocation::CONF);
        if invocation.background {
            let patience = Duration::try_from_secs_f64(invocation.timeout).unwrap_or_default();
            let said = match behind::begin(conf, &places, patience) {
                Ok(Began::Ready) => {
                    self.say.out("Server ready\n")?;
                    return Ok(0);
                }
                Ok(Began::Ended(status)) => words::server_ended(status, conf),
                Ok(Began::Late) => words::server_late(conf),
                Err(error) => error.to_string(),
            };
            self.say.error(&said);
            return Ok(FAILED);
        }
        behind::leave();
        let config = ConfigArgs { fail2ban: Some(PathBuf::from(conf)), ..ConfigArgs::default() };
        let args = RunArgs { config, state: None, observe: false };
        match crate::run::run(&args, self.socket.as_deref()) {
            Ok(_) => Ok(0),
            Err(failure) => {
                self.say.error(&failure.message);
                Ok(FAILED)
            }
        }
    }

    fn places(&self) -> Vec<PathBuf> {
        self.socket.clone().map_or_else(usual_sockets, |socket| vec![socket])
    }

    /// Says why nobody can be asked, as fail2ban does.
    fn absent(&mut self, ping: bool, failure: &Failure) {
        let places = self.places();
        let there = places.iter().find(|place| place.exists());
        let Some(place) = there else {
            let place = places.last().map(|place| place.display().to_string()).unwrap_or_default();
            let text = format!("Failed to access socket path: {place}. Is fail2ban running?");
            self.say.error(&text);
            return;
        };
        let text = match UnixStream::connect(place) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("Permission denied to socket: {}, (you must be root)", place.display())
            }
            Err(error) => {
                let text = error.to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                let error = format!("[Errno {}] {text}", error.raw_os_error().unwrap_or(0));
                let more = format!("[{error}] Unable to contact server. Is it running?");
                if ping { error } else { more }
            }
            Ok(_) => failure.message.clone(),
        };
        self.say.error(&text);
    }
}
