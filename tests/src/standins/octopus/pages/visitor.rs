//! Who looks at a page, and what a form sends.

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Redirect, Response},
};
use minijinja::{Value, context};

use super::{problem, render};
use crate::standins::octopus::{
    auth::Via,
    errors::ApiError,
    permissions,
    request::Req,
    secrets,
    server::App,
    state::{State, User},
};

/// Somebody signed in with a browser.
pub struct Visitor {
    /// The user.
    pub user: User,
    /// Anti-forgery token of the session.
    pub csrf: String,
    /// Whether the pages for administrators are shown.
    pub admin: bool,
}

/// Why there is no page: an error, or nobody is signed in.
pub enum Refusal {
    /// Shown as a page.
    Error(ApiError),
    /// Sent to the sign-in page.
    SignIn,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl Refusal {
    /// The answer for the browser.
    pub fn answer(self, app: &App) -> Response {
        match self {
            Self::Error(error) => problem(app, &error),
            Self::SignIn => Redirect::to("/app/sign-in").into_response(),
        }
    }
}

/// The visitor of a page; only cookie sessions count here.
pub fn visitor(req: &Req, state: &State) -> Result<Visitor, Refusal> {
    let Via::Session(fingerprint) = &req.facts.caller.via else { return Err(Refusal::SignIn) };
    let (Ok(user), Some(session)) = (req.user(state), state.sessions.get(fingerprint)) else { return Err(Refusal::SignIn) };
    let admin = ["UserView", "TeamEdit"].iter().all(|permission| permissions::anywhere(state, &user.id, permission));
    Ok(Visitor { user: user.clone(), csrf: session.csrf.clone(), admin })
}

/// The sender of a form, whose anti-forgery token fits.
pub fn sender(req: &Req, state: &State, fields: &Fields) -> Result<Visitor, Refusal> {
    let visitor = visitor(req, state)?;
    if !secrets::equal(fields.get("csrf").unwrap_or_default(), &visitor.csrf) {
        return Err(ApiError::refused("A required anti-forgery token was not supplied or was invalid.").into());
    }
    Ok(visitor)
}

/// A page for a visitor.
pub fn page_for(app: &App, visitor: &Visitor, template: &str, values: Value) -> Response {
    let standing = context! {
        user => context! { id => &visitor.user.id, username => &visitor.user.username, display_name => &visitor.user.display_name },
        csrf => &visitor.csrf,
        admin => &visitor.admin,
    };
    render::page(app, template, context! { ..values, ..standing })
}

/// The fields of a form, in their order.
pub struct Fields(Vec<(String, String)>);

impl FromRequest<App> for Fields {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let bytes =
            axum::body::to_bytes(request.into_body(), 1 << 20).await.map_err(|_| ApiError::invalid("The form is too large."))?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}

impl Fields {
    /// The first non-empty value of a field, without blanks around it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim());
        values.into_iter().find(|value| !value.is_empty())
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim()).collect()
    }
}
