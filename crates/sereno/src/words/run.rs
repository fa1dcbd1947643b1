//! What the guard says: notes as things happen, alarms, answers to commands.

use super::{accounts, closed_ports, failures, lang, reason};
use crate::cli::paint;
use crate::run::commands::Failure;
use sereno_config::Lang;
use sereno_core::gate::Name;
use sereno_core::jail::Because;
use sereno_fail2ban::act::Operation;
use sereno_tail::Notice;
use std::fmt::Display;
use std::net::IpAddr;

words! {
    // At the start and the end.
    ports_are(ports) = "ports {ports}" | "puertos {ports}";
    commands_only() = "commands only" | "solo órdenes";
    jail_guards(jail, failures, window, length, ports) = "jail {jail}: {failures} in {window}, out {length}, {ports}"
        | "jaula {jail}: {failures} en {window}, fuera {length}, {ports}";
    guarding_with(table) = "guarding; table inet {table}" | "vigila; tabla inet {table}";
    guarding_by_iptables(table) = "guarding; chains {table}.* of iptables and ip6tables, sets of ipset"
        | "vigila; cadenas {table}.* de iptables e ip6tables, conjuntos de ipset";
    listens_at(socket) = "control socket {socket}" | "socket de control {socket}";
    no_jails_yet() = "no jail is set up; `sereno init` shows what was found on this machine"
        | "no hay ninguna jaula; `sereno init` muestra lo que se encontró en esta máquina";
    stopped() = "stopped; the bans stay in force" | "parado; los vetos siguen en vigor";
    stopped_observing() = "stopped; nobody was banned" | "parado; no se vetó a nadie";
    seized() = "the firewall can be had now: guarding" | "ya se puede usar el cortafuegos: se vigila";
    asked_to_observe() = "asked to observe only" | "se pidió solo observar";
    not_in_group(group) = "only this user may use the control socket: he is not in group {group}"
        | "solo este usuario puede usar el socket de control: no está en el grupo {group}";
    another_listens(socket) = "another Sereno listens on {socket}" | "otro Sereno escucha en {socket}";
    another_guards(table, process) = "another Sereno (process {process}) guards with the table inet {table} already; stop it, or give this one a `table` of its own"
        | "otro Sereno (proceso {process}) vigila ya con la tabla inet {table}; párelo, o dele a este una `table` propia";
    no_socket(path, why) = "no control socket can be made at {path}: {why}; root may, others name a place of their own (--socket PATH, --state DIR)"
        | "no se puede hacer el socket de control en {path}: {why}; root sí puede, otros dan un lugar propio (--socket PATH, --state DIR)";
    is_no_socket(path) = "{path} is there and is no socket" | "{path} existe y no es un socket";
    nobody_notified(why) = "the service manager cannot be told: {why}"
        | "no se puede avisar al gestor de servicios: {why}";
    // reload
    reloaded() = "reloaded" | "recargado";
    after_restart(names) = "only after a restart: {names}" | "solo tras reiniciar: {names}";
    standard_input() = "standard input" | "la entrada estándar";
    not_reloaded(why) = "not reloaded, the old configuration stands: {why}"
        | "sin recargar, sigue la configuración anterior: {why}";
    // Guarding by a fail2ban configuration.
    fail2ban_runs(other) = "fail2ban itself guards by the same configuration ({other}); stop it: `systemctl disable --now fail2ban`"
        | "el propio fail2ban vigila con la misma configuración ({other}); párelo: `systemctl disable --now fail2ban`";
    fail2ban_unlogged(path, why) = "nothing is written to {path}: {why}"
        | "no se escribe nada en {path}: {why}";
    fail2ban_log(why) = "fail2ban's log: {why}" | "el registro de fail2ban: {why}";
    taken_over(bans, pasts, path) = "{bans} in force and {pasts} earlier taken over from {path}"
        | "tomados de {path}: {bans} en vigor, {pasts} de antes";
    not_taken_over(why) = "no bans were taken over: {why}" | "no se tomó ningún veto: {why}";
    not_given_back(why) = "nothing was given back, and guarding goes on: {why}"
        | "no se devolvió nada y se sigue vigilando: {why}";
    no_tree() = "not guarding a fail2ban tree" | "no se vigila por ningún árbol de fail2ban";
    no_database(path) = "fail2ban keeps no database (dbfile = {path})"
        | "fail2ban no guarda ninguna base de datos (dbfile = {path})";
    still_runs(other) = "fail2ban runs ({other}) and reads its database at its start only"
        | "fail2ban está en marcha ({other}) y solo lee su base de datos al arrancar";
    given_back(bans, path) = "{bans} written to {path}; they stay in force in the kernel too, until `nft delete table`"
        | "{bans} escritos en {path}; siguen también en vigor en el núcleo, hasta `nft delete table`";
    given_shorter(bans) = "{bans} end earlier there: fail2ban lets none last longer than its jail's bantime"
        | "{bans} acaban antes allí: fail2ban no deja que ninguno dure más que el bantime de su jaula";
    given_gone(bans) = "{bans} left out there: they were lifted here"
        | "{bans} se quitaron allí: se levantaron aquí";
    not_fail2bans(bans) = "{bans} of no jail of fail2ban's: they end with Sereno's table"
        | "{bans} no son de ninguna jaula de fail2ban: acaban con la tabla de Sereno";
    rival_gone() = "fail2ban has ended; its bans, its log and its actions are Sereno's now"
        | "fail2ban terminó; sus vetos, su registro y sus acciones son ahora de Sereno";
    taken_friends(n) = "{n} of them are friends and were let in"
        | "{n} de ellos son amigos y fueron readmitidos";
    // Bans and lifts.
    observed_only(what) = "observed only: {what}" | "solo observado: {what}";
    until_time(time) = "until {time}" | "hasta {time}";
    banned_by_hand(until) = "banned by hand {until}" | "a mano {until}";
    banned_by(jail, until, count) = "banned by {jail} {until}: {count}"
        | "por {jail} {until}: {count}";
    let_in(jail, why) = "let in again by {jail}: {why}" | "por {jail}: {why}";
    time_over() = "its time is over" | "se acabó su tiempo";
    by_hand() = "by hand" | "a mano";
    a_friend() = "a friend" | "es amigo";
    for_room() = "too many were out, and he was the next to be let in"
        | "había demasiados fuera, y era el próximo en volver";
    not_let_in(who, why) = "{who} could not be let in: {why}; putting the gate in place anew"
        | "no se pudo readmitir a {who}: {why}; se repone el cortafuegos";
    friend_not_banned(who, why) = "{who} is a friend ({why}) and was not banned"
        | "{who} es amigo ({why}) y no fue vetado";
    asked(jail, count) = "jail {jail} asks its ignorecommand whether to ban after {count}"
        | "la jaula {jail} pregunta a su ignorecommand si vetar tras {count}";
    asks_in_vain(jail, why) = "the ignorecommand of jail {jail} gives no answer, so whoever it would leave alone is banned: {why}"
        | "el ignorecommand de la jaula {jail} no responde, y se veta a quien perdonaría: {why}";
    spared_friend(count, friend) = "not banned after {count}: a friend ({friend})"
        | "sin vetar tras {count}: es amigo ({friend})";
    excused(count) = "not banned after {count}: the jail's ignorecommand says to leave it alone"
        | "sin vetar tras {count}: el ignorecommand de la jaula dice que se deje en paz";
    server_ended(status, conf) = "the server ended ({status}); sereno run --fail2ban {conf} says why"
        | "el servidor terminó ({status}); sereno run --fail2ban {conf} dice por qué";
    server_late(conf) = "the server does not answer yet; sereno run --fail2ban {conf} says why"
        | "el servidor aún no contesta; sereno run --fail2ban {conf} dice por qué";
    clock_back(seconds) = "the clock was set back by {seconds} s: doors close when they would have without"
        | "el reloj se atrasó {seconds} s: las puertas se cierran cuando se habrían cerrado sin ello";
    far_times(seconds) = "lines carry times {seconds} s from now; they count as now: check clock and zone"
        | "las líneas llevan horas a {seconds} s de ahora; cuentan como ahora: revise el reloj y la zona";
    not_in_force(why) = "ban not in force: {why}" | "veto sin efecto: {why}";
    still_talking() = "is banned and still reaches a service: another port or way in?"
        | "está vetado y aún llega a un servicio: ¿otro puerto u otra entrada?";
    // Doors.
    knock_stage(door, stage) = "knocks at {door}: {stage} right" | "toca en {door}: {stage} bien";
    knock_late(door, stage) = "was too slow at {door}, after {stage}"
        | "tardó demasiado en {door}, tras {stage}";
    knock_right(door) = "knocked at {door} in the right way" | "tocó bien en {door}";
    knock_used(door) = "a sequence of {door} is used" | "una secuencia de {door} ya se usó";
    door_open(door, until) = "let in by {door} {until}" | "pasa por {door} {until}";
    door_open_port(door, port, until) = "let in by {door} at {port} {until}"
        | "pasa por {door} a {port} {until}";
    door_closed(door, why) = "{door} is closed to it: {why}" | "{door} se cierra: {why}";
    before_time() = "before its time" | "antes de tiempo";
    door_runs(door) = "the command of {door} is run" | "se ejecuta la orden de {door}";
    door_runs_end(door) = "the end command of {door} is run" | "se ejecuta la orden final de {door}";
    barred(door) = "knocked at {door} in the right way, but had touched a trap; not let in"
        | "tocó bien en {door}, pero había tocado una trampa; no pasa";
    doors_full(door) = "not let in by {door}: too many are in" | "no pasa por {door}: hay demasiados";
    not_opened(door, why) = "{door} could not be opened: {why}" | "no se pudo abrir {door}: {why}";
    stopped_shut(table) = "closed doors stay closed, and nobody hears who knocks; `nft delete table inet {table}` opens them and lifts all bans"
        | "las puertas cerradas siguen cerradas y nadie oye a quien toca; `nft delete table inet {table}` las abre y levanta todos los vetos";
    doors_pass(mark) = "another firewall turns strangers away; it was told to let pass whom a door lets in (mark {mark})"
        | "otro cortafuegos rechaza a los extraños; se le dijo que deje pasar a quien admite una puerta (marca {mark})";
    door_closes(ports, door) = "{ports}: closed to all but who comes in by the door {door}"
        | "{ports}: cerrado a todos menos a quien entra por la puerta {door}";
    doors_bare(doors) = "the firewall that closed the ports of {doors} is gone, and nobody closes them: `sereno reload` has Sereno do it"
        | "ya no está el cortafuegos que cerraba los puertos de {doors}, y nadie los cierra: con `sereno reload` lo hace Sereno";
    doors_blocked(why, mark) = "{why}; add `iptables -I INPUT -m mark --mark {mark}/{mark} -j ACCEPT` to it, the same for ip6tables, and the same for FORWARD where doors lead to other machines"
        | "{why}; añada `iptables -I INPUT -m mark --mark {mark}/{mark} -j ACCEPT` en él, lo mismo en ip6tables, y lo mismo en FORWARD si hay puertas que llevan a otras máquinas";
    doors_deaf(why) = "nobody is heard at the doors: {why}" | "no se oye a nadie en las puertas: {why}";
    door_busy(door) = "too many commands wait; that of {door} is not run"
        | "esperan demasiadas órdenes; la de {door} no se ejecuta";
    door_command_failed(door, addr, why) = "the command of {door} for {addr} failed: {why}"
        | "falló la orden de {door} para {addr}: {why}";
    not_marked(file, why) = "{file}: a used sequence could not be marked, but is not taken again: {why}"
        | "{file}: no se pudo marcar una secuencia usada, pero no vuelve a valer: {why}";
    signed_nat(addr) = "a signed packet from {addr} asks for translation, which is not allowed (ENABLE_IPT_FORWARDING or ENABLE_IPT_LOCAL_NAT in fwknopd.conf); it opens nothing"
        | "un paquete firmado de {addr} pide traducción, y no está permitida (ENABLE_IPT_FORWARDING o ENABLE_IPT_LOCAL_NAT en fwknopd.conf); no abre nada";
    signed_target(addr) = "a signed packet from {addr} asks for translation to a name, to this machine, or to no single machine; it opens nothing: it has to say the IPv4 address of another machine, or --nat-local"
        | "un paquete firmado de {addr} pide traducción a un nombre, a esta máquina o a ninguna máquina concreta; no abre nada: debe decir la dirección IPv4 de otra máquina, o --nat-local";
    nat_unable(why) = "{why}; signed packets that ask for translation open nothing"
        | "{why}; los paquetes firmados que piden traducción no abren nada";
    nat_no_forwarding() = "doors are to lead to other machines, and this one sends nothing on: set net.ipv4.ip_forward=1 (sysctl -w, and a file in /etc/sysctl.d), or leave ENABLE_IPT_FORWARDING and FORCE_NAT out"
        | "hay puertas que llevan a otras máquinas, y esta no reenvía nada: ponga net.ipv4.ip_forward=1 (sysctl -w, y un archivo en /etc/sysctl.d), o quite ENABLE_IPT_FORWARDING y FORCE_NAT";
    signed_other(user, door, ports) = "the packet of {user} asks for more than {door} has: {ports}"
        | "el paquete de {user} pide más de lo que tiene {door}: {ports}";
    signed_runs(user, addr, door) = "a packet of {user} from {addr} runs a command by {door}"
        | "un paquete de {user} desde {addr} ejecuta una orden por {door}";
    barred_by_ban(addr, jails) = "{addr} is banned ({jails}) and stays out until `sereno unban {addr}`"
        | "{addr} está vetado ({jails}) y no entra hasta `sereno unban {addr}`";
    unknown_door(door) = "there is no door {door}; `sereno door list` names them"
        | "no hay ninguna puerta {door}; `sereno door list` las nombra";
    doors_noted_only(why) = "noted only, nothing is opened: {why}" | "solo anotado, no se abre nada: {why}";
    alarm_doors_lost(n) = "{n} at the doors lost: they came too fast"
        | "sin oír en las puertas: {n}, llegaban demasiado rápido";
    door_shut(door) = "{door} is closed to all who do not knock" | "{door} queda cerrada para quien no toca";
    door_on_trial(door, until) = "{door} is closed on trial {until}; `sereno door confirm {door}` keeps it so"
        | "{door} se cierra a prueba {until}; `sereno door confirm {door}` la deja así";
    door_unshut(door) = "nobody confirmed it: {door} is as its file says again"
        | "nadie lo confirmó: {door} vuelve a estar como dice su archivo";
    door_unclosable(door) = "{door} has no ports that could be closed" | "{door} no tiene puertos que cerrar";
    door_shut_already(door) = "{door} is closed already" | "{door} ya está cerrada";
    door_no_trial(door) = "{door} is not closed on trial" | "{door} no está cerrada a prueba";
    door_knock_first(addr, door) = "{addr} has not knocked at {door} in the right way in the last ten minutes: first see that you can, then close it"
        | "{addr} no ha tocado bien en {door} en los últimos diez minutos: compruebe que puede, y luego ciérrela";
    knocks_used_up(door) = "the last one-time sequence of {door} is used: write new ones"
        | "se usó la última secuencia de un solo uso de {door}: escriba otras";
    // The gate.
    gate_refused(why) = "the gate could not be put in place: {why}" | "no se pudo poner el cortafuegos: {why}";
    gate_changed() = "the gate was changed; putting it back" | "el cortafuegos fue cambiado; se repone";
    gate_changed_by(who) = "the gate was changed by {who}; putting it back"
        | "{who} cambió el cortafuegos; se repone";
    gate_gone() = "the gate is not as it should be; putting it in place"
        | "el cortafuegos no está como debe; se pone";
    // Answers to commands.
    unknown_jail(jail) = "there is no jail {jail}" | "no hay ninguna jaula {jail}";
    is_friend(who, why) = "{who} is a friend: {why}" | "{who} es amigo: {why}";
    sizes(who, sizes) = "{who} cannot be banned: networks can be {sizes}"
        | "{who} no se puede vetar: las redes pueden ser {sizes}";
    noted_only(why) = "noted only, nobody is banned: {why}" | "solo anotado, no se veta a nadie: {why}";
    not_taken_yet() = "the kernel has not taken it yet; see `sereno status`"
        | "el núcleo aún no lo aceptó; vea `sereno status`";
    other_version() = "this Sereno speaks another version; use the same program on both sides"
        | "este Sereno habla otra versión; use el mismo programa en los dos lados";
}

