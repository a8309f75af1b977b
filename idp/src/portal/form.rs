//! A form as a page of its own: it keeps what was typed and says at each field what is wrong with it.

use super::desk::Input;
use crate::http::Problem;
use crate::pages::Page;
use serde::Serialize;

/// A field.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Field {
    kind: &'static str,
    name: &'static str,
    label: String,
    value: String,
    hint: Option<String>,
    error: Option<String>,
    required: bool,
    options: Vec<(String, String)>,
    chosen: Vec<String>,
}

impl Field {
    fn new(kind: &'static str, name: &'static str, label: &str, value: &str) -> Self {
        Self { kind, name, label: label.into(), value: value.into(), required: true, ..Self::default() }
    }
    /// One line of text.
    pub(super) fn text(name: &'static str, label: &str, value: &str) -> Self {
        Self::new("text", name, label, value)
    }
    /// An e-mail address.
    pub(super) fn email(name: &'static str, label: &str, value: &str) -> Self {
        Self::new("email", name, label, value)
    }
    /// A URL.
    pub(super) fn url(name: &'static str, label: &str, value: &str) -> Self {
        Self::new("url", name, label, value)
    }
    /// Several lines.
    pub(super) fn area(name: &'static str, label: &str, value: &str) -> Self {
        Self::new("area", name, label, value).optional()
    }
    /// A point in time, UTC; may be left empty.
    pub(super) fn time(name: &'static str, label: &str, value: &str) -> Self {
        Self::new("datetime-local", name, label, value).optional()
    }
    /// One of several.
    pub(super) fn select(name: &'static str, label: &str, value: &str, options: Vec<(String, String)>) -> Self {
        Self { options, ..Self::new("select", name, label, value) }
    }
    /// Yes or no.
    pub(super) fn check(name: &'static str, label: &str, ticked: bool) -> Self {
        Self::new("check", name, label, if ticked { "true" } else { "" }).optional()
    }
    /// Any of several.
    pub(super) fn checks(name: &'static str, label: &str, options: Vec<(String, String)>, chosen: Vec<String>) -> Self {
        Self { options, chosen, ..Self::new("checks", name, label, "") }.optional()
    }
    /// A secret: may be left empty, and is never shown again.
    pub(super) fn secret(name: &'static str, label: &str) -> Self {
        Self::new("secret", name, label, "").optional()
    }
    /// Sent along, not shown.
    pub(super) fn hidden(name: &'static str, value: &str) -> Self {
        Self::new("hidden", name, "", value)
    }
    /// May be left empty.
    pub(super) fn optional(mut self) -> Self {
        self.required = false;
        self
    }
    /// Help below the field.
    pub(super) fn hint(mut self, text: &str) -> Self {
        self.hint = Some(text.into());
        self
    }
}

/// The page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FormPage {
    title: String,
    text: String,
    trail: Vec<(String, String)>,
    action: String,
    fields: Vec<Field>,
    submit: String,
    cancel: String,
    error: Option<String>,
    /// It only asks for another page.
    get: bool,
}

impl FormPage {
    /// A form that is posted to `action`.
    pub(super) fn new(title: &str, action: &str, submit: &str, fields: Vec<Field>) -> Self {
        Self { title: title.into(), action: action.into(), submit: submit.into(), fields, ..Self::default() }
    }
    /// It is sent by GET.
    pub(super) fn get(mut self) -> Self {
        self.get = true;
        self
    }
    /// What it is for.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.text = text.into();
        self
    }
    /// Where the page is; the last step is where "cancel" leads.
    pub(super) fn under(mut self, trail: &[(&str, &str)]) -> Self {
        self.trail = trail.iter().map(|(text, href)| ((*text).to_owned(), (*href).to_owned())).collect();
        self.cancel = self.trail.last().map(|(_, href)| href.clone()).unwrap_or_default();
        self
    }
    /// With what was typed and what is wrong.
    pub(super) fn again(mut self, input: &Input, problem: &Problem) -> Self {
        for field in &mut self.fields {
            match field.kind {
                "hidden" | "secret" => {}
                "checks" => field.chosen = input.all(field.name).map(str::to_owned).collect(),
                _ => field.value = input.get(field.name).to_owned(),
            }
        }
        let to_blame =
            problem.field.as_deref().and_then(|name| self.fields.iter_mut().find(|f| f.name == name && f.kind != "hidden"));
        match to_blame {
            Some(field) => field.error = Some(problem.detail.clone()),
            None => self.error = Some(problem.detail.clone()),
        }
        self
    }
}

impl Page for FormPage {
    const TEMPLATE: &'static str = "admin/form.html";
    fn samples() -> Vec<Self> {
        let options = || vec![("a".to_owned(), "A".to_owned()), ("b".to_owned(), "B".to_owned())];
        let fields = vec![
            Field::text("name", "Name", "x").hint("A hint."),
            Field::email("email", "E-mail", ""),
            Field::url("url", "URL", ""),
            Field::area("text", "Text", ""),
            Field::time("until", "Until", ""),
            Field::select("one", "One", "b", options()),
            Field::check("yes", "Yes", true).hint("A hint."),
            Field::checks("many", "Many", options(), vec!["b".into()]).hint("A hint."),
            Field::secret("secret", "Secret"),
            Field::hidden("version", "1"),
        ];
        let form = Self::new("Title", "/admin/x", "Save", fields).under(&[("People", "/admin/people")]).text("Text.");
        let wrong = Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "x", "Wrong.");
        vec![
            form.clone().again(&Input::default(), &wrong.clone().field("name")),
            form.clone().again(&Input::default(), &wrong.clone().field("many")),
            form.clone().again(&Input::default(), &wrong),
            form.clone().get(),
            form,
        ]
    }
}
crate::page!(FormPage);
