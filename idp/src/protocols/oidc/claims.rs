//! What tokens say: ID tokens (OpenID Connect Core §2, §3.1.3.6), access tokens (RFC 9068 §2.2), userinfo (§5.1, §5.4).

use super::rules::scope::has_openid;
use crate::accounts::keys;
use crate::core::Timestamp;
use crate::core::access::View;
use crate::core::authorization::AuthenticationContext;
use crate::core::client::{Client, GROUPS};
use crate::core::ids::PersonId;
use crate::crypto::CryptoError;
use crate::crypto::hash::{b64, sha256};
use crate::crypto::jose::Typ;
use crate::deps::Deps;
use crate::storage::links::LinkRow;
use crate::storage::tokens::Profile;
use crate::storage::{self, Rowish, directory};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Longest list of groups in an ID token, in bytes. With it and the longest of everything else a token stays below
/// [`crate::crypto::jose::MAX_TOKEN`].
const MAX_GROUPS: usize = 6 * 1024;

/// What is said of a person, by scope. For Spaces what the Space itself recorded (rules A7), and never a group (rules A2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct PersonClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
}

impl PersonClaims {
    /// For a Space: the account link alone.
    pub(super) fn of_link(link: &LinkRow) -> Self {
        Self {
            name: Some(link.display_name.clone()),
            preferred_username: Some(link.username.clone()),
            email: Some(link.email.clone()),
            ..Self::default()
        }
    }

    /// As an ID token says it: `groups` are left to userinfo when they are so many that the token would not fit into a
    /// request any more, as `id_token_hint` or to another server.
    fn in_id_token(&self) -> Self {
        let fits = |groups: &Vec<String>| serde_json::to_string(groups).is_ok_and(|text| text.len() <= MAX_GROUPS);
        Self { groups: self.groups.clone().filter(fits), ..self.clone() }
    }

    /// For other clients: by scope.
    pub(super) fn of_profile(profile: &Profile, scopes: &[String], groups: Option<Vec<String>>) -> Self {
        let has = |scope: &str| scopes.iter().any(|s| s == scope);
        let (about, mail) = (has("profile"), has("email"));
        Self {
            name: about.then(|| profile.display_name.clone()),
            preferred_username: about.then(|| profile.username.clone()),
            updated_at: about.then(|| profile.updated_at.secs()),
            email: mail.then(|| profile.email.clone()),
            email_verified: mail.then_some(profile.verified_at.is_some()),
            groups: groups.filter(|_| has(GROUPS)),
        }
    }
}

/// Reads what may be said of a person to a client, in the transaction that decided it.
///
/// # Errors
/// Any storage error.
pub(super) async fn of_person(
    db: &mut impl Rowish,
    profile: &Profile,
    person: &PersonId,
    link: Option<&LinkRow>,
    scopes: &[String],
    now: Timestamp,
) -> storage::Result<PersonClaims> {
    if let Some(link) = link {
        return Ok(PersonClaims::of_link(link));
    }
    let groups = if scopes.iter().any(|s| s == GROUPS) {
        let facts = directory::of_person(db, person).await?;
        let own = View::new(&facts, now).groups_of(person);
        let mut names: Vec<String> = own.keys().filter_map(|id| facts.groups.get(id).cloned()).collect();
        names.sort();
        Some(names)
    } else {
        None
    };
    Ok(PersonClaims::of_profile(profile, scopes, groups))
}

/// Everything that the tokens of a grant for a person are made of.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) sub: String,
    pub(super) family: String,
    pub(super) scope: Vec<String>,
    pub(super) context: AuthenticationContext,
    pub(super) nonce: Option<String>,
    pub(super) person: PersonClaims,
}

/// Tokens, and seconds until the access token ends.
#[derive(Clone, Debug)]
pub(super) struct Minted {
    pub(super) access: String,
    pub(super) expires_in: i64,
    pub(super) id: Option<String>,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Value,
    client_id: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    acr: &'a str,
    amr: &'a [String],
    sid: &'a str,
    at_hash: String,
    #[serde(flatten)]
    person: &'a PersonClaims,
}

/// The left half of the SHA-256 of the access token (OpenID Connect Core §3.1.3.6); both algorithms here hash with SHA-256.
fn at_hash(access: &str) -> String {
    let digest = sha256(access.as_bytes());
    b64(digest.get(..16).unwrap_or_default())
}

/// The audience of an access token: the client's API; ODCM itself too when userinfo may be asked. Spaces have no API.
fn audience(client: &Client, issuer: &str, openid: bool) -> Value {
    match (&client.settings.audience, client.space()) {
        (Some(api), None) if openid => json!([api, issuer]),
        (Some(api), None) => json!(api),
        _ => json!(issuer),
    }
}

