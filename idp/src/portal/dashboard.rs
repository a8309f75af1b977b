//! The first page: how every Space is doing, what waits for a decision, where to go.

use super::desk::{Answer, Desk, Fault, Watch};
use super::live;
use super::spaces::{own, standing};
use crate::accounts::{agent_status, recovery};
use crate::core::Timestamp;
use crate::core::policy::{Act, Scope};
use crate::pages::Page;
use crate::storage::channel::Totals;
use crate::storage::{audit, groups, people};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// So many Spaces are listed, those that need something first; the figures are about all.
const SHOWN: i64 = 50;

#[derive(Clone, Debug, Serialize)]
struct SpaceLine {
    id: String,
    name: String,
    base_url: String,
    standing: &'static str,
    tone: &'static str,
    enrolled: bool,
    connected: bool,
    since: Option<Timestamp>,
    pending: bool,
    applied: i64,
    applied_ms: Option<i64>,
    failed: i64,
    undecided: i64,
}

/// The part that changes by itself.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DashboardLive {
    spaces: Vec<SpaceLine>,
    total: i64,
    connected: i64,
    offline: i64,
    undecided: i64,
    failed: i64,
    may_enlist: bool,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Dashboard {
    live: DashboardLive,
    people: Option<(i64, i64)>,
    groups: Option<i64>,
    may_people: bool,
    may_groups: bool,
    explain: bool,
    sees_spaces: bool,
    recovered: Vec<Recovered>,
}

/// Somebody was made an owner from the host in the last week (rules C11: announced).
#[derive(Clone, Debug, Serialize)]
struct Recovered {
    person: String,
    id: String,
    by: String,
    at: Timestamp,
}

async fn recovered(desk: &Desk) -> Result<Vec<Recovered>, Fault> {
    let filter = audit::Filter {
        action: Some(recovery::ACTION.into()),
        from: Some(desk.deps.clock.now().plus_secs(-7 * 86_400)),
        ..audit::Filter::default()
    };
    let lines = audit::page(&mut desk.db(), &filter, None, 5).await?.items;
    Ok(lines.into_iter().map(|l| Recovered { person: l.object_name, id: l.object_id, by: l.actor_name, at: l.at }).collect())
}

async fn read(desk: &Desk) -> Result<DashboardLive, Fault> {
    let overview = agent_status::overview(&desk.deps, desk.actor()).await?;
    let (totals, rows) = if desk.may(&Act::ReadAll) {
        let (totals, rows) = agent_status::fleet(&desk.deps, desk.actor(), SHOWN).await?;
        (Some(totals), rows)
    } else if desk.actor().rights.iter().any(|r| matches!(r.scope, Scope::Space(_))) {
        (None, own(desk).await?.into_iter().map(|s| (s.id, s.name, s.base_url)).collect())
    } else {
        (None, Vec::new())
    };
    let lines = rows.into_iter().map(|(id, name, base_url)| {
        let o = overview.get(&id);
        let (standing, tone) = standing(o);
        SpaceLine {
            id: id.to_string(),
            name,
            base_url,
            standing,
            tone,
            enrolled: o.is_some_and(|o| o.enrolled),
            connected: o.is_some_and(|o| o.connected),
            since: o.and_then(|o| o.since),
            pending: o.is_some_and(|o| o.pending),
            applied: o.map_or(0, |o| o.applied),
            applied_ms: o.and_then(|o| o.applied_ms),
            failed: o.map_or(0, |o| o.failed_items),
            undecided: o.map_or(0, |o| o.undecided),
        }
    });
    let spaces: Vec<SpaceLine> = lines.collect();
    let count = |of: fn(&SpaceLine) -> bool| i64::try_from(spaces.iter().filter(|s| of(s)).count()).unwrap_or(i64::MAX);
    let totals = totals.unwrap_or_else(|| Totals {
        spaces: count(|_| true),
        enrolled: count(|s| s.enrolled),
        connected: count(|s| s.connected),
        failed: spaces.iter().map(|s| s.failed).sum(),
        undecided: spaces.iter().map(|s| s.undecided).sum(),
    });
    Ok(DashboardLive {
        total: totals.spaces,
        connected: totals.connected,
        offline: totals.enrolled - totals.connected,
        undecided: totals.undecided,
        failed: totals.failed,
        may_enlist: desk.may(&Act::ManageSpaces),
        spaces,
    })
}

/// `GET /admin`.
pub(super) async fn show(desk: Desk) -> Answer {
    let all = desk.may(&Act::ReadAll);
    desk.page(&Dashboard {
        live: read(&desk).await?,
        people: if all { Some(people::count(&mut desk.db()).await?) } else { None },
        groups: if all { Some(groups::count(&mut desk.db()).await?) } else { None },
        may_people: desk.may(&Act::ManagePeople),
        may_groups: desk.may(&Act::ManageGroups),
        explain: desk.may(&Act::Explain),
        sees_spaces: all || desk.actor().rights.iter().any(|r| matches!(r.scope, Scope::Space(_))),
        recovered: if all { recovered(&desk).await? } else { Vec::new() },
    })
}

/// `GET /admin/live`.
pub(super) async fn stream(Watch(desk): Watch) -> Response {
    let fragment = |desk: Desk| async move { Ok::<_, Fault>(desk.show().fragment(&read(&desk).await?)?) };
    live::stream(desk, None, fragment).into_response()
}

impl Page for DashboardLive {
    const TEMPLATE: &'static str = "admin/dashboard_live.html";
    fn samples() -> Vec<Self> {
        let line = |standing, tone, enrolled, connected| SpaceLine {
            id: "x".into(),
            name: "Mars".into(),
            base_url: "https://mars.example.com".into(),
            standing,
            tone,
            enrolled,
            connected,
            since: enrolled.then_some(Timestamp(1)),
            pending: !connected,
            applied: 5,
            applied_ms: connected.then_some(41),
            failed: i64::from(!connected),
            undecided: i64::from(!connected),
        };
        let full = Self {
            spaces: vec![
                line("connected", "ok", true, true),
                line("offline", "bad", true, false),
                line("not enrolled", "", false, false),
            ],
            total: 60,
            connected: 1,
            offline: 1,
            undecided: 2,
            failed: 1,
            may_enlist: true,
        };
        let bare = Self { spaces: vec![], total: 0, connected: 0, offline: 0, undecided: 0, failed: 0, may_enlist: true };
        vec![Self { may_enlist: false, ..bare.clone() }, bare, full]
    }
}
crate::page!(DashboardLive);

impl Page for Dashboard {
    const TEMPLATE: &'static str = "admin/dashboard.html";
    fn samples() -> Vec<Self> {
        let page = |live| Self {
            live,
            people: Some((5, 4)),
            groups: Some(3),
            may_people: true,
            may_groups: true,
            explain: true,
            sees_spaces: true,
            recovered: vec![Recovered {
                person: "Barry".into(),
                id: "x".into(),
                by: "root on the host".into(),
                at: Timestamp(1_795_352_400_000),
            }],
        };
        let live = DashboardLive::samples();
        let mut pages: Vec<Self> = live.into_iter().map(page).collect();
        if let Some(first) = pages.first().cloned() {
            pages.push(Self {
                people: None,
                groups: None,
                may_people: false,
                may_groups: false,
                explain: false,
                sees_spaces: false,
                recovered: Vec::new(),
                ..first
            });
        }
        pages
    }
}
crate::page!(Dashboard);
