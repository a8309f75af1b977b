//! Inner spaces, and what lists make of them.

use odcm_tests::standins::octopus::Version;
use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, each, problem};

#[tokio::test]
async fn managers_are_taken_over_and_shown() {
    let server = Server::start().await;
    let bob = server.standin.create_user("bob", None, None);
    let staff = server.standin.edit_team("Staff", |_| {});
    let body = json!({"Name": "Second", "Slug": "number-two", "IsPrivate": true, "Description": "x",
        "SpaceManagersTeams": [staff], "SpaceManagersTeamMembers": []});
    let (status, space) = server.call("POST", "/api/spaces", Some(body)).await;
    assert_eq!(status, 201, "{space}");
    let id = space["Id"].as_str().unwrap();
    let (own, path) = (format!("teams-spacemanagers-{id}"), format!("/api/spaces/{id}"));
    assert_eq!(
        (&space["SpaceManagersTeams"], &space["Slug"], &space["IsPrivate"]),
        (&json!([own, staff]), &json!("number-two"), &json!(true))
    );
    assert_eq!(server.get(&path).await, space, "what was answered is kept");
    let manages = |team: &str| {
        let state = server.standin.snapshot();
        let of = |scoped: &&odcm_tests::standins::octopus::ScopedUserRole| {
            scoped.team_id == team && scoped.space_id.as_deref() == Some(id)
        };
        state.scoped_roles.values().filter(of).count()
    };
    assert_eq!((manages(&own), manages(&staff)), (1, 1));
    let changed = server
        .edit(&path, |space| {
            space["SpaceManagersTeams"] = json!([own]);
            space["SpaceManagersTeamMembers"] = json!([bob]);
            space["IsPrivate"] = json!(false);
        })
        .await;
    assert_eq!(changed.0, 200, "{changed:?}");
    assert_eq!((&changed.1["SpaceManagersTeamMembers"], &changed.1["IsPrivate"]), (&json!([bob]), &json!(false)));
    assert_eq!((server.standin.team(&own).unwrap().members, manages(&staff)), (vec![bob.clone()], 0));
    // Members that come by way of the team are shown as well.
    server.edit(&format!("/api/teams/{own}"), |team| team["MemberUserIds"] = json!(["Users-1", bob])).await;
    assert_eq!(server.get(&path).await["SpaceManagersTeamMembers"], json!(["Users-1", bob]));
    let unknown = server.edit(&path, |space| space["SpaceManagersTeams"] = json!(["Teams-99"])).await;
    assert!(problem(&unknown).contains("Teams-99"), "{unknown:?}");
    let unknown = server.edit(&path, |space| space["SpaceManagersTeamMembers"] = json!(["Users-99"])).await;
    assert!(problem(&unknown).contains("Users-99"), "{unknown:?}");
    let bad = json!({"Name": "Third", "SpaceManagersTeamMembers": ["Users-99"]});
    assert_eq!(server.call("POST", "/api/spaces", Some(bad)).await.0, 400);
    assert!(server.standin.team("teams-spacemanagers-Spaces-3").is_none(), "nothing half made");
}

#[tokio::test]
async fn a_space_has_the_links_that_clients_follow() {
    let server = Server::start().await;
    let space = server.get("/api/spaces/Spaces-1").await;
    assert_eq!(space["Links"]["Web"], "/app#/Spaces-1", "clients cut it at /app#/");
    let logo = server.raw("GET", space["Links"]["Logo"].as_str().unwrap()).header("X-Octopus-ApiKey", server.standin.admin_key());
    assert_eq!(logo.send().await.unwrap().headers()["content-type"], "image/svg+xml");
    let search = space["Links"]["Search"].as_str().unwrap().replace("{?keyword}", "?keyword=ORB");
    assert_eq!(each(&server.get(&search).await, "Name"), ["Orbital"]);
}

#[tokio::test]
async fn names_may_be_longer_on_newer_servers() {
    for (version, longest) in [(Version::new(2023, 1, 9626), 20), (Version::new(2025, 4, 100), 50)] {
        let server = Server::with(|config| config.version = version).await;
        let make = async |length: usize| {
            let body = json!({"Name": "n".repeat(length), "SpaceManagersTeamMembers": ["Users-1"]});
            server.call("POST", "/api/spaces", Some(body)).await.0
        };
        assert_eq!((make(longest + 1).await, make(longest).await), (400, 201), "{version}");
    }
}

