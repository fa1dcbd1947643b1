//! `-d` and `-t`: the configuration as commands, and what is wrong with it.

use super::say::Say;
use sereno_fail2ban::client::FAILED;
use sereno_fail2ban::client::args::{Invocation, Program};
use sereno_fail2ban::{Files, Tree, Value, commands};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// Bytes of a configuration file that are read at most.
const LARGEST: u64 = 16 << 20;

/// The files of this machine.
pub(crate) struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => return Ok(None),
            // A pipe would be waited for.
            Ok(meta) if !meta.is_file() => return Err("it is no file".to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
            Ok(_) => {}
        }
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > LARGEST {
            return Err("it is longer than 16 MiB".to_owned());
        }
        Ok(Some(bytes))
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn open_to(&self, path: &str) -> Option<String> {
        let path = Path::new(path);
        [Some(path), path.parent()].into_iter().flatten().find_map(others)
    }
}

/// Who else may write to a file or directory.
fn others(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok()?;
    let own = rustix::process::geteuid().as_raw();
    // What lies in a directory like /tmp can be replaced by its owner only.
    let sticky = meta.is_dir() && meta.mode() & 0o1000 != 0;
    if meta.uid() != 0 && meta.uid() != own {
        return Some(format!("the user with number {}", meta.uid()));
    }
    match meta.mode() & 0o022 {
        _ if sticky => None,
        mode if mode & 0o002 != 0 => Some("everybody".to_owned()),
        0o020 if meta.gid() != 0 => Some(format!("the group with number {}", meta.gid())),
        _ => None,
    }
}

/// Does what is asked of the configuration. `None` if a command remains to be carried out.
pub(super) fn look<W: Write>(
    invocation: &Invocation,
    say: &mut Say<'_, W>,
) -> io::Result<Option<u8>> {
    if invocation.dump.is_none() && !invocation.test {
        return Ok(None);
    }
    let conf = invocation.conf.as_deref().unwrap_or(Invocation::CONF);
    if !Path::new(conf).is_dir() {
        say.out(&format!("ERROR: Base configuration directory {conf} does not exist \n"))?;
        return Ok(Some(FAILED));
    }
    let tree = sereno_fail2ban::read(&Disk, conf);
    for problem in &tree.problems {
        say.bare(&format!("{problem}\n\n"));
    }
    if let Some(pretty) = invocation.dump {
        for command in commands(&tree, &files) {
            let line = if pretty { prettily(&command, 0) } else { command.to_string() };
            say.out(&(line + "\n"))?;
        }
        if !invocation.test {
            return Ok(Some(if broken(&tree) { FAILED } else { 0 }));
        }
    }
    if tree.has_errors() {
        let text = "ERROR: test configuration failed";
        match invocation.program {
            Program::Client => say.error(text),
            Program::Server => say.bare(&format!("{text}\n")),
        }
        return Ok(Some(FAILED));
    }
    if !invocation.words.is_empty() || invocation.interactive {
        return Ok(None);
    }
    say.out("OK: configuration test is successful\n")?;
    Ok(Some(0))
}

/// Whether fail2ban itself would read nothing at all: it passes over some jails alone.
fn broken(tree: &Tree) -> bool {
    let mut aside = tree.jails.iter().filter(|jail| jail.enabled && jail.set_aside).peekable();
    let whole = aside.peek().is_none() && tree.has_errors();
    whole || aside.any(|jail| jail.refusal.is_none())
}

/// The files of a log path.
fn files(pattern: &str) -> Vec<String> {
    let paths = glob::glob(pattern).into_iter().flatten().flatten();
    paths.filter_map(|path| path.to_str().map(str::to_owned)).collect()
}

/// A value on one line if it is not too long for one, else its parts each on one.
fn prettily(value: &Value, indent: usize) -> String {
    const WIDTH: usize = 1000;
    let flat = value.to_string();
    match value {
        Value::List(list) if flat.len() + indent > WIDTH => {
            let inner = indent + 2;
            let parts: Vec<String> = list.iter().map(|part| prettily(part, inner)).collect();
            format!("[ {}]", parts.join(&format!(",\n{:inner$}", "")))
        }
        _ => flat,
    }
}
