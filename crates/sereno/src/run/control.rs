//! The control socket: clients ask, the program answers, nobody can make it wait or swell.

use crate::cli::failure::reason;
use crate::words;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use sereno_config::Lang;
use sereno_core::ledger::Ban;
use sereno_wire::control::{Ask, Moment, Reply, Request, VERSION};
use sereno_wire::frame::{Frames, REQUEST_CAP, frame};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Clients at once.
const CLIENTS: usize = 64;
/// Requests of one client answered in one round.
const AT_ONCE: usize = 64;
/// Bans in one frame, and bytes waiting below which the next frame is made.
const BANS: usize = 500;
const LOW: usize = 256 << 10;
/// Bytes that may wait for a client that does not read.
const BACKLOG: usize = 16 << 20;
/// Tokens of clients start here.
pub const FIRST: usize = 1000;

/// The socket and its clients.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    is_own: bool,
    listener: UnixListener,
    clients: BTreeMap<usize, Client>,
    next: usize,
    /// Clients that may have said more than was read.
    ready: Vec<usize>,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    frames: Frames,
    out: Vec<u8>,
    /// Bans still to be sent, from the end.
    bans: Option<Vec<Ban>>,
    /// Why these are not enforced, when none is.
    observing: Option<String>,
    watching: bool,
    /// The language of the last request.
    lang: Lang,
    closing: bool,
    /// Whether he is root, or who we are; otherwise he is of the group.
    trusted: bool,
}

impl Control {
    /// Listens at `path`; the group `group` (by number) may connect, besides root and ourselves.
    /// Who may not give it away to that group keeps it to himself: see [`Control::is_own`].
    ///
    /// # Errors
    /// When somebody listens there already, or the socket cannot be made.
    pub fn listen(path: &Path, group: Option<u32>) -> io::Result<Self> {
        Self::make(path, group).map_err(|e| match e.raw_os_error() {
            Some(_) => {
                let why = words::no_socket(path.display(), reason(&e));
                io::Error::new(e.kind(), why)
            }
            None => e,
        })
    }

