//! Finding a person or group and saying from when until when: the first step of adding a member or giving a grant. The next
//! step shows what it does.

use super::desk::{Desk, Fault, Input};
use super::list::searched;
use crate::core::Timestamp;
use crate::core::directory::{Span, Subject};
use crate::core::ids::{GroupId, PersonId};
use crate::core::policy::Act;
use crate::core::text::fold;
use crate::http::Problem;
use crate::pages::Page;
use crate::storage::{groups, people, spaces};
use axum::http::StatusCode;
use serde::Serialize;

/// So many are offered; a longer text finds fewer.
const MOST: i64 = 12;

/// Somebody to choose.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Found {
    value: String,
    name: String,
    sub: String,
    kind: &'static str,
}

/// The page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Pick {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) trail: Vec<(String, String)>,
    /// Where the search leads: this page.
    pub(super) action: String,
    /// Where the choice leads.
    pub(super) next: String,
    pub(super) label: &'static str,
    /// Name of the choice; empty: `who`.
    pub(super) radio: &'static str,
    /// Sent along with search and choice.
    pub(super) hidden: Vec<(String, String)>,
    pub(super) with_span: bool,
    pub(super) q: String,
    pub(super) from: String,
    pub(super) until: String,
    pub(super) exact: bool,
    /// `people`, `groups` or `both`: for the words of the page.
    pub(super) wanted: &'static str,
    pub(super) options: Vec<Found>,
    pub(super) more: bool,
    pub(super) cancel: String,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// People and groups.
    Both,
    /// People.
    People,
    /// Groups.
    Groups,
}

impl Pick {
    /// Looks for what was typed. Somebody who may not read the directory must know the exact user name or address of a
    /// person, the exact name or id of a group.
    pub(super) async fn find(mut self, desk: &Desk, input: &Input, what: What) -> Result<Self, Fault> {
        self.q = input.get("q").chars().take(200).collect();
        self.from = input.get("from").into();
        self.until = input.get("until").into();
        self.exact = !desk.may(&Act::ReadAll);
        self.cancel = self.trail.last().map(|(_, href)| href.clone()).unwrap_or_default();
        self.wanted = match what {
            What::Both => "both",
            What::People => "people",
            What::Groups => "groups",
        };
        let db = &mut desk.db();
        let person = |p: people::Person| Found {
            value: format!("person:{}", p.id),
            sub: p.username,
            name: p.display_name,
            kind: "person",
        };
        let group =
            |g: groups::Group| Found { value: format!("group:{}", g.id), sub: g.description, name: g.name, kind: "group" };
        if self.exact {
            if self.q.is_empty() {
                return Ok(self);
            }
            if what != What::People {
                let id = match GroupId::parse(&self.q) {
                    Ok(id) => Some(id),
                    Err(_) => groups::by_name(db, &fold(&self.q)).await?,
                };
                let found = match id {
                    Some(id) => groups::find(db, &id).await?,
                    None => None,
                };
                // what it is for is told to whoever may read it
                self.options.extend(found.map(|g| Found { sub: String::new(), ..group(g) }));
            }
            if what != What::Groups {
                self.options.extend(people::by_sign_in_name(db, &fold(&self.q)).await?.map(person));
            }
            return Ok(self);
        }
        let text = Some(self.q.clone()).filter(|q| !q.is_empty());
        if what != What::Groups {
            let page = people::page(db, &people::Filter { text: text.clone(), active: None }, None, MOST).await?;
            self.more |= page.more;
            self.options.extend(page.items.into_iter().map(person));
        }
        if what != What::People {
            let page = groups::page(db, text.as_deref(), None, MOST).await?;
            self.more |= page.more;
            self.options.splice(0..0, page.items.into_iter().map(group));
        }
        Ok(self)
    }
}

