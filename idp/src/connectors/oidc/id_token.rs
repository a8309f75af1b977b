//! Whether an ID token is for us, now, and for this very sign-in (OpenID Connect Core §3.1.3.7). The signature was checked.

use super::metadata::Metadata;
use crate::connectors::Error;
use crate::core::Timestamp;
use crate::core::provider::{OidcSettings, Profile};
use crate::crypto::hash::equal;
use serde_json::{Map, Value};

/// How far a provider's clock may be from ours, in seconds.
const SKEW_S: i64 = 120;
/// An ID token that comes straight from the token endpoint is fresh: older ones were kept by somebody.
const OLDEST_S: i64 = 600;

pub(super) type Claims = Map<String, Value>;

pub(super) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

pub(super) fn seconds(claims: &Claims, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    // NumericDate may have a fraction (RFC 7519 §2)
    #[expect(clippy::cast_possible_truncation, reason = "a date out of range becomes the end of the range")]
    value.as_i64().or_else(|| value.as_f64().map(|n| n as i64))
}

/// Whether the audience is this client alone. Others in it could have been given the token to show to us: we trust none
/// (§3.1.3.7, 3).
pub(super) fn aimed_at_us(settings: &OidcSettings, claims: &Claims) -> bool {
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().map(|a| a.as_str().unwrap_or_default()).collect(),
        _ => vec![],
    };
    audience == [settings.client_id.as_str()]
}

/// Checks everything that is not the signature.
pub(super) fn check(
    settings: &OidcSettings,
    metadata: &Metadata,
    claims: &Claims,
    nonce: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let no = |why: String| Err(Error::Upstream(format!("the ID token {why}")));
    let now = now.secs();
    let tenant = text(claims, "tid").filter(|_| settings.profile == Profile::Entra);
    if metadata.issuer_for(tenant).as_deref() != text(claims, "iss") {
        return no("names another issuer".into());
    }
    if !aimed_at_us(settings, claims) {
        return no("is not for us alone (aud)".into());
    }
    if text(claims, "azp").is_some_and(|party| party != settings.client_id) {
        return no("was given to another client (azp)".into());
    }
    let Some(expires) = seconds(claims, "exp") else { return no("has no end (exp)".into()) };
    if expires <= now - SKEW_S {
        return no(format!("ended at {expires}; it is {now}. Is one of the clocks wrong?"));
    }
    let Some(issued) = seconds(claims, "iat") else { return no("does not say when it was made (iat)".into()) };
    if issued > now + SKEW_S || issued < now - OLDEST_S - SKEW_S {
        return no(format!("was made at {issued}; it is {now}. Is one of the clocks wrong?"));
    }
    if seconds(claims, "nbf").is_some_and(|from| from > now + SKEW_S) {
        return no("is not valid yet (nbf)".into());
    }
    if !text(claims, "nonce").is_some_and(|said| equal(said.as_bytes(), nonce.as_bytes())) {
        return no("is not from this sign-in (nonce)".into());
    }
    if text(claims, "sub").is_none_or(|sub| sub.is_empty() || sub.len() > 255) {
        return no("names nobody (sub)".into());
    }
    Ok(())
}
