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
mod grants;
mod groups;
mod keys;
mod members;
mod people;
mod reports;
mod rights;
mod shape;
mod sign_ins;
mod spaces;
mod strict;
mod tokens;

use crate::deps::Deps;
use crate::http::{Ctx, Problem};
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
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
pub fn document() -> utoipa::openapi::OpenApi {
    all().into_openapi()
}

/// `/api/v1/…`.
pub fn routes(deps: &Deps) -> Router<Deps> {
    let (router, document) = all().split_for_parts();
    let router = router.route_layer(from_fn_with_state(strict::Known::new(deps, &document), strict::refuse));
    let text: std::sync::Arc<str> = document.to_json().unwrap_or_default().into();
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
