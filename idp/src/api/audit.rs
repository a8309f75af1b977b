//! `/audit`: what happened, newest first.

use super::shape::{Answer, List, Part, Problems, bounded, id as parse_id, instant, of, ok, time};
use crate::accounts::audit as cases;
use crate::core::ids::AuditId;
use crate::deps::Deps;
use crate::http::{Ctx, Query};
use crate::login::Token;
use crate::storage::audit;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One line of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLine)]
struct Line {
    /// Id, in order of time.
    #[schema(format = "uuid")]
    id: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// `person`, `token`, `host`, `system` or `agent`.
    actor_kind: String,
    /// The person, if it is one.
    actor_id: Option<String>,
    /// Their name at that time.
    actor_name: String,
    /// Address of the peer.
    address: Option<String>,
    /// Id of the request.
    request_id: Option<String>,
    /// What happened, such as `grant.add`.
    action: String,
    /// To what kind of object.
    object_kind: String,
    /// To which.
    object_id: String,
    /// Its name at that time.
    object_name: String,
    /// The Space it concerns.
    space: Option<String>,
    /// What it was.
    #[schema(value_type = Option<Object>)]
    before: serde_json::Value,
    /// What it is.
    #[schema(value_type = Option<Object>)]
    after: serde_json::Value,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 512)]
    #[serde(default)]
    after: Option<String>,
    /// Kind of the object.
    #[param(max_length = 64)]
    #[serde(default)]
    object_kind: Option<String>,
    /// Id of the object.
    #[param(max_length = 128)]
    #[serde(default)]
    object_id: Option<String>,
    /// The Space it concerns.
    #[param(format = "uuid")]
    #[serde(default)]
    space: Option<String>,
    /// Who did it (person id).
    #[param(max_length = 64)]
    #[serde(default)]
    actor: Option<String>,
    /// `noun.verb`, or `noun.` for all verbs of a noun.
    #[param(max_length = 64)]
    #[serde(default)]
    action: Option<String>,
    /// Not before.
    #[param(format = DateTime)]
    #[serde(default)]
    from: Option<String>,
    /// Before.
    #[param(format = DateTime)]
    #[serde(default)]
    until: Option<String>,
}

/// The audit trail, newest first.
#[utoipa::path(get, operation_id = "list_audit", path = "/audit", tag = "audit", params(Filter), responses((status = 200, body = List<Line>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(f): Query<Filter>) -> Answer {
    let part = Part { limit: f.limit, after: f.after };
    let filter = audit::Filter {
        object_kind: bounded(f.object_kind, "object_kind", 64, &ctx)?,
        object_id: bounded(f.object_id, "object_id", 128, &ctx)?,
        space: f.space.as_deref().map(|t| parse_id(t, "space", &ctx)).transpose()?,
        actor: bounded(f.actor, "actor", 64, &ctx)?,
        action: bounded(f.action, "action", 64, &ctx)?,
        from: f.from.as_deref().map(|t| instant(t, "from", &ctx)).transpose()?,
        until: f.until.as_deref().map(|t| instant(t, "until", &ctx)).transpose()?,
    };
    let after: Option<AuditId> = part.after(&ctx)?;
    let page = cases::list(&deps, &actor, &filter, after.as_ref(), part.limit(&ctx)?).await.map_err(of(&ctx))?;
    let json = |text: Option<String>| text.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
    let shape = |l: audit::Line| Line {
        id: l.id.to_string(),
        at: time(l.at),
        actor_kind: l.actor_kind,
        actor_id: l.actor_id,
        actor_name: l.actor_name,
        address: l.address,
        request_id: l.request_id,
        action: l.action,
        object_kind: l.object_kind,
        object_id: l.object_id,
        object_name: l.object_name,
        space: l.space_id.map(|s| s.to_string()),
        before: json(l.before),
        after: json(l.after),
    };
    ok(List::page(page, |l| l.id.clone(), shape))
}
