//! Refusals in words: what could not be done, why, and what to do about it.
//!
//! The kernel answers with a bare number, and the same number means different things for
//! different requests. The sentences here are for the administrator who reads the log.

use sereno_core::addr::Prefix;
use sereno_core::gate::{Gate, Misplaced, Name, Through};
use std::fmt;
use std::net::IpAddr;

/// What was asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Opening the way to the kernel's firewall.
    Open,
    /// Installing the gate.
    Install,
    /// Installing what the gate does for doors. Without it the rest may be fine.
    InstallDoors,
    /// Installing what the gate translates for doors. Without it the rest may be fine.
    InstallNat,
    /// Installing the policy of the gate. Without it the rest may be fine.
    InstallPolicy,
    /// Installing what measures floods. Without it the rest may be fine.
    InstallFlood,
    /// Installing what answers SYNs. Without it the rest may be fine.
    InstallProxy,
    /// Installing what tells of closed ports that strangers try. Without it the rest may be fine.
    InstallPortScan,
    /// Installing lists, or one of them.
    InstallLists,
    /// Banning a prefix in a scope.
    Ban(Name, Prefix),
    /// Lifting a ban.
    Lift(Name, Prefix),
    /// Letting an address in.
    Let(Through, IpAddr),
    /// Letting an address in no longer.
    Close(Through, IpAddr),
    /// Changing what is heard of those who knock.
    Hear,
    /// Listening to a group of the kernel's log.
    Listen(u16),
    /// Listing the bans, counters, or state of the gate.
    Look,
    /// Having another firewall let pass whom a door let in.
    Pass,
    /// Removing the gate.
    Remove,
    /// Watching for changes by others.
    Watch,
}

impl Doing {
    /// Whether it changes one member of a set.
    fn is_change(self) -> bool {
        matches!(self, Self::Ban(..) | Self::Lift(..) | Self::Let(..) | Self::Close(..))
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("cannot reach the kernel's firewall"),
            Self::Install => f.write_str("cannot install the gate"),
            Self::Ban(scope, prefix) => write!(f, "cannot ban {prefix} in {scope}"),
            Self::Lift(scope, prefix) => write!(f, "cannot lift the ban of {prefix} in {scope}"),
            Self::InstallLists => f.write_str("cannot install the lists"),
            Self::InstallDoors => f.write_str("cannot install the doors"),
            Self::InstallPolicy => f.write_str("cannot install the policy of the gate"),
            Self::InstallFlood => f.write_str("cannot install what measures floods"),
            Self::InstallProxy => f.write_str("cannot install the SYN proxy"),
            Self::InstallPortScan => f.write_str("cannot install what tells of port scans"),
            Self::InstallNat => f.write_str("cannot install the translation for doors"),
            Self::Let(to, addr) => write!(f, "cannot open {to} to {addr}"),
            Self::Close(to, addr) => write!(f, "cannot close {to} to {addr}"),
            Self::Hear => f.write_str("cannot change which ports are knocked at"),
            Self::Listen(group) => write!(f, "cannot listen to group {group} of the kernel's log"),
            Self::Look => f.write_str("cannot read the gate"),
            Self::Pass => f.write_str("cannot have the other firewall let pass who was let in"),
            Self::Remove => f.write_str("cannot remove the gate"),
            Self::Watch => f.write_str("cannot watch the firewall for changes"),
        }
    }
}

/// Why it was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The gate has no place for such a ban; the kernel was not asked.
    Misplaced(Misplaced),
    /// The kernel's answer.
    Kernel {
        /// The errno, positive.
        errno: i32,
        /// Whether the request as a whole was turned away, not one step of it.
        whole: bool,
        /// The kernel's own words, where it had any; printable ASCII.
        note: Option<String>,
    },
    /// A program was asked instead of the kernel.
    Program {
        /// What it said, or why it could not be asked.
        said: String,
        /// Whether a part of the gate is missing.
        lost: bool,
    },
}

/// Something the kernel, or the gate itself, refused. Displays as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked.
    pub doing: Doing,
    /// Why it was refused.
    pub cause: Cause,
}

impl Refusal {
    /// Whether the table or a part of it is missing, so that installing again would help.
    #[must_use]
    pub fn is_gate_lost(&self) -> bool {
        let errno = match self.cause {
            Cause::Kernel { errno, whole: false, .. } => errno,
            Cause::Program { lost, .. } => return lost,
            _ => return false,
        };
        match errno {
            libc::ENOENT => {
                self.doing.is_change() || matches!(self.doing, Doing::Hear | Doing::Look)
            }
            // A port leads elsewhere than was asked for.
            libc::EBUSY | libc::EEXIST => self.doing.is_change(),
            _ => false,
        }
    }

