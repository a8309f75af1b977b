//! Inner spaces that the key may not see, and administrators whom no one list names.

use super::hands::Hands;
use super::{bob, strict};
use odcm_space_plugin::conformance::Bench;
use odcm_space_plugin::{AdapterError, MemberChange, SpaceAdapter, Teams};
use odcm_tests::standins::octopus::{Fault, Switches, UserRole, Version};
use serde_json::json;

async fn second_space(hands: &Hands) -> String {
    let body = json!({"Name": "Second", "SpaceManagersTeams": ["teams-administrators"], "SpaceManagersTeamMembers": []});
    let (status, space) = hands.call("POST", "/api/spaces", Some(body)).await;
    assert!(status < 300, "{status} {space}");
    space["Id"].as_str().unwrap().to_owned()
}

/// A key that may not see one inner space keeps sight of the others, and it is told which one it does not see.
#[tokio::test]
async fn an_inner_space_that_is_closed_to_the_key_is_told_and_hides_nothing_else() {
    // The server refuses the address of the space, or leaves out what the key may not see.
    for refused in [true, false] {
        let hands = Hands::start(Version::OLDEST, Switches { scope_flags_ignored: refused, ..strict() }).await;
        let closed = second_space(&hands).await;
        let here = hands.create_team("Developers", &[], "group-1").await;
        let (status, there) =
            hands.call("POST", "/api/teams", Some(json!({"Name": "There", "SpaceId": closed, "MemberUserIds": []}))).await;
        assert_eq!(status, 201, "{there}");
        let there = there["Id"].as_str().unwrap();
        let seen = |teams: &Teams| teams.seen.iter().any(|t| t.inner_space.as_ref() == Some(&closed));
        let open = hands.adapter.teams().await.unwrap();
        assert!(seen(&open) && open.closed.is_empty(), "{:?}", open.closed);
        let adapter = if refused {
            hands.standin.fault_on(Fault::Status(403), &format!("/api/{closed}"), None, None);
            hands.standin.fault_on(Fault::Status(403), &format!("/api/teams/{there}"), None, None);
            hands.fresh_adapter()
        } else {
            let agent = hands.create_account("agent-2", "agent@x.example").await;
            hands.standin.edit(|state| {
                let system = ["UserView", "UserEdit", "TeamView", "TeamEdit", "UserRoleView", "SpaceView", "EventView"];
                let role = UserRole {
                    id: "UserRoles-1".into(),
                    name: "Agent".into(),
                    space_permissions: ["TeamView", "TeamEdit", "EventView"].map(Into::into).to_vec(),
                    system_permissions: system.map(Into::into).to_vec(),
                    ..UserRole::default()
                };
                state.user_roles.insert(role.id.clone(), role);
            });
            let helpers = hands.create_team("Agents", &[&agent], "group-9").await;
            hands.standin.give_role(&helpers, "UserRoles-1", &[]);
            let key = hands.standin.create_api_key(&agent, "agent");
            hands.adapter_with(|config| config.api_key = key)
        };
        let teams = adapter.teams().await.unwrap();
        assert!(teams.seen.iter().any(|team| team.id == here) && !seen(&teams));
        let told: Vec<_> = teams.closed.iter().map(|space| (space.id.as_str(), space.name.as_str())).collect();
        assert_eq!(told, [(closed.as_str(), "Second")], "refused: {refused}");
        assert!(matches!(adapter.team(there).await, Err(AdapterError::Denied(_))), "not gone: {:?}", adapter.team(there).await);
    }
}

