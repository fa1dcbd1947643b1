//! `sereno door keygen`: the server's file, and what belongs on the client.

use crate::cli::args::KeygenArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::words;
use sereno_core::gate::{Name, Ports};
use sereno_spa::Secret;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
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
        writeln!(out, "host = \"{host}\"\nsecret = \"{}\"", &*secret)?;
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
    let good = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if !text.is_empty() && text.len() <= 253 && text.chars().all(good) {
        Ok(text)
    } else {
        Err(Failure::usage(words::keygen_host(text)))
    }
}

fn random(bytes: usize) -> io::Result<Secret> {
    let mut key = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(Secret::new(key))
}

/// Writes a file that nobody else can read, and that was not there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let said = |e: io::Error| Failure::refused(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent().map(PathBuf::from).filter(|folder| !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(said)?;
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(said)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(said)
}
