//! Where a pull puts what it found: batches, counts, limits, and what was passed over.

use crate::connectors::ldap::entry::shown;
use crate::connectors::ldap::{Error, Seen};
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

/// Most in a batch.
const BATCH: usize = 500;
/// Most members in a batch, unless one group has more.
const MEMBERS: usize = 20_000;
/// Most that are listed of what was passed over.
const LISTED: usize = 100;

/// How much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// People sent.
    pub people: u64,
    /// Groups sent.
    pub groups: u64,
    /// Keys sent as gone.
    pub gone: u64,
    /// Entries passed over.
    pub skipped: u64,
}

/// An entry that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub dn: String,
    /// Why, for an administrator.
    pub why: String,
}

/// How a pull ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulled {
    /// Where the next pull goes on; opaque outside the connector.
    pub cursor: Value,
    /// Everything was sent: what was not named is gone. Never said when nobody was found, when an entry that has a key could
    /// not be sent, or when much was passed over: then an absence proves nothing.
    pub complete: bool,
    /// Whether the next pulls will tell what is gone. If not, only a full one (`since` nothing) does: plan it often enough.
    pub tells_gone: bool,
    /// How much there was.
    pub counts: Counts,
    /// The first hundred that were passed over.
    pub skipped: Vec<Skipped>,
}

/// Takes what a pull finds.
pub struct Sink {
    out: Sender<Vec<Seen>>,
    batch: Vec<Seen>,
    members: usize,
    counts: Counts,
    skipped: Vec<Skipped>,
    /// Something that exists could not be sent.
    held: bool,
    entries: u64,
    most: u64,
    /// When the pull must be over.
    pub end: Instant,
}

impl Sink {
    /// An empty one.
    #[must_use]
    pub fn new(out: Sender<Vec<Seen>>, end: Instant, most: u32) -> Self {
        let (batch, skipped) = (Vec::new(), Vec::new());
        Self { out, batch, members: 0, counts: Counts::default(), skipped, held: false, entries: 0, most: most.into(), end }
    }

    /// Counts an entry that the server sent.
    ///
    /// # Errors
    /// There are too many.
    pub fn count(&mut self) -> Result<(), Error> {
        self.entries += 1;
        if self.entries > self.most {
            return Err(Error::TooMuch(format!("the directory sent more than {} entries", self.most)));
        }
        Ok(())
    }

    /// Sends something, when a batch is full.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn put(&mut self, seen: Seen) -> Result<(), Error> {
        match &seen {
            Seen::Person(_) => self.counts.people += 1,
            Seen::Group(group) => {
                self.counts.groups += 1;
                self.members += group.members.len();
            }
            Seen::Gone { .. } => self.counts.gone += 1,
        }
        self.batch.push(seen);
        if self.batch.len() >= BATCH || self.members >= MEMBERS { self.flush().await } else { Ok(()) }
    }

    /// Sends what is left.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.members = 0;
        if self.batch.is_empty() {
            return Ok(());
        }
        self.out.send(std::mem::take(&mut self.batch)).await.map_err(|_| Error::Unwanted)
    }

    /// Passes an entry over of which not even the key is known.
    pub fn skip(&mut self, dn: &str, why: String) {
        self.counts.skipped += 1;
        if self.skipped.len() < LISTED {
            self.skipped.push(Skipped { dn: shown(dn), why });
        }
    }

    /// Passes an entry over that exists: its absence must not be taken for its end.
    pub fn hold(&mut self, dn: &str, why: String) {
        self.held = true;
        self.skip(dn, why);
    }

    /// The end. `whole`: everything was listed.
    ///
    /// # Errors
    /// Nobody takes the rest.
    pub async fn finish(mut self, cursor: Value, whole: bool, tells_gone: bool) -> Result<Pulled, Error> {
        self.flush().await?;
        let c = self.counts;
        let believable = c.people > 0 && !self.held && c.skipped.saturating_mul(10) <= self.entries;
        Ok(Pulled { cursor, complete: whole && believable, tells_gone, counts: c, skipped: self.skipped })
    }
}
