//! `/api/configuration`: sections with values and metadata. Secrets go in and never come out.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Map, Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    paging,
    request::{Body, Req, named, ok},
    roundtrip,
    section_data::{Field, Kind, Section, sections},
    server::App,
    state::{Document, State},
};

/// Routes of configuration sections.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/configuration", get(list))
        .route("/api/configuration/{id}", get(one))
        .route("/api/configuration/{id}/metadata", get(metadata))
        .route("/api/configuration/{id}/values", get(values).put(update))
}

fn resource(section: &Section) -> Value {
    let path = format!("/api/configuration/{}", section.id);
    json!({
        "Id": section.id,
        "Name": section.name,
        "Description": section.description,
        "Links": {"Self": path, "Values": format!("{path}/values"), "Metadata": format!("{path}/metadata")},
    })
}

fn find(app: &App, id: &str) -> Result<Section, ApiError> {
    sections(app.config.version).into_iter().find(|section| section.id == id).ok_or_else(|| ApiError::not_found(id))
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "ConfigureServer")?;
    let items = sections(req.app.config.version).iter().map(resource).collect();
    paging::page(&req, "ConfigurationSection", "/api/configuration", "{/id}{?skip,take}", items)
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    req.need(&req.app.read(), "ConfigureServer")?;
    ok(&resource(&find(&req.app, &id)?))
}

async fn metadata(req: Req, Path(id): Path<String>) -> ApiResult {
    req.need(&req.app.read(), "ConfigureServer")?;
    let section = find(&req.app, &id)?;
    let property = |field: &Field| {
        json!({
            "Name": field.name,
            "Type": if field.kind == Kind::Object { field.name } else { field.kind.name() },
            "DisplayInfo": {
                "Required": matches!(field.name, "Issuer" | "ClientId"),
                "ReadOnly": false,
                "Label": field.name,
                "Description": null,
                "ExtendedDescription": null,
                "Options": null,
                "ListApi": null,
                "ShowCopyToClipboard": false,
                "PropertyApplicability": null,
                "ConnectivityCheck": null,
            },
        })
    };
    let properties = section.fields.iter().map(property).collect::<Vec<_>>();
    let mut types = vec![json!({"Name": section.name, "Properties": properties})];
    // Nested objects are types of their own, named as the field.
    for nested in section.fields.iter().filter(|field| field.kind == Kind::Object) {
        let names = nested.start.as_object().into_iter().flat_map(|object| object.keys());
        let properties = names.map(|name| json!({"Name": name, "Type": Kind::Text.name(), "DisplayInfo": {"Label": name}}));
        types.push(json!({"Name": nested.name, "Properties": properties.collect::<Vec<_>>()}));
    }
    ok(&json!({"Id": section.id, "Description": section.description, "Types": types}))
}

/// The values as they go out: a secret is only said to be there.
fn shown(section: &Section, stored: &Document) -> Value {
    let value = |field: &Field| {
        let value = stored.get(field.name).cloned().unwrap_or_else(|| field.start.clone());
        let value = match field.kind {
            Kind::Secret => json!({"HasValue": !value.is_null(), "NewValue": null, "Hint": null}),
            // A field that no client knows, inside as well.
            Kind::Object if value.is_object() => roundtrip::decorate(value),
            _ => value,
        };
        (field.name.to_owned(), value)
    };
    let mut map = section.fields.iter().map(value).collect::<Map<_, _>>();
    map.insert("Id".into(), json!(section.id));
    map.insert("Links".into(), json!({"Self": format!("/api/configuration/{}/values", section.id)}));
    roundtrip::decorate(Value::Object(map))
}

fn stored(state: &State, section: &Section) -> Document {
    state.sections.get(section.id).cloned().unwrap_or_else(|| section.start())
}

async fn values(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "ConfigureServer")?;
    let section = find(&req.app, &id)?;
    ok(&shown(&section, &stored(&state, &section)))
}

