//! RFC 6749 §2.3 and OpenID Connect Core §9: how a client proves itself. One way per request; Basic credentials are
//! form-encoded inside (§2.3.1); a client that keeps a secret must show it, in the header or in the body; secrets are compared as SHA-256 in constant time.

use super::parameters::{Params, form_decode};
use crate::core::client::{AuthMethod, Client};
use crate::core::ids::ClientId;
use crate::crypto::hash::{equal, sha256};
use crate::protocols::oidc::OauthError;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Longest Authorization header that is looked at, in bytes.
const MAX_HEADER: usize = 2048;

/// What a client showed.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// Who it says it is.
    pub client: ClientId,
    /// How it proves it.
    pub method: AuthMethod,
    /// Its secret.
    pub secret: Option<String>,
}

/// Reads header and body.
///
/// # Errors
/// `invalid_request` for two ways at once, `invalid_client` for a malformed or missing one.
pub fn shown(authorization: Option<&str>, params: &Params) -> Result<Shown, OauthError> {
    let body_id = params.get("client_id");
    let body_secret = params.get("client_secret");
    if let Some(header) = authorization {
        let (id, secret) = basic(header).ok_or_else(OauthError::invalid_client)?;
        if body_secret.is_some() {
            return Err(OauthError::invalid_request("The client proved itself twice: in the header and in the body."));
        }
        if body_id.is_some_and(|body| body != id) {
            return Err(OauthError::invalid_request("client_id in the body differs from the one in the header."));
        }
        let client = ClientId::parse(&id).map_err(|_| OauthError::invalid_client())?;
        return Ok(Shown { client, method: AuthMethod::ClientSecretBasic, secret: Some(secret) });
    }
    let client = body_id.and_then(|id| ClientId::parse(id).ok()).ok_or_else(OauthError::invalid_client)?;
    let method = if body_secret.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
    Ok(Shown { client, method, secret: body_secret.map(str::to_owned) })
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ').filter(|_| header.len() <= MAX_HEADER)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = STANDARD.decode(encoded.trim()).ok()?;
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (id, secret) = text.split_at_checked(colon)?;
    Some((form_decode(id)?, form_decode(secret.get(1..)?)?))
}

/// Holds what a client showed against what is stored; gives the hash of the secret that fit (none for public clients).
///
/// # Errors
/// `invalid_client`: the same for an unknown client, a wrong way and a wrong secret.
pub fn check(shown: &Shown, stored: Option<&(Client, Vec<Vec<u8>>)>) -> Result<Option<Vec<u8>>, OauthError> {
    let refused = OauthError::invalid_client;
    // Hashed for unknown clients as well, so that the time tells nothing.
    let given = shown.secret.as_ref().map(|secret| sha256(secret.as_bytes()));
    let (client, hashes) = stored.ok_or_else(refused)?;
    // RFC 6749 §2.3.1: whoever has a secret may show it in the header or in the body, and relying parties guess; what
    // counts is that a client registered with a secret shows one, and a public one does not.
    let keeps_secret = |method| method != AuthMethod::None;
    if !client.enabled || keeps_secret(client.settings.token_endpoint_auth_method) != keeps_secret(shown.method) {
        return Err(refused());
    }
    match (shown.method, given) {
        (AuthMethod::None, None) => Ok(None),
        (AuthMethod::None, Some(_)) | (_, None) => Err(refused()),
        (_, Some(given)) => {
            // No early end: every stored hash is looked at.
            let mut found = None;
            for hash in hashes {
                if equal(hash, &given) {
                    found = Some(hash.clone());
                }
            }
            found.map(Some).ok_or_else(refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::oidc::rules::authorization::fixtures::application;
    use proptest::prelude::*;

    fn header(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    #[test]
    fn one_way_per_request() {
        let error = |h: Option<&str>, body: &str| shown(h, &Params::parse(body.as_bytes()).unwrap()).err().map(|e| e.error);
        let good = header("app", "s");
        for (h, body, expected) in [
            (Some(good.as_str()), "", None),
            (Some(good.as_str()), "client_id=app", None),
            (None, "client_id=app&client_secret=s", None),
            (None, "client_id=app", None),
            (Some(good.as_str()), "client_secret=s", Some("invalid_request")),
            (Some(good.as_str()), "client_id=other", Some("invalid_request")),
            (None, "", Some("invalid_client")),
            (None, "client_id=a%20b", Some("invalid_client")),
            (Some("Bearer x"), "", Some("invalid_client")),
            (Some("Basic"), "", Some("invalid_client")),
            (Some("Basic !!!"), "", Some("invalid_client")),
            (Some("Basic YXBw"), "", Some("invalid_client")),
        ] {
            assert_eq!(error(h, body), expected, "{h:?} {body}");
        }
        // RFC 6749 §2.3.1: both halves are form-encoded before they are joined
        let shown = shown(Some(&header("space%3Amars", "a%2Bb+c%3A")), &Params::default()).ok().unwrap();
        assert_eq!((shown.client.as_str(), shown.secret.as_deref()), ("space:mars", Some("a+b c:")));
    }

    #[test]
    fn whoever_keeps_a_secret_shows_a_valid_one() {
        let hash = |s: &str| sha256(s.as_bytes()).to_vec();
        let client = application();
        let stored = (client.clone(), vec![hash("old"), hash("new")]);
        let show = |method, secret: Option<&str>| Shown { client: client.id.clone(), method, secret: secret.map(str::to_owned) };
        let (basic, post, none) = (AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::None);
        for (method, secret, fine) in [
            (basic, Some("new"), true),
            (basic, Some("old"), true),
            (basic, Some("other"), false),
            (basic, Some(""), false),
            (basic, None, false),
            (post, Some("new"), true),
            (post, Some("other"), false),
            (none, None, false),
        ] {
            assert_eq!(check(&show(method, secret), Some(&stored)).is_ok(), fine, "{method:?} {secret:?}");
        }
        assert!(check(&show(basic, Some("new")), None).is_err());
        assert!(check(&show(basic, Some("new")), Some(&(client.clone(), vec![]))).is_err(), "no secret, no entry");
        let disabled = (Client { enabled: false, ..client.clone() }, stored.1.clone());
        assert!(check(&show(basic, Some("new")), Some(&disabled)).is_err());
        let mut public = (client.clone(), vec![]);
        public.0.settings.token_endpoint_auth_method = none;
        assert_eq!(check(&show(none, None), Some(&public)), Ok(None));
        assert!(check(&show(none, Some("x")), Some(&public)).is_err());
        let refused = check(&show(basic, Some("x")), None).unwrap_err();
        assert_eq!(Err(refused), check(&show(basic, Some("x")), Some(&stored)), "unknown and wrong look the same");
    }

    proptest! {
        #[test]
        fn every_secret_survives_the_header(secret in ".{1,60}") {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let shown = shown(Some(&header("app", &encoded)), &Params::default()).ok().unwrap();
            prop_assert_eq!(shown.secret.as_deref(), Some(secret.as_str()));
        }

        #[test]
        fn never_panics(text in ".{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = shown(Some(&text), &Params::default());
            let _ = shown(Some(&format!("Basic {}", STANDARD.encode(&bytes))), &Params::default());
        }
    }
}
