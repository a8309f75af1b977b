//! The server side of the push channel, over real sockets, spoken to by a client that can misbehave.

/// A statement of a test: like `odcm::sql!`, without a place in the list of the program's statements.
macro_rules! query {
    ($text:literal) => {{
        static STATEMENT: odcm::storage::Stmt =
            odcm::storage::Stmt { sql: $text, write: odcm::storage::is_write($text), runs: std::sync::atomic::AtomicU64::new(0) };
        &STATEMENT
    }};
}

mod acks;
mod channel;
mod enrolment;
mod handshake;
mod hostile;
mod support;
mod time;
