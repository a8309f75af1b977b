//! RFC 7636 with S256 only (§4.2; `plain` is refused, RFC 9700 §2.1.1). Required of every client unless an administrator
//! relaxed it for a confidential one. A verifier without a challenge is refused as well: somebody stripped the challenge
//! (RFC 9700 §4.8).

use super::parameters::Params;
use crate::core::client::{Client, ClientKind};
use crate::crypto::hash::{b64, equal, sha256};
use crate::protocols::oidc::OauthError;

/// The challenge of an authorization request.
///
/// # Errors
/// `invalid_request`.
pub fn challenge(params: &Params, client: &Client) -> Result<Option<String>, OauthError> {
    let bad = |why: &'static str| Err(OauthError::invalid_request(why));
    let method = params.get("code_challenge_method");
    let Some(challenge) = params.get("code_challenge") else {
        let relaxed = !client.settings.require_pkce && client.kind == ClientKind::Confidential;
        return match method {
            Some(_) => bad("code_challenge_method was sent without code_challenge."),
            None if relaxed => Ok(None),
            None => bad("PKCE is required: send code_challenge and code_challenge_method=S256."),
        };
    };
    match method {
        Some("S256") => {}
        // without a method the RFC means `plain`
        Some("plain") | None => return bad("code_challenge_method=plain is not supported; use S256."),
        Some(_) => return bad("code_challenge_method is unknown; use S256."),
    }
    let fit = challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fit {
        Ok(Some(challenge.to_owned()))
    } else {
        bad("code_challenge must be the base64url form of a SHA-256: 43 characters.")
    }
}

/// Checks the verifier of a token request.
///
/// # Errors
/// `invalid_grant`, or `invalid_request` when the verifier is missing or malformed.
pub fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OauthError> {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(OauthError::invalid_grant()),
        (Some(_), None) => return Err(OauthError::invalid_request("code_verifier is missing.")),
        (Some(challenge), Some(verifier)) => (challenge, verifier),
    };
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err(OauthError::invalid_request("code_verifier has 43 to 128 characters A-Z a-z 0-9 - . _ ~"));
    }
    let right = equal(b64(sha256(verifier.as_bytes())).as_bytes(), challenge.as_bytes());
    if right { Ok(()) } else { Err(OauthError::invalid_grant()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::oidc::rules::authorization::fixtures::application;

    // RFC 7636 appendix B
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn only_the_verifier_of_the_challenge_passes() {
        let other = VERIFIER.replace('d', "e");
        for (challenge, verifier, expected) in [
            (Some(CHALLENGE), Some(VERIFIER), None),
            (None, None, None),
            (Some(CHALLENGE), None, Some("invalid_request")),
            (Some(CHALLENGE), Some(other.as_str()), Some("invalid_grant")),
            (Some(CHALLENGE), Some(CHALLENGE), Some("invalid_grant")),
            (Some(VERIFIER), Some(VERIFIER), Some("invalid_grant")),
            (Some(CHALLENGE), Some("short"), Some("invalid_request")),
            (None, Some(VERIFIER), Some("invalid_grant")),
        ] {
            assert_eq!(verify(challenge, verifier).err().map(|e| e.error), expected, "{challenge:?} {verifier:?}");
        }
    }

    #[test]
    fn challenges() {
        let mut client = application();
        let good = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
        let cases = [
            (good.clone(), true),
            (good.replace("S256", "plain"), false),
            (good.replace("S256", "s256"), false),
            (format!("code_challenge={CHALLENGE}"), false),
            ("code_challenge_method=S256".into(), false),
            (good.replace(CHALLENGE, "short"), false),
            (good.replace("E9", "%20"), false),
            (String::new(), false),
        ];
        for (query, fine) in &cases {
            assert_eq!(challenge(&Params::parse(query.as_bytes()).unwrap(), &client).is_ok(), *fine, "{query}");
        }
        client.settings.require_pkce = false;
        assert_eq!(challenge(&Params::default(), &client), Ok(None));
        for (query, fine) in &cases {
            let relaxed = *fine || query.is_empty();
            assert_eq!(challenge(&Params::parse(query.as_bytes()).unwrap(), &client).is_ok(), relaxed, "relaxed {query}");
        }
        client.kind = ClientKind::Public;
        assert!(challenge(&Params::default(), &client).is_err(), "never for public clients, whatever is stored");
    }
}
