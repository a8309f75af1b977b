//! The Octopus adapter against the stand-in server: the conformance suite on several versions and assumptions, then
//! what only this adapter does.

mod closed;
mod faults;
mod hands;
mod probe;
mod proxy;
mod transport;

use hands::Hands;
use odcm_space_plugin::conformance::{self, Bench};
use odcm_space_plugin::octopus::{OctopusAdapter, OctopusConfig};
use odcm_space_plugin::{AccountChange, AdapterError, Capability, MemberChange, NewAccount, SpaceAdapter};
use odcm_tests::standins::octopus::{ExternalGroups, Switches, UserRole, Version};
use serde_json::json;

fn bob() -> NewAccount {
    NewAccount { username: "bob".into(), email: "bob@x.example".into(), display_name: "Bob".into() }
}

fn strict() -> Switches {
    Switches { strict_roundtrip: ["*".to_owned()].into(), ..Switches::default() }
}

async fn conforms(version: Version, switches: Switches) {
    let make = async || Box::new(Hands::start(version, switches.clone()).await) as Box<dyn Bench>;
    assert_eq!(conformance::run(make).await, []);
}

#[tokio::test]
async fn a_server_of_2022_conforms() {
    conforms(Version::OLDEST, strict()).await;
}

#[tokio::test]
async fn a_server_with_generic_openid_connect_conforms() {
    conforms(Version::new(2025, 4, 100), strict()).await;
}

/// Every assumption the other way round, but the two that take something away; they have tests of their own.
#[tokio::test]
async fn a_server_that_behaves_otherwise_conforms() {
    let usual = Switches::default();
    let other = Switches {
        disable_ends_sessions: !usual.disable_ends_sessions,
        put_without_identities_clears: !usual.put_without_identities_clears,
        post_inactive_user_allowed: !usual.post_inactive_user_allowed,
        put_users_keeps_eid: !usual.put_users_keeps_eid,
        put_without_secret_clears: !usual.put_without_secret_clears,
        mixed_lists_default_to_all: !usual.mixed_lists_default_to_all,
        events_from_auto_id_inclusive: !usual.events_from_auto_id_inclusive,
        generic_supports_iss: !usual.generic_supports_iss,
        lists_omit_last_modified: !usual.lists_omit_last_modified,
        password_change_ends_sessions: !usual.password_change_ends_sessions,
        membership_lists_default_to_all: !usual.membership_lists_default_to_all,
        unknown_members_dropped: !usual.unknown_members_dropped,
        csrf_refusal_is_403: !usual.csrf_refusal_is_403,
        expired_sign_in_is_400: !usual.expired_sign_in_is_400,
        teams_by_space_address: !usual.teams_by_space_address,
        scoped_roles_omit_system: !usual.scoped_roles_omit_system,
        generic_name: "Company sign-in".into(),
        ..strict()
    };
    conforms(Version::new(2023, 1, 9626), other.clone()).await;
    // The newest reference names no flags for lists of teams.
    let other = Switches { scope_flags_ignored: true, mixed_lists_default_to_all: usual.mixed_lists_default_to_all, ..other };
    conforms(Version::new(2025, 4, 100), other).await;
}

#[tokio::test]
async fn capabilities_are_read_from_links_and_sections() {
    let old = Hands::start(Version::OLDEST, strict()).await;
    let described = old.adapter.describe().await.unwrap();
    assert_eq!(described.version, "2022.2.4498");
    assert_eq!(described.installation_id, old.standin.snapshot().installation_id);
    let all = [
        Capability::InnerSpaces,
        Capability::RevokeSessions,
        Capability::ListApiKeys,
        Capability::ClientSecret,
        Capability::EventCursor,
    ];
    assert_eq!(described.capabilities, all.into());
    let provider = old.adapter.provider().await.unwrap();
    assert_eq!((provider.section.as_str(), provider.name.as_str()), ("authentication-od", "Okta"));
    assert_eq!(provider.redirect_path, "/api/users/authenticatedToken/Okta");

    let new = Hands::start(Version::new(2025, 4, 1), strict()).await;
    assert!(new.adapter.describe().await.unwrap().capabilities.contains(&Capability::GenericOidc));
    let provider = new.adapter.provider().await.unwrap();
    assert_eq!((provider.section.as_str(), provider.name.as_str()), ("authentication-generic-oidc", "Generic OpenID Connect"));
    assert_eq!(provider.redirect_path, "/api/users/authenticatedToken/GenericOidc");
}

