//! A list as a page: search, filter, rows, pages by cursor, and what to do when there is nothing.

use super::desk::{Desk, Input, url};
use crate::core::text::fold;
use crate::pages::Page;
use serde::Serialize;

/// Rows on a page.
pub(super) const PAGE: i64 = 50;

/// A part of a list that is shown on the page of its owner: those that fit a search, page by page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Part {
    pub(super) q: String,
    /// `51–100 of 1200`, when they are not all on the page.
    pub(super) text: String,
    pub(super) next: Option<String>,
    pub(super) first: Option<String>,
    /// All there are, without the search.
    pub(super) total: usize,
}

impl Part {
    /// Takes from `items` those in whose `name` the search `q` of the request is found, a page of them from `skip` on.
    /// `path` is where the page stands.
    pub(super) fn of<T>(items: Vec<T>, input: &Input, path: &str, name: impl Fn(&T) -> String) -> (Vec<T>, Self) {
        let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let q: String = input.get("q").chars().take(200).collect();
        let (total, wanted) = (items.len(), fold(&q));
        let found: Vec<T> = items.into_iter().filter(|item| fold(&name(item)).contains(&wanted)).collect();
        let count = found.len();
        let skip = input.get("skip").parse::<usize>().unwrap_or(0).min(count);
        let shown: Vec<T> = found.into_iter().skip(skip).take(most).collect();
        let end = skip.saturating_add(shown.len());
        let at = |skip: usize| url(path, &[("q", q.as_str()), ("skip", &skip.to_string())]);
        let text = if skip > 0 || end < count { format!("{}–{end} of {count}", skip.saturating_add(1)) } else { String::new() };
        let next = (end < count).then(|| at(end));
        let first = (skip > 0).then(|| url(path, &[("q", q.as_str())]));
        (shown, Self { text, next, first, total, q })
    }
    /// For samples: a page in the middle.
    pub(super) fn sample() -> Self {
        Self {
            q: "b".into(),
            text: "51–100 of 120".into(),
            next: Some("/admin/x?skip=100".into()),
            first: Some("/admin/x".into()),
            total: 300,
        }
    }
}

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
