//! Putting somebody into a group and taking them out: find, look at what it does, do it.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::group::load;
use super::pick::{self, Pick, What, named, span, subject, subject_text};
use crate::accounts::access::ProposedChange;
use crate::accounts::memberships as cases;
use crate::core::directory::Subject;
use crate::core::ids::GroupId;
use crate::core::policy::Act;
use crate::http::{Path, Query};
use crate::storage::groups::Group;
use crate::storage::memberships;

fn here(group: &Group) -> String {
    format!("/admin/groups/{}", group.id)
}

fn trail(group: &Group) -> Vec<(String, String)> {
    vec![("Groups".into(), "/admin/groups".into()), (group.name.clone(), here(group))]
}

/// `GET /admin/groups/{id}/members/add`: find somebody.
pub(super) async fn pick(desk: Desk, Path(id): Path<GroupId>, Query(input): Query<Input>) -> Answer {
    let group = load(&desk, &id).await?;
    desk.sees(&Act::ManageMembers(id))?;
    let what = if desk.may(&Act::ManageGroups) { What::Both } else { What::People };
    let page = Pick {
        title: format!("Add to {}", group.name),
        text: "Choose a person or a group. What it does is shown before it is done.".into(),
        trail: trail(&group),
        action: format!("{}/members/add", here(&group)),
        next: format!("{}/members/check", here(&group)),
        label: "Name, user name or e-mail address",
        with_span: true,
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, what).await?)
}

async fn ask_add(desk: &Desk, group: &Group, member: &Subject, input: &Input) -> Result<Confirm, Fault> {
    let span = span(input)?;
    let name = named(desk, member).await?;
    let ask = Confirm::new(&format!("Put {name} into {}?", group.name), &format!("{}/members/add", here(group)), "Add to group")
        .under(&[("Groups", "/admin/groups"), (&group.name, &here(group))])
        .with("who", &subject_text(member))
        .with("from", &pick::time_text(span.from))
        .with("until", &pick::time_text(span.until));
    ask.trying(desk, &ProposedChange::AddMembership { group: group.id.clone(), member: member.clone(), span }).await
}

/// `GET /admin/groups/{id}/members/check`: what adding somebody does.
pub(super) async fn check(desk: Desk, Path(id): Path<GroupId>, Query(input): Query<Input>) -> Answer {
    let group = load(&desk, &id).await?;
    desk.sees(&Act::ManageMembers(id))?;
    desk.page(&ask_add(&desk, &group, &subject(input.get("who"))?, &input).await?)
}

/// `POST /admin/groups/{id}/members/add`.
pub(super) async fn add(Path(id): Path<GroupId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let group = load(&desk, &id).await?;
    let member = subject(input.get("who"))?;
    match cases::add(&desk.deps, desk.actor(), &id, &member, span(&input)?).await {
        Ok(()) => desk.done(&here(&group), "added"),
        Err(error) => ask_add(&desk, &group, &member, &input).await?.refused(&desk, error.into()),
    }
}

async fn ask_remove(desk: &Desk, group: &Group, member: &Subject) -> Result<Confirm, Fault> {
    let name = named(desk, member).await?;
    let title = format!("Take {name} out of {}?", group.name);
    let ask = Confirm::new(&title, &format!("{}/members/remove", here(group)), "Remove from group")
        .danger()
        .under(&[("Groups", "/admin/groups"), (&group.name, &here(group))])
        .with("who", &subject_text(member));
    ask.trying(desk, &ProposedChange::RemoveMembership { group: group.id.clone(), member: member.clone() }).await
}

/// `GET /admin/groups/{id}/members/remove`: what it does.
pub(super) async fn removing(desk: Desk, Path(id): Path<GroupId>, Query(input): Query<Input>) -> Answer {
    let group = load(&desk, &id).await?;
    desk.sees(&Act::ManageMembers(id))?;
    desk.page(&ask_remove(&desk, &group, &subject(input.get("who"))?).await?)
}

/// `POST /admin/groups/{id}/members/remove`.
pub(super) async fn remove(Path(id): Path<GroupId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let group = load(&desk, &id).await?;
    let member = subject(input.get("who"))?;
    match cases::remove(&desk.deps, desk.actor(), &id, &member).await {
        Ok(()) => desk.done(&here(&group), "removed"),
        Err(error) => ask_remove(&desk, &group, &member).await?.refused(&desk, error.into()),
    }
}

fn span_form(group: &Group, name: &str, member: &Subject, span: crate::core::directory::Span) -> super::form::FormPage {
    use super::form::{Field, FormPage};
    let fields = vec![
        Field::time("from", "From (UTC)", &pick::time_text(span.from)).hint("Empty: at once."),
        Field::time("until", "Until (UTC)", &pick::time_text(span.until)).hint("Empty: without an end."),
        Field::hidden("who", &subject_text(member)),
    ];
    FormPage::new(&format!("When is {name} in {}?", group.name), &format!("{}/members/span", here(group)), "Save", fields)
        .under(&[("Groups", "/admin/groups"), (&group.name, &here(group))])
}

/// `GET /admin/groups/{id}/members/span`: from when until when.
pub(super) async fn span_of(desk: Desk, Path(id): Path<GroupId>, Query(input): Query<Input>) -> Answer {
    let group = load(&desk, &id).await?;
    desk.sees(&Act::ManageMembers(id.clone()))?;
    let member = subject(input.get("who"))?;
    let found = memberships::find(&mut desk.db(), &id, &member, cases::MANUAL).await?.ok_or_else(Fault::gone)?;
    desk.page(&span_form(&group, &named(&desk, &member).await?, &member, found.span))
}

/// `POST /admin/groups/{id}/members/span`: shows what it does, then does it.
pub(super) async fn set_span(Path(id): Path<GroupId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let group = load(&desk, &id).await?;
    let member = subject(input.get("who"))?;
    let name = named(&desk, &member).await?;
    let form = || span_form(&group, &name, &member, crate::core::directory::Span::ALWAYS);
    let span = match span(&input) {
        Ok(span) => span,
        Err(fault) => return desk.again(fault, form(), &input),
    };
    if !input.ticked("confirmed") {
        desk.sees(&Act::ManageMembers(id.clone()))?;
        let ask = Confirm::new(
            &format!("Change when {name} is in {}?", group.name),
            &format!("{}/members/span", here(&group)),
            "Change",
        )
        .under(&[("Groups", "/admin/groups"), (&group.name, &here(&group))])
        .with("who", &subject_text(&member))
        .with("from", &pick::time_text(span.from))
        .with("until", &pick::time_text(span.until))
        .with("confirmed", "true");
        let change = ProposedChange::ChangeMembership { group: id, member, span };
        return desk.page(&ask.trying(&desk, &change).await?);
    }
    match cases::change_span(&desk.deps, desk.actor(), &id, &member, span).await {
        Ok(_) => desk.done(&here(&group), "saved"),
        Err(error) => desk.again(error.into(), form(), &input),
    }
}
