//! What waits for a decision in a Space: whose accounts found there are (rules A6), and who leaves a newly bound team (A3).

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::list::Pager;
use super::space::{Head, head, load};
use crate::accounts::agents::{self as cases, Adoption};
use crate::core::Timestamp;
use crate::core::ids::{PersonId, SpaceId};
use crate::core::policy::Act;
use crate::http::{Path, Problem, Query};
use crate::pages::Page;
use crate::storage::people;
use axum::http::StatusCode;
use odcm_wire::v1::{AdoptionCandidate, AdoptionDecision};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Serialize)]
struct AdoptionView {
    person: String,
    name: String,
    candidates: Vec<AdoptionCandidate>,
    /// What was decided, in words.
    decided: Option<String>,
    by: Option<String>,
    at: Option<Timestamp>,
    done: bool,
}

impl From<Adoption> for AdoptionView {
    fn from(a: Adoption) -> Self {
        let words = |d: AdoptionDecision| match d {
            AdoptionDecision::Adopt { account, .. } => {
                let named = a.candidates.iter().find(|c| c.account == account).map_or(account.clone(), |c| c.username.clone());
                format!("takes over {named}")
            }
            AdoptionDecision::CreateNew => "gets a new account".to_owned(),
        };
        Self {
            decided: a.decision.clone().map(words),
            person: a.person.to_string(),
            name: a.person_name,
            candidates: a.candidates,
            by: a.decided_by,
            at: a.decided_at,
            done: a.done,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct SweepView {
    team: String,
    name: String,
    people: Vec<String>,
    confirmed: Option<String>,
    at: Timestamp,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DecisionsPage {
    head: Head,
    adoptions: Vec<AdoptionView>,
    adoptions_pager: Pager,
    /// Only people about whom something is undecided.
    open: bool,
    sweeps: Vec<SweepView>,
    sweeps_pager: Pager,
    may: bool,
    errors: Vec<String>,
}

/// So many people and teams are on a page: each takes room.
const SHOWN: i64 = 25;

async fn read(desk: &Desk, id: &SpaceId, input: &Input) -> Result<DecisionsPage, Fault> {
    let space = load(desk, id).await?;
    let (deps, actor) = (&desk.deps, desk.actor());
    let open = input.get("show") == "open";
    let after = input.filled("after").and_then(|id| PersonId::parse(id).ok());
    let mut page = cases::adoptions_page(deps, actor, id, open, after.as_ref(), SHOWN).await?;
    let last = page.items.last().filter(|_| page.more).map(|a| (String::new(), a.person.to_string()));
    let adoptions_pager = Pager::new(desk, input, &["show", "team_after"], ("key", "after"), last);
    page.items.sort_by_key(|a| (a.done, a.decision.is_some()));
    let adoptions = page.items;
    let page = cases::sweeps_page(deps, actor, id, input.get("team_after"), SHOWN).await?;
    let last = page.items.last().filter(|_| page.more).map(|s| (String::new(), s.candidate.team.clone()));
    let sweeps_pager = Pager::new(desk, input, &["show", "after"], ("team_key", "team_after"), last);
    let mut sweeps = Vec::new();
    for sweep in page.items {
        sweeps.push(SweepView {
            people: names(desk, &sweep.candidate.people).await?,
            team: sweep.candidate.team,
            name: sweep.candidate.team_name,
            confirmed: sweep.confirmed_by,
            at: sweep.reported_at,
        });
    }
    Ok(DecisionsPage {
        head: head(desk, &space, "decisions").await?,
        adoptions: adoptions.into_iter().map(AdoptionView::from).collect(),
        adoptions_pager,
        open,
        sweeps,
        sweeps_pager,
        may: desk.may(&Act::ManageSpace(id.clone())),
        errors: Vec::new(),
    })
}

async fn names(desk: &Desk, ids: &[String]) -> Result<Vec<String>, Fault> {
    let known: Vec<PersonId> = ids.iter().filter_map(|id| PersonId::parse(id).ok()).collect();
    let names = people::names(&mut desk.db(), &known).await?;
    let name = |id: &String| PersonId::parse(id).ok().and_then(|id| names.get(&id).cloned()).unwrap_or_else(|| id.clone());
    Ok(ids.iter().map(name).collect())
}

/// `GET /admin/spaces/{id}/decisions`.
pub(super) async fn show(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    desk.page(&read(&desk, &id, &input).await?)
}

fn decision(input: &Input) -> Result<AdoptionDecision, Fault> {
    match input.get("account") {
        "" => Err(Fault(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "form.invalid",
            "Choose one of the accounts, or a new account.",
        ))),
        "new" => Ok(AdoptionDecision::CreateNew),
        account => Ok(AdoptionDecision::Adopt {
            account: account.into(),
            reset_password: input.ticked("reset_password"),
            remove_foreign_identities: input.ticked("remove_foreign_identities"),
            revoke_api_keys: input.ticked("revoke_api_keys"),
        }),
    }
}

/// `POST /admin/spaces/{id}/adoptions/{person}`: decides, after showing what it does.
pub(super) async fn decide(Path((id, person)): Path<(SpaceId, PersonId)>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageSpace(id.clone()))?;
    let decided = match decision(&input) {
        Ok(decided) => decided,
        Err(fault) => return wrong(&desk, &id, fault).await,
    };
    if !input.ticked("confirmed") {
        let adoptions = cases::adoptions(&desk.deps, desk.actor(), &id).await?;
        let adoption = adoptions.into_iter().find(|a| a.person == person).ok_or_else(Fault::gone)?;
        return desk.page(&ask(&space, &adoption, &decided, &input));
    }
    match cases::decide_adoption(&desk.deps, desk.actor(), &id, &person, &decided).await {
        Ok(()) => desk.done(&format!("/admin/spaces/{id}/decisions"), "decided"),
        Err(error) => wrong(&desk, &id, error.into()).await,
    }
}

async fn wrong(desk: &Desk, id: &SpaceId, fault: Fault) -> Answer {
    if !fault.mends() {
        return Err(fault);
    }
    let mut page = read(desk, id, &Input::default()).await?;
    let status = fault.0.status;
    page.errors.push(fault.0.detail);
    Ok(desk.show().status(status).page(&page))
}

fn ask(space: &crate::storage::spaces::Space, adoption: &Adoption, decided: &AdoptionDecision, input: &Input) -> Confirm {
    let here = format!("/admin/spaces/{}/decisions", space.id);
    let action = format!("/admin/spaces/{}/adoptions/{}", space.id, adoption.person);
    let (name, flag) = (&adoption.person_name, |name: &str| if input.ticked(name) { "true" } else { "" });
    let mut ask = match decided {
        AdoptionDecision::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys } => {
            let found = adoption.candidates.iter().find(|c| c.account == *account);
            let username = found.map_or(account.as_str(), |c| c.username.as_str());
            let done = [
                (*reset_password, "Its password is replaced by a random one, where the server can."),
                (*remove_foreign_identities, "Sign-ins of other identity providers are removed."),
                (*revoke_api_keys, "Its API keys are deleted."),
            ];
            let done: Vec<&str> = done.iter().filter(|(chosen, _)| *chosen).map(|(_, text)| *text).collect();
            let mut ask = Confirm::new(&format!("Give the account {username} to {name}?"), &action, "Give account").danger().text(&format!(
                "From then on {name} enters {} with this account and everything it may do there. ODCM sets its name, address and memberships in bound teams. {}",
                space.name,
                done.join(" ")
            ));
            if !reset_password {
                ask = ask.warn("A local password stays: whoever knows it can still sign in as this account.");
            }
            if !remove_foreign_identities {
                ask = ask.warn("Sign-ins of other identity providers stay.");
            }
            if !revoke_api_keys {
                ask = ask.warn("API keys of the account stay valid.");
            }
            if let Some(c) = found.filter(|c| !c.teams.is_empty()) {
                ask = ask.warn(&format!("It keeps its place in teams that no group is bound to. It is in: {}.", c.teams.join(", ")));
            }
            ask
        }
        AdoptionDecision::CreateNew => Confirm::new(&format!("Make a new account for {name}?"), &action, "Make new account").text(
            "None of the accounts found is this person's. A new one is possible only while no account in the Space holds the same address.",
        ),
    };
    for name in ["reset_password", "remove_foreign_identities", "revoke_api_keys"] {
        ask = ask.with(name, flag(name));
    }
    ask.with("account", input.get("account"))
        .with("confirmed", "true")
        .under(&[("Spaces", "/admin/spaces"), (&space.name, &here)])
}

async fn ask_sweep(desk: &Desk, id: &SpaceId, team: &str) -> Result<Confirm, Fault> {
    let space = load(desk, id).await?;
    let sweeps = cases::sweeps(&desk.deps, desk.actor(), id).await?;
    let sweep = sweeps.into_iter().find(|s| s.candidate.team == team && s.confirmed_by.is_none()).ok_or_else(Fault::gone)?;
    let names = names(desk, &sweep.candidate.people).await?;
    let mut ask = Confirm::new(
        &format!("Remove {} people from the team {}?", names.len(), sweep.candidate.team_name),
        &format!("/admin/spaces/{id}/sweeps"),
        "Remove from team",
    )
    .danger()
    .text(&format!("They were in the team before it was bound, and no bound group says that they belong there: {}. They lose what the team allows in {}.", names.join(", "), space.name))
    .under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("/admin/spaces/{id}/decisions"))])
    .with("team", team);
    for person in &sweep.candidate.people {
        ask = ask.with("seen", person);
    }
    Ok(ask)
}

