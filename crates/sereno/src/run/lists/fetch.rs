//! What lists are made of, as files and from the web; and the last good copy of what came from there.

use super::place;
use crate::words;
use sereno_config::{ListConf, Origin};
use sereno_core::gate::list::{List, Skipped, Use, nobody, read};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Bytes of a source at most.
const LARGEST: u64 = 64 << 20;
/// Addresses of a name at most.
const ADDRESSES: usize = 64;
/// What curl may take for one, in seconds; and to reach anybody at all, or while less than a kilobyte
/// comes in a second.
const PATIENCE: (&str, &str) = ("120", "15");
/// The user that fetches, where that can be chosen: Debian's and Red Hat's nobody.
const NOBODY: u32 = 65_534;
/// What of the environment is passed on.
const PASSED: [&str; 8] = [
    "PATH",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// What was read of a list.
#[derive(Debug, Default)]
pub(super) struct Got {
    /// What each source says, and all countries and systems together behind them; `None` where it
    /// could not be had.
    pub(super) parts: Vec<Option<List>>,
    pub(super) skipped: Skipped,
    /// When the oldest of it was fetched.
    pub(super) at: Option<SystemTime>,
    /// What did not work, source by source.
    pub(super) problems: Vec<String>,
    /// Something is missing altogether.
    pub(super) partial: bool,
}

/// Reads all sources of a list. What the web does not give is taken from the last good copy in
/// `folder`; `web` says whether the web is asked at all.
pub(super) fn gather(conf: &ListConf, folder: &Path, web: bool) -> Got {
    let mut got = Got::default();
    let limit = Limit { most: conf.most, local: !matches!(conf.deed, Some((Use::Closes, _))) };
    for (number, origin) in conf.from.iter().enumerate() {
        let copy = folder.join(format!("{}.{number}", conf.name));
        let found = match origin {
            Origin::File(path) => file(path, limit).map(|found| (found, None)),
            // All of them at once, below.
            Origin::Country(_) | Origin::System(_) => {
                got.parts.push(Some(List::default()));
                continue;
            }
            // Asking takes time, as the web does.
            Origin::Name(_) if !web => Err(String::new()),
            Origin::Name(name) => look_up(name).map(|list| ((list, Skipped::default()), None)),
            Origin::Url(url) if web => match from_web(url, limit) {
                Ok(found) => {
                    if let Err(error) = keep(&copy, url, &found.0) {
                        got.problems.push(words::list_not_kept(copy.display(), error));
                    }
                    Ok((found, Some(SystemTime::now())))
                }
                Err(why) => {
                    got.problems.push(why);
                    kept(&copy, url).ok_or_else(String::new)
                }
            },
            Origin::Url(url) => kept(&copy, url).ok_or_else(String::new),
        };
        match found {
            Ok(((list, skipped), at)) => {
                got.parts.push(Some(list));
                add(&mut got.skipped, skipped);
                got.at = [got.at, at].into_iter().flatten().min();
            }
            Err(why) => {
                got.parts.push(None);
                got.problems.extend(Some(why).filter(|why| !why.is_empty()));
            }
        }
    }
    let places = place::networks(conf).map(|list| limit.leave(&list));
    got.problems.extend(places.as_ref().err().cloned());
    got.parts.push(places.ok());
    got.partial = got.parts.iter().any(Option::is_none);
    got
}

fn add(all: &mut Skipped, one: Skipped) {
    if all.unknown == 0 {
        all.first = one.first;
    }
    all.unknown += one.unknown;
    all.wide += one.wide;
    all.nobody += one.nobody;
}

type Found = (List, Skipped);

/// What is read at most, and whether it may be addresses of the own house.
#[derive(Clone, Copy)]
struct Limit {
    most: usize,
    local: bool,
}

impl Limit {
    fn read(self, text: &str) -> Result<Found, String> {
        read(text, self.most, self.local)
    }
}

impl Limit {
    /// A list without what no list shuts out.
    fn leave(self, list: &List) -> List {
        if self.local { list.clone() } else { list.without(&nobody()) }
    }
}

/// The addresses of a name, as the machine looks names up.
fn look_up(name: &str) -> Result<List, String> {
    let found = (name, 0).to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
    Ok(found.take(ADDRESSES).map(|found| (found.ip(), found.ip())).collect())
}

/// Bytes up to the largest; bytes that are no text are unknown characters.
fn whole(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            words::list_too_large(LARGEST >> 20),
        ));
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

