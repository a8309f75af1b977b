//! The storage conformance suite: every test runs on SQLite and on PostgreSQL. `cargo test -p odcm-tests --test it storage`.
//! `tests/mutations/storage.toml` lists what these tests must notice.

mod about_failover;
mod about_grants;
mod about_groups;
mod about_lists;
mod about_people;
mod about_sign_ins;
mod model;
mod races;
mod statements;

use odcm::accounts::{self, Error, groups, people, rights, spaces};
use odcm::core::client::{ClientKind, ClientSettings};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{ClientId, GroupId, PersonId, SessionId, SpaceId};
use odcm::core::policy::{Actor, Right, Role, Scope, Via};
use odcm::core::refusal::RefusalKind;
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::storage::groups::GroupKind;
use odcm::storage::spaces::OfflinePolicy;
use odcm::storage::{self, Db};
use odcm::testing::{Folder, TestDeps, deps_over};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes two tests of each `async fn(TestDeps)`.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() { super::$name(crate::storage::sqlite().await).await }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(deps) = crate::storage::postgres().await { super::$name(deps).await }
            }
        }
    )*};
}
use on_both;

pub async fn sqlite() -> TestDeps {
    let folder = Arc::new(Folder::new());
    let mut options = storage::ConnectOptions::new(format!("sqlite:{}", folder.path().join("odcm.db").display()));
    options.wait = std::time::Duration::from_secs(60);
    let db = Db::connect(&options).await.unwrap();
    db.migrate().await.unwrap();
    deps_over(db, folder, |_| {}).await
}

pub async fn postgres() -> Option<TestDeps> {
    let db = odcm_tests::harness::postgres::database().await?;
    Some(deps_over(db, Arc::new(Folder::new()), |_| {}).await)
}

/// An actor who may do everything.
pub fn root() -> Actor {
    Actor { via: Via::Host, ..Actor::system("test") }
}

