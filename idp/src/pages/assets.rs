//! Static files of the theme, under addresses that change with their content and may therefore be kept for ever.

use super::theme::Theme;
use crate::deps::Deps;
use crate::http::Ctx;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Folders whose files the world may read.
const OPEN: &[&str] = &["css/", "js/", "img/", "fonts/"];

/// `/assets/<hash>/<name>` and `/favicon.ico`.
pub fn routes() -> Router<Deps> {
    Router::new()
        .route("/assets/{hash}/{*name}", get(asset))
        .route("/favicon.ico", get(async |State(deps): State<Deps>| file(&deps, None, "img/favicon.svg")))
}

fn hash(theme: &Theme, name: &str) -> Option<String> {
    let digest = theme.digest(name)?;
    Some(digest.iter().take(6).map(|b| format!("{b:02x}")).collect())
}

/// The address of a file, if the theme has it.
pub(super) fn url(theme: &Theme, name: &str) -> Option<String> {
    Some(format!("/assets/{}/{name}", hash(theme, name)?))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ext)| ext) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

async fn asset(State(deps): State<Deps>, ctx: Ctx, Path((given, name)): Path<(String, String)>) -> Response {
    if !OPEN.iter().any(|folder| name.starts_with(folder)) {
        return super::not_found(&deps, &ctx);
    }
    file(&deps, Some(&given), &name)
}

fn file(deps: &Deps, given: Option<&str>, name: &str) -> Response {
    let theme = deps.pages.theme();
    let (Some(bytes), Some(hash)) = (theme.read(name), hash(theme, name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // An address with another hash is an old page asking: it gets today's file, but must not keep it.
    let cache = if given == Some(&hash) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = bytes.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
