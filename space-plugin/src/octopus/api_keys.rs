//! API keys of accounts.

use super::OctopusAdapter;
use super::client::Api;
use super::json::{has_id, is_id, optional, text};
use super::links::{expand, link};
use super::paging::{self, TAKE};
use crate::adapter::{AdapterError, ApiKey, Result};
use serde_json::Value;

impl OctopusAdapter {
    async fn keys_template(&self, api: &Api<'_>, account: &str) -> Result<String> {
        let user = self.need_user(api, account).await?;
        link(&user, "ApiKeys").map(Into::into).ok_or(AdapterError::Unsupported("list API keys"))
    }

    pub(super) async fn list_api_keys(&self, api: &Api<'_>, account: &str) -> Result<Vec<ApiKey>> {
        let template = self.keys_template(api, account).await?;
        let keys = paging::all(api, &expand(&template, &[("take", TAKE)])?).await?;
        let key = |key: &Value| Ok(ApiKey { id: text(key, "Id")?.to_owned(), purpose: optional(key, "Purpose") });
        keys.iter().map(key).collect()
    }

    pub(super) async fn remove_api_key(&self, api: &Api<'_>, account: &str, key: &str) -> Result<()> {
        self.refuse_own(api, account, "deleting its keys").await?;
        let template = self.keys_template(api, account).await?;
        if !is_id(key) {
            return Err(AdapterError::Invalid("an API key id has letters, digits and hyphens".into()));
        }
        let address = expand(&template, &[("id", key)])?;
        match api.delete(&address).await {
            // Somebody was faster.
            Ok(()) | Err(AdapterError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let left = paging::all(api, &expand(&template, &[("take", TAKE)])?).await?;
        if left.iter().any(|left| has_id(left, key)) {
            return Err(AdapterError::NotHeld(format!("{account}: API key {key} is still there")));
        }
        Ok(())
    }
}
