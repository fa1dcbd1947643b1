//! Rich rules (firewalld.richlanguage(5)).

use super::{Reader, Scope};
use crate::policy::{Made, plain};
use crate::remark::Remark;
use roxmltree::Node;
use sereno_core::gate::policy::{Deed, Rate, WORLD, What, Who};
use std::time::Duration;

impl Reader<'_> {
    /// A rich rule as a rule of the policy.
    pub(super) fn rich(&mut self, scope: &Scope<'_>, node: Node<'_, '_>) -> Result<Made, Remark> {
        let child = |name: &str| node.children().find(|child| child.has_tag_name(name));
        let deeds = [("accept", Deed::Allow), ("drop", Deed::Drop), ("reject", Deed::Reject)];
        let Some((action, deed)) =
            deeds.into_iter().find_map(|(name, deed)| Some((child(name)?, deed)))
        else {
            // It only logs, marks or counts.
            return Err(Remark::Target("log".to_owned()));
        };
        let opens = deed != Deed::Allow;
        let odd = |words: &str| Remark::Condition { words: words.to_owned(), opens };
        if node.attribute("priority").is_some_and(|priority| priority != "0") {
            return Err(odd("priority"));
        }
        let mut rule = plain(deed, vec![What::All], scope.from.clone());
        let mut why = String::new();
        for part in node.children().filter(Node::is_element) {
            let inverted =
                part.attribute("invert").is_some_and(|value| value == "yes" || value == "true");
            match part.tag_name().name() {
                name @ ("source" | "destination") if inverted => {
                    return Err(odd(&format!("{name} NOT")));
                }
                "source" => {
                    let networks = self.parts.networks(part).map_err(|remark| match remark {
                        Remark::Condition { words, .. } => odd(&words),
                        other => other,
                    })?;
                    rule.from = Who::Those { zones: Vec::new(), networks };
                }
                "destination" => rule.to = self.parts.networks(part)?,
                "service" | "port" | "protocol" => {
                    let about = self.parts.about(part)?.unwrap_or_default();
                    (rule.what, why) = (about.what, about.why);
                    rule.to.extend(about.to);
                }
                "icmp-type" if part.attribute("name") == Some("echo-request") => {
                    rule.what = vec![What::Ping];
                }
                "accept" | "drop" | "reject" | "log" | "nflog" | "audit" => {}
                other => return Err(odd(other)),
            }
        }
        if let Some(limit) = action.children().find(|child| child.has_tag_name("limit")) {
            let text = limit.attribute("value").unwrap_or_default();
            rule.rate =
                Some(rate(text).filter(|_| !opens).ok_or_else(|| odd(&format!("limit {text}")))?);
            self.notes.say(scope.place(node), &scope.text(node), Remark::PerSource);
        }
        let four = four(node);
        if let Some(four) = four
            && matches!(&rule.from, Who::Those { zones, .. } if !zones.is_empty())
            && rule.to.is_empty()
        {
            rule.from = of_family(scope, four).ok_or_else(|| odd("family"))?;
        }
        if rule.what.is_empty() {
            return Err(Remark::Needed);
        }
        let (place, text) = (scope.place(node), scope.text(node));
        Ok(Made { rule, why, place, text, last: false, all_but: false })
    }
}

/// Whether a rule is of IPv4; `None` if it is of both families.
fn four(node: Node<'_, '_>) -> Option<bool> {
    match node.attribute("family")? {
        "ipv4" => Some(true),
        "ipv6" => Some(false),
        _ => None,
    }
}

/// Those of a zone who are of one family, if they can be named without it.
fn of_family(scope: &Scope<'_>, four: bool) -> Option<Who> {
    let networks = match &scope.networks {
        Some(networks) => {
            networks.iter().filter(|network| network.addr().is_ipv4() == four).copied().collect()
        }
        // Everybody, but only where the zone is nothing but that.
        None => {
            let Who::Those { zones, .. } = &scope.from else { return None };
            let world = zones.iter().all(|zone| zone.as_str() == WORLD);
            let all = if four { "0.0.0.0/0" } else { "::/0" };
            world.then(|| all.parse().into_iter().collect::<Vec<_>>())?
        }
    };
    (!networks.is_empty()).then_some(Who::Those { zones: Vec::new(), networks })
}

/// `2/m` and its like.
fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit.chars().next()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
    Some(Rate { count, per: Duration::from_secs(seconds), burst: count.max(5) })
}
