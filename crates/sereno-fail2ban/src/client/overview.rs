//! All jails at once, as release 1.1 shows them: `status --all`, `statistics`.

use super::answer::jail_status;
use super::command::Flavor;
use super::view::{Host, JailView};

/// `status --all [FLAVOR]`.
pub(crate) fn status(host: &dyn Host, flavor: Flavor) -> String {
    let jails = sorted(host);
    let names: Vec<&str> = jails.iter().map(|(name, _)| name.as_str()).collect();
    let (count, list) = (names.len(), names.join(", "));
    let mut text = format!("Status\n|- Number of jail:\t{count}\n");
    if jails.is_empty() {
        return text + "`- Jail list:\t";
    }
    text += &format!("|- Jail list:\t{list}\n`- Status for the jails:");
    for (at, (name, view)) in jails.iter().enumerate() {
        let (mark, indent) = if at + 1 == count { ("`-", "   ") } else { ("|-", "|  ") };
        text += &format!("\n   {mark} Jail: {name}");
        let bans = if flavor == Flavor::Short { Vec::new() } else { host.bans(name) };
        let own = jail_status(name, view, &bans, flavor);
        for line in own.lines().skip(1) {
            text += &format!("\n   {indent}{line}");
        }
    }
    text
}

/// `statistics`: a table.
pub(crate) fn statistics(host: &dyn Host) -> String {
    let jails = sorted(host);
    if jails.is_empty() {
        return "No jails found.".to_owned();
    }
    let row = |(name, view): &(String, JailView)| {
        let counts = [view.failed, view.failed_total, view.banned, view.banned_total];
        let counts = counts.iter().map(ToString::to_string);
        [name.clone(), view.backend.clone()].into_iter().chain(counts).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = jails.iter().map(row).collect();
    let heads = ["", "", "cur", "tot", "cur", "tot"].map(str::to_owned).to_vec();
    let wide = |column: usize, least: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(least)
    };
    let widths: Vec<usize> =
        [8, 8, 3, 3, 3, 3].iter().enumerate().map(|(n, w)| wide(n, *w)).collect();
    let line = |cells: &[String]| {
        let mut text = String::new();
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let (between, padded) = match at {
                0 => (" ", format!("{cell:<width$}")),
                1 => (" ║ ", format!("{cell:<width$}")),
                2 | 4 => (" ║ ", format!("{cell:>width$}")),
                _ => (" │ ", format!("{cell:>width$}")),
            };
            text += between;
            text += &padded;
        }
        text
    };
    // Four columns, two of which are two.
    let width = |at: usize| widths.get(at).copied().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let (third, fourth) = (width(2) + width(3) + 3, width(4) + width(5) + 3);
    let rule = |sign: &str, cross: &str| {
        let parts = [first, second, third, fourth].map(|width| sign.repeat(width + 2));
        parts.join(cross)
    };
    let top =
        format!(" {:first$} ║ {:second$} ║ {:<third$} ║ {:<fourth$}", "", "", "Filter", "Actions");
    let parts = [third, fourth].map(|width| "─".repeat(width + 2));
    let middle = format!(" {:<first$} ║ {:<second$} ╟{}", "Jail", "Backend", parts.join("╫"));
    let mut lines = vec![top, middle, line(&heads), rule("═", "╬")];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.push(rule("═", "╩"));
    lines.join("\n")
}

fn sorted(host: &dyn Host) -> Vec<(String, JailView)> {
    let names = host.jails().into_iter();
    let mut all: Vec<_> =
        names.filter_map(|name| Some((name.clone(), host.jail(&name)?))).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}
