//! A fail2ban configuration of a test's own, and the program that guards by it.

use super::{Guard, Home, now};
use std::fs;
use std::path::Path;
use std::process::Child;

/// A folder with a fail2ban configuration; `jails` follow `[DEFAULT]`. Every jail reads `NAME.log`.
pub(crate) struct House(pub(crate) Home);

impl House {
    pub(crate) fn new(jails: &str, actions: &[(&str, &str)]) -> Self {
        let house = Self(Home::new(""));
        for folder in ["f2b/filter.d", "f2b/action.d"] {
            fs::create_dir_all(house.0.path(folder)).unwrap();
        }
        let filter = "[Definition]\nfailregex = ^\\s*fail from <HOST> user=<F-USER>.*</F-USER>$\n";
        fs::write(house.0.path("f2b/filter.d/f.conf"), filter).unwrap();
        house.configure(jails, actions);
        house
    }

    pub(crate) fn configure(&self, jails: &str, actions: &[(&str, &str)]) {
        let here = self.0.folder().to_str().unwrap();
        let default = "[DEFAULT]\nenabled = true\nbackend = polling\nfilter = f\nmaxretry = 1\n\
                       bantime = 1h\nlogpath = @DIR@/%(__name__)s.log\n";
        let text = [default, jails].concat().replace("@DIR@", here);
        fs::write(self.0.path("f2b/jail.conf"), text).unwrap();
        for (name, text) in actions {
            let path = self.0.path(&format!("f2b/action.d/{name}.conf"));
            fs::write(path, text.replace("@DIR@", here)).unwrap();
        }
        for name in jails.lines().filter_map(|l| l.strip_prefix('[')?.strip_suffix(']')) {
            self.0.append(&format!("{name}.log"), "");
        }
    }

    /// Takes the actions that come with fail2ban; says whether they are there.
    pub(crate) fn with_stock_actions(&self) -> bool {
        let stock = Path::new("/etc/fail2ban/action.d");
        if !stock.join("iptables-multiport.conf").exists() {
            println!("skipped: fail2ban's actions are not installed");
            return false;
        }
        for entry in fs::read_dir(stock).unwrap() {
            let entry = entry.unwrap();
            let to = self.0.path("f2b/action.d").join(entry.file_name());
            fs::copy(entry.path(), to).unwrap();
        }
        true
    }

    pub(crate) fn spawn(&self, more: &[&str]) -> Child {
        let mut command = self.0.run(&[]);
        command.arg("--fail2ban").arg(self.0.path("f2b")).args(more).spawn().unwrap()
    }

    pub(crate) fn start(self) -> Guard {
        let child = self.spawn(&[]);
        Guard::wait_for(self.0, child)
    }
}

/// A failure, as the filter knows it.
pub(crate) fn fail(home: &Home, jail: &str, addr: &str, user: &str) {
    home.append(&format!("{jail}.log"), &format!("{} fail from {addr} user={user}\n", now()));
}
