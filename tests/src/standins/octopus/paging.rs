//! Collections: paging with links, `ids`, `partialName`, `/all`.

use serde_json::{Map, Value, json};

use super::{
    errors::{ApiError, ApiResult},
    request::{Req, ok},
    state::same,
};

/// Items per page when the client does not say.
pub const PAGE: u64 = 30;

/// Answers one page of `items`, which are already filtered and sorted.
///
/// `route` is the address of the collection (`/api/users`), `template` what follows it in the link template.
///
/// # Errors
/// 400 for a `skip` or `take` that is no number.
pub fn page(req: &Req, item_type: &str, route: &str, template: &str, items: Vec<Value>) -> ApiResult {
    ok(&page_body(req, item_type, route, template, items)?)
}

/// The body of a page.
///
/// # Errors
/// 400 for a `skip` or `take` that is no number.
pub fn page_body(req: &Req, item_type: &str, route: &str, template: &str, items: Vec<Value>) -> Result<Value, ApiError> {
    let skip = req.query.number("skip")?.unwrap_or(0);
    let take = req.query.number("take")?.unwrap_or(PAGE).min(i32::MAX as u64);
    let total = items.len() as u64;
    let pages = total.div_ceil(take.max(1)).max(1);
    let others = req.query.pairs().iter().filter(|(name, _)| !matches!(name.as_str(), "skip" | "take" | "apikey"));
    let others = others.fold(String::new(), |text, (name, value)| {
        let value = url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>();
        format!("{text}&{name}={value}")
    });
    let at = |skip: u64, take: u64| Value::from(format!("{route}?skip={skip}&take={take}{others}"));
    let mut links = Map::from_iter([
        ("Self".to_owned(), at(skip, take)),
        ("Template".to_owned(), Value::from(format!("{route}{template}"))),
        ("Page.All".to_owned(), at(0, i32::MAX as u64)),
        ("Page.Current".to_owned(), at(skip, take)),
        ("Page.Last".to_owned(), at((pages - 1) * take, take)),
    ]);
    if take > 0 && skip + take < total {
        links.insert("Page.Next".into(), at(skip + take, take));
    }
    if skip > 0 {
        links.insert("Page.Previous".into(), at(skip.saturating_sub(take), take));
    }
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let items = items.into_iter().skip(number(skip)).take(number(take)).collect::<Vec<_>>();
    Ok(json!({
        "ItemType": item_type,
        "TotalResults": total,
        "ItemsPerPage": take,
        "NumberOfPages": pages,
        "LastPageNumber": pages - 1,
        "Items": items,
        "Links": links,
    }))
}

/// Keeps what `ids` and `partialName` (or `name`) ask for.
pub fn select(req: &Req, items: Vec<Value>) -> Vec<Value> {
    let ids = req.query.list("ids");
    let part = req.query.get("partialName").map(str::to_lowercase);
    let name = req.query.get("name");
    let field = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let keep = |item: &Value| {
        ids.as_ref().is_none_or(|ids| ids.iter().any(|id| same(id, &field(item, "Id"))))
            && part.as_ref().is_none_or(|part| field(item, "Name").to_lowercase().contains(part))
            && name.is_none_or(|name| same(name, &field(item, "Name")))
    };
    items.into_iter().filter(keep).collect()
}

/// Sorts by a text field, ignoring case.
pub fn sort_by(items: &mut [Value], field: &str) {
    items.sort_by_cached_key(|item| item.get(field).and_then(Value::as_str).unwrap_or_default().to_lowercase());
}
