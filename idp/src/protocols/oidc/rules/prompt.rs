//! OpenID Connect Core §3.1.2.1, `prompt`: a list of `none`, `login`, `consent`, `select_account`; `none` stands alone.

use crate::core::authorization::Prompt;
use crate::protocols::oidc::OauthError;

/// Reads `prompt`.
///
/// # Errors
/// `invalid_request` for an unknown value or `none` among others.
pub fn parse(text: Option<&str>) -> Result<Prompt, OauthError> {
    let mut prompt = Prompt::default();
    for value in text.unwrap_or_default().split(' ').filter(|v| !v.is_empty()) {
        match value {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => {
                let text = "prompt is unknown; use none, login, consent or select_account.";
                return Err(OauthError::invalid_request(text));
            }
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(OauthError::invalid_request("prompt=none stands alone."));
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let p = |none, login, consent, select_account| Some(Prompt { none, login, consent, select_account });
        for (text, expected) in [
            ("", p(false, false, false, false)),
            ("none", p(true, false, false, false)),
            ("login consent", p(false, true, true, false)),
            ("select_account", p(false, false, false, true)),
            ("none login", None),
            ("create", None),
            ("Login", None),
        ] {
            assert_eq!(parse(Some(text)).ok(), expected, "{text}");
        }
        assert_eq!(parse(None), Ok(Prompt::default()));
    }
}
