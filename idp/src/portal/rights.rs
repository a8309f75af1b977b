//! Administrative rights: who runs what.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post, url};
use super::form::{Field, FormPage};
use super::list::{PAGE, Pager};
use super::pick::{Pick, What, subject, time};
use crate::accounts::rights as cases;
use crate::core::Timestamp;
use crate::core::directory::Subject;
use crate::core::ids::{GroupId, PersonId, RightId, SpaceId};
use crate::core::policy::{Act, Right, Role, Scope};
use crate::core::text::fold;
use crate::http::{Path, Problem, Query};
use crate::pages::{self, Page};
use crate::storage::people::Person;
use crate::storage::rights::{self, RightRow};
use crate::storage::{groups, people, spaces};
use axum::http::StatusCode;
use serde::Serialize;

/// A right as people read it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RightView {
    id: String,
    person: String,
    person_href: String,
    role: &'static str,
    scope: String,
    scope_href: Option<String>,
    until: Option<Timestamp>,
    over: bool,
    since: Timestamp,
    by: String,
}

impl RightView {
    pub(super) fn sample() -> Self {
        Self {
            id: "x".into(),
            person: "Ada".into(),
            person_href: "/admin/people/x".into(),
            role: "Owner",
            scope: "Mars".into(),
            scope_href: Some("/admin/spaces/x".into()),
            until: Some(Timestamp(1)),
            over: true,
            since: Timestamp(1),
            by: "system".into(),
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Auditor => "Auditor",
        Role::SpaceAdmin => "Space administrator",
        Role::GroupAdmin => "Group administrator",
    }
}

/// A right with the names it needs.
pub(super) async fn view(desk: &Desk, row: RightRow) -> Result<RightView, Fault> {
    let (scope, scope_href) = match &row.right.scope {
        Scope::All => ("everything".to_owned(), None),
        Scope::Space(id) => {
            let name = spaces::find(&mut desk.db(), id).await?.map_or_else(|| id.to_string(), |s| s.name);
            (format!("Space {name}"), Some(format!("/admin/spaces/{id}")))
        }
        Scope::Group(id) => {
            let name = groups::find(&mut desk.db(), id).await?.map_or_else(|| id.to_string(), |g| g.name);
            (format!("group {name}"), Some(format!("/admin/groups/{id}")))
        }
    };
    Ok(RightView {
        id: row.id.to_string(),
        person_href: format!("/admin/people/{}", row.person),
        person: row.person_name,
        role: role_name(row.right.role),
        scope,
        scope_href,
        over: row.until.is_some_and(|until| until <= desk.now()),
        until: row.until,
        since: row.created_at,
        by: row.created_by,
    })
}

/// The list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RightsPage {
    rights: Vec<RightView>,
    pager: Pager,
    may: bool,
}

/// What owners of everything may do.
fn manage() -> Act {
    Act::ManageRights(Right { role: Role::Owner, scope: Scope::All })
}

/// `GET /admin/rights`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::ReadAll)?;
    let after = input.filled("after").and_then(|id| RightId::parse(id).ok()).map(|id| (input.get("key").to_owned(), id));
    let page = rights::page(&mut desk.db(), after.as_ref(), PAGE).await?;
    let last = page.items.last().filter(|_| page.more).map(|row| (fold(&row.person_name), row.id.to_string()));
    let mut found = Vec::new();
    for row in page.items {
        found.push(view(&desk, row).await?);
    }
    let pager = Pager::new(&desk, &input, &[], ("key", "after"), last);
    desk.page(&RightsPage { rights: found, pager, may: desk.may(&manage()) })
}

/// `GET /admin/rights/give`: find somebody.
pub(super) async fn pick(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&manage())?;
    let page = Pick {
        title: "Give a right".into(),
        text: "Choose who gets it; scope and role come next.".into(),
        trail: vec![("Rights".into(), "/admin/rights".into())],
        action: "/admin/rights/give".into(),
        next: "/admin/rights/scope".into(),
        label: "Name, user name or e-mail address",
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::People).await?)
}

async fn person(desk: &Desk, who: &str) -> Result<Person, Fault> {
    let Subject::Person(id) = subject(who)? else { return Err(Fault::gone()) };
    people::find(&mut desk.db(), &id).await?.ok_or_else(Fault::gone)
}

/// `GET /admin/rights/scope`: everything, or find a Space or group.
pub(super) async fn scope(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&manage())?;
    let person = person(&desk, input.get("who")).await?;
    let page = Pick {
        title: format!("Where shall the right of {} hold?", person.display_name),
        text: "Over everything, or over one Space or group. The role comes next.".into(),
        trail: vec![("Rights".into(), "/admin/rights".into())],
        action: "/admin/rights/scope".into(),
        next: "/admin/rights/new".into(),
        label: "Name of a Space or group",
        radio: "scope",
        hidden: vec![("who".into(), input.get("who").into())],
        ..Pick::default()
    };
    desk.page(&page.find_scope(&desk, &input).await?)
}

