//! OAuth clients: what they are, what an administrator may set, and which settings make no sense.

use super::Refusal;
use super::ids::{ClientId, SpaceId};
use super::keyset::Alg;
use super::text_rule::{CONTROL, Chars, TextRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use url::Url;

/// What kind of client it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// The client of a Space: authorization code only, no API audience, no groups (rules A2, A7, B8, B9).
    Space(SpaceId),
    /// Can keep a secret.
    Confidential,
    /// Cannot: browser or native application.
    Public,
}

impl ClientKind {
    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Space(_) => "space",
            Self::Confidential => "confidential",
            Self::Public => "public",
        }
    }
}

/// A grant type (RFC 6749 §1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6; only with `offline_access`.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// All, in the order of the metadata.
    pub const ALL: [Self; 3] = [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];
    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
    /// Reads the registered name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// How a client proves itself at the token endpoint (OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// Not at all: public clients.
    None,
}

impl AuthMethod {
    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }
}

/// `openid`: asks for an ID token.
pub const OPENID: &str = "openid";
/// `offline_access`: asks for a refresh token (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// `groups`: names of the groups the person is in.
pub const GROUPS: &str = "groups";
/// Scopes that mean something to ODCM itself.
pub const STANDARD_SCOPES: [&str; 5] = [OPENID, "profile", "email", GROUPS, OFFLINE_ACCESS];
/// Paths under which Octopus receives the answer of a provider: the Okta provider and generic OIDC (facts octopus.md §2.3).
pub const SPACE_CALLBACKS: [&str; 2] = ["/api/users/authenticatedToken/Okta", "/api/users/authenticatedToken/GenericOidc"];

/// What an administrator sets for a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// Where the browser may be sent with a code: compared as [`Client::sends_to`] says.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where the browser may be sent after a sign-out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types it may use.
    pub grant_types: BTreeSet<GrantType>,
    /// Scopes it may ask for.
    pub scopes: BTreeSet<String>,
    /// How it proves itself.
    pub token_endpoint_auth_method: AuthMethod,
    /// Algorithm of its ID tokens and access tokens: RS256 or ES256.
    pub signing_alg: Alg,
    /// PKCE S256 is required. May be relaxed for a confidential client only.
    #[serde(default = "yes")]
    pub require_pkce: bool,
    /// Ours: people are not asked for consent.
    #[serde(default)]
    pub first_party: bool,
    /// Audience of its access tokens; the issuer when absent.
    #[serde(default)]
    pub audience: Option<String>,
}

fn yes() -> bool {
    true
}

impl ClientSettings {
    /// The settings of a Space's client: redirect URIs derive from the public URL that an administrator gave (rules B8).
    #[must_use]
    pub fn for_space(base_url: &str) -> Self {
        let base = base_url.trim_end_matches('/');
        Self {
            redirect_uris: SPACE_CALLBACKS.iter().map(|path| format!("{base}{path}")).collect(),
            post_logout_redirect_uris: Vec::new(),
            grant_types: [GrantType::AuthorizationCode].into(),
            // Octopus may ask for `groups`; asking is allowed, the claim is never sent (rules A2).
            scopes: [OPENID, "profile", "email", GROUPS].map(str::to_owned).into(),
            token_endpoint_auth_method: AuthMethod::ClientSecretPost,
            signing_alg: Alg::Rs256,
            require_pkce: true,
            first_party: true,
            audience: None,
        }
    }

    /// The usual settings of another client, to begin with.
    #[must_use]
    pub fn for_application(kind: &ClientKind, redirect_uris: Vec<String>) -> Self {
        let public = matches!(kind, ClientKind::Public);
        Self {
            redirect_uris,
            post_logout_redirect_uris: Vec::new(),
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            scopes: STANDARD_SCOPES.map(str::to_owned).into(),
            token_endpoint_auth_method: if public { AuthMethod::None } else { AuthMethod::ClientSecretBasic },
            signing_alg: Alg::Rs256,
            require_pkce: true,
            first_party: false,
            audience: None,
        }
    }

