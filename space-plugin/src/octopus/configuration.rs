//! Sign-in settings: sections of the configuration.

use super::OctopusAdapter;
use super::client::Api;
use super::json::{flag, has_id, list, object, optional, set, text};
use super::links::{expand, link};
use super::paging::{self, TAKE};
use crate::adapter::{AdapterError, AuthenticationSeen, AuthenticationSetUp, Backup, Result};
use serde_json::{Value, json};

/// The generic OpenID Connect provider (2025.4 and later).
pub(super) const GENERIC: &str = "authentication-generic-oidc";
/// The Okta provider (3.16 and later), the most general one before that.
pub(super) const OKTA: &str = "authentication-od";
/// Settings for all providers.
const GLOBAL: &str = "authentication";
const SELF_SERVICE: &str = "IsSelfServiceIdentityEditingEnabled";
const AUTO_CREATE: &str = "AllowAutoUserCreation";
const SECRET: &str = "ClientSecret";
/// Fields of a provider that this adapter writes, and therefore restores.
const TOUCHED: [&str; 7] = ["IsEnabled", "Issuer", "ClientId", SECRET, AUTO_CREATE, "DisplayName", "Scopes"];
/// Scopes without which the generic provider refuses its settings.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

impl OctopusAdapter {
    /// The section of the provider to use, as the section list shows it.
    pub(super) async fn find_section(&self, api: &Api<'_>) -> Result<Value> {
        let root = self.root(api).await?;
        let template = root.need("Configuration", "show its configuration sections")?;
        let sections = paging::all(api, &expand(template, &[("take", TAKE)])?).await?;
        let find = |id: &str| sections.iter().find(|section| has_id(section, id));
        let found = find(GENERIC).or_else(|| find(OKTA)).cloned();
        found.ok_or(AdapterError::Unsupported("sign people in through ODCM: it has neither the generic nor the Okta provider"))
    }

    async fn section(&self, api: &Api<'_>, id: &str) -> Result<Value> {
        let root = self.root(api).await?;
        let template = root.need("Configuration", "show its configuration sections")?;
        let section = api.get(&expand(template, &[("id", id)])?).await?;
        if has_id(&section, id) { Ok(section) } else { Err(AdapterError::NotFound(id.into())) }
    }

    pub(super) async fn read_values(&self, api: &Api<'_>, section: &Value) -> Result<Value> {
        let values = api.get(values_link(section)?).await?;
        if values.is_object() { Ok(values) } else { Err(AdapterError::Garbage("settings that are no object".into())) }
    }

    /// Reads the values of a section, edits them and writes them if that changed anything.
    async fn edit_values(
        &self,
        api: &Api<'_>,
        section: &Value,
        edit: impl FnOnce(&mut Value) -> Result<()> + Send,
    ) -> Result<()> {
        let before = self.read_values(api, section).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        if after != before {
            api.put(values_link(section)?, &after).await?;
        }
        Ok(())
    }

    pub(super) async fn read_authentication(&self, api: &Api<'_>) -> Result<AuthenticationSeen> {
        let found = self.find_provider(api).await?;
        let section = self.section(api, &found.provider.section).await?;
        let values = self.read_values(api, &section).await?;
        let global = self.section(api, GLOBAL).await?;
        let global = self.read_values(api, &global).await?;
        Ok(AuthenticationSeen {
            provider: found.provider.clone(),
            enabled: flag(&values, "IsEnabled", false),
            issuer: optional(&values, "Issuer"),
            client_id: optional(&values, "ClientId"),
            has_client_secret: values.get(SECRET).map(has_value),
            // Missing or null means the default of the server, which is to create.
            auto_user_creation: flag(&values, AUTO_CREATE, true),
            self_service_identities: flag(&global, SELF_SERVICE, false),
        })
    }

    pub(super) async fn write_authentication(&self, api: &Api<'_>, set_up: &AuthenticationSetUp) -> Result<AuthenticationSeen> {
        let section = self.find_section(api).await?;
        let global = self.section(api, GLOBAL).await?;
        // First the door that stands open, then the new one.
        self.edit_values(api, &global, close_self_service).await?;
        self.edit_values(api, &section, |values| point_at_us(values, set_up)).await?;
        // Links such as `Authenticate_Okta` come and go with the provider.
        self.forget();
        let seen = self.read_authentication(api).await?;
        not_held(&seen, set_up).map_or(Ok(seen), |what| Err(AdapterError::NotHeld(what.into())))
    }

