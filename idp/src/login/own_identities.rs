//! `/account/identities…`: a person adds an identity of theirs, or removes one. Both need a proof of a few minutes ago, so that
//! a browser left open is no way to stay in an account.

use super::extract::Person;
use super::flow::begin;
use crate::accounts::{Error, identities};
use crate::core::ids::IdentityId;
use crate::core::login::Demand;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path, Problem};
use crate::pages::{self, Page};
use crate::storage::emails;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};

/// How old the newest proof of who somebody is may be, in seconds.
const FRESH_S: i64 = 600;
const ADD: &str = "/account/identities/add";

/// `/account/identities…`.
pub(super) fn routes() -> Router<Deps> {
    Router::new()
        .route("/account/identities/add", get(choose).post(add))
        .route("/account/identities/{id}/remove", get(ask).post(remove))
}

/// The page that offers the providers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AddIdentity {
    providers: Vec<(String, String)>,
}

impl Page for AddIdentity {
    const TEMPLATE: &'static str = "account/add_identity.html";
    fn samples() -> Vec<Self> {
        vec![Self { providers: vec![("entra".into(), "Contoso".into())] }, Self { providers: vec![] }]
    }
}
crate::page!(AddIdentity);

/// The question before one is removed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RemoveIdentity {
    id: String,
    label: String,
    provider: String,
    error: Option<String>,
}

impl Page for RemoveIdentity {
    const TEMPLATE: &'static str = "account/remove_identity.html";
    fn samples() -> Vec<Self> {
        let (id, label) = ("01890a5d-ac96-774b-bcce-b302099a8057".to_owned(), "bob@contoso.com".to_owned());
        let plain = Self { id, label, provider: "Contoso".into(), error: None };
        vec![Self { error: Some("It is the only way in.".into()), ..plain.clone() }, plain]
    }
}
crate::page!(RemoveIdentity);

/// Asks the person to prove again who they are, unless they did a moment ago.
async fn unless_fresh(deps: &Deps, ctx: &Ctx, person: &Person, return_to: &str) -> Option<Response> {
    if person.session.auth_time().plus_secs(FRESH_S) >= deps.clock.now() {
        return None;
    }
    let mut demand = Demand::to(return_to);
    demand.max_age_s = Some(FRESH_S);
    demand.expected = Some(person.session.person.clone());
    demand.login_hint = Some(person.session.username.clone());
    Some(begin(deps, ctx, demand).await)
}

async fn choose(State(deps): State<Deps>, ctx: Ctx, person: Person) -> Response {
    if let Some(response) = unless_fresh(&deps, &ctx, &person, ADD).await {
        return response;
    }
    match deps.connectors.doors(&deps).await {
        Ok(doors) => pages::show(&deps, &ctx).signed(person.signed()).page(&AddIdentity { providers: doors.all() }),
        Err(error) => pages::fault(&deps, &ctx, error),
    }
}

#[derive(Deserialize)]
struct Choice {
    csrf: String,
    provider: String,
}

async fn add(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(choice): Form<Choice>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &choice.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    if let Some(response) = unless_fresh(&deps, &ctx, &person, ADD).await {
        return response;
    }
    let mut demand = Demand::to("/account");
    demand.login = true;
    demand.expected = Some(person.session.person.clone());
    demand.joining = Some(person.session.person.clone());
    demand.provider = Some(choice.provider);
    begin(&deps, &ctx, demand).await
}

async fn page(deps: &Deps, ctx: &Ctx, person: &Person, id: &IdentityId, refused: Option<(StatusCode, String)>) -> Response {
    let found = async {
        let row = emails::find_identity(&mut &deps.db, id).await?.filter(|row| row.person_id == person.session.person);
        let Some(row) = row else { return Ok(None) };
        let doors = deps.connectors.doors(deps).await?;
        let provider = doors.name(&row.provider).to_owned();
        Ok::<_, crate::storage::Error>(Some((row.label, provider)))
    };
    let (status, error) = refused.map_or((StatusCode::OK, None), |(status, error)| (status, Some(error)));
    match found.await {
        Ok(Some((label, provider))) => {
            let page = RemoveIdentity { id: id.to_string(), label, provider, error };
            pages::show(deps, ctx).status(status).signed(person.signed()).page(&page)
        }
        Ok(None) => pages::not_found(deps, ctx),
        Err(error) => pages::fault(deps, ctx, error),
    }
}

fn here(id: &IdentityId) -> String {
    format!("/account/identities/{id}/remove")
}

async fn ask(State(deps): State<Deps>, ctx: Ctx, person: Person, Path(id): Path<IdentityId>) -> Response {
    match unless_fresh(&deps, &ctx, &person, &here(&id)).await {
        Some(response) => response,
        None => page(&deps, &ctx, &person, &id, None).await,
    }
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn remove(
    State(deps): State<Deps>,
    ctx: Ctx,
    person: Person,
    Path(id): Path<IdentityId>,
    Form(form): Form<Plain>,
) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    if let Some(response) = unless_fresh(&deps, &ctx, &person, &here(&id)).await {
        return response;
    }
    match identities::remove_own(&deps, &person.actor, &person.session.person, &id).await {
        Ok(_) => pages::with_flash(pages::see_other("/account"), &deps, "identity_removed"),
        Err(Error::Refused(refusal)) if refusal.code == "identity.last" => {
            let text = deps.pages.say(&ctx.lang, "identity.last", &[]);
            page(&deps, &ctx, &person, &id, Some((StatusCode::CONFLICT, text))).await
        }
        Err(error) => pages::fault(&deps, &ctx, Problem::from(error)),
    }
}
