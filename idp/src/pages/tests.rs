use super::*;
use crate::core::change::ACTIONS;
use crate::http::Lang;
use minijinja::Value;
use minijinja::value::Serde;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn view(signed: bool, flash: Option<&str>) -> serde_json::Value {
    let person = serde_json::json!({ "name": "Barry Infrastructure", "username": "barry", "admin": true, "csrf": "c" });
    let item = NavItem { label: "ui.spaces", href: "/admin/spaces", icon: "spaces", current: true };
    let nav = if signed { vec![NavGroup { label: "ui.administration", items: vec![item] }] } else { vec![] };
    serde_json::json!({
        "lang": "en", "organisation": "Example", "theme": "default", "path": "/", "request_id": "r", "now": 1_795_352_400_000_i64,
        "flash": flash, "signed": signed.then_some(person), "csrf": "c", "nav": nav, "languages": ["de", "en"],
    })
}

fn render(pages: &Pages, lang: &str, template: &str, view: &serde_json::Value, page: &serde_json::Value) -> String {
    let context = minijinja::context! { view => Value::from(Serde(view)), page => Value::from(Serde(page)) };
    pages.render(&Lang(lang.into()), template, context).unwrap_or_else(|e| panic!("{template} in {lang}: {e}\n{page}"))
}

fn files(root: &Path, ext: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path, ext));
        } else if path.extension().is_some_and(|e| e == ext) {
            out.push(path);
        }
    }
    out
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn every_page_renders_with_all_samples_in_all_languages() {
    let pages = Pages::new(theme::Theme::embedded());
    let tags: Vec<String> = pages.locales().tags().map(str::to_owned).collect();
    assert!(tags.len() >= 2, "{tags:?}");
    assert!(PAGES.len() >= 10, "{}", PAGES.len());
    for registered in PAGES {
        let samples = (registered.samples)();
        assert!(!samples.is_empty(), "{} has no sample", registered.template);
        for sample in &samples {
            for tag in &tags {
                // a page for nobody must not need a person, one for a person may
                let signed = render(&pages, tag, registered.template, &view(true, Some("password_changed")), sample);
                for forbidden in [" style=", "<style", " onclick", "javascript:", "<script>"] {
                    assert!(!signed.contains(forbidden), "{} contains {forbidden}", registered.template);
                }
                for form in signed.split("<form").skip(1).filter(|f| f.contains("method=\"post\"")) {
                    let form = form.split("</form>").next().unwrap();
                    // a token that goes to another site would be no secret any more
                    let leaves = registered.template == "oidc/form_post.html";
                    assert_eq!(form.contains("name=\"csrf\""), !leaves, "{}: the token of {form}", registered.template);
                }
            }
        }
    }
}

#[test]
fn every_template_belongs_to_a_page_or_is_shared() {
    let root = repository().join("themes/default/templates");
    let known: BTreeSet<&str> = PAGES.iter().map(|p| p.template).collect();
    let texts: Vec<String> = files(&root, "html").iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    for path in files(&root, "html") {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let used = known.contains(name.as_str()) || texts.iter().any(|t| t.contains(&format!("\"{name}\"")));
        assert!(used || name.starts_with("layout/"), "{name} belongs to nothing");
    }
}

/// Keys that templates and code name: whole ones, and beginnings of composed ones such as `"scope." ~ scope`.
fn named_keys() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut whole, mut beginnings) = (BTreeSet::new(), BTreeSet::new());
    let root = repository();
    for path in files(&root.join("themes/default/templates"), "html").into_iter().chain(files(&root.join("idp/src"), "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for part in text.split('"').skip(1).step_by(1) {
            let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
            if part.contains('.') && part.len() < 80 && part.chars().all(fit) && !part.starts_with('.') {
                whole.insert(part.to_owned());
            }
        }
        for (n, _) in text.match_indices("\" ~ ") {
            let start = text[..n].rfind('"').unwrap() + 1;
            beginnings.insert(text[start..n].to_owned());
        }
    }
    (whole, beginnings)
}