words! {
    // Alarms.
    over(text) = "over: {text}" | "pasó: {text}";
    alarm_observing(why) = "nobody is banned: {why}" | "no se veta a nadie: {why}";
    alarm_gate(table) = "the table {table} is not in the kernel: bans are not in force"
        | "la tabla {table} no está en el núcleo: los vetos no están en vigor";
    alarm_pending(bans) = "not in force yet: {bans}" | "aún sin efecto: {bans}";
    alarm_no_jail() = "no jail is set up: nothing is watched" | "no hay ninguna jaula: no se vigila nada";
    alarm_unread(jail) = "jail {jail} reads nothing" | "la jaula {jail} no lee nada";
    alarm_flaws(file, n) = "{file}: errors: {n}; what they are about is not in force, sereno check shows them"
        | "{file}: errores: {n}; lo que tocan no está en vigor, sereno check los muestra";
    warned(file, n, dir) = "{file}: warnings: {n}; `sereno check{dir}` shows them"
        | "{file}: avisos: {n}; `sereno check{dir}` los muestra";
    alarm_unrecorded(why) = "nothing is recorded: {why}" | "no se registra nada: {why}";
    alarm_source(jail, source, what) = "jail {jail}: {source}: {what}" | "jaula {jail}: {source}: {what}";
    alarm_exhausted(jail, n) = "jail {jail}: {n} of the last 24 h given up after too many steps; failures may have been missed: an expression of its filter is slow on some lines"
        | "jaula {jail}: {n} de las últimas 24 h sin acabar, por demasiados pasos; pueden faltar fallos: una expresión de su filtro es lenta con algunas líneas";
    alarm_sessions(jail, n) = "jail {jail}: {n} of the last 24 h forgotten for want of room, before it was known whose failures they were"
        | "jaula {jail}: {n} de las últimas 24 h en el olvido, por falta de sitio, antes de saber de quién eran los fallos";
    alarm_behind(size) = "{size} unread" | "{size} por leer";
    alarm_never(n) = "{n} lines look like this service's, and none is understood"
        | "{n} líneas parecen de este servicio, y no se entiende ninguna";
    alarm_streak(n) = "{n} of the last lines of a kind were not understood: did their format change?"
        | "no se entendieron {n} de las últimas líneas de una clase: ¿cambió su formato?";
    alarm_doubts(n) = "{n} lines of the last 24 h were not believed: somebody writes into this log, or its dateformat changed"
        | "{n} líneas de las últimas 24 h no se creyeron: alguien escribe en este registro, o cambió su dateformat";
    alarm_silent(since) = "silent since {since}" | "en silencio desde {since}";
    alarm_silent_unlike(since, pause) = "silent since {since}, usually a line at least every {pause}"
        | "en silencio desde {since}, y suele haber una línea al menos cada {pause}";
}

