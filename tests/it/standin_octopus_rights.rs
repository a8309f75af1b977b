//! Permissions hold where they were given and nowhere else, and nobody gives more than they hold.

use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, each, problem};

/// A second space, a service user who is manager of it and of nothing else, and that user's key.
async fn manager_elsewhere(server: &Server) -> (String, String, String) {
    let user = json!({"Username": "elsewhere", "DisplayName": "Elsewhere", "IsService": true});
    let user = server.call("POST", "/api/users", Some(user)).await.1["Id"].as_str().unwrap().to_owned();
    let space = json!({"Name": "Second", "SpaceManagersTeamMembers": [user]});
    let (status, space) = server.call("POST", "/api/spaces", Some(space)).await;
    assert_eq!(status, 201, "{space}");
    let key = server.standin.create_api_key(&user, "test");
    (space["Id"].as_str().unwrap().to_owned(), user, key)
}

#[tokio::test]
async fn a_manager_of_one_space_is_nobody_outside() {
    let server = Server::start().await;
    let (space, user, key) = manager_elsewhere(&server).await;
    let call = async |method: &str, path: &str, body: Value| server.call_as(&key, method, path, Some(body)).await;
    let denied = |answer: (u16, Value), permission: &str| {
        assert!(answer.0 == 403 && problem(&answer).ends_with(&format!("Missing permission: {permission}")), "{answer:?}");
    };
    denied(call("POST", "/api/teams", json!({"Name": "System team"})).await, "TeamCreate");
    denied(call("POST", "/api/teams", json!({"Name": "X", "SpaceId": "Spaces-1"})).await, "TeamCreate");
    denied(call("POST", "/api/Spaces-1/teams", json!({"Name": "X"})).await, "TeamCreate");
    let mut managers = server.get("/api/teams/teams-managers").await;
    managers["MemberUserIds"] = json!([user]);
    denied(call("PUT", "/api/teams/teams-managers", managers).await, "TeamEdit");
    denied(server.call_as(&key, "GET", "/api/teams/teams-managers", None).await, "TeamView");
    denied(server.call_as(&key, "GET", "/api/Spaces-1/teams", None).await, "TeamView");
    let foreign = server.standin.edit_team("Foreign", |_| {});
    denied(server.call_as(&key, "DELETE", &format!("/api/teams/{foreign}"), None).await, "TeamDelete");
    let role = server.standin.give_role(&foreign, "userroles-deploymentcreator", &[]);
    denied(server.call_as(&key, "GET", &format!("/api/scopeduserroles/{role}"), None).await, "TeamView");
    denied(server.call_as(&key, "DELETE", &format!("/api/scopeduserroles/{role}"), None).await, "TeamEdit");

    let (status, own) = call("POST", "/api/teams", json!({"Name": "Own", "SpaceId": space})).await;
    assert_eq!(status, 201, "inside it is the manager's: {own}");
    let give = async |team: &Value, role: &str, space: &str| {
        let body = json!({"TeamId": team, "UserRoleId": role, "SpaceId": space});
        server.call_as(&key, "POST", "/api/scopeduserroles", Some(body)).await
    };
    denied(give(&json!(foreign), "userroles-deploymentcreator", "Spaces-1").await, "TeamEdit");
    let given = give(&own["Id"], "userroles-deploymentcreator", &space).await;
    assert_eq!(given.0, 201, "{given:?}");
    assert_eq!(give(&json!(foreign), "userroles-deploymentcreator", &space).await.0, 201, "a system team, in this space");
    let mut scoped = given.1.clone();
    scoped["SpaceId"] = json!("Spaces-1");
    let moved = call("PUT", given.1["Links"]["Self"].as_str().unwrap(), scoped).await;
    assert!(matches!(moved.0, 400 | 403), "{moved:?}");
    let limited = json!({"TeamId": own["Id"], "UserRoleId": "userroles-deploymentcreator", "SpaceId": space,
        "EnvironmentIds": ["Environments-1"]});
    assert_eq!(call("POST", "/api/scopeduserroles", limited).await.0, 400, "an environment of another space");

    // Lists show what may be seen.
    let teams = server.call_as(&key, "GET", "/api/teams?spaces=all&includeSystem=true", None).await.1;
    assert_eq!(each(&teams, "Name"), ["Own", "Space Managers"]);
    let events = server.call_as(&key, "GET", "/api/events?spaces=all&includeSystem=true", None).await.1;
    assert!(!events["Items"].as_array().unwrap().is_empty());
    assert!(events["Items"].as_array().unwrap().iter().all(|event| event["SpaceId"] == space.as_str()), "{events}");
    let system = server.get("/api/events?includeSystem=true").await["Items"][0]["Id"].as_str().unwrap().to_owned();
    denied(server.call_as(&key, "GET", &format!("/api/events/{system}"), None).await, "EventView");
    let told = server.call_as(&key, "GET", "/api/users/Users-1/permissions", None).await.1;
    assert_eq!((&told["IsTeamsComplete"], &told["Teams"]), (&json!(false), &json!([])), "not all can be seen");
    assert_eq!(server.get("/api/users/Users-1/permissions").await["IsTeamsComplete"], true);
}

