//! Query parameters that an operation does not have are refused by name, so that a misspelt one never passes unnoticed. The
//! document is the list of those it has.

use crate::deps::Deps;
use crate::http::{Ctx, Problem};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{OpenApi, RefOr};

/// Names of query parameters by method and path.
type Names = HashMap<(Method, String), BTreeSet<String>>;

/// What [`refuse`] knows.
#[derive(Clone)]
pub(super) struct Known {
    deps: Deps,
    names: Arc<Names>,
}

impl Known {
    /// From the document of the API.
    pub(super) fn new(deps: &Deps, document: &OpenApi) -> Self {
        let mut names = Names::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                let Some(operation) = operation else { continue };
                let queries = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
                    RefOr::T(p) if matches!(p.parameter_in, ParameterIn::Query) => Some(p.name.clone()),
                    _ => None,
                });
                names.insert((method, path.clone()), queries.collect());
            }
        }
        Self { deps: deps.clone(), names: Arc::new(names) }
    }

    fn stranger(&self, request: &Request) -> Option<String> {
        let query = request.uri().query()?;
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        let names = self.names.get(&(method, path.strip_prefix("/api/v1").unwrap_or(path).to_owned()))?;
        let mut given = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        given.find(|name| !names.contains(&**name)).map(|name| name.chars().take(64).collect())
    }
}

/// Middleware of the routes of the API.
pub(super) async fn refuse(State(known): State<Known>, request: Request, next: Next) -> Response {
    let Some(name) = known.stranger(&request) else { return next.run(request).await };
    let (parts, _) = request.into_parts();
    let detail = format!("There is no query parameter `{name}` here; see /api/v1/openapi.json.");
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "query.invalid", detail).field(name);
    problem.of(&Ctx::of(&known.deps, &parts)).into_response()
}
