//! Names of hosts, for `<ip-host>` and `<fq-hostname>`. The name service is asked by `getent`, in a
//! process that can be left: a library would hang as long as the service does.

use super::process::{Stop, run};
use sereno_fail2ban::act::Value;
use std::time::Duration;

/// How long the name service may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The names of this machine, asked for once.
#[derive(Debug, Default)]
pub struct Names {
    full: Option<String>,
}

impl Names {
    /// A value as text.
    pub(super) fn text(&mut self, value: Value, stop: &Stop) -> String {
        match value {
            Value::Text(text) => text,
            Value::OwnShortName => own(),
            Value::OwnName => self.full.get_or_insert_with(|| full(&own(), stop)).clone(),
            Value::HostOf(addr) => {
                let addr = addr.to_string();
                names(&addr, stop).into_iter().next().unwrap_or(addr)
            }
        }
    }
}

fn own() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// As Python's `getfqdn`: the first name that has a domain.
fn full(name: &str, stop: &Stop) -> String {
    let all = names(name, stop);
    all.into_iter().find(|name| name.contains('.')).unwrap_or_else(|| name.to_owned())
}

/// The names that belong to an address or a name.
fn names(of: &str, stop: &Stop) -> Vec<String> {
    let values = [("of".to_owned(), of.to_owned())];
    let answer = run("exec getent hosts \"$of\" 2>/dev/null", &values, PATIENCE, stop);
    let line = answer.output.lines().next().unwrap_or("");
    line.split_whitespace().skip(1).map(ToOwned::to_owned).collect()
}
