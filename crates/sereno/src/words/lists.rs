//! What is said of lists of addresses.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    list_not_kept(path, why) = "{path} cannot be written, so the list is gone if it cannot be fetched at the next start: {why}"
        | "no se puede escribir {path}, así que la lista faltará si no se puede descargar en el próximo arranque: {why}";
    list_too_large(mib) = "it has more than {mib} MiB" | "tiene más de {mib} MiB";
    list_no_file() = "it is no plain file" | "no es un archivo normal";
    list_no_curl(why) = "curl cannot be started ({why}); install the package curl, or fetch the list into a file by a timer of your own"
        | "no se puede iniciar curl ({why}); instale el paquete curl, o descargue la lista a un archivo con un temporizador propio";
    list_empty() = "there is no address in it" | "no contiene ninguna dirección";
    list_problem(name, why) = "list {name}: {why}" | "lista {name}: {why}";
    list_unknown() = "there is no such list; `sereno lists` shows them" | "no hay tal lista; `sereno lists` las muestra";
    alarm_lists(why) = "the lists are not in force: {why}" | "las listas no están en vigor: {why}";
    alarm_list(name, why) = "list {name} is not complete or is old: {why}" | "la lista {name} no está completa o es vieja: {why}";
    lists_none() = "There are no lists; docs/guide/lists.md shows one." | "No hay listas; docs/guide/lists.md muestra una.";
    lists_name() = "list" | "lista";
    lists_ports() = "closes" | "cierra";
    lists_ranges() = "ranges" | "rangos";
    lists_addresses() = "IPv4 addresses" | "direcciones IPv4";
    lists_fetched() = "fetched" | "descargada";
    lists_packets() = "packets" | "paquetes";
    lists_reading() = "being read" | "leyéndose";
    lists_not_in_force(fetched) = "{fetched}, not in force" | "{fetched}, sin vigor";
    lists_here() = "from files" | "de archivos";
    lists_unknown(count) = "{count} are no addresses" | "{count} no son direcciones";
    lists_wide(count) = "{count} are too wide to be meant" | "{count} son demasiado amplias para ser en serio";
    lists_private(count) = "{count} are private, or nobody out there" | "{count} son privadas, o de nadie ahí fuera";
    lists_left(name, what) = "{name}: left out: {what}" | "{name}: quedan fuera: {what}";
    lists_holds(addr, names) = "{addr} is in {names}" | "{addr} está en {names}";
    lists_holds_not(addr) = "{addr} is in no list" | "{addr} no está en ninguna lista";
}
