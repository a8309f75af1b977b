//! The id_token: RS256 only, the key named by `kid`.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{claims::Claims, discovery::Keys};

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// Perhaps the keys have changed: they are worth another look.
    Signature(String),
    /// Never.
    Other(String),
}

/// Checks the signature; answers the claims.
///
/// # Errors
/// [`Problem`].
pub fn verify(token: &str, keys: &Keys) -> Result<Claims, Problem> {
    let other = |text: &str| Problem::Other(text.to_owned());
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(other("the id_token is not a signed token"));
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| other("the id_token is not base64url"));
    let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| other("the id_token is not JSON"));
    let head = json(header)?;
    let text = |name: &str| head.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("alg") != "RS256" {
        return Err(Problem::Other(format!("the signature algorithm '{}' is not RS256", text("alg"))));
    }
    let unknown = || Problem::Signature(format!("no key has the kid '{}'", text("kid")));
    let (n, e) = keys.get(text("kid")).ok_or_else(unknown)?;
    let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
    RsaPublicKeyComponents { n, e }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)?)
        .map_err(|_| Problem::Signature("the signature is wrong".into()))?;
    match json(payload)? {
        Value::Object(map) => Ok(Claims(map)),
        _ => Err(other("the id_token has no claims")),
    }
}
