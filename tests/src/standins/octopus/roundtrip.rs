//! Clients that rebuild a resource from the fields they know lose those of another version. Two traps:
//! every resource carries a field that no client knows, and for chosen callers a `PUT` must bring back
//! every field that was sent.

use serde_json::{Map, Value, json};

use super::{errors::ApiError, request::Req};

/// Name of the field that no client knows.
pub const UNKNOWN: &str = "XFutureField";

/// Adds the unknown field to a resource.
pub fn decorate(mut resource: Value) -> Value {
    if let Some(map) = resource.as_object_mut() {
        map.insert(UNKNOWN.into(), json!({"KeepMe": true, "Since": "2031.1"}));
    }
    resource
}

/// Adds the unknown field to each object of a list within a resource, as part of that object.
pub fn decorate_items(resource: &mut Value, list: &str) {
    let items = resource.get_mut(list).and_then(Value::as_array_mut);
    items.into_iter().flatten().for_each(|item| *item = decorate(item.take()));
}

/// Refuses a `PUT` that drops a field of what a `GET` answers now, if the caller is held to that.
///
/// # Errors
/// 400 that names the field.
pub fn check(req: &Req, current: &Value, body: &Map<String, Value>) -> Result<(), ApiError> {
    if !req.facts.caller.strict {
        return Ok(());
    }
    match dropped(current, &Value::Object(body.clone()), "") {
        Some(field) => {
            Err(ApiError::invalid(format!("The field {field} was sent to you and is missing: edit the resource as received.")))
        }
        None => Ok(()),
    }
}

/// What tells the items of a list apart: their id, else the provider of an identity, else their name.
fn key(item: &Value) -> Option<&str> {
    ["Id", "IdentityProviderName", "Name"].iter().find_map(|name| item.get(name)?.as_str())
}

/// The first field of `sent` that `back` lacks. Lists are compared item by item where items can be told apart; an item
/// that is gone was removed on purpose.
fn dropped(sent: &Value, back: &Value, path: &str) -> Option<String> {
    match (sent, back) {
        (Value::Object(sent), Value::Object(back)) => sent.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match back.get(name) {
                None => Some(path),
                Some(back) => dropped(value, back, &path),
            }
        }),
        (Value::Array(sent), Value::Array(back)) => sent.iter().find_map(|item| {
            let name = key(item)?;
            // Several of one name (two identities of a provider): one that has every field is enough.
            let mut same = back.iter().filter(|other| key(other) == Some(name)).peekable();
            same.peek()?;
            let mut missing = same.map(|same| dropped(item, same, &format!("{path}[{name}]")));
            let first = missing.next()?;
            if missing.any(|missing| missing.is_none()) { None } else { first }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_field_is_named() {
        let sent = decorate(json!({"Id": "1", "Links": {"Self": "/x"}, "Groups": [{"Id": "g", "DisplayName": "G"}]}));
        assert_eq!(dropped(&sent, &sent.clone(), ""), None);
        let without = |pointer: &str, name: &str| {
            let mut back = sent.clone();
            let place = if pointer.is_empty() { Some(&mut back) } else { back.pointer_mut(pointer) };
            place.unwrap().as_object_mut().unwrap().remove(name);
            dropped(&sent, &back, "")
        };
        assert_eq!(without("", UNKNOWN).as_deref(), Some(UNKNOWN));
        assert_eq!(without("/Links", "Self").as_deref(), Some("Links.Self"));
        assert_eq!(without("/Groups/0", "DisplayName").as_deref(), Some("Groups[g].DisplayName"));
        let mut user = json!({"Identities": [
            {"IdentityProviderName": "Okta", "Claims": {"email": {"Value": "a@x"}, "pun": {"Value": "a"}}},
            {"IdentityProviderName": "LDAP", "Claims": {}},
        ]});
        decorate_items(&mut user, "Identities");
        assert_eq!(dropped(&user, &user.clone(), ""), None);
        let mut poorer = user.clone();
        poorer["Identities"][0]["Claims"].as_object_mut().unwrap().remove("pun");
        assert_eq!(dropped(&user, &poorer, "").as_deref(), Some("Identities[Okta].Claims.pun"));
        let mut rebuilt = user.clone();
        rebuilt["Identities"][1].as_object_mut().unwrap().remove(UNKNOWN);
        assert_eq!(dropped(&user, &rebuilt, "").as_deref(), Some("Identities[LDAP].XFutureField"));
        let mut fewer = sent.clone();
        fewer["Groups"] = json!([]);
        assert_eq!(dropped(&sent, &fewer, ""), None, "a list may lose items");
    }
}
