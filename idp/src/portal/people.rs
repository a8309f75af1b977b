//! The list of people, and creating one with a one-time link.

use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::list::{Cell, Choice, ListPage, PAGE, Row};
use super::once::{Once, Value};
use crate::accounts::links::OneTimeLink;
use crate::accounts::people::{self as cases, Created, NewPerson};
use crate::core::ids::PersonId;
use crate::core::policy::Act;
use crate::core::text::{DisplayName, Email, Username, fold};
use crate::http::Query;
use crate::storage::people::{self, Filter, Person};

fn row(person: Person) -> Row {
    Row {
        href: format!("/admin/people/{}", person.id),
        title: person.display_name,
        sub: person.username,
        cells: vec![
            Cell::text(person.space_email),
            if person.active { Cell::status("active", "ok") } else { Cell::status("disabled", "bad") },
            Cell::ago(person.created_at),
        ],
    }
}

/// `GET /admin/people`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::ReadAll)?;
    let q: String = input.get("q").chars().take(200).collect();
    let state = match input.get("state") {
        known @ ("active" | "disabled") => known,
        _ => "",
    };
    let active = match state {
        "active" => Some(true),
        "disabled" => Some(false),
        _ => None,
    };
    let filter = Filter { text: Some(q.clone()).filter(|q| !q.is_empty()), active };
    let after = input.filled("after").and_then(|id| PersonId::parse(id).ok()).map(|id| (input.get("key").to_owned(), id));
    let found = people::page(&mut desk.db(), &filter, after.as_ref(), PAGE).await?;
    let last = found.items.last().filter(|_| found.more).map(|p| (fold(&p.display_name), p.id.to_string()));
    let page = ListPage {
        title: "People",
        text: "Everybody who can sign in. What a person may enter follows from their groups and grants.",
        path: "/admin/people",
        search: "Search name, user name or address",
        q,
        choices: vec![Choice {
            name: "state",
            label: "State",
            value: state.into(),
            options: vec![("", "All"), ("active", "Active"), ("disabled", "Disabled")],
        }],
        columns: vec!["Name", "E-mail", "State", "Created"],
        rows: found.items.into_iter().map(row).collect(),
        create: desk.may(&Act::ManagePeople).then_some(("/admin/people/new", "Create person")),
        icon: "people",
        empty: ("Nobody yet", "Create a person and hand over the one-time link with which they set their password."),
        ..ListPage::default()
    };
    desk.page(&page.cursor(&desk, &input, last))
}

fn form() -> FormPage {
    let fields = vec![
        Field::text("display_name", "Name", "").hint("As people write it, such as Bob Specialist."),
        Field::text("username", "User name", "").hint("Letters, digits, dot, underscore, hyphen. Spaces know the person by it."),
        Field::email("email", "E-mail address", "").hint("Sent to Spaces. Unique: nobody else has or had it."),
        Field::check("email_verified", "I know that this address belongs to the person", false),
        Field::check("password_link", "Make a one-time link to set a password", true),
        Field::check("reuse_former_names", "Take over a user name or address that somebody else had before", false)
            .hint("Owners only. Accounts in Spaces may still carry the old name."),
    ];
    FormPage::new("Create person", "/admin/people/new", "Create person", fields).under(&[("People", "/admin/people")])
}

/// `GET /admin/people/new`.
pub(super) async fn new(desk: Desk) -> Answer {
    desk.sees(&Act::ManagePeople)?;
    desk.page(&form())
}

/// `POST /admin/people/new`.
pub(super) async fn create(post: Post) -> Answer {
    let Post { desk, input } = post;
    match try_create(&desk, &input).await {
        Ok(Created { id, link: Some(link) }) => desk.page(&link_page(&id, input.get("display_name"), link)),
        Ok(Created { id, link: None }) => desk.done(&format!("/admin/people/{id}"), "created"),
        Err(fault) => desk.again(fault, form(), &input),
    }
}

async fn try_create(desk: &Desk, input: &Input) -> Result<Created, Fault> {
    let new = NewPerson {
        display_name: DisplayName::parse("display_name", input.get("display_name"))?,
        username: Username::parse(input.get("username"))?,
        email: Email::parse(input.get("email"))?,
        email_verified: input.ticked("email_verified"),
        reuse_former_names: input.ticked("reuse_former_names"),
        password_link: input.ticked("password_link"),
    };
    Ok(cases::create(&desk.deps, desk.actor(), new).await?)
}

/// The link, shown once.
pub(super) fn link_page(id: &PersonId, name: &str, link: OneTimeLink) -> Once {
    let here = format!("/admin/people/{id}");
    Once {
        title: format!("One-time link for {name}"),
        text: "Send it to the person over a channel that you trust. Whoever opens it sets the password; it works once and is not shown again.".into(),
        trail: vec![("People".into(), "/admin/people".into()), (name.into(), here.clone())],
        values: vec![Value { id: "link", label: "Link", value: link.url }],
        expires_at: Some(link.expires_at),
        next: here,
        next_label: "I have copied the link".into(),
    }
}
