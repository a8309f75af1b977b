//! Identities that wait for a decision: a provider said who somebody is, and whose it is here an administrator must say.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::list::{Cell, ListPage, PAGE, Row};
use super::pick::{Pick, What, named, subject};
use crate::accounts::joining::{self, Verdict};
use crate::core::directory::Subject;
use crate::core::policy::Act;
use crate::http::{Path, Query};
use crate::pages::Page;
use crate::storage::identity_requests::{self as rows, RequestRow};
use crate::storage::people;
use serde::Serialize;

const TRAIL: (&str, &str) = ("Waiting identities", "/admin/identity-requests");

/// `GET /admin/identity-requests`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::ManagePeople)?;
    let found = joining::requests(&desk.deps, desk.actor(), input.get("after"), PAGE).await?;
    let last = found.items.last().filter(|_| found.more).map(|r| (String::new(), r.id.clone()));
    let row = |r: RequestRow| Row {
        href: format!("{}/{}", TRAIL.1, r.id),
        sub: r.said.0.email.unwrap_or_default(),
        cells: vec![Cell::badge(r.provider, "info"), Cell::ago(r.created_at), Cell::ago(r.seen_at)],
        title: r.label,
    };
    let page = ListPage {
        title: "Waiting identities",
        text: "People whom a provider knows and who could not be joined to a person here safely.",
        path: "/admin/identity-requests",
        search: "",
        columns: vec!["Identity", "Provider", "Since", "Last attempt"],
        rows: found.items.into_iter().map(row).collect(),
        icon: "person",
        empty: ("Nothing waits", "Whoever needs a decision appears here."),
        ..ListPage::default()
    };
    desk.page(&page.cursor(&desk, &input, last))
}

/// The page of one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RequestPage {
    row: RequestRow,
    /// Whom it was meant for.
    meant: Option<(String, String)>,
}

async fn load(desk: &Desk, id: &str) -> Result<RequestRow, Fault> {
    desk.sees(&Act::ManagePeople)?;
    rows::find(&mut desk.db(), id).await?.ok_or_else(Fault::gone)
}

/// `GET /admin/identity-requests/{id}`.
pub(super) async fn show(desk: Desk, Path(id): Path<String>) -> Answer {
    let row = load(&desk, &id).await?;
    let meant = match &row.person_id {
        Some(person) => people::find(&mut desk.db(), person).await?.map(|p| (p.id.to_string(), p.display_name)),
        None => None,
    };
    desk.page(&RequestPage { row, meant })
}

/// `GET /admin/identity-requests/{id}/join`: find the person.
pub(super) async fn picking(desk: Desk, Path(id): Path<String>, Query(input): Query<Input>) -> Answer {
    let row = load(&desk, &id).await?;
    let here = format!("{}/{id}", TRAIL.1);
    let page = Pick {
        title: format!("Whose is {}?", row.label),
        text: "Whoever proves this identity signs in as the person whom you choose.".into(),
        trail: vec![(TRAIL.0.into(), TRAIL.1.into()), (row.label, here.clone())],
        action: format!("{here}/join"),
        next: format!("{here}/check"),
        label: "Name of the person",
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::People).await?)
}

async fn ask(desk: &Desk, row: &RequestRow, who: &str) -> Result<Confirm, Fault> {
    let subject = subject(who)?;
    let name = named(desk, &subject).await?;
    let here = format!("{}/{}", TRAIL.1, row.id);
    Ok(Confirm::new(&format!("Is {} the person {name}?", row.label), &format!("{here}/join"), "Join them")
        .text(&format!("Whoever proves this identity at {} signs in as {name} from now on, with everything that {name} may do. Make sure by another way than this page that it is the same human being.", row.provider))
        .with("who", who)
        .under(&[TRAIL, (&row.label, &here)]))
}

/// `GET /admin/identity-requests/{id}/check`: what it means.
pub(super) async fn check(desk: Desk, Path(id): Path<String>, Query(input): Query<Input>) -> Answer {
    let row = load(&desk, &id).await?;
    desk.page(&ask(&desk, &row, input.get("who")).await?)
}

/// `POST /admin/identity-requests/{id}/join`.
pub(super) async fn join(Path(id): Path<String>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let row = load(&desk, &id).await?;
    let Subject::Person(person) = subject(input.get("who"))? else { return Err(Fault::gone()) };
    match joining::settle(&desk.deps, desk.actor(), &id, &Verdict::Join(person.clone())).await {
        Ok(()) => desk.done(&format!("/admin/people/{person}"), "added"),
        Err(error) => ask(&desk, &row, input.get("who")).await?.refused(&desk, error.into()),
    }
}

/// `POST /admin/identity-requests/{id}/refuse`.
pub(super) async fn refuse(Path(id): Path<String>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    load(&desk, &id).await?;
    joining::settle(&desk.deps, desk.actor(), &id, &Verdict::Refuse).await?;
    desk.done(TRAIL.1, "removed")
}

impl Page for RequestPage {
    const TEMPLATE: &'static str = "admin/identity_request.html";
    fn samples() -> Vec<Self> {
        let at = crate::core::Timestamp(1_795_352_400_000);
        let row = RequestRow {
            id: "x".into(),
            provider: "entra".into(),
            subject: "t1.o1".into(),
            label: "geoff@contoso.com".into(),
            said: crate::storage::J(crate::core::joining::Said {
                name: Some("Geoff".into()),
                email: Some("geoff@contoso.com".into()),
                tenant: Some("t1".into()),
                ..Default::default()
            }),
            person_id: None,
            created_at: at,
            seen_at: at,
        };
        let bare = RequestRow { said: crate::storage::J(Default::default()), ..row.clone() };
        vec![Self { row, meant: Some(("x".into(), "Geoff Outsider".into())) }, Self { row: bare, meant: None }]
    }
}
crate::page!(RequestPage);
