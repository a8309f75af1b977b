//! Everything the server remembers, in the shape of its data file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A document kept as JSON.
pub type Document = Map<String, Value>;

/// The whole content of a server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Id of the installation, a UUID.
    pub installation_id: String,
    /// Last number given out per id prefix, such as `Users`.
    pub counters: BTreeMap<String, u64>,
    /// Users by id.
    pub users: BTreeMap<String, User>,
    /// API keys by id; the key itself is only kept as a fingerprint.
    pub api_keys: BTreeMap<String, ApiKey>,
    /// Cookie sessions by the fingerprint of their token.
    pub sessions: BTreeMap<String, Session>,
    /// Teams by id.
    pub teams: BTreeMap<String, Team>,
    /// User roles by id.
    pub user_roles: BTreeMap<String, UserRole>,
    /// Roles of teams by id.
    pub scoped_roles: BTreeMap<String, ScopedUserRole>,
    /// Groups of the last token per (provider, user); evaluated whenever a permission is asked for.
    pub external_groups: Vec<ExternalGroups>,
    /// Values of the configuration sections by section id; a secret is a string or null.
    pub sections: BTreeMap<String, Document>,
    /// Other documents (environments, projects, …) by collection and id.
    pub documents: BTreeMap<String, BTreeMap<String, Document>>,
    /// Audit events, oldest first.
    pub events: Vec<Event>,
    /// Verifiers of sign-ins under way, by request id.
    pub logins: BTreeMap<String, PendingLogin>,
}

impl State {
    /// The next id with this prefix, such as `Users-21`.
    pub fn next_id(&mut self, prefix: &str) -> String {
        let counter = self.counters.entry(prefix.to_owned()).or_insert(0);
        *counter += 1;
        format!("{prefix}-{counter}")
    }

    /// The user with this id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&User> {
        self.users.get(id)
    }

    /// The user with this name, whatever its case.
    #[must_use]
    pub fn user_named(&self, username: &str) -> Option<&User> {
        self.users.values().find(|user| same(&user.username, username))
    }

    /// The team with this name, whatever its case.
    #[must_use]
    pub fn team_named(&self, name: &str) -> Option<&Team> {
        self.teams.values().find(|team| same(&team.name, name))
    }

    /// A document of a collection.
    #[must_use]
    pub fn document(&self, collection: &str, id: &str) -> Option<&Document> {
        self.documents.get(collection)?.get(id)
    }

    /// Ends all sessions of a user.
    pub fn end_sessions(&mut self, user_id: &str) {
        self.sessions.retain(|_, session| session.user_id != user_id);
    }
}

/// Case-insensitive comparison, as the database of the real server compares.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A person or a service account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// `Users-21`.
    pub id: String,
    /// Unique name, at most 64 characters.
    pub username: String,
    /// Shown name, at most 64 characters.
    pub display_name: String,
    /// E-mail address; several users may have the same one.
    pub email: Option<String>,
    /// Whether the user may do anything at all.
    pub is_active: bool,
    /// A service account cannot sign in interactively.
    pub is_service: bool,
    /// Hash of the password, if there is one.
    pub password: Option<String>,
    /// External logins.
    pub identities: Vec<Identity>,
    /// Creation, Unix milliseconds.
    pub created: i64,
    /// Last change, Unix milliseconds.
    pub modified: i64,
    /// Username of who changed it last.
    pub modified_by: String,
}

/// A login at an identity provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Name of the provider, such as `Okta`.
    pub provider: String,
    /// Claims by key: `email`, `dn`, `pun`, and the hidden `eid`.
    pub claims: BTreeMap<String, Claim>,
}

impl Identity {
    /// The value of a claim.
    #[must_use]
    pub fn claim(&self, key: &str) -> Option<&str> {
        self.claims.get(key).map(|claim| claim.value.as_str())
    }
}

/// One claim of an identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Its value.
    pub value: String,
    /// Whether a user may be found by it.
    pub identifying: bool,
    /// Whether the API hides it.
    #[serde(default)]
    pub server_only: bool,
}

