//! `sereno init`: a configuration of what runs on this machine.

use super::args::InitArgs;
use super::failure::{Failure, Outcome};
use crate::{policy, words};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs the command. Of another root folder's machine it writes the file below that folder.
///
/// # Errors
/// When the file is there and nobody said to replace it, or it cannot be written.
pub fn run(args: &InitArgs, out: &mut impl Write) -> Outcome {
    let facts = crate::discover::gather(&args.root);
    let text = sereno_config::suggest(&facts, words::lang());
    let to = args.to.clone().unwrap_or_else(|| below(&args.root, policy::DEFAULT));
    if to == Path::new("-") {
        out.write_all(text.as_bytes())?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    match put(&to, text.as_bytes(), args.force) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::refused(words::is_there(to.display())));
        }
        Err(error) => return Err(Failure::file(&to, &error)),
    }
    writeln!(out, "{}", words::written(to.display()))?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Writes a file whole or not at all, readable by everybody; only `force` replaces one.
pub(super) fn put(path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = folder.join(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&fresh)?;
    // Whatever is usual for files of who runs this.
    let readable = file.set_permissions(Permissions::from_mode(0o644));
    let written = readable.and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
    // A link, unlike a renaming, never replaces anything.
    let placed = written.and_then(|()| match force {
        true => fs::rename(&fresh, path),
        false => fs::hard_link(&fresh, path).and_then(|()| fs::remove_file(&fresh)),
    });
    if placed.is_err() {
        // What matters is the error that led here.
        let _ = fs::remove_file(&fresh);
        return placed;
    }
    File::open(folder)?.sync_all()
}
