//! The server's own record of changes, as hints where to look.

use super::OctopusAdapter;
use super::client::Api;
use super::describe::Root;
use super::json::{optional, text, texts};
use super::links::{expand, link, with_query};
use super::paging::items;
use crate::adapter::{Account, AdapterError, Change, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// The documented ids of the event group "Document events". Documents are picked here and not by the server: of the ids for
/// `documentTypes` only `Users` is documented.
const CATEGORIES: &str = "Created,Modified,Deleted";
/// Documents that say something about access, by the beginning of their id.
const DOCUMENTS: [&str; 6] = ["users-", "teams-", "scopeduserroles-", "userroles-", "apikeys-", "authentication"];
/// More than this is no hint any more.
const MAX_EVENTS: usize = 2000;
const TAKE: &str = "200";
/// Pages of events that are read to find what somebody created.
const MAX_PAGES: usize = 20;

impl OctopusAdapter {
    pub(super) async fn read_changes(&self, api: &Api<'_>, cursor: Option<&str>) -> Result<(Vec<Change>, String)> {
        let root = self.root(api).await?;
        let Some(cursor) = cursor else {
            let newest = self.newest(api, &root).await?;
            return Ok((Vec::new(), newest.to_string()));
        };
        let Ok(seen) = cursor.parse::<u64>() else {
            return Ok((vec![anything()], self.newest(api, &root).await?.to_string()));
        };
        let (changes, newest) = match self.read_since(api, &root, seen).await? {
            Some((changes, newest)) => (changes, newest),
            None => {
                let newest = self.newest(api, &root).await?;
                // A newest event before the cursor: the database is an older one.
                let changes = if newest < seen { vec![anything()] } else { Vec::new() };
                (changes, newest)
            }
        };
        Ok((changes, newest.to_string()))
    }

    /// The changes after event `seen` and the number of the newest; `None` when there is no event from `seen` on.
    async fn read_since(&self, api: &Api<'_>, root: &Root, seen: u64) -> Result<Option<(Vec<Change>, u64)>> {
        let from = seen.to_string();
        let mut values = vec![("take", TAKE)];
        if Self::can_ask(root, "Events", "fromAutoId") {
            values.push(("fromAutoId", &from));
        }
        let mut next = Some(address(root, &values)?);
        let (mut changes, mut newest, mut count, mut any) = (Vec::new(), seen, 0, false);
        let me = self.cache().me.as_ref().map(|(_, id)| id.clone());
        while let Some(page) = next {
            let page = api.get(&page).await?;
            next = link(&page, "Page.Next").map(Into::into);
            for event in items(&page)? {
                let id = number(event)?;
                any |= id >= seen;
                if id <= seen {
                    // Newest first: what follows is older still.
                    next = None;
                    continue;
                }
                newest = newest.max(id);
                changes.extend(change(event, me.as_deref()));
                count += 1;
            }
            if count > MAX_EVENTS {
                return Ok(Some((vec![anything()], newest)));
            }
        }
        // The server sends the newest first; whoever keeps one name per document wants the last one.
        changes.reverse();
        Ok(any.then_some((changes, newest)))
    }

    /// The active service accounts that `account` created, as the events tell.
    pub(super) async fn read_created_services(&self, api: &Api<'_>, account: &str) -> Result<Vec<Account>> {
        let root = self.root(api).await?;
        if !Self::can_ask(&root, "Events", "users") {
            return Err(AdapterError::Unsupported("tell who created its accounts"));
        }
        let mut next = Some(address(&root, &[("take", TAKE), ("users", account), ("documentTypes", "Users")])?);
        let (mut ids, mut pages) = (BTreeSet::new(), BTreeSet::new());
        while let Some(page) = next {
            if pages.len() >= MAX_PAGES || !pages.insert(page.clone()) {
                return Err(AdapterError::Unsupported("tell who created its accounts: there are too many events"));
            }
            let page = api.get(&page).await?;
            next = link(&page, "Page.Next").map(Into::into);
            // Whatever the server makes of the filter.
            let theirs =
                items(&page)?.iter().filter(|e| optional(e, "UserId") == account && optional(e, "Category") == "Created");
            let users = theirs.flat_map(|event| texts(event, "RelatedDocumentIds")).filter(|id| is_user(id));
            ids.extend(users.map(str::to_owned));
        }
        ids.remove(account);
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.read_account(api, &id).await?.filter(|a| a.service && a.active));
        }
        Ok(found)
    }

    /// Number of the newest event, 0 when there is none.
    async fn newest(&self, api: &Api<'_>, root: &Root) -> Result<u64> {
        let page = api.get(&address(root, &[("take", "1")])?).await?;
        items(&page)?.first().map_or(Ok(0), number)
    }
}

fn address(root: &Root, values: &[(&str, &str)]) -> Result<String> {
    let template = root.need("Events", "show its events")?;
    let mut all: Vec<(&str, &str)> = values.to_vec();
    all.extend([("eventCategories", CATEGORIES), ("excludeDifference", "true")]);
    if !root.has_inner_spaces() {
        return expand(template, &all);
    }
    all.extend(super::describe::EVERYWHERE);
    Ok(with_query(expand(template, &all)?, &super::describe::EVERYWHERE))
}

fn is_user(id: &str) -> bool {
    id.to_lowercase().starts_with("users-")
}

fn anything() -> Change {
    Change { documents: Vec::new(), by: None }
}

/// `Events-123` is event 123.
fn number(event: &Value) -> Result<u64> {
    let id = text(event, "Id")?;
    let digits = id.rsplit('-').next().unwrap_or_default();
    digits.parse().map_err(|_| AdapterError::Garbage("an event whose id ends in no number".into()))
}

/// What an event says. Of what the agent did itself (`me`) it names nobody: that is no edit by hand.
fn change(event: &Value, me: Option<&str>) -> Option<Change> {
    let wanted = |id: &&str| {
        let id = id.to_lowercase();
        DOCUMENTS.iter().any(|start| id.starts_with(start))
    };
    let documents: Vec<String> = texts(event, "RelatedDocumentIds").filter(wanted).map(Into::into).collect();
    let own = me.is_some_and(|me| me.eq_ignore_ascii_case(&optional(event, "UserId")));
    let by = Some(optional(event, "Username")).filter(|name| !name.is_empty() && !own);
    (!documents.is_empty()).then_some(Change { documents, by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_documents_about_access_are_hints() {
        let event = json!({"Id": "Events-12", "RelatedDocumentIds": ["Teams-1", "Projects-1", "Users-2"], "Username": "admin"});
        let hint = change(&event, None).unwrap();
        assert_eq!(hint, Change { documents: vec!["Teams-1".into(), "Users-2".into()], by: Some("admin".into()) });
        assert_eq!(change(&json!({"RelatedDocumentIds": ["Projects-1"]}), None), None);
        assert_eq!(change(&json!({"RelatedDocumentIds": 5}), None), None);
        let by = |user: &str, me| {
            change(&json!({"RelatedDocumentIds": ["Teams-1"], "UserId": user, "Username": "somebody"}), me).unwrap().by
        };
        assert_eq!(by("Users-1", Some("users-2")).as_deref(), Some("somebody"));
        assert_eq!(by("Users-2", Some("users-2")), None, "the agent's own writes are nobody's edit");
        assert_eq!(by("Users-2", None).as_deref(), Some("somebody"));
        assert_eq!(number(&event).unwrap(), 12);
        assert!(number(&json!({"Id": "Events-x"})).is_err());
        assert!(number(&json!({})).is_err());
    }
}
