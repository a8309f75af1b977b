//! Who may enter a Space: grants, published groups, and which teams the Space bound to groups.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::effects::SpanView;
use super::form::{Field, FormPage};
use super::list::{PAGE, Pager, searched, subjects_after, subjects_last};
use super::pick::{self, Pick, What, named, span, subject, subject_text};
use super::space::{Head, head, load};
use crate::accounts::access::ProposedChange;
use crate::accounts::{agent_status, grants as cases, spaces as space_cases};
use crate::core::Timestamp;
use crate::core::directory::{Span, Subject};
use crate::core::ids::{GrantId, GroupId, SpaceId};
use crate::core::policy::Act;
use crate::core::text::fold;
use crate::http::{Path, Query};
use crate::pages::Page;
use crate::storage::grants::{self, GrantRow};
use crate::storage::spaces::{self, Space};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
struct GrantView {
    id: String,
    name: String,
    kind: &'static str,
    href: Option<String>,
    span: SpanView,
    since: Timestamp,
    by: String,
}

#[derive(Clone, Debug, Serialize)]
struct Published {
    id: String,
    name: String,
    href: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Bound {
    team: String,
    inner_space: Option<String>,
    group: String,
    known: bool,
    href: Option<String>,
    administrative: bool,
    managed: bool,
    message: Option<String>,
    at: Timestamp,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AccessPage {
    head: Head,
    q: String,
    grants: Vec<GrantView>,
    grants_pager: Pager,
    published: Vec<Published>,
    published_pager: Pager,
    bound: Vec<Bound>,
    bound_pager: Pager,
    may: bool,
}

/// Where a person or group is shown, for who may see them.
pub(super) fn href(desk: &Desk, subject: &Subject) -> Option<String> {
    match subject {
        Subject::Person(id) => desk.may(&Act::ReadAll).then(|| format!("/admin/people/{id}")),
        Subject::Group(id) => desk.may(&Act::ReadGroup(id.clone())).then(|| format!("/admin/groups/{id}")),
    }
}

/// `GET /admin/spaces/{id}/access`.
pub(super) async fn show(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    let space = load(&desk, &id).await?;
    let (q, text) = searched(&input);
    let page = grants::page_of_space(&mut desk.db(), &id, text.as_deref(), subjects_after(&input).as_ref(), PAGE).await?;
    let last = page.items.last().filter(|_| page.more).map(|row| subjects_last(row.cursor()));
    let grants_pager = Pager::new(&desk, &input, &["q"], ("key", "after"), last);
    let granted = page.items.into_iter().map(|row| GrantView {
        id: row.grant.id.to_string(),
        kind: if matches!(row.grant.subject, Subject::Person(_)) { "person" } else { "group" },
        href: href(&desk, &row.grant.subject),
        name: row.subject_name,
        span: SpanView::new(row.grant.span, desk.now()),
        since: row.created_at,
        by: row.created_by,
    });
    let after = input.filled("pafter").and_then(|id| GroupId::parse(id).ok()).map(|id| (input.get("pkey").to_owned(), id));
    let page = spaces::published_page(&mut desk.db(), &id, after.as_ref(), PAGE).await?;
    let last = page.items.last().filter(|_| page.more).map(|(group, name)| (fold(name), group.to_string()));
    let published_pager = Pager::new(&desk, &input, &["q"], ("pkey", "pafter"), last);
    let published = page.items.into_iter().map(|(group, name)| Published {
        href: href(&desk, &Subject::Group(group.clone())),
        id: group.to_string(),
        name,
    });
    let after = input.filled("bteam").map(|team| (team.to_owned(), input.get("bgroup").to_owned()));
    let page = agent_status::bindings_page(&desk.deps, desk.actor(), &id, after.as_ref(), PAGE).await?;
    let last = page.items.last().filter(|_| page.more).map(|row| (fold(&row.binding.group), row.binding.team.clone()));
    let bound_pager = Pager::new(&desk, &input, &["q"], ("bgroup", "bteam"), last);
    let bound = page.items.into_iter().map(|row| Bound {
        team: row.binding.team_name,
        inner_space: row.binding.inner_space,
        known: row.group_name.is_some(),
        href: GroupId::parse(&row.binding.group).ok().and_then(|id| href(&desk, &Subject::Group(id))),
        group: row.group_name.unwrap_or(row.binding.group),
        administrative: row.binding.administrative,
        managed: row.binding.managed,
        message: row.binding.message,
        at: row.reported_at,
    });
    desk.page(&AccessPage {
        head: head(&desk, &space, "access").await?,
        q,
        grants: granted.collect(),
        grants_pager,
        published: published.collect(),
        published_pager,
        bound: bound.collect(),
        bound_pager,
        may: desk.may(&Act::ManageGrants(id)),
    })
}

fn here(space: &Space) -> String {
    format!("/admin/spaces/{}", space.id)
}

fn trail(space: &Space) -> [(String, String); 2] {
    [("Spaces".into(), "/admin/spaces".into()), (space.name.clone(), format!("{}/access", here(space)))]
}

fn under(ask: Confirm, space: &Space) -> Confirm {
    ask.under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("{}/access", here(space)))])
}

