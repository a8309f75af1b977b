//! A stand-in server with somebody at its API: the bench of the conformance suite.

use async_trait::async_trait;
use odcm_space_plugin::SpaceAdapter;
use odcm_space_plugin::conformance::Bench;
use odcm_space_plugin::octopus::{OctopusAdapter, OctopusConfig};
use odcm_tests::standins::octopus::{CookieSession, OctopusStandin, StandinConfig, StandinHandle, Switches, Version};
use serde_json::{Value, json};
use std::time::Duration;

/// A stand-in, the adapter under test, and a signed-in local administrator.
pub struct Hands {
    pub standin: StandinHandle,
    pub adapter: OctopusAdapter,
    http: reqwest::Client,
    admin: CookieSession,
    section: &'static str,
}

impl Hands {
    pub async fn start(version: Version, switches: Switches) -> Self {
        let config = StandinConfig { version, switches, ..StandinConfig::default() };
        let standin = OctopusStandin::start(config).await.unwrap();
        let adapter = OctopusAdapter::new(OctopusConfig::new(&standin.url(), standin.admin_key())).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let admin = standin.open_session("Users-1");
        let section = if version.at_least(2025, 4) { "authentication-generic-oidc" } else { "authentication-od" };
        Self { standin, adapter, http, admin, section }
    }

    /// An adapter that remembers nothing.
    pub fn fresh_adapter(&self) -> OctopusAdapter {
        self.adapter_with(|_| {})
    }

    /// An adapter with other settings; it gives up soon.
    pub fn adapter_with(&self, change: impl FnOnce(&mut OctopusConfig)) -> OctopusAdapter {
        let mut config = OctopusConfig::new(&self.standin.url(), self.standin.admin_key());
        config.request_timeout = Duration::from_secs(5);
        change(&mut config);
        OctopusAdapter::new(config).unwrap()
    }

    /// A request of the local administrator's browser.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.standin.url()));
        request = request.header("Cookie", &self.admin.cookie).header("X-Octopus-Csrf-Token", &self.admin.csrf);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Reads a document, changes it and writes it back.
    async fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let (status, mut document) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "GET {path}: {document}");
        change(&mut document);
        let (status, answer) = self.call("PUT", path, Some(document)).await;
        assert_eq!(status, 200, "PUT {path}: {answer}");
    }
}

#[async_trait]
impl Bench for Hands {
    fn adapter(&self) -> &dyn SpaceAdapter {
        &self.adapter
    }

    async fn create_account(&self, username: &str, email: &str) -> String {
        self.standin.create_user(username, Some(email), Some("Local-passw0rd"))
    }

    async fn add_identity(&self, account: &str, provider: &str, email: &str) {
        let claims = json!({"email": {"Value": email, "IsIdentifyingClaim": true}});
        let identity = json!({"IdentityProviderName": provider, "Claims": claims});
        self.edit(&format!("/api/users/{account}"), |user| user["Identities"].as_array_mut().unwrap().push(identity)).await;
    }

    async fn set_active(&self, account: &str, active: bool) {
        self.edit(&format!("/api/users/{account}"), |user| user["IsActive"] = json!(active)).await;
    }

    async fn create_api_key(&self, account: &str, purpose: &str) {
        self.standin.create_api_key(account, purpose);
    }

    async fn open_session(&self, account: &str) {
        self.standin.open_session(account);
    }

    async fn sessions(&self, account: &str) -> usize {
        self.standin.snapshot().sessions.values().filter(|session| session.user_id == account).count()
    }

    async fn create_team(&self, name: &str, members: &[&str], group: &str) -> String {
        let body = json!({
            "Name": name, "MemberUserIds": members, "Description": "made by hand",
            "ExternalSecurityGroups": [{"Id": group, "DisplayName": group, "DisplayIdAndName": true}],
        });
        let (status, team) = self.call("POST", "/api/teams", Some(body)).await;
        assert_eq!(status, 201, "{team}");
        team["Id"].as_str().unwrap().to_owned()
    }

    async fn set_members(&self, team: &str, members: &[&str]) {
        self.edit(&format!("/api/teams/{team}"), |team| team["MemberUserIds"] = json!(members)).await;
    }

    fn built_in_teams(&self) -> (String, String) {
        ("teams-administrators".into(), "teams-everyone".into())
    }

    async fn configure(&self, enabled: bool, issuer: &str, client_id: &str, secret: Option<&str>) {
        self.edit(&format!("/api/configuration/{}/values", self.section), |values| {
            values["IsEnabled"] = json!(enabled);
            values["Issuer"] = json!(issuer);
            values["ClientId"] = json!(client_id);
            if let Some(secret) = secret {
                values["ClientSecret"]["HasValue"] = json!(true);
                values["ClientSecret"]["NewValue"] = json!(secret);
            }
        })
        .await;
    }

    async fn open_doors(&self) {
        let path = format!("/api/configuration/{}/values", self.section);
        self.edit(&path, |values| values["AllowAutoUserCreation"] = json!(true)).await;
        self.edit("/api/configuration/authentication/values", |values| {
            values["IsSelfServiceIdentityEditingEnabled"] = json!(true);
        })
        .await;
    }

    async fn client_secret(&self) -> Option<String> {
        let stored = self.standin.snapshot().sections.remove(self.section)?.get("ClientSecret").cloned()?;
        stored.as_str().map(Into::into)
    }

    async fn other_settings(&self) -> Value {
        let mut sections = json!(self.standin.snapshot().sections);
        let ours = sections[self.section].as_object_mut().unwrap();
        for key in ["IsEnabled", "Issuer", "ClientId", "ClientSecret", "AllowAutoUserCreation", "DisplayName"] {
            ours.remove(key);
        }
        sections["authentication"].as_object_mut().unwrap().remove("IsSelfServiceIdentityEditingEnabled");
        sections
    }

    async fn untouchable(&self, document: &str) -> Value {
        let collection = if document.to_lowercase().starts_with("teams") { "teams" } else { "users" };
        let (status, mut shown) = self.call("GET", &format!("/api/{collection}/{document}"), None).await;
        assert_eq!(status, 200, "{shown}");
        let fields = shown.as_object_mut().unwrap();
        let touched = [
            "MemberUserIds",
            "Username",
            "EmailAddress",
            "DisplayName",
            "IsActive",
            "Identities",
            "LastModifiedOn",
            "LastModifiedBy",
        ];
        for key in touched {
            fields.remove(key);
        }
        // The picture follows the address.
        shown["Links"].as_object_mut().unwrap().remove("Avatar");
        let state = self.standin.snapshot();
        let keys: Vec<&String> = state.api_keys.values().filter(|key| key.user_id == document).map(|key| &key.id).collect();
        let password = state.user(document).and_then(|user| user.password.clone());
        json!({"shown": shown, "keys": keys, "password": password})
    }
}