pub fn new_person(name: &str) -> people::NewPerson {
    people::NewPerson {
        username: Username::parse(name).unwrap(),
        display_name: DisplayName::parse("display_name", name).unwrap(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    }
}

pub async fn person(deps: &TestDeps, name: &str) -> PersonId {
    people::create(deps, &root(), new_person(name)).await.unwrap().id
}

pub async fn group(deps: &TestDeps, name: &str) -> GroupId {
    let name = DisplayName::parse("name", name).unwrap();
    groups::create(deps, &root(), groups::NewGroup { name, description: String::new(), kind: GroupKind::Local }).await.unwrap()
}

pub fn new_space(name: &str) -> spaces::NewSpace {
    spaces::NewSpace {
        name: DisplayName::parse("name", name).unwrap(),
        slug: Slug::parse(name).unwrap(),
        base_url: format!("https://{name}.example.com/"),
        description: String::new(),
        offline_policy: OfflinePolicy::Keep,
        revoke_api_keys: true,
    }
}

pub async fn space(deps: &TestDeps, name: &str) -> SpaceId {
    spaces::enlist(deps, &root(), new_space(name)).await.unwrap()
}

pub async fn join(deps: &TestDeps, group: &GroupId, member: Subject) {
    accounts::memberships::add(deps, &root(), group, &member, Span::ALWAYS).await.unwrap();
}

pub async fn grant(deps: &TestDeps, space: &SpaceId, to: Subject) -> odcm::core::ids::GrantId {
    accounts::grants::add(deps, &root(), space, &to, Span::ALWAYS).await.unwrap()
}

pub fn p(id: &PersonId) -> Subject {
    Subject::Person(id.clone())
}

pub fn g(id: &GroupId) -> Subject {
    Subject::Group(id.clone())
}

/// An owner with a local password, as `core::policy::lockout` wants one.
pub async fn owner(deps: &TestDeps, name: &str) -> (PersonId, Actor) {
    let id = person(deps, name).await;
    password(deps, &id).await;
    let right = Right { role: Role::Owner, scope: Scope::All };
    rights::give(deps, &root(), &id, &right, None).await.unwrap();
    let actor = actor(deps, &id).await;
    (id, actor)
}

pub async fn actor(deps: &TestDeps, id: &PersonId) -> Actor {
    accounts::actor_for_person(&mut &deps.db, id, Via::Session, deps.clock.now()).await.unwrap().unwrap()
}

pub async fn password(deps: &TestDeps, id: &PersonId) {
    let link = accounts::links::create(deps, &root(), id).await.unwrap();
    accounts::links::set_password(deps, &link.secret, "$argon2id$test", None).await.unwrap();
}

/// Dirty marks: how often each Space was marked.
pub async fn marks(deps: &TestDeps) -> BTreeMap<SpaceId, i64> {
    let ids: Vec<SpaceId> =
        storage::spaces::page(&mut &deps.db, None, None, 1000).await.unwrap().items.into_iter().map(|s| s.id).collect();
    let read: storage::Result<BTreeMap<SpaceId, i64>> = odcm::run_tx!(deps.db, "test.marks", |tx| {
        let mut found = BTreeMap::new();
        for id in &ids {
            if let Some((counter, _, _)) = storage::marks::read(tx, id).await? {
                found.insert(id.clone(), counter);
            }
        }
        Ok(found)
    });
    read.unwrap()
}

/// The Spaces that were marked by what `work` does.
pub async fn marked<T>(deps: &TestDeps, work: impl Future<Output = T>) -> (T, Vec<SpaceId>) {
    let before = marks(deps).await;
    let done = work.await;
    let after = marks(deps).await;
    (done, after.into_iter().filter(|(id, n)| before.get(id) != Some(n)).map(|(id, _)| id).collect())
}

pub async fn audit(deps: &TestDeps) -> Vec<storage::audit::Line> {
    storage::audit::page(&mut &deps.db, &storage::audit::Filter::default(), None, 10_000).await.unwrap().items
}

pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> (RefusalKind, &'static str) {
    match result {
        Err(Error::Refused(refusal)) => (refusal.kind, refusal.code),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// A sign-in session row, a code and a token family of a person at a client, as the protocol rooms store them.
pub async fn holds(deps: &TestDeps, person: &PersonId, client: &str) -> Held {
    let now = deps.clock.now();
    let session = SessionId::from_uuid(deps.entropy.id(now));
    let client = ClientId::parse(client).unwrap();
    let held = Held { person: person.clone(), client, session };
    held.insert(deps).await;
    held
}

pub struct Held {
    pub person: PersonId,
    pub client: ClientId,
    pub session: SessionId,
}

impl Held {
    async fn insert(&self, deps: &TestDeps) {
        let now = deps.clock.now();
        let end = now.plus_secs(3600);
        let hash = deps.entropy.bytes::<32>().to_vec();
        let code = self.code_hash();
        let family = self.session.to_string();
        let done: storage::Result<()> = odcm::run_tx!(deps.db, "test.hold", |tx| {
            tx.one(
                "session",
                odcm::sql!(
                    "INSERT INTO session (id, hash, person_id, authentications, created_at, last_seen_at, expires_at) VALUES ($1, $2, $3, '[]', $4, $4, $5)"
                ),
                &[&self.session, &hash, &self.person, &now, &end],
            )
            .await?;
            tx.one(
                "code",
                odcm::sql!(
                    "INSERT INTO auth_code (hash, client_id, person_id, session_id, family, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, '{}', $6, $7)"
                ),
                &[&code, &self.client, &self.person, &self.session, &family, &now, &end],
            )
            .await?;
            tx.one(
                "family",
                odcm::sql!(
                    "INSERT INTO token_family (id, client_id, person_id, session_id, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, 'openid', $5, $6)"
                ),
                &[&family, &self.client, &self.person, &self.session, &now, &end],
            )
            .await
        });
        done.unwrap();
    }

    fn code_hash(&self) -> Vec<u8> {
        self.session.to_string().into_bytes()
    }

    /// Whether session, code and family are alive.
    pub async fn alive(&self, deps: &TestDeps) -> (bool, bool, bool) {
        let one = |row: Option<(i64,)>| row.is_some_and(|(n,)| n == 1);
        let (db, family, code) = (&deps.db, self.session.to_string(), self.code_hash());
        let sessions = odcm::sql!("SELECT COUNT(*) AS n FROM session WHERE id = $1 AND ended_at IS NULL");
        let codes = odcm::sql!("SELECT COUNT(*) AS n FROM auth_code WHERE hash = $1");
        let families = odcm::sql!("SELECT COUNT(*) AS n FROM token_family WHERE id = $1 AND revoked_at IS NULL");
        (
            one(db.opt(sessions, &[&self.session]).await.unwrap()),
            one(db.opt(codes, &[&code]).await.unwrap()),
            one(db.opt(families, &[&family]).await.unwrap()),
        )
    }
}

/// A client that is no Space, restricted to groups if any are given.
pub async fn client(deps: &TestDeps, id: &str, groups: &[GroupId]) {
    let now = deps.clock.now();
    let client = ClientId::parse(id).unwrap();
    let settings = ClientSettings::for_application(&ClientKind::Confidential, vec!["https://app.example.com/cb".into()]);
    let settings = serde_json::to_string(&settings).unwrap();
    let done: storage::Result<()> = odcm::run_tx!(deps.db, "test.client", |tx| {
        tx.one(
            "client",
            odcm::sql!(
                "INSERT INTO client (id, kind, name, settings, enabled, created_at, updated_at, version) VALUES ($1, 'confidential', 'App', $3, TRUE, $2, $2, 1)"
            ),
            &[&client, &now, &settings],
        )
        .await?;
        for group in groups {
            let sql = odcm::sql!("INSERT INTO client_group (client_id, group_id) VALUES ($1, $2)");
            tx.one("client group", sql, &[&client, group]).await?;
        }
        Ok(())
    });
    done.unwrap();
}