/// `GET /admin/spaces/{id}/grants/add`: find somebody.
pub(super) async fn picking(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageGrants(id))?;
    let page = Pick {
        title: format!("Grant {}", space.name),
        text: "Choose a group, or a single person. What it does is shown before it is done.".into(),
        trail: trail(&space).to_vec(),
        action: format!("{}/grants/add", here(&space)),
        next: format!("{}/grants/check", here(&space)),
        label: "Name, user name or e-mail address",
        with_span: true,
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::Both).await?)
}

async fn ask_add(desk: &Desk, space: &Space, to: &Subject, input: &Input) -> Result<Confirm, Fault> {
    let span = span(input)?;
    let name = named(desk, to).await?;
    let ask = Confirm::new(&format!("Let {name} enter {}?", space.name), &format!("{}/grants/add", here(space)), "Grant")
        .with("who", &subject_text(to))
        .with("from", &pick::time_text(span.from))
        .with("until", &pick::time_text(span.until));
    under(ask, space).trying(desk, &ProposedChange::AddGrant { space: space.id.clone(), subject: to.clone(), span }).await
}

/// `GET /admin/spaces/{id}/grants/check`.
pub(super) async fn check(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageGrants(id))?;
    desk.page(&ask_add(&desk, &space, &subject(input.get("who"))?, &input).await?)
}

/// `POST /admin/spaces/{id}/grants/add`.
pub(super) async fn add(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let space = load(&desk, &id).await?;
    let to = subject(input.get("who"))?;
    match cases::add(&desk.deps, desk.actor(), &id, &to, span(&input)?).await {
        Ok(_) => desk.done(&format!("{}/access", here(&space)), "added"),
        Err(error) => ask_add(&desk, &space, &to, &input).await?.refused(&desk, error.into()),
    }
}

async fn one(desk: &Desk, space: &SpaceId, id: &GrantId) -> Result<(Space, GrantRow), Fault> {
    let row = grants::find(&mut desk.db(), id).await?.filter(|row| row.grant.space == *space).ok_or_else(Fault::gone)?;
    Ok((load(desk, space).await?, row))
}

async fn ask_revoke(desk: &Desk, space: &Space, row: &GrantRow) -> Result<Confirm, Fault> {
    let title = format!("Take {} from {}?", space.name, row.subject_name);
    let ask = Confirm::new(&title, &format!("{}/grants/{}/revoke", here(space), row.grant.id), "Revoke grant")
        .danger()
        .text("Whoever has no other way in: the account becomes inactive, codes and refresh tokens end, and API keys are deleted where the Space says so.")
        .with("version", &row.version.to_string());
    under(ask, space).trying(desk, &ProposedChange::RevokeGrant { grant: row.grant.id.clone() }).await
}

