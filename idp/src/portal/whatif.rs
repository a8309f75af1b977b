//! A dry run asked for by name: what would change if somebody came into a group, left it, got a grant, lost it.

use super::desk::{Answer, Desk, Fault, Input, url};
use super::effects::{self, Effects};
use super::explain::{Match, Meant, meant};
use super::space_field;
use crate::accounts::access::ProposedChange;
use crate::core::directory::{Span, Subject};
use crate::core::policy::Act;
use crate::http::Query;
use crate::pages::Page;
use crate::storage::grants;
use serde::Serialize;

/// The page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct WhatIfPage {
    change: String,
    who: String,
    target: String,
    who_matches: Vec<Match>,
    target_matches: Vec<Match>,
    error: Option<String>,
    effects: Option<Effects>,
    asked: bool,
}

/// `GET /admin/explain/change`.
pub(super) async fn show(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::Explain)?;
    let change = match input.get("change") {
        known @ ("leave" | "grant" | "revoke") => known,
        _ => "join",
    };
    let mut page = WhatIfPage {
        change: change.into(),
        who: input.get("who").chars().take(200).collect(),
        target: input.get("target").chars().take(200).collect(),
        ..WhatIfPage::default()
    };
    page.asked = !page.who.is_empty() && !page.target.is_empty();
    if page.asked {
        match answer(&desk, &mut page).await {
            Ok(()) => {}
            Err(fault) if fault.mends() || fault.0.status == axum::http::StatusCode::NOT_FOUND => {
                page.error = Some(fault.0.detail)
            }
            Err(fault) => return Err(fault),
        }
    }
    desk.page(&page)
}

async fn answer(desk: &Desk, page: &mut WhatIfPage) -> Result<(), Fault> {
    let asked = (page.change.clone(), page.who.clone(), page.target.clone());
    let link = |who: &str, target: &str| url("/admin/explain/change", &[("change", &asked.0), ("who", who), ("target", target)]);
    let who = match meant(desk, &asked.1, true, true).await? {
        Meant::One(who, name) => {
            page.who = name;
            who
        }
        Meant::Several(found) => {
            if found.is_empty() {
                page.error = Some("Nobody is found under that name.".into());
            }
            let one = |(s, name, sub): (Subject, String, String)| Match {
                href: link(&super::pick::subject_text(&s), &asked.2),
                name,
                sub,
            };
            page.who_matches = found.into_iter().map(one).collect();
            return Ok(());
        }
    };
    let key = super::pick::subject_text(&who);
    if matches!(asked.0.as_str(), "join" | "leave") {
        let group = match meant(desk, &asked.2, true, false).await? {
            Meant::One(Subject::Group(group), name) => {
                page.target = name;
                group
            }
            Meant::One(..) => return Err(Fault::gone()),
            Meant::Several(found) => {
                if found.is_empty() {
                    page.error = Some("No group is found under that name.".into());
                }
                let one = |(s, name, sub): (Subject, String, String)| Match {
                    href: link(&key, &super::pick::subject_text(&s)),
                    name,
                    sub,
                };
                page.target_matches = found.into_iter().map(one).collect();
                return Ok(());
            }
        };
        let change = if asked.0 == "join" {
            ProposedChange::AddMembership { group, member: who, span: Span::ALWAYS }
        } else {
            ProposedChange::RemoveMembership { group, member: who }
        };
        page.effects = Some(effects::of(desk, &change).await?);
        return Ok(());
    }
    let space = match space_field::meant(desk, &asked.2).await? {
        space_field::Meant::One(space) => *space,
        space_field::Meant::Nothing => return Err(Fault::gone()),
        space_field::Meant::Several(found) => {
            if found.is_empty() {
                page.error = Some("No Space is found under that name.".into());
            }
            page.target_matches =
                found.into_iter().map(|s| Match { href: link(&key, &s.name), name: s.name, sub: s.base_url }).collect();
            return Ok(());
        }
    };
    page.target = space.name;
    let change = if asked.0 == "grant" {
        ProposedChange::AddGrant { space: space.id, subject: who, span: Span::ALWAYS }
    } else {
        let held = grants::of_subject(&mut desk.db(), &who).await?;
        let Some(row) = held.into_iter().find(|row| row.grant.space == space.id) else {
            page.error =
                Some("There is no such grant: this person or group may enter only through a group, or not at all.".into());
            return Ok(());
        };
        ProposedChange::RevokeGrant { grant: row.grant.id }
    };
    page.effects = Some(effects::of(desk, &change).await?);
    Ok(())
}

impl Page for WhatIfPage {
    const TEMPLATE: &'static str = "admin/explain_change.html";
    fn samples() -> Vec<Self> {
        let page = Self { change: "join".into(), who: "Bob".into(), target: "Developers".into(), asked: true, ..Self::default() };
        let found = vec![Match { href: "/admin/explain/change".into(), name: "Bob".into(), sub: "bob".into() }];
        vec![
            Self { effects: Some(Effects::sample()), ..page.clone() },
            Self { effects: Some(Effects::default()), ..page.clone() },
            Self { who_matches: found.clone(), target_matches: found, error: Some("No.".into()), ..page },
            Self::default(),
        ]
    }
}
crate::page!(WhatIfPage);