words! {
    // Actions of a fail2ban configuration.
    would_run(actions, jail, who) = "would have run {actions} of jail {jail} for {who}"
        | "se habría ejecutado {actions} de la jaula {jail} por {who}";
    action_fails(action, jail, what) = "action {action} of jail {jail} fails: {what}"
        | "la acción {action} de la jaula {jail} falla: {what}";
    action_refused(action, jail, why) = "action {action} of jail {jail} is not done: {why}"
        | "la acción {action} de la jaula {jail} no se hace: {why}";
    take_instead(action) = "{action} does something like it" | "{action} hace algo parecido";
    action_behind(action, jail, n) = "action {action} of jail {jail} does not keep up: {n} waiting"
        | "la acción {action} de la jaula {jail} no da abasto: {n} en espera";
    action_dropped(action, jail, n) = "action {action} of jail {jail}: {n} not told, there were too many"
        | "acción {action} de la jaula {jail}: {n} sin avisar, eran demasiados";
    action_left(action, jail, n) = "action {action} of jail {jail}: the time was over with {n} not lifted"
        | "acción {action} de la jaula {jail}: se acabó el tiempo con {n} sin levantar";
    exit_code(code) = "exit code {code}" | "código de salida {code}";
    by_signal(signal) = "ended by signal {signal}" | "terminado por la señal {signal}";
    took_too_long(span) = "killed after {span}" | "eliminado tras {span}";
}