    /// The gate without the part that was refused, where the rest may be fine.
    #[must_use]
    pub fn without(&self, gate: &Gate) -> Option<Gate> {
        Some(match self.doing {
            Doing::InstallDoors => gate.without_doorway(),
            Doing::InstallNat => gate.without_nat(),
            Doing::InstallPolicy => gate.without_policy(),
            Doing::InstallFlood => gate.without_flood(),
            Doing::InstallProxy => gate.without_syn_proxy(),
            Doing::InstallPortScan => gate.without_portscan(),
            _ => return None,
        })
    }

    /// Whether the kernel lacks what it takes, or a part of it: it is too old, or made without it.
    #[must_use]
    pub fn is_lacking(&self) -> bool {
        let lacking = [
            libc::ENOENT,
            libc::EINVAL,
            libc::EOPNOTSUPP,
            libc::EPROTONOSUPPORT,
            libc::EAFNOSUPPORT,
        ];
        matches!(self.cause, Cause::Kernel { errno, .. } if lacking.contains(&errno))
    }

    /// Whether the process lacks the right to change the firewall.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self.cause, Cause::Kernel { errno: libc::EPERM | libc::EACCES, whole: true, .. })
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Misplaced(why) => write!(f, "{}: {why}", self.doing),
            Cause::Program { said, .. } => write!(f, "{}: {said}", self.doing),
            Cause::Kernel { errno, whole, note } => {
                write!(f, "{}: ", self.doing)?;
                match reason(self.doing, *errno, *whole) {
                    Some(reason) => f.write_str(reason)?,
                    None => write!(f, "{}", std::io::Error::from_raw_os_error(*errno))?,
                }
                match note {
                    Some(note) => write!(f, " (the kernel says: {note})"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn reason(doing: Doing, errno: i32, whole: bool) -> Option<&'static str> {
    if let Some(reason) = reason_of_doors(doing, errno, whole) {
        return Some(reason);
    }
    let element = doing.is_change() || doing == Doing::Hear;
    Some(match errno {
        libc::EPERM | libc::EACCES if whole => {
            "this process may not change the firewall; run it as root or give it CAP_NET_ADMIN \
             (in a systemd unit: AmbientCapabilities=CAP_NET_ADMIN)"
        }
        libc::EPERM => {
            "another program owns a table of that name; stop that program or give Sereno's \
             table another name"
        }
        libc::EBUSY | libc::EEXIST if doing.is_change() => {
            "a port leads elsewhere than it should, changed by someone else; the gate must be \
             installed again"
        }
        libc::ENOENT if element => {
            "the table or its set is gone, removed by someone else; the gate must be installed \
             again"
        }
        libc::ENOENT if matches!(doing, Doing::Look) => "the table is not there",
        libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT => {
            "this kernel lacks nf_tables or a part of it; load the modules nf_tables, \
             nft_counter and nft_reject_inet, use kernel 4.18 or newer, and on kernels before \
             5.9 choose drop, not reject"
        }
        libc::EEXIST => {
            "something else of that name is in the way; look with `nft list tables`, and remove \
             it or give Sereno's table another name"
        }
        libc::EBUSY => {
            "another table or program still uses a part of it; look with `nft list ruleset`"
        }
        libc::ENFILE => {
            "the set is full; someone gave it a size, and the gate must be installed again"
        }
        libc::ENOMEM => "the kernel has no memory left for it",
        libc::EMSGSIZE => {
            "it is larger than one message may be here; raise the sysctl net.core.wmem_max"
        }
        libc::ENOBUFS => {
            "the kernel's answers were lost for want of buffer space, and what is in force must \
             be looked at again; raise the sysctl net.core.rmem_max"
        }
        libc::EINTR | libc::EAGAIN => "the firewall kept changing meanwhile; try again",
        libc::EPROTO => "the kernel did not confirm it; what is in force must be looked at again",
        libc::EINVAL => {
            "the kernel did not understand it, and is probably older than 4.18; please report \
             this with the output of `uname -r`"
        }
        _ => return None,
    })
}

/// What numbers mean where it is about doors only.
fn reason_of_doors(doing: Doing, errno: i32, whole: bool) -> Option<&'static str> {
    let lacking = [libc::ENOENT, libc::EOPNOTSUPP, libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT];
    match doing {
        Doing::InstallNat if lacking.contains(&errno) => Some(
            "this kernel lacks a part of nf_tables that translation needs; use kernel 5.2 or newer, \
             and load the modules nft_chain_nat, nft_nat and nft_masq, outside of the container if \
             this is one",
        ),
        Doing::InstallPolicy if lacking.contains(&errno) => Some(
            "this kernel lacks a part of nf_tables that a policy needs; load the modules nft_ct, \
             nft_fib_inet, nft_limit, nft_connlimit and nft_reject_inet, outside of the container if \
             this is one",
        ),
        Doing::InstallFlood if lacking.contains(&errno) => Some(
            "this kernel lacks a part of nf_tables that measuring needs; load the modules nft_ct and \
             nft_limit, outside of the container if this is one, or leave [flood] out",
        ),
        Doing::InstallProxy if lacking.contains(&errno) => Some(
            "this kernel cannot answer SYNs in place of programs; use kernel 5.4 or newer, and load the \
             modules nft_synproxy, nft_socket and nft_ct, outside of the container if this is one, or \
             leave syn_proxy out of [flood]",
        ),
        Doing::InstallPortScan if lacking.contains(&errno) => Some(
            "this kernel lacks a part of nf_tables that hearing of port scans needs; load the modules \
             nft_ct, nft_limit, nft_log and nfnetlink_log, outside of the container if this is one, or \
             leave the jail out",
        ),
        Doing::InstallDoors if lacking.contains(&errno) => Some(
            "this kernel lacks a part of nf_tables that doors need; load the modules nft_ct, \
             nft_fib_inet, nft_log and nfnetlink_log, outside of the container if this is one, or \
             leave the doors out",
        ),
        Doing::Listen(_) if errno == libc::EBUSY || (errno == libc::EPERM && !whole) => {
            Some("another program listens to it; choose another group, from 1 to 65535")
        }
        Doing::Listen(_) if errno == libc::EINVAL || lacking.contains(&errno) => Some(
            "this kernel cannot hand over packets; load the module nfnetlink_log, outside of the \
             container if this is one",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(doing: Doing, errno: i32, whole: bool) -> String {
        Refusal { doing, cause: Cause::Kernel { errno, whole, note: None } }.to_string()
    }

    #[test]
    fn sentences_say_what_to_do() {
        let ban = Doing::Ban("sshd".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let gone = said(ban, libc::ENOENT, false);
        assert!(gone.starts_with("cannot ban 192.0.2.7 in sshd: the table or its set is gone"));
        assert!(said(Doing::Open, libc::EPERM, true).contains("CAP_NET_ADMIN"));
        assert!(said(Doing::Listen(7), libc::EPERM, true).contains("CAP_NET_ADMIN"));
        assert!(said(Doing::Listen(7), libc::EPERM, false).contains("choose another group"));
        assert!(said(Doing::Listen(7), libc::EINVAL, true).contains("nfnetlink_log"));
        assert!(said(Doing::InstallDoors, libc::ENOENT, false).contains("nft_fib_inet"));
        let lacks = said(Doing::InstallProxy, libc::ENOENT, false);
        assert!(
            lacks.starts_with("cannot install the SYN proxy: ") && lacks.contains("nft_synproxy")
        );
        let to = Through::Port(sereno_core::gate::Proto::Udp, 5060);
        let pass = Doing::Let(to, "192.0.2.7".parse().unwrap());
        assert!(said(pass, libc::ENOENT, false).starts_with("cannot open udp/5060 to 192.0.2.7: "));
        let lacks = |errno| {
            let cause = Cause::Kernel { errno, whole: false, note: None };
            Refusal { doing: Doing::Install, cause }.is_lacking()
        };
        assert!(lacks(libc::EOPNOTSUPP) && !lacks(libc::ENOBUFS) && !lacks(libc::EPERM));
        assert!(said(Doing::Install, libc::EPERM, false).contains("another program owns"));
        assert!(said(Doing::Install, libc::EOPNOTSUPP, true).contains("nf_tables"));
        assert!(said(ban, libc::ENFILE, false).contains("set is full"));
        assert_eq!(
            said(Doing::Remove, libc::EIO, true),
            "cannot remove the gate: Input/output error (os error 5)"
        );
    }

    #[test]
    fn the_kernels_own_words_are_added() {
        let cause =
            Cause::Kernel { errno: libc::ENOMEM, whole: true, note: Some("too bad".into()) };
        let text = Refusal { doing: Doing::Watch, cause }.to_string();
        assert!(text.ends_with("(the kernel says: too bad)"), "{text}");
    }
}
