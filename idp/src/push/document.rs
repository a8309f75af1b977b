//! Numbering and signing: the one place that raises a revision and the one place that seals a document.

use super::{Error, Result, inheritance, state};
use crate::accounts::keys;
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::crypto::keys::KeyRing;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::Tx;
use crate::storage::agents::{self, SpaceForPush};
use crate::storage::documents::{self, DocumentRow};
use crate::storage::sections::{self, SectionRow, Wanted};
use odcm_wire::Digest;
use odcm_wire::latest::{AccessDelta, AccessState, AuthenticationState, Body, Document, Section, SignedDocument, VERSION};
use std::sync::Arc;

/// The whole state.
pub(super) const SNAPSHOT: &str = "snapshot";
/// The difference to the revision before.
pub(super) const DELTA: &str = "delta";

/// A Space with what all its documents have in common.
pub(super) struct Book<'a> {
    pub deps: &'a Deps,
    pub space: &'a SpaceId,
    pub row: SpaceForPush,
    pub deployment: String,
    pub epoch: i64,
    pub now: Timestamp,
    pub ring: Arc<KeyRing>,
}

impl<'a> Book<'a> {
    /// Opens the book of a Space; `None` when the Space does not exist.
    pub async fn open(
        deps: &'a Deps,
        tx: &mut Tx,
        space: &'a SpaceId,
        now: Timestamp,
        ring: &Arc<KeyRing>,
    ) -> Result<Option<Self>> {
        let Some(row) = agents::space(tx, space).await? else { return Ok(None) };
        let (deployment, epoch) = agents::deployment(tx).await?;
        Ok(Some(Self { deps, space, row, deployment, epoch, now, ring: ring.clone() }))
    }

    /// Makes `state` the wanted one of section *access*, if it is not already; gives whether a revision was made.
    pub async fn want_access(&self, tx: &mut Tx, state: &AccessState, committed_at: Timestamp) -> Result<bool> {
        let (digest, text) = (state.digest()?, json(state)?);
        let current = sections::find(tx, self.space, Section::Access.as_str()).await?;
        let policy = |c: &SectionRow| c.offline_policy == self.row.offline_policy;
        if current.as_ref().is_some_and(|c| self.is_current(c, &text) && policy(c)) {
            return Ok(false);
        }
        let same_history = current.as_ref().filter(|c| c.epoch == self.epoch);
        let base = same_history.and_then(|c| serde_json::from_str::<AccessState>(&c.state).ok().map(|s| (c.revision, s)));
        let delta = base.map(|(revision, base)| (revision, base.diff(state)));
        let removals = delta.as_ref().is_none_or(|(_, delta)| delta.has_removals());
        let body = match delta {
            Some((revision, delta)) => Content::Delta(revision, delta),
            None => Content::Snapshot(self.access_snapshot(tx, state.clone()).await?),
        };
        self.number(tx, Section::Access, current.as_ref(), (&text, digest), removals, body, committed_at).await?;
        Ok(true)
    }

    /// Makes `state` the wanted one of section *authentication*, if it is not already; gives whether a revision was made.
    pub async fn want_authentication(&self, tx: &mut Tx, state: &AuthenticationState, committed_at: Timestamp) -> Result<bool> {
        let (digest, text) = (state.digest()?, json(state)?);
        let current = sections::find(tx, self.space, Section::Authentication.as_str()).await?;
        // Its documents say the offline policy too, but only that of section access counts: an edit of it is no reason to
        // write the sign-in settings again.
        if current.as_ref().is_some_and(|c| self.is_current(c, &text)) {
            return Ok(false);
        }
        let body = Content::Snapshot(Body::AuthenticationSnapshot { state: state.clone() });
        self.number(tx, Section::Authentication, current.as_ref(), (&text, digest), false, body, committed_at).await?;
        Ok(true)
    }

    /// The whole state, with what an earlier agent left in the Space.
    async fn access_snapshot(&self, tx: &mut Tx, state: AccessState) -> Result<Body> {
        Ok(Body::AccessSnapshot { state, inheritance: inheritance::of_space(tx, self.space).await? })
    }

    /// The text is compared, not the digest, which covers less than there may be.
    fn is_current(&self, current: &SectionRow, text: &str) -> bool {
        current.epoch == self.epoch && current.state == text
    }

    async fn number(
        &self,
        tx: &mut Tx,
        section: Section,
        current: Option<&SectionRow>,
        (text, digest): (&str, Digest),
        removals: bool,
        content: Content,
        committed_at: Timestamp,
    ) -> Result<()> {
        let same_history = current.filter(|c| c.epoch == self.epoch);
        let revision = same_history.map_or(0, |c| c.revision) + 1;
        // A removal that is not acknowledged yet stays one until a newer acknowledgement covers it.
        let under_way = current.is_some_and(|c| c.has_removals && c.acked_revision < c.revision);
        let wanted = Wanted {
            section: section.as_str(),
            epoch: self.epoch,
            revision,
            state: text,
            state_digest: &digest.to_string(),
            offline_policy: &self.row.offline_policy,
            has_removals: removals || under_way,
            committed_at,
            projected_at: self.now,
        };
        sections::want(tx, self.space, &wanted).await?;
        // Nothing can be signed for a Space whose installation is unknown; the first connection asks for a snapshot.
        if self.row.installation_id.is_some() {
            let (kind, base, body) = match content {
                Content::Delta(base, delta) => (DELTA, Some(base), Body::AccessDelta { delta }),
                Content::Snapshot(body) => (SNAPSHOT, None, body),
            };
            let row = self.seal(section, (revision, base), digest, body, kind, committed_at)?;
            documents::put(tx, self.space, section.as_str(), &row).await?;
        }
        documents::prune(tx, self.space, section.as_str(), self.epoch, revision, self.deps.settings.push.keep_documents).await?;
        Ok(())
    }