/// What a scope is called, if there is such a Space or group.
async fn scope_name(desk: &Desk, scope: &Scope) -> Result<String, Fault> {
    let db = &mut desk.db();
    let name = match scope {
        Scope::All => Some("everything".to_owned()),
        Scope::Space(id) => spaces::find(db, id).await?.map(|s| format!("Space {}", s.name)),
        Scope::Group(id) => groups::find(db, id).await?.map(|g| format!("group {}", g.name)),
    };
    name.ok_or_else(Fault::gone)
}

async fn form(desk: &Desk, input: &Input) -> Result<FormPage, Fault> {
    let person = person(desk, input.get("who")).await?;
    let scope = scope_name(desk, &parse_scope(input)?).await?;
    let option = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let roles = vec![
        option("auditor", "Auditor: reads what is in the scope, changes nothing"),
        option("space-admin", "Space administrator: settings, agents, grants of Spaces"),
        option("group-admin", "Group administrator: who is in groups"),
        option("owner", "Owner: of everything, people and rights included; of one Space or group, what its administrator may"),
    ];
    let fields = vec![
        Field::select("role", "Role", "auditor", roles),
        Field::time("until", "Until (UTC)", "").hint("Empty: without an end."),
        Field::hidden("who", input.get("who")),
        Field::hidden("scope", input.get("scope")),
    ];
    Ok(FormPage::new(&format!("Give {} a right", person.display_name), "/admin/rights/new", "Give right", fields)
        .text(&format!("It holds over {scope}. Only owners of everything manage people and give rights, in every scope."))
        .under(&[("Rights", "/admin/rights")]))
}

/// `GET /admin/rights/new`.
pub(super) async fn new(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&manage())?;
    if input.filled("scope").is_none() {
        return Ok(pages::see_other(&url("/admin/rights/scope", &[("who", input.get("who"))])));
    }
    desk.page(&form(&desk, &input).await?)
}

fn parse_scope(input: &Input) -> Result<Scope, Fault> {
    let bad = || wrong("scope", "Choose a scope.");
    match input.get("scope").split_once(':') {
        None if input.get("scope") == "all" => Ok(Scope::All),
        Some(("space", id)) => Ok(Scope::Space(SpaceId::parse(id).map_err(|_| bad())?)),
        Some(("group", id)) => Ok(Scope::Group(GroupId::parse(id).map_err(|_| bad())?)),
        _ => Err(bad()),
    }
}

fn wrong(field: &'static str, text: &str) -> Fault {
    Fault(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "form.invalid", text).field(field))
}

fn parse(input: &Input) -> Result<(PersonId, Right), Fault> {
    let Subject::Person(person) = subject(input.get("who"))? else { return Err(Fault::gone()) };
    let role = match input.get("role") {
        "owner" => Role::Owner,
        "auditor" => Role::Auditor,
        "space-admin" => Role::SpaceAdmin,
        "group-admin" => Role::GroupAdmin,
        _ => return Err(wrong("role", "Choose a role.")),
    };
    Ok((person, Right { role, scope: parse_scope(input)? }))
}

/// `POST /admin/rights/new`.
pub(super) async fn give(post: Post) -> Answer {
    let Post { desk, input } = post;
    desk.sees(&Act::ReadAll)?;
    let given = async {
        let (person, right) = parse(&input)?;
        Ok::<_, Fault>(cases::give(&desk.deps, desk.actor(), &person, &right, time(&input, "until")?).await?)
    };
    match given.await {
        Ok(_) => desk.done("/admin/rights", "added"),
        Err(fault) => desk.again(fault, form(&desk, &input).await?, &input),
    }
}

async fn ask_take(desk: &Desk, id: &RightId) -> Result<Confirm, Fault> {
    let row = rights::find(&mut desk.db(), id).await?.ok_or_else(Fault::gone)?;
    let right = view(desk, row).await?;
    Ok(Confirm::new(&format!("Take the right from {}?", right.person), &format!("/admin/rights/{id}/take"), "Take right")
        .danger()
        .text(&format!(
            "{} is {} of {}. From the next request on they may not do any more what this right alone allowed.",
            right.person, right.role, right.scope
        ))
        .under(&[("Rights", "/admin/rights")]))
}

/// `GET /admin/rights/{id}/take`.
pub(super) async fn taking(desk: Desk, Path(id): Path<RightId>) -> Answer {
    desk.sees(&manage())?;
    desk.page(&ask_take(&desk, &id).await?)
}

/// `POST /admin/rights/{id}/take`.
pub(super) async fn take(Path(id): Path<RightId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    desk.sees(&Act::ReadAll)?;
    match cases::take(&desk.deps, desk.actor(), &id).await {
        Ok(()) => desk.done("/admin/rights", "removed"),
        Err(error) => ask_take(&desk, &id).await?.refused(&desk, error.into()),
    }
}

impl Page for RightsPage {
    const TEMPLATE: &'static str = "admin/rights.html";
    fn samples() -> Vec<Self> {
        let plain = RightView { scope_href: None, until: None, over: false, ..RightView::sample() };
        vec![
            Self { rights: vec![RightView::sample(), plain], pager: Pager::sample(), may: true },
            Self { rights: vec![], pager: Pager::default(), may: false },
        ]
    }
}
crate::page!(RightsPage);
