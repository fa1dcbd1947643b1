//! From what was found on a machine to a commented configuration file.

mod gate;

pub use gate::suggest_gate;

use crate::facts::{Asterisk, AsteriskNote, Facts, JournalLog, LogFile, LogPlace, Sshd};
use crate::value;
use sereno_core::addr::{Prefix, canonical};
use sereno_core::gate::Ports;
use std::cmp::Reverse;
use std::net::IpAddr;

/// The language of the comments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
}

/// A file in the making.
struct Page {
    lang: Lang,
    text: String,
}

impl Page {
    /// A comment; every line of it begins with `# `.
    fn say(&mut self, english: &str, spanish: &str) {
        let words = match self.lang {
            Lang::English => english,
            Lang::Spanish => spanish,
        };
        for line in words.lines() {
            let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            self.line(format!("# {line}").trim_end());
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Writes the file that suits what was found. It reads back without problems.
#[must_use]
pub fn suggest(facts: &Facts, lang: Lang) -> String {
    let mut page = Page { lang, text: String::new() };
    page.say(
        "Sereno: what was found on this machine, and what follows from it.\n\
         Change what you like; `sereno check` shows every mistake before it counts.",
        "Sereno: lo que se encontró en esta máquina y lo que se sigue de ello.\n\
         Cambie lo que quiera; `sereno check` muestra cada error antes de que cuente.",
    );
    friends(facts, &mut page);
    if let Some(sshd) = &facts.sshd {
        jail_sshd(sshd, &mut page);
    }
    if let Some(asterisk) = &facts.asterisk {
        jail_asterisk(asterisk, &mut page);
    }
    if facts.sshd.is_none() && facts.asterisk.is_none() {
        page.line("");
        page.say(
            "Neither an SSH server nor Asterisk was found. A jail looks like this:",
            "No se encontró ni un servidor SSH ni Asterisk. Una jaula se escribe así:",
        );
        page.line("# [jail.sshd]\n# logpath = [\"/var/log/auth.log\"]");
    }
    page.text
}

/// `ignoreip`: private networks next door, and who is logged in from elsewhere.
fn friends(facts: &Facts, page: &mut Page) {
    page.line("");
    page.say(
        "Who is never banned. This machine, its gateway and whoever is logged in are friends\n\
         without being listed.",
        "Quién no se bloquea nunca. Esta máquina, su puerta de enlace y quien tenga una sesión\n\
         abierta son amigos aunque no estén en la lista.",
    );
    let mut private: Vec<Prefix> =
        facts.networks.iter().copied().filter(|n| is_private(*n)).collect();
    private.sort_unstable();
    private.dedup();
    let elsewhere = |addr: &IpAddr| !addr.is_loopback() && !addr.is_unspecified();
    let mut hosts: Vec<Prefix> = facts
        .sessions
        .iter()
        .map(|addr| canonical(*addr))
        .filter(elsewhere)
        .map(Prefix::host)
        .collect();
    hosts.retain(|host| !private.iter().any(|network| network.overlaps(*host)));
    hosts.sort_unstable();
    hosts.dedup();
    let (network, session) = match page.lang {
        Lang::English => {
            ("a network of this machine; drop it if strangers share it", "logged in just now")
        }
        Lang::Spanish => {
            ("una red de esta máquina; quítela si hay extraños en ella", "con sesión abierta ahora")
        }
    };
    if private.is_empty() && hosts.is_empty() {
        page.line("# ignoreip = [\"192.168.0.0/24\"]");
        return;
    }
    page.line("ignoreip = [");
    for (list, why) in [(private, network), (hosts, session)] {
        list.iter().for_each(|prefix| page.line(&format!("    \"{prefix}\", # {why}")));
    }
    page.line("]");
}

/// Whether a network can only have neighbours in it: RFC 1918, and RFC 4193 unique local.
fn is_private(network: Prefix) -> bool {
    let within = |block: &str, least: u8| {
        block
            .parse::<Prefix>()
            .is_ok_and(|block| block.contains(network.addr()) && network.bits() >= least)
    };
    within("10.0.0.0/8", 12)
        || within("172.16.0.0/12", 12)
        || within("192.168.0.0/16", 16)
        || within("fc00::/7", 48)
}

fn jail_sshd(sshd: &Sshd, page: &mut Page) {
    let mut ports = sshd.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        ports.push(22);
    }
    let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
    let listed = listed.join(", ");
    page.line("");
    page.say(
        &format!(
            "The SSH server listens on port {listed}. Three failures, and its door stays shut."
        ),
        &format!(
            "El servidor SSH escucha en el puerto {listed}. Tres fallos, y su puerta queda cerrada."
        ),
    );
    let source = match &sshd.logs {
        LogPlace::Journal(matches) => journal(matches),
        LogPlace::File(path) if names_itself(path) => Some(format!("logpath = [{}]", quoted(path))),
        LogPlace::File(_) | LogPlace::Nowhere => None,
    };
    let Some(source) = source else {
        page.say(
            "But its log was not found: neither the systemd journal nor /var/log/auth.log nor\n\
             /var/log/secure. Say where it is:",
            "Pero no se encontró su registro: ni el diario de systemd ni /var/log/auth.log ni\n\
             /var/log/secure. Indique dónde está:",
        );
        page.line("# [jail.sshd]\n# logpath = [\"/var/log/auth.log\"]");
        return;
    };
    page.line("[jail.sshd]");
    page.line(&source);
    let list: Vec<String> = ports.iter().map(|port| format!("\"tcp/{port}\"")).collect();
    page.line(&format!("ports = [{}]", list.join(", ")));
    page.line("maxretry = 3\nfindtime = \"10m\"\nbantime = \"10h\"");
}

fn jail_asterisk(asterisk: &Asterisk, page: &mut Page) {
    page.line("");
    let version = plain(asterisk.version.as_deref().unwrap_or_default());
    page.say(format!("Asterisk {version}").trim_end(), format!("Asterisk {version}").trim_end());
    let good = |port: &&String| port.parse::<Ports>().is_ok();
    let ports: Vec<&str> = asterisk.ports.iter().filter(good).map(String::as_str).collect();
    if !ports.is_empty() {
        let ports = ports.join(", ");
        page.say(
            &format!("It listens on {ports}; a ban closes every port, as an attacker tries them all."),
            &format!("Escucha en {ports}; un bloqueo cierra todos los puertos: un atacante los prueba todos."),
        );
    }
    jail_of(asterisk, page);
    flood(asterisk, page);
}

/// The jail of its log.
fn jail_of(asterisk: &Asterisk, page: &mut Page) {
    let chosen = choose(asterisk);
    advice(asterisk, chosen, page);
    match chosen {
        None => {
            page.line("# [jail.asterisk]\n# logpath = [\"/var/log/asterisk/guard\"]");
            return;
        }
        Some(Log::Journal(log)) => {
            let source = journal(&log.matches).unwrap_or_default();
            page.line(&format!("[jail.asterisk]\n{source}"));
        }
        Some(Log::File(log)) => {
            not_read(&asterisk.logs, log, page);
            page.line(&format!("[jail.asterisk]\nlogpath = [{}]", quoted(&log.path)));
        }
    }
    page.line("ports = \"all\"\nmaxretry = 4\nfindtime = \"10m\"\nbantime = \"5h\"");
}

/// How much may come to its telephone ports; those that are not usual are named.
fn flood(asterisk: &Asterisk, page: &mut Page) {
    page.line("");
    page.say(
        "What strangers may send to the ports of telephones. Whoever registered well, whom this\n\
         exchange calls and who is a friend has a measure of his own: no flood takes it from him.",
        "Lo que pueden enviar los desconocidos a los puertos de los teléfonos. Quien se registró bien, a\n\
         quien esta central llama y quien es amigo tiene su propia medida: ninguna avalancha se la quita.",
    );
    page.line("[flood]");
    let usual = crate::flood::usual().flood.ports;
    let phones = asterisk.phones().into_iter();
    let own: Vec<String> =
        phones.filter(|range| !usual.contains(range)).map(|range| format!("\"{range}\"")).collect();
    if !own.is_empty() {
        page.line(&format!("ports = [\"sip\", \"sips\", \"iax2\", {}]", own.join(", ")));
    }
    page.line("stranger = \"10/second burst 100\"\nstrangers = \"200/second burst 250\"");
}

/// Says which logs are left out.
fn not_read(logs: &[LogFile], chosen: &LogFile, page: &mut Page) {
    let others = logs.iter().filter(|other| other.path != chosen.path && is_useful(other));
    let others: Vec<String> = others.map(|other| plain(&other.path)).collect();
    if !others.is_empty() {
        let others = others.join(", ");
        page.say(
            &format!("Not read, because the same lines would count twice: {others}"),
            &format!("No se leen, porque las mismas líneas contarían dos veces: {others}"),
        );
    }
}

/// A log of Asterisk's.
#[derive(Clone, Copy)]
enum Log<'a> {
    File(&'a LogFile),
    Journal(&'a JournalLog),
}

impl Log<'_> {
    fn has(self, level: &str) -> bool {
        match self {
            Self::File(log) => log.has(level),
            Self::Journal(log) => log.has(level),
        }
    }
}

/// The one log to read: security events with notices beat either alone, JSON beats text (what
/// a stranger sends cannot break its lines), and the fewer other levels, the less to read. The
/// journal is for those who have no such file.
fn choose(asterisk: &Asterisk) -> Option<Log<'_>> {
    let rank = |log: &&LogFile| {
        let (security, notice) = (log.has("security"), log.has("notice"));
        let extra = if log.has("*") { usize::MAX } else { log.levels.len() };
        (security && notice, security, log.json, Reverse(extra))
    };
    let file = asterisk.logs.iter().filter(|log| is_useful(log)).max_by_key(rank).map(Log::File);
    let found = |log: &&JournalLog| {
        journal(&log.matches).is_some() && (log.has("security") || log.has("notice"))
    };
    file.or_else(|| asterisk.journal.as_ref().filter(found).map(Log::Journal))
}

/// Whether a file can be named, and has something to read.
fn is_useful(log: &LogFile) -> bool {
    names_itself(&log.path) && (log.has("security") || log.has("notice"))
}

/// The option that reads the journal, unless there is nothing to find entries by.
fn journal(matches: &[String]) -> Option<String> {
    let good = matches.iter().filter(|one| value::is_journal_match(one));
    let list: Vec<String> = good.map(|one| quoted(one)).collect();
    (!list.is_empty()).then(|| format!("journal = [{}]", list.join(", ")))
}

/// What to change in Asterisk's own files so that attacks can be seen.
fn advice(asterisk: &Asterisk, chosen: Option<Log<'_>>, page: &mut Page) {
    let complete = chosen.is_some_and(|log| log.has("security") && log.has("notice"));
    let json = major(asterisk.version.as_deref()).is_some_and(|major| major >= 14);
    let line = if json {
        "guard => [json]notice,warning,error,security"
    } else {
        "guard => notice,warning,error,security"
    };
    if !complete {
        page.say(
            &format!(
                "No log has both the levels security and notice; without them wrong passwords of calls\n\
                 stay unseen. Add below [logfiles] in /etc/asterisk/logger.conf:\n    {line}\n\
                 then run `asterisk -rx 'logger reload'` and write here logpath = [\"/var/log/asterisk/guard\"]."
            ),
            &format!(
                "Ningún registro tiene a la vez los niveles security y notice; sin ellos no se ven las\n\
                 contraseñas erróneas de las llamadas. Añada bajo [logfiles] en /etc/asterisk/logger.conf:\n    {line}\n\
                 después ejecute `asterisk -rx 'logger reload'` y escriba aquí logpath = [\"/var/log/asterisk/guard\"]."
            ),
        );
    } else if json && chosen.is_some_and(|log| matches!(log, Log::File(file) if !file.json)) {
        page.say(
            &format!("Surer still, as no stranger can break its lines, is a log of its own in logger.conf:\n    {line}"),
            &format!("Más seguro aún, pues ningún extraño puede partir sus líneas, es un registro propio en logger.conf:\n    {line}"),
        );
    }
    for note in &asterisk.notes {
        match note {
            AsteriskNote::IaxSilent => page.say(
                "IAX2 logs wrong passwords only with `authdebug = yes` below [general] in iax.conf.",
                "IAX2 solo anota las contraseñas erróneas con `authdebug = yes` bajo [general] en iax.conf.",
            ),
            AsteriskNote::FirstRequestsSilent => page.say(
                "PJSIP hides the first requests of a stranger: write `unidentified_request_count = 1`\n\
                 below [global] (type = global) in pjsip.conf.",
                "PJSIP calla las primeras peticiones de un extraño: escriba `unidentified_request_count = 1`\n\
                 bajo [global] (type = global) en pjsip.conf.",
            ),
        }
    }
}

/// The first number of a version: `22.5.2`, `certified/18.9-cert1`, `GIT-master-...` (none).
fn major(version: Option<&str>) -> Option<u32> {
    let version = version?.trim_start_matches("certified/").trim_start_matches("GIT-");
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    version[..digits].parse().ok()
}

/// Foreign text for a comment: short, and without control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Whether a path can stand in `logpath` and mean itself.
fn names_itself(path: &str) -> bool {
    value::is_path(path) && !path.contains(['*', '?', '['])
}

/// A text as TOML has it; the caller has refused control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