impl Pick {
    /// Looks for a Space or group by part of its name; offers everything as long as nothing was typed. For whoever may read
    /// everything.
    pub(super) async fn find_scope(mut self, desk: &Desk, input: &Input) -> Result<Self, Fault> {
        let (q, text) = searched(input);
        self.q = q;
        self.wanted = "scopes";
        self.cancel = self.trail.last().map(|(_, href)| href.clone()).unwrap_or_default();
        let db = &mut desk.db();
        if text.is_none() {
            self.options.push(Found { value: "all".into(), name: "Everything".into(), sub: String::new(), kind: "all" });
        }
        let found = spaces::page(db, text.as_deref(), None, MOST).await?;
        self.more |= found.more;
        let space = |s: spaces::Space| Found { value: format!("space:{}", s.id), name: s.name, sub: s.base_url, kind: "Space" };
        self.options.extend(found.items.into_iter().map(space));
        let found = groups::page(db, text.as_deref(), None, MOST).await?;
        self.more |= found.more;
        let group =
            |g: groups::Group| Found { value: format!("group:{}", g.id), name: g.name, sub: g.description, kind: "group" };
        self.options.extend(found.items.into_iter().map(group));
        Ok(self)
    }
}

fn wrong(field: &'static str, text: &str) -> Fault {
    Fault(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "form.invalid", text).field(field))
}

/// Reads `person:ID` or `group:ID`.
pub(super) fn subject(text: &str) -> Result<Subject, Fault> {
    let bad = || wrong("who", "Choose a person or a group.");
    match text.split_once(':').ok_or_else(bad)? {
        ("person", id) => PersonId::parse(id).map(Subject::Person).map_err(|_| bad()),
        ("group", id) => GroupId::parse(id).map(Subject::Group).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

/// The text that [`subject`] reads.
pub(super) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Person(id) => format!("person:{id}"),
        Subject::Group(id) => format!("group:{id}"),
    }
}

/// A point in time from a form, UTC; empty means none.
pub(super) fn time(input: &Input, field: &'static str) -> Result<Option<Timestamp>, Fault> {
    let bad = || wrong(field, "Write a time in UTC such as 2027-01-31T18:00.");
    input.filled(field).map(|text| Timestamp::parse(text).ok_or_else(bad)).transpose()
}

/// For `<input type="datetime-local">`.
pub(super) fn time_text(at: Option<Timestamp>) -> String {
    at.map(|at| at.rfc3339().chars().take(16).collect()).unwrap_or_default()
}

/// From and until of a form.
pub(super) fn span(input: &Input) -> Result<Span, Fault> {
    Ok(crate::accounts::input::span(time(input, "from")?, time(input, "until")?)?)
}

/// Name and page of a person or group.
pub(super) async fn named(desk: &Desk, subject: &Subject) -> Result<String, Fault> {
    let db = &mut desk.db();
    let name = match subject {
        Subject::Person(id) => people::find(db, id).await?.map(|p| p.display_name),
        Subject::Group(id) => groups::find(db, id).await?.map(|g| g.name),
    };
    name.ok_or_else(Fault::gone)
}

impl Page for Pick {
    const TEMPLATE: &'static str = "admin/pick.html";
    fn samples() -> Vec<Self> {
        let option = |kind| Found { value: "person:x".into(), name: "Bob".into(), sub: "bob".into(), kind };
        let page = Self {
            title: "Add a member".into(),
            text: "Text.".into(),
            trail: vec![("Groups".into(), "/admin/groups".into())],
            action: "/admin/x".into(),
            next: "/admin/y".into(),
            label: "Name",
            wanted: "both",
            with_span: true,
            q: "b".into(),
            options: vec![option("person"), option("group")],
            more: true,
            ..Self::default()
        };
        let none = Self { options: vec![], exact: true, with_span: false, ..page.clone() };
        let of = |wanted| [Self { q: String::new(), wanted, ..none.clone() }, Self { wanted, ..none.clone() }];
        let mut pages: Vec<Self> = ["people", "groups", "both"].into_iter().flat_map(of).collect();
        let scopes = Self {
            wanted: "scopes",
            radio: "scope",
            hidden: vec![("who".into(), "person:x".into())],
            options: vec![option("all"), option("Space"), option("group")],
            ..page.clone()
        };
        pages.extend([Self { exact: false, wanted: "both", ..none }, Self { options: vec![], ..scopes.clone() }, scopes, page]);
        pages
    }
}
crate::page!(Pick);