/// `GET /admin/spaces/{id}/grants/{grant}/revoke`.
pub(super) async fn revoking(desk: Desk, Path((id, grant)): Path<(SpaceId, GrantId)>) -> Answer {
    let (space, row) = one(&desk, &id, &grant).await?;
    desk.sees(&Act::ManageGrants(id))?;
    desk.page(&ask_revoke(&desk, &space, &row).await?)
}

/// `POST /admin/spaces/{id}/grants/{grant}/revoke`.
pub(super) async fn revoke(Path((id, grant)): Path<(SpaceId, GrantId)>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let (space, row) = one(&desk, &id, &grant).await?;
    match cases::revoke(&desk.deps, desk.actor(), &grant, input.version()).await {
        Ok(()) => desk.done(&format!("{}/access", here(&space)), "removed"),
        Err(error) => ask_revoke(&desk, &space, &row).await?.refused(&desk, error.into()),
    }
}

fn span_form(space: &Space, row: &GrantRow) -> FormPage {
    let fields = vec![
        Field::time("from", "From (UTC)", &pick::time_text(row.grant.span.from)).hint("Empty: at once."),
        Field::time("until", "Until (UTC)", &pick::time_text(row.grant.span.until)).hint("Empty: without an end."),
        Field::hidden("version", &row.version.to_string()),
    ];
    let action = format!("{}/grants/{}/span", here(space), row.grant.id);
    FormPage::new(&format!("When may {} enter {}?", row.subject_name, space.name), &action, "Continue", fields)
        .under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("{}/access", here(space)))])
}

/// `GET /admin/spaces/{id}/grants/{grant}/span`.
pub(super) async fn span_of(desk: Desk, Path((id, grant)): Path<(SpaceId, GrantId)>) -> Answer {
    let (space, row) = one(&desk, &id, &grant).await?;
    desk.sees(&Act::ManageGrants(id))?;
    desk.page(&span_form(&space, &row))
}

/// `POST /admin/spaces/{id}/grants/{grant}/span`: shows what it does, then does it.
pub(super) async fn set_span(Path((id, grant)): Path<(SpaceId, GrantId)>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let (space, row) = one(&desk, &id, &grant).await?;
    let span: Span = match span(&input) {
        Ok(span) => span,
        Err(fault) => return desk.again(fault, span_form(&space, &row), &input),
    };
    if !input.ticked("confirmed") {
        desk.sees(&Act::ManageGrants(id))?;
        let title = format!("Change when {} may enter {}?", row.subject_name, space.name);
        let ask = Confirm::new(&title, &format!("{}/grants/{grant}/span", here(&space)), "Change")
            .with("from", &pick::time_text(span.from))
            .with("until", &pick::time_text(span.until))
            .with("version", input.get("version"))
            .with("confirmed", "true");
        return desk.page(&under(ask, &space).trying(&desk, &ProposedChange::ChangeGrant { grant, span }).await?);
    }
    match cases::change_span(&desk.deps, desk.actor(), &grant, input.version(), span).await {
        Ok(_) => desk.done(&format!("{}/access", here(&space)), "saved"),
        Err(error) => desk.again(error.into(), span_form(&space, &row), &input),
    }
}

/// `GET /admin/spaces/{id}/groups/publish`: find a group, or (`who` chosen) see what publishing it does.
pub(super) async fn publishing(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageGrants(id.clone()))?;
    if let Some(who) = input.filled("who") {
        let Subject::Group(group) = subject(who)? else { return Err(Fault::gone()) };
        return desk.page(&ask_publish(&desk, &space, &group, true).await?);
    }
    let page = Pick {
        title: format!("Publish a group to {}", space.name),
        text: "The Space then knows the group and can bind teams to it. It lets nobody in.".into(),
        trail: trail(&space).to_vec(),
        action: format!("{}/groups/publish", here(&space)),
        next: format!("{}/groups/publish", here(&space)),
        label: "Name of the group",
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::Groups).await?)
}

