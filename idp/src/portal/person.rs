//! One person: how they are known, what they are in, what they may enter, and what can be done about it.

use super::desk::{Answer, Desk, Fault};
use super::effects::SpanView;
use super::group::{Member, parent};
use super::history::{self, Entry};
use super::person_join::{self, JoinView};
use super::person_sign_ins::{self, Identity, SignIns};
use super::rights::{RightView, view};
use crate::core::Timestamp;
use crate::core::access::View;
use crate::core::directory::Subject;
use crate::core::ids::PersonId;
use crate::core::policy::Act;
use crate::core::text::fold;
use crate::http::Path;
use crate::pages::Page;
use crate::storage::people::{self, Person};
use crate::storage::{credentials, directory, emails, grants, links, memberships, rights};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An address.
#[derive(Clone, Debug, Serialize)]
struct Address {
    id: String,
    address: String,
    verified: bool,
    used_in_spaces: bool,
}

/// A Space that the person may enter, or still has an account in.
#[derive(Clone, Debug, Serialize)]
struct Door {
    id: String,
    name: String,
    span: Option<SpanView>,
    /// `linked`, `waiting`, `inactive`, `disabled_there`.
    link: &'static str,
    account: Option<String>,
    username: Option<String>,
}

/// Why the person is disabled.
#[derive(Clone, Debug, Serialize)]
struct Reason {
    reason: String,
    since: Timestamp,
}

