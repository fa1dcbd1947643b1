//! Options that nothing reads.
//!
//! Any name may stand in a jail, as others may refer to it; so a slip of the pen (`maxretri`) is
//! passed over. Here a name is suspicious if it is no option of fail2ban's and no text of the
//! jails refers to it, nor the file of its filter or actions. Options of `[DEFAULT]` are for
//! whoever may need them; they are named only if they are almost a known one.

use crate::files::Loader;
use crate::ini::{Config, Entry};
use crate::near;
use crate::options;
use crate::problem::{Wrong, quote};
use crate::tags;
use std::collections::BTreeSet;

/// Every name that a configuration's texts refer to.
pub(crate) fn referred(config: &Config) -> BTreeSet<String> {
    let sections = config.sections.iter().flat_map(|(_, section)| section.options.iter());
    let mut names = BTreeSet::new();
    for (_, entry) in config.defaults.iter().chain(sections) {
        collect(entry.value.as_str(), &mut names);
    }
    names
}

fn collect(text: &str, names: &mut BTreeSet<String>) {
    let mut take = |name: &str| {
        let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        names.insert(name.to_lowercase());
    };
    for piece in text.split("%(").skip(1) {
        if let Some((name, _)) = piece.split_once(')') {
            take(name);
        }
    }
    let mut at = 0;
    while let Some(tag) = tags::next(text, at) {
        take(&text[tag.start + 1..tag.end - 1]);
        at = tag.end;
    }
}

/// Warns of the options of a jail that nothing reads.
pub(crate) fn check(loader: &mut Loader<'_>, config: &Config, name: &str) {
    let Some(section) = config.sections.get(name) else { return };
    for (option, entry) in section.options.iter() {
        let conditional = option.contains('?') || option.starts_with("known/");
        if !conditional && !known(option) && !loader.referred.contains(option) {
            loader.notes.warn(wrong(option, entry, &format!("[{name}]")));
        }
    }
}

/// Warns of options of `[DEFAULT]` that are almost known ones.
pub(crate) fn check_defaults(loader: &mut Loader<'_>, config: &Config) {
    for (option, entry) in config.defaults.iter() {
        let near = near::nearest(option, options::jail().map(|(name, _)| name));
        if near.is_some() && !known(option) && !loader.referred.contains(option) {
            loader.notes.warn(wrong(option, entry, "[DEFAULT]"));
        }
    }
}

fn known(option: &str) -> bool {
    let own = options::jail().map(|(name, _)| name);
    let all = own.chain(options::NEWER).chain(options::CUSTOMARY);
    // `action_` with a name is one of the actions to choose from.
    option.starts_with("action_") || all.into_iter().any(|name| name == option)
}

fn wrong(option: &str, entry: &Entry, section: &str) -> Wrong {
    let own = options::jail().map(|(name, _)| name);
    let all = own.chain(options::NEWER).chain(options::CUSTOMARY);
    let remedy = match near::nearest(option, all) {
        Some(near) => format!("did you mean {near}?"),
        None => "take it out, or look for the right name in jail.conf(5)".to_owned(),
    };
    let message = format!("nothing reads {} in {section}", quote(option));
    Wrong::new(entry.name, option.chars().count(), message, remedy)
}
