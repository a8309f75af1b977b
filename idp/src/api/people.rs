//! `/people`.

use super::shape::{
    Answer, List, Part, Problems, bounded, created, done, id as parse_id, known_person, missing, of, ok, read, refused, tagged,
    time, time_or,
};
use super::texts::{self, Address, IfMatch, Name, ReasonCode};
use crate::accounts::{emails as email_cases, links, people as cases};
use crate::core::ids::{EmailId, PersonId};
use crate::core::policy::Act;
use crate::core::text::{DisplayName, Email, Username, fold};
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Query, etag};
use crate::login::Token;
use crate::storage::{emails, people};
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, edit))
        .routes(routes!(disable))
        .routes(routes!(enable))
        .routes(routes!(password_link))
        .routes(routes!(list_emails, add_email))
        .routes(routes!(verify_email))
        .routes(routes!(remove_email))
}

/// A person.
#[derive(Serialize, ToSchema)]
struct Person {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// User name, sent to Spaces.
    username: String,
    /// The address sent to Spaces.
    email: String,
    /// Name for people.
    display_name: String,
    /// No reason to be disabled.
    active: bool,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// Last change.
    #[schema(format = DateTime)]
    updated_at: String,
    /// As in the ETag.
    version: i64,
}

impl From<people::Person> for Person {
    fn from(p: people::Person) -> Self {
        Self {
            id: p.id.to_string(),
            username: p.username,
            email: p.space_email,
            display_name: p.display_name,
            active: p.active,
            created_at: time(p.created_at),
            updated_at: time(p.updated_at),
            version: p.version,
        }
    }
}

/// Why a person is disabled.
#[derive(Serialize, ToSchema)]
#[schema(as = DisabledReason)]
struct DisabledOut {
    /// `manual`, `provider:ID`, …: what `enable` wants to take it away.
    reason: String,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
}

/// A person, with the reasons why they are disabled.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonInFull)]
struct Full {
    #[serde(flatten)]
    person: Person,
    /// Reasons to be disabled; none: active.
    disabled: Vec<DisabledOut>,
}

async fn full(deps: &Deps, ctx: &Ctx, person: people::Person) -> Answer {
    let reasons = people::disabled(&mut &deps.db, &person.id).await.map_err(read(ctx))?;
    let disabled = reasons.into_iter().map(|d| DisabledOut { reason: d.reason, since: time(d.since) }).collect();
    tagged(person.version, Full { person: person.into(), disabled })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 512)]
    #[serde(default)]
    after: Option<String>,
    /// Part of the name, user name or address.
    #[param(max_length = 200)]
    #[serde(default)]
    q: Option<String>,
    /// Only active, or only disabled people.
    #[serde(default)]
    active: Option<bool>,
}

/// People, by name.
#[utoipa::path(get, operation_id = "list_people", path = "/people", tag = "people", params(Filter), responses((status = 200, body = List<Person>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(filter): Query<Filter>) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    let part = Part { limit: filter.limit, after: filter.after };
    let filter = people::Filter { text: bounded(filter.q, "q", 200, &ctx)?, active: filter.active };
    let after: Option<(String, PersonId)> = part.after(&ctx)?;
    let page = people::page(&mut &deps.db, &filter, after.as_ref(), part.limit(&ctx)?).await.map_err(read(&ctx))?;
    ok(List::page(page, |p| (fold(&p.display_name), p.id.clone()), Person::from))
}

/// A new person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    /// User name, sent to Spaces.
    username: texts::Username,
    /// Name for people.
    display_name: Name,
    /// The address sent to Spaces.
    email: Address,
    /// You vouch for the address.
    #[serde(default)]
    email_verified: bool,
    /// Take over names that somebody else had before; needs an owner.
    #[serde(default)]
    reuse_former_names: bool,
    /// Also make a one-time link with which the person sets a password.
    #[serde(default)]
    password_link: bool,
}

/// A one-time link: shown once.
#[derive(Serialize, ToSchema)]
struct OneTimeLink {
    /// The link.
    url: String,
    /// Until when it works.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<links::OneTimeLink> for OneTimeLink {
    fn from(link: links::OneTimeLink) -> Self {
        Self { url: link.url, expires_at: time(link.expires_at) }
    }
}

/// What was made.
#[derive(Serialize, ToSchema)]
struct CreatedPerson {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// The link, if one was asked for.
    password_link: Option<OneTimeLink>,
}

/// Create a person.
#[utoipa::path(post, operation_id = "create_person", path = "/people", tag = "people", request_body = NewPerson, responses((status = 201, body = CreatedPerson), Problems))]
async fn create(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<NewPerson>) -> Answer {
    let new = cases::NewPerson {
        username: Username::parse(&body.username).map_err(refused(&ctx))?,
        display_name: DisplayName::parse("display_name", &body.display_name).map_err(refused(&ctx))?,
        email: Email::parse(&body.email).map_err(refused(&ctx))?,
        email_verified: body.email_verified,
        reuse_former_names: body.reuse_former_names,
        password_link: body.password_link,
    };
    let made = cases::create(&deps, &actor, new).await.map_err(of(&ctx))?;
    let id = made.id.to_string();
    created(&format!("/people/{id}"), CreatedPerson { id, password_link: made.link.map(Into::into) })
}

/// One person.
#[utoipa::path(get, operation_id = "get_person", path = "/people/{id}", tag = "people", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Full), Problems))]
async fn find(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<PersonId>) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    let person = people::find(&mut &deps.db, &id).await.map_err(read(&ctx))?.ok_or_else(|| missing(&ctx, "person"))?;
    full(&deps, &ctx, person).await
}

