//! Jails: `[defaults]` and `[jail.NAME]` of all files, laid over each other.

use crate::near;
use crate::option::{self, Draft};
use crate::policy::{JailConf, SourceConf};
use crate::problem::{Notes, Wrong};
use crate::rules::Found;
use crate::value;
use crate::written::Written;
use sereno_core::gate::Name;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// What one file says about a jail, or about all of them.
struct Layer<'w, 'd> {
    file: &'w Written<'d>,
    /// The jail's name in its header.
    header: Range<usize>,
    /// Whether something in it is no TOML.
    broken: bool,
    table: &'w DeTable<'d>,
}

/// The names of the rules.
struct Names<'r> {
    good: Vec<&'r str>,
    /// Those of fail2ban's expressions.
    filters: Vec<&'r str>,
}

impl<'r> Names<'r> {
    fn of(found: &'r Found) -> Self {
        let good = found.good.iter().map(|good| good.rule.name.as_str()).collect();
        let filters = found.filters.iter().map(|rule| rule.name.as_str()).collect();
        Self { good, filters }
    }
}

/// Reads the jails of all files; `rules` are the rules there are.
pub(crate) fn jails(files: &[Written<'_>], rules: &Found, notes: &mut Notes) -> Vec<JailConf> {
    let mut defaults: Vec<Layer<'_, '_>> = Vec::new();
    let mut named: BTreeMap<&str, Vec<Layer<'_, '_>>> = BTreeMap::new();
    for file in files {
        if let Some(table) = file.section("defaults", notes) {
            defaults.push(Layer { file, header: 0..0, broken: false, table });
        }
        for (key, value) in file.section("jail", notes).into_iter().flatten() {
            let name: &str = key.get_ref();
            let broken = file.broken(value.span().start);
            match value.get_ref() {
                DeValue::Table(table) => {
                    let layer = Layer { file, header: key.span(), broken, table };
                    named.entry(name).or_default().push(layer);
                }
                _ => {
                    let remedy = "write [jail.NAME] on a line of its own, and the options below it";
                    let what = format!("{name} stands where the name of a jail is expected");
                    notes.error(file.doc, Wrong::new(key.span(), what).remedy(remedy));
                }
            }
        }
    }
    check_defaults(&defaults, notes);
    let rules = Names::of(rules);
    let mut jails: Vec<JailConf> = Vec::new();
    for (name, layers) in &named {
        let before = notes.errors();
        let jail = jail(name, &defaults, layers, &rules, notes);
        let listens = |jail: &JailConf| jail.policy.heard;
        if jail.as_ref().is_some_and(listens) && jails.iter().any(listens) {
            let (doc, span) = place(layers, "");
            let wrong = Wrong::new(span, "another jail listens to the gate already");
            notes.error(doc, wrong.remedy("keep one jail with the rule portscan"));
        }
        if notes.errors() == before {
            jails.extend(jail);
        }
    }
    jails
}

/// Notes what is wrong in `[defaults]`, once for all jails.
fn check_defaults(defaults: &[Layer<'_, '_>], notes: &mut Notes) {
    // Any jail will do: what it becomes is thrown away.
    let mut draft = Draft::new(Name::SERENO, "", false);
    for layer in defaults {
        apply(&mut draft, layer, "[defaults]", notes);
    }
}

/// Takes over what a layer says.
fn apply(draft: &mut Draft, layer: &Layer<'_, '_>, place: &str, notes: &mut Notes) {
    for (key, value) in layer.table {
        let name: &str = key.get_ref();
        if !layer.file.whole(&value.span()) {
            continue;
        }
        // All jails alike are what the top of the file is about.
        let found = option::find(name).filter(|_| name != "ignoreip" || place != "[defaults]");
        let wrongs = match (found, value.get_ref()) {
            (Some(_), DeValue::Table(inner)) if name == "bantime" => unquoted(inner),
            (Some(option), _) => option.take(draft, value).err().unwrap_or_default(),
            (None, _) => vec![unknown(key.span(), name, place)],
        };
        wrongs.into_iter().for_each(|wrong| notes.error(layer.file.doc, wrong));
    }
}

/// `bantime.increment = true` without quotes makes a table of `bantime`.
fn unquoted(inner: &DeTable<'_>) -> Vec<Wrong> {
    inner
        .iter()
        .map(|(key, _)| {
            let name = format!("bantime.{}", key.get_ref());
            let remedy = match option::find(&name) {
                Some(option) => format!("write \"{name}\" = {}", option.example),
                None => near::remedy(&name, &option::names()),
            };
            Wrong::new(key.span(), format!("{name} has a dot in it and stands in quotes"))
                .remedy(remedy)
        })
        .collect()
}

fn unknown(span: Range<usize>, name: &str, place: &str) -> Wrong {
    let remedy = match name {
        "ignoreip" => "write ignoreip at the top of the file, above the first [section]".to_owned(),
        "observe" => "write it below [sereno]: it holds for all jails".to_owned(),
        _ => near::remedy(name, &option::names()),
    };
    Wrong::new(span, format!("{place} has no option {name}")).remedy(remedy)
}

/// Reads one jail; `None` if it is disabled or nothing comes of it.
fn jail(
    name: &str,
    defaults: &[Layer<'_, '_>],
    layers: &[Layer<'_, '_>],
    rules: &Names<'_>,
    notes: &mut Notes,
) -> Option<JailConf> {
    let header = layers.first()?;
    let (doc, span) = (header.file.doc, header.header.clone());
    let id = match name.parse::<Name>() {
        Ok(id) => id,
        Err(why) => {
            let remedy = "write a short name of a-z, 0-9, _ and -, such as [jail.sshd]";
            notes.error(doc, Wrong::new(span.clone(), why).remedy(remedy));
            // The other options are worth a look all the same.
            Name::SERENO
        }
    };
    if name == "all" {
        let why = "a jail cannot be called all: that is what every port is called";
        notes.error(
            doc,
            Wrong::new(span.clone(), why).remedy("write another name, such as [jail.everything]"),
        );
    }
    let rule = rule(name, defaults, layers, rules, notes);
    let mut draft = Draft::new(id, &rule, rules.filters.contains(&rule.as_str()));
    let mut said = Notes::default();
    // What suits failures in logs does not suit packets, which anybody can send in anybody's name.
    let defaults = if draft.policy.heard { &[] } else { defaults };
    defaults.iter().for_each(|layer| apply(&mut draft, layer, "[defaults]", &mut said));
    let place = format!("[jail.{name}]");
    let before = notes.errors();
    layers.iter().for_each(|layer| apply(&mut draft, layer, &place, notes));
    // What could not be read is told already; what is missing may be in it.
    if !draft.enabled || layers.iter().any(|layer| layer.broken) {
        return None;
    }
    check(&draft, layers, notes.errors() == before, notes);
    let mut sources = Vec::new();
    if draft.policy.heard {
        return Some(JailConf {
            policy: draft.policy,
            sources: vec![SourceConf::Gate(draft.quiet)],
        });
    }
    if !draft.files.is_empty() {
        sources.push(SourceConf::Files(draft.files));
    }
    if let Some(matches) = draft.journal {
        sources.push(SourceConf::Journal(matches));
    }
    Some(JailConf { policy: draft.policy, sources })
}

/// Which rule a jail uses: the last one named, or the one that is called like the jail.
fn rule(
    name: &str,
    defaults: &[Layer<'_, '_>],
    layers: &[Layer<'_, '_>],
    rules: &Names<'_>,
    notes: &mut Notes,
) -> String {
    let named = defaults.iter().chain(layers).rev().find_map(|layer| {
        let value = layer.table.get("rule")?;
        Some((layer.file.doc, value.span(), value::text(value).ok()?))
    });
    let header =
        || layers.first().map_or((0, 0..0), |layer| (layer.file.doc, layer.header.clone()));
    let (doc, span, rule) = named.unwrap_or_else(|| {
        let (doc, span) = header();
        (doc, span, name)
    });
    let all: Vec<&str> = rules.good.iter().chain(&rules.filters).copied().collect();
    if !all.contains(&rule) {
        let remedy = match near::nearest(rule, all.iter().copied()) {
            Some(near) => format!("did you mean rule = \"{near}\"?"),
            None => format!("write rule = \"...\"; the rules are: {}", all.join(", ")),
        };
        notes.error(doc, Wrong::new(span, format!("there is no rule {rule:?}")).remedy(remedy));
    }
    rule.to_owned()
}

/// Where the last word about an option was spoken; the header if nobody did.
fn place(layers: &[Layer<'_, '_>], option: &str) -> (usize, Range<usize>) {
    let spoken = layers
        .iter()
        .rev()
        .find_map(|layer| layer.table.get(option).map(|value| (layer.file.doc, value.span())));
    let header =
        || layers.first().map_or((0, 0..0), |layer| (layer.file.doc, layer.header.clone()));
    spoken.unwrap_or_else(header)
}

/// What does nothing in a jail that listens to the gate.
const OF_LOGS: [&str; 9] = [
    "maxaccounts",
    "accounttime",
    "maxhosts",
    "hosttime",
    "nethosts",
    "net4-prefix",
    "net6-prefix",
    "patience",
    "block",
];
/// A ban that anybody can have imposed on anybody should not last longer.
const SHORT: Duration = Duration::from_secs(3600);

/// What is wrong with a jail that listens to the gate.
fn check_heard(draft: &Draft, layers: &[Layer<'_, '_>], notes: &mut Notes) {
    let spoken = |option: &str| layers.iter().any(|layer| layer.table.contains_key(option));
    for option in ["logpath", "journal"].into_iter().filter(|option| spoken(option)) {
        let (doc, span) = place(layers, option);
        let wrong = Wrong::new(span, "this jail listens to the gate, and reads no log");
        notes.error(doc, wrong.remedy(format!("take {option} out")));
    }
    for option in OF_LOGS.into_iter().filter(|option| spoken(option)) {
        let (doc, span) = place(layers, option);
        let message = format!("{option} does nothing in a jail that listens to the gate");
        notes.warn(doc, Wrong::new(span, message).remedy("take it out"));
    }
    let policy = &draft.policy;
    let long = policy.bantime.is_none_or(|length| length > SHORT);
    for (option, too_long) in [("bantime", long), ("bantime.increment", policy.increment.increment)]
    {
        if too_long {
            let (doc, span) = place(layers, option);
            let message =
                "anybody can send packets in the name of anybody, who is out for so long then";
            notes
                .warn(doc, Wrong::new(span, message).remedy("write for example bantime = \"10m\""));
        }
    }
    if policy.maxretry < 3 {
        let (doc, span) = place(layers, "maxretry");
        let message = "so few closed ports are a mistake, not a search";
        notes.warn(doc, Wrong::new(span, message).remedy("write for example maxretry = 6"));
    }
}

/// What no option can know alone.
fn check(draft: &Draft, layers: &[Layer<'_, '_>], is_clean: bool, notes: &mut Notes) {
    let policy = &draft.policy;
    if policy.heard {
        return check_heard(draft, layers, notes);
    }
    if layers.iter().any(|layer| layer.table.contains_key("ignoreports")) {
        let (doc, span) = place(layers, "ignoreports");
        let wrong = Wrong::new(span, "a log tells of no closed ports");
        notes.warn(doc, wrong.remedy("write it below [jail.portscan]"));
    }
    let at = |option: &str, message: &str, remedy: &str| {
        let (doc, span) = place(layers, option);
        (doc, Wrong::new(span, message).remedy(remedy))
    };
    let spoken = |option: &str| layers.iter().any(|layer| layer.table.contains_key(option));
    // A path that was refused is no missing path.
    let silent = draft.files.is_empty() && draft.journal.is_none();
    if silent && (is_clean || !(spoken("logpath") || spoken("journal"))) {
        let remedy =
            "add logpath = [\"/var/log/auth.log\"] or journal = [\"_SYSTEMD_UNIT=ssh.service\"]";
        let (doc, wrong) = at("", "this jail has no log to read", remedy);
        notes.error(doc, wrong);
    }
    if policy.nethosts > 0 {
        let pairs = [
            ("net4-prefix", policy.net4_bits, policy.v4_bits),
            ("net6-prefix", policy.net6_bits, policy.v6_bits),
        ];
        for (option, net, host) in pairs.into_iter().filter(|(_, net, host)| net >= host) {
            let message = format!("a network of /{net} is not larger than a stranger of /{host}");
            let remedy =
                format!("write a number below {host}, for example {option} = {}", host - 8);
            let (doc, wrong) = at(option, &message, &remedy);
            notes.error(doc, wrong);
        }
    }
    let escalation = &policy.increment;
    if !escalation.increment {
        for option in
            ["factor", "multipliers", "maxtime", "overalljails"].map(|o| format!("bantime.{o}"))
        {
            if spoken(&option) {
                let message = format!("{option} does nothing while bans do not grow");
                let (doc, wrong) = at(&option, &message, "add \"bantime.increment\" = true");
                notes.warn(doc, wrong);
            }
        }
    }
    if escalation.increment
        && escalation.maxtime.zip(policy.bantime).is_some_and(|(most, base)| most < base)
    {
        let remedy = "write a longer \"bantime.maxtime\", or a shorter bantime";
        let (doc, wrong) =
            at("bantime.maxtime", "the longest ban is shorter than the first one", remedy);
        notes.warn(doc, wrong);
    }
    if !draft.files.is_empty() && draft.journal.is_some() {
        let message = "this jail reads files and the journal: lines that are in both count twice";
        let (doc, wrong) = at("journal", message, "keep one of logpath and journal");
        notes.warn(doc, wrong);
    }
}
