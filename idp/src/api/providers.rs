//! `/providers`: who vouches for people.

use super::directories::Directory;
use super::shape::{Answer, Problems, created, done, mirror, of, ok, tagged};
use super::texts::{self, IfMatch};
use crate::accounts::providers as cases;
use crate::core::provider::{self as core, Provider};
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, etag};
use crate::login::Token;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(find, change, remove)).routes(routes!(examine))
}

mirror! {
/// How ODCM proves itself at the provider.
#[schema(as = ProviderAuthMethod)]
enum Auth = core::ClientAuth {
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// A signed assertion (RFC 7523); the provider reads our key set.
    PrivateKeyJwt,
    /// PKCE alone.
    None,
}
}

mirror! {
/// Whose rules the provider follows beyond OpenID Connect.
#[schema(as = ProviderProfile)]
enum Profile = core::Profile {
    /// None.
    Generic,
    /// Microsoft Entra ID.
    Entra,
    /// Google.
    Google,
    /// Okta.
    Okta,
}
}

/// Which claims say what: a name, or a JSON pointer (RFC 6901).
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimMap)]
struct Claims {
    /// Name to show.
    #[schema(value_type = texts::ProviderText)]
    name: String,
    /// User name to propose.
    #[schema(value_type = texts::ProviderText)]
    username: String,
    /// Address.
    #[schema(value_type = texts::ProviderText)]
    email: String,
    /// Whether the provider verified the address.
    #[schema(value_type = texts::ProviderText)]
    email_verified: String,
    /// Groups.
    #[schema(value_type = texts::ProviderText)]
    groups: String,
}

impl Default for Claims {
    fn default() -> Self {
        let core::ClaimMap { name, username, email, email_verified, groups } = core::ClaimMap::default();
        Self { name, username, email, email_verified, groups }
    }
}

/// What belongs to the kind of provider.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ProviderSettings)]
enum Settings {
    /// OpenID Connect.
    Oidc {
        /// Profile.
        profile: Profile,
        /// Issuer identifier.
        #[schema(value_type = texts::ProviderAddress)]
        issuer: String,
        /// Our client id there.
        #[schema(value_type = texts::ProviderText)]
        client_id: String,
        /// How we prove ourselves.
        client_auth: Auth,
        /// Scopes besides `openid`.
        #[serde(default)]
        #[schema(value_type = Vec<texts::ProviderScope>, max_items = 200)]
        scopes: BTreeSet<String>,
        /// Entra: tenants that are let in.
        #[serde(default)]
        #[schema(value_type = Vec<texts::Tenant>, max_items = 200)]
        tenants: BTreeSet<String>,
        /// Google: Workspace domains that are let in.
        #[serde(default)]
        #[schema(value_type = Vec<texts::Domain>, max_items = 200)]
        hosted_domains: BTreeSet<String>,
        /// Ask the userinfo endpoint too.
        #[serde(default)]
        userinfo: bool,
        /// Which claims say what.
        #[serde(default)]
        claims: Claims,
        /// Entra: ask Microsoft Graph for groups that do not fit into the token. Google: ask Cloud Identity for groups.
        #[serde(default)]
        vendor_groups: bool,
        /// Where that is, if not at the vendor's usual address.
        #[serde(default)]
        #[schema(value_type = Option<texts::ProviderAddress>)]
        vendor_url: Option<String>,
    },
    /// GitHub.
    Github {
        /// Where people sign in.
        #[schema(value_type = texts::ProviderAddress)]
        base_url: String,
        /// Where its API is.
        #[schema(value_type = texts::ProviderAddress)]
        api_url: String,
        /// Our client id there.
        #[schema(value_type = texts::ProviderText)]
        client_id: String,
        /// Organisations of which somebody must be a member.
        #[serde(default)]
        #[schema(value_type = Vec<texts::ProviderText>, max_items = 200)]
        organisations: BTreeSet<String>,
    },
    /// Active Directory or another LDAP server.
    Ldap(Box<Directory>),
}

impl From<core::Settings> for Settings {
    fn from(settings: core::Settings) -> Self {
        match settings {
            core::Settings::Oidc(s) => {
                let core::ClaimMap { name, username, email, email_verified, groups } = s.claims;
                Self::Oidc {
                    profile: s.profile.into(),
                    issuer: s.issuer,
                    client_id: s.client_id,
                    client_auth: s.client_auth.into(),
                    scopes: s.scopes,
                    tenants: s.tenants,
                    hosted_domains: s.hosted_domains,
                    userinfo: s.userinfo,
                    claims: Claims { name, username, email, email_verified, groups },
                    vendor_groups: s.vendor_groups,
                    vendor_url: s.vendor_url,
                }
            }
            core::Settings::Ldap(s) => Self::Ldap(Box::new((*s).into())),
            core::Settings::Github(s) => {
                Self::Github { base_url: s.base_url, api_url: s.api_url, client_id: s.client_id, organisations: s.organisations }
            }
        }
    }
}

