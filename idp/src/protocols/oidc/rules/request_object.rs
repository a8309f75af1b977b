//! OpenID Connect Core §6 and §7.2.1: request objects and dynamic registration are not supported, and said so by their own
//! error codes (§3.1.2.6).

use super::parameters::Params;
use crate::protocols::oidc::OauthError;

/// Refuses `request`, `request_uri` and `registration`.
///
/// # Errors
/// The code of OpenID Connect Core §3.1.2.6.
pub fn check(params: &Params) -> Result<(), OauthError> {
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if params.get(name).is_some() {
            return Err(OauthError::new(error, format!("The parameter {name} is not supported.")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_error() {
        for (query, expected) in [
            ("a=1", None),
            ("request=x.y.z", Some("request_not_supported")),
            ("request_uri=https://x", Some("request_uri_not_supported")),
            ("registration={}", Some("registration_not_supported")),
        ] {
            assert_eq!(check(&Params::parse(query.as_bytes()).unwrap()).err().map(|e| e.error), expected, "{query}");
        }
    }
}