/// Replaces the values as a whole: an absent field becomes what a typed body makes of it.
async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "ConfigureServer")?.clone();
    let section = find(&req.app, &id)?;
    let old = stored(&state, &section);
    let before = shown(&section, &old);
    roundtrip::check(&req, &before, &body.0)?;
    let keep_absent = !req.app.switches().put_without_secret_clears;
    let mut new = Document::new();
    for field in &section.fields {
        let old = old.get(field.name).cloned().unwrap_or_default();
        new.insert(field.name.to_owned(), read(field, body.field(field.name), old, keep_absent)?);
    }
    check(&section, &new)?;
    let after = shown(&section, &new);
    let secret_changed =
        section.fields.iter().any(|field| field.kind == Kind::Secret && old.get(field.name) != new.get(field.name));
    state.sections.insert(section.id.to_owned(), new);
    let subject =
        Subject { kind: "ExtensionConfiguration", name: section.name, related: vec![section.id.to_owned()], space_id: None };
    let actor = Actor::of(&req, &actor);
    if secret_changed && before == after {
        let message = format!("{} was modified", section.name);
        events::record(&mut state, &actor, "Modified", message, vec![section.id.to_owned()], None, vec![]);
    } else {
        events::changed(&mut state, &actor, subject, Some(&before), Some(&after));
    }
    ok(&after)
}

fn read(field: &Field, value: Option<&Value>, old: Value, keep_absent: bool) -> Result<Value, ApiError> {
    let name = field.name;
    let wrong = || ApiError::invalid(format!("The field {name} must be of type {}.", field.kind.name()));
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(if field.kind == Kind::Secret && keep_absent { old } else { field.kind.absent() });
    };
    let fits = match field.kind {
        Kind::Flag | Kind::MaybeFlag => value.is_boolean(),
        Kind::Text => value.is_string(),
        Kind::Number => value.is_i64(),
        Kind::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        Kind::Object => return object(field, value).ok_or_else(wrong),
        Kind::Secret => return secret(value, old).ok_or_else(wrong),
    };
    if fits { Ok(value.clone()) } else { Err(wrong()) }
}

/// The known fields of a nested object, texts or null; what is absent becomes null, as in a typed body.
fn object(field: &Field, value: &Value) -> Option<Value> {
    let given = value.as_object()?;
    let mut object = Map::new();
    for name in field.start.as_object()?.keys() {
        let value = named(given, name).cloned().unwrap_or_default();
        if !(value.is_string() || value.is_null()) {
            return None;
        }
        object.insert(name.clone(), value);
    }
    Some(Value::Object(object))
}

/// `NewValue` sets; `HasValue:true` keeps; `HasValue:false` clears.
fn secret(value: &Value, old: Value) -> Option<Value> {
    let value = value.as_object()?;
    match (value.get("HasValue").and_then(Value::as_bool), value.get("NewValue")) {
        (_, Some(Value::String(new))) => Some(json!(new)),
        (_, Some(other)) if !other.is_null() => None,
        (Some(true), _) => Some(old),
        _ => Some(Value::Null),
    }
}

fn check(section: &Section, values: &Document) -> Result<(), ApiError> {
    let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let enabled = values.get("IsEnabled").and_then(Value::as_bool) == Some(true);
    if !section.fields.iter().any(|field| field.name == "Issuer") {
        return Ok(());
    }
    if enabled && (text("Issuer").is_none() || text("ClientId").is_none()) {
        return Err(ApiError::invalid("Issuer and ClientId are required to enable this provider."));
    }
    if let Some(issuer) = text("Issuer") {
        let url = url::Url::parse(issuer).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| ApiError::invalid("Issuer must be an absolute address."))?;
    }
    if section.id == "authentication-generic-oidc" {
        let scopes = values.get("Scopes").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(missing) = ["openid", "profile", "email"].iter().find(|scope| !scopes.contains(&json!(scope))) {
            return Err(ApiError::invalid(format!("Scopes must contain {missing}.")));
        }
        let name = text("DisplayName").unwrap_or_default();
        if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || letter == '-' || letter == ' ') {
            return Err(ApiError::invalid("DisplayName may consist of letters, digits, hyphens and spaces."));
        }
    }
    Ok(())
}
