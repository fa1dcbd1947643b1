//! Asterisk: which logs it writes, where it listens, and what keeps attacks out of its logs.

use super::conf::{Conf, Setting};
use super::{bytes, exists, has_journal, inside, text};
use sereno_config::facts::{Asterisk, AsteriskNote, JournalLog, LogFile};
use sereno_core::gate::{PortRange, Proto};
use std::collections::BTreeSet;
use std::path::Path;

/// Where logs are when nobody says.
const LOGS: &str = "/var/log/asterisk";
/// Bytes of a log in which its first line is looked for.
const HEAD: u64 = 8 << 10;

/// Finds the exchange.
pub(super) fn gather(root: &Path) -> Option<Asterisk> {
    let logger = Conf::read(root, "logger.conf");
    if logger.is_none() && !exists(root, "etc/asterisk/asterisk.conf") && !exists(root, LOGS) {
        return None;
    }
    let main = Conf::read(root, "asterisk.conf").unwrap_or_default();
    let folder =
        main.value("directories", "astlogdir").filter(|path| path.starts_with('/')).unwrap_or(LOGS);
    let host = text(root, "proc/sys/kernel/hostname")
        .or_else(|| text(root, "etc/hostname"))
        .unwrap_or_default();
    let mut logs = logger.as_ref().map(|conf| files(conf, folder, host.trim())).unwrap_or_default();
    // A file that is configured but not there is not written; if none is, Asterisk did not run yet.
    if logs.iter().any(|log| exists(root, &log.path)) {
        logs.retain(|log| exists(root, &log.path));
    }
    let head =
        |log: &LogFile| version(&String::from_utf8_lossy(&bytes(&inside(root, &log.path), HEAD)?));
    let version = logs.iter().find_map(head);
    let journal = logger.as_ref().filter(|_| has_journal(root)).and_then(journal);
    let modules = Modules::read(root);
    let (ports, notes) = (ports(root, &modules), notes(root, &modules));
    Some(Asterisk { version, logs, journal, ports, notes })
}

/// What `[logfiles]` sends to syslog: `syslog.FACILITY => levels`.
fn journal(conf: &Conf) -> Option<JournalLog> {
    let channels = conf.section("logfiles").filter(|setting| setting.key.starts_with("syslog."));
    let channels = channels.map(|setting| channel(&setting.value)).filter(|(json, _)| !json);
    let levels: BTreeSet<String> = channels.flat_map(|(_, levels)| levels).collect();
    // By process: `SYSLOG_IDENTIFIER` is what the sender says of himself, and `logger -t
    // asterisk` says it too.
    let matches = vec!["_COMM=asterisk".to_owned()];
    (!levels.is_empty()).then(|| JournalLog { matches, levels: levels.into_iter().collect() })
}

/// The files of `[logfiles]`: `name => levels`, with the format in brackets before the levels.
pub(super) fn files(conf: &Conf, folder: &str, host: &str) -> Vec<LogFile> {
    let is_named = conf.is_on("general", "appendhostname") && !host.is_empty();
    let mut files: Vec<LogFile> = Vec::new();
    for setting in conf.section("logfiles") {
        let name = setting.key.as_str();
        if name.is_empty() || name == "console" || name.starts_with("syslog") {
            continue;
        }
        let (json, levels) = channel(&setting.value);
        let suffix = if is_named { format!(".{host}") } else { String::new() };
        let path = if name.starts_with('/') {
            format!("{name}{suffix}")
        } else {
            format!("{folder}/{name}{suffix}")
        };
        files.retain(|file| file.path != path);
        files.push(LogFile { path, levels, json });
    }
    files
}

/// `[json]notice,verbose(3)`: whether it is JSON, and the levels in lower case.
fn channel(value: &str) -> (bool, Vec<String>) {
    let format = value.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (format, levels) = format.unwrap_or(("", value));
    let level = |word: &str| word.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
    let levels = levels.split(',').map(level).filter(|level| !level.is_empty()).collect();
    (format.trim().eq_ignore_ascii_case("json"), levels)
}

/// The version in the first line of a log: `... Asterisk VERSION built by ...`.
pub(super) fn version(head: &str) -> Option<String> {
    let (before, _) = head.split_once(" built by ")?;
    let (_, version) = before.rsplit_once("Asterisk ")?;
    let is_plain =
        version.len() <= 64 && version.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    (is_plain && !version.is_empty()).then(|| version.to_owned())
}

/// Which modules are kept out.
struct Modules(Vec<String>);

impl Modules {
    fn read(root: &Path) -> Self {
        let conf = Conf::read(root, "modules.conf").unwrap_or_default();
        let out =
            conf.section("modules").filter(|setting| setting.key.eq_ignore_ascii_case("noload"));
        Self(out.map(|setting| setting.value.trim_end_matches(".so").to_owned()).collect())
    }

