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

/// Whether a TCP port is connected to before `end`. The connection is closed at once.
pub(crate) fn answers(server: SocketAddr, end: Instant) -> bool {
    let mut patience = FIRST;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        match TcpStream::connect_timeout(&server, patience.min(left)) {
            Ok(_) => return true,
            Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                patience *= 2;
            }
            // Refused, or rejected with some other word: it may be open a moment later.
            Err(_) => sleep(PAUSE.min(left)),
        }
    }
}
