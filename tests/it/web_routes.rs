//! Every route of the public listener against nobody, a signed-in person without rights, and an owner. The routes are read
//! from the source, so that a new one is swept without being named here; only what strangers may see is named.

use crate::api_support::World;
use crate::visitor::Visitor;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, header};
use odcm::accounts::links;
use odcm::core::ids::PersonId;
use odcm::core::policy::{Role, Scope};
use odcm::crypto::password::Lane;
use odcm::push::Push;
use odcm::storage::people;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use tower::ServiceExt;

const ORIGIN: &str = "https://id.example.com";
const PASSWORD: &str = "correct horse battery";

/// What a stranger may get with success: (method, route). Everything else answers strangers with anything but 2xx.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/assets/{hash}/{*name}"),
    ("GET", "/favicon.ico"),
    ("GET", "/logout"),
    ("GET", "/logout/done"),
    ("GET", "/oauth2/jwks"),
    ("GET", "/oauth2/logout"),
    ("POST", "/oauth2/logout"),
];
/// Routes of the management listener: not on the public one at all.
const ELSEWHERE: &[&str] = &["/healthz", "/metrics", "/readyz"];

/// Every path in a `.route(` of the sources, and the operations of the API.
fn routes(world: &World) -> BTreeSet<String> {
    fn walk(folder: &Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                walk(&entry.path(), out);
            } else if entry.path().extension().is_some_and(|e| e == "rs") {
                out.push(std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let mut sources = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../idp/src"), &mut sources);
    let all = sources.join("\n");
    let mut found = BTreeSet::new();
    for source in &sources {
        let source = source.split("#[cfg(test)]").next().unwrap();
        for call in source.split(".route(").skip(1) {
            let argument = call.trim_start().split([',', ')']).next().unwrap().trim();
            if argument.starts_with('&') {
                continue; // another method of that name
            }
            let path = match argument.strip_prefix('"') {
                Some(text) => text.trim_end_matches('"').to_owned(),
                None => {
                    // a constant: find where it gets its value
                    let name = argument.rsplit("::").next().unwrap();
                    let needle = format!("const {name}: &str = \"");
                    let at = all.find(&needle).unwrap_or_else(|| panic!("which path is .route({argument}, …)?"));
                    all[at + needle.len()..].split('"').next().unwrap().to_owned()
                }
            };
            if !path.starts_with('/') {
                continue; // another method of that name
            }
            found.insert(if path == "/openapi.json" { format!("/api/v1{path}") } else { path });
        }
    }
    found.extend(world.operations().iter().map(|op| format!("/api/v1{}", op.path)));
    assert!(found.len() > 60, "only {found:?}");
    found
}

/// The path with something in its variable parts; ids that exist are of no use to a stranger.
fn filled(route: &str, id: &str) -> String {
    route.split('/').map(|p| if p.starts_with('{') { id } else { p }).collect::<Vec<_>>().join("/")
}

struct Got {
    status: u16,
    headers: HeaderMap,
    text: String,
}

struct Site {
    world: World,
    router: Router,
    _push: Push,
}

impl Site {
    async fn new() -> Self {
        let world = World::new().await;
        let push = Push::idle(world.deps.deps.clone());
        let router = odcm::web::router(&world.deps, push.routes());
        Self { world, router, _push: push }
    }

    /// The cookies of somebody who signed in.
    async fn sign_in(&self, person: &PersonId) -> String {
        let deps = &self.world.deps;
        let link = links::create(deps, &crate::api_support::host(), person).await.unwrap();
        let phc = deps.hasher.hash(Lane::Unknown, PASSWORD).await.unwrap();
        links::set_password(deps, &link.secret, &phc, None).await.unwrap();
        let name = people::find(&mut &deps.db, person).await.unwrap().unwrap().username;
        let mut visitor = Visitor::new(self.router.clone(), ORIGIN);
        let page = visitor.open("/").await;
        let page = visitor.submit(&page, "/identify", &[("name", &name)]).await;
        let home = visitor.submit(&page, "/password", &[("password", PASSWORD)]).await;
        assert_eq!(home.status, 200, "{}", home.text);
        visitor.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ")
    }

    /// Sends a request as a browser and checks what every answer has.
    async fn send(&self, method: &str, path: &str, cookies: &str, kind: &str, body: Vec<u8>) -> Got {
        let peer: SocketAddr = "192.0.2.77:5000".parse().unwrap();
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "text/html");
        request = request.header(header::ORIGIN, ORIGIN).header(header::CONTENT_TYPE, kind);
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies);
        }
        let request = request.extension(ConnectInfo(peer)).body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let streaming = parts.headers.get(header::CONTENT_TYPE).is_some_and(|t| t == "text/event-stream");
        let text =
            if streaming { String::new() } else { String::from_utf8_lossy(&to_bytes(body, 8 << 20).await.unwrap()).into_owned() };
        let got = Got { status: parts.status.as_u16(), headers: parts.headers, text };
        let what = format!("{method} {} as [{cookies}]: {}", &path[..path.len().min(80)], got.status);
        let has = |name: &str| got.headers.get(name).map_or("", |v| v.to_str().unwrap());
        assert_eq!(has("x-content-type-options"), "nosniff", "{what}");
        let policy = has("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
        assert!(
            !has("x-request-id").is_empty() && !has("referrer-policy").is_empty() && !has("cache-control").is_empty(),
            "{what}"
        );
        // a page is told not to be kept, whoever asks
        if has("content-type").starts_with("text/html") {
            assert!(has("cache-control").contains("no-store"), "{what}");
        }
        got
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn strangers_get_the_open_routes_and_nothing_else() {
    let site = Site::new().await;
    let mut opened = BTreeSet::new();
    for route in routes(&site.world) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let path = filled(&route, ID);
            let got = site.send(method, &path, "", FORM, vec![]).await;
            assert!(got.status < 500, "{method} {route}: {} {}", got.status, got.text);
            if ELSEWHERE.contains(&route.as_str()) {
                assert_eq!(got.status, 404, "{method} {route} belongs to the management listener");
            } else if got.status < 300 {
                assert!(
                    OPEN.contains(&(method, route.as_str())),
                    "{method} {route} answers a stranger with {}: {}",
                    got.status,
                    got.text
                );
                opened.insert((method, route.clone()));
            } else if route.starts_with("/admin") {
                let away = got.status == 303 && got.headers["location"].to_str().unwrap().starts_with("/login");
                assert!(away || matches!(got.status, 401 | 403 | 404 | 405 | 415), "{method} {route}: {}", got.status);
            } else if route.starts_with("/api/v1/") {
                assert!(matches!(got.status, 401 | 405), "{method} {route}: {}", got.status);
            }
        }
    }
    let never: Vec<_> = OPEN
        .iter()
        .filter(|(m, r)| !opened.contains(&(*m, (*r).to_owned())) && !r.starts_with("/assets") && *r != "/favicon.ico")
        .collect();
    assert!(never.len() <= 3, "these are listed as open and never were: {never:?}");
}

