//! One section's documents: which one is accepted, which one is applied, and what a new one is worth.

use super::{Enrolment, corrupt};
use crate::AgentError;
use crate::keys::FleetKeys;
use odcm_wire::Digest;
use odcm_wire::latest::{
    AccessState, AuthenticationState, Body, Document, DocumentError, Millis, Offline, Position, Section, SignedDocument,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// The state of a section.
pub trait SectionState: Serialize + DeserializeOwned + Clone + PartialEq {
    /// Which section.
    const SECTION: Section;
    /// Digest of the state's JSON.
    fn state_digest(&self) -> Result<Digest, DocumentError>;
    /// The state after `body`. `bases` are the states a delta may start from, with their revisions.
    fn after(body: Body, base: Option<&Self>) -> Result<Self, &'static str>;
}

impl SectionState for AccessState {
    const SECTION: Section = Section::Access;

    fn state_digest(&self) -> Result<Digest, DocumentError> {
        self.digest()
    }

    fn after(body: Body, base: Option<&Self>) -> Result<Self, &'static str> {
        match (body, base) {
            (Body::AccessSnapshot { state, .. }, _) => Ok(state),
            (Body::AccessDelta { delta }, Some(base)) => Ok(base.apply(&delta)),
            (Body::AccessDelta { .. }, None) => Err("the delta does not start from a revision that this agent has"),
            _ => Err("the content is not one of section access"),
        }
    }
}

impl SectionState for AuthenticationState {
    const SECTION: Section = Section::Authentication;

    fn state_digest(&self) -> Result<Digest, DocumentError> {
        self.digest()
    }

    fn after(body: Body, _: Option<&Self>) -> Result<Self, &'static str> {
        match body {
            Body::AuthenticationSnapshot { state } => Ok(state),
            _ => Err("the content is not one of section authentication"),
        }
    }
}

/// A document that passed every check, with the state it leads to.
#[derive(Clone)]
pub struct Held<T> {
    /// Epoch.
    pub epoch: u64,
    /// Revision.
    pub revision: u64,
    /// Digest of the signed bytes.
    pub digest: Digest,
    /// Until when the state holds without word from ODCM.
    pub valid_until: Millis,
    /// For how long that was when the document was signed.
    pub lease: Millis,
    /// What happens after that.
    pub offline: Offline,
    /// The state.
    pub state: Arc<T>,
    /// The document was a delta.
    delta: bool,
    signed: Arc<SignedDocument>,
}

/// What a new document is worth.
pub enum Verdict<T> {
    /// Newer and sound.
    Take(Held<T>),
    /// The accepted one once more.
    Again,
    /// Refused; `snapshot` asks for a snapshot.
    Refuse {
        /// Stable code of the alarm.
        code: &'static str,
        /// A sentence for people.
        message: String,
        /// Whether a snapshot would help.
        snapshot: bool,
    },
}

/// One section's documents.
pub struct Track<T> {
    /// The newest sound document: what the agent enforces.
    pub accepted: Option<Held<T>>,
    /// The last one that was applied and read back, when it is not the accepted one.
    before: Option<Held<T>>,
    applied: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
struct File<T: SectionState> {
    accepted: Slot<T>,
    applied: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Slot<T>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
struct Slot<T: SectionState> {
    /// As received; verified again when loaded.
    signed: SignedDocument,
    /// The state after it; proven by the digest that the document carries.
    state: T,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { accepted: None, before: None, applied: false }
    }
}

impl<T: SectionState> Track<T> {
    pub(super) fn load(text: Option<&str>, who: &Enrolment, keys: &FleetKeys, name: &str) -> Result<Self, AgentError> {
        let Some(text) = text else { return Ok(Self::default()) };
        let file: File<T> = serde_json::from_str(text).map_err(|e| corrupt(name, e))?;
        let check = |slot: Slot<T>| -> Result<Held<T>, AgentError> {
            let verify = |id: &str, bytes: &[u8], signature: &[u8]| keys.verify(id, bytes, signature);
            let document = open(&slot.signed, who, verify).map_err(|(_, message)| corrupt(name, message))?;
            if document.section != T::SECTION || slot.state.state_digest().ok() != Some(document.state_digest) {
                return Err(corrupt(name, "the state does not belong to the signed document"));
            }
            Ok(Held::new(&document, slot.signed, slot.state))
        };
        Ok(Self { accepted: Some(check(file.accepted)?), before: file.before.map(check).transpose()?, applied: file.applied })
    }

    pub(super) fn to_text(&self, name: &str) -> Result<String, AgentError> {
        let slot = |held: &Held<T>| Slot { signed: (*held.signed).clone(), state: (*held.state).clone() };
        let Some(accepted) = &self.accepted else { return Err(corrupt(name, "there is no document")) };
        let file = File { accepted: slot(accepted), applied: self.applied, before: self.before.as_ref().map(slot) };
        serde_json::to_string(&file).map_err(|e| corrupt(name, e))
    }

