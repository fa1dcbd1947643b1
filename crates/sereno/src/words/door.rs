//! What `sereno door` says.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    doors_are(names) = "Doors: {names}" | "Puertas: {names}";
    no_doors() = "there are no doors; `sereno door guard ssh` makes one"
        | "no hay puertas; `sereno door guard ssh` hace una";
    door_head() = "door" | "puerta";
    opened_by() = "opened by" | "se abre con";
    behind_it() = "behind it" | "detrás";
    for_others() = "for others" | "para otros";
    closed() = "closed" | "cerrada";
    not_ours() = "as others say" | "según otros";
    holds() = "holds" | "dura";
    who_is_in() = "in" | "dentro";
    a_command() = "a command" | "una orden";
    shuts_ports(ports) = "closes {ports}" | "cierra {ports}";
    what_is_asked() = "what is asked for" | "lo que se pida";
    is_in(who, door, port, until) = "  {who} is in by {door} ({port}) {until}"
        | "  {who} pasa por {door} ({port}) {until}";
    doors_heard(packets, knocked, spoiled, granted) =
        "heard: {packets}, {knocked} right knocks, {spoiled} spoiled; {granted} signed packets granted"
        | "oído: {packets}, {knocked} toques buenos, {spoiled} malogrados; {granted} paquetes firmados concedidos";
    doors_refused(n, each) = "signed, but refused: {n} ({each})" | "firmados, pero rechazados: {n} ({each})";
    doors_not_heard() = "nobody is heard: no packets reach this Sereno"
        | "no se oye a nadie: a este Sereno no le llega ningún paquete";
    door_title(title) = "its file calls it {title}" | "su archivo la llama {title}";
    file_there(path) = "{path} is there already, and nothing that is there is replaced: move it away, or take another name"
        | "{path} ya existe, y no se reemplaza nada: quítelo de ahí, o use otro nombre";
    keygen_wrote(path) = "wrote {path}; only its owner can read it" | "escrito {path}; solo lo lee su dueño";
    keygen_server() = "On the server, in /etc/sereno/sereno.toml:" | "En el servidor, en /etc/sereno/sereno.toml:";
    keygen_client() = "On the client, in ~/.fwknoprc (for `sereno knock --spa` and `fwknop`; chmod 600):"
        | "En el cliente, en ~/.fwknoprc (para `sereno knock --spa` y `fwknop`; chmod 600):";
    keygen_client_knock(door) = "On the client, in ~/.config/sereno/doors/{door}.toml (chmod 600):"
        | "En el cliente, en ~/.config/sereno/doors/{door}.toml (chmod 600):";
    guard_made(path) = "wrote {path}: the door, open to all until `door guard` closes it"
        | "escrito {path}: la puerta, abierta a todos hasta que se cierre con `door guard`";
    guard_knock(addr, host, ports) = "Now knock, from where this session comes ({addr}):\n\n  sereno knock {host} {ports}\n  knock {host} {ports}\n"
        | "Ahora dé el toque, desde donde viene esta sesión ({addr}):\n\n  sereno knock {host} {ports}\n  knock {host} {ports}\n";
    guard_knock_is(ports) = "The knock is\n\n  sereno knock HOST {ports}\n  knock HOST {ports}\n"
        | "El toque es\n\n  sereno knock SERVIDOR {ports}\n  knock SERVIDOR {ports}\n";
    guard_unread(path) = "{path} is not read by the running Sereno, which was started with files of its own (--config, --fail2ban, --knockd, --fwknop), and was taken away again; write the door into its file, or start it without these and name them in /etc/sereno/sereno.toml (import.fail2ban, import.knockd, import.fwknop)"
        | "el Sereno en marcha no lee {path}, porque se arrancó con otros archivos (--config, --fail2ban, --knockd, --fwknop), así que se ha quitado; escriba la puerta en su archivo, o arránquelo sin ellos y nómbrelos en /etc/sereno/sereno.toml (import.fail2ban, import.knockd, import.fwknop)";
    guard_again(addr, door) = "Now knock at {door}, from where this session comes ({addr})."
        | "Ahora toque en {door}, desde donde viene esta sesión ({addr}).";
    guard_waits(seconds) = "waiting for the knock, {seconds} s at most" | "esperando el toque, {seconds} s como mucho";
    guard_nobody() = "nobody knocked: nothing is closed" | "nadie tocó: no se cierra nada";
    guard_on_trial(door, seconds) = "{door} is closed for {seconds} s, on trial. Knock, open a second session, and there say\n\n  sereno door confirm {door}\n\nWithout that it opens again by itself."
        | "{door} queda cerrada {seconds} s, a prueba. Dé el toque, abra otra sesión, y diga en ella\n\n  sereno door confirm {door}\n\nSin eso vuelve a abrirse sola.";
    guard_unknown(door) = "there is no door {door}; say what is behind it with --ports, such as --ports tcp/22"
        | "no hay ninguna puerta {door}; diga qué hay detrás con --ports, como --ports tcp/22";
    guard_who() = "whose session this is cannot be seen (SSH_CONNECTION); on the console, say --console"
        | "no se ve de quién es esta sesión (SSH_CONNECTION); en la consola, diga --console";
    invite_nobody(door) = "nobody can be invited to {door}: there is nothing left to knock"
        | "no se puede invitar a nadie a {door}: no queda ningún toque";
    no_base64() = "this is no base64" | "esto no es base64";
    keygen_ports() = "write single ports: tcp/22, or tcp/443,udp/5060"
        | "escriba puertos sueltos: tcp/22, o tcp/443,udp/5060";
    keygen_host(text) = "{text} is neither a name nor an address" | "{text} no es un nombre ni una dirección";
}

/// How a door is opened, in a word.
#[must_use]
pub fn door_way(way: &str) -> &str {
    match (lang(), way) {
        (Lang::Spanish, "knock") => "toque",
        (Lang::Spanish, "once") => "de un solo uso",
        (Lang::Spanish, "timed") => "cambia con la hora",
        (Lang::Spanish, "signed") => "paquete firmado",
        (_, "timed") => "knock by the clock",
        (_, "signed") => "signed packet",
        (_, way) => way,
    }
}
