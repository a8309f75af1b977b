//! What happens to every request before and after its handler: faults, method override, inner spaces in the
//! path, recognition of the caller, the `Octopus-Node` header.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    auth,
    errors::ApiError,
    request::{Facts, Query},
    server::{App, Seen},
};

/// Wraps every request.
pub async fn front(State(app): State<App>, mut request: Request, next: Next) -> Response {
    override_method(&mut request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut user = None;
    let mut response = match app.faults.answer(method.as_str(), &path).await {
        Some(response) => response,
        None => match prepare(&app, &mut request, &path) {
            Ok(facts) => {
                user.clone_from(&facts.caller.user_id);
                next.run(request).await
            }
            Err(error) => error.into_response(),
        },
    };
    if let Ok(value) = HeaderValue::from_str(&format!("name={}; version={}", app.node_name(), app.config.version)) {
        response.headers_mut().insert("octopus-node", value);
    }
    app.note(Seen { method: method.to_string(), path, status: response.status().as_u16(), user_id: user });
    response
}

fn override_method(request: &mut Request) {
    let named = request.headers().get("x-http-method-override").and_then(|value| value.to_str().ok());
    let wanted = match (request.method() == Method::POST, named.map(str::to_uppercase).as_deref()) {
        (true, Some("PUT")) => Method::PUT,
        (true, Some("DELETE")) => Method::DELETE,
        _ => return,
    };
    *request.method_mut() = wanted;
}

fn prepare(app: &App, request: &mut Request, path: &str) -> Result<Arc<Facts>, ApiError> {
    let (space, inner) = split_space(path);
    if let Some(space) = &space {
        app.read().document("spaces", space).ok_or_else(|| ApiError::not_found(space))?;
    }
    if inner != path {
        let target = request.uri().query().map_or_else(|| inner.clone(), |query| format!("{inner}?{query}"));
        *request.uri_mut() = target.parse::<Uri>().map_err(|_| ApiError::no_route())?;
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let caller = auth::resolve(app, request.headers(), &query);
    if path.starts_with("/api") {
        auth::check_csrf(app, &caller, request.method(), request.headers())?;
    }
    let facts = Arc::new(Facts {
        caller,
        path: path.to_owned(),
        space,
        host: header_of(request.headers(), header::HOST.as_str()),
        user_agent: header_of(request.headers(), header::USER_AGENT.as_str()),
    });
    request.extensions_mut().insert(facts.clone());
    Ok(facts)
}

fn header_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Takes the inner space out of `/api/Spaces-1/…` and `/api/spaces/Spaces-1/…`.
fn split_space(path: &str) -> (Option<String>, String) {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let none = || (None, path.to_owned());
    let Some(rest) = path.strip_prefix("/api/") else { return none() };
    let (rest, aliased) = match rest.strip_prefix("spaces/") {
        Some(rest) if rest.contains('/') => (rest, true),
        _ => (rest, false),
    };
    let (first, tail) = rest.split_once('/').unwrap_or((rest, ""));
    let is_space = first.strip_prefix("Spaces-").is_some_and(|number| number.parse::<u64>().is_ok());
    if !is_space || (aliased && tail.is_empty()) {
        return none();
    }
    (Some(first.to_owned()), if tail.is_empty() { "/api".into() } else { format!("/api/{tail}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_taken_out_of_paths() {
        let of = |path: &str| split_space(path);
        assert_eq!(of("/api/Spaces-1/teams"), (Some("Spaces-1".into()), "/api/teams".into()));
        assert_eq!(of("/api/spaces/Spaces-1/teams"), (Some("Spaces-1".into()), "/api/teams".into()));
        assert_eq!(of("/api/Spaces-1"), (Some("Spaces-1".into()), "/api".into()));
        assert_eq!(of("/api/spaces/Spaces-1"), (None, "/api/spaces/Spaces-1".into()));
        assert_eq!(of("/api/spaces/all"), (None, "/api/spaces/all".into()));
        assert_eq!(of("/api/"), (None, "/api".into()));
        assert_eq!(of("/app"), (None, "/app".into()));
    }
}
