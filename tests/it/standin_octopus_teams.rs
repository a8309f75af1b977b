//! Teams, roles and the permission check.

use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, problem};

/// A team that may deploy to Dev, with a role limited to that environment.
async fn developers(server: &Server) -> String {
    let (status, team) = server.call("POST", "/api/teams", Some(json!({"Name": "Developers"}))).await;
    assert_eq!((status, &team["SpaceId"]), (201, &Value::Null));
    let id = team["Id"].as_str().unwrap().to_owned();
    let role = json!({"TeamId": id, "UserRoleId": "userroles-deploymentcreator", "SpaceId": "Spaces-1", "EnvironmentIds": ["Environments-1"]});
    assert_eq!(server.call("POST", "/api/scopeduserroles", Some(role)).await.0, 201);
    id
}

fn deployment(environment: &str) -> Option<Value> {
    Some(json!({"ReleaseId": "Releases-1", "EnvironmentId": environment}))
}

#[tokio::test]
async fn a_member_may_deploy_where_the_role_says() {
    let server = Server::start().await;
    let team = developers(&server).await;
    let id = server.standin.create_user("bob", None, None);
    let key = server.standin.create_api_key(&id, "x");
    let deploy =
        async |environment: &str| server.call_as(&key, "POST", "/api/Spaces-1/deployments", deployment(environment)).await;
    let refused = deploy("Environments-1").await;
    assert_eq!(refused.0, 403);
    assert!(problem(&refused).ends_with("Missing permission: DeploymentCreate"));
    let members = async |list: Value| server.edit(&format!("/api/teams/{team}"), |team| team["MemberUserIds"] = list).await.0;
    assert_eq!(members(json!([id])).await, 200);
    let (status, made) = deploy("Environments-1").await;
    assert_eq!(status, 201);
    assert_eq!(server.get(made["Links"]["Task"].as_str().unwrap()).await["State"], "Success");
    assert_eq!(deploy("Environments-3").await.0, 403, "not to Production");
    assert!(server.standin.can_deploy("bob", "Dev") && !server.standin.can_deploy("bob", "production"));
    assert_eq!(deploy("Environments-9").await.0, 400);
    assert_eq!(members(json!([])).await, 200);
    assert_eq!(deploy("Environments-1").await.0, 403, "at once");
    assert_eq!(members(json!([id])).await, 200);
    server.standin.edit(|state| state.users.get_mut(&id).unwrap().is_active = false);
    assert!(!server.standin.can_deploy("bob", "Dev"));
}

#[tokio::test]
async fn losing_one_of_two_teams_loses_only_its_permission() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, None);
    let one = server.standin.edit_team("One", |team| team.members.push(id.clone()));
    let two = server.standin.edit_team("Two", |team| team.members.push(id.clone()));
    server.standin.give_role(&one, "userroles-deploymentcreator", &["Environments-1"]);
    server.standin.give_role(&two, "userroles-projectdeployer", &["Environments-2"]);
    let may = || ["Dev", "Test", "Production"].map(|environment| server.standin.can_deploy(&id, environment));
    assert_eq!(may(), [true, true, false]);
    server.standin.edit_team("One", |team| team.members.clear());
    assert_eq!(may(), [false, true, false]);
}

#[tokio::test]
async fn groups_of_the_last_token_count_at_permission_time() {
    let server = Server::start().await;
    let team = developers(&server).await;
    let id = server.standin.create_user("bob", None, None);
    let group = json!([{"Id": "ODCM-Group-7", "DisplayName": "Developers", "DisplayIdAndName": true}]);
    server.edit(&format!("/api/teams/{team}"), |team| team["ExternalSecurityGroups"] = group).await;
    assert!(!server.standin.can_deploy(&id, "Dev"));
    server.standin.edit(|state| {
        let stored = json!({"provider": "Okta", "user_id": id, "groups": ["odcm-group-7"]});
        state.external_groups.push(serde_json::from_value(stored).unwrap());
    });
    assert!(server.standin.can_deploy(&id, "Dev"), "compared without case");
    let membership = server.get(&format!("/api/teammembership?userId={id}&includeSystem=true")).await;
    let through = membership.as_array().unwrap().iter().find(|one| one["TeamId"] == team.as_str()).unwrap();
    let known = json!([{"Id": "ODCM-Group-7", "DisplayName": "Developers", "DisplayIdAndName": true}]);
    assert_eq!((&through["IsDirectlyAssigned"], &through["ExternalSecurityGroups"]), (&json!(false), &known));
    let told = server.get(&format!("/api/users/{id}/permissions")).await;
    let told = told["Teams"].as_array().unwrap().iter().find(|one| one["Id"] == team.as_str()).unwrap().clone();
    assert_eq!(told["ExternalSecurityGroups"], known, "objects here too");
    let preview = json!({"Name": "x", "MemberUserIds": [], "ExternalSecurityGroups": [{"Id": "odcm-GROUP-7"}]});
    let previewed = server.call("POST", "/api/teammembership/previewteam", Some(preview)).await.1;
    assert_eq!((&previewed[0]["UserId"], &previewed[0]["ExternalSecurityGroups"][0]["Id"]), (&json!(id), &json!("odcm-GROUP-7")));
    server.edit(&format!("/api/teams/{team}"), |team| team["ExternalSecurityGroups"] = json!([])).await;
    assert!(!server.standin.can_deploy(&id, "Dev"));
}

