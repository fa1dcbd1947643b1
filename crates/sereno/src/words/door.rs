//! What `sereno door` says.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    no_doors() = "there are no doors; docs/guide/doors.md shows how to make one"
        | "no hay puertas; docs/guide/doors.md explica cómo hacer una";
    door_head() = "door" | "puerta";
    opened_by() = "opened by" | "se abre con";
    behind_it() = "behind it" | "detrás";
    for_others() = "for others" | "para otros";
    closed() = "closed" | "cerrada";
    not_ours() = "as others say" | "según otros";
    holds() = "holds" | "dura";
    who_is_in() = "in" | "dentro";
    a_command() = "a command" | "una orden";
    what_is_asked() = "what is asked for" | "lo que se pida";
    is_in(who, door, port, until) = "  {who} is in by {door} ({port}) {until}"
        | "  {who} pasa por {door} ({port}) {until}";
    doors_heard(packets, knocked, spoiled, granted) =
        "heard: {packets} packets, {knocked} right knocks, {spoiled} spoiled; {granted} signed packets granted"
        | "oído: {packets} paquetes, {knocked} llamadas buenas, {spoiled} malogradas; {granted} paquetes firmados concedidos";
    doors_refused(n, each) = "{n} signed packets refused: {each}" | "{n} paquetes firmados rechazados: {each}";
    doors_not_heard() = "nobody is heard: no packets reach this Sereno"
        | "no se oye a nadie: a este Sereno no le llega ningún paquete";
    door_title(title) = "its file calls it {title}" | "su archivo la llama {title}";
    keygen_wrote(path) = "wrote {path}; only its owner can read it" | "escrito {path}; solo lo lee su dueño";
    keygen_server() = "On the server, in /etc/sereno/sereno.toml:" | "En el servidor, en /etc/sereno/sereno.toml:";
    keygen_client() = "On the client, in ~/.fwknoprc (for `sereno knock --spa` and `fwknop`; chmod 600):"
        | "En el cliente, en ~/.fwknoprc (para `sereno knock --spa` y `fwknop`; chmod 600):";
    keygen_client_knock(door) = "On the client, in ~/.config/sereno/doors/{door}.toml (chmod 600):"
        | "En el cliente, en ~/.config/sereno/doors/{door}.toml (chmod 600):";
    keygen_ports() = "write single ports: tcp/22, or tcp/443,udp/5060"
        | "escriba puertos sueltos: tcp/22, o tcp/443,udp/5060";
    keygen_host(text) = "{text} is neither a name nor an address" | "{text} no es un nombre ni una dirección";
}

/// How a door is opened, in a word.
#[must_use]
pub fn door_way(way: &str) -> &str {
    match (lang(), way) {
        (Lang::Spanish, "knock") => "llamada",
        (Lang::Spanish, "once") => "de un solo uso",
        (Lang::Spanish, "timed") => "cambia con la hora",
        (Lang::Spanish, "signed") => "paquete firmado",
        (_, "timed") => "knock by the clock",
        (_, "signed") => "signed packet",
        (_, way) => way,
    }
}
