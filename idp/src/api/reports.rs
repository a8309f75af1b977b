//! What agents report of a Space: items that deserve a look, with residual access (rules A9), and events. The history of its
//! administration is `/audit?space=…`.

use super::shape::{Answer, List, Part, Problems, known_space, of, ok, time};
use crate::accounts::agent_status::{self, Event, Item};
use crate::core::ids::SpaceId;
use crate::deps::Deps;
use crate::http::{Ctx, Path, Query};
use crate::login::Token;
use crate::storage::page::Page;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(items)).routes(routes!(events))
}

/// An item that is not simply applied, or whose revocation left something over.
#[derive(Serialize, ToSchema)]
#[schema(as = SpaceItem)]
struct ItemOut {
    /// Section: `access` or `authentication`; `inner_spaces` for those that are closed to the agent's key.
    section: String,
    /// `person/ID`, `member/GROUP/PERSON`, `team/TEAM`, `setting/NAME`, `inner-space/ID`.
    item: String,
    /// The person it is about.
    #[schema(format = "uuid")]
    person: Option<String>,
    /// Their name.
    person_name: Option<String>,
    /// `applied`, `failed`, `needs_decision`, `locally_disabled`, `refused_by_policy`, `closed`, `other`.
    state: String,
    /// A sentence for people.
    message: Option<String>,
    /// Residual access: what the revocation could not end in the Space.
    residual: Vec<String>,
    /// When it was reported.
    #[schema(format = DateTime)]
    reported_at: String,
}

impl From<Item> for ItemOut {
    fn from(item: Item) -> Self {
        let (person, person_name) = item.person.map(|(id, name)| (id.to_string(), name)).unzip();
        Self {
            section: item.section,
            item: item.item,
            person,
            person_name,
            state: item.state,
            message: item.message,
            residual: item.residual,
            reported_at: time(item.at),
        }
    }
}

/// Items of a Space that deserve a look: failed ones, residual access, inner spaces that are closed to the agent's key.
#[utoipa::path(get, operation_id = "list_space_items", path = "/spaces/{id}/items", tag = "agents", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<ItemOut>), Problems))]
async fn items(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(part): Query<Part>,
) -> Answer {
    let (after, limit): (Option<(String, String)>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = agent_status::items_page(&deps, &actor, &id, after.as_ref(), limit).await.map_err(of(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    ok(List::page(page, |i| (i.section.clone(), i.item.clone()), ItemOut::from))
}

/// What an agent saw, or ODCM saw of it.
#[derive(Serialize, ToSchema)]
#[schema(as = SpaceEvent)]
struct EventOut {
    /// Id, in order of time of storing.
    id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// `drift`, `alarm`, `probe` or `agent`.
    kind: String,
    /// `drift`: item, found, by, action; `alarm`: code, message and more.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// Events of a Space, newest first. The oldest are forgotten.
#[utoipa::path(get, operation_id = "list_space_events", path = "/spaces/{id}/events", tag = "agents", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<EventOut>), Problems))]
async fn events(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(part): Query<Part>,
) -> Answer {
    let after: Option<String> = part.after(&ctx)?;
    let limit = part.limit(&ctx)?;
    let rows = agent_status::events_before(&deps, &actor, &id, after.as_deref(), limit + 1).await.map_err(of(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let page = Page::cut(rows, limit);
    let shape = |e: Event| EventOut { id: e.id, at: time(e.at), kind: e.kind, detail: e.detail };
    ok(List::page(page, |e| e.id.clone(), shape))
}
