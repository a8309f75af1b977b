//! What official clients list, view, release and deploy.

use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, each, problem};

const DEPLOY: &str = "/api/Spaces-1/deployments/create/untenanted/v1";

/// The body that both official clients send, names in camel case.
fn command(environments: &[&str]) -> Option<Value> {
    Some(json!({"spaceId": "Spaces-1", "spaceIdOrName": "Spaces-1", "projectName": "orbital", "releaseVersion": "1.0.0",
        "environmentNames": environments, "useGuidedFailure": null, "forcePackageDownload": false}))
}

#[tokio::test]
async fn clients_deploy_by_names() {
    let server = Server::start().await;
    let (status, made) = server.call("POST", DEPLOY, command(&["Dev", "Environments-2"])).await;
    assert_eq!(status, 201, "{made}");
    let tasks = made["DeploymentServerTasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2);
    let task = server.get(&format!("/api/tasks/{}", tasks[0]["ServerTaskId"].as_str().unwrap())).await;
    assert_eq!((&task["State"], &task["Arguments"]["DeploymentId"]), (&json!("Success"), &tasks[0]["DeploymentId"]));
    let wrong = [("projectName", "nothing"), ("releaseVersion", "9.9"), ("spaceIdOrName", "Spaces-7")];
    for (field, value) in wrong {
        let mut body = command(&["Dev"]).unwrap();
        body[field] = json!(value);
        let refused = server.call("POST", DEPLOY, Some(body)).await;
        assert!(refused.0 == 400 && problem(&refused).contains(value), "{field}: {refused:?}");
    }
    for environments in [&["Nowhere"][..], &[]] {
        assert!(problem(&server.call("POST", DEPLOY, command(environments)).await).starts_with("EnvironmentNames"));
    }
    let tenanted = json!({"projectName": "Orbital", "releaseVersion": "1.0.0", "environmentName": "Dev", "tenants": ["T"]});
    let refused = server.call("POST", "/api/Spaces-1/deployments/create/tenanted/v1", Some(tenanted)).await;
    assert!(refused.0 == 400 && problem(&refused).contains("'T'"), "{refused:?}");
}

#[tokio::test]
async fn deploying_by_names_needs_the_permission_for_each_environment() {
    let server = Server::start().await;
    let bob = server.standin.create_user("bob", None, None);
    let team = server.standin.edit_team("Developers", |team| team.members.push(bob.clone()));
    server.standin.give_role(&team, "userroles-deploymentcreator", &["Environments-1"]);
    let key = server.standin.create_api_key(&bob, "x");
    assert_eq!(server.call_as(&key, "POST", DEPLOY, command(&["Dev"])).await.0, 201);
    let refused = server.call_as(&key, "POST", DEPLOY, command(&["Dev", "Production"])).await;
    assert!(refused.0 == 403 && problem(&refused).ends_with("Missing permission: DeploymentCreate"), "{refused:?}");
    assert_eq!(server.get("/api/Spaces-1/deployments").await["TotalResults"], 1, "all or nothing");
    let release = json!({"projectName": "Orbital", "releaseVersion": "2.0.0"});
    let refused = server.call_as(&key, "POST", "/api/Spaces-1/releases/create/v1", Some(release)).await;
    assert!(problem(&refused).ends_with("Missing permission: ReleaseCreate"), "{refused:?}");
    assert_eq!(server.call_as("", "POST", DEPLOY, command(&["Dev"])).await.0, 401);
}

#[tokio::test]
async fn clients_make_releases_by_names() {
    let server = Server::start().await;
    let make = async |body: Value| server.call("POST", "/api/Spaces-1/releases/create/v1", Some(body)).await;
    let (status, made) = make(json!({"projectName": "Orbital", "releaseVersion": "2.0.0", "channelName": "default"})).await;
    assert_eq!((status, &made["ReleaseVersion"]), (201, &json!("2.0.0")));
    let release = server.get("/api/Spaces-1/projects/Projects-1/releases/2.0.0").await;
    assert_eq!((&release["Id"], &release["ChannelId"]), (&made["ReleaseId"], &json!("Channels-1")));
    let twice = json!({"projectName": "Orbital", "releaseVersion": "2.0.0"});
    assert_eq!(make(twice.clone()).await.0, 400);
    let mut again = twice;
    again["ignoreIfAlreadyExists"] = json!(true);
    assert_eq!(make(again).await, (200, made));
    assert_eq!(make(json!({"projectName": "Orbital"})).await.1["ReleaseVersion"], "0.0.3");
    assert_eq!(make(json!({"projectName": "Orbital", "channelName": "Beta"})).await.0, 400);
}

#[tokio::test]
async fn a_project_leads_to_what_it_has() {
    let server = Server::start().await;
    let project = server.get("/api/Spaces-1/projects/Projects-1").await;
    let list = async |project: &Value, link: &str| {
        let path = project["Links"][link].as_str().unwrap().split('{').next().unwrap().to_owned();
        server.get(&path).await
    };
    assert_eq!(each(&list(&project, "Releases").await, "Version"), ["1.0.0"]);
    assert_eq!(each(&list(&project, "Channels").await, "Name"), ["Default"]);
    assert_eq!(list(&project, "Runbooks").await["TotalResults"], 0);
    assert_eq!(project["Links"]["Web"], "/app#/Spaces-1/projects/Projects-1");
    assert_eq!(
        (&project["IsVersionControlled"], &project["PersistenceSettings"]["Type"], project["VersioningStrategy"].is_object()),
        (&json!(false), &json!("Database"), true)
    );
    assert_eq!(each(&server.get("/api/Spaces-1/channels?ids=Channels-1").await, "Id"), ["Channels-1"]);
    assert_eq!(server.call("GET", "/api/Spaces-1/projects/Projects-99/releases", None).await.0, 404);
    let body = json!({"Name": "Second", "ProjectGroupId": "ProjectGroups-1", "LifecycleId": "Lifecycles-1"});
    let second = server.call("POST", "/api/Spaces-1/projects", Some(body)).await.1;
    assert_eq!(each(&list(&second, "Channels").await, "Name"), ["Default"], "every project has a channel");
    assert_eq!(server.call("DELETE", second["Links"]["Self"].as_str().unwrap(), None).await.0, 200);
    assert_eq!(server.get("/api/Spaces-1/channels").await["TotalResults"], 1, "which goes with it");
}

#[tokio::test]
async fn lists_that_clients_know_are_there_and_empty() {
    let server = Server::start().await;
    let (root, space) = (server.get("/api").await, server.get("/api/Spaces-1").await);
    let empty = [
        "Accounts",
        "Certificates",
        "Feeds",
        "LibraryVariables",
        "MachinePolicies",
        "Machines",
        "TagSets",
        "Tenants",
        "WorkerPools",
        "Workers",
    ];
    for name in empty {
        assert_eq!(root["Links"][name], space["Links"][name], "{name}");
        let path = space["Links"][name].as_str().unwrap().split('{').next().unwrap();
        assert_eq!(server.get(path).await["Items"], json!([]), "{name}");
        assert_eq!(server.get(&format!("{path}/all")).await, json!([]), "{name}");
        assert_eq!(server.call("POST", path, Some(json!({"Name": "x"}))).await.0, 405, "{name} is read-only");
    }
    let key = server.standin.create_api_key(&server.standin.create_user("bob", None, None), "x");
    let refused = server.call_as(&key, "GET", "/api/Spaces-1/machines", None).await;
    assert!(problem(&refused).ends_with("Missing permission: MachineView"), "{refused:?}");
    assert_eq!(server.get("/api/maintenanceconfiguration").await["IsInMaintenanceMode"], false);
    assert_eq!(server.get("/api/licenses/licenses-current-status").await["IsCompliant"], true);
    assert_eq!(server.get("/api/configuration/feature-toggles?Name=x").await["FeatureToggles"], json!([]));
    assert_eq!(server.call_as(&key, "GET", "/api/featuresconfiguration", None).await.0, 403);
    assert!(each(&server.get("/api/serverstatus/timezones").await, "Id").contains(&"UTC".to_owned()));
}

#[tokio::test]
async fn the_dashboard_shows_the_newest_deployment() {
    let server = Server::start().await;
    for _ in 0..2 {
        assert_eq!(server.call("POST", DEPLOY, command(&["Dev"])).await.0, 201);
    }
    let board = server.get("/api/Spaces-1/dashboard").await;
    assert_eq!(each(&board["Environments"], "Name"), ["Dev", "Test", "Production"]);
    assert_eq!(each(&board["Items"], "DeploymentId"), ["Deployments-2"]);
    assert_eq!((&board["Items"][0]["ReleaseVersion"], &board["Items"][0]["State"]), (&json!("1.0.0"), &json!("Success")));
    let bob = server.standin.create_user("bob", None, None);
    let key = server.standin.create_api_key(&bob, "x");
    let nothing = server.call_as(&key, "GET", "/api/Spaces-1/dashboard", None).await.1;
    assert_eq!((&nothing["Projects"], &nothing["Items"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn deployments_leave_events_that_can_be_found() {
    let server = Server::start().await;
    server.call("POST", DEPLOY, command(&["Dev"])).await;
    let categories = async |query: &str| each(&server.get(&format!("/api/Spaces-1/events?{query}")).await, "Category");
    let all = ["DeploymentSucceeded", "DeploymentStarted", "DeploymentQueued"];
    for query in
        ["projects=Projects-1", "environments=Environments-1", "projectGroups=ProjectGroups-1", "projects=Projects-9,Projects-1"]
    {
        assert_eq!(categories(query).await, all, "{query}");
    }
    for query in [
        "projects=Projects-99",
        "environments=Environments-3",
        "projectGroups=ProjectGroups-9",
        "tenants=Tenants-1",
        "tags=a",
        "projects=Projects-1&environments=Environments-2",
    ] {
        assert!(categories(query).await.is_empty(), "{query}");
    }
    assert_eq!(categories("eventAgents=Client").await, ["DeploymentQueued"]);
    assert_eq!(categories("eventAgents=Server").await, all[..2]);
    let csv = server.call("GET", "/api/Spaces-1/events?asCsv=true&projects=Projects-1", None).await.1;
    assert_eq!(csv.as_str().unwrap().lines().count(), 4, "{csv}");
    let count = async |query: &str| server.get(&format!("/api/Spaces-1/deployments?{query}")).await["TotalResults"].clone();
    for (query, expected) in [
        ("channels=Channels-1", 1),
        ("channels=Channels-9", 0),
        ("tenants=Tenants-1", 0),
        ("taskState=Success", 1),
        ("taskState=Failed", 0),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn fields_of_documents_are_kept_whatever_the_case_of_their_names() {
    let server = Server::start().await;
    let body = json!({"name": "Stage", "slug": "my-slug", "useGuidedFailure": true, "Description": "d"});
    let (status, made) = server.call("POST", "/api/Spaces-1/environments", Some(body)).await;
    assert_eq!(
        (status, &made["Slug"], &made["UseGuidedFailure"], &made["Description"]),
        (201, &json!("my-slug"), &json!(true), &json!("d"))
    );
    let path = made["Links"]["Self"].as_str().unwrap();
    let (_, renamed) = server.edit(path, |one| one["Name"] = json!("Staging")).await;
    assert_eq!((&renamed["Name"], &renamed["Slug"]), (&json!("Staging"), &json!("my-slug")), "a rename keeps it");
    assert_eq!(server.call("POST", "/api/Spaces-1/environments", Some(json!({"Name": "No Slug"}))).await.1["Slug"], "no-slug");
    let project = json!({"Name": "P", "LifecycleId": "Lifecycles-1", "ProjectGroupId": "ProjectGroups-1",
        "ProjectConnectivityPolicy": {"AllowDeploymentsToNoTargets": true}, "ReleaseNotesTemplate": "notes"});
    let made = server.call("POST", "/api/Spaces-1/projects", Some(project)).await.1;
    assert_eq!(
        (&made["ProjectConnectivityPolicy"]["AllowDeploymentsToNoTargets"], &made["ReleaseNotesTemplate"]),
        (&json!(true), &json!("notes"))
    );
    let user = json!({"username": "camel", "DISPLAYNAME": "Camel", "identities": [{"identityProviderName": "Okta",
        "claims": {"email": {"value": "c@x", "isIdentifyingClaim": true}}}]});
    let (status, user) = server.call("POST", "/api/users", Some(user)).await;
    assert_eq!((status, &user["Identities"][0]["Claims"]["email"]["Value"]), (201, &json!("c@x")), "{user}");
    let both = json!({"username": "wrong", "Username": "right", "DisplayName": "x"});
    assert_eq!(server.call("POST", "/api/users", Some(both)).await.1["Username"], "right", "the exact name goes first");
}
