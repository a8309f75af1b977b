//! Randomness.

use crate::core::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Where random bytes come from.
#[derive(Clone, Debug)]
pub struct Entropy(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Seeded { seed: u64, counter: Arc<AtomicU64> },
}

impl Entropy {
    /// The operating system's generator, through aws-lc-rs.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// Bytes that repeat in every run: for tests only.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Kind::Seeded { seed, counter: Arc::new(AtomicU64::new(0)) })
    }

    /// Fills `out`. If the operating system refuses randomness there is nothing safe left to do: the process ends.
    pub fn fill(&self, out: &mut [u8]) {
        match &self.0 {
            Kind::System => {
                if aws_lc_rs::rand::fill(out).is_err() {
                    tracing::error!("the operating system gives no randomness");
                    std::process::abort();
                }
            }
            Kind::Seeded { seed, counter } => {
                for chunk in out.chunks_mut(32) {
                    let n = counter.fetch_add(1, Ordering::SeqCst);
                    let block = digest(&SHA256, &[seed.to_be_bytes(), n.to_be_bytes()].concat());
                    chunk.iter_mut().zip(block.as_ref()).for_each(|(slot, byte)| *slot = *byte);
                }
            }
        }
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A secret of 32 random bytes in base64url (43 characters).
    #[must_use]
    pub fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// A UUIDv7 for a typed id: `PersonId::from_uuid(entropy.id(now))`.
    #[must_use]
    pub fn id(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.0).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes::<10>()).into_uuid()
    }
}
