//! HTTP with the server: one place for limits, pace and errors.

use super::config::{ConfigError, OctopusConfig, address, is_loopback};
use super::pace::{Lane, Pace};
use crate::adapter::{AdapterError, Result};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, redirect};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

const API_KEY: HeaderName = HeaderName::from_static("x-octopus-apikey");
const CONNECT: Duration = Duration::from_secs(5);
/// Longest text of a server that is passed on.
const MESSAGE: usize = 500;
/// Longest `Retry-After` that is believed.
const LONGEST_RETRY: u64 = 3600;

/// A connection pool to one server.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    public: Url,
    key: HeaderValue,
    pace: Pace,
    request_timeout: Duration,
    call_timeout: Duration,
    max_body: usize,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// The answers of one call of the adapter are together at most so many times as large as one answer may be.
const CALL_ANSWERS: usize = 2;

/// One call of the adapter: its lane and its deadline.
pub(super) struct Api<'a> {
    client: &'a Client,
    lane: Lane,
    deadline: Instant,
    /// Bytes read so far.
    read: AtomicUsize,
}

/// What a browser would see of an answer.
pub(super) struct Page {
    pub status: u16,
    /// Pairs of `Set-Cookie`, without attributes.
    pub cookies: Vec<String>,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(config: OctopusConfig) -> std::result::Result<Self, ConfigError> {
        let base = address("base_url", &config.base_url)?;
        let public = config.public_url.as_deref().map_or(Ok(base.clone()), |url| address("public_url", url))?;
        let plain = base.scheme() == "http";
        if plain && !is_loopback(&base) && !config.allow_plain_http {
            return Err(ConfigError::new("base_url", "plain http only on this host; use https, or set allow_plain_http"));
        }
        let text = config.api_key.trim();
        let mut key = HeaderValue::from_str(text)
            .ok()
            .filter(|_| text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or_else(|| ConfigError::new("api_key", "it must look like API-ABC123, on one line"))?;
        key.set_sensitive(true);

        // The first to come installs the process-wide provider; an error means that somebody already did.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("odcm-agent/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(config.request_timeout))
            .timeout(config.request_timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(super::pace::AT_ONCE)
            .no_proxy();
        if let Some(pem) = &config.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).ok().filter(|found| !found.is_empty());
            let problem = || ConfigError::new("ca_pem", "it must hold at least one certificate in PEM");
            builder = builder.tls_certs_only(certificates.ok_or_else(problem)?);
        } else if plain {
            // Spares reading the system's certificates.
            builder = builder.tls_certs_only([]);
        }
        if let Some(proxy) = &config.proxy {
            let problem = |_| ConfigError::new("proxy", "write it as http://host:port");
            builder = builder.proxy(reqwest::Proxy::all(proxy.trim()).map_err(problem)?);
        }
        let http = builder.build().map_err(|error| ConfigError::new("base_url", error.without_url().to_string()))?;
        Ok(Self {
            http,
            base,
            public,
            key,
            pace: Pace::default(),
            request_timeout: config.request_timeout,
            call_timeout: config.call_timeout,
            max_body: config.max_body,
        })
    }

    pub fn api(&self, lane: Lane) -> Api<'_> {
        Api { client: self, lane, deadline: Instant::now() + self.call_timeout, read: AtomicUsize::new(0) }
    }

    /// The address that a link means; only addresses under our base are allowed, so that the key goes nowhere else.
    fn resolve(&self, link: &str) -> Result<Url> {
        let elsewhere = || AdapterError::Garbage(format!("a link leads elsewhere: {}", clean(link.as_bytes())));
        let directory = self.base.path();
        let url = if let Some(rest) = link.strip_prefix("~/") {
            self.base.join(&format!("./{rest}"))
        } else if link.starts_with('/') && !link.starts_with("//") && !link.starts_with(directory) {
            // The server does not know of its virtual directory.
            self.base.join(&format!(".{link}"))
        } else {
            self.base.join(link)
        };
        let url = url.map_err(|_| elsewhere())?;
        let same = url.origin() == self.base.origin() && url.path().starts_with(directory);
        if same && url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err(elsewhere()) }
    }
}

