//! RFC 6750 §2 and §3: how an access token is shown, and how its refusal is said.

use super::parameters::Params;

/// Why userinfo answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No token: no error code is given (§3.1).
    Missing,
    /// Malformed, or shown twice: 400.
    InvalidRequest,
    /// Unknown, expired, revoked, not for this endpoint: 401.
    InvalidToken,
    /// Lacks the scope `openid`: 403.
    InsufficientScope,
}

impl Refused {
    /// Status and value of `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(self) -> (u16, &'static str) {
        match self {
            Self::Missing => (401, r#"Bearer realm="odcm""#),
            Self::InvalidRequest => (
                400,
                r#"Bearer realm="odcm", error="invalid_request", error_description="Show the access token once, in the Authorization header or in the form body.""#,
            ),
            Self::InvalidToken => (
                401,
                r#"Bearer realm="odcm", error="invalid_token", error_description="The access token is expired, revoked or not meant for this endpoint.""#,
            ),
            Self::InsufficientScope => (
                403,
                r#"Bearer realm="odcm", error="insufficient_scope", error_description="The access token lacks the scope openid.", scope="openid""#,
            ),
        }
    }
}

/// The token of a request: in the header (§2.1) or in a form body (§2.2), not both. The query (§2.3) is not read.
///
/// # Errors
/// [`Refused::Missing`] or [`Refused::InvalidRequest`].
pub fn token<'a>(authorization: Option<&'a str>, form: &'a Params) -> Result<&'a str, Refused> {
    let in_form = form.get("access_token");
    if form.is_twice("access_token") {
        return Err(Refused::InvalidRequest);
    }
    let Some(header) = authorization else { return in_form.ok_or(Refused::Missing) };
    let Some((scheme, token)) = header.split_once(' ') else { return Err(Refused::InvalidRequest) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return in_form.ok_or(Refused::Missing);
    }
    let token = token.trim();
    // b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
    let fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    if token.is_empty() || !token.bytes().all(fit) || in_form.is_some() {
        return Err(Refused::InvalidRequest);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_once() {
        for (header, body, expected) in [
            (Some("Bearer a.b.c"), "", Ok("a.b.c")),
            (Some("bearer a.b.c"), "", Ok("a.b.c")),
            (None, "access_token=a.b.c", Ok("a.b.c")),
            (None, "", Err(Refused::Missing)),
            (Some("Basic eDp5"), "", Err(Refused::Missing)),
            (Some("Bearer"), "", Err(Refused::InvalidRequest)),
            (Some("Bearer "), "", Err(Refused::InvalidRequest)),
            (Some("Bearer a b"), "", Err(Refused::InvalidRequest)),
            (Some("Bearer a.b.c"), "access_token=a.b.c", Err(Refused::InvalidRequest)),
            (None, "access_token=a&access_token=b", Err(Refused::InvalidRequest)),
        ] {
            let form = Params::parse(body.as_bytes()).unwrap();
            assert_eq!(token(header, &form), expected, "{header:?} {body}");
        }
    }
}
