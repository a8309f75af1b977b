//! From entries to people and groups.

use super::entry::{ExtendedDn, key};
use super::proto::Entry;
use super::standing::{self, of_entry};
use super::{Ldap, MemberRef, SeenPerson};
use std::collections::BTreeSet;

impl Ldap {
    /// Attributes of a person that are read.
    pub(super) fn person_attributes(&self) -> Vec<&str> {
        let a = &self.attributes;
        let mut names = vec![a.key.as_str(), &a.username, &a.name, &a.email, "cn"];
        if self.is_ad() {
            names.extend(["userPrincipalName", "sAMAccountName", "objectSid", "primaryGroupID", "uSNCreated"]);
            names.extend(standing::AD);
        } else {
            names.extend(standing::LDAP);
            names.push("gidNumber");
        }
        unique(names)
    }

    /// Attributes of a group that are read.
    pub(super) fn group_attributes(&self) -> Vec<&str> {
        let a = &self.attributes;
        let mut names = vec![a.key.as_str(), &a.group_name, &a.member, "cn"];
        if self.is_ad() {
            names.extend(["objectSid", "uSNChanged"]);
        } else {
            names.extend(["uniqueMember", "gidNumber"]);
        }
        unique(names)
    }

    /// The person that an entry below the people's base says.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub(super) fn person(&self, entry: &Entry) -> Result<SeenPerson, String> {
        if !self.people.holds(&entry.dn) {
            return Err("the server sent it, but it is not below the base that was asked for".into());
        }
        let a = &self.attributes;
        let key = key(entry, a)?;
        let username = entry.text(&a.username);
        let name = entry.text(&a.name).or_else(|| entry.text("cn"));
        let email = entry.text(&a.email).filter(|e| e.contains('@'));
        let upn = if self.is_ad() { entry.text("userPrincipalName") } else { None };
        let label = [&upn, &username, &email, &name].into_iter().flatten().next().cloned();
        Ok(SeenPerson {
            dn: entry.dn.clone(),
            label: label.unwrap_or_else(|| key.clone()),
            username,
            name,
            email,
            standing: of_entry(entry, self.world.now()),
            sid: entry.sid().map(|sid| sid.to_string()),
            key,
        })
    }

    /// How a value of a member attribute names somebody. `None`: it names nobody.
    pub(super) fn member(&self, attribute: &str, value: &[u8]) -> Option<MemberRef> {
        let text = std::str::from_utf8(value).ok().map(str::trim).filter(|t| !t.is_empty())?;
        if attribute.eq_ignore_ascii_case("memberUid") {
            return Some(MemberRef::Uid(text.to_owned()));
        }
        if !self.is_ad() {
            // RFC 4517: a uniqueMember may end in #'…'B
            let dn = if attribute.eq_ignore_ascii_case("uniqueMember") {
                text.split_once("#'").map_or(text, |(dn, _)| dn)
            } else {
                text
            };
            return Some(MemberRef::Dn(dn.to_owned()));
        }
        let name = ExtendedDn::parse(text);
        let foreign = name.sid.filter(|_| name.dn.to_ascii_lowercase().contains(",cn=foreignsecurityprincipals,"));
        Some(match (foreign, name.guid) {
            (Some(sid), _) => MemberRef::Sid(sid.to_string()),
            (None, Some(guid)) if super::entry::is_guid(&self.attributes.key) => MemberRef::Key(guid),
            (None, _) => MemberRef::Dn(name.dn),
        })
    }
}

fn unique(names: Vec<&str>) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| !name.is_empty() && seen.insert(name.to_ascii_lowercase())).collect()
}