/// Signs the tokens of a grant for a person.
///
/// # Errors
/// Only if the library fails or there is no key.
pub(super) async fn mint(deps: &Deps, client: &Client, grant: &Grant, now: Timestamp) -> Result<Minted, CryptoError> {
    let ring = keys::ring(deps).await;
    let signer = ring.signer(client.settings.signing_alg)?;
    let issuer = deps.settings.public.issuer();
    let openid = has_openid(&grant.scope);
    let iat = now.secs();
    let expires_in = deps.settings.tokens.access;
    let jti = format!("{}.{}", grant.family, b64(deps.entropy.bytes::<9>()));
    let access = signer.sign(
        Typ::AccessToken,
        &AccessClaims {
            iss: issuer,
            sub: &grant.sub,
            aud: audience(client, issuer, openid),
            client_id: client.id.as_str(),
            iat,
            exp: iat + expires_in,
            jti: &jti,
            scope: &grant.scope.join(" "),
            auth_time: Some(grant.context.auth_time),
            acr: Some(&grant.context.acr),
        },
    )?;
    let id = if openid {
        let claims = IdClaims {
            iss: issuer,
            sub: &grant.sub,
            aud: client.id.as_str(),
            iat,
            exp: iat + deps.settings.tokens.id,
            auth_time: grant.context.auth_time,
            nonce: grant.nonce.as_deref(),
            acr: &grant.context.acr,
            amr: &grant.context.amr,
            sid: &grant.context.sid,
            at_hash: at_hash(&access),
            person: &grant.person.in_id_token(),
        };
        Some(signer.sign(Typ::Jwt, &claims)?)
    } else {
        None
    };
    Ok(Minted { access, expires_in, id })
}

/// Signs an access token for the client itself (RFC 9068 §2.2: `sub` is the client).
///
/// # Errors
/// Only if the library fails or there is no key.
pub(super) async fn mint_own(deps: &Deps, client: &Client, scope: &[String], now: Timestamp) -> Result<Minted, CryptoError> {
    let ring = keys::ring(deps).await;
    let issuer = deps.settings.public.issuer();
    let (iat, expires_in) = (now.secs(), deps.settings.tokens.access);
    let claims = AccessClaims {
        iss: issuer,
        sub: client.id.as_str(),
        aud: audience(client, issuer, false),
        client_id: client.id.as_str(),
        iat,
        exp: iat + expires_in,
        jti: &b64(deps.entropy.bytes::<16>()),
        scope: &scope.join(" "),
        auth_time: None,
        acr: None,
    };
    let access = ring.signer(client.settings.signing_alg)?.sign(Typ::AccessToken, &claims)?;
    Ok(Minted { access, expires_in, id: None })
}

/// The success body: flat, strings and numbers only (RFC 6749 §5.1; Octopus reads a map of strings).
pub(super) fn body(minted: &Minted, scope: &[String], refresh: Option<&str>) -> Value {
    let mut out = Map::new();
    out.insert("access_token".into(), json!(minted.access));
    out.insert("token_type".into(), json!("Bearer"));
    out.insert("expires_in".into(), json!(minted.expires_in));
    out.insert("scope".into(), json!(scope.join(" ")));
    if let Some(id) = &minted.id {
        out.insert("id_token".into(), json!(id));
    }
    if let Some(refresh) = refresh {
        out.insert("refresh_token".into(), json!(refresh));
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::jose::Alg;

    #[test]
    fn at_hash_of_the_known_example() {
        // OpenID Connect Core, A.3
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn claims_follow_the_scopes() {
        let profile = Profile {
            sub: "s".into(),
            username: "bob".into(),
            email: "bob@example.com".into(),
            verified_at: None,
            display_name: "Bob".into(),
            updated_at: Timestamp(5000),
        };
        let of = |scopes: &str| {
            let scopes: Vec<String> = scopes.split(' ').map(str::to_owned).collect();
            let claims = PersonClaims::of_profile(&profile, &scopes, Some(vec!["Developers".into()]));
            serde_json::to_value(claims).unwrap()
        };
        assert_eq!(of("openid"), json!({}));
        assert_eq!(of("openid email"), json!({"email": "bob@example.com", "email_verified": false}));
        assert_eq!(of("profile"), json!({"name": "Bob", "preferred_username": "bob", "updated_at": 5}));
        assert_eq!(of("groups"), json!({"groups": ["Developers"]}));
    }

    #[test]
    fn the_longest_id_token_can_still_be_shown() {
        let long = |n: usize| "\"".repeat(n);
        let of = |groups: usize| {
            let name = long(64);
            let profile = Profile {
                sub: "s".repeat(64),
                username: "b".repeat(64),
                email: "b".repeat(254),
                verified_at: Some(Timestamp(0)),
                display_name: name.clone(),
                updated_at: Timestamp(i64::MAX),
            };
            let scopes = ["profile", "email", "groups"].map(str::to_owned);
            PersonClaims::of_profile(&profile, &scopes, Some(vec![name; groups])).in_id_token()
        };
        // 131 bytes each, two brackets
        let (most, more) = (of(46), of(47));
        assert!(most.groups.is_some() && more.groups.is_none() && more.email.is_some());
        let claims = IdClaims {
            iss: &"i".repeat(200),
            sub: &"s".repeat(64),
            aud: &"a".repeat(64),
            iat: i64::MAX,
            exp: i64::MAX,
            auth_time: i64::MAX,
            nonce: Some(&long(512)),
            acr: "1",
            amr: &["pwd", "fed", "link"].map(str::to_owned),
            sid: &"s".repeat(43),
            at_hash: at_hash("x"),
            person: &most,
        };
        let signer =
            crate::crypto::jose::Signer::from_pkcs8(Alg::Rs256, &crate::testing::ready_key(Alg::Rs256).unwrap()).unwrap();
        let token = signer.sign(Typ::Jwt, &claims).unwrap();
        assert!(token.len() <= crate::crypto::jose::MAX_TOKEN, "{}", token.len());
    }
}
