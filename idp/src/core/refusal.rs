//! A rule said no.

use std::borrow::Cow;

/// What kind of no it is; each protocol maps it to its own shape (HTTP status, OAuth error, page).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The input is wrong: `field` names what.
    Invalid,
    /// The caller lacks the right, and may know that the object exists.
    Forbidden,
    /// The object does not exist, or the caller may not know that it does.
    NotFound,
    /// The state does not allow it (already used, last owner, name taken, cycle).
    Conflict,
    /// The object changed since the caller read it (If-Match).
    Stale,
    /// Too many attempts; `retry_after_s` says when.
    TooMany,
}

/// A rule said no: a stable code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Kind.
    pub kind: RefusalKind,
    /// Stable code such as `group.cycle`.
    pub code: &'static str,
    /// A sentence for people: what is wrong and what would be right. Never internal text, never a secret.
    pub message: Cow<'static, str>,
    /// Name of the input field, if one is to blame.
    pub field: Option<&'static str>,
    /// Seconds after which trying again makes sense.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    fn new(kind: RefusalKind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code, message: message.into(), field: None, retry_after_s: None }
    }
    /// The input `field` is wrong.
    pub fn invalid(field: &'static str, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field), ..Self::new(RefusalKind::Invalid, code, message) }
    }
    /// The caller lacks the right.
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Forbidden, code, message)
    }
    /// No such object for this caller.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(RefusalKind::NotFound, "not_found", format!("There is no such {what}, or you may not see it."))
    }
    /// The state does not allow it.
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Conflict, code, message)
    }
    /// Changed since it was read.
    #[must_use]
    pub fn stale() -> Self {
        Self::new(RefusalKind::Stale, "stale", "Somebody changed this since you opened it. Reload and try again.")
    }
    /// Too many attempts.
    pub fn too_many(code: &'static str, retry_after_s: u32) -> Self {
        let message = format!("Too many attempts. Try again in {retry_after_s} seconds.");
        Self { retry_after_s: Some(retry_after_s), ..Self::new(RefusalKind::TooMany, code, message) }
    }
    /// Names the input field.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }
}
