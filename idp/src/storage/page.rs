//! Keyset pages.

/// A part of a list, and whether there is more after it. The caller makes the next cursor from the last item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there is more.
    pub more: bool,
}

impl<T> Page<T> {
    /// From one row more than was asked for.
    #[must_use]
    pub fn cut(mut rows: Vec<T>, limit: i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self { items: rows, more }
    }
    /// Changes the items.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), more: self.more }
    }
}

/// Where a page of memberships or grants begins: kind, folded name and id of the last one seen; for a membership also its
/// source, since several may say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct After {
    /// `person` or `group`.
    pub kind: String,
    /// Its folded name.
    pub key: String,
    /// The id that tells those of one name apart.
    pub id: String,
    /// Source of the membership.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// A pattern for `lower(x) LIKE $n ESCAPE '\'` that finds `text` anywhere.
#[must_use]
pub fn like(text: &str) -> String {
    like_as_written(&crate::core::text::fold(text.trim()))
}

/// A pattern for `x LIKE $n ESCAPE '\'` that finds `text` anywhere, as it is written.
#[must_use]
pub fn like_as_written(text: &str) -> String {
    let mut out = String::from("%");
    for c in text.trim().chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('%');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn wildcards_in_a_search_are_plain_characters() {
        assert_eq!(super::like(" 50%_A\\ "), "%50\\%\\_a\\\\%");
        let page = super::Page::cut(vec![1, 2, 3], 2);
        assert_eq!((page.items, page.more), (vec![1, 2], true));
    }
}
