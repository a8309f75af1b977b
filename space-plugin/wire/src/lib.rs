//! The contract between ODCM and the agents that stand beside Spaces.
//!
//! Everything that crosses the channel is defined here and nowhere else: messages, desired state, the difference between
//! two states, digests and signed documents. The crate knows no transport and no cryptographic library: functions that
//! check a signature take the checking function as a parameter (rules B3).
//!
//! Versions are frozen modules ([`v1`]); [`latest`] names the newest. Unknown fields are ignored, unknown message types
//! and unknown sections are values that the receiver reports (rules B4).
//!
//! ```
//! use odcm_wire::latest::{AccessState, Interval};
//! let mut wanted = AccessState::default();
//! wanted.groups.entry("g-1".into()).or_default().members.insert("p-1".into(), Interval::default());
//! let delta = AccessState::default().diff(&wanted);
//! assert_eq!(AccessState::default().apply(&delta), wanted);
//! ```
#![warn(missing_docs)]

mod digest;
#[cfg(test)]
mod golden;
pub mod v1;

pub use digest::{Digest, DigestError};
/// The newest version of the wire format.
pub use v1 as latest;

/// Wire versions this build can speak, oldest first.
pub const VERSIONS: &[u32] = &[v1::VERSION];

/// The highest version that both sides speak, or `None` when there is none.
///
/// Neither side may go below the version it used last without an administrator (rules B3); `floor` is that version.
#[must_use]
pub fn negotiate(ours: &[u32], theirs: &[u32], floor: u32) -> Option<u32> {
    ours.iter().copied().filter(|v| theirs.contains(v) && *v >= floor).max()
}

#[cfg(test)]
mod tests {
    use super::negotiate;

    #[test]
    fn the_highest_common_version_wins_and_the_floor_holds() {
        assert_eq!(negotiate(&[1, 2, 3], &[2, 3, 4], 0), Some(3));
        assert_eq!(negotiate(&[1, 2], &[1], 1), Some(1));
        assert_eq!(negotiate(&[1, 2], &[1], 2), None, "a stripped hello must not lower the version");
        assert_eq!(negotiate(&[1], &[2], 0), None);
    }
}
