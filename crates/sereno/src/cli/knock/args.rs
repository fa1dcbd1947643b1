//! What `sereno knock` is told.

use crate::cli::args::Json;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// `sereno knock`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Exit codes:
  0    knocked; if a port was waited for, it answers
  1    not done: no such name, no way there, a file that cannot be used
  2    wrong usage, a door or stanza that does not exist
  4    knocked, but the port does not answer
  126  the command cannot be started    127  there is no such command
With a command that was started, the exit code is the command's.

Examples:
  sereno knock srv.example.org 7000 8000:udp 9000
  sereno knock srv.example.org 7000 8000 9000 --wait 22 -- ssh ana@srv.example.org
  sereno knock office -- ssh ana@srv.example.org
  sereno knock --spa -n home -- ssh ana@home.example.org

A door you were invited to is a file of its own, NAME.toml in ~/.config/sereno/doors, which nobody
else may read. Its secret never stands on a command line.")]
pub struct KnockArgs {
    /// The server; or, alone, the name of a door you were invited to.
    #[arg(value_name = "HOST", required_unless_present = "spa")]
    pub host: Option<String>,
    /// The ports to knock at, in their order (7000, 8000:udp), or the name of a door.
    // No conflict with `spa`: clap would then forgive options that need it.
    #[arg(value_name = "DOOR|PORT")]
    pub knocks: Vec<String>,
    /// Use IPv4 only.
    #[arg(short = '4', long = "ipv4", conflicts_with = "v6")]
    pub v4: bool,
    /// Use IPv6 only.
    #[arg(short = '6', long = "ipv6")]
    pub v6: bool,
    /// Knock over UDP where a port does not say how.
    #[arg(short, long)]
    pub udp: bool,
    /// Milliseconds between two knocks, so that the network keeps their order
    /// [default: 50, or what the door's file says].
    #[arg(short, long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub delay: Option<u64>,
    /// Wait until this TCP port answers [default: what the door's file says; with --spa the first
    /// TCP port that is asked for].
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub wait: Option<u16>,
    /// Wait for no port.
    #[arg(long, conflicts_with_all = ["wait", "command"])]
    pub no_wait: bool,
    /// How many seconds to wait. When half of them are over, it knocks a second time.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Never knock a second time: the sequence opens once only.
    #[arg(long)]
    pub once: bool,
    /// Send a single packet instead of knocks, as fwknop does.
    #[command(flatten)]
    pub packet: PacketArgs,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
    /// A command to start once the port answers, without a shell.
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["json", "test"])]
    pub command: Vec<OsString>,
}

/// The options of fwknop's client that are taken.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Single packets (--spa)")]
pub struct PacketArgs {
    /// Send a single packet instead of knocks, by a stanza of fwknop's .fwknoprc.
    #[arg(long)]
    pub spa: bool,
    /// The stanza [default: the one for HOST, or the only one].
    #[arg(short, long = "named-config", value_name = "NAME", requires = "spa")]
    pub name: Option<String>,
    /// The file with the stanzas and their keys [default: ~/.fwknoprc].
    #[arg(long, alias = "rc-file", value_name = "FILE", requires = "spa")]
    pub rc: Option<PathBuf>,
    /// What to open [default: the stanza's ACCESS].
    #[arg(short = 'A', long, value_name = "tcp/22,...", requires = "spa")]
    pub access: Option<String>,
    /// For whom: this address [default: the stanza's ALLOW_IP].
    #[arg(short, long, value_name = "ADDR", requires = "spa", conflicts_with_all = ["source", "resolve"])]
    pub allow_ip: Option<std::net::IpAddr>,
    /// For the address that the packet comes from, as the server sees it.
    #[arg(short, long = "source-ip", requires = "spa", conflicts_with = "resolve")]
    pub source: bool,
    /// Refused: no stranger is asked for your address.
    #[arg(short = 'R', long = "resolve-ip-https", requires = "spa", hide = true)]
    pub resolve: bool,
    /// The server [default: the stanza's SPA_SERVER]; the same as HOST.
    #[arg(short = 'D', long, value_name = "HOST", requires = "spa", conflicts_with = "host")]
    pub destination: Option<String>,
    /// The UDP port of the server [default: the stanza's SPA_SERVER_PORT, or 62201].
    #[arg(short = 'p', long, value_name = "PORT", requires = "spa",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub server_port: Option<u16>,
    /// For how many seconds to open [default: the stanza's FW_TIMEOUT, or what the server says].
    #[arg(short, long, value_name = "SECONDS", requires = "spa",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub fw_timeout: Option<u32>,
    /// Have the server lead the port on to a machine behind it, at this port or the one that is
    /// opened [default: the stanza's NAT_ACCESS].
    #[arg(short = 'N', long, value_name = "ADDR[:PORT]", requires = "spa")]
    pub nat_access: Option<String>,
    /// Have the server lead another port to the one that is opened.
    #[arg(long, requires = "spa", conflicts_with = "nat_access")]
    pub nat_local: bool,
    /// The server's port that leads on [default: the stanza's NAT_PORT, or the port itself].
    #[arg(long, value_name = "PORT", requires = "spa",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub nat_port: Option<u16>,
    /// The same, by chance; it is shown when it answers.
    #[arg(long, requires = "spa", conflicts_with_all = ["nat_port", "no_wait"])]
    pub nat_rand_port: bool,
    /// Send nothing; print what the packet would say.
    #[arg(short = 'T', long, requires = "spa")]
    pub test: bool,
}
