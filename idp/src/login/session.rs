//! Sessions of browsers: reading the cookie, signing in, signing out.

use crate::accounts;
use crate::connectors::{Identity, local};
use crate::core::change::Change;
use crate::core::ids::{ClientId, PersonId, SessionId};
use crate::core::policy::{Actor, Via};
use crate::core::session::{Authentication, Method, Session, with_authentication};
use crate::core::{Refusal, Timestamp};
use crate::crypto::hash::sha256;
use crate::deps::Deps;
use crate::http::Ctx;
use crate::http::cookies::{self, Cookie};
use crate::ports::Entropy;
use crate::storage::{self, Tx, audit, credentials, sessions, throttle};
use axum::response::Response;

/// A session's use is noted at most this often, in milliseconds.
const TOUCH_MS: i64 = 60_000;
/// How long a device keeps its own lane: the longest that browsers keep a cookie (RFC 6265bis §5.6.2), in seconds.
const DEVICE_S: i64 = 400 * 86_400;

/// The live session of this browser, if there is one and its person is active.
///
/// # Errors
/// Any storage error.
pub async fn session(deps: &Deps, ctx: &Ctx) -> Result<Option<Session>, storage::Error> {
    let now = deps.clock.now();
    let found = look(deps, ctx).await?;
    if let Some(session) = &found
        && now.since(session.last_seen_at) >= TOUCH_MS
    {
        sessions::touch(&deps.db, &session.id, now).await?;
    }
    Ok(found)
}

/// The same without noting a use: for what pages ask by themselves, which must not keep a session alive while nobody is
/// there.
///
/// # Errors
/// Any storage error.
pub(super) async fn look(deps: &Deps, ctx: &Ctx) -> Result<Option<Session>, storage::Error> {
    let Some(secret) = ctx.cookie(Cookie::Session) else { return Ok(None) };
    let idle_ms = deps.settings.sign_in.session_idle.saturating_mul(1000);
    sessions::by_cookie(&mut &deps.db, &sha256(secret.as_bytes()), deps.clock.now(), idle_ms).await
}

/// Who acts when a person does something about their own session.
pub(super) fn actor(ctx: &Ctx, person: &PersonId, name: &str) -> Actor {
    Actor {
        person: Some(person.clone()),
        name: name.to_owned(),
        via: Via::Session,
        credential: None,
        rights: Vec::new(),
        address: Some(ctx.address.to_string()),
        request_id: Some(ctx.request_id.clone()),
    }
}

/// A proof of identity that makes a session.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub(super) person: PersonId,
    pub(super) authentication: Authentication,
    /// When the password that was checked had been set: it must still be that one when the session begins.
    pub(super) password_set_at: Option<Timestamp>,
}

/// A new or renewed session, and the cookies that go with it. No `Debug`: they are secrets.
pub(super) struct SignedIn {
    pub(super) session: Session,
    secret: String,
    device: String,
}

impl SignedIn {
    pub(super) fn set_cookies(&self, deps: &Deps, response: &mut Response) {
        cookies::set(response, &deps.settings, Cookie::Session, &self.secret, None);
        cookies::set(response, &deps.settings, Cookie::Device, &self.device, Some(DEVICE_S));
    }
}

/// Finds the person of an identity that a connector vouched for.
pub(super) async fn person_of(deps: &Deps, identity: &Identity, method: Method) -> Result<Option<Proof>, storage::Error> {
    let at = deps.clock.now();
    if identity.provider == local::PROVIDER {
        let person = PersonId::parse(&identity.subject).ok();
        return Ok(person.map(|person| Proof {
            person,
            authentication: Authentication { method, at, identity: None },
            password_set_at: identity.password_set_at,
        }));
    }
    let found = throttle::by_identity(&mut &deps.db, &identity.provider, &identity.subject).await?;
    Ok(found.map(|(person, id)| Proof {
        person,
        authentication: Authentication { method, at, identity: Some(id) },
        password_set_at: None,
    }))
}

