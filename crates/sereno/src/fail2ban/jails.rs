//! One jail of a tree as a jail of ours.

use super::ignored::Ignored;
use sereno_config::{JailConf, SourceConf};
use sereno_core::gate::{Block, NAME_MAX, Name, Ports};
use sereno_core::jail::{Escalation, Formula, JailPolicy};
use sereno_core::wrong::Wrong;
use sereno_fail2ban::act::Acts;
use sereno_fail2ban::{Jail, Length, Settings, Text};
use std::collections::BTreeSet;
use std::time::Duration;

/// fail2ban's own defaults, where not even jail.conf says anything.
const MAXRETRY: u32 = 3;
const SPAN: Duration = Duration::from_secs(600);
/// Lines kept of each stranger at most, whatever `maxmatches` says.
const MOST_LINES: u32 = 50;

/// A name of ours for a jail: theirs, if it can be one.
pub(super) fn name(theirs: &str, taken: &BTreeSet<Name>) -> Name {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '_' | '-') => c,
        _ => '-',
    };
    let clean: String = theirs.chars().map(plain).take(NAME_MAX).collect();
    let numbered = (2..).map(|n| {
        let end = format!("-{n}");
        let stem: String = clean.chars().take(NAME_MAX - end.len()).collect();
        stem + &end
    });
    let names = std::iter::once(clean.clone()).chain(numbered);
    let mut free = names.filter_map(|name| Name::new(&name).ok()).filter(|n| !taken.contains(n));
    free.next().unwrap_or(Name::SERENO)
}

/// The jail; what it reads, counts and closes.
///
/// # Errors
/// Why it cannot guard anything.
pub(super) fn conf(
    jail: &Jail,
    name: Name,
    acts: &Acts,
    ignored: &mut Ignored,
) -> Result<JailConf, String> {
    Ok(JailConf { policy: policy(jail, name, acts, ignored), sources: sources(jail)? })
}

/// What it counts and closes.
pub(super) fn policy(jail: &Jail, name: Name, acts: &Acts, ignored: &mut Ignored) -> JailPolicy {
    let s = &jail.settings;
    let findtime = s.findtime.unwrap_or(SPAN);
    let filter = jail.filter.as_ref().map(|filter| filter.name.as_str()).unwrap_or_default();
    let maxretry = s.maxretry.unwrap_or(MAXRETRY).max(1);
    let own = ignored.of(s);
    let mut policy = JailPolicy {
        ignore: own,
        maxretry,
        findtime,
        bantime: match s.bantime {
            Some(Length::Forever) => None,
            Some(Length::For(length)) => Some(length),
            None => Some(SPAN),
        },
        increment: increment(s),
        maxaccounts: 0,
        maxhosts: 0,
        nethosts: 0,
        patience: Duration::ZERO,
        evidence: s.maxmatches.unwrap_or(maxretry).min(MOST_LINES) as usize,
        ..JailPolicy::new(name, &format!("fail2ban/{filter}"))
    };
    close(&mut policy, acts);
    policy
}

/// What the gate does for a jail.
pub(super) fn close(policy: &mut JailPolicy, acts: &Acts) {
    (policy.ports, policy.block) = match &acts.closing {
        Some(closing) => {
            (closing.ports.clone(), (closing.block != Block::Drop).then_some(closing.block))
        }
        None => (Ports::All, None),
    };
    policy.closes = acts.closing.is_some();
}

fn increment(s: &Settings) -> Escalation {
    Escalation {
        increment: s.increment,
        factor: s.factor.unwrap_or(1.0),
        formula: formula(s).and_then(Result::ok),
        multipliers: s.multipliers.iter().map(|times| f64::from(*times)).collect(),
        maxtime: s.maxtime,
        rndtime: s.rndtime.unwrap_or_default(),
        overalljails: s.overalljails,
    }
}

/// fail2ban's own formula: bans double, up to a million times.
const USUAL: &str = "ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor";

/// The formula by which bans grow, if it is another than the usual one and is asked.
fn formula(s: &Settings) -> Option<Result<Formula, Wrong>> {
    let custom = |formula: &&Text| s.increment && formula.as_str() != USUAL;
    let text = s.formula.as_ref().filter(custom).filter(|_| s.multipliers.is_empty())?;
    Some(Formula::parse(text.as_str()))
}

/// What it reads: the journal if it says so, or if it may and none of its files is there.
pub(super) fn sources(jail: &Jail) -> Result<Vec<SourceConf>, String> {
    let s = &jail.settings;
    let matches = jail.filter.as_ref().map(|f| f.journalmatch.as_slice()).unwrap_or_default();
    let backend = s.backend.as_str();
    let paths: Vec<String> =
        s.logpath.iter().map(|path| path.pattern.as_str().to_owned()).collect();
    let there = |path: &String| glob::glob(path).is_ok_and(|mut found| found.next().is_some());
    let may_ask = backend == "auto" && s.systemd_if_nologs.unwrap_or(true) && !matches.is_empty();
    if backend.starts_with("systemd") || may_ask && !paths.iter().any(there) {
        return Ok(vec![SourceConf::Journal(matches.join(&"+".to_owned()))]);
    }
    if paths.is_empty() {
        return Err("there is nothing for it to read: it has no logpath".to_owned());
    }
    if s.skip_if_nologs && !paths.iter().any(there) {
        return Err("none of its logs is there, and it says skip_if_nologs".to_owned());
    }
    Ok(vec![SourceConf::Files(paths)])
}

/// Options that mean something to fail2ban and are not followed here: which, and what is wrong with
/// them and follows from that.
pub(super) fn left_out(jail: &Jail) -> Vec<(&'static str, Wrong)> {
    let s = &jail.settings;
    let mut all = Vec::new();
    if let Some(Err(wrong)) = formula(s) {
        let message = format!("bantime.formula: {}; bans double each time instead", wrong.message);
        all.push(("bantime.formula", Wrong { message, ..wrong }));
    }
    all
}
