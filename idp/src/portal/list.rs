//! A list as a page: search, filter, rows, pages by cursor, and what to do when there is nothing.

use super::desk::{Desk, Input, url};
use crate::pages::Page;
use crate::storage::page::After;
use serde::Serialize;

/// Rows on a page.
pub(super) const PAGE: i64 = 50;

/// What stands in a column.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cell {
    text: String,
    kind: &'static str,
    tone: &'static str,
    at: Option<crate::core::Timestamp>,
}

impl Cell {
    /// Text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: "text", ..Self::default() }
    }
    /// A name for machines.
    pub(super) fn mono(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: "mono", ..Self::default() }
    }
    /// A word on coloured ground.
    pub(super) fn badge(text: impl Into<String>, tone: &'static str) -> Self {
        Self { text: text.into(), kind: "badge", tone, ..Self::default() }
    }
    /// A dot and a word.
    pub(super) fn status(text: impl Into<String>, tone: &'static str) -> Self {
        Self { text: text.into(), kind: "status", tone, ..Self::default() }
    }
    /// How long ago.
    pub(super) fn ago(at: crate::core::Timestamp) -> Self {
        Self { kind: "ago", at: Some(at), ..Self::default() }
    }
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) href: String,
    pub(super) title: String,
    pub(super) sub: String,
    pub(super) cells: Vec<Cell>,
}

/// A further filter.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) options: Vec<(&'static str, &'static str)>,
}

/// Links to other pages of one list among others on a page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Pager {
    pub(super) first: Option<String>,
    pub(super) next: Option<String>,
}

impl Pager {
    /// `own` are the names of the two parts of the list's cursor in the query, `last` is the cursor of the last row shown if
    /// there are more; the parameters named in `keep` stay.
    pub(super) fn new(
        desk: &Desk,
        input: &Input,
        keep: &[&'static str],
        own: (&'static str, &'static str),
        last: Option<(String, String)>,
    ) -> Self {
        let path = desk.ctx.path.split('?').next().unwrap_or_default();
        let kept: Vec<(&str, &str)> = keep.iter().map(|name| (*name, input.get(name))).collect();
        let next = last.map(|(key, after)| {
            let cursor = [(own.0, key.as_str()), (own.1, after.as_str())];
            url(path, &[kept.as_slice(), cursor.as_slice()].concat())
        });
        Self { first: input.filled(own.1).map(|_| url(path, &kept)), next }
    }
    pub(super) fn sample() -> Self {
        Self { first: Some("/admin/x".into()), next: Some("/admin/x?after=y".into()) }
    }
}

/// A text to search for, as typed; `None` when there is none.
pub(super) fn searched(input: &Input) -> (String, Option<String>) {
    let q: String = input.get("q").chars().take(200).collect();
    let text = Some(q.clone()).filter(|q| !q.is_empty());
    (q, text)
}

/// The cursor of a list of people and groups, from `key` and `after` (`kind:id:source`).
pub(super) fn subjects_after(input: &Input) -> Option<After> {
    let mut parts = input.filled("after")?.splitn(3, ':').map(str::to_owned);
    let (kind, id, source) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    Some(After { kind, key: input.get("key").into(), id, source })
}

/// The two parts of that cursor.
pub(super) fn subjects_last(after: After) -> (String, String) {
    let After { kind, key, id, source } = after;
    (key, if source.is_empty() { format!("{kind}:{id}") } else { format!("{kind}:{id}:{source}") })
}

/// The page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ListPage {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) path: &'static str,
    pub(super) search: &'static str,
    pub(super) q: String,
    pub(super) choices: Vec<Choice>,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
    pub(super) next: Option<String>,
    pub(super) first: Option<String>,
    pub(super) create: Option<(&'static str, &'static str)>,
    pub(super) icon: &'static str,
    pub(super) empty: (&'static str, &'static str),
    pub(super) filtered: bool,
}

impl ListPage {
    /// Sets the links to other pages. `last` is what the next page begins after, if there is one.
    pub(super) fn cursor(mut self, desk: &Desk, input: &Input, last: Option<(String, String)>) -> Self {
        let path = desk.ctx.path.split('?').next().unwrap_or_default().to_owned();
        let mut query: Vec<(&str, &str)> = vec![("q", self.q.as_str())];
        query.extend(self.choices.iter().map(|c| (c.name, c.value.as_str())));
        self.filtered = query.iter().any(|(_, value)| !value.is_empty());
        self.first = input.filled("after").map(|_| url(&path, &query));
        self.next = last.as_ref().map(|(key, id)| {
            let more = [("key", key.as_str()), ("after", id.as_str())];
            url(&path, &[query.as_slice(), more.as_slice()].concat())
        });
        self
    }
}

impl Page for ListPage {
    const TEMPLATE: &'static str = "admin/list.html";
    fn samples() -> Vec<Self> {
        let at = crate::core::Timestamp(1_795_352_400_000);
        let row = Row {
            href: "/admin/people/x".into(),
            title: "Bob".into(),
            sub: "bob".into(),
            cells: vec![Cell::text("x"), Cell::mono("x"), Cell::badge("x", "ok"), Cell::status("x", "bad"), Cell::ago(at)],
        };
        let full = Self {
            title: "People",
            text: "Text.",
            path: "/admin/people",
            search: "Search people",
            choices: vec![Choice { name: "state", label: "State", value: "a".into(), options: vec![("", "All"), ("a", "A")] }],
            columns: vec!["Name", "A", "B", "C", "D", "E"],
            rows: vec![row],
            next: Some("/admin/people?after=x".into()),
            first: Some("/admin/people".into()),
            create: Some(("/admin/people/new", "Create")),
            icon: "people",
            empty: ("Nobody yet", "Create the first one."),
            ..Self::default()
        };
        let bare = Self { rows: vec![], next: None, first: None, ..full.clone() };
        vec![Self { filtered: true, ..bare.clone() }, Self { create: None, ..bare.clone() }, bare, full]
    }
}
crate::page!(ListPage);
