//! The one HTTP client towards upstreams: bounded in time and size, without redirects, and only to addresses that the
//! [`Guard`] admits, looked at after the name was resolved, so that a name cannot say one address and mean another.

use super::Guard;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, header};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::{Host, Url};

/// For a name, a connection and its TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// For a whole exchange.
const WHOLE: Duration = Duration::from_secs(10);

/// Why there is no answer. The texts are for administrators and the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// We do not go there.
    #[error("{0}")]
    Forbidden(String),
    /// It did not answer in time, or not at all.
    #[error("{0}")]
    Unreachable(String),
    /// It answered, and the answer is of no use.
    #[error("{0}")]
    Nonsense(String),
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Content-Type` without parameters, in lower case.
    pub kind: String,
    /// For how long it may be kept, in seconds (`Cache-Control: max-age`, RFC 9111 §5.2.2.1).
    pub max_age: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::Nonsense`] when it is none.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|e| Error::Nonsense(format!("the answer is not the JSON it should be: {e}")))
    }
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    guard: Arc<Guard>,
    /// Certificates of private authorities, in PEM, besides those of the system.
    roots: Vec<u8>,
    /// Made when it is first needed: reading the system's certificates takes time and memory.
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Http({:?})", self.0.guard)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new(Guard::default(), Vec::new())
    }
}

/// Asks the system for the addresses of a name, and keeps those that are admitted.
struct Resolver(Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            // RFC 6761 §6.3: these are loopback whatever the system's resolver says
            let found: Vec<std::net::SocketAddr> = if crate::config::is_loopback(host) {
                vec![([127, 0, 0, 1], 0).into()]
            } else {
                tokio::net::lookup_host((host, 0)).await?.collect()
            };
            let admitted: Vec<_> = found.iter().copied().filter(|address| guard.admits(host, address.ip())).collect();
            if admitted.is_empty() && !found.is_empty() {
                return Err(forbidden(host).into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

fn forbidden(host: &str) -> String {
    format!("{host} is inside a private network; if that is meant, add it to [outbound] allow")
}

impl Http {
    /// Makes one.
    #[must_use]
    pub fn new(guard: Guard, roots: Vec<u8>) -> Self {
        Self(Arc::new(Inner { guard: Arc::new(guard), roots, client: OnceLock::new() }))
    }

    /// Whether this address may be asked at all: https, or http where the operator allowed the host; no user name in it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with a sentence.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        let guard = &self.0.guard;
        let no = |why: String| Err(Error::Forbidden(why));
        if !url.username().is_empty() || url.password().is_some() {
            return no("an address must not hold a user name or password".into());
        }
        let (host, literal) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(v4)) => (v4.to_string(), Some(v4.into())),
            Some(Host::Ipv6(v6)) => (v6.to_string(), Some(v6.into())),
            None => return no(format!("`{url}` names no host")),
        };
        if literal.is_some_and(|address| !guard.admits(&host, address)) {
            return no(forbidden(&host));
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if guard.allows_host(&host) || literal.is_some_and(|address| guard.allows_address(address)) => Ok(()),
            "http" => no(format!("{host} would be asked in plain http; use https, or add it to [outbound] allow")),
            other => no(format!("`{other}` is not https")),
        }
    }

    fn client(&self) -> Result<&reqwest::Client, Error> {
        let made = self.0.client.get_or_init(|| {
            // The first to come installs the process-wide provider; an error means that somebody already did.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("odcm/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Resolver(self.0.guard.clone()))
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
                .pool_max_idle_per_host(2)
                .pool_idle_timeout(Duration::from_secs(30))
                .no_proxy();
            if !self.0.roots.is_empty() {
                let found = reqwest::Certificate::from_pem_bundle(&self.0.roots).map_err(|e| e.to_string())?;
                builder = builder.tls_certs_merge(found);
            }
            builder.build().map_err(|e| deepest(&e))
        });
        made.as_ref().map_err(|why| Error::Unreachable(format!("the HTTP client cannot be made: {why}")))
    }

    /// What decides where connections go.
    #[must_use]
    pub fn guard(&self) -> Arc<Guard> {
        self.0.guard.clone()
    }

    /// Asks by GET, for at most `limit` bytes.
    ///
    /// # Errors
    /// Anything but an answer.
    pub async fn get(&self, url: &Url, bearer: Option<&str>, limit: usize) -> Result<Answer, Error> {
        let mut headers = header::HeaderMap::new();
        if let Some(token) = bearer {
            headers.insert(header::AUTHORIZATION, secret(&format!("Bearer {token}"))?);
        }
        self.send(Method::GET, url, headers, None, limit).await
    }

    /// Sends a form, for an answer of at most `limit` bytes. `basic` are name and secret for HTTP Basic, encoded as RFC 6749
    /// §2.3.1 has it.
    ///
    /// # Errors
    /// Anything but an answer.
    pub async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Answer, Error> {
        use base64::Engine as _;
        let mut headers = header::HeaderMap::new();
        if let Some((name, password)) = basic {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", encode(name), encode(password)));
            headers.insert(header::AUTHORIZATION, secret(&format!("Basic {pair}"))?);
        }
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(Method::POST, url, headers, Some(body), limit).await
    }

    /// Sends JSON with a bearer token, for an answer of at most `limit` bytes.
    ///
    /// # Errors
    /// Anything but an answer.
    pub async fn post_json(&self, url: &Url, body: &serde_json::Value, bearer: &str, limit: usize) -> Result<Answer, Error> {
        let mut headers = header::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, secret(&format!("Bearer {bearer}"))?);
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        self.send(Method::POST, url, headers, Some(body.to_string()), limit).await
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: header::HeaderMap,
        body: Option<String>,
        limit: usize,
    ) -> Result<Answer, Error> {
        self.check(url)?;
        // what is secret is in headers and bodies; an address is shown as far as its path
        let shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let failed = |error: &reqwest::Error| Error::Unreachable(format!("{shown}: {}", deepest(error)));
        let mut request = self.client()?.request(method, url.clone()).headers(headers).header(header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|e| failed(&e.without_url()))?;
        let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let max_age = text(header::CACHE_CONTROL)
            .split(',')
            .find_map(|part| part.trim().to_ascii_lowercase().strip_prefix("max-age=")?.parse().ok());
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|e| failed(&e.without_url()))? {
            if body.len() + chunk.len() > limit {
                return Err(Error::Nonsense(format!("{shown}: the answer is longer than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, kind, max_age, body })
    }
}

fn secret(text: &str) -> Result<header::HeaderValue, Error> {
    let mut value = header::HeaderValue::from_str(text)
        .map_err(|_| Error::Nonsense("a credential has characters that no header can hold".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// reqwest hides the cause one or more levels down.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