async fn ask_publish(desk: &Desk, space: &Space, group: &GroupId, on: bool) -> Result<Confirm, Fault> {
    let subject = Subject::Group(group.clone());
    let name = named(desk, &subject).await?;
    let (ask, change) = if on {
        let ask =
            Confirm::new(&format!("Publish {name} to {}?", space.name), &format!("{}/groups/publish", here(space)), "Publish");
        (ask, ProposedChange::PublishGroup { space: space.id.clone(), group: group.clone() })
    } else {
        let ask = Confirm::new(
            &format!("Take {name} back from {}?", space.name),
            &format!("{}/groups/unpublish", here(space)),
            "Take back",
        )
        .danger();
        (ask, ProposedChange::UnpublishGroup { space: space.id.clone(), group: group.clone() })
    };
    under(ask.with("who", &subject_text(&subject)), space).trying(desk, &change).await
}

/// `POST /admin/spaces/{id}/groups/publish`.
pub(super) async fn publish(Path(id): Path<SpaceId>, post: Post) -> Answer {
    turn(&id, post, true).await
}

/// `GET /admin/spaces/{id}/groups/unpublish`.
pub(super) async fn unpublishing(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageGrants(id))?;
    let Subject::Group(group) = subject(input.get("who"))? else { return Err(Fault::gone()) };
    desk.page(&ask_publish(&desk, &space, &group, false).await?)
}

/// `POST /admin/spaces/{id}/groups/unpublish`.
pub(super) async fn unpublish(Path(id): Path<SpaceId>, post: Post) -> Answer {
    turn(&id, post, false).await
}

async fn turn(id: &SpaceId, post: Post, on: bool) -> Answer {
    let Post { desk, input } = post;
    let space = load(&desk, id).await?;
    let Subject::Group(group) = subject(input.get("who"))? else { return Err(Fault::gone()) };
    if on {
        space_cases::publish(&desk.deps, desk.actor(), id, &group).await?;
    } else {
        space_cases::unpublish(&desk.deps, desk.actor(), id, &group).await?;
    }
    desk.done(&format!("{}/access", here(&space)), if on { "added" } else { "removed" })
}

impl Page for AccessPage {
    const TEMPLATE: &'static str = "admin/space_access.html";
    fn samples() -> Vec<Self> {
        let grant = |kind| GrantView {
            id: "x".into(),
            name: "Developers".into(),
            kind,
            href: (kind == "group").then(|| "/admin/groups/x".into()),
            span: SpanView::default(),
            since: Timestamp(1),
            by: "ada".into(),
        };
        let bound = |managed: bool| Bound {
            team: "Deployers".into(),
            inner_space: managed.then(|| "Default".into()),
            group: "Developers".into(),
            known: managed,
            href: managed.then(|| "/admin/groups/x".into()),
            administrative: !managed,
            managed,
            message: (!managed).then(|| "Not allowed.".into()),
            at: Timestamp(1),
        };
        let full = Self {
            head: Head::sample("access"),
            q: "dev".into(),
            grants_pager: Pager::sample(),
            published_pager: Pager::sample(),
            bound_pager: Pager::sample(),
            grants: vec![grant("group"), grant("person")],
            published: vec![Published { id: "x".into(), name: "Ops".into(), href: Some("/admin/groups/x".into()) }],
            bound: vec![bound(true), bound(false)],
            may: true,
        };
        let nothing_found = Self { grants: vec![], grants_pager: Pager::default(), ..full.clone() };
        let bare = Self {
            q: String::new(),
            grants: vec![],
            grants_pager: Pager::default(),
            published: vec![],
            published_pager: Pager::default(),
            bound: vec![],
            bound_pager: Pager::default(),
            ..full.clone()
        };
        vec![nothing_found, Self { may: false, ..full.clone() }, Self { may: false, ..bare.clone() }, bare, full]
    }
}
crate::page!(AccessPage);
