//! From files on disk to a policy: which documents there are, and what they say together.

use crate::cli::args::ConfigArgs;
use crate::doors::{self, Doors, Imports};
use crate::fail2ban::House;
use jiff::tz::TimeZone;
use sereno_config::{Document, Machine, Outcome};
use std::io;
use std::path::{Path, PathBuf};

/// Where the configuration is when nobody says.
pub const DEFAULT: &str = "/etc/sereno/sereno.toml";
/// A document is at most this long, in bytes.
const LONGEST: u64 = 4 << 20;

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The policy and what is wrong with the documents.
    pub outcome: Outcome,
    /// The documents it comes from.
    pub files: Vec<PathBuf>,
    /// Whether there was no configuration, and one was made of what runs here.
    pub found: bool,
    /// The fail2ban configuration whose jails are in the policy.
    pub fail2ban: Option<House>,
    /// The doors.
    pub doors: Doors,
}

/// Reads the configuration: the file named (it must be there), or the default file and
/// `conf.d/*.toml` beside it, or, when there is none, what [`crate::discover`] finds; and the
/// fail2ban configuration that the arguments name, or else that file.
///
/// # Errors
/// When a document cannot be read; the text says which.
pub fn load(args: &ConfigArgs) -> io::Result<Loaded> {
    let imports = args.fail2ban.is_some() || args.knockd.is_some() || args.fwknop.is_some();
    let alone = args.config.is_none() && imports;
    let main = args.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT));
    let mut files = Vec::new();
    if args.config.is_some() || main.exists() && !alone {
        files.push(main.clone());
    }
    let folder = main.parent().unwrap_or(Path::new("/"));
    if args.config.is_none() && !alone {
        files.extend(sorted(&folder.join("conf.d"))?);
    }
    let mut documents = files.iter().map(|path| document(path)).collect::<io::Result<Vec<_>>>()?;
    let found = documents.is_empty() && !alone;
    if found {
        let facts = crate::discover::gather(Path::new("/"));
        let text = sereno_config::suggest(&facts, crate::words::lang());
        documents.push(Document { name: "what was found on this machine".to_owned(), text });
    }
    let rules = rules(args.rules.as_deref(), folder)?;
    let mut outcome = read(&documents, &rules);
    let tree = args.fail2ban.clone().or_else(|| outcome.policy.settings.fail2ban.clone());
    let house = tree.as_deref().map(|dir| {
        let now = crate::run::clock();
        let (house, problems) = crate::fail2ban::add(dir, &mut outcome.policy, now);
        outcome.problems.extend(problems);
        house
    });
    let imports = Imports { knockd: args.knockd.as_deref(), fwknop: args.fwknop.as_deref() };
    let (doors, problems) = doors::read(&outcome.policy, imports);
    outcome.problems.extend(problems);
    Ok(Loaded { outcome, files, found, fail2ban: house, doors })
}

/// Reads documents for this machine.
#[must_use]
pub fn read(config: &[Document], rules: &[Document]) -> Outcome {
    let zone = TimeZone::system();
    let zones = |name: &str| TimeZone::get(name).ok();
    let net = crate::discover::net();
    let has_file = |path: &Path| path.exists();
    let now = crate::run::clock();
    let machine =
        Machine { zone: &zone, zones: &zones, now, net: net.as_ref(), has_file: &has_file };
    sereno_config::read_where(config, rules, machine)
}

/// The shipped rules and the administrator's own.
///
/// # Errors
/// When a rule file cannot be read.
pub fn rules(own: Option<&Path>, folder: &Path) -> io::Result<Vec<Document>> {
    let mut rules = sereno_config::shipped_rules();
    let own = match own {
        Some(own) => {
            std::fs::metadata(own).map_err(|e| named(own, &e))?;
            own.to_owned()
        }
        None => folder.join("rules.d"),
    };
    for path in sorted(&own)? {
        rules.push(document(&path)?);
    }
    Ok(rules)
}

/// The `*.toml` files of a folder by name; none when there is no folder.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(named(folder, &e)),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

/// Reads a document.
///
/// # Errors
/// When it cannot be read, is no regular file, is too long or is not UTF-8.
pub fn document(path: &Path) -> io::Result<Document> {
    let meta = std::fs::metadata(path).map_err(|e| named(path, &e))?;
    if !meta.is_file() || meta.len() > LONGEST {
        let why = if meta.is_file() {
            crate::words::too_long(path.display(), "4 MiB")
        } else {
            crate::words::not_regular(path.display())
        };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let bytes = std::fs::read(path).map_err(|e| named(path, &e))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let whole = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = whole.iter().filter(|byte| **byte == b'\n').count() + 1;
        let why = crate::words::no_utf8(path.display(), line);
        io::Error::new(io::ErrorKind::InvalidData, why)
    })?;
    Ok(Document { name: path.display().to_string(), text })
}

fn named(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}