/// An API key without the key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// `apikeys-…`.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// What it is for.
    pub purpose: String,
    /// SHA-256 of the key.
    pub fingerprint: String,
    /// First characters of the key.
    pub hint: String,
    /// Creation, Unix milliseconds.
    pub created: i64,
    /// End, Unix milliseconds.
    pub expires: Option<i64>,
}

/// A signed-in browser.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub user_id: String,
    /// Anti-forgery token.
    pub csrf: String,
    /// Start, Unix milliseconds.
    pub created: i64,
    /// Last use, Unix milliseconds.
    pub used: i64,
    /// Whether the person asked to be remembered.
    pub remember: bool,
}

/// A team; `space_id` is absent for system teams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Team {
    /// `Teams-21`.
    pub id: String,
    /// At most 200 characters.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Direct members.
    pub members: Vec<String>,
    /// External groups whose people belong to the team.
    pub external_groups: Vec<ExternalGroup>,
    /// Space of the team; none for a system team.
    pub space_id: Option<String>,
    /// May it be deleted?
    pub can_be_deleted: bool,
    /// May it be renamed?
    pub can_be_renamed: bool,
    /// May its roles be changed?
    pub can_change_roles: bool,
    /// May its members be changed?
    pub can_change_members: bool,
}

/// A group at an identity provider, by its id there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExternalGroup {
    /// Value of the role claim, compared without case.
    pub id: String,
    /// Shown name.
    pub display_name: String,
    /// Whether pages show the id beside the name.
    pub display_id_and_name: bool,
}

/// A role: a named set of permissions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserRole {
    /// `userroles-projectdeployer`.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Permissions inside spaces.
    pub space_permissions: Vec<String>,
    /// Permissions of the whole server.
    pub system_permissions: Vec<String>,
    /// Built-in roles cannot be deleted.
    pub can_be_deleted: bool,
}

/// A role given to a team, within a space and perhaps within some of its things.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScopedUserRole {
    /// `ScopedUserRoles-1`.
    pub id: String,
    /// The role.
    pub user_role_id: String,
    /// The team.
    pub team_id: String,
    /// The space; none at system level.
    pub space_id: Option<String>,
    /// Only these projects, all if empty.
    pub project_ids: Vec<String>,
    /// Only projects of these groups, together with `project_ids`.
    pub project_group_ids: Vec<String>,
    /// Only these environments, all if empty.
    pub environment_ids: Vec<String>,
    /// Only these tenants, all if empty.
    pub tenant_ids: Vec<String>,
}

/// Groups that a provider's last token named for a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExternalGroups {
    /// Name of the provider.
    pub provider: String,
    /// The user.
    pub user_id: String,
    /// Ids of the groups.
    pub groups: Vec<String>,
}

/// An entry of the audit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Growing number; the id is `Events-N`.
    pub auto_id: u64,
    /// `Created`, `Modified`, `Deleted`, `LoginSucceeded`, …
    pub category: String,
    /// Who did it.
    pub user_id: String,
    /// Name of who did it.
    pub username: String,
    /// Whether a service account did it.
    pub is_service: bool,
    /// `API key` or `Session cookie`.
    pub established_with: String,
    /// Id of the API key used.
    pub api_key_id: Option<String>,
    /// `User-Agent` of the request.
    pub user_agent: String,
    /// When, Unix milliseconds.
    pub occurred: i64,
    /// A sentence.
    pub message: String,
    /// Ids of the documents concerned.
    pub related: Vec<String>,
    /// Space concerned; none for system events.
    pub space_id: Option<String>,
    /// JSON Patch operations.
    pub differences: Vec<Value>,
}

/// A sign-in that waits for the provider's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PendingLogin {
    /// Settings name of the provider, such as `Okta`.
    pub provider: String,
    /// PKCE verifier.
    pub verifier: String,
    /// Start, Unix milliseconds.
    pub created: i64,
}
