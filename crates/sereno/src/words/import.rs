//! What is said of taking over a configuration of fail2ban's, in its files too.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    import_no_tree(dir) = "{dir} is no folder; give that of fail2ban's configuration"
        | "{dir} no es una carpeta; dé la de la configuración de fail2ban";
    import_becomes() = "becomes" | "queda";
    import_rule() = "rule" | "regla";
    import_taken() = "as it is" | "tal cual";
    import_changed() = "changed" | "cambiada";
    import_left() = "NOT TAKEN" | "NO SE TOMA";
    import_total(jails, taken, changed, left) = "{jails}: {taken} as they are, {changed} changed, {left} not taken."
        | "{jails}: {taken} tal cual, {changed} cambiadas, {left} no se toman.";
    import_written(files, into) = "Wrote {files} into {into}. sereno check proves them, sereno replay tries them on old logs."
        | "Escrito: {files} en {into}. sereno check los comprueba, sereno replay los prueba con registros viejos.";
    import_reads_badly(what) = "what was written here does not read back as it should, and is not to be used: {what}"
        | "lo que se escribió no se lee como debería y no sirve: {what}";
    import_overruled(path) = "another rule file of the folder overrules {path}; rename one of the rules"
        | "otro archivo de reglas de la carpeta anula {path}; cambie el nombre de una de las reglas";
    // Why something is different.
    import_broken() = "there is an error in it" | "hay un error en ella";
    import_closes_nothing(actions, dir) = "its actions close nothing here ({actions}); sereno run --fail2ban {dir} runs them as they are"
        | "sus acciones no cierran nada aquí ({actions}); sereno run --fail2ban {dir} las ejecuta tal cual";
    import_ignores_all() = "its ignoreip is everybody" | "su ignoreip es todo el mundo";
    import_rounded() = "lengths of time are whole seconds now, rounded up"
        | "las duraciones son ahora segundos enteros, redondeadas hacia arriba";
    import_own_rule(name) = "Sereno's own rule {name} reads instead of filter.d/{name}.conf: it compares whole lines, so that nobody writes another's address into one, and counts every attempt once; --keep-filters keeps the filter"
        | "lee la regla {name} de Sereno en lugar de filter.d/{name}.conf: compara líneas enteras, así nadie escribe en una la dirección de otro, y cuenta cada intento una vez; --keep-filters conserva el filtro";
    import_custom(place) = "the filter stays in use, because it has expressions of your own ({place})"
        | "el filtro sigue en uso, porque tiene expresiones propias ({place})";
    import_renamed(name) = "it is called {name} here" | "aquí se llama {name}";
    import_command(action, dir) = "the action {action} is not converted; sereno run --fail2ban {dir} runs it as it is"
        | "la acción {action} no se convierte; sereno run --fail2ban {dir} la ejecuta tal cual";
    import_refused(action, why) = "the action {action} cannot be done: {why}"
        | "la acción {action} no puede hacerse: {why}";
    import_encoding(name) = "logencoding: {name} is not taken over; logs are read as UTF-8, and other characters count as unknown ones"
        | "logencoding: {name} no se toma; los registros se leen como UTF-8, y otros caracteres cuentan como desconocidos";
    import_listed() = "bantime.formula is written as bantime.multipliers: what it gives for the first 20 bans"
        | "bantime.formula queda escrita como bantime.multipliers: lo que da para los primeros 20 vetos";
    import_frozen(words) = "ignoreip: what {words} meant now is written as addresses"
        | "ignoreip: lo que {words} significaba ahora queda escrito como direcciones";
    // Remarks in the files.
    import_made_of(dir) = "Made of {dir} by `sereno import fail2ban`; behind each option is the place it comes from."
        | "Hecho de {dir} por `sereno import fail2ban`; detrás de cada opción está el lugar del que viene.";
    import_in_common() = "What most of the jails have in common." | "Lo que la mayoría de las jaulas tiene en común.";
    import_rule_of(filter) = "The filter {filter} of fail2ban, put together."
        | "El filtro {filter} de fail2ban, ya compuesto.";
    import_licence() = "These expressions are your own copy from your fail2ban (GPL-2.0-or-later), made on this machine by `sereno import fail2ban`; Sereno does not come with them."
        | "Estas expresiones son su propia copia de su fail2ban (GPL-2.0-or-later), hecha en esta máquina por `sereno import fail2ban`; no vienen con Sereno.";
}
