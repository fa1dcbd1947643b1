//! The words behind `sereno gate`.

use crate::cli::args::{ConfigArgs, Json};
use clap::{Args, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;

/// `sereno gate`.
#[derive(Clone, Debug, Subcommand)]
pub enum GateCommand {
    /// Put the policy of the files (`[gate]`) on trial: it is taken back by itself unless confirmed.
    ///
    /// Refuses what would cut off your session, those who are logged in, and phones and trunks that
    /// registered lately. Exit code 1 when it refuses; nothing has changed then.
    Apply {
        /// How long it is on trial, such as 60s or 5m (5 s to an hour).
        #[arg(long = "for", value_name = "TIME", default_value = "60s")]
        length: String,
        /// Also if it cuts off who gets in now.
        #[arg(long)]
        force: bool,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// Keep what is on trial. It holds after a restart too.
    Confirm(Json),
    /// End the trial; without one, try what was in force before.
    Revert {
        /// One of `sereno gate history`.
        number: Option<u64>,
        /// How long it is on trial.
        #[arg(long = "for", value_name = "TIME", default_value = "60s")]
        length: String,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// Have no policy any more: open is what nothing else closes. Bans and doors stay.
    Flush(Json),
    /// Show the policy in force, what is on trial, and how many packets each line was about.
    Show(Json),
    /// List the policies that were in force.
    History(Json),
    /// Tell what would happen to a packet, and by which line. Exit code 1 when it is stopped.
    ///
    /// It is the first packet of something new, such as: sereno gate explain udp 203.0.113.9 5060;
    /// or of something that this machine begins: sereno gate explain --out udp 203.0.113.9 5060.
    Explain(ExplainArgs),
    /// Show who listens here and from which zones he is reached; what the world should not reach;
    /// and rules for ports on which nobody listens.
    ///
    /// It is about the policy of the files, or, without one, about that in force. Exit code 1 when the
    /// world reaches what it should not.
    Diff(Json),
    /// Write a policy for what listens on this machine, each line with its reason, to read and change.
    Suggest,
    /// Show what is stopped, by bans, doors, lists and lines of the policy; most of it first.
    ///
    /// On a terminal it goes on until Ctrl-C, and shows how many packets a second there are.
    Top {
        /// Once, also on a terminal.
        #[arg(long)]
        once: bool,
        /// For people or programs; once.
        #[command(flatten)]
        json: Json,
    },
    /// Check the policy of the files, and have nft verify the text of the gate if it is installed.
    ///
    /// Needs no running Sereno and changes nothing. Exit code 1 when something is wrong.
    Check {
        /// Which files.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write the policy in force as the `[gate]` of a file: what was confirmed, whatever the files say.
    Save {
        /// Where to; - is standard output.
        #[arg(value_name = "FILE", default_value = "-")]
        to: PathBuf,
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Print the gate that is in force, as text for nft or for iptables and ipset, or as JSON.
    Export {
        /// In which form.
        #[arg(long, value_enum, default_value_t = Form::Nft)]
        form: Form,
        /// The same as --form iptables.
        #[arg(long, conflicts_with = "form")]
        iptables: bool,
    },
}

/// `sereno gate explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// tcp, udp, sctp, dccp, udplite; or ping, without a port.
    pub proto: String,
    /// Where it comes from; with --out, where it goes.
    pub from: IpAddr,
    /// To which port.
    pub port: Option<u16>,
    /// Of something that this machine begins.
    #[arg(long)]
    pub out: bool,
    /// To which address of this machine [default: its first]; with --out, from which.
    #[arg(long, value_name = "ADDR")]
    pub to: Option<IpAddr>,
    /// By which interface it comes [default: the one it is answered by], or leaves.
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
    /// For people or programs.
    #[command(flatten)]
    pub json: Json,
}

/// Forms of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// What `nft -f` reads.
    Nft,
    /// What ipset, iptables-restore and ip6tables-restore read, in three parts.
    Iptables,
    /// The policy as JSON.
    Json,
}
