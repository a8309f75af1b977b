//! The list of Spaces, and enlisting one.

use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::list::{Cell, ListPage, PAGE, Row};
use crate::accounts::agent_status::{self, Overview};
use crate::accounts::spaces::{self as cases, NewSpace};
use crate::core::ids::SpaceId;
use crate::core::policy::{Act, Scope};
use crate::core::text::{DisplayName, Slug, fold};
use crate::http::{Problem, Query};
use crate::storage::spaces::{self, OfflinePolicy, Space};
use axum::http::StatusCode;

/// Connected, offline or never enrolled, with a tone.
pub(super) fn standing(overview: Option<&Overview>) -> (&'static str, &'static str) {
    match overview {
        Some(o) if o.connected => ("connected", "ok"),
        Some(o) if o.enrolled => ("offline", "bad"),
        _ => ("not enrolled", ""),
    }
}

fn row(space: Space, overview: Option<&Overview>) -> Row {
    let (text, tone) = standing(overview);
    let applied = match overview {
        Some(o) if o.enrolled && o.pending => Cell::badge("pending", "warn"),
        Some(o) if o.enrolled => Cell::badge("applied", "ok"),
        _ => Cell::text("–"),
    };
    let open = overview.map_or(0, |o| o.undecided);
    Row {
        href: format!("/admin/spaces/{}", space.id),
        title: space.name,
        sub: space.base_url,
        cells: vec![
            Cell::status(text, tone),
            applied,
            if open > 0 { Cell::badge(format!("{open} to decide"), "warn") } else { Cell::text("–") },
        ],
    }
}

/// `GET /admin/spaces`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    let q: String = input.get("q").chars().take(200).collect();
    let (found, last) = if desk.may(&Act::ReadAll) {
        let after = input.filled("after").and_then(|id| SpaceId::parse(id).ok()).map(|id| (input.get("key").to_owned(), id));
        let text = Some(q.as_str()).filter(|q| !q.is_empty());
        let page = spaces::page(&mut desk.db(), text, after.as_ref(), PAGE).await?;
        let last = page.items.last().filter(|_| page.more).map(|s| (fold(&s.name), s.id.to_string()));
        (page.items, last)
    } else {
        let own = own(&desk).await?;
        (own.into_iter().filter(|s| fold(&s.name).contains(&fold(&q))).collect(), None)
    };
    let overview = agent_status::overview(&desk.deps, desk.actor()).await?;
    let page = ListPage {
        title: "Spaces",
        text: "Each Space is an Octopus Deploy server with an agent beside it.",
        path: "/admin/spaces",
        search: "Search Spaces",
        q,
        columns: vec!["Name", "Agent", "Access", "Decisions"],
        rows: found
            .into_iter()
            .map(|space| {
                let o = overview.get(&space.id);
                row(space, o)
            })
            .collect(),
        create: desk.may(&Act::ManageSpaces).then_some(("/admin/spaces/new", "Enlist Space")),
        icon: "spaces",
        empty: ("No Spaces yet", "Enlist an Octopus Deploy server, then enrol the agent beside it."),
        ..ListPage::default()
    };
    desk.page(&page.cursor(&desk, &input, last))
}

/// The Spaces over which the caller has a right, for whoever may not read all.
pub(super) async fn own(desk: &Desk) -> Result<Vec<Space>, Fault> {
    let mut found = Vec::new();
    let ids: std::collections::BTreeSet<_> = desk
        .actor()
        .rights
        .iter()
        .filter_map(|r| match &r.scope {
            Scope::Space(id) => Some(id.clone()),
            _ => None,
        })
        .collect();
    for id in &ids {
        found.extend(spaces::find(&mut desk.db(), id).await?);
    }
    if ids.is_empty() {
        return Err(Fault::gone());
    }
    found.sort_by_key(|s| fold(&s.name));
    Ok(found)
}

/// Fields that enlisting and editing share.
pub(super) fn settings(name: &str, url: &str, description: &str, offline: &str, keys: bool) -> Vec<Field> {
    let option = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    vec![
        Field::text("name", "Name", name),
        Field::url("base_url", "Public URL", url)
            .hint("Where people open it, such as https://octopus.example.com. Sign-in returns there and nowhere else."),
        Field::area("description", "Description", description),
        Field::select(
            "offline_policy",
            "Without word from ODCM for longer than the lease",
            offline,
            vec![option("keep", "Keep the last state"), option("shut", "Shut managed accounts out")],
        ),
        Field::check("revoke_api_keys", "Delete the API keys of people who lose the Space", keys),
    ]
}

fn form() -> FormPage {
    let mut fields = settings("", "", "", "keep", true);
    fields.insert(
        1,
        Field::text("slug", "Short name", "")
            .hint("Lower-case letters, digits, hyphens. Its address in ODCM and the id of its OAuth client; never changes."),
    );
    FormPage::new("Enlist a Space", "/admin/spaces/new", "Enlist Space", fields)
        .text("Nothing happens in the Octopus server yet: that begins when its agent is enrolled.")
        .under(&[("Spaces", "/admin/spaces")])
}

/// `GET /admin/spaces/new`.
pub(super) async fn new(desk: Desk) -> Answer {
    desk.sees(&Act::ManageSpaces)?;
    desk.page(&form())
}

/// Reads a policy.
pub(super) fn policy(input: &Input) -> Result<OfflinePolicy, Fault> {
    match input.get("offline_policy") {
        "keep" => Ok(OfflinePolicy::Keep),
        "shut" => Ok(OfflinePolicy::Shut),
        _ => Err(Fault(
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "form.invalid", "Choose what the Space does.").field("offline_policy"),
        )),
    }
}

/// `POST /admin/spaces/new`.
pub(super) async fn create(post: Post) -> Answer {
    let Post { desk, input } = post;
    match try_create(&desk, &input).await {
        Ok(id) => desk.done(&format!("/admin/spaces/{id}"), "created"),
        Err(fault) => desk.again(fault, form(), &input),
    }
}

async fn try_create(desk: &Desk, input: &Input) -> Result<SpaceId, Fault> {
    let new = NewSpace {
        name: DisplayName::parse("name", input.get("name"))?,
        slug: Slug::parse(input.get("slug"))?,
        base_url: input.get("base_url").into(),
        description: input.get("description").into(),
        offline_policy: policy(input)?,
        revoke_api_keys: input.ticked("revoke_api_keys"),
    };
    Ok(cases::enlist(&desk.deps, desk.actor(), new).await?)
}