    fn seal(
        &self,
        section: Section,
        (revision, base): (i64, Option<i64>),
        state_digest: Digest,
        body: Body,
        kind: &str,
        committed_at: Timestamp,
    ) -> Result<DocumentRow> {
        let installation_id = self.row.installation_id.clone();
        let document = Document {
            wire: VERSION,
            deployment: self.deployment.clone(),
            space: self.space.to_string(),
            section,
            epoch: unsigned(self.epoch),
            revision: unsigned(revision),
            base_revision: base.map(unsigned),
            issued_at: self.now.0,
            valid_until: self.now.plus_secs(self.deps.settings.push.lease).0,
            offline: state::offline(&self.row.offline_policy),
            installation_id: installation_id.ok_or_else(|| Error::Document("the Space has no installation yet".into()))?,
            confirmation: None,
            state_digest,
            body,
        };
        let signer = self.ring.fleet().map_err(|e| Error::Document(e.to_string()))?;
        let mut fault = None;
        let signed = document.seal(signer.kid(), |bytes| {
            signer.sign_bytes(bytes).unwrap_or_else(|error| {
                fault = Some(error.to_string());
                Vec::new()
            })
        })?;
        if let Some(fault) = fault {
            return Err(Error::Document(fault));
        }
        Ok(DocumentRow {
            epoch: self.epoch,
            revision,
            kind: kind.into(),
            digest: signed.digest().to_string(),
            payload: signed.payload,
            key_id: signed.key_id,
            signature: signed.signature,
            committed_at,
            created_at: self.now,
        })
    }
}

enum Content {
    /// From a base revision.
    Delta(i64, AccessDelta),
    Snapshot(Body),
}

/// The snapshot of the current revision, made and stored if nobody asked for it before. `None` when the section or the
/// Space's installation is unknown.
pub(super) async fn snapshot(deps: &Deps, space: &SpaceId, section: Section) -> Result<Option<DocumentRow>> {
    let now = deps.clock.now();
    let ring = keys::ring(deps).await;
    run_tx!(deps.db, "push.snapshot", |tx| {
        let Some(book) = Book::open(deps, tx, space, now, &ring).await? else { return Ok(None) };
        let Some(row) = sections::find(tx, space, section.as_str()).await? else { return Ok(None) };
        if book.row.installation_id.is_none() || row.epoch != book.epoch {
            return Ok(None);
        }
        snapshot_of(tx, &book, section, &row).await.map(Some)
    })
}

async fn snapshot_of(tx: &mut Tx, book: &Book<'_>, section: Section, row: &SectionRow) -> Result<DocumentRow> {
    let name = section.as_str();
    if let Some(known) = documents::find(tx, book.space, name, row.epoch, row.revision, SNAPSHOT).await? {
        return Ok(known);
    }
    let digest = Digest::parse(&row.state_digest).map_err(|e| Error::Document(e.to_string()))?;
    let unreadable = |e: serde_json::Error| Error::Document(format!("stored state of {name}: {e}"));
    let body = match section {
        Section::Access => book.access_snapshot(tx, serde_json::from_str(&row.state).map_err(unreadable)?).await?,
        Section::Authentication => Body::AuthenticationSnapshot { state: serde_json::from_str(&row.state).map_err(unreadable)? },
        Section::Unknown => return Err(Error::Document("unknown section".into())),
    };
    let made = book.seal(section, (row.revision, None), digest, body, SNAPSHOT, row.committed_at)?;
    documents::put(tx, book.space, name, &made).await?;
    Ok(made)
}

/// The same state under a higher revision, as a snapshot: what ends a fork (rules B2).
pub(super) async fn renumber(deps: &Deps, space: &SpaceId, section: Section) -> Result<()> {
    let now = deps.clock.now();
    let ring = keys::ring(deps).await;
    run_tx!(deps.db, "push.renumber", |tx| {
        let Some(book) = Book::open(deps, tx, space, now, &ring).await? else { return Ok(()) };
        let Some(mut row) = sections::find(tx, space, section.as_str()).await? else { return Ok(()) };
        row.revision += 1;
        row.committed_at = now;
        let wanted = Wanted {
            section: section.as_str(),
            epoch: row.epoch,
            revision: row.revision,
            state: &row.state,
            state_digest: &row.state_digest,
            offline_policy: &row.offline_policy,
            has_removals: row.has_removals,
            committed_at: now,
            projected_at: now,
        };
        sections::want(tx, space, &wanted).await?;
        if book.row.installation_id.is_some() {
            snapshot_of(tx, &book, section, &row).await?;
        }
        documents::prune(tx, space, section.as_str(), row.epoch, row.revision, deps.settings.push.keep_documents).await?;
        Ok::<_, Error>(())
    })
}

/// As it goes over the wire.
pub(super) fn signed(row: DocumentRow) -> SignedDocument {
    SignedDocument { payload: row.payload, key_id: row.key_id, signature: row.signature }
}

fn json<T: serde::Serialize>(state: &T) -> Result<String> {
    serde_json::to_string(state).map_err(|e| Error::Document(e.to_string()))
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// Numbers of the wire that do not fit the database are no numbers of ours.
pub(super) fn signed_number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
