//! API keys: the key itself is shown once, when it is made.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    auth::Via,
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    paging,
    request::{Body, Req, ok},
    roundtrip, secrets,
    server::App,
    state::{ApiKey, State, User},
    time, users,
};

/// Routes of API keys.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/users/{id}/apikeys", get(list).post(create))
        .route("/api/users/{id}/apikeys/{key}", get(one).delete(delete))
}

const DAY_MS: i64 = 86_400_000;

/// Stores a key for a user; answers what is kept.
pub fn store(state: &mut State, user_id: &str, purpose: &str, key: &str, now: i64, expires: Option<i64>) -> ApiKey {
    let fingerprint = secrets::fingerprint(key);
    let id = format!("apikeys-{}", fingerprint.chars().take(27).collect::<String>());
    let kept = ApiKey {
        id: id.clone(),
        user_id: user_id.to_owned(),
        purpose: purpose.to_owned(),
        fingerprint,
        hint: key.chars().take(8).collect(),
        created: now,
        expires,
    };
    state.api_keys.insert(id, kept.clone());
    kept
}

fn body(key: &ApiKey, secret: &Value) -> Value {
    roundtrip::decorate(json!({
        "Id": key.id,
        "Purpose": key.purpose,
        "UserId": key.user_id,
        "ApiKey": secret,
        "Created": time::iso(key.created),
        "Expires": key.expires.map(time::iso),
        "Links": {"Self": format!("/api/users/{}/apikeys/{}", key.user_id, key.id)},
    }))
}

fn hidden(key: &ApiKey) -> Value {
    body(key, &json!({"HasValue": true, "NewValue": null, "Hint": key.hint}))
}

/// Own keys, or those of anybody with `UserView`.
fn may_see(req: &Req, state: &State, owner: &str) -> Result<(), ApiError> {
    if req.user(state)?.id != owner {
        req.need(state, "UserView")?;
    }
    users::find(state, owner).map(drop)
}

async fn list(req: Req, Path(owner): Path<String>) -> ApiResult {
    let state = req.app.read();
    may_see(&req, &state, &owner)?;
    let mut keys = state.api_keys.values().filter(|key| key.user_id == owner).collect::<Vec<_>>();
    keys.sort_by_key(|key| std::cmp::Reverse(key.created));
    let route = format!("/api/users/{owner}/apikeys");
    paging::page(&req, "ApiKey", &route, "{/id}{?skip,take}", keys.into_iter().map(hidden).collect())
}

async fn one(req: Req, Path((owner, id)): Path<(String, String)>) -> ApiResult {
    let state = req.app.read();
    may_see(&req, &state, &owner)?;
    ok(&hidden(find(&state, &owner, &id)?))
}

fn find<'a>(state: &'a State, owner: &str, id: &str) -> Result<&'a ApiKey, ApiError> {
    let key = state.api_keys.get(id).ok_or_else(|| ApiError::not_found(id))?;
    if key.user_id != owner {
        return Err(ApiError::invalid("This ApiKey does not belong to the specified user."));
    }
    Ok(key)
}

/// The caller, if allowed to write keys of `owner`: own ones, those of service accounts with `UserEdit`;
/// those of other people never, except to delete them when the assumption says so.
fn may_write(req: &Req, state: &State, owner: &User, humans_too: bool) -> Result<User, ApiError> {
    let caller = req.user(state)?;
    if caller.id != owner.id {
        req.need(state, "UserEdit")?;
        users::guard_privileged(state, caller, &owner.id)?;
        if !owner.is_service && !humans_too {
            return Err(ApiError::forbidden());
        }
    }
    Ok(caller.clone())
}

/// When a new key ends: as asked for, after the section's default when nothing was said, as late as possible for null.
/// Never later than the key that makes it, nor than the section allows (newer servers; 0 days mean for ever).
fn end(req: &Req, state: &State, asked: Option<&Value>, now: i64) -> Result<Option<i64>, ApiError> {
    let section = state.sections.get("authentication").filter(|_| req.app.config.version.at_least(2025, 4));
    let days = |name: &str| section.and_then(|section| section.get(name)?.as_i64()).filter(|days| *days > 0);
    let own = match &req.facts.caller.via {
        Via::ApiKey(id) => state.api_keys.get(id).and_then(|key| key.expires),
        Via::Session(_) | Via::Nobody => None,
    };
    let latest = days("ApiKeyMaxExpiryDays").map(|days| now.saturating_add(days.saturating_mul(DAY_MS)));
    let capped = |end: Option<i64>| [end, own, latest].into_iter().flatten().min();
    match asked {
        None => Ok(capped(Some(now.saturating_add(days("ApiKeyDefaultExpiryDays").unwrap_or(180).saturating_mul(DAY_MS))))),
        Some(Value::Null) => Ok(capped(None)),
        Some(value) => {
            let date = value.as_str().and_then(time::parse).ok_or_else(|| ApiError::invalid("Expires must be a date."))?;
            if date <= now {
                return Err(ApiError::invalid("Expires must not be in the past."));
            }
            if own.is_some_and(|own| date > own) {
                return Err(ApiError::invalid("Expires must not be later than the end of the API key that you use."));
            }
            if latest.is_some_and(|latest| date > latest) {
                return Err(ApiError::invalid("Expires is later than the server's administrator allows."));
            }
            Ok(Some(date))
        }
    }
}

async fn create(req: Req, Path(owner): Path<String>, input: Body) -> ApiResult {
    let purpose = input.required("Purpose", 200)?;
    let now = req.app.now();
    let mut state = req.app.write();
    let owner = users::find(&state, &owner).cloned();
    req.user(&state)?;
    let owner = owner?;
    let caller = may_write(&req, &state, &owner, false)?;
    let section = state.sections.get("authentication");
    let allowed = section.and_then(|section| section.get("UserApiKeysEnabled")?.as_bool()).unwrap_or(true);
    if !allowed && !owner.is_service {
        return Err(ApiError::refused("User API keys have been disabled by an administrator."));
    }
    let expires = end(&req, &state, input.field("Expires"), now)?;
    let secret = secrets::api_key(&req.app.config.entropy);
    let key = store(&mut state, &owner.id, &purpose, &secret, now, expires);
    changed(&req, &mut state, &caller, &key, false);
    // 200, not 201: so the real server answers.
    ok(&body(&key, &json!(secret)))
}

async fn delete(req: Req, Path((owner, id)): Path<(String, String)>) -> ApiResult {
    let mut state = req.app.write();
    req.user(&state)?;
    let owner = users::find(&state, &owner)?.clone();
    let caller = may_write(&req, &state, &owner, req.app.switches().admin_may_delete_human_keys)?;
    let key = find(&state, &owner.id, &id)?.clone();
    state.api_keys.remove(&id);
    changed(&req, &mut state, &caller, &key, true);
    ok(&json!({}))
}

fn changed(req: &Req, state: &mut State, caller: &User, key: &ApiKey, gone: bool) {
    let subject =
        Subject { kind: "ApiKey", name: &key.purpose, related: vec![key.id.clone(), key.user_id.clone()], space_id: None };
    let value = json!({"Id": key.id});
    let (before, after) = if gone { (Some(&value), None) } else { (None, Some(&value)) };
    events::changed(state, &Actor::of(req, caller), subject, before, after);
}