impl From<Settings> for core::Settings {
    fn from(settings: Settings) -> Self {
        match settings {
            Settings::Oidc {
                profile,
                issuer,
                client_id,
                client_auth,
                scopes,
                tenants,
                hosted_domains,
                userinfo,
                claims,
                vendor_groups,
                vendor_url,
            } => {
                let Claims { name, username, email, email_verified, groups } = claims;
                Self::Oidc(core::OidcSettings {
                    profile: profile.into(),
                    issuer,
                    client_id,
                    client_auth: client_auth.into(),
                    scopes,
                    tenants,
                    hosted_domains,
                    userinfo,
                    claims: core::ClaimMap { name, username, email, email_verified, groups },
                    vendor_groups,
                    vendor_url,
                })
            }
            Settings::Ldap(directory) => Self::Ldap(Box::new((*directory).into())),
            Settings::Github { base_url, api_url, client_id, organisations } => {
                Self::Github(core::GithubSettings { base_url, api_url, client_id, organisations })
            }
        }
    }
}

/// Who becomes a person by signing in for the first time.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(tag = "who", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ProviderCreation)]
enum Creation {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody.
    Everybody,
    /// Whoever has a proven address in one of these.
    Domains {
        /// Domains.
        #[schema(value_type = Vec<texts::Domain>, max_items = 200)]
        domains: BTreeSet<String>,
    },
    /// Whoever is in one of these groups of the provider.
    Groups {
        /// Ids there.
        #[schema(value_type = Vec<texts::ProviderText>, max_items = 200)]
        groups: BTreeSet<String>,
    },
}

impl From<core::Creation> for Creation {
    fn from(creation: core::Creation) -> Self {
        match creation {
            core::Creation::Nobody => Self::Nobody,
            core::Creation::Everybody => Self::Everybody,
            core::Creation::Domains { domains } => Self::Domains { domains },
            core::Creation::Groups { groups } => Self::Groups { groups },
        }
    }
}

impl From<Creation> for core::Creation {
    fn from(creation: Creation) -> Self {
        match creation {
            Creation::Nobody => Self::Nobody,
            Creation::Everybody => Self::Everybody,
            Creation::Domains { domains } => Self::Domains { domains },
            Creation::Groups { groups } => Self::Groups { groups },
        }
    }
}

/// A provider.
#[derive(Serialize, ToSchema)]
#[schema(as = Provider)]
struct Out {
    /// Id.
    id: String,
    /// Name on buttons.
    name: String,
    /// Kind and settings.
    settings: Settings,
    /// Domains it is authoritative for.
    domains: BTreeSet<String>,
    /// Who becomes a person.
    creation: Creation,
    /// Its "disabled" disables the person.
    authoritative: bool,
    /// People can sign in with it.
    enabled: bool,
    /// A secret is stored.
    has_secret: bool,
    /// Where the provider must send the browser back to.
    redirect_uri: String,
    /// As in the ETag.
    version: i64,
}

fn shape(deps: &Deps, provider: Provider, has_secret: bool) -> Out {
    Out {
        redirect_uri: deps.settings.public.link(&format!("/login/callback/{}", provider.id)),
        id: provider.id,
        name: provider.name,
        settings: provider.settings.into(),
        domains: provider.domains,
        creation: provider.creation.into(),
        authoritative: provider.authoritative,
        enabled: provider.enabled,
        has_secret,
        version: provider.version,
    }
}

/// A list.
#[derive(Serialize, ToSchema)]
#[schema(as = Providers)]
struct All {
    /// All of them: at most 200.
    items: Vec<Out>,
}

/// Providers, by name.
#[utoipa::path(get, operation_id = "list_providers", path = "/providers", tag = "providers", responses((status = 200, body = All), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token) -> Answer {
    let all = cases::list(&deps, &actor).await.map_err(of(&ctx))?;
    ok(All { items: all.into_iter().map(|s| shape(&deps, s.provider, s.secret.is_some())).collect() })
}

/// Everything of a provider but its id.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderBody)]
struct Body {
    /// Name on buttons.
    name: texts::Button,
    /// Kind and settings.
    settings: Settings,
    /// Domains it is authoritative for.
    #[serde(default)]
    #[schema(value_type = Vec<texts::Domain>, max_items = 200)]
    domains: BTreeSet<String>,
    /// Who becomes a person.
    #[serde(default)]
    creation: Creation,
    /// Its "disabled" disables the person.
    #[serde(default)]
    authoritative: bool,
    /// People can sign in with it.
    #[serde(default)]
    enabled: bool,
    /// The secret that the provider gave; left out, the one that is stored stays.
    #[serde(default)]
    secret: Option<texts::ProviderSecret>,
}