#[tokio::test]
async fn teams_are_validated() {
    let server = Server::start().await;
    let team = developers(&server).await;
    let path = format!("/api/teams/{team}");
    let unknown = server.edit(&path, |team| team["MemberUserIds"] = json!(["Users-99"])).await;
    assert!(problem(&unknown).contains("Users-99"), "{unknown:?}");
    let twin = server.call("POST", "/api/teams", Some(json!({"Name": "developers"}))).await;
    assert_eq!(problem(&twin), "A Team with this name already exists. Please choose a different name.");
    assert_eq!(server.call("POST", "/api/teams", Some(json!({"Name": "x".repeat(201)}))).await.0, 400);
    let moved = server.edit(&path, |team| team["SpaceId"] = json!("Spaces-1")).await;
    assert!(problem(&moved).starts_with("SpaceId"), "{moved:?}");
    let (_, emptied) = server.edit(&path, |team| drop(team.as_object_mut().unwrap().remove("MemberUserIds"))).await;
    assert_eq!(emptied["MemberUserIds"], json!([]), "absent is empty");
    let renamed = server.edit("/api/teams/teams-administrators", |team| team["Name"] = json!("Gods")).await;
    assert_eq!(renamed.0, 400);
    let everyone = server.edit("/api/teams/teams-everyone", |team| team["MemberUserIds"] = json!(["Users-1"])).await;
    assert_eq!(everyone.0, 400, "CanChangeMembers is false");
    assert_eq!(server.call("DELETE", "/api/teams/teams-everyone", None).await.0, 400);
    assert_eq!(server.call("DELETE", &path, None).await.0, 200);
    assert!(server.standin.snapshot().scoped_roles.values().all(|scoped| scoped.team_id != team));
}

