//! Who wrote a record, by its beginning alone.

use super::literal;
use crate::addr::parse_addr;
use regex_automata::{Anchored, Input, meta};
use regex_syntax::hir::{Hir, HirKind};
use std::net::IpAddr;
use std::sync::OnceLock;

/// The beginning of a pattern up to its address: what is left to judge by where the rest of a
/// record is not to be believed.
#[derive(Debug)]
pub(super) struct Sender {
    hir: Hir,
    made: OnceLock<Option<meta::Regex>>,
}

impl Sender {
    /// The parts of an expression up to its address and the fixed text behind that, if none of
    /// them takes in whole lines. `names` tells the part with the address.
    pub(super) fn new(hir: &Hir, names: impl Fn(&Hir) -> bool) -> Option<Self> {
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let at = parts.iter().position(names)?;
        let rest = parts.get(at + 1..)?;
        // The port, and the fixed text that ends both.
        let ends = rest.iter().position(|part| matches!(part.kind(), HirKind::Literal(_)))?;
        let (head, fixed) = (parts.get(..=at + ends)?, rest.get(ends)?);
        if !head.iter().all(literal::within_line) {
            return None;
        }
        let hir = Hir::concat(head.iter().chain([fixed]).cloned().collect());
        Some(Self { hir, made: OnceLock::new() })
    }

    fn regex(&self) -> Option<&meta::Regex> {
        let make = || {
            let config = meta::Config::new().utf8_empty(false);
            meta::Regex::builder().configure(config).build_from_hir(&self.hir).ok()
        };
        self.made.get_or_init(make).as_ref()
    }

    /// His address, and his port as written.
    pub(super) fn find<'t>(&self, text: &'t [u8]) -> Option<(IpAddr, Option<&'t [u8]>)> {
        let regex = self.regex()?;
        let mut captures = regex.create_captures();
        regex.search_captures(&Input::new(text).anchored(Anchored::Yes), &mut captures);
        let get = |name| captures.get_group_by_name(name).and_then(|span| text.get(span.range()));
        Some((parse_addr(get("addr")?)?, get("port")))
    }
}
