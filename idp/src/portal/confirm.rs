//! "This is what it will do": a question before an act that takes something away or gives something, with the dry run.

use super::desk::{Answer, Desk, Fault};
use super::effects::{self, Effects};
use crate::accounts::access::ProposedChange;
use crate::pages::Page;
use serde::Serialize;

/// A choice to make together with the answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) ticked: bool,
}

/// The page.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Confirm {
    title: String,
    text: String,
    trail: Vec<(String, String)>,
    action: String,
    hidden: Vec<(String, String)>,
    checks: Vec<Check>,
    submit: String,
    danger: bool,
    cancel: String,
    effects: Option<Effects>,
    warnings: Vec<String>,
    error: Option<String>,
}

impl Confirm {
    /// A question whose answer is posted to `action`.
    pub(super) fn new(title: &str, action: &str, submit: &str) -> Self {
        Self { title: title.into(), action: action.into(), submit: submit.into(), ..Self::default() }
    }
    /// More about it.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.text = text.into();
        self
    }
    /// It takes something away.
    pub(super) fn danger(mut self) -> Self {
        self.danger = true;
        self
    }
    /// Where the page is; the last step is where "cancel" leads.
    pub(super) fn under(mut self, trail: &[(&str, &str)]) -> Self {
        self.trail = trail.iter().map(|(text, href)| ((*text).to_owned(), (*href).to_owned())).collect();
        self.cancel = self.trail.last().map(|(_, href)| href.clone()).unwrap_or_default();
        self
    }
    /// Sends a value along.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.hidden.push((name.into(), value.into()));
        self
    }
    /// A choice.
    pub(super) fn check(mut self, name: &'static str, label: &'static str, ticked: bool) -> Self {
        self.checks.push(Check { name, label, ticked });
        self
    }
    /// Something that should not be missed.
    pub(super) fn warn(mut self, text: &str) -> Self {
        self.warnings.push(text.into());
        self
    }
    /// Adds what a change would do. A change that is refused says so instead of a button.
    pub(super) async fn trying(mut self, desk: &Desk, change: &ProposedChange) -> Result<Self, Fault> {
        match effects::of(desk, change).await {
            Ok(effects) => self.effects = Some(effects),
            Err(fault) if fault.mends() => self.error = Some(fault.0.detail),
            Err(fault) => return Err(fault),
        }
        Ok(self)
    }
    /// Adds what was found out about it.
    pub(super) fn effects(mut self, effects: Effects) -> Self {
        self.effects = Some(effects);
        self
    }
    /// Shown again because the act was refused.
    pub(super) fn refused(mut self, desk: &Desk, fault: Fault) -> Answer {
        if !fault.mends() {
            return Err(fault);
        }
        let status = fault.0.status;
        self.error = Some(fault.0.detail);
        Ok(desk.show().status(status).page(&self))
    }
}

impl Page for Confirm {
    const TEMPLATE: &'static str = "admin/confirm.html";
    fn samples() -> Vec<Self> {
        let ask = Self::new("Remove Bob from Developers?", "/admin/x", "Remove")
            .text("Text.")
            .danger()
            .under(&[("Groups", "/admin/groups")])
            .with("member", "x")
            .check("confirmed", "I have read this.", false)
            .warn("A warning.");
        let mut with = ask.clone();
        with.effects = Some(Effects::sample());
        let mut nothing = ask.clone();
        nothing.effects = Some(Effects::default());
        let mut refused = Self::new("Title", "/admin/x", "Do it").under(&[("Groups", "/admin/groups")]);
        refused.error = Some("No.".into());
        vec![ask, with, nothing, refused]
    }
}
crate::page!(Confirm);
