//! Which provider is pointed at ODCM, and by which name identities call it.

use super::client::Api;
use super::configuration::{GENERIC, OKTA};
use super::describe::Root;
use super::json::{has_id, list};
use super::links::link;
use super::{OctopusAdapter, fresh};
use crate::adapter::{AdapterError, Provider, Result};
use serde_json::Value;
use std::sync::Arc;
use tokio::time::Instant;

/// Names of providers that are surely another one.
const OTHERS: [&str; 9] =
    ["Octopus", "Octopus - Guest", "Active Directory", "LDAP", "Azure AD", "Google Apps", "Octopus ID", "Okta", "GitHub"];
const OKTA_NAME: &str = "Okta";
/// Stands for the generic provider while the server does not tell its name.
const GENERIC_NAME: &str = "GenericOidc";

/// The provider.
#[derive(Debug)]
pub(super) struct Found {
    pub provider: Provider,
    /// Whether the name was heard from the server or is documented.
    pub sure: bool,
}

impl OctopusAdapter {
    /// The provider, at most a minute old.
    pub(super) async fn find_provider(&self, api: &Api<'_>) -> Result<Arc<Found>> {
        if let Some(known) = fresh(&self.cache().provider) {
            return Ok(known);
        }
        let found = Arc::new(self.read_provider(api).await?);
        if found.sure {
            self.cache().provider = Some((Instant::now(), found.clone()));
        }
        Ok(found)
    }

    async fn read_provider(&self, api: &Api<'_>) -> Result<Found> {
        let root = self.root(api).await?;
        let generic = match self.find_section(api).await {
            Ok(section) => has_id(&section, GENERIC),
            // A key that may not read settings sees at least which provider is on.
            Err(AdapterError::Denied(_)) => name_in_root(&root, "GenericOidc").is_some(),
            Err(error) => return Err(error),
        };
        // The settings name: last part of both the sign-in and the redirect address.
        let settings = if generic { "GenericOidc" } else { "Okta" };
        let name = match name_in_root(&root, settings) {
            Some(name) => Some(name),
            None => self.name_elsewhere(api, &root, settings, generic).await?,
        };
        let sure = name.is_some() || !generic;
        let fallback = if generic { GENERIC_NAME } else { OKTA_NAME };
        Ok(Found {
            provider: Provider {
                section: if generic { GENERIC } else { OKTA }.to_owned(),
                name: name.unwrap_or_else(|| fallback.to_owned()),
                redirect_path: format!("/api/users/authenticatedToken/{settings}"),
            },
            sure,
        })
    }

    /// The name to write into identities; refused while it is only guessed.
    pub(super) async fn identity_provider(&self, api: &Api<'_>) -> Result<String> {
        let found = self.find_provider(api).await?;
        if found.sure {
            return Ok(found.provider.name.clone());
        }
        let message = "the server tells the name of its OpenID Connect provider only once that is enabled".into();
        Err(AdapterError::Unavailable { message, retry_after_ms: None })
    }

    async fn name_elsewhere(&self, api: &Api<'_>, root: &Root, settings: &str, generic: bool) -> Result<Option<String>> {
        if let Some(address) = root.link("Authentication") {
            let answer = api.get(address).await?;
            if let Some(name) = name_in_providers(list(&answer, "AuthenticationProviders"), settings) {
                return Ok(Some(name));
            }
        }
        let Some(address) = root.link("UserIdentityMetadata").or_else(|| root.link("UsersIdentityMetadata")) else {
            return Ok(None);
        };
        match api.get(address).await {
            Ok(answer) => Ok(name_in_metadata(list(&answer, "Providers"), generic)),
            Err(AdapterError::NotFound(_) | AdapterError::Unsupported(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `Authenticate_<name>` with an address that ends in the settings name.
fn name_in_root(root: &Root, settings: &str) -> Option<String> {
    let links = root.document.get("Links")?.as_object()?;
    links.iter().find_map(|(name, target)| {
        let name = name.strip_prefix("Authenticate_").filter(|name| !name.is_empty())?;
        leads_to(target.as_str()?, settings).then(|| name.to_owned())
    })
}

fn name_in_providers(providers: &[Value], settings: &str) -> Option<String> {
    let ours = providers.iter().find(|provider| link(provider, "Authenticate").is_some_and(|to| leads_to(to, settings)))?;
    Some(ours.get("Name")?.as_str()?.to_owned())
}

/// For Okta its own name; for the generic provider the only name that no other provider has.
fn name_in_metadata(providers: &[Value], generic: bool) -> Option<String> {
    let mut names = providers.iter().filter_map(|provider| provider.get("IdentityProviderName")?.as_str());
    if !generic {
        return names.find(|name| *name == OKTA_NAME).map(Into::into);
    }
    let mut unknown = names.filter(|name| !OTHERS.contains(name));
    let only = unknown.next()?;
    unknown.next().is_none().then(|| only.to_owned())
}

fn leads_to(address: &str, settings: &str) -> bool {
    let path = address.split(['?', '{', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_name_comes_from_where_the_server_shows_it() {
        let root = Root {
            document: json!({"Links": {
                "Authenticate_Google Apps": "/users/authenticate/GoogleApps{?returnUrl}",
                "Authenticate_Our OIDC": "~/users/authenticate/GenericOidc{?returnUrl}",
            }}),
        };
        assert_eq!(name_in_root(&root, "GenericOidc").as_deref(), Some("Our OIDC"));
        assert_eq!(name_in_root(&root, "Okta"), None);
        let providers = json!([{"Name": "X", "Links": {"Authenticate": "/users/authenticate/OctopusID"}},
            {"Name": "Y", "Links": {"Authenticate": "/users/authenticate/GenericOidc"}}]);
        assert_eq!(name_in_providers(providers.as_array().unwrap(), "GenericOidc").as_deref(), Some("Y"));
    }

    #[test]
    fn metadata_names_the_generic_provider_only_when_one_name_is_left() {
        let names = |names: &[&str]| names.iter().map(|name| json!({"IdentityProviderName": name})).collect::<Vec<_>>();
        assert_eq!(name_in_metadata(&names(&["Okta", "OpenID Connect"]), true).as_deref(), Some("OpenID Connect"));
        assert_eq!(name_in_metadata(&names(&["A", "B"]), true), None);
        assert_eq!(name_in_metadata(&names(&["Okta", "OpenID Connect"]), false).as_deref(), Some("Okta"));
        assert_eq!(name_in_metadata(&names(&["LDAP"]), false), None);
    }
}
