//! Where the state lies: a folder that only its owner may read, written so that a crash leaves the old or the new file.

use crate::AgentError;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Keeps named pieces of text. A piece is there completely, in the old or the new version, whatever happens.
pub trait Store: Send {
    /// Reads a piece, `None` when it was never written.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    fn load(&self, name: &str) -> Result<Option<String>, AgentError>;
    /// Writes a piece.
    ///
    /// # Errors
    /// [`AgentError::Io`]; the old version is then still there.
    fn save(&mut self, name: &str, text: &str) -> Result<(), AgentError>;
    /// Removes a piece; it need not exist.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    fn remove(&mut self, name: &str) -> Result<(), AgentError>;
}

/// A folder with one file a piece: folder 0700, files 0600, written beside, flushed to the disk and renamed.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, makes it when it is missing, and takes others' rights away.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn open(path: &Path) -> Result<Self, AgentError> {
        fs::create_dir_all(path).map_err(|e| io(path, e))?;
        restrict(path, 0o700).map_err(|e| io(path, e))?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store for Folder {
    fn load(&self, name: &str) -> Result<Option<String>, AgentError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                Err(AgentError::Corrupt { file: name.into(), reason: "it is not text".into() })
            }
            Err(e) => Err(io(&path, e)),
        }
    }

    fn save(&mut self, name: &str, text: &str) -> Result<(), AgentError> {
        let (target, beside) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let write = || -> std::io::Result<()> {
            let mut file = create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &target)?;
            sync_folder(&self.path)
        };
        write().map_err(|e| io(&target, e))
    }

    fn remove(&mut self, name: &str) -> Result<(), AgentError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(io(&path, e)),
            _ => Ok(()),
        }
    }
}

fn io(path: &Path, source: std::io::Error) -> AgentError {
    AgentError::Io { path: path.to_owned(), source }
}

#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // The mode of a file left by a crash would stay.
    restrict(path, 0o600)?;
    Ok(file)
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    fs::File::open(path)?.sync_all()
}

// On Windows the folder inherits the rights of its parent; the installer makes it private to the service account.
#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<fs::File> {
    fs::File::create(path)
}

#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join("a.new"), "left by a crash").unwrap();
        fs::set_permissions(path.join("a.new"), fs::Permissions::from_mode(0o644)).unwrap();
        let mut store = Folder::open(&path).unwrap();
        store.save("a", "one").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("a"))), (0o700, 0o600));
        assert_eq!(store.load("a").unwrap().as_deref(), Some("one"));
    }

    #[test]
    fn pieces_are_replaced_removed_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Folder::open(dir.path()).unwrap();
        assert_eq!(store.load("a").unwrap(), None);
        store.save("a", "one").unwrap();
        store.save("a", "two").unwrap();
        assert_eq!(store.load("a").unwrap().as_deref(), Some("two"));
        store.remove("a").unwrap();
        store.remove("a").unwrap();
        assert_eq!(store.load("a").unwrap(), None);
    }

    #[test]
    fn a_failed_write_keeps_the_old_version() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Folder::open(dir.path()).unwrap();
        store.save("a", "one").unwrap();
        fs::create_dir(dir.path().join("a.new")).unwrap();
        assert!(store.save("a", "two").is_err());
        assert_eq!(store.load("a").unwrap().as_deref(), Some("one"));
    }
}
