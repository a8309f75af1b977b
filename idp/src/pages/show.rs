//! From a page to an answer: the view that every template sees, the headers, the message that came from the page before.

use super::Page;
use super::headers::{self, Leave};
use crate::deps::Deps;
use crate::http::cookies::{self, Cookie};
use crate::http::{Ctx, Problem};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

/// The person who is signed in, as the top bar shows them.
#[derive(Clone, Default, Serialize)]
pub struct Signed {
    /// Name for people.
    pub name: String,
    /// User name.
    pub username: String,
    /// Whether to offer the administration pages.
    pub admin: bool,
    /// Token for forms.
    pub csrf: String,
}

/// Without the token.
impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A link of the side navigation.
#[derive(Clone, Debug, Serialize)]
pub struct NavItem {
    /// Key of its text.
    pub label: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// Name of its icon in `ui/icons.html`.
    pub icon: &'static str,
    /// Whether the page belongs to it.
    pub current: bool,
}

/// A titled part of the side navigation.
#[derive(Clone, Debug, Serialize)]
pub struct NavGroup {
    /// Key of the title, or empty.
    pub label: &'static str,
    /// Links.
    pub items: Vec<NavItem>,
}

/// Builds the answer; begin with [`show`].
#[must_use]
pub struct Show<'a> {
    deps: &'a Deps,
    ctx: &'a Ctx,
    status: StatusCode,
    leave: Leave,
    signed: Option<Signed>,
    nav: Vec<NavGroup>,
    csrf: Option<String>,
}

/// Begins a page.
pub fn show<'a>(deps: &'a Deps, ctx: &'a Ctx) -> Show<'a> {
    // sign-in and what goes with it may happen in a window that an application opened
    let opener = ctx.path.starts_with("/login/") || ctx.path.starts_with("/oauth2/");
    let leave = Leave { opener, forms: false };
    Show { deps, ctx, status: StatusCode::OK, leave, signed: None, nav: Vec::new(), csrf: None }
}

#[derive(Serialize)]
struct View<'a> {
    lang: &'a str,
    organisation: &'a str,
    theme: &'a str,
    path: &'a str,
    request_id: &'a str,
    now: i64,
    flash: Option<&'a str>,
    signed: Option<&'a Signed>,
    csrf: Option<&'a str>,
    nav: &'a [NavGroup],
    languages: Vec<String>,
}

impl<'a> Show<'a> {
    /// Another status than 200.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
    /// The one form of the page is an answer to another site.
    pub fn form_leaves(mut self) -> Self {
        self.leave.forms = true;
        self
    }
    /// Who is signed in (`person.signed()`); their token serves the forms of the page.
    pub fn signed(mut self, signed: Signed) -> Self {
        self.signed = Some(signed);
        self
    }
    /// Side navigation, for `layout/console.html`.
    pub fn nav(mut self, nav: Vec<NavGroup>) -> Self {
        self.nav = nav;
        self
    }
    /// Token for forms of somebody who is not signed in.
    pub fn csrf(mut self, token: String) -> Self {
        self.csrf = Some(token);
        self
    }
    fn flash(&self) -> Option<&'a str> {
        let fit = |key: &&str| key.len() <= 60 && key.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.'));
        let key = self.ctx.cookie(Cookie::Flash).filter(fit)?;
        self.deps.pages.locales().raw(&self.ctx.lang.0, &format!("flash.{key}")).map(|_| key)
    }
    fn values<P: Page>(&self, page: &P, flash: Option<&str>) -> Value {
        let settings = &self.deps.settings;
        let view = View {
            lang: &self.ctx.lang.0,
            organisation: &settings.organisation,
            theme: &settings.theme,
            path: &self.ctx.path,
            request_id: &self.ctx.request_id,
            now: self.deps.clock.now().0,
            flash,
            signed: self.signed.as_ref(),
            csrf: self.signed.as_ref().map(|s| s.csrf.as_str()).or(self.csrf.as_deref()),
            nav: &self.nav,
            languages: self.deps.pages.locales().tags().map(str::to_owned).collect(),
        };
        context! { view => Value::from(Serde(&view)), page => Value::from(Serde(page)) }
    }
    /// Renders a part of a page without headers and layout, for live updates over SSE.
    ///
    /// # Errors
    /// 500, with the cause in the log.
    pub fn fragment<P: Page>(&self, page: &P) -> Result<String, Problem> {
        let rendered = self.deps.pages.render(&self.ctx.lang, P::TEMPLATE, self.values(page, None));
        rendered.map_err(|cause| Problem::internal(&cause))
    }
    /// Renders the page.
    pub fn page<P: Page>(self, page: &P) -> Response {
        let flash = self.flash();
        match self.deps.pages.render(&self.ctx.lang, P::TEMPLATE, self.values(page, flash)) {
            Ok(html) => {
                let mut response = (self.status, html).into_response();
                let utf8 = HeaderValue::from_static("text/html; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, utf8);
                headers::page(&mut response, &self.deps.settings, self.leave);
                if flash.is_some() {
                    cookies::clear(&mut response, &self.deps.settings, Cookie::Flash);
                }
                response
            }
            Err(cause) => {
                let mut response = Problem::internal(&cause).of(self.ctx).into_response();
                headers::page(&mut response, &self.deps.settings, Leave::default());
                response
            }
        }
    }
}

/// 303 to a path of ours, or to an absolute address.
#[must_use]
pub fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(to) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(_) => Problem::internal(&"a redirect is not fit for a header").into_response(),
    }
}

/// Adds a message that the next page shows: a key below `flash.`.
#[must_use]
pub fn with_flash(mut response: Response, deps: &Deps, key: &'static str) -> Response {
    cookies::set(&mut response, &deps.settings, Cookie::Flash, key, Some(60));
    response
}
