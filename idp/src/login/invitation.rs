//! Invitations (`/invitation/{secret}`): a one-time link with which somebody joins their own identity at a provider to the person
//! that was made for them. Looking at the page uses nothing up: mail programs and link checkers look, too.

use super::flow::begin;
use crate::accounts::joining;
use crate::core::login::Demand;
use crate::crypto::hash::{b64, sha256};
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path, csrf};
use crate::pages::{self, Action, Page};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};

const PURPOSE: &str = "invitation";

/// `/invitation/{secret}`.
pub(super) fn routes() -> Router<Deps> {
    Router::new().route("/invitation/{secret}", get(show).post(accept))
}

/// The page. No `Debug`: the path holds the secret.
#[derive(Clone, Serialize)]
pub(crate) struct InvitationPage {
    path: String,
    name: String,
    email: String,
    provider: String,
}

impl Page for InvitationPage {
    const TEMPLATE: &'static str = "login/invitation.html";
    fn samples() -> Vec<Self> {
        let (path, name) = ("/invitation/x".into(), "Geoff Outsider".into());
        vec![Self { path, name, email: "geoff@contoso.com".into(), provider: "Contoso".into() }]
    }
}
crate::page!(InvitationPage);

fn gone(deps: &Deps, ctx: &Ctx) -> Response {
    let text = deps.pages.say(&ctx.lang, "invitation.gone_text", &[]);
    let sign_in = deps.pages.say(&ctx.lang, "link.sign_in", &[]);
    pages::message(deps, ctx, StatusCode::GONE, "invitation.gone", &text, &[Action { label: sign_in, href: "/login".into() }])
}

async fn show(State(deps): State<Deps>, ctx: Ctx, Path(secret): Path<String>) -> Response {
    match joining::look(&deps, &secret).await {
        Ok(Some(invited)) => pages::show(&deps, &ctx).csrf(csrf::token(&secret, PURPOSE)).page(&InvitationPage {
            path: format!("/invitation/{secret}"),
            name: invited.name,
            email: invited.invitation.email,
            provider: invited.provider,
        }),
        Ok(None) => gone(&deps, &ctx),
        Err(error) => pages::fault(&deps, &ctx, error),
    }
}

#[derive(Deserialize)]
struct Input {
    csrf: String,
}

async fn accept(State(deps): State<Deps>, ctx: Ctx, Path(secret): Path<String>, Form(input): Form<Input>) -> Response {
    if let Err(problem) = csrf::check(&deps.settings, &ctx, &secret, PURPOSE, &input.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    let invited = match joining::look(&deps, &secret).await {
        Ok(Some(invited)) => invited,
        Ok(None) => return gone(&deps, &ctx),
        Err(error) => return pages::fault(&deps, &ctx, error),
    };
    let mut demand = Demand::to("/");
    // whoever is signed in here already is somebody else, or needs no invitation
    demand.login = true;
    demand.login_hint = Some(invited.invitation.email);
    demand.provider = Some(invited.invitation.provider);
    demand.invitation = Some(b64(sha256(secret.as_bytes())));
    begin(&deps, &ctx, demand).await
}