/// What to change; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditPerson {
    /// User name.
    #[serde(default)]
    username: Option<texts::Username>,
    /// Name for people.
    #[serde(default)]
    display_name: Option<Name>,
    /// The address sent to Spaces.
    #[serde(default)]
    email: Option<Address>,
    /// Take over names that somebody else had before; needs an owner.
    #[serde(default)]
    reuse_former_names: bool,
}

/// Change a person.
#[utoipa::path(patch, operation_id = "change_person", path = "/people/{id}", tag = "people", params(("id" = String, Path, format = "uuid"), IfMatch), request_body = EditPerson, responses((status = 200, body = Full), Problems))]
async fn edit(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    headers: HeaderMap,
    Json(body): Json<EditPerson>,
) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    let edit = cases::EditPerson {
        username: body.username.as_deref().map(Username::parse).transpose().map_err(refused(&ctx))?,
        display_name: body
            .display_name
            .as_deref()
            .map(|t| DisplayName::parse("display_name", t))
            .transpose()
            .map_err(refused(&ctx))?,
        space_email: body.email.as_deref().map(Email::parse).transpose().map_err(refused(&ctx))?,
        reuse_former_names: body.reuse_former_names,
    };
    let person = cases::edit(&deps, &actor, &id, version, edit).await.map_err(of(&ctx))?;
    full(&deps, &ctx, person).await
}

/// A reason to be disabled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisableReason)]
struct Reason {
    /// The reason; `manual` when left out.
    #[serde(default)]
    reason: Option<ReasonCode>,
}

impl Reason {
    fn code(&self) -> &str {
        self.reason.as_deref().unwrap_or("manual")
    }
}

/// Disable a person: everything they hold ends.
#[utoipa::path(post, operation_id = "disable_person", path = "/people/{id}/disable", tag = "people", params(("id" = String, Path, format = "uuid")), request_body = Reason, responses((status = 204), Problems))]
async fn disable(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Json(body): Json<Reason>,
) -> Answer {
    cases::disable(&deps, &actor, &id, body.code()).await.map_err(of(&ctx))?;
    done()
}

/// Take a reason away; without any the person is active.
#[utoipa::path(post, operation_id = "enable_person", path = "/people/{id}/enable", tag = "people", params(("id" = String, Path, format = "uuid")), request_body = Reason, responses((status = 204), Problems))]
async fn enable(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Json(body): Json<Reason>,
) -> Answer {
    cases::enable(&deps, &actor, &id, body.code()).await.map_err(of(&ctx))?;
    done()
}

/// Make a one-time link with which the person sets a password.
#[utoipa::path(post, operation_id = "create_password_link", path = "/people/{id}/password-link", tag = "people", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = OneTimeLink), Problems))]
async fn password_link(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<PersonId>) -> Answer {
    let link = links::create(&deps, &actor, &id).await.map_err(of(&ctx))?;
    ok(OneTimeLink::from(link))
}

/// An address of a person.
#[derive(Serialize, ToSchema)]
struct EmailAddress {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// The address.
    address: String,
    /// When it was verified.
    #[schema(format = DateTime)]
    verified_at: Option<String>,
}

/// Addresses of a person.
#[utoipa::path(get, operation_id = "list_emails", path = "/people/{id}/emails", tag = "people", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<EmailAddress>), Problems))]
async fn list_emails(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Query(part): Query<Part>,
) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    known_person(&deps, &ctx, &id).await?;
    let (after, limit): (Option<String>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = emails::page_of_person(&mut &deps.db, &id, &after.unwrap_or_default(), limit).await.map_err(read(&ctx))?;
    let shape =
        |e: emails::EmailRow| EmailAddress { id: e.id.to_string(), address: e.address, verified_at: time_or(e.verified_at) };
    ok(List::page(page, |e| e.address_key.clone(), shape))
}

/// A new address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    /// The address.
    address: Address,
    /// You vouch for it.
    #[serde(default)]
    verified: bool,
}

/// The id of what was made.
#[derive(Serialize, ToSchema)]
pub(super) struct Made {
    /// Id.
    #[schema(format = "uuid")]
    pub(super) id: String,
}

/// Add an address.
#[utoipa::path(post, operation_id = "add_email", path = "/people/{id}/emails", tag = "people", params(("id" = String, Path, format = "uuid")), request_body = NewEmail, responses((status = 201, body = Made), Problems))]
async fn add_email(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Json(body): Json<NewEmail>,
) -> Answer {
    let email = Email::parse(&body.address).map_err(refused(&ctx))?;
    let made = email_cases::add(&deps, &actor, &id, &email, body.verified).await.map_err(of(&ctx))?;
    created(&format!("/people/{id}/emails"), Made { id: made.to_string() })
}

/// Vouch for an address.
#[utoipa::path(post, operation_id = "verify_email", path = "/people/{id}/emails/{email}/verify", tag = "people", params(("id" = String, Path, format = "uuid"), ("email" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn verify_email(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, email)): Path<(PersonId, String)>,
) -> Answer {
    let email: EmailId = parse_id(&email, "email", &ctx)?;
    email_cases::verify(&deps, &actor, &id, &email).await.map_err(of(&ctx))?;
    done()
}

/// Remove an address.
#[utoipa::path(delete, operation_id = "remove_email", path = "/people/{id}/emails/{email}", tag = "people", params(("id" = String, Path, format = "uuid"), ("email" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn remove_email(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, email)): Path<(PersonId, String)>,
) -> Answer {
    let email: EmailId = parse_id(&email, "email", &ctx)?;
    email_cases::remove(&deps, &actor, &id, &email).await.map_err(of(&ctx))?;
    done()
}
