//! ODCM, a whole agent, the Octopus adapter and the stand-in server, over real sockets: what a person loses, and when.

use super::support::*;
use odcm::accounts::{agent_status, spaces};
use odcm::core::ids::{GroupId, SpaceId};
use odcm::testing::Folder;
use odcm_agent::engine::Timing;
use odcm_agent::enrol::{Order, enrol};
use odcm_agent::entropy::SystemEntropy;
use odcm_agent::state::{Folder as StateFolder, State};
use odcm_tests::standins::octopus::{CookieSession, OctopusStandin, StandinConfig, StandinHandle, Version};
use serde_json::{Value, json};
use std::time::Duration;

struct Mars {
    server: Server,
    standin: StandinHandle,
    space: SpaceId,
    http: reqwest::Client,
    folder: Folder,
    agent: tokio::task::JoinHandle<()>,
}

impl Drop for Mars {
    fn drop(&mut self) {
        self.agent.abort();
    }
}

impl Mars {
    async fn start() -> Self {
        let server = Server::reachable(|s| s.push.heartbeat_ms = 200).await;
        let space = server.space("Mars").await;
        let config = StandinConfig { version: Version::new(2025, 4, 1), ..StandinConfig::default() };
        let standin = OctopusStandin::start(config).await.unwrap();
        let at_home = spaces::EditSpace { base_url: Some(standin.url()), ..Default::default() };
        spaces::edit(server.deps(), &admin(), &space, None, at_home).await.unwrap();
        let folder = Folder::new();
        let key_file = folder.path().join("octopus.key");
        std::fs::write(&key_file, standin.admin_key()).unwrap();
        let order = Order {
            url: server.deps().settings.public.origin().into(),
            code: server.code(&space).await,
            octopus_url: standin.url(),
            octopus_public_url: None,
            octopus_key_file: key_file,
            ca_file: None,
            proxy: None,
            octopus_ca_file: None,
            octopus_proxy: None,
            octopus_plain_http: false,
            again: false,
        };
        let mut store = StateFolder::open(&folder.path().join("state")).unwrap();
        let config = odcm_space_plugin::octopus::OctopusConfig::new(&standin.url(), standin.admin_key());
        let adapter = odcm_space_plugin::octopus::OctopusAdapter::new(config).unwrap();
        let enrolled = enrol(&order, &adapter, &SystemEntropy::default(), &mut store).await.unwrap();
        drop(store);
        let mut config = odcm_agent::Config::new(folder.path().join("state"));
        config.timing = Timing { tick: Duration::from_millis(300), retry_first: Duration::from_millis(50), ..Timing::default() };
        let adapter = odcm_agent::cli::octopus(&enrolled).unwrap();
        let agent = tokio::spawn(async move { odcm_agent::run(config, adapter, std::future::pending()).await.unwrap() });
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, standin, space, http, folder, agent }
    }

    /// A team bound to a new granted group, that may deploy to one environment.
    async fn team(&self, name: &str, environment: &str) -> GroupId {
        let group = self.server.group(name).await;
        self.server.grant(&self.space, &group).await;
        let team = self.standin.edit_team(name, |team| {
            // As the stand-in stores it.
            let bound = json!({"id": group.to_string(), "display_name": name, "display_id_and_name": true});
            team.external_groups.push(serde_json::from_value(bound).unwrap());
        });
        self.standin.give_role(&team, "userroles-deploymentcreator", &[environment]);
        group
    }

    async fn status(&self) -> agent_status::SpaceStatus {
        agent_status::status(self.server.deps(), &admin(), &self.space).await.unwrap()
    }

    async fn applied(&self) {
        until("everything wanted is acknowledged", || async {
            let status = self.status().await;
            status.sections.len() == 2 && status.is_applied()
        })
        .await;
    }

    /// A deployment by API key or session: the status.
    async fn deploy(&self, who: &Who, environment: &str) -> u16 {
        let body = json!({"ReleaseId": "Releases-1", "EnvironmentId": environment});
        let request = self.http.post(format!("{}/api/Spaces-1/deployments", self.standin.url())).json(&body);
        let request = match who {
            Who::Key(key) => request.header("X-Octopus-ApiKey", key),
            Who::Session(session) => request.header("Cookie", &session.cookie).header("X-Octopus-Csrf-Token", &session.csrf),
        };
        request.send().await.unwrap().status().as_u16()
    }
}

