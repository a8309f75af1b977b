//! A user as the API shows it.

use serde_json::{Map, Value, json};

use crate::standins::octopus::{
    auth::Via,
    request::Req,
    roundtrip, secrets,
    state::{Identity, User},
    time,
};

/// The fields that changes are compared by: no password, no hidden claims.
pub fn core(user: &User) -> Value {
    json!({
        "Id": user.id,
        "Username": user.username,
        "DisplayName": user.display_name,
        "EmailAddress": user.email,
        "IsActive": user.is_active,
        "IsService": user.is_service,
        "Identities": user.identities.iter().map(identity).collect::<Vec<_>>(),
    })
}

/// An identity without what the server keeps to itself.
pub fn identity(identity: &Identity) -> Value {
    let shown = identity.claims.iter().filter(|(_, claim)| !claim.server_only);
    let claims = shown.map(|(key, claim)| (key.clone(), json!({"Value": claim.value, "IsIdentifyingClaim": claim.identifying})));
    json!({"IdentityProviderName": identity.provider, "Claims": claims.collect::<Map<_, _>>()})
}

/// The whole resource for whoever calls.
pub fn full(req: &Req, user: &User) -> Value {
    let own = req.facts.caller.user_id.as_deref() == Some(user.id.as_str()) && req.facts.caller.via != Via::Nobody;
    shown(req, user, own)
}

/// The whole resource; `own` when it goes to that very person.
pub fn shown(req: &Req, user: &User, own: bool) -> Value {
    let mut resource = core(user);
    let path = format!("/api/users/{}", user.id);
    let avatar = secrets::fingerprint(&user.email.as_deref().unwrap_or(&user.username).to_lowercase());
    let more = json!({
        "CanPasswordBeEdited": !user.is_service,
        "IsRequestor": own,
        "Password": null,
        "Created": time::iso(user.created),
        "LastModifiedOn": time::iso(user.modified),
        "LastModifiedBy": user.modified_by,
        "Links": {
            "Self": path,
            "Permissions": format!("{path}/permissions"),
            "PermissionsConfiguration": format!("{path}/permissions/configuration"),
            "ApiKeys": format!("{path}/apikeys{{/id}}{{?skip,take}}"),
            "Avatar": format!("https://www.gravatar.com/avatar/{avatar}?d=blank"),
            "RevokeSessions": format!("{path}/revoke-sessions"),
            "Spaces": format!("{path}/spaces"),
            "Teams": format!("{path}/teams{{?spaces,includeSystem}}"),
        },
    });
    if let (Some(resource), Value::Object(more)) = (resource.as_object_mut(), more) {
        resource.extend(more);
        if req.app.config.version.at_least(2025, 1) {
            let kind = if user.is_service { json!("Standard") } else { Value::Null };
            resource.insert("ServiceAccountType".into(), kind);
        }
    }
    roundtrip::decorate_items(&mut resource, "Identities");
    for identity in resource.get_mut("Identities").and_then(Value::as_array_mut).into_iter().flatten() {
        let claims = identity.get_mut("Claims").and_then(Value::as_object_mut);
        claims.into_iter().flat_map(|claims| claims.values_mut()).for_each(|claim| *claim = roundtrip::decorate(claim.take()));
    }
    roundtrip::decorate(resource)
}

/// The resource as lists show it.
pub fn listed(req: &Req, user: &User) -> Value {
    let mut resource = full(req, user);
    if let (true, Some(map)) = (req.app.switches().lists_omit_last_modified, resource.as_object_mut()) {
        map.remove("LastModifiedOn");
        map.remove("LastModifiedBy");
    }
    resource
}
