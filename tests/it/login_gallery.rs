//! All pages with all their samples, to look at: `ODCM_GALLERY=127.0.0.1:8123 cargo test -p odcm-tests --test it gallery --
//! --ignored`, then open `/gallery`.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Html;
use axum::routing::get;
use minijinja::Value;
use minijinja::value::Serde;
use odcm::deps::Deps;
use odcm::http::Lang;
use odcm::pages::PAGES;
use odcm::testing::deps_with;

async fn index() -> Html<String> {
    let mut out = String::from("<title>x</title>");
    for (n, page) in PAGES.iter().enumerate() {
        for sample in 0..(page.samples)().len() {
            out.push_str(&format!("<li><a href=\"/gallery/en/{n}/{sample}\">{} {sample}</a>", page.template));
        }
    }
    Html(out)
}

async fn one(State(deps): State<Deps>, Path((lang, n, sample)): Path<(String, usize, usize)>) -> axum::response::Response {
    let page = &PAGES[n];
    let sample = (page.samples)().remove(sample);
    let signed = !page.template.starts_with("login/") && page.template != "message.html" || page.template == "login/logout.html";
    let item = |label: &str, icon: &str, current: bool| serde_json::json!({ "label": label, "href": "/admin", "icon": icon, "current": current });
    let view = serde_json::json!({
        "lang": lang, "organisation": "Planet Express", "theme": "default", "path": "/", "request_id": "r",
        "now": 1_795_352_500_000_i64, "flash": null, "csrf": "c", "languages": ["de", "en"],
        "signed": signed.then(|| serde_json::json!({ "name": "Barry Infrastructure", "username": "barry", "admin": true, "csrf": "c" })),
        "nav": [{ "label": "ui.administration", "items": [item("ui.spaces", "spaces", true), item("ui.search", "people", false)] }],
    });
    let context = minijinja::context! { view => Value::from(Serde(&view)), page => Value::from(Serde(&sample)) };
    let html = deps.pages.render(&Lang(lang), page.template, context).unwrap_or_else(|e| e);
    let mut response = axum::response::IntoResponse::into_response(Html(html));
    odcm::pages::headers::page(&mut response, &deps.settings, odcm::pages::headers::Leave::default());
    response
}

#[tokio::test]
#[ignore = "serves until it is ended; see the head of the file"]
async fn gallery() {
    let address = std::env::var("ODCM_GALLERY").unwrap_or_else(|_| "127.0.0.1:8123".into());
    let deps = deps_with(|settings| {
        settings.themes = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../themes").into());
        settings.public = odcm::config::PublicUrl::parse(&format!("http://{address}")).unwrap();
    })
    .await;
    let router = Router::new()
        .route("/gallery", get(index))
        .route("/gallery/{lang}/{n}/{sample}", get(one))
        .merge(odcm::pages::routes())
        .merge(odcm::login::routes())
        .with_state(deps.deps.clone());
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}