    /// Whether it may use a grant type.
    #[must_use]
    pub fn allows(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Checks the settings of a client of that kind.
    ///
    /// # Errors
    /// A refusal that names the field and says what would be right.
    pub fn validate(&self, kind: &ClientKind) -> Result<(), Refusal> {
        let no = |field: &'static str, text: String| Err(Refusal::invalid(field, "client.invalid", text));
        uris("redirect_uris", &self.redirect_uris)?;
        uris("post_logout_redirect_uris", &self.post_logout_redirect_uris)?;
        if self.allows(GrantType::AuthorizationCode) && self.redirect_uris.is_empty() {
            return no("redirect_uris", "A client that signs people in needs at least one redirect URI.".into());
        }
        if self.grant_types.is_empty() {
            return no("grant_types", "Choose at least one grant type.".into());
        }
        if self.allows(GrantType::RefreshToken) && !self.allows(GrantType::AuthorizationCode) {
            return no("grant_types", "refresh_token needs authorization_code: nothing else gives refresh tokens here.".into());
        }
        if let Some(bad) = self.scopes.iter().find(|s| SCOPE.fault(s).is_some()) {
            return no(
                "scopes",
                format!("`{}` is not a scope: 1 to 64 printable characters without space, quote, backslash.", shown(bad)),
            );
        }
        if self.scopes.len() > MAX_SCOPES {
            return no("scopes", format!("At most {MAX_SCOPES} scopes."));
        }
        if self.signing_alg == Alg::EdDsa {
            return no("signing_alg", "Use RS256 or ES256.".into());
        }
        if let Some(fault) = self.audience.as_ref().and_then(|a| AUDIENCE.fault(a)) {
            let rule = "An audience has 1 to 200 characters, usually the URL of the API.";
            return Err(fault.refusal("audience", "client.invalid", rule));
        }
        match kind {
            ClientKind::Public => {
                if self.token_endpoint_auth_method != AuthMethod::None {
                    return no("token_endpoint_auth_method", "A public client keeps no secret: use none.".into());
                }
                if !self.require_pkce {
                    return no("require_pkce", "PKCE may be relaxed for confidential clients only.".into());
                }
                if self.allows(GrantType::ClientCredentials) {
                    return no("grant_types", "client_credentials is for confidential clients.".into());
                }
            }
            ClientKind::Confidential => {
                if self.token_endpoint_auth_method == AuthMethod::None {
                    let text = "A confidential client proves itself: client_secret_basic or client_secret_post.";
                    return no("token_endpoint_auth_method", text.into());
                }
            }
            ClientKind::Space(_) => {
                let fixed = Self { redirect_uris: self.redirect_uris.clone(), ..Self::for_space("") };
                if *self != fixed {
                    return no("settings", "The client of a Space has fixed settings; only its redirect URIs differ.".into());
                }
            }
        }
        Ok(())
    }
}

/// Most URIs of one kind per client.
pub const MAX_URIS: usize = 32;
/// Most scopes of a client.
pub const MAX_SCOPES: usize = 64;
/// Most groups that a client is restricted to.
pub const MAX_GROUPS: usize = 100;
/// A scope (RFC 6749 §3.3).
pub const SCOPE: TextRule = TextRule::of(1, 64, Chars::Only(&[&[('!', '!'), ('#', '['), (']', '~')]]));
/// An audience of access tokens.
pub const AUDIENCE: TextRule = TextRule::of(1, 200, Chars::Not(&[CONTROL]));
/// The characters of a redirect URI: printable, without space, wildcard and backslash.
pub const REDIRECT_URI: TextRule = TextRule::of(1, 2048, Chars::Only(&[&[('!', ')'), ('+', '['), (']', '~')]]));

fn uris(field: &'static str, list: &[String]) -> Result<(), Refusal> {
    if list.len() > MAX_URIS {
        return Err(Refusal::invalid(field, "client.invalid", format!("At most {MAX_URIS} URIs.")));
    }
    list.iter().try_for_each(|uri| {
        redirect_uri(uri).map_err(|why| Refusal::invalid(field, "client.redirect_uri", format!("`{}` {why}", shown(uri))))
    })
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Whether a text may be registered as a redirect URI: https; http on loopback; or a private scheme with a dot in its name
/// (RFC 8252 §7). Absolute, without fragment (RFC 6749 §3.1.2), user info or wildcard.
fn redirect_uri(text: &str) -> Result<(), &'static str> {
    if text.contains('*') {
        return Err("has a wildcard; URIs are compared byte by byte, register each one.");
    }
    if REDIRECT_URI.fault(text).is_some() {
        return Err("is longer than 2048 bytes or has characters that a URI may not contain.");
    }
    let url = Url::parse(text).map_err(|_| "is not an absolute URI.")?;
    if url.fragment().is_some() {
        return Err("has a fragment; remove everything from the # on.");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("carries a user name or password.");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if url.host_str().is_some_and(is_loopback) => Ok(()),
        "http" => Err("is plain http beyond loopback; use https."),
        private if private.contains('.') => Ok(()),
        _ => Err("needs the scheme https, http on loopback, or a private scheme such as com.example.app."),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Host and rest of `http://127.0.0.1[:port]…` or `http://[::1][:port]…`. Not `localhost`: it may be another machine
/// (RFC 8252 §8.3).
fn loopback_without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, rest) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| authority.starts_with(host))?;
    let port = authority.strip_prefix(host)?;
    let number = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0);
    (port.is_empty() || port.strip_prefix(':').is_some_and(number)).then_some((host, rest))
}

