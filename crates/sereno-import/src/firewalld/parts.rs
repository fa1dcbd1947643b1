//! What elements of a zone mean: services, ports, sources.

use crate::remark::Remark;
use roxmltree::{Document, Node};
use sereno_core::addr::Prefix;
use sereno_core::gate::list::networks;
use sereno_core::gate::policy::{Services, What};
use sereno_core::gate::{PortRange, Proto};
use std::net::IpAddr;

/// Services within services at most.
const DEEPEST: usize = 4;
/// Entries of a set at most.
const MOST: usize = 4096;
/// Services that the gate lets in by itself.
const NEEDED: [&str; 2] = ["dhcpv6-client", "dhcp-client"];

/// The files that elements name: number, folder, name, what it says.
pub(super) struct Parts<'a> {
    pub(super) docs: &'a [(usize, &'a str, &'a str, Document<'a>)],
}

/// What something is about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub(super) what: Vec<What>,
    pub(super) to: Vec<Prefix>,
    pub(super) why: String,
}

impl<'a> Parts<'a> {
    fn find(&self, folder: &str, name: &str) -> Option<&'a Document<'a>> {
        let mut docs = self.docs.iter();
        docs.find(|(_, kind, known, _)| *kind == folder && *known == name).map(|(.., doc)| doc)
    }

    /// What an element lets in; `None` if it is not about that.
    pub(super) fn about(&self, node: Node<'_, '_>) -> Result<Option<About>, Remark> {
        let value = |key| node.attribute(key).unwrap_or_default();
        let one = |what| Ok(Some(About { what: vec![what], ..About::default() }));
        match node.tag_name().name() {
            "service" => {
                let name = value("name");
                let mut about = About { why: name.to_owned(), ..About::default() };
                if !NEEDED.contains(&name) {
                    self.service(name, &mut about, 0)?;
                }
                about.what.sort_unstable();
                about.what.dedup();
                Ok(Some(about))
            }
            "port" => one(ports(node)?),
            "protocol" => {
                let found = Services::default().find(value("value"));
                let found = found.filter(|what| !what.contains(&What::All));
                found
                    .map(|what| Some(About { what, ..About::default() }))
                    .ok_or_else(|| Remark::Word(value("value").to_owned()))
            }
            "masquerade" | "forward-port" => Err(Remark::Forwarded),
            "source-port" => {
                let words = format!("source-port {}/{}", value("protocol"), value("port"));
                Err(Remark::Condition { words, opens: false })
            }
            _ => Ok(None),
        }
    }

    fn service(&self, name: &str, about: &mut About, depth: usize) -> Result<(), Remark> {
        let missing = || Remark::Missing(format!("services/{name}.xml"));
        let doc = self.find("services", name).filter(|_| depth < DEEPEST).ok_or_else(missing)?;
        for node in doc.root_element().children().filter(Node::is_element) {
            match node.tag_name().name() {
                "port" => about.what.push(ports(node)?),
                "protocol" => {
                    let found =
                        Services::default().find(node.attribute("value").unwrap_or_default());
                    about.what.extend(found.into_iter().flatten());
                }
                "include" => {
                    self.service(node.attribute("service").unwrap_or_default(), about, depth + 1)?;
                }
                "destination" => {
                    let ends = ["ipv4", "ipv6"].into_iter().filter_map(|key| node.attribute(key));
                    for text in ends {
                        let to = text.parse::<Prefix>();
                        about.to.push(to.map_err(|_| Remark::Word(text.to_owned()))?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The networks of a source.
    pub(super) fn networks(&self, node: Node<'_, '_>) -> Result<Vec<Prefix>, Remark> {
        if let Some(text) = node.attribute("address") {
            return network(text).ok_or_else(|| Remark::Word(text.to_owned()));
        }
        let Some(name) = node.attribute("ipset") else {
            let words = format!("mac {}", node.attribute("mac").unwrap_or_default());
            return Err(Remark::Condition { words, opens: false });
        };
        let doc = self.find("ipsets", name).ok_or_else(|| Remark::List(name.to_owned()))?;
        let entries = doc.root_element().children().filter(|node| node.has_tag_name("entry"));
        let texts = entries.filter_map(|node| node.text()).take(MOST + 1);
        let found: Option<Vec<Vec<Prefix>>> = texts.map(|text| network(text.trim())).collect();
        let found = found.map(|found| found.concat()).filter(|found| found.len() <= MOST);
        found.ok_or_else(|| Remark::List(name.to_owned()))
    }
}

/// A network, an address, or a range of addresses.
fn network(text: &str) -> Option<Vec<Prefix>> {
    if let Ok(network) = text.parse::<Prefix>() {
        return Some(vec![network]);
    }
    let (first, last) = text.split_once('-')?;
    let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    Some(networks(first, last)).filter(|found| !found.is_empty())
}

/// `port="5060-5061" protocol="udp"`.
fn ports(node: Node<'_, '_>) -> Result<What, Remark> {
    let (port, proto) = (
        node.attribute("port").unwrap_or_default(),
        node.attribute("protocol").unwrap_or_default(),
    );
    if port.is_empty() && !proto.is_empty() {
        // All ports of it, or a protocol without any.
        let found = Services::default().find(proto).and_then(|what| what.first().copied());
        return found
            .filter(|what| *what != What::All)
            .ok_or_else(|| Remark::Word(proto.to_owned()));
    }
    let bad = || Remark::Word(format!("{proto}/{port}"));
    let proto: Proto = proto.parse().map_err(|_| bad())?;
    let (first, last) = port.split_once('-').unwrap_or((port, port));
    let (Ok(first), Ok(last)) = (first.parse(), last.parse()) else { return Err(bad()) };
    PortRange::new(proto, first, last).map(What::Ports).ok_or_else(bad)
}
