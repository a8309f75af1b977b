//! OpenID providers: authorization code with PKCE, state and nonce (OpenID Connect Core §3.1), whatever the provider asks for
//! beyond that by its [`Profile`]. One connector per provider; it keeps what the provider publishes and nothing of people.

mod examine;
mod id_token;
mod logout;
mod metadata;
mod said;
mod vendor;

use super::{Departure, Error, Finding, Identity, Reading, Redirect, SignedOut};
use crate::core::provider::{ClientAuth, OidcSettings, Profile, Provider, Settings};
use crate::crypto::foreign::Unverified;
use crate::crypto::hash::{b64, sha256, unb64};
use crate::crypto::jose::{Alg, Typ};
use crate::crypto::seal::Place;
use crate::deps::Deps;
use id_token::{Claims, text};
use metadata::{Metadata, Published};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest answer of the token and userinfo endpoints, in bytes.
const LIMIT: usize = 128 * 1024;
/// How long an assertion of ours is good, in seconds.
const ASSERTION_S: i64 = 60;

/// An OpenID provider.
pub struct OpenId {
    provider: Provider,
    settings: OidcSettings,
    secret: Option<String>,
    published: Published,
}

/// What is remembered while the browser is away; sealed, because it holds the PKCE verifier.
#[derive(Serialize, Deserialize)]
struct Memory {
    nonce: String,
    verifier: String,
    callback: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

fn place(state: &str) -> Place<'_> {
    Place::new("login", "memory", state)
}

impl OpenId {
    /// Makes one for a provider of that kind.
    #[must_use]
    pub fn new(provider: Provider, secret: Option<String>) -> Option<Self> {
        let Settings::Oidc(settings) = &provider.settings else { return None };
        let settings = settings.clone();
        Some(Self { provider, settings, secret, published: Published::default() })
    }

    fn secret(&self) -> Result<&str, Error> {
        self.secret.as_deref().ok_or_else(|| Error::Misconfigured("the client secret is missing".into()))
    }

    /// Redeems the code (RFC 6749 §4.1.3).
    async fn redeem(&self, deps: &Deps, metadata: &Metadata, code: &str, memory: &Memory) -> Result<Tokens, Error> {
        let id = self.settings.client_id.as_str();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", memory.callback.as_str()),
            ("code_verifier", memory.verifier.as_str()),
        ];
        let (mut basic, assertion) = (None, self.assertion(deps, metadata)?);
        match self.settings.client_auth {
            ClientAuth::ClientSecretBasic => basic = Some((id, self.secret()?)),
            ClientAuth::ClientSecretPost => form.extend([("client_id", id), ("client_secret", self.secret()?)]),
            ClientAuth::None => form.push(("client_id", id)),
            ClientAuth::PrivateKeyJwt => form.extend([
                ("client_id", id),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", assertion.as_deref().unwrap_or_default()),
            ]),
        }
        let answer = deps.http.post(&metadata.token, &form, basic, LIMIT).await?;
        if answer.status == 200 {
            return Ok(answer.json()?);
        }
        let said: Value = answer.json().unwrap_or_default();
        let error: String = said.get("error").and_then(Value::as_str).unwrap_or("no reason").chars().take(60).collect();
        let message = format!("the token endpoint answered {} ({})", answer.status, error.escape_debug());
        // RFC 6749 §5.2: these are about us
        Err(match error.as_str() {
            "invalid_client" | "unauthorized_client" | "unsupported_grant_type" => Error::Misconfigured(message),
            _ => Error::Upstream(message),
        })
    }

    /// RFC 7523 §3: proves who we are by our own signing key.
    fn assertion(&self, deps: &Deps, metadata: &Metadata) -> Result<Option<String>, Error> {
        if self.settings.client_auth != ClientAuth::PrivateKeyJwt {
            return Ok(None);
        }
        let (id, now) = (&self.settings.client_id, deps.clock.now().secs());
        let claims = json!({
            "iss": id, "sub": id, "aud": metadata.token.as_str(), "jti": b64(deps.entropy.bytes::<16>()),
            "iat": now, "exp": now + ASSERTION_S,
        });
        let ring = deps.keys.ring();
        let signed = ring.signer(Alg::Rs256).and_then(|signer| signer.sign(Typ::Jwt, &claims));
        signed.map(Some).map_err(|e| Error::Misconfigured(format!("no key to sign with: {e}")))
    }

    async fn claims(&self, deps: &Deps, metadata: &Metadata, tokens: &Tokens, nonce: &str) -> Result<Claims, Error> {
        let missing = || Error::Upstream("the token endpoint gave no ID token; is `openid` among the scopes?".into());
        let token = tokens.id_token.as_deref().ok_or_else(missing)?;
        let wrong = |fault| Error::Upstream(format!("the ID token cannot be believed: {fault}"));
        let now = deps.clock.now();
        let unverified = Unverified::parse(token).map_err(wrong)?;
        let keys = self.published.keys(&deps.http, metadata, now, |keys| unverified.finds_key(keys)).await?;
        let claims = unverified.verify(&keys).map_err(wrong)?;
        id_token::check(&self.settings, metadata, &claims, nonce, now)?;
        let (Some(url), true) = (&metadata.userinfo, self.settings.userinfo) else { return Ok(claims) };
        let bearer = tokens.access_token.as_deref().ok_or_else(|| Error::Upstream("there is no access token".into()))?;
        let answer = deps.http.get(url, Some(bearer), LIMIT).await?;
        if answer.status != 200 {
            return Err(Error::Upstream(format!("the userinfo endpoint answered {}", answer.status)));
        }
        said::merge(claims, answer.json()?)
    }
}

