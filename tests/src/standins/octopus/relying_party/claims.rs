//! What a token says about a person.

use serde_json::Value;

use crate::standins::octopus::state::{Document, State};

use super::Provider;

/// The claims of a verified token.
#[derive(Clone, Debug, Default)]
pub struct Claims(pub Document);

/// Clock difference that the real server's token handler tolerates by default.
const SKEW_MS: i64 = 300_000;

impl Claims {
    /// A non-empty text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A text, or all texts of a list.
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(list)) => list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    }

    /// Checks issuer, audience and times.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, issuer: &str, client_id: &str, now: i64) -> Result<(), String> {
        let seconds = |name: &str| self.0.get(name).and_then(Value::as_i64);
        if self.text("iss") != Some(issuer) {
            return Err(format!("the issuer '{}' is not '{issuer}'", self.text("iss").unwrap_or_default()));
        }
        if !self.texts("aud").iter().any(|audience| audience == client_id) {
            return Err(format!("the audience is not '{client_id}'"));
        }
        let end = seconds("exp").ok_or("the id_token has no exp")?;
        if now > end.saturating_mul(1000).saturating_add(SKEW_MS) {
            return Err("the id_token has expired".into());
        }
        if seconds("nbf").is_some_and(|start| now < start.saturating_mul(1000).saturating_sub(SKEW_MS)) {
            return Err("the id_token is not valid yet".into());
        }
        Ok(())
    }
}

/// The person that a token names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Name for a new account.
    pub username: String,
    /// Shown name.
    pub display_name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// `sub`.
    pub external_id: String,
    /// Preferred username, where it differs from both.
    pub pun: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// Reads the person out of the claims.
///
/// # Errors
/// The server's sentence.
pub fn candidate(provider: &Provider, state: &State, claims: &Claims) -> Result<Candidate, String> {
    let no_name = || "Unable to determine username.".to_owned();
    let external_id = claims.text("sub").ok_or_else(no_name)?.to_owned();
    let email = claims.text("email").or_else(|| claims.text("upn")).map(str::to_owned);
    let preferred = match provider.text(state, "UsernameClaimType") {
        Some(name) => claims.text(&name),
        None if provider.settings == "AzureAD" => claims.text("upn"),
        None => None,
    };
    let username = preferred.map(str::to_owned).or_else(|| email.clone()).unwrap_or_else(|| external_id.clone());
    let pun = preferred.filter(|name| provider.has_pun && Some(*name) != email.as_deref() && *name != external_id);
    let mut groups = Vec::new();
    if provider.has_groups {
        let role_claim = provider.text(state, "RoleClaimType");
        let names = ["role".to_owned(), "roles".to_owned()].into_iter().chain(role_claim);
        groups = names.flat_map(|name| claims.texts(&name)).collect();
        groups.sort_unstable();
        groups.dedup();
    }
    Ok(Candidate {
        display_name: claims.text("name").map_or_else(|| username.clone(), str::to_owned),
        username,
        email,
        external_id,
        pun: pun.map(str::to_owned),
        groups,
    })
}
