//! Plain documents of a space (environments, projects, …; see [`super::kinds`]) with one set of handlers: list, all,
//! one, create, change, delete.

use axum::{
    Router,
    extract::Path,
    routing::{MethodRouter, get},
};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    kinds::{KINDS, Kind, kind},
    paging,
    permissions::{self, Target},
    request::{Body, Req, created, named, ok},
    roundtrip,
    server::App,
    state::{Document, State, User, same},
};

/// Routes of plain documents.
pub fn routes() -> Router<App> {
    let first = Router::new().route("/api/lifecycles/{id}/projects", get(projects_of_lifecycle));
    KINDS.iter().fold(first, |router, kind| {
        let path = format!("/api/{}", kind.collection);
        router
            .route(&path, collection_routes(kind))
            .route(&format!("{path}/all"), get(move |req| all(kind, req)))
            .route(&format!("{path}/{{id}}"), document_routes(kind))
    })
}

fn collection_routes(kind: &'static Kind) -> MethodRouter<App> {
    let router = get(move |req| list(kind, req));
    if kind.writable { router.post(move |req, body| create(kind, req, body)) } else { router }
}

fn document_routes(kind: &'static Kind) -> MethodRouter<App> {
    let router = get(move |req, id| one(kind, req, id));
    if !kind.writable {
        return router;
    }
    router.put(move |req, id, body| update(kind, req, id, body)).delete(move |req, id| delete(kind, req, id))
}

/// Demands a permission for a kind of document in the space of the request, or for one of them.
fn need<'a>(req: &Req, state: &'a State, kind: &Kind, what: &str, id: Option<&str>) -> Result<&'a User, ApiError> {
    let user = req.user(state)?;
    let permission = format!("{}{what}", kind.permission);
    let project = id.and_then(|id| state.document(kind.collection, id)?.get("ProjectId")?.as_str());
    let target = Target {
        space: req.space(),
        environment: id.filter(|_| kind.collection == "environments"),
        project: id.filter(|_| kind.collection == "projects").or(project),
    };
    if permissions::in_space(state, &user.id, &permission, target) { Ok(user) } else { Err(ApiError::missing(&permission)) }
}

/// A document as an address inside or outside a space shows it.
fn visible<'a>(req: &'a Req, state: &'a State, kind: &'a Kind) -> impl Iterator<Item = (&'a String, &'a Document)> {
    let documents = state.documents.get(kind.collection).into_iter().flatten();
    documents.filter(|(_, document)| document.get("SpaceId").and_then(Value::as_str) == Some(req.space()))
}

fn sorted(req: &Req, state: &State, kind: &Kind) -> Result<Vec<Value>, ApiError> {
    need(req, state, kind, "View", None)?;
    let readable = visible(req, state, kind).filter(|(id, _)| need(req, state, kind, "View", Some(id)).is_ok());
    let mut items = paging::select(req, readable.map(|(_, document)| Value::Object(document.clone())).collect());
    if kind.collection == "environments" {
        items.sort_by_key(|item| item.get("SortOrder").and_then(Value::as_i64));
    } else {
        paging::sort_by(&mut items, "Name");
    }
    Ok(items)
}

async fn list(kind: &'static Kind, req: Req) -> ApiResult {
    let items = sorted(&req, &req.app.read(), kind)?;
    paging::page(&req, kind.word, &format!("{}/{}", req.base(), kind.collection), kind.template, items)
}

async fn all(kind: &'static Kind, req: Req) -> ApiResult {
    ok(&Value::Array(sorted(&req, &req.app.read(), kind)?))
}

fn find<'a>(req: &'a Req, state: &'a State, kind: &'a Kind, id: &str) -> Result<&'a Document, ApiError> {
    visible(req, state, kind).find(|(known, _)| *known == id).map(|(_, found)| found).ok_or_else(|| ApiError::not_found(id))
}

async fn one(kind: &'static Kind, req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    need(&req, &state, kind, "View", Some(&id))?;
    ok(&Value::Object(find(&req, &state, kind, &id)?.clone()))
}

/// A document with the fields of its kind; fields of the body that the kind knows are taken over.
pub fn new(kind: &Kind, space: &str, id: &str, name: &str, body: &Document) -> Document {
    let mut document = (kind.defaults)().as_object().cloned().unwrap_or_default();
    for (field, value) in &mut document {
        if let Some(given) = named(body, field) {
            value.clone_from(given);
        }
    }
    let slug = named(body, "Slug").and_then(Value::as_str).filter(|slug| !slug.is_empty());
    let standing = json!({
        "Id": id,
        "Name": name,
        "SpaceId": space,
        "Slug": slug.map_or_else(|| slug_of(name), str::to_owned),
        "Links": links(kind, space, id),
    });
    document.extend(standing.as_object().cloned().unwrap_or_default());
    roundtrip::decorate(Value::Object(document)).as_object().cloned().unwrap_or_default()
}

/// The slug that a name gives.
pub fn slug_of(name: &str) -> String {
    name.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}

/// The links of a document.
pub fn links(kind: &Kind, space: &str, id: &str) -> Value {
    let path = format!("/api/{space}/{}/{id}", kind.collection);
    match kind.collection {
        "lifecycles" => json!({"Self": path, "Projects": format!("{path}/projects")}),
        "projects" => json!({
            "Self": path,
            "Channels": format!("{path}/channels{{?skip,take,partialName}}"),
            "Releases": format!("{path}/releases{{/version}}{{?skip,take,searchByVersion}}"),
            "Runbooks": format!("{path}/runbooks{{?skip,take,partialName}}"),
            "Web": format!("/app#/{space}/projects/{id}"),
        }),
        _ => json!({"Self": path}),
    }
}

