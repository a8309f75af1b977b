//! The server side of the push channel, over real sockets, spoken to by a client that can misbehave.
//! `tests/mutations/push.toml` lists what these tests must notice.

mod acks;
mod channel;
mod closed;
mod end_to_end;
mod enrolment;
mod fleet;
mod handshake;
mod hostile;
mod joined;
mod proof;
pub mod support;
mod time;
