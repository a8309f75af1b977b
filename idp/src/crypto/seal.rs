//! Secrets at rest (rules C9): master key → one key per table and column by HKDF → AES-256-GCM. A ciphertext names the master
//! key it was made under and is bound to its table, column and row, so that a copy in another row does not open.

use super::CryptoError;
use super::hash::{b64, hex, sha256, unb64};
use crate::ports::Entropy;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The key above all others: 32 random bytes from a file or the environment, outside the database and its backup.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl MasterKey {
    /// Makes a new one.
    #[must_use]
    pub fn generate(entropy: &Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// Reads the text form: 32 bytes in base64, of either alphabet, padded or not.
    ///
    /// # Errors
    /// A sentence that does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let text = text.trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
        let bytes = unb64(text).and_then(|b| <[u8; 32]>::try_from(b).ok());
        bytes.map(Self).ok_or_else(|| CryptoError::new("a master key is 32 bytes in base64 (43 characters)"))
    }

    /// The text form, for the file. A secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        b64(self.0)
    }

    /// Names the key without giving it away: 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        let shown = derive(&self.0, &[b"odcm master key id v1"]).unwrap_or_default();
        hex(&sha256(&shown)).chars().take(16).collect()
    }

    /// Reads the key from `path`; makes the file, readable by its owner only, if there is none. Two processes that start
    /// at once end with the same key.
    ///
    /// # Errors
    /// When the file cannot be read, made, or is not a key.
    pub fn read_or_create(path: &Path, entropy: &Entropy) -> Result<Self, CryptoError> {
        let fault = |what: &str, e: std::io::Error| CryptoError(format!("{what} {}: {e}", path.display()));
        #[cfg(unix)]
        if let Ok(meta) = std::fs::metadata(path)
            && std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0
        {
            let text = "is readable by others than its owner; make it private with chmod 600";
            return Err(CryptoError(format!("{} {text}", path.display())));
        }
        match std::fs::read_to_string(path) {
            Ok(text) => return Self::parse(&text).map_err(|e| CryptoError(format!("{}: {}", path.display(), e.0))),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fault("cannot read", e)),
            Err(_) => {}
        }
        let key = Self::generate(entropy);
        let beside = path.with_extension(format!("new-{}", hex(&entropy.bytes::<8>())));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(format!("{}\n", key.to_text()).as_bytes())?;
            file.sync_all()
        });
        // A link, not a rename: it fails if another process was faster, and the file is whole when it appears.
        let placed = written.and_then(|()| std::fs::hard_link(&beside, path));
        let _ = std::fs::remove_file(&beside);
        match placed {
            Ok(()) => Ok(key),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let text = std::fs::read_to_string(path).map_err(|e| fault("cannot read", e))?;
                Self::parse(&text)
            }
            Err(e) => Err(fault("cannot make", e)),
        }
    }
}

/// Where a sealed value lives: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'static str,
    /// Column.
    pub column: &'static str,
    /// Primary key of the row, in text form.
    pub row: &'a str,
}

impl<'a> Place<'a> {
    /// A column of a row.
    #[must_use]
    pub fn new(table: &'static str, column: &'static str, row: &'a str) -> Self {
        Self { table, column, row }
    }

    fn aad(&self) -> Vec<u8> {
        // Lengths first, so that no two places give the same bytes.
        [self.table, self.column, self.row]
            .iter()
            .flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.bytes()))
            .collect()
    }
}

/// Seals and opens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sealer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: MasterKey,
    id: [u8; 8],
    previous: Vec<([u8; 8], MasterKey)>,
    entropy: Entropy,
}

const FORMAT: u8 = 1;
const HEAD: usize = 1 + 8 + NONCE_LEN;

fn short_id(key: &MasterKey) -> [u8; 8] {
    let mut out = [0; 8];
    out.iter_mut().zip(sha256(key.id().as_bytes())).for_each(|(slot, byte)| *slot = byte);
    out
}

struct Len(usize);
impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(master: &[u8; 32], info: &[&[u8]]) -> Result<[u8; 32], CryptoError> {
    let mut out = [0; 32];
    let prk = Salt::new(HKDF_SHA256, b"odcm").extract(master);
    let fault = |_| CryptoError::new("HKDF failed");
    prk.expand(info, Len(32)).and_then(|okm| okm.fill(&mut out)).map_err(fault)?;
    Ok(out)
}

fn column_key(master: &MasterKey, place: &Place<'_>) -> Result<LessSafeKey, CryptoError> {
    let label = format!("odcm seal v1 {}.{}", place.table, place.column);
    let key = derive(&master.0, &[label.as_bytes()])?;
    UnboundKey::new(&AES_256_GCM, &key).map(LessSafeKey::new).map_err(|_| CryptoError::new("AES key refused"))
}

