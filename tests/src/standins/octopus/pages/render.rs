//! Templates and style sheet, compiled in.

use std::sync::OnceLock;

use axum::{
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Environment, Value, context};

use crate::standins::octopus::server::App;

const TEMPLATES: &[(&str, &str)] = &[
    ("layout.html", include_str!("layout.html")),
    ("problem.html", include_str!("problem.html")),
    ("sign_in.html", include_str!("sign_in.html")),
    ("home.html", include_str!("home.html")),
    ("users.html", include_str!("users.html")),
    ("teams.html", include_str!("teams.html")),
    ("team.html", include_str!("team.html")),
];

fn environment() -> &'static Environment<'static> {
    static READY: OnceLock<Environment<'static>> = OnceLock::new();
    READY.get_or_init(|| {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            if let Err(error) = environment.add_template(name, source) {
                tracing::error!(%error, name, "a template of the stand-in is wrong");
            }
        }
        environment
    })
}

const POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

/// A page: the template's own values and those that all pages have.
pub fn page(app: &App, template: &str, values: Value) -> Response {
    let standing = context! {
        server => &app.config.name,
        version => app.config.version.to_string(),
        odcm_url => &app.config.odcm_url,
    };
    let values = context! { ..values, ..standing };
    let html = environment().get_template(template).and_then(|template| template.render(values));
    match html {
        Ok(html) => {
            let headers: [(HeaderName, &str); 3] = [
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::CACHE_CONTROL, "no-store"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, Html(html)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, template, "a page of the stand-in cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The style sheet.
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")], include_str!("style.css"))
}

/// Turns the portal's old address form `/app#/users/sign-in?iss=…` into one that the server sees.
pub async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")],
        include_str!("fragment.js"),
    )
}
