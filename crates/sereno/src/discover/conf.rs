//! Settings of Asterisk, as its modules see them.

use super::{LONGEST, bytes, inside, matching};
use sereno_asterisk::{Files, Invalid, Section, alternatives, load};
use std::path::Path;

/// Where the files are.
const FOLDER: &str = "/etc/asterisk";

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The section it stands in, in lower case.
    pub(super) section: String,
    /// Its name, as written.
    pub(super) key: String,
    /// Its value, as written.
    pub(super) value: String,
}

/// A file with what it includes.
#[derive(Debug, Default)]
pub(super) struct Conf(pub(super) Vec<Setting>);

/// The folder of Asterisk under a root.
struct Folder<'r>(&'r Path);

impl Files for Folder<'_> {
    fn matching(&self, name: &[u8]) -> Vec<String> {
        let Ok(name) = std::str::from_utf8(name) else { return Vec::new() };
        let whole = |name: String| {
            if name.starts_with('/') { name } else { format!("{FOLDER}/{name}") }
        };
        let names = alternatives(name).into_iter().map(whole);
        names.flat_map(|name| matching(self.0, &name)).collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        bytes(&inside(self.0, path), LONGEST)
    }
}

impl Conf {
    /// Reads a file of `/etc/asterisk`; `None` when it is not there. Of one that Asterisk refuses it is what
    /// stands before the mistake: what it had before nobody knows.
    pub(super) fn read(root: &Path, name: &str) -> Option<Self> {
        let config = match load(&Folder(root), name) {
            Ok(config) => config,
            Err(refused) if refused.1 == Invalid::Missing => return None,
            Err(refused) => refused.2,
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let is_general = |section: &Section| section.name.eq_ignore_ascii_case(b"general");
        // Modules ask for the first one; of others with the same name they take all.
        let first = config.sections.iter().position(|one| !one.template && is_general(one));
        let seen = config.sections.iter().enumerate();
        let seen = seen.filter(|(at, section)| {
            !section.template && (!is_general(section) || Some(*at) == first)
        });
        let settings = seen.flat_map(|(_, section)| {
            let name = text(&section.name).to_ascii_lowercase();
            section.variables.iter().map(move |one| Setting {
                section: name.clone(),
                key: text(&one.name),
                value: text(&one.value),
            })
        });
        Some(Self(settings.collect()))
    }

    /// The settings of a section, by its name in lower case.
    pub(super) fn section(&self, name: &str) -> impl Iterator<Item = &Setting> {
        self.0.iter().filter(move |setting| setting.section == name)
    }

    /// The last value of a setting; names do not depend on case.
    pub(super) fn value(&self, section: &str, key: &str) -> Option<&str> {
        let all = self.section(section).filter(|setting| setting.key.eq_ignore_ascii_case(key));
        all.last().map(|setting| setting.value.as_str())
    }

    /// Whether a setting is one of Asterisk's words for yes; every other word is no.
    pub(super) fn is_on(&self, section: &str, key: &str) -> bool {
        let words = ["yes", "true", "y", "t", "1", "on"];
        self.value(section, key).is_some_and(|v| words.iter().any(|w| v.eq_ignore_ascii_case(w)))
    }
}
