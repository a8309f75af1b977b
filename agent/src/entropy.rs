//! Randomness, injected.

use crate::AgentError;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;

/// A source of randomness fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `out`.
    ///
    /// # Errors
    /// [`AgentError::Entropy`] when the host has none to give.
    fn fill(&self, out: &mut [u8]) -> Result<(), AgentError>;
}

/// The randomness of the operating system.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), AgentError> {
        self.0.fill(out).map_err(|_| AgentError::Entropy)
    }
}

/// A secret of 32 random bytes, as base64url without padding.
pub(crate) fn secret(entropy: &dyn Entropy) -> Result<String, AgentError> {
    let mut bytes = [0u8; 32];
    entropy.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A random part of `span`, for jitter. No randomness means no jitter, never a failure.
pub(crate) fn jitter(entropy: &dyn Entropy, span: Duration) -> Duration {
    let mut bytes = [0u8; 4];
    if entropy.fill(&mut bytes).is_err() {
        return Duration::ZERO;
    }
    span.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// Waiting time before attempt `attempt` (from 0): doubling from `first` up to `most`, half of it random.
pub(crate) fn back_off(entropy: &dyn Entropy, attempt: u32, first: Duration, most: Duration) -> Duration {
    let full = first.saturating_mul(2u32.saturating_pow(attempt.min(16))).min(most);
    full / 2 + jitter(entropy, full / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_and_is_bounded() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(60));
        for attempt in 0..40 {
            let d = back_off(&SystemEntropy::default(), attempt, first, most);
            let full = first.saturating_mul(2u32.saturating_pow(attempt.min(16))).min(most);
            assert!(d >= full / 2 && d <= full, "{attempt}: {d:?}");
        }
    }
}
