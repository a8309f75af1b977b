//! Administrative rights: who may do what in ODCM itself. The only place that says no to an administrator.

use super::ids::{ApiTokenId, GroupId, PersonId, SessionId, SpaceId};
use super::{Refusal, Timestamp};
use serde::{Deserialize, Serialize};

/// A role (rules C7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Of everything: may do everything, and alone manages people and rights. Of one Space or group: what its administrator
    /// may; rights in that scope are given by owners of everything as well.
    Owner,
    /// May read what is within the scope, and change nothing.
    Auditor,
    /// Runs Spaces: settings, agents, adoption lists, grants to them.
    SpaceAdmin,
    /// Decides who is in groups.
    GroupAdmin,
}

/// Where a role holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scope", content = "id")]
pub enum Scope {
    /// Everywhere.
    All,
    /// One Space.
    Space(SpaceId),
    /// One group.
    Group(GroupId),
}

/// A role in a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Right {
    /// Role.
    pub role: Role,
    /// Scope.
    #[serde(flatten)]
    pub scope: Scope,
}

/// What somebody wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Read people, groups, Spaces, clients and settings.
    ReadAll,
    /// Read the audit trail.
    ReadAudit,
    /// Read how people sign in: their sessions with addresses and browsers, API tokens, and what they allowed applications.
    ReadSignIns,
    /// Create, change, disable people; make their one-time links; their addresses and identities.
    ManagePeople,
    /// Act on the credentials, addresses or identities of this person, who holds these rights (rules D4).
    ManageCredentials(PersonId, Vec<Right>),
    /// Create, rename, delete groups and nest them.
    ManageGroups,
    /// Read this group and its members.
    ReadGroup(GroupId),
    /// Change who is in this group.
    ManageMembers(GroupId),
    /// Enlist and un-enlist Spaces.
    ManageSpaces,
    /// Read this Space.
    ReadSpace(SpaceId),
    /// Settings, agents, adoption decisions of this Space.
    ManageSpace(SpaceId),
    /// Grant or revoke entry to this Space.
    ManageGrants(SpaceId),
    /// Clients other than those of Spaces, and keys.
    ManageClients,
    /// Give and take this right.
    ManageRights(Right),
    /// Ask who may enter what, and what a change would do.
    Explain,
}

/// How the actor came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A sign-in session in a browser.
    Session,
    /// An API token, with its scopes.
    Token(TokenScopes),
    /// The command line on the host.
    Host,
    /// A job of ODCM itself.
    System,
    /// An agent.
    Agent,
}

/// What an API token may be used for, on top of its owner's rights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenScopes {
    /// May change things; else it may only read.
    pub write: bool,
}

/// What the actor showed. It is looked at again where the change is written, so that ending it also ends requests under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A session of a browser.
    Session(SessionId),
    /// An API token.
    Token(ApiTokenId),
}

/// Who acts: every use case takes one, every audit row names one.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The person, if it is one.
    pub person: Option<PersonId>,
    /// Name for the audit.
    pub name: String,
    /// How they came in.
    pub via: Via,
    /// What they showed, if it can be ended.
    pub credential: Option<Credential>,
    /// Their rights, read in this request.
    pub rights: Vec<Right>,
    /// Address of the peer, for the audit.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
}

impl Actor {
    /// ODCM itself: may do everything, is named `system` in the audit.
    #[must_use]
    pub fn system(name: &str) -> Self {
        let rights = vec![Right { role: Role::Owner, scope: Scope::All }];
        Self { person: None, name: name.into(), via: Via::System, credential: None, rights, address: None, request_id: None }
    }

    /// Whether the actor may do it.
    ///
    /// # Errors
    /// A refusal: `NotFound` where the actor may not even know that the object exists, else `Forbidden`.
    pub fn may(&self, act: &Act) -> Result<(), Refusal> {
        if let Via::Token(scopes) = &self.via
            && !scopes.write
            && !act.is_read()
        {
            return Err(Refusal::forbidden("token.read_only", "This token may only read."));
        }
        if self.rights.iter().any(|right| right.allows(act)) {
            return Ok(());
        }
        let sees = |read: &Act| self.rights.iter().any(|right| right.allows(read));
        match act {
            Act::ReadGroup(_) => Err(Refusal::not_found("group")),
            Act::ManageMembers(id) if !sees(&Act::ReadGroup(id.clone())) => Err(Refusal::not_found("group")),
            Act::ReadSpace(_) => Err(Refusal::not_found("Space")),
            Act::ManageSpace(id) | Act::ManageGrants(id) if !sees(&Act::ReadSpace(id.clone())) => {
                Err(Refusal::not_found("Space"))
            }
            _ => Err(Refusal::forbidden("right.missing", "You do not have the right to do this.")),
        }
    }
}

/// An owner (role `owner`, scope all), as far as being locked out goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerFacts {
    /// Who.
    pub person: PersonId,
    /// No reason to be disabled.
    pub active: bool,
    /// Has a credential that needs neither an upstream provider nor mail, such as a local password.
    pub has_local_credential: bool,
    /// End of the right, if bounded.
    pub until: Option<Timestamp>,
}

/// Refuses a state of the owners in which, now or when ends come, nobody could sign in and repair things (rules C11): at
/// least one owner must be active, hold a credential of our own, and have the right without an end. Give it the owners as
/// they would be after the change.
///
/// # Errors
/// `owner.last`.
pub fn lockout(owners: &[OwnerFacts]) -> Result<(), Refusal> {
    if owners.iter().any(|owner| owner.active && owner.has_local_credential && owner.until.is_none()) {
        return Ok(());
    }
    Err(Refusal::conflict(
        "owner.last",
        "At least one owner must remain who is active, has a local password or passkey, and whose right has no end. Give another \
         person the owner role first.",
    ))
}

impl Act {
    fn is_read(&self) -> bool {
        matches!(
            self,
            Self::ReadAll | Self::ReadAudit | Self::ReadSignIns | Self::ReadGroup(_) | Self::ReadSpace(_) | Self::Explain
        )
    }
}

impl Right {
    fn allows(&self, act: &Act) -> bool {
        match (self.role, &self.scope) {
            (Role::Owner, Scope::All) => true,
            (Role::Auditor, Scope::All) => act.is_read(),
            (Role::SpaceAdmin, Scope::All) => matches!(
                act,
                Act::ReadAll
                    | Act::Explain
                    | Act::ReadGroup(_)
                    | Act::ManageSpaces
                    | Act::ReadSpace(_)
                    | Act::ManageSpace(_)
                    | Act::ManageGrants(_)
            ),
            (Role::GroupAdmin, Scope::All) => {
                matches!(act, Act::ReadAll | Act::Explain | Act::ManageGroups | Act::ReadGroup(_) | Act::ManageMembers(_))
            }
            (Role::Owner | Role::SpaceAdmin, Scope::Space(own)) => {
                matches!(act, Act::ReadSpace(id) | Act::ManageSpace(id) | Act::ManageGrants(id) if id == own)
            }
            (Role::Auditor, Scope::Space(own)) => matches!(act, Act::ReadSpace(id) if id == own),
            (Role::Owner | Role::GroupAdmin, Scope::Group(own)) => {
                matches!(act, Act::ReadGroup(id) | Act::ManageMembers(id) if id == own)
            }
            (Role::Auditor, Scope::Group(own)) => matches!(act, Act::ReadGroup(id) if id == own),
            (Role::SpaceAdmin, Scope::Group(_)) | (Role::GroupAdmin, Scope::Space(_)) => false,
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
