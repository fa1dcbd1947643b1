//! Blocks of log lines through the shipped rules, the desk and a jail.

use jiff::tz::TimeZone;
use sereno_core::addr::parse_addr;
use sereno_core::gate::Name;
use sereno_core::jail::{Jail, JailPolicy};
use sereno_core::line::Dates;
use sereno_core::rule::Rule;
use sereno_core::rule::scan::{Behind, Hit, Scan};
use sereno_core::rule::session::{Desk, Verdict};
use sereno_core::rule::spec::Format;
use sereno_core::time::Time;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// 2026-11-22T18:00:00Z.
const NOW: Time = Time(1_795_370_400_000_000);

thread_local! {
    /// The shipped rules: to compile them takes longer than all the rest.
    static RULES: Vec<Arc<Rule>> =
        sereno_config::read(&[], &sereno_config::shipped_rules()).policy.rules;
}

/// One of the rules, or all. The corpus knows them by these numbers.
fn rules(choice: u8) -> Vec<Arc<Rule>> {
    RULES.with(|all| {
        assert_eq!(all.len(), 3);
        let name = ["asterisk", "sshd", "", "portscan"][usize::from(choice) % 4];
        let one: Vec<_> = all.iter().filter(|rule| rule.name == name).map(Arc::clone).collect();
        if one.is_empty() { all.clone() } else { one }
    })
}

/// A reader that has read nothing yet.
fn reader(rules: &[Arc<Rule>]) -> Option<Scan> {
    let scan = Scan::new(rules.to_vec(), Dates::new(TimeZone::UTC));
    assert!(scan.is_ok(), "the gate of shipped rules can be built");
    scan.ok().map(Scan::counting_lines)
}

/// A hit, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    rule: usize,
    pattern: String,
    addr: Option<IpAddr>,
    user: Option<String>,
    times: u16,
    when: Option<Time>,
    line: String,
    number: u64,
    stitched: bool,
}

/// What holds for any block, however it is cut: an address that is found stands in the line;
/// whoever is judged was found, and counts for no more than the lines about attempts; and what
/// was read in pieces is what is read at once.
pub fn check(data: &[u8]) {
    let Some(([choice, first, second], block)) = data.split_first_chunk::<3>() else { return };
    let rules = rules(*choice);
    let (Some(mut scan), Some(fresh)) = (reader(&rules), reader(&rules)) else { return };
    let whole = at_once(&mut scan, block);
    let cuts = [line_cut(block, *first), line_cut(block, *second)];
    if let Some(pieces) = in_pieces(fresh, block, cuts) {
        assert_eq!(whole, pieces, "at once, and in pieces cut at {cuts:?}");
    }
    let behind = [Behind::Nothing, Behind::More, Behind::Perhaps][usize::from(*choice / 3) % 3];
    anyhow(&mut scan, block, [*first, *second].map(usize::from), behind);
}

/// Reads the block at once, and judges what is found.
fn at_once(scan: &mut Scan, block: &[u8]) -> Vec<Seen> {
    let (mut seen, mut court) = (Vec::new(), Court::new(scan.rules().len()));
    let used = scan.read(block, Behind::Nothing, NOW, &mut |hit| {
        seen.push(witness(&hit, block));
        court.hear(&hit);
    });
    assert_eq!(used, block.len());
    court.close();
    seen
}

/// Reads the block as it would arrive, cut behind lines; `None` where a piece was a single
/// record, which is read as it is, whatever follows.
fn in_pieces(mut scan: Scan, block: &[u8], mut cuts: [usize; 2]) -> Option<Vec<Seen>> {
    cuts.sort_unstable();
    let multiline = scan.rules().iter().any(|rule| rule.format == Format::Asterisk);
    let (mut seen, mut start, mut alone) = (Vec::new(), 0, false);
    let mut keep = |hit: Hit<'_>| seen.push(witness(&hit, block));
    for end in cuts {
        let piece = &block[start..end];
        let used = scan.read(piece, Behind::More, NOW, &mut keep);
        assert!(used <= piece.len() && (used == 0 || piece[used - 1] == b'\n'));
        assert!(multiline || used == piece.len());
        alone |= multiline && !piece.is_empty() && used == piece.len();
        start += used;
    }
    scan.read(&block[start..], Behind::Nothing, NOW, &mut keep);
    (!alone).then_some(seen)
}

