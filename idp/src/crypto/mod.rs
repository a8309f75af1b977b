//! Cryptography over aws-lc-rs: hashes, sealing of secrets at rest, JSON Web Signatures, the ring of signing keys, and
//! Argon2id on threads of its own. No other room calls aws-lc-rs for these.
//!
//! May use: `core`, `ports`. Knows no database: rows are the business of `storage`, rotation of `accounts::keys`.
//!
//! Example: `let token = deps.keys.ring().signer(Alg::Es256)?.sign(Typ::AccessToken, &claims)?;`

pub mod foreign;
pub mod hash;
pub mod jose;
pub mod keys;
pub mod password;
pub mod seal;

/// A cryptographic operation failed. The text is for the log and carries nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cryptography: {0}")]
pub struct CryptoError(pub String);

impl CryptoError {
    fn new(what: &str) -> Self {
        Self(what.into())
    }
}
