//! RFC 6749 §4 and §5.2, `grant_type`: known, and allowed for this client.

use super::parameters::Params;
use crate::core::client::{Client, GrantType};
use crate::protocols::oidc::OauthError;

/// The grant type of a token request.
///
/// # Errors
/// `invalid_request`, `unsupported_grant_type` or `unauthorized_client`.
pub fn of(params: &Params, client: &Client) -> Result<GrantType, OauthError> {
    let text = params.get("grant_type").ok_or_else(|| OauthError::invalid_request("grant_type is missing."))?;
    let unsupported = "Supported are authorization_code, refresh_token and client_credentials.";
    let grant = GrantType::parse(text).ok_or_else(|| OauthError::new("unsupported_grant_type", unsupported))?;
    if !client.settings.allows(grant) {
        return Err(OauthError::new("unauthorized_client", "This grant type is not registered for this client."));
    }
    Ok(grant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::client::ClientSettings;
    use crate::protocols::oidc::rules::authorization::fixtures::application;

    #[test]
    fn known_and_allowed() {
        let app = application();
        let mut space = application();
        space.settings = ClientSettings::for_space("https://mars.example.com");
        for (query, of_app, of_space) in [
            ("grant_type=authorization_code", None, None),
            ("grant_type=refresh_token", None, Some("unauthorized_client")),
            ("grant_type=client_credentials", Some("unauthorized_client"), Some("unauthorized_client")),
            ("grant_type=password", Some("unsupported_grant_type"), Some("unsupported_grant_type")),
            ("", Some("invalid_request"), Some("invalid_request")),
        ] {
            let params = Params::parse(query.as_bytes()).unwrap();
            assert_eq!(of(&params, &app).err().map(|e| e.error), of_app, "{query}");
            assert_eq!(of(&params, &space).err().map(|e| e.error), of_space, "{query}");
        }
    }
}
