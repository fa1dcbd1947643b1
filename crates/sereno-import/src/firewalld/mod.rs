//! firewalld: its zones, services and sets, which are files of XML (firewalld.zone(5),
//! firewalld.service(5), firewalld.ipset(5)).

mod parts;
mod rich;

use crate::policy::weak;
use crate::policy::{Made, plain};
use crate::remark::{Notes, Place, Remark};
use crate::{Imported, Source};
use parts::Parts;
use roxmltree::{Document, Node};
use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::gate::policy::{Deed, Policy, TRUSTED, WORLD, What, Who, Zone};

/// Reads the files of firewalld: `firewalld.conf`, and what lies in folders named `zones`, `services` and
/// `ipsets`. Of two of the same name the first counts.
#[must_use]
pub fn firewalld(sources: &[Source<'_>]) -> Imported {
    let mut notes = Notes::default();
    let mut docs: Vec<(usize, &str, &str, Document<'_>)> = Vec::new();
    for (at, source) in
        sources.iter().enumerate().filter(|(_, source)| source.name.ends_with(".xml"))
    {
        let mut path = source.name.rsplit('/');
        let name = path.next().unwrap_or_default().trim_end_matches(".xml");
        let folder = path.next().unwrap_or_default();
        if docs.iter().any(|(_, kind, known, _)| (*kind, *known) == (folder, name)) {
            continue;
        }
        match Document::parse(source.text) {
            Ok(doc) => docs.push((at, folder, name, doc)),
            Err(error) => {
                let place = Place { source: at, line: error.pos().row as usize };
                notes.say(place, &error.to_string(), Remark::Word(name.to_owned()));
            }
        }
    }
    for (at, folder, name, doc) in &docs {
        // Rules beside the zones, which decide before them.
        if ["policies", "firewalld"].contains(folder) && doc.root_element().has_children() {
            // The package brings one: what IPv6 needs.
            let known = ["lockdown-whitelist", "allow-host-ipv6"].contains(name);
            let elements = doc.root_element().children().any(|node| node.is_element());
            if elements && !known {
                let place = Place { source: *at, line: 1 };
                let words = format!("{name}.xml");
                notes.say(place, name, Remark::Condition { words, opens: true });
            }
        }
    }
    let default = sources
        .iter()
        .filter(|source| source.name.ends_with("firewalld.conf"))
        .flat_map(|source| source.text.lines())
        .find_map(|line| line.trim().strip_prefix("DefaultZone="))
        .map_or("public", str::trim);
    let parts = Parts { docs: &docs };
    let mut reader = Reader { parts, default, zones: Vec::new(), made: Vec::new(), notes };
    for (at, _, name, doc) in docs.iter().filter(|(_, kind, ..)| *kind == "zones") {
        reader.zone(*at, name, doc);
    }
    reader.finish()
}

struct Reader<'a> {
    parts: Parts<'a>,
    default: &'a str,
    zones: Vec<Zone>,
    made: Vec<Made>,
    notes: Notes,
}

/// What is read of a zone.
struct Scope<'s> {
    source: usize,
    text: &'s str,
    /// Whom its rules are about.
    from: Who,
    /// Its networks, if it has nothing else: no interfaces, and it is not that of all others.
    networks: Option<Vec<Prefix>>,
}

