//! One group: its id, members, where it opens Spaces and stands in teams; renaming and deleting it.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::effects::SpanView;
use super::form::{Field, FormPage};
use super::history::{self, Entry};
use super::list::{PAGE, Pager, searched, subjects_after, subjects_last};
use super::pick::subject_text;
use crate::accounts::access::ProposedChange;
use crate::accounts::groups::{self as cases, EditGroup};
use crate::accounts::memberships::MANUAL;
use crate::core::Timestamp;
use crate::core::directory::Subject;
use crate::core::ids::GroupId;
use crate::core::policy::Act;
use crate::core::text::DisplayName;
use crate::http::{Path, Query};
use crate::pages::Page;
use crate::storage::groups::{self, Group, GroupKind};
use crate::storage::memberships::Membership;
use crate::storage::{bindings, grants, memberships, spaces};
use serde::Serialize;

/// A membership, seen from either side.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) href: Option<String>,
    pub(super) kind: &'static str,
    pub(super) source: String,
    pub(super) span: SpanView,
    pub(super) since: Timestamp,
    pub(super) by: String,
    /// `person:ID` or `group:ID`, if it can be changed by hand.
    pub(super) key: Option<String>,
}

impl Member {
    /// The member of a group.
    fn of(row: Membership, desk: &Desk, group: &GroupId) -> Self {
        let all = desk.may(&Act::ReadAll);
        let (kind, href, may) = match &row.assertion.member {
            Subject::Person(id) => ("person", all.then(|| format!("/admin/people/{id}")), Act::ManageMembers(group.clone())),
            Subject::Group(id) => {
                ("group", desk.may(&Act::ReadGroup(id.clone())).then(|| format!("/admin/groups/{id}")), Act::ManageGroups)
            }
        };
        let by_hand = row.assertion.source == MANUAL && desk.may(&may);
        Self {
            key: by_hand.then(|| subject_text(&row.assertion.member)),
            name: row.name,
            href,
            kind,
            source: row.assertion.source,
            span: SpanView::new(row.assertion.span, desk.now()),
            since: row.created_at,
            by: row.created_by,
        }
    }
    pub(super) fn sample(kind: &'static str) -> Self {
        Self {
            name: "Bob".into(),
            href: (kind == "person").then(|| "/admin/people/x".into()),
            kind,
            source: if kind == "person" { "manual".into() } else { "directory:entra".into() },
            span: SpanView::default(),
            since: Timestamp(1),
            by: "ada".into(),
            key: (kind == "person").then(|| "person:x".into()),
        }
    }
}

/// A Space that a group has to do with.
#[derive(Clone, Debug, Serialize)]
struct Door {
    space: String,
    href: Option<String>,
    published: bool,
    span: SpanView,
}

