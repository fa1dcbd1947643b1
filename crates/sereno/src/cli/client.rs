//! The commands that speak to the running program: `status`, `bans`, `ban`, `unban`, `why`,
//! `watch`, `reload`, `stop`.

use super::args::{BanArgs, Json, UnbanArgs, WhyArgs};
use super::failure::Failure;
use super::show;
use serde::Serialize;
use serde_json::Value;
use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::jail::Because;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_wire::control::{Ask, Moment, Reply, Request, VERSION};
use sereno_wire::frame::{Frames, REPLY_CAP, receive, send};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A conversation with the running program.
struct Talk {
    path: PathBuf,
    stream: UnixStream,
    frames: Frames,
}

impl Talk {
    fn begin(socket: Option<&Path>) -> Result<Self, Failure> {
        let path: PathBuf = socket.map_or_else(crate::run::setup::default_socket, Path::to_owned);
        let stream = UnixStream::connect(&path).map_err(|e| Failure::absent(&path, &e))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(Failure::io)?;
        Ok(Self { path, stream, frames: Frames::new(REPLY_CAP) })
    }

    fn ask(&mut self, ask: Ask) -> Result<Reply, Failure> {
        // An error of the conversation, never one of the output: who hung up before the question
        // was out has done nothing.
        let sent = send(&mut self.stream, &Request { v: VERSION, ask });
        sent.map_err(|e| Failure::absent(&self.path, &e))?;
        self.hear()
    }

    fn hear(&mut self) -> Result<Reply, Failure> {
        let heard = receive(&mut self.stream, &mut self.frames);
        match heard.map_err(|e| Failure::absent(&self.path, &e))? {
            Some(Reply::Refused { why }) => Err(Failure::refused(why)),
            Some(reply) => Ok(reply),
            None => {
                let hung_up = std::io::Error::other("the running Sereno ended the conversation");
                Err(Failure::absent(&self.path, &hung_up))
            }
        }
    }
}

fn unexpected() -> Failure {
    Failure::refused("the running Sereno gave an answer to another question".to_owned())
}

fn json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|e| Failure::io(e.into()))?;
    writeln!(out).map_err(Failure::io)
}

/// Turns the times in a status (microseconds on the wire) into RFC 3339.
fn readable(value: &mut Value) {
    const TIMES: [&str; 4] = ["since", "last_failure", "last_line", "last_match"];
    match value {
        Value::Array(all) => all.iter_mut().for_each(readable),
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_i64().filter(|_| TIMES.contains(&key.as_str())) {
                    Some(micros) => *field = Value::String(Time(micros).to_string()),
                    None => readable(field),
                }
            }
        }
        _ => {}
    }
}

/// `sereno status`: exit code 1 when something should be looked at.
///
/// # Errors
/// When no Sereno answers.
pub fn status(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let Reply::Status(status) = Talk::begin(socket)?.ask(Ask::Status)? else {
        return Err(unexpected());
    };
    if how.json {
        let mut value = serde_json::to_value(&status).map_err(|e| Failure::io(e.into()))?;
        readable(&mut value);
        json(out, &value)?;
    } else {
        show::status(&status, out).map_err(Failure::io)?;
    }
    Ok(ExitCode::from(u8::from(!status.alarms.is_empty())))
}

/// A ban, as `--json` gives it: the names are those of `replay`.
#[derive(Serialize)]
struct Row {
    time: String,
    addr: Prefix,
    jail: Name,
    until: Option<String>,
    count: u32,
    because: Because,
    before: u32,
}

impl Row {
    fn of(ban: &Ban) -> Self {
        Self {
            time: ban.since.to_string(),
            addr: ban.prefix,
            jail: ban.jail,
            until: ban.until.map(|until| until.to_string()),
            count: ban.count,
            because: ban.because,
            before: ban.before,
        }
    }
}

/// Something that happened, as `--json` gives it.
#[derive(Serialize)]
struct Happened<'a> {
    time: String,
    kind: &'a str,
    jail: Option<Name>,
    addr: Option<Prefix>,
    text: &'a str,
}

impl<'a> Happened<'a> {
    fn of(moment: &'a Moment) -> Self {
        let Moment { time, kind, jail, addr, text } = moment;
        Self { time: time.to_string(), kind, jail: *jail, addr: *addr, text }
    }
}

