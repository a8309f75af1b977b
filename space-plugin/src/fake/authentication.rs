//! Sign-in settings of a Space in memory.

use super::state::State;
use super::{AGENT, FakeSpace, SOMEBODY};
use crate::adapter::{AdapterError, AuthenticationSeen, AuthenticationSetUp, Backup, Capability, Result};
use serde_json::{Value, json};
use std::sync::Arc;

/// Section with settings for all providers.
const GLOBAL: &str = "authentication";

/// What the token request of a probe would carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSeen {
    /// The code that came back.
    pub code: String,
    /// Issuer as configured.
    pub issuer: String,
    /// Client id as configured.
    pub client_id: String,
    /// The stored client secret.
    pub client_secret: Option<String>,
    /// Path of the redirect URI.
    pub redirect_path: String,
}

/// Called with each probe, outside of all locks.
pub(super) type ProbeHook = Arc<dyn Fn(&ProbeSeen) + Send + Sync>;

/// Settings of the provider for ODCM, and the two that count of section `authentication`.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    enabled: bool,
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    auto_user_creation: bool,
    self_service_identities: bool,
    /// All that no adapter should touch.
    others: Value,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: false,
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            auto_user_creation: true,
            self_service_identities: true,
            others: json!({"authentication-usernamepassword": {"IsEnabled": true}, "authentication-aad": {"IsEnabled": false}}),
        }
    }
}

impl State {
    pub fn authentication_seen(&self) -> AuthenticationSeen {
        let settings = &self.settings;
        let knows_secrets = self.description.capabilities.contains(&Capability::ClientSecret);
        AuthenticationSeen {
            provider: self.provider.clone(),
            enabled: settings.enabled,
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            has_client_secret: knows_secrets.then_some(settings.client_secret.is_some()),
            auto_user_creation: settings.auto_user_creation,
            self_service_identities: settings.self_service_identities,
        }
    }

    pub fn set_authentication(&mut self, set_up: &AuthenticationSetUp) -> Result<AuthenticationSeen> {
        let knows_secrets = self.description.capabilities.contains(&Capability::ClientSecret);
        if set_up.client_secret.is_some() && !knows_secrets {
            return Err(AdapterError::Unsupported("keep a client secret"));
        }
        let before = (self.authentication_seen(), self.settings.client_secret.clone());
        let settings = &mut self.settings;
        settings.enabled = true;
        settings.issuer = set_up.state.issuer.clone();
        settings.client_id = set_up.state.client_id.clone();
        settings.auto_user_creation = false;
        settings.self_service_identities = false;
        if let Some(secret) = &set_up.client_secret {
            settings.client_secret = Some(secret.clone());
        }
        let after = self.authentication_seen();
        if before != (after.clone(), self.settings.client_secret.clone()) {
            let section = self.provider.section.clone();
            self.record("authentication.changed", &section, AGENT);
        }
        Ok(after)
    }

    pub fn back_up(&self, ours: &str) -> Backup {
        let settings = &self.settings;
        let enabled = settings.enabled && settings.issuer.trim_end_matches('/') != ours.trim_end_matches('/');
        let provider = json!({
            "Id": self.provider.section, "IsEnabled": enabled, "Issuer": settings.issuer, "ClientId": settings.client_id,
            "ClientSecret": {"HasValue": settings.client_secret.is_some(), "NewValue": null},
            "AllowAutoUserCreation": settings.auto_user_creation,
        });
        let global = json!({"Id": GLOBAL, "IsSelfServiceIdentityEditingEnabled": settings.self_service_identities});
        Backup { sections: vec![(self.provider.section.clone(), provider), (GLOBAL.into(), global)] }
    }

