//! What the server serves: a database with a person, clients and Spaces, made through the product's own use cases, and a
//! copy of it on which the floor is walked.

use odcm::accounts::clients::{self, NewClient};
use odcm::accounts::{self, agents, api_tokens, grants, groups, links, memberships, people, rights, spaces};
use odcm::config::Config;
use odcm::core::client::{AuthMethod, ClientKind, ClientSettings, GrantType};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{ClientId, PersonId, SpaceId};
use odcm::core::keyset::Alg;
use odcm::core::policy::{Actor, Right, Role, Scope, TokenScopes};
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::crypto::hash::sha256;
use odcm::crypto::password::Lane;
use odcm::deps::Deps;
use odcm::run_tx;
use odcm::storage::links::LinkRow;
use odcm::storage::{self, clients as client_rows, copied_postgres, links as link_rows};
use odcm_tests::harness::postgres;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// Bob's.
pub const PASSWORD: &str = "correct horse battery";
/// Redirect URI of the application.
pub const CALLBACK: &str = "https://app.example.com/cb";
/// Redirect URI of the Space.
pub const SPACE_CALLBACK: &str = "https://mars.example.com/api/users/authenticatedToken/Okta";
/// Secret of the Space.
pub const SPACE_SECRET: &str = "made by the agent";

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// Both, or SQLite alone after saying so.
    pub fn available(runtime: &Runtime) -> Vec<Self> {
        match runtime.block_on(postgres::server()) {
            Ok(_) => vec![Self::Sqlite, Self::Postgres],
            Err(why) => {
                crate::table::say(&format!("SKIPPED on PostgreSQL: {why}"));
                vec![Self::Sqlite]
            }
        }
    }
}

/// What was made in it.
#[derive(Debug, Default)]
pub struct Made {
    /// Secrets of clients.
    pub app: String,
    pub machine_es: String,
    pub machine_rs: String,
    /// A bearer token of an owner.
    pub token: String,
    /// A Space, its group, somebody who is in no group.
    pub space: String,
    pub group: String,
    pub erin: String,
    /// Spaces with their enrolment codes; Mars is the first.
    pub codes: Vec<(String, String)>,
}

/// A database, its copy, and the configuration of the server.
#[derive(Debug)]
pub struct World {
    folder: tempfile::TempDir,
    /// Configuration file.
    pub config: PathBuf,
    /// URL of the database.
    pub url: String,
    /// URL of the copy.
    pub copy: String,
    /// Where the server listens.
    pub port: u16,
    /// Where its management listener is.
    pub management: u16,
    /// What there is in it.
    pub made: Made,
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map(|a| a.port()).map_err(|e| e.to_string())
}

impl World {
    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes one; `agents` Spaces get a code with which an agent can enrol.
    pub fn seed(runtime: &Runtime, kind: Kind, agents: usize) -> Result<Self, String> {
        runtime.block_on(async {
            let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
            let (port, management) = (free_port()?, free_port()?);
            let (file, twin) = (folder.path().join("odcm.db"), folder.path().join("copy.db"));
            let server = postgres::server().await;
            let url = match kind {
                Kind::Sqlite => format!("sqlite:{}", file.display()),
                Kind::Postgres => postgres::fresh(&server.clone()?).await?,
            };
            let config = folder.path().join("odcm.toml");
            let text = format!(
                "[server]\npublic_url = \"http://localhost:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\n[management]\nlisten = \
                 \"127.0.0.1:{management}\"\n\n[database]\nurl = \"{url}\"\n\n[secrets]\nmaster_key_path = \"{}\"\n",
                folder.path().join("odcm.master-key").display()
            );
            std::fs::write(&config, text).map_err(|e| e.to_string())?;
            let loaded = Config::load(Some(&config), std::iter::empty()).map_err(|e| e.to_string())?;
            let deps = odcm::server::open(&loaded, odcm::server::Deployment::MayBeNew).await?;
            let made = make(&deps, agents).await.map_err(|e| format!("preparing the data: {e}"))?;
            deps.db.close().await;
            drop(deps);
            let copy = match kind {
                Kind::Sqlite => {
                    std::fs::copy(&file, &twin).map_err(|e| e.to_string())?;
                    format!("sqlite:{}", twin.display())
                }
                Kind::Postgres => copied_postgres(&server?, &url).await.map_err(|e| e.to_string())?,
            };
            Ok(Self { folder, config, url, copy, port, management, made })
        })
    }
}

fn root() -> Actor {
    Actor::system("bench")
}

