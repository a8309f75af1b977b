//! Random values, hashes of keys and passwords.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time, digest, pbkdf2};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::num::NonZeroU32;

use super::config::Entropy;

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
// A test stand-in: enough rounds that the stored value is not the password, few enough that tests stay quick.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);

/// `N` random bytes.
pub fn bytes<const N: usize>(entropy: &Entropy) -> [u8; N] {
    let mut buffer = [0; N];
    entropy(&mut buffer);
    buffer
}

/// 32 random bytes as base64url, 43 characters.
pub fn token(entropy: &Entropy) -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>(entropy))
}

/// A new API key, `API-` and 26 letters or digits.
pub fn api_key(entropy: &Entropy) -> String {
    let random = bytes::<26>(entropy);
    let letters = random.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31)).map(|letter| char::from(*letter)));
    format!("API-{}", letters.collect::<String>())
}

/// A random (version 4) UUID.
pub fn uuid(entropy: &Entropy) -> String {
    uuid::Builder::from_random_bytes(bytes(entropy)).into_uuid().to_string()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 of a high-entropy value, in hexadecimal.
pub fn fingerprint(value: &str) -> String {
    hex(digest::digest(&digest::SHA256, value.as_bytes()).as_ref())
}

/// Salted, iterated hash of a password: `salt$hash`.
pub fn hash_password(entropy: &Entropy, password: &str) -> String {
    let salt = bytes::<16>(entropy);
    format!("{}${}", hex(&salt), hex(&derive(&hex(&salt), password)))
}

/// Whether a password belongs to a stored hash.
pub fn password_matches(stored: &str, password: &str) -> bool {
    let Some((salt, hash)) = stored.split_once('$') else { return false };
    equal(hash, &hex(&derive(salt, password)))
}

/// Constant-time comparison.
pub fn equal(one: &str, other: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn derive(salt: &str, password: &str) -> [u8; 32] {
    let mut out = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt.as_bytes(), password.as_bytes(), &mut out);
    out
}

/// Whether a password is strong enough: at least 8 characters and three of the seven traits.
pub fn strong(password: &str) -> bool {
    let length = password.chars().count();
    let has = |test: fn(char) -> bool| password.chars().any(test);
    let traits = [
        length >= 12,
        length >= 16,
        has(|c| c.is_ascii_digit()),
        has(char::is_whitespace),
        has(char::is_uppercase),
        has(char::is_lowercase),
        has(|c| c.is_ascii_punctuation()),
    ];
    length >= 8 && traits.iter().filter(|yes| **yes).count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn passwords_are_compared_and_weighed() {
        let entropy: Entropy = Arc::new(|buffer| buffer.fill(7));
        let stored = hash_password(&entropy, "Secret123!");
        assert!(password_matches(&stored, "Secret123!"));
        assert!(!password_matches(&stored, "Secret123"));
        assert!(!stored.contains("Secret"));
        assert!(strong("Secret12") && strong("long enough thing") && !strong("secret12") && !strong("aB3!"));
    }
}
