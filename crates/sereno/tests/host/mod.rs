//! The real server and ours, started on the same tree, and how they are asked.

use crate::program::Home;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The program and what it runs in; killed at the end.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tree of the stock filters in the folder, with these jails.
pub(crate) fn tree(folder: &Path, jails: &str) -> Option<PathBuf> {
    let (stock, base) = (Path::new("/etc/fail2ban"), folder.join("f2b"));
    if !stock.join("filter.d/sshd.conf").exists() || !Path::new("/usr/bin/fail2ban-server").exists()
    {
        println!("skipped: fail2ban is not installed");
        return None;
    }
    for part in ["filter.d", "action.d"] {
        fs::create_dir_all(base.join(part)).unwrap();
        for file in fs::read_dir(stock.join(part)).unwrap().flatten() {
            let _ = fs::copy(file.path(), base.join(part).join(file.file_name()));
        }
    }
    let own = |text: &str| text.replace("@DIR@", folder.to_str().unwrap());
    let main = "[Definition]\nloglevel = INFO\nlogtarget = @DIR@/fail2ban.log\nsyslogsocket = auto\n\
         socket = @DIR@/f2b.sock\npidfile = @DIR@/f2b.pid\ndbfile = @DIR@/f2b.sqlite3\n\
         dbpurgeage = 1d\ndbmaxmatches = 10\n";
    fs::write(base.join("fail2ban.conf"), own(main)).unwrap();
    fs::write(base.join("jail.conf"), own(jails)).unwrap();
    let noop = "[Definition]\nactionban = true\nactionunban = true\n[Init]\nname = default\n";
    fs::write(base.join("action.d/noop.conf"), noop).unwrap();
    let shop = "[Definition]\nfailregex = ^\\s*shop: bad login from <HOST>$\n\
         datepattern = ^%%Y-%%m-%%d %%H:%%M:%%S\n";
    fs::write(base.join("filter.d/shop.conf"), shop).unwrap();
    Some(base)
}

pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env_remove("SERENO_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::null())
}

/// The real server, once it answers.
pub(crate) fn real(home: &Home) -> Server {
    let mut command = Command::new("/usr/bin/fail2ban-server");
    command.args(["-xf", "-c"]).arg(home.path("f2b")).arg("start").stderr(Stdio::null());
    let server = Server(quiet(&mut command).spawn().unwrap());
    home.until(|home| ask(home, "/usr/bin/fail2ban-client", "f2b.sock", "ping").2 == 0);
    server
}

/// Ours, once it answers.
pub(crate) fn ours(home: &Home, more: &[&str]) -> Server {
    let mut command = home.run(&[]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let server =
        Server(quiet(command.arg("--fail2ban").arg(home.path("f2b")).args(more)).spawn().unwrap());
    home.until(Home::answers);
    server
}

/// What a client says of one command: output, errors without their time, exit code.
pub(crate) fn ask(
    home: &Home,
    program: &str,
    socket: &str,
    command: &str,
) -> (String, String, i32) {
    let mut client = Command::new(program);
    client.arg("-c").arg(home.path("f2b")).arg("-s").arg(home.path(socket));
    let output = quiet(client.args(command.split(' '))).stdout(Stdio::piped()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let errors = text(&output.stderr);
    let errors = errors.lines().filter(|line| !line.contains(": WARNING "));
    let bare = errors.map(|line| line.split("]: ERROR   ").last().unwrap_or_default().to_owned());
    (text(&output.stdout), bare.collect::<Vec<_>>().join("\n"), output.status.code().unwrap())
}

pub(crate) fn client(home: &Home) -> String {
    let path = home.path("fail2ban-client");
    if !path.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sereno"), &path).unwrap();
    }
    path.to_str().unwrap().to_owned()
}
