//! One line in the log and one count per request. The route is the pattern, never the address as asked (rules C12); query
//! strings are not logged, they may hold codes.

use crate::deps::Deps;
use crate::http::RequestId;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

/// Middleware.
pub(super) async fn observe(State(deps): State<Deps>, request: Request, next: Next) -> Response {
    let began = deps.clock.now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |p| p.as_str().to_owned());
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let response = next.run(request).await;
    let (status, ms) = (response.status().as_u16(), deps.clock.now().since(began));
    let class = match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    let verb = if method == Method::GET {
        "get"
    } else if method == Method::POST {
        "post"
    } else {
        "other"
    };
    deps.metrics.count("odcm_requests_total", &[("method", verb), ("status", class)]);
    if status >= 500 {
        tracing::warn!(request_id = %id, %method, route, status, ms, "request");
    } else {
        tracing::debug!(request_id = %id, %method, route, status, ms, "request");
    }
    response
}
