//! Providers that vouch for people: set up, try, change, remove.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::history::{self, Entry};
use super::list::{Cell, ListPage, Row};
use super::provider_form::{KINDS, blank, fields, kind_name, kind_of, parse};
use crate::accounts::providers as cases;
use crate::connectors::{Finding, Grade};
use crate::core::policy::{Act, Right, Role, Scope};
use crate::core::provider::{Creation, Provider, Settings};
use crate::http::{Path, Query};
use crate::pages::Page;
use crate::storage::providers::{self as rows, Stored};
use serde::Serialize;

const TRAIL: (&str, &str) = ("Providers", "/admin/providers");

/// Who decides by whom people are let in decides who is let in.
pub(super) fn manage() -> Act {
    Act::ManageRights(Right { role: Role::Owner, scope: Scope::All })
}

fn here(id: &str) -> String {
    format!("/admin/providers/{id}")
}

fn who(creation: &Creation) -> &'static str {
    match creation {
        Creation::Nobody => "nobody",
        Creation::Everybody => "everybody",
        Creation::Domains { .. } => "proven addresses",
        Creation::Groups { .. } => "groups",
    }
}

/// `GET /admin/providers`.
pub(super) async fn list(desk: Desk) -> Answer {
    let all = cases::list(&desk.deps, desk.actor()).await?;
    let row = |Stored { provider: p, .. }: Stored| Row {
        href: here(&p.id),
        sub: p.id,
        cells: vec![
            Cell::badge(kind_name(kind_of(&p.settings)), ""),
            Cell::text(p.domains.iter().cloned().collect::<Vec<_>>().join(", ")),
            Cell::text(who(&p.creation)),
            if p.enabled { Cell::status("enabled", "ok") } else { Cell::status("off", "") },
        ],
        title: p.name,
    };
    desk.page(&ListPage {
        title: "Providers",
        text: "Who vouches for people besides ODCM's own passwords.",
        path: "/admin/providers",
        search: "",
        columns: vec!["Name", "Kind", "Domains", "First sign-in makes a person of", "State"],
        rows: all.into_iter().map(row).collect(),
        create: desk.may(&manage()).then_some(("/admin/providers/new", "Connect provider")),
        icon: "key",
        empty: (
            "No provider yet",
            "Connect Entra ID, Google, Okta, GitHub or any OpenID provider; people then sign in with accounts that they have.",
        ),
        ..ListPage::default()
    })
}

fn choose() -> FormPage {
    let kinds = KINDS.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect();
    FormPage::new("Connect a provider", "/admin/providers/new", "Continue", vec![Field::select("kind", "Kind", "entra", kinds)])
        .get()
        .under(&[TRAIL])
}

fn new_form(desk: &Desk, kind: &str, provider: &Provider) -> FormPage {
    let mut fields = fields(provider, true, false);
    fields.push(Field::hidden("kind", kind));
    let back = desk.deps.settings.public.link("/login/callback/ID");
    FormPage::new(&format!("Connect {}", kind_name(kind)), "/admin/providers/new", "Connect", fields)
        .text(&if matches!(provider.settings, Settings::Ldap(_)) {
            "Save it, then press Test: each step says what works and what does not.".to_owned()
        } else {
            format!("Register ODCM there first. The redirect URI is {back} with the id that you choose below.")
        })
        .under(&[TRAIL])
}

/// `GET /admin/providers/new`: the kind, then the form of that kind.
pub(super) async fn new(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&manage())?;
    let kind = input.get("kind");
    match blank(kind) {
        Some(provider) => desk.page(&new_form(&desk, kind, &provider)),
        None => desk.page(&choose()),
    }
}

/// `POST /admin/providers/new`.
pub(super) async fn create(post: Post) -> Answer {
    let Post { desk, input } = post;
    let kind = input.get("kind").to_owned();
    let before = blank(&kind).ok_or_else(Fault::gone)?;
    let made = async {
        let (provider, secret) = parse(&input, &before)?;
        let provider = Provider { version: 1, ..provider };
        cases::create(&desk.deps, desk.actor(), &provider, secret.as_deref()).await?;
        Ok::<_, Fault>(provider.id)
    };
    match made.await {
        Ok(id) => desk.done(&here(&id), "created"),
        Err(fault) => desk.again(fault, new_form(&desk, &kind, &before), &input),
    }
}

