//! Where something of a fail2ban configuration was written.

use super::toml::remark;
use sereno_fail2ban::{Jail, Problem, Severity, Text, Tree};
use std::collections::BTreeSet;

/// A tree, and what tells where its texts are from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'t> {
    pub(super) tree: &'t Tree,
}

impl Origin<'_> {
    fn at(self, text: &Text) -> Option<(String, usize)> {
        // It may begin with what nobody wrote.
        let at = (0..text.as_str().len()).find(|at| text.place(*at).is_some())?;
        let Problem { file, line, .. } =
            self.tree.problem(Severity::Warning, (text, at, 1), "", "");
        (line > 0).then_some((file, line))
    }

    /// `filter.d/sshd.conf`, and the line; from the tree's own folder on.
    pub(super) fn of(self, text: &Text) -> Option<(String, usize)> {
        let (file, line) = self.at(text)?;
        let own =
            file.strip_prefix(self.tree.base.as_str()).map(|rest| rest.trim_start_matches('/'));
        Some((own.map(str::to_owned).unwrap_or(file), line))
    }

    /// The same as words for a remark; empty if nobody wrote it.
    pub(super) fn said(self, text: Option<&Text>) -> String {
        let place = text.and_then(|text| self.of(text));
        place.map(|(file, line)| remark(&format!("{file}:{line}"))).unwrap_or_default()
    }

    /// The first error in anything that a jail is made of.
    pub(super) fn error<'p>(self, jail: &Jail, problems: &'p [Problem]) -> Option<&'p Problem> {
        let mut lines: BTreeSet<(String, usize)> = BTreeSet::new();
        let filter = jail.filter.iter().flat_map(|filter| {
            let own = filter.prefregex.iter().chain(&filter.datepattern);
            let all = own.chain(&filter.failregex).chain(&filter.ignoreregex);
            all.chain(filter.options.iter().map(|(_, text)| text))
        });
        let actions = jail.actions.iter().flat_map(|action| action.properties.iter());
        let options = jail.options.iter().chain(actions).map(|(_, text)| text);
        for text in filter.chain(options) {
            lines.extend(text.lines().iter().filter_map(|line| self.at(line)));
        }
        let mut errors = problems.iter().filter(|one| one.severity == Severity::Error);
        errors.find(|one| lines.contains(&(one.file.clone(), one.line)))
    }
}
