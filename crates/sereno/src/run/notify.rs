//! Tells the service manager that guarding has begun (sd_notify(3)), so that whoever starts the
//! service can go on knowing that the bans are in force.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says it to the socket that `NOTIFY_SOCKET` names, if there is one.
///
/// # Errors
/// When nobody listens there.
pub(super) fn ready() -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(name) => say(&name, b"READY=1"),
        None => Ok(()),
    }
}

fn say(name: &OsStr, what: &[u8]) -> io::Result<()> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(what, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let name = format!("sereno-notify-{}", std::process::id());
        let heard = |listener: UnixDatagram| {
            let mut text = [0; 16];
            let length = listener.recv(&mut text).unwrap();
            text[..length].to_vec()
        };
        let by_path = UnixDatagram::bind(&path).unwrap();
        say(path.as_os_str(), b"READY=1").unwrap();
        assert_eq!(heard(by_path), b"READY=1");
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        say(OsStr::new(&format!("@{name}")), b"READY=1").unwrap();
        assert_eq!(heard(by_name), b"READY=1");
        assert!(say(OsStr::new("/nowhere/at/all"), b"READY=1").is_err());
    }
}
