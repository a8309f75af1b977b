//! What a new server contains: built-in teams and roles, one space with three environments and one project.

use serde_json::{Value, json};

use super::{
    api_keys,
    config::StandinConfig,
    documents, kinds, permission_names, secrets, section_data, spaces,
    state::{Document, ScopedUserRole, State, Team, User, UserRole},
    time,
};

/// The state to start with (the stored one, or a new one) and the administrator's key.
///
/// # Errors
/// A sentence about a malformed admin key.
pub fn state(config: &StandinConfig, stored: Option<State>) -> Result<(State, String), String> {
    let well_formed = |key: &str| {
        key.strip_prefix("API-").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
        })
    };
    if let Some(bad) = config.admin_key.as_deref().filter(|key| !well_formed(key)) {
        return Err(format!("admin key `{bad}`: write API- and capital letters or digits"));
    }
    let is_new = stored.is_none();
    let mut state = stored.unwrap_or_else(|| new(config));
    renew(&mut state);
    let key = match (&config.admin_key, is_new) {
        (Some(key), _) => key.clone(),
        (None, true) => secrets::api_key(&config.entropy),
        (None, false) => return Ok((state, String::new())),
    };
    let known = secrets::fingerprint(&key);
    if !state.api_keys.values().any(|stored| stored.fingerprint == known) {
        let now = (config.clock)();
        api_keys::store(&mut state, "Users-2", "First administrator", &key, now, None);
    }
    for section in section_data::sections(config.version) {
        state.sections.entry(section.id.to_owned()).or_insert_with(|| section.start());
    }
    Ok((state, key))
}

fn new(config: &StandinConfig) -> State {
    let mut state = State { installation_id: secrets::uuid(&config.entropy), ..State::default() };
    let now = (config.clock)();
    for section in section_data::sections(config.version) {
        state.sections.insert(section.id.to_owned(), section.start());
    }
    for role in roles() {
        state.user_roles.insert(role.id.clone(), role);
    }
    let space = state.next_id("Spaces");
    add(&mut state, "spaces", spaces::new(&space, "Default", true));
    let password = config.admin_password.as_deref().map(|password| secrets::hash_password(&config.entropy, password));
    user(&mut state, now, "admin", "Administrator", false, password);
    user(&mut state, now, "odcm-agent", "ODCM agent", true, None);
    teams(&mut state);
    spaces::managers(&mut state, &space);
    documents(&mut state, &space, now);
    state
}

/// Data files of earlier programs lack fields and links that documents have today.
fn renew(state: &mut State) {
    for space in state.documents.get_mut("spaces").into_iter().flat_map(|known| known.values_mut()) {
        let id = space.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
        space.insert("Links".into(), spaces::links(&id));
    }
    let mut without_channel = Vec::new();
    for kind in kinds::KINDS.iter().filter(|kind| kind.writable) {
        let channels = state.documents.get("channels").cloned().unwrap_or_default();
        for (id, document) in state.documents.get_mut(kind.collection).into_iter().flatten() {
            let space = document.get("SpaceId").and_then(Value::as_str).unwrap_or("Spaces-1").to_owned();
            for (field, start) in (kind.defaults)().as_object().into_iter().flatten() {
                document.entry(field.clone()).or_insert_with(|| start.clone());
            }
            document.insert("Links".into(), documents::links(kind, &space, id));
            let mut own = channels.values().filter(|channel| channel.get("ProjectId") == Some(&json!(id)));
            if kind.collection == "projects" && own.next().is_none() {
                without_channel.push((space, id.clone()));
            }
        }
    }
    for (space, project) in without_channel {
        let id = state.next_id("Channels");
        add(state, "channels", documents::default_channel(&space, &id, &project));
    }
}

fn user(state: &mut State, now: i64, username: &str, display_name: &str, is_service: bool, password: Option<String>) {
    let id = state.next_id("Users");
    let user = User {
        id: id.clone(),
        username: username.to_owned(),
        display_name: display_name.to_owned(),
        is_active: true,
        is_service,
        password,
        created: now,
        modified: now,
        modified_by: "system".into(),
        ..User::default()
    };
    state.users.insert(id, user);
}

