//! A deployment for tests of the portal: owner, administrators of one thing each, people, groups, two Spaces, one of them
//! with an agent, decisions and events.

use crate::visitor::{Answer, Visitor};
use axum::Router;
use odcm::accounts::groups::{NewGroup, create as create_group};
use odcm::accounts::people::{NewPerson, create};
use odcm::accounts::spaces::{NewSpace, enlist};
use odcm::accounts::{grants, links, memberships, rights};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{AgentId, GroupId, PersonId, SpaceId};
use odcm::core::policy::{Actor, Right, Role, Scope};
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::deps::Deps;
use odcm::storage::groups::GroupKind;
use odcm::storage::spaces::OfflinePolicy;
use odcm::storage::{adoption, agents, bindings, reports, sections};
use odcm::testing::TestDeps;
use serde_json::json;

pub const ORIGIN: &str = "https://id.example.com";
pub const PASSWORD: &str = "correct horse battery";

pub struct World {
    pub deps: TestDeps,
    pub router: Router,
    pub bob: PersonId,
    pub carl: PersonId,
    pub developers: GroupId,
    pub staff: GroupId,
    pub mars: SpaceId,
    pub venus: SpaceId,
}

pub fn system() -> Actor {
    Actor::system("test")
}

fn name(text: &str) -> DisplayName {
    DisplayName::parse("name", text).unwrap()
}

pub async fn person(deps: &Deps, username: &str, display_name: &str) -> PersonId {
    let new = NewPerson {
        username: Username::parse(username).unwrap(),
        display_name: name(display_name),
        email: Email::parse(&format!("{username}@example.com")).unwrap(),
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    };
    let id = create(deps, &system(), new).await.unwrap().id;
    let link = links::create(deps, &system(), &id).await.unwrap();
    let phc = deps.hasher.hash(odcm::crypto::password::Lane::Unknown, PASSWORD).await.unwrap();
    links::set_password(deps, &link.secret, &phc, None).await.unwrap();
    id
}

async fn group(deps: &Deps, text: &str, description: &str) -> GroupId {
    let new = NewGroup { name: name(text), description: description.into(), kind: GroupKind::Local };
    create_group(deps, &system(), new).await.unwrap()
}

async fn space(deps: &Deps, text: &str, slug: &str) -> SpaceId {
    let new = NewSpace {
        name: name(text),
        slug: Slug::parse(slug).unwrap(),
        base_url: format!("https://{slug}.example.com"),
        description: format!("Octopus Deploy on {text}."),
        offline_policy: OfflinePolicy::Keep,
        revoke_api_keys: true,
    };
    enlist(deps, &system(), new).await.unwrap()
}

/// Seeds a deployment.
pub async fn world(deps: TestDeps) -> World {
    let ada = person(&deps, "ada", "Ada Owner").await;
    let bob = person(&deps, "bob", "Bob Specialist").await;
    let carl = person(&deps, "carl", "Carl Contractor").await;
    let (gina, sam, olga) = (
        person(&deps, "gina", "Gina Groups").await,
        person(&deps, "sam", "Sam Spaces").await,
        person(&deps, "olga", "Olga Auditor").await,
    );
    let developers = group(&deps, "Developers", "Who writes software and deploys it to Dev.").await;
    let staff = group(&deps, "Staff", "Everybody on the payroll.").await;
    let (mars, venus) = (space(&deps, "Mars", "mars").await, space(&deps, "Venus", "venus").await);
    let always = Span::ALWAYS;
    let until = Span { from: None, until: Some(deps.clock.now().plus_secs(90 * 86_400)) };
    let (p, g) = (|id: &PersonId| Subject::Person(id.clone()), |id: &GroupId| Subject::Group(id.clone()));
    memberships::add(&deps, &system(), &developers, &p(&bob), always).await.unwrap();
    memberships::add(&deps, &system(), &developers, &p(&carl), until).await.unwrap();
    memberships::add(&deps, &system(), &staff, &g(&developers), always).await.unwrap();
    grants::add(&deps, &system(), &mars, &g(&staff), always).await.unwrap();
    grants::add(&deps, &system(), &venus, &p(&carl), until).await.unwrap();
    for (who, role, scope) in [
        (&ada, Role::Owner, Scope::All),
        (&gina, Role::GroupAdmin, Scope::Group(developers.clone())),
        (&sam, Role::SpaceAdmin, Scope::Space(mars.clone())),
        (&olga, Role::Auditor, Scope::All),
    ] {
        rights::give(&deps, &system(), who, &Right { role, scope }, None).await.unwrap();
    }
    agent(&deps, &mars).await;
    decisions(&deps, &mars, &bob, &carl, &developers).await;
    let router = odcm::web::router(&deps, Router::new());
    World { deps, router, bob, carl, developers, staff, mars, venus }
}

