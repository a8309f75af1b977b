//! A secret that is shown once: links, codes, tokens, client secrets.

use crate::pages::Page;
use serde::Serialize;

/// A value to copy.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Value {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
}

/// The page.
#[derive(Clone, Serialize)]
pub(super) struct Once {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) trail: Vec<(String, String)>,
    pub(super) values: Vec<Value>,
    pub(super) expires_at: Option<crate::core::Timestamp>,
    pub(super) next: String,
    pub(super) next_label: String,
}

impl Page for Once {
    const TEMPLATE: &'static str = "admin/once.html";
    fn samples() -> Vec<Self> {
        let page = Self {
            title: "Copy the link".into(),
            text: "It works once.".into(),
            trail: vec![("People".into(), "/admin/people".into())],
            values: vec![Value { id: "link", label: "Link", value: "https://id.example.com/link/x".into() }],
            expires_at: Some(crate::core::Timestamp(1_795_352_400_000)),
            next: "/admin/people".into(),
            next_label: "Go on".into(),
        };
        vec![Self { expires_at: None, ..page.clone() }, page]
    }
}
crate::page!(Once);
