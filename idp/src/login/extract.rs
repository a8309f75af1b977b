//! Who asks: [`Person`] by session cookie, [`Token`] by bearer API token. Rights are read in this request, never cached.

use super::session::{actor, look, session};
use crate::accounts;
use crate::core::policy::{Actor, Credential};
use crate::core::session::Session;
use crate::deps::Deps;
use crate::http::cookies::Cookie;
use crate::http::{Ctx, Problem, csrf};
use crate::pages;
use crate::storage::{self, rights};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

/// What the forms of a signed-in person are for.
const PURPOSE: &str = "session";

/// A signed-in person. Without a session a page is answered by the way to sign in, anything else by 401.
#[derive(Clone)]
pub struct Person {
    /// With the rights that hold now.
    pub actor: Actor,
    /// The session.
    pub session: Session,
    secret: String,
}

impl std::fmt::Debug for Person {
    // without the secret of the cookie
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("actor", &self.actor).field("session", &self.session).finish_non_exhaustive()
    }
}

impl Person {
    /// The token for forms: a hidden field named `csrf`.
    #[must_use]
    pub fn csrf(&self) -> String {
        csrf::token(&self.secret, PURPOSE)
    }
    /// Checks origin and token of a form. Every POST of a person begins with it.
    ///
    /// # Errors
    /// 403.
    pub fn check(&self, deps: &Deps, ctx: &Ctx, given: &str) -> Result<(), Problem> {
        csrf::check(&deps.settings, ctx, &self.secret, PURPOSE, given)
    }
    /// For the top bar of pages.
    #[must_use]
    pub fn signed(&self) -> pages::Signed {
        pages::Signed {
            name: self.session.display_name.clone(),
            username: self.session.username.clone(),
            admin: !self.actor.rights.is_empty(),
            csrf: self.csrf(),
        }
    }

    /// The person of this browser, if there is one.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn find(deps: &Deps, ctx: &Ctx) -> Result<Option<Self>, storage::Error> {
        Self::of(deps, ctx, session(deps, ctx).await?).await
    }

    /// The same without noting a use of the session: for what a page asks by itself while nobody may be there (streams),
    /// so that an open page does not keep a session alive beyond its idle time.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn look(deps: &Deps, ctx: &Ctx) -> Result<Option<Self>, storage::Error> {
        Self::of(deps, ctx, look(deps, ctx).await?).await
    }

    async fn of(deps: &Deps, ctx: &Ctx, session: Option<Session>) -> Result<Option<Self>, storage::Error> {
        let (Some(session), Some(secret)) = (session, ctx.cookie(Cookie::Session)) else { return Ok(None) };
        let rights = rights::in_force(&mut &deps.db, &session.person, deps.clock.now()).await?;
        let credential = Some(Credential::Session(session.id.clone()));
        let actor = Actor { rights, credential, ..actor(ctx, &session.person, &session.display_name) };
        Ok(Some(Self { actor, session, secret: secret.to_owned() }))
    }
}

impl FromRequestParts<Deps> for Person {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Response> {
        let ctx = Ctx::of(deps, parts);
        match Self::find(deps, &ctx).await {
            Ok(Some(person)) => Ok(person),
            Ok(None) if ctx.html && ctx.safe => {
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", &ctx.path).finish();
                Err(pages::see_other(&format!("/login?{query}")))
            }
            Ok(None) => Err(pages::fault(
                deps,
                &ctx,
                Problem::new(StatusCode::UNAUTHORIZED, "signed_out", "You are not signed in any more. Sign in and try again."),
            )),
            Err(error) => Err(pages::fault(deps, &ctx, error)),
        }
    }
}

/// The holder of an API token, with the rights of its owner and the scopes of the token.
#[derive(Clone, Debug)]
pub struct Token(pub Actor);

impl FromRequestParts<Deps> for Token {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Problem> {
        let ctx = Ctx::of(deps, parts);
        match find_token(deps, &ctx).await {
            Ok(Some(actor)) => Ok(Self(actor)),
            Ok(None) => Err(Problem::bearer().of(&ctx)),
            Err(error) => Err(Problem::from(error).of(&ctx)),
        }
    }
}

async fn find_token(deps: &Deps, ctx: &Ctx) -> Result<Option<Actor>, storage::Error> {
    let Some(secret) = ctx.bearer() else { return Ok(None) };
    let found = accounts::api_tokens::authenticate(deps, secret).await?;
    Ok(found.map(|found| Actor { address: Some(ctx.address.to_string()), request_id: Some(ctx.request_id.clone()), ..found }))
}
