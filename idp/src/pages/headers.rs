//! Security headers of pages, in one place.

use crate::config::Settings;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// Sets the headers of a page. `form_action` are the origins that a form of the page may lead to by a redirect (rules
/// D2): browsers hold redirects after a form against `form-action` as well.
pub fn page(response: &mut Response, settings: &Settings, form_action: &[String]) {
    let mut forms = "'self'".to_owned();
    for origin in form_action.iter().filter(|origin| is_origin(origin)) {
        forms.push(' ');
        forms.push_str(origin);
    }
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // not `no-referrer`: browsers would send `Origin: null` with our own forms then
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers
        .insert("permissions-policy", HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if settings.public.secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// `scheme://host[:port]` and nothing that could end the directive.
fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|u| u.origin().ascii_serialization() == text)
}
