//! Who may do what: teams of a user, their roles, and the permission check.

use super::{
    permission_names,
    state::{ExternalGroup, ScopedUserRole, State, Team, User, UserRole, same},
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
    /// The external groups that brought the user in.
    pub groups: Vec<ExternalGroup>,
}

/// The teams of a user: direct, through external groups of the last sign-in, and "Everyone".
pub fn teams_of<'a>(state: &'a State, user_id: &str) -> Vec<Membership<'a>> {
    let known = state.external_groups.iter().filter(|stored| stored.user_id == user_id).flat_map(|stored| &stored.groups);
    let known = known.collect::<Vec<_>>();
    let membership = |team: &'a Team| {
        let direct = team.id == "teams-everyone" || team.members.iter().any(|id| id == user_id);
        let groups = team.external_groups.iter().filter(|group| known.iter().any(|id| same(id, &group.id)));
        let groups = groups.cloned().collect::<Vec<_>>();
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

/// Whether a user holds a permission for the whole server (no space) or inside a space.
pub fn at(state: &State, user_id: &str, permission: &str, space: Option<&str>) -> bool {
    match space {
        None => system(state, user_id, permission),
        Some(space) => in_space(state, user_id, permission, Target { space, ..Target::default() }),
    }
}

/// Whether a user holds a permission wherever a role that is to be given would give it: nobody gives more than
/// they hold. One role of the user has to cover it alone.
pub fn covers(state: &State, user_id: &str, permission: &str, given: &ScopedUserRole) -> bool {
    let limits = permission_names::restrictions(permission);
    let within = |limit: &str, held: &[String], given: &[String]| {
        !limits.contains(&limit) || held.is_empty() || (!given.is_empty() && given.iter().all(|id| held.contains(id)))
    };
    roles_of(state, user_id).iter().any(|(held, role)| {
        role.space_permissions.iter().any(|known| known == permission)
            && (held.space_id.is_none() || held.space_id == given.space_id)
            && within("Environments", &held.environment_ids, &given.environment_ids)
            && within("Tenants", &held.tenant_ids, &given.tenant_ids)
            && (!limits.contains(&"Projects") || projects_within(state, held, given))
    })
}

fn projects_within(state: &State, held: &ScopedUserRole, given: &ScopedUserRole) -> bool {
    if held.project_ids.is_empty() && held.project_group_ids.is_empty() {
        return true;
    }
    let unlimited = given.project_ids.is_empty() && given.project_group_ids.is_empty();
    !unlimited
        && given.project_ids.iter().all(|id| project_allowed(state, held, Some(id)))
        && given.project_group_ids.iter().all(|id| held.project_group_ids.contains(id))
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
