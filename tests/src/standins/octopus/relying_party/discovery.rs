//! The provider's documents: discovery, read once per issuer for the life of the process, and keys.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

/// What is read of a discovery document.
#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    /// Value that `iss` must have.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// Where the browser goes.
    pub authorization_endpoint: String,
    /// Where the code is redeemed.
    pub token_endpoint: String,
}

/// RSA keys by id: modulus and exponent.
pub type Keys = BTreeMap<String, (Vec<u8>, Vec<u8>)>;

/// What the relying party remembers, and its HTTP client.
pub struct Memory {
    /// Client for requests to providers.
    pub http: reqwest::Client,
    discovered: Mutex<BTreeMap<String, Arc<Discovery>>>,
    keys: Mutex<BTreeMap<String, Arc<Keys>>>,
}

/// Sends `localhost` and names below it to 127.0.0.1: programs do not resolve them by themselves.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.');
            if host == "localhost" || host.ends_with(".localhost") {
                let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                return Ok(Box::new(std::iter::once(local)) as Addrs);
            }
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

impl Memory {
    /// Empty, with a client that gives up after a minute, as the real server does.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new() -> Result<Self, String> {
        // A provider may have been installed already by whoever runs this stand-in.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(Loopback))
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| format!("HTTP client: {error}"))?;
        Ok(Self { http, discovered: Mutex::default(), keys: Mutex::default() })
    }

    /// The discovery document of an issuer; only the first call asks for it.
    ///
    /// # Errors
    /// The server's sentence when it cannot be read.
    pub async fn discovery(&self, issuer: &str) -> Result<Arc<Discovery>, String> {
        let mut known = self.discovered.lock().await;
        if let Some(found) = known.get(issuer) {
            return Ok(found.clone());
        }
        let unreadable = || {
            format!(
                "The identity provider's well-known configuration cannot be read. This is possibly due to a misconfiguration of the issuer ({issuer})"
            )
        };
        // Simply put together: an issuer with a trailing slash gives a double one.
        let answer =
            self.http.get(format!("{issuer}/.well-known/openid-configuration")).send().await.map_err(|_| unreadable())?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(unreadable());
        }
        let found = Arc::new(answer.json::<Discovery>().await.map_err(|_| unreadable())?);
        known.insert(issuer.to_owned(), found.clone());
        Ok(found)
    }

    /// The keys of an issuer; `reload` asks for them anew.
    ///
    /// # Errors
    /// A sentence: unreachable, malformed, keys without or with the same `kid`.
    pub async fn keys(&self, discovery: &Discovery, reload: bool) -> Result<Arc<Keys>, String> {
        let mut known = self.keys.lock().await;
        if let Some(found) = known.get(&discovery.issuer).filter(|_| !reload) {
            return Ok(found.clone());
        }
        let answer = self.http.get(&discovery.jwks_uri).send().await.map_err(|error| format!("keys: {error}"))?;
        let document = answer.json::<Value>().await.map_err(|error| format!("keys: {error}"))?;
        let found = Arc::new(read_keys(&document)?);
        known.insert(discovery.issuer.clone(), found.clone());
        Ok(found)
    }
}

/// Keeps RSA keys; their ids must be there, differ and be fit for a file name.
fn read_keys(document: &Value) -> Result<Keys, String> {
    let list = document.get("keys").and_then(Value::as_array).ok_or("keys: there is no list of keys")?;
    let mut keys = Keys::new();
    for key in list.iter().filter(|key| key.get("kty").and_then(Value::as_str) == Some("RSA")) {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let kid = text("kid").ok_or("keys: an RSA key has no kid")?;
        if kid.is_empty() || kid.contains(|letter: char| letter.is_control() || "/\\:*?\"<>|".contains(letter)) {
            return Err(format!("keys: the kid '{kid}' is no file name"));
        }
        if key.get("x5c").is_some() {
            return Err(format!("keys: '{kid}' has x5c, which this stand-in does not read"));
        }
        let number = |name: &str| {
            let value = text(name).ok_or_else(|| format!("keys: '{kid}' has no {name}"))?;
            URL_SAFE_NO_PAD.decode(value).map_err(|_| format!("keys: {name} of '{kid}' is not base64url"))
        };
        if keys.insert(kid.to_owned(), (number("n")?, number("e")?)).is_some() {
            return Err(format!("keys: the kid '{kid}' occurs twice"));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_must_be_usable() {
        let rsa = |kid: Value| json!({"kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB"});
        let read = |keys: Value| read_keys(&json!({"keys": keys}));
        let elliptic = json!({"kty": "EC", "kid": "e"});
        assert_eq!(read(json!([rsa(json!("a")), rsa(json!("b")), elliptic])).unwrap().len(), 2);
        assert!(read(json!([rsa(json!("a")), rsa(json!("a"))])).unwrap_err().contains("twice"));
        assert!(read(json!([rsa(Value::Null)])).unwrap_err().contains("no kid"));
        assert!(read(json!([rsa(json!("a/b"))])).unwrap_err().contains("file name"));
    }
}
