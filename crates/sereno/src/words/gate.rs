//! What `sereno gate` says.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    gate_unwritten() = "there is no [gate] in the files; docs/guide/gate.md shows one"
        | "no hay [gate] en los archivos; docs/guide/gate.md muestra uno";
    gate_observing(why) = "nothing can be applied: {why}" | "no se puede aplicar nada: {why}";
    gate_same() = "that is in force already" | "eso ya está en vigor";
    gate_none() = "there is no policy in force" | "no hay ninguna política en vigor";
    gate_no_trial() = "nothing is on trial; `sereno gate apply` puts the policy of the files on trial"
        | "no hay nada a prueba; `sereno gate apply` pone a prueba la política de los archivos";
    gate_no_past() = "there is no such policy; `sereno gate history` lists them"
        | "no hay tal política; `sereno gate history` las lista";
    gate_cuts(who) = "this would cut off who gets in now, or is reached from here:\n  {who}\nLet them in, or what goes to them out, by a rule, or say --force if that is meant."
        | "esto cortaría a quien ahora entra, o a quien se llega desde aquí:\n  {who}\nDéjelos entrar, o salir lo que va a ellos, con una regla, o diga --force si es lo que quiere.";
    gate_cuts_anyway(who) = "cut off: {who}" | "queda fuera: {who}";
    gate_cuts_who(who, addr, ports) = "{addr} at {ports}: {who}" | "{addr} en {ports}: {who}";
    gate_cuts_more(count) = "and {count} more" | "y {count} más";
    gate_keeps_from(addr, ports, who) = "to {addr} at {ports}: {who}" | "hacia {addr} en {ports}: {who}";
    gate_resolver() = "a name server of resolv.conf" | "un servidor de nombres de resolv.conf";
    gate_begun() = "a connection that this machine began" | "una conexión que empezó esta máquina";
    gate_known_phone() = "a telephone or trunk that registered lately"
        | "un teléfono o troncal que se registró hace poco";
    gate_no_time() = "no line of out lets ntp out: nothing sets the clock any more"
        | "ninguna línea de out deja salir ntp: ya nada pone en hora el reloj";
    diff_kept(text) = "would not leave: {text}" | "no saldría: {text}";
    gate_this_session() = "your own session" | "su propia sesión";
    gate_logged_in() = "somebody who is logged in" | "alguien con sesión abierta";
    gate_known() = "registered or logged in well lately" | "se registró o entró bien hace poco";
    gate_friend() = "a friend" | "un amigo";
    gate_connected() = "an open connection" | "una conexión abierta";
    gate_not_installed() = "the kernel does not have it; `sereno status` says why"
        | "el núcleo no lo tiene; `sereno status` dice por qué";
    gate_uncopied(why) = "in force and in the ledger, but without the copy beside it: if the ledger is damaged, the gate is open: {why}"
        | "en vigor y en el registro, pero sin la copia a su lado: si el registro se daña, la puerta queda abierta: {why}";
    gate_unkept(why) = "in force, but it could not be written down and is gone at the next start: {why}"
        | "en vigor, pero no se pudo anotar y se pierde en el próximo arranque: {why}";
    alarm_policy_unapplied() = "the files have a policy that nobody applied, so nothing is closed by it: sereno gate apply"
        | "los archivos tienen una política que nadie aplicó, así que no cierra nada: sereno gate apply";
    alarm_ledger_lost(to, why) = "the ledger was damaged ({why}) and begun anew; what it knew (bans, good logins, places in logs) is in {to}"
        | "el registro estaba dañado ({why}) y se empezó otro; lo que sabía (vetos, accesos buenos, lugares en los registros) está en {to}";
    alarm_lawless(why) = "the policy of the gate is not in force: {why}"
        | "la política del cortafuegos no está en vigor: {why}";
    alarm_without_six(why) = "IPv6 is not guarded: {why}" | "IPv6 está sin guardia: {why}";
    alarm_unmeasured(why) = "floods are not measured: {why}" | "no se miden las avalanchas: {why}";
    alarm_unproxied(why) = "SYNs are not answered by a proxy: {why}" | "ningún proxy contesta a los SYN: {why}";
    alarm_proxy_slow() = "connections through the SYN proxy are slow over long ways: without timestamps they have small windows; set the sysctl net.ipv4.tcp_timestamps to 1"
        | "las conexiones por el proxy de SYN son lentas a distancia: sin marcas de tiempo sus ventanas son pequeñas; ponga el sysctl net.ipv4.tcp_timestamps a 1";
    reason_proxied() = "the SYN proxy answers first; who answers that gets to the program"
        | "primero contesta el proxy de SYN; quien le responde llega al programa";
    portscan_deaf(why) = "nothing is heard of closed ports that strangers try: {why}"
        | "no se oye nada de los puertos cerrados que prueban los desconocidos: {why}";
    portscan_open() = "a jail listens for closed ports, but no policy of the gate is in force, so none is closed; `sereno gate suggest` writes one"
        | "una jaula escucha puertos cerrados, pero no hay ninguna política del cortafuegos en vigor, así que no hay ninguno cerrado; `sereno gate suggest` escribe una";
    portscan_crowd(most) = "{most} addresses are out for closed ports: somebody makes them up, and nobody more is put out for that"
        | "hay {most} direcciones fuera por puertos cerrados: alguien se las inventa, y ya no se echa a nadie más por eso";
    reason_flood_known() = "too much of one address that is known" | "demasiado de una dirección conocida";
    reason_flood_source() = "too much of one stranger" | "demasiado de un desconocido";
    reason_flood_strangers() = "too much of all strangers together" | "demasiado de todos los desconocidos juntos";
    alarm_policy_open() = "the gate was opened by `sereno gate flush` and has no policy; `sereno gate revert` brings the one before back"
        | "`sereno gate flush` abrió el cortafuegos y no hay política; `sereno gate revert` recupera la anterior";
    policy_on_trial(until) = "a new policy of the gate is on trial {until}"
        | "hay una política nueva del cortafuegos a prueba {until}";
    policy_confirmed() = "the policy of the gate was confirmed" | "se confirmó la política del cortafuegos";
    policy_taken_back() = "the trial is over: the gate is as it was before"
        | "terminó la prueba: el cortafuegos vuelve a ser el de antes";
    policy_opened() = "the gate has no policy any more" | "el cortafuegos ya no tiene política";
    policy_panic() = "panic: nothing comes in any more but who comes by a door; `sereno resume` ends it"
        | "pánico: ya no entra nada salvo quien pasa por una puerta; `sereno resume` lo termina";
    policy_resumed() = "the panic is over: the policy holds again" | "se acabó el pánico: vuelve a regir la política";
    gate_panics() = "there is a panic; `sereno resume` ends it" | "hay un pánico; `sereno resume` lo termina";
    gate_no_panic() = "there is no panic" | "no hay ningún pánico";
    panic_console() = "this cuts off this very session (SSH_CONNECTION is set); say it on the console, or --force"
        | "esto corta esta misma sesión (hay SSH_CONNECTION); dígalo en la consola, o --force";
    gate_done_kept() = "It holds now, after every restart too." | "Ya rige, también tras cada reinicio.";
    gate_done_ended() = "The trial is over; all is as before." | "Terminó la prueba; todo vuelve a ser como antes.";
    gate_done_open() = "There is no policy any more: open is what nothing else closes. `sereno gate revert` brings the one before back."
        | "Ya no hay política: está abierto lo que nadie más cierra. `sereno gate revert` recupera la anterior.";
    gate_on_trial(seconds) = "On trial for {seconds} s. Open a second session, and say there\n\n  sereno gate confirm\n\nWithout that everything is as before by itself."
        | "A prueba durante {seconds} s. Abra otra sesión, y diga en ella\n\n  sereno gate confirm\n\nSin eso todo vuelve solo a ser como antes.";
    gate_in_force(since) = "In force since {since}:" | "En vigor desde {since}:";
    gate_trying(until) = "On trial until {until}:" | "A prueba hasta {until}:";
    gate_differs() = "The files say something else; `sereno gate apply` tries it."
        | "Los archivos dicen otra cosa; `sereno gate apply` la prueba.";
    gate_all_open() = "No policy is in force: everything is open that nothing else closes."
        | "No hay política en vigor: está abierto todo lo que nadie más cierra.";
    gate_zone(name, members) = "zone {name}: {members}" | "zona {name}: {members}";
    gate_zone_open(name, members) = "zone {name}, open: {members}" | "zona {name}, abierta: {members}";
    gate_rest_open(zone) = "everything else from {zone} gets in" | "todo lo demás desde {zone} entra";
    gate_rest(zone) = "everything else from {zone} is dropped" | "todo lo demás desde {zone} se descarta";
    gate_out() = "what this machine may begin:" | "lo que esta máquina puede empezar:";
    gate_out_line(line) = "out: {line}" | "salida: {line}";
    gate_out_rest() = "everything else that this machine begins is refused"
        | "todo lo demás que esta máquina empieza se rechaza";
    gate_leaves() = "leaves" | "sale";
    gate_kept() = "does not leave" | "no sale";
    gate_invalid() = "what belongs to no connection is dropped" | "lo que no es de ninguna conexión se descarta";
    gate_packets() = "packets" | "paquetes";
    gate_line() = "line" | "línea";
    gate_past_open() = "no policy" | "sin política";
    gate_past_rules(count) = "{count} rules" | "{count} reglas";
    gate_passes() = "gets in" | "entra";
    gate_stopped() = "is stopped" | "no entra";
    diff_of_files() = "By the policy of the files:" | "Según la política de los archivos:";
    diff_in_force() = "By what is in force:" | "Según lo que está en vigor:";
    diff_port() = "listens" | "escucha";
    diff_program() = "program" | "programa";
    diff_from() = "reached from" | "alcanzable desde";
    diff_closed() = "nowhere" | "ninguna parte";
    diff_bad() = "the world should not reach it" | "el mundo no debería llegar a él";
    diff_idle(number, text) = "nobody listens where line {number} lets in: {text}"
        | "nadie escucha donde la línea {number} deja entrar: {text}";
    reason_ban(scope) = "banned ({scope})" | "vetado ({scope})";
    reason_list(list) = "in the list {list}" | "está en la lista {list}";
    reason_listed(list) = "let in by the list {list}" | "pasa por la lista {list}";
    reason_door(door) = "let in by the door {door}" | "pasa por la puerta {door}";
    reason_closed(door) = "the door {door} is closed to him" | "la puerta {door} está cerrada para él";
    reason_rule(number, text) = "line {number}: {text}" | "línea {number}: {text}";
    reason_out(number, text) = "line {number} of out: {text}" | "línea {number} de out: {text}";
    reason_out_rest() = "no line of out is about it" | "ninguna línea de out habla de ello";
    reason_rest(zone) = "no line is about it, from {zone}" | "ninguna línea habla de ello, desde {zone}";
    reason_needed() = "networks need it" | "las redes lo necesitan";
    top_reason() = "stopped by" | "detenidos por";
    top_all() = "packets" | "paquetes";
    top_now() = "per second" | "por segundo";
    top_nothing() = "Nothing stops anything here yet." | "Aquí todavía no se detiene nada.";
    top_stale() = "While it is shown, what lists count is up to ten seconds old."
        | "Mientras se muestra, lo que cuentan las listas tiene hasta diez segundos.";
    gate_check_good(rules) = "{rules}, and nft accepts the text" | "{rules}, y nft acepta el texto";
    gate_check_alone(rules, why) = "{rules}; nft was not asked: {why}" | "{rules}; no se ha preguntado a nft: {why}";
    gate_check_bad(said) = "nft does not accept the text, which is a mistake of Sereno's: {said}"
        | "nft no acepta el texto, y eso es un error de Sereno: {said}";
    gate_save_head(since) = "The policy in force since {since}, as `sereno gate save` wrote it."
        | "La política en vigor desde {since}, tal como la escribió `sereno gate save`.";
    explain_port() = "say a port behind the address, and none for ping" | "diga un puerto tras la dirección, y ninguno para ping";
    reason_none() = "nothing here closes it" | "nada de aquí lo cierra";
}
