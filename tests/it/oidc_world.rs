//! What the OpenID tests share: a provider in process with a person, an application, a Space and a machine.

use crate::visitor::{Answer, Visitor};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use odcm::accounts::clients::{self, NewClient};
use odcm::accounts::people::{NewPerson, create};
use odcm::accounts::{grants, links, spaces};
use odcm::core::client::{AuthMethod, ClientKind, ClientSettings, GrantType};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{ClientId, GrantId, PersonId, SpaceId};
use odcm::core::keyset::Alg;
use odcm::core::policy::Actor;
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::crypto::hash::{sha256, unb64};
use odcm::storage::links::LinkRow;
use odcm::storage::{clients as client_rows, links as link_rows};
use odcm::testing::{TestDeps, deps};
use odcm::{login, pages, protocols, run_tx};
use serde_json::Value;
use tower::ServiceExt;

pub const ORIGIN: &str = "https://id.example.com";
pub const CALLBACK: &str = "https://app.example.com/cb";
pub const BYE: &str = "https://app.example.com/bye";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const SPACE_SECRET: &str = "made by the agent";
pub const SPACE_CALLBACK: &str = "https://mars.example.com/api/users/authenticatedToken/Okta";
const PASSWORD: &str = "correct horse battery";

pub struct World {
    pub deps: TestDeps,
    pub router: Router,
    pub bob: PersonId,
    pub space: SpaceId,
    pub app_secret: String,
    pub machine_secret: String,
}

/// A direct answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

