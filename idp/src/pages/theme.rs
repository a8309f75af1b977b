//! Where files come from: `<themes>/<theme>/` first, looked up at each use so that an edit shows at once, else the default
//! theme inside the program.

use rust_embed::Embed;
use std::borrow::Cow;
use std::path::PathBuf;
use std::time::SystemTime;

#[derive(Embed)]
#[folder = "../themes/default/"]
struct Default;

/// A theme.
#[derive(Clone, Debug)]
pub struct Theme {
    overrides: Option<PathBuf>,
}

/// What tells one state of an overriding file from the next: modified when, how long. `None`: no such file.
pub(super) type Stamp = Option<(SystemTime, u64)>;

/// Whether a name is a plain relative path: letters, digits and `._-` in parts that do not begin with a dot.
fn is_plain(name: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty() && !p.starts_with('.') && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    name.len() <= 200 && name.split('/').all(part)
}

impl Theme {
    /// The theme `name` in the folder `themes`; without a folder the default one alone.
    #[must_use]
    pub fn new(themes: Option<PathBuf>, name: &str) -> Self {
        Self { overrides: themes.filter(|_| is_plain(name) && !name.contains('/')).map(|folder| folder.join(name)) }
    }

    /// The theme inside the program.
    #[must_use]
    pub fn embedded() -> Self {
        Self { overrides: None }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.overrides.as_ref().filter(|_| is_plain(name)).map(|folder| folder.join(name))
    }

    /// The state of the overriding file.
    pub(super) fn stamp(&self, name: &str) -> Stamp {
        let meta = std::fs::metadata(self.path(name)?).ok().filter(std::fs::Metadata::is_file)?;
        Some((meta.modified().ok()?, meta.len()))
    }

    /// Whether files may be overridden at all.
    pub(super) fn can_change(&self) -> bool {
        self.overrides.is_some()
    }

    /// A file's bytes.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        if let Some(path) = self.path(name)
            && let Ok(bytes) = std::fs::read(path)
        {
            return Some(Cow::Owned(bytes));
        }
        if is_plain(name) { Default::get(name).map(|file| file.data) } else { None }
    }

    /// A file as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.read(name)?.into_owned()).ok()
    }

    /// SHA-256 of a file, without reading it when it is the embedded one.
    pub(super) fn digest(&self, name: &str) -> Option<[u8; 32]> {
        if self.stamp(name).is_some() {
            let bytes = self.read(name)?;
            return aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref().try_into().ok();
        }
        if is_plain(name) { Default::get(name).map(|file| file.metadata.sha256_hash()) } else { None }
    }

    /// Names of all files under a folder, overriding ones included, sorted.
    #[must_use]
    pub fn list(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = Default::iter().map(Cow::into_owned).filter(|n| n.starts_with(folder)).collect();
        if let Some(path) = self.path(folder.trim_end_matches('/')) {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            names.extend(entries.filter_map(|e| e.file_name().to_str().map(|n| format!("{folder}{n}"))));
        }
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_theme() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::fs::create_dir_all(folder.path().join("mine/css")).unwrap();
        let theme = Theme::new(Some(folder.path().into()), "mine");
        for bad in
            ["../secret", "css/../../secret", "/etc/passwd", "css//base.css", "", "css/.hidden", "..", "css\\base.css", "a\0b"]
        {
            assert!(theme.read(bad).is_none(), "{bad:?}");
        }
        assert!(theme.read("css/base.css").is_some());
        std::fs::write(folder.path().join("mine/css/base.css"), "mine").unwrap();
        assert_eq!(theme.text("css/base.css").unwrap(), "mine");
        assert!(Theme::new(Some(folder.path().into()), "..").overrides.is_none());
    }
}
