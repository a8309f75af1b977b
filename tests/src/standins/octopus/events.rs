//! The audit: who changed what, with a growing number as cursor.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    auth::Via,
    errors::{ApiError, ApiResult},
    paging,
    permissions::{self, Target},
    request::{Req, csv, ok},
    scope::{List, Scope},
    server::App,
    state::{Event, State, Team, User, same},
    teams, time,
    users::view,
};

/// Routes of the audit.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/events", get(list))
        .route("/api/events/agents", get(agents))
        .route("/api/events/categories", get(categories))
        .route("/api/events/documenttypes", get(document_types))
        .route("/api/events/groups", get(groups))
        .route("/api/events/{id}", get(one))
}

/// Who did something.
#[derive(Clone, Debug)]
pub struct Actor {
    user_id: String,
    username: String,
    is_service: bool,
    established_with: &'static str,
    api_key_id: Option<String>,
    user_agent: String,
    /// When, Unix milliseconds.
    pub now: i64,
}

impl Actor {
    /// The caller of a request.
    pub fn of(req: &Req, user: &User) -> Self {
        let (established_with, api_key_id) = match &req.facts.caller.via {
            Via::ApiKey(id) => ("API key", Some(id.clone())),
            Via::Session(_) => ("Session cookie", None),
            Via::Nobody => ("", None),
        };
        Self {
            user_id: user.id.clone(),
            username: user.username.clone(),
            is_service: user.is_service,
            established_with,
            api_key_id,
            user_agent: req.facts.user_agent.clone(),
            now: req.app.now(),
        }
    }

    /// Somebody on the pages of this server.
    pub fn local(username: &str, now: i64) -> Self {
        Self { user_id: String::new(), username: username.to_owned(), established_with: "Session cookie", ..Self::system(now) }
    }

    /// The server itself.
    pub fn system(now: i64) -> Self {
        Self {
            user_id: "users-system".into(),
            username: "system".into(),
            is_service: false,
            established_with: "",
            api_key_id: None,
            user_agent: "Server".into(),
            now,
        }
    }
}

/// What an event is about.
pub struct Subject<'a> {
    /// Kind in words, such as `Team`.
    pub kind: &'a str,
    /// Shown name.
    pub name: &'a str,
    /// Ids concerned, the document's own first.
    pub related: Vec<String>,
    /// Space; none for system documents.
    pub space_id: Option<String>,
}

/// Writes `Created`, `Modified` or `Deleted`; nothing when nothing changed.
pub fn changed(state: &mut State, actor: &Actor, subject: Subject<'_>, before: Option<&Value>, after: Option<&Value>) {
    let (category, verb) = match (before, after) {
        (None, _) => ("Created", "created"),
        (Some(_), Some(_)) => ("Modified", "modified"),
        (Some(_), None) => ("Deleted", "deleted"),
    };
    let differences = differences(before, after);
    if category == "Modified" && differences.is_empty() {
        return;
    }
    let message = format!("{} {} was {verb}", subject.kind, subject.name);
    record(state, actor, category, message, subject.related, subject.space_id, differences);
}

/// Writes an event of any category.
pub fn record(
    state: &mut State,
    actor: &Actor,
    category: &str,
    message: String,
    related: Vec<String>,
    space_id: Option<String>,
    differences: Vec<Value>,
) {
    let known = state.user_named(&actor.username).map(|user| user.id.clone());
    let user_id = if actor.user_id.is_empty() { known.unwrap_or_default() } else { actor.user_id.clone() };
    let auto_id = state.events.last().map_or(0, |event| event.auto_id) + 1;
    state.events.push(Event {
        auto_id,
        category: category.to_owned(),
        user_id,
        username: actor.username.clone(),
        is_service: actor.is_service,
        established_with: actor.established_with.to_owned(),
        api_key_id: actor.api_key_id.clone(),
        user_agent: actor.user_agent.clone(),
        occurred: actor.now,
        message,
        related,
        space_id,
        differences,
    });
}

/// A team was created, edited or deleted.
pub fn team_changed(state: &mut State, actor: &Actor, before: Option<&Team>, after: Option<&Team>) {
    let Some(team) = after.or(before) else { return };
    let subject = Subject { kind: "Team", name: &team.name, related: vec![team.id.clone()], space_id: team.space_id.clone() };
    changed(state, actor, subject, before.map(teams::core).as_ref(), after.map(teams::core).as_ref());
}

