//! What `sereno scan` shows to people: the counted lines as they come, and a summary.

use super::Clock;
use crate::cli::failure::Failure;
use crate::cli::paint::{self, Column, Paint};
use crate::words;
use sereno_core::cap::Capped;
use sereno_core::rule::spec::Kind;
use sereno_core::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::net::IpAddr;

/// Addresses counted for the summary; beyond it the one not seen for longest is left out.
const ADDRESSES: usize = 1 << 18;
/// Addresses shown in the summary.
const TOP: usize = 10;
/// Characters of an account shown in its column.
const USER: usize = 20;

/// A line that counts.
pub(super) struct Row<'a> {
    pub(super) number: u64,
    pub(super) when: Option<Time>,
    pub(super) addr: Option<IpAddr>,
    /// Whom it is about, as text.
    pub(super) who: Cow<'a, str>,
    pub(super) user: Cow<'a, str>,
    /// Which of the rules.
    pub(super) rule: usize,
    pub(super) pattern: &'a str,
}

/// The output so far.
pub(super) struct Page {
    /// The names of rules or filters.
    names: Vec<String>,
    paint: Paint,
    clock: Clock,
    rows: String,
    lines: u64,
    kinds: BTreeMap<Kind, u64>,
    /// Per rule, the counts of its patterns.
    patterns: Vec<BTreeMap<String, u64>>,
    addrs: Capped<IpAddr, u64>,
}

impl Page {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self {
            paint: Paint::on(&stdout()),
            clock: Clock::new(paint::moment),
            rows: String::new(),
            lines: 0,
            kinds: BTreeMap::new(),
            patterns: vec![BTreeMap::new(); names.len()],
            addrs: Capped::new(ADDRESSES),
            names,
        }
    }

    /// Takes note of whole lines that were read.
    pub(super) fn lines(&mut self, bytes: &[u8], last: bool) {
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.lines += u64::from(last && !bytes.ends_with(b"\n"));
    }

    /// A line that is understood and does not count.
    pub(super) fn other(&mut self, kind: Kind) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// A line that counts.
    pub(super) fn row(&mut self, row: &Row<'_>) {
        *self.kinds.entry(Kind::Failure).or_default() += 1;
        let patterns = &mut self.patterns[row.rule];
        match patterns.get_mut(row.pattern) {
            Some(n) => *n += 1,
            None => drop(patterns.insert(row.pattern.to_owned(), 1)),
        }
        if let Some(addr) = row.addr {
            *self.addrs.entry(addr).0 += 1;
        }
        let time = row.when.map_or("", |when| self.clock.show(when));
        let who = paint::safe(&row.who);
        let user = paint::safe(&row.user);
        let user = paint::shortened(&user, USER);
        let number = self.paint.style(paint::FAINT, &format!("{:>7}", row.number));
        let who = self.paint.style(paint::WHO, &format!("{who:<15}"));
        let name = format!("{}/{}", self.names[row.rule], row.pattern);
        let _ = writeln!(self.rows, "{number}  {time:<19}  {who}  {user:<USER$}  {name}");
    }

    /// Writes the rows so far.
    pub(super) fn write(&mut self, out: &mut impl Write) -> Result<(), Failure> {
        out.write_all(self.rows.as_bytes())?;
        out.flush()?;
        self.rows.clear();
        Ok(())
    }

    /// Writes the summary.
    pub(super) fn end(&self, out: &mut impl Write) -> Result<(), Failure> {
        Ok(out.write_all(self.summary().as_bytes())?)
    }

    fn summary(&self) -> String {
        let of = |kind| self.kinds.get(&kind).copied().unwrap_or(0);
        let counted = of(Kind::Failure);
        let mut out = String::new();
        if counted > 0 {
            out.push('\n');
        }
        let total = words::lines_counted(paint::number(counted), words::lines(self.lines));
        let _ = writeln!(out, "{}", self.paint.style(paint::HEAD, &total));
        let others: Vec<String> = [Kind::Success, Kind::Challenge, Kind::Neutral, Kind::End]
            .into_iter()
            .filter(|kind| of(*kind) > 0)
            .map(|kind| format!("{} {}", paint::number(of(kind)), words::kind(kind)))
            .collect();
        if !others.is_empty() {
            let _ = writeln!(out, "{}", words::also_understood(others.join(", ")));
        }
        let mut patterns: Vec<(u64, String)> = Vec::new();
        for (rule, counts) in self.names.iter().zip(&self.patterns) {
            patterns.extend(counts.iter().map(|(id, n)| (*n, format!("{rule}/{id}"))));
        }
        patterns.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.list(&mut out, &words::by_pattern(), patterns, anstyle::Style::new());
        let mut addrs: Vec<(u64, IpAddr)> =
            self.addrs.iter().map(|(addr, n)| (*n, *addr)).collect();
        addrs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let head = words::by_address(words::addresses(addrs.len() as u64));
        addrs.truncate(TOP);
        let addrs = addrs.into_iter().map(|(n, addr)| (n, addr.to_string())).collect();
        self.list(&mut out, &head, addrs, paint::WHO);
        out
    }

    fn list(
        &self,
        out: &mut String,
        head: &str,
        counts: Vec<(u64, String)>,
        style: anstyle::Style,
    ) {
        if counts.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{}", self.paint.style(paint::HEAD, head));
        let rows: Vec<Vec<String>> =
            counts.into_iter().map(|(n, what)| vec![paint::number(n), what]).collect();
        let columns = [Column::right(""), Column::left("", style)];
        for row in paint::table(self.paint, &columns, &rows).lines() {
            let _ = writeln!(out, "  {row}");
        }
    }
}
