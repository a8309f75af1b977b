//! A provider says that somebody signed out there (OpenID Connect Back-Channel Logout §2.4-2.6).

use super::OpenId;
use super::id_token::{aimed_at_us, seconds, text};
use crate::connectors::{Error, SignedOut};
use crate::core::Timestamp;
use crate::crypto::foreign::Unverified;
use crate::deps::Deps;
use serde_json::Value;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const SKEW_S: i64 = 120;
/// How old a logout token may be.
const OLDEST_S: i64 = 600;

/// Who signed out, and when; the token is checked as a whole.
pub(super) async fn read(connector: &OpenId, deps: &Deps, token: &str) -> Result<SignedOut, Error> {
    let (settings, now) = (&connector.settings, deps.clock.now());
    let no = |why: &str| Error::Upstream(format!("the logout token {why}"));
    let unverified = Unverified::parse(token).map_err(|fault| no(&format!("cannot be believed: {fault}")))?;
    // the type is recommended; another one means that it was made for something else
    if unverified.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("logout+jwt") && !typ.eq_ignore_ascii_case("jwt")) {
        return Err(no("is of another type (typ)"));
    }
    let metadata = connector.published.metadata(&deps.http, settings, now).await?;
    let keys = connector.published.keys(&deps.http, &metadata, now, |keys| unverified.finds_key(keys)).await?;
    let claims = unverified.verify(&keys).map_err(|fault| no(&format!("cannot be believed: {fault}")))?;
    if metadata.issuer_for(text(&claims, "tid")).as_deref() != text(&claims, "iss") {
        return Err(no("names another issuer"));
    }
    if !aimed_at_us(settings, &claims) {
        return Err(no("is not for us alone (aud)"));
    }
    let (issued, expires) = (seconds(&claims, "iat"), seconds(&claims, "exp"));
    let Some(issued) = issued else { return Err(no("does not say when it was made (iat)")) };
    if issued > now.secs() + SKEW_S || issued < now.secs() - OLDEST_S || expires.is_some_and(|end| end <= now.secs() - SKEW_S) {
        return Err(no("is not of this time (iat, exp)"));
    }
    if claims.contains_key("nonce") {
        return Err(no("has a nonce: it is an ID token"));
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(no("names no logout (events)"));
    }
    if text(&claims, "jti").is_none_or(str::is_empty) {
        return Err(no("has no id (jti)"));
    }
    let subject = text(&claims, "sub").filter(|sub| !sub.is_empty());
    let subject = subject.ok_or_else(|| no("names nobody (sub); sessions of the provider alone (sid) are not known here"))?;
    Ok(SignedOut { subject: subject.to_owned(), at: Timestamp(issued.saturating_mul(1000)).plus_ms(999) })
}
