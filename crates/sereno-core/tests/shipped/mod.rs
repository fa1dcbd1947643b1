//! The rules that come with Sereno, for tests beside the code and for those beside the crate.

use super::{ExtensionSpec, RuleSpec};

/// Every rule with the files that extend it, in the order of their names.
pub(crate) fn rules() -> Vec<RuleSpec> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut rules, mut extensions): (Vec<RuleSpec>, Vec<ExtensionSpec>) = (Vec::new(), Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display();
        if text.lines().any(|line| line.starts_with("extends")) {
            extensions.push(toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")));
        } else {
            rules.push(toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")));
        }
    }
    for more in &extensions {
        rules.iter_mut().find(|rule| rule.name == more.extends).unwrap().extend(more);
    }
    rules
}
