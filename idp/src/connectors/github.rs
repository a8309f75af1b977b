//! GitHub, and GitHub Enterprise Server. It is OAuth without OpenID: who somebody is, its API says. The id is the number of the
//! account, never the login name, which its owner can give up for somebody else to take.

use super::{Departure, Error, Finding, Grade, Identity, Redirect};
use crate::core::joining::Said;
use crate::core::provider::{GithubSettings, Provider, Settings};
use crate::crypto::hash::{b64, sha256, unb64};
use crate::crypto::seal::Place;
use crate::deps::Deps;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

const LIMIT: usize = 256 * 1024;
/// Pages of a list that are read, and entries on each.
const PAGES: usize = 10;
const PER_PAGE: usize = 100;

/// GitHub.
pub struct Github {
    provider: Provider,
    settings: GithubSettings,
    secret: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Memory {
    verifier: String,
    callback: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Organisation {
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Team {
    id: u64,
    organization: Organisation,
}

fn place(state: &str) -> Place<'_> {
    Place::new("login", "memory", state)
}

impl Github {
    /// Makes one for a provider of that kind.
    #[must_use]
    pub fn new(provider: Provider, secret: Option<String>) -> Option<Self> {
        let Settings::Github(settings) = &provider.settings else { return None };
        let settings = settings.clone();
        Some(Self { provider, settings, secret })
    }

    fn address(base: &str, path: &str) -> Result<Url, Error> {
        let text = format!("{}{path}", base.trim_end_matches('/'));
        Url::parse(&text).map_err(|_| Error::Misconfigured(format!("`{text}` is no address")))
    }

    async fn ask<T: DeserializeOwned>(&self, deps: &Deps, token: &str, path: &str) -> Result<T, Error> {
        let url = Self::address(&self.settings.api_url, path)?;
        let answer = deps.http.get(&url, Some(token), LIMIT).await?;
        match answer.status {
            200 => Ok(answer.json()?),
            403 | 429 => Err(Error::Busy),
            status => Err(Error::Upstream(format!("{} answered {status}", url.path()))),
        }
    }

    async fn list<T: DeserializeOwned>(&self, deps: &Deps, token: &str, path: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let part: Vec<T> = self.ask(deps, token, &format!("{path}?per_page={PER_PAGE}&page={page}")).await?;
            let last = part.len() < PER_PAGE;
            all.extend(part);
            if last {
                break;
            }
        }
        Ok(all)
    }

    async fn redeem(&self, deps: &Deps, code: &str, memory: &Memory) -> Result<String, Error> {
        let url = Self::address(&self.settings.base_url, "/login/oauth/access_token")?;
        let secret = self.secret.as_deref().ok_or_else(|| Error::Misconfigured("the client secret is missing".into()))?;
        let form = [
            ("client_id", self.settings.client_id.as_str()),
            ("client_secret", secret),
            ("code", code),
            ("redirect_uri", &memory.callback),
            ("code_verifier", &memory.verifier),
        ];
        let answer = deps.http.post(&url, &form, None, LIMIT).await?;
        if answer.status != 200 {
            return Err(Error::Upstream(format!("the token endpoint answered {}", answer.status)));
        }
        // an error comes with 200
        let token: Token = answer.json()?;
        match (token.access_token, token.error.as_deref()) {
            (Some(token), None) => Ok(token),
            (_, Some(error @ ("incorrect_client_credentials" | "redirect_uri_mismatch" | "application_suspended"))) => {
                Err(Error::Misconfigured(format!("GitHub says {error}")))
            }
            (_, error) => Err(Error::Upstream(format!("GitHub gave no token ({})", error.unwrap_or("no reason").escape_debug()))),
        }
    }

    /// Organisations as `org:ID`, teams as `team:ID`: numbers, because names change hands.
    async fn groups(&self, deps: &Deps, token: &str) -> Result<Vec<String>, Error> {
        let organisations: Vec<Organisation> = self.list(deps, token, "/user/orgs").await?;
        let wanted = &self.settings.organisations;
        let named =
            |o: &Organisation| wanted.contains(&o.id.to_string()) || wanted.iter().any(|w| w.eq_ignore_ascii_case(&o.login));
        if !wanted.is_empty() && !organisations.iter().any(named) {
            return Err(Error::Denied("the account is in no organisation that is let in".into()));
        }
        let teams: Vec<Team> = self.list(deps, token, "/user/teams").await?;
        let mut groups: Vec<String> = organisations.iter().map(|o| format!("org:{}", o.id)).collect();
        groups.extend(teams.iter().filter(|t| wanted.is_empty() || named(&t.organization)).map(|t| format!("team:{}", t.id)));
        Ok(groups)
    }
}

#[async_trait::async_trait]
impl Redirect for Github {
    fn provider(&self) -> &Provider {
        &self.provider
    }

    async fn depart(&self, deps: &Deps, state: &str, callback: &str, hint: Option<&str>) -> Result<Departure, Error> {
        let memory = Memory { verifier: deps.entropy.secret(), callback: callback.to_owned() };
        let mut to = Self::address(&self.settings.base_url, "/login/oauth/authorize")?;
        to.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", callback)
            .append_pair("scope", "read:user user:email read:org")
            .append_pair("state", state)
            .append_pair("code_challenge", &b64(sha256(memory.verifier.as_bytes())))
            .append_pair("code_challenge_method", "S256");
        if let Some(hint) = hint {
            to.query_pairs_mut().append_pair("login", hint);
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
        if let Some(error) = query.get("error") {
            let shown = error.chars().take(60).collect::<String>().escape_debug().to_string();
            return Err(if error == "access_denied" {
                Error::Denied(shown)
            } else {
                Error::Upstream(format!("GitHub answered `{shown}`"))
            });
        }
        let code = query.get("code").ok_or_else(|| Error::Upstream("the answer has no code".into()))?;
        let token = self.redeem(deps, code, &memory).await?;
        let user: User = self.ask(deps, &token, "/user").await?;
        let addresses: Vec<Address> = self.list(deps, &token, "/user/emails").await?;
        let primary = addresses.into_iter().find(|a| a.primary);
        let groups = self.groups(deps, &token).await?;
        let said = Said {
            name: user.name.filter(|n| !n.trim().is_empty() && n.len() <= 256),
            username: Some(user.login.clone()),
            email_verified: primary.as_ref().is_some_and(|a| a.verified),
            email: primary.map(|a| a.email),
            tenant: None,
            groups: Some(groups),
        };
        Ok(Identity {
            provider: self.provider.id.clone(),
            subject: user.id.to_string(),
            label: user.login.chars().filter(|c| !c.is_control()).take(254).collect(),
            password_set_at: None,
            said,
        })
    }

    async fn examine(&self, deps: &Deps) -> Vec<Finding> {
        let mut found = vec![match &self.secret {
            Some(_) => Finding::new("Client secret", Grade::Note, "stored; whether it is right shows the first sign-in"),
            None => Finding::new("Client secret", Grade::Bad, "missing: make one in the settings of the OAuth app"),
        }];
        let asked = async {
            let url = Self::address(&self.settings.api_url, "/meta")?;
            Ok::<_, Error>(deps.http.get(&url, None, LIMIT).await?.status)
        };
        found.push(match asked.await {
            Ok(200) => Finding::new("API", Grade::Good, format!("{} answers", self.settings.api_url)),
            Ok(status) => Finding::new("API", Grade::Note, format!("{} answers with status {status}", self.settings.api_url)),
            Err(error) => Finding::new("API", Grade::Bad, error.to_string()),
        });
        found
    }
}
