//! Typed ids, from one list. An id is a lower-case UUIDv7 in text form (rules C7); it is made from the injected clock and
//! entropy (`ports::Entropy::id`), never here.

use super::text_rule::{Chars, TextRule};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is not an id: expected 36 characters such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct IdError;

/// Lengths of the groups of lower-case hexadecimal digits between the hyphens.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

fn parse(text: &str) -> Result<String, IdError> {
    let digits = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let lengths: Vec<usize> = text.split('-').filter(|part| digits(part)).map(str::len).collect();
    if lengths == GROUPS && text.len() == GROUPS.len() - 1 + GROUPS.iter().sum::<usize>() {
        Ok(text.into())
    } else {
        Err(IdError)
    }
}

/// What is wrong with a text as an id, if anything is.
#[must_use]
pub fn fault(text: &str) -> Option<String> {
    parse(text).err().map(|error| error.to_string())
}

/// The regular expression of an id.
#[must_use]
pub fn pattern() -> String {
    let groups: Vec<String> = GROUPS.iter().map(|length| format!("[0-9a-f]{{{length}}}")).collect();
    format!("^{}$", groups.join("-"))
}

/// The id of a client: what [`ClientId::parse`] takes.
pub const CLIENT_ID: TextRule =
    TextRule::of(1, 128, Chars::Only(&[&[('A', 'Z'), ('a', 'z'), ('0', '9'), ('-', '.'), ('_', '_'), (':', ':')]]));

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Reads the canonical lower-case form.
            ///
            /// # Errors
            /// [`IdError`] for any other text.
            pub fn parse(text: &str) -> Result<Self, IdError> { parse(text).map(Self) }
            /// From a UUID made by `ports::Entropy`.
            #[must_use]
            pub fn from_uuid(uuid: uuid::Uuid) -> Self { Self(uuid.hyphenated().to_string()) }
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
        impl fmt::Debug for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl std::str::FromStr for $name { type Err = IdError; fn from_str(s: &str) -> Result<Self, IdError> { Self::parse(s) } }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An agent.
    AgentId;
    /// A token for the administration API.
    ApiTokenId;
    /// An audit row.
    AuditId;
    /// An e-mail address of a person.
    EmailId;
    /// A grant of a Space to a person or group.
    GrantId;
    /// A group.
    GroupId;
    /// An identity of a person at a provider.
    IdentityId;
    /// A job.
    JobId;
    /// A person.
    PersonId;
    /// An administrative right of a person.
    RightId;
    /// A sign-in session (not the cookie, which is a secret).
    SessionId;
    /// A Space.
    SpaceId;
}

/// The id of an OAuth client: chosen by us for Spaces (the Space's slug), by an administrator for others.
/// 1 to 128 characters `A-Z a-z 0-9 . _ - :`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// Checks the characters and the length.
    ///
    /// # Errors
    /// [`IdError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if CLIENT_ID.fault(text).is_none() { Ok(Self(text.into())) } else { Err(IdError) }
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_canonical_lower_case() {
        let good = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(PersonId::parse(good).unwrap().as_str(), good);
        for bad in [
            "",
            "01890A5D-AC96-774B-BCCE-B302099A8057",
            "01890a5dac96774bbcceb302099a8057",
            "x",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
        ] {
            assert_eq!(PersonId::parse(bad), Err(IdError), "{bad}");
        }
    }

    #[test]
    fn client_ids_have_a_small_alphabet() {
        assert!(ClientId::parse("space:mars").is_ok());
        for bad in ["", "a b", "a/b", "é", &"a".repeat(129)] {
            assert!(ClientId::parse(bad).is_err(), "{bad}");
        }
    }
}