/// A line of the settings, for people.
#[derive(Clone, Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

/// The page of a provider.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ProviderPage {
    id: String,
    name: String,
    kind: &'static str,
    enabled: bool,
    redirect_uri: Option<String>,
    jwks_uri: Option<String>,
    /// For Back-Channel Logout.
    logout_uri: Option<String>,
    facts: Vec<Fact>,
    identities: i64,
    findings: Option<Vec<Finding>>,
    may: bool,
    reads_claims: bool,
    history: Option<Vec<Entry>>,
}

fn facts(p: &Provider) -> Vec<Fact> {
    let joined = |list: &std::collections::BTreeSet<String>| list.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut facts = Vec::new();
    let mut add = |name, value: String| {
        if !value.is_empty() {
            facts.push(Fact { name, value });
        }
    };
    match &p.settings {
        Settings::Oidc(s) => {
            add("Issuer", s.issuer.clone());
            add("Client id", s.client_id.clone());
            add("Scopes", joined(&s.scopes));
            add("Tenants", joined(&s.tenants));
            add("Workspace domains", joined(&s.hosted_domains));
        }
        Settings::Github(s) => {
            add("Address", s.base_url.clone());
            add("Client id", s.client_id.clone());
            add("Organisations", joined(&s.organisations));
        }
        Settings::Ldap(s) => {
            add(
                "Servers",
                if s.servers.is_empty() { format!("as DNS lists them for {}", s.domain) } else { s.servers.join(", ") },
            );
            add("Base", s.base.clone());
            add("Service account", s.bind_name.clone());
            add("Short names", joined(&s.netbios));
            add("Names end in", joined(&s.upn_suffixes));
        }
    }
    add("Domains that are its own", joined(&p.domains));
    add(
        "First sign-in makes a person of",
        match &p.creation {
            Creation::Nobody => "nobody".into(),
            Creation::Everybody => "everybody whom it lets in".into(),
            Creation::Domains { domains } => format!("proven addresses in {}", joined(domains)),
            Creation::Groups { groups } => format!("members of {}", joined(groups)),
        },
    );
    add("Its “disabled”", if p.authoritative { "disables the person" } else { "disables only the identity" }.into());
    facts
}

async fn load(desk: &Desk, id: &str) -> Result<Stored, Fault> {
    Ok(cases::find(&desk.deps, desk.actor(), id).await?)
}

async fn page(desk: &Desk, id: &str, findings: Option<Vec<Finding>>) -> Answer {
    let provider = load(desk, id).await?.provider;
    let reads_claims = matches!(provider.settings, Settings::Oidc(_));
    let directory = matches!(provider.settings, Settings::Ldap(_));
    let public = &desk.deps.settings.public;
    desk.page(&ProviderPage {
        kind: kind_name(kind_of(&provider.settings)),
        enabled: provider.enabled,
        redirect_uri: (!directory).then(|| public.link(&format!("/login/callback/{id}"))),
        logout_uri: reads_claims.then(|| public.link(&format!("/login/backchannel/{id}"))),
        jwks_uri: match &provider.settings {
            Settings::Oidc(s) if s.client_auth == crate::core::provider::ClientAuth::PrivateKeyJwt => {
                Some(public.link("/oauth2/jwks"))
            }
            _ => None,
        },
        facts: facts(&provider),
        identities: rows::identities(&mut desk.db(), id).await?,
        findings,
        may: desk.may(&manage()),
        reads_claims,
        history: history::of_object(desk, "provider", id).await?,
        id: provider.id,
        name: provider.name,
    })
}

/// `GET /admin/providers/{id}`.
pub(super) async fn show(desk: Desk, Path(id): Path<String>) -> Answer {
    page(&desk, &id, None).await
}