/// A team that names the group.
#[derive(Clone, Debug, Serialize)]
struct Team {
    space: String,
    href: Option<String>,
    team: String,
    administrative: bool,
    managed: bool,
    message: Option<String>,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GroupPage {
    id: String,
    name: String,
    description: String,
    external: Option<(String, String)>,
    created_at: Timestamp,
    q: String,
    members: Vec<Member>,
    pager: Pager,
    parents: Vec<Member>,
    doors: Vec<Door>,
    teams: Vec<Team>,
    may_members: bool,
    may_manage: bool,
    history: Option<Vec<Entry>>,
}

/// A group that the caller may see.
pub(super) async fn load(desk: &Desk, id: &GroupId) -> Result<Group, Fault> {
    desk.sees(&Act::ReadGroup(id.clone()))?;
    groups::find(&mut desk.db(), id).await?.ok_or_else(Fault::gone)
}

/// `GET /admin/groups/{id}`.
pub(super) async fn show(desk: Desk, Path(id): Path<GroupId>, Query(input): Query<Input>) -> Answer {
    let group = load(&desk, &id).await?;
    let (db, now) = (&mut desk.db(), desk.now());
    let (q, text) = searched(&input);
    let page = memberships::page_of_group(db, &id, text.as_deref(), subjects_after(&input).as_ref(), PAGE).await?;
    let last = page.items.last().filter(|_| page.more).map(|row| subjects_last(row.cursor()));
    let members = page.items.into_iter().map(|row| Member::of(row, &desk, &id)).collect();
    let as_member = Subject::Group(id.clone());
    let parents = memberships::of_member(db, &as_member).await?.into_iter().map(|row| parent(row, &desk)).collect();
    let link = |space: &crate::core::ids::SpaceId| {
        desk.may(&Act::ReadSpace(space.clone())).then(|| format!("/admin/spaces/{space}/access"))
    };
    let granted = grants::of_subject(db, &as_member).await?.into_iter().map(|row| Door {
        href: link(&row.grant.space),
        space: row.space_name,
        published: false,
        span: SpanView::new(row.grant.span, now),
    });
    let mut doors: Vec<Door> = granted.collect();
    doors.extend(spaces::published_to(db, &id).await?.into_iter().map(|(space, name)| Door {
        href: link(&space),
        space: name,
        published: true,
        span: SpanView::default(),
    }));
    let teams = bindings::of_group(db, &id).await?.into_iter().filter_map(|(space, name, text)| {
        let binding: odcm_wire::v1::TeamBinding = serde_json::from_str(&text).ok()?;
        let (team, message) = (binding.team_name, binding.message);
        let (administrative, managed) = (binding.administrative, binding.managed);
        Some(Team { href: link(&space), space: name, team, administrative, managed, message })
    });
    desk.page(&GroupPage {
        q,
        pager: Pager::new(&desk, &input, &["q"], ("key", "after"), last),
        members,
        parents,
        doors,
        teams: teams.collect(),
        may_members: desk.may(&Act::ManageMembers(id.clone())) && group.kind == GroupKind::Local,
        may_manage: desk.may(&Act::ManageGroups),
        history: history::of_object(&desk, "group", id.as_str()).await?,
        external: match group.kind {
            GroupKind::Local => None,
            GroupKind::External { provider, external_id } => Some((provider, external_id)),
        },
        id: id.to_string(),
        name: group.name,
        description: group.description,
        created_at: group.created_at,
    })
}

/// A group that something is in.
pub(super) fn parent(row: Membership, desk: &Desk) -> Member {
    let id = &row.assertion.group;
    Member {
        name: row.name,
        href: desk.may(&Act::ReadGroup(id.clone())).then(|| format!("/admin/groups/{id}")),
        kind: "group",
        key: None,
        source: row.assertion.source,
        span: SpanView::new(row.assertion.span, desk.now()),
        since: row.created_at,
        by: row.created_by,
    }
}

fn form(group: &Group) -> FormPage {
    let here = format!("/admin/groups/{}", group.id);
    let fields = vec![
        Field::text("name", "Name", &group.name),
        Field::area("description", "Description", &group.description),
        Field::hidden("version", &group.version.to_string()),
    ];
    FormPage::new("Edit group", &format!("{here}/edit"), "Save", fields)
        .under(&[("Groups", "/admin/groups"), (&group.name, &here)])
}

/// `GET /admin/groups/{id}/edit`.
pub(super) async fn edit(desk: Desk, Path(id): Path<GroupId>) -> Answer {
    let group = load(&desk, &id).await?;
    desk.sees(&Act::ManageGroups)?;
    desk.page(&form(&group))
}

/// `POST /admin/groups/{id}/edit`.
pub(super) async fn save(Path(id): Path<GroupId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let group = load(&desk, &id).await?;
    match try_save(&desk, &id, &input).await {
        Ok(()) => desk.done(&format!("/admin/groups/{id}"), "saved"),
        Err(fault) => desk.again(fault, form(&group), &input),
    }
}

async fn try_save(desk: &Desk, id: &GroupId, input: &Input) -> Result<(), Fault> {
    let edit = EditGroup {
        name: Some(DisplayName::parse("name", input.get("name"))?),
        description: Some(input.get("description").into()),
    };
    cases::edit(&desk.deps, desk.actor(), id, input.version(), edit).await?;
    Ok(())
}

async fn ask_delete(desk: &Desk, group: &Group) -> Result<Confirm, Fault> {
    let here = format!("/admin/groups/{}", group.id);
    let uses = groups::uses(&mut desk.db(), &group.id).await?;
    let count = |n: i64, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let goes = [
        count(uses.members, "member", "members"),
        count(uses.parents, "place in another group", "places in other groups"),
        count(uses.grants, "grant", "grants"),
        count(uses.published, "publication to a Space", "publications to Spaces"),
        count(uses.rights, "right over it", "rights over it"),
    ];
    let text = format!(
        "With it go {}. Teams in Spaces that name its id are emptied of people who were there because of it.",
        goes.join(", ")
    );
    let mut ask = Confirm::new(&format!("Delete the group {}?", group.name), &format!("{here}/delete"), "Delete group")
        .danger()
        .text(&text);
    if uses.clients > 0 {
        ask = ask.warn("A client admits only members of this group. The group cannot be deleted before that is changed.");
    }
    let ask = ask.under(&[("Groups", "/admin/groups"), (&group.name, &here)]).with("version", &group.version.to_string());
    ask.trying(desk, &ProposedChange::DeleteGroup { group: group.id.clone() }).await
}

/// `GET /admin/groups/{id}/delete`.
pub(super) async fn delete(desk: Desk, Path(id): Path<GroupId>) -> Answer {
    let group = load(&desk, &id).await?;
    desk.sees(&Act::ManageGroups)?;
    desk.page(&ask_delete(&desk, &group).await?)
}

/// `POST /admin/groups/{id}/delete`.
pub(super) async fn do_delete(Path(id): Path<GroupId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let group = load(&desk, &id).await?;
    match cases::delete(&desk.deps, desk.actor(), &id, input.version(), true).await {
        Ok(()) => desk.done("/admin/groups", "removed"),
        Err(error) => ask_delete(&desk, &group).await?.refused(&desk, error.into()),
    }
}

impl Page for GroupPage {
    const TEMPLATE: &'static str = "admin/group.html";
    fn samples() -> Vec<Self> {
        let door =
            |published| Door { space: "Mars".into(), href: Some("/admin/spaces/x".into()), published, span: SpanView::default() };
        let team = |managed: bool| Team {
            space: "Mars".into(),
            href: managed.then(|| "/admin/spaces/x".into()),
            team: "Deployers".into(),
            administrative: !managed,
            managed,
            message: (!managed).then(|| "Not allowed.".into()),
        };
        let full = Self {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            name: "Developers".into(),
            description: "Who writes software.".into(),
            external: Some(("entra".into(), "x".into())),
            created_at: Timestamp(1),
            q: "b".into(),
            pager: Pager::sample(),
            members: vec![Member::sample("person"), Member::sample("group")],
            parents: vec![Member::sample("group")],
            doors: vec![door(true), Door { href: None, ..door(false) }],
            teams: vec![team(true), team(false)],
            may_members: true,
            may_manage: true,
            history: Some(vec![Entry::sample()]),
        };
        let bare = Self {
            external: None,
            description: String::new(),
            q: String::new(),
            pager: Pager::default(),
            members: vec![],
            parents: vec![],
            doors: vec![],
            teams: vec![],
            history: None,
            may_members: false,
            may_manage: false,
            ..full.clone()
        };
        let nothing_found = Self { members: vec![], pager: Pager::default(), ..full.clone() };
        vec![Self { may_members: true, history: Some(vec![]), ..bare.clone() }, bare, nothing_found, full]
    }
}
crate::page!(GroupPage);