impl Api<'_> {
    /// When this call must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The address that people use, with a slash at its end.
    pub fn public(&self) -> &Url {
        &self.client.public
    }

    pub async fn get(&self, link: &str) -> Result<Value> {
        self.json(Method::GET, link, None).await
    }

    pub async fn post(&self, link: &str, body: &Value) -> Result<Value> {
        self.json(Method::POST, link, Some(body)).await
    }

    pub async fn put(&self, link: &str, body: &Value) -> Result<Value> {
        self.json(Method::PUT, link, Some(body)).await
    }

    /// A `PUT` without a body; the answer is not looked at.
    pub async fn put_nothing(&self, link: &str) -> Result<()> {
        self.accepted(Method::PUT, link, None).await.map(drop)
    }

    /// A `DELETE`; the answer is not looked at.
    pub async fn delete(&self, link: &str) -> Result<()> {
        self.accepted(Method::DELETE, link, None).await.map(drop)
    }

    /// A request as a browser without our key makes it; any answer is good.
    pub async fn browse(&self, link: &str, body: Option<&Value>, cookies: &[String]) -> Result<Page> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let url = self.client.resolve(link)?;
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&cookies.join("; "))
            && !cookies.is_empty()
        {
            headers.insert(reqwest::header::COOKIE, value);
        }
        let (response, body) = self.exchange(method, url, body, headers).await?;
        let set = response.headers.get_all(reqwest::header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = set.filter_map(|cookie| cookie.split(';').next()).map(|pair| pair.trim().to_owned());
        Ok(Page { status: response.status.as_u16(), cookies: pairs.collect(), body })
    }

    async fn json(&self, method: Method, link: &str, body: Option<&Value>) -> Result<Value> {
        let what = format!("{method} {}", clean(link.as_bytes()));
        let body = self.accepted(method, link, body).await?;
        serde_json::from_slice(&body).map_err(|error| AdapterError::Garbage(format!("{what}: {error}")))
    }

    /// Body of an answer with status 2xx.
    async fn accepted(&self, method: Method, link: &str, body: Option<&Value>) -> Result<Vec<u8>> {
        let url = self.client.resolve(link)?;
        let what = format!("{method} {}", url.path());
        let headers = HeaderMap::from_iter([(API_KEY, self.client.key.clone())]);
        let (head, body) = self.exchange(method, url, body, headers).await?;
        if head.status.is_success() { Ok(body) } else { Err(refusal(&what, &head, &body)) }
    }

    /// Sends one request at the right pace and reads its answer, within all limits.
    async fn exchange(&self, method: Method, url: Url, body: Option<&Value>, headers: HeaderMap) -> Result<(Head, Vec<u8>)> {
        let what = format!("{method} {}", url.path());
        let late = || unavailable(format!("{what}: no answer in time"), None);
        let slot = tokio::time::timeout_at(self.deadline, self.client.pace.enter(self.lane)).await;
        let slot = slot.map_err(|_| late())??;
        let started = Instant::now();
        let until = self.deadline.min(started + self.client.request_timeout);
        let mut request = self.client.http.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = tokio::time::timeout_at(until, async {
            let response = request.send().await.map_err(|error| failed(&what, error))?;
            let head = Head { status: response.status(), headers: response.headers().clone() };
            let body = self.read(&what, response).await?;
            Ok((head, body))
        });
        let outcome = answer.await.unwrap_or_else(|_| Err(late()));
        slot.leave(started.elapsed());
        if let Ok((head, _)) = &outcome
            && head.is_busy()
            && let Some(wait) = head.retry_after()
        {
            self.client.pace.hold(wait);
        }
        outcome
    }

    async fn read(&self, what: &str, mut response: Response) -> Result<Vec<u8>> {
        let max = self.client.max_body;
        let too_large = || AdapterError::Garbage(format!("{what}: the answer is larger than {max} bytes"));
        if response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(what, error))? {
            if body.len() + chunk.len() > max {
                return Err(too_large());
            }
            // The pages of a collection are kept together: they are bounded together.
            if self.read.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len() > max.saturating_mul(CALL_ANSWERS) {
                return Err(AdapterError::Garbage(format!("{what}: the answers are larger than {max} bytes by far, in all")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    fn is_busy(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }

    /// `Retry-After` in seconds, the only form that Octopus sends.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
        Some(Duration::from_secs(seconds.min(LONGEST_RETRY)))
    }
}

fn unavailable(message: String, retry: Option<Duration>) -> AdapterError {
    let retry_after_ms = retry.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    AdapterError::Unavailable { message, retry_after_ms }
}

fn failed(what: &str, error: reqwest::Error) -> AdapterError {
    let kind = match &error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "cannot connect",
        error if error.is_builder() => return AdapterError::Garbage(format!("{what}: the request cannot be built")),
        _ => "the connection broke",
    };
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    unavailable(format!("{what}: {kind} ({})", clean(cause.to_string().as_bytes())), None)
}

/// The error that an answer outside 2xx means.
fn refusal(what: &str, head: &Head, body: &[u8]) -> AdapterError {
    let message = format!("{what}: {} {}", head.status.as_u16(), explanation(body));
    match head.status.as_u16() {
        300..=399 => {
            let target = head.headers.get(reqwest::header::LOCATION).map_or(String::new(), |to| clean(to.as_bytes()));
            AdapterError::Garbage(format!("{what}: a redirect to {target}, which is not followed"))
        }
        401 | 403 => AdapterError::Denied(message),
        404 | 410 => AdapterError::NotFound(what.into()),
        405 | 501 => AdapterError::Unsupported("do this: it does not know the method"),
        408 | 425 | 429 | 500..=599 => unavailable(message, head.retry_after()),
        400..=499 => AdapterError::Invalid(message),
        _ => AdapterError::Garbage(message),
    }
}

/// `ErrorMessage` and `Errors` of an error body, or its first words.
fn explanation(body: &[u8]) -> String {
    let Ok(Value::Object(error)) = serde_json::from_slice(body) else { return clean(body.get(..80).unwrap_or(body)) };
    let listed = error.get("Errors").and_then(Value::as_array).into_iter().flatten().take(10);
    let texts: Vec<&str> = error.get("ErrorMessage").into_iter().chain(listed).filter_map(Value::as_str).collect();
    clean(texts.join(" ").as_bytes())
}

/// A stranger's text, fit for a log line.
fn clean(bytes: &[u8]) -> String {
    let bytes = bytes.get(..MESSAGE * 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MESSAGE).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        Client::new(OctopusConfig::new(base, "API-TEST")).unwrap()
    }

    #[test]
    fn links_stay_on_the_server_and_in_its_directory() {
        let root = client("https://o.example");
        let resolve = |client: &Client, link: &str| client.resolve(link).map(String::from);
        assert_eq!(resolve(&root, "~/api/users?a=b").unwrap(), "https://o.example/api/users?a=b");
        assert_eq!(resolve(&root, "/api/users").unwrap(), "https://o.example/api/users");
        assert_eq!(resolve(&root, "https://o.example/api").unwrap(), "https://o.example/api");
        let nested = client("https://o.example/deploy/");
        assert_eq!(resolve(&nested, "~/api/x").unwrap(), "https://o.example/deploy/api/x");
        assert_eq!(resolve(&nested, "/api/x").unwrap(), "https://o.example/deploy/api/x");
        assert_eq!(resolve(&nested, "/deploy/api/x").unwrap(), "https://o.example/deploy/api/x");
        let foreign =
            ["//evil.example/api", "https://evil.example/api", "/\\evil.example/", "http://o.example/api", "~//evil.example"];
        for (client, inside) in [(&root, "https://o.example/"), (&nested, "https://o.example/deploy/")] {
            for link in foreign {
                let resolved = resolve(client, link);
                let harmless = resolved.as_ref().is_ok_and(|url| url.starts_with(inside));
                assert!(harmless || matches!(resolved, Err(AdapterError::Garbage(_))), "{link}: {resolved:?}");
            }
        }
        for link in ["//evil.example/api", "https://evil.example/api", "http://o.example/deploy/api"] {
            assert!(resolve(&root, link).is_err() && resolve(&nested, link).is_err(), "{link}");
        }
        for link in ["~/../api", "/deploy/../api", "https://u@o.example/deploy/", "https://o.example:1/deploy/"] {
            assert!(resolve(&nested, link).is_err(), "{link}: {:?}", resolve(&nested, link));
        }
    }

    #[test]
    fn settings_that_would_leak_the_key_are_refused() {
        let refused = |base: &str, key: &str| Client::new(OctopusConfig::new(base, key)).unwrap_err().setting;
        assert_eq!(refused("http://o.example", "API-TEST"), "base_url");
        assert_eq!(refused("https://o.example", ""), "api_key");
        assert_eq!(refused("https://o.example", "API-A\nB"), "api_key");
        let mut plain = OctopusConfig::new("http://o.example", "API-TEST\n");
        plain.allow_plain_http = true;
        assert!(Client::new(plain.clone()).is_ok());
        plain.ca_pem = Some(b"nonsense".to_vec());
        assert_eq!(Client::new(plain).unwrap_err().setting, "ca_pem");
    }

    #[test]
    fn each_status_has_its_error() {
        let error = |status: u16, retry: Option<&'static str>, body: &str| {
            let mut headers = HeaderMap::new();
            if let Some(retry) = retry {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(retry));
            }
            refusal("GET /api", &Head { status: StatusCode::from_u16(status).unwrap(), headers }, body.as_bytes())
        };
        let body = r#"{"ErrorMessage":"There was a problem with your request.","Errors":["Name\ntaken."]}"#;
        assert_eq!(
            error(400, None, body),
            AdapterError::Invalid("GET /api: 400 There was a problem with your request. Name taken.".into())
        );
        assert!(matches!(error(401, None, ""), AdapterError::Denied(_)));
        assert!(matches!(error(403, None, "<html>"), AdapterError::Denied(text) if text.contains("<html>")));
        assert!(matches!(error(404, None, body), AdapterError::NotFound(_)));
        assert!(matches!(error(302, None, ""), AdapterError::Garbage(_)));
        assert!(matches!(error(405, None, ""), AdapterError::Unsupported(_)));
        let busy = error(429, Some("7"), body);
        assert!(matches!(busy, AdapterError::Unavailable { retry_after_ms: Some(7000), .. }), "{busy:?}");
        let endless = error(503, Some("99999999999"), body);
        assert!(matches!(endless, AdapterError::Unavailable { retry_after_ms: Some(3_600_000), .. }));
        assert!(matches!(error(500, Some("soon"), body), AdapterError::Unavailable { retry_after_ms: None, .. }));
        let long = error(400, None, &format!(r#"{{"ErrorMessage":"{}"}}"#, "é".repeat(100_000)));
        assert!(long.to_string().len() < 2_000);
    }
}
