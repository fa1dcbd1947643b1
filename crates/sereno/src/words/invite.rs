//! What an invitation to a door says.

use super::lang;
use sereno_config::Lang;
use std::fmt::Display;

words! {
    invite_bad_name(name) = "{name} cannot be the name of a guest's file: write letters first, then letters, digits, ., - and _, 64 in all"
        | "{name} no sirve de nombre para el archivo de un invitado: escriba primero letras, luego letras, cifras, ., - y _, 64 en total";
    invite_bad_host(host) = "{host} is no name or address of a server" | "{host} no es el nombre ni la dirección de un servidor";
    invite_to(door, host) = "Invitation to the door {door} of {host}." | "Invitación a la puerta {door} de {host}.";
    invite_secret() = "Who has it can open the door: hand it over as you would a password."
        | "Quien la tenga puede abrir la puerta: entréguela como una contraseña.";
    invite_once() = "These ports open once." | "Estos puertos abren una sola vez.";
    invite_clock(seconds) = "The ports change every {seconds} s: the clock has to be right."
        | "Los puertos cambian cada {seconds} s: el reloj debe estar en hora.";
    invite_save(path) = "Save this as {path}:" | "Guarde esto como {path}:";
    invite_then() = "Then:" | "Después:";
    invite_head(system, with) = "{system}, {with}" | "{system}, {with}";
    invite_with(program, install) = "with {program} ({install})" | "con {program} ({install})";
    invite_nothing(program) = "in {program}, nothing to install" | "en {program}, sin instalar nada";
    invite_script(file, line) = "Save this as {file}, and the file above beside it; then: {line}"
        | "Guarde esto como {file} y, a su lado, el archivo de arriba; después: {line}";
    invite_script_windows(name) = "In the folder where the file above is saved as {name}.toml:"
        | "En la carpeta donde se guardó el archivo de arriba como {name}.toml:";
    invite_knock_on_ports(host, ports, delay) = "Knock on Ports (Google Play, F-Droid): a new sequence; host {host}; ports {ports}; delay {delay} ms."
        | "Knock on Ports (Google Play, F-Droid): una secuencia nueva; servidor {host}; puertos {ports}; pausa {delay} ms.";
    invite_termux_bash() = "Termux (Google Play, F-Droid): the line for Linux in bash."
        | "Termux (Google Play, F-Droid): la línea de bash para Linux.";
    invite_ish() = "iSH Shell (App Store): `apk add perl`, then the line for macOS."
        | "iSH Shell (App Store): `apk add perl`, después la línea para macOS.";
    invite_ashell() = "a-Shell (App Store):" | "a-Shell (App Store):";
    invite_perl_in(app, store, install) = "{app} ({store}): `{install}`, then as on Linux."
        | "{app} ({store}): `{install}`, después como en Linux.";
    // Packets.
    invite_rc() = "Add this to ~/.fwknoprc, which nobody else may read:"
        | "Añada esto a ~/.fwknoprc, que nadie más debe poder leer:";
    invite_fwknop(install) = "With fwknop's own client (`{install}`):" | "Con el cliente de fwknop (`{install}`):";
    invite_wsl() = "In the Windows Subsystem for Linux (`wsl --install`), as on Linux."
        | "En el Subsistema de Windows para Linux (`wsl --install`), como en Linux.";
    invite_termux(install) = "Termux (Google Play, F-Droid): `{install}`, then as on Linux."
        | "Termux (Google Play, F-Droid): `{install}`, después como en Linux.";
    invite_fwknop2(host, port, ports) = "Fwknop2: server {host}, port {port}, access {ports}, Source IP; the keys from the QR code."
        | "Fwknop2: servidor {host}, puerto {port}, acceso {ports}, Source IP; las claves, del código QR.";
    invite_no_ios() = "We know of no app to name here." | "No conocemos ninguna aplicación que nombrar aquí.";
    // At the end.
    invite_port(port) = "A moment later tcp/{port} answers you, and nobody else."
        | "Un momento después tcp/{port} le responde a usted, y a nadie más.";
    invite_done() = "A moment later it has happened." | "Un momento después ya está hecho.";
    invite_qr_file(name) = "The file {name}.toml as a QR code" | "El archivo {name}.toml como código QR";
    invite_qr_keys() = "The keys as a QR code" | "Las claves como código QR";
}
