//! fail2ban's own actions in a jail of ours.
#![allow(dead_code, reason = "not every test needs all of it")]

use sereno_fail2ban::act::{Acts, acts};
use sereno_fail2ban::{Files, Severity, read};
use std::path::Path;

pub(crate) const STOCK: &str = "/etc/fail2ban";

/// Where they are: those that are installed, or another release's, where `SERENO_F2B_CONFIG` says.
pub(crate) fn real() -> String {
    std::env::var("SERENO_F2B_CONFIG").unwrap_or_else(|_| STOCK.to_owned())
}

/// fail2ban's own actions below a jail of ours, and files of ours before its own.
pub(crate) struct Mixed<'f> {
    files: &'f [(&'f str, &'f str)],
}

impl Files for Mixed<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let name = path.strip_prefix("/etc/fail2ban/").unwrap_or(path);
        if let Some((_, text)) = self.files.iter().find(|(file, _)| *file == name) {
            return Ok(Some(text.as_bytes().to_vec()));
        }
        let stock = name.starts_with("action.d/");
        Ok(if stock { std::fs::read(Path::new(&real()).join(name)).ok() } else { None })
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// What one jail with this `action` and options comes to.
pub(crate) fn judged(options: &str, files: &[(&str, &str)]) -> Acts {
    let jail = format!("[DEFAULT]\nlogpath = /x\n[j]\nenabled = true\nfilter = f\n{options}\n");
    let mut all = vec![("jail.conf", jail.as_str())];
    all.push(("filter.d/f.conf", "[Definition]\nfailregex = ^<HOST>$\n"));
    all.extend(files);
    let tree = read(&Mixed { files: &all }, STOCK);
    let errors: Vec<_> = tree.problems.iter().filter(|p| p.severity == Severity::Error).collect();
    assert!(errors.iter().all(|p| p.message.contains("no [Definition]")), "{errors:?}");
    acts(&tree, &tree.jails[0])
}

pub(crate) fn installed() -> bool {
    let there = Path::new(STOCK).join("action.d/iptables.conf").exists();
    if !there {
        println!("skipped: fail2ban's files are not installed");
    }
    there
}

/// Every stock action of fail2ban 1.0.2. Files that are only included by others have no ban.
pub(crate) const EXPECTED: [(&str, &str); 64] = [
    ("abuseipdb", "message"),
    ("apf", "command"),
    ("apprise", "message"),
    ("blocklist_de", "message"),
    ("bsd-ipfw", "refused: nftables-multiport"),
    ("cloudflare", "command"),
    ("cloudflare-token", "command"),
    ("complain", "message"),
    ("dshield", "command"),
    ("dummy", "command"),
    ("firewallcmd-allports", "gate all Reject INPUT_direct"),
    ("firewallcmd-common", "message"),
    ("firewallcmd-ipset", "gate tcp/22 Reject INPUT_direct"),
    ("firewallcmd-multiport", "gate tcp/22 Reject INPUT_direct"),
    ("firewallcmd-new", "gate tcp/22 Reject INPUT_direct"),
    ("firewallcmd-rich-logging", "gate tcp/22 Reject rich rule"),
    ("firewallcmd-rich-rules", "gate tcp/22 Reject rich rule"),
    ("helpers-common", "message"),
    ("hostsdeny", "command"),
    ("ipfilter", "refused: nftables-allports"),
    ("ipfw", "refused: nftables-multiport"),
    ("iptables", "gate tcp/22 Reject INPUT"),
    ("iptables-allports", "gate tcp/0-65535 Reject INPUT"),
    ("iptables-ipset", "gate tcp/22 Reject INPUT"),
    ("iptables-ipset-proto4", "gate tcp/22 Reject INPUT"),
    ("iptables-ipset-proto6", "gate tcp/22 Reject INPUT"),
    ("iptables-ipset-proto6-allports", "gate tcp/0-65535 Reject INPUT"),
    ("iptables-multiport", "gate tcp/22 Reject INPUT"),
    ("iptables-multiport-log", "gate tcp/22 Reject INPUT"),
    ("iptables-new", "gate tcp/22 Reject INPUT"),
    ("iptables-xt_recent-echo", "gate all Reject INPUT"),
    ("ipthreat", "message"),
    ("mail", "message"),
    ("mail-buffered", "message"),
    ("mail-whois", "message"),
    ("mail-whois-common", "message"),
    ("mail-whois-lines", "message"),
    ("mynetwatchman", "message"),
    ("netscaler", "command"),
    ("nftables", "gate tcp/22 Reject f2b-chain"),
    ("nftables-allports", "gate tcp/0-65535 Reject f2b-chain"),
    ("nftables-multiport", "gate tcp/22 Reject f2b-chain"),
    ("nginx-block-map", "command"),
    ("npf", "refused: nftables-allports"),
    ("nsupdate", "command"),
    ("osx-afctl", "refused: nftables-allports"),
    ("osx-ipfw", "refused: nftables-multiport"),
    ("pf", "refused: nftables-multiport"),
    ("route", "gate all Drop route"),
    ("sendmail", "message"),
    ("sendmail-buffered", "message"),
    ("sendmail-common", "message"),
    ("sendmail-geoip-lines", "message"),
    ("sendmail-whois", "message"),
    ("sendmail-whois-ipjailmatches", "message"),
    ("sendmail-whois-ipmatches", "message"),
    ("sendmail-whois-lines", "message"),
    ("sendmail-whois-matches", "message"),
    ("shorewall", "gate all Reset shorewall"),
    ("shorewall-ipset-proto6", "command"),
    ("symbiosis-blacklist-allports", "command"),
    ("ufw", "gate all Reset ufw"),
    ("xarf-login-attack", "message"),
    ("smtp.py", "refused: sendmail-whois-lines"),
];
