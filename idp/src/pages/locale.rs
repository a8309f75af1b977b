//! Sentences by language: `locales/<tag>.toml`, tables of `key = "text with {name}"`. A key with `.one` and `.other` is
//! chosen by its `count`. English is the fallback for everything that another file lacks.

use super::theme::{Stamp, Theme};
use crate::http::Lang;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The language that every key exists in.
pub const FALLBACK: &str = "en";

/// One language: key to text.
pub type Table = BTreeMap<String, String>;

/// All languages.
#[derive(Clone, Debug, Default)]
pub struct Locales(BTreeMap<String, Table>);

fn flatten(prefix: &str, value: &toml::Value, to: &mut Table) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, to);
            }
        }
        toml::Value::String(text) => drop(to.insert(prefix.to_owned(), text.clone())),
        other => tracing::warn!(key = prefix, kind = other.type_str(), "a locale entry is not a text; it is ignored"),
    }
}

fn parse(name: &str, text: &str) -> Table {
    let mut table = Table::new();
    match text.parse::<toml::Table>() {
        Ok(parsed) => flatten("", &toml::Value::Table(parsed), &mut table),
        Err(error) => tracing::error!(name, %error, "a locale file cannot be read"),
    }
    table
}

impl Locales {
    /// Reads all locale files of a theme; an overriding file adds to the embedded one of the same name.
    #[must_use]
    pub fn load(theme: &Theme) -> Self {
        let mut all = BTreeMap::new();
        for name in theme.list("locales/") {
            let Some(tag) = name.strip_prefix("locales/").and_then(|n| n.strip_suffix(".toml")) else { continue };
            let mut table = Theme::embedded().text(&name).map(|text| parse(&name, &text)).unwrap_or_default();
            if theme.stamp(&name).is_some() {
                table.extend(theme.text(&name).map(|text| parse(&name, &text)).unwrap_or_default());
            }
            all.insert(tag.to_owned(), table);
        }
        Self(all)
    }

    /// Tags of all languages.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All keys and texts of a language.
    #[must_use]
    pub fn table(&self, tag: &str) -> Option<&Table> {
        self.0.get(tag)
    }

    /// The raw text of a key, from English if the language lacks it.
    #[must_use]
    pub fn raw(&self, tag: &str, key: &str) -> Option<&str> {
        let find = |tag: &str| self.0.get(tag).and_then(|t| t.get(key)).map(String::as_str);
        find(tag).or_else(|| find(FALLBACK))
    }

    /// A sentence with its `{names}` filled in; the key itself if nobody wrote it.
    #[must_use]
    pub fn say(&self, tag: &str, key: &str, values: &[(&str, String)]) -> String {
        let count = values.iter().find(|(name, _)| *name == "count").map(|(_, n)| n.as_str());
        let plural = count.map(|n| format!("{key}.{}", if n == "1" { "one" } else { "other" }));
        let text = plural.and_then(|key| self.raw(tag, &key)).or_else(|| self.raw(tag, key));
        let Some(text) = text else {
            tracing::warn!(key, tag, "no locale has this key");
            return key.to_owned();
        };
        fill(text, values)
    }

    /// The best language: the chosen one, else the first of `Accept-Language` (RFC 9110 §12.5.4) that exists.
    #[must_use]
    pub fn pick(&self, chosen: Option<&str>, accepted: Option<&str>) -> Lang {
        let known = |tag: &str| {
            let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
            self.0.contains_key(&primary).then_some(Lang(primary))
        };
        let mut wishes: Vec<(i32, &str)> = accepted
            .unwrap_or_default()
            .split(',')
            .take(20)
            .filter_map(|part| {
                let mut fields = part.split(';').map(str::trim);
                let tag = fields.next().filter(|t| !t.is_empty())?;
                let weight = fields.find_map(|f| f.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
                #[expect(clippy::cast_possible_truncation, reason = "a weight between 0 and 1, times 1000")]
                (weight > 0.0).then_some((-(weight.min(1.0) * 1000.0) as i32, tag))
            })
            .collect();
        wishes.sort_by_key(|(weight, _)| *weight);
        chosen
            .and_then(known)
            .or_else(|| wishes.iter().find_map(|(_, tag)| known(tag)))
            .unwrap_or_else(|| Lang(FALLBACK.to_owned()))
    }
}

/// Replaces `{name}` by its value, in one pass: values are never read as patterns.
fn fill(text: &str, values: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let value = after
            .split_once('}')
            .and_then(|(name, tail)| values.iter().find(|(n, _)| *n == name).map(|(_, value)| (value, tail)));
        rest = if let Some((value, tail)) = value {
            out.push_str(value);
            tail
        } else {
            out.push('{');
            after
        };
    }
    out.push_str(rest);
    out
}

/// The locales of a theme, read again when an overriding file changed.
#[derive(Clone, Debug)]
pub(super) struct LiveLocales {
    theme: Theme,
    kept: Arc<RwLock<Kept>>,
}

/// The files as they were when they were read, and what was read.
type Kept = (Vec<(String, Stamp)>, Arc<Locales>);

impl LiveLocales {
    pub(super) fn new(theme: Theme) -> Self {
        let kept = (Self::stamps(&theme), Arc::new(Locales::load(&theme)));
        Self { theme, kept: Arc::new(RwLock::new(kept)) }
    }

    fn stamps(theme: &Theme) -> Vec<(String, Stamp)> {
        theme.list("locales/").into_iter().map(|name| (name.clone(), theme.stamp(&name))).collect()
    }

    pub(super) fn get(&self) -> Arc<Locales> {
        if self.theme.can_change() {
            let stamps = Self::stamps(&self.theme);
            let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
            if kept.0 != stamps {
                *kept = (stamps, Arc::new(Locales::load(&self.theme)));
            }
            return kept.1.clone();
        }
        self.kept.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_best_language() {
        let locales = Locales(BTreeMap::from([("en".into(), Table::new()), ("de".into(), Table::new())]));
        for (chosen, accepted, expected) in [
            (None, None, "en"),
            (Some("de"), Some("en"), "de"),
            (Some("xx"), Some("de-AT,de;q=0.9,en;q=0.8"), "de"),
            (None, Some("fr, en;q=0.3, de;q=0.7"), "de"),
            (None, Some("de;q=0, fr"), "en"),
            (None, Some("DE-ch"), "de"),
            (None, Some(";;;q=,"), "en"),
        ] {
            assert_eq!(locales.pick(chosen, accepted).0, expected, "{chosen:?} {accepted:?}");
        }
    }

    #[test]
    fn values_are_not_patterns() {
        let values = [("a", "{b}".to_owned()), ("b", "2".to_owned())];
        assert_eq!(fill("{a} {b} {c} {", &values), "{b} 2 {c} {");
    }
}
