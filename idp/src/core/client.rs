//! OAuth clients.

use serde::{Deserialize, Serialize};

/// What a client may do, stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSettings {
    /// Exact redirect URIs.
    pub redirect_uris: Vec<String>,
}

impl ClientSettings {
    /// The client of a Space with this public URL: authorization code only, both providers' redirect URIs (rules B8, B9).
    #[must_use]
    pub fn for_space(base_url: &str) -> Self {
        let uri = |provider: &str| format!("{base_url}/api/users/authenticatedToken/{provider}");
        Self { redirect_uris: vec![uri("Okta"), uri("GenericOidc")] }
    }
}
