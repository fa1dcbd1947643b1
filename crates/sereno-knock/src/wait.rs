//! Waiting until a port answers.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the first try may take; each takes twice as long as the one before. A port that drops
/// packets opens a moment after the knock, and a try that began before would see that after a second
/// only, when its SYN is sent again.
const FIRST: Duration = Duration::from_millis(250);
/// After a try that was refused.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of trying a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was connected to.
    Open,
    /// Somebody said no, the last time as well.
    Refused,
    /// Nobody said anything.
    Silence,
}

/// Tries to connect to a TCP port until `end`. The connection is closed at once.
pub(crate) fn answer(server: SocketAddr, end: Instant) -> Answer {
    let (mut patience, mut last) = (FIRST, Answer::Silence);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return last;
        }
        match TcpStream::connect_timeout(&server, patience.min(left)) {
            Ok(_) => return Answer::Open,
            Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                patience *= 2;
                // The last one may have had no time left to be answered.
                if last == Answer::Silence || patience <= left {
                    last = Answer::Silence;
                }
            }
            // Refused, or rejected with some other word: it may be open a moment later.
            Err(why) => {
                let refused = why.kind() == ErrorKind::ConnectionRefused;
                last = if refused { Answer::Refused } else { Answer::Silence };
                sleep(PAUSE.min(left));
            }
        }
    }
}
