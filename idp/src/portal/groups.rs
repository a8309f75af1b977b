//! The list of groups, and making one.

use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::list::{Cell, ListPage, PAGE, Row};
use crate::accounts::groups::{self as cases, NewGroup};
use crate::core::Refusal;
use crate::core::ids::GroupId;
use crate::core::policy::{Act, Scope};
use crate::core::text::{DisplayName, fold};
use crate::http::Query;
use crate::storage::groups::{self, Group, GroupKind};

fn row(group: Group) -> Row {
    let kind = match group.kind {
        GroupKind::Local => Cell::badge("local", ""),
        GroupKind::External { provider, .. } => Cell::badge(format!("external: {provider}"), "info"),
    };
    Row {
        href: format!("/admin/groups/{}", group.id),
        title: group.name,
        sub: group.description,
        cells: vec![kind, Cell::mono(group.id.as_str())],
    }
}

/// `GET /admin/groups`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    let q: String = input.get("q").chars().take(200).collect();
    let (found, last) = if desk.may(&Act::ReadAll) {
        let after = input.filled("after").and_then(|id| GroupId::parse(id).ok()).map(|id| (input.get("key").to_owned(), id));
        let text = Some(q.as_str()).filter(|q| !q.is_empty());
        let page = groups::page(&mut desk.db(), text, after.as_ref(), PAGE).await?;
        let last = page.items.last().filter(|_| page.more).map(|g| (fold(&g.name), g.id.to_string()));
        (page.items, last)
    } else {
        (own(&desk, &q).await?, None)
    };
    let page = ListPage {
        title: "Groups",
        text: "A group collects people and other groups. Grant it a Space, and put its id into a team of that Space: whoever is in the group stands in the team. People put members into local groups; a directory fills external ones.",
        path: "/admin/groups",
        search: "Search groups",
        q,
        columns: vec!["Name", "Kind", "Id for teams"],
        rows: found.into_iter().map(row).collect(),
        create: desk.may(&Act::ManageGroups).then_some(("/admin/groups/new", "Create group")),
        icon: "groups",
        empty: ("No groups yet", "Create a group, put people into it, then grant it a Space."),
        ..ListPage::default()
    };
    desk.page(&page.cursor(&desk, &input, last))
}

/// The groups over which the caller has a right, whoever may not read all.
async fn own(desk: &Desk, q: &str) -> Result<Vec<Group>, Fault> {
    let mut found = Vec::new();
    for right in &desk.actor().rights {
        if let Scope::Group(id) = &right.scope
            && let Some(group) = groups::find(&mut desk.db(), id).await?
            && fold(&group.name).contains(&fold(q))
        {
            found.push(group);
        }
    }
    if found.is_empty() && !desk.actor().rights.iter().any(|r| matches!(r.scope, Scope::Group(_))) {
        return Err(Fault::gone());
    }
    found.sort_by_key(|g| fold(&g.name));
    found.dedup_by(|a, b| a.id == b.id);
    Ok(found)
}

fn form() -> FormPage {
    let option = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let kinds = vec![
        option("local", "Local: administrators put people and groups into it"),
        option("external", "External: a directory says who is in it"),
    ];
    let fields = vec![
        Field::text("name", "Name", "").hint("1 to 64 characters. Spaces may show it."),
        Field::area("description", "Description", "").hint("What the group is for."),
        Field::select("kind", "Kind", "local", kinds)
            .hint("An external group stays empty until its directory is connected; nobody is put into it by hand. Grants and nesting work already."),
        Field::text("provider", "Directory", "").optional().hint("External groups only: the name of the provider, such as “entra”."),
        Field::text("external_id", "Id of the group there", "")
            .optional()
            .hint("External groups only: its stable id, such as an object id or objectGUID."),
    ];
    FormPage::new("Create group", "/admin/groups/new", "Create group", fields).under(&[("Groups", "/admin/groups")])
}

/// `GET /admin/groups/new`.
pub(super) async fn new(desk: Desk) -> Answer {
    desk.sees(&Act::ManageGroups)?;
    desk.page(&form())
}

/// `POST /admin/groups/new`.
pub(super) async fn create(post: Post) -> Answer {
    let Post { desk, input } = post;
    match try_create(&desk, &input).await {
        Ok(id) => desk.done(&format!("/admin/groups/{id}"), "created"),
        Err(fault) => desk.again(fault, form(), &input),
    }
}

async fn try_create(desk: &Desk, input: &Input) -> Result<GroupId, Fault> {
    let name = DisplayName::parse("name", input.get("name"))?;
    let kind = match input.get("kind") {
        "" | "local" => GroupKind::Local,
        "external" => {
            let (provider, external_id) = (input.get("provider").to_owned(), input.get("external_id").to_owned());
            GroupKind::External { provider, external_id }
        }
        _ => return Err(Refusal::invalid("kind", "kind.invalid", "A group is local or external.").into()),
    };
    let new = NewGroup { name, description: input.get("description").into(), kind };
    Ok(cases::create(&desk.deps, desk.actor(), new).await?)
}
