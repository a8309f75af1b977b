//! "Why can, or why can't, this person enter this Space?": the answer in sentences, and the way drawn.

use super::desk::{Answer, Desk, Fault, Input, url};
use super::pick::subject;
use super::space_field::{self, SpaceField};
use crate::accounts::access;
use crate::core::directory::{Facts, Subject};
use crate::core::explain::{Edge, Explanation, Lack, Step, Way};
use crate::core::ids::{PersonId, SpaceId};
use crate::core::policy::Act;
use crate::core::text::fold;
use crate::http::Query;
use crate::pages::Page;
use crate::storage::{groups, people};
use serde::Serialize;

/// Somebody whom a text may mean.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Match {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) sub: String,
}

/// A stop on a way, and the edge to the next one.
#[derive(Clone, Debug, Serialize)]
struct Stop {
    kind: &'static str,
    name: String,
    href: String,
    edge: Option<EdgeView>,
}

#[derive(Clone, Debug, Serialize)]
struct EdgeView {
    text: String,
    holds: bool,
    why: String,
    /// Where the missing edge can be made, for who may.
    mend: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
struct Told {
    yes: bool,
    sentences: Vec<String>,
    ways: Vec<Vec<Stop>>,
    teams: Vec<(String, String)>,
}

/// The page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ExplainPage {
    who: String,
    space: SpaceField,
    matches: Vec<Match>,
    space_matches: Vec<Match>,
    nobody: bool,
    no_space: bool,
    told: Option<Told>,
}

/// What a text means: somebody, or those whom it may mean.
pub(super) enum Meant {
    One(Subject, String),
    Several(Vec<(Subject, String, String)>),
}

/// Finds whom a text means: `person:ID`, a user name, an address, a name, or part of one.
pub(super) async fn meant(desk: &Desk, text: &str, with_groups: bool, with_people: bool) -> Result<Meant, Fault> {
    let db = &mut desk.db();
    if let Ok(subject) = subject(text) {
        let name = super::pick::named(desk, &subject).await?;
        return Ok(Meant::One(subject, name));
    }
    let mut found = Vec::new();
    if with_people {
        if let Some(p) = people::by_sign_in_name(db, &fold(text)).await? {
            return Ok(Meant::One(Subject::Person(p.id), p.display_name));
        }
        let filter = people::Filter { text: Some(text.into()), active: None };
        let page = people::page(db, &filter, None, 10).await?;
        found.extend(page.items.into_iter().map(|p| (Subject::Person(p.id), p.display_name, p.username)));
    }
    if with_groups {
        if let Some(id) = groups::by_name(db, &fold(text)).await? {
            if !with_people {
                let name = super::pick::named(desk, &Subject::Group(id.clone())).await?;
                return Ok(Meant::One(Subject::Group(id), name));
            }
            if let Some(group) = groups::find(db, &id).await? {
                found.push((Subject::Group(id), group.name, "group".to_owned()));
            }
        }
        let page = groups::page(db, Some(text), None, 10).await?;
        for group in page.items {
            let subject = Subject::Group(group.id);
            if found.iter().all(|(other, ..)| *other != subject) {
                found.push((subject, group.name, "group".to_owned()));
            }
        }
    }
    let exact = found.iter().filter(|(_, name, _)| fold(name) == fold(text)).count();
    if exact == 1 {
        found.retain(|(_, name, _)| fold(name) == fold(text));
    }
    match (found.pop(), found.len()) {
        (Some((subject, name, _)), 0) => Ok(Meant::One(subject, name)),
        (last, _) => {
            found.extend(last);
            Ok(Meant::Several(found))
        }
    }
}

/// `GET /admin/explain`.
pub(super) async fn show(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::Explain)?;
    let (space, found) = SpaceField::read(&desk, input.get("space")).await?;
    let mut page = ExplainPage { who: input.get("who").chars().take(200).collect(), space, ..ExplainPage::default() };
    let asked = page.who.clone();
    let (space, key) = match found {
        space_field::Meant::One(space) => (Some(space.id.clone()), space.id.to_string()),
        space_field::Meant::Nothing => (None, String::new()),
        space_field::Meant::Several(found) => {
            page.no_space = found.is_empty();
            let link = |space: &SpaceId| url("/admin/explain", &[("who", asked.as_str()), ("space", space.as_str())]);
            page.space_matches = found.into_iter().map(|s| Match { href: link(&s.id), name: s.name, sub: s.base_url }).collect();
            (None, input.get("space").to_owned())
        }
    };
    if !page.who.is_empty() {
        match meant(&desk, &page.who, false, true).await? {
            Meant::One(Subject::Person(person), name) => {
                page.who = name;
                if let Some(space) = &space {
                    page.told = Some(tell(&desk, &person, space).await?);
                }
            }
            Meant::One(..) => page.nobody = true,
            Meant::Several(found) => {
                page.nobody = found.is_empty();
                let link = |who: String| url("/admin/explain", &[("who", who.as_str()), ("space", key.as_str())]);
                page.matches = found
                    .into_iter()
                    .map(|(subject, name, sub)| Match { href: link(super::pick::subject_text(&subject)), name, sub })
                    .collect();
            }
        }
    }
    desk.page(&page)
}

