//! What the files say once nothing is left to interpret.

use sereno_core::addr::Prefix;
use sereno_core::door::{Hit, Sequence};
use sereno_core::filter::Filter;
use sereno_core::gate::list::Use;
use sereno_core::gate::{Name, PortRange, Ports};
use sereno_core::jail::{Friend, JailPolicy};
use sereno_core::rule::Rule;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything the administrator decided.
///
/// Two policies are equal when their files said the same; compiled rules are compared by their
/// text.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What concerns the program as a whole.
    pub settings: Settings,
    /// `ignoreip`: who is never banned.
    pub friends: Vec<Friend>,
    /// All rules that can be used, sorted by name.
    pub rules: Vec<Arc<Rule>>,
    /// The documents each of the rules was made of, in the same order; that with its name first.
    pub rule_texts: Vec<Vec<crate::Document>>,
    /// The doors that are enabled, sorted by name.
    pub doors: Vec<DoorConf>,
    /// The lists that shut out, in the order of the files.
    pub lists: Vec<ListConf>,
    /// `[flood]`: how much may come to the ports of telephones; `None`: that is not measured.
    pub flood: Option<FloodConf>,
    /// `[gate]`: who may reach what on this machine; `None` if the files do not say.
    pub gate: Option<sereno_core::gate::policy::Policy>,
    /// The jails that are enabled, sorted by name.
    pub jails: Vec<JailConf>,
    /// The rules that are made of fail2ban's expressions, sorted by name.
    pub filter_rules: Vec<FilterRule>,
    /// fail2ban's filters, each for the jail of this name. Its rule is one of [`filter_rules`], or
    /// none that is here.
    ///
    /// [`filter_rules`]: Self::filter_rules
    pub filters: Vec<(Name, Arc<Filter>)>,
}

impl Policy {
    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.friends == other.friends
            && self.rule_texts == other.rule_texts
            && self.filter_rules == other.filter_rules
            && self.jails == other.jails
            && self.doors == other.doors
            && self.gate == other.gate
            && self.flood == other.flood
            && self.lists == other.lists
    }
}

/// `[flood]`: how much may come to the ports of telephones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloodConf {
    /// What the gate measures; friends are not among it. Without ports, nothing.
    pub flood: sereno_core::gate::Flood,
    /// For how long who logged in well is known.
    pub memory: Duration,
    /// Ports of TCP at which the kernel answers SYNs itself.
    pub syn_proxy: Vec<PortRange>,
}

/// A rule that is made of fail2ban's expressions.
#[derive(Clone, Debug)]
pub struct FilterRule {
    /// What jails call it by.
    pub name: String,
    /// The document it stands in.
    pub text: crate::Document,
    /// What it looks for.
    pub filter: Arc<Filter>,
}

