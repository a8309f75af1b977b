//! Sign-in sessions: a list of authentications, from which `auth_time`, `amr` and `acr` derive (rules C8).

use super::Timestamp;
use super::ids::{IdentityId, PersonId, SessionId};
use serde::{Deserialize, Serialize};

/// How somebody proved who they are; the text is the `amr` value. `pwd` is registered (RFC 8176 §2); `fed` and `link` are our own words,
/// because nothing registered says the same (`otp` there is a code of RFC 4226 or 6238).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Password.
    #[serde(rename = "pwd")]
    Password,
    /// Another provider vouched.
    #[serde(rename = "fed")]
    Federated,
    /// A one-time link.
    #[serde(rename = "link", alias = "otp")]
    OneTimeLink,
}

impl Method {
    /// The `amr` value.
    #[must_use]
    pub fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Federated => "fed",
            Self::OneTimeLink => "link",
        }
    }
}

/// One proof of identity in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// How.
    pub method: Method,
    /// When.
    pub at: Timestamp,
    /// With which identity, when it was not the local password.
    pub identity: Option<IdentityId>,
}

/// A live session of an active person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id; not the cookie.
    pub id: SessionId,
    /// Whose it is.
    pub person: PersonId,
    /// Their name, as it is now.
    pub display_name: String,
    /// Their user name.
    pub username: String,
    /// Oldest first, never empty.
    pub authentications: Vec<Authentication>,
    /// Begin.
    pub created_at: Timestamp,
    /// Last use, to the minute.
    pub last_seen_at: Timestamp,
    /// Latest end.
    pub expires_at: Timestamp,
}

/// At most this many authentications are remembered; the first and the newest ones stay.
const KEPT: usize = 16;

impl Session {
    /// Time of the newest authentication (OpenID Connect Core §2, `auth_time`).
    #[must_use]
    pub fn auth_time(&self) -> Timestamp {
        self.authentications.iter().map(|a| a.at).max().unwrap_or(self.created_at)
    }
    /// Methods used, each once, in the order of first use (RFC 8176).
    #[must_use]
    pub fn amr(&self) -> Vec<&'static str> {
        let mut out = Vec::new();
        for amr in self.authentications.iter().map(|a| a.method.amr()) {
            if !out.contains(&amr) {
                out.push(amr);
            }
        }
        out
    }
    /// Authentication context class: one factor is "1" (ISO/IEC 29115 level, as OpenID Connect Core §2 suggests "0" for
    /// what is less).
    #[must_use]
    pub fn acr(&self) -> &'static str {
        "1"
    }
}

/// Adds an authentication to those of a session.
#[must_use]
pub fn with_authentication(mut list: Vec<Authentication>, new: Authentication) -> Vec<Authentication> {
    if list.len() >= KEPT {
        list.remove(1);
    }
    list.push(new);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(authentications: Vec<Authentication>) -> Session {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        Session {
            id: SessionId::parse(id).unwrap(),
            person: PersonId::parse(id).unwrap(),
            display_name: "Bob".into(),
            username: "bob".into(),
            authentications,
            created_at: Timestamp(1),
            last_seen_at: Timestamp(1),
            expires_at: Timestamp(9),
        }
    }

    fn by(method: Method, at: i64) -> Authentication {
        Authentication { method, at: Timestamp(at), identity: None }
    }

    #[test]
    fn claims_derive_from_the_list() {
        let s = session(vec![by(Method::Password, 5), by(Method::Federated, 9), by(Method::Password, 7)]);
        assert_eq!(s.auth_time(), Timestamp(9));
        assert_eq!(s.amr(), ["pwd", "fed"]);
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_first() {
        let list = (0..100).fold(Vec::new(), |l, n| with_authentication(l, by(Method::Password, n)));
        assert_eq!(list.len(), KEPT);
        assert_eq!((list[0].at, list[KEPT - 1].at), (Timestamp(0), Timestamp(99)));
    }
}
