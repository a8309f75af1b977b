//! OpenID applications other than Spaces: make, change, rotate the secret, switch off.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::effects;
use super::form::{Field, FormPage};
use super::history::{self, Entry};
use super::list::{Cell, ListPage, PAGE, Row};
use super::once::{Once, Value};
use crate::accounts::clients::{self as cases, EditClient, NewClient};
use crate::core::Timestamp;
use crate::core::access::ClientDoor;
use crate::core::client::{AuthMethod, Client, ClientKind, ClientSettings, GrantType, STANDARD_SCOPES};
use crate::core::ids::{ClientId, GroupId};
use crate::core::keyset::Alg;
use crate::core::policy::Act;
use crate::http::{Path, Problem, Query};
use crate::pages::Page;
use crate::storage::clients as rows;
use axum::http::StatusCode;
use serde::Serialize;
use std::collections::BTreeSet;

/// `GET /admin/clients`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::ReadAll)?;
    let q: String = input.get("q").chars().take(200).collect();
    let text = Some(q.as_str()).filter(|q| !q.is_empty());
    let found = cases::list(&desk.deps, desk.actor(), text, input.get("after"), PAGE).await?;
    let last = found.items.last().filter(|_| found.more).map(|(c, _)| (String::new(), c.id.to_string()));
    let row = |(client, groups): (Client, Vec<GroupId>)| Row {
        href: format!("/admin/clients/{}", client.id),
        cells: vec![
            Cell::mono(client.id.as_str()),
            Cell::badge(client.kind.as_str(), ""),
            Cell::text(match groups.len() {
                0 => "every active person".to_owned(),
                1 => "1 group".to_owned(),
                n => format!("{n} groups"),
            }),
            if client.enabled { Cell::status("enabled", "ok") } else { Cell::status("disabled", "bad") },
        ],
        title: client.name,
        sub: String::new(),
    };
    let page = ListPage {
        title: "Clients",
        text: "Applications that sign people in with ODCM over OpenID Connect. The clients of Spaces come and go with the Spaces.",
        path: "/admin/clients",
        search: "Search clients",
        q,
        columns: vec!["Name", "Client id", "Kind", "Admits", "State"],
        rows: found.items.into_iter().map(row).collect(),
        create: desk.may(&Act::ManageClients).then_some(("/admin/clients/new", "Create client")),
        icon: "clients",
        empty: ("No clients yet", "Create a client for an application that should sign people in with ODCM."),
        ..ListPage::default()
    };
    desk.page(&page.cursor(&desk, &input, last))
}

fn option(value: &str, text: &str) -> (String, String) {
    (value.to_owned(), text.to_owned())
}

/// Fields of the settings, for a client of that kind. Whom it admits is changed on pages of its own (`client_groups`), which
/// show what that does.
fn fields(name: &str, kind: &ClientKind, s: &ClientSettings) -> Vec<Field> {
    let confidential = matches!(kind, ClientKind::Confidential);
    let strings = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut fields = vec![
        Field::text("name", "Name", name).hint("People see it when they are asked for consent."),
        Field::area("redirect_uris", "Redirect URIs", &s.redirect_uris.join("\n")).hint("One a line; compared byte by byte."),
        Field::area("post_logout_redirect_uris", "Redirect URIs after sign-out", &s.post_logout_redirect_uris.join("\n"))
            .hint("One a line."),
        Field::checks(
            "grant_types",
            "Grant types",
            GrantType::ALL.iter().map(|g| option(g.as_str(), g.as_str())).collect(),
            strings(s.grant_types.iter().map(|g| g.as_str()).collect()),
        ),
        Field::text("scopes", "Scopes", &s.scopes.iter().cloned().collect::<Vec<_>>().join(" "))
            .hint("Separated by spaces, such as openid profile email groups offline_access."),
        Field::select(
            "signing_alg",
            "Signature of its tokens",
            s.signing_alg.as_str(),
            vec![option("RS256", "RS256"), option("ES256", "ES256")],
        ),
        Field::text("audience", "Audience of access tokens", s.audience.as_deref().unwrap_or_default())
            .optional()
            .hint("Usually the URL of the API; empty: the issuer."),
        Field::check("first_party", "Ours: people are not asked for consent", s.first_party),
    ];
    if confidential {
        fields.push(Field::select(
            "token_endpoint_auth_method",
            "Proves itself by",
            s.token_endpoint_auth_method.as_str(),
            vec![
                option("client_secret_basic", "client_secret_basic (HTTP Basic)"),
                option("client_secret_post", "client_secret_post (in the body)"),
            ],
        ));
        fields.push(
            Field::check("require_pkce", "Require PKCE (S256)", s.require_pkce)
                .hint("Relax it only for an application that cannot."),
        );
    }
    fields
}

