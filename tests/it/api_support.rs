//! A world for the tests of the JSON API: an owner, callers of every kind, and one good example of every operation.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use odcm::accounts::identities::{self, NewIdentity};
use odcm::accounts::{api_tokens, clients, emails, grants, groups, memberships, merging, people, providers, rights, spaces};
use odcm::core::client::{ClientKind, ClientSettings};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{ClientId, GrantId, GroupId, PersonId, SessionId, SpaceId};
use odcm::core::policy::{Actor, Right, Role, Scope, TokenScopes, Via};
use odcm::core::provider::{Creation, OidcSettings, Provider, Settings};
use odcm::core::session::{Authentication, Method, Session};
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::storage::groups::GroupKind;
use odcm::storage::spaces::OfflinePolicy;
use odcm::storage::{consent, sessions};
use odcm::testing::{TestDeps, deps};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use tower::ServiceExt;

/// An answer of the API; every answer is checked in [`World::call`].
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
    pub fn id(&self) -> String {
        self.json["id"].as_str().unwrap().to_owned()
    }
}

/// One good request of an operation, and what an owner gets for it.
pub struct Example {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Option<Value>,
    pub status: u16,
}

/// One operation of the document.
#[derive(Clone)]
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
    pub value: Value,
}

impl Operation {
    /// Whether it has that parameter.
    pub fn parameter(&self, name: &str) -> bool {
        self.value["parameters"].as_array().is_some_and(|list| list.iter().any(|p| p["name"] == name))
    }
}

pub struct World {
    pub deps: TestDeps,
    pub router: Router,
    /// An owner who may write, the same owner read-only, and somebody without any right who may write.
    pub owner: String,
    pub reader: String,
    pub nobody: String,
    pub owner_id: PersonId,
    pub document: Value,
    count: AtomicU32,
}

pub fn host() -> Actor {
    Actor { via: Via::Host, ..Actor::system("test") }
}

fn provider_body() -> Value {
    json!({
        "name": "Solar Okta", "secret": "s3cret", "enabled": true, "domains": ["solar.test"],
        "creation": {"who": "domains", "domains": ["solar.test"]},
        "settings": {
            "kind": "oidc", "profile": "okta", "issuer": "https://solar.okta.test", "client_id": "odcm",
            "client_auth": "client_secret_post", "scopes": ["profile"],
        },
    })
}

impl World {
    pub async fn new() -> Self {
        Self::over(deps().await).await
    }

    pub async fn over(deps: TestDeps) -> Self {
        let router = odcm::web::router(&deps, Router::new());
        let count = AtomicU32::new(0);
        let none = || String::new();
        let owner_id = PersonId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        let mut world =
            Self { deps, router, owner: none(), reader: none(), nobody: none(), owner_id, document: Value::Null, count };
        world.owner_id = world.person().await;
        world.right(&world.owner_id, Role::Owner, Scope::All).await;
        world.owner = world.token(&world.owner_id, true).await;
        world.reader = world.token(&world.owner_id, false).await;
        let nobody = world.person().await;
        world.nobody = world.token(&nobody, true).await;
        world.document = world.call("GET", "/api/v1/openapi.json", "", None).await.json;
        world
    }