/// Signs a person in on this browser. The cookie is always a new one, so that a planted one is worth nothing: the same
/// person's session goes on under it, another's ends.
///
/// # Errors
/// A refusal when the person is disabled or has another password by now, or any storage error.
pub(super) async fn sign_in(
    deps: &Deps,
    ctx: &Ctx,
    proof: &Proof,
    counted: Option<&super::throttle::Counted>,
) -> Result<SignedIn, accounts::Error> {
    let now = deps.clock.now();
    let secret = deps.entropy.secret();
    let device = ctx.cookie(Cookie::Device).filter(|d| d.len() == 43).map_or_else(|| deps.entropy.secret(), str::to_owned);
    let new_id = SessionId::from_uuid(deps.entropy.id(now));
    let hash = sha256(secret.as_bytes());
    let old_hash = ctx.cookie(Cookie::Session).map(|old| sha256(old.as_bytes()));
    let idle_ms = deps.settings.sign_in.session_idle.saturating_mul(1000);
    let expires_at = now.plus_secs(deps.settings.sign_in.session_max);
    let origin = sessions::Origin { address: Some(ctx.address.to_string()), user_agent: ctx.user_agent.clone() };
    let session = crate::run_tx!(deps.db, "session.begin", |tx| {
        let Some((display_name, username)) = throttle::active_person(tx, &proof.person).await? else {
            return Err(Refusal::forbidden("person.disabled", "This account is disabled.").into());
        };
        if let Some(at) = proof.password_set_at
            && credentials::set_at(tx, &proof.person).await? != Some(at)
        {
            return Err(Refusal::forbidden("password.changed", "The password was changed meanwhile.").into());
        }
        if let Some(identity) = &proof.authentication.identity
            && !throttle::use_identity(tx, identity, &proof.person, now).await?
        {
            return Err(Refusal::forbidden("identity.removed", "This identity was unlinked meanwhile.").into());
        }
        let old = match &old_hash {
            Some(hash) => sessions::by_cookie(tx, hash, now, idle_ms).await?,
            None => None,
        };
        let session = match old {
            Some(old) if old.person == proof.person => {
                let authentications = with_authentication(old.authentications.clone(), proof.authentication.clone());
                let session = Session { display_name, username, authentications, last_seen_at: now, expires_at, ..old };
                sessions::renew(tx, &session, &hash, &origin).await?;
                session
            }
            other => {
                if let Some(old) = other {
                    sessions::end(tx, &old.id, &old.person, now).await?;
                }
                let session = Session {
                    id: new_id.clone(),
                    person: proof.person.clone(),
                    display_name,
                    username,
                    authentications: vec![proof.authentication.clone()],
                    created_at: now,
                    last_seen_at: now,
                    expires_at,
                };
                sessions::insert(tx, &session, &hash, &origin).await?;
                session
            }
        };
        throttle::remember_device(tx, &sha256(device.as_bytes()), &proof.person, now).await?;
        if let Some(counted) = counted {
            counted.succeeded(tx).await?;
        }
        let change = Change::new("session.begin", "person", session.person.as_str(), &session.display_name)
            .after(serde_json::json!({ "method": proof.authentication.method.amr(), "session": session.id }));
        audit::write(tx, &deps.entropy, now, &actor(ctx, &session.person, &session.display_name), &change).await?;
        Ok::<_, accounts::Error>(session)
    })?;
    deps.metrics.count("odcm_sign_ins_total", &[("result", "success")]);
    Ok(SignedIn { session, secret, device })
}

/// Ends a session and, in the same transaction, what was issued under it; only what was asked for with `offline_access`
/// lives on (OpenID Connect Core §11).
///
/// # Errors
/// Any storage error.
pub async fn end_session(deps: &Deps, ctx: &Ctx, session: &Session) -> Result<(), storage::Error> {
    end(deps, ctx, &session.person, &session.display_name, &session.id).await.map(drop)
}

pub(super) async fn end(deps: &Deps, ctx: &Ctx, person: &PersonId, name: &str, id: &SessionId) -> Result<bool, storage::Error> {
    let now = deps.clock.now();
    crate::run_tx!(deps.db, "session.end", |tx| {
        let ended = sessions::end(tx, id, person, now).await?;
        if ended {
            let change = Change::new("session.end", "person", person.as_str(), name).after(serde_json::json!({ "session": id }));
            audit::write(tx, &deps.entropy, now, &actor(ctx, person, name), &change).await?;
        }
        Ok(ended)
    })
}

/// Makes the browser forget its session.
pub fn clear_cookies(deps: &Deps, response: &mut Response) {
    cookies::clear(response, &deps.settings, Cookie::Session);
}

/// The `sid` of a session at a client (OpenID Connect Front-Channel Logout §3), made once.
///
/// # Errors
/// Any storage error.
pub async fn client_session(
    tx: &mut Tx,
    entropy: &Entropy,
    now: Timestamp,
    session: &SessionId,
    client: &ClientId,
) -> Result<String, storage::Error> {
    sessions::client_session(tx, session, client, &entropy.secret(), now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{links, people};
    use crate::core::text::{DisplayName, Email, Username};
    use crate::crypto::password::Lane;
    use crate::testing::deps_with;

    #[tokio::test]
    async fn a_password_that_was_replaced_meanwhile_opens_nothing() {
        let deps = deps_with(|_| {}).await;
        let system = Actor::system("test");
        let new = people::NewPerson {
            username: Username::parse("bob").unwrap(),
            display_name: DisplayName::parse("name", "Bob").unwrap(),
            email: Email::parse("bob@example.com").unwrap(),
            email_verified: true,
            reuse_former_names: false,
            password_link: false,
        };
        let bob = people::create(&deps, &system, new).await.unwrap().id;
        let (parts, ()) = axum::http::Request::new(()).into_parts();
        let ctx = Ctx::of(&deps, &parts);
        let phc = deps.hasher.hash(Lane::Unknown, "correct horse battery").await.unwrap();
        let set = async || {
            let link = links::create(&deps, &system, &bob).await.unwrap();
            links::set_password(&deps, &link.secret, &phc, None).await.unwrap();
        };
        set().await;
        let attempt = crate::connectors::Attempt { name: "bob", password: "correct horse battery", lane: Lane::Unknown };
        let identity = deps.connectors.password().check(&deps, attempt).await.unwrap().unwrap();
        let proof = person_of(&deps, &identity, Method::Password).await.unwrap().unwrap();
        assert!(sign_in(&deps, &ctx, &proof, None).await.is_ok());
        deps.hand.advance_ms(1);
        set().await;
        let late = sign_in(&deps, &ctx, &proof, None).await;
        assert!(matches!(late, Err(accounts::Error::Refused(Refusal { code: "password.changed", .. }))));
        let idle_ms = deps.settings.sign_in.session_idle * 1000;
        assert!(sessions::of_person(&mut &deps.db, &bob, deps.clock.now(), idle_ms).await.unwrap().is_empty());
    }
}