impl PartialEq for FilterRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The sections `[sereno]` and `[import]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory in which bans and places in logs outlive a restart.
    pub state: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// The group whose members may use the control socket.
    pub group: String,
    /// The IANA name of the time zone logs are written in; `None` for the machine's.
    pub timezone: Option<String>,
    /// Bytes of a line at most; longer ones are skipped.
    pub line_cap: usize,
    /// The nftables table (family `inet`) that is ours alone.
    pub table: Name,
    /// Watch and tell, but ban nobody.
    pub observe: bool,
    /// Which firewall enforces it.
    pub backend: Backend,
    /// `[import] fail2ban`: the directory of a fail2ban configuration to guard by besides.
    pub fail2ban: Option<PathBuf>,
    /// `[import] knockd`: a knockd.conf whose doors are here too.
    pub knockd: Option<PathBuf>,
    /// `[import] knockd-strict`: knocks are matched exactly as knockd does.
    pub knockd_strict: bool,
    /// `[import] fwknop`: an access.conf whose signed packets open doors here.
    pub fwknop: Option<PathBuf>,
    /// `[import] closed`: whether the ports of imported doors are closed to all others. `None`: where
    /// no other firewall is.
    pub closed: Option<bool>,
    /// The group of the kernel's log in which packets are heard.
    pub ears: u16,
}

/// Which firewall of the kernel's enforces what is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// nftables, and iptables where that is missing.
    #[default]
    Auto,
    /// nftables.
    Nft,
    /// iptables, ip6tables and ipset.
    Iptables,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state: PathBuf::from("/var/lib/sereno"),
            socket: PathBuf::from("/run/sereno/control.sock"),
            group: "sereno".to_owned(),
            timezone: None,
            line_cap: 64 << 10,
            table: Name::SERENO,
            observe: false,
            backend: Backend::Auto,
            fail2ban: None,
            knockd: None,
            knockd_strict: false,
            fwknop: None,
            closed: None,
            ears: 7311,
        }
    }
}

/// How a door is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By an administrator only.
    Hand,
    /// By these ports in their order.
    Knock(Sequence),
    /// By the sequences of this file, each once.
    Once(PathBuf),
    /// By sequences that change with the time.
    Timed {
        /// The file of the secret.
        secret: PathBuf,
        /// How long each is good.
        step: Duration,
        /// How many ports each has.
        length: u8,
        /// From which to which.
        range: (u16, u16),
    },
    /// By packets that are signed as this access.conf says.
    Signed(PathBuf),
}

/// A door, as `[door.NAME]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorConf {
    /// Its name.
    pub name: Name,
    /// What is behind it; `None` for a command, and where a signed packet names the ports.
    pub ports: Option<Ports>,
    /// How it is opened.
    pub way: Way,
    /// How long a knock may take.
    pub within: Duration,
    /// How long it stays open; or when the end command is run.
    pub open: Duration,
    /// Ports that bar who touches them.
    pub traps: Vec<Hit>,
    /// For how long.
    pub barred: Duration,
    /// Whether its ports are closed to all others.
    pub closed: bool,
    /// Whether connections end with the opening.
    pub cut: bool,
    /// Who needs no knock.
    pub free: Vec<Prefix>,
    /// What is run for who knocked, with `%IP%` where his address belongs.
    pub command: Option<String>,
    /// What is run afterwards.
    pub end_command: Option<String>,
}

impl DoorConf {
    /// What holds before any file has spoken.
    pub(crate) fn new(name: Name) -> Self {
        Self {
            name,
            ports: None,
            way: Way::Hand,
            within: Duration::from_secs(15),
            open: Duration::from_secs(30),
            traps: Vec::new(),
            barred: Duration::from_secs(60),
            closed: true,
            cut: false,
            free: Vec::new(),
            command: None,
            end_command: None,
        }
    }
}

/// A list of addresses, as `[list.NAME]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListConf {
    /// Its name.
    pub name: Name,
    /// What it consists of; never empty.
    pub from: Vec<Origin>,
    /// Files in MaxMind's format that know countries and systems; none for those that are there.
    pub database: Vec<PathBuf>,
    /// What it does, and to which ports; `None` if it only names friends.
    pub deed: Option<(Use, Ports)>,
    /// Whether those who are in it are never banned.
    pub friends: bool,
    /// How often names are looked up, and what comes from the web is fetched.
    pub every: Duration,
    /// Entries at most.
    pub most: usize,
}

/// Where addresses of a list come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// An address of the web: `https://` or `http://`.
    Url(String),
    /// A name that is looked up.
    Name(String),
    /// A country by its code (ISO 3166-1), in capitals.
    Country(String),
    /// An autonomous system by its number.
    System(u32),
}

/// A jail, and where its lines come from.
#[derive(Clone, Debug, PartialEq)]
pub struct JailConf {
    /// What counts, and what follows from it.
    pub policy: JailPolicy,
    /// Its logs; never empty.
    pub sources: Vec<SourceConf>,
}

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceConf {
    /// Absolute paths and shell patterns of files; `-` is standard input.
    Files(Vec<String>),
    /// Matches of `journalctl(1)`: `FIELD=value`, and `+` for "or".
    Journal(Vec<String>),
    /// What the gate tells of closed ports, but for these.
    Gate(Vec<PortRange>),
}
