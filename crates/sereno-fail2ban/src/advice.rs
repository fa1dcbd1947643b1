//! What is better said of expressions that compile: they match something else than they seem to.
//!
//! Each piece of advice is about one `failregex`. What it is about was met in filters that go
//! round in tutorials, and in fail2ban's own history: addresses with a port that a filter of
//! before does not expect (Asterisk since 1.8, Apache since 2.4), and text of strangers that looks
//! like the rest of the line (`ChangeLog` of fail2ban 0.8.11 and 1.0.2; its own tests refuse a
//! greedy `.*` before `<HOST>` in an expression without an end).

mod ports;
mod shape;

use sereno_core::filter::Spec;
use sereno_core::filter::date::Detector;
use sereno_core::time::Time;
use std::ops::Range;
use std::sync::Arc;

/// Where Asterisk tells who calls, whatever he claims.
const EVENTS: &str = "take this expression out; write security into logger.conf, and look for \
                      RemoteAddress in the lines with SecurityEvent, as Sereno's rule asterisk does";

/// Something to say about an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Which failregex.
    pub(crate) expression: usize,
    /// The bytes of it that it is about.
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// What there is to say about the expressions of a filter that compiles.
pub(crate) fn all(spec: &Spec<'_>, dates: &Arc<Detector>, now: Time) -> Vec<Advice> {
    let mut all = Vec::new();
    for (expression, text) in spec.failregex.iter().enumerate() {
        let shape = shape::of(text);
        let mut say = |range: Range<usize>, message: &str, remedy: &str| {
            let (message, remedy) = (message.to_owned(), remedy.to_owned());
            all.push(Advice { expression, range, message, remedy });
        };
        shape.literal_groups().for_each(|group| {
            let message =
                "these parentheses make a group: they do not stand for ( and ) in the log";
            say(group, message, r"write \( and \) if the line has parentheses here");
        });
        for host in shape.hosts() {
            if let Some(range) = shape.channel(host) {
                let message = "this is the name of a channel: of a call without an account it is \
                               the address of the PBX itself, or what the caller claims, so this \
                               bans the PBX, or whom the caller names";
                say(range, message, EVENTS);
            } else if let Some(range) = shape.domain(host) {
                let message = "what stands behind the @ is what the caller claims, not where he \
                               is, so this bans the PBX, or whom the caller names";
                say(range, message, EVENTS);
            } else if let Some(range) = shape.greedy(host) {
                let message = "who writes into this line chooses who is banned: what fits in front \
                               of the address may be text of his, and his address comes later";
                let remedy = "begin with ^, write what stands there ([^']*, \\S+) in place of \
                              this, and end with $";
                say(range, message, remedy);
            }
        }
    }
    all.extend(ports::all(spec, dates, now));
    all.sort_by_key(|advice| (advice.expression, advice.range.start));
    all
}
