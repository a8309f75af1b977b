//! Audit lines as people read them: who did what when, and what was different afterwards.

use super::desk::{Desk, Fault};
use crate::accounts;
use crate::core::ids::AuditId;
use crate::core::policy::Act;
use crate::storage::audit::{Filter, Line};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One value that differs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    field: String,
    before: Option<String>,
    after: Option<String>,
}

/// A line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    id: String,
    at: crate::core::Timestamp,
    actor: String,
    actor_kind: String,
    actor_href: Option<String>,
    action: String,
    object: String,
    object_kind: String,
    href: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    changes: Vec<Change>,
}

impl Entry {
    pub(super) fn sample() -> Self {
        Self {
            id: "x".into(),
            at: crate::core::Timestamp(1_795_352_400_000),
            actor: "Ada".into(),
            actor_kind: "person".into(),
            actor_href: Some("/admin/people/x".into()),
            action: "group.edit".into(),
            object: "Developers".into(),
            object_kind: "group".into(),
            href: Some("/admin/groups/x".into()),
            address: Some("192.0.2.7".into()),
            request_id: Some("r".into()),
            changes: vec![
                Change { field: "name".into(), before: Some("Devs".into()), after: Some("Developers".into()) },
                Change { field: "x".into(), before: None, after: Some("y".into()) },
                Change { field: "z".into(), before: Some("y".into()), after: None },
            ],
        }
    }
    /// Id, for the cursor.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl From<Line> for Entry {
    fn from(line: Line) -> Self {
        let href = match line.object_kind.as_str() {
            "person" => Some(format!("/admin/people/{}", line.object_id)),
            "group" => Some(format!("/admin/groups/{}", line.object_id)),
            "space" => Some(format!("/admin/spaces/{}", line.object_id)),
            "client" => Some(format!("/admin/clients/{}", line.object_id)),
            _ => line.space_id.as_ref().map(|id| format!("/admin/spaces/{id}")),
        };
        Self {
            changes: changes(line.before.as_deref(), line.after.as_deref()),
            id: line.id.to_string(),
            at: line.at,
            actor_href: line.actor_id.map(|id| format!("/admin/people/{id}")),
            actor: line.actor_name,
            actor_kind: line.actor_kind,
            action: line.action,
            object: line.object_name,
            object_kind: line.object_kind,
            href,
            address: line.address,
            request_id: line.request_id,
        }
    }
}

/// The differences between two JSON texts, member by member, nested members with dots.
fn changes(before: Option<&str>, after: Option<&str>) -> Vec<Change> {
    let flat = |text: Option<&str>| {
        let mut out = BTreeMap::new();
        if let Some(value) = text.and_then(|text| serde_json::from_str(text).ok()) {
            flatten(String::new(), &value, &mut out);
        }
        out
    };
    let (mut old, mut new) = (flat(before), flat(after));
    old.retain(|field, value| if new.get(field) == Some(value) { new.remove(field).is_none() } else { true });
    for side in [&mut old, &mut new] {
        named(side);
    }
    let fields: std::collections::BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    fields.into_iter().map(|field| Change { before: old.remove(&field), after: new.remove(&field), field }).collect()
}

/// Who came or went is told by name, not by id and kind.
fn named(side: &mut BTreeMap<String, String>) {
    for who in ["member", "subject"] {
        if let (Some(_), Some(kind), Some(name)) =
            (side.get(&format!("{who}.id")), side.get(&format!("{who}.kind")).cloned(), side.get("name").cloned())
        {
            side.retain(|field, _| field != "name" && !field.starts_with(&format!("{who}.")));
            side.insert(kind, name);
        }
    }
}

fn flatten(path: String, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(path, value, out);
            }
        }
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => drop(out.insert(path, text.clone())),
        Value::Array(items) => {
            let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            out.insert(path, items.iter().map(text).collect::<Vec<_>>().join(", "));
        }
        other => drop(out.insert(path, other.to_string())),
    }
}

/// A page of lines, or `None` if the caller may not read them. Gives whether there is more.
pub(super) async fn read(
    desk: &Desk,
    filter: &Filter,
    after: Option<&AuditId>,
    limit: i64,
) -> Result<Option<(Vec<Entry>, bool)>, Fault> {
    let of_space = filter.space.as_ref().is_some_and(|space| desk.may(&Act::ReadSpace(space.clone())));
    if !desk.may(&Act::ReadAudit) && !of_space {
        return Ok(None);
    }
    let page = accounts::audit::list(&desk.deps, desk.actor(), filter, after, limit).await?;
    Ok(Some((page.items.into_iter().map(Entry::from).collect(), page.more)))
}

/// The newest lines about one object.
pub(super) async fn of_object(desk: &Desk, kind: &str, id: &str) -> Result<Option<Vec<Entry>>, Fault> {
    let filter = Filter { object_kind: Some(kind.into()), object_id: Some(id.into()), ..Filter::default() };
    Ok(read(desk, &filter, None, 15).await?.map(|(lines, _)| lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed() {
        let found = changes(
            Some(r#"{"a":1,"b":{"c":"x","d":[1,"y"]},"gone":true}"#),
            Some(r#"{"a":1,"b":{"c":"z","d":[1,"y"]},"new":null,"e":2}"#),
        );
        let text: Vec<_> = found.iter().map(|c| format!("{} {:?} {:?}", c.field, c.before, c.after)).collect();
        assert_eq!(text, [r#"b.c Some("x") Some("z")"#, r#"e None Some("2")"#, r#"gone Some("true") None"#]);
        let found = changes(None, Some(r#"{"member":{"id":"x","kind":"person"},"name":"Bob","note":""}"#));
        let text: Vec<_> = found.iter().map(|c| format!("{} {:?}", c.field, c.after)).collect();
        assert_eq!(text, [r#"person Some("Bob")"#], "by name, and nothing about what is empty");
        assert!(changes(None, None).is_empty() && changes(Some("not json"), None).is_empty());
    }
}
