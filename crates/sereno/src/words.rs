//! What the program says to people, in English and Spanish, in one place.
//!
//! Every message is a function whose arguments are named in both texts, so that a missing
//! argument is a compiler's error and a missing translation cannot be written. What programs
//! read (JSON, logs, configuration) is never translated.

use crate::cli::paint;
use sereno_config::{Lang, Problem};
use sereno_core::jail::Because;
use sereno_core::rule::spec::Kind;
use std::cell::Cell;
use std::fmt::Display;
use std::sync::OnceLock;

thread_local! {
    /// The language of whoever is being answered.
    static ANSWERED: Cell<Option<Lang>> = const { Cell::new(None) };
}

/// Says something in another language than one's own: a client's.
pub fn to<T>(listener: Lang, say: impl FnOnce() -> T) -> T {
    let before = ANSWERED.replace(Some(listener));
    let said = say();
    ANSWERED.set(before);
    said
}

/// A language as the control protocol names it, and the other way round; what is not known is
/// English.
#[must_use]
pub fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::English => "en",
        Lang::Spanish => "es",
    }
}

/// The language of a [`tag`].
#[must_use]
pub fn by_tag(tag: &str) -> Lang {
    if tag == "es" { Lang::Spanish } else { Lang::English }
}

/// The language of who is listening, by `LC_ALL`, `LC_MESSAGES`, `LANG`: the first that is set.
#[must_use]
pub fn lang() -> Lang {
    static LANG: OnceLock<Lang> = OnceLock::new();
    if let Some(lang) = ANSWERED.get() {
        return lang;
    }
    *LANG.get_or_init(|| {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set) {
            Some(locale)
                if locale == "es" || locale.starts_with("es_") || locale.starts_with("es.") =>
            {
                Lang::Spanish
            }
            _ => Lang::English,
        }
    })
}

/// `name(arguments) = "English" | "español";`
macro_rules! words {
    ($($name:ident($($arg:ident),*) = $english:literal | $spanish:literal;)*) => {$(
        #[doc = $english]
        #[allow(rustdoc::broken_intra_doc_links, reason = "a text for people")]
        #[must_use]
        pub fn $name($($arg: impl Display),*) -> String {
            match lang() {
                Lang::English => format!($english),
                Lang::Spanish => format!($spanish),
            }
        }
    )*};
}

mod door;
mod firewall;
mod gate;
mod import;
mod invite;
mod knock;
mod lists;
mod run;
pub use door::*;
pub use firewall::*;
pub use gate::*;
pub use import::*;
pub use invite::*;
pub use knock::*;
pub use lists::*;
pub use run::*;

/// `name = "thing", "things" | "cosa", "cosas";`: a number with its noun.
macro_rules! counts {
    ($($name:ident = $one:literal, $many:literal | $una:literal, $muchas:literal;)*) => {$(
        #[doc = concat!("`n ", $many, "`")]
        #[must_use]
        pub fn $name(n: u64) -> String {
            let (one, many) = match lang() {
                Lang::English => ($one, $many),
                Lang::Spanish => ($una, $muchas),
            };
            format!("{} {}", paint::number(n), if n == 1 { one } else { many })
        }
    )*};
}

counts! {
    searches = "search", "searches" | "búsqueda", "búsquedas";
    sessions = "session", "sessions" | "sesión", "sesiones";
    packets = "packet", "packets" | "paquete", "paquetes";
    times = "time", "times" | "vez", "veces";
    files = "file", "files" | "archivo", "archivos";
    lines = "line", "lines" | "línea", "líneas";
    addresses = "address", "addresses" | "dirección", "direcciones";
    bans = "ban", "bans" | "veto", "vetos";
    problems = "problem", "problems" | "problema", "problemas";
    jails = "jail", "jails" | "jaula", "jaulas";
    rules = "rule", "rules" | "regla", "reglas";
    patterns = "pattern", "patterns" | "patrón", "patrones";
    samples = "sample line", "sample lines" | "línea de muestra", "líneas de muestra";
    closed_ports = "closed port", "closed ports" | "puerto cerrado", "puertos cerrados";
    accounts = "account", "accounts" | "cuenta", "cuentas";
    failures = "failure", "failures" | "fallo", "fallos";
}