#[tokio::test]
async fn the_console_is_for_people_with_rights() {
    let site = Site::new().await;
    let plain = site.world.person().await;
    let (plain, owner) = (site.sign_in(&plain).await, site.sign_in(&site.world.owner_id).await);
    assert!(plain.contains("session") && owner.contains("session"), "[{plain}] [{owner}]");
    let mut pages = 0;
    for route in routes(&site.world) {
        let path = filled(&route, ID);
        for method in ["GET", "POST"] {
            // without the token of the form a signed-in person changes nothing
            for cookies in [&plain, &owner] {
                let got = site.send(method, &path, cookies, FORM, b"csrf=wrong".to_vec()).await;
                assert!(got.status < 500, "{method} {route}: {} {}", got.status, got.text);
                if route.starts_with("/api/v1/") && route != "/api/v1/openapi.json" {
                    assert!(matches!(got.status, 401 | 405), "{method} {route}: cookies open nothing in the API: {}", got.status);
                }
                if !route.starts_with("/admin") {
                    continue;
                }
                if method == "POST" {
                    assert!(got.status >= 400, "{method} {route} took a form without its token: {}", got.status);
                } else if cookies == &plain {
                    assert!(matches!(got.status, 403..=405), "{route} for somebody without rights: {}", got.status);
                } else {
                    assert!(!matches!(got.status, 401 | 403), "{route} for an owner: {}", got.status);
                    pages += usize::from(got.status == 200);
                }
            }
        }
    }
    let there = routes(&site.world).iter().any(|r| r.starts_with("/admin"));
    assert!(!there || pages >= 5, "only {pages} pages of the console opened for an owner");
    let account = site.send("GET", "/account", &owner, FORM, vec![]).await;
    assert_eq!(account.status, 200, "{}", account.text);
}

#[tokio::test]
async fn odd_requests_get_plain_answers() {
    let site = Site::new().await;
    for route in routes(&site.world) {
        if ELSEWHERE.contains(&route.as_str()) {
            continue;
        }
        let path = filled(&route, ID);
        for method in ["PURGE", "PROPFIND", "TRACE"] {
            let got = site.send(method, &path, "", FORM, vec![]).await;
            assert_eq!(got.status, 405, "{method} {route}: {}", got.text);
        }
        let got = site.send("GET", &format!("{path}?q={}", "x".repeat(20_000)), "", FORM, vec![]).await;
        assert_eq!(got.status, 414, "{route}");
        let got = site.send("POST", &path, "", FORM, vec![b'x'; 2 << 20]).await;
        assert!((300..500).contains(&got.status), "{route} took two megabytes: {}", got.status);
    }
    assert_eq!(site.send("GET", &format!("/{}", "x".repeat(20_000)), "", FORM, vec![]).await.status, 414);
    // the JSON API is held to 413 in api_behaviour; OAuth has its own errors (RFC 6749 §5.2)
    for (path, kind, status) in
        [("/oauth2/token", FORM, 400), ("/oauth2/revoke", FORM, 400), ("/agent/v1/enrol", "application/json", 413)]
    {
        let got = site.send("POST", path, "", kind, vec![b'x'; 2 << 20]).await;
        assert_eq!(got.status, status, "{path}: {}", got.text);
    }
}

#[tokio::test]
async fn a_right_gives_its_pages_only() {
    let site = Site::new().await;
    let person = site.world.person().await;
    site.world.right(&person, Role::Auditor, Scope::All).await;
    let cookies = site.sign_in(&person).await;
    for route in routes(&site.world).iter().filter(|r| r.starts_with("/admin")) {
        let got = site.send("POST", &filled(route, ID), &cookies, FORM, b"csrf=wrong".to_vec()).await;
        assert!(got.status >= 400 && got.status < 500, "POST {route}: {}", got.status);
    }
    assert_eq!(site.send("GET", "/", &cookies, FORM, vec![]).await.status, 200);
}