async fn make(deps: &Deps, agents: usize) -> Result<Made, accounts::Error> {
    let mut made = Made::default();
    let bob = person(deps, "bob", "Bob Specialist").await?;
    let erin = person(deps, "erin", "Erin Guest").await?;
    made.erin = erin.to_string();
    let link = links::create(deps, &root(), &bob).await?;
    let phc = deps.hasher.hash(Lane::Known, PASSWORD).await.map_err(|e| accounts::Error::Internal(e.to_string()))?;
    links::set_password(deps, &link.secret, &phc, None).await?;
    rights::give(deps, &root(), &bob, &Right { role: Role::Owner, scope: Scope::All }, None).await?;
    let name = DisplayName::parse("name", "bench")?;
    made.token = api_tokens::create(deps, &root(), &bob, &name, TokenScopes { write: true }, 86_400).await?.secret;

    let mut app = ClientSettings::for_application(&ClientKind::Confidential, vec![CALLBACK.into()]);
    app.first_party = true;
    app.token_endpoint_auth_method = AuthMethod::ClientSecretPost;
    made.app = client(deps, "app", app).await?;
    let mut machine = ClientSettings::for_application(&ClientKind::Confidential, vec![]);
    machine.grant_types = [GrantType::ClientCredentials].into();
    machine.scopes = ["read".to_owned(), "write".to_owned()].into();
    machine.token_endpoint_auth_method = AuthMethod::ClientSecretPost;
    machine.audience = Some("https://api.example.com".into());
    machine.signing_alg = Alg::Rs256;
    made.machine_rs = client(deps, "machine-rs", machine.clone()).await?;
    machine.signing_alg = Alg::Es256;
    made.machine_es = client(deps, "machine-es", machine).await?;

    let new = groups::NewGroup {
        name: DisplayName::parse("name", "Developers")?,
        description: String::new(),
        kind: storage::groups::GroupKind::Local,
    };
    let group = groups::create(deps, &root(), new).await?;
    made.group = group.to_string();
    let mars = space(deps, "Mars").await?;
    made.space = mars.to_string();
    memberships::add(deps, &root(), &group, &Subject::Person(bob.clone()), Span::default()).await?;
    grants::add(deps, &root(), &mars, &Subject::Group(group), Span::default()).await?;
    if agents == 0 {
        acknowledged(deps, &bob, &mars).await?;
    }
    for n in 0..agents {
        let id = if n == 0 { mars.clone() } else { space(deps, &format!("S{n}")).await? };
        let code = agents::create_enrolment_code(deps, &root(), &id).await?.code;
        made.codes.push((id.to_string(), code));
    }
    Ok(made)
}

async fn person(deps: &Deps, username: &str, name: &str) -> Result<PersonId, accounts::Error> {
    let new = people::NewPerson {
        username: Username::parse(username)?,
        display_name: DisplayName::parse("name", name)?,
        email: Email::parse(&format!("{username}@example.com"))?,
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    };
    Ok(people::create(deps, &root(), new).await?.id)
}

async fn client(deps: &Deps, id: &str, settings: ClientSettings) -> Result<String, accounts::Error> {
    let id = ClientId::parse(id).map_err(|e| accounts::Error::Internal(e.to_string()))?;
    let name = id.to_string();
    let new = NewClient { id: Some(id), kind: ClientKind::Confidential, name, settings, groups: [].into() };
    clients::create(deps, &root(), new).await?.secret.ok_or_else(|| accounts::Error::Internal("no secret".into()))
}

async fn space(deps: &Deps, name: &str) -> Result<SpaceId, accounts::Error> {
    let new = spaces::NewSpace {
        name: DisplayName::parse("name", name)?,
        slug: Slug::parse(&name.to_lowercase())?,
        base_url: format!("https://{}.example.com", name.to_lowercase()),
        description: String::new(),
        offline_policy: storage::spaces::OfflinePolicy::Keep,
        revoke_api_keys: true,
    };
    spaces::enlist(deps, &root(), new).await
}

/// Without an agent: Mars has acknowledged Bob's account and told its secret.
async fn acknowledged(deps: &Deps, bob: &PersonId, mars: &SpaceId) -> Result<(), accounts::Error> {
    let now = deps.clock.now();
    let row = LinkRow {
        space_id: mars.clone(),
        person_id: bob.clone(),
        account_id: "Users-21".into(),
        username: "bob".into(),
        email: "bob@example.com".into(),
        display_name: "Bob Specialist".into(),
        active: true,
        locally_disabled: false,
        updated_at: now,
    };
    let id = ClientId::parse("mars").map_err(|e| accounts::Error::Internal(e.to_string()))?;
    let hash = sha256(SPACE_SECRET.as_bytes());
    run_tx!(deps.db, "bench.link", |tx| {
        link_rows::put(tx, &row).await?;
        client_rows::add_secret(tx, &id, &hash, 1, now, now).await?;
        Ok(())
    })
}