#[tokio::test]
async fn a_deployment_stays_in_its_space() {
    let server = Server::start().await;
    let (space, _, key) = manager_elsewhere(&server).await;
    let body = json!({"ReleaseId": "Releases-1", "EnvironmentId": "Environments-1"});
    let inside = server.call_as(&key, "POST", "/api/Spaces-1/deployments", Some(body.clone())).await;
    assert_eq!(inside.0, 403, "{inside:?}");
    let smuggled = server.call_as(&key, "POST", &format!("/api/{space}/deployments"), Some(body)).await;
    assert!(smuggled.0 == 400 && problem(&smuggled).contains("Releases-1"), "{smuggled:?}");
    assert!(server.standin.snapshot().documents.get("deployments").is_none_or(|known| known.is_empty()));
    let environment = json!({"Name": "Dev"});
    let own = server.call_as(&key, "POST", &format!("/api/{space}/environments"), Some(environment)).await.1;
    let body = json!({"ReleaseId": "Releases-1", "EnvironmentId": own["Id"]});
    let mixed = server.call("POST", "/api/Spaces-1/deployments", Some(body)).await;
    assert!(mixed.0 == 400 && problem(&mixed).contains("EnvironmentId"), "{mixed:?}");
}

#[tokio::test]
async fn nobody_gives_more_than_they_hold() {
    let server = Server::start().await;
    let user = server.standin.create_user("lead", None, None);
    let key = server.standin.create_api_key(&user, "test");
    let team = server.standin.edit_team("Leads", |team| team.members.push(user.clone()));
    // May edit teams of the system and of the space, and deploy to Dev.
    let role = json!({"Name": "Lead", "GrantedSystemPermissions": ["TeamEdit", "UserRoleEdit"], "GrantedSpacePermissions": ["TeamEdit"]});
    let lead = server.call("POST", "/api/userroles", Some(role)).await.1;
    server.standin.give_role(&team, lead["Id"].as_str().unwrap(), &[]);
    server.standin.give_role(&team, "userroles-deploymentcreator", &["Environments-1"]);
    let other = server.standin.edit_team("Others", |_| {});
    let give = async |role: &str, environments: &[&str]| {
        let body = json!({"TeamId": other, "UserRoleId": role, "SpaceId": "Spaces-1", "EnvironmentIds": environments});
        server.call_as(&key, "POST", "/api/scopeduserroles", Some(body)).await
    };
    assert_eq!(give("userroles-deploymentcreator", &["Environments-1"]).await.0, 201);
    for wider in [&[][..], &["Environments-3"], &["Environments-1", "Environments-3"]] {
        let refused = give("userroles-deploymentcreator", wider).await;
        assert!(refused.0 == 403 && problem(&refused).contains("Missing permission: Deployment"), "{wider:?}: {refused:?}");
    }
    let refused = give("userroles-projectdeployer", &["Environments-1"]).await;
    assert!(refused.0 == 403 && problem(&refused).contains("UserView"), "its system part counts: {refused:?}");
    // People of a team with system permissions that one lacks, whichever they are.
    let mut managers = server.get("/api/teams/teams-managers").await;
    managers["MemberUserIds"] = json!([user]);
    let refused = server.call_as(&key, "PUT", "/api/teams/teams-managers", Some(managers)).await;
    assert!(refused.0 == 403 && problem(&refused).contains("ConfigureServer"), "{refused:?}");
    // A role that one has oneself.
    let mut own = lead.clone();
    own["GrantedSystemPermissions"] = json!(["TeamEdit", "UserRoleEdit", "AdministerSystem"]);
    let path = lead["Links"]["Self"].as_str().unwrap().to_owned();
    let path = path.as_str();
    let refused = server.call_as(&key, "PUT", path, Some(own)).await;
    assert!(refused.0 == 403 && problem(&refused).contains("AdministerSystem"), "{refused:?}");
    let mut own = lead.clone();
    own["GrantedSpacePermissions"] = json!(["TeamEdit", "DeploymentDelete"]);
    assert_eq!(server.call_as(&key, "PUT", path, Some(own)).await.0, 403);
    let mut own = lead;
    own["Description"] = json!("Who leads");
    own["GrantedSpacePermissions"] = json!([]);
    assert_eq!(server.call_as(&key, "PUT", path, Some(own)).await.0, 200, "less is no harm");
}