/// A server that answers 404 instead of a refusal: while it lists the inner space, that is not deleted.
#[tokio::test]
async fn an_inner_space_that_is_not_found_is_closed_while_it_is_listed() {
    let hands = Hands::start(Version::OLDEST, Switches { scope_flags_ignored: true, ..strict() }).await;
    let hidden = second_space(&hands).await;
    hands.standin.fault_on(Fault::Status(404), &format!("/api/{hidden}"), None, None);
    let closed = async || hands.adapter.teams().await.unwrap().closed.into_iter().map(|space| space.id).collect::<Vec<_>>();
    assert_eq!(closed().await, [hidden.as_str()]);
    // Deleted while the adapter still remembers the list: it is read anew.
    hands.standin.edit(|state| {
        state.documents.get_mut("spaces").unwrap().remove(&hidden).unwrap();
    });
    assert_eq!(closed().await, [] as [&str; 0]);
}

/// A server whose list of scoped roles leaves out the system: its teams name their own, also when one is read by itself.
#[tokio::test]
async fn administrators_of_the_system_are_known_though_the_list_of_roles_omits_them() {
    let hands = Hands::start(Version::OLDEST, Switches { scoped_roles_omit_system: true, ..strict() }).await;
    hands.standin.edit(|state| {
        let system_permissions = vec!["UserEdit".to_owned()];
        let role = UserRole { id: "UserRoles-9".into(), name: "Helper".into(), system_permissions, ..UserRole::default() };
        state.user_roles.insert(role.id.clone(), role);
    });
    let mut helpers = Vec::new();
    for name in ["Helpers", "Others"] {
        let team = hands.create_team(name, &[], "group-1").await;
        let role = json!({"UserRoleId": "UserRoles-9", "TeamId": team});
        let (status, answer) = hands.call("POST", "/api/scopeduserroles", Some(role)).await;
        assert_eq!(status, 201, "{answer}");
        helpers.push(team);
    }
    let plain = hands.create_team("Developers", &[], "group-2").await;
    let adapter = hands.fresh_adapter();
    // One by one, with nothing remembered: what one team says is not taken for what all of them say.
    for team in &helpers {
        assert!(adapter.team(team).await.unwrap().unwrap().administrative, "{team}");
    }
    assert!(!adapter.team(&plain).await.unwrap().unwrap().administrative);
    let listed: Vec<_> = adapter.teams().await.unwrap().seen.into_iter().filter(|team| team.administrative).collect();
    assert!(helpers.iter().all(|id| listed.iter().any(|team| team.id == *id)), "{listed:?}");
    assert!(!listed.iter().any(|team| team.id == plain), "{listed:?}");
    let bob = hands.adapter.create_account(&bob()).await.unwrap();
    let join = MemberChange { add: [bob.id].into(), ..MemberChange::default() };
    for _ in ["written", "as it is"] {
        assert!(hands.fresh_adapter().change_members(&helpers[0], &join).await.unwrap().administrative);
    }
}

/// Whoever administers another inner space is an administrator, also on a server that ignores `spaces=all`.
#[tokio::test]
async fn administrators_of_other_inner_spaces_are_known_whatever_the_server_makes_of_the_flags() {
    for ignored in [false, true] {
        let hands = Hands::start(Version::OLDEST, Switches { scope_flags_ignored: ignored, ..strict() }).await;
        let space = second_space(&hands).await;
        // A team of the system with a role in the other space, and a team of the other space itself.
        let system = hands.create_team("Helpers", &[], "group-1").await;
        let (_, team) =
            hands.call("POST", "/api/teams", Some(json!({"Name": "There", "SpaceId": space, "MemberUserIds": []}))).await;
        let there = team["Id"].as_str().unwrap().to_owned();
        for team in [&system, &there] {
            let role = json!({"UserRoleId": "userroles-spacemanager", "TeamId": team, "SpaceId": space});
            let (status, answer) = hands.call("POST", "/api/scopeduserroles", Some(role)).await;
            assert_eq!(status, 201, "{answer}");
        }
        let teams = hands.adapter.teams().await.unwrap().seen;
        for id in [&system, &there] {
            assert!(teams.iter().any(|team| team.id == *id && team.administrative), "{id}, ignored: {ignored}");
        }
        assert!(hands.fresh_adapter().team(&system).await.unwrap().unwrap().administrative, "ignored: {ignored}");
    }
}