fn wrong(field: &'static str, text: &str) -> Fault {
    Fault(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "form.invalid", text).field(field))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Reads the settings of a form.
fn parse(input: &Input, kind: &ClientKind) -> Result<ClientSettings, Fault> {
    let confidential = matches!(kind, ClientKind::Confidential);
    let mut settings = ClientSettings::for_application(kind, lines(input.get("redirect_uris")));
    settings.post_logout_redirect_uris = lines(input.get("post_logout_redirect_uris"));
    settings.grant_types = input
        .all("grant_types")
        .map(|text| GrantType::parse(text).ok_or_else(|| wrong("grant_types", "Choose grant types of the list.")))
        .collect::<Result<_, _>>()?;
    settings.scopes = input.get("scopes").split_whitespace().map(str::to_owned).collect();
    settings.signing_alg = Alg::parse(input.get("signing_alg")).ok_or_else(|| wrong("signing_alg", "Choose an algorithm."))?;
    settings.audience = input.filled("audience").map(str::to_owned);
    settings.first_party = input.ticked("first_party");
    if confidential {
        settings.require_pkce = input.ticked("require_pkce");
        settings.token_endpoint_auth_method = match input.get("token_endpoint_auth_method") {
            "client_secret_basic" => AuthMethod::ClientSecretBasic,
            "client_secret_post" => AuthMethod::ClientSecretPost,
            _ => return Err(wrong("token_endpoint_auth_method", "Choose a method.")),
        };
    }
    Ok(settings)
}

fn kind(input: &Input) -> ClientKind {
    if input.get("kind") == "public" { ClientKind::Public } else { ClientKind::Confidential }
}

/// The first form asks for the little that is needed; the rest gets the usual values and can be edited.
fn new_form() -> FormPage {
    let fields = vec![
        Field::text("name", "Name", "").hint("People see it when they are asked for consent."),
        Field::select(
            "kind",
            "Kind",
            "confidential",
            vec![
                option("confidential", "Confidential: a server that keeps a secret"),
                option("public", "Public: a browser or native application"),
            ],
        ),
        Field::text("id", "Client id", "").optional().hint("Empty: one is made up."),
        Field::area("redirect_uris", "Redirect URIs", "").hint("One a line; compared byte by byte."),
        Field::check("first_party", "Ours: people are not asked for consent", false),
    ];
    FormPage::new("Create client", "/admin/clients/new", "Create client", fields)
        .text("It begins with the authorization code grant, refresh tokens, PKCE and the usual scopes; change that afterwards.")
        .under(&[("Clients", "/admin/clients")])
}

/// `GET /admin/clients/new`.
pub(super) async fn new(desk: Desk) -> Answer {
    desk.sees(&Act::ManageClients)?;
    desk.page(&new_form())
}

/// `POST /admin/clients/new`.
pub(super) async fn create(post: Post) -> Answer {
    let Post { desk, input } = post;
    let created = async {
        let kind = kind(&input);
        let mut settings = ClientSettings::for_application(&kind, lines(input.get("redirect_uris")));
        settings.first_party = input.ticked("first_party");
        settings.scopes = STANDARD_SCOPES.map(str::to_owned).into();
        let bad = |_| wrong("id", "A client id has 1 to 128 characters: A-Z a-z 0-9 . _ - :");
        let id = input.filled("id").map(ClientId::parse).transpose().map_err(bad)?;
        let new = NewClient { id, kind, name: input.get("name").into(), settings, groups: BTreeSet::new() };
        Ok::<_, Fault>(cases::create(&desk.deps, desk.actor(), new).await?)
    };
    match created.await {
        Ok(made) => match made.secret {
            Some(secret) => desk.page(&once(&made.client, secret)),
            None => desk.done(&format!("/admin/clients/{}", made.client.id), "created"),
        },
        Err(fault) => desk.again(fault, new_form(), &input),
    }
}