words! {
    // Everywhere.
    nobody_answers(socket, why) = "no Sereno answers at {socket}: {why}"
        | "ningún Sereno responde en {socket}: {why}";
    hung_up() = "the running Sereno ended the conversation" | "el Sereno en marcha cortó la conversación";
    another_answer() = "the running Sereno gave an answer to another question"
        | "el Sereno en marcha respondió a otra pregunta";
    and_also(first, second) = "{first}; {second}" | "{first}; {second}";
    roots_ledger(nobody, own, system) = "{nobody}; there is no ledger in {own}, and that in {system} only root may read"
        | "{nobody}; no hay ningún libro en {own}, y el de {system} solo lo puede leer root";
    for_ever() = "for ever" | "para siempre";
    for_span(span) = "for {span}" | "durante {span}";
    time() = "time" | "hora";
    address() = "address" | "dirección";
    jail() = "jail" | "jaula";
    length() = "for" | "durante";
    count() = "count" | "cuenta";
    because() = "because of" | "a causa de";
    // Reading logs.
    lines_cut(most, lines) = "Cut for being over {most} KiB: {lines}" | "Se cortaron por pasar de {most} KiB: {lines}";
    // scan
    lines_counted(n, lines) = "{n} of {lines} count" | "Cuentan {n} de {lines}";
    also_understood(what) = "Also understood: {what}" | "También se entiende: {what}";
    by_pattern() = "By pattern" | "Por patrón";
    by_address(addresses) = "By address ({addresses})" | "Por dirección ({addresses})";
    no_such_rule(name, names) = "there is no rule {name}; there are: {names}"
        | "no hay ninguna regla {name}; hay: {names}";
    // replay
    no_such_jail(name, names) = "there is no enabled jail {name}; there are: {names}"
        | "no hay ninguna jaula activa {name}; hay: {names}";
    replayed(lines, bytes, time, speed) = "Read {lines}, {bytes}, in {time}: {speed} lines per second"
        | "Se leyeron {lines}, {bytes}, en {time}: {speed} líneas por segundo";
    nobody_banned() = "Nobody would have been banned." | "No se habría vetado a nadie.";
    would_ban(bans, who) = "{bans} of {who}" | "{bans} de {who}";
    jail_bans(jail, bans, failures) = "{jail}: {bans}, {failures}" | "{jail}: {bans}, {failures}";
    spared(prefix, jail, why, count) = "Spared {prefix} ({jail}): a friend ({why}), with {count}"
        | "Se perdonó a {prefix} ({jail}): es amigo ({why}), con {count}";
    forged(lines) = "Not believed: {lines} that a stranger wrote into others, or beside such"
        | "Sin creer: {lines} que un extraño escribió dentro de otras, o al lado de ellas";
    unvouched(lines) = "Not believed: {lines} that nothing else vouched for"
        | "Sin creer: {lines} que nada más avalaba";
    overrun(lines) = "Not weighed: {lines}, because too many waited at once"
        | "Sin pesar: {lines}, porque esperaban demasiadas a la vez";
    strangers(lines) = "Not understood: {lines} that look as if they should count"
        | "Sin entender: {lines} que parecen deber contar";
    fix_first(problems) = "{problems} in the configuration; sereno check shows them"
        | "{problems} en la configuración; sereno check los muestra";
    // rules
    pattern() = "pattern" | "patrón";
    meaning() = "tells of" | "habla de";
    weight() = "weight" | "peso";
    proven(patterns) = "{patterns}, all proven" | "{patterns}, todos probados";
    // check
    warning() = "warning" | "aviso";
    remedy() = "remedy" | "remedio";
    log_missing(jail, path) = "warning: jail {jail}: {path} is not there (yet)"
        | "aviso: jaula {jail}: {path} no existe (todavía)";
    no_configuration(path) = "There is no {path}; this is what was found on this machine."
        | "No hay {path}; esto es lo que se encontró en esta máquina.";
    nothing_guarded() = "No jail is enabled: nothing would be guarded."
        | "No hay ninguna jaula activa: no se vigilaría nada.";
    not_regular(path) = "{path} is no regular file" | "{path} no es un archivo normal";
    too_long(path, most) = "{path} has more than {most}; split it: conf.d/*.toml beside sereno.toml is read as well"
        | "{path} tiene más de {most}; divídalo: también se lee conf.d/*.toml junto a sereno.toml";
    no_utf8(path, line) = "{path}:{line}: a letter here is not UTF-8; convert the file, such as with `iconv -f latin1 -t utf8`"
        | "{path}:{line}: aquí hay una letra que no es UTF-8; convierta el archivo, por ejemplo con `iconv -f latin1 -t utf8`";
    program_missing(what, program) = "warning: {what}: {program} is not installed"
        | "aviso: {what}: {program} no está instalado";
    action_of(action, jail) = "action {action} of jail {jail}" | "acción {action} de la jaula {jail}";
    command_of(door) = "command of door {door}" | "orden de la puerta {door}";
    all_fine(jails, names) = "No problems: {jails} ({names})." | "Sin problemas: {jails} ({names}).";
    // init
    is_there(path) = "{path} is there already; --force replaces it"
        | "{path} ya existe; --force lo reemplaza";
    written(path) = "Wrote {path}. sereno check proves it, sereno run starts guarding."
        | "Se escribió {path}. sereno check lo comprueba, sereno run empieza a vigilar.";
}

