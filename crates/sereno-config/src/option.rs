//! The options of a jail: how each is called, and what it sets.

use crate::flood;
use crate::near;
use crate::problem::Wrong;
use crate::settings;
use crate::value::{self, Read, Value};
use sereno_core::gate::{Name, PortRange, Ports};
use sereno_core::jail::JailPolicy;
use std::time::Duration;

/// A jail while its options are read.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) enabled: bool,
    pub(crate) policy: JailPolicy,
    pub(crate) files: Vec<String>,
    /// No matches at all are the whole journal.
    pub(crate) journal: Option<Vec<String>>,
    /// Closed ports that are not counted, where the gate tells of them.
    pub(crate) quiet: Vec<PortRange>,
}

/// The rule of jails that listen to the gate.
pub(crate) const PORTSCAN: &str = "portscan";

/// Where media of calls are sent that nobody takes any more, and where traceroute counts up to.
const QUIET: [&str; 2] = ["udp/10000-20000", "udp/33434-33534"];

impl Draft {
    /// What holds before any file has spoken: the numbers that suit the rule.
    pub(crate) fn new(name: Name, rule: &str, is_fail2bans: bool) -> Self {
        let mut policy = JailPolicy::new(name, rule);
        if is_fail2bans {
            // Such expressions tell of failures only, and not who could have faked one.
            policy.maxaccounts = 0;
            policy.maxhosts = 0;
            policy.patience = Duration::ZERO;
        } else if rule == "sshd" {
            policy.maxretry = 3;
            // Everybody on the internet tries root: that many do is no siege.
            policy.maxhosts = 0;
            policy.bantime = Some(Duration::from_secs(36_000));
            // The port is known to be one; without it the whole address would be closed.
            policy.ports = "tcp/22".parse().unwrap_or(Ports::All);
        } else if rule == PORTSCAN {
            policy.heard = true;
            policy.maxretry = 6;
            policy.findtime = Duration::from_secs(300);
            // Whoever's address somebody forges is out for so long.
            policy.bantime = Some(Duration::from_secs(600));
            // A line for each port.
            policy.evidence = 6;
        }
        let quiet = QUIET.iter().filter_map(|text| text.parse().ok()).collect();
        Self { enabled: true, policy, files: Vec::new(), journal: None, quiet }
    }
}

/// One option.
pub(crate) struct JailOption {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// A value that is right, as the file has it.
    pub(crate) example: &'static str,
    take: fn(&mut Draft, &Value<'_>) -> Read<()>,
}

impl JailOption {
    /// Takes a value, or says everything that is wrong with it.
    pub(crate) fn take(&self, draft: &mut Draft, value: &Value<'_>) -> Read<()> {
        (self.take)(draft, value).map_err(|wrongs| {
            let fill = |wrong: Wrong| {
                if wrong.remedy.is_empty() { wrong.remedy(self.remedy()) } else { wrong }
            };
            wrongs.into_iter().map(fill).collect()
        })
    }

    fn remedy(&self) -> String {
        format!("write for example {} = {}", near::key(self.name), self.example)
    }
}

/// The option of this name.
pub(crate) fn find(name: &str) -> Option<&'static JailOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

/// All names.
pub(crate) fn names() -> Vec<&'static str> {
    OPTIONS.iter().map(|option| option.name).collect()
}

/// Failures, accounts or hosts that make sense to count.
const MANY: u32 = 100_000;

/// Lines kept of each stranger at most.
const MOST_LINES: usize = 50;

/// 0, or a number of at least 2: one alone is not many.
fn several(value: &Value<'_>) -> Read<u32> {
    match value::whole(value, 0, MANY)? {
        1 => Wrong::new(value.span(), "1 would ban at the first failure, whoever it is")
            .remedy("write 0 for never, or 2 and more; maxretry = 1 bans at the first failure")
            .alone(),
        count => Ok(count),
    }
}

/// A table row without noise.
const fn option(
    name: &'static str,
    example: &'static str,
    take: fn(&mut Draft, &Value<'_>) -> Read<()>,
) -> JailOption {
    JailOption { name, example, take }
}

/// Sets a field of the draft to what was read.
macro_rules! sets {
    ($read:expr => $($field:ident).+) => {
        |draft, value| {
            draft.$($field).+ = $read(value)?;
            Ok(())
        }
    };
}

/// Every option, as the guide lists them.
const OPTIONS: [JailOption; 29] = [
    option("enabled", "true", sets!(value::flag => enabled)),
    option("rule", "\"sshd\"", |_, value| value::text(value).map(|_| ())),
    option(
        "logpath",
        "[\"/var/log/auth.log\"]",
        sets!(|v| value::each(v, value::pattern) => files),
    ),
    option("journal", "[\"_SYSTEMD_UNIT=ssh.service\"]", sets!(value::journals => journal)),
    option("ports", "\"tcp/22\"", sets!(value::ports => policy.ports)),
    option("block", "\"reject\"", sets!(value::block => policy.block)),
    option(
        "ignoreip",
        "[\"192.168.0.0/24\"]",
        sets!(|v| value::each(v, settings::prefix) => policy.ignore),
    ),
    option("ignoreports", "[\"rtp\", \"udp/33434-33534\"]", sets!(flood::any_places => quiet)),
    option("maxmatches", "5", sets!(|v| value::whole(v, 0, MOST_LINES) => policy.evidence)),
    option("maxretry", "3", sets!(|v| value::whole(v, 1, MANY) => policy.maxretry)),
    option("findtime", "\"10m\"", sets!(value::lasting => policy.findtime)),
    option("bantime", "\"10h\"", sets!(value::forever => policy.bantime)),
    option("bantime.increment", "true", sets!(value::flag => policy.increment.increment)),
    option("bantime.factor", "1.0", sets!(value::number => policy.increment.factor)),
    option("bantime.multipliers", "[1, 2, 4, 8]", |draft, value| {
        let list = value::each(value, value::number)?;
        if list.len() > 64 {
            return Wrong::new(value.span(), "more than 64 multipliers")
                .remedy("keep the first few: the last one repeats")
                .alone();
        }
        draft.policy.increment.multipliers = list;
        Ok(())
    }),
    option("bantime.maxtime", "\"5w\"", sets!(value::forever => policy.increment.maxtime)),
    option("bantime.rndtime", "\"10m\"", sets!(value::duration => policy.increment.rndtime)),
    option("bantime.overalljails", "false", sets!(value::flag => policy.increment.overalljails)),
    option("v4-prefix", "32", sets!(|v| value::whole(v, 8, 32) => policy.v4_bits)),
    option("v6-prefix", "64", sets!(|v| value::whole(v, 16, 128) => policy.v6_bits)),
    option("maxaccounts", "6", sets!(several => policy.maxaccounts)),
    option("accounttime", "\"6h\"", sets!(value::lasting => policy.accounttime)),
    option("maxhosts", "5", sets!(several => policy.maxhosts)),
    option("hosttime", "\"1m\"", sets!(value::lasting => policy.hosttime)),
    option("nethosts", "0", sets!(several => policy.nethosts)),
    option("net4-prefix", "24", sets!(|v| value::whole(v, 8, 32) => policy.net4_bits)),
    option("net6-prefix", "48", sets!(|v| value::whole(v, 16, 128) => policy.net6_bits)),
    option("patience", "\"1d\"", sets!(value::duration => policy.patience)),
    option("memory", "65536", sets!(|v| value::whole(v, 1024, 16_777_216) => policy.memory)),
];
