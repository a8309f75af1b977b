//! The audit trail with filters.

use super::desk::{Answer, Desk, Fault, Input, url};
use super::history::{self, Entry};
use super::pick::time;
use super::space_field::{Meant, SpaceField};
use crate::core::ids::AuditId;
use crate::core::policy::Act;
use crate::http::{Problem, Query};
use crate::pages::Page;
use crate::storage::audit::Filter;
use axum::http::StatusCode;
use serde::Serialize;

/// Kinds of objects that can be asked for.
const KINDS: [(&str, &str); 9] = [
    ("", "Everything"),
    ("person", "People"),
    ("group", "Groups"),
    ("grant", "Grants"),
    ("space", "Spaces"),
    ("agent", "Agents"),
    ("team", "Teams"),
    ("client", "Clients"),
    ("signing_key", "Signing keys"),
];

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AuditPage {
    kinds: Vec<(&'static str, &'static str)>,
    kind: String,
    object: String,
    space: SpaceField,
    actor: String,
    action: String,
    from: String,
    until: String,
    error: Option<String>,
    lines: Vec<Entry>,
    next: Option<String>,
    first: Option<String>,
    filtered: bool,
}

const FIELDS: [&str; 7] = ["kind", "object", "space", "actor", "action", "from", "until"];

/// `GET /admin/audit`.
pub(super) async fn show(desk: Desk, Query(input): Query<Input>) -> Answer {
    desk.sees(&Act::ReadAudit)?;
    let text = |name: &str| input.get(name).chars().take(200).collect::<String>();
    let (space, found) = SpaceField::read(&desk, input.get("space")).await?;
    let mut page = AuditPage {
        kinds: KINDS.to_vec(),
        kind: text("kind"),
        object: text("object"),
        space,
        actor: text("actor"),
        action: text("action"),
        from: text("from"),
        until: text("until"),
        error: None,
        lines: Vec::new(),
        next: None,
        first: None,
        filtered: FIELDS.iter().any(|name| input.filled(name).is_some()),
    };
    match filter(&desk, &page, &input, found).await {
        Ok(Some(filter)) => {
            let after = input.filled("after").and_then(|id| AuditId::parse(id).ok());
            if let Some((lines, more)) = history::read(&desk, &filter, after.as_ref(), 50).await? {
                let mut query: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, input.get(name))).collect();
                page.first = after.map(|_| url("/admin/audit", &query));
                if let Some(last) = lines.last().filter(|_| more) {
                    query.push(("after", last.id()));
                    page.next = Some(url("/admin/audit", &query));
                }
                page.lines = lines;
            }
        }
        Ok(None) => {}
        Err(fault) if fault.mends() => page.error = Some(fault.0.detail),
        Err(fault) => return Err(fault),
    }
    desk.page(&page)
}

/// What to read; `None` when nobody is called what was typed as the actor.
async fn filter(desk: &Desk, page: &AuditPage, input: &Input, space: Meant) -> Result<Option<Filter>, Fault> {
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let actor = match page.actor.as_str() {
        "" => None,
        name => match crate::storage::people::by_sign_in_name(&mut desk.db(), &crate::core::text::fold(name)).await? {
            Some(person) => Some(person.id.to_string()),
            None => return Ok(None),
        },
    };
    let space = match space {
        Meant::Nothing => None,
        Meant::One(space) => Some(space.id),
        Meant::Several(found) if found.is_empty() => return Ok(None),
        Meant::Several(found) => {
            let names: Vec<_> = found.into_iter().map(|s| s.name).collect();
            let text = format!("Several Spaces have that in their name: {}. Write the whole name.", names.join(", "));
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "form.invalid", text).into());
        }
    };
    Ok(Some(Filter {
        object_kind: some(&page.kind),
        object_id: some(&page.object),
        space,
        actor,
        action: some(&page.action),
        from: time(input, "from")?,
        until: time(input, "until")?,
    }))
}

impl Page for AuditPage {
    const TEMPLATE: &'static str = "admin/audit.html";
    fn samples() -> Vec<Self> {
        let [many, few] = SpaceField::samples();
        let full = Self {
            kinds: KINDS.to_vec(),
            kind: "person".into(),
            object: "x".into(),
            space: few,
            actor: "ada".into(),
            action: "group.".into(),
            from: String::new(),
            until: String::new(),
            error: Some("No.".into()),
            lines: vec![Entry::sample()],
            next: Some("/admin/audit?after=x".into()),
            first: Some("/admin/audit".into()),
            filtered: true,
        };
        let bare = Self { lines: vec![], next: None, first: None, error: None, ..full.clone() };
        vec![Self { filtered: false, space: many, ..bare.clone() }, bare, full]
    }
}
crate::page!(AuditPage);