words! {
    // Sources.
    source_opened(path, start, size) = "reading {path} from byte {start} of {size}"
        | "se lee {path} desde el byte {start} de {size}";
    source_rotated_opened(path, start, size) = "reading rotated file {path} from byte {start} of {size}"
        | "se lee el archivo rotado {path} desde el byte {start} de {size}";
    source_named(path) = "{path} is a file that is already being read"
        | "{path} es un archivo que ya se está leyendo";
    source_rotated(path) = "{path} was rotated away" | "{path} fue rotado";
    source_rescued(path) = "{path} was truncated; going on in its copy"
        | "{path} fue truncado; se sigue en su copia";
    source_truncated(path, bytes) = "{path} was truncated; {bytes} bytes or more unread"
        | "{path} fue truncado; {bytes} bytes o más sin leer";
    source_closed(path, bytes) = "rotated file {path} done, {bytes} bytes"
        | "archivo rotado {path} terminado, {bytes} bytes";
    source_lost(path, bytes) = "the file that was {path} is gone; read up to byte {bytes}, the rest cannot be had"
        | "ya no está el archivo que era {path}; se leyó hasta el byte {bytes}, el resto no se puede recuperar";
    source_waiting(path) = "{path} does not exist yet" | "{path} todavía no existe";
    source_unreadable(path, why) = "cannot read {path}: {why}" | "no se puede leer {path}: {why}";
    source_unwatched(path, why) = "cannot watch {path}: {why}; looking at it now and then"
        | "no se puede vigilar {path}: {why}; se mira de vez en cuando";
    source_cut(lines, longest) = "{lines} lines cut, the longest had {longest} bytes or more"
        | "{lines} líneas cortadas, la más larga tenía {longest} bytes o más";
    source_too_many(pattern, limit) = "pattern {pattern} matches more than {limit} files; following the newest"
        | "el patrón {pattern} abarca más de {limit} archivos; se siguen los más nuevos";
    source_overflow() = "change events were dropped; looking at everything again"
        | "se perdieron avisos de cambios; se vuelve a mirar todo";
    source_resumed() = "the journal is read again" | "se vuelve a leer el journal";
}

