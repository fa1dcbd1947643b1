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

words! {
    // What is wrong with the files of doors, and what to write instead.
    door_too_long() = "it is longer than 1 MiB" | "tiene más de 1 MiB";
    door_no_file() = "it is no regular file" | "no es un archivo normal";
    door_file_shared(mode) = "others can read or write it (mode {mode})" | "otros lo pueden leer o escribir (modo {mode})";
    door_shared(mode) = "others can read or write these sequences (mode {mode})"
        | "otros pueden leer o escribir estas secuencias (modo {mode})";
    door_shared_fix() = "chmod 600, as for a key" | "chmod 600, como para una clave";
    door_nothing_closed(door) = "no OPEN_PORTS: nothing is closed for [door.{door}]"
        | "sin OPEN_PORTS: no se cierra nada para [door.{door}]";
    door_nothing_closed_fix(door) = "write ports = \"tcp/22\" below [door.{door}]"
        | "escriba ports = \"tcp/22\" debajo de [door.{door}]";
    door_secret_fix() = "make a secret with `sereno door keygen`" | "haga un secreto con `sereno door keygen`";
    door_secret_file_fix() = "make it with `sereno door keygen`, and chmod 600"
        | "hágalo con `sereno door keygen`, y chmod 600";
    door_once_empty() = "there is no sequence in it that is still good" | "no queda en él ninguna secuencia que valga";
    door_once_fix() = "write a sequence on each line, such as 7311,2904,5127; # before those used"
        | "escriba una secuencia por línea, como 7311,2904,5127; # delante de las usadas";
    door_knockd_fix() = "name a knockd.conf that can be read" | "nombre un knockd.conf que se pueda leer";
    door_access_fix() = "name an access.conf that its owner alone can read (chmod 600)"
        | "nombre un access.conf que solo su dueño pueda leer (chmod 600)";
    door_stanza_open() = "a stanza has no OPEN_PORTS: nothing is closed for it, and whoever finds open what it opens needs no packet"
        | "una sección no tiene OPEN_PORTS: no se cierra nada para ella, y quien encuentre abierto lo que abre no necesita paquete";
    door_stanza_open_fix() = "write OPEN_PORTS tcp/22, say, if Sereno is to close that to others"
        | "escriba OPEN_PORTS tcp/22, por ejemplo, si Sereno debe cerrar eso a otros";
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
