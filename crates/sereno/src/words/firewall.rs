//! What is said of taking over another firewall's rules.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    import_firewall_head(files, kind) = "Made of {files} by `sereno import {kind}`.\n`sereno gate apply` tries it for a minute; nothing changes before that."
        | "Hecho de {files} por `sereno import {kind}`.\n`sereno gate apply` lo prueba durante un minuto; antes no cambia nada.";
    import_nothing(kind) = "there are no rules of {kind} in their usual places; name the file, or give them by a pipe: iptables-save | sereno import iptables -"
        | "no hay reglas de {kind} en sus lugares habituales; nombre el archivo, o délas por una tubería: iptables-save | sereno import iptables -";
    import_too_large(path) = "{path} has more than 16 MiB" | "{path} tiene más de 16 MiB";
    import_title_left() = "Not in the policy:" | "No está en la política:";
    import_title_changed() = "Otherwise in the policy:" | "De otro modo en la política:";
    import_title_weak() = "Where the old rules were weak:" | "Dónde eran débiles las reglas de antes:";
    import_gate_shown(rules) = "{rules}; without --dry-run they are written into a file." | "{rules}; sin --dry-run se escriben en un archivo.";
    import_gate_written(rules, into) = "{rules} in {into}. Read it; then `sereno gate apply` tries it, and it ends by itself unless you confirm."
        | "{rules} en {into}. Léalo; después `sereno gate apply` lo prueba, y termina solo si no lo confirma.";
    remark_outgoing() = "rules for what goes out, which cannot all be said as lines of out; none of them is taken over, and they stay in force where they are"
        | "reglas para lo que sale, que no todas se pueden decir como líneas de out; no se toma ninguna, y siguen en vigor donde están";
    remark_forwarded() = "rules for what passes through this machine: the policy leaves that alone; they stay in force where they are"
        | "reglas para lo que atraviesa esta máquina: la política no lo toca; siguen en vigor donde están";
    remark_table(name) = "the table {name} is not the policy's matter; it stays in force where it is"
        | "la tabla {name} no es asunto de la política; sigue en vigor donde está";
    remark_condition(words) = "a policy has no such condition ({words}): the rule is left out, so it lets nobody in"
        | "una política no tiene esa condición ({words}): la regla queda fuera, así que no deja entrar a nadie";
    remark_condition_opens(words) = "a policy has no such condition ({words}): the rule is left out, so it SHUTS NOBODY OUT; write one of your own if another line lets them in"
        | "una política no tiene esa condición ({words}): la regla queda fuera, así que NO CIERRA A NADIE; escriba otra si alguna línea les deja entrar";
    remark_target(name) = "the target {name} neither lets in nor stops, or its chain is not in the file: left out"
        | "el destino {name} ni deja entrar ni detiene, o su cadena no está en el archivo: queda fuera";
    remark_shell() = "this needs a shell, or is about something else than rules: left out"
        | "esto necesita un intérprete de comandos, o no trata de reglas: queda fuera";
    remark_conditional() = "in a function, under a condition or in a loop: nobody knows here whether it is run; left out. To take over what is in force: iptables-save | sereno import iptables -"
        | "en una función, bajo una condición o en un bucle: aquí no se sabe si se ejecuta; queda fuera. Para tomar lo que está en vigor: iptables-save | sereno import iptables -";
    remark_conditional_opens() = "in a function, under a condition or in a loop: nobody knows here whether it is run; left out, so it SHUTS NOBODY OUT. To take over what is in force: iptables-save | sereno import iptables -"
        | "en una función, bajo una condición o en un bucle: aquí no se sabe si se ejecuta; queda fuera, así que NO CIERRA A NADIE. Para tomar lo que está en vigor: iptables-save | sereno import iptables -";
    import_empty() = "there are no rules for what comes in, or none that can be taken over; nothing is written. To take over what is in force: iptables-save | sereno import iptables -"
        | "no hay reglas para lo que entra, o ninguna que se pueda tomar; no se escribe nada. Para tomar lo que está en vigor: iptables-save | sereno import iptables -";
    remark_bans(name) = "{name} holds the bans of another program; the jails of Sereno ban"
        | "{name} guarda los vetos de otro programa; vetan las jaulas de Sereno";
    remark_word(word) = "nobody understands {word} here: the line is left out; if it shut somebody out, it does so no more"
        | "aquí no se entiende {word}: la línea queda fuera; si cerraba a alguien, ya no lo hace";
    remark_too_many() = "more rules, or jumps, than a policy may have: the rest is left out"
        | "más reglas, o saltos, de las que caben en una política: el resto queda fuera";
    remark_more(count) = "and {count} remarks more" | "y {count} observaciones más";
    remark_list(name) = "{name}: a list that is not in the rules; the policy has no such list"
        | "{name}: una lista que no está en las reglas; la política no tiene tal lista";
    remark_missing(name) = "{name} is not there" | "{name} no está";
    remark_per_source() = "this rate was for all together; here each source has it for itself, so one cannot use up the share of the others"
        | "este ritmo era para todos juntos; aquí cada origen tiene el suyo, así que uno no gasta la parte de los demás";
    remark_rate(like) = "what was counted ({like}) is a rate of new connections of each source here"
        | "lo que se contaba ({like}) es aquí un ritmo de conexiones nuevas de cada origen";
    remark_closed(on) = "what came in by other interfaces than {on} got in, and is dropped now; let it in by a line such as allow all on eth1"
        | "lo que llegaba por otras interfaces que {on} entraba, y ahora se descarta; déjelo entrar con una línea como allow all on eth1";
    remark_needed() = "the loopback, and messages without which networks do not work, are always let in"
        | "el bucle local, y los mensajes sin los que las redes no funcionan, siempre entran";
    remark_off() = "the program is switched off: these rules were not in force"
        | "el programa está apagado: estas reglas no estaban en vigor";
    remark_flushed() = "from here on the rules are taken back again, with none behind it: that was not followed"
        | "desde aquí se quitan de nuevo las reglas, sin otras detrás: no se ha seguido";
    remark_family_open(family) = "there was no rule for {family}: over it everything was open. The policy holds for both"
        | "no había ninguna regla para {family}: por ahí estaba todo abierto. La política rige para ambos";
    remark_open_by_default() = "what no rule was about got in; the last line keeps that. Take it out when the others name all that is needed"
        | "entraba lo que ninguna regla mencionaba; la última línea lo conserva. Quítela cuando las otras nombren todo lo necesario";
    remark_only_on(on) = "only {on} was closed: by any other interface everything got in"
        | "solo estaba cerrada {on}: por cualquier otra interfaz entraba todo";
    remark_unreached(line) = "no packet ever got here: line {line} decides before"
        | "aquí no llegaba ningún paquete: la línea {line} decide antes";
    remark_replies_late(count) = "what is under way was let in behind {count} other rules, which every packet of a call had to pass; the gate does it first"
        | "lo que está en curso entraba tras otras {count} reglas, que cada paquete de una llamada tenía que recorrer; el cortafuegos lo hace primero";
    remark_no_replies() = "nothing let in the answers to what this machine asks (updates, DNS, trunks); the gate does"
        | "nada dejaba entrar las respuestas a lo que pregunta esta máquina (actualizaciones, DNS, troncales); el cortafuegos sí";
    remark_wide(range) = "{range} are open to everybody, whatever listens there; let in the networks of phones and trunks (from ...) if you know them, and see rtp.conf for the ports that are needed"
        | "{range} están abiertos a todo el mundo, escuche lo que escuche ahí; deje entrar las redes de teléfonos y troncales (from ...) si las conoce, y mire en rtp.conf qué puertos hacen falta";
    remark_delicate(range) = "the world should not reach {range}: let in only those who administer it (from ...), or a door"
        | "el mundo no debería llegar a {range}: deje entrar solo a quien lo administra (from ...), o por una puerta";
    remark_clear(range) = "passwords cross the network readable at {range}; take the form with TLS, or let in only your networks"
        | "por {range} las contraseñas cruzan la red legibles; use la variante con TLS, o deje entrar solo sus redes";
    remark_spoofed(network) = "{network} was believed on every interface, and anybody can write that source into a datagram; here it counts only where an answer would leave"
        | "se creía a {network} en todas las interfaces, y cualquiera puede escribir ese origen en un datagrama; aquí solo cuenta por donde saldría la respuesta";
}