    pub(super) async fn read_backup(&self, api: &Api<'_>, ours: &str) -> Result<Backup> {
        let mut sections = Vec::new();
        for section in [self.find_section(api).await?, self.section(api, GLOBAL).await?] {
            let mut values = self.read_values(api, &section).await?;
            forget_us(&mut values, ours)?;
            sections.push((text(&section, "Id")?.to_owned(), values));
        }
        Ok(Backup { sections })
    }

    pub(super) async fn write_backup(&self, api: &Api<'_>, backup: &Backup) -> Result<()> {
        for (id, kept) in &backup.sections {
            if ![GENERIC, OKTA, GLOBAL].contains(&id.as_str()) || !kept.is_object() {
                return Err(AdapterError::Invalid(format!("the backup has a section that is not ours: {id}")));
            }
        }
        for (id, kept) in &backup.sections {
            let section = self.section(api, id).await?;
            self.edit_values(api, &section, |values| bring_back(values, kept)).await?;
            let mut wanted = self.read_values(api, &section).await?;
            let seen = wanted.clone();
            bring_back(&mut wanted, kept)?;
            if wanted != seen {
                return Err(AdapterError::NotHeld(format!("section {id}")));
            }
        }
        self.forget();
        Ok(())
    }
}

fn values_link(section: &Value) -> Result<&str> {
    link(section, "Values").ok_or_else(|| AdapterError::Garbage("a configuration section without a link to its values".into()))
}

/// Whether a `SensitiveValue` holds something.
fn has_value(secret: &Value) -> bool {
    flag(secret, "HasValue", false)
}

/// Settings that point at `ours` were written by an earlier agent: before ODCM the provider was, as far as anybody knows, off.
fn forget_us(values: &mut Value, ours: &str) -> Result<()> {
    let issuer = optional(values, "Issuer");
    if !issuer.is_empty() && issuer.trim_end_matches('/') == ours.trim_end_matches('/') {
        set(values, "IsEnabled", false)?;
    }
    Ok(())
}

fn close_self_service(values: &mut Value) -> Result<()> {
    if values.get(SELF_SERVICE).is_some() {
        set(values, SELF_SERVICE, false)?;
    }
    Ok(())
}

fn point_at_us(values: &mut Value, set_up: &AuthenticationSetUp) -> Result<()> {
    let wanted = &set_up.state;
    if let Some(secret) = &set_up.client_secret {
        if values.get(SECRET).is_none() {
            return Err(AdapterError::Unsupported("keep a client secret"));
        }
        let mut sensitive = values.get(SECRET).filter(|value| value.is_object()).cloned().unwrap_or_else(|| json!({}));
        set(&mut sensitive, "HasValue", true)?;
        set(&mut sensitive, "NewValue", secret.as_str())?;
        set(values, SECRET, sensitive)?;
    }
    set(values, "IsEnabled", true)?;
    set(values, "Issuer", wanted.issuer.as_str())?;
    set(values, "ClientId", wanted.client_id.as_str())?;
    set(values, AUTO_CREATE, false)?;
    let label = label(&wanted.display_name);
    if values.get("DisplayName").is_some() && !label.is_empty() {
        set(values, "DisplayName", label)?;
    }
    if values.get("Scopes").is_some_and(Value::is_array) {
        let missing: Vec<Value> =
            SCOPES.iter().map(|scope| json!(scope)).filter(|scope| !list(values, "Scopes").contains(scope)).collect();
        if let Some(scopes) = object(values)?.get_mut("Scopes").and_then(Value::as_array_mut) {
            scopes.extend(missing);
        }
    }
    Ok(())
}