    /// The configuration of a module that is not kept out.
    fn conf(&self, root: &Path, module: &str, file: &str) -> Option<Conf> {
        if self.0.iter().any(|out| out == module) { None } else { Conf::read(root, file) }
    }
}

/// The ports of media: `rtp.conf`, or what Asterisk takes without it.
#[must_use]
pub fn rtp(root: &Path) -> Option<PortRange> {
    let conf = Conf::read(root, "rtp.conf").unwrap_or_default();
    let port = |key: &str| {
        let said = conf.0.iter().rfind(|s| s.section == "general" && s.key == key);
        said.and_then(|setting| setting.value.parse().ok())
    };
    let (first, last) = (port("rtpstart").unwrap_or(5000), port("rtpend").unwrap_or(31_000));
    PortRange::new(Proto::Udp, first, last)
}

/// The ports that the channels and the manager are told to use.
fn ports(root: &Path, modules: &Modules) -> Vec<String> {
    let mut ports = BTreeSet::new();
    let mut add = |proto: &str, port: u16| ports.insert(format!("{proto}/{port}"));
    if let Some(sip) = modules.conf(root, "chan_sip", "sip.conf") {
        let value = |key: &str| sip.value("general", key);
        let plain = value("bindport").or_else(|| value("port")).and_then(|port| port.parse().ok());
        let own = value("udpbindaddr").or_else(|| value("bindaddr")).and_then(behind_colon);
        add("udp", own.or(plain).unwrap_or(5060));
        if sip.is_on("general", "tcpenable") {
            add("tcp", value("tcpbindaddr").and_then(behind_colon).or(plain).unwrap_or(5060));
        }
        if sip.is_on("general", "tlsenable") {
            add("tcp", value("tlsbindaddr").and_then(behind_colon).unwrap_or(5061));
        }
    }
    if let Some(iax) = modules.conf(root, "chan_iax2", "iax.conf") {
        add(
            "udp",
            iax.value("general", "bindport").and_then(|port| port.parse().ok()).unwrap_or(4569),
        );
    }
    if let Some(manager) =
        Conf::read(root, "manager.conf").filter(|conf| conf.is_on("general", "enabled"))
    {
        add(
            "tcp",
            manager.value("general", "port").and_then(|port| port.parse().ok()).unwrap_or(5038),
        );
    }
    if let Some(pjsip) = modules.conf(root, "res_pjsip", "pjsip.conf") {
        transports(&pjsip).into_iter().for_each(|(proto, port)| {
            add(proto, port);
        });
    }
    ports.into_iter().collect()
}

/// PJSIP's sections of `type = transport`, and the ports they bind.
fn transports(conf: &Conf) -> Vec<(&'static str, u16)> {
    let is_transport = |s: &&Setting| s.key == "type" && s.value.eq_ignore_ascii_case("transport");
    let transport = |section: &str| {
        let protocol = conf.value(section, "protocol").unwrap_or("udp").to_ascii_lowercase();
        let (proto, port) = match protocol.as_str() {
            "udp" => ("udp", 5060),
            "tcp" => ("tcp", 5060),
            "tls" => ("tcp", 5061),
            // WebSockets come in through the HTTP server.
            _ => return None,
        };
        Some((proto, conf.value(section, "bind").and_then(behind_colon).unwrap_or(port)))
    };
    // Endpoints are sections too, and there can be thousands; transports are few.
    let sections = conf.0.iter().filter(is_transport).take(32);
    sections.filter_map(|setting| transport(&setting.section)).collect()
}

/// The port of `0.0.0.0:5060` or `[::]:5060`.
fn behind_colon(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    port.trim().parse().ok().filter(|_| host.ends_with(']') || !host.contains(':'))
}

/// Settings that keep attacks out of the log.
fn notes(root: &Path, modules: &Modules) -> Vec<AsteriskNote> {
    let mut notes = Vec::new();
    if modules
        .conf(root, "chan_iax2", "iax.conf")
        .is_some_and(|iax| !iax.is_on("general", "authdebug"))
    {
        notes.push(AsteriskNote::IaxSilent);
    }
    let told = |pjsip: Conf| {
        pjsip
            .0
            .iter()
            .any(|s| s.key.eq_ignore_ascii_case("unidentified_request_count") && s.value == "1")
    };
    if modules.conf(root, "res_pjsip", "pjsip.conf").is_some_and(|pjsip| !told(pjsip)) {
        notes.push(AsteriskNote::FirstRequestsSilent);
    }
    notes
}