/// A server that hides the name of a provider until it is enabled: no account with a guessed name.
#[tokio::test]
async fn identities_wait_until_the_provider_has_a_name() {
    let switches = Switches { identity_metadata_enabled_only: true, ..strict() };
    let hands = Hands::start(Version::new(2025, 4, 1), switches).await;
    let early = hands.adapter.create_account(&bob()).await;
    assert!(matches!(early, Err(AdapterError::Unavailable { .. })), "{early:?}");
    assert!(hands.standin.user("bob").is_none());
    hands.configure(true, "https://odcm.example", "mars", None).await;
    let bob = hands.fresh_adapter().create_account(&bob()).await.unwrap();
    assert_eq!(bob.identities, ["Generic OpenID Connect"]);
}

#[tokio::test]
async fn a_key_of_a_person_that_may_not_be_deleted_is_reported() {
    let switches = Switches { admin_may_delete_human_keys: false, ..strict() };
    let hands = Hands::start(Version::OLDEST, switches).await;
    let id = hands.create_account("carol", "carol@x.example").await;
    hands.standin.create_api_key(&id, "build");
    let keys = hands.adapter.api_keys(&id).await.unwrap();
    let refused = hands.adapter.delete_api_key(&id, &keys[0].id).await;
    assert!(matches!(refused, Err(AdapterError::Denied(_))), "{refused:?}");
    assert_eq!(hands.adapter.api_keys(&id).await.unwrap(), keys);
}

#[tokio::test]
async fn the_agents_own_account_is_never_shut_out() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let own = hands.standin.user("odcm-agent").unwrap().id;
    let key = hands.adapter.api_keys(&own).await.unwrap().remove(0);
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    for refused in [
        hands.adapter.change_account(&own, &off).await.map(drop),
        hands.adapter.delete_api_key(&own, &key.id).await,
        hands.adapter.end_sessions(&own).await,
    ] {
        assert!(matches!(&refused, Err(AdapterError::Invalid(text)) if text.contains("would lock it out")), "{refused:?}");
    }
    assert!(hands.standin.user("odcm-agent").unwrap().is_active);
    assert_eq!(hands.adapter.api_keys(&own).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_written_when_all_is_as_it_should_be() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let account = hands.adapter.create_account(&bob()).await.unwrap();
    let same = AccountChange {
        username: Some("bob".into()),
        email: Some("bob@x.example".into()),
        active: Some(true),
        ensure_our_identity: true,
        remove_foreign_identities: true,
        ..AccountChange::default()
    };
    hands.adapter.change_account(&account.id, &same).await.unwrap();
    let team = hands.standin.edit_team("Developers", |team| team.members.push(account.id.clone()));
    let member = MemberChange { add: [account.id.clone()].into(), remove: ["Users-99".to_owned()].into() };
    hands.adapter.change_members(&team, &member).await.unwrap();
    let writes =
        hands.standin.seen().into_iter().filter(|seen| seen.method != "GET" && seen.user_id.as_deref() == Some("Users-2"));
    assert_eq!(writes.count(), 1, "the creation");
}

/// The hidden external id of a person who has signed in before survives what the agent does every day.
#[tokio::test]
async fn the_hidden_external_id_survives() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let id = hands.adapter.create_account(&bob()).await.unwrap().id;
    let eid = odcm_tests::standins::octopus::Claim { value: "sub-1".into(), identifying: true, server_only: true };
    hands.standin.edit(|state| {
        state.users.get_mut(&id).unwrap().identities[0].claims.insert("eid".into(), eid);
    });
    for active in [false, true] {
        let change = AccountChange { active: Some(active), ensure_our_identity: true, ..AccountChange::default() };
        hands.adapter.change_account(&id, &change).await.unwrap();
    }
    assert_eq!(hands.standin.user("bob").unwrap().identities[0].claim("eid"), Some("sub-1"));
}

