//! What agents saw in a Space, and the history of its administration.

use super::desk::{Answer, Desk, Fault, Input, url};
use super::history::{self, Entry};
use super::space::{Head, head, load};
use super::space_access::href;
use crate::accounts::agent_status::{self, Event, Names};
use crate::core::Timestamp;
use crate::core::directory::Subject;
use crate::core::ids::{AuditId, SpaceId};
use crate::http::{Path, Query};
use crate::pages::Page;
use crate::storage::audit::Filter;
use serde::Serialize;
use serde_json::Value;

/// An event as people read it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EventView {
    at: Timestamp,
    kind: String,
    tone: &'static str,
    title: String,
    text: String,
    /// Address and name of the person and the group that it is about; no address for who may not open it.
    about: Vec<(Option<String>, String)>,
}

impl EventView {
    pub(super) fn samples() -> Vec<Self> {
        let event = |kind: &str, tone| Self {
            at: Timestamp(1_795_352_400_000),
            kind: kind.into(),
            tone,
            title: "Drift repaired".into(),
            text: if tone == "bad" { String::new() } else { "bob was removed from team Deployers".into() },
            about: if tone == "warn" {
                vec![(Some("/admin/people/x".into()), "Bob".into()), (None, "Developers".into())]
            } else {
                vec![]
            },
        };
        vec![event("drift", "warn"), event("alarm", "bad"), event("probe", "ok")]
    }

    /// Events with the names of those whom they are about.
    pub(super) async fn read(desk: &Desk, events: Vec<Event>) -> Result<Vec<Self>, Fault> {
        let mut names = Names::default();
        let mut views = Vec::new();
        for event in events {
            let item = event.detail.get("item").and_then(Value::as_str).unwrap_or_default();
            let about = names.about(&desk.deps, item).await?;
            let person = about.person.map(|(id, name)| (Subject::Person(id), name));
            let group = about.group.map(|(id, name)| (Subject::Group(id), name));
            let about = person.into_iter().chain(group).map(|(subject, name)| (href(desk, &subject), name)).collect();
            views.push(Self { about, ..Self::from(event) });
        }
        Ok(views)
    }
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (tone, title, words) = match event.kind.as_str() {
            "drift" => {
                let (tone, title) = match text("action").as_str() {
                    "repaired" => ("warn", "Drift found and repaired"),
                    "respected" => ("info", "Local change found and respected"),
                    "paused" => ("bad", "Drift again and again: additions pause"),
                    "failed" => ("bad", "Drift found, not repaired yet"),
                    _ => ("warn", "Drift found"),
                };
                let by = Some(text("by")).filter(|by| !by.is_empty());
                let words = Some(text("found")).filter(|found| !found.is_empty()).unwrap_or_else(|| text("item"));
                (tone, title.to_owned(), words + &by.map(|by| format!(" by {by}, inside the Space")).unwrap_or_default())
            }
            "alarm" => ("bad", format!("Alarm: {}", text("code")), text("message")),
            "probe" => ("ok", "The Space proved its client secret".to_owned(), String::new()),
            "agent" => ("info", "Agent".to_owned(), plain(&event.detail)),
            other => ("info", other.to_owned(), plain(&event.detail)),
        };
        Self { at: event.at, kind: event.kind, tone, title, text: words, about: Vec::new() }
    }
}

fn plain(detail: &Value) -> String {
    let Value::Object(map) = detail else { return String::new() };
    let word = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    map.iter().filter(|(_, v)| !v.is_null()).map(|(name, v)| format!("{name}: {}", word(v))).collect::<Vec<_>>().join(" · ")
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EventsPage {
    head: Head,
    events: Vec<EventView>,
    next: Option<String>,
    first: Option<String>,
    history: Option<Vec<Entry>>,
    older: Option<String>,
}

/// Lines of each kind on a page.
const LINES: usize = 50;

/// `GET /admin/spaces/{id}/events`: `before` walks through the events, `after` through the history.
pub(super) async fn show(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    let space = load(&desk, &id).await?;
    let (before, after) = (input.filled("before"), input.filled("after"));
    let here = format!("/admin/spaces/{id}/events");
    let most = i64::try_from(LINES).unwrap_or(i64::MAX);
    let mut events = agent_status::events_before(&desk.deps, desk.actor(), &id, before, most + 1).await?;
    let more = events.len() > LINES;
    events.truncate(LINES);
    let next = events.last().filter(|_| more).map(|last| url(&here, &[("before", &last.id)]));
    let filter = Filter { space: Some(id), ..Filter::default() };
    let history = history::read(&desk, &filter, after.and_then(|id| AuditId::parse(id).ok()).as_ref(), most).await?;
    let older = match &history {
        Some((lines, true)) => lines.last().map(|last| url(&here, &[("after", last.id())])),
        _ => None,
    };
    desk.page(&EventsPage {
        head: head(&desk, &space, "events").await?,
        events: EventView::read(&desk, events).await?,
        next,
        first: before.or(after).map(|_| here),
        history: history.map(|(lines, _)| lines),
        older,
    })
}

impl Page for EventsPage {
    const TEMPLATE: &'static str = "admin/space_events.html";
    fn samples() -> Vec<Self> {
        let head = Head::sample("events");
        vec![
            Self {
                head: head.clone(),
                events: EventView::samples(),
                next: Some("/admin/x?before=1".into()),
                first: Some("/admin/x".into()),
                history: Some(vec![Entry::sample()]),
                older: Some("/admin/x?after=1".into()),
            },
            Self { head, events: vec![], next: None, first: None, history: Some(vec![]), older: None },
        ]
    }
}
crate::page!(EventsPage);
