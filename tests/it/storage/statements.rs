//! Every `sql!` text is understood by both engines, with the same columns and parameters.

use odcm::storage::{Db, STATEMENTS};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The literals of `sql!("…")` in the sources of the server, tests excluded.
fn texts_in_sources() -> BTreeSet<String> {
    fn files(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                files(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let mut sources = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../idp/src"), &mut sources);
    let mut texts = BTreeSet::new();
    for path in sources.into_iter().filter(|path| !path.to_string_lossy().ends_with("tests.rs")) {
        let source = std::fs::read_to_string(&path).unwrap();
        let code: String = source
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|l| !l.trim_start().starts_with("//"))
            .collect();
        for part in code.split("sql!(").skip(1) {
            let Some(literal) = part.trim_start().strip_prefix('"') else { continue };
            let (mut text, mut chars) = (String::new(), literal.chars());
            while let Some(c) = chars.next().filter(|c| *c != '"') {
                text.extend(if c == '\\' { chars.next() } else { Some(c) });
            }
            texts.insert(text);
        }
    }
    texts
}

#[test]
fn every_statement_of_the_server_is_registered_here() {
    let registered: BTreeSet<_> = STATEMENTS.iter().map(|s| s.sql.to_owned()).collect();
    let written = texts_in_sources();
    assert!(written.len() > 150, "only {} texts found in the sources", written.len());
    let missing: Vec<_> = written.difference(&registered).collect();
    assert!(missing.is_empty(), "not in the slice: {missing:#?}");
}

/// Both engines, each statement: its columns by name and the number of its parameters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_understand_every_statement_alike() {
    let lite = super::sqlite().await;
    let Some(pg) = super::postgres().await else { return };
    let mut wrong = Vec::new();
    let ask = async |db: &Db, s| db.describe(s).await.map_err(|e| e.to_string());
    let mut seen = BTreeSet::new();
    for statement in STATEMENTS.iter().filter(|s| seen.insert(s.sql)) {
        match (ask(&lite.db, statement).await, ask(&pg.db, statement).await) {
            (Ok(a), Ok(b)) if a == b => {}
            (a, b) => wrong.push(format!("{}\n  SQLite:     {a:?}\n  PostgreSQL: {b:?}", statement.sql)),
        }
    }
    assert!(wrong.is_empty(), "{} statements differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Words that mean something else on one of the engines, or nothing.
#[test]
fn no_statement_uses_what_only_one_engine_has() {
    for statement in STATEMENTS.iter() {
        let text = statement.sql.to_uppercase();
        for word in [" ILIKE ", "= ANY", "FOR UPDATE", "->>", " NOW()", "JSON_EXTRACT", " ROWID", "::", "INSERT OR "] {
            assert!(!text.contains(word), "`{word}` in: {}", statement.sql);
        }
    }
}
