//! Writes to one document come one after the other: each reads, edits and writes the whole document, so two at a time would
//! lose one of the edits. (What others write at the same moment cannot be kept out; the server has no versions for it.)

use crate::adapter::{AdapterError, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Mutex as Gate, OwnedMutexGuard};
use tokio::time::Instant;

/// Gates that nobody holds are thrown away beyond this number.
const KEPT: usize = 64;

/// One gate per document that is being written.
#[derive(Debug, Default)]
pub(super) struct Locks(Mutex<HashMap<String, Weak<Gate<()>>>>);

impl Locks {
    /// Waits until nobody else of this adapter writes `document`, at most until `deadline`.
    pub async fn enter(&self, document: &str, deadline: Instant) -> Result<OwnedMutexGuard<()>> {
        let gate = self.gate(document.to_lowercase());
        tokio::time::timeout_at(deadline, gate.lock_owned()).await.map_err(|_| AdapterError::Unavailable {
            message: format!("{document} is being written for too long"),
            retry_after_ms: None,
        })
    }

    fn gate(&self, document: String) -> Arc<Gate<()>> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&document).and_then(Weak::upgrade) {
            return gate;
        }
        if gates.len() >= KEPT {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(Gate::new(()));
        gates.insert(document, Arc::downgrade(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn one_writer_per_document_and_no_waste() {
        let locks = Locks::default();
        let soon = || Instant::now() + Duration::from_millis(20);
        let first = locks.enter("Teams-1", soon()).await.unwrap();
        assert!(locks.enter("teams-1", soon()).await.is_err());
        let other = locks.enter("Teams-2", soon()).await.unwrap();
        drop(first);
        assert!(locks.enter("Teams-1", soon()).await.is_ok());
        for number in 0..1000 {
            drop(locks.enter(&format!("Users-{number}"), soon()).await.unwrap());
        }
        assert!(locks.0.lock().unwrap().len() <= KEPT);
        drop(other);
    }
}
