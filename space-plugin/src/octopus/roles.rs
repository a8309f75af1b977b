//! Which teams hold administrator rights (rules A4).

use super::client::Api;
use super::describe::Root;
use super::json::{optional, texts};
use super::links::expand;
use super::paging::{self, TAKE};
use super::{OctopusAdapter, fresh};
use crate::adapter::{Change, Result};
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
#[derive(Debug, Default)]
pub(super) struct Administrators {
    roles: BTreeSet<String>,
    teams: BTreeSet<String>,
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
        let mut found = Self { roles, teams: BTreeSet::new() };
        let given = scoped.iter().filter(|scoped| found.is_role(&optional(scoped, "UserRoleId")));
        found.teams = given.map(|scoped| optional(scoped, "TeamId").to_lowercase()).collect();
        found
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
        let scoped = match root.link("ScopedUserRoles") {
            Some(template) => paging::all(api, &root.everywhere(template, &[("take", TAKE)])?).await?,
            None => Vec::new(),
        };
        let found = Arc::new(Administrators::learn(&roles, &scoped));
        self.cache().administrators = Some((Instant::now(), found.clone()));
        Ok(found)
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
