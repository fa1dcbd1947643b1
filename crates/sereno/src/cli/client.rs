//! The commands that speak to the running program: `status`, `bans`, `ban`, `unban`, `why`,
//! `watch`, `reload`, `stop`.

use super::args::{BanArgs, Json, UnbanArgs, WhyArgs};
use super::failure::{Failure, NOBODY};
use super::talk::{Talk, unexpected};
use super::{paint, show};
use crate::words;
use serde::Serialize;
use serde_json::Value;
use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::jail::Because;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_store::StoreError;
use sereno_wire::control::{Ask, Moment, Reply, Standing};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Moments told of somebody at most.
const MOST: usize = 500;

pub(super) fn json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|e| Failure::io(e.into()))?;
    writeln!(out).map_err(Failure::io)
}

/// A status, or a part of one, with its times (microseconds on the wire) in RFC 3339.
pub(super) fn json_status(out: &mut impl Write, status: &impl Serialize) -> Result<(), Failure> {
    let mut value = serde_json::to_value(status).map_err(|e| Failure::io(e.into()))?;
    readable(&mut value);
    json(out, &value)
}

fn readable(value: &mut Value) {
    const TIMES: [&str; 7] =
        ["since", "until", "last_failure", "last_line", "last_match", "quiet_since", "trial"];
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
    let Reply::Status(status) = Talk::begin(socket, how)?.ask(Ask::Status)? else {
        return Err(unexpected());
    };
    if how.json {
        json_status(out, &status)?;
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
    /// Whether the kernel is told of it: not where Sereno only observes.
    enforced: bool,
}

impl Row {
    fn of(ban: &Ban, observing: Option<&String>) -> Self {
        Self {
            time: ban.since.to_string(),
            addr: ban.prefix,
            jail: ban.jail,
            until: ban.until.map(|until| until.to_string()),
            count: ban.count,
            because: ban.because,
            before: ban.before,
            enforced: observing.is_none(),
        }
    }
}

/// Something that happened, as `--json` gives it.
#[derive(Serialize)]
struct Happened<'a> {
    time: String,
    kind: &'a str,
    jail: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    door: Option<Name>,
    addr: Option<Prefix>,
    text: &'a str,
}

impl<'a> Happened<'a> {
    fn of(moment: &'a Moment) -> Self {
        let Moment { time, kind, jail, door, addr, text } = moment;
        Self { time: time.to_string(), kind, jail: *jail, door: *door, addr: *addr, text }
    }
}

/// `sereno bans`.
///
/// # Errors
/// When no Sereno answers.
pub fn bans(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut talk = Talk::begin(socket, how)?;
    let mut reply = talk.ask(Ask::Bans)?;
    let mut all: Vec<Ban> = Vec::new();
    let observing = loop {
        let Reply::Bans { bans, more, observing } = reply else { return Err(unexpected()) };
        all.extend(bans);
        if !more {
            break observing;
        }
        reply = talk.hear()?;
    };
    if how.json {
        let rows: Vec<Row> = all.iter().map(|ban| Row::of(ban, observing.as_ref())).collect();
        json(out, &rows)?;
    } else {
        show::bans(&all, observing.as_deref(), out).map_err(Failure::io)?;
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
    done(Talk::begin(socket, args.json)?.ask(ask)?, args.json, out)
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
    let reply = Talk::begin(socket, args.json)?.ask(Ask::Unban { prefix: args.addr })?;
    let none = matches!(reply, Reply::Done { count: 0, .. });
    if none && !args.json.json {
        writeln!(out, "{}", args.addr.map_or_else(words::nobody_out, words::not_out))?;
    } else {
        done(reply, args.json, out)?;
    }
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
    done(Talk::begin(socket, how)?.ask(ask)?, how, out)
}

pub(super) fn done(reply: Reply, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let Reply::Done { count, notes } = reply else { return Err(unexpected()) };
    if how.json {
        json(out, &serde_json::json!({ "count": count, "notes": notes }))?;
    } else {
        show::done(count, &notes, out).map_err(Failure::io)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a command did, in its own words.
pub(super) fn did(
    reply: Reply,
    words: &str,
    how: Json,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let Reply::Done { count, notes } = reply else { return Err(unexpected()) };
    if how.json {
        json(out, &serde_json::json!({ "count": count, "notes": notes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for note in &notes {
        writeln!(out, "{}", paint::safe(note))?;
    }
    if count > 0 && !words.is_empty() {
        writeln!(out, "{words}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sereno why`: asks the running program, or the ledger when none runs. Who names a socket means
/// one Sereno and no other: then only a ledger that is named too can take its place.
///
/// # Errors
/// When neither answers.
pub fn why(
    socket: Option<&Path>,
    args: &WhyArgs,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let of_ledger = |timeline| (Vec::new(), timeline, None, Standing::default());
    let (bans, timeline, observing, standing) = match (&args.state, Talk::begin(socket, args.json))
    {
        (Some(state), _) => of_ledger(written(state, args.addr).map_err(|e| said(&e))?),
        (None, Ok(mut talk)) => match talk.ask(Ask::Why { prefix: args.addr })? {
            Reply::Why { bans, timeline, observing, standing } => {
                (bans, timeline, observing, standing)
            }
            _ => return Err(unexpected()),
        },
        (None, Err(nobody)) if socket.is_some() => return Err(nobody),
        (None, Err(nobody)) => of_ledger(usually_written(args.addr, nobody)?),
    };
    let observing = observing.as_ref();
    if args.json.json {
        let bans: Vec<Row> = bans.iter().map(|ban| Row::of(ban, observing)).collect();
        let timeline: Vec<Happened<'_>> = timeline.iter().map(Happened::of).collect();
        let told = serde_json::json!({
            "bans": bans, "timeline": timeline, "observing": observing,
            "friend": standing.friend, "known": standing.known.map(|at| at.to_string()), "lists": standing.lists,
        });
        json(out, &told)?;
    } else {
        let observing = observing.map(String::as_str);
        show::why(args.addr, &bans, &timeline, (observing, &standing), out).map_err(Failure::io)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a ledger says of somebody.
fn written(state: &Path, who: Prefix) -> Result<Vec<Moment>, StoreError> {
    let history = sereno_store::Store::read_only(state)?.history(Some(who), MOST)?;
    Ok(crate::run::timeline(&history))
}

/// What the ledger says that a Sereno of this user would have kept. Root's is not his to read.
fn usually_written(who: Prefix, nobody: Failure) -> Result<Vec<Moment>, Failure> {
    let system = sereno_config::Settings::default().state;
    let own = crate::run::setup::usual_state();
    match written(&own, who) {
        Err(StoreError::Missing { .. }) if own != system => {
            let why = words::roots_ledger(nobody, own.display(), system.display());
            Err(Failure { message: why, code: NOBODY })
        }
        written => written.map_err(|e| said(&e)),
    }
}

fn said(error: &StoreError) -> Failure {
    Failure::refused(error.to_string())
}

/// `sereno watch`: until the program or the reader ends.
///
/// # Errors
/// When no Sereno answers.
pub fn watch(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let mut talk = Talk::begin(socket, how)?;
    talk.listen()?;
    while let Some(reply) = talk.next()? {
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
