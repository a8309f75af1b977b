//! SHA-256, comparison in constant time, base64url.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// SHA-256 of `data`. For secrets with full entropy (codes, tokens, client secrets); passwords go to [`super::password`].
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, data).as_ref()).for_each(|(slot, byte)| *slot = *byte);
    out
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    verify_slices_are_equal(a, b).is_ok()
}

/// base64url without padding (RFC 4648 §5).
#[must_use]
pub fn b64(data: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(data)
}

/// Reads base64url without padding; nothing else, no spare bits either.
#[must_use]
pub fn unb64(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // FIPS 180-4, "abc"
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(equal(b"same", b"same"));
        assert!(!equal(b"same", b"sama") && !equal(b"same", b"sam"));
        assert_eq!(unb64(b64([0xff, 0xfe])), Some(vec![0xff, 0xfe]));
        for bad in ["__4=", "//4", "__5", "a"] {
            assert_eq!(unb64(bad), None, "{bad}");
        }
    }
}