/// A second space with a team of its own; answers both ids.
async fn elsewhere(server: &Server) -> (String, String) {
    let body = json!({"Name": "Second", "SpaceManagersTeamMembers": ["Users-1"]});
    let space = server.call("POST", "/api/spaces", Some(body)).await.1["Id"].as_str().unwrap().to_owned();
    let team = server.call("POST", "/api/teams", Some(json!({"Name": "Elsewhere", "SpaceId": space}))).await.1;
    (space, team["Id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn lists_of_teams_may_ignore_the_flags() {
    let server = Server::start().await;
    let (space, _) = elsewhere(&server).await;
    let names = async |path: &str| each(&server.get(path).await, "Name");
    for (ignored, count) in [(false, 6), (true, 4)] {
        server.standin.set_switches(|switches| switches.scope_flags_ignored = ignored);
        let all = names("/api/teams?spaces=all&includeSystem=true").await;
        assert_eq!((all.len(), all.contains(&"Elsewhere".to_owned())), (count, !ignored), "{all:?}");
        assert_eq!(names(&format!("/api/{space}/teams")).await, ["Elsewhere", "Space Managers"]);
    }
    server.standin.set_switches(|switches| switches.mixed_lists_default_to_all = true);
    assert_eq!(names("/api/teams?spaces=none").await.len(), 6, "or shows everything");
}

#[tokio::test]
async fn lists_of_scoped_roles_may_omit_those_of_the_system() {
    let server = Server::start().await;
    let system = async |path: &str| {
        let list = server.get(path).await;
        let any = |space: Value| list["Items"].as_array().unwrap().iter().any(|role| role["SpaceId"] == space);
        (any(json!("Spaces-1")), any(Value::Null))
    };
    for omitted in [false, true] {
        server.standin.set_switches(|switches| switches.scoped_roles_omit_system = omitted);
        assert_eq!(system("/api/scopeduserroles?spaces=all&includeSystem=true").await, (true, !omitted));
        assert!(system("/api/teams/teams-administrators/scopeduserroles").await.1, "a team names its own");
    }
}

#[tokio::test]
async fn teams_of_other_spaces_may_live_below_their_space() {
    let server = Server::start().await;
    let (space, team) = elsewhere(&server).await;
    let (plain, below) = (format!("/api/teams/{team}"), format!("/api/{space}/teams/{team}"));
    for (on, status) in [(false, 200), (true, 404)] {
        server.standin.set_switches(|switches| switches.teams_by_space_address = on);
        assert_eq!(server.call("GET", &plain, None).await.0, status);
        let found = server.get(&below).await;
        assert_eq!(found["Links"]["Self"], if on { below.as_str() } else { plain.as_str() });
        assert_eq!(server.call("PUT", &plain, Some(found.clone())).await.0, status);
        assert_eq!(server.call("PUT", &below, Some(found)).await.0, 200);
        assert_eq!(server.call("GET", &format!("/api/Spaces-1/teams/{team}"), None).await.0, 404, "never in another space");
        assert_eq!(server.get("/api/teams/teams-managers").await["Links"]["Self"], "/api/teams/teams-managers");
    }
}

#[tokio::test]
async fn unknown_members_are_refused_or_dropped() {
    let server = Server::start().await;
    let set = |team: &mut Value| team["MemberUserIds"] = json!(["Users-1", "Users-99"]);
    assert_eq!(server.edit("/api/teams/teams-managers", set).await.0, 400);
    server.standin.set_switches(|switches| switches.unknown_members_dropped = true);
    let (status, team) = server.edit("/api/teams/teams-managers", set).await;
    assert_eq!((status, &team["MemberUserIds"]), (200, &json!(["Users-1"])));
}

#[tokio::test]
async fn an_older_data_file_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mars.json");
    let with_data = |config: &mut odcm_tests::standins::octopus::StandinConfig| {
        config.data = Some(data.clone());
        config.admin_key = Some("API-ADMIN1".into());
    };
    let first = Server::with(with_data).await;
    first.standin.edit(|state| {
        state.documents.remove("channels");
        let space = state.documents.get_mut("spaces").unwrap().get_mut("Spaces-1").unwrap();
        space.insert("Links".into(), json!({"Self": "/api/spaces/Spaces-1", "Web": "/app"}));
        let project = state.documents.get_mut("projects").unwrap().get_mut("Projects-1").unwrap();
        project.insert("Links".into(), json!({"Self": "/api/Spaces-1/projects/Projects-1"}));
        project.insert("Description".into(), json!("kept"));
        project.remove("VersioningStrategy");
    });
    first.standin.stop().await;
    let second = Server::with(with_data).await;
    assert_eq!(second.get("/api/spaces/Spaces-1").await["Links"]["Web"], "/app#/Spaces-1");
    let project = second.get("/api/Spaces-1/projects/Projects-1").await;
    assert_eq!((&project["Description"], project["VersioningStrategy"].is_object()), (&json!("kept"), true));
    let channels = project["Links"]["Channels"].as_str().unwrap().split('{').next().unwrap();
    assert_eq!(each(&second.get(channels).await, "Name"), ["Default"]);
}