enum Who {
    Key(String),
    Session(CookieSession),
}

#[tokio::test]
async fn who_loses_one_group_loses_that_permission_and_who_loses_all_is_out() {
    let mars = Mars::start().await;
    let (server, dana) = (&mars.server, mars.server.person("dana").await);
    let (developers, testers) = (mars.team("Developers", "Environments-1").await, mars.team("Testers", "Environments-2").await);
    server.join(&developers, &dana).await;
    server.join(&testers, &dana).await;
    mars.applied().await;
    until("dana may deploy to both", || async {
        mars.standin.can_deploy("dana", "Environments-1") && mars.standin.can_deploy("dana", "Environments-2")
    })
    .await;
    let account = mars.standin.user("dana").unwrap();
    let ways = [Who::Session(mars.standin.open_session(&account.id)), Who::Key(mars.standin.create_api_key(&account.id, "mine"))];
    for who in &ways {
        assert_eq!((mars.deploy(who, "Environments-1").await, mars.deploy(who, "Environments-2").await), (201, 201));
    }

    // One group less: session and key go on, and at once without that team's permission (rules A2).
    server.leave(&developers, &dana).await;
    mars.applied().await;
    for who in &ways {
        assert_eq!((mars.deploy(who, "Environments-1").await, mars.deploy(who, "Environments-2").await), (403, 201));
    }

    // The last grant: inactive, key and session dead (rules A9).
    server.leave(&testers, &dana).await;
    mars.applied().await;
    assert!(!mars.standin.user("dana").unwrap().is_active);
    for who in &ways {
        assert_eq!(mars.deploy(who, "Environments-2").await, 401);
    }
    let left = mars.standin.snapshot();
    assert!(left.sessions.values().all(|session| session.user_id != account.id), "ended, not only refused");
    assert!(left.api_keys.values().all(|key| key.user_id != account.id), "deleted, not only refused");

    // Granted again: the same account, and neither of the old ways in.
    server.join(&testers, &dana).await;
    mars.applied().await;
    let again = mars.standin.user("dana").unwrap();
    assert!(again.is_active && again.id == account.id);
    for who in &ways {
        assert_eq!(mars.deploy(who, "Environments-2").await, 401);
    }
    let fresh = Who::Session(mars.standin.open_session(&account.id));
    assert_eq!((mars.deploy(&fresh, "Environments-1").await, mars.deploy(&fresh, "Environments-2").await), (403, 201));
    let alarms = alarms(server, &mars.space).await;
    assert!(alarms.is_empty(), "{alarms:?}");
}

#[tokio::test]
async fn the_space_proves_its_secret_and_after_a_rotation_the_new_one_while_the_old_is_valid() {
    let mars = Mars::start().await;
    mars.applied().await;
    let proven = |generation: i64| {
        let mars = &mars;
        move || async move {
            let client = odcm::core::ids::ClientId::parse("mars").unwrap();
            let rows = odcm::storage::clients::secrets(&mut &mars.server.deps().db, &client).await.unwrap();
            rows.first().is_some_and(|newest| newest.generation == generation && newest.proven_at.is_some())
        }
    };
    until("the probe came round through the Space's own sign-in", proven(1)).await;
    let secret = || {
        let store = StateFolder::open(&mars.folder.path().join("state")).unwrap();
        State::open(Box::new(store)).unwrap().sign_in.secret.unwrap().value
    };
    let first = secret();
    spaces::rotate_secret(mars.server.deps(), &admin(), &mars.space).await.unwrap();
    until("the new one is proven", proven(2)).await;
    let second = secret();
    assert_ne!(first, second);
    let redeem = async |secret: &str| {
        let form = [("grant_type", "authorization_code"), ("code", "x"), ("client_id", "mars"), ("client_secret", secret)];
        let url = format!("{}/oauth2/token", mars.server.deps().settings.public.origin());
        let answer: Value = mars.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["error"].as_str().unwrap().to_owned()
    };
    // Both authenticate; the code is nobody's.
    assert_eq!((redeem(&first).await.as_str(), redeem(&second).await.as_str()), ("invalid_grant", "invalid_grant"));
    assert_eq!(redeem("a third").await, "invalid_client");
}
