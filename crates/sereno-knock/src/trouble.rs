//! Why it did not work.

use sereno_core::door::Hit;
use sereno_spa::BadField;
use std::io;
use std::path::PathBuf;

/// Why it did not work.
#[derive(Debug)]
pub enum Trouble {
    /// A name has no address, or none of the family that was asked for.
    NoAddress {
        /// The name.
        host: String,
        /// What the system said, if it said something.
        why: Option<io::Error>,
    },
    /// The system did not send a knock.
    Knock {
        /// Which.
        hit: Hit,
        /// What the system said.
        why: io::Error,
    },
    /// The system did not send the packet.
    Send {
        /// The UDP port it was for.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
    /// What is asked for cannot be said in a packet.
    Packet(BadField),
    /// No port is named that could be asked for.
    NoPort,
    /// The system gives no random numbers.
    Random(getrandom::Error),
    /// The clock stands before 1970.
    Clock,
    /// A file cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// A file with a secret can be read by others.
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode, nine bits.
        mode: u32,
    },
}