words! {
    // The commands that speak to the running program.
    until() = "until" | "hasta";
    since() = "since" | "desde";
    nobody_out() = "Nobody is out." | "No hay nadie fuera.";
    done() = "Done." | "Hecho.";
    done_bans(bans) = "Done: {bans}." | "Hecho: {bans}.";
    nothing_known(who) = "Nothing is known of {who}." | "No se sabe nada de {who}.";
    out_now(who, jail, until) = "{who} is out by jail {jail}, {until}"
        | "{who} está fuera por la jaula {jail}, {until}";
    not_out(who) = "{who} is not banned" | "{who} no está vetado";
    stands_as_friend(why) = "a friend, never banned: {why}" | "es amigo, nunca se le veta: {why}";
    stands_as_known(at) = "somebody last logged in well from there at {at}"
        | "alguien accedió bien desde ahí por última vez el {at}";
    in_lists(names) = "in these lists: {names}" | "está en estas listas: {names}";
    guarding(version, pid, since) = "Sereno {version}, process {pid}, guarding since {since}"
        | "Sereno {version}, proceso {pid}, vigila desde {since}";
    observing(why) = "OBSERVING ONLY, nobody is banned: {why}"
        | "SOLO OBSERVA, no se veta a nadie: {why}";
    gate(table, bans, pending, dropped) = "gate: table {table}, {bans} in force, {pending} pending, stopped: {dropped}"
        | "cortafuegos: tabla {table}, {bans} en vigor, {pending} pendientes, parados: {dropped}";
    gate_mended(times) = "gate: put back {times} after somebody else changed it"
        | "cortafuegos: repuesto {times} después de que otro la cambiara";
    gate_policy(rules) = "gate: a policy of {rules} is in force" | "cortafuegos: en vigor una política de {rules}";
    gate_has_trial(end) = "gate: another policy is on trial until {end}; sereno gate confirm keeps it"
        | "cortafuegos: otra política está a prueba hasta {end}; sereno gate confirm la conserva";
    memory_used(bytes) = "memory: {bytes}" | "memoria: {bytes}";
    jail_line(name, rule, retry, find, ban, ports) = "jail {name}: rule {rule}, {retry} in {find}, out {ban}, {ports}"
        | "jaula {name}: regla {rule}, {retry} en {find}, fuera {ban}, {ports}";
    jail_seen(failures, patient, good, watching, out) = "{failures}, {patient} borne with patience, {good} good logins, {watching} watched, {out} in force"
        | "{failures}, {patient} tolerados, {good} accesos buenos, {watching} observados, {out} en vigor";
    jail_strain(exhausted, lost) = "{exhausted} given up after too many steps, {lost} forgotten"
        | "sin acabar, por demasiados pasos: {exhausted}; sin sitio: {lost}";
    source_line(what, files, lag, last, matched) = "{what}: {files}, {lag} behind, last line {last}, last match {matched}"
        | "{what}: {files}, {lag} por leer, última línea {last}, última coincidencia {matched}";
    source_counts(candidates, matched, unknown, disbelieved) = "{candidates} lines looked at, {matched} understood, {unknown} unknown, {disbelieved} not believed"
        | "{candidates} líneas miradas, {matched} entendidas, {unknown} desconocidas, {disbelieved} no creídas";
    never() = "never" | "nunca";
    alarm(text) = "ALARM: {text}" | "ALARMA: {text}";
    all_well() = "All is well: every log is read, every ban is in force."
        | "Todo en orden: se lee cada registro y cada veto está en vigor.";
}

/// A problem of a file. What parsers say of it is English; where and what for is not.
#[must_use]
pub fn problem(problem: &Problem) -> String {
    problem.labelled(&warning(), &remedy())
}

/// How much a jail counts until a ban: failures, or closed ports.
#[must_use]
pub fn counted(heard: bool, most: u32) -> String {
    if heard { closed_ports(most.into()) } else { failures(most.into()) }
}

/// Which limit was reached, in a table.
#[must_use]
pub fn reason(because: Because) -> &'static str {
    match (lang(), because) {
        (Lang::English, because) => because.word(),
        (Lang::Spanish, Because::Failures) => "fallos",
        (Lang::Spanish, Because::Accounts) => "cuentas",
        (Lang::Spanish, Because::Ports) => "puertos",
        (Lang::Spanish, Because::Hosts) => "asedio",
        (Lang::Spanish, Because::Network) => "red",
        (Lang::Spanish, Because::Manual) => "orden",
    }
}

/// What a kind of line is called in a summary.
#[must_use]
pub fn kind(kind: Kind) -> &'static str {
    match (lang(), kind) {
        (Lang::English, kind) => kind.word(),
        (Lang::Spanish, Kind::Failure) => "fallo",
        (Lang::Spanish, Kind::Success) => "acceso",
        (Lang::Spanish, Kind::Challenge) => "reto",
        (Lang::Spanish, Kind::Neutral) => "neutral",
        (Lang::Spanish, Kind::End) => "fin",
        (Lang::Spanish, Kind::Forgery) => "falsificación",
    }
}
