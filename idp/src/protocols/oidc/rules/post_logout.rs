//! OpenID Connect RP-Initiated Logout 1.0 §2 and §3: where the browser may be sent after a sign-out: to a URI registered for
//! the client that the request names (by `id_token_hint` or `client_id`), byte by byte; else it is not sent anywhere.

use super::own_token::Hint;
use super::parameters::Params;
use crate::core::client::Client;
use crate::core::ids::ClientId;
use crate::protocols::oidc::OauthError;

/// The client of a request: both ways of naming it must agree.
///
/// # Errors
/// `invalid_request`.
pub fn client(params: &Params, hint: Option<&Hint>) -> Result<Option<ClientId>, OauthError> {
    let named = match params.get("client_id") {
        Some(text) => Some(ClientId::parse(text).map_err(|_| OauthError::invalid_request("client_id is malformed."))?),
        None => None,
    };
    match (named, hint) {
        (Some(named), Some(hint)) if named != hint.aud => {
            Err(OauthError::invalid_request("client_id is not the one that id_token_hint was issued to."))
        }
        (Some(named), _) => Ok(Some(named)),
        (None, hint) => Ok(hint.map(|hint| hint.aud.clone())),
    }
}

/// Where to send the browser: `post_logout_redirect_uri` with `state`.
///
/// # Errors
/// `invalid_request` when it is not registered for the client.
pub fn target(params: &Params, client: Option<&Client>) -> Result<Option<String>, OauthError> {
    let Some(uri) = params.get("post_logout_redirect_uri") else { return Ok(None) };
    let registered = client.is_some_and(|c| c.enabled && c.settings.post_logout_redirect_uris.iter().any(|known| known == uri));
    if !registered {
        let text = "post_logout_redirect_uri is not registered for this client, or the request does not name its client.";
        return Err(OauthError::invalid_request(text));
    }
    let Some(state) = params.get("state") else { return Ok(Some(uri.to_owned())) };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    let joint = if uri.contains('?') { '&' } else { '?' };
    Ok(Some(format!("{uri}{joint}{query}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::oidc::rules::authorization::fixtures::application;

    #[test]
    fn only_registered_targets() {
        let mut app = application();
        app.settings.post_logout_redirect_uris =
            vec!["https://app.example.com/bye".into(), "https://app.example.com/?bye".into()];
        let of = |query: &str, client: Option<&Client>| target(&Params::parse(query.as_bytes()).unwrap(), client).ok();
        let good = "post_logout_redirect_uri=https://app.example.com/bye";
        assert_eq!(of("", None), Some(None));
        assert_eq!(of(good, Some(&app)), Some(Some("https://app.example.com/bye".into())));
        let with_state = format!("{good}&state=a%26b");
        assert_eq!(of(&with_state, Some(&app)), Some(Some("https://app.example.com/bye?state=a%26b".into())));
        let in_query = "post_logout_redirect_uri=https://app.example.com/?bye&state=x";
        assert_eq!(of(in_query, Some(&app)), Some(Some("https://app.example.com/?bye&state=x".into())));
        assert_eq!(of(good, None), None);
        for bad in ["https://app.example.com/bye/", "https://app.example.com/bye.evil", "https://APP.example.com/bye"] {
            assert_eq!(of(&format!("post_logout_redirect_uri={bad}"), Some(&app)), None, "{bad}");
        }
        assert_eq!(
            of("post_logout_redirect_uri=https://app.example.com/cb", Some(&app)),
            None,
            "a sign-in URI is no sign-out URI"
        );
        app.enabled = false;
        assert_eq!(of(good, Some(&app)), None);
    }
}