/// A user was created, edited or deleted.
pub fn user_changed(state: &mut State, actor: &Actor, before: Option<&User>, after: Option<&User>) {
    let Some(user) = after.or(before) else { return };
    let subject = Subject { kind: "User", name: &user.username, related: vec![user.id.clone()], space_id: None };
    changed(state, actor, subject, before.map(view::core).as_ref(), after.map(view::core).as_ref());
}

/// JSON Patch operations of the top level; lists of texts member by member.
fn differences(before: Option<&Value>, after: Option<&Value>) -> Vec<Value> {
    let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) else { return Vec::new() };
    let mut list = Vec::new();
    for (name, new) in after {
        let old = before.get(name).unwrap_or(&Value::Null);
        if old == new || name.starts_with("LastModified") {
            continue;
        }
        match (old, new) {
            (Value::Array(old), Value::Array(new)) if old.iter().chain(new).all(Value::is_string) => {
                let gone = old.iter().enumerate().rev().filter(|(_, item)| !new.contains(item));
                list.extend(gone.map(|(at, _)| json!({"op": "remove", "path": format!("/{name}/{at}")})));
                let came = new.iter().filter(|item| !old.contains(item));
                list.extend(came.map(|item| json!({"op": "add", "path": format!("/{name}/-"), "value": item})));
            }
            _ => list.push(json!({"op": "replace", "path": format!("/{name}"), "value": new})),
        }
    }
    list
}

fn body(event: &Event, base: &str, without_differences: bool) -> Value {
    json!({
        "Id": format!("Events-{}", event.auto_id),
        "RelatedDocumentIds": event.related,
        "Category": event.category,
        "UserId": event.user_id,
        "Username": event.username,
        "IsService": event.is_service,
        "IdentityEstablishedWith": event.established_with,
        "ApiKeyId": event.api_key_id,
        "UserAgent": event.user_agent,
        "Occurred": time::iso(event.occurred),
        "Message": event.message,
        "MessageHtml": event.message.replace('&', "&amp;").replace('<', "&lt;"),
        "MessageReferences": [],
        "Comments": null,
        "Details": null,
        "ChangeDetails": {
            "DocumentContext": null,
            "Differences": if without_differences { json!(null) } else { json!(event.differences) },
        },
        "IpAddress": "127.0.0.1",
        "SpaceId": event.space_id,
        "Links": {"Self": format!("{base}/events/Events-{}", event.auto_id)},
    })
}

fn kind_of(id: &str) -> &str {
    match id.split_once('-').map_or(id, |(kind, _)| kind) {
        "teams" => "Teams",
        "users" => "Users",
        "userroles" => "UserRoles",
        "apikeys" => "ApiKeys",
        kind => kind,
    }
}

/// Which of the event agents did it: the server itself, or somebody through the API.
fn agent_of(event: &Event) -> &'static str {
    if event.user_agent == "Server" { "Server" } else { "Client" }
}

/// Whether a project of one of the wanted groups is concerned.
fn related_group(state: &State, event: &Event, wanted: &[String]) -> bool {
    let group = |id: &String| state.document("projects", id)?.get("ProjectGroupId")?.as_str();
    event.related.iter().filter_map(group).any(|group| wanted.iter().any(|id| id == group))
}

