//! Signals as something to wait for.

use mio::Interest;
use mio::net::UnixStream;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use std::io::{self, Read};

/// One pipe for each signal.
pub(super) struct Signals {
    pipes: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// Listens for the end, for reloads, and for logs that were moved away.
    pub(super) fn new() -> io::Result<Self> {
        let mut pipes = Vec::new();
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] {
            let (read, write) = std::os::unix::net::UnixStream::pair()?;
            read.set_nonblocking(true)?;
            write.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, write)?;
            pipes.push((signal, UnixStream::from_std(read)));
        }
        Ok(Self { pipes })
    }

    /// Adds the pipes to what is waited for.
    pub(super) fn register(&mut self, poll: &mio::Poll) -> io::Result<()> {
        for (_, pipe) in &mut self.pipes {
            poll.registry().register(pipe, super::guard::SIGNALS, Interest::READABLE)?;
        }
        Ok(())
    }

    /// The first signal that came since the last call.
    pub(super) fn take(&mut self) -> Option<i32> {
        let mut seen = None;
        let mut chunk = [0; 64];
        for (signal, pipe) in &mut self.pipes {
            while let Ok(read) = pipe.read(&mut chunk) {
                if read == 0 {
                    break;
                }
                seen = seen.or(Some(*signal));
            }
        }
        seen
    }
}