/// Which limit was reached, behind a count.
#[must_use]
pub fn banned(jail: impl Display, until: impl Display, count: u32, because: Because) -> String {
    match because {
        Because::Manual => banned_by_hand(until),
        Because::Failures => banned_by(jail, until, failures(count.into())),
        Because::Accounts => banned_by(jail, until, accounts(count.into())),
        Because::Ports => banned_by(jail, until, closed_ports(count.into())),
        because => banned_by(jail, until, format!("{count} {}", reason(because))),
    }
}

/// How a command of an action failed, with a line of what it printed, if there is one.
#[must_use]
pub fn failed(operation: Operation, failure: &Failure, line: &str) -> String {
    format!("{}: {}", operation.option(), failure_text(failure, line))
}

/// A command that should say whom to leave alone, and why it does not.
#[must_use]
pub fn question_fails(jail: &str, failure: &Failure, line: &str) -> String {
    asks_in_vain(jail, failure_text(failure, line))
}

/// A command of a door failed; `line` is the first of what it printed.
#[must_use]
pub fn door_command_fails(door: Name, addr: IpAddr, failure: &Failure, line: &str) -> String {
    door_command_failed(door, addr, failure_text(failure, line))
}

fn failure_text(failure: &Failure, line: &str) -> String {
    let why = match failure {
        Failure::Exit(code) => exit_code(code),
        Failure::Signal(signal) => by_signal(signal),
        Failure::Timeout(span) => took_too_long(paint::span(*span)),
        Failure::System(why) | Failure::Unfit(why) => why.clone(),
    };
    let line = if line.is_empty() { String::new() } else { format!(": {line}") };
    format!("{why}{line}")
}