    fn next(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
    pub async fn person(&self) -> PersonId {
        let name = format!("person{}", self.next());
        let new = people::NewPerson {
            username: Username::parse(&name).unwrap(),
            display_name: DisplayName::parse("display_name", &name).unwrap(),
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            email_verified: true,
            reuse_former_names: false,
            password_link: false,
        };
        people::create(&self.deps, &host(), new).await.unwrap().id
    }
    pub async fn group(&self) -> GroupId {
        let name = DisplayName::parse("name", &format!("Group {}", self.next())).unwrap();
        let new = groups::NewGroup { name, description: String::new(), kind: GroupKind::Local };
        groups::create(&self.deps, &host(), new).await.unwrap()
    }
    pub async fn space(&self) -> SpaceId {
        let slug = format!("space{}", self.next());
        let new = spaces::NewSpace {
            name: DisplayName::parse("name", &slug).unwrap(),
            slug: Slug::parse(&slug).unwrap(),
            base_url: format!("https://{slug}.example.com"),
            description: String::new(),
            offline_policy: OfflinePolicy::Keep,
            revoke_api_keys: true,
        };
        spaces::enlist(&self.deps, &host(), new).await.unwrap()
    }
    pub async fn grant(&self) -> (GrantId, SpaceId, PersonId) {
        let (space, person) = (self.space().await, self.person().await);
        let subject = Subject::Person(person.clone());
        (grants::add(&self.deps, &host(), &space, &subject, Span::ALWAYS).await.unwrap(), space, person)
    }
    pub async fn member(&self) -> (GroupId, PersonId) {
        let (group, person) = (self.group().await, self.person().await);
        memberships::add(&self.deps, &host(), &group, &Subject::Person(person.clone()), Span::ALWAYS).await.unwrap();
        (group, person)
    }
    pub async fn client(&self) -> ClientId {
        let id = ClientId::parse(&format!("client{}", self.next())).unwrap();
        let kind = ClientKind::Confidential;
        let settings = ClientSettings::for_application(&kind, vec!["https://app.example.com/cb".into()]);
        let new =
            clients::NewClient { id: Some(id.clone()), kind, name: "Application".into(), settings, groups: Default::default() };
        clients::create(&self.deps, &host(), new).await.unwrap();
        id
    }
    pub async fn provider(&self) -> String {
        let id = format!("idp{}", self.next());
        // nothing listens there
        let settings = Settings::Oidc(OidcSettings {
            issuer: "https://127.0.0.1:9".into(),
            client_id: "odcm".into(),
            ..OidcSettings::default()
        });
        let provider = Provider {
            id: id.clone(),
            name: "Solar Okta".into(),
            settings,
            domains: [].into(),
            creation: Creation::Nobody,
            authoritative: false,
            enabled: true,
            version: 1,
        };
        providers::create(&self.deps, &host(), &provider, Some("s3cret")).await.unwrap();
        id
    }
    pub async fn right(&self, person: &PersonId, role: Role, scope: Scope) -> String {
        rights::give(&self.deps, &host(), person, &Right { role, scope }, None).await.unwrap().to_string()
    }
    pub async fn token(&self, person: &PersonId, write: bool) -> String {
        self.token_with_id(person, write).await.0
    }
    pub async fn token_with_id(&self, person: &PersonId, write: bool) -> (String, String) {
        let name = DisplayName::parse("name", "test").unwrap();
        let made = api_tokens::create(&self.deps, &host(), person, &name, TokenScopes { write }, 86_400).await.unwrap();
        (made.secret, made.id.to_string())
    }

    /// A live session of a person.
    pub async fn session(&self, person: &PersonId) -> SessionId {
        let now = self.deps.clock.now();
        let id = SessionId::from_uuid(self.deps.entropy.id(now));
        let session = Session {
            id: id.clone(),
            person: person.clone(),
            display_name: String::new(),
            username: String::new(),
            authentications: vec![Authentication { method: Method::Password, at: now, identity: None }],
            created_at: now,
            last_seen_at: now,
            expires_at: now.plus_secs(3600),
        };
        let origin = sessions::Origin { address: Some("192.0.2.7".into()), user_agent: Some("curl/8".into()) };
        let hash = self.deps.entropy.bytes::<32>();
        odcm::run_tx!(self.deps.db, "test.session", |tx| sessions::insert(tx, &session, &hash, &origin).await).unwrap();
        id
    }

    /// All operations of the document.
    pub fn operations(&self) -> Vec<Operation> {
        let mut out = Vec::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, value) in item.as_object().unwrap() {
                let id = value["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId")).to_owned();
                out.push(Operation { id, method: method.to_uppercase(), path: path.clone(), value: value.clone() });
            }
        }
        assert!(out.len() > 40, "the document has only {} operations", out.len());
        out
    }

    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![];
        if !token.is_empty() {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        self.send(method, path, &headers, body.map(|b| b.to_string()).unwrap_or_default()).await
    }

    /// Sends a request and checks what every answer must be: a problem when it is an error, with the headers of all answers.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 8 << 20).await.unwrap().to_vec()).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text, json };
        let what = format!("{method} {path}: {} {}", answer.status, answer.text);
        assert!(answer.status < 500, "{what}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{what}");
        if answer.status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
            assert_eq!(answer.json["status"], answer.status, "{what}");
            assert_eq!(answer.json["request_id"], answer.header("x-request-id"), "{what}");
            let code = answer.json["code"].as_str().unwrap();
            assert_eq!(answer.json["type"], format!("urn:odcm:problem:{code}"), "{what}");
            assert!(answer.json["detail"].as_str().unwrap().len() > 10 && answer.json["title"].is_string(), "{what}");
        }
        if answer.status == 401 {
            assert!(answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"), "{what}");
        }
        answer
    }

    pub async fn run(&self, example: &Example, token: &str) -> Answer {
        let path = format!("/api/v1{}{}", example.path, example.query);
        self.call(&example.method, &path, token, example.body.clone()).await
    }

    /// A good request of an operation, about objects that are made for it. An operation that is not named here is a route
    /// without an expectation.
    pub async fn example(&self, op: &Operation) -> Example {
        let n = self.next();
        let no = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
        let (mut query, mut body) = (String::new(), None);
        let mut values: Vec<String> = vec![];
        let mut put = |v: &dyn std::fmt::Display| values.push(v.to_string());
        let status = match op.id.as_str() {
            "list_people" | "list_groups" | "list_spaces" | "list_clients" | "list_rights" | "list_tokens" | "list_audit"
            | "list_keys" => 200,
            "create_person" => {
                body =
                    Some(json!({"username": format!("new{n}"), "display_name": "New", "email": format!("new{n}@example.com")}));
                201
            }
            "get_person"
            | "list_emails"
            | "list_identities"
            | "list_sessions"
            | "list_tokens_of_person"
            | "list_consents"
            | "end_sessions"
            | "create_password_link"
            | "get_person_access" => {
                put(&self.person().await);
                200
            }
            "change_person" => {
                put(&self.person().await);
                body = Some(json!({"display_name": "Renamed"}));
                200
            }
            "disable_person" | "enable_person" => {
                put(&self.person().await);
                body = Some(json!({"reason": "manual"}));
                204
            }
            "add_email" => {
                put(&self.person().await);
                body = Some(json!({"address": format!("more{n}@example.com"), "verified": true}));
                201
            }
            "verify_email" | "remove_email" => {
                let person = self.person().await;
                let address = Email::parse(&format!("more{n}@example.com")).unwrap();
                put(&person);
                put(&emails::add(&self.deps, &host(), &person, &address, false).await.unwrap());
                204
            }
            "link_identity" => {
                put(&self.person().await);
                body = Some(json!({"provider": "entra", "subject": format!("subject-{n}"), "label": "x@contoso.com"}));
                201
            }
            "unlink_identity" => {
                let person = self.person().await;
                let new = NewIdentity::parse("entra", &format!("subject-{n}"), "").unwrap();
                put(&person);
                put(&identities::link(&self.deps, &host(), &person, &new).await.unwrap());
                200
            }
            "end_session" => {
                let person = self.person().await;
                put(&person);
                put(&self.session(&person).await);
                204
            }
            "withdraw_consent" => {
                let (person, client) = (self.person().await, self.client().await);
                let scopes = ["openid".to_owned()];
                consent::grant(&self.deps.db, &person, &client, &scopes, self.deps.clock.now()).await.unwrap();
                put(&person);
                put(&client);
                204
            }
            "rotate_key" => {
                body = Some(json!({"alg": "ES256"}));
                201
            }
            "create_group" => {
                body = Some(json!({"name": format!("New group {n}"), "description": "for a test"}));
                201
            }
            "get_group" | "list_members" => {
                put(&self.member().await.0);
                200
            }
            "change_group" => {
                put(&self.group().await);
                body = Some(json!({"description": "changed"}));
                200
            }
            "delete_group" => {
                put(&self.group().await);
                query = "?confirmed=true".into();
                204
            }
            "put_member" => {
                put(&self.group().await);
                put(&"people");
                put(&self.person().await);
                body = Some(json!({"until": "2030-01-01T00:00:00Z"}));
                204
            }
            "remove_member" => {
                let (group, person) = self.member().await;
                [&group as &dyn std::fmt::Display, &"people", &person].into_iter().for_each(put);
                204
            }
            "enlist_space" => {
                body = Some(
                    json!({"name": format!("Mars {n}"), "slug": format!("mars{n}"), "base_url": format!("https://mars{n}.example.com")}),
                );
                201
            }
            "get_space"
            | "list_published_groups"
            | "list_bindings"
            | "list_space_items"
            | "list_space_events"
            | "list_grants"
            | "get_space_status"
            | "list_adoptions"
            | "list_sweeps" => {
                put(&self.grant().await.1);
                200
            }
            "change_space" => {
                put(&self.space().await);
                body = Some(json!({"offline_policy": "shut", "description": "changed"}));
                200
            }
            "remove_space" => {
                put(&self.space().await);
                query = "?confirmed=true".into();
                204
            }
            "publish_group" | "unpublish_group" => {
                let (space, group) = (self.space().await, self.group().await);
                if op.id == "unpublish_group" {
                    spaces::publish(&self.deps, &host(), &space, &group).await.unwrap();
                }
                put(&space);
                put(&group);
                204
            }
            "add_grant" => {
                put(&self.space().await);
                body = Some(json!({"subject": {"kind": "person", "id": self.person().await}, "when": {"from": null}}));
                201
            }
            "get_grant" => {
                put(&self.grant().await.0);
                200
            }
            "change_grant" => {
                put(&self.grant().await.0);
                body = Some(json!({"until": "2030-01-01T00:00:00Z"}));
                200
            }
            "revoke_grant" => {
                put(&self.grant().await.0);
                204
            }
            "rotate_space_secret" => {
                put(&self.space().await);
                409 // no agent has made the first one
            }
            "create_enrolment_code" => {
                put(&self.space().await);
                201
            }
            "revoke_agent" => {
                put(&self.space().await);
                409 // no agent is enrolled
            }
            "decide_adoption" => {
                put(&self.space().await);
                put(&self.person().await);
                body = Some(json!({"decision": "adopt", "account": "Users-21"}));
                404 // the Space reported no candidates
            }
            "confirm_sweep" => {
                put(&self.space().await);
                put(&"Teams-1");
                body = Some(json!({"people": []}));
                404 // nothing waits
            }
            "create_client" => {
                // as tests/interop sends it
                body = Some(json!({
                    "id": format!("interop{n}"), "name": "Interop", "kind": "confidential",
                    "redirect_uris": ["http://127.0.0.1:9999/callback"],
                    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                    "scopes": ["openid", "profile", "email", "offline_access"],
                }));
                201
            }
            "get_client" => {
                put(&self.client().await);
                200
            }
            "change_client" => {
                put(&self.client().await);
                body = Some(json!({"name": "Renamed", "enabled": false, "first_party": true}));
                200
            }
            "rotate_client_secret" => {
                put(&self.client().await);
                body = Some(json!({"end_previous": true}));
                200
            }
            "give_right" => {
                body = Some(json!({"person": self.person().await, "role": "auditor", "scope": "all"}));
                201
            }
            "take_right" => {
                put(&self.right(&self.person().await, Role::Auditor, Scope::All).await);
                204
            }
            "revoke_token" => {
                put(&self.token_with_id(&self.owner_id, true).await.1);
                204
            }
            "list_providers" | "list_identity_requests" => 200,
            "create_provider" => {
                let mut provider = provider_body();
                provider["id"] = json!(format!("okta{n}"));
                body = Some(provider);
                201
            }
            "get_provider" | "examine_provider" => {
                put(&self.provider().await);
                200
            }
            "change_provider" => {
                put(&self.provider().await);
                body = Some(provider_body());
                200
            }
            "remove_provider" => {
                put(&self.provider().await);
                204
            }
            "join_people" => {
                put(&self.person().await);
                body = Some(json!({"gone": self.person().await}));
                201
            }
            "split_people" => {
                let (kept, gone) = (self.person().await, self.person().await);
                put(&merging::join(&self.deps, &host(), &kept, &gone).await.unwrap());
                204
            }
            "create_invitation" => {
                put(&self.person().await);
                body = Some(json!({"provider": self.provider().await, "tenant": "example.com"}));
                201
            }
            "decide_identity_request" => {
                put(&PersonId::from_uuid(self.deps.entropy.id(self.deps.clock.now())));
                body = Some(json!({"decision": "refuse"}));
                404 // nothing waits
            }
            "explain" => {
                let (_, space, person) = self.grant().await;
                query = format!("?person={person}&space={space}");
                200
            }
            "dry_run" => {
                let (grant, ..) = self.grant().await;
                body = Some(json!({"change": "revoke_grant", "grant": grant}));
                200
            }
            other => panic!("{} {} ({other}) has no example in api_support.rs: add one", op.method, op.path),
        };
        let mut values = values.into_iter();
        let parts = op.path.split('/').map(|p| if p.starts_with('{') { values.next().unwrap_or(no.clone()) } else { p.into() });
        let path = parts.collect::<Vec<String>>().join("/");
        assert!(values.next().is_none() && !path.contains(&no), "{}: the example has the wrong number of values", op.id);
        Example { method: op.method.clone(), path, query, body, status }
    }
}
