//! Reading documents that others wrote: wrong shapes are [`AdapterError::Garbage`], never a panic.

use crate::adapter::{AdapterError, Result};
use serde_json::{Map, Value};

/// A text that must be there and not be empty.
pub(super) fn text<'a>(document: &'a Value, key: &str) -> Result<&'a str> {
    let found = document.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    found.ok_or_else(|| AdapterError::Garbage(format!("a document without `{key}`")))
}

/// A text, empty when missing or null.
pub(super) fn optional(document: &Value, key: &str) -> String {
    document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A flag with the value it has when missing.
pub(super) fn flag(document: &Value, key: &str, missing: bool) -> bool {
    document.get(key).and_then(Value::as_bool).unwrap_or(missing)
}

/// A list, empty when missing.
pub(super) fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub(super) fn texts<'a>(document: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    list(document, key).iter().filter_map(Value::as_str)
}

/// The fields of a document.
pub(super) fn object(document: &mut Value) -> Result<&mut Map<String, Value>> {
    document.as_object_mut().ok_or_else(|| AdapterError::Garbage("a document that is no object".into()))
}

/// Sets a field.
pub(super) fn set(document: &mut Value, key: &str, value: impl Into<Value>) -> Result<()> {
    object(document)?.insert(key.into(), value.into());
    Ok(())
}

/// Whether a document is the one that was asked for.
pub(super) fn has_id(document: &Value, id: &str) -> bool {
    document.get("Id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id))
}

/// Whether a text can be the id of a document: what cannot is never put into an address.
pub(super) fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !id.is_empty() && id.len() <= 200 && id.bytes().all(allowed)
}
