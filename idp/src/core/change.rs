//! Every fact worth auditing: what use cases give to `storage::audit::write` inside the transaction of the change.

use super::ids::SpaceId;
use serde_json::Value;

/// Every code of [`Change::action`]. The pages have words for each (`action.…` in the locale files).
pub const ACTIONS: [&str; 54] = [
    "admin.recover",
    "adoption.decide",
    "agent.code",
    "agent.enrol",
    "agent.revoke",
    "client.create",
    "client.edit",
    "client.rotate_secret",
    "consent.withdraw",
    "email.add",
    "email.remove",
    "email.verify",
    "grant.add",
    "grant.change",
    "grant.revoke",
    "group.create",
    "group.delete",
    "group.edit",
    "group.publish",
    "group.unpublish",
    "identity.link",
    "identity.refuse",
    "identity.unlink",
    "key.activate",
    "key.create",
    "key.publish",
    "key.remove",
    "key.retire",
    "link.create",
    "membership.add",
    "membership.change",
    "membership.remove",
    "password.set",
    "person.create",
    "person.disable",
    "person.edit",
    "person.enable",
    "person.end_sessions",
    "person.join",
    "person.split",
    "provider.create",
    "provider.remove",
    "provider.update",
    "right.give",
    "right.take",
    "session.begin",
    "session.end",
    "space.edit",
    "space.enlist",
    "space.remove",
    "space.rotate_secret",
    "sweep.confirm",
    "token.create",
    "token.revoke",
];

/// One audit line: what happened to which object. Never a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `noun.verb`, such as `grant.add`: one of [`ACTIONS`].
    pub action: &'static str,
    /// Kind of the object: `person`, `group`, `space`, `grant`, `client`, …
    pub object_kind: &'static str,
    /// Its id.
    pub object_id: String,
    /// Its name at that time.
    pub object_name: String,
    /// Id of the other object it concerns, if one: who came into the group, who was granted the Space.
    pub other: Option<String>,
    /// The Space it concerns, if one.
    pub space: Option<SpaceId>,
    /// What it was.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
}

impl Change {
    /// A change of `object_kind` `object_id`, without values.
    #[must_use]
    pub fn new(action: &'static str, object_kind: &'static str, id: impl Into<String>, name: impl Into<String>) -> Self {
        debug_assert!(ACTIONS.contains(&action), "{action} is not among ACTIONS, so pages have no words for it");
        Self {
            action,
            object_kind,
            object_id: id.into(),
            object_name: name.into(),
            other: None,
            space: None,
            before: None,
            after: None,
        }
    }
    /// Names the other object it concerns, so that its history shows the line as well.
    #[must_use]
    pub fn about(mut self, id: impl Into<String>) -> Self {
        self.other = Some(id.into());
        self
    }
    /// Names the Space it concerns.
    #[must_use]
    pub fn in_space(mut self, space: &SpaceId) -> Self {
        self.space = Some(space.clone());
        self
    }
    /// Adds the value before.
    #[must_use]
    pub fn before(mut self, value: Value) -> Self {
        self.before = Some(value);
        self
    }
    /// Adds the value after.
    #[must_use]
    pub fn after(mut self, value: Value) -> Self {
        self.after = Some(value);
        self
    }
}
