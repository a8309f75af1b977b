//! Reading: file, then environment (`ODCM__SECTION__KEY`, secrets also `…_FILE`), every name checked, then typed.

use super::file::{File, SECTIONS};
use super::section::Key;
use std::path::Path;
use toml::{Table, Value};

/// What is wrong with the configuration: one sentence per problem, each naming where it is and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not right:\n{}", .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Reads the file (if one is given) and lays the environment over it.
///
/// # Errors
/// [`ConfigError`] with every problem found, not only the first.
pub fn load(path: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<File, ConfigError> {
    let mut problems = Vec::new();
    let mut root = match path {
        None => Table::new(),
        Some(path) => match std::fs::read_to_string(path).map_err(|e| e.to_string()) {
            Err(e) => return Err(ConfigError(vec![format!("{}: {e}", path.display())])),
            Ok(text) => text.parse::<Table>().map_err(|e| ConfigError(vec![format!("{}: {e}", path.display())]))?,
        },
    };
    check_names(&root, &mut problems);
    for (name, value) in environment {
        if let Some(rest) = name.strip_prefix("ODCM__") {
            overlay(&mut root, &name, &rest.to_lowercase(), value, &mut problems);
        }
    }
    read_files(&mut root, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    Value::Table(root).try_into::<File>().map_err(|e| ConfigError(vec![e.to_string().trim().to_owned()]))
}

fn key(section: &str, name: &str) -> Option<&'static Key> {
    SECTIONS.iter().find(|s| s.0 == section)?.2.iter().find(|k| k.name == name)
}

/// A key, or a secret's `…_file` twin.
fn known(section: &str, name: &str) -> bool {
    key(section, name).is_some() || name.strip_suffix("_file").and_then(|n| key(section, n)).is_some_and(|k| k.secret)
}

fn check_names(root: &Table, problems: &mut Vec<String>) {
    for (section, value) in root {
        if !SECTIONS.iter().any(|s| s.0 == section) {
            problems.push(format!("there is no section [{section}]{}", nearest(section, SECTIONS.iter().map(|s| s.0))));
            continue;
        }
        let Some(table) = value.as_table() else {
            problems.push(format!("`{section}` must be a section: [{section}]"));
            continue;
        };
        for name in table.keys().filter(|name| !known(section, name)) {
            problems.push(format!("[{section}] has no key `{name}`{}", nearest(name, keys_of(section))));
        }
    }
}

fn keys_of(section: &str) -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().filter(move |s| s.0 == section).flat_map(|s| s.2.iter().map(|k| k.name))
}

fn overlay(root: &mut Table, variable: &str, rest: &str, value: String, problems: &mut Vec<String>) {
    let Some((section, name)) = rest.split_once("__") else {
        problems.push(format!("{variable}: expected ODCM__SECTION__KEY"));
        return;
    };
    if !SECTIONS.iter().any(|s| s.0 == section) {
        problems.push(format!("{variable}: there is no section [{section}]{}", nearest(section, SECTIONS.iter().map(|s| s.0))));
        return;
    }
    if !known(section, name) {
        problems.push(format!("{variable}: [{section}] has no key `{name}`{}", nearest(name, keys_of(section))));
        return;
    }
    match typed(section, name, &value) {
        Ok(value) => {
            let table = root.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Some(table) = table.as_table_mut() {
                table.insert(name.to_owned(), value);
            }
        }
        Err(expected) => problems.push(format!("{variable}: expected {expected}")),
    }
}

/// The text of an environment variable as the type that the default of the key has.
fn typed(section: &str, name: &str, text: &str) -> Result<Value, &'static str> {
    let defaults = Table::try_from(File::default()).unwrap_or_default();
    let default = defaults.get(section).and_then(|s| s.get(name));
    match default {
        Some(Value::Integer(_)) => text.trim().parse().map(Value::Integer).map_err(|_| "a whole number"),
        Some(Value::Boolean(_)) => text.trim().parse().map(Value::Boolean).map_err(|_| "true or false"),
        Some(Value::Array(_)) => {
            Ok(Value::Array(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| Value::String(s.into())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Replaces each secret's `…_file` by the content of that file.
fn read_files(root: &mut Table, problems: &mut Vec<String>) {
    for (section, _, keys) in SECTIONS {
        let Some(table) = root.get_mut(*section).and_then(Value::as_table_mut) else { continue };
        for key in keys.iter().filter(|k| k.secret) {
            let Some(path) = table.remove(&format!("{}_file", key.name)) else { continue };
            let path = path.as_str().unwrap_or_default().to_owned();
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    table.insert(key.name.to_owned(), Value::String(text.trim_end_matches(['\r', '\n']).to_owned()));
                }
                Err(e) => problems.push(format!("[{section}] {}_file: {path}: {e}", key.name)),
            }
        }
    }
}

/// `; did you mean …?` for the closest name, if one is close.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let best = names.map(|n| (distance(name, n), n)).min();
    match best {
        Some((d, n)) if d <= 2 + n.len() / 4 => format!("; did you mean `{n}`?"),
        _ => String::new(),
    }
}

/// Levenshtein distance over characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut left = i + 1;
        for ((cb, up), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            left = (left + 1).min(up + 1).min(diagonal + usize::from(ca != *cb));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(file: &str, environment: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odcm.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        load(Some(&path), environment).unwrap_err().to_string()
    }

    #[test]
    fn the_environment_overrides_with_the_type_of_the_key() {
        let environment = [
            ("ODCM__PUSH__POLL_MS", "5"),
            ("ODCM__SERVER__TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2"),
            ("ODCM__PAGES__ORGANISATION", "12"),
            ("PATH", "x"),
        ];
        let file = load(None, environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).unwrap();
        assert_eq!(file.push.poll_ms, 5);
        assert_eq!(file.server.trusted_proxies, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(file.pages.organisation, "12");
    }

    #[test]
    fn wrong_names_get_the_nearest_right_one_all_at_once() {
        let text = problems(
            "[servr]\n[server]\nlisen = 'x'\n",
            &[("ODCM__PUSH__POL_MS", "1"), ("ODCM__X", "1"), ("ODCM__TOKENS__CODE_SECONDS", "a")],
        );
        for part in [
            "[servr]; did you mean `server`?",
            "`lisen`; did you mean `listen`?",
            "`pol_ms`; did you mean `poll_ms`?",
            "ODCM__SECTION__KEY",
            "a whole number",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_secret_may_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://secret\n").unwrap();
        let environment = [("ODCM__DATABASE__URL_FILE".to_owned(), path.display().to_string())];
        assert_eq!(load(None, environment.into_iter()).unwrap().database.url, "postgres://secret");
        assert!(problems("", &[("ODCM__DATABASE__URL_FILE", "/nonexistent")]).contains("/nonexistent"));
        assert!(problems("", &[("ODCM__PUSH__POLL_MS_FILE", "/x")]).contains("no key"), "only secrets come from files");
    }
}