    fn make(path: &Path, group: Option<u32>) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            let why = words::another_listens(path.display());
            return Err(io::Error::new(ErrorKind::AddrInUse, why));
        }
        match std::fs::symlink_metadata(path) {
            Ok(meta) if !std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()) => {
                let why = words::is_no_socket(path.display());
                return Err(io::Error::new(ErrorKind::AlreadyExists, why));
            }
            Ok(_) => std::fs::remove_file(path)?,
            Err(_) => {}
        }
        // Made under a name of its own and renamed, so that nobody connects before the
        // permissions are right.
        let made = path.with_extension("new");
        let _ = std::fs::remove_file(&made);
        let listener = UnixListener::bind(&made)?;
        let given = match group.map(|group| std::os::unix::fs::chown(&made, None, Some(group))) {
            Some(Err(e)) if e.kind() != ErrorKind::PermissionDenied => return Err(e),
            given => given.is_some_and(|given| given.is_ok()),
        };
        let mode = if given { 0o660 } else { 0o600 };
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(mode))?;
        std::fs::rename(&made, path)?;
        Ok(Self {
            path: path.to_owned(),
            is_own: !given,
            listener,
            clients: BTreeMap::new(),
            next: FIRST,
            ready: Vec::new(),
        })
    }

    /// Whether only root and this user may connect.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// The listening socket, to be registered.
    pub fn listener(&mut self) -> &mut UnixListener {
        &mut self.listener
    }

    /// Takes in whoever waits at the door.
    pub fn accept(&mut self, registry: &Registry) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            if self.clients.len() >= CLIENTS {
                continue;
            }
            let token = self.next;
            self.next = self.next.checked_add(1).unwrap_or(FIRST);
            let trusted = is_trusted(&stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if registry.register(&mut stream, Token(token), interest).is_ok() {
                let frames = Frames::new(REQUEST_CAP);
                let client = Client {
                    stream,
                    frames,
                    out: Vec::new(),
                    bans: None,
                    observing: None,
                    watching: false,
                    lang: Lang::English,
                    closing: false,
                    trusted,
                };
                self.clients.insert(token, client);
            }
        }
    }

    /// Reads what a client says; gives its requests, and the language of each.
    pub fn read(&mut self, token: usize) -> Vec<(Lang, Ask)> {
        let Some(client) = self.clients.get_mut(&token) else { return Vec::new() };
        let mut asked = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match client.stream.read(&mut chunk) {
                Ok(0) => {
                    client.closing = true;
                    break;
                }
                Ok(read) => client.frames.push(&chunk[..read]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.clients.remove(&token);
                    return Vec::new();
                }
            }
            // Cut after every piece, so that no more than a frame is ever kept.
            loop {
                match client.frames.take::<Request>() {
                    Ok(Some(request)) => {
                        client.lang = words::by_tag(&request.lang);
                        if request.v == VERSION {
                            asked.push((client.lang, request.ask));
                        } else {
                            client.refuse(&words::to(client.lang, words::other_version));
                        }
                    }
                    Ok(None) => break,
                    Err(why) => {
                        client.refuse(&why);
                        client.closing = true;
                        break;
                    }
                }
            }
            if client.closing {
                break;
            }
            if asked.len() >= AT_ONCE {
                self.ready.push(token);
                break;
            }
        }
        asked
    }

    /// Whether a client could do by himself what he asks for: he is root, or who we are.
    #[must_use]
    pub fn trusts(&self, token: usize) -> bool {
        self.clients.get(&token).is_some_and(|client| client.trusted)
    }

    /// Queues an answer.
    pub fn answer(&mut self, token: usize, reply: &Reply) {
        if let Some(client) = self.clients.get_mut(&token) {
            client.queue(reply);
        }
    }

    /// Sends a list of bans as fast as the client takes it.
    /// `observing` is why none of them is enforced, when none is.
    pub fn answer_bans(&mut self, token: usize, mut bans: Vec<Ban>, observing: Option<String>) {
        if let Some(client) = self.clients.get_mut(&token) {
            bans.reverse();
            client.bans = Some(bans);
            client.observing = observing;
        }
    }

    /// Clients that have more to say.
    pub fn take_ready(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ready)
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Makes a client one that watches.
    pub fn watch(&mut self, token: usize) {
        if let Some(client) = self.clients.get_mut(&token) {
            client.watching = true;
        }
    }

    /// Whether anybody watches.
    #[must_use]
    pub fn watched(&self) -> bool {
        self.clients.values().any(|client| client.watching)
    }

    /// Tells everybody who watches, each in his language.
    pub fn tell(&mut self, moment: impl Fn() -> Moment) {
        for client in self.clients.values_mut().filter(|client| client.watching) {
            // A watcher that does not keep up misses events; he cannot hold anything up.
            if client.out.len() < BACKLOG / 16 {
                client.queue(&Reply::Event(words::to(client.lang, &moment)));
            }
        }
    }

    /// Writes what waits, and lets go of clients that are done.
    pub fn flush(&mut self) {
        self.clients.retain(|_, client| client.flush());
    }
}

/// Whether the other end is root's, or of this user.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid.is_root() || peer.uid == own)
}

impl Client {
    fn queue(&mut self, reply: &Reply) {
        match frame(reply) {
            Ok(bytes) => self.out.extend_from_slice(&bytes),
            Err(why) => self.refuse(&why),
        }
        self.closing |= self.out.len() > BACKLOG;
    }

    fn refuse(&mut self, why: &str) {
        if let Ok(bytes) = frame(&Reply::Refused { why: why.to_owned() }) {
            self.out.extend_from_slice(&bytes);
        }
    }

    /// Makes the next frames of a list that is being sent.
    fn feed(&mut self) {
        while self.out.len() < LOW
            && let Some(mut left) = self.bans.take()
        {
            let some = left.split_off(left.len().saturating_sub(BANS));
            let more = !left.is_empty();
            let (bans, observing) = (some.into_iter().rev().collect(), self.observing.clone());
            self.queue(&Reply::Bans { bans, more, observing });
            self.bans = more.then_some(left);
        }
    }

    /// Whether the client stays.
    fn flush(&mut self) -> bool {
        loop {
            self.feed();
            if !self.send() {
                return false;
            }
            if self.bans.is_none() || self.out.len() >= LOW {
                break;
            }
        }
        !(self.closing && self.out.is_empty()) && self.out.len() <= BACKLOG
    }

    /// Writes what waits; `false` when the client is gone.
    fn send(&mut self) -> bool {
        let mut sent = 0;
        while sent < self.out.len() {
            match self.stream.write(&self.out[sent..]) {
                Ok(0) => return false,
                Ok(written) => sent += written,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.out.drain(..sent);
        true
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
