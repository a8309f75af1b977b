//! RFC 6749 §3.1.1 and OAuth 2.0 Multiple Response Types §2.1: `code`, answered in the query; nothing else is supported.

use super::parameters::Params;
use crate::protocols::oidc::OauthError;

/// Checks `response_type` and `response_mode`.
///
/// # Errors
/// `invalid_request` or `unsupported_response_type`.
pub fn check(params: &Params) -> Result<(), OauthError> {
    match params.get("response_type") {
        None => return Err(OauthError::invalid_request("response_type is missing; use code.")),
        Some("code") => {}
        Some(_) => return Err(OauthError::new("unsupported_response_type", "Only the response_type code is supported.")),
    }
    match params.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(OauthError::invalid_request("Only the response_mode query is supported.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_the_query_only() {
        for (query, expected) in [
            ("response_type=code", None),
            ("response_type=code&response_mode=query", None),
            ("", Some("invalid_request")),
            ("response_type=token", Some("unsupported_response_type")),
            ("response_type=id_token", Some("unsupported_response_type")),
            ("response_type=code+id_token", Some("unsupported_response_type")),
            ("response_type=CODE", Some("unsupported_response_type")),
            ("response_type=code&response_mode=fragment", Some("invalid_request")),
            ("response_type=code&response_mode=form_post", Some("invalid_request")),
        ] {
            let params = Params::parse(query.as_bytes()).unwrap();
            assert_eq!(check(&params).err().map(|e| e.error), expected, "{query}");
        }
    }
}