/// `GET /admin/spaces/{id}/sweeps`: who would leave a team.
pub(super) async fn sweeping(desk: Desk, Path(id): Path<SpaceId>, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::ManageSpace(id.clone()))?;
    desk.page(&ask_sweep(&desk, &id, input.get("team")).await?)
}

/// `POST /admin/spaces/{id}/sweeps`.
pub(super) async fn sweep(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    desk.sees(&Act::ManageSpace(id.clone()))?;
    let seen: BTreeSet<String> = input.all("seen").map(str::to_owned).collect();
    match cases::confirm_sweep(&desk.deps, desk.actor(), &id, input.get("team"), &seen).await {
        Ok(()) => desk.done(&format!("/admin/spaces/{id}/decisions"), "decided"),
        Err(error) => wrong(&desk, &id, error.into()).await,
    }
}

impl Page for DecisionsPage {
    const TEMPLATE: &'static str = "admin/space_decisions.html";
    fn samples() -> Vec<Self> {
        let candidate = |full: bool| AdoptionCandidate {
            person: "x".into(),
            account: "Users-21".into(),
            username: "bob".into(),
            email: "b@example.com".into(),
            display_name: "Bob".into(),
            matched_on: vec!["email".into()],
            active: full,
            may_have_password: full,
            api_keys: full.then_some(2),
            identities: if full { vec!["Okta".into()] } else { vec![] },
            teams: if full { vec!["Deployers".into()] } else { vec![] },
        };
        let adoption = |decided: bool| AdoptionView {
            person: "x".into(),
            name: "Bob".into(),
            candidates: vec![candidate(true), candidate(false)],
            decided: decided.then(|| "takes over bob".into()),
            by: decided.then(|| "ada".into()),
            at: decided.then_some(Timestamp(1)),
            done: false,
        };
        let sweep = |confirmed: bool| SweepView {
            team: "Teams-1".into(),
            name: "Deployers".into(),
            people: vec!["Bob".into()],
            confirmed: confirmed.then(|| "ada".into()),
            at: Timestamp(1),
        };
        let full = Self {
            head: Head::sample("decisions"),
            adoptions: vec![adoption(false), adoption(true), AdoptionView { done: true, ..adoption(true) }],
            adoptions_pager: Pager::sample(),
            open: true,
            sweeps_pager: Pager::sample(),
            sweeps: vec![sweep(false), sweep(true)],
            may: true,
            errors: vec!["No.".into()],
        };
        let bare = Self {
            adoptions: vec![],
            adoptions_pager: Pager::default(),
            open: false,
            sweeps: vec![],
            sweeps_pager: Pager::default(),
            errors: vec![],
            ..full.clone()
        };
        vec![Self { may: false, open: false, ..full.clone() }, Self { open: true, ..bare.clone() }, bare, full]
    }
}
crate::page!(DecisionsPage);
