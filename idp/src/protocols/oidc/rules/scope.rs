//! RFC 6749 §3.3 and OpenID Connect Core §3.1.2.1, §11: scopes that the client is not registered for are left out; what was
//! granted is said in the answer. Nothing left is `invalid_scope`.

use crate::core::client::{Client, GrantType, OFFLINE_ACCESS, OPENID, STANDARD_SCOPES};
use crate::protocols::oidc::OauthError;

/// Longest scope parameter, in bytes.
const MAX: usize = 1024;

fn split(text: &str) -> Result<Vec<String>, OauthError> {
    // scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
    let token = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    let mut out: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|s| !s.is_empty()) {
        if text.len() > MAX || !scope.chars().all(token) {
            return Err(OauthError::new("invalid_scope", "scope is a list of names with one space between them."));
        }
        if !out.iter().any(|known| known == scope) {
            out.push(scope.into());
        }
    }
    Ok(out)
}

/// The scopes that an authorization request is granted.
///
/// # Errors
/// `invalid_scope`.
pub fn granted(client: &Client, asked: Option<&str>) -> Result<Vec<String>, OauthError> {
    let mut scopes = split(asked.unwrap_or_default())?;
    scopes.retain(|s| client.settings.scopes.contains(s));
    scopes.retain(|s| s != OFFLINE_ACCESS || client.settings.allows(GrantType::RefreshToken));
    if !scopes.iter().any(|s| s != OFFLINE_ACCESS) {
        return Err(OauthError::new("invalid_scope", "None of the scopes asked for is registered for this client; try openid."));
    }
    Ok(scopes)
}

/// The scopes of a client_credentials token: those of its own, never the ones about people. Asked for more than it has, it
/// gets an error rather than less (RFC 6749 §4.4 leaves it open; a machine cannot read what it did not get).
///
/// # Errors
/// `invalid_scope`.
pub fn own(client: &Client, asked: Option<&str>) -> Result<Vec<String>, OauthError> {
    let registered = || client.settings.scopes.iter().filter(|s| !STANDARD_SCOPES.contains(&s.as_str()));
    let asked = split(asked.unwrap_or_default())?;
    if asked.is_empty() {
        return Ok(registered().cloned().collect());
    }
    match asked.iter().find(|s| !registered().any(|r| r == *s)) {
        Some(_) => Err(OauthError::new("invalid_scope", "A scope asked for is not registered for this client.")),
        None => Ok(asked),
    }
}

/// The scopes of a refreshed token: the granted ones or fewer (RFC 6749 §6).
///
/// # Errors
/// `invalid_scope`.
pub fn narrowed(granted: &[String], asked: Option<&str>) -> Result<Vec<String>, OauthError> {
    let asked = split(asked.unwrap_or_default())?;
    if asked.is_empty() {
        return Ok(granted.to_vec());
    }
    match asked.iter().find(|s| !granted.contains(s)) {
        Some(_) => Err(OauthError::new("invalid_scope", "A refresh may not ask for more than was granted.")),
        None => Ok(asked),
    }
}

/// Whether an ID token was asked for.
#[must_use]
pub fn has_openid(scopes: &[String]) -> bool {
    scopes.iter().any(|s| s == OPENID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::oidc::rules::authorization::fixtures::application;

    #[test]
    fn what_is_granted() {
        let mut client = application();
        for (asked, expected) in [
            ("openid email", Some("openid email")),
            ("openid  email openid", Some("openid email")),
            ("openid phone", Some("openid")),
            ("openid offline_access", Some("openid offline_access")),
            ("email", Some("email")),
            ("offline_access", None),
            ("phone", None),
            ("", None),
            ("openid\u{e9}", None),
            ("open\"id", None),
        ] {
            assert_eq!(granted(&client, Some(asked)).ok().map(|s| s.join(" ")).as_deref(), expected, "{asked}");
        }
        assert!(granted(&client, Some(&format!("openid {}", "a ".repeat(600)))).is_err());
        client.settings.grant_types.remove(&GrantType::RefreshToken);
        assert_eq!(granted(&client, Some("openid offline_access")).unwrap(), ["openid"]);
    }

    #[test]
    fn machines_get_their_own_scopes_only() {
        let mut client = application();
        client.settings.scopes.extend(["read".to_owned(), "write".to_owned()]);
        for (asked, expected) in
            [("", Some("read write")), ("read", Some("read")), ("read admin", None), ("openid", None), ("groups read", None)]
        {
            assert_eq!(own(&client, Some(asked)).ok().map(|s| s.join(" ")).as_deref(), expected, "{asked}");
        }
    }

    #[test]
    fn a_refresh_never_widens() {
        let had = ["openid".to_owned(), "email".to_owned()];
        for (asked, expected) in [("", Some("openid email")), ("email", Some("email")), ("email groups", None)] {
            assert_eq!(narrowed(&had, Some(asked)).ok().map(|s| s.join(" ")).as_deref(), expected, "{asked}");
        }
    }
}
