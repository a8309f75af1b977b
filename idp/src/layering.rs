//! House rules as tests: who may use whom, `sqlx` inside `storage` only, ambient time and randomness in `ports` only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms from the top down; a room may use rooms of a lower line, and only those of its own line that are listed with it.
const LINES: &[&[&str]] = &[
    &["lib", "main", "cli", "server"],
    &["web"],
    &["portal", "api", "protocols"],
    &["push"],
    &["login", "jobs"],
    &["accounts", "testing"],
    &["http", "pages"],
    &["connectors"],
    &["deps"],
    &["storage", "crypto", "net"],
    &["config", "ports"],
    &["core"],
];

/// Uses inside one line that are meant.
const SIDEWAYS: &[(&str, &str)] = &[
    ("lib", "cli"),
    ("main", "cli"),
    ("cli", "server"),
    ("lib", "server"),
    ("http", "pages"),
    ("pages", "http"),
    ("testing", "accounts"),
    ("accounts", "testing"),
];

/// Uses of a higher room that are meant, each with its reason.
const UPWARDS: &[(&str, &str, &str)] = &[
    ("deps", "pages", "the template engine is one of the shared parts"),
    ("deps", "connectors", "the list of connectors is one of the shared parts"),
    ("http", "accounts", "problem documents are made from what use cases say"),
    ("connectors", "deps", "the local connector verifies passwords against the database"),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let first = path.strip_prefix(&root).unwrap().components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (room, path, text)
        })
        .collect()
}

/// Rooms named by `crate::ROOM` or `use crate::{a, b}` outside test modules.
fn uses(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim_start).filter(|l| !l.starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            if let Some(list) = part.strip_prefix('{') {
                found.extend(
                    list.split('}')
                        .next()
                        .unwrap_or_default()
                        .split(',')
                        .map(|p| p.trim().split("::").next().unwrap_or_default().to_owned()),
                );
            } else {
                found.push(part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let line: BTreeMap<&str, usize> =
        LINES.iter().enumerate().flat_map(|(n, rooms)| rooms.iter().map(move |r| (*r, n))).collect();
    let mut wrong = Vec::new();
    for (room, path, text) in sources() {
        if room == "layering" {
            continue;
        }
        let Some(own) = line.get(room.as_str()) else {
            wrong.push(format!("{}: the room `{room}` is not in the list", path.display()));
            continue;
        };
        for used in uses(&text) {
            let Some(other) = line.get(used.as_str()) else { continue }; // macros and re-exports at the root
            let meant = room == used
                || other > own
                || SIDEWAYS.contains(&(&room, &used))
                || UPWARDS.iter().any(|(a, b, _)| *a == room && *b == used);
            if !meant {
                wrong.push(format!("{}: `{room}` uses `{used}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_storage_names_sqlx_and_only_ports_read_the_clock() {
    let forbidden: [(&str, &[&str]); 3] =
        [("sqlx::", &["storage"]), ("SystemTime::now", &["ports"]), ("aws_lc_rs::rand", &["ports", "crypto"])];
    let mut wrong = Vec::new();
    for (room, path, text) in sources() {
        for (needle, rooms) in &forbidden {
            let inside = rooms.contains(&room.as_str()) || room == "layering";
            if !inside && text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(needle)) {
                wrong.push(format!("{}: `{needle}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_uses_sees_what_it_must() {
    let text = "use crate::storage::Db;\nuse crate::{core, deps::Deps};\nlet x = crate::push::run();\n// crate::web\n#[cfg(test)]\nuse crate::web;\n";
    assert_eq!(uses(text), ["storage", "core", "deps", "push"]);
}