#[test]
fn no_key_is_missing_and_none_is_left_over() {
    let pages = Pages::new(theme::Theme::embedded());
    let locales = pages.locales();
    let english: BTreeSet<&String> = locales.table("en").unwrap().keys().collect();
    for tag in locales.tags() {
        let keys: BTreeSet<&String> = locales.table(tag).unwrap().keys().collect();
        let missing: Vec<_> = english.difference(&keys).collect();
        let extra: Vec<_> = keys.difference(&english).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{tag}: missing {missing:?}, unknown {extra:?}");
        for (key, text) in locales.table(tag).unwrap() {
            let holes = |text: &str| -> BTreeSet<String> {
                text.split('{').skip(1).filter_map(|p| p.split_once('}')).map(|(n, _)| n.to_owned()).collect()
            };
            let (here, there) = (holes(text), holes(&locales.table("en").unwrap()[key]));
            assert_eq!(here, there, "{tag}: {key} has other placeholders than English");
        }
    }
    let (whole, beginnings) = named_keys();
    let base = |key: &str| key.strip_suffix(".one").or_else(|| key.strip_suffix(".other")).unwrap_or(key).to_owned();
    let bases: BTreeSet<String> = english.iter().map(|k| base(k)).collect();
    // every key that a template asks for exists
    for path in files(&repository().join("themes/default/templates"), "html") {
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("t(\"") {
            if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue; // another function
            }
            let (key, rest) = text[at + 3..].split_once('"').unwrap();
            let composed = rest.starts_with(" ~");
            let found = if composed { bases.iter().any(|b| b.starts_with(key)) } else { bases.contains(key) };
            assert!(found, "{}: no locale has {key}", path.display());
        }
    }
    // every key is asked for by something
    let prefixes = ["flash.", "problem.", "language.", "scope.", "time."];
    for key in &bases {
        let used = whole.contains(key)
            || beginnings.iter().any(|b| !b.is_empty() && key.starts_with(b.as_str()))
            || prefixes.iter().any(|p| key.starts_with(p));
        assert!(used, "nothing uses the key {key}");
    }
}

#[test]
fn every_code_of_the_audit_has_words() {
    let locales = Pages::new(theme::Theme::embedded()).locales();
    let known: BTreeSet<String> = ACTIONS.iter().map(|code| format!("action.{code}")).collect();
    for tag in locales.tags() {
        let said: BTreeSet<String> = locales.table(tag).unwrap().keys().filter(|k| k.starts_with("action.")).cloned().collect();
        assert_eq!(said, known, "{tag}");
    }
    // what is written in the sources is in the list, also where no test runs it
    let mut found = 0;
    for path in files(&repository().join("idp/src"), "rs").iter().filter(|path| !path.ends_with("pages/tests.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        for call in ["Change::new(", " change("] {
            for (at, _) in text.match_indices(call) {
                let Some(code) = text[at + call.len()..].trim_start().strip_prefix('"') else { continue };
                let code = code.split('"').next().unwrap();
                assert!(ACTIONS.contains(&code), "{}: {code} is not among ACTIONS", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 35, "only {found}");
}

#[test]
fn what_a_person_typed_is_escaped() {
    let pages = Pages::new(theme::Theme::embedded());
    let nasty = "<script>alert(1)</script>\"'";
    let message = serde_json::json!({ "title": nasty, "text": nasty, "tone": "error", "actions": [], "reference": nasty });
    let html = render(&pages, "en", "message.html", &view(false, None), &message);
    assert!(!html.contains("<script>alert"), "{html}");
    let sentence = render(
        &pages,
        "en",
        "login/select.html",
        &view(false, None),
        &serde_json::json!({ "about": { "path": "/login/x", "client": nasty }, "name": nasty, "username": nasty, "wrong": true, "seen": "s" }),
    );
    assert!(!sentence.contains("<script>alert") && !sentence.contains("\"'\""), "{sentence}");
}

#[test]
fn a_theme_overrides_file_by_file_at_run_time_and_a_broken_one_does_not_lock_anybody_out() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    std::fs::create_dir_all(mine.join("templates/login")).unwrap();
    std::fs::create_dir_all(mine.join("locales")).unwrap();
    let pages = Pages::new(theme::Theme::new(Some(folder.path().into()), "mine"));
    let show = || render(&pages, "en", "login/signed_out.html", &view(false, None), &serde_json::json!({}));
    assert!(show().contains("You are signed out"));
    // a template
    let template = mine.join("templates/login/signed_out.html");
    std::fs::write(&template, "bye {{ t(\"logout.done_title\") }}").unwrap();
    assert_eq!(show(), "bye You are signed out");
    std::fs::write(&template, "so long {{ t(\"logout.done_title\") }}").unwrap();
    assert_eq!(show(), "so long You are signed out");
    // a sentence; the others stay
    std::fs::write(mine.join("locales/en.toml"), "[logout]\ndone_title = \"Gone\"\n").unwrap();
    assert_eq!(show(), "so long Gone");
    assert_eq!(pages.say(&Lang("en".into()), "logout.again", &[]), "Sign in again");
    // a style sheet gets another address
    let before = assets::url(pages.theme(), "css/base.css").unwrap();
    std::fs::create_dir_all(mine.join("css")).unwrap();
    std::fs::write(mine.join("css/base.css"), ":root { --accent: red }").unwrap();
    assert_ne!(assets::url(pages.theme(), "css/base.css").unwrap(), before);
    // a broken template
    std::fs::write(&template, "{% if %}").unwrap();
    assert!(show().contains("You are signed out") && show().contains("<html"), "the default one is shown");
    std::fs::write(&template, "{{ nonsense.here }}").unwrap();
    assert!(show().contains("<html"));
    // taken away again
    std::fs::remove_file(&template).unwrap();
    assert!(show().contains("<html"));
}
