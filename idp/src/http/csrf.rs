//! Cross-site request forgery (rules D2): a state-changing request must come from our own pages. Two things are asked, and
//! neither is `SameSite`, because Spaces share the site: the `Origin` header equals our public origin, and the form carries
//! a token derived from the secret in the caller's cookie.

use super::{Ctx, Problem};
use crate::config::Settings;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{StatusCode, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The token for forms of the holder of `secret` (a cookie with 256 random bits). `purpose` parts the kinds of forms.
#[must_use]
pub fn token(secret: &str, purpose: &str) -> String {
    let input = [b"odcm csrf v1\0".as_slice(), purpose.as_bytes(), b"\0", secret.as_bytes()].concat();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &input))
}

/// Checks `Origin` and token.
///
/// # Errors
/// 403 with one of two codes.
pub fn check(settings: &Settings, ctx: &Ctx, secret: &str, purpose: &str, given: &str) -> Result<(), Problem> {
    check_origin(settings, ctx)?;
    let expected = token(secret, purpose);
    if aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_err() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "csrf.token",
            "This form is out of date, or was not made for you. Go back, reload the page and try again.",
        ));
    }
    Ok(())
}

/// Checks where a request comes from. Browsers name the origin of every POST (Fetch §3.2, and `null` where they hide it),
/// and say `Sec-Fetch-Site`; a client that sends neither, nor a foreign `Referer`, is a program and no browser that could
/// be misled, and rests on the token alone.
///
/// # Errors
/// 403.
pub fn check_origin(settings: &Settings, ctx: &Ctx) -> Result<(), Problem> {
    let ours = settings.public.origin();
    let fine = match ctx.headers().get(header::ORIGIN) {
        Some(origin) => origin.as_bytes() == ours.as_bytes(),
        None => {
            let referer = ctx.headers().get(header::REFERER).map(|r| r.to_str().unwrap_or_default());
            let from = referer.map(|r| url::Url::parse(r).map(|u| u.origin().ascii_serialization()).unwrap_or_default());
            !ctx.headers().contains_key("sec-fetch-site") && from.is_none_or(|from| from == ours)
        }
    };
    if fine {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "csrf.origin",
        "This request did not come from a page of this site. Open the site at its own address and try again.",
    ))
}
