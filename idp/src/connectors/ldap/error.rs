//! What can go wrong with a directory.

use super::ber::Malformed;

/// Why there is no answer. The texts are for administrators and the log; none holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Our settings and the directory do not fit.
    #[error("{0}")]
    Misconfigured(String),
    /// No name, no address, no connection, no TLS.
    #[error("{0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("{0} did not answer within {1} s")]
    Slow(String, u64),
    /// It ended the connection in the middle.
    #[error("{0} ended the connection")]
    Lost(String),
    /// It answered with an error.
    #[error("the directory refused: {}", refusal(*code, text))]
    Refused {
        /// Result code (RFC 4511 Appendix A).
        code: i64,
        /// Its words, cut and cleaned.
        text: String,
    },
    /// It answered nonsense.
    #[error("{0}")]
    Nonsense(String),
    /// It sent more than we take.
    #[error("{0}")]
    TooMuch(String),
    /// All our connections are in use.
    #[error("busy")]
    Busy,
    /// Whoever asked does not listen any more.
    #[error("nobody takes what was asked for")]
    Unwanted,
}

impl From<Malformed> for Error {
    fn from(fault: Malformed) -> Self {
        Self::Nonsense(fault.to_string())
    }
}

impl Error {
    /// A result code that is no success.
    #[must_use]
    pub fn refused(code: i64, text: &str) -> Self {
        Self::Refused { code, text: clean(text) }
    }

    /// The result code, if the directory answered with one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        if let Self::Refused { code, .. } = self { Some(*code) } else { None }
    }

    /// Whether another server, or the same one later, may do better.
    #[must_use]
    pub fn is_about_the_server(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Slow(..) | Self::Lost(_) | Self::Nonsense(_) => true,
            Self::Refused { code, .. } => matches!(code, 51 | 52),
            Self::Misconfigured(_) | Self::TooMuch(_) | Self::Busy | Self::Unwanted => false,
        }
    }
}

/// A server's words, fit for a page or the log.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>().trim().to_owned()
}

fn refusal(code: i64, text: &str) -> String {
    let name = match code {
        1 => "operations error; a bind may be needed first",
        2 => "protocol error",
        3 => "it took too long",
        4 => "more entries than it sends at once",
        7 => "it does not do simple binds",
        8 => "it wants TLS",
        10 => "it refers to another server",
        11 => "more than its administrator allows",
        12 => "it lacks a control that is needed",
        13 => "it wants TLS",
        16 => "no such attribute",
        32 => "there is no entry of this name",
        34 => "this is not a name of an entry",
        48 => "this kind of bind is not allowed",
        49 => "wrong name or password",
        50 => "the account lacks the right",
        51 => "it is busy",
        52 => "it is not available",
        53 => "it is not willing to do this",
        _ => "an error",
    };
    if text.is_empty() { format!("{name} (code {code})") } else { format!("{name} (code {code}: {text})") }
}
