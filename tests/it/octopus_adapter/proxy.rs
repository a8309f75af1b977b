//! A server between the adapter and the stand-in that behaves oddly in one way.

use super::hands::Hands;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use odcm_space_plugin::octopus::{OctopusAdapter, OctopusConfig};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// Lives below a directory that the server behind does not know.
    Directory(&'static str),
    /// Never gives more items than this on a page.
    PagesOf(u32),
    /// Does the first POST, then says 502.
    LosesAnAnswer,
    /// Answers each PUT with what was sent and forgets it.
    ForgetsPuts,
    /// Answers everything with endless bytes, with a length or without.
    Endless { announced: bool },
    /// Answers everything with this text and a status.
    Says(u16, &'static str),
}

pub struct Proxy {
    pub url: String,
    key: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    twist: Twist,
    behind: String,
    http: reqwest::Client,
    paths: Mutex<Vec<String>>,
    lost: AtomicBool,
}

impl Proxy {
    pub async fn start(hands: &Hands, twist: Twist) -> Self {
        let shared = Arc::new(Shared {
            twist,
            behind: hands.standin.url(),
            http: reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            paths: Mutex::default(),
            lost: AtomicBool::new(false),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key: hands.standin.admin_key().to_owned(), shared, server }
    }

    pub fn adapter(&self) -> OctopusAdapter {
        let mut config = OctopusConfig::new(&self.url, &self.key);
        config.request_timeout = Duration::from_secs(5);
        config.max_body = 1024 * 1024;
        OctopusAdapter::new(config).unwrap()
    }

    /// Paths of all requests.
    pub fn paths(&self) -> Vec<String> {
        self.shared.paths.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let target = request.uri().path_and_query().unwrap().to_string();
    shared.paths.lock().unwrap().push(target.clone());
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let target = match shared.twist {
        Twist::Directory(directory) => match target.strip_prefix(directory) {
            Some(inside) => inside.to_owned(),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
        Twist::PagesOf(size) => target.replace("take=1000", &format!("take={size}")),
        Twist::ForgetsPuts if parts.method == "PUT" => return body.into_response(),
        Twist::Endless { announced } => return endless(announced),
        Twist::Says(status, text) => return (StatusCode::from_u16(status).unwrap(), text).into_response(),
        _ => target,
    };
    let lose = shared.twist == Twist::LosesAnAnswer && parts.method == "POST" && !shared.lost.swap(true, Ordering::SeqCst);
    let mut forwarded = shared.http.request(parts.method, format!("{}{target}", shared.behind)).body(body);
    for (name, value) in &parts.headers {
        if name != "host" && name != "content-length" {
            forwarded = forwarded.header(name, value);
        }
    }
    let answer = forwarded.send().await.unwrap();
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap();
    if lose { StatusCode::BAD_GATEWAY.into_response() } else { (status, bytes).into_response() }
}

fn endless(announced: bool) -> Response {
    let chunk = axum::body::Bytes::from(vec![b' '; 64 * 1024]);
    let stream = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    let mut response = Body::from_stream(stream).into_response();
    if announced {
        response.headers_mut().insert("content-length", (1_u64 << 40).into());
    }
    response
}
