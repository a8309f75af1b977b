//! The relying party: sign-in at an OpenID Connect provider, as the real server's "Okta" provider does it
//! (authorization code, PKCE S256, client secret in the form, no nonce).
//!
//! May use: reqwest (discovery, JWKS, token request), aws-lc-rs (signature). Example: `POST
//! /users/authenticate/Okta` answers `{"ExternalAuthenticationUrl": …}` and sets the cookie `s`.

mod authorize;
mod callback;
mod claims;
mod discovery;
mod jws;
mod matching;
mod token;

use std::borrow::Cow;

use serde_json::Value;

use super::{config::Version, state::State};
pub use authorize::{begin, is_local, provider};
pub use callback::routes;
pub use discovery::Memory;

/// An OpenID Connect provider that this server can use.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Id of its configuration section.
    pub section: &'static str,
    /// `IdentityProviderName`.
    pub name: Cow<'static, str>,
    /// Settings name, used in addresses.
    pub settings: &'static str,
    /// Whether identities carry the preferred username (`pun`).
    pub has_pun: bool,
    /// Whether groups of the token count.
    pub has_groups: bool,
    /// First version that has it.
    pub since: Version,
}

/// Section of the generic provider.
pub const GENERIC: &str = "authentication-generic-oidc";

/// The providers, oldest first.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        section: "authentication-aad",
        name: Cow::Borrowed("Azure AD"),
        settings: "AzureAD",
        has_pun: false,
        has_groups: true,
        since: Version::OLDEST,
    },
    Provider {
        section: "authentication-googleapps",
        name: Cow::Borrowed("Google Apps"),
        settings: "GoogleApps",
        has_pun: false,
        has_groups: false,
        since: Version::OLDEST,
    },
    Provider {
        section: "authentication-od",
        name: Cow::Borrowed("Okta"),
        settings: "Okta",
        has_pun: true,
        has_groups: true,
        since: Version::OLDEST,
    },
    Provider {
        section: "authentication-octopusid",
        name: Cow::Borrowed("Octopus ID"),
        settings: "OctopusID",
        has_pun: false,
        has_groups: true,
        since: Version::OLDEST,
    },
    Provider {
        section: GENERIC,
        // In no public source: the switch `generic_name` says it, clients have to ask `/api/users/identity-metadata`.
        name: Cow::Borrowed("Generic OpenID Connect"),
        settings: "GenericOidc",
        has_pun: true,
        has_groups: true,
        since: Version::new(2025, 4, 0),
    },
];

impl Provider {
    /// Whether the provider is switched on.
    pub fn enabled(&self, state: &State) -> bool {
        self.value(state, "IsEnabled").and_then(Value::as_bool) == Some(true)
    }

    /// A value of the provider's section.
    pub fn value<'a>(&self, state: &'a State, name: &str) -> Option<&'a Value> {
        state.sections.get(self.section)?.get(name)
    }

    /// A non-empty text of the provider's section.
    pub fn text(&self, state: &State, name: &str) -> Option<String> {
        self.value(state, name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// What the sign-in button says.
pub fn label(provider: &Provider, state: &State) -> String {
    provider.text(state, "DisplayName").unwrap_or_else(|| provider.name.to_string())
}
