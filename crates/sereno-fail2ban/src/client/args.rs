//! The options of `fail2ban-client` and `fail2ban-server`.
//!
//! They are cut as `getopt(3)` of POSIX does it: `-xf`, `-sPATH` or `-s PATH`, `--sock=PATH` with
//! long names shortened as far as they stay clear, and everything from the first word on that is
//! no option belongs to the command.

use super::usage;
use super::{FAILED, Printed};
use crate::VERSION;
use crate::time;

/// Which of the two programs is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `fail2ban-client`.
    Client,
    /// `fail2ban-server`: without words, it starts.
    Server,
}

impl Program {
    /// The program of a name, or of a path that ends in it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.rsplit('/').next()? {
            "fail2ban-client" => Some(Self::Client),
            "fail2ban-server" => Some(Self::Server),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "fail2ban-client",
            Self::Server => "fail2ban-server",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// By which name.
    pub program: Program,
    /// `-c`: the configuration's directory.
    pub conf: Option<String>,
    /// `-s`: the socket.
    pub socket: Option<String>,
    /// `-p`.
    pub pidfile: Option<String>,
    /// `--pname`.
    pub pname: Option<String>,
    /// `--loglevel`.
    pub loglevel: Option<String>,
    /// `--logtarget`.
    pub logtarget: Option<String>,
    /// `--syslogsocket`.
    pub syslogsocket: Option<String>,
    /// `-d`, `--dp`: print the configuration; prettily if true.
    pub dump: Option<bool>,
    /// `-t`: test the configuration.
    pub test: bool,
    /// `-i`: commands come from standard input.
    pub interactive: bool,
    /// `-v` and `-q`: how much is said; 1 is usual.
    pub verbose: i32,
    /// `-x`: start even if there is a socket.
    pub force: bool,
    /// `-b`, `-f`: whether the server leaves the terminal.
    pub background: bool,
    /// `--timeout`: how long to wait for the server, in seconds.
    pub timeout: f64,
    /// The command's words.
    pub words: Vec<String>,
}

impl Invocation {
    /// The directory of the configuration, where none is named.
    pub const CONF: &str = "/etc/fail2ban";

    fn new(program: Program) -> Self {
        Self {
            program,
            conf: None,
            socket: None,
            pidfile: None,
            pname: None,
            loglevel: None,
            logtarget: None,
            syslogsocket: None,
            dump: None,
            test: false,
            interactive: false,
            verbose: 1,
            force: false,
            background: true,
            timeout: 30.0,
            words: Vec::new(),
        }
    }

    /// Whether the server is to be started: by its own name without a command, or by `start`.
    #[must_use]
    pub fn starts(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match (self.interactive, words.as_slice()) {
            (false, []) => self.program == Program::Server,
            (_, words) => words == ["start"],
        }
    }
}

/// Long options, and whether they have a value.
const LONG: [(&str, bool); 14] = [
    ("loglevel", true),
    ("logtarget", true),
    ("syslogsocket", true),
    ("test", false),
    ("async", false),
    ("conf", true),
    ("pidfile", true),
    ("pname", true),
    ("socket", true),
    ("timeout", true),
    ("str2sec", true),
    ("help", false),
    ("version", false),
    ("dp", false),
];

/// Reads the words behind the program's name.
///
/// # Errors
/// What is printed, if there is nothing else to do: for `--help`, `--version` and such, and for
/// wrong usage.
pub fn read(program: Program, args: &[String]) -> Result<Invocation, Printed> {
    let Some((options, words)) = cut(args) else {
        return Err(failed(program, usage::text(program)));
    };
    let mut all = Invocation::new(program);
    for (option, value) in options {
        set(&mut all, &option, value)?;
    }
    if let Some(level) = &all.loglevel
        && let Err(why) = super::set::level(level)
    {
        // The level is repeated as it was written.
        let why = why.replace(&level.to_uppercase(), level);
        return Err(failed(program, format!("ERROR: {why}\n")));
    }
    if words.is_empty() && program == Program::Client && !all.does_something() {
        return Err(Printed { out: usage::text(program), err: String::new(), code: FAILED });
    }
    all.words = words;
    Ok(all)
}

impl Invocation {
    fn does_something(&self) -> bool {
        self.dump.is_some() || self.test || self.interactive
    }
}

fn failed(program: Program, out: String) -> Printed {
    let err = match program {
        Program::Client => "Init of command line failed\n".to_owned(),
        Program::Server => String::new(),
    };
    Printed { out, err, code: FAILED }
}

fn said(out: String) -> Printed {
    Printed { out, ..Printed::default() }
}

type Options = Vec<(String, String)>;

/// Options with their values, and the words behind them; `None` if they are wrong.
fn cut(args: &[String]) -> Option<(Options, Vec<String>)> {
    let mut options = Vec::new();
    let mut rest = args.iter();
    loop {
        let before = rest.clone();
        let Some(arg) = rest.next() else { return Some((options, Vec::new())) };
        if arg == "--" {
            return Some((options, rest.cloned().collect()));
        }
        if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let (name, valued) = named(name)?;
            let value = match (valued, value) {
                (true, Some(value)) => value,
                (true, None) => rest.next()?.clone(),
                (false, None) => String::new(),
                (false, Some(_)) => return None,
            };
            options.push((format!("--{name}"), value));
        } else if let Some(short) = arg.strip_prefix('-').filter(|short| !short.is_empty()) {
            let mut chars = short.chars();
            while let Some(c) = chars.next() {
                if !"hc:s:p:xfbdtviqV".contains(c) || c == ':' {
                    return None;
                }
                let mut value = String::new();
                if matches!(c, 'c' | 's' | 'p') {
                    let glued: String = chars.by_ref().collect();
                    value = if glued.is_empty() { rest.next()?.clone() } else { glued };
                }
                options.push((format!("-{c}"), value));
            }
        } else {
            return Some((options, before.cloned().collect()));
        }
    }
}

