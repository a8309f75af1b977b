//! Two people who turn out to be one: find the other, see what it does, join; and take them apart again.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::person::load;
use super::pick::{Pick, What, named, subject};
use super::providers::manage;
use crate::accounts::access::ProposedChange;
use crate::accounts::merging;
use crate::core::Timestamp;
use crate::core::directory::Subject;
use crate::core::ids::PersonId;
use crate::http::{Path, Query};
use crate::storage::people::Person;
use serde::Serialize;

/// A join, on the page of either person.
#[derive(Clone, Debug, Serialize)]
pub(super) struct JoinView {
    id: String,
    other: String,
    href: String,
    /// Whether the person of the page is the one who stayed.
    stayed: bool,
    at: Timestamp,
    by: String,
}

impl JoinView {
    pub(super) fn sample() -> Self {
        let at = Timestamp(1_795_352_400_000);
        Self { id: "x".into(), other: "Bob".into(), href: "/admin/people/x".into(), stayed: true, at, by: "Barry".into() }
    }
}

/// The joins of a person.
pub(super) async fn of(desk: &Desk, person: &PersonId) -> Result<Vec<JoinView>, Fault> {
    let rows = merging::of_person(&desk.deps, desk.actor(), person).await?;
    let view = |(row, other): (crate::storage::joins::JoinRow, String)| {
        let stayed = row.kept == *person;
        let href = format!("/admin/people/{}", if stayed { &row.gone } else { &row.kept });
        JoinView { id: row.id, other, href, stayed, at: row.joined_at, by: row.joined_by }
    };
    Ok(rows.into_iter().map(view).collect())
}

fn here(person: &Person) -> String {
    format!("/admin/people/{}", person.id)
}

/// `GET /admin/people/{id}/join`: find the other one.
pub(super) async fn picking(desk: Desk, Path(id): Path<PersonId>, Query(input): Query<Input>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&manage())?;
    let page = Pick {
        title: format!("Who is also {}?", person.display_name),
        text: "The person whom you choose goes: identities, addresses, memberships and grants come over. What that does is shown before it is done.".into(),
        trail: vec![("People".into(), "/admin/people".into()), (person.display_name.clone(), here(&person))],
        action: format!("{}/join", here(&person)),
        next: format!("{}/join/check", here(&person)),
        label: "Name of the person",
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::People).await?)
}

async fn ask(desk: &Desk, person: &Person, who: &str) -> Result<(Confirm, PersonId), Fault> {
    let chosen = subject(who)?;
    let name = named(desk, &chosen).await?;
    let Subject::Person(gone) = chosen else { return Err(Fault::gone()) };
    let confirm = Confirm::new(
        &format!("Join {name} into {}?", person.display_name),
        &format!("{}/join", here(person)),
        "Join them",
    )
    .danger()
    .text(&format!("{name} is disabled, and whoever proved to be {name} is {} from now on. Administrative rights do not come over; accounts of {name} in Spaces become inactive. It can be undone.", person.display_name))
    .with("who", who)
    .under(&[("People", "/admin/people"), (&person.display_name, &here(person))])
    .trying(desk, &ProposedChange::JoinPeople { kept: person.id.clone(), gone: gone.clone() })
    .await?;
    Ok((confirm, gone))
}

/// `GET /admin/people/{id}/join/check`: what it does.
pub(super) async fn check(desk: Desk, Path(id): Path<PersonId>, Query(input): Query<Input>) -> Answer {
    let person = load(&desk, &id).await?;
    desk.sees(&manage())?;
    let (confirm, _) = ask(&desk, &person, input.get("who")).await?;
    desk.page(&confirm)
}

/// `POST /admin/people/{id}/join`.
pub(super) async fn join(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let person = load(&desk, &id).await?;
    desk.sees(&manage())?;
    let (confirm, gone) = ask(&desk, &person, input.get("who")).await?;
    match merging::join(&desk.deps, desk.actor(), &id, &gone).await {
        Ok(_) => desk.done(&here(&person), "joined"),
        Err(error) => confirm.refused(&desk, error.into()),
    }
}

/// `POST /admin/people/{id}/joins/{join}/undo`.
pub(super) async fn undo(Path((id, join)): Path<(PersonId, String)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = load(&desk, &id).await?;
    merging::undo(&desk.deps, desk.actor(), &join).await?;
    desk.done(&here(&person), "split")
}
