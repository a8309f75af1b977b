//! Choosing a Space in a form: from a list while there are few, by name when there are many.

use super::desk::{Desk, Fault};
use crate::core::ids::SpaceId;
use crate::core::text::fold;
use crate::storage::spaces::{self, Space};
use serde::Serialize;

/// Up to so many stand in a list.
const FEW: i64 = 50;
/// So many are offered when a text means several.
const MOST: i64 = 12;

/// The field.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SpaceField {
    /// An id in a list, else what was typed or the name of what it meant.
    value: String,
    choices: Vec<(String, String)>,
    many: bool,
}

/// What a text means.
pub(super) enum Meant {
    /// Nothing was typed.
    Nothing,
    /// This one.
    One(Box<Space>),
    /// One of these, or others; or none at all.
    Several(Vec<Space>),
}

impl SpaceField {
    /// The field with what was typed, and what that means.
    pub(super) async fn read(desk: &Desk, typed: &str) -> Result<(Self, Meant), Fault> {
        let typed: String = typed.chars().take(200).collect();
        let meant = meant(desk, &typed).await?;
        let page = spaces::page(&mut desk.db(), None, None, FEW).await?;
        let value = match &meant {
            Meant::One(space) if page.more => space.name.clone(),
            Meant::One(space) => space.id.to_string(),
            _ => typed,
        };
        let choices = if page.more { Vec::new() } else { page.items.into_iter().map(|s| (s.id.to_string(), s.name)).collect() };
        Ok((Self { value, choices, many: page.more }, meant))
    }
    pub(super) fn samples() -> [Self; 2] {
        let many = Self { value: "Mars".into(), choices: vec![], many: true };
        [many, Self { value: "x".into(), choices: vec![("x".into(), "Mars".into())], many: false }]
    }
}

/// An id, a whole name or short name, or part of a name that fits one Space only.
pub(super) async fn meant(desk: &Desk, text: &str) -> Result<Meant, Fault> {
    if text.is_empty() {
        return Ok(Meant::Nothing);
    }
    let db = &mut desk.db();
    let id = match SpaceId::parse(text.strip_prefix("space:").unwrap_or(text)) {
        Ok(id) => Some(id),
        Err(_) => match spaces::by_name(db, &fold(text)).await? {
            Some(id) => Some(id),
            None => spaces::by_slug(db, text).await?,
        },
    };
    if let Some(id) = id {
        let found = spaces::find(db, &id).await?;
        return Ok(found.map_or(Meant::Several(Vec::new()), |space| Meant::One(Box::new(space))));
    }
    let mut page = spaces::page(db, Some(text), None, MOST).await?;
    match (page.items.pop(), page.items.is_empty()) {
        (Some(space), true) => Ok(Meant::One(Box::new(space))),
        (last, _) => {
            page.items.extend(last);
            Ok(Meant::Several(page.items))
        }
    }
}
