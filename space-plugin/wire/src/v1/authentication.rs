//! Section *authentication*: how the Space's own sign-in is pointed at ODCM.

use serde::{Deserialize, Serialize};

/// Desired state of section *authentication*. The client secret is not in it: the agent makes it, and ODCM learns its
/// SHA-256 only (rules B9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationState {
    /// Issuer without a trailing slash; the server appends `/.well-known/openid-configuration`.
    pub issuer: String,
    /// Client id of this Space at ODCM.
    pub client_id: String,
    /// Label of the sign-in button where the server can show one (letters, digits, hyphen, space).
    pub display_name: String,
    /// Raised when a new client secret shall be made.
    pub secret_generation: u64,
}
