//! Which teams hold administrator rights (rules A4).

use super::client::Api;
use super::describe::Root;
use super::json::{optional, texts};
use super::links::{expand, link};
use super::paging::{self, TAKE};
use super::{OctopusAdapter, fresh};
use crate::adapter::{AdapterError, Change, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

/// Rights with which somebody can give themselves any other right, in the system or in an inner space.
const RIGHTS: [&str; 9] = [
    "AdministerSystem",
    "ConfigureServer",
    "UserEdit",
    "UserInvite",
    "UserRoleEdit",
    "TeamCreate",
    "TeamEdit",
    "SpaceCreate",
    "SpaceEdit",
];
/// Roles that are administrative whatever their rights are called.
const ROLES: [&str; 3] = ["userroles-systemadministrator", "userroles-systemmanager", "userroles-spacemanager"];
const TEAMS: [&str; 3] = ["teams-administrators", "teams-managers", "teams-spacemanagers"];

/// Roles and teams with administrator rights.
#[derive(Clone, Debug, Default)]
pub(super) struct Administrators {
    roles: BTreeSet<String>,
    teams: BTreeSet<String>,
    /// The list of scoped roles shows those of the system; otherwise each team of the system says its own.
    system: bool,
}

impl Administrators {
    /// Whether a team holds administrator rights: by its name, by a scoped role, or (before 2019.1) by a role of its own.
    pub fn include(&self, team: &Value) -> bool {
        let id = optional(team, "Id").to_lowercase();
        TEAMS.iter().any(|known| id.starts_with(known))
            || self.teams.contains(&id)
            || texts(team, "UserRoleIds").any(|role| self.is_role(role))
    }

    fn is_role(&self, id: &str) -> bool {
        let id = id.to_lowercase();
        ROLES.contains(&id.as_str()) || self.roles.contains(&id)
    }

    fn learn(roles: &[Value], scoped: &[Value]) -> Self {
        let grants = |role: &&Value| {
            ["GrantedSystemPermissions", "GrantedSpacePermissions", "GrantedPermissions"]
                .into_iter()
                .flat_map(|key| texts(role, key))
                .any(|right| RIGHTS.contains(&right))
        };
        let roles = roles.iter().filter(grants).map(|role| optional(role, "Id").to_lowercase()).collect();
        let mut found = Self { roles, teams: BTreeSet::new(), system: false };
        found.add(scoped);
        found
    }

    fn add(&mut self, scoped: &[Value]) {
        self.system |= scoped.iter().any(|scoped| optional(scoped, "SpaceId").is_empty());
        let given = scoped.iter().filter(|scoped| self.is_role(&optional(scoped, "UserRoleId")));
        let teams: Vec<String> = given.map(|scoped| optional(scoped, "TeamId").to_lowercase()).collect();
        self.teams.extend(teams);
    }
}

impl OctopusAdapter {
    /// Believes the roles no longer when somebody changed roles, or anything may have changed.
    pub(super) fn forget_roles(&self, changes: &[Change]) {
        let about_roles = |id: &String| {
            let id = id.to_lowercase();
            id.starts_with("scopeduserroles-") || id.starts_with("userroles-")
        };
        let stale = |change: &Change| change.documents.is_empty() || change.documents.iter().any(about_roles);
        if changes.iter().any(stale) {
            let mut cache = self.cache();
            cache.administrators = None;
            cache.spaces = None;
        }
    }

    /// At most a minute old.
    pub(super) async fn administrators(&self, api: &Api<'_>) -> Result<Arc<Administrators>> {
        if let Some(known) = fresh(&self.cache().administrators) {
            return Ok(known);
        }
        let root = self.root(api).await?;
        self.read_administrators(api, &root).await
    }

    async fn read_administrators(&self, api: &Api<'_>, root: &Root) -> Result<Arc<Administrators>> {
        let roles = root.need("UserRoles", "show its roles")?;
        let roles = paging::all(api, &expand(roles, &[("take", TAKE)])?).await?;
        let Some(template) = root.link("ScopedUserRoles") else {
            return Ok(self.keep(Administrators { system: true, ..Administrators::learn(&roles, &[]) }));
        };
        let scoped = paging::all(api, &root.everywhere(template, &[("take", TAKE)])?).await?;
        let mut found = Administrators::learn(&roles, &scoped);
        // A server that does not understand `spaces=all` leaves inner spaces out. The managers of each have a role there, so
        // one without any role was left out: who is an administrator there must not be missed.
        let seen: BTreeSet<String> = scoped.iter().map(|scoped| optional(scoped, "SpaceId")).collect();
        for space in self.inner_spaces(api, root).await?.iter().filter(|space| !seen.contains(&space.id)) {
            match self.list_of_space(api, root, &space.id, "ScopedUserRoles").await {
                Ok(more) => found.add(&more.unwrap_or_default()),
                // Its teams are not seen either.
                Err(AdapterError::Denied(_) | AdapterError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.keep(found))
    }

    fn keep(&self, found: Administrators) -> Arc<Administrators> {
        let found = Arc::new(found);
        self.cache().administrators = Some((Instant::now(), found.clone()));
        found
    }

    /// The same, with the roles that the teams of the system say they have, where the list leaves those out.
    pub(super) async fn administrators_among(&self, api: &Api<'_>, teams: &[Value]) -> Result<Arc<Administrators>> {
        let known = self.administrators(api).await?;
        if known.system {
            return Ok(known);
        }
        let mut found = Administrators::clone(&known);
        for team in teams {
            self.ask_team(api, team, &mut found).await?;
        }
        found.system = true;
        Ok(self.keep(found))
    }

    /// The same for one team. It is not kept: of the other teams of the system nothing is known by it.
    pub(super) async fn administrators_for(&self, api: &Api<'_>, team: &Value) -> Result<Arc<Administrators>> {
        let known = self.administrators(api).await?;
        if known.system {
            return Ok(known);
        }
        let mut found = Administrators::clone(&known);
        self.ask_team(api, team, &mut found).await?;
        Ok(Arc::new(found))
    }

    /// Adds the roles that a team of the system says it has, unless it is known for an administrators' team already.
    async fn ask_team(&self, api: &Api<'_>, team: &Value, found: &mut Administrators) -> Result<()> {
        if !optional(team, "SpaceId").is_empty() || found.include(team) {
            return Ok(());
        }
        let Some(address) = link(team, "ScopedUserRoles") else { return Ok(()) };
        found.add(&paging::all(api, &expand(address, &[("take", TAKE)])?).await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn administrators_are_known_by_name_right_and_role() {
        let roles = [
            json!({"Id": "UserRoles-1", "GrantedSystemPermissions": ["UserEdit"], "GrantedSpacePermissions": []}),
            json!({"Id": "UserRoles-2", "GrantedSpacePermissions": ["DeploymentCreate", "TeamView"]}),
            json!({"Id": "UserRoles-3", "GrantedPermissions": ["AdministerSystem"]}),
        ];
        let scoped = [
            json!({"UserRoleId": "UserRoles-1", "TeamId": "Teams-1"}),
            json!({"UserRoleId": "UserRoles-2", "TeamId": "Teams-2"}),
            json!({"UserRoleId": "userroles-systemmanager", "TeamId": "Teams-3"}),
        ];
        let administrators = Administrators::learn(&roles, &scoped);
        let includes = |team: Value| administrators.include(&team);
        assert!(includes(json!({"Id": "Teams-1"})));
        assert!(!includes(json!({"Id": "Teams-2"})));
        assert!(includes(json!({"Id": "Teams-3"})));
        assert!(includes(json!({"Id": "teams-administrators"})));
        assert!(includes(json!({"Id": "teams-spacemanagers-Spaces-1"})));
        assert!(!includes(json!({"Id": "teams-everyone"})));
        assert!(includes(json!({"Id": "Teams-9", "UserRoleIds": ["UserRoles-3"]})), "before 2019.1");
    }
}