/// Teams of every inner space and of the system come in one list, whatever the server makes of `spaces=all`.
#[tokio::test]
async fn teams_of_all_inner_spaces_are_found() {
    for (ignored, below) in [(false, false), (true, false), (false, true)] {
        let switches = Switches { scope_flags_ignored: ignored, teams_by_space_address: below, ..strict() };
        inner_spaces(&Hands::start(Version::OLDEST, switches).await).await;
    }
}

async fn inner_spaces(hands: &Hands) {
    let (status, space) = hands
        .call(
            "POST",
            "/api/spaces",
            Some(json!({
                "Name": "Second", "SpaceManagersTeams": ["teams-administrators"], "SpaceManagersTeamMembers": [],
            })),
        )
        .await;
    assert!(status < 300, "{status} {space}");
    let space = space["Id"].as_str().unwrap().to_owned();
    let team = json!({"Name": "Elsewhere", "SpaceId": space, "MemberUserIds": []});
    let (status, team) = hands.call("POST", "/api/teams", Some(team)).await;
    assert_eq!(status, 201, "{team}");
    let id = team["Id"].as_str().unwrap();
    let listed = hands.adapter.teams().await.unwrap();
    assert!(listed.closed.is_empty(), "{:?}", listed.closed);
    let teams = listed.seen;
    let found = teams.iter().find(|team| team.id == id).unwrap();
    assert_eq!(found.inner_space.as_ref(), Some(&space));
    let managers = teams.iter().find(|team| team.id == format!("teams-spacemanagers-{space}")).unwrap();
    assert!(managers.administrative);
    assert!(teams.iter().any(|team| team.inner_space.as_deref() == Some("Spaces-1")));
    assert!(teams.iter().any(|team| team.inner_space.is_none()));
    assert_eq!(hands.adapter.team(id).await.unwrap().as_ref(), Some(found));
    let bob = hands.adapter.create_account(&bob()).await.unwrap();
    let join = MemberChange { add: [bob.id.clone()].into(), ..MemberChange::default() };
    assert!(hands.adapter.change_members(id, &join).await.unwrap().members.contains(&bob.id));
}

/// Somebody who is not there: the server says so, or drops the id and the reading back finds out.
#[tokio::test]
async fn an_unknown_member_is_refused_or_does_not_hold() {
    for dropped in [false, true] {
        let hands = Hands::start(Version::OLDEST, Switches { unknown_members_dropped: dropped, ..strict() }).await;
        let team = hands.create_team("Developers", &[], "group-1").await;
        let join = MemberChange { add: ["Users-99".to_owned()].into(), ..MemberChange::default() };
        let error = hands.adapter.change_members(&team, &join).await.unwrap_err();
        assert_eq!(matches!(error, AdapterError::NotHeld(_)), dropped, "{error:?}");
        assert_eq!(matches!(error, AdapterError::Invalid(_)), !dropped, "{error:?}");
    }
}

#[tokio::test]
async fn a_role_with_administrator_rights_makes_its_team_administrative() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let id = hands.create_team("Helpers", &[], "group-1").await;
    let deployers = hands.create_team("Deployers", &[], "group-2").await;
    hands.standin.give_role(&deployers, "userroles-projectdeployer", &["Environments-1"]);
    let administrative = async || {
        let teams = hands.adapter.teams().await.unwrap().seen;
        assert!(teams.iter().any(|team| team.id == deployers && !team.administrative));
        teams.iter().any(|team| team.id == id && team.administrative)
    };
    let (_, cursor) = hands.adapter.changes_since(None).await.unwrap();
    assert!(!administrative().await);
    let role = json!({"UserRoleId": "userroles-systemmanager", "TeamId": id, "SpaceId": "Spaces-1"});
    let (status, answer) = hands.call("POST", "/api/scopeduserroles", Some(role)).await;
    assert_eq!(status, 201, "{answer}");
    // Roles are remembered for a while, but not when the events name one.
    hands.adapter.changes_since(Some(&cursor)).await.unwrap();
    assert!(administrative().await);
    assert!(hands.adapter.team(&id).await.unwrap().unwrap().administrative);
}

