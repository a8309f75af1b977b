//! The data file: read at start, written as a whole and put in place by a rename.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use super::state::State;

/// Reads a data file; `None` when there is none yet.
///
/// # Errors
/// The file cannot be read or is not a state.
pub fn load(path: &Path) -> io::Result<Option<State>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a data file (mode 0600: it holds client secrets) beside the old one and renames it over it.
///
/// # Errors
/// The folder cannot be written.
pub fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