/// The long option that a name is, or is the beginning of.
fn named(name: &str) -> Option<(&'static str, bool)> {
    let all = || LONG.into_iter().chain([("dump-pretty", false)]);
    let mut begin = all().filter(|(known, _)| known.starts_with(name));
    let exact = all().find(|(known, _)| *known == name);
    let (first, second) = (begin.next(), begin.next());
    exact.or(if second.is_none() { first } else { None })
}

fn set(all: &mut Invocation, option: &str, value: String) -> Result<(), Printed> {
    match option {
        "-c" | "--conf" => all.conf = Some(value),
        "-s" | "--socket" => all.socket = Some(value),
        "-p" | "--pidfile" => all.pidfile = Some(value),
        "--pname" => all.pname = Some(value),
        "--loglevel" => all.loglevel = Some(value),
        "--logtarget" => all.logtarget = Some(value),
        "--syslogsocket" => all.syslogsocket = Some(value),
        "-d" => all.dump = Some(false),
        "--dp" | "--dump-pretty" => all.dump = Some(true),
        "-t" | "--test" => all.test = true,
        "-v" => all.verbose = all.verbose.saturating_add(1),
        "-q" => all.verbose = all.verbose.saturating_sub(1),
        "-x" => all.force = true,
        "-i" => all.interactive = true,
        "-b" => all.background = true,
        "-f" => all.background = false,
        "--timeout" => all.timeout = seconds(all.program, &value)?,
        "--str2sec" => {
            let seconds = seconds(all.program, &value)?;
            let shown =
                if is_float(&value) { format!("{seconds:?}") } else { format!("{seconds}") };
            return Err(said(shown + "\n"));
        }
        "-h" | "--help" => return Err(said(usage::text(all.program))),
        "-V" => return Err(said(format!("{VERSION}\n"))),
        "--version" => return Err(said(format!("Fail2Ban v{VERSION}\n"))),
        // Of `--async` nothing is left to do.
        _ => {}
    }
    Ok(())
}

fn seconds(program: Program, text: &str) -> Result<f64, Printed> {
    let wrong = |error: time::TimeError| {
        let text = super::refusal::quoted(text);
        let message = format!("ERROR: {text} is no length of time: {}\n", error.message);
        failed(program, message)
    };
    time::seconds(text).map_err(wrong)
}

/// Whether Python has a fraction for a length of time: months and years are ones.
fn is_float(text: &str) -> bool {
    let text = text.split('#').next().unwrap_or("").to_lowercase();
    let units = ["mo", "mon", "month", "months", "y", "yy", "ye", "yea", "year", "years"];
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    text.contains(['.', '/']) || words.any(|word| units.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(args: &[&str]) -> Result<Invocation, Printed> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        read(Program::Client, &args)
    }

    #[test]
    fn options_are_cut() {
        let all = client(&["-xfs/run/s", "-c", "/c", "--logt=x", "-vv", "--dp", "status", "-q"]);
        let all = all.unwrap();
        assert_eq!(
            (all.force, all.background, all.verbose, all.dump),
            (true, false, 3, Some(true))
        );
        let socket = all.socket.as_deref();
        assert_eq!((socket, all.conf.as_deref()), (Some("/run/s"), Some("/c")));
        assert_eq!(
            (all.logtarget.as_deref(), all.words.join(" ")),
            (Some("x"), "status -q".into())
        );
        assert_eq!(client(&["--", "-x"]).unwrap().words, ["-x"]);
        assert_eq!(client(&["-", "x"]).unwrap().words, ["-", "x"]);
        assert!(client(&["start"]).unwrap().starts() && !client(&["-t"]).unwrap().starts());
        assert!(read(Program::Server, &[]).unwrap().starts());
    }

    #[test]
    fn wrong_ones_show_the_usage() {
        for args in [
            &["-z"][..],
            &["-Vz"],
            &["-:"],
            &["--log", "x"],
            &["--s", "x"],
            &["--nothing"],
            &["--conf"],
            &["-c"],
            &["--test=1"],
        ] {
            let printed = client(args).unwrap_err();
            assert_eq!(printed.code, FAILED, "{args:?}");
            assert!(printed.out.starts_with("Usage: fail2ban-client "), "{args:?}");
            assert_eq!(printed.err, "Init of command line failed\n", "{args:?}");
        }
        assert_eq!(client(&[]).unwrap_err().err, "");
    }

    #[test]
    fn some_are_answered_at_once() {
        for (args, out) in [
            (&["-V"][..], "1.0.2\n"),
            (&["-dvV", "x"], "1.0.2\n"),
            (&["--version"], "Fail2Ban v1.0.2\n"),
            (&["--str2sec", "1d12h"], "129600\n"),
            (&["--str2sec=1mo"], "2629800.0\n"),
            (&["--str2sec", "-1"], "-1\n"),
        ] {
            let expected = Printed { out: out.to_owned(), ..Printed::default() };
            assert_eq!(client(args), Err(expected), "{args:?}");
        }
        let wrong = client(&["--loglevel", "foo", "ping"]).unwrap_err();
        assert_eq!(wrong.out, "ERROR: Invalid log level 'foo'\n");
        assert_eq!(client(&["--str2sec", "x"]).unwrap_err().code, FAILED);
    }
}
