//! What the running program said, for people.

use super::paint::{self, Column, Paint, bytes, moment as shown, safe, shortened, span, table};
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_wire::control::{JailStatus, Moment, Standing, Status};
use std::io::{self, Write, stdout};
use std::time::Duration;

/// Characters of a log line in a list.
const LINE: usize = 160;

fn paint() -> Paint {
    Paint::on(&stdout())
}

fn end(until: Option<Time>) -> String {
    until.map_or_else(words::for_ever, shown)
}

/// The same within a sentence.
fn until(end: Option<Time>) -> String {
    end.map_or_else(words::for_ever, |end| words::until_time(shown(end)))
}

fn seen(when: Option<Time>) -> String {
    when.map_or_else(words::never, shown)
}

/// The chain from every log to the kernel.
///
/// # Errors
/// When the output fails.
pub fn status(status: &Status, out: &mut impl Write) -> io::Result<()> {
    let paint = paint();
    let head = words::guarding(&status.version, status.pid, shown(status.since));
    writeln!(out, "{}", paint.style(paint::HEAD, &head))?;
    only_observed(status.observing.as_deref(), out)?;
    let gate = &status.gate;
    let dropped: u64 = gate.dropped.iter().map(|(_, packets)| packets).sum();
    let line =
        words::gate(&gate.table, words::bans(gate.in_force), gate.pending, words::packets(dropped));
    writeln!(out, "{line}")?;
    if gate.mended > 0 {
        writeln!(
            out,
            "{}",
            paint.style(paint::ODD, &words::gate_mended(words::times(gate.mended)))
        )?;
    }
    if let Some(rules) = gate.rules {
        writeln!(out, "{}", words::gate_policy(words::rules(rules)))?;
    }
    if let Some(end) = gate.trial {
        writeln!(out, "{}", paint.style(paint::ODD, &words::gate_has_trial(shown(end))))?;
    }
    writeln!(out, "{}", words::memory_used(bytes(status.memory)))?;
    for one in &status.jails {
        writeln!(out)?;
        jail(one, paint, out)?;
    }
    writeln!(out)?;
    if status.alarms.is_empty() {
        return writeln!(out, "{}", paint.style(paint::GOOD, &words::all_well()));
    }
    for text in &status.alarms {
        writeln!(out, "{}", paint.style(paint::BAD, &words::alarm(safe(text))))?;
    }
    Ok(())
}

fn jail(jail: &JailStatus, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    let length =
        jail.bantime.map_or_else(words::for_ever, |secs| words::for_span(words::seconds(secs)));
    let window = span(Duration::from_secs(jail.findtime));
    let head = words::jail_line(
        jail.name,
        &jail.rule,
        words::counted(jail.heard, jail.maxretry),
        window,
        length,
        words::shut(&jail.ports),
    );
    writeln!(out, "{}", paint.style(paint::HEAD, &head))?;
    let counts = words::jail_seen(
        words::failures(jail.failures),
        jail.patient,
        jail.successes,
        jail.watching,
        jail.in_force,
    );
    writeln!(out, "  {counts}")?;
    if jail.exhausted + jail.lost > 0 {
        let strain =
            words::jail_strain(words::searches(jail.exhausted), words::sessions(jail.lost));
        writeln!(out, "  {}", paint.style(paint::ODD, &strain))?;
    }
    for source in &jail.sources {
        let last = seen(source.last_line);
        let line = words::source_line(
            safe(&source.what),
            words::files(source.files),
            bytes(source.lag),
            last,
            seen(source.last_match),
        );
        writeln!(out, "  {line}")?;
        let counts = words::source_counts(
            source.candidates,
            source.matched,
            source.unknown,
            source.disbelieved,
        );
        writeln!(out, "    {}", paint.style(paint::FAINT, &counts))?;
    }
    Ok(())
}

/// The bans in force.
///
/// # Errors
/// When the output fails.
pub fn bans(bans: &[Ban], observing: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    only_observed(observing, out)?;
    if bans.is_empty() {
        return writeln!(out, "{}", words::nobody_out());
    }
    let columns = [
        Column::left(words::address(), paint::WHO),
        Column::left(words::jail(), anstyle::Style::new()),
        Column::left(words::since(), anstyle::Style::new()),
        Column::left(words::until(), anstyle::Style::new()),
        Column::right(words::count()),
        Column::left(words::because(), anstyle::Style::new()),
    ];
    let row = |ban: &Ban| {
        vec![
            ban.prefix.to_string(),
            ban.jail.to_string(),
            shown(ban.since),
            end(ban.until),
            ban.count.to_string(),
            words::reason(ban.because).to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = bans.iter().map(row).collect();
    write!(out, "{}", table(paint(), &columns, &rows))
}

/// That nothing is enforced, where nothing is.
fn only_observed(observing: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    observing.map_or(Ok(()), |why| {
        writeln!(out, "{}", paint().style(paint::BAD, &words::observing(safe(why))))
    })
}

/// That something was done.
///
/// # Errors
/// When the output fails.
pub fn done(count: u64, notes: &[String], out: &mut impl Write) -> io::Result<()> {
    if count > 0 {
        writeln!(out, "{}", words::done_bans(words::bans(count)))?;
    } else if notes.is_empty() {
        writeln!(out, "{}", words::done())?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "{}", safe(note)))
}

/// What somebody did, and what followed.
///
/// # Errors
/// When the output fails.
pub fn why(
    who: Prefix,
    bans: &[Ban],
    timeline: &[Moment],
    (observing, standing): (Option<&str>, &Standing),
    out: &mut impl Write,
) -> io::Result<()> {
    let paint = paint();
    only_observed(observing, out)?;
    if bans.is_empty() && timeline.is_empty() && standing.is_empty() {
        return writeln!(out, "{}", words::nothing_known(who));
    }
    for ban in bans {
        let line = words::out_now(ban.prefix, ban.jail, until(ban.until));
        writeln!(out, "{}", paint.style(paint::BAD, &line))?;
    }
    if bans.is_empty() {
        writeln!(out, "{}", words::not_out(who))?;
    }
    let friend = standing.friend.as_deref().map(|why| words::stands_as_friend(safe(why)));
    let known = standing.known.map(|at| words::stands_as_known(shown(at)));
    let lists = (!standing.lists.is_empty()).then(|| {
        let names: Vec<String> = standing.lists.iter().map(ToString::to_string).collect();
        words::in_lists(names.join(", "))
    });
    for line in [friend, known, lists].into_iter().flatten() {
        writeln!(out, "{line}")?;
    }
    timeline.iter().try_for_each(|one| moment(one, out))
}

/// One thing that happened, on one line.
///
/// # Errors
/// When the output fails.
pub fn moment(moment: &Moment, out: &mut impl Write) -> io::Result<()> {
    let paint = paint();
    let style = match moment.kind.as_str() {
        "ban" => paint::BAD,
        "lift" | "success" => paint::GOOD,
        "note" => paint::ODD,
        _ => paint::FAINT,
    };
    let kind = paint.style(style, &format!("{:8}", words::happened(&moment.kind)));
    let who =
        moment.addr.map(|addr| paint.style(paint::WHO, &addr.to_string())).unwrap_or_default();
    let text = safe(&moment.text);
    writeln!(out, "{}  {kind}  {who}  {}", shown(moment.time), shortened(&text, LINE))
}
