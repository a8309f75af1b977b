//! The authorization request as a whole (OpenID Connect Core §3.1.2.1, RFC 6749 §4.1.1): the order in which the rules are
//! asked, once client and redirect URI are known to be right. Whatever fails here is answered by redirect (§4.1.2.1).

use super::parameters::Params;
use super::{max_age, pkce, prompt, request_object, response_type, scope};
use crate::core::authorization::{AuthorizationRequest, Prompt};
use crate::core::client::{Client, GrantType};
use crate::protocols::oidc::OauthError;

/// Parameters that are read; each may be sent once.
const KNOWN: [&str; 18] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "request",
    "request_uri",
    "registration",
    "ui_locales",
    "acr_values",
];

/// What is asked for, and what of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What the code will stand for.
    pub request: AuthorizationRequest,
    /// Pages to show or not.
    pub prompt: Prompt,
    /// Seconds since the last authentication.
    pub max_age: Option<i64>,
    /// What to write into the name field.
    pub login_hint: Option<String>,
    /// An ID token of the person who is expected, not yet looked at.
    pub id_token_hint: Option<String>,
}

/// The state to give back with an error: none if it was sent twice.
#[must_use]
pub fn state(params: &Params) -> Option<&str> {
    params.get("state").filter(|_| !params.is_twice("state"))
}

/// Asks every rule.
///
/// # Errors
/// The first rule's error.
pub fn judge(params: &Params, client: &Client, redirect_uri: &str) -> Result<Asked, OauthError> {
    params.once(&KNOWN)?;
    if !client.settings.allows(GrantType::AuthorizationCode) {
        return Err(OauthError::new("unauthorized_client", "This client is not registered to sign people in."));
    }
    request_object::check(params)?;
    response_type::check(params)?;
    let scope = scope::granted(client, params.get("scope"))?;
    let challenge = pkce::challenge(params, client)?;
    let bounded = |name: &'static str, max: usize| match params.get(name) {
        Some(text) if text.len() > max => Err(OauthError::invalid_request(format!("{name} is longer than {max} bytes."))),
        other => Ok(other.map(str::to_owned)),
    };
    let request = AuthorizationRequest {
        client: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope,
        state: bounded("state", 4096)?,
        nonce: bounded("nonce", 512)?,
        challenge,
        mode: response_type::mode(params),
    };
    // RFC 6749 appendix A.5 allows printable characters; control characters would be stored sixfold, as \u00XX
    let control = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().any(char::is_control));
    if control(&request.state) || control(&request.nonce) {
        return Err(OauthError::invalid_request("state or nonce has control characters."));
    }
    Ok(Asked {
        request,
        prompt: prompt::parse(params.get("prompt"))?,
        max_age: max_age::parse(params.get("max_age"))?,
        login_hint: bounded("login_hint", 254)?,
        id_token_hint: bounded("id_token_hint", crate::crypto::jose::MAX_TOKEN)?,
    })
}

#[cfg(test)]
pub mod fixtures {
    use crate::core::client::{Client, ClientKind, ClientSettings};
    use crate::core::ids::ClientId;

    pub const CALLBACK: &str = "https://app.example.com/cb";

    pub fn application() -> Client {
        Client {
            id: ClientId::parse("app").unwrap(),
            kind: ClientKind::Confidential,
            name: "App".into(),
            settings: ClientSettings::for_application(&ClientKind::Confidential, vec![CALLBACK.into()]),
            enabled: true,
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{CALLBACK, application};
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "response_type=code&scope=openid+email&state=xyz&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn error(query: &str) -> Option<&'static str> {
        judge(&Params::parse(query.as_bytes()).unwrap(), &application(), CALLBACK).err().map(|e| e.error)
    }

    #[test]
    fn a_good_request_is_read_whole() {
        let query = format!("{GOOD}&prompt=login&max_age=60&login_hint=bob&ui_locales=de&claims=x&unknown=1&unknown=2");
        let asked = judge(&Params::parse(query.as_bytes()).unwrap(), &application(), CALLBACK).unwrap();
        assert_eq!(asked.request.scope, ["openid", "email"]);
        assert_eq!((asked.request.state.as_deref(), asked.request.nonce.as_deref()), (Some("xyz"), Some("n")));
        assert!(asked.prompt.login && asked.max_age == Some(60) && asked.login_hint.as_deref() == Some("bob"));
    }

    #[test]
    fn each_fault_has_its_error() {
        let long = "a".repeat(5000);
        for (query, expected) in [
            (GOOD.to_owned(), None),
            (format!("{GOOD}&state=again"), Some("invalid_request")),
            (format!("{GOOD}&scope=openid"), Some("invalid_request")),
            (format!("{GOOD}&request=x"), Some("request_not_supported")),
            (GOOD.replace("=code&", "=token&"), Some("unsupported_response_type")),
            (GOOD.replace("openid+email", "nothing"), Some("invalid_scope")),
            (GOOD.replace("S256", "plain"), Some("invalid_request")),
            (format!("{GOOD}&prompt=none+login"), Some("invalid_request")),
            (format!("{GOOD}&max_age=x"), Some("invalid_request")),
            (GOOD.replace("xyz", &long), Some("invalid_request")),
            (GOOD.replace("nonce=n", &format!("nonce={long}")), Some("invalid_request")),
            (GOOD.replace("nonce=n", "nonce=n%00"), Some("invalid_request")),
            (GOOD.replace("xyz", "x%0Ay"), Some("invalid_request")),
            (GOOD.replace("xyz", "%C3%BC%20%7B"), None),
        ] {
            assert_eq!(error(&query), expected, "{query:.200}");
        }
        let mut machine = application();
        machine.settings.grant_types = [GrantType::ClientCredentials].into();
        let refused = judge(&Params::parse(GOOD.as_bytes()).unwrap(), &machine, CALLBACK).unwrap_err();
        assert_eq!(refused.error, "unauthorized_client");
        assert_eq!(state(&Params::parse(format!("{GOOD}&state=again").as_bytes()).unwrap()), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_drops_pkce(query in "[a-z_=&%+0-9A-F]{0,400}") {
            let Ok(params) = Params::parse(query.as_bytes()) else { return Ok(()) };
            if let Ok(asked) = judge(&params, &application(), CALLBACK) {
                prop_assert!(asked.request.challenge.is_some());
            }
        }
    }
}
