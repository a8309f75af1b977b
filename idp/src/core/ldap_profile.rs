//! What kinds of directory there are, and what each calls things when an administrator says nothing else.

use serde::{Deserialize, Serialize};

/// Whose habits a directory has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Microsoft Active Directory, Samba AD.
    #[default]
    ActiveDirectory,
    /// OpenLDAP with `inetOrgPerson` and `groupOfNames`.
    Openldap,
    /// 389 Directory Server, FreeIPA, Red Hat Directory Server.
    Dirsrv,
    /// Accounts and groups of RFC 2307: members are named by `memberUid`.
    Posix,
    /// Anything else: filters, key and username must be named.
    Custom,
}

/// The two ways to speak with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Active Directory: users bind by their names; keys are GUIDs, groups have SIDs.
    Ad,
    /// Plain LDAP: users are searched for, then bind by their DN.
    Ldap,
}

/// How the groups of one person are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupStrategy {
    /// The list of SIDs that Active Directory computes. Security groups only; the fastest.
    TokenGroups,
    /// Upwards along `memberOf`, also through distribution groups.
    MemberOfWalk,
    /// Upwards by searching for groups that name what was found. Works anywhere.
    MemberSearchWalk,
    /// One search with the matching rule `LDAP_MATCHING_RULE_IN_CHAIN`. Can take the server very long.
    InChain,
}

/// Which attributes say what. Empty means: as is usual in this kind of directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attributes {
    /// What never changes and is never given to somebody else.
    pub key: String,
    /// Name that people type.
    pub username: String,
    /// Name to show.
    pub name: String,
    /// Address.
    pub email: String,
    /// Members of a group.
    pub member: String,
    /// Groups of an entry, for the walk along them.
    pub member_of: String,
    /// Name of a group.
    pub group_name: String,
}

impl Profile {
    /// How to speak with it.
    #[must_use]
    pub fn kind(self) -> Kind {
        if self == Self::ActiveDirectory { Kind::Ad } else { Kind::Ldap }
    }

    /// The names that are usual there; empty where there is no usual one.
    #[must_use]
    pub fn attributes(self) -> Attributes {
        let of = |[key, username, name, member, group_name]: [&str; 5]| Attributes {
            key: key.into(),
            username: username.into(),
            name: name.into(),
            email: "mail".into(),
            member: member.into(),
            member_of: "memberOf".into(),
            group_name: group_name.into(),
        };
        match self {
            Self::ActiveDirectory => of(["objectGUID", "sAMAccountName", "displayName", "member", "cn"]),
            Self::Openldap => of(["entryUUID", "uid", "cn", "member", "cn"]),
            Self::Dirsrv => of(["nsUniqueId", "uid", "cn", "member", "cn"]),
            Self::Posix => of(["entryUUID", "uid", "cn", "memberUid", "cn"]),
            Self::Custom => of(["", "", "cn", "member", "cn"]),
        }
    }

    /// Who counts as a person.
    #[must_use]
    pub fn people_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(&(objectCategory=person)(objectClass=user))",
            Self::Openldap => "(objectClass=inetOrgPerson)",
            Self::Dirsrv => "(&(objectClass=person)(uid=*))",
            Self::Posix => "(objectClass=posixAccount)",
            Self::Custom => "",
        }
    }

    /// What counts as a group.
    #[must_use]
    pub fn groups_filter(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "(objectClass=group)",
            Self::Openldap => "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
            Self::Dirsrv => "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=ipausergroup))",
            Self::Posix => "(objectClass=posixGroup)",
            Self::Custom => "",
        }
    }

    /// How groups are found.
    #[must_use]
    pub fn strategy(self) -> GroupStrategy {
        match self {
            Self::ActiveDirectory => GroupStrategy::TokenGroups,
            Self::Dirsrv => GroupStrategy::MemberOfWalk,
            Self::Openldap | Self::Posix | Self::Custom => GroupStrategy::MemberSearchWalk,
        }
    }
}

impl Attributes {
    /// These, with what is empty taken from `usual`.
    #[must_use]
    pub fn or(&self, usual: Self) -> Self {
        let pick = |own: &String, usual: String| if own.is_empty() { usual } else { own.clone() };
        Self {
            key: pick(&self.key, usual.key),
            username: pick(&self.username, usual.username),
            name: pick(&self.name, usual.name),
            email: pick(&self.email, usual.email),
            member: pick(&self.member, usual.member),
            member_of: pick(&self.member_of, usual.member_of),
            group_name: pick(&self.group_name, usual.group_name),
        }
    }
}