    /// The last applied document.
    #[must_use]
    pub fn applied(&self) -> Option<&Held<T>> {
        if self.applied { self.accepted.as_ref() } else { self.before.as_ref() }
    }

    /// Whether the accepted document waits to be applied.
    #[must_use]
    pub fn pending(&self) -> bool {
        self.accepted.is_some() && !self.applied
    }

    /// Where the agent stands.
    #[must_use]
    pub fn position(&self) -> Position {
        let applied = self.applied();
        Position {
            section: T::SECTION,
            epoch: applied.map_or(0, |h| h.epoch),
            revision: applied.map_or(0, |h| h.revision),
            doc_digest: applied.map(|h| h.digest),
        }
    }

    /// Judges a document whose signature and addressee were checked ([`open`]). Changes nothing.
    pub fn judge(&self, document: Document, signed: &SignedDocument) -> Verdict<T> {
        let refuse = |code, message: String, snapshot| Verdict::Refuse { code, message, snapshot };
        let here = (document.epoch, document.revision);
        if let Some(accepted) = &self.accepted {
            let known = (accepted.epoch, accepted.revision);
            if here < known {
                let message = format!("revision {} of epoch {} is older than {known:?}", document.revision, document.epoch);
                return refuse("older_revision", message, false);
            }
            if here == known {
                // ODCM may keep one revision as a delta and as a snapshot: two documents, one state, no fork.
                let other_form = accepted.delta != document.base_revision.is_some()
                    && accepted.state.state_digest().ok() == Some(document.state_digest);
                if accepted.digest == signed.digest() || other_form {
                    return Verdict::Again;
                }
                let message = format!("two different documents call themselves revision {} of epoch {}", here.1, here.0);
                return refuse("fork", message, true);
            }
        }
        let base = document.base_revision.and_then(|revision| {
            [self.accepted.as_ref(), self.applied()]
                .into_iter()
                .flatten()
                .find(|held| held.epoch == document.epoch && held.revision == revision)
        });
        let state_digest = document.state_digest;
        match T::after(document.body.clone(), base.map(|held| &*held.state)) {
            Err(reason) => refuse("document", reason.into(), true),
            Ok(state) if state.state_digest().ok() != Some(state_digest) => {
                refuse("document", "the state after the document is not the one that it announces".into(), true)
            }
            Ok(state) => Verdict::Take(Held::new(&document, signed.clone(), state)),
        }
    }

    /// Takes a document: from now on it is enforced.
    pub fn take(&mut self, held: Held<T>) {
        if self.applied {
            self.before = self.accepted.take();
        }
        self.applied = false;
        self.accepted = Some(held);
    }

    /// `done` is true in the Space. A newer document may have been accepted meanwhile.
    pub fn mark_applied(&mut self, done: Held<T>) {
        if self.accepted.as_ref().is_some_and(|a| a.digest == done.digest) {
            self.applied = true;
            self.before = None;
        } else {
            self.before = Some(done);
        }
    }
}

impl<T: SectionState> Held<T> {
    fn new(document: &Document, signed: SignedDocument, state: T) -> Self {
        Self {
            epoch: document.epoch,
            revision: document.revision,
            digest: signed.digest(),
            valid_until: document.valid_until,
            lease: document.valid_until.saturating_sub(document.issued_at).max(0),
            offline: document.offline,
            state: Arc::new(state),
            delta: document.base_revision.is_some(),
            signed: Arc::new(signed),
        }
    }
}

/// Checks signature and addressee before anything else is looked at. `verify` is given key id, signed bytes, signature.
///
/// # Errors
/// Code and message of the alarm.
pub fn open(
    signed: &SignedDocument,
    who: &Enrolment,
    verify: impl FnOnce(&str, &[u8], &[u8]) -> bool,
) -> Result<Document, (&'static str, String)> {
    let document = signed.open(verify).map_err(|e| match e {
        DocumentError::Signature => ("signature", e.to_string()),
        _ => ("document", e.to_string()),
    })?;
    let foreign = |what: &str, theirs: &str, ours: &str| {
        Err(("foreign_document", format!("the document is for {what} {theirs}, this agent is for {ours}")))
    };
    if document.deployment != who.deployment {
        return foreign("deployment", &document.deployment, &who.deployment);
    }
    if document.space != who.space {
        return foreign("Space", &document.space, &who.space);
    }
    if document.installation_id != who.installation_id {
        return foreign("installation", &document.installation_id, &who.installation_id);
    }
    Ok(document)
}
