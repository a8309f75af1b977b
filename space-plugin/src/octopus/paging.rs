//! Collections: `{Items, TotalResults, Links{Page.Next}}`, or a bare list.

use super::client::Api;
use super::links::link;
use crate::adapter::{AdapterError, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// Items asked for at once: nearly every list comes whole, and then it cannot change between two pages.
pub(super) const TAKE: &str = "1000";
const MAX_PAGES: usize = 1000;
/// Items of a collection; the bytes are bounded by the client.
const MAX_ITEMS: usize = 200_000;

/// All items of a collection. When it changed between two pages it is read once more.
pub(super) async fn all(api: &Api<'_>, first: &str) -> Result<Vec<Value>> {
    match read(api, first).await? {
        Some(items) => Ok(items),
        None => read(api, first).await?.ok_or_else(|| AdapterError::Unavailable {
            message: format!("{first}: the list changed while it was read"),
            retry_after_ms: None,
        }),
    }
}

/// `None` when the pages do not add up.
async fn read(api: &Api<'_>, first: &str) -> Result<Option<Vec<Value>>> {
    let mut pages = Pages::default();
    let mut next = Some(first.to_owned());
    while let Some(address) = next {
        next = pages.add(api.get(&address).await?)?;
    }
    Ok(pages.finish())
}

/// The items of one page.
pub(super) fn items(page: &Value) -> Result<&[Value]> {
    let items = page.get("Items").and_then(Value::as_array).map(Vec::as_slice);
    items.ok_or_else(|| AdapterError::Garbage("a collection without `Items`".into()))
}

#[derive(Default)]
struct Pages {
    items: Vec<Value>,
    ids: BTreeSet<String>,
    addresses: BTreeSet<String>,
    total: Option<u64>,
}

impl Pages {
    /// Takes a page and answers the address of the next.
    fn add(&mut self, page: Value) -> Result<Option<String>> {
        if let Value::Array(items) = page {
            self.items.extend(items);
            return Ok(None);
        }
        for item in items(&page)? {
            let id = item.get("Id").and_then(Value::as_str);
            if id.is_none_or(|id| self.ids.insert(id.to_owned())) {
                if self.items.len() >= MAX_ITEMS {
                    return Err(AdapterError::Garbage(format!("a collection of more than {MAX_ITEMS} items")));
                }
                self.items.push(item.clone());
            }
        }
        self.total = page.get("TotalResults").and_then(Value::as_u64);
        let Some(next) = link(&page, "Page.Next") else { return Ok(None) };
        if self.addresses.len() >= MAX_PAGES || !self.addresses.insert(next.to_owned()) {
            return Err(AdapterError::Garbage("a collection whose pages do not end".into()));
        }
        Ok(Some(next.to_owned()))
    }

    fn finish(self) -> Option<Vec<Value>> {
        let found = self.items.len() as u64;
        self.total.is_none_or(|total| total <= found).then_some(self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_are_put_together_and_holes_are_noticed() {
        let page = |ids: &[&str], next: Option<&str>| {
            let items: Vec<Value> = ids.iter().map(|id| json!({"Id": id})).collect();
            json!({"Items": items, "TotalResults": 3, "Links": {"Page.Next": next}})
        };
        let mut pages = Pages::default();
        assert_eq!(pages.add(page(&["a", "b"], Some("/2"))).unwrap().as_deref(), Some("/2"));
        assert_eq!(pages.add(page(&["b", "c"], None)).unwrap(), None);
        assert_eq!(pages.finish().unwrap().len(), 3);

        let mut holes = Pages::default();
        holes.add(page(&["a"], Some("/2"))).unwrap();
        holes.add(page(&["c"], None)).unwrap();
        assert_eq!(holes.finish(), None, "b fell between the pages");

        let mut circle = Pages::default();
        circle.add(page(&["a"], Some("/2"))).unwrap();
        assert!(circle.add(page(&["a"], Some("/2"))).is_err());
        let many: Vec<Value> = (0..MAX_ITEMS).map(|_| json!({})).collect();
        let mut endless = Pages::default();
        assert!(endless.add(json!({"Items": many, "Links": {"Page.Next": "/2"}})).is_ok());
        assert!(endless.add(json!({"Items": [{}], "Links": {}})).is_err(), "more than anybody has");

        assert!(Pages::default().add(json!({"Users": []})).is_err());
        assert!(Pages::default().add(json!("x")).is_err());
    }
}