#[tokio::test]
async fn mixed_lists_show_what_is_asked_for() {
    let server = Server::start().await;
    developers(&server).await;
    let names = async |query: &str| {
        let list = server.get(&format!("/api/teams{query}")).await;
        list["Items"].as_array().unwrap().iter().map(|team| team["Name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let system = ["Developers", "Everyone", "Octopus Administrators", "Octopus Managers"];
    assert_eq!(names("?includeSystem=true").await, system);
    assert_eq!(names("?spaces=all").await, ["Space Managers"]);
    assert_eq!(names("?spaces=all&includeSystem=true").await.len(), 5);
    assert_eq!(names("?spaces=all&includeSystem=true&partialName=DEV").await, ["Developers"]);
    assert_eq!(server.get("/api/teams/all").await.as_array().unwrap().len(), 5, "all means all");
    assert_eq!(server.get("/api/Spaces-1/teams/all").await.as_array().unwrap().len(), 1);
    for (all, count) in [(false, 1), (true, 5)] {
        server.standin.set_switches(|switches| switches.mixed_lists_default_to_all = all);
        assert_eq!(names("").await.len(), count);
    }
}

#[tokio::test]
async fn roles_are_given_by_who_holds_them() {
    let server = Server::start().await;
    let team = developers(&server).await;
    let give = async |role: &str, space: Value| {
        let body = json!({"TeamId": team, "UserRoleId": role, "SpaceId": space});
        server.call("POST", "/api/scopeduserroles", Some(body)).await
    };
    assert!(problem(&give("userroles-projectviewer", Value::Null).await).contains("SpaceId is required"));
    assert!(problem(&give("userroles-none", json!("Spaces-1")).await).contains("UserRoleId"));
    assert_eq!(give("userroles-projectviewer", json!("Spaces-1")).await.0, 201);
    let body = json!({"TeamId": "teams-administrators", "UserRoleId": "userroles-projectviewer", "SpaceId": "Spaces-1"});
    assert_eq!(server.call("POST", "/api/scopeduserroles", Some(body)).await.0, 400, "CanChangeRoles is false");
    let manager = server.standin.create_user("manager", None, None);
    let key = server.standin.create_api_key(&manager, "x");
    server.standin.edit_team("Octopus Managers", |team| team.members.push(manager.clone()));
    let body = json!({"TeamId": team, "UserRoleId": "userroles-systemadministrator", "SpaceId": "Spaces-1"});
    let refused = server.call_as(&key, "POST", "/api/scopeduserroles", Some(body)).await;
    assert!(refused.0 == 403 && problem(&refused).contains("AdministerSystem"), "{refused:?}");
    let own = json!({"Name": "Own", "GrantedSpacePermissions": ["DeploymentCreate"], "GrantedSystemPermissions": []});
    let (status, role) = server.call("POST", "/api/userroles", Some(own)).await;
    assert_eq!((status, &role["SupportedRestrictions"]), (201, &json!(["Environments", "Projects", "Tenants"])));
    let unknown = json!({"Name": "Bad", "GrantedSpacePermissions": ["AdministerSystem"]});
    assert_eq!(server.call("POST", "/api/userroles", Some(unknown)).await.0, 400);
    assert_eq!(server.call("DELETE", "/api/userroles/userroles-systemadministrator", None).await.0, 400);
}

#[tokio::test]
async fn permissions_are_told() {
    let server = Server::start().await;
    let team = developers(&server).await;
    let id = server.standin.create_user("bob", None, None);
    server.standin.edit_team("Developers", |team| team.members.push(id.clone()));
    let told = server.get(&format!("/api/users/{id}/permissions")).await;
    assert_eq!(told["SpacePermissions"]["DeploymentCreate"][0]["RestrictedToEnvironmentIds"], json!(["Environments-1"]));
    assert!(told["Teams"].as_array().unwrap().iter().any(|one| one["Id"] == team.as_str() && one["IsDirectlyAssigned"] == true));
    let admin = server.get("/api/users/Users-1/permissions").await;
    assert!(admin["SystemPermissions"].as_array().unwrap().contains(&json!("AdministerSystem")));
    let all = server.get("/api/permissions/all").await;
    assert_eq!(all["DeploymentCreate"]["CanApplyAtSystemLevel"], false);
    let key = server.standin.create_api_key(&id, "x");
    let environments = server.call_as(&key, "GET", "/api/Spaces-1/environments", None).await.1;
    assert_eq!(environments["TotalResults"], 1, "sees only the environment of the role");
    assert_eq!(server.call_as(&key, "GET", "/api/Spaces-1/environments/Environments-3", None).await.0, 403);
    assert_eq!(server.call_as(&key, "GET", "/api/teams?includeSystem=true", None).await.0, 403);
}

#[tokio::test]
async fn project_limits_hold_by_project_and_by_group() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, None);
    let team = server.standin.edit_team("One", |team| team.members.push(id.clone()));
    let role = server.standin.give_role(&team, "userroles-deploymentcreator", &[]);
    let limit = |projects: &[&str], groups: &[&str]| {
        let own = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        server.standin.edit(|state| {
            let scoped = state.scoped_roles.get_mut(&role).unwrap();
            (scoped.project_ids, scoped.project_group_ids) = (own(projects), own(groups));
        });
        server.standin.can_deploy(&id, "Dev")
    };
    assert!(limit(&[], &[]) && limit(&["Projects-1"], &[]) && limit(&["Projects-9"], &["ProjectGroups-1"]));
    assert!(!limit(&["Projects-9"], &[]) && !limit(&[], &["ProjectGroups-9"]));
}

#[tokio::test]
async fn spaces_and_documents_can_be_made() {
    let server = Server::start().await;
    let body = json!({"Name": "Second", "SpaceManagersTeamMembers": ["Users-1"]});
    let (status, space) = server.call("POST", "/api/spaces", Some(body)).await;
    assert_eq!(status, 201);
    let id = space["Id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/teams/teams-spacemanagers-{id}")).await["MemberUserIds"], json!(["Users-1"]));
    let (status, environment) = server.call("POST", &format!("/api/{id}/environments"), Some(json!({"Name": "Dev"}))).await;
    assert_eq!((status, &environment["SpaceId"]), (201, &json!(id)), "names are unique per space");
    assert_eq!(server.call("POST", &format!("/api/{id}/environments"), Some(json!({"Name": "DEV"}))).await.0, 400);
    let own = environment["Links"]["Self"].as_str().unwrap();
    assert_eq!(server.get(own).await, environment);
    assert_eq!(server.call("GET", &own.replace(id, "Spaces-1"), None).await.0, 404);
    assert_eq!(server.call("DELETE", &format!("/api/spaces/{id}"), None).await.0, 400, "stop the queue first");
    server.edit(&format!("/api/spaces/{id}"), |space| space["TaskQueueStopped"] = json!(true)).await;
    assert_eq!(server.call("DELETE", &format!("/api/spaces/{id}"), None).await.0, 200);
    assert_eq!(server.call("GET", &format!("/api/{id}"), None).await.0, 404);
}