async fn agent(deps: &Deps, mars: &SpaceId) {
    let now = deps.clock.now();
    let id = AgentId::from_uuid(deps.entropy.id(now));
    let row = agents::AgentRow {
        id: id.clone(),
        space_id: mars.clone(),
        public_key: vec![7; 32],
        installation_id: "7f3e1c52-octopus".into(),
        base_url: "https://mars.example.com".into(),
        connection_epoch: 0,
        wire_floor: 1,
        server_version: "2026.1.1130".into(),
        agent_version: "0.1.0".into(),
        capabilities: r#"["users","teams","api_keys"]"#.into(),
        created_at: now,
        node: None,
        connected_at: None,
        last_seen_at: None,
        revoked_at: None,
    };
    odcm::run_tx!(deps.db, "test.agent", |tx| agents::insert(tx, &row).await).unwrap();
    let c = agents::Connected {
        node: "n",
        wire: 1,
        server_version: "2026.1.1130",
        agent_version: "0.1.0",
        capabilities: r#"["users","teams","api_keys"]"#,
        now,
    };
    agents::connect(&deps.db, &id, &c).await.unwrap();
    for (section, revision) in [("access", 5), ("authentication", 1)] {
        want(deps, mars, section, revision).await;
        acknowledge(deps, mars, section, revision, 41).await;
    }
}

/// Numbers a revision.
pub async fn want(deps: &Deps, space: &SpaceId, section: &str, revision: i64) {
    let now = deps.clock.now();
    let wanted = sections::Wanted {
        section,
        epoch: 1,
        revision,
        state: "{}",
        state_digest: "d",
        offline_policy: "keep",
        has_removals: true,
        committed_at: now,
        projected_at: now,
    };
    odcm::run_tx!(deps.db, "test.want", |tx| sections::want(tx, space, &wanted).await).unwrap();
    deps.live.ring(space);
}

/// The Space applied it.
pub async fn acknowledge(deps: &Deps, space: &SpaceId, section: &str, revision: i64, ms: i64) {
    let acked = sections::Acked { section, epoch: 1, revision, digest: "d", at: deps.clock.now(), ms };
    odcm::run_tx!(deps.db, "test.ack", |tx| {
        odcm::storage::Tx::exec(tx, odcm::sql!("UPDATE dirty_mark SET projected = counter WHERE space_id = $1"), &[space])
            .await?;
        sections::acknowledge(tx, space, &acked).await
    })
    .unwrap();
    deps.live.ring(space);
}

async fn decisions(deps: &Deps, mars: &SpaceId, bob: &PersonId, carl: &PersonId, developers: &GroupId) {
    let now = deps.clock.now();
    let candidate = |account: &str, username: &str, keys: u32| {
        json!({"person": bob, "account": account, "username": username, "email": "bob@example.com", "display_name": "Robert S.",
            "matched_on": ["email"], "active": true, "may_have_password": true, "api_keys": keys, "identities": ["Okta"],
            "teams": ["Deployers"]})
        .to_string()
    };
    let sweep = json!({"team": "Teams-7", "team_name": "Deployers", "people": [carl]}).to_string();
    let binding = |team: &str, administrative: bool| {
        json!({"team": team, "team_name": if administrative { "Space Managers" } else { "Deployers" }, "inner_space": "Default",
            "group": developers, "administrative": administrative, "managed": !administrative,
            "message": administrative.then_some("The agent's local policy does not allow teams with administrator rights.")})
        .to_string()
    };
    let rows: Vec<_> = [("Teams-7", false), ("Teams-9", true)]
        .map(|(team, administrative)| bindings::BindingRow {
            team_id: team.into(),
            group_key: developers.to_string(),
            binding: binding(team, administrative),
            reported_at: now,
        })
        .into();
    let item = reports::ItemRow {
        section: "access".into(),
        item: format!("person/{carl}"),
        state: "failed".into(),
        message: Some("The server answered 403 when the API key was deleted.".into()),
        residual: r#"["1 API key"]"#.into(),
        updated_at: now,
    };
    odcm::run_tx!(deps.db, "test.decisions", |tx| {
        adoption::put(tx, mars, bob, "Users-21", &candidate("Users-21", "bob", 2), now).await?;
        adoption::put(tx, mars, bob, "Users-33", &candidate("Users-33", "bobby", 0), now).await?;
        adoption::put_sweep(tx, mars, "Teams-7", &sweep, false, now).await?;
        bindings::replace(tx, mars, &rows).await?;
        reports::put_item(tx, mars, &item).await?;
        let drift = json!({"item": "team/Teams-7", "found": "a member too many: carl", "by": "admin", "action": "repaired"});
        reports::add_event(tx, &deps.entropy, mars, now, now, "drift", &drift).await?;
        let alarm = json!({"code": "other_base_url", "message": "The server calls itself by another address."});
        reports::add_event(tx, &deps.entropy, mars, now, now, "alarm", &alarm).await
    })
    .unwrap();
}

impl World {
    /// A browser in which somebody is signed in.
    pub async fn signed_in(&self, username: &str) -> Visitor {
        let mut visitor = Visitor::new(self.router.clone(), ORIGIN);
        let page = visitor.open("/account").await;
        let page = visitor.submit(&page, "/identify", &[("name", username)]).await;
        let page = visitor.submit(&page, "/password", &[("password", PASSWORD)]).await;
        assert!(page.status.is_success(), "{}", page.text);
        visitor
    }
}

/// Whether a page says something, entities aside.
pub fn says(page: &Answer, text: &str) -> bool {
    page.text.replace("&#x27;", "'").replace("&amp;", "&").replace("&#x2f;", "/").contains(text)
}