/// A label as the server allows it: letters, digits, hyphen, space.
fn label(text: &str) -> String {
    let allowed = text.chars().map(|char| if char.is_alphanumeric() || char == '-' { char } else { ' ' });
    allowed.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sets the fields that this adapter writes to what they were; everything else stays as the server has it now.
fn bring_back(values: &mut Value, kept: &Value) -> Result<()> {
    for key in TOUCHED.into_iter().chain([SELF_SERVICE]) {
        let (Some(before), Some(now)) = (kept.get(key), values.get(key)) else { continue };
        if key != SECRET {
            set(values, key, before.clone())?;
        } else if !has_value(before) && has_value(now) {
            let mut cleared = now.clone();
            set(&mut cleared, "HasValue", false)?;
            set(&mut cleared, "NewValue", Value::Null)?;
            set(values, key, cleared)?;
        }
    }
    Ok(())
}

/// What was asked for and is not so.
fn not_held(seen: &AuthenticationSeen, set_up: &AuthenticationSetUp) -> Option<&'static str> {
    let checks = [
        (seen.enabled, "IsEnabled"),
        (seen.issuer == set_up.state.issuer, "Issuer"),
        (seen.client_id == set_up.state.client_id, "ClientId"),
        (!seen.auto_user_creation, AUTO_CREATE),
        (!seen.self_service_identities, SELF_SERVICE),
        (set_up.client_secret.is_none() || seen.has_client_secret == Some(true), SECRET),
    ];
    checks.into_iter().find(|(held, _)| !held).map(|(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use odcm_wire::latest::AuthenticationState;

    fn set_up(secret: Option<&str>) -> AuthenticationSetUp {
        let state = AuthenticationState {
            issuer: "https://odcm.example".into(),
            client_id: "space-mars".into(),
            display_name: "ODCM (main)!".into(),
            secret_generation: 1,
        };
        AuthenticationSetUp { state, client_secret: secret.map(Into::into) }
    }

    #[test]
    fn known_fields_are_set_and_all_others_stay() {
        let mut values = json!({
            "Id": GENERIC, "IsEnabled": false, "Issuer": null, "ClientId": "", "AllowAutoUserCreation": null,
            "ClientSecret": {"HasValue": true, "NewValue": null, "Hint": "ab"}, "DisplayName": "OpenID Connect",
            "Scopes": ["openid", "groups"], "RoleClaimType": "groups", "Future": {"a": [1]}, "Links": {"Self": "/x"},
        });
        point_at_us(&mut values, &set_up(None)).unwrap();
        assert_eq!(
            values,
            json!({
                "Id": GENERIC, "IsEnabled": true, "Issuer": "https://odcm.example", "ClientId": "space-mars",
                "AllowAutoUserCreation": false, "ClientSecret": {"HasValue": true, "NewValue": null, "Hint": "ab"},
                "DisplayName": "ODCM main", "Scopes": ["openid", "groups", "profile", "email"], "RoleClaimType": "groups",
                "Future": {"a": [1]}, "Links": {"Self": "/x"},
            })
        );
        point_at_us(&mut values, &set_up(Some("s3"))).unwrap();
        assert_eq!(values["ClientSecret"], json!({"HasValue": true, "NewValue": "s3", "Hint": "ab"}));
    }

    #[test]
    fn a_server_without_secrets_gets_none() {
        let mut old = json!({"Id": OKTA, "IsEnabled": false, "Issuer": "", "ClientId": ""});
        assert!(matches!(point_at_us(&mut old, &set_up(Some("s"))), Err(AdapterError::Unsupported(_))));
        point_at_us(&mut old, &set_up(None)).unwrap();
        assert_eq!(old.get("ClientSecret"), None);
        assert_eq!(old.get("DisplayName"), None);
    }

    #[test]
    fn a_backup_brings_back_only_what_was_touched() {
        let kept = json!({
            "IsEnabled": false, "Issuer": "https://old.example", "ClientId": "old", "ClientSecret": {"HasValue": false, "NewValue": null},
            "AllowAutoUserCreation": true, "RoleClaimType": "old", "Gone": 1, "Links": {"Self": "/old"},
        });
        let mut now = json!({
            "IsEnabled": true, "Issuer": "https://odcm.example", "ClientId": "new", "ClientSecret": {"HasValue": true, "NewValue": null},
            "AllowAutoUserCreation": false, "RoleClaimType": "changed by hand", "New": 2, "Links": {"Self": "/new"},
        });
        bring_back(&mut now, &kept).unwrap();
        assert_eq!(
            now,
            json!({
                "IsEnabled": false, "Issuer": "https://old.example", "ClientId": "old", "ClientSecret": {"HasValue": false, "NewValue": null},
                "AllowAutoUserCreation": true, "RoleClaimType": "changed by hand", "New": 2, "Links": {"Self": "/new"},
            })
        );
        let had = json!({"ClientSecret": {"HasValue": true, "NewValue": null}});
        let mut now = json!({"ClientSecret": {"HasValue": true, "NewValue": null, "Hint": "z"}});
        bring_back(&mut now, &had).unwrap();
        assert_eq!(now, json!({"ClientSecret": {"HasValue": true, "NewValue": null, "Hint": "z"}}), "kept as stored");
    }
}
