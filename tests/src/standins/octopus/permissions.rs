//! Who may do what: teams of a user, their roles, and the permission check.

use super::{
    permission_names,
    state::{ScopedUserRole, State, Team, User, UserRole, same},
};

/// What a permission in a space is asked for. Empty fields ask "for anything of that kind".
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// Inner space.
    pub space: &'a str,
    /// Project, if the question is about one.
    pub project: Option<&'a str>,
    /// Environment, if the question is about one.
    pub environment: Option<&'a str>,
}

/// A team of a user and how the user came into it.
pub struct Membership<'a> {
    /// The team.
    pub team: &'a Team,
    /// Named in `MemberUserIds` (or the team of everyone).
    pub direct: bool,
    /// Ids of the external groups that brought the user in.
    pub groups: Vec<String>,
}

/// The teams of a user: direct, through external groups of the last sign-in, and "Everyone".
pub fn teams_of<'a>(state: &'a State, user_id: &str) -> Vec<Membership<'a>> {
    let known = state.external_groups.iter().filter(|stored| stored.user_id == user_id).flat_map(|stored| &stored.groups);
    let known = known.collect::<Vec<_>>();
    let membership = |team: &'a Team| {
        let direct = team.id == "teams-everyone" || team.members.iter().any(|id| id == user_id);
        let groups = team.external_groups.iter().filter(|group| known.iter().any(|id| same(id, &group.id)));
        let groups = groups.map(|group| group.id.clone()).collect::<Vec<_>>();
        (direct || !groups.is_empty()).then_some(Membership { team, direct, groups })
    };
    state.teams.values().filter_map(membership).collect()
}

/// The roles of a user with their scopes.
pub fn roles_of<'a>(state: &'a State, user_id: &str) -> Vec<(&'a ScopedUserRole, &'a UserRole)> {
    let teams = teams_of(state, user_id);
    let of_teams = state.scoped_roles.values().filter(|scoped| teams.iter().any(|one| one.team.id == scoped.team_id));
    of_teams.filter_map(|scoped| Some((scoped, state.user_roles.get(&scoped.user_role_id)?))).collect()
}

/// Whether a user holds a permission of the whole server. A role's system part counts wherever the role is given.
pub fn system(state: &State, user_id: &str, permission: &str) -> bool {
    roles_of(state, user_id).iter().any(|(_, role)| role.system_permissions.iter().any(|known| known == permission))
}

/// Whether a user holds a permission for a target. Several roles add up; the limits of one role are all to be met.
pub fn in_space(state: &State, user_id: &str, permission: &str, target: Target<'_>) -> bool {
    let limits = permission_names::restrictions(permission);
    roles_of(state, user_id).iter().any(|(scoped, role)| {
        role.space_permissions.iter().any(|known| known == permission)
            && scoped.space_id.as_deref().is_none_or(|space| space == target.space)
            && (!limits.contains(&"Environments") || allows(&scoped.environment_ids, target.environment))
            && (!limits.contains(&"Projects") || project_allowed(state, scoped, target.project))
            && (!limits.contains(&"Tenants") || scoped.tenant_ids.is_empty())
    })
}

fn allows(limit: &[String], asked: Option<&str>) -> bool {
    limit.is_empty() || asked.is_none_or(|asked| limit.iter().any(|id| id == asked))
}

/// Projects are allowed by id or by their group.
fn project_allowed(state: &State, scoped: &ScopedUserRole, asked: Option<&str>) -> bool {
    let Some(asked) = asked else { return true };
    if scoped.project_ids.is_empty() && scoped.project_group_ids.is_empty() {
        return true;
    }
    let group = state.document("projects", asked).and_then(|project| project.get("ProjectGroupId")?.as_str());
    scoped.project_ids.iter().any(|id| id == asked)
        || group.is_some_and(|group| scoped.project_group_ids.iter().any(|id| id == group))
}

/// Whether a user holds a permission at system level or in some space.
pub fn anywhere(state: &State, user_id: &str, permission: &str) -> bool {
    let holds = |list: &[String]| list.iter().any(|known| known == permission);
    roles_of(state, user_id).iter().any(|(_, role)| holds(&role.system_permissions) || holds(&role.space_permissions))
}

/// Whether a user is active and may deploy the project to the environment.
pub fn can_deploy(state: &State, user: &User, project: &str, environment: &str) -> bool {
    let target = Target { space: "Spaces-1", project: Some(project), environment: Some(environment) };
    user.is_active && in_space(state, &user.id, "DeploymentCreate", target)
}
