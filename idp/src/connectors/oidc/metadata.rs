//! What an OpenID provider publishes of itself (OpenID Connect Discovery §3, RFC 8414): read, checked and kept for a while, and
//! its keys, which are read again when a token names one that is not known.

use crate::connectors::Error;
use crate::core::Timestamp;
use crate::core::provider::OidcSettings;
use crate::crypto::foreign::{self, ForeignKey};
use crate::net::{self, Http};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;
use url::Url;

/// Longest document of either kind, in bytes.
const LIMIT: usize = 256 * 1024;
/// For how long a document is kept: as long as the provider says, but not shorter or longer than this, in milliseconds.
const SHORTEST_MS: i64 = 5 * 60_000;
const LONGEST_MS: i64 = 24 * 3_600_000;
/// An unknown key has the key set read again, at most this often. Whoever sends us invented tokens cannot make us ask for more.
const RELOAD_MS: i64 = 30_000;
/// Where a multi-tenant issuer has the id of the tenant.
const TENANT: &str = "{tenantid}";

#[derive(Clone, Debug, Deserialize)]
struct Raw {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    code_challenge_methods_supported: Option<Vec<String>>,
    response_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The part of it that we use.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) userinfo: Option<Url>,
    jwks: Url,
    /// Whether its answers carry `iss` (RFC 9207 §3).
    pub(super) says_iss: bool,
    /// Whether it says that it checks PKCE with S256 (RFC 8414 §2).
    pub(super) checks_pkce: bool,
    auth_methods: Vec<String>,
}

impl Metadata {
    fn read(http: &Http, settings: &OidcSettings, raw: Raw) -> Result<Self, Error> {
        let wrong = |why: String| Error::Misconfigured(format!("the provider's discovery document {why}"));
        let expected = settings.issuer.as_str();
        // OpenID Connect Discovery §4.3: exactly the issuer that was asked
        let templated = settings.is_multi_tenant() && raw.issuer.contains(TENANT);
        if raw.issuer != expected && !templated {
            return Err(wrong(format!("says `{}` is its issuer; the settings say `{expected}`", shown(&raw.issuer))));
        }
        let address = |name: &str, text: &str| {
            let url = Url::parse(text).map_err(|_| wrong(format!("has no address in {name}: `{}`", shown(text))))?;
            http.check(&url).map_err(|e| wrong(format!("leads astray in {name}: {e}")))?;
            Ok::<_, Error>(url)
        };
        let unable = |list: &Option<Vec<String>>, what: &str| list.as_ref().is_some_and(|l| l.iter().all(|t| t != what));
        if unable(&raw.response_types_supported, "code") {
            return Err(wrong("does not offer response_type code".into()));
        }
        Ok(Self {
            authorization: address("authorization_endpoint", &raw.authorization_endpoint)?,
            token: address("token_endpoint", &raw.token_endpoint)?,
            userinfo: raw.userinfo_endpoint.as_deref().map(|text| address("userinfo_endpoint", text)).transpose()?,
            jwks: address("jwks_uri", &raw.jwks_uri)?,
            says_iss: raw.authorization_response_iss_parameter_supported,
            checks_pkce: raw.code_challenge_methods_supported.is_some_and(|list| list.iter().any(|m| m == "S256")),
            // what is meant when it says nothing (RFC 8414 §2)
            auth_methods: raw.token_endpoint_auth_methods_supported.unwrap_or_else(|| vec!["client_secret_basic".into()]),
            issuer: raw.issuer,
        })
    }

    /// How clients may prove themselves.
    pub(super) fn auth_methods(&self) -> Vec<String> {
        self.auth_methods.iter().take(20).map(|method| shown(method)).collect()
    }

    /// Whether a client may prove itself this way. PKCE alone is what providers often leave unsaid.
    pub(super) fn offers_auth(&self, method: &str) -> bool {
        method == "none" || self.auth_methods.iter().any(|m| m == method)
    }

    /// The issuer that a token of `tenant` must name.
    pub(super) fn issuer_for(&self, tenant: Option<&str>) -> Option<String> {
        if self.issuer.contains(TENANT) { Some(self.issuer.replace(TENANT, tenant?)) } else { Some(self.issuer.clone()) }
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

struct Kept<T> {
    value: Arc<T>,
    read_at: Timestamp,
    until: Timestamp,
}

/// What was read of a provider.
#[derive(Default)]
pub(super) struct Published {
    metadata: Mutex<Option<Kept<Metadata>>>,
    keys: Mutex<Option<Kept<Vec<ForeignKey>>>>,
}

fn kept<T>(value: T, now: Timestamp, max_age_s: Option<u64>) -> Kept<T> {
    let asked = max_age_s.and_then(|s| i64::try_from(s).ok()).map_or(0, |s| s.saturating_mul(1000));
    Kept { value: Arc::new(value), read_at: now, until: now.plus_ms(asked.clamp(SHORTEST_MS, LONGEST_MS)) }
}

async fn read(http: &Http, url: &Url) -> Result<net::Answer, Error> {
    let answer = http.get(url, None, LIMIT).await?;
    if answer.status != 200 {
        return Err(Error::Upstream(format!("{url} answered {}", answer.status)));
    }
    Ok(answer)
}

impl Published {
    /// Its metadata. While it cannot be read, what was read before is good for a day.
    pub(super) async fn metadata(&self, http: &Http, settings: &OidcSettings, now: Timestamp) -> Result<Arc<Metadata>, Error> {
        let mut held = self.metadata.lock().await;
        if let Some(known) = held.as_ref().filter(|known| now < known.until) {
            return Ok(known.value.clone());
        }
        let address = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|e| Error::Misconfigured(format!("the issuer is no address: {e}")))?;
        let fresh = async {
            let answer = read(http, &url).await?;
            Ok::<_, Error>((Metadata::read(http, settings, answer.json()?)?, answer.max_age))
        };
        match (fresh.await, held.as_ref()) {
            (Ok((metadata, max_age)), _) => Ok(held.insert(kept(metadata, now, max_age)).value.clone()),
            (Err(error), Some(old)) if now.since(old.read_at) < LONGEST_MS => {
                tracing::warn!(issuer = settings.issuer, %error, "a provider's metadata could not be read again; the old is used");
                Ok(old.value.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Its keys; read again when `wanted` finds none among those that are known.
    pub(super) async fn keys(
        &self,
        http: &Http,
        metadata: &Metadata,
        now: Timestamp,
        wanted: impl Fn(&[ForeignKey]) -> bool,
    ) -> Result<Arc<Vec<ForeignKey>>, Error> {
        let mut held = self.keys.lock().await;
        if let Some(known) = held.as_ref() {
            let young = now.since(known.read_at) < RELOAD_MS;
            if (now < known.until && wanted(&known.value)) || young {
                return Ok(known.value.clone());
            }
        }
        let fresh = async {
            let answer = read(http, &metadata.jwks).await?;
            let found = foreign::keys(&answer.json::<Value>()?);
            if found.is_empty() {
                return Err(Error::Upstream(format!("{} holds no key that can be used", metadata.jwks)));
            }
            Ok((found, answer.max_age))
        };
        match (fresh.await, held.as_ref()) {
            (Ok((found, max_age)), _) => Ok(held.insert(kept(found, now, max_age)).value.clone()),
            (Err(error), Some(old)) if now.since(old.read_at) < LONGEST_MS => {
                tracing::warn!(jwks = %metadata.jwks, %error, "a provider's keys could not be read again; the old are used");
                Ok(old.value.clone())
            }
            (Err(error), _) => Err(error),
        }
    }
}