impl Body {
    fn provider(self, id: String, version: i64) -> (Provider, Option<String>) {
        let Self { name, settings, domains, creation, authoritative, enabled, secret } = self;
        let (settings, creation) = (settings.into(), creation.into());
        (
            Provider { id, name: name.into(), settings, domains, creation, authoritative, enabled, version },
            secret.map(String::from),
        )
    }
}

/// A new provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProvider)]
struct New {
    /// Its id: part of the redirect URI, and of what identities are known by; it never changes.
    id: texts::Provider,
    /// Name on buttons.
    name: texts::Button,
    /// Kind and settings.
    settings: Settings,
    /// Domains it is authoritative for.
    #[serde(default)]
    #[schema(value_type = Vec<texts::Domain>, max_items = 200)]
    domains: BTreeSet<String>,
    /// Who becomes a person.
    #[serde(default)]
    creation: Creation,
    /// Its "disabled" disables the person.
    #[serde(default)]
    authoritative: bool,
    /// People can sign in with it.
    #[serde(default)]
    enabled: bool,
    /// The secret that the provider gave.
    #[serde(default)]
    secret: Option<texts::ProviderSecret>,
}

impl New {
    fn split(self) -> (String, Body) {
        let Self { id, name, settings, domains, creation, authoritative, enabled, secret } = self;
        (id.into(), Body { name, settings, domains, creation, authoritative, enabled, secret })
    }
}

/// Set a provider up.
#[utoipa::path(post, operation_id = "create_provider", path = "/providers", tag = "providers", request_body = New, responses((status = 201, body = Out), Problems))]
async fn create(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<New>) -> Answer {
    let (id, body) = body.split();
    let (provider, secret) = body.provider(id, 1);
    cases::create(&deps, &actor, &provider, secret.as_deref()).await.map_err(of(&ctx))?;
    created(&format!("/providers/{}", provider.id), shape(&deps, provider, secret.is_some()))
}

/// One provider.
#[utoipa::path(get, operation_id = "get_provider", path = "/providers/{id}", tag = "providers", params(("id" = inline(texts::Provider), Path)), responses((status = 200, body = Out), Problems))]
async fn find(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<String>) -> Answer {
    let found = cases::find(&deps, &actor, &id).await.map_err(of(&ctx))?;
    tagged(found.provider.version, shape(&deps, found.provider, found.secret.is_some()))
}

/// What an examination found.
#[derive(Serialize, ToSchema)]
#[schema(as = Examination)]
struct Found {
    /// Step by step.
    items: Vec<Step>,
}

/// A step of an examination.
#[derive(Serialize, ToSchema)]
#[schema(as = ExaminationStep)]
struct Step {
    /// What was tried.
    step: String,
    /// `good`, `note` or `bad`.
    grade: Grade,
    /// What was found, and what to do about it.
    text: String,
}

mirror! {
/// How a step went.
#[schema(as = ExaminationGrade)]
enum Grade = crate::connectors::Grade {
    /// It works.
    Good,
    /// It works, and there is something to know.
    Note,
    /// It does not work.
    Bad,
}
}

/// Try a provider's settings, step by step, without signing anybody in.
#[utoipa::path(post, operation_id = "examine_provider", path = "/providers/{id}/examination", tag = "providers", params(("id" = inline(texts::Provider), Path)), responses((status = 200, body = Found), Problems))]
async fn examine(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<String>) -> Answer {
    let found = cases::examine(&deps, &actor, &id).await.map_err(of(&ctx))?;
    let step = |f: crate::connectors::Finding| Step { step: f.step, grade: f.grade.into(), text: f.text };
    ok(Found { items: found.into_iter().map(step).collect() })
}

/// Change a provider as a whole.
#[utoipa::path(put, operation_id = "change_provider", path = "/providers/{id}", tag = "providers", params(("id" = inline(texts::Provider), Path), IfMatch), request_body = Body, responses((status = 200, body = Out), Problems))]
async fn change(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Body>,
) -> Answer {
    let seen = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    let (mut provider, secret) = body.provider(id, 0);
    provider.version = cases::update(&deps, &actor, &provider, seen, secret.as_deref()).await.map_err(of(&ctx))?;
    let found = cases::find(&deps, &actor, &provider.id).await.map_err(of(&ctx))?;
    tagged(provider.version, shape(&deps, provider, found.secret.is_some()))
}

/// Remove a provider. The identities that people have there stay with them.
#[utoipa::path(delete, operation_id = "remove_provider", path = "/providers/{id}", tag = "providers", params(("id" = inline(texts::Provider), Path), IfMatch), responses((status = 204), Problems))]
async fn remove(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let seen = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    cases::remove(&deps, &actor, &id, seen).await.map_err(of(&ctx))?;
    done()
}