fn teams(state: &mut State) {
    let mut built_in = |id: &str, name: &str, description: &str, members: &[&str], change: (bool, bool), role: Option<&str>| {
        let team = Team {
            id: id.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            members: members.iter().map(|&id| id.to_owned()).collect(),
            can_change_members: change.0,
            can_change_roles: change.1,
            ..Team::default()
        };
        state.teams.insert(id.to_owned(), team);
        if let Some(role) = role {
            let scoped_id = state.next_id("ScopedUserRoles");
            let scoped = ScopedUserRole {
                id: scoped_id.clone(),
                user_role_id: role.to_owned(),
                team_id: id.to_owned(),
                ..ScopedUserRole::default()
            };
            state.scoped_roles.insert(scoped_id, scoped);
        }
    };
    let (administrators, managers) = (Some("userroles-systemadministrator"), Some("userroles-systemmanager"));
    built_in(
        "teams-administrators",
        "Octopus Administrators",
        "May do everything",
        &["Users-1", "Users-2"],
        (true, false),
        administrators,
    );
    built_in("teams-managers", "Octopus Managers", "May manage the server", &[], (true, false), managers);
    built_in("teams-everyone", "Everyone", "All users", &[], (false, true), None);
}

fn add(state: &mut State, collection: &str, document: Document) {
    let id = document.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
    state.documents.entry(collection.to_owned()).or_default().insert(id, document);
}

fn documents(state: &mut State, space: &str, now: i64) {
    let names: [(&str, &[&str]); 4] = [
        ("environments", &["Dev", "Test", "Production"]),
        ("projectgroups", &["Default Project Group"]),
        ("lifecycles", &["Default Lifecycle"]),
        ("projects", &["Orbital"]),
    ];
    for (collection, list) in names {
        for (order, name) in list.iter().enumerate() {
            let Some(kind) = kinds::kind(collection) else { continue };
            let id = state.next_id(kind.prefix);
            let body = json!({"SortOrder": order}).as_object().cloned().unwrap_or_default();
            add(state, collection, documents::new(kind, space, &id, name, &body));
        }
    }
    let channel = state.next_id("Channels");
    add(state, "channels", documents::default_channel(space, &channel, "Projects-1"));
    let id = state.next_id("Releases");
    let release = documents::release(space, &id, "Projects-1", "1.0.0", Some(&channel), "", &time::iso(now));
    add(state, "releases", release);
}

fn role(id: &str, name: &str, description: &str, space: &[&str], system: &[&str]) -> UserRole {
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    UserRole {
        id: format!("userroles-{id}"),
        name: name.to_owned(),
        description: description.to_owned(),
        space_permissions: own(space),
        system_permissions: own(system),
        can_be_deleted: false,
    }
}

const VIEWS: &[&str] = &[
    "DeploymentView",
    "EnvironmentView",
    "LifecycleView",
    "ProcessView",
    "ProjectView",
    "ProjectGroupView",
    "ReleaseView",
    "TaskView",
    "TenantView",
    "LibraryVariableSetView",
    "RunbookView",
    "RunbookRunView",
];

fn roles() -> Vec<UserRole> {
    let with = |more: &[&'static str]| VIEWS.iter().chain(more).copied().collect::<Vec<_>>();
    let all_space = permission_names::in_spaces().collect::<Vec<_>>();
    let all_system = permission_names::in_system().collect::<Vec<_>>();
    let no_admin = all_system.iter().copied().filter(|name| *name != "AdministerSystem").collect::<Vec<_>>();
    vec![
        role("systemadministrator", "System Administrator", "May do everything", &all_space, &all_system),
        role("systemmanager", "System Manager", "May do everything but administer the system", &all_space, &no_admin),
        role(
            "spacemanager",
            "Space Manager",
            "May do everything in a space",
            &all_space,
            &["UserView", "UserRoleView", "SpaceView"],
        ),
        role(
            "deploymentcreator",
            "Deployment Creator",
            "May deploy releases",
            &with(&["DeploymentCreate", "RunbookRunCreate"]),
            &[],
        ),
        role(
            "projectdeployer",
            "Project Deployer",
            "May contribute to projects and deploy them",
            &with(&[
                "DeploymentCreate",
                "RunbookRunCreate",
                "ProjectEdit",
                "ProcessEdit",
                "ReleaseCreate",
                "VariableView",
                "TaskCancel",
            ]),
            &["UserView"],
        ),
        role("projectviewer", "Project Viewer", "May see projects", &with(&["VariableView", "ArtifactView"]), &["UserView"]),
        role(
            "projectcontributor",
            "Project Contributor",
            "May edit projects",
            &with(&["ProjectEdit", "ProcessEdit"]),
            &["UserView"],
        ),
        role("environmentviewer", "Environment Viewer", "May see environments", &["EnvironmentView", "MachineView"], &[]),
        role(
            "environmentmanager",
            "Environment Manager",
            "May edit environments",
            &["EnvironmentView", "EnvironmentCreate", "EnvironmentEdit", "EnvironmentDelete", "MachineView", "MachineEdit"],
            &[],
        ),
        role("releasecreator", "Release Creator", "May create releases", &with(&["ReleaseCreate"]), &[]),
    ]
}
