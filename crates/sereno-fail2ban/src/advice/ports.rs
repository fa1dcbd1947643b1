//! Expressions that know an address only without its port.
//!
//! It is tried: an expression that does not match a line of the log, and does with a port behind
//! its address, is passed over by whoever it was written for.

use super::{Advice, shape};
use sereno_core::filter::date::Detector;
use sereno_core::filter::{Filter, Scan, Spec};
use sereno_core::time::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is written behind an address that may have a port.
const PORT: &str = r"(?::\d+)?";

/// What Asterisk 1.8 to 22 writes of failures with an address and a port; the rule asterisk has
/// more of it.
const ASTERISK: [&str; 12] = [
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - Wrong password",
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - Username/auth name mismatch",
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - No matching peer found",
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - Not a local domain",
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - Device does not match ACL",
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - Peer is not supposed to register",
    "chan_sip.c: Registration from '<sip:1@h>' failed for '203.0.113.9:5060' - ACL error (permit/deny)",
    "chan_sip.c: Call from '' (203.0.113.9:5060) to extension '98' rejected because extension not found in context 'default'.",
    "res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:1@h>' failed for '203.0.113.9:5060' (callid: 76d4) - No matching endpoint found",
    "res_pjsip/pjsip_distributor.c: Request 'INVITE' from '<sip:1@h>' failed for '203.0.113.9:5060' (callid: 76d4) - Failed to authenticate",
    "Ext. s: \"Rejecting unknown SIP connection from 203.0.113.9:5060\"",
    "chan_iax2.c: Host 203.0.113.9:4569 failed to authenticate as 700",
];
/// The same of Apache 2.4.
const APACHE: [&str; 3] = [
    "[auth_basic:error] [pid 12] [client 203.0.113.9:51234] AH01618: user x not found: /",
    "[auth_basic:error] [pid 12] [client 203.0.113.9:51234] AH01617: user x: authentication failure for \"/\": Password Mismatch",
    "[authz_core:error] [pid 12] [client 203.0.113.9:51234] AH01630: client denied by server configuration: /x",
];

/// Lines as they would be written now: the whole of each, and what it says. Dates of another year
/// would not be taken for dates.
fn lines(now: Time) -> Vec<(String, &'static str)> {
    let moment = jiff::Timestamp::from_microsecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let asterisk = moment.strftime("%Y-%m-%d %H:%M:%S");
    let apache = moment.strftime("%a %b %d %H:%M:%S.%6f %Y");
    let notices = ASTERISK.iter().map(|said| (format!("[{asterisk}] NOTICE[4108] {said}"), *said));
    notices.chain(APACHE.iter().map(|said| (format!("[{apache}] {said}"), *said))).collect()
}

/// The expressions of a filter that would match one of these lines with a port.
pub(super) fn all(spec: &Spec<'_>, dates: &Arc<Detector>, now: Time) -> Vec<Advice> {
    // Lines that are looked at together would have to be written for it.
    if spec.maxlines > 1 {
        return Vec::new();
    }
    let lines = lines(now);
    let shapes: Vec<_> = spec.failregex.iter().map(|text| shape::of(text)).collect();
    let of = |port: &str| -> Vec<BTreeSet<usize>> {
        let texts: Vec<String> = shapes.iter().map(|shape| shape.meant(port)).collect();
        let failregex = texts.iter().map(String::as_str).collect();
        match Filter::compile(&Spec { failregex, ..spec.clone() }, Arc::clone(dates)) {
            Ok(filter) => {
                let filter = Arc::new(filter);
                lines.iter().map(|(line, _)| matching(&filter, line, now)).collect()
            }
            Err(_) => Vec::new(),
        }
    };
    let mut said = BTreeSet::new();
    let mut all = Vec::new();
    for ((without, with), (_, line)) in of("").iter().zip(&of(PORT)).zip(&lines) {
        for expression in with.difference(without).filter(|at| said.insert(**at)) {
            let Some(host) = shapes.get(*expression).and_then(|shape| shape.hosts().next()) else {
                continue;
            };
            let tag = spec.failregex.get(*expression).and_then(|text| text.get(host.clone()));
            let message = format!("this does not match an address with a port, as in: {line}");
            let remedy = format!("write {}{PORT}", tag.unwrap_or_default());
            all.push(Advice { expression: *expression, range: host.clone(), message, remedy });
        }
    }
    all
}

/// Which expressions of a filter match a line.
fn matching(filter: &Arc<Filter>, line: &str, now: Time) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut scan = Scan::new();
    scan.add(Arc::clone(filter), true);
    scan.line(line.as_bytes(), now, &mut |_, finding| {
        found.insert(finding.regex);
    });
    found
}