/// What a jail shuts: these ports, or, where there are none, whatever its commands do.
#[must_use]
pub fn shut(ports: &str) -> String {
    if ports.is_empty() { commands_only() } else { ports_are(ports) }
}

/// Something about a source. A file's name may hold line breaks; this is one line.
#[must_use]
pub fn notice(notice: &Notice) -> String {
    let text = match notice {
        Notice::Opened { path, start, size, rotated: false, .. } => {
            source_opened(path.display(), start, size)
        }
        Notice::Opened { path, start, size, .. } => {
            source_rotated_opened(path.display(), start, size)
        }
        Notice::Named { path, .. } => source_named(path.display()),
        Notice::Rotated { path, .. } => source_rotated(path.display()),
        Notice::Truncated { path, rescued: true, .. } => source_rescued(path.display()),
        Notice::Truncated { path, lost, .. } => source_truncated(path.display(), lost),
        Notice::Closed { path, offset, .. } => source_closed(path.display(), offset),
        Notice::Lost { path, offset } => source_lost(path.display(), offset),
        Notice::Waiting { path } => source_waiting(path.display()),
        Notice::Unreadable { path, why } => source_unreadable(path.display(), why),
        Notice::Unwatched { path, why } => source_unwatched(path.display(), why),
        Notice::LineCut { count, longest, .. } => source_cut(count, longest),
        Notice::TooMany { pattern, limit } => source_too_many(pattern, limit),
        Notice::Overflow => source_overflow(),
        Notice::Ended { why } => why.clone(),
        Notice::Resumed => source_resumed(),
    };
    text.replace('\n', "\u{fffd}")
}

/// What a kind of moment is called in a list; programs read the kind itself.
#[must_use]
pub fn happened(kind: &str) -> &str {
    match (lang(), kind) {
        (Lang::Spanish, "failure") => "fallo",
        (Lang::Spanish, "success") => "acceso",
        (Lang::Spanish, "ban") => "veto",
        (Lang::Spanish, "lift") => "vuelta",
        (Lang::Spanish, "note") => "nota",
        (Lang::Spanish, "evidence") => "prueba",
        (Lang::Spanish, "knock") => "toque",
        (Lang::Spanish, "open") => "abre",
        (Lang::Spanish, "close") => "cierra",
        (Lang::Spanish, "run") => "orden",
        (_, kind) => kind,
    }
}

/// A span of seconds.
#[must_use]
pub fn seconds(seconds: u64) -> String {
    paint::span(std::time::Duration::from_secs(seconds))
}