/// The permissions that the documentation asks for are enough, and without `ConfigureServer` people still come and go.
#[tokio::test]
async fn the_documented_permissions_are_enough() {
    for (version, configures) in [(Version::OLDEST, true), (Version::OLDEST, false), (Version::new(2025, 4, 1), false)] {
        let hands = Hands::start(version, strict()).await;
        hands.configure(true, "https://odcm.example", "mars", None).await;
        let team = hands.create_team("Developers", &[], "group-1").await;
        let agent = hands.create_account("agent-2", "agent@x.example").await;
        let permissions =
            ["UserView", "UserEdit", "UserInvite", "TeamView", "TeamEdit", "UserRoleView", "SpaceView", "EventView"];
        let role = UserRole {
            id: "UserRoles-1".into(),
            name: "Agent".into(),
            // Those that exist at both levels are needed at both.
            space_permissions: ["TeamView", "TeamEdit", "EventView"].map(Into::into).to_vec(),
            system_permissions: permissions.into_iter().chain(configures.then_some("ConfigureServer")).map(Into::into).collect(),
            ..UserRole::default()
        };
        let staff = hands.create_team("Agents", &[&agent], "group-2").await;
        hands.standin.edit(|state| state.user_roles.insert(role.id.clone(), role));
        hands.standin.give_role(&staff, "UserRoles-1", &[]);
        let key = hands.standin.create_api_key(&agent, "agent");
        let adapter = hands.adapter_with(|config| config.api_key = key);

        let described = adapter.describe().await.unwrap();
        assert_eq!(described.capabilities.contains(&Capability::ClientSecret), configures);
        assert_eq!(adapter.authentication().await.is_ok(), configures);
        let (_, cursor) = adapter.changes_since(None).await.unwrap();
        let bob = adapter.create_account(&bob()).await.unwrap();
        assert_eq!(bob.our_identity_email.as_deref(), Some("bob@x.example"));
        assert!(adapter.accounts().await.unwrap().contains(&bob));
        let teams = adapter.teams().await.unwrap().seen;
        assert!(teams.iter().any(|one| one.id == team) && teams.iter().any(|one| one.inner_space.is_some()));
        let join = MemberChange { add: [bob.id.clone()].into(), ..MemberChange::default() };
        assert!(adapter.change_members(&team, &join).await.unwrap().members.contains(&bob.id));
        hands.standin.create_api_key(&bob.id, "build");
        let keys = adapter.api_keys(&bob.id).await.unwrap();
        adapter.delete_api_key(&bob.id, &keys[0].id).await.unwrap();
        let off = AccountChange { active: Some(false), ..AccountChange::default() };
        assert!(!adapter.change_account(&bob.id, &off).await.unwrap().active);
        adapter.end_sessions(&bob.id).await.unwrap();
        let (changes, _) = adapter.changes_since(Some(&cursor)).await.unwrap();
        assert!(changes.iter().any(|change| change.documents.contains(&bob.id)), "{changes:?}");
    }
}

/// What the push waits for: few requests once the adapter is warm. A new one here is a slower grant for everybody.
#[tokio::test]
async fn a_push_costs_few_requests() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let team = hands.create_team("Developers", &[], "group-1").await;
    let adapter = hands.fresh_adapter();
    adapter.describe().await.unwrap();
    adapter.teams().await.unwrap();
    adapter.accounts().await.unwrap();
    let (_, cursor) = adapter.changes_since(None).await.unwrap();
    let before = std::cell::Cell::new(hands.standin.requests());
    let cost = || hands.standin.requests() - before.replace(hands.standin.requests());
    let bob = adapter.create_account(&bob()).await.unwrap().id;
    assert_eq!(cost(), 3, "is the name free, create, read back");
    let change = MemberChange { add: [bob.clone()].into(), ..MemberChange::default() };
    adapter.change_members(&team, &change).await.unwrap();
    assert_eq!(cost(), 3, "read, write, read back");
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    adapter.change_account(&bob, &off).await.unwrap();
    assert_eq!(cost(), 3, "read, write, read back");
    adapter.end_sessions(&bob).await.unwrap();
    assert_eq!(cost(), 2, "find the link, end");
    adapter.changes_since(Some(&cursor)).await.unwrap();
    adapter.teams().await.unwrap();
    assert_eq!(cost(), 2, "the look every ten seconds");
}