#[async_trait::async_trait]
impl Redirect for OpenId {
    fn provider(&self) -> &Provider {
        &self.provider
    }

    async fn depart(&self, deps: &Deps, state: &str, callback: &str, hint: Option<&str>) -> Result<Departure, Error> {
        let metadata = self.published.metadata(&deps.http, &self.settings, deps.clock.now()).await?;
        let memory = Memory { nonce: deps.entropy.secret(), verifier: deps.entropy.secret(), callback: callback.to_owned() };
        let mut scopes = vec!["openid"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str).filter(|s| *s != "openid"));
        let mut to = metadata.authorization.clone();
        {
            let mut query = to.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.settings.client_id)
                .append_pair("redirect_uri", callback)
                .append_pair("scope", &scopes.join(" "))
                .append_pair("state", state)
                .append_pair("nonce", &memory.nonce)
                .append_pair("code_challenge", &b64(sha256(memory.verifier.as_bytes())))
                .append_pair("code_challenge_method", "S256");
            if let Some(hint) = hint {
                query.append_pair("login_hint", hint);
            }
            let mut hosted = self.settings.hosted_domains.iter();
            if let (Profile::Google, Some(domain), None) = (self.settings.profile, hosted.next(), hosted.next()) {
                query.append_pair("hd", domain);
            }
        }
        let fault = |e: &dyn std::fmt::Display| Error::Upstream(format!("cannot remember the sign-in: {e}"));
        let plain = serde_json::to_vec(&memory).map_err(|e| fault(&e))?;
        let sealed = deps.sealer.seal(place(state), &plain).map_err(|e| fault(&e))?;
        Ok(Departure { to: to.into(), memory: Value::String(b64(sealed)) })
    }

    async fn arrive(&self, deps: &Deps, memory: &Value, query: &BTreeMap<String, String>) -> Result<Identity, Error> {
        let lost = || Error::Upstream("what was remembered of this sign-in cannot be read".into());
        let state = query.get("state").ok_or_else(lost)?;
        let sealed = memory.as_str().and_then(unb64).ok_or_else(lost)?;
        let plain = deps.sealer.open(place(state), &sealed).map_err(|_| lost())?;
        let memory: Memory = serde_json::from_slice(&plain).map_err(|_| lost())?;
        let metadata = self.published.metadata(&deps.http, &self.settings, deps.clock.now()).await?;
        // RFC 9207 §2.4: another provider's answer must not be taken for this one's
        let expected = metadata.issuer_for(None);
        match (query.get("iss"), expected) {
            (Some(said), Some(expected)) if *said != expected => {
                return Err(Error::Upstream("the answer comes from another issuer (iss)".into()));
            }
            (None, Some(_)) if metadata.says_iss => {
                return Err(Error::Upstream("the answer does not say whose it is (iss)".into()));
            }
            _ => {}
        }
        if let Some(error) = query.get("error") {
            let shown: String = error.chars().take(60).collect::<String>().escape_debug().to_string();
            return Err(match error.as_str() {
                "access_denied" | "login_required" | "consent_required" | "interaction_required" => Error::Denied(shown),
                _ => Error::Upstream(format!("the provider answered `{shown}`")),
            });
        }
        let code = query.get("code").ok_or_else(|| Error::Upstream("the answer has no code".into()))?;
        let tokens = self.redeem(deps, &metadata, code, &memory).await?;
        let claims = self.claims(deps, &metadata, &tokens, &memory.nonce).await?;
        let subject = said::subject(&self.settings, &claims)?;
        let mut said = said::said(&self.settings, &claims);
        if let Some(groups) = vendor::ask(self, deps, &claims, tokens.access_token.as_deref()).await? {
            said.groups = Some(groups);
        }
        let label = said.email.clone().or_else(|| said.username.clone()).or_else(|| text(&claims, "sub").map(str::to_owned));
        Ok(Identity {
            provider: self.provider.id.clone(),
            label: label.unwrap_or_else(|| subject.clone()),
            subject,
            password_set_at: None,
            said,
        })
    }

    async fn examine(&self, deps: &Deps) -> Vec<Finding> {
        examine::of(self, deps).await
    }

    async fn signed_out(&self, deps: &Deps, token: &str) -> Result<SignedOut, Error> {
        logout::read(self, deps, token).await
    }

    fn read(&self, claims: &Claims) -> Option<Result<Reading, Error>> {
        let of = |subject| Reading { subject, said: said::said(&self.settings, claims) };
        Some(said::subject(&self.settings, claims).map(of))
    }
}
