//! The contract between an agent and one kind of Space.

use async_trait::async_trait;
use odcm_wire::latest::{AuthenticationState, InnerSpace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something a given server can do, read from its links and section lists, never from its version number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Has inner spaces (2019.1 and later).
    InnerSpaces,
    /// Can end all sessions of a person (2022.2 and later).
    RevokeSessions,
    /// API keys of other people can be listed.
    ListApiKeys,
    /// Has the generic OpenID Connect provider (2025.4 and later).
    GenericOidc,
    /// Its OpenID Connect providers take a client secret: code flow with PKCE (2022.2 and later).
    ClientSecret,
    /// Has an event stream with a cursor.
    EventCursor,
}

/// What a Space says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// InstallationId.
    pub installation_id: String,
    /// Version of the server.
    pub version: String,
    /// What it can do.
    pub capabilities: BTreeSet<Capability>,
}

/// The sign-in provider of the Space that is pointed at ODCM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Configuration section, for example `authentication-od`.
    pub section: String,
    /// `IdentityProviderName` in identities, for example `Okta`.
    pub name: String,
    /// Path of the redirect URI under the Space's base URL.
    pub redirect_path: String,
}

/// An account of a Space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Id, for example `Users-21`.
    pub id: String,
    /// User name.
    pub username: String,
    /// E-mail address, possibly empty.
    pub email: String,
    /// Display name.
    pub display_name: String,
    /// Whether it may enter.
    pub active: bool,
    /// A service account: never a person's.
    pub service: bool,
    /// `CanPasswordBeEdited`.
    pub may_have_password: bool,
    /// Names of the identity providers with an identity on this account.
    pub identities: Vec<String>,
    /// The e-mail claim of the identity of [`Provider::name`], if there is one.
    pub our_identity_email: Option<String>,
}

/// An account to create. It carries an identity of the provider that is pointed at ODCM (octopus.md, trap: an identity
/// without an e-mail claim breaks sign-in).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// User name, at most 64 characters.
    pub username: String,
    /// E-mail address, written exactly as ODCM will send it.
    pub email: String,
    /// Display name, at most 64 characters.
    pub display_name: String,
}

/// What to change on an account; `None` leaves as it is. Everything else of the account stays as received (rules B10).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// User name.
    pub username: Option<String>,
    /// E-mail address; the e-mail claim of our identity follows it.
    pub email: Option<String>,
    /// Display name.
    pub display_name: Option<String>,
    /// Active or not.
    pub active: Option<bool>,
    /// Make sure the account carries an identity of our provider with this account's e-mail address.
    pub ensure_our_identity: bool,
    /// Remove identities of all other providers.
    pub remove_foreign_identities: bool,
    /// Set this password (used with a random one nobody keeps).
    pub password: Option<String>,
}

/// Without the password.
impl std::fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountChange")
            .field("username", &self.username)
            .field("email", &self.email)
            .field("display_name", &self.display_name)
            .field("active", &self.active)
            .field("ensure_our_identity", &self.ensure_our_identity)
            .field("remove_foreign_identities", &self.remove_foreign_identities)
            .field("sets_password", &self.password.is_some())
            .finish()
    }
}

/// An API key of an account; the key itself is never readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Id, for example `apikeys-abc`.
    pub id: String,
    /// Purpose, for people.
    pub purpose: String,
}

/// An external group that a team names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalGroup {
    /// Id; compared without case.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// A team of a Space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Inner space, `None` for a system team.
    pub inner_space: Option<String>,
    /// Account ids.
    pub members: BTreeSet<String>,
    /// External groups it names.
    pub external_groups: Vec<ExternalGroup>,
    /// Whether members may be changed.
    pub can_change_members: bool,
    /// Whether the team holds administrator rights (rules A4).
    pub administrative: bool,
}

/// The teams of a Space, as far as the key may see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Teams {
    /// Those that were seen.
    pub seen: Vec<Team>,
    /// Inner spaces whose teams the key may not see: nothing is known of them, also not that a team is gone.
    pub closed: Vec<InnerSpace>,
}

/// Members to remove from and to add to a team. An account that both lists name ends up outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// Account ids to remove.
    pub remove: BTreeSet<String>,
    /// Account ids to add.
    pub add: BTreeSet<String>,
}

/// Authentication settings to write.
#[derive(Clone)]
pub struct AuthenticationSetUp {
    /// Desired state.
    pub state: AuthenticationState,
    /// The client secret, when it shall be written; `None` keeps the stored one.
    pub client_secret: Option<String>,
}

/// Without the secret.
impl std::fmt::Debug for AuthenticationSetUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthenticationSetUp")
            .field("state", &self.state)
            .field("sets_client_secret", &self.client_secret.is_some())
            .finish()
    }
}

/// Authentication settings as read; secrets left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationSeen {
    /// The provider that is, or would be, pointed at ODCM.
    pub provider: Provider,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Issuer.
    pub issuer: String,
    /// Client id.
    pub client_id: String,
    /// Whether a client secret is stored; `None` where the server knows none.
    pub has_client_secret: Option<bool>,
    /// `AllowAutoUserCreation` (held off, rules A7).
    pub auto_user_creation: bool,
    /// `IsSelfServiceIdentityEditingEnabled` (held off, rules A7).
    pub self_service_identities: bool,
}