/// The channel that every project has.
pub fn default_channel(space: &str, id: &str, project: &str) -> Document {
    let channel = roundtrip::decorate(json!({
        "Id": id, "Name": "Default", "Description": "", "Slug": "default", "ProjectId": project, "LifecycleId": null,
        "IsDefault": true, "Rules": [], "TenantTags": [], "Type": "Lifecycle", "SpaceId": space,
        "Links": {"Self": format!("/api/{space}/channels/{id}"), "Project": format!("/api/{space}/projects/{project}")},
    }));
    channel.as_object().cloned().unwrap_or_default()
}

/// A release of a project.
pub fn release(
    space: &str,
    id: &str,
    project: &str,
    version: &str,
    channel: Option<&str>,
    notes: &str,
    assembled: &str,
) -> Document {
    let release = roundtrip::decorate(json!({
        "Id": id, "Version": version, "ChannelId": channel, "ReleaseNotes": notes, "ProjectId": project,
        "Assembled": assembled, "SelectedPackages": [], "BuildInformation": [], "IgnoreChannelRules": false,
        "LibraryVariableSetSnapshotIds": [], "SpaceId": space,
        "Links": {
            "Self": format!("/api/{space}/releases/{id}"),
            "Project": format!("/api/{space}/projects/{project}"),
            "Web": format!("/app#/{space}/releases/{id}"),
        },
    }));
    release.as_object().cloned().unwrap_or_default()
}

fn check_name(req: &Req, state: &State, kind: &Kind, own: &str, name: &str) -> Result<(), ApiError> {
    let mut others = visible(req, state, kind).filter(|(id, _)| *id != own);
    if others.any(|(_, other)| other.get("Name").and_then(Value::as_str).is_some_and(|other| same(other, name))) {
        let word = kind.word;
        return Err(ApiError::invalid(format!("A {word} with this name already exists. Please choose a different name.")));
    }
    Ok(())
}

fn changed(state: &mut State, actor: &Actor, kind: &Kind, before: Option<&Document>, after: Option<&Document>) {
    let text = |name: &str| after.or(before).and_then(|document| document.get(name)?.as_str()).unwrap_or_default().to_owned();
    let (id, name, space) = (text("Id"), text("Name"), text("SpaceId"));
    let subject = Subject { kind: kind.word, name: &name, related: vec![id], space_id: Some(space) };
    let (before, after) = (before.cloned().map(Value::Object), after.cloned().map(Value::Object));
    events::changed(state, actor, subject, before.as_ref(), after.as_ref());
}

async fn create(kind: &'static Kind, req: Req, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = need(&req, &state, kind, "Create", None)?.clone();
    let name = body.required("Name", 200)?;
    check_name(&req, &state, kind, "", &name)?;
    let id = state.next_id(kind.prefix);
    let mut fields = body.0;
    let last = visible(&req, &state, kind).filter_map(|(_, other)| other.get("SortOrder")?.as_i64()).max();
    if named(&fields, "SortOrder").is_none() {
        fields.insert("SortOrder".into(), json!(last.unwrap_or(-1) + 1));
    }
    let document = new(kind, req.space(), &id, &name, &fields);
    changed(&mut state, &Actor::of(&req, &actor), kind, None, Some(&document));
    if kind.collection == "projects" {
        let channel = state.next_id("Channels");
        let document = default_channel(req.space(), &channel, &id);
        state.documents.entry("channels".into()).or_default().insert(channel, document);
    }
    state.documents.entry(kind.collection.into()).or_default().insert(id, document.clone());
    created(&Value::Object(document))
}

async fn update(kind: &'static Kind, req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = need(&req, &state, kind, "Edit", Some(&id))?.clone();
    let old = find(&req, &state, kind, &id)?.clone();
    roundtrip::check(&req, &Value::Object(old.clone()), &body.0)?;
    let name = body.required("Name", 200)?;
    check_name(&req, &state, kind, &id, &name)?;
    let document = new(kind, req.space(), &id, &name, &body.0);
    changed(&mut state, &Actor::of(&req, &actor), kind, Some(&old), Some(&document));
    state.documents.entry(kind.collection.into()).or_default().insert(id, document.clone());
    ok(&Value::Object(document))
}

async fn delete(kind: &'static Kind, req: Req, Path(id): Path<String>) -> ApiResult {
    let mut state = req.app.write();
    let actor = need(&req, &state, kind, "Delete", Some(&id))?.clone();
    let old = find(&req, &state, kind, &id)?.clone();
    state.documents.entry(kind.collection.into()).or_default().remove(&id);
    if kind.collection == "projects" {
        for owned in ["channels", "releases"] {
            let documents = state.documents.entry(owned.into()).or_default();
            documents.retain(|_, document| document.get("ProjectId") != Some(&json!(id)));
        }
    }
    changed(&mut state, &Actor::of(&req, &actor), kind, Some(&old), None);
    ok(&json!({}))
}

/// The projects that use a lifecycle, as a bare list.
async fn projects_of_lifecycle(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    let Some(kind) = kind("projects") else { return Err(ApiError::no_route()) };
    let projects = sorted(&req, &state, kind)?.into_iter();
    ok(&projects.filter(|project| project.get("LifecycleId") == Some(&json!(id))).collect())
}
