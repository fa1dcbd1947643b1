//! The command line, as clap reads it. Help texts teach: each command says what it is for.

use super::gate::args::GateCommand;
use super::import::args::ImportCommand;
use super::knock::args::KnockArgs;
use super::lists::args::ListsCommand;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// The night watchman of a Linux server.
///
/// Sereno reads the logs, knows who belongs here, and shuts the door to those who try it too
/// often. Started without a configuration it looks at what runs on the machine (sshd, Asterisk)
/// and guards that.
#[derive(Debug, Parser)]
#[command(
    name = "sereno",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes:
  0  done            1  not done, or problems found
  2  wrong usage     3  no Sereno is running (or it does not answer)
  4  knocked, but the port does not answer, or refuses

Which running Sereno is meant, every command takes as --socket PATH, or from SERENO_SOCKET.

Examples:
  sereno run                      guard this machine, in the foreground
  sereno status                   is everything seen, is everything in force?
  sereno why 203.0.113.9          what did this address do?
  sereno replay /var/log/auth.log what would have happened?"
)]
pub struct Cli {
    /// The control socket of the running Sereno.
    // Said once below, and not in the help of every command.
    #[arg(long, global = true, hide = true, value_name = "PATH", env = "SERENO_SOCKET")]
    pub socket: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Guard this machine, in the foreground.
    Run(RunArgs),
    /// Show whether every log is read, every line understood, every ban in force.
    ///
    /// Exit code 1 when there is an alarm.
    Status(Json),
    /// List the bans in force.
    Bans(Json),
    /// Ban an address or network.
    Ban(BanArgs),
    /// Lift the bans that touch an address or network, or all of them.
    ///
    /// Exit code 1 when nobody was banned who was named.
    Unban(UnbanArgs),
    /// See and work the doors: who is in, let somebody in, put somebody out, make keys.
    #[command(subcommand)]
    Door(DoorCommand),
    /// Who may reach what: try a policy, keep it, take it back, explain it.
    #[command(subcommand)]
    Gate(GateCommand),
    /// Lists of addresses that shut out: how they are, who is in them.
    #[command(subcommand)]
    Lists(ListsCommand),
    /// Let nothing in any more, at once: for the console, when somebody is inside.
    ///
    /// What is under way ends, answers to this machine too. Only doors let in, and bans go on. It lasts
    /// over restarts, until `sereno resume`.
    Panic {
        /// Also where it cuts off this very session.
        #[arg(long)]
        force: bool,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// End a panic: the policy holds again.
    Resume(Json),
    /// Tell what an address did, line by line, and what followed.
    Why(WhyArgs),
    /// Show what happens, as it happens.
    Watch(Json),
    /// Show the lines of a log that count, and what each means.
    Scan(ScanArgs),
    /// Run the whole policy over old logs and show who would have been banned.
    Replay(ReplayArgs),
    /// Work with rules.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Check the configuration and show every problem in it.
    ///
    /// Exit code 1 when there is an error: what it is about would not be in force. With warnings
    /// alone it is 0, unless nothing would be guarded at all.
    Check(CheckArgs),
    /// Write a configuration of what runs on this machine, with the reasons.
    Init(InitArgs),
    /// Write another program's configuration as Sereno's own.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Knock at a server's door, wait until it is open, and start a command.
    ///
    /// Knocks are packets to ports in an agreed order (port knocking), or one encrypted and signed
    /// packet (--spa). It works with Sereno's doors, with knockd and with fwknop, needs no rights,
    /// and no Sereno has to run here.
    Knock(Box<KnockArgs>),
    /// Make the running Sereno read its configuration again.
    Reload(Json),
    /// Stop the running Sereno; bans stay in force.
    Stop(StopArgs),
    /// Speak to the running Sereno as fail2ban's client does; also by a link of this name.
    #[command(disable_help_flag = true)]
    Fail2banClient {
        /// Options and a command, as for fail2ban-client; -h lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<OsString>,
    },
    /// Try out a filter of fail2ban's as fail2ban-regex does; also by a link of this name.
    #[command(disable_help_flag = true)]
    Fail2banRegex {
        /// Options, a log and an expression or a filter, as for fail2ban-regex; -h lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<OsString>,
    },
    /// The same as fail2ban-server.
    #[command(disable_help_flag = true, hide = true)]
    Fail2banServer {
        /// Options and a command, as for fail2ban-server.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<OsString>,
    },
    /// Print the completion script for a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of a command, or write all of them into a folder.
    Man {
        /// A folder for all pages.
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
}

/// Whether a program reads the output.
#[derive(Clone, Copy, Debug, Args)]
pub struct Json {
    /// Print JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// Where the configuration is.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// The configuration file [default: /etc/sereno/sereno.toml, with conf.d/*.toml beside it].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A folder of rule files that add to or replace the shipped ones
    /// [default: rules.d beside the configuration].
    #[arg(long, value_name = "FOLDER")]
    pub rules: Option<PathBuf>,
    /// Take over the jails of a fail2ban configuration, as they are, such as /etc/fail2ban; in place
    /// of the one that the configuration file may name. Without --config nothing else is guarded.
    #[arg(long, value_name = "DIR")]
    pub fail2ban: Option<PathBuf>,
    /// Take over the doors of a knockd.conf, as it is; in place of the one that the configuration
    /// file may name. Without --config nothing else is guarded.
    #[arg(long, value_name = "FILE")]
    pub knockd: Option<PathBuf>,
    /// Open to signed packets as an access.conf of fwknop's says; likewise.
    #[arg(long, value_name = "FILE")]
    pub fwknop: Option<PathBuf>,
}

impl ConfigArgs {
    /// The same, to be written behind another command; beginning with a blank, or empty.
    #[must_use]
    pub fn as_words(&self) -> String {
        let all = [
            ("config", &self.config),
            ("rules", &self.rules),
            ("fail2ban", &self.fail2ban),
            ("knockd", &self.knockd),
            ("fwknop", &self.fwknop),
        ];
        let given = all.iter().filter_map(|(name, path)| Some((name, path.as_deref()?)));
        given.map(|(name, path)| format!(" --{name} {}", path.display())).collect()
    }
}

/// `sereno run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Where the ledger is kept.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Ban nobody; say who would have been banned.
    #[arg(long)]
    pub observe: bool,
}

/// `sereno ban`.
#[derive(Clone, Debug, Args)]
pub struct BanArgs {
    /// An address, or a network such as 203.0.113.0/24.
    pub addr: sereno_core::addr::Prefix,
    /// For how long, such as 90m, 10h or 1w [default: for ever].
    #[arg(long = "for", value_name = "TIME")]
    pub length: Option<String>,
    /// Why; shown by `why` and `bans`.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
    /// Close only the ports of this jail [default: every port].
    #[arg(long, value_name = "NAME")]
    pub jail: Option<String>,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno unban`.
#[derive(Clone, Debug, Args)]
pub struct UnbanArgs {
    /// An address or network.
    #[arg(required_unless_present = "all")]
    pub addr: Option<sereno_core::addr::Prefix>,
    /// Lift every ban.
    #[arg(long, conflicts_with = "addr")]
    pub all: bool,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno stop`.
#[derive(Clone, Debug, Args)]
pub struct StopArgs {
    /// Write the bans into the database of the fail2ban whose configuration it guards by, for
    /// fail2ban to go on with; if that cannot be done, it does not stop.
    #[arg(long)]
    pub give_back: bool,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno door`.
#[derive(Clone, Debug, Subcommand)]
pub enum DoorCommand {
    /// List the doors, and who is in.
    List(Json),
    /// Show one door: how it is opened, what is behind it, who is in.
    Show(ShowArgs),
    /// Let an address in, as if it had knocked.
    Open {
        /// The door.
        name: String,
        /// Who.
        addr: std::net::IpAddr,
        /// For how long, such as 90s, 10m or 2h [default: as long as the door holds].
        #[arg(long = "for", value_name = "TIME")]
        length: Option<String>,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// Put an address out that came in through a door, or all of them.
    ///
    /// What is connected goes on, unless the door says `cut`. Exit code 1 when nobody was in.
    Close {
        /// The door.
        name: String,
        /// Who [default: everybody].
        addr: Option<std::net::IpAddr>,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// Close a door's ports to all who do not knock: on trial, and for good once confirmed.
    ///
    /// Whose session this is has to knock first, so that it is known that he can. The session goes
    /// on. Unless `sereno door confirm` comes in time, the ports open again, in the kernel, by
    /// themselves, whatever became of Sereno. A door of this name that is not there yet is made,
    /// with a knock of its own: for ssh and web, or for --ports.
    Guard(GuardArgs),
    /// Keep closed what is closed on trial; or leave the ports to the door's file again.
    Confirm {
        /// The door.
        name: String,
        /// Open: what was closed by `guard` is so no longer.
        #[arg(long)]
        open: bool,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// Make the keys of a door: for signed packets, or for knocks that change with the time.
    ///
    /// Writes the server's file, which its owner alone can read, and prints what belongs on the
    /// client. Nothing that is there is replaced.
    Keygen(KeygenArgs),
}

/// `sereno door show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The door.
    pub name: String,
    /// Print what a guest needs who reaches this machine as HOST: what to do on Linux, macOS, Windows,
    /// Android and iOS, and a QR code. It has the door's secret in it.
    #[arg(long, value_name = "HOST")]
    pub invite: Option<String>,
    /// For --invite: where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno door guard`.
#[derive(Clone, Debug, Args)]
pub struct GuardArgs {
    /// The door, such as ssh or web.
    pub name: String,
    /// The ports of a door that is made, such as tcp/22 [default: those of sshd, or of the web].
    #[arg(long, value_name = "PORTS")]
    pub ports: Option<String>,
    /// How long it is closed on trial.
    #[arg(long = "for", value_name = "TIME", default_value = "60s")]
    pub length: String,
    /// How long to wait for the knock.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub wait: String,
    /// Do not ask for a knock first: on the console, where nobody can be locked out.
    #[arg(long)]
    pub console: bool,
    /// The folder of the file of a door that is made.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/sereno/conf.d")]
    pub into: PathBuf,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno door keygen`.
#[derive(Clone, Debug, Args)]
pub struct KeygenArgs {
    /// What to call it.
    pub name: String,
    /// The ports that a signed packet may open, such as tcp/22 or tcp/443,udp/5060.
    #[arg(long, value_name = "PORTS", default_value = "tcp/22")]
    pub ports: String,
    /// A secret for knocks that change with the time, instead of keys for signed packets.
    #[arg(long)]
    pub knock: bool,
    /// The name or address by which clients reach this machine.
    #[arg(long, value_name = "HOST", default_value = "HOST")]
    pub host: String,
    /// The folder of the server's file.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/sereno/doors")]
    pub into: PathBuf,
}

/// `sereno why`.
#[derive(Clone, Debug, Args)]
pub struct WhyArgs {
    /// An address or network.
    pub addr: sereno_core::addr::Prefix,
    /// The ledger's folder, to ask when no Sereno is running.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno scan`.
#[derive(Clone, Debug, Args)]
pub struct ScanArgs {
    /// The rule to read with, also one of fail2ban's expressions; may be given more than once
    /// [default: all].
    #[arg(long = "rule", value_name = "NAME")]
    pub rules: Vec<String>,
    /// Read with filters of the fail2ban configuration in this folder, instead of rules.
    #[arg(long, value_name = "DIR", requires = "filters", conflicts_with_all = ["rules", "folder"])]
    pub fail2ban: Option<PathBuf>,
    /// A filter of it, such as sshd or 'sshd[mode=aggressive]'; may be given more than once.
    #[arg(long = "filter", value_name = "FILTER", requires = "fail2ban")]
    pub filters: Vec<String>,
    /// The log, plain or .gz or .xz; `-` is standard input.
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// Read dates without a year as seen from this moment (seconds since 1970).
    #[arg(long, value_name = "EPOCH")]
    pub now: Option<i64>,
    /// Only count.
    #[arg(long)]
    pub count: bool,
    /// The folder of your own rule files.
    #[arg(long = "rules-folder", value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Only this jail; may be given more than once [default: every enabled jail].
    #[arg(long = "jail", value_name = "NAME")]
    pub jails: Vec<String>,
    /// The logs, plain or .gz or .xz, in order of age; `-` is standard input.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Read dates without a year as seen from this moment (seconds since 1970).
    #[arg(long, value_name = "EPOCH")]
    pub now: Option<i64>,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno rules`.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesCommand {
    /// Prove every pattern by the sample lines in its file.
    Test {
        /// Rule files [default: the shipped rules and /etc/sereno/rules.d].
        files: Vec<PathBuf>,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// List the rules and their patterns.
    List {
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
}

/// `sereno check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// `sereno init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// Where to write it; `-` is standard output [default: /etc/sereno/sereno.toml].
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Look at the machine whose root folder this is.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
}