impl Reply {
    pub fn text(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or("")
    }
    pub fn error(&self) -> (u16, &str) {
        (self.status.as_u16(), self.text("error"))
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

pub fn root() -> Actor {
    Actor::system("test")
}

pub fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

/// Parameters of an address.
pub fn query(address: &str, name: &str) -> Option<String> {
    url::Url::parse(address).ok()?.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
}

/// The claims of a token, not verified.
pub fn claims(token: &str) -> Value {
    serde_json::from_slice(&unb64(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

pub async fn world() -> World {
    let deps = deps().await;
    let router = login::routes().merge(pages::routes()).merge(protocols::routes()).with_state(deps.deps.clone());
    let new = NewPerson {
        username: Username::parse("bob").unwrap(),
        display_name: DisplayName::parse("name", "Bob Specialist").unwrap(),
        email: Email::parse("bob@example.com").unwrap(),
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    };
    let bob = create(&deps, &root(), new).await.unwrap().id;
    let link = links::create(&deps, &root(), &bob).await.unwrap();
    let phc = deps.hasher.hash(odcm::crypto::password::Lane::Unknown, PASSWORD).await.unwrap();
    links::set_password(&deps, &link.secret, &phc, None).await.unwrap();

    let mut settings = ClientSettings::for_application(&ClientKind::Confidential, vec![CALLBACK.into()]);
    settings.post_logout_redirect_uris = vec![BYE.into()];
    settings.first_party = true;
    let app_secret = new_client(&deps, "app", settings).await;
    let mut settings = ClientSettings::for_application(&ClientKind::Confidential, vec![]);
    settings.grant_types = [GrantType::ClientCredentials].into();
    settings.scopes = ["read".to_owned(), "write".to_owned()].into();
    settings.signing_alg = Alg::Es256;
    settings.token_endpoint_auth_method = AuthMethod::ClientSecretPost;
    settings.audience = Some("https://api.example.com".into());
    let machine_secret = new_client(&deps, "machine", settings).await;

    let space = spaces::NewSpace {
        name: DisplayName::parse("name", "Mars").unwrap(),
        slug: Slug::parse("mars").unwrap(),
        base_url: "https://mars.example.com".into(),
        description: String::new(),
        offline_policy: odcm::storage::spaces::OfflinePolicy::Keep,
        revoke_api_keys: true,
    };
    let space = spaces::enlist(&deps, &root(), space).await.unwrap();
    World { deps, router, bob, space, app_secret, machine_secret }
}

async fn new_client(deps: &TestDeps, id: &str, settings: ClientSettings) -> String {
    let new = NewClient {
        id: Some(client_id(id)),
        kind: ClientKind::Confidential,
        name: id.to_uppercase(),
        settings,
        groups: [].into(),
    };
    clients::create(deps, &root(), new).await.unwrap().secret.unwrap()
}

impl World {
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, json: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    pub async fn post(&self, path: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        if let Some((id, secret)) = basic {
            headers.push((header::AUTHORIZATION.as_str(), format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))));
        }
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.call("POST", path, &headers, body).await
    }

    /// The application redeems a code.
    pub async fn redeem(&self, code: &str) -> Reply {
        let form =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        self.post("/oauth2/token", Some(("app", &self.app_secret)), &form).await
    }

    pub async fn refresh(&self, token: &str) -> Reply {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth2/token", Some(("app", &self.app_secret)), &form).await
    }

    /// The Space redeems a code, as Octopus does.
    pub async fn redeem_space(&self, code: &str, redirect_uri: &str) -> Reply {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", "mars"),
            ("client_secret", SPACE_SECRET),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth2/token", None, &form).await
    }

    pub async fn userinfo(&self, token: &str) -> Reply {
        self.call("GET", "/oauth2/userinfo", &[("authorization", &format!("Bearer {token}"))], String::new()).await
    }

    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.router.clone(), ORIGIN)
    }

    /// A browser in which Bob is signed in.
    pub async fn bob(&self) -> Visitor {
        let mut visitor = self.visitor();
        let page = visitor.open("/").await;
        self.sign_in(&mut visitor, page).await;
        visitor
    }

    /// From the page that asks who it is to where the sign-in ends.
    pub async fn sign_in(&self, visitor: &mut Visitor, page: Answer) -> Answer {
        let page = visitor.submit(&page, "/identify", &[("name", "bob")]).await;
        visitor.submit(&page, "/password", &[("password", PASSWORD)]).await
    }

    /// The address of an authorization request of the application, with more parameters.
    pub fn authorize(more: &str) -> String {
        let callback: String = url::form_urlencoded::byte_serialize(CALLBACK.as_bytes()).collect();
        format!(
            "/oauth2/authorize?client_id=app&response_type=code&redirect_uri={callback}&state=xyz&nonce=n-1&code_challenge={CHALLENGE}&code_challenge_method=S256&{more}"
        )
    }

    /// As Octopus writes it: the redirect URI raw, no nonce.
    pub fn authorize_space() -> String {
        format!(
            "/oauth2/authorize?client_id=mars&scope=openid%20profile%20email%20groups&response_type=code&redirect_uri={SPACE_CALLBACK}&state=%7B%22RedirectAfterLoginTo%22%3A%22%2F%22%7D&code_challenge={CHALLENGE}&code_challenge_method=S256"
        )
    }

    /// A code for the application.
    pub async fn code(&self, visitor: &mut Visitor, scope: &str) -> String {
        let answer = visitor.get(&Self::authorize(&format!("scope={scope}"))).await;
        query(answer.location(), "code").unwrap_or_else(|| panic!("no code: {} {}", answer.location(), answer.text))
    }

    /// Grants Bob the Space.
    pub async fn grant(&self) -> GrantId {
        grants::add(&self.deps, &root(), &self.space, &Subject::Person(self.bob.clone()), Span::default()).await.unwrap()
    }

    /// The Space acknowledges Bob's account.
    pub async fn link(&self, active: bool, locally_disabled: bool) {
        let row = LinkRow {
            space_id: self.space.clone(),
            person_id: self.bob.clone(),
            account_id: "Users-21".into(),
            username: "bob.mars".into(),
            email: "bob@mars.example.com".into(),
            display_name: "Bob of Mars".into(),
            active,
            locally_disabled,
            updated_at: self.deps.clock.now(),
        };
        let done: Result<(), odcm::storage::Error> = run_tx!(self.deps.db, "test.link", |tx| link_rows::put(tx, &row).await);
        done.unwrap();
    }

    /// The agent's secret for the Space.
    pub async fn space_secret(&self) {
        let now = self.deps.clock.now();
        let hash = sha256(SPACE_SECRET.as_bytes());
        let done: Result<(), odcm::storage::Error> =
            run_tx!(self.deps.db, "test.secret", |tx| client_rows::add_secret(tx, &client_id("mars"), &hash, 1, now, now).await);
        done.unwrap();
    }
}
