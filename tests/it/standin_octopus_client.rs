//! A small client of the stand-in for its own tests.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use odcm_tests::standins::octopus::{CookieSession, OctopusStandin, StandinConfig, StandinHandle};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A stand-in with a clock that the test moves.
pub struct Server {
    pub standin: StandinHandle,
    pub now: Arc<AtomicI64>,
    pub http: reqwest::Client,
}

pub const START: i64 = 1_700_000_000_000;

/// Status and JSON body.
pub type Answer = (u16, Value);

impl Server {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut StandinConfig)) -> Self {
        let now = Arc::new(AtomicI64::new(START));
        let clock = now.clone();
        let mut config = StandinConfig {
            admin_password: Some("Admin-passw0rd".into()),
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            ..StandinConfig::default()
        };
        change(&mut config);
        let standin = OctopusStandin::start(config).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { standin, now, http }
    }

    pub fn tick(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn raw(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.standin.url()))
    }

    /// As the administrators' service account.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_as(self.standin.admin_key(), method, path, body).await
    }

    pub async fn call_as(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.raw(method, path);
        if !key.is_empty() {
            request = request.header("X-Octopus-ApiKey", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request.send().await.unwrap()).await
    }

    pub async fn call_with(&self, session: &CookieSession, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.raw(method, path).header("Cookie", &session.cookie).header("X-Octopus-Csrf-Token", &session.csrf);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Creates a user by the API.
    pub async fn user(&self, name: &str) -> Value {
        let body = json!({"Username": name, "DisplayName": name, "EmailAddress": format!("{name}@example.org")});
        let (status, body) = self.call("POST", "/api/users", Some(body)).await;
        assert_eq!(status, 201, "{body}");
        body
    }

    /// Reads a resource, changes it and writes it back.
    pub async fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) -> Answer {
        let mut resource = self.get(path).await;
        change(&mut resource);
        self.call("PUT", path, Some(resource)).await
    }
}

/// A value without the fields that no client knows, at any depth.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().filter(|(name, _)| *name != "XFutureField").map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// The values of a field of each item, of a page or a bare list.
pub fn each(list: &Value, field: &str) -> Vec<String> {
    let items = list.get("Items").unwrap_or(list).as_array().unwrap();
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

pub async fn answer(response: Response) -> Answer {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The first sentence of `Errors`, or `ErrorMessage`.
pub fn problem(answer: &Answer) -> &str {
    let body = &answer.1;
    body["Errors"][0].as_str().or_else(|| body["ErrorMessage"].as_str()).unwrap_or_default()
}
