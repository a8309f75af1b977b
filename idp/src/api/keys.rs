//! `/keys`: the keys that sign tokens and documents, without their private halves.

use super::shape::{Answer, List, Problems, created, of, ok, time};
use crate::accounts::keys as cases;
use crate::core::keyset::{Alg, KeyFacts, KeyState, Purpose};
use crate::deps::Deps;
use crate::http::{Ctx, Json};
use crate::login::Token;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, rotate))
}

/// What a key signs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyPurpose)]
enum PurposeName {
    /// Tokens for clients; its public half is in the JWKS.
    Tokens,
    /// Documents for agents, which pin it.
    Documents,
}

/// Where a key stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyState)]
enum StateName {
    /// Published; signs when every client has had time to fetch it.
    Next,
    /// Signs.
    Active,
    /// Signs no more; published until nothing that it signed is valid.
    Retired,
}

/// A signing key.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyOut {
    /// Key id, as in the JWKS and in headers of tokens.
    kid: String,
    /// What it signs.
    purpose: PurposeName,
    /// Algorithm.
    alg: &'static str,
    /// Where it stands.
    state: StateName,
    /// `next` and `active`: since when; `retired`: until when it is published.
    #[schema(format = DateTime)]
    at: String,
}

impl From<KeyFacts> for KeyOut {
    fn from(key: KeyFacts) -> Self {
        let (state, at) = match key.state {
            KeyState::Next { since } => (StateName::Next, since),
            KeyState::Active { since } => (StateName::Active, since),
            KeyState::Retired { until } => (StateName::Retired, until),
        };
        let purpose = if key.purpose == Purpose::Token { PurposeName::Tokens } else { PurposeName::Documents };
        Self { kid: key.kid, purpose, alg: key.alg.as_str(), state, at: time(at) }
    }
}

/// Signing keys.
#[utoipa::path(get, operation_id = "list_keys", path = "/keys", tag = "keys", responses((status = 200, body = List<KeyOut>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token) -> Answer {
    let keys = cases::list(&deps, &actor).await.map_err(of(&ctx))?;
    ok(List::whole(keys.into_iter().map(KeyOut::from).collect()))
}

/// Algorithm of a key that can be rotated.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = KeyAlgorithm)]
enum AlgName {
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519: the key that signs documents. It announces its successor to the agents.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A key to rotate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotation)]
struct Rotation {
    /// Algorithm.
    alg: AlgName,
}

/// The key that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = PublishedKey)]
struct Published {
    /// Its key id.
    kid: String,
}

/// Rotate the key of an algorithm: a new one is published now and signs after every client, or agent, has had
/// time to hear of it.
#[utoipa::path(post, operation_id = "rotate_key", path = "/keys", tag = "keys", request_body = Rotation, responses((status = 201, body = Published), Problems))]
async fn rotate(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<Rotation>) -> Answer {
    let alg = match body.alg {
        AlgName::Rs256 => Alg::Rs256,
        AlgName::Es256 => Alg::Es256,
        AlgName::EdDsa => Alg::EdDsa,
    };
    let kid = cases::rotate(&deps, &actor, alg).await.map_err(of(&ctx))?;
    created("/keys", Published { kid })
}
