//! What every use case of the directory shares: who acts and when, the audit line, the marks, and what dies with access.

use super::{Result, access};
use crate::core::change::Change;
use crate::core::ids::{GroupId, PersonId, SpaceId};
use crate::core::policy::{Act, Actor, Credential, OwnerFacts, Via, lockout};
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::storage::revocation::Holder;
use crate::storage::{Tx, api_tokens, audit, marks, people, revocation, rights, sessions};
use std::collections::BTreeSet;

/// Whether somebody may lose something by a change: such Spaces are projected first (rules B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Gives,
    Takes,
}

/// One use case under way. Made before the transaction, so that its body may run twice.
pub(super) struct Desk<'a> {
    pub(super) deps: &'a Deps,
    pub(super) actor: &'a Actor,
    pub(super) now: Timestamp,
}

impl<'a> Desk<'a> {
    pub(super) fn new(deps: &'a Deps, actor: &'a Actor) -> Self {
        Self { deps, actor, now: deps.clock.now() }
    }

    /// Writes the audit line of a change, see [`record`].
    pub(super) async fn audit(&self, tx: &mut Tx, change: &Change) -> Result<()> {
        record(tx, self.deps, self.actor, self.now, change).await
    }

    /// Notes a change of the directory: marks in id order, revision, audit line.
    pub(super) async fn changed(&self, tx: &mut Tx, spaces: &BTreeSet<SpaceId>, effect: Effect, change: &Change) -> Result<()> {
        match effect {
            Effect::Takes => marks::mark_removals(tx, spaces, self.now).await?,
            Effect::Gives => marks::mark(tx, spaces, self.now).await?,
        }
        self.audit(tx, change).await?;
        // last, because every change of the directory waits for this row
        Ok(marks::raise_directory_revision(tx).await?)
    }

    /// Refuses to act on credentials, addresses or identities of somebody with rights that the actor lacks (rules D4).
    pub(super) async fn may_touch_credentials(&self, tx: &mut Tx, person: &PersonId) -> Result<()> {
        let theirs = rights::in_force(tx, person, self.now).await?;
        Ok(self.actor.may(&Act::ManageCredentials(person.clone(), theirs))?)
    }

    /// Ends codes and refresh families at clients that no longer admit their person (rules C1). Gather `held` before the
    /// change, call this after it.
    pub(super) async fn end_not_admitted(&self, tx: &mut Tx, held: Vec<Holder>) -> Result<()> {
        for holder in held {
            if !access::admits_client(tx, &holder.person_id, &holder.client_id, self.now).await? {
                revocation::end_of_client(tx, &holder, self.now).await?;
            }
        }
        Ok(())
    }

    /// What people in a group hold, to be looked at again after the change.
    pub(super) async fn held_below(&self, tx: &mut Tx, group: &GroupId) -> Result<Vec<Holder>> {
        Ok(revocation::held_below(tx, group, self.now).await?)
    }

    /// Refuses a change after which no owner could get in (rules C11). Called after the writes, before the commit; only
    /// where the change took something from an owner.
    pub(super) async fn refuse_lockout(&self, tx: &mut Tx) -> Result<()> {
        let owners = rights::owners(tx, self.now).await?;
        let facts: Vec<_> = owners
            .into_iter()
            .map(|o| OwnerFacts { person: o.person_id, active: o.active, has_local_credential: o.password, until: o.until_at })
            .collect();
        Ok(lockout(&facts)?)
    }
}

/// Changes by which actors may end what they act with: their rights, session or token need not be there afterwards.
const ENDS_ITSELF: &[&str] = &["person.disable", "person.end_sessions", "right.take", "token.revoke"];

/// Writes the audit line of a change, unless the actor may no longer act. The rights of an actor were read when the request
/// began, and its body may arrive much later: whoever was disabled, signed out or lost a right or token meanwhile changes
/// nothing any more.
pub(super) async fn record(tx: &mut Tx, deps: &Deps, actor: &Actor, now: Timestamp, change: &Change) -> Result<()> {
    if let (Via::Session | Via::Token(_), Some(person)) = (&actor.via, &actor.person) {
        let ends_itself = change.object_id == person.as_str() && ENDS_ITSELF.contains(&change.action);
        let active = people::find(tx, person).await?.is_some_and(|p| p.active);
        let held = rights::in_force(tx, person, now).await?;
        let holds = active && actor.rights.iter().all(|right| held.contains(right));
        if !(holds || ends_itself) {
            return Err(Refusal::forbidden("right.changed", "Your rights changed while you did this. Nothing was done.").into());
        }
        let shown = match &actor.credential {
            Some(Credential::Session(id)) => sessions::alive(tx, id, now).await?,
            Some(Credential::Token(id)) => api_tokens::alive(tx, id, now).await?,
            None => true,
        };
        if !(shown || ends_itself) {
            let text = "Your session or token ended while you did this. Nothing was done.";
            return Err(Refusal::forbidden("session.ended", text).into());
        }
    }
    Ok(audit::write(tx, &deps.entropy, now, actor, change).await?)
}

/// A span for the audit.
pub(super) fn span_json(span: crate::core::directory::Span) -> serde_json::Value {
    let text = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    serde_json::json!({ "from": text(span.from), "until": text(span.until) })
}