fn once(client: &Client, secret: String) -> Once {
    let here = format!("/admin/clients/{}", client.id);
    Once {
        title: format!("Secret of {}", client.name),
        text: "Put it into the settings of the application. It is not shown again.".into(),
        trail: vec![("Clients".into(), "/admin/clients".into()), (client.name.clone(), here.clone())],
        values: vec![
            Value { id: "client_id", label: "Client id", value: client.id.to_string() },
            Value { id: "secret", label: "Client secret", value: secret },
        ],
        expires_at: None,
        next: here,
        next_label: "I have copied the secret".into(),
    }
}

#[derive(Clone, Debug, Serialize)]
struct SecretView {
    generation: i64,
    created_at: Timestamp,
}

/// The page of a client.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ClientPage {
    id: String,
    name: String,
    kind: &'static str,
    enabled: bool,
    issuer: String,
    settings: ClientSettings,
    /// Id and name.
    groups: Vec<(String, String)>,
    secrets: Vec<SecretView>,
    may: bool,
    history: Option<Vec<Entry>>,
}

/// A client other than that of a Space, with the groups it is restricted to.
pub(super) async fn load(desk: &Desk, id: &ClientId) -> Result<(Client, BTreeSet<GroupId>), Fault> {
    desk.sees(&Act::ReadAll)?;
    let (client, groups, _) = cases::view(&desk.deps, desk.actor(), id).await?;
    if client.space().is_some() {
        return Err(Fault::gone());
    }
    Ok((client, groups.into_iter().collect()))
}

/// `GET /admin/clients/{id}`.
pub(super) async fn show(desk: Desk, Path(id): Path<ClientId>) -> Answer {
    let (client, _) = load(&desk, &id).await?;
    let (_, _, secrets) = cases::view(&desk.deps, desk.actor(), &id).await?;
    let named = rows::groups_named(&mut desk.db(), &id).await?.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
    desk.page(&ClientPage {
        id: client.id.to_string(),
        kind: client.kind.as_str(),
        enabled: client.enabled,
        issuer: desk.deps.settings.public.issuer().to_owned(),
        groups: named,
        secrets: secrets.into_iter().map(|s| SecretView { generation: s.generation, created_at: s.created_at }).collect(),
        may: desk.may(&Act::ManageClients),
        history: history::of_object(&desk, "client", id.as_str()).await?,
        name: client.name,
        settings: client.settings,
    })
}

fn form(client: &Client) -> FormPage {
    let here = format!("/admin/clients/{}", client.id);
    let mut fields = fields(&client.name, &client.kind, &client.settings);
    fields.push(Field::hidden("version", &client.version.to_string()));
    FormPage::new("Edit client", &format!("{here}/edit"), "Save", fields)
        .under(&[("Clients", "/admin/clients"), (&client.name, &here)])
}

/// `GET /admin/clients/{id}/edit`.
pub(super) async fn edit(desk: Desk, Path(id): Path<ClientId>) -> Answer {
    let (client, _) = load(&desk, &id).await?;
    desk.sees(&Act::ManageClients)?;
    desk.page(&form(&client))
}

/// `POST /admin/clients/{id}/edit`.
pub(super) async fn save(Path(id): Path<ClientId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let (client, _) = load(&desk, &id).await?;
    let saved = async {
        let settings = parse(&input, &client.kind)?;
        let edit = EditClient { name: Some(input.get("name").into()), settings: Some(settings), ..EditClient::default() };
        Ok::<_, Fault>(cases::edit(&desk.deps, desk.actor(), &id, input.version(), edit).await?)
    };
    match saved.await {
        Ok(_) => desk.done(&format!("/admin/clients/{id}"), "saved"),
        Err(fault) => desk.again(fault, form(&client), &input),
    }
}

/// A question about a client.
pub(super) fn ask(client: &Client, title: &str, verb: &str, submit: &str) -> Confirm {
    let here = format!("/admin/clients/{}", client.id);
    Confirm::new(title, &format!("{here}/{verb}"), submit).under(&[("Clients", "/admin/clients"), (&client.name, &here)])
}

async fn ask_rotate(desk: &Desk, client: &Client) -> Result<Confirm, Fault> {
    let secrets = rows::secrets(&mut desk.db(), &client.id).await?;
    let alive: Vec<_> = secrets.iter().filter(|s| s.expires_at.is_none_or(|end| end > desk.now())).collect();
    let mut ask = ask(client, &format!("Give {} a new secret?", client.name), "rotate", "Make new secret")
        .text("The new secret is shown once. The one before it stays valid for a week, so that the application can be changed over.")
        .danger()
        .check("end_previous", "End the secret before it at once: somebody else may know it.", false);
    // at most two are valid: the newest one and the one before it
    for older in alive.iter().skip(1) {
        ask = ask.warn(&format!("The secret of generation {} is still valid and ends at once.", older.generation));
    }
    Ok(ask)
}

