//! What is said of knocking at doors.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    none() = "none" | "ninguno";
    // As it goes on: "knocking at srv (192.0.2.1): 7000, 8000 ... tcp/22 is open".
    knocking_at(host) = "knocking at {host}:" | "tocando en {host}:";
    knocking_at_door(door, host) = "knocking at door {door} of {host}" | "tocando en la puerta {door} de {host}";
    knock_packet(port) = "a packet to udp/{port}" | "un paquete a udp/{port}";
    knock_open(port) = "tcp/{port} is open" | "tcp/{port} está abierto";
    knock_closed(port) = "tcp/{port} does not answer" | "tcp/{port} no responde";
    knock_refused(port) = "tcp/{port} refuses" | "tcp/{port} rechaza";
    knock_refused_why(port) = "Somebody says no there, so it is not the way to it that is missing: nothing listens on tcp/{port}, or a firewall rejects who has not knocked in the right way."
        | "Allí alguien dice que no, así que el camino está bien: nada escucha en tcp/{port}, o un cortafuegos rechaza a quien no ha tocado bien.";
    knock_closed_why() = "Are these the right ports, and is this the address that the server sees? A longer --delay helps where the network mixes up their order."
        | "¿Son estos los puertos, y es esta la dirección que ve el servidor? Un --delay mayor ayuda donde la red cambia el orden.";
    knock_closed_clock() = "Are both clocks right, the secrets on both sides the same, and is this the address that the server sees?"
        | "¿Están en hora los dos relojes, son iguales los secretos de ambos lados, y es esta la dirección que ve el servidor?";
    // What was asked for.
    knock_at_what(host) = "at what? write ports behind {host}, or the name of a door: sereno knock {host} 7000 8000:udp"
        | "¿a qué? escriba puertos detrás de {host}, o el nombre de una puerta: sereno knock {host} 7000 8000:udp";
    knock_bad_port(word) = "{word} is no port to knock at; write 7000, 7000:udp or udp/7000, or the name of one door"
        | "{word} no es un puerto en el que tocar; escriba 7000, 7000:udp o udp/7000, o el nombre de una puerta";
    knock_too_many(most) = "a sequence has {most} ports at most" | "una secuencia tiene {most} puertos como mucho";
    knock_no_door(name, path) = "there is no door {name}: {path} is what an invitation gives; to knock at ports, write numbers"
        | "no hay ninguna puerta {name}: {path} es lo que da una invitación; para tocar en puertos, escriba números";
    knock_no_door_alone(name, path) = "there is no door {name} ({path} is not there), and no port is given to knock at: sereno knock {name} 7000 8000:udp"
        | "no hay ninguna puerta {name} ({path} no existe), ni se da un puerto en el que tocar: sereno knock {name} 7000 8000:udp";
    knock_other_host(door, host, other) = "the door {door} is one of {host}, not of {other}; sereno knock {door} knocks there"
        | "la puerta {door} es de {host}, no de {other}; sereno knock {door} toca allí";
    knock_spa_ports() = "--spa knocks at no ports; what to open is said with -A: sereno knock --spa HOST -A tcp/22"
        | "--spa no toca en puertos; lo que se abre se dice con -A: sereno knock --spa HOST -A tcp/22";
    knock_wait_for_what() = "the command starts when a port answers; say which: --wait 22"
        | "la orden empieza cuando un puerto responde; diga cuál: --wait 22";
    knock_no_home() = "neither HOME nor XDG_CONFIG_HOME is set, so that there is no place to look in"
        | "ni HOME ni XDG_CONFIG_HOME están puestas, así que no hay dónde mirar";
    knock_no_server(stanza) = "the stanza {stanza} has no SPA_SERVER; write one there, or the server behind --spa"
        | "la sección {stanza} no tiene SPA_SERVER; escríbalo allí, o el servidor detrás de --spa";
    knock_no_keys(stanza) = "the stanza {stanza} has no key; write KEY_BASE64 and HMAC_KEY_BASE64 there"
        | "la sección {stanza} no tiene clave; escriba allí KEY_BASE64 y HMAC_KEY_BASE64";
    knock_no_access(stanza) = "the stanza {stanza} does not say what to open; write ACCESS tcp/22 there, or -A tcp/22 here"
        | "la sección {stanza} no dice qué abrir; escriba allí ACCESS tcp/22, o -A tcp/22 aquí";
    knock_no_stanza(name, path, names) = "there is no stanza {name} in {path}; there are: {names}"
        | "no hay ninguna sección {name} en {path}; hay: {names}";
    knock_which_stanza(path, names) = "say with -n which stanza of {path} is meant; there are: {names}"
        | "diga con -n qué sección de {path} se quiere; hay: {names}";
    knock_bad_access(word) = "{word} is nothing to open; write -A tcp/22 or -A tcp/22,udp/53"
        | "{word} no es nada que abrir; escriba -A tcp/22 o -A tcp/22,udp/53";
    knock_no_resolving() = "-R and ALLOW_IP resolve would ask a stranger's web page for your address, and believe it; write -s (the address that the server sees), or -a and the address"
        | "-R y ALLOW_IP resolve preguntarían su dirección a la página de un extraño, y la creerían; escriba -s (la dirección que ve el servidor), o -a y la dirección";
    // What went wrong.
    knock_unknown_host(host, why) = "{host}: {why}" | "{host}: {why}";
    knock_no_address(host) = "{host} has no address of that kind; leave out -4 or -6, or SERVER_RESOLVE_IPV4"
        | "{host} no tiene ninguna dirección de esa clase; quite -4 o -6, o SERVER_RESOLVE_IPV4";
    knock_not_knocked(port, why) = "no knock at {port}: {why}" | "no se tocó en {port}: {why}";
    knock_unsayable(field) = "a packet cannot say this: {field}" | "un paquete no puede decir esto: {field}";
    knock_no_port() = "there is no port to ask for" | "no hay ningún puerto que pedir";
    knock_no_random(why) = "the system gives no random numbers: {why}" | "el sistema no da números aleatorios: {why}";
    knock_no_clock() = "the clock is wrong: it stands before 1970" | "el reloj está mal: es anterior a 1970";
    knock_file_open(path, mode) = "{path} has a secret in it, and others can read it (mode {mode}): chmod 600 {path}"
        | "{path} contiene un secreto y otros lo pueden leer (modo {mode}): chmod 600 {path}";
    knock_not_started(program, why) = "the port is open, but {program} cannot be started: {why}"
        | "el puerto está abierto, pero {program} no se puede iniciar: {why}";
    // --test
    knock_server() = "server" | "servidor";
    knock_user() = "user" | "usuario";
    knock_kind() = "kind" | "clase";
    knock_for_whom() = "for" | "para";
    knock_ports() = "ports" | "puertos";
    knock_nat() = "translation" | "traducción";
    knock_bad_nat(word) = "{word} is no address with a port, such as 192.0.2.7:22"
        | "{word} no es una dirección con puerto, como 192.0.2.7:22";
    knock_nat_ports() = "one port can lead on, not several: name one with --access"
        | "solo un puerto puede llevar a otro sitio, no varios: nombre uno con --access";
    knock_nat_where() = "say where that port leads: --nat-access ADDR:PORT or --nat-local"
        | "diga a dónde lleva ese puerto: --nat-access DIRECCIÓN:PUERTO o --nat-local";
    knock_nat_unseen() = "a port by chance is seen when it answers: leave out --no-wait, or say --nat-port"
        | "un puerto al azar se ve cuando responde: quite --no-wait, o diga --nat-port";
    knock_seconds() = "seconds" | "segundos";
    knock_digest() = "digest" | "resumen";
    knock_mode() = "mode" | "modo";
    knock_hmac() = "signed with" | "firma";
    knock_not_sent(bytes) = "{bytes} bytes, not sent" | "{bytes} bytes, sin enviar";
}
