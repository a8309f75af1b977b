//! What every handler of the portal begins with: who asks, what they may, how a page is shown, how a refusal is said.

use super::form::FormPage;
use super::nav;
use crate::accounts;
use crate::core::Refusal;
use crate::core::policy::{Act, Actor};
use crate::deps::Deps;
use crate::http::{Ctx, Form, Lang, Problem};
use crate::login::Person;
use crate::pages::{self, Page, Show};
use crate::storage::{self, Db};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// A request of somebody who holds at least one administrative right; anybody else finds nothing here.
pub(super) struct Desk {
    pub(super) deps: Deps,
    pub(super) ctx: Ctx,
    pub(super) person: Person,
}

impl FromRequestParts<Deps> for Desk {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Response> {
        let person = Person::from_request_parts(parts, deps).await?;
        let ctx = Ctx::of(deps, parts);
        if person.actor.rights.is_empty() {
            return Err(pages::not_found(deps, &ctx));
        }
        Ok(Self::of(deps, ctx, person))
    }
}

/// A request that a page makes by itself, such as for a stream: it does not count as a use of the session. A browser asks
/// for a stream again whenever the connection broke.
pub(super) struct Watch(pub(super) Desk);

impl FromRequestParts<Deps> for Watch {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Response> {
        let ctx = Ctx::of(deps, parts);
        match Person::look(deps, &ctx).await {
            Ok(Some(person)) if !person.actor.rights.is_empty() => Ok(Self(Desk::of(deps, ctx, person))),
            Ok(Some(_)) => Err(pages::not_found(deps, &ctx)),
            Ok(None) => Err(pages::fault(deps, &ctx, Problem::new(StatusCode::UNAUTHORIZED, "signed_out", SIGNED_OUT))),
            Err(error) => Err(pages::fault(deps, &ctx, error)),
        }
    }
}

const SIGNED_OUT: &str = "You are not signed in any more. Sign in and try again.";
/// The console is written in English; all of a page is, so that its `lang` is true (WCAG 3.1.1).
const LANGUAGE: &str = "en";

impl Desk {
    /// For somebody with rights.
    pub(super) fn of(deps: &Deps, mut ctx: Ctx, person: Person) -> Self {
        ctx.lang = Lang(LANGUAGE.into());
        Self { deps: deps.clone(), ctx, person }
    }
    /// Who acts.
    pub(super) fn actor(&self) -> &Actor {
        &self.person.actor
    }
    /// The database, for reads.
    pub(super) fn db(&self) -> &Db {
        &self.deps.db
    }
    /// Milliseconds now.
    pub(super) fn now(&self) -> crate::core::Timestamp {
        self.deps.clock.now()
    }
    /// Whether the caller may do it: decides which buttons are shown; the use case asks again.
    pub(super) fn may(&self, act: &Act) -> bool {
        self.actor().may(act).is_ok()
    }
    /// Refuses as if there was nothing, unless the caller may do it.
    pub(super) fn sees(&self, act: &Act) -> Result<(), Fault> {
        if self.may(act) { Ok(()) } else { Err(Fault::gone()) }
    }
    /// Begins a page in the console.
    pub(super) fn show(&self) -> Show<'_> {
        pages::show(&self.deps, &self.ctx).signed(self.person.signed()).nav(nav::of(self))
    }
    /// A page.
    pub(super) fn page<P: Page>(&self, page: &P) -> Answer {
        Ok(self.show().page(page))
    }
    /// Back to a page that says what happened: a key below `flash.`.
    pub(super) fn done(&self, to: &str, flash: &'static str) -> Answer {
        Ok(pages::with_flash(pages::see_other(to), &self.deps, flash))
    }
    /// The form again, with what was typed and what is wrong with it; a fault that no other input would mend stays one.
    pub(super) fn again(&self, fault: Fault, form: FormPage, input: &Input) -> Answer {
        let status = fault.0.status;
        if !fault.mends() {
            return Err(fault);
        }
        Ok(self.show().status(status).page(&form.again(input, &fault.0)))
    }
}

/// What a handler gives.
pub(super) type Answer = Result<Response, Fault>;

/// A problem on its way to becoming a page ([`say`]).
#[derive(Debug)]
pub(super) struct Fault(pub(super) Problem);

impl Fault {
    /// There is nothing here, or the caller may not know that there is.
    pub(super) fn gone() -> Self {
        Self(Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address."))
    }
    /// Whether other input, or the same input a moment later, may help.
    pub(super) fn mends(&self) -> bool {
        matches!(self.0.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED)
    }
}

impl From<accounts::Error> for Fault {
    fn from(error: accounts::Error) -> Self {
        Self(error.into())
    }
}
impl From<storage::Error> for Fault {
    fn from(error: storage::Error) -> Self {
        Self(error.into())
    }
}
impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}
impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Middleware: turns faults into pages in the reader's language and theme.
pub(super) async fn say(State(deps): State<Deps>, ctx: Ctx, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => pages::fault(&deps, &ctx, problem),
        None => response,
    }
}

/// Fields of a form or query by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Input(Vec<(String, String)>);

impl Input {
    /// The value of a field, empty when it is absent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }
    /// The value of a field that may be left empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|text| !text.is_empty())
    }
    /// Whether a checkbox is ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.get(name) == "true"
    }
    /// All values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
    /// The version of the object that the person saw.
    pub(super) fn version(&self) -> Option<i64> {
        self.get("version").parse().ok()
    }
}

/// A form that was posted by the session that it was made for: no handler can forget to look at the token.
pub(super) struct Post {
    pub(super) desk: Desk,
    pub(super) input: Input,
}

impl FromRequest<Deps> for Post {
    type Rejection = Response;
    async fn from_request(request: Request, deps: &Deps) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let desk = Desk::from_request_parts(&mut parts, deps).await?;
        let Form(input) = Form::<Input>::from_request(Request::from_parts(parts, body), deps).await?;
        match desk.person.check(deps, &desk.ctx, input.get("csrf")) {
            Ok(()) => Ok(Self { desk, input }),
            Err(problem) => Err(pages::fault(deps, &desk.ctx, problem)),
        }
    }
}

/// A path with a query, encoded.
pub(super) fn url(path: &str, query: &[(&str, &str)]) -> String {
    let mut encoder = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        encoder.append_pair(name, value);
    }
    let query = encoder.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
