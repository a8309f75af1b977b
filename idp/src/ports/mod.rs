//! What the outside world gives: time, randomness and a place to count, as values that tests replace. No other module reads a clock or a
//! random source.
//!
//! May use: `core`. Example: `let (clock, hand) = Clock::manual(Timestamp(0)); hand.advance_ms(60_000);`

mod clock;
mod entropy;
mod ffi;
mod metrics;

pub use clock::{Clock, Hand};
pub use entropy::Entropy;
pub use ffi::give_back_freed_memory;
pub use metrics::Metrics;
