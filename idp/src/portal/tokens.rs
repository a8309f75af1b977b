//! API tokens of the person who is signed in: shown once, revoked at once.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::list::{PAGE, Pager};
use super::once::{Once, Value};
use crate::accounts::api_tokens as cases;
use crate::core::Timestamp;
use crate::core::ids::{ApiTokenId, PersonId};
use crate::core::policy::TokenScopes;
use crate::core::text::DisplayName;
use crate::http::{Path, Query};
use crate::pages::Page;
use crate::storage::api_tokens::{self, ApiToken};
use serde::Serialize;

/// A token as people read it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TokenView {
    id: String,
    name: String,
    write: bool,
    created_at: Timestamp,
    expires_at: Timestamp,
    last_used_at: Option<Timestamp>,
    /// `usable`, `expired` or `revoked`.
    state: &'static str,
}

/// The list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TokensPage {
    tokens: Vec<TokenView>,
    pager: Pager,
}

impl TokenView {
    /// A stored token at `now`.
    pub(super) fn new(t: ApiToken, now: Timestamp) -> Self {
        let state = match t.revoked_at {
            Some(_) => "revoked",
            None if t.expires_at <= now => "expired",
            None => "usable",
        };
        Self {
            state,
            id: t.id.to_string(),
            name: t.name,
            write: t.scopes.0.write,
            created_at: t.created_at,
            expires_at: t.expires_at,
            last_used_at: t.last_used_at,
        }
    }
    pub(super) fn samples() -> Vec<Self> {
        let token = |state| Self {
            id: "x".into(),
            name: "report".into(),
            write: state == "usable",
            created_at: Timestamp(1),
            expires_at: Timestamp(2),
            last_used_at: (state == "usable").then_some(Timestamp(1)),
            state,
        };
        ["usable", "expired", "revoked"].into_iter().map(token).collect()
    }
}

fn own(desk: &Desk) -> Result<PersonId, Fault> {
    desk.actor().person.clone().ok_or_else(Fault::gone)
}

/// `GET /admin/tokens`.
pub(super) async fn list(desk: Desk, Query(input): Query<Input>) -> Answer {
    let after = input.filled("after").and_then(|id| ApiTokenId::parse(id).ok());
    let page = api_tokens::page_of_person(&mut desk.db(), &own(&desk)?, after.as_ref(), PAGE).await?;
    let last = page.items.last().filter(|_| page.more).map(|t| (String::new(), t.id.to_string()));
    let pager = Pager::new(&desk, &input, &[], ("key", "after"), last);
    let view = |t| TokenView::new(t, desk.now());
    desk.page(&TokensPage { tokens: page.items.into_iter().map(view).collect(), pager })
}

fn form() -> FormPage {
    let option = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let fields = vec![
        Field::text("name", "What it is for", "").hint("Such as “nightly report”."),
        Field::select(
            "days",
            "Lives for",
            "30",
            vec![option("7", "7 days"), option("30", "30 days"), option("90", "90 days"), option("366", "A year")],
        ),
        Field::check("write", "It may change things", false).hint("Otherwise it may only read. It never may more than you."),
    ];
    FormPage::new("Create an API token", "/admin/tokens/new", "Create token", fields).under(&[("API tokens", "/admin/tokens")])
}

/// `GET /admin/tokens/new`.
pub(super) async fn new(desk: Desk) -> Answer {
    desk.page(&form())
}

/// `POST /admin/tokens/new`.
pub(super) async fn create(post: Post) -> Answer {
    let Post { desk, input } = post;
    match try_create(&desk, &input).await {
        Ok(once) => desk.page(&once),
        Err(fault) => desk.again(fault, form(), &input),
    }
}

async fn try_create(desk: &Desk, input: &Input) -> Result<Once, Fault> {
    let name = DisplayName::parse("name", input.get("name"))?;
    let days: i64 = input.get("days").parse().unwrap_or(30).clamp(1, 366);
    let scopes = TokenScopes { write: input.ticked("write") };
    let token = cases::create(&desk.deps, desk.actor(), &own(desk)?, &name, scopes, days * 86_400).await?;
    Ok(Once {
        title: format!("Token “{name}”"),
        text: "Send it as “Authorization: Bearer …”. It is not shown again.".into(),
        trail: vec![("API tokens".into(), "/admin/tokens".into())],
        values: vec![Value { id: "token", label: "Token", value: token.secret }],
        expires_at: Some(token.expires_at),
        next: "/admin/tokens".into(),
        next_label: "I have copied the token".into(),
    })
}

async fn ask(desk: &Desk, id: &ApiTokenId) -> Result<Confirm, Fault> {
    let token = api_tokens::find(&mut desk.db(), id).await?.filter(|t| Some(&t.person_id) == desk.actor().person.as_ref());
    let token = token.ok_or_else(Fault::gone)?;
    let used = match token.last_used_at {
        Some(at) => format!("It was last used at {} UTC.", at.rfc3339().replace('T', " ").chars().take(16).collect::<String>()),
        None => "It was never used.".to_owned(),
    };
    let may = if token.scopes.0.write { "reads and changes things" } else { "reads" };
    let text = format!("It {may} on your behalf. {used} Programs that use it are refused from the next request on.");
    Ok(Confirm::new(&format!("Revoke the token “{}”?", token.name), &format!("/admin/tokens/{id}/revoke"), "Revoke token")
        .danger()
        .text(&text)
        .under(&[("API tokens", "/admin/tokens")]))
}

/// `GET /admin/tokens/{id}/revoke`.
pub(super) async fn revoking(desk: Desk, Path(id): Path<ApiTokenId>) -> Answer {
    desk.page(&ask(&desk, &id).await?)
}

/// `POST /admin/tokens/{id}/revoke`.
pub(super) async fn revoke(Path(id): Path<ApiTokenId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    match cases::revoke(&desk.deps, desk.actor(), &id).await {
        Ok(_) => desk.done("/admin/tokens", "revoked"),
        Err(error) => ask(&desk, &id).await?.refused(&desk, error.into()),
    }
}

impl Page for TokensPage {
    const TEMPLATE: &'static str = "admin/tokens.html";
    fn samples() -> Vec<Self> {
        vec![Self { tokens: TokenView::samples(), pager: Pager::sample() }, Self { tokens: vec![], pager: Pager::default() }]
    }
}
crate::page!(TokensPage);
