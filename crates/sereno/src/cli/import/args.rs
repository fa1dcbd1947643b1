//! The words behind `sereno import`.

use crate::cli::args::Json;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `sereno import`.
#[derive(Clone, Debug, Subcommand)]
pub enum ImportCommand {
    /// Write the jails and filters of fail2ban as files of Sereno's own, and tell what changed.
    ///
    /// Exit code 1 when something could not be taken over; the report says what, and why.
    Fail2ban(ImportArgs),
    /// Write rules of iptables as the policy of the gate (`[gate]`), and tell what it cannot say and where
    /// they were weak.
    ///
    /// Reads what `iptables-save` and `ip6tables-save` print, and scripts or pages with commands of
    /// iptables, which are read and not run. Without a file: where Debian and Red Hat keep them.
    /// Exit code 1 when something could not be expressed.
    Iptables(FirewallArgs),
    /// Write the rules of ufw as the policy of the gate; as `import iptables`.
    ///
    /// FILE is the folder of its configuration, by itself /etc/ufw; /etc/default/ufw is read besides.
    Ufw(FirewallArgs),
    /// Write the zones of firewalld as the policy of the gate; as `import iptables`.
    ///
    /// FILE is the folder of its configuration, by itself /etc/firewalld; what its package brings is read
    /// besides.
    Firewalld(FirewallArgs),
    /// Write the ports and lists of csf as the policy of the gate; as `import iptables`.
    ///
    /// FILE is the folder of its configuration, by itself /etc/csf.
    Csf(FirewallArgs),
}

/// `sereno import fail2ban`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// The folder of fail2ban's configuration.
    #[arg(value_name = "DIR", default_value = "/etc/fail2ban")]
    pub dir: PathBuf,
    /// Where to write sereno.toml and rules.d.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/sereno")]
    pub into: PathBuf,
    /// Keep fail2ban's expressions where Sereno has a rule of its own (sshd, Asterisk).
    #[arg(long)]
    pub keep_filters: bool,
    /// Write nothing; show what would be written.
    #[arg(long)]
    pub dry_run: bool,
    /// Replace files that are there.
    #[arg(long)]
    pub force: bool,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno import` of a firewall.
#[derive(Clone, Debug, Args)]
pub struct FirewallArgs {
    /// What to read; - is standard input.
    #[arg(value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// Where to write the `[gate]`.
    #[arg(long, value_name = "FILE", default_value = "/etc/sereno/conf.d/gate.toml")]
    pub into: PathBuf,
    /// Write nothing; show what would be written.
    #[arg(long)]
    pub dry_run: bool,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// A firewall that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirewallKind {
    /// iptables and ip6tables.
    Iptables,
    /// ufw.
    Ufw,
    /// firewalld.
    Firewalld,
    /// csf.
    Csf,
}

impl FirewallKind {
    /// As it is called.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Ufw => "ufw",
            Self::Firewalld => "firewalld",
            Self::Csf => "csf",
        }
    }
}
