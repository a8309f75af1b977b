//! Security headers of pages, in one place.

use crate::config::Settings;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// What a page may do beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// Its form goes to another site, which may lead on to a third: no `form-action`. For the one page whose only form is the
    /// answer to an application.
    pub forms: bool,
    /// It may be shown in a window that an application opened and waits for: no `Cross-Origin-Opener-Policy`, which would
    /// part the two for good.
    pub opener: bool,
}

/// Sets the headers of a page. Forms stay on this site (rules D2). Browsers hold redirects after a form against
/// `form-action` as well, wherever they lead in the end; so nothing here redirects elsewhere after a form, see
/// [`super::onward`].
pub fn page(response: &mut Response, settings: &Settings, leave: Leave) {
    let forms = if leave.forms { "" } else { " form-action 'self';" };
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';{forms} frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // not `no-referrer`: browsers would send `Origin: null` with our own forms then
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if !leave.opener {
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers
        .insert("permissions-policy", HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if settings.public.secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