impl Sealer {
    /// Seals under `current`; opens what was sealed under `current` or one of `previous`.
    #[must_use]
    pub fn new(current: MasterKey, previous: Vec<MasterKey>, entropy: Entropy) -> Self {
        let id = short_id(&current);
        let previous = previous.into_iter().map(|key| (short_id(&key), key)).collect();
        Self(Arc::new(Inner { current, id, previous, entropy }))
    }

    /// The id of the key in use, as stored in `deployment.master_key_id`.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.0.current.id()
    }

    /// Seals `plain` for one place: format (1 byte), key id (8), nonce (12), ciphertext and tag.
    ///
    /// # Errors
    /// Only if the library fails.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let nonce: [u8; NONCE_LEN] = self.0.entropy.bytes();
        let mut body = plain.to_vec();
        column_key(&self.0.current, &place)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.aad()), &mut body)
            .map_err(|_| CryptoError::new("sealing failed"))?;
        let mut out = Vec::with_capacity(HEAD + body.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.0.id);
        out.extend_from_slice(&nonce);
        out.append(&mut body);
        Ok(out)
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    ///
    /// # Errors
    /// When it was made under a key that is not known here, for another place, or was altered.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let where_ = || format!("{}.{} of {}", place.table, place.column, place.row);
        let fault = |why: &str| CryptoError(format!("{} {why}", where_()));
        let (head, body) = sealed.split_at_checked(HEAD).ok_or_else(|| fault("is too short"))?;
        let (format, rest) = head.split_first().ok_or_else(|| fault("is too short"))?;
        let (id, nonce) = rest.split_at_checked(8).ok_or_else(|| fault("is too short"))?;
        if *format != FORMAT {
            return Err(fault("has an unknown format"));
        }
        let master = std::iter::once((&self.0.id, &self.0.current))
            .chain(self.0.previous.iter().map(|(id, key)| (id, key)))
            .find_map(|(known, key)| (known == id).then_some(key))
            .ok_or_else(|| fault("was sealed under another master key"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fault("has a bad nonce"))?;
        let mut body = body.to_vec();
        let plain = column_key(master, &place)?
            .open_in_place(nonce, Aad::from(place.aad()), &mut body)
            .map_err(|_| fault("does not open: altered, or moved from another place"))?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(seed: u64) -> Sealer {
        let entropy = Entropy::seeded(seed);
        Sealer::new(MasterKey::generate(&entropy), Vec::new(), entropy)
    }

    #[test]
    fn opens_in_its_own_place_only() {
        let sealer = sealer(1);
        let sealed = sealer.seal(Place::new("client", "secret", "a"), b"hush").unwrap();
        assert_eq!(sealer.open(Place::new("client", "secret", "a"), &sealed).unwrap(), b"hush");
        for other in [
            Place::new("client", "secret", "b"),
            Place::new("client", "other", "a"),
            Place::new("person", "secret", "a"),
            Place::new("client", "secre", "ta"),
        ] {
            assert!(sealer.open(other, &sealed).is_err(), "{other:?}");
        }
    }

    #[test]
    fn every_altered_byte_is_noticed_and_nonces_differ() {
        let sealer = sealer(2);
        let place = Place::new("t", "c", "r");
        let sealed = sealer.seal(place, b"plain text").unwrap();
        assert_ne!(sealed, sealer.seal(place, b"plain text").unwrap());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(sealer.open(place, &altered).is_err(), "byte {at}");
            assert!(sealer.open(place, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_master_key_does_not_open_and_a_previous_one_does() {
        let (old, place) = (MasterKey([7; 32]), Place::new("t", "c", "r"));
        let entropy = Entropy::seeded(3);
        let sealed = Sealer::new(old.clone(), vec![], entropy.clone()).seal(place, b"x").unwrap();
        let fresh = MasterKey([8; 32]);
        assert!(Sealer::new(fresh.clone(), vec![], entropy.clone()).open(place, &sealed).is_err());
        assert_eq!(Sealer::new(fresh, vec![old], entropy).open(place, &sealed).unwrap(), b"x");
    }

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = MasterKey::read_or_create(&path, &Entropy::seeded(4)).unwrap();
        let again = MasterKey::read_or_create(&path, &Entropy::seeded(5)).unwrap();
        assert_eq!(first.to_text(), again.to_text());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no leftover beside the key");
        std::fs::write(&path, "not a key").unwrap();
        let error = MasterKey::read_or_create(&path, &Entropy::seeded(6)).unwrap_err();
        assert!(!error.0.contains("not a key") && error.0.contains("base64"), "{error}");
        assert!(!format!("{first:?}").contains(&first.to_text()));
    }
}
