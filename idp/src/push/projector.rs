//! The projector: one per deployment (a lease), turns dirty marks into numbered documents (rules C3), and marks Spaces
//! whose access changes because time went by.

use super::document::Book;
use super::{Error, Result, state};
use crate::accounts::{access, keys};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::{directory, leases, marks};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// Name of the lease.
const LEASE: &str = "projector";
/// A node that stops without a word is replaced after this many milliseconds.
const LEASE_MS: i64 = 10_000;
/// Name of the cursor of time-driven changes.
const CURSOR: &str = "access";
/// Spaces taken at once; after them the order by urgency is asked anew.
const BATCH: i64 = 32;
/// A Space that cannot be projected is tried again after this many milliseconds, so that it does not block the others.
const RETRY_MS: i64 = 2_000;

/// The projector of this node.
pub(super) struct Projector {
    deps: Deps,
    node: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Generation of the lease and until when it was renewed.
    lease: Option<(i64, Timestamp)>,
    /// Spaces that failed, and when to try again.
    failed: BTreeMap<SpaceId, Timestamp>,
    /// Next instant at which access changes by itself, as known after the last pass.
    next_due: Option<Timestamp>,
    /// Instants were looked at in this process.
    scheduled: bool,
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Spaces that got a new revision of some section, those with removals first.
    pub changed: Vec<SpaceId>,
    /// Spaces whose wanted state turned out to be the same.
    pub unchanged: usize,
    /// When access changes next because time goes by.
    pub next_due: Option<Timestamp>,
    /// Another node is the projector.
    pub elsewhere: bool,
}

impl Projector {
    pub fn new(deps: Deps, node: String) -> Self {
        Self { deps, node, inner: Mutex::default() }
    }

    /// Projects everything that is marked now. `changed` is called for each Space as soon as its documents are committed.
    pub async fn pass(&self, changed: impl Fn(&SpaceId) + Send) -> Result<Pass> {
        let mut inner = self.inner.lock().await;
        let mut pass = Pass::default();
        let Some(generation) = self.lease(&mut inner).await? else {
            pass.elsewhere = true;
            return Ok(pass);
        };
        let now = self.deps.clock.now();
        if !inner.scheduled || inner.next_due.is_some_and(|due| due <= now) {
            self.mark_due(now, generation).await?;
            inner.scheduled = true;
        }
        inner.failed.retain(|_, at| *at > now);
        let mut done = BTreeSet::new();
        loop {
            let skip = inner.failed.len() + done.len();
            let limit = BATCH.saturating_add(i64::try_from(skip).unwrap_or(i64::MAX));
            let pending = marks::pending(&self.deps.db, limit).await?;
            let batch: Vec<_> = pending.into_iter().filter(|s| !inner.failed.contains_key(s) && !done.contains(s)).collect();
            if batch.is_empty() {
                break;
            }
            for space in batch {
                match self.project(&space, generation).await {
                    Ok(true) => {
                        changed(&space);
                        pass.changed.push(space.clone());
                    }
                    Ok(false) => pass.unchanged += 1,
                    Err(Error::LeaseLost) => {
                        inner.lease = None;
                        pass.elsewhere = true;
                        return Ok(pass);
                    }
                    Err(error) => {
                        tracing::error!(%space, %error, "the Space could not be projected; trying again");
                        inner.failed.insert(space.clone(), self.deps.clock.now().plus_ms(RETRY_MS));
                    }
                }
                // A Space that is marked all the time waits for the next pass, so that the others get their turn.
                done.insert(space);
            }
        }
        inner.next_due = directory::next_due(&mut &self.deps.db, now).await?;
        pass.next_due = inner.next_due;
        Ok(pass)
    }

    /// Gives the lease back.
    pub async fn release(&self) {
        let mut inner = self.inner.lock().await;
        if let Some((generation, _)) = inner.lease.take()
            && let Err(error) = leases::release(&self.deps.db, LEASE, &self.node, generation).await
        {
            tracing::warn!(%error, "the projector's lease could not be given back; it ends by itself");
        }
    }

    async fn lease(&self, inner: &mut Inner) -> Result<Option<i64>> {
        let now = self.deps.clock.now();
        if let Some((generation, renewed)) = inner.lease
            && now.since(renewed) < LEASE_MS / 2
        {
            return Ok(Some(generation));
        }
        let generation = leases::acquire(&self.deps.db, LEASE, &self.node, now, LEASE_MS).await?;
        inner.lease = generation.map(|g| (g, now));
        Ok(generation)
    }

    /// Marks the Spaces whose access began or ended by time since the cursor.
    async fn mark_due(&self, now: Timestamp, generation: i64) -> Result<()> {
        run_tx!(self.deps.db, "push.due", |tx| {
            if !leases::holds(tx, LEASE, &self.node, generation).await? {
                return Err(Error::LeaseLost);
            }
            let since = leases::cursor(tx, CURSOR).await?;
            access::due_changes(tx, since, now).await?;
            leases::set_cursor(tx, CURSOR, now).await?;
            Ok(())
        })
    }

    /// One Space, from one snapshot of the database. The mark counts as projected up to the counter read in it.
    async fn project(&self, space: &SpaceId, generation: i64) -> Result<bool> {
        let (deps, now) = (&self.deps, self.deps.clock.now());
        let ring = keys::ring(deps).await;
        run_tx!(deps.db, "push.project", |tx| {
            if !leases::holds(tx, LEASE, &self.node, generation).await? {
                return Err(Error::LeaseLost);
            }
            let Some((counter, projected, marked_at)) = marks::read(tx, space).await? else { return Ok(false) };
            if counter <= projected {
                return Ok(false);
            }
            let mut changed = false;
            if let Some(book) = Book::open(deps, tx, space, now, &ring).await? {
                let access = state::access(tx, space, &book.row, now).await?;
                changed |= book.want_access(tx, &access, marked_at).await?;
                let authentication = state::authentication(&deps.settings, &book.row);
                changed |= book.want_authentication(tx, &authentication, marked_at).await?;
            }
            marks::projected(tx, space, counter).await?;
            Ok(changed)
        })
    }
}
