//! One Space: how it is doing, live.

use super::desk::{Answer, Desk, Fault, Watch};
use super::live;
use crate::accounts::agent_status::{self, AgentStatus, Item, SectionStatus, SpaceStatus};
use crate::core::Timestamp;
use crate::core::directory::Subject;
use crate::core::ids::SpaceId;
use crate::core::policy::Act;
use crate::http::Path;
use crate::pages::Page;
use crate::storage::spaces::{self, Space};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What stands above every page of a Space.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Head {
    id: String,
    name: String,
    slug: String,
    base_url: String,
    description: String,
    tab: &'static str,
    undecided: i64,
    may: bool,
    lists: bool,
}

impl Head {
    pub(super) fn sample(tab: &'static str) -> Self {
        Self {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            name: "Mars".into(),
            slug: "mars".into(),
            base_url: "https://mars.example.com".into(),
            description: "Research.".into(),
            tab,
            undecided: 2,
            may: true,
            lists: true,
        }
    }
}

/// A Space that the caller may see.
pub(super) async fn load(desk: &Desk, id: &SpaceId) -> Result<Space, Fault> {
    desk.sees(&Act::ReadSpace(id.clone()))?;
    spaces::find(&mut desk.db(), id).await?.ok_or_else(Fault::gone)
}

/// The head of a page of a Space.
pub(super) async fn head(desk: &Desk, space: &Space, tab: &'static str) -> Result<Head, Fault> {
    let overview = agent_status::overview(&desk.deps, desk.actor()).await?;
    Ok(Head {
        id: space.id.to_string(),
        name: space.name.clone(),
        slug: space.slug.clone(),
        base_url: space.base_url.clone(),
        description: space.description.clone(),
        tab,
        undecided: overview.get(&space.id).map_or(0, |o| o.undecided),
        may: desk.may(&Act::ManageSpace(space.id.clone())),
        lists: desk.may(&Act::ReadAll),
    })
}

#[derive(Clone, Debug, Serialize)]
struct AgentView {
    connected: bool,
    since: Option<Timestamp>,
    server_version: String,
    agent_version: String,
    capabilities: Vec<String>,
    installation_id: String,
    base_url: String,
    /// The agent reports another address than the one that was enlisted.
    elsewhere: bool,
    enrolled_at: Timestamp,
}

