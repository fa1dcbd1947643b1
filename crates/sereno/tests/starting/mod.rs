//! How it is started in the place of fail2ban.

use super::program::Home;
use super::{JAILS, home};
use crate::host::{Server, ask, client, quiet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program called by somebody who may change no firewall and no ledger but his own.
fn nobody(home: &Home, program: &Path) -> Command {
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.arg("-c").arg(home.path("f2b")).arg("-s").arg(home.socket());
    command.env("XDG_STATE_HOME", home.path("own"));
    command
}

#[test]
fn a_script_that_starts_it_goes_on() {
    let Some(home) = home(JAILS) else { return };
    let client = client(&home);
    let call = |command: &str| {
        let mut call = nobody(&home, Path::new(&client));
        let done = quiet(call.args(command.split(' '))).stdout(Stdio::piped()).output().unwrap();
        (String::from_utf8_lossy(&done.stdout).into_owned(), done.status.code().unwrap())
    };
    if call("ping").1 != 255 {
        return println!("skipped: there is no setpriv, or no right to use it");
    }
    for begin in ["start", "restart"] {
        assert_eq!(call(begin), ("Server ready\n".to_owned(), 0), "{begin}");
        assert!(call("status").0.contains("Web.Shop, asterisk, sshd"));
        assert_eq!(call("stop"), ("Shutdown successful\n".to_owned(), 0));
        home.until(|home| !home.answers());
    }
    fs::create_dir(home.socket()).unwrap();
    assert_eq!(call("start").1, 255, "the socket's place is taken");
}

#[test]
fn the_unit_of_fail2ban_starts_it() {
    let Some(home) = home(JAILS) else { return };
    let server = home.path("fail2ban-server");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sereno"), &server).unwrap();
    let mut command = nobody(&home, &server);
    command.args(["-xf", "start"]);
    let said = fs::File::create(home.path("said")).unwrap();
    let Ok(child) = quiet(&mut command).stderr(said).spawn() else {
        return println!("skipped: there is no setpriv");
    };
    let mut server = Server(child);
    home.until(|home| home.answers() || home.said().contains("setpriv: "));
    if home.said().contains("setpriv: ") {
        return println!("skipped: {}", home.said());
    }
    let client = client(&home);
    assert!(ask(&home, &client, "socket", "status").0.contains("Web.Shop, asterisk, sshd"));
    let (_, again, code) = ask(&home, &client, "socket", "start");
    assert_eq!((again.as_str(), code), ("Server already running", 255));
    let process = nix::unistd::Pid::from_raw(server.0.id().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}
