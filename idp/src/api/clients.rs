//! `/clients`: OpenID applications.

use super::groups::Confirmed;
use super::shape::{Answer, List, Part, Problems, bounded, created, id as parse_id, of, ok, tagged};
use super::texts::{Audience, ClientKey, IfMatch, Name, ObjectId, RedirectUri, ScopeName};
use crate::accounts::clients as cases;
use crate::core::client::{AuthMethod, Client, ClientKind, ClientSettings, GrantType};
use crate::core::ids::{ClientId, GroupId};
use crate::core::keyset::Alg;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Problem, Query, etag};
use crate::login::Token;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(find, edit)).routes(routes!(rotate))
}

/// Kind of a client.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ClientKind)]
enum Kind {
    /// Of a Space.
    Space,
    /// Keeps a secret.
    Confidential,
    /// Cannot.
    Public,
}

/// Kind of a client that can be made here.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NewClientKind)]
enum NewKind {
    /// Keeps a secret.
    Confidential,
    /// Cannot.
    Public,
}

/// A grant type.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GrantType)]
enum Grant {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl From<GrantType> for Grant {
    fn from(g: GrantType) -> Self {
        match g {
            GrantType::AuthorizationCode => Self::AuthorizationCode,
            GrantType::RefreshToken => Self::RefreshToken,
            GrantType::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl From<Grant> for GrantType {
    fn from(g: Grant) -> Self {
        match g {
            Grant::AuthorizationCode => Self::AuthorizationCode,
            Grant::RefreshToken => Self::RefreshToken,
            Grant::ClientCredentials => Self::ClientCredentials,
        }
    }
}

/// How a client proves itself.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthMethod)]
enum Method {
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// Not at all.
    None,
}

/// Algorithm of tokens.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = SigningAlg)]
enum Algorithm {
    /// RSA.
    #[serde(rename = "RS256")]
    Rs256,
    /// P-256.
    #[serde(rename = "ES256")]
    Es256,
}

/// A client.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
struct ClientOut {
    /// Id.
    id: String,
    /// Kind.
    kind: Kind,
    /// Name.
    name: String,
    /// Gets tokens.
    enabled: bool,
    /// Where the browser may be sent with a code.
    redirect_uris: Vec<String>,
    /// Where the browser may be sent after a sign-out.
    post_logout_redirect_uris: Vec<String>,
    /// Grant types.
    grant_types: Vec<Grant>,
    /// Scopes.
    scopes: Vec<String>,
    /// How it proves itself.
    token_endpoint_auth_method: Method,
    /// Algorithm of its tokens.
    signing_alg: Algorithm,
    /// PKCE is required.
    require_pkce: bool,
    /// People are not asked for consent.
    first_party: bool,
    /// Audience of its access tokens.
    audience: Option<String>,
    /// Ids of the groups it is restricted to; none: every active person.
    groups: Vec<String>,
    /// As in the ETag.
    version: i64,
}

fn shape(c: Client, groups: &[GroupId]) -> ClientOut {
    ClientOut {
        groups: groups.iter().map(ToString::to_string).collect(),
        id: c.id.to_string(),
        kind: match c.kind {
            ClientKind::Space(_) => Kind::Space,
            ClientKind::Confidential => Kind::Confidential,
            ClientKind::Public => Kind::Public,
        },
        name: c.name,
        enabled: c.enabled,
        redirect_uris: c.settings.redirect_uris,
        post_logout_redirect_uris: c.settings.post_logout_redirect_uris,
        grant_types: c.settings.grant_types.into_iter().map(Into::into).collect(),
        scopes: c.settings.scopes.into_iter().collect(),
        token_endpoint_auth_method: match c.settings.token_endpoint_auth_method {
            AuthMethod::ClientSecretBasic => Method::ClientSecretBasic,
            AuthMethod::ClientSecretPost => Method::ClientSecretPost,
            AuthMethod::None => Method::None,
        },
        signing_alg: if c.settings.signing_alg == Alg::Es256 { Algorithm::Es256 } else { Algorithm::Rs256 },
        require_pkce: c.settings.require_pkce,
        first_party: c.settings.first_party,
        audience: c.settings.audience,
        version: c.version,
    }
}

/// Settings of a client; what is left out has its usual value (create) or stays (change).
struct Settings {
    redirect_uris: Option<Vec<String>>,
    post_logout_redirect_uris: Option<Vec<String>>,
    grant_types: Option<Vec<Grant>>,
    scopes: Option<Vec<String>>,
    token_endpoint_auth_method: Option<Method>,
    signing_alg: Option<Algorithm>,
    require_pkce: Option<bool>,
    first_party: Option<bool>,
    audience: Option<String>,
    groups: Option<Vec<String>>,
}

fn texts<T>(list: Option<Vec<T>>, inner: impl Fn(T) -> String) -> Option<Vec<String>> {
    list.map(|list| list.into_iter().map(inner).collect())
}

/// A body of its own fields and those of [`Settings`]: `flatten` would let unknown fields pass.
macro_rules! body {
    ($(#[$meta:meta])* struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        struct $name {
            $($own)*
            /// Where the browser may be sent with a code: compared byte by byte.
            #[serde(default)]
            #[schema(max_items = 32)]
            redirect_uris: Option<Vec<RedirectUri>>,
            /// Where the browser may be sent after a sign-out.
            #[serde(default)]
            #[schema(max_items = 32)]
            post_logout_redirect_uris: Option<Vec<RedirectUri>>,
            /// Grant types.
            #[serde(default)]
            #[schema(min_items = 1)]
            grant_types: Option<Vec<Grant>>,
            /// Scopes it may ask for.
            #[serde(default)]
            #[schema(max_items = 64)]
            scopes: Option<Vec<ScopeName>>,
            /// How it proves itself.
            #[serde(default)]
            token_endpoint_auth_method: Option<Method>,
            /// Algorithm of its tokens.
            #[serde(default)]
            signing_alg: Option<Algorithm>,
            /// PKCE is required; may be relaxed for a confidential client.
            #[serde(default)]
            require_pkce: Option<bool>,
            /// People are not asked for consent.
            #[serde(default)]
            first_party: Option<bool>,
            /// Audience of its access tokens.
            #[serde(default)]
            audience: Option<Audience>,
            /// Groups it is restricted to.
            #[serde(default)]
            #[schema(max_items = 100, value_type = Option<Vec<ObjectId>>)]
            groups: Option<Vec<String>>,
        }
        impl $name {
            fn settings(&mut self) -> Settings {
                Settings {
                    redirect_uris: texts(self.redirect_uris.take(), String::from),
                    post_logout_redirect_uris: texts(self.post_logout_redirect_uris.take(), String::from),
                    grant_types: self.grant_types.take(),
                    scopes: texts(self.scopes.take(), String::from),
                    token_endpoint_auth_method: self.token_endpoint_auth_method,
                    signing_alg: self.signing_alg,
                    require_pkce: self.require_pkce,
                    first_party: self.first_party,
                    audience: self.audience.take().map(String::from),
                    groups: self.groups.take(),
                }
            }
        }
    };
}

impl Settings {
    fn over(&self, mut base: ClientSettings) -> ClientSettings {
        if let Some(v) = &self.redirect_uris {
            base.redirect_uris.clone_from(v);
        }
        if let Some(v) = &self.post_logout_redirect_uris {
            base.post_logout_redirect_uris.clone_from(v);
        }
        if let Some(v) = &self.grant_types {
            base.grant_types = v.iter().map(|g| GrantType::from(*g)).collect();
        }
        if let Some(v) = &self.scopes {
            base.scopes = v.iter().cloned().collect();
        }
        if let Some(v) = self.token_endpoint_auth_method {
            base.token_endpoint_auth_method = match v {
                Method::ClientSecretBasic => AuthMethod::ClientSecretBasic,
                Method::ClientSecretPost => AuthMethod::ClientSecretPost,
                Method::None => AuthMethod::None,
            };
        }
        if let Some(v) = self.signing_alg {
            base.signing_alg = match v {
                Algorithm::Rs256 => Alg::Rs256,
                Algorithm::Es256 => Alg::Es256,
            };
        }
        if let Some(v) = self.require_pkce {
            base.require_pkce = v;
        }
        if let Some(v) = self.first_party {
            base.first_party = v;
        }
        if let Some(v) = &self.audience {
            base.audience = Some(v.clone());
        }
        base
    }
    fn groups(&self, ctx: &Ctx) -> Result<Option<BTreeSet<GroupId>>, Problem> {
        self.groups.as_ref().map(|list| list.iter().map(|g| parse_id(g, "groups", ctx)).collect()).transpose()
    }
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
    /// Part of the name or id.
    #[param(max_length = 200)]
    #[serde(default)]
    q: Option<String>,
}

/// Clients, by id.
#[utoipa::path(get, operation_id = "list_clients", path = "/clients", tag = "clients", params(Filter), responses((status = 200, body = List<ClientOut>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(filter): Query<Filter>) -> Answer {
    let part = Part { limit: filter.limit, after: filter.after };
    let q = bounded(filter.q, "q", 200, &ctx)?;
    let after: Option<String> = part.after(&ctx)?;
    let limit = part.limit(&ctx)?;
    let after = after.unwrap_or_default();
    let page = cases::list(&deps, &actor, q.as_deref(), &after, limit).await.map_err(of(&ctx))?;
    ok(List::page(page, |(c, _)| c.id.clone(), |(c, groups)| shape(c, &groups)))
}

body! {
/// A new client.
struct NewClient {
    /// Its id; made up when left out.
    #[serde(default)]
    id: Option<ClientKey>,
    /// Name.
    name: Name,
    /// `confidential` or `public`; the client of a Space comes with the Space.
    kind: NewKind,
}
}

/// What was made: the secret is shown once.
#[derive(Serialize, ToSchema)]
struct CreatedClient {
    /// The client.
    #[serde(flatten)]
    client: ClientOut,
    /// Its secret, if it keeps one.
    secret: Option<String>,
}

/// Create a client.
#[utoipa::path(post, operation_id = "create_client", path = "/clients", tag = "clients", request_body = NewClient, responses((status = 201, body = CreatedClient), Problems))]
async fn create(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(mut body): Json<NewClient>) -> Answer {
    let kind = match body.kind {
        NewKind::Confidential => ClientKind::Confidential,
        NewKind::Public => ClientKind::Public,
    };
    let bad = |_| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "id.invalid", "A client id has 1 to 128 of A-Z a-z 0-9 . _ - :")
            .field("id")
            .of(&ctx)
    };
    let id = body.id.as_deref().map(ClientId::parse).transpose().map_err(bad)?;
    let given = body.settings();
    let settings = given.over(ClientSettings::for_application(&kind, Vec::new()));
    let groups = given.groups(&ctx)?.unwrap_or_default();
    let own: Vec<GroupId> = groups.iter().cloned().collect();
    let made = cases::create(&deps, &actor, cases::NewClient { id, kind, name: body.name.into(), settings, groups })
        .await
        .map_err(of(&ctx))?;
    let location = format!("/clients/{}", made.client.id);
    created(&location, CreatedClient { client: shape(made.client, &own), secret: made.secret })
}

fn client_id(text: &str, ctx: &Ctx) -> Result<ClientId, Problem> {
    ClientId::parse(text).map_err(|_| super::shape::missing(ctx, "client"))
}

/// One client.
#[utoipa::path(get, operation_id = "get_client", path = "/clients/{id}", tag = "clients", params(("id" = inline(ClientKey), Path)), responses((status = 200, body = ClientOut), Problems))]
async fn find(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<String>) -> Answer {
    let (client, groups, _) = cases::view(&deps, &actor, &client_id(&id, &ctx)?).await.map_err(of(&ctx))?;
    tagged(client.version, shape(client, &groups))
}

body! {
/// What to change; absent fields stay.
struct EditClient {
    /// Name.
    #[serde(default)]
    name: Option<Name>,
    /// Disabled clients get nothing.
    #[serde(default)]
    enabled: Option<bool>,
}
}

/// Change a client. An empty list of groups opens a restricted client to everybody and wants `confirmed=true`.
#[utoipa::path(patch, operation_id = "change_client", path = "/clients/{id}", tag = "clients", params(("id" = inline(ClientKey), Path), Confirmed, IfMatch), request_body = EditClient, responses((status = 200, body = ClientOut), Problems))]
async fn edit(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<String>,
    Query(query): Query<Confirmed>,
    headers: HeaderMap,
    Json(mut body): Json<EditClient>,
) -> Answer {
    let seen = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    let id = client_id(&id, &ctx)?;
    let (client, before, _) = cases::view(&deps, &actor, &id).await.map_err(of(&ctx))?;
    // fields that are left out come from the version that was just read, so that version is what must still hold
    let version = seen.unwrap_or(client.version);
    let given = body.settings();
    let groups = given.groups(&ctx)?;
    let own: Vec<GroupId> = groups.as_ref().map_or(before, |new| new.iter().cloned().collect());
    let edit = cases::EditClient {
        name: body.name.map(String::from),
        settings: Some(given.over(client.settings)),
        groups,
        enabled: body.enabled,
        confirmed: query.confirmed,
    };
    let client = cases::edit(&deps, &actor, &id, Some(version), edit).await.map_err(of(&ctx))?;
    tagged(client.version, shape(client, &own))
}

/// What to do with the secret before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateSecret)]
struct Rotate {
    /// End the secret before at once; otherwise it stays valid for a week.
    #[serde(default)]
    end_previous: bool,
}

/// A secret: shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientSecret)]
struct Secret {
    /// The secret.
    secret: String,
}

/// Make a new secret.
#[utoipa::path(post, operation_id = "rotate_client_secret", path = "/clients/{id}/secrets", tag = "clients", params(("id" = inline(ClientKey), Path)), request_body = Rotate, responses((status = 200, body = Secret), Problems))]
async fn rotate(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<String>,
    Json(body): Json<Rotate>,
) -> Answer {
    let secret = cases::rotate_secret(&deps, &actor, &client_id(&id, &ctx)?, body.end_previous).await.map_err(of(&ctx))?;
    ok(Secret { secret })
}
