//! The root document, and what the server says of itself.

use super::client::Api;
use super::configuration::GENERIC;
use super::json::{has_id, text};
use super::links::{expand, link, takes, with_query};
use super::{OctopusAdapter, fresh};
use crate::adapter::{AdapterError, Capability, Description, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

/// Everything of mixed scope: all inner spaces and the system.
pub(super) const EVERYWHERE: [(&str, &str); 2] = [("spaces", "all"), ("includeSystem", "true")];

/// `GET /api`: identity of the installation, version and the links to everything else.
#[derive(Debug)]
pub(super) struct Root {
    pub document: Value,
}

impl Root {
    pub async fn read(api: &Api<'_>) -> Result<Self> {
        let document = api.get("~/api").await?;
        text(&document, "InstallationId")?;
        text(&document, "Version")?;
        if !document.get("Links").is_some_and(Value::is_object) {
            return Err(AdapterError::Garbage("the root document has no links: this is no Octopus server".into()));
        }
        Ok(Self { document })
    }

    pub fn link(&self, name: &str) -> Option<&str> {
        link(&self.document, name)
    }

    /// A link that the server must have for `what`.
    pub fn need(&self, name: &str, what: &'static str) -> Result<&str> {
        self.link(name).ok_or(AdapterError::Unsupported(what))
    }

    pub fn has_inner_spaces(&self) -> bool {
        self.link("Spaces").is_some()
    }

    /// Fills a template of a collection of mixed scope, so that it covers everything.
    pub fn everywhere(&self, template: &str, values: &[(&str, &str)]) -> Result<String> {
        if !self.has_inner_spaces() {
            return expand(template, values);
        }
        let all: Vec<(&str, &str)> = values.iter().copied().chain(EVERYWHERE).collect();
        Ok(with_query(expand(template, &all)?, &EVERYWHERE))
    }
}

impl OctopusAdapter {
    pub(super) async fn describe_server(&self, api: &Api<'_>) -> Result<Description> {
        let root = self.read_root(api).await?;
        let me = self.read_me(api, &root).await?;
        let mut capabilities = BTreeSet::new();
        let mut note = |capability, there: bool| {
            if there {
                capabilities.insert(capability);
            }
        };
        note(Capability::InnerSpaces, root.has_inner_spaces());
        note(Capability::EventCursor, root.link("Events").is_some());
        note(Capability::RevokeSessions, link(&me, "RevokeSessions").is_some() || root.link("RevokeSessions").is_some());
        note(Capability::ListApiKeys, link(&me, "ApiKeys").is_some());
        // A key without `ConfigureServer` can still push accounts and teams.
        match self.find_section(api).await {
            Ok(section) => {
                note(Capability::GenericOidc, has_id(&section, GENERIC));
                let values = self.read_values(api, &section).await?;
                note(Capability::ClientSecret, values.get("ClientSecret").is_some());
            }
            Err(AdapterError::Denied(cause)) => tracing::warn!(%cause, "the sign-in settings cannot be read with this key"),
            Err(error) => return Err(error),
        }
        Ok(Description {
            installation_id: text(&root.document, "InstallationId")?.to_owned(),
            version: text(&root.document, "Version")?.to_owned(),
            capabilities,
        })
    }

    /// One request, and fresh links for the writes that follow.
    pub(super) async fn server_installation(&self, api: &Api<'_>) -> Result<String> {
        Ok(text(&self.read_root(api).await?.document, "InstallationId")?.to_owned())
    }

    async fn read_me(&self, api: &Api<'_>, root: &Root) -> Result<Value> {
        let me = api.get(root.link("CurrentUser").unwrap_or("~/api/users/me")).await?;
        let id: Arc<str> = text(&me, "Id")?.into();
        self.cache().me = Some((Instant::now(), id));
        Ok(me)
    }

    /// Refuses what would take the agent's own access away.
    pub(super) async fn refuse_own(&self, api: &Api<'_>, account: &str, what: &str) -> Result<()> {
        let known = fresh(&self.cache().me);
        let me = match known {
            Some(me) => me,
            None => {
                let root = self.root(api).await?;
                text(&self.read_me(api, &root).await?, "Id")?.into()
            }
        };
        if me.eq_ignore_ascii_case(account) {
            return Err(AdapterError::Invalid(format!("{account} is the agent's own account: {what} would lock it out")));
        }
        Ok(())
    }

    /// Whether the template of a root link takes a query value.
    pub(super) fn can_ask(root: &Root, name: &str, value: &str) -> bool {
        root.link(name).is_some_and(|template| takes(template, value))
    }
}