/// Whether the caller may see an event: of the system, or in a space for its project and environment.
fn sees(req: &Req, state: &State, event: &Event) -> bool {
    let Some(space) = &event.space_id else { return req.sees(state, "EventView", None) };
    let first = |prefix: &str| event.related.iter().find(|id| id.starts_with(prefix)).map(String::as_str);
    let target = Target { space, project: first("Projects-"), environment: first("Environments-") };
    req.user(state).is_ok_and(|user| permissions::in_space(state, &user.id, "EventView", target))
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "EventView")?;
    let scope = Scope::of(&req, List::Others);
    let from = req.query.number("fromAutoId")?;
    let to = req.query.number("toAutoId")?;
    let from = from.map(|from| if req.app.switches().events_from_auto_id_inclusive { from } else { from.saturating_add(1) });
    let date = |name: &str| match req.query.get(name) {
        None => Ok(None),
        Some(text) => time::parse(text).map(Some).ok_or_else(|| ApiError::invalid(format!("{name} is not a date."))),
    };
    let (after, until) = (date("from")?, date("to")?);
    let any = |name: &str, test: &dyn Fn(&str) -> bool| {
        req.query.list(name).is_none_or(|wanted| wanted.iter().any(|wanted| test(wanted)))
    };
    // Documents of these kinds are found among those that an event names.
    let related = ["projects", "projectGroups", "environments", "tenants", "tags"].map(|name| req.query.list(name));
    let concerns = |event: &Event| {
        let names = |wanted: &Vec<String>| event.related.iter().any(|known| wanted.contains(known));
        related.iter().flatten().all(|wanted| names(wanted) || (related_group(&state, event, wanted)))
    };
    let keep = |event: &&Event| {
        scope.holds(event.space_id.as_deref())
            && sees(&req, &state, event)
            && from.is_none_or(|from| event.auto_id >= from)
            && to.is_none_or(|to| event.auto_id <= to)
            && after.is_none_or(|after| event.occurred >= after)
            && until.is_none_or(|until| event.occurred <= until)
            && any("documentTypes", &|kind| event.related.iter().any(|id| same(kind_of(id), kind)))
            && any("eventCategories", &|category| event.category == category)
            && any("eventGroups", &|group| {
                group != "Document" || matches!(event.category.as_str(), "Created" | "Modified" | "Deleted")
            })
            && any("regardingAny", &|id| event.related.iter().any(|known| known == id))
            && req.query.list("regarding").is_none_or(|ids| ids.iter().all(|id| event.related.contains(id)))
            && concerns(event)
            && any("eventAgents", &|agent| same(agent_of(event), agent))
            && any("user", &|id| event.user_id == id)
            && any("users", &|id| event.user_id == id)
            && any("ids", &|id| format!("Events-{}", event.auto_id) == id)
    };
    if req.query.flag("asCsv") == Some(true) {
        let line = |event: &Event| {
            let id = format!("Events-{}", event.auto_id);
            vec![id, time::iso(event.occurred), event.category.clone(), event.username.clone(), event.message.clone()]
        };
        let lines = state.events.iter().rev().filter(keep).map(line).collect::<Vec<_>>();
        return Ok(csv(&["Id", "Occurred", "Category", "Username", "Message"], &lines));
    }
    let short = req.query.flag("excludeDifference") == Some(true);
    let events = state.events.iter().rev().filter(keep).map(|event| body(event, &req.base(), short)).collect();
    let route = format!("{}/events", req.base());
    paging::page(&req, "Event", &route, super::root::EVENTS, events)
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "EventView")?;
    let event = state.events.iter().find(|event| format!("Events-{}", event.auto_id) == id);
    let event = event.ok_or_else(|| ApiError::not_found(&id))?;
    if !sees(&req, &state, event) {
        return Err(ApiError::missing("EventView"));
    }
    ok(&body(event, &req.base(), false))
}

async fn categories(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    let names = [
        ("Created", "Document created"),
        ("Modified", "Document modified"),
        ("Deleted", "Document deleted"),
        ("DeploymentQueued", "Deployment queued"),
        ("DeploymentStarted", "Deployment started"),
        ("DeploymentSucceeded", "Deployment succeeded"),
        ("DeploymentFailed", "Deployment failed"),
        ("LoginSucceeded", "Login succeeded"),
        ("LoginFailed", "Login failed"),
    ];
    ok(&names.iter().map(|(id, name)| json!({"Id": id, "Name": name})).collect())
}

async fn agents(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    ok(&json!([
        {"Id": "Server", "Name": "Octopus Server", "Links": {}},
        {"Id": "Client", "Name": "A client of the API", "Links": {}},
    ]))
}

async fn document_types(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    let names = [
        ("ApiKeys", "Api Key"),
        ("Environments", "Environment"),
        ("Projects", "Project"),
        ("ScopedUserRoles", "Scoped User Role"),
        ("Teams", "Team"),
        ("UserRoles", "User Role"),
        ("Users", "User"),
    ];
    ok(&names.iter().map(|(id, name)| json!({"Id": id, "Name": name})).collect())
}

async fn groups(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    let categories = ["Created", "Modified", "Deleted"];
    ok(&json!([{"Id": "Document", "Name": "Document events", "EventCategories": categories, "Links": {}}]))
}
