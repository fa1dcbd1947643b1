//! `sereno door keygen`: the server's file, and what belongs on the client.

use super::files::{random, write};
use crate::cli::args::KeygenArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::words;
use sereno_config::invited::is_host;
use sereno_core::gate::{Name, Ports};
use std::io::Write;
use std::process::ExitCode;

/// Bytes of a key for the cipher (AES-256), and for the signature (SHA-256's block).
const KEY: usize = 32;
const SIGNATURE: usize = 64;

/// Makes keys. Nothing that is there is replaced.
///
/// # Errors
/// The name or the ports are none, there is such a file, or it cannot be written.
pub(super) fn run(args: &KeygenArgs, out: &mut impl Write) -> Outcome {
    let name: Name = args.name.parse().map_err(Failure::usage)?;
    let host = host(&args.host)?;
    if args.knock {
        let path = args.into.join(format!("{name}.secret"));
        let secret = random(KEY)?.to_base64();
        write(&path, &format!("{}\n", &*secret))?;
        writeln!(out, "{}", words::keygen_wrote(path.display()))?;
        writeln!(out, "\n{}\n", words::keygen_server())?;
        writeln!(out, "[door.{name}]\nports = \"tcp/22\"\nsecret = \"{}\"", path.display())?;
        writeln!(out, "\n{}\n", words::keygen_client_knock(name))?;
        writeln!(out, "host = \"{host}\"\nwait = 22\nsecret = \"{}\"", &*secret)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ports = ports(&args.ports)?;
    let path = args.into.join(format!("{name}.access"));
    let (key, signature) = (random(KEY)?.to_base64(), random(SIGNATURE)?.to_base64());
    let keys = format!("KEY_BASE64 {}\nHMAC_KEY_BASE64 {}\n", &*key, &*signature);
    write(&path, &format!("SOURCE ANY\n{keys}OPEN_PORTS {ports}\nFW_ACCESS_TIMEOUT 30\n"))?;
    writeln!(out, "{}", words::keygen_wrote(path.display()))?;
    writeln!(out, "\n{}\n", words::keygen_server())?;
    writeln!(out, "[door.{name}]\nspa = \"{}\"", path.display())?;
    writeln!(out, "\n{}\n", words::keygen_client())?;
    writeln!(out, "[{name}]\nSPA_SERVER {host}\nACCESS {ports}\nALLOW_IP source")?;
    writeln!(out, "{keys}USE_HMAC Y")?;
    Ok(ExitCode::SUCCESS)
}

/// The ports in fwknop's writing.
fn ports(text: &str) -> Result<String, Failure> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let parsed: Ports = parts.join(", ").parse().map_err(Failure::usage)?;
    match parsed {
        Ports::Only(list) if list.iter().all(|one| one.first() == one.last()) => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            Ok(list.join(", "))
        }
        _ => Err(Failure::usage(words::keygen_ports())),
    }
}

/// A name that may stand in the client's file.
fn host(text: &str) -> Result<&str, Failure> {
    if is_host(text) { Ok(text) } else { Err(Failure::usage(words::keygen_host(text))) }
}
