//! What an entry says, read with suspicion: names of attributes in any case, values of any length, more values than there
//! should be.

use super::error::clean;
use super::ids::{Sid, guid, guid_bytes};
use super::proto::Entry;
use crate::core::ldap::Attributes;

/// Longest text that is taken from an attribute.
const MAX_TEXT: usize = 500;

impl Entry {
    /// The values of an attribute.
    #[must_use]
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&[], |(_, values)| values)
    }

    /// The one value of an attribute; `None` also when there are several.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<&[u8]> {
        match self.values(name) {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The first value that is a text fit to show: not empty, not endless, without control characters.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let fit = |value: &Vec<u8>| {
            let text = std::str::from_utf8(value).ok()?.trim();
            let short = !text.is_empty() && text.len() <= MAX_TEXT;
            (short && !text.chars().any(char::is_control)).then(|| text.to_owned())
        };
        self.values(name).iter().find_map(fit)
    }

    /// All values that are texts.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|v| std::str::from_utf8(v).ok())
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// The SID of the entry.
    #[must_use]
    pub fn sid(&self) -> Option<Sid> {
        self.single("objectSid").and_then(Sid::from_bytes)
    }
}

/// Whether a key is kept as the 16 bytes of a GUID.
#[must_use]
pub fn is_guid(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("objectGUID")
}

/// The key of an entry.
///
/// # Errors
/// Why it has none.
pub fn key(entry: &Entry, attributes: &Attributes) -> Result<String, String> {
    let name = &attributes.key;
    let value = match entry.values(name) {
        [one] => one,
        [] => return Err(format!("it has no {name}, or the service account may not read it")),
        _ => return Err(format!("it has several {name}; a key has one value")),
    };
    if is_guid(name) {
        return guid(value).ok_or_else(|| format!("its {name} is not 16 bytes long"));
    }
    key_text(value).ok_or_else(|| format!("its {name} is not a text of 1 to 200 characters"))
}

/// A key that is a text. UUIDs are written in lower case; anything else is taken letter by letter, for two keys that differ in
/// case may be two people.
fn key_text(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let fit = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text;
    fit.then(|| {
        let hex = text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) && text.contains('-');
        if hex { text.to_ascii_lowercase() } else { text.to_owned() }
    })
}

/// A key as a filter compares with it.
#[must_use]
pub fn key_value(attribute: &str, key: &str) -> Option<Vec<u8>> {
    if is_guid(attribute) { guid_bytes(key) } else { Some(key.as_bytes().to_vec()) }
}

/// A name of an entry, fit for a page or the log.
#[must_use]
pub fn shown(dn: &str) -> String {
    clean(dn)
}

/// A name as the extended-DN control ([MS-ADTS] §3.1.1.3.4.1.5) writes it: `<GUID=…>;<SID=…>;CN=…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedDn {
    /// GUID, in lower case.
    pub guid: Option<String>,
    /// SID.
    pub sid: Option<Sid>,
    /// The name itself.
    pub dn: String,
}

impl ExtendedDn {
    /// Takes it apart; a plain name is one without the other parts.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut rest = text;
        while let Some((part, after)) = rest.strip_prefix('<').and_then(|r| r.split_once(">;")) {
            match part.split_once('=') {
                Some(("GUID", value)) => found.guid = guid_bytes(value).map(|_| value.to_ascii_lowercase()),
                Some(("SID", value)) => found.sid = Sid::parse(value),
                _ => {}
            }
            rest = after;
        }
        found.dn = rest.to_owned();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &str, values: &[&[u8]]) -> Entry {
        Entry { attributes: vec![(name.into(), values.iter().map(|v| v.to_vec()).collect())], ..Entry::default() }
    }

    #[test]
    fn keys_are_one_value_of_the_right_form() {
        let ad = crate::core::ldap::Profile::ActiveDirectory.attributes();
        assert_eq!(key(&entry("OBJECTguid", &[&[0; 16]]), &ad).unwrap(), "00000000-0000-0000-0000-000000000000");
        assert!(key(&entry("objectGUID", &[b"abc"]), &ad).unwrap_err().contains("16 bytes"));
        assert!(key(&entry("objectGUID", &[&[0; 16], &[1; 16]]), &ad).unwrap_err().contains("several"));
        assert!(key(&entry("x", &[]), &ad).unwrap_err().contains("no objectGUID"));
        // sixteen letters are as good as any other bytes
        assert_eq!(key(&entry("objectGUID", &[b"abcdefghijklmnop"]), &ad).unwrap(), "64636261-6665-6867-696a-6b6c6d6e6f70");
        let other = crate::core::ldap::Profile::Openldap.attributes();
        let uuid = b"AB7F3C1E-0000-0000-0000-000000000001";
        assert_eq!(key(&entry("entryUUID", &[uuid]), &other).unwrap(), "ab7f3c1e-0000-0000-0000-000000000001");
        assert_eq!(key(&entry("entryUUID", &[b"Bob"]), &other).unwrap(), "Bob");
        for bad in [&b""[..], b" a", b"a\n", &[0xff, 0xfe], "x".repeat(201).as_bytes()] {
            assert!(key(&entry("entryUUID", &[bad]), &other).is_err());
        }
    }

    #[test]
    fn texts_are_fit_to_show() {
        assert_eq!(entry("cn", &[b"", b"\x01", &[0xff], b" Bob "]).text("CN").as_deref(), Some("Bob"));
        assert_eq!(entry("cn", &["x".repeat(501).as_bytes()]).text("cn"), None);
        assert_eq!(entry("cn;lang-de", &[b"x"]).text("cn"), None);
    }

    #[test]
    fn extended_names() {
        let text = "<GUID=0A0b0c0d-0504-0706-0809-0a0b0c0d0e0f>;<SID=S-1-5-21-1-2-3-500>;CN=a\\,b,DC=x";
        let found = ExtendedDn::parse(text);
        assert_eq!(found.guid.as_deref(), Some("0a0b0c0d-0504-0706-0809-0a0b0c0d0e0f"));
        assert_eq!((found.sid.unwrap().to_string().as_str(), found.dn.as_str()), ("S-1-5-21-1-2-3-500", "CN=a\\,b,DC=x"));
        assert_eq!(ExtendedDn::parse("CN=a,DC=x").dn, "CN=a,DC=x");
        assert_eq!(ExtendedDn::parse("<GUID=zz>;CN=a").guid, None);
        assert_eq!(ExtendedDn::parse("<GUID=").dn, "<GUID=");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), value in any::<Vec<u8>>()) {
            let _ = (ExtendedDn::parse(&text), key_text(&value));
        }
    }
}