/// `POST /admin/providers/{id}/examine`: tries the settings and shows what was found.
pub(super) async fn examine(Path(id): Path<String>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let found = cases::examine(&desk.deps, desk.actor(), &id).await?;
    page(&desk, &id, Some(found)).await
}

fn edit_form(stored: &Stored) -> FormPage {
    let p = &stored.provider;
    let mut fields = fields(p, false, stored.secret.is_some());
    fields.push(Field::hidden("version", &p.version.to_string()));
    FormPage::new("Edit provider", &format!("{}/edit", here(&p.id)), "Save", fields).under(&[TRAIL, (&p.name, &here(&p.id))])
}

/// `GET /admin/providers/{id}/edit`.
pub(super) async fn edit(desk: Desk, Path(id): Path<String>) -> Answer {
    let stored = load(&desk, &id).await?;
    desk.sees(&manage())?;
    desk.page(&edit_form(&stored))
}

/// `POST /admin/providers/{id}/edit`.
pub(super) async fn save(Path(id): Path<String>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let stored = load(&desk, &id).await?;
    let saved = async {
        let (provider, secret) = parse(&input, &stored.provider)?;
        cases::update(&desk.deps, desk.actor(), &provider, input.version(), secret.as_deref()).await?;
        Ok::<_, Fault>(())
    };
    match saved.await {
        Ok(()) => desk.done(&here(&id), "saved"),
        Err(fault) => desk.again(fault, edit_form(&stored), &input),
    }
}

async fn ask_remove(desk: &Desk, p: &Provider) -> Result<Confirm, Fault> {
    let identities = rows::identities(&mut desk.db(), &p.id).await?;
    let text = format!(
        "Nobody signs in with it any more. {} stay with their people, and count again should a provider with this id be connected again.",
        if identities == 1 { "One identity there".to_owned() } else { format!("{identities} identities there") }
    );
    Ok(Confirm::new(&format!("Remove {}?", p.name), &format!("{}/remove", here(&p.id)), "Remove provider")
        .text(&text)
        .danger()
        .with("version", &p.version.to_string())
        .under(&[TRAIL, (&p.name, &here(&p.id))]))
}

/// `GET /admin/providers/{id}/remove`.
pub(super) async fn removing(desk: Desk, Path(id): Path<String>) -> Answer {
    let stored = load(&desk, &id).await?;
    desk.sees(&manage())?;
    desk.page(&ask_remove(&desk, &stored.provider).await?)
}

/// `POST /admin/providers/{id}/remove`.
pub(super) async fn remove(Path(id): Path<String>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let stored = load(&desk, &id).await?;
    match cases::remove(&desk.deps, desk.actor(), &id, input.version()).await {
        Ok(()) => desk.done(TRAIL.1, "removed"),
        Err(error) => ask_remove(&desk, &stored.provider).await?.refused(&desk, error.into()),
    }
}

impl Page for ProviderPage {
    const TEMPLATE: &'static str = "admin/provider.html";
    fn samples() -> Vec<Self> {
        let found = |grade| Finding::new("Discovery document", grade, "read");
        let full = Self {
            id: "entra".into(),
            name: "Contoso".into(),
            kind: "Microsoft Entra ID",
            enabled: true,
            redirect_uri: Some("https://id.example.com/login/callback/entra".into()),
            logout_uri: Some("https://id.example.com/login/backchannel/entra".into()),
            jwks_uri: Some("https://id.example.com/oauth2/jwks".into()),
            facts: vec![Fact { name: "Issuer", value: "https://login.example.com".into() }],
            identities: 3,
            findings: Some(vec![found(Grade::Good), found(Grade::Note), found(Grade::Bad)]),
            may: true,
            reads_claims: true,
            history: Some(vec![Entry::sample()]),
        };
        let bare = Self {
            enabled: false,
            jwks_uri: None,
            redirect_uri: None,
            logout_uri: None,
            facts: vec![],
            identities: 1,
            findings: None,
            may: false,
            reads_claims: false,
            history: None,
            ..full.clone()
        };
        vec![full, bare]
    }
}
crate::page!(ProviderPage);
