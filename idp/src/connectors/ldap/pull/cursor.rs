//! Where the next pull goes on.

use crate::connectors::ldap::Ldap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes that the server gave and understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cookie(pub Vec<u8>);

impl Serialize for Cookie {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Cookie {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map(Self).map_err(serde::de::Error::custom)
    }
}

/// How changes are told, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Cursor {
    /// Active Directory's DirSync.
    DirSync {
        /// Its cookie.
        cookie: Cookie,
        /// Of which copy of the data.
        invocation: String,
        /// Number of the last change then: tells new people from changed ones.
        usn: i64,
    },
    /// Numbers of changes of one domain controller.
    Usn {
        /// Of which copy of the data.
        invocation: String,
        /// Last number.
        usn: i64,
    },
    /// Content synchronisation.
    Sync {
        /// Its cookie.
        cookie: Cookie,
    },
    /// Times of changes.
    Modified {
        /// The latest that was seen.
        since: String,
    },
    /// The server has no way of telling.
    Nothing,
}

/// A cursor and for which settings it is: other filters or bases would make it lie.
#[derive(Serialize, Deserialize)]
pub struct Stored {
    settings: String,
    #[serde(flatten)]
    cursor: Cursor,
}

impl Stored {
    /// A cursor of these settings.
    #[must_use]
    pub fn of(ldap: &Ldap, cursor: Cursor) -> Self {
        Self { settings: fingerprint(ldap), cursor }
    }

    /// As it is stored.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What was stored, if it is of these settings.
    #[must_use]
    pub fn read(ldap: &Ldap, value: &Value) -> Option<Cursor> {
        let stored = Self::deserialize(value).ok()?;
        (stored.settings == fingerprint(ldap)).then_some(stored.cursor)
    }
}

fn fingerprint(ldap: &Ldap) -> String {
    let mut hasher = DefaultHasher::new();
    let a = &ldap.attributes;
    (&ldap.people.base, ldap.people.filter.to_string(), &ldap.groups.base, ldap.groups.filter.to_string()).hash(&mut hasher);
    (&a.key, &a.username, &a.name, &a.email, &a.member, &a.group_name).hash(&mut hasher);
    (&ldap.settings.servers, &ldap.settings.domain, &ldap.settings.bind_name).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        for cursor in [
            Cursor::DirSync { cookie: Cookie(vec![0, 255]), invocation: "x".into(), usn: 5 },
            Cursor::Usn { invocation: "x".into(), usn: 5 },
            Cursor::Sync { cookie: Cookie(b"rid=000,csn=1".to_vec()) },
            Cursor::Modified { since: "20260101000000Z".into() },
            Cursor::Nothing,
        ] {
            let stored = Stored { settings: "s".into(), cursor: cursor.clone() };
            assert_eq!(Stored::deserialize(stored.to_json()).unwrap().cursor, cursor);
        }
        assert!(Stored::deserialize(serde_json::json!({"settings": "s", "how": "dir_sync", "cookie": "%"})).is_err());
    }
}