fn file(path: &Path, limit: Limit) -> Result<Found, String> {
    let told = |why: String| format!("{}: {why}", path.display());
    // A pipe would never end, and somebody may put one there at any moment.
    let flags =
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let open = rustix::fs::open(path, flags, rustix::fs::Mode::empty());
    let open = File::from(open.map_err(|error| told(error.to_string()))?);
    if !open.metadata().is_ok_and(|about| about.is_file()) {
        return Err(told(words::list_no_file()));
    }
    let text = whole(open).map_err(|error| told(error.to_string()))?;
    limit.read(&text).map_err(told)
}

/// When a file was changed, and how long it is.
pub(super) fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Asks by curl: it speaks TLS with the machine's own certificates, and does so as nobody.
fn from_web(url: &str, limit: Limit) -> Result<Found, String> {
    let told = |why: String| format!("{url}: {why}");
    // Who was asked so that nobody could change the answer is not left for others.
    let safe = url.starts_with("https:");
    let mut curl = Command::new("curl");
    curl.args(["-q", "--silent", "--show-error", "--fail", "--location", "--max-redirs", "5"])
        .args([
            "--proto",
            "=https,http",
            "--proto-redir",
            if safe { "=https" } else { "=https,http" },
        ])
        .args(["--max-time", PATIENCE.0, "--connect-timeout", PATIENCE.1])
        .args(["--speed-limit", "1000", "--speed-time", PATIENCE.1])
        .args(["--compressed", "--user-agent", "sereno", "--url", url])
        .env_clear()
        .envs(PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        curl.gid(NOBODY).uid(NOBODY);
    }
    let mut child = curl.spawn().map_err(|error| told(words::list_no_curl(error)))?;
    let text = child.stdout.take().map_or_else(|| Ok(String::new()), whole);
    if text.is_err() {
        let _ = child.kill();
    }
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(1000).read_to_string(&mut said);
    }
    let ended = child.wait().map_err(|error| told(error.to_string()))?;
    let text = text.map_err(|error| told(error.to_string()))?;
    if !ended.success() {
        return Err(told(said.lines().next().unwrap_or("curl failed").to_owned()));
    }
    let found = limit.read(&text).map_err(told)?;
    // Nobody is bad today, or the page is empty: who reads it every day would rather ask.
    if found.0.is_empty() { Err(told(words::list_empty())) } else { Ok(found) }
}

/// Writes what was fetched, for the time when it cannot be.
fn keep(path: &Path, url: &str, list: &List) -> io::Result<()> {
    let mut text = format!("# {url}\n");
    for (first, last) in list.ranges() {
        text.push_str(&format!("{first}-{last}\n"));
    }
    let fresh: PathBuf = path.with_extension("new");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path)
}

/// The last good copy of what came from there, and when that was.
fn kept(path: &Path, url: &str) -> Option<(Found, Option<SystemTime>)> {
    let text = File::open(path).and_then(whole).ok()?;
    let mut lines = text.lines();
    let ours = lines.next()?.strip_prefix("# ")? == url;
    // What was taken then is taken now: networks that touch may be wide together.
    let range = |line: &str| -> Option<(IpAddr, IpAddr)> {
        let (first, last) = line.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let list: List = lines.map(range).collect::<Option<List>>().filter(|_| ours)?;
    let at = stamp(path).map(|(at, _)| at);
    Some(((list, Skipped::default()), at))
}

/// How long ago something was; nothing if the clock was set back.
pub(super) fn age(at: SystemTime) -> Duration {
    at.elapsed().unwrap_or_default()
}
