//! Lines that hold dates, or nearly.

/// A small generator, so that a failure comes again (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// A number written with or without what pads it; sometimes beyond what it may be.
    fn number(&mut self, least: usize, most: usize) -> String {
        let value = match self.below(40) {
            0 => most + 1 + self.below(9),
            1 => 0,
            _ => least + self.below(most - least + 1),
        };
        match self.below(12) {
            0 => format!("{value}"),
            1 => format!("{value:2}"),
            2 => format!("{value:03}"),
            _ => format!("{value:02}"),
        }
    }

    fn year(&mut self) -> String {
        match self.below(12) {
            0 => format!("{}", 1000 + self.below(9000)),
            1 => format!("{:02}", self.below(100)),
            _ => format!("{}", 2000 + self.below(31)),
        }
    }

    pub(crate) fn fill(&mut self, style: &str) -> String {
        let mut out = String::new();
        let mut chars = style.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let field = match chars.next().unwrap() {
                'Y' => self.year(),
                'y' => self.number(0, 99),
                'm' => self.number(1, 12),
                'd' => self.number(1, 31),
                'H' => self.number(0, 23),
                'I' => self.number(1, 12),
                'M' => self.number(0, 59),
                'S' => self.number(0, 59),
                'j' => self.number(1, 366),
                'U' => self.number(0, 53),
                'w' => format!("{}", self.below(8)),
                'b' => self
                    .one(&[
                        "Jan", "Feb", "Mar", "apr", "MAY", "Jun", "Jul", "Aug", "Sep", "Oct",
                        "Nov", "Dec", "Foo",
                    ])
                    .to_owned(),
                'B' => self.one(&["January", "may", "August", "sep"]).to_owned(),
                'a' => self.one(&["Mon", "tue", "SUN", "Sat", "Xyz"]).to_owned(),
                'A' => self.one(&["Monday", "sunday", "Fri"]).to_owned(),
                'p' => self.one(&["AM", "pm", "Pm", "xm"]).to_owned(),
                'z' => self
                    .one(&[
                        "Z", "UTC", "GMT", "+0100", "-05:00", "+02", "+1", "-0930", "+2500", "utc",
                        "Zulu", "+01:0", "+123",
                    ])
                    .to_owned(),
                'Z' => self
                    .one(&["CET", "PDT", "from", "Z", "UTC", "ABC", "NZST", "toolong", "A", "z"])
                    .to_owned(),
                'f' => {
                    let digits = 1 + self.below(8);
                    "1234567890"[..digits].to_owned()
                }
                'E' => format!("{}", 1_000_000_000 + self.below(1_500_000_000)),
                'X' => format!("@40000000{:08x}{:08x}", self.next() as u32, self.next() as u32),
                other => panic!("no field {other}"),
            };
            out.push_str(&field);
        }
        out
    }
}

/// The styles dates come in, fail2ban's and others that look like them.
pub(crate) const STYLES: [&str; 44] = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y/%m/%d %H:%M:%S",
    "%Y.%m.%d  %H:%M:%S,%f %z",
    "%Y-%m/%d %H:%M:%S",
    "%b %d %H:%M:%S",
    "%b %d %H:%M:%S",
    "%b %d %H:%M:%S.%f",
    "%b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S.%f %Y",
    "%a %b %d %Y %H:%M:%S",
    "%b %d %Y %H:%M:%S.%f",
    "%d/%m/%Y %H:%M:%S",
    "%d-%m-%y %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d-%b-%Y %H:%M:%S.%f",
    "%d-%b-%Y%H:%M:%S",
    "%m/%d/%Y:%H:%M:%S",
    "%m-%d-%Y %H:%M:%S.%f",
    "%E",
    "[%E]",
    "[%E.%f]",
    "%E.%f",
    "audit(%E.%f:123)",
    "audit(%E:1) ",
    "%E123456",
    "%H:%M:%S",
    "<%m/%d/%y@%H:%M:%S>",
    "%y%m%d %H:%M:%S",
    "%y%m%d  %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%b-%d-%y %H:%M:%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H%M%S.%f %z",
    "%Y%m%d  %H%M%S",
    "%Z %a %b %d %H:%M:%S",
    "%Z %b %d %H:%M:%S %Y",
    "%z %b %d %H:%M:%S",
    "%z %a %b %d %H:%M:%S.%f",
    "%X",
    "%y %U %A %H:%M:%S",
    "%Y-%j %H:%M:%S",
    "%B %d %I:%M:%S %p",
];

/// What stands around dates.
const WORDS: [&str; 26] = [
    "",
    " ",
    "  ",
    "[",
    "]",
    "#",
    "x",
    "_",
    "host sshd[12]: ",
    "10.0.0.1 - - [",
    "ü",
    "é ",
    "- ",
    " -- text",
    "::1:22:33 ",
    "fe80::1:2:3:4",
    "\t",
    "(",
    "<",
    "\u{a0}",
    "日本 ",
    "12",
    " 1:2:3 ",
    "date=\"",
    "\"",
    ": ",
];

/// A line with a date or two somewhere.
pub(crate) fn line(random: &mut Random, styles: &[&str]) -> String {
    let mut line = String::new();
    if random.below(4) == 0 {
        for _ in 0..random.below(3) {
            line.push_str(random.one(&WORDS));
        }
    }
    for _ in 0..1 + random.below(8) / 5 {
        let style = random.one(styles).to_owned();
        line.push_str(&random.fill(&style));
        for _ in 0..random.below(4) {
            line.push_str(random.one(&WORDS));
        }
    }
    if random.below(8) == 0 {
        mutate(random, &mut line);
    }
    line
}

/// Removes, doubles or replaces a character.
fn mutate(random: &mut Random, line: &mut String) {
    let places: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
    if places.is_empty() {
        return;
    }
    let at = places[random.below(places.len())];
    match random.below(3) {
        0 => drop(line.remove(at)),
        1 => line.insert_str(at, random.one(&WORDS)),
        _ => {
            line.remove(at);
            line.insert_str(at, random.one(&["0", "9", ":", " ", "/", "T", "a", "ö", "."]));
        }
    }
}