async fn tell(desk: &Desk, person: &PersonId, space: &SpaceId) -> Result<Told, Fault> {
    let (explanation, facts) = access::explain(&desk.deps, desk.actor(), person, space).await?;
    let names = Names { facts: &facts, explanation: &explanation, desk };
    Ok(Told {
        yes: explanation.span.is_some(),
        sentences: explanation.sentences(&facts),
        ways: explanation.ways.iter().map(|way| names.way(way)).collect(),
        teams: explanation.teams.iter().map(|t| (names.name(&Subject::Group(t.group.clone())), t.team.clone())).collect(),
    })
}

struct Names<'a> {
    facts: &'a Facts,
    explanation: &'a Explanation,
    desk: &'a Desk,
}

impl Names<'_> {
    fn name(&self, subject: &Subject) -> String {
        match subject {
            Subject::Person(id) => self.facts.people.get(id).map_or_else(|| id.to_string(), |p| p.display_name.clone()),
            Subject::Group(id) => self.facts.groups.get(id).cloned().unwrap_or_else(|| id.to_string()),
        }
    }

    fn stop(&self, subject: &Subject) -> Stop {
        let (kind, href) = match subject {
            Subject::Person(id) => ("person", format!("/admin/people/{id}")),
            Subject::Group(id) => ("group", format!("/admin/groups/{id}")),
        };
        Stop { kind, name: self.name(subject), href, edge: None }
    }

    fn way(&self, way: &Way) -> Vec<Stop> {
        let mut stops = vec![self.stop(&Subject::Person(self.explanation.person.clone()))];
        for step in &way.steps {
            let mend = if step.holds { None } else { self.mend(step, way.lack) };
            let edge = EdgeView { mend, ..edge(step, way.lack) };
            if let Some(last) = stops.last_mut() {
                last.edge = Some(edge);
            }
            stops.push(match &step.edge {
                Edge::Membership { group, .. } => self.stop(&Subject::Group(group.clone())),
                Edge::Grant { .. } => {
                    let space = &self.explanation.space;
                    let name = self.facts.spaces.get(space).cloned().unwrap_or_else(|| space.to_string());
                    Stop { kind: "space", name, href: format!("/admin/spaces/{space}/access"), edge: None }
                }
            });
        }
        stops
    }

    /// The page that shows what it does to make a missing edge.
    fn mend(&self, step: &Step, lack: Option<Lack>) -> Option<String> {
        let (act, page, who) = match (lack?, &step.edge) {
            (Lack::Membership, Edge::Membership { member, group }) => {
                (Act::ManageMembers(group.clone()), format!("/admin/groups/{group}/members/check"), member)
            }
            (Lack::Grant, Edge::Grant { subject }) => {
                let space = &self.explanation.space;
                (Act::ManageGrants(space.clone()), format!("/admin/spaces/{space}/grants/check"), subject)
            }
            _ => return None,
        };
        self.desk.may(&act).then(|| url(&page, &[("who", &super::pick::subject_text(who))]))
    }
}

fn edge(step: &Step, lack: Option<Lack>) -> EdgeView {
    let grant = matches!(step.edge, Edge::Grant { .. });
    let until =
        step.proofs.iter().filter_map(|p| p.span.until).max().filter(|_| step.proofs.iter().all(|p| p.span.until.is_some()));
    let day = |at: crate::core::Timestamp| at.rfc3339().replace('T', " ").chars().take(16).collect::<String>();
    if step.holds {
        let text = if grant { "may enter" } else { "is in" };
        let why = until.map(|at| format!("until {} UTC", day(at))).unwrap_or_default();
        return EdgeView { text: text.into(), holds: true, why, mend: None };
    }
    let (text, why) = match lack {
        Some(Lack::NotBegun { at }) => (if grant { "may enter later" } else { "is in, later" }, format!("from {} UTC", day(at))),
        Some(Lack::Ended { at }) => (if grant { "could enter" } else { "was in" }, format!("until {} UTC", day(at))),
        _ => (if grant { "has no grant to" } else { "is not in" }, "missing".to_owned()),
    };
    EdgeView { text: text.into(), holds: false, why, mend: None }
}

impl Page for ExplainPage {
    const TEMPLATE: &'static str = "admin/explain.html";
    fn samples() -> Vec<Self> {
        let edge = |holds: bool| EdgeView {
            text: "is in".into(),
            holds,
            why: if holds { String::new() } else { "missing".into() },
            mend: (!holds).then(|| "/admin/groups/x/members/check?who=person%3Ax".into()),
        };
        let stop = |kind, edge| Stop { kind, name: "Bob".into(), href: "/admin/people/x".into(), edge };
        let way = vec![stop("person", Some(edge(true))), stop("group", Some(edge(false))), stop("space", None)];
        let told = |yes: bool| Told {
            yes,
            sentences: vec!["Bob may enter Mars.".into(), "Because.".into()],
            ways: vec![way.clone()],
            teams: if yes { vec![("Developers".into(), "Deployers".into())] } else { vec![] },
        };
        let [many, few] = SpaceField::samples();
        let page = Self { who: "Bob".into(), space: few, ..Self::default() };
        let space_matches = vec![Match { href: "/admin/explain".into(), name: "Mars".into(), sub: "https://mars".into() }];
        vec![
            Self { told: Some(told(true)), ..page.clone() },
            Self { told: Some(told(false)), ..page.clone() },
            Self {
                matches: vec![Match { href: "/admin/explain".into(), name: "Bob".into(), sub: "bob".into() }],
                ..page.clone()
            },
            Self { nobody: true, ..page.clone() },
            Self { no_space: true, space: many.clone(), ..page.clone() },
            Self { space_matches, space: many, ..page },
            Self::default(),
        ]
    }
}
crate::page!(ExplainPage);