impl Scope<'_> {
    fn place(&self, node: Node<'_, '_>) -> Place {
        let row = node.document().text_pos_at(node.range().start).row;
        Place { source: self.source, line: row as usize }
    }

    fn text(&self, node: Node<'_, '_>) -> String {
        self.text[node.range()].lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

impl<'a> Reader<'a> {
    fn zone(&mut self, source: usize, name: &str, doc: &'a Document<'a>) {
        let root = doc.root_element();
        let mut networks: Vec<Prefix> = Vec::new();
        let mut interfaces: Vec<String> = Vec::new();
        let text = doc.input_text();
        let scope = Scope { source, text, from: Who::Anybody, networks: None };
        for node in root.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "interface" => interfaces.extend(node.attribute("name").map(str::to_owned)),
                "source" => match self.parts.networks(node) {
                    Ok(found) => networks.extend(found),
                    Err(remark) => self.notes.say(scope.place(node), &scope.text(node), remark),
                },
                _ => {}
            }
        }
        let is_default = name == self.default;
        if networks.is_empty() && interfaces.is_empty() && !is_default {
            // A zone that nobody comes from.
            return;
        }
        let open = root.attribute("target") == Some("ACCEPT");
        let title = if open { TRUSTED } else { name };
        let Ok(title) = self.title(title, open) else {
            self.notes.say(scope.place(root), name, Remark::Word(name.to_owned()));
            return;
        };
        let alone = (interfaces.is_empty() && !is_default).then(|| networks.clone());
        let mut names = Vec::new();
        if is_default {
            names.extend(WORLD.parse::<Name>().ok());
            // Its interfaces are those of nobody else anyway.
            interfaces.clear();
        }
        if !networks.is_empty() || !interfaces.is_empty() {
            names.push(title);
            match self.zones.iter_mut().find(|zone| zone.name == title) {
                Some(zone) => {
                    zone.networks.append(&mut networks);
                    zone.interfaces.append(&mut interfaces);
                }
                None => self.zones.push(Zone { name: title, networks, interfaces, open }),
            }
        }
        let from = Who::Those { zones: names, networks: Vec::new() };
        let scope = Scope { from, networks: alone, ..scope };
        self.rules(&scope, root, open, is_default);
    }

    /// What a zone is called in the policy, where no other is called so.
    fn title(&self, name: &str, open: bool) -> Result<Name, String> {
        let plain = short(name);
        // One that is open is the trusted one; no other may be called so.
        let taken = |text: &str| {
            let known = self.zones.iter().any(|zone| zone.name.as_str() == text);
            !open && (known || [TRUSTED, WORLD].contains(&text))
        };
        let mut names = (2..).map(|n| format!("{:.20}_{n}", plain));
        let free = if taken(&plain) { names.find(|text| !taken(text)) } else { Some(plain) };
        free.unwrap_or_default().parse()
    }

    fn rules(&mut self, scope: &Scope<'_>, root: Node<'_, '_>, open: bool, is_default: bool) {
        let elements = || root.children().filter(Node::is_element);
        // Denials stand before all that lets in, whatever their order in the file.
        let (mut deny, mut allow) = (Vec::new(), Vec::new());
        for node in elements().filter(|node| node.has_tag_name("rule")) {
            match self.rich(scope, node) {
                Ok(made) if made.rule.deed == Deed::Allow => allow.push(made),
                Ok(made) => deny.push(made),
                Err(remark) => self.notes.say(scope.place(node), &scope.text(node), remark),
            }
        }
        self.made.append(&mut deny);
        self.made.append(&mut allow);
        for node in elements().filter(|node| !node.has_tag_name("rule")) {
            match self.parts.about(node) {
                Ok(Some(about)) if !about.what.is_empty() => {
                    let mut rule = plain(Deed::Allow, about.what, scope.from.clone());
                    rule.to = about.to;
                    self.put(scope, node, rule, about.why);
                }
                Ok(_) => {}
                Err(remark) => self.notes.say(scope.place(node), &scope.text(node), remark),
            }
        }
        let is_ping = |node: Node<'_, '_>| node.attribute("name") == Some("echo-request");
        let blocked = elements().any(|node| node.has_tag_name("icmp-block") && is_ping(node));
        let inverted = elements().any(|node| node.has_tag_name("icmp-block-inversion"));
        let target = root.attribute("target").unwrap_or("default");
        // Who may do everything may ask whether anybody is there.
        let asks = is_default || !open;
        if blocked == inverted && asks && target != "DROP" {
            self.put(
                scope,
                root,
                plain(Deed::Allow, vec![What::Ping], scope.from.clone()),
                String::new(),
            );
        }
        if open && is_default {
            self.notes.say(scope.place(root), self.default, Remark::OpenByDefault);
            self.put(
                scope,
                root,
                plain(Deed::Allow, vec![What::All], scope.from.clone()),
                String::new(),
            );
        }
    }

    fn put(
        &mut self,
        scope: &Scope<'_>,
        node: Node<'_, '_>,
        rule: sereno_core::gate::policy::Rule,
        why: String,
    ) {
        let (place, text) = (scope.place(node), scope.text(node));
        self.made.push(Made { rule, why, place, text, last: false, all_but: false });
    }

    fn finish(mut self) -> Imported {
        for zone in &mut self.zones {
            zone.networks.sort_unstable_by_key(|network| (network.addr(), network.bits()));
            zone.networks.dedup();
            zone.interfaces.sort_unstable();
            zone.interfaces.dedup();
        }
        weak::look(&self.made, &mut self.notes);
        let rules = self.made.into_iter().map(|made| made.rule.written(&made.why)).collect();
        let policy = Policy { zones: self.zones, rules, ..Policy::default() };
        let empty = policy.rules.is_empty() && policy.zones.is_empty();
        Imported { policy, remarks: self.notes.into_told(), empty }
    }
}

/// A name of a zone as the policy allows it.
fn short(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).take(24).collect()
}
