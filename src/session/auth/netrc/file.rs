//! Where a netrc lies, and what is wrong with one.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::parse::Fault;
use crate::error::{Error, ErrorKind, Phase};

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let unreadable = || invalid(format!("{} cannot be read", shown(path)));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable().because(error))?;
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable().because(error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(invalid(format!("{} is larger than {MAX_BYTES} bytes", shown(path))));
    }
    String::from_utf8(bytes).map_err(|error| {
        // The error itself holds the bytes.
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = good.filter(|&&byte| byte == b'\n').count().saturating_add(1);
        malformed(&shown(path), &Fault { line, what: "not UTF-8" })
    })
}

/// The netrc of the home directory, if there is one.
pub(super) fn of_home() -> Option<PathBuf> {
    let home = std::env::home_dir()?;
    let names: &[&str] = if cfg!(windows) { &[".netrc", "_netrc"] } else { &[".netrc"] };
    // One that is there and cannot be looked at is tried, and told.
    let is_there = |path: &PathBuf| path.try_exists().unwrap_or(true);
    names.iter().map(|name| home.join(name)).find(is_there)
}

/// Refuses a file that others may read or write.
pub(super) fn is_private(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let unreadable = |error| invalid(format!("{} cannot be read", shown(path))).because(error);
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = shown(path);
            let mode = mode & 0o777;
            return Err(invalid(format!(
                "{path} holds passwords and is open to others (mode {mode:o}): chmod 600 {path}"
            )));
        }
    }
    let _ = path;
    Ok(())
}

/// A path, for people.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().collect()
}

/// The error for a text that is malformed.
pub(super) fn malformed(name: &str, fault: &Fault) -> Error {
    invalid(format!("{name}, line {}: {}", fault.line, fault.what))
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup)
}

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;
