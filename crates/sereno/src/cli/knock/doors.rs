//! Knocks: ports as they are given, or the file of a door.

use super::args::KnockArgs;
use super::trouble::{failure, unusable};
use super::{Errand, Said};
use crate::cli::failure::Failure;
use crate::cli::paint::safe;
use crate::words;
use sereno_config::invited::{Invited, Knock, read_invited};
use sereno_core::door::{Hit, MOST_HITS, Protocol};
use sereno_knock::{Trouble, What, door_path, is_door, read};
use std::io::ErrorKind;

/// What the words of the command line ask for.
pub(super) fn errand(args: &KnockArgs) -> Result<Errand, Failure> {
    let host = args.host.as_deref().unwrap_or_default();
    match &args.knocks[..] {
        [] if is_door(host) => invited(args, None, host),
        [] => Err(Failure::usage(words::knock_at_what(safe(host)))),
        [door] if is_door(door) => invited(args, Some(host), door),
        ports => fixed(args, host, ports),
    }
}

/// Ports as they are given.
fn fixed(args: &KnockArgs, host: &str, ports: &[String]) -> Result<Errand, Failure> {
    let bad = |word: &String| Failure::usage(words::knock_bad_port(safe(word)));
    let hit = |word: &String| {
        let mut hit: Hit = word.parse().map_err(|_| bad(word))?;
        if args.udp && !word.contains([':', '/']) {
            hit.protocol = Protocol::Udp;
        }
        Ok(hit)
    };
    let hits = ports.iter().map(hit).collect::<Result<Vec<Hit>, Failure>>()?;
    if hits.len() > MOST_HITS {
        return Err(Failure::usage(words::knock_too_many(MOST_HITS)));
    }
    let server = args.server(host, false)?;
    let plan = args.plan(server, What::Fixed(hits), &Said::default());
    Ok(Errand { host: host.to_owned(), door: None, plan })
}

/// A door that this user was invited to; `host` is where he expects it to be.
fn invited(args: &KnockArgs, host: Option<&str>, name: &str) -> Result<Errand, Failure> {
    let door = file(host, name)?;
    if let Some(host) = host.filter(|host| !host.eq_ignore_ascii_case(&door.host)) {
        return Err(Failure::usage(words::knock_other_host(name, &door.host, safe(host))));
    }
    let server = args.server(&door.host, false)?;
    let (what, once) = match &door.knock {
        Knock::Fixed { sequence, once } => (What::Fixed(sequence.hits().to_vec()), *once),
        Knock::Timed(timed) => (What::Timed(timed.timed().map_err(Failure::refused)?), false),
    };
    let plan = args.plan(server, what, &Said { wait: door.wait, delay: door.delay, once });
    Ok(Errand { host: door.host, door: Some(name.to_owned()), plan })
}

fn file(host: Option<&str>, name: &str) -> Result<Invited, Failure> {
    let path = door_path(name, &|name| std::env::var_os(name));
    let path = path.ok_or_else(|| Failure::refused(words::knock_no_home()))?;
    let document = read(&path).map_err(|trouble| match &trouble {
        Trouble::File { why, .. } if why.kind() == ErrorKind::NotFound => {
            Failure::usage(match host {
                Some(_) => words::knock_no_door(name, path.display()),
                None => words::knock_no_door_alone(name, path.display()),
            })
        }
        _ => failure(&trouble),
    })?;
    let (door, problems) = read_invited(&document);
    sereno_spa::wipe(document.text);
    door.ok_or_else(|| unusable(&problems))
}