    pub fn restore(&mut self, backup: &Backup) -> Result<()> {
        let ours = [self.provider.section.as_str(), GLOBAL];
        if let Some((strange, _)) = backup.sections.iter().find(|(section, _)| !ours.contains(&section.as_str())) {
            return Err(AdapterError::Invalid(format!("the backup has a section that is not ours: {strange}")));
        }
        let find = |id: &str| backup.sections.iter().find(|(section, _)| section == id).map(|(_, values)| values);
        let flag = |values: &Value, key: &str| values.get(key).and_then(Value::as_bool).unwrap_or_default();
        let text = |values: &Value, key: &str| values.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(values) = find(&self.provider.section) {
            self.settings.enabled = flag(values, "IsEnabled");
            self.settings.issuer = text(values, "Issuer");
            self.settings.client_id = text(values, "ClientId");
            self.settings.auto_user_creation = flag(values, "AllowAutoUserCreation");
            if values.pointer("/ClientSecret/HasValue").and_then(Value::as_bool) == Some(false) {
                self.settings.client_secret = None;
            }
        }
        if let Some(values) = find(GLOBAL) {
            self.settings.self_service_identities = flag(values, "IsSelfServiceIdentityEditingEnabled");
        }
        let section = self.provider.section.clone();
        self.record("authentication.changed", &section, AGENT);
        Ok(())
    }

    pub fn probe(&mut self, code: &str) -> Result<(ProbeSeen, Option<ProbeHook>)> {
        if !self.settings.enabled {
            return Err(AdapterError::Invalid("This authentication provider is disabled.".into()));
        }
        let seen = ProbeSeen {
            code: code.into(),
            issuer: self.settings.issuer.clone(),
            client_id: self.settings.client_id.clone(),
            client_secret: self.settings.client_secret.clone(),
            redirect_path: self.provider.redirect_path.clone(),
        };
        self.probes.push(seen.clone());
        Ok((seen, self.on_probe.clone()))
    }
}

impl FakeSpace {
    /// All probes so far.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbeSeen> {
        self.state().probes.clone()
    }

    /// Calls `hook` with each probe: it plays the Space's own token request.
    pub fn on_probe(&self, hook: impl Fn(&ProbeSeen) + Send + Sync + 'static) {
        self.state().on_probe = Some(Arc::new(hook));
    }

    /// The stored client secret.
    #[must_use]
    pub fn client_secret(&self) -> Option<String> {
        self.state().settings.client_secret.clone()
    }

    /// Somebody stores another client secret.
    pub fn set_local_client_secret(&self, secret: Option<&str>) {
        let mut state = self.state();
        state.settings.client_secret = secret.map(Into::into);
        let section = state.provider.section.clone();
        state.record("authentication.changed", &section, SOMEBODY);
    }

    /// Somebody points our provider elsewhere.
    pub fn set_local_provider(&self, enabled: bool, issuer: &str, client_id: &str) {
        let mut state = self.state();
        state.settings.enabled = enabled;
        state.settings.issuer = issuer.into();
        state.settings.client_id = client_id.into();
        let section = state.provider.section.clone();
        state.record("authentication.changed", &section, SOMEBODY);
    }

    /// Another server answers under the same address from now on.
    pub fn set_local_installation(&self, installation_id: &str) {
        installation_id.clone_into(&mut self.state().description.installation_id);
    }

    /// Somebody switches our provider off or on.
    pub fn set_local_enabled(&self, enabled: bool) {
        let mut state = self.state();
        state.settings.enabled = enabled;
        let section = state.provider.section.clone();
        state.record("authentication.changed", &section, SOMEBODY);
    }

    /// Somebody switches automatic user creation and self-service identities.
    pub fn set_local_openness(&self, auto_user_creation: bool, self_service_identities: bool) {
        let mut state = self.state();
        state.settings.auto_user_creation = auto_user_creation;
        state.settings.self_service_identities = self_service_identities;
        state.record("authentication.changed", GLOBAL, SOMEBODY);
    }

    /// Settings of all other providers: no adapter call may change them.
    #[must_use]
    pub fn other_providers(&self) -> Value {
        self.state().settings.others.clone()
    }
}