#[tokio::test]
async fn a_role_for_one_project_is_given_for_that_project_only() {
    let server = Server::start().await;
    let user = server.standin.create_user("lead", None, None);
    let key = server.standin.create_api_key(&user, "test");
    let team = server.standin.edit_team("Leads", |team| team.members.push(user.clone()));
    let role = json!({"Name": "Lead", "GrantedSystemPermissions": ["TeamEdit"], "GrantedSpacePermissions": ["TeamEdit"]});
    let lead = server.call("POST", "/api/userroles", Some(role)).await.1;
    server.standin.give_role(&team, lead["Id"].as_str().unwrap(), &[]);
    let held = server.standin.give_role(&team, "userroles-deploymentcreator", &[]);
    server.standin.edit(|state| state.scoped_roles.get_mut(&held).unwrap().project_ids = vec!["Projects-1".into()]);
    let other = server.standin.edit_team("Others", |_| {});
    let give = async |projects: Value| {
        let body =
            json!({"TeamId": other, "UserRoleId": "userroles-deploymentcreator", "SpaceId": "Spaces-1", "ProjectIds": projects});
        server.call_as(&key, "POST", "/api/scopeduserroles", Some(body)).await
    };
    let refused = give(json!([])).await;
    assert!(refused.0 == 403 && problem(&refused).contains("Missing permission: Deployment"), "for all projects: {refused:?}");
    let given = give(json!(["Projects-1"])).await;
    assert_eq!(given.0, 201, "{given:?}");
}

#[tokio::test]
async fn permissions_are_explained_and_exported() {
    let server = Server::start().await;
    let user = server.get("/api/users/Users-1").await;
    let explained = server.get(user["Links"]["PermissionsConfiguration"].as_str().unwrap()).await;
    assert_eq!(explained["DeploymentCreate"]["SupportedRestrictions"], json!(["Projects", "Environments", "Tenants"]));
    assert!(explained.as_object().unwrap().values().all(|one| one["Description"].is_string()), "a dictionary of descriptions");
    let set = server.get(user["Links"]["Permissions"].as_str().unwrap()).await;
    let export = server.call("GET", set["Links"]["Export"].as_str().unwrap(), None).await;
    assert!(export.1.as_str().unwrap().contains("\"AdministerSystem\",\"\""), "{export:?}");
    let id = server.standin.create_user("bob", None, None);
    let key = server.standin.create_api_key(&id, "x");
    for path in ["permissions", "permissions/configuration", "permissions/export"] {
        assert_eq!(server.call_as(&key, "GET", &format!("/api/users/Users-1/{path}"), None).await.0, 403, "{path}");
        assert_eq!(server.call_as(&key, "GET", &format!("/api/users/{id}/{path}"), None).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn the_teams_of_a_user_come_all_or_of_the_default_space() {
    let server = Server::start().await;
    let names = async |path: &str| each(&server.get(path).await, "TeamName");
    for (all, count) in [(true, 2), (false, 0)] {
        server.standin.set_switches(|switches| switches.membership_lists_default_to_all = all);
        assert_eq!(names("/api/users/Users-1/teams").await.len(), count, "all {all}");
        assert_eq!(names("/api/teammembership?userId=Users-1").await.len(), count, "all {all}");
        assert_eq!(names("/api/users/Users-1/teams?includeSystem=true").await, ["Octopus Administrators", "Everyone"]);
        assert!(names("/api/users/Users-1/teams?spaces=all").await.is_empty());
    }
}
