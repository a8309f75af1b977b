//! ODCM, a real agent and a Space in memory: grant, revoke, drift, crash, adoption.

use super::support::*;
use odcm::accounts::{agent_status, agents};
use odcm::core::ids::{GroupId, PersonId, SpaceId};
use odcm::storage::links;
use odcm::testing::Folder;
use odcm_agent::engine::Timing;
use odcm_agent::enrol::{Order, enrol};
use odcm_agent::entropy::SystemEntropy;
use odcm_space_plugin::fake::{FakeSpace, LocalAccount};
use odcm_wire::latest::AdoptionDecision;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A Space in memory with its agent, which can be killed and started again.
struct Site {
    space: SpaceId,
    fake: FakeSpace,
    folder: Folder,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Site {
    async fn enrol(server: &Server, space: &SpaceId, fake: FakeSpace) -> Self {
        let folder = Folder::new();
        let key_file = folder.path().join("octopus.key");
        std::fs::write(&key_file, "API-TEST").unwrap();
        let state = folder.path().join("state");
        let order = Order {
            url: server.deps().settings.public.origin().into(),
            code: server.code(space).await,
            octopus_url: "http://mars.localhost:8091".into(),
            octopus_public_url: Some("https://mars.example.com".into()),
            octopus_key_file: key_file,
            ca_file: None,
            proxy: None,
            octopus_ca_file: None,
            octopus_proxy: None,
            octopus_plain_http: false,
            again: false,
        };
        let mut store = odcm_agent::state::Folder::open(&state).unwrap();
        enrol(&order, &fake, &SystemEntropy::default(), &mut store).await.unwrap();
        drop(store);
        let mut site = Self { space: space.clone(), fake, folder, running: None };
        site.start();
        site
    }

    fn start(&mut self) {
        let mut config = odcm_agent::Config::new(self.folder.path().join("state"));
        config.timing = Timing {
            tick: Duration::from_millis(50),
            full: Duration::from_millis(400),
            retry_first: Duration::from_millis(20),
            retry_most: Duration::from_millis(200),
            ..Timing::default()
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let fake = Arc::new(self.fake.clone());
        let task = tokio::spawn(async move {
            let ended = async {
                let _ = stopped.await;
            };
            odcm_agent::run(config, fake, ended).await.unwrap();
        });
        self.running = Some((stop, task));
    }

    /// Without a goodbye, as a power cut.
    async fn kill(&mut self) {
        let (_, task) = self.running.take().unwrap();
        task.abort();
        let _ = task.await;
    }

    async fn status(&self, server: &Server) -> agent_status::SpaceStatus {
        agent_status::status(server.deps(), &admin(), &self.space).await.unwrap()
    }

    async fn converged(&self, server: &Server) {
        until("everything wanted is acknowledged", || async {
            let status = self.status(server).await;
            status.sections.len() == 2 && status.is_applied()
        })
        .await;
    }

    fn member(&self, team: &str, username: &str) -> bool {
        let account = self.fake.find_account(username).map(|a| a.id).unwrap_or_default();
        self.fake.look_at_team(team).unwrap().members.contains(&account)
    }

    fn active(&self, username: &str) -> bool {
        self.fake.find_account(username).is_some_and(|a| a.active)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some((_, task)) = self.running.take() {
            task.abort();
        }
    }
}

struct Story {
    server: Server,
    site: Site,
    group: GroupId,
    dana: PersonId,
    team: String,
}

async fn story() -> Story {
    let server = Server::reachable(|s| s.push.heartbeat_ms = 200).await;
    let space = server.space("Mars").await;
    let group = server.group("Developers").await;
    let dana = server.person("dana").await;
    server.grant(&space, &group).await;
    let fake = FakeSpace::new("installation-mars");
    let team = fake.create_team("Developers", Some("Spaces-1"));
    fake.bind_group(&team, group.as_str(), "Developers").unwrap();
    let site = Site::enrol(&server, &space, fake).await;
    site.converged(&server).await;
    Story { server, site, group, dana, team }
}

#[tokio::test]
async fn a_grant_and_a_revocation_reach_the_space_and_the_page() {
    let Story { server, site, group, dana, team } = story().await;
    server.join(&group, &dana).await;
    site.converged(&server).await;
    assert!(site.member(&team, "dana") && site.active("dana"));
    let account = site.fake.find_account("dana").unwrap();
    assert_eq!(account.email, "dana@example.com");
    let link = links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap().unwrap();
    assert_eq!((link.account_id.as_str(), link.active), (account.id.as_str(), true));
    let access = &site.status(&server).await.sections["access"];
    assert!(access.applied_ms.unwrap() < 5000, "{access:?}");
    site.fake.create_api_key(&account.id, "mine").unwrap();
    site.fake.open_session(&account.id).unwrap();

    server.leave(&group, &dana).await;
    site.converged(&server).await;
    assert!(!site.member(&team, "dana") && !site.active("dana"));
    let stored = site.fake.stored_account(&account.id).unwrap();
    assert!(stored.keys.is_empty() && stored.sessions == 0, "{stored:?}");
    until("the link says so", || async {
        links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap().is_some_and(|l| !l.active)
    })
    .await;
}

#[tokio::test]
async fn a_person_in_two_bound_groups_who_loses_one_loses_that_team() {
    let Story { server, site, group, dana, team } = story().await;
    let operators = server.group("Operators").await;
    server.grant(&site.space, &operators).await;
    let second = site.fake.create_team("Operators", None);
    site.fake.bind_group(&second, &operators.as_str().to_uppercase(), "Operators").unwrap();
    server.join(&group, &dana).await;
    server.join(&operators, &dana).await;
    until("both teams", || async { site.member(&team, "dana") && site.member(&second, "dana") }).await;
    server.leave(&group, &dana).await;
    site.converged(&server).await;
    assert!(!site.member(&team, "dana") && site.member(&second, "dana") && site.active("dana"));
    let bindings = agent_status::bindings(server.deps(), &admin(), &site.space).await.unwrap();
    let names: Vec<_> = bindings.iter().filter_map(|b| b.group_name.as_deref()).collect();
    assert_eq!(names.len(), 2, "{bindings:?}");
}

#[tokio::test]
async fn an_agent_that_was_killed_catches_up_and_the_page_tells_the_truth_meanwhile() {
    let Story { server, mut site, group, dana, team } = story().await;
    let erin = server.person("erin").await;
    server.join(&group, &erin).await;
    site.converged(&server).await;
    site.kill().await;
    until("it is offline", || async { !site.status(&server).await.agent.unwrap().connected }).await;
    server.join(&group, &dana).await;
    server.leave(&group, &erin).await;
    // Somebody uses the time to edit the team.
    let outsider = site.fake.find_account("erin").unwrap().id;
    until("the change is numbered", || async {
        let status = site.status(&server).await;
        !status.marked && status.sections["access"].pending
    })
    .await;
    assert!(site.status(&server).await.agent.unwrap().since.is_some());
    assert!(site.member(&team, "erin"), "nothing happens without the agent");
    site.fake.remove_local_member(&team, &outsider).unwrap();
    site.fake.add_local_member(&team, &outsider).unwrap();
    site.start();
    site.converged(&server).await;
    assert!(site.member(&team, "dana") && !site.member(&team, "erin") && !site.active("erin"));
}

#[tokio::test]
async fn drift_is_found_repaired_and_reported_and_a_local_no_is_respected() {
    let Story { server, site, group, dana, team } = story().await;
    server.join(&group, &dana).await;
    site.converged(&server).await;
    let account = site.fake.find_account("dana").unwrap().id;
    site.fake.remove_local_member(&team, &account).unwrap();
    until("it is repaired", || async { site.member(&team, "dana") }).await;
    until("it is reported", || async {
        let events = agent_status::events(server.deps(), &admin(), &site.space, 50).await.unwrap();
        events.iter().any(|e| e.kind == "drift" && e.detail["action"] == "repaired")
    })
    .await;
    site.fake.set_local_active(&account, false).unwrap();
    until("the link says that the Space said no", || async {
        links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap().is_some_and(|l| l.locally_disabled)
    })
    .await;
    assert!(!site.active("dana"));
}

#[tokio::test]
async fn a_crash_in_the_middle_loses_nothing() {
    let Story { server, mut site, group, dana, team } = story().await;
    site.fake.lose_answers_of(
        "create_account",
        1,
        odcm_space_plugin::AdapterError::Unavailable { message: "cut".into(), retry_after_ms: None },
    );
    server.join(&group, &dana).await;
    until("the account was made and nobody heard of it", || async { site.fake.calls_of("create_account") >= 1 }).await;
    site.kill().await;
    site.fake.heal();
    site.start();
    site.converged(&server).await;
    until("the membership", || async { site.member(&team, "dana") && site.active("dana") }).await;
    let account = site.fake.find_account("dana").unwrap().id;
    until("the account that was made is the one that is linked", || async {
        let link = links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap();
        link.is_some_and(|l| l.account_id == account)
    })
    .await;
}

#[tokio::test]
async fn people_who_were_there_before_are_matched_by_decision_only() {
    let Story { server, site, group, dana, team } = story().await;
    let old = site.fake.create_local_account(LocalAccount::person("dana.old", "Dana@example.com"));
    server.join(&group, &dana).await;
    until("the candidate is listed", || async {
        !agents::adoptions(server.deps(), &admin(), &site.space).await.unwrap().is_empty()
    })
    .await;
    assert!(!site.fake.look_at_team(&team).unwrap().members.contains(&old), "nobody is matched silently");
    assert_eq!(links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap(), None);
    let adopt = AdoptionDecision::Adopt {
        account: old.clone(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: true,
    };
    agents::decide_adoption(server.deps(), &admin(), &site.space, &dana, &adopt).await.unwrap();
    until("the old account is the person's", || async {
        let link = links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap();
        link.is_some_and(|l| l.account_id == old) && site.fake.look_at_team(&team).unwrap().members.contains(&old)
    })
    .await;
    let done = agents::adoptions(server.deps(), &admin(), &site.space).await.unwrap();
    assert!(done.iter().all(|a| a.done), "{done:?}");
}

#[tokio::test]
async fn the_agent_makes_the_client_secret_and_is_asked_to_prove_it() {
    let Story { server, site, .. } = story().await;
    until("the hash is stored", || async { site.status(&server).await.secret.made > 0 }).await;
    until("a probe reached the Space", || async { !site.fake.probes().is_empty() }).await;
    let secret = site.fake.client_secret().unwrap();
    let rows: Vec<(Vec<u8>,)> = server.deps().db.all(query!("SELECT hash FROM client_secret"), &[]).await.unwrap();
    assert!(rows.iter().any(|(hash,)| *hash == odcm_wire::Digest::of(secret.as_bytes()).as_bytes()));
}

/// The host of the agent is lost. Another one is enrolled beside the same Octopus server, with an empty folder.
#[tokio::test]
async fn an_agent_enrolled_anew_keeps_hold_of_the_accounts() {
    let Story { server, mut site, group, dana, team } = story().await;
    let erin = server.person("erin").await;
    let fay = server.person("fay").await;
    for person in [&dana, &erin, &fay] {
        server.join(&group, person).await;
    }
    site.converged(&server).await;
    until("the links are stored", || async {
        links::of_space(&mut &server.deps().db, &site.space, "", 10).await.unwrap().iter().filter(|l| l.active).count() == 3
    })
    .await;
    let erins = site.fake.find_account("erin").unwrap().id;
    site.fake.create_api_key(&erins, "script").unwrap();
    site.kill().await;
    until("it is offline", || async { !site.status(&server).await.agent.unwrap().connected }).await;
    server.leave(&group, &erin).await;
    // What the former agent could not hear either: an account lost its sign-in through ODCM, another one is gone.
    let fays = site.fake.find_account("fay").unwrap().id;
    site.fake.delete_account(&fays).unwrap();
    let site = Site::enrol(&server, &site.space, site.fake.clone()).await;
    site.converged(&server).await;
    let stored = site.fake.stored_account(&erins).unwrap();
    assert!(!stored.active && stored.keys.is_empty(), "revoked while nobody was there: {stored:?}");
    assert!(site.member(&team, "dana") && !site.member(&team, "erin"));
    assert!(site.fake.find_account("dana-2").is_none(), "the account is taken over");
    until("nobody waits for a decision", || async {
        agents::adoptions(server.deps(), &admin(), &site.space).await.unwrap().is_empty()
    })
    .await;
    until("a person whose account is gone has another one", || async {
        let link = links::find(&mut &server.deps().db, &site.space, &fay).await.unwrap();
        link.is_some_and(|l| l.account_id != fays && l.active)
    })
    .await;
    server.leave(&group, &dana).await;
    site.converged(&server).await;
    assert!(!site.active("dana") && !site.member(&team, "dana"));
}

/// A link of an earlier agent must not stand in the way of the decision that the Space now needs.
#[tokio::test]
async fn an_account_that_cannot_be_inherited_can_be_adopted() {
    let Story { server, mut site, group, dana, .. } = story().await;
    server.join(&group, &dana).await;
    site.converged(&server).await;
    until("the link is stored", || async { links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap().is_some() })
        .await;
    site.kill().await;
    let old = site.fake.find_account("dana").unwrap().id;
    site.fake.delete_account(&old).unwrap();
    let another = site.fake.create_local_account(LocalAccount::person("dana", "dana@example.com"));
    let site = Site::enrol(&server, &site.space, site.fake.clone()).await;
    until("the candidate is listed", || async {
        let list = agents::adoptions(server.deps(), &admin(), &site.space).await.unwrap();
        list.iter().any(|a| !a.done && a.candidates.iter().any(|c| c.account == another))
    })
    .await;
    let adopt = AdoptionDecision::Adopt {
        account: another.clone(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: true,
    };
    agents::decide_adoption(server.deps(), &admin(), &site.space, &dana, &adopt).await.unwrap();
    until("the account is the person's", || async {
        let link = links::find(&mut &server.deps().db, &site.space, &dana).await.unwrap();
        link.is_some_and(|l| l.account_id == another)
    })
    .await;
}

#[tokio::test]
async fn the_client_secret_is_rotated_and_two_are_valid_meanwhile() {
    use odcm::accounts::{Error, clients, spaces};
    use odcm::core::ids::ClientId;
    let Story { server, site, .. } = story().await;
    let first = site.fake.client_secret().unwrap();
    // The stand-in for the probe: the Space is in memory, so its token request is played here.
    spaces::rotate_secret(server.deps(), &admin(), &site.space).await.unwrap();
    let again = spaces::rotate_secret(server.deps(), &admin(), &site.space).await;
    assert!(matches!(&again, Err(Error::Refused(why)) if why.code == "space.rotating"), "{again:?}");
    until("another secret is in the Space", || async { site.fake.client_secret().unwrap() != first }).await;
    site.converged(&server).await;
    let second = site.fake.client_secret().unwrap();
    let client = ClientId::parse("mars").unwrap();
    let hash = |secret: &str| odcm_wire::Digest::of(secret.as_bytes()).as_bytes().to_vec();
    let now = server.deps().clock.now();
    let at = async |when| odcm::storage::clients::with_secrets(&mut &server.deps().db, &client, when).await.unwrap().unwrap().1;
    let valid = at(now).await;
    assert!(valid.contains(&hash(&first)) && valid.contains(&hash(&second)) && valid.len() == 2);
    assert_eq!(at(now.plus_secs(8 * 86_400)).await, [hash(&second)], "the one before ends after a week");
    // A third one pushes the first out: no more than two are ever valid.
    spaces::rotate_secret(server.deps(), &admin(), &site.space).await.unwrap();
    until("the third is in the Space", || async { site.fake.client_secret().unwrap() != second }).await;
    site.converged(&server).await;
    let third = site.fake.client_secret().unwrap();
    let valid = at(server.deps().clock.now()).await;
    assert!(valid.contains(&hash(&third)) && valid.contains(&hash(&second)) && valid.len() == 2);
    let (_, _, rows) = clients::view(server.deps(), &admin(), &client).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.generation).collect::<Vec<_>>(), [3, 2]);
    let nobody = odcm::core::policy::Actor { rights: Vec::new(), ..admin() };
    assert!(spaces::rotate_secret(server.deps(), &nobody, &site.space).await.is_err());
}
