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
    list_no_database(file) = "there is no database that knows it, such as {file}; fetch one by geoipupdate (MaxMind) or from db-ip.com, or name it with database = \"/path\""
        | "no hay ninguna base de datos que lo sepa, como {file}; descárguela con geoipupdate (MaxMind) o de db-ip.com, o nómbrela con database = \"/ruta\"";
    list_too_many(most) = "there are more than {most} entries in it" | "contiene más de {most} entradas";
    list_empty() = "there is no address in it" | "no contiene ninguna dirección";
    list_problem(name, why) = "list {name}: {why}" | "lista {name}: {why}";
    list_unknown() = "there is no such list; `sereno lists show` tells which there are" | "no hay tal lista; `sereno lists show` dice cuáles hay";
    lists_by_nft() = "lists need nftables, and the gate is enforced by iptables here"
        | "las listas necesitan nftables, y aquí el cortafuegos es iptables";
    alarm_lists(why) = "the lists are not in force: {why}" | "las listas no están en vigor: {why}";
    alarm_list(name, why) = "list {name} is not complete or is old: {why}" | "la lista {name} no está completa o es vieja: {why}";
    alarm_list_shuts(name, addr, count) = "list {name} shuts out {addr}, who got in well in the last days ({count} such addresses); if that is not meant, name them in ignoreip"
        | "la lista {name} deja fuera a {addr}, que entró bien en los últimos días ({count} direcciones así); si no es lo que quiere, póngalas en ignoreip";
    lists_none() = "There are no lists; docs/guide/lists.md shows one." | "No hay listas; docs/guide/lists.md muestra una.";
    lists_name() = "list" | "lista";
    lists_deed() = "does" | "hace";
    lists_closes(ports) = "closes {ports}" | "cierra {ports}";
    lists_opens(ports) = "opens {ports}" | "abre {ports}";
    lists_friends() = "friends" | "amigos";
    lists_ranges() = "ranges" | "rangos";
    lists_addresses() = "IPv4 addresses" | "direcciones IPv4";
    lists_fetched() = "fetched" | "descargada";
    lists_packets() = "packets" | "paquetes";
    lists_reading() = "being read" | "leyéndose";
    lists_not_in_force(fetched) = "{fetched}, not in force" | "{fetched}, sin vigor";
    lists_never() = "never" | "nunca";
    lists_asked() = "Being read and fetched; `sereno lists show` tells what came of it." | "Leyéndose y descargándose; `sereno lists show` dice qué resultó.";
    lists_here() = "not from the web" | "no es de la web";
    lists_unknown(count) = "{count} are no addresses" | "{count} no son direcciones";
    lists_wide(count) = "{count} are too wide to be meant" | "{count} son demasiado amplias para ser en serio";
    lists_private(count) = "{count} are private, or nobody out there" | "{count} son privadas, o de nadie ahí fuera";
    lists_left(name, what) = "{name}: left out: {what}" | "{name}: quedan fuera: {what}";
    lists_holds(addr, names) = "{addr} is in {names}" | "{addr} está en {names}";
    lists_holds_not(addr) = "{addr} is in no list" | "{addr} no está en ninguna lista";
}
