//! An administrator's own rule file.

use sereno_core::line::{Style, parse};
use sereno_core::rule::scan::{Behind, Scan};
use sereno_core::rule::spec::RuleSpec;
use sereno_core::rule::{Memory, Rule, prove};
use sereno_core::time::Time;
use std::sync::Arc;

/// Bytes of a rule file tried at most; compiling takes time for every one of them.
const LONGEST: usize = 8 << 10;

/// What holds for any rule: it compiles or every error can be told; it is proved by all its
/// samples or every failure can be told; and the gate of literals lets no line past that a
/// pattern matches.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(LONGEST)]) else { return };
    let Ok(spec) = toml::from_str::<RuleSpec>(text) else { return };
    let proof = prove(&spec);
    let told = proof.failures.iter().filter(|failure| !failure.to_string().is_empty()).count();
    let Ok(rule) = Rule::compile(&spec) else {
        assert!(told > 0 && proof.passed == 0);
        return;
    };
    let claims =
        spec.patterns.iter().map(|p| p.matches.len().max(1) + p.reject.len()).sum::<usize>();
    assert_eq!(proof.passed + told, claims);
    gate(&Arc::new(rule), &spec);
}

/// The gate against the patterns themselves, by the rule's own lines.
fn gate(rule: &Arc<Rule>, spec: &RuleSpec) {
    let dates = sereno_core::line::Dates::new(jiff::tz::TimeZone::UTC);
    let Ok(mut scan) = Scan::new(vec![Arc::clone(rule)], dates) else { return };
    let mut memory = Memory::default();
    let samples =
        spec.patterns.iter().flat_map(|p| p.matches.iter().map(|m| &m.line).chain(&p.reject));
    for line in samples {
        let record = parse(line.as_bytes());
        // Only what the scan takes as it stands; JSON may write the literals in other bytes.
        if record.style == Style::Json || line.is_empty() || line.contains(['\n', '\r', '\x1b']) {
            continue;
        }
        if line.contains("message repeated ") || !rule.cares(&record) {
            continue;
        }
        let plain = rule
            .find(&record, &mut memory)
            .map(|(pattern, found)| (pattern.id.to_string(), found.addr));
        let mut gated = None;
        scan.read(line.as_bytes(), Behind::Nothing, Time::default(), &mut |hit| {
            gated = Some((hit.pattern.id.to_string(), hit.found.addr));
        });
        assert_eq!(plain, gated, "the gate does not see {line:?}");
    }
}