/// A grant to the person alone.
#[derive(Clone, Debug, Serialize)]
struct Direct {
    space: String,
    href: String,
    span: SpanView,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PersonPage {
    id: String,
    name: String,
    username: String,
    created_at: Timestamp,
    password_since: Option<Timestamp>,
    reasons: Vec<Reason>,
    emails: Vec<Address>,
    identities: Vec<Identity>,
    sign_ins: Option<SignIns>,
    direct: Vec<Member>,
    inherited: Vec<Member>,
    spaces: Vec<Door>,
    grants: Vec<Direct>,
    rights: Vec<RightView>,
    joins: Vec<JoinView>,
    /// May join two people into one.
    may_unite: bool,
    may_manage: bool,
    /// May change groups.
    may_join: bool,
    may_explain: bool,
    history: Option<Vec<Entry>>,
}

/// A person, for whoever may read people.
pub(super) async fn load(desk: &Desk, id: &PersonId) -> Result<Person, Fault> {
    desk.sees(&Act::ReadAll)?;
    people::find(&mut desk.db(), id).await?.ok_or_else(Fault::gone)
}

/// `GET /admin/people/{id}`.
pub(super) async fn show(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = load(&desk, &id).await?;
    let (db, now) = (&mut desk.db(), desk.now());
    let subject = Subject::Person(id.clone());
    let rows = memberships::of_member(db, &subject).await?;
    let own: BTreeSet<_> = rows.iter().map(|row| row.assertion.group.clone()).collect();
    let direct = rows.into_iter().map(|row| {
        let by_hand = row.assertion.source == crate::accounts::memberships::MANUAL;
        let may = by_hand && desk.may(&Act::ManageMembers(row.assertion.group.clone()));
        Member { key: may.then(|| super::pick::subject_text(&subject)), ..parent(row, &desk) }
    });
    let direct = direct.collect();
    let facts = directory::of_person(db, &id).await?;
    let access = View::new(&facts, now);
    let inherited = access.groups_of(&id).into_iter().filter(|(group, _)| !own.contains(group)).map(|(group, span)| Member {
        name: facts.groups.get(&group).cloned().unwrap_or_default(),
        href: Some(format!("/admin/groups/{group}")),
        kind: "group",
        source: String::new(),
        span: SpanView::new(span, now),
        since: now,
        by: String::new(),
        key: None,
    });
    let inherited = inherited.collect();
    let spaces = doors(&desk, &id, &access, &facts.spaces).await?;
    let space_email = fold(&person.space_email);
    let addresses = emails::of_person(db, &id).await?.into_iter().map(|row| Address {
        id: row.id.to_string(),
        used_in_spaces: row.address_key == space_email,
        verified: row.verified_at.is_some(),
        address: row.address,
    });
    let identities = emails::identities(db, &id).await?;
    let granted = grants::of_subject(db, &subject).await?.into_iter().map(|row| Direct {
        href: format!("/admin/spaces/{}/access", row.grant.space),
        space: row.space_name,
        span: SpanView::new(row.grant.span, now),
    });
    let mut held = Vec::new();
    for row in rights::of_person(db, &id).await? {
        held.push(view(&desk, row).await?);
    }
    desk.page(&PersonPage {
        name: person.display_name,
        username: person.username,
        created_at: person.created_at,
        password_since: credentials::password(db, &id).await?.map(|p| p.changed_at),
        reasons: people::disabled(db, &id).await?.into_iter().map(|d| Reason { reason: d.reason, since: d.since }).collect(),
        emails: addresses.collect(),
        identities: identities.into_iter().map(Identity::from).collect(),
        sign_ins: person_sign_ins::of(&desk, &id).await?,
        direct,
        inherited,
        spaces,
        grants: granted.collect(),
        rights: held,
        joins: person_join::of(&desk, &id).await?,
        may_unite: desk.may(&super::providers::manage()),
        may_manage: desk.may(&Act::ManagePeople),
        may_join: desk.may(&Act::ManageGroups),
        may_explain: desk.may(&Act::Explain),
        history: history::of_object(&desk, "person", id.as_str()).await?,
        id: id.to_string(),
    })
}

/// Spaces that the person may enter now, and those in which an account is left.
async fn doors(
    desk: &Desk,
    id: &PersonId,
    access: &View<'_>,
    names: &BTreeMap<crate::core::ids::SpaceId, String>,
) -> Result<Vec<Door>, Fault> {
    let mut linked: BTreeMap<_, _> =
        links::of_person(&mut desk.db(), id).await?.into_iter().map(|l| (l.space_id.clone(), l)).collect();
    let mut found = Vec::new();
    let state = |link: Option<&links::LinkRow>| match link {
        Some(link) if link.locally_disabled => "disabled_there",
        Some(link) if link.active => "linked",
        Some(_) => "inactive",
        None => "waiting",
    };
    for (space, span) in access.spaces_of(id) {
        let link = linked.remove(&space);
        found.push(Door {
            name: names.get(&space).cloned().unwrap_or_default(),
            span: Some(SpanView::new(span, desk.now())),
            link: state(link.as_ref()),
            account: link.as_ref().map(|l| l.account_id.clone()),
            username: link.map(|l| l.username),
            id: space.to_string(),
        });
    }
    for (space, link) in linked {
        let row = crate::storage::spaces::find(&mut desk.db(), &space).await?;
        found.push(Door {
            name: row.map(|s| s.name).unwrap_or_default(),
            span: None,
            link: state(Some(&link)),
            account: Some(link.account_id),
            username: Some(link.username),
            id: space.to_string(),
        });
    }
    found.sort_by_key(|door| fold(&door.name));
    Ok(found)
}

impl Page for PersonPage {
    const TEMPLATE: &'static str = "admin/person.html";
    fn samples() -> Vec<Self> {
        let at = Timestamp(1_795_352_400_000);
        let address = |verified| Address { id: "x".into(), address: "b@example.com".into(), verified, used_in_spaces: verified };
        let door = |link, span: bool| Door {
            id: "x".into(),
            name: "Mars".into(),
            span: span.then(SpanView::default),
            link,
            account: span.then(|| "Users-21".into()),
            username: span.then(|| "bob".into()),
        };
        let full = Self {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            name: "Bob Specialist".into(),
            username: "bob".into(),
            created_at: at,
            password_since: Some(at),
            reasons: vec![Reason { reason: "manual".into(), since: at }, Reason { reason: "provider:entra".into(), since: at }],
            emails: vec![address(true), address(false)],
            identities: Identity::samples(),
            sign_ins: Some(SignIns::sample()),
            direct: vec![Member::sample("person"), Member::sample("group")],
            inherited: vec![Member::sample("group")],
            spaces: vec![door("linked", true), door("waiting", true), door("inactive", false), door("disabled_there", true)],
            grants: vec![Direct { space: "Mars".into(), href: "/admin/x".into(), span: SpanView::default() }],
            rights: vec![RightView::sample()],
            joins: vec![JoinView::sample()],
            may_unite: true,
            may_manage: true,
            may_join: true,
            may_explain: true,
            history: Some(vec![Entry::sample()]),
        };
        let bare = Self {
            password_since: None,
            reasons: vec![],
            emails: vec![],
            identities: vec![],
            sign_ins: None,
            direct: vec![],
            inherited: vec![],
            spaces: vec![],
            grants: vec![],
            rights: vec![],
            joins: vec![],
            may_unite: false,
            may_manage: false,
            may_join: false,
            may_explain: false,
            history: None,
            ..full.clone()
        };
        let sign_ins = Some(SignIns::none());
        vec![Self { may_manage: true, may_join: true, may_explain: true, sign_ins, ..bare.clone() }, bare, full]
    }
}
crate::page!(PersonPage);
