//! A sign-in driven as a browser drives it, up to the code: the server then proves its client secret to ODCM.

use super::OctopusAdapter;
use super::client::{Api, Page};
use super::json::{list, text};
use super::links::{expand, link};
use crate::adapter::{AdapterError, Provider, Result};
use serde_json::{Value, json};
use url::Url;

impl OctopusAdapter {
    pub(super) async fn probe(&self, api: &Api<'_>, code: &str) -> Result<()> {
        // The link to the sign-in comes and goes with the provider.
        let root = self.read_root(api).await?;
        let found = self.find_provider(api).await?;
        let provider = &found.provider;
        let start = match root.link(&format!("Authenticate_{}", provider.name)) {
            Some(start) => start.to_owned(),
            None => self.start_elsewhere(api, root.link("Authentication"), provider).await?,
        };
        let public = api.public();
        let body = json!({
            "ApiAbsUrl": public.as_str().trim_end_matches('/'),
            "State": {"RedirectAfterLoginTo": "/", "UsingSecureConnection": public.scheme() == "https"},
        });
        let page = accepted(api.browse(&expand(&start, &[])?, Some(&body), &[]).await?)?;
        let answer: Value = serde_json::from_slice(&page.body)
            .map_err(|error| AdapterError::Garbage(format!("the start of a sign-in: {error}")))?;
        let state = state_of(text(&answer, "ExternalAuthenticationUrl")?)?;
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("code", code), ("state", &state)]).finish();
        let back = api.browse(&format!("~{}?{query}", provider.redirect_path), None, &page.cookies).await?;
        // The dead code makes the server show an error; only one that was too busy to ask ODCM is to be asked again.
        match back.status {
            429 | 502..=504 => Err(busy(&back)),
            _ => Ok(()),
        }
    }

    async fn start_elsewhere(&self, api: &Api<'_>, address: Option<&str>, provider: &Provider) -> Result<String> {
        let answer = api.get(address.unwrap_or("~/api/authentication")).await?;
        let settings = provider.redirect_path.rsplit('/').next().unwrap_or_default();
        let links = list(&answer, "AuthenticationProviders").iter().filter_map(|provider| link(provider, "Authenticate"));
        let mut ours = links.filter(|to| to.split(['?', '{']).next().is_some_and(|path| path.ends_with(&format!("/{settings}"))));
        let disabled = || AdapterError::Invalid(format!("the provider {} is disabled", provider.name));
        ours.next().map(Into::into).ok_or_else(disabled)
    }
}

fn busy(page: &Page) -> AdapterError {
    AdapterError::Unavailable { message: format!("the probe of the sign-in: {}", page.status), retry_after_ms: None }
}

fn accepted(page: Page) -> Result<Page> {
    match page.status {
        200..=299 => Ok(page),
        429 | 500..=599 => Err(busy(&page)),
        status => Err(AdapterError::Invalid(format!("the server does not start a sign-in: {status}"))),
    }
}

/// `state` of the authorization request; it must be the code flow, where the server itself redeems the code.
fn state_of(address: &str) -> Result<String> {
    let garbage = || AdapterError::Garbage("the server sends browsers to an address that is none".into());
    let url = Url::parse(address).map_err(|_| garbage())?;
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if value("response_type").as_deref() != Some("code") {
        return Err(AdapterError::Unsupported("prove its client secret: it signs people in without the code flow"));
    }
    value("state").ok_or_else(garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_comes_back_as_it_was() {
        let state = r#"{"RequestId":"x","RedirectAfterLoginTo":"/a b","UsingSecureConnection":true}"#;
        let encoded: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
        let url = |kind: &str| format!("https://odcm.example/authorize?client_id=a&response_type={kind}&state={encoded}");
        assert_eq!(state_of(&url("code")).unwrap(), state);
        assert!(matches!(state_of(&url("code+id_token")), Err(AdapterError::Unsupported(_))));
        assert!(matches!(state_of("nonsense"), Err(AdapterError::Garbage(_))));
        assert!(matches!(state_of("https://odcm.example/?response_type=code"), Err(AdapterError::Garbage(_))));
    }
}