/// More people than fit on a page, and a server that gives smaller pages than asked for.
#[tokio::test]
async fn long_lists_come_whole() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let proxy = proxy::Proxy::start(&hands, proxy::Twist::PagesOf(7)).await;
    for number in 0..40 {
        hands.standin.create_user(&format!("person-{number}"), None, None);
    }
    let direct = hands.adapter.accounts().await.unwrap();
    assert_eq!(direct.len(), 42);
    assert_eq!(proxy.adapter().accounts().await.unwrap(), direct);
}

#[tokio::test]
async fn a_server_below_a_virtual_directory_is_reached() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let proxy = proxy::Proxy::start(&hands, proxy::Twist::Directory("/deploy")).await;
    let adapter = OctopusAdapter::new(OctopusConfig::new(&format!("{}/deploy/", proxy.url), hands.standin.admin_key())).unwrap();
    assert_eq!(adapter.describe().await.unwrap().version, "2022.2.4498");
    let account = adapter.create_account(&bob()).await.unwrap();
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    assert!(!adapter.change_account(&account.id, &off).await.unwrap().active);
    assert!(proxy.paths().iter().all(|path| path.starts_with("/deploy/")), "{:?}", proxy.paths());
}

/// What the events say of service accounts that somebody made; others' accounts and people are not among them.
#[tokio::test]
async fn service_accounts_are_found_by_who_made_them() {
    for version in [Version::OLDEST, Version::new(2025, 4, 100)] {
        let hands = Hands::start(version, strict()).await;
        let make = |name: &str, service: bool| {
            let body = json!({"Username": name, "DisplayName": name, "IsService": service, "IsActive": true});
            let body = if service { body } else { with(body, "Password", json!("Local-passw0rd")) };
            (name.to_owned(), body)
        };
        for (name, body) in [make("robot", true), make("tired", true), make("carol", false)] {
            let (status, answer) = hands.call("POST", "/api/users", Some(body)).await;
            assert_eq!(status, 201, "{name}: {answer}");
        }
        hands.set_active(&hands.standin.user("tired").unwrap().id, false).await;
        let found = hands.adapter.created_service_accounts("Users-1").await.unwrap();
        let names: Vec<&str> = found.iter().map(|account| account.username.as_str()).collect();
        assert_eq!(names, ["robot"]);
        assert_eq!(hands.adapter.created_service_accounts("Users-999").await, Ok(Vec::new()));
    }
}

fn with(mut body: serde_json::Value, key: &str, value: serde_json::Value) -> serde_json::Value {
    body[key] = value;
    body
}

/// Rights through an external group count like those of a member.
#[tokio::test]
async fn teams_through_external_groups_are_found() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let carol = hands.create_account("carol", "carol@x.example").await;
    let team = hands.create_team("Developers", &[&carol], "group-1").await;
    let other = hands.create_team("Others", &[], "group-2").await;
    let teams = hands.adapter.teams_of(&carol).await.unwrap();
    assert!(teams.contains(&team) && !teams.contains(&other), "{teams:?}");
    hands.standin.edit(|state| {
        let groups = ["GROUP-2".to_owned()].into();
        state.external_groups.push(ExternalGroups { user_id: carol.clone(), provider: "Okta".into(), groups });
    });
    let teams = hands.adapter.teams_of(&carol).await.unwrap();
    assert!(teams.contains(&team) && teams.contains(&other), "{teams:?}");
}
