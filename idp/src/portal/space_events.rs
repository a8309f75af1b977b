//! What agents saw in a Space, and the history of its administration.

use super::desk::{Answer, Desk};
use super::history::{self, Entry};
use super::space::{Head, head, load};
use crate::accounts::agent_status::{self, Event};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::http::Path;
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
}

impl EventView {
    pub(super) fn samples() -> Vec<Self> {
        let event = |kind: &str, tone| Self {
            at: Timestamp(1_795_352_400_000),
            kind: kind.into(),
            tone,
            title: "Drift repaired".into(),
            text: if tone == "bad" { String::new() } else { "team/Teams-1".into() },
        };
        vec![event("drift", "warn"), event("alarm", "bad"), event("probe", "ok")]
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
                let parts = [text("item"), text("found"), text("by")];
                (tone, title.to_owned(), parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · "))
            }
            "alarm" => ("bad", format!("Alarm: {}", text("code")), text("message")),
            "probe" => ("ok", "The Space proved its client secret".to_owned(), String::new()),
            "agent" => ("info", "Agent".to_owned(), plain(&event.detail)),
            other => ("info", other.to_owned(), plain(&event.detail)),
        };
        Self { at: event.at, kind: event.kind, tone, title, text: words }
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
    history: Option<Vec<Entry>>,
}

/// `GET /admin/spaces/{id}/events`.
pub(super) async fn show(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    let events = agent_status::events(&desk.deps, desk.actor(), &id, 100).await?;
    let filter = Filter { space: Some(id), ..Filter::default() };
    let history = history::read(&desk, &filter, None, 50).await?;
    desk.page(&EventsPage {
        head: head(&desk, &space, "events").await?,
        events: events.into_iter().map(EventView::from).collect(),
        history: history.map(|(lines, _)| lines),
    })
}

impl Page for EventsPage {
    const TEMPLATE: &'static str = "admin/space_events.html";
    fn samples() -> Vec<Self> {
        let head = Head::sample("events");
        vec![
            Self { head: head.clone(), events: EventView::samples(), history: Some(vec![Entry::sample()]) },
            Self { head, events: vec![], history: Some(vec![]) },
        ]
    }
}
crate::page!(EventsPage);