/// Reads the block cut anywhere, in the middle of lines too.
fn anyhow(scan: &mut Scan, block: &[u8], cuts: [usize; 2], behind: Behind) {
    let first = cuts[0].min(block.len());
    let second = (first + cuts[1]).min(block.len());
    for piece in [&block[..first], &block[first..second], &block[second..]] {
        let used = scan.read(piece, behind, NOW, &mut |hit| drop(witness(&hit, piece)));
        assert!(used <= piece.len());
    }
}

/// A hit is about bytes of the block, and its address stands in them.
fn witness(hit: &Hit<'_>, block: &[u8]) -> Seen {
    let at = (hit.line.as_ptr() as usize).wrapping_sub(block.as_ptr() as usize);
    assert_eq!(block.get(at..at.saturating_add(hit.line.len())), Some(hit.line));
    if let Some(addr) = hit.found.addr {
        assert!(stands_in(addr, &hit.record.text), "{addr} is not in the text");
    }
    assert!(hit.found.times >= 1);
    Seen {
        rule: hit.rule,
        pattern: hit.pattern.id.to_string(),
        addr: hit.found.addr,
        user: hit.found.user.map(|user| user.escape_ascii().to_string()),
        times: hit.found.times,
        when: hit.when,
        line: hit.line.escape_ascii().to_string(),
        number: hit.number,
        stitched: hit.stitched,
    }
}

fn stands_in(addr: IpAddr, text: &[u8]) -> bool {
    let part = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    (0..text.len()).any(|from| {
        let longest = text[from..].iter().take(45).take_while(|b| part(b)).count();
        (2..=longest).any(|len| parse_addr(&text[from..from + len]) == Some(addr))
    })
}

/// The end of a line, about so many 256ths into the block.
fn line_cut(block: &[u8], share: u8) -> usize {
    let at = block.len() * usize::from(share) / 256;
    block[..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1)
}

/// The desks and the jail.
struct Court {
    desks: Vec<Desk>,
    jail: Jail,
    heard: BTreeSet<IpAddr>,
    heaviest: u64,
    most: u64,
    counted: u64,
}

impl Court {
    fn new(rules: usize) -> Self {
        Self {
            desks: std::iter::repeat_with(Desk::default).take(rules).collect(),
            jail: Jail::new(JailPolicy { nethosts: 3, ..JailPolicy::new(Name::SERENO, "") }),
            heard: BTreeSet::new(),
            heaviest: 0,
            most: 0,
            counted: 0,
        }
    }

    fn hear(&mut self, hit: &Hit<'_>) {
        self.heard.extend(hit.found.addr);
        self.heaviest = self.heaviest.max(u64::from(hit.pattern.weight));
        self.most += u64::from(hit.found.times);
        let mut verdicts = Vec::new();
        self.desks[hit.rule].take(hit, hit.when.unwrap_or(NOW), &mut |v| verdicts.push(v.to_owned()));
        verdicts.into_iter().for_each(|v| self.judge(&v));
    }

    fn judge(&mut self, verdict: &Verdict<'_>) {
        assert!(self.heard.contains(&verdict.addr), "{} was never heard of", verdict.addr);
        let shown = verdict.line.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?} may write on the terminal");
        if verdict.good {
            self.jail.success(verdict);
            return;
        }
        self.counted += u64::from(verdict.weight);
        for trip in self.jail.failure(verdict) {
            assert!(self.heard.iter().any(|addr| trip.prefix.contains(*addr)));
            // A network is at most as wide as the policy says.
            assert!(trip.prefix.bits() >= 24);
        }
    }

    /// Lets time pass until nobody waits.
    fn close(mut self) {
        let mut verdicts = Vec::new();
        for desk in &mut self.desks {
            desk.advance(Time(i64::MAX), &mut |v| verdicts.push(v.to_owned()));
            assert_eq!(desk.next_wake(), None);
        }
        verdicts.into_iter().for_each(|v| self.judge(&v));
        assert!(self.counted <= self.most * self.heaviest, "{} of {}", self.counted, self.most);
    }
}
