//! The files of a guest: doors he is invited to, and fwknop's stanzas.

use crate::Trouble;
use sereno_config::Document;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a file at most; a larger one is none of these.
const MOST: u64 = 1 << 20;
/// Characters of a door's name at most.
const NAME: usize = 64;

/// Whether a word is the name of a door, as a file of it is called: a letter, then letters, digits,
/// `.`, `-`, `_`. So it is no port, no option and no path.
#[must_use]
pub fn is_door(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    word.len() <= NAME
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(fits)
}

/// Where the file of a door is: `sereno/doors/NAME.toml` in the folder for configuration. `env` says
/// what the environment does: `XDG_CONFIG_HOME` and `HOME`, on Windows `APPDATA`.
pub fn door_path(name: &str, env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".config"));
    // The specification of these folders says that what is not absolute does not count.
    let xdg = set("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let windows = || if cfg!(windows) { set("APPDATA") } else { None };
    let folder = xdg.or_else(windows).or_else(home)?;
    Some(folder.join("sereno").join("doors").join(format!("{name}.toml")))
}

/// Where fwknop keeps its stanzas: `.fwknoprc` at home.
pub fn rc_path(env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("HOME").or_else(|| if cfg!(windows) { set("USERPROFILE") } else { None })?;
    Some(home.join(".fwknoprc"))
}

/// Reads a file with a secret in it.
///
/// # Errors
/// [`Trouble::Open`] when others can read it, on systems where that can be told;
/// [`Trouble::File`].
pub fn read(path: &Path) -> Result<Document, Trouble> {
    let trouble = |why| Trouble::File { path: path.to_owned(), why };
    let file = File::open(path).map_err(trouble)?;
    let about = file.metadata().map_err(trouble)?;
    if let Some(mode) = others(&about) {
        return Err(Trouble::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(trouble)?;
    if text.len() as u64 > MOST {
        return Err(trouble(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Document { name: path.display().to_string(), text })
}

/// The mode of a file that others than its owner can read or change.
#[cfg(unix)]
fn others(about: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = about.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn others(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        assert!(is_door("office") && is_door("home-2.x_y"));
        for bad in ["", "7000", "../x", ".x", "-x", "a/b", "a b", "7000:udp", &"a".repeat(65)] {
            assert!(!is_door(bad), "{bad}");
        }
    }

    #[test]
    fn folders_are_those_of_the_environment() {
        let path = |xdg: &'static str, home: &'static str| {
            let env = move |name: &str| match name {
                "XDG_CONFIG_HOME" => Some(xdg.into()),
                "HOME" => Some(home.into()),
                _ => None,
            };
            (door_path("office", &env), rc_path(&env))
        };
        if cfg!(unix) {
            assert_eq!(path("/x", "/h").0.unwrap(), Path::new("/x/sereno/doors/office.toml"));
            for xdg in ["", "x"] {
                let (door, rc) = path(xdg, "/h");
                assert_eq!(door.unwrap(), Path::new("/h/.config/sereno/doors/office.toml"));
                assert_eq!(rc.unwrap(), Path::new("/h/.fwknoprc"));
            }
            assert_eq!(path("", ""), (None, None));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_read_is_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.toml");
        std::fs::write(&path, "host = \"a\"\n").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match read(&path) {
                Ok(document) => assert!(good && document.text == "host = \"a\"\n", "{mode:o}"),
                Err(Trouble::Open { mode: said, .. }) => assert!(!good && said == mode, "{mode:o}"),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(matches!(read(&folder.path().join("none")), Err(Trouble::File { .. })));
    }
}
