//! RFC 6749 §3.1.1 and OAuth 2.0 Multiple Response Types §2.1: `code`, answered in the query or by a form post (OAuth 2.0
//! Form Post Response Mode); nothing else is supported.

use super::parameters::Params;
use crate::core::authorization::ResponseMode;
use crate::protocols::oidc::OauthError;

/// How an answer goes, errors included: as asked, if that can be told.
#[must_use]
pub fn mode(params: &Params) -> ResponseMode {
    let asked = params.get("response_mode").filter(|_| !params.is_twice("response_mode"));
    asked.and_then(ResponseMode::parse).unwrap_or_default()
}

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
        Some(mode) if ResponseMode::parse(mode).is_none() => {
            Err(OauthError::invalid_request("Only the response_mode query and form_post are supported."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_the_query_or_a_form() {
        for (query, expected) in [
            ("response_type=code", None),
            ("response_type=code&response_mode=query", None),
            ("", Some("invalid_request")),
            ("response_type=token", Some("unsupported_response_type")),
            ("response_type=id_token", Some("unsupported_response_type")),
            ("response_type=code+id_token", Some("unsupported_response_type")),
            ("response_type=CODE", Some("unsupported_response_type")),
            ("response_type=code&response_mode=fragment", Some("invalid_request")),
            ("response_type=code&response_mode=form_post", None),
            ("response_type=code&response_mode=query.jwt", Some("invalid_request")),
        ] {
            let params = Params::parse(query.as_bytes()).unwrap();
            assert_eq!(check(&params).err().map(|e| e.error), expected, "{query}");
        }
        for (query, expected) in [
            ("", ResponseMode::Query),
            ("response_mode=form_post", ResponseMode::FormPost),
            ("response_mode=fragment", ResponseMode::Query),
            ("response_mode=form_post&response_mode=form_post", ResponseMode::Query),
        ] {
            assert_eq!(mode(&Params::parse(query.as_bytes()).unwrap()), expected, "{query}");
        }
    }
}
