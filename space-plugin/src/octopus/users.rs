//! Accounts.

use super::OctopusAdapter;
use super::client::Api;
use super::json::{flag, has_id, is_id, list, object, optional, set, text};
use super::links::{expand, link};
use super::paging::{self, TAKE};
use crate::adapter::{Account, AccountChange, AdapterError, NewAccount, Result};
use serde_json::{Value, json};
use std::time::Duration;

const LONGEST_NAME: usize = 64;
const LONGEST_EMAIL: usize = 256;
/// How long reading an inactive account waits for the name of our provider.
const SETTINGS: Duration = Duration::from_secs(5);

impl OctopusAdapter {
    async fn users_template(&self, api: &Api<'_>) -> Result<String> {
        Ok(self.root(api).await?.need("Users", "show its users")?.to_owned())
    }

    /// Name of our provider for reading: a guess is good enough, it then fits no identity.
    async fn our_name(&self, api: &Api<'_>) -> Result<String> {
        match self.find_provider(api).await {
            Ok(found) => Ok(found.provider.name.clone()),
            Err(AdapterError::Denied(_) | AdapterError::Unsupported(_)) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// The name as far as it is known without asking: taking access away must not depend on the server's settings. Which
    /// sign-ins an inactive account has is read again before it is activated.
    fn known_name(&self) -> String {
        let known = self.cache().provider.as_ref().map(|(_, found)| found.provider.name.clone());
        known.unwrap_or_default()
    }

    /// The name for reading one account. For an inactive one, as read back after a loss, the settings may fail or hang.
    async fn name_for(&self, api: &Api<'_>, user: &Value) -> Result<String> {
        if flag(user, "IsActive", true) {
            return self.our_name(api).await;
        }
        let asked = tokio::time::timeout(SETTINGS, self.our_name(api)).await;
        Ok(asked.ok().and_then(Result::ok).unwrap_or_else(|| self.known_name()))
    }

    pub(super) async fn list_accounts(&self, api: &Api<'_>) -> Result<Vec<Account>> {
        let ours = self.our_name(api).await?;
        let template = self.users_template(api).await?;
        let users = paging::all(api, &expand(&template, &[("take", TAKE)])?).await?;
        users.iter().map(|user| account(user, &ours)).collect()
    }

    /// A user as the server has it now.
    pub(super) async fn read_user(&self, api: &Api<'_>, id: &str) -> Result<Option<Value>> {
        if !is_id(id) {
            return Ok(None);
        }
        let template = self.users_template(api).await?;
        match api.get(&expand(&template, &[("id", id)])?).await {
            // `me` and `all` are addresses, not ids.
            Ok(user) => Ok(Some(user).filter(|user| has_id(user, id))),
            Err(AdapterError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn need_user(&self, api: &Api<'_>, id: &str) -> Result<Value> {
        self.read_user(api, id).await?.ok_or_else(|| AdapterError::NotFound(id.into()))
    }

    pub(super) async fn read_account(&self, api: &Api<'_>, id: &str) -> Result<Option<Account>> {
        let Some(user) = self.read_user(api, id).await? else { return Ok(None) };
        account(&user, &self.name_for(api, &user).await?).map(Some)
    }

    /// Users with exactly this name; the server's filter finds parts of it, too, and in other fields.
    async fn named(&self, api: &Api<'_>, username: &str) -> Result<Option<Value>> {
        let template = self.users_template(api).await?;
        let hits = paging::all(api, &expand(&template, &[("filter", username), ("take", TAKE)])?).await?;
        let same = |user: &Value| optional(user, "Username").to_lowercase() == username.to_lowercase();
        Ok(hits.into_iter().find(same))
    }

    pub(super) async fn write_new_account(&self, api: &Api<'_>, new: &NewAccount) -> Result<Account> {
        check(Some(&new.username), Some(&new.email), Some(&new.display_name))?;
        let provider = self.identity_provider(api).await?;
        if self.named(api, &new.username).await?.is_some() {
            return Err(AdapterError::Invalid(format!("an account with the user name {} exists already", new.username)));
        }
        let body = json!({
            "Username": new.username, "DisplayName": new.display_name, "EmailAddress": new.email,
            "IsActive": true, "IsService": false,
            "Identities": [identity(&provider, &new.email, &new.display_name)],
        });
        let template = self.users_template(api).await?;
        let created = match api.post(&expand(&template, &[])?, &body).await {
            Ok(created) => created,
            // Nobody had the name a moment ago: an account with it now is the one whose answer was lost.
            Err(AdapterError::Unavailable { message, retry_after_ms }) => match self.named(api, &new.username).await {
                Ok(Some(created)) => created,
                _ => return Err(AdapterError::Unavailable { message, retry_after_ms }),
            },
            Err(error) => return Err(error),
        };
        let id = text(&created, "Id")?.to_owned();
        let seen = self.need_user(api, &id).await?;
        let wanted = AccountChange {
            username: Some(new.username.clone()),
            email: Some(new.email.clone()),
            display_name: Some(new.display_name.clone()),
            active: Some(true),
            ensure_our_identity: true,
            ..AccountChange::default()
        };
        if flag(&seen, "IsService", false) {
            return Err(AdapterError::NotHeld(format!("{id}: IsService")));
        }
        held(&seen, &wanted, &provider)?;
        account(&seen, &provider)
    }

    pub(super) async fn write_account(&self, api: &Api<'_>, id: &str, change: &AccountChange) -> Result<Account> {
        check(change.username.as_deref(), change.email.as_deref(), change.display_name.as_deref())?;
        if change.active == Some(false) {
            self.refuse_own(api, id, "deactivating it").await?;
        }
        let names_provider = change.ensure_our_identity || change.remove_foreign_identities;
        // Deactivating must not depend on anything else.
        let only_off = change.active == Some(false) && change.email.is_none() && change.username.is_none();
        let provider = match (names_provider, only_off) {
            (true, _) => self.identity_provider(api).await?,
            (false, true) => self.known_name(),
            (false, false) => self.our_name(api).await?,
        };
        let before = self.need_user(api, id).await?;
        let mut after = before.clone();
        edit(&mut after, change, &provider)?;
        if after == before {
            return account(&before, &provider);
        }
        let address = match link(&before, "Self") {
            Some(address) => address.to_owned(),
            None => expand(&self.users_template(api).await?, &[("id", id)])?,
        };
        api.put(&address, &after).await?;
        let seen = self.need_user(api, id).await?;
        held(&seen, change, &provider)?;
        account(&seen, &provider)
    }

    pub(super) async fn revoke_sessions(&self, api: &Api<'_>, id: &str) -> Result<()> {
        self.refuse_own(api, id, "ending its sessions").await?;
        let user = self.need_user(api, id).await?;
        api.put_nothing(link(&user, "RevokeSessions").ok_or(AdapterError::Unsupported("end sessions"))?).await
    }
}

fn check(username: Option<&str>, email: Option<&str>, display_name: Option<&str>) -> Result<()> {
    let length = |text: &str| text.chars().count();
    for (key, value, longest) in [
        ("Username", username, LONGEST_NAME),
        ("DisplayName", display_name, LONGEST_NAME),
        ("EmailAddress", email, LONGEST_EMAIL),
    ] {
        if value.is_some_and(|text| text.trim().is_empty() || length(text) > longest) {
            return Err(AdapterError::Invalid(format!("{key} must have 1 to {longest} characters")));
        }
    }
    Ok(())
}

fn account(user: &Value, ours: &str) -> Result<Account> {
    let identities = list(user, "Identities");
    let name = |identity: &Value| optional(identity, "IdentityProviderName");
    let our_identity = identities.iter().find(|identity| name(identity) == ours);
    Ok(Account {
        id: text(user, "Id")?.to_owned(),
        username: text(user, "Username")?.to_owned(),
        email: optional(user, "EmailAddress"),
        display_name: optional(user, "DisplayName"),
        // Without the field nobody can say that access is gone.
        active: flag(user, "IsActive", true),
        service: flag(user, "IsService", false),
        may_have_password: flag(user, "CanPasswordBeEdited", true),
        identities: identities.iter().map(name).collect(),
        our_identity_email: our_identity.and_then(email_claim).map(Into::into),
    })
}

fn email_claim(identity: &Value) -> Option<&str> {
    identity.pointer("/Claims/email/Value").and_then(Value::as_str)
}

fn identity(provider: &str, email: &str, display_name: &str) -> Value {
    json!({
        "IdentityProviderName": provider,
        "Claims": {
            "email": {"Value": email, "IsIdentifyingClaim": true},
            "dn": {"Value": display_name, "IsIdentifyingClaim": false},
        },
    })
}

/// Edits a user as received.
fn edit(user: &mut Value, change: &AccountChange, provider: &str) -> Result<()> {
    let old_name = optional(user, "Username");
    for (key, wanted) in [("Username", &change.username), ("EmailAddress", &change.email), ("DisplayName", &change.display_name)]
    {
        if let Some(wanted) = wanted {
            set(user, key, wanted.as_str())?;
        }
    }
    if let Some(active) = change.active {
        set(user, "IsActive", active)?;
    }
    if let Some(password) = &change.password {
        set(user, "Password", password.as_str())?;
    }
    let (name, email) = (optional(user, "Username"), optional(user, "EmailAddress"));
    let display_name = optional(user, "DisplayName");
    if change.ensure_our_identity && email.is_empty() {
        return Err(AdapterError::Invalid("an identity needs an e-mail address, and the account has none".into()));
    }
    let identities = object(user)?.entry("Identities").or_insert_with(|| json!([]));
    if identities.is_null() {
        *identities = json!([]);
    }
    let identities = identities.as_array_mut().ok_or_else(|| AdapterError::Garbage("`Identities` is no list".into()))?;
    let is_ours = |identity: &Value| optional(identity, "IdentityProviderName") == provider;
    if change.remove_foreign_identities {
        identities.retain(|identity| is_ours(identity));
    }
    if change.ensure_our_identity {
        // The server accepts one identity per provider; of several the one that fits stays.
        let fits = |identity: &Value| is_ours(identity) && email_claim(identity) == Some(&email);
        let keep = identities.iter().position(fits).or_else(|| identities.iter().position(is_ours));
        match keep {
            Some(keep) => {
                let mut index = 0..;
                identities.retain(|identity| index.next() == Some(keep) || !is_ours(identity));
            }
            None => identities.push(identity(provider, &email, &display_name)),
        }
    }
    if !(change.ensure_our_identity || change.email.is_some() || change.username.is_some()) {
        return Ok(());
    }
    for ours in identities.iter_mut().filter(|identity| is_ours(identity)) {
        let claims = object(ours)?.entry("Claims").or_insert_with(|| json!({}));
        if change.ensure_our_identity || change.email.is_some() {
            set_claim(claims, "email", &email)?;
        }
        // The preferred username is an identifying claim, too: a stale one would find the wrong account.
        if claims.pointer("/pun/Value").and_then(Value::as_str) == Some(&old_name) {
            set_claim(claims, "pun", &name)?;
        }
    }
    Ok(())
}

fn set_claim(claims: &mut Value, key: &str, value: &str) -> Result<()> {
    let claim = object(claims)?.entry(key).or_insert_with(|| json!({}));
    set(claim, "Value", value)?;
    set(claim, "IsIdentifyingClaim", true)
}

/// Compares what was asked for with what is there.
fn held(user: &Value, change: &AccountChange, provider: &str) -> Result<()> {
    let differs = |what: &str| Err(AdapterError::NotHeld(format!("{}: {what}", optional(user, "Id"))));
    for (key, wanted) in [("Username", &change.username), ("EmailAddress", &change.email), ("DisplayName", &change.display_name)]
    {
        if wanted.as_ref().is_some_and(|wanted| *wanted != optional(user, key)) {
            return differs(key);
        }
    }
    if change.active.is_some_and(|active| user.get("IsActive").and_then(Value::as_bool) != Some(active)) {
        return differs("IsActive");
    }
    let identities = list(user, "Identities");
    let is_ours = |identity: &Value| optional(identity, "IdentityProviderName") == provider;
    if change.remove_foreign_identities && !identities.iter().all(is_ours) {
        return differs("Identities of other providers");
    }
    let email = optional(user, "EmailAddress");
    let mut ours = identities.iter().filter(|identity| is_ours(identity)).peekable();
    if change.ensure_our_identity && ours.peek().is_none() {
        return differs("Identities without ours");
    }
    let must_fit = change.ensure_our_identity || change.email.is_some();
    if must_fit && ours.any(|identity| email_claim(identity) != Some(&email)) {
        return differs("the e-mail claim of our identity");
    }
    Ok(())
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