/// A client as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Kind.
    pub kind: ClientKind,
    /// Name for people.
    pub name: String,
    /// Settings.
    pub settings: ClientSettings,
    /// Disabled clients get nothing.
    pub enabled: bool,
    /// Raised by each change.
    pub version: i64,
}

impl Client {
    /// Whether it belongs to a Space.
    #[must_use]
    pub fn space(&self) -> Option<&SpaceId> {
        match &self.kind {
            ClientKind::Space(id) => Some(id),
            ClientKind::Confidential | ClientKind::Public => None,
        }
    }

    /// Whether the browser may be sent there with an answer: the URI is registered, byte by byte (RFC 9700 §2.1); for a
    /// public client at a loopback address the port is left out of the comparison, because an application on somebody's
    /// computer listens where there is room (RFC 8252 §7.3).
    #[must_use]
    pub fn sends_to(&self, uri: &str) -> bool {
        let native = matches!(self.kind, ClientKind::Public);
        let portless = loopback_without_port(uri).filter(|_| native);
        self.settings
            .redirect_uris
            .iter()
            .any(|known| known == uri || (portless.is_some() && loopback_without_port(known) == portless))
    }

    /// Whether an answer at this URI may reach another program than the one that asked: a public client has no secret, and
    /// any program on the device may claim a private scheme or a port (RFC 8252 §8.6).
    #[must_use]
    pub fn may_be_impersonated(&self, uri: &str) -> bool {
        matches!(self.kind, ClientKind::Public) && !uri.starts_with("https://")
    }

    /// Whether a redirect URI of a token request fits the one of the authorization request. Octopus rebuilds the URI from
    /// the Host header and drops a virtual directory, so for Spaces every registered one will do, and the registered path
    /// behind such a directory at a registered origin (rules B8); the code is bound to client, secret and verifier.
    #[must_use]
    pub fn redeems_at(&self, asked: &str, given: &str) -> bool {
        if self.space().is_none() {
            return asked == given;
        }
        let origin_and_callback = |uri: &str| {
            let url = Url::parse(uri).ok()?;
            let callback = SPACE_CALLBACKS.into_iter().find(|path| url.path().ends_with(path))?;
            Some((url.origin().ascii_serialization(), callback))
        };
        self.settings.redirect_uris.iter().any(|uri| {
            uri == given || origin_and_callback(uri).is_some_and(|(origin, callback)| format!("{origin}{callback}") == given)
        })
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
