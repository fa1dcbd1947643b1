//! The options of `fail2ban-regex`, cut as Python's `optparse` does it: options and words in any
//! order, `-ov` and `-o v`, `--out=v` and `--out v`, long names shortened as far as they stay clear.

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) config: String,
    pub(super) datepattern: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) encoding: Option<String>,
    /// Names stay names.
    pub(super) raw: bool,
    pub(super) usedns: Option<String>,
    pub(super) journalmatch: Option<String>,
    pub(super) maxlines: u32,
    /// Try only up to the first expression that matches.
    pub(super) first: bool,
    pub(super) verbose: i64,
    pub(super) verbose_date: bool,
    pub(super) debuggex: bool,
    /// What to print of each failure, and nothing else.
    pub(super) out: Option<String>,
    pub(super) no_missed: bool,
    pub(super) no_ignored: bool,
    pub(super) all_matched: bool,
    pub(super) all_missed: bool,
    pub(super) all_ignored: bool,
    /// The log, the expression, and perhaps what to ignore.
    pub(super) words: Vec<String>,
}

/// Why nothing is to be done.
pub(super) enum Stop {
    /// Print the help.
    Help,
    /// Print the version, and whether by itself.
    Version { short: bool },
    /// What is wrong with an option.
    Wrong(String),
}

/// The names of options, and whether a value follows.
const NAMES: [(&str, bool); 36] = [
    ("-c", true),
    ("--config", true),
    ("-d", true),
    ("--datepattern", true),
    ("--timezone", true),
    ("--TZ", true),
    ("-e", true),
    ("--encoding", true),
    ("-r", false),
    ("--raw", false),
    ("--usedns", true),
    ("-L", true),
    ("--maxlines", true),
    ("-m", true),
    ("--journalmatch", true),
    ("-l", true),
    ("--log-level", true),
    ("-V", false),
    ("-v", false),
    ("--verbose", false),
    ("--verbosity", true),
    ("--verbose-date", false),
    ("--VD", false),
    ("-D", false),
    ("--debuggex", false),
    ("--no-check-all", false),
    ("-o", true),
    ("--out", true),
    ("--print-no-missed", false),
    ("--print-no-ignored", false),
    ("--print-all-matched", false),
    ("--print-all-missed", false),
    ("--print-all-ignored", false),
    ("-t", false),
    ("--log-traceback", false),
    ("--full-traceback", false),
];

/// Reads the words behind the program's name.
pub(super) fn read(args: &[String]) -> Result<Options, Stop> {
    let mut options = Options { config: "/etc/fail2ban".to_owned(), ..Options::default() };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            options.words.extend(rest.by_ref().cloned());
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let (name, takes) = long_name(&format!("--{name}"))?;
            let value = match (takes, value) {
                (true, None) => rest.next().cloned(),
                (false, Some(_)) => return wrong(format!("{name} option does not take a value")),
                (_, value) => value,
            };
            options.set(name, takes, value)?;
        } else if arg.len() > 1 && arg.starts_with('-') {
            options.cluster(&arg[1..], &mut rest)?;
        } else {
            options.words.push(arg.clone());
        }
    }
    Ok(options)
}

fn wrong<T>(message: String) -> Result<T, Stop> {
    Err(Stop::Wrong(message))
}

/// The option that a long name, perhaps a shortened one, means.
fn long_name(written: &str) -> Result<(&'static str, bool), Stop> {
    let ours = [("--version", false), ("--help", false)];
    let all = NAMES.iter().chain(&ours);
    let mut found: Vec<_> = all.filter(|(name, _)| name.starts_with(written)).collect();
    found.retain(|(name, _)| name.starts_with("--"));
    if let Some(exact) = found.iter().find(|(name, _)| *name == written) {
        return Ok(**exact);
    }
    match found.as_slice() {
        [one] => Ok(**one),
        [] => wrong(format!("no such option: {written}")),
        several => {
            let mut names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            wrong(format!("ambiguous option: {written} ({}?)", names.join(", ")))
        }
    }
}

impl Options {
    /// Options of one letter each, behind one dash.
    fn cluster(
        &mut self,
        letters: &str,
        rest: &mut std::slice::Iter<'_, String>,
    ) -> Result<(), Stop> {
        for (at, letter) in letters.char_indices() {
            let name = format!("-{letter}");
            if letter == 'h' {
                return Err(Stop::Help);
            }
            let Some((name, takes)) = NAMES.iter().find(|(known, _)| *known == name) else {
                return wrong(format!("no such option: {name}"));
            };
            let behind = &letters[at + letter.len_utf8()..];
            if *takes {
                let own = Some(behind.to_owned()).filter(|behind| !behind.is_empty());
                return self.set(name, true, own.or_else(|| rest.next().cloned()));
            }
            self.set(name, false, None)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, takes: bool, value: Option<String>) -> Result<(), Stop> {
        let value = match value {
            None if takes => return wrong(format!("{name} option requires 1 argument")),
            value => value.unwrap_or_default(),
        };
        match name {
            "-c" | "--config" => self.config = value,
            "-d" | "--datepattern" => self.datepattern = Some(value),
            "--timezone" | "--TZ" => self.timezone = Some(value),
            "-e" | "--encoding" => self.encoding = Some(value),
            "-r" | "--raw" => self.raw = true,
            "--usedns" => self.usedns = Some(value),
            "-L" | "--maxlines" => self.maxlines = number(name, &value)?,
            "--no-check-all" => self.first = true,
            "-v" | "--verbose" => self.verbose += 1,
            "--verbosity" => self.verbose = number(name, &value)?,
            "--verbose-date" | "--VD" => self.verbose_date = true,
            "-D" | "--debuggex" => self.debuggex = true,
            "-o" | "--out" => self.out = Some(value).filter(|value| !value.is_empty()),
            "--print-no-missed" => self.no_missed = true,
            "--print-no-ignored" => self.no_ignored = true,
            "--print-all-matched" => self.all_matched = true,
            "--print-all-missed" => self.all_missed = true,
            "--print-all-ignored" => self.all_ignored = true,
            "--help" => return Err(Stop::Help),
            "--version" => return Err(Stop::Version { short: false }),
            "-V" => return Err(Stop::Version { short: true }),
            "-m" | "--journalmatch" => self.journalmatch = Some(value),
            // What is said while it works: there is no log here.
            _ => {}
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Stop> {
    value
        .trim()
        .parse()
        .map_err(|_| Stop::Wrong(format!("option {name}: invalid integer value: '{value}'")))
}