/// `sereno bans`.
///
/// # Errors
/// When no Sereno answers.
pub fn bans(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut talk = Talk::begin(socket)?;
    let mut reply = talk.ask(Ask::Bans)?;
    let mut all: Vec<Ban> = Vec::new();
    loop {
        let Reply::Bans { bans, more } = reply else { return Err(unexpected()) };
        all.extend(bans);
        if !more {
            break;
        }
        reply = talk.hear()?;
    }
    if how.json {
        let rows: Vec<Row> = all.iter().map(Row::of).collect();
        json(out, &rows)?;
    } else {
        show::bans(&all, out).map_err(Failure::io)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sereno ban`.
///
/// # Errors
/// When no Sereno answers, the address is a friend's, or the time is no time.
pub fn ban(
    socket: Option<&Path>,
    args: &BanArgs,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let seconds = match &args.length {
        Some(text) => {
            sereno_config::duration(text).map_err(Failure::usage)?.map(|length| length.as_secs())
        }
        None => None,
    };
    let jail = args
        .jail
        .as_deref()
        .map(crate::run::setup::jail_name)
        .transpose()
        .map_err(Failure::usage)?;
    let ask = Ask::Ban { prefix: args.addr, jail, seconds, why: args.why.clone() };
    done(Talk::begin(socket)?.ask(ask)?, args.json, out)
}

/// `sereno unban`: exit code 1 when nobody was out.
///
/// # Errors
/// When no Sereno answers.
pub fn unban(
    socket: Option<&Path>,
    args: &UnbanArgs,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let reply = Talk::begin(socket)?.ask(Ask::Unban { prefix: args.addr })?;
    let none = matches!(reply, Reply::Done { count: 0, .. });
    done(reply, args.json, out)?;
    Ok(ExitCode::from(u8::from(none && !args.all)))
}

/// `sereno reload` and `sereno stop`.
///
/// # Errors
/// When no Sereno answers, or it refuses.
pub fn order(
    socket: Option<&Path>,
    ask: Ask,
    how: Json,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    done(Talk::begin(socket)?.ask(ask)?, how, out)
}

fn done(reply: Reply, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let Reply::Done { count, notes } = reply else { return Err(unexpected()) };
    if how.json {
        json(out, &serde_json::json!({ "count": count, "notes": notes }))?;
    } else {
        show::done(count, &notes, out).map_err(Failure::io)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sereno why`: asks the running program, or the ledger when none runs.
///
/// # Errors
/// When neither answers.
pub fn why(
    socket: Option<&Path>,
    args: &WhyArgs,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let asked = match &args.state {
        Some(_) => None,
        None => Talk::begin(socket).ok(),
    };
    let (bans, timeline) = if let Some(mut talk) = asked {
        match talk.ask(Ask::Why { prefix: args.addr })? {
            Reply::Why { bans, timeline } => (bans, timeline),
            _ => return Err(unexpected()),
        }
    } else {
        let usual = sereno_config::Settings::default().state;
        let state = args.state.as_deref().unwrap_or(&usual);
        let store =
            sereno_store::Store::read_only(state).map_err(|e| Failure::refused(e.to_string()))?;
        let history =
            store.history(Some(args.addr), 500).map_err(|e| Failure::refused(e.to_string()))?;
        (Vec::new(), history.iter().flat_map(crate::run::timeline).collect())
    };
    if args.json.json {
        let bans: Vec<Row> = bans.iter().map(Row::of).collect();
        let timeline: Vec<Happened<'_>> = timeline.iter().map(Happened::of).collect();
        json(out, &serde_json::json!({ "bans": bans, "timeline": timeline }))?;
    } else {
        show::why(args.addr, &bans, &timeline, out).map_err(Failure::io)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sereno watch`: until the program or the reader ends.
///
/// # Errors
/// When no Sereno answers.
pub fn watch(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut talk = Talk::begin(socket)?;
    talk.stream.set_read_timeout(None).map_err(Failure::io)?;
    let broke_off = |e| Failure::absent(&talk.path, &e);
    send(&mut talk.stream, &Request { v: VERSION, ask: Ask::Watch }).map_err(broke_off)?;
    while let Some(reply) =
        receive::<Reply>(&mut talk.stream, &mut talk.frames).map_err(broke_off)?
    {
        if let Reply::Event(moment) = reply {
            if how.json {
                json(out, &Happened::of(&moment))?;
            } else {
                show::moment(&moment, out).map_err(Failure::io)?;
            }
            out.flush().map_err(Failure::io)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