/// `GET /admin/clients/{id}/rotate`.
pub(super) async fn rotating(desk: Desk, Path(id): Path<ClientId>) -> Answer {
    let (client, _) = load(&desk, &id).await?;
    desk.sees(&Act::ManageClients)?;
    desk.page(&ask_rotate(&desk, &client).await?)
}

/// `POST /admin/clients/{id}/rotate`.
pub(super) async fn rotate(Path(id): Path<ClientId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let (client, _) = load(&desk, &id).await?;
    match cases::rotate_secret(&desk.deps, desk.actor(), &id, input.ticked("end_previous")).await {
        Ok(secret) => desk.page(&once(&client, secret)),
        Err(error) => ask_rotate(&desk, &client).await?.refused(&desk, error.into()),
    }
}

async fn ask_turn(desk: &Desk, client: &Client, groups: BTreeSet<GroupId>, on: bool) -> Result<Confirm, Fault> {
    let ask = if on {
        let text = "It gets tokens again, and these people can sign in with it. Its settings and secrets are those from before.";
        ask(client, &format!("Enable {}?", client.name), "enable", "Enable client").text(text)
    } else {
        let text = "Nobody can sign in with it and it gets no tokens from now on. Its settings stay.";
        ask(client, &format!("Disable {}?", client.name), "disable", "Disable client").text(text).danger()
    };
    let (before, after) = (ClientDoor::of(client.enabled, groups.clone()), ClientDoor::of(on, groups));
    Ok(ask.effects(effects::of_client(desk, &client.name, &before, &after).await?))
}

/// `GET /admin/clients/{id}/disable`.
pub(super) async fn disabling(desk: Desk, Path(id): Path<ClientId>) -> Answer {
    turning(&desk, &id, false).await
}

/// `GET /admin/clients/{id}/enable`.
pub(super) async fn enabling(desk: Desk, Path(id): Path<ClientId>) -> Answer {
    turning(&desk, &id, true).await
}

async fn turning(desk: &Desk, id: &ClientId, on: bool) -> Answer {
    let (client, groups) = load(desk, id).await?;
    desk.sees(&Act::ManageClients)?;
    desk.page(&ask_turn(desk, &client, groups, on).await?)
}

/// `POST /admin/clients/{id}/disable`.
pub(super) async fn disable(Path(id): Path<ClientId>, post: Post) -> Answer {
    turn(id, post, false).await
}

/// `POST /admin/clients/{id}/enable`.
pub(super) async fn enable(Path(id): Path<ClientId>, post: Post) -> Answer {
    turn(id, post, true).await
}

async fn turn(id: ClientId, post: Post, enabled: bool) -> Answer {
    let Post { desk, .. } = post;
    load(&desk, &id).await?;
    let edit = EditClient { enabled: Some(enabled), ..EditClient::default() };
    cases::edit(&desk.deps, desk.actor(), &id, None, edit).await?;
    desk.done(&format!("/admin/clients/{id}"), if enabled { "enabled" } else { "disabled" })
}

impl Page for ClientPage {
    const TEMPLATE: &'static str = "admin/client.html";
    fn samples() -> Vec<Self> {
        let page = |kind: ClientKind, full: bool| Self {
            id: "app".into(),
            name: "App".into(),
            kind: kind.as_str(),
            enabled: full,
            issuer: "https://id.example.com".into(),
            settings: ClientSettings {
                audience: full.then(|| "https://api.example.com".into()),
                post_logout_redirect_uris: if full { vec!["https://app.example.com/".into()] } else { vec![] },
                ..ClientSettings::for_application(&kind, vec!["https://app.example.com/cb".into()])
            },
            groups: if full { vec![("x".into(), "Developers".into())] } else { vec![] },
            secrets: if full { vec![SecretView { generation: 1, created_at: Timestamp(1) }] } else { vec![] },
            may: full,
            history: full.then(|| vec![Entry::sample()]),
        };
        let off = Self { enabled: false, ..page(ClientKind::Confidential, true) };
        vec![page(ClientKind::Confidential, true), page(ClientKind::Public, false), off]
    }
}
crate::page!(ClientPage);
