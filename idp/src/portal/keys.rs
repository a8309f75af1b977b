//! Signing keys: which sign, which come, which go; rotating them.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Post};
use crate::accounts::keys as cases;
use crate::core::Timestamp;
use crate::core::keyset::{Alg, KeyFacts, KeyState, Purpose};
use crate::core::policy::Act;
use crate::http::Path;
use crate::pages::Page;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
struct KeyView {
    kid: String,
    purpose: &'static str,
    alg: &'static str,
    state: &'static str,
    at: Timestamp,
    may_rotate: bool,
}

/// The list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KeysPage {
    keys: Vec<KeyView>,
}

/// `GET /admin/keys`.
pub(super) async fn list(desk: Desk) -> Answer {
    desk.sees(&Act::ReadAll)?;
    let facts = cases::list(&desk.deps, desk.actor()).await?;
    let may = desk.may(&Act::ManageClients);
    let view = |key: KeyFacts| {
        let (state, at) = match key.state {
            KeyState::Next { since } => ("next", since),
            KeyState::Active { since } => ("active", since),
            KeyState::Retired { until } => ("retired", until),
        };
        KeyView {
            kid: key.kid,
            purpose: if key.purpose == Purpose::Token { "Tokens" } else { "Documents for agents" },
            alg: key.alg.as_str(),
            state,
            at,
            may_rotate: may && state == "active",
        }
    };
    let mut keys: Vec<KeyView> = facts.into_iter().map(view).collect();
    keys.sort_by_key(|k| (k.purpose, k.alg, k.state));
    desk.page(&KeysPage { keys })
}

fn ask(alg: &str) -> Result<(Alg, Confirm), Fault> {
    let alg = Alg::parse(alg).ok_or_else(Fault::gone)?;
    let name = alg.as_str();
    let ask = Confirm::new(&format!("Rotate the {name} key?"), &format!("/admin/keys/{name}/rotate"), "Rotate key")
        .text(if alg == Alg::EdDsa {
            "The key that signs documents for agents announces its successor to them, which signs ten minutes later. An agent that is away hears of it when it comes back, before it gets any document. If the present key was stolen, enrol agents anew that have not been connected since."
        } else {
            TOKEN_KEY
        })
        .under(&[("Signing keys", "/admin/keys")]);
    Ok((alg, ask))
}

const TOKEN_KEY: &str = "A new key is published now and signs after every client has had time to fetch it. The old one stays published until nothing that it signed is valid any more. Nobody is signed out.";

/// `GET /admin/keys/{alg}/rotate`.
pub(super) async fn rotating(desk: Desk, Path(alg): Path<String>) -> Answer {
    desk.sees(&Act::ManageClients)?;
    desk.page(&ask(&alg)?.1)
}

/// `POST /admin/keys/{alg}/rotate`.
pub(super) async fn rotate(Path(alg): Path<String>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let (alg, ask) = ask(&alg)?;
    match cases::rotate(&desk.deps, desk.actor(), alg).await {
        Ok(_) => desk.done("/admin/keys", "rotated"),
        Err(error) => ask.refused(&desk, error.into()),
    }
}

impl Page for KeysPage {
    const TEMPLATE: &'static str = "admin/keys.html";
    fn samples() -> Vec<Self> {
        let key = |state| KeyView {
            kid: "k".into(),
            purpose: "Tokens",
            alg: "RS256",
            state,
            at: Timestamp(1),
            may_rotate: state == "active",
        };
        vec![Self { keys: ["next", "active", "retired"].into_iter().map(key).collect() }]
    }
}
crate::page!(KeysPage);