/// Authentication settings as they were before ODCM: opaque JSON per section (rules B12).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// Pairs of section id and its values as received.
    pub sections: Vec<(String, serde_json::Value)>,
}

/// A change that the Space's own events name: a hint where to look, never a truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Ids of documents the event is about (`Users-1`, `Teams-2`, …). Empty: the Space no longer knows the cursor (its
    /// events were cut or it was restored from a backup), so anything may have changed.
    pub documents: Vec<String>,
    /// User name of who did it; `None`: not known, or the agent itself.
    pub by: Option<String>,
}

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AdapterError {
    /// Not reachable, timed out, answered 5xx or 429: try again, after `retry_after_ms` if given.
    #[error("the Space cannot be reached or is busy: {message}")]
    Unavailable {
        /// What happened.
        message: String,
        /// What the server asked for.
        retry_after_ms: Option<u64>,
    },
    /// The key is not accepted or lacks a permission.
    #[error("the Space refuses the agent's key: {0}")]
    Denied(String),
    /// The document does not exist.
    #[error("the Space does not know {0}")]
    NotFound(String),
    /// The server says the request is wrong: trying the same again is useless.
    #[error("the Space refuses: {0}")]
    Invalid(String),
    /// The answer cannot be understood: not JSON, too large, a redirect, a link to another origin.
    #[error("the Space answered something that cannot be understood: {0}")]
    Garbage(String),
    /// This server cannot do it.
    #[error("this server cannot {0}")]
    Unsupported(&'static str),
    /// Written, but reading back shows something else.
    #[error("written, but read back differently: {0}")]
    NotHeld(String),
}

impl AdapterError {
    /// Whether trying the same again later can help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Garbage(_))
    }
}

/// Result of an adapter call.
pub type Result<T> = std::result::Result<T, AdapterError>;

/// One kind of Space. Every call is bounded in time; writes re-read the document just before, change only what they are
/// asked to, and read back afterwards.
#[async_trait]
pub trait SpaceAdapter: Send + Sync {
    /// What the Space says of itself.
    async fn describe(&self) -> Result<Description>;
    /// InstallationId of the server that answers now, never from a cache: asked before every round of writes.
    async fn installation_id(&self) -> Result<String> {
        Ok(self.describe().await?.installation_id)
    }

    /// The provider to use: generic OpenID Connect if the server has it, else Okta.
    async fn provider(&self) -> Result<Provider>;
    /// The authentication settings as they are.
    async fn authentication(&self) -> Result<AuthenticationSeen>;
    /// Points the provider at ODCM. Other providers stay as they are.
    async fn set_authentication(&self, set_up: &AuthenticationSetUp) -> Result<AuthenticationSeen>;
    /// The settings that [`Self::set_authentication`] would touch, to be kept before the first write. A provider that points
    /// at `ours`, the issuer that will be written, was set so by an earlier agent: it is kept as switched off, so that going
    /// back never means going back to ODCM.
    async fn back_up_authentication(&self, ours: &str) -> Result<Backup>;
    /// Writes a backup back. Secrets cannot be read, so a secret that the backup had is kept as it is stored.
    async fn restore_authentication(&self, backup: &Backup) -> Result<()>;
    /// Starts a sign-in as a browser would and returns with `code`; the Space then asks ODCM's token endpoint with its own
    /// client id and secret (rules B6). The outcome is seen by ODCM, not here.
    async fn probe_sign_in(&self, code: &str) -> Result<()>;

    /// All accounts.
    async fn accounts(&self) -> Result<Vec<Account>>;
    /// One account.
    async fn account(&self, id: &str) -> Result<Option<Account>>;
    /// Creates an account, active.
    async fn create_account(&self, new: &NewAccount) -> Result<Account>;
    /// Changes an account and reads it back. A change that already holds writes nothing (but a password is always written).
    async fn change_account(&self, id: &str, change: &AccountChange) -> Result<Account>;
    /// The API keys of an account.
    async fn api_keys(&self, account: &str) -> Result<Vec<ApiKey>>;
    /// Deletes one; one that is already gone is no error.
    async fn delete_api_key(&self, account: &str, key: &str) -> Result<()>;
    /// Ends all sessions of an account. Needs [`Capability::RevokeSessions`].
    async fn end_sessions(&self, account: &str) -> Result<()>;

    /// Service accounts that `account` created and that are active, as far as the Space's own record of changes reaches.
    async fn created_service_accounts(&self, account: &str) -> Result<Vec<Account>>;

    /// Ids of the teams whose rights the account has, as a member or through an external group, as far as the key may see
    /// them.
    async fn teams_of(&self, account: &str) -> Result<BTreeSet<String>>;

    /// All teams of all inner spaces and of the system. An inner space that is closed to the key hides nothing else.
    async fn teams(&self) -> Result<Teams>;
    /// One team; [`AdapterError::Denied`] when it is in an inner space that is closed to the key. Some servers say "not
    /// found" instead, so `None`, and [`AdapterError::NotFound`] of a change, count only together with [`Self::teams`].
    async fn team(&self, id: &str) -> Result<Option<Team>>;
    /// Changes the members of a team and reads it back; members that are not named stay.
    async fn change_members(&self, team: &str, change: &MemberChange) -> Result<Team>;

    /// What changed since `cursor` (`None`: only the present cursor), oldest first, and the next cursor.
    async fn changes_since(&self, cursor: Option<&str>) -> Result<(Vec<Change>, String)>;
}
