//! The words behind `sereno lists`.

use crate::cli::args::Json;
use clap::Subcommand;
use std::net::IpAddr;

/// `sereno lists`.
#[derive(Clone, Debug, Subcommand)]
pub enum ListsCommand {
    /// Show the lists: how much is in them, how old they are, how many packets they stopped.
    Show(Json),
    /// Tell which lists an address is in. Exit code 1 when it is in none.
    Find {
        /// Who.
        addr: IpAddr,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
    /// Read and fetch a list now; without a name, all of them.
    Refresh {
        /// Its name.
        name: Option<String>,
        /// For people or programs.
        #[command(flatten)]
        json: Json,
    },
}
