//! A server with a client, a fake upstream provider and people, for the tests of sign-in and its pages.

use crate::visitor::{Answer, Visitor};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use odcm::accounts::links;
use odcm::accounts::people::{NewPerson, create};
use odcm::connectors::{Departure, Error as ConnectorError, Identity, Redirect};
use odcm::core::ids::{ClientId, PersonId};
use odcm::core::joining::Said;
use odcm::core::policy::Actor;
use odcm::core::provider::{Creation, OidcSettings, Provider, Settings};
use odcm::core::text::{DisplayName, Email, Username};
use odcm::deps::Deps;
use odcm::http::Ctx;
use odcm::login::{self, Client, ConsentRule, Demand, Outcome};
use odcm::storage::J;
use odcm::testing::{TestDeps, deps_with};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const ORIGIN: &str = "https://id.example.com";
pub const PASSWORD: &str = "correct horse battery";

/// A provider that believes what the browser says.
pub struct Fake(Provider);

impl Fake {
    fn new() -> Self {
        Self(Provider {
            id: "contoso".into(),
            name: "Contoso".into(),
            settings: Settings::Oidc(OidcSettings::default()),
            domains: ["contoso.com".to_owned()].into(),
            creation: Creation::Nobody,
            authoritative: false,
            enabled: true,
            version: 1,
        })
    }
}

#[async_trait::async_trait]
impl Redirect for Fake {
    fn provider(&self) -> &Provider {
        &self.0
    }
    async fn depart(&self, _: &Deps, state: &str, callback: &str, hint: Option<&str>) -> Result<Departure, ConnectorError> {
        let to = format!("https://login.contoso.com/?state={state}&callback={callback}&hint={}", hint.unwrap_or(""));
        Ok(Departure { to, memory: serde_json::json!({ "nonce": "n" }) })
    }
    async fn arrive(&self, _: &Deps, memory: &Value, query: &BTreeMap<String, String>) -> Result<Identity, ConnectorError> {
        assert_eq!(memory["nonce"], "n");
        match query.get("subject") {
            Some(subject) => Ok(Identity {
                provider: "contoso".into(),
                subject: subject.clone(),
                label: subject.clone(),
                password_set_at: None,
                said: Said::default(),
            }),
            None => Err(ConnectorError::Denied("no subject".into())),
        }
    }
}

/// A protocol of the tests: begins a flow with the demand in the query and says what came of it.
pub fn protocol() -> Router<Deps> {
    async fn begin(State(deps): State<Deps>, ctx: Ctx, Query(q): Query<BTreeMap<String, String>>) -> axum::response::Response {
        let flag = |name: &str| q.contains_key(name);
        let demand = Demand {
            request: serde_json::json!({ "state": "xyz" }),
            client: Some(Client { id: ClientId::parse("wiki").unwrap(), name: "Wiki".into() }),
            redirect_origin: Some("https://wiki.example.com".into()),
            login: flag("login"),
            select_account: flag("select"),
            max_age_s: q.get("max_age").map(|s| s.parse().unwrap()),
            login_hint: q.get("hint").cloned(),
            domain_hint: q.get("domain").cloned(),
            expected: q.get("expected").map(|id| PersonId::parse(id).unwrap()),
            consent: match q.get("consent").map(String::as_str) {
                Some("always") => ConsentRule::Always,
                Some(_) => ConsentRule::Remembered,
                None => ConsentRule::Skip,
            },
            scopes: vec!["openid".into(), "email".into()],
            ..Demand::to("/protocol/resume")
        };
        login::begin(&deps, &ctx, demand).await
    }
    async fn resume(State(deps): State<Deps>, ctx: Ctx, Query(q): Query<BTreeMap<String, String>>) -> String {
        match login::finished(&deps, &ctx, &q["flow"]).await.unwrap() {
            Some(done) => match done.outcome {
                Outcome::Granted(s) => format!("granted {} {} {}", s.username, s.amr().join("+"), done.demand.request["state"]),
                Outcome::Denied => "denied".into(),
            },
            None => "nothing".into(),
        }
    }
    Router::new().route("/protocol", get(begin)).route("/protocol/resume", get(resume))
}

pub struct World {
    pub deps: TestDeps,
    pub router: Router,
    pub bob: PersonId,
}

pub async fn world() -> World {
    let TestDeps { deps, hand, folder } = deps_with(|_| {}).await;
    let registry = odcm::connectors::Registry::default().with(Arc::new(Fake::new()));
    let deps = TestDeps { deps: deps.with(|inner| inner.connectors = registry), hand, folder };
    let router = login::routes().merge(odcm::pages::routes()).merge(protocol()).with_state(deps.deps.clone());
    let bob = person(&deps, "bob", "Bob Specialist").await;
    set_password(&deps, &bob, PASSWORD).await;
    let settings = odcm::sql!(
        "INSERT INTO client (id, kind, space_id, name, settings, enabled, created_at, updated_at, version) VALUES ('wiki', 'confidential', NULL, 'Wiki', $1, TRUE, 0, 0, 1)"
    );
    deps.db.exec(settings, &[&J(serde_json::json!({}))]).await.unwrap();
    World { deps, router, bob }
}

pub async fn person(deps: &Deps, username: &str, name: &str) -> PersonId {
    let new = NewPerson {
        username: Username::parse(username).unwrap(),
        display_name: DisplayName::parse("name", name).unwrap(),
        email: Email::parse(&format!("{username}@example.com")).unwrap(),
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    };
    create(deps, &Actor::system("test"), new).await.unwrap().id
}

pub async fn set_password(deps: &Deps, person: &PersonId, password: &str) {
    let link = links::create(deps, &Actor::system("test"), person).await.unwrap();
    let phc = deps.hasher.hash(odcm::crypto::password::Lane::Unknown, password).await.unwrap();
    links::set_password(deps, &link.secret, &phc, None).await.unwrap();
}

impl World {
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.router.clone(), ORIGIN)
    }
    pub async fn sign_in(&self, visitor: &mut Visitor, from: &str, name: &str, password: &str) -> Answer {
        let page = visitor.open(from).await;
        let page = visitor.submit(&page, "/identify", &[("name", name)]).await;
        visitor.submit(&page, "/password", &[("password", password)]).await
    }
}