impl AgentView {
    fn new(agent: AgentStatus, space: &Space) -> Self {
        Self {
            elsewhere: agent.base_url.trim_end_matches('/') != space.base_url,
            connected: agent.connected,
            since: agent.since,
            server_version: agent.server_version,
            agent_version: agent.agent_version,
            capabilities: agent.capabilities,
            installation_id: agent.installation_id,
            base_url: agent.base_url,
            enrolled_at: agent.enrolled_at,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct SectionView {
    name: String,
    revision: i64,
    applied: i64,
    pending: bool,
    removals_pending: bool,
    committed_at: Timestamp,
    applied_at: Option<Timestamp>,
    applied_ms: Option<i64>,
    failed_items: i64,
    seen_at: Option<Timestamp>,
}

impl SectionView {
    fn new(name: String, s: SectionStatus) -> Self {
        Self {
            name,
            revision: s.revision,
            applied: s.applied,
            pending: s.pending,
            removals_pending: s.removals_pending,
            committed_at: s.committed_at,
            applied_at: s.applied_at,
            applied_ms: s.applied_ms,
            failed_items: s.failed_items,
            seen_at: s.seen_at,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct ItemView {
    item: String,
    person: Option<(Option<String>, String)>,
    state: String,
    message: Option<String>,
    residual: Vec<String>,
    at: Timestamp,
}

impl ItemView {
    fn new(item: Item, desk: &Desk) -> Self {
        let person = item.person.map(|(id, name)| (super::space_access::href(desk, &Subject::Person(id)), name));
        Self { person, item: item.item, state: item.state, message: item.message, residual: item.residual, at: item.at }
    }
}

/// The part of the page that changes by itself.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SpaceLive {
    head: Head,
    agent: Option<AgentView>,
    sections: Vec<SectionView>,
    marked: bool,
    applied: bool,
    open_code: Option<Timestamp>,
    secret_wanted: i64,
    secret_made: i64,
    secret_proven_at: Option<Timestamp>,
    items: Vec<ItemView>,
    events: Vec<super::space_events::EventView>,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SpacePage {
    head: Head,
    live: SpaceLive,
}

/// Items of a kind on the page.
const SHOWN: i64 = 100;

async fn read(desk: &Desk, space: &Space) -> Result<SpaceLive, Fault> {
    let (deps, actor) = (&desk.deps, desk.actor());
    let status: SpaceStatus = agent_status::status(deps, actor, &space.id).await?;
    // closed inner spaces first; neither list hides the other, however long it is
    let begin = (agent_status::CLOSED_SPACES.to_owned(), String::new());
    let mut items = agent_status::items_page(deps, actor, &space.id, Some(&begin), SHOWN).await?.items;
    items.retain(|item| item.section == agent_status::CLOSED_SPACES);
    let mut others = agent_status::items(deps, actor, &space.id).await?;
    others.retain(|item| item.section != agent_status::CLOSED_SPACES);
    others.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    items.extend(others);
    let events = agent_status::events(deps, actor, &space.id, 8).await?;
    Ok(SpaceLive {
        head: head(desk, space, "status").await?,
        applied: status.is_applied(),
        agent: status.agent.map(|agent| AgentView::new(agent, space)),
        sections: status.sections.into_iter().map(|(name, section)| SectionView::new(name, section)).collect(),
        marked: status.marked,
        open_code: status.open_code,
        secret_wanted: status.secret.wanted,
        secret_made: status.secret.made,
        secret_proven_at: status.secret.proven_at,
        items: items.into_iter().map(|item| ItemView::new(item, desk)).collect(),
        events: super::space_events::EventView::read(desk, events).await?,
    })
}

/// `GET /admin/spaces/{id}`.
pub(super) async fn show(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    let live = read(&desk, &space).await?;
    desk.page(&SpacePage { head: live.head.clone(), live })
}

/// `GET /admin/spaces/{id}/live`: the changing part over SSE.
pub(super) async fn stream(Watch(desk): Watch, Path(id): Path<SpaceId>) -> Result<Response, Fault> {
    load(&desk, &id).await?;
    let of = id.clone();
    let fragment = move |desk: Desk| {
        let id = id.clone();
        async move {
            let live = read(&desk, &load(&desk, &id).await?).await?;
            Ok::<_, Fault>(desk.show().fragment(&live)?)
        }
    };
    Ok(live::stream(desk, Some(of), fragment).into_response())
}

impl Page for SpaceLive {
    const TEMPLATE: &'static str = "admin/space_live.html";
    fn samples() -> Vec<Self> {
        let at = Timestamp(1_795_352_400_000);
        let agent = |connected| AgentView {
            connected,
            since: Some(at),
            server_version: "2026.1".into(),
            agent_version: "0.1.0".into(),
            capabilities: vec!["users".into()],
            installation_id: "i".into(),
            base_url: "https://other".into(),
            elsewhere: !connected,
            enrolled_at: at,
        };
        let section = |pending| SectionView {
            name: if pending { "access".into() } else { "authentication".into() },
            revision: 5,
            applied: 4,
            pending,
            removals_pending: pending,
            committed_at: at,
            applied_at: (!pending).then_some(at),
            applied_ms: (!pending).then_some(41),
            failed_items: i64::from(pending),
            seen_at: Some(at),
        };
        let item = |state: &str, person: bool| ItemView {
            item: "person/x".into(),
            person: person.then(|| (Some("/admin/people/x".into()), "Bob".into())),
            state: state.into(),
            message: person.then(|| "No.".into()),
            residual: if person { vec!["API key".into()] } else { vec![] },
            at,
        };
        let full = Self {
            head: Head::sample("status"),
            agent: Some(agent(true)),
            sections: vec![section(true), section(false)],
            marked: true,
            applied: false,
            open_code: Some(at),
            secret_wanted: 2,
            secret_made: 1,
            secret_proven_at: Some(at),
            items: ["failed", "needs_decision", "locally_disabled", "applied", "closed"]
                .into_iter()
                .map(|s| item(s, !["failed", "closed"].contains(&s)))
                .collect(),
            events: super::space_events::EventView::samples(),
        };
        let bare = Self {
            agent: None,
            sections: vec![],
            marked: false,
            open_code: None,
            secret_made: 0,
            secret_proven_at: None,
            items: vec![],
            events: vec![],
            ..full.clone()
        };
        let steady =
            Self { agent: Some(agent(true)), sections: vec![section(false)], marked: false, applied: true, ..full.clone() };
        let lost = Self { agent: Some(AgentView { since: None, ..agent(false) }), ..full.clone() };
        vec![full, bare, steady, lost]
    }
}
crate::page!(SpaceLive);

impl Page for SpacePage {
    const TEMPLATE: &'static str = "admin/space.html";
    fn samples() -> Vec<Self> {
        SpaceLive::samples().into_iter().map(|live| Self { head: live.head.clone(), live }).collect()
    }
}
crate::page!(SpacePage);
