//! The JSON administration API, `/api/v1`: a thin skin over the use cases. The OpenAPI 3.1 document is generated from these
//! handlers and served at `/api/v1/openapi.json`.
//!
//! May use: `accounts`, `login` (bearer tokens), `http`. Callers prove themselves by an API token only: no cookies, so no
//! CSRF. Errors are RFC 9457 problems. Example: `curl -H "Authorization: Bearer odcm_…" https://odcm/api/v1/people`.

#![expect(unused_qualifications, reason = "utoipa::path writes them")]

mod access;
mod agents;
mod audit;
mod clients;
mod directories;
mod grants;
mod groups;
mod joining;
mod keys;
mod members;
mod people;
mod providers;
mod reports;
mod rights;
mod shape;
mod sign_ins;
mod spaces;
mod strict;
mod texts;
mod tokens;

use crate::core::Timestamp;
use crate::deps::Deps;
use crate::http::{Ctx, Problem};
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(
    info(title = "ODCM administration API", version = "1", description = "People, groups, Spaces and who may enter them."),
    servers((url = "/api/v1")),
    components(schemas(shape::ProblemBody)),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token, `odcm_…`.")).build();
        document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

fn all() -> OpenApiRouter<Deps> {
    let mut all = OpenApiRouter::with_openapi(Document::openapi())
        .merge(people::routes())
        .merge(sign_ins::routes())
        .merge(groups::routes())
        .merge(members::routes())
        .merge(spaces::routes())
        .merge(grants::routes())
        .merge(agents::routes())
        .merge(reports::routes())
        .merge(clients::routes())
        .merge(rights::routes())
        .merge(tokens::routes())
        .merge(keys::routes())
        .merge(providers::routes())
        .merge(joining::routes())
        .merge(access::routes())
        .merge(audit::routes());
    close(all.get_openapi_mut());
    all
}

/// Says of the variants of bodies with a tag, which utoipa leaves open, that they take no other fields.
fn close(document: &mut utoipa::openapi::OpenApi) {
    let Some(components) = document.components.as_mut() else { return };
    for name in ["ProposedChange", "AdoptionDecision"] {
        let Some(RefOr::T(Schema::OneOf(variants))) = components.schemas.get_mut(name) else { continue };
        for variant in &mut variants.items {
            if let RefOr::T(Schema::Object(object)) = variant {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
    }
}

/// The OpenAPI document.
#[must_use]
pub fn document() -> Value {
    said(&all().into_openapi())
}

/// The document with what its generator cannot say.
fn said(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let (ids, times) = (crate::core::ids::pattern(), Timestamp::pattern());
    say(&mut document, &|object| {
        // a parameter that is optional is left out; it is never null
        if object.contains_key("in")
            && let Some(name) = object.get("name").and_then(Value::as_str).map(str::to_owned)
            && let Some(Value::Object(schema)) = object.get_mut("schema")
        {
            if let Some(Value::Array(types)) = schema.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    schema.insert("type".into(), only);
                }
            }
            let free = schema.get("type").is_some_and(|t| t == "string") && !schema.contains_key("format");
            if free && !schema.contains_key("pattern") {
                let pattern = if name == "after" { "^[A-Za-z0-9_-]*$".to_owned() } else { shape::QUERY_TEXT.pattern() };
                schema.insert("pattern".into(), pattern.into());
            }
        }
        // ids are lower case, times are in UTC: the formats leave that open
        let pattern = match object.get("format").and_then(Value::as_str) {
            Some("uuid") => &ids,
            Some("date-time") => &times,
            _ => return,
        };
        object.insert("pattern".into(), pattern.as_str().into());
    });
    document
}

/// Changes every object of a JSON value.
fn say(value: &mut Value, change: &dyn Fn(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| say(value, change));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| say(value, change)),
        _ => {}
    }
}

/// `/api/v1/…`.
pub fn routes(deps: &Deps) -> Router<Deps> {
    let (router, document) = all().split_for_parts();
    let router = router.route_layer(from_fn_with_state(strict::Known::new(deps, &document), strict::refuse));
    let text: std::sync::Arc<str> = said(&document).to_string().into();
    let served = get(move || {
        let text = text.clone();
        async move { ([("content-type", "application/json"), ("cache-control", "max-age=300")], text.to_string()) }
    });
    let inner = router.route("/openapi.json", served).fallback(nothing_here).method_not_allowed_fallback(wrong_method);
    Router::new().nest("/api/v1", inner)
}

async fn nothing_here(ctx: Ctx) -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address; see /api/v1/openapi.json.")
        .of(&ctx)
        .into_response()
}

async fn wrong_method(ctx: Ctx) -> Response {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not take that method; see /api/v1/openapi.json.",
    )
    .of(&ctx)
    .into_response()
}
