//! Trying what a provider's claims mean: an administrator pastes claims or a token and sees how they are read, and what would
//! become of somebody who comes with them. Nothing is changed.

use super::desk::{Answer, Desk, Fault, Post};
use super::providers::manage;
use crate::accounts::providers::{self as cases, Trial};
use crate::core::joining::Decision;
use crate::http::Path;
use crate::pages::Page;
use serde::Serialize;

/// What came out.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    /// Why they are refused.
    refused: Option<String>,
    subject: String,
    name: Option<String>,
    username: Option<String>,
    email: Option<String>,
    email_verified: bool,
    tenant: Option<String>,
    groups: Vec<String>,
    /// Nodes of the directory among them.
    known_groups: Vec<String>,
    /// What would become of it, in words, with the page of the person.
    verdict: String,
    href: Option<String>,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ClaimsPage {
    id: String,
    name: String,
    pasted: String,
    error: Option<String>,
    outcome: Option<Outcome>,
}

fn outcome(trial: Trial) -> Outcome {
    let (refused, reading) = match trial.reading {
        Ok(reading) => (None, Some(reading)),
        Err(why) => (Some(why), None),
    };
    let verdict = match trial.decision {
        Some(Decision::SignIn(_)) => trial.person.as_ref().map_or_else(String::new, |(_, name)| format!("Signs in as {name}.")),
        Some(Decision::Create) => "Becomes a new person.".into(),
        Some(Decision::Conflict) => {
            "Waits for an administrator: a new person would need a name or address that is somebody's.".into()
        }
        Some(Decision::Unknown) => "Is nobody here, and is told so.".into(),
        Some(Decision::Join(_) | Decision::Ask(_) | Decision::Taken) | None => String::new(),
    };
    let href = trial.person.map(|(id, _)| format!("/admin/people/{id}"));
    let said = reading.as_ref().map(|r| r.said.clone()).unwrap_or_default();
    Outcome {
        refused,
        subject: reading.map(|r| r.subject).unwrap_or_default(),
        name: said.name,
        username: said.username,
        email: said.email,
        email_verified: said.email_verified,
        tenant: said.tenant,
        groups: said.groups.unwrap_or_default().into_iter().take(100).collect(),
        known_groups: trial.groups,
        verdict,
        href,
    }
}

async fn blank(desk: &Desk, id: String) -> Result<ClaimsPage, Fault> {
    desk.sees(&manage())?;
    let name = cases::find(&desk.deps, desk.actor(), &id).await?.provider.name;
    Ok(ClaimsPage { id, name, pasted: String::new(), error: None, outcome: None })
}

/// `GET /admin/providers/{id}/claims`.
pub(super) async fn show(desk: Desk, Path(id): Path<String>) -> Answer {
    let page = blank(&desk, id).await?;
    desk.page(&page)
}

/// `POST /admin/providers/{id}/claims`.
pub(super) async fn read(Path(id): Path<String>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let page = blank(&desk, id).await?;
    let pasted = input.get("claims").to_owned();
    match cases::try_claims(&desk.deps, desk.actor(), &page.id, &pasted).await {
        Ok(trial) => desk.page(&ClaimsPage { pasted, outcome: Some(outcome(trial)), ..page }),
        Err(error) => {
            let fault = Fault::from(error);
            if !fault.mends() {
                return Err(fault);
            }
            Ok(desk.show().status(fault.0.status).page(&ClaimsPage { pasted, error: Some(fault.0.detail), ..page }))
        }
    }
}

impl Page for ClaimsPage {
    const TEMPLATE: &'static str = "admin/provider_claims.html";
    fn samples() -> Vec<Self> {
        let outcome = Outcome {
            refused: None,
            subject: "t1.o1".into(),
            name: Some("Bob".into()),
            username: None,
            email: Some("bob@contoso.com".into()),
            email_verified: true,
            tenant: Some("t1".into()),
            groups: vec!["g1".into()],
            known_groups: vec!["Developers".into()],
            verdict: "Signs in as Bob.".into(),
            href: Some("/admin/people/x".into()),
        };
        let refused = Outcome {
            refused: Some("no `oid`".into()),
            email: None,
            groups: vec![],
            known_groups: vec![],
            verdict: String::new(),
            href: None,
            ..outcome.clone()
        };
        let page = |outcome, error: Option<&str>| Self {
            id: "entra".into(),
            name: "Contoso".into(),
            pasted: "{}".into(),
            error: error.map(str::to_owned),
            outcome,
        };
        let unproven =
            Outcome { email_verified: false, verdict: "Is nobody here, and is told so.".into(), href: None, ..outcome.clone() };
        vec![
            page(Some(outcome), None),
            page(Some(unproven), None),
            page(Some(refused), None),
            page(None, Some("No JSON.")),
            page(None, None),
        ]
    }
}
crate::page!(ClaimsPage);
