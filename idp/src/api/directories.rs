//! The settings of a directory in `/providers`.

use super::shape::mirror;
use super::texts;
use crate::core::ldap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

mirror! {
/// Whose habits a directory has.
#[schema(as = DirectoryProfile)]
enum Profile = ldap::Profile {
    /// Microsoft Active Directory, Samba AD.
    ActiveDirectory,
    /// OpenLDAP.
    Openldap,
    /// 389 Directory Server, FreeIPA.
    Dirsrv,
    /// Groups of RFC 2307.
    Posix,
    /// Anything else.
    Custom,
}
}

mirror! {
/// How the way to a server is protected.
#[schema(as = DirectorySecurity)]
enum Security = ldap::Security {
    /// TLS from the first byte.
    Ldaps,
    /// TLS begun by an operation.
    Starttls,
    /// None; only towards hosts that the operator allowed.
    Plain,
}
}

mirror! {
/// How the groups of one person are found.
#[schema(as = DirectoryGroupStrategy)]
enum Strategy = ldap::GroupStrategy {
    /// Active Directory's list of SIDs.
    TokenGroups,
    /// Upwards along `memberOf`.
    MemberOfWalk,
    /// Upwards by searching for groups.
    MemberSearchWalk,
    /// One search with `LDAP_MATCHING_RULE_IN_CHAIN`.
    InChain,
}
}

/// Mirrors a struct of `core` whose texts are described by one rule.
macro_rules! plain {
    ($(#[$meta:meta])* struct $name:ident = $core:path { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        #[derive(Serialize, Deserialize, ToSchema)]
        #[serde(default, deny_unknown_fields)]
        $(#[$meta])*
        struct $name { $($(#[$doc])* $field: $kind,)* }
        impl From<$core> for $name {
            fn from(value: $core) -> Self { Self { $($field: value.$field,)* } }
        }
        impl From<$name> for $core {
            fn from(value: $name) -> Self { Self { $($field: value.$field,)* } }
        }
        impl Default for $name {
            fn default() -> Self { <$core>::default().into() }
        }
    };
}

plain! {
/// Which attributes say what; empty: as is usual in this kind of directory.
#[schema(as = DirectoryAttributes)]
struct Attributes = ldap::Attributes {
    /// What never changes.
    #[schema(value_type = texts::AttributeName)]
    key: String,
    /// Name that people type.
    #[schema(value_type = texts::AttributeName)]
    username: String,
    /// Name to show.
    #[schema(value_type = texts::AttributeName)]
    name: String,
    /// Address.
    #[schema(value_type = texts::AttributeName)]
    email: String,
    /// Members of a group.
    #[schema(value_type = texts::AttributeName)]
    member: String,
    /// Groups of an entry.
    #[schema(value_type = texts::AttributeName)]
    member_of: String,
    /// Name of a group.
    #[schema(value_type = texts::AttributeName)]
    group_name: String,
}
}

plain! {
/// How long and how much.
#[schema(as = DirectoryLimits)]
struct Limits = ldap::Limits {
    /// Seconds for a name, a connection and its TLS.
    connect_s: u32,
    /// Seconds for an operation.
    operation_s: u32,
    /// Seconds for a whole pull.
    pull_s: u32,
    /// Entries asked for at a time.
    page: u32,
    /// Entries taken in one pull.
    entries: u32,
    /// Members of one group.
    members: u32,
    /// Groups of one person.
    groups: u32,
    /// Mebibytes of one entry.
    entry_mib: u32,
}
}

/// A directory.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DirectorySettings)]
pub(super) struct Directory {
    /// Whose habits it has.
    profile: Profile,
    /// `host` or `host:port`, tried in this order.
    #[serde(default)]
    #[schema(value_type = Vec<texts::ProviderText>, max_items = 16)]
    servers: Vec<String>,
    /// Instead of servers: the DNS domain that lists them.
    #[serde(default)]
    #[schema(value_type = texts::DirectoryText)]
    domain: String,
    /// How the way is protected.
    security: Security,
    /// Certificates (PEM) of the authorities to trust instead of the system's.
    #[serde(default)]
    #[schema(value_type = Option<texts::Pem>)]
    ca: Option<String>,
    /// Name of the service account.
    #[serde(default)]
    #[schema(value_type = texts::DirectoryText)]
    bind_name: String,
    /// Where everything is.
    #[schema(value_type = texts::DirectoryText)]
    base: String,
    /// Where people are; empty: the base.
    #[serde(default)]
    #[schema(value_type = texts::DirectoryText)]
    people_base: String,
    /// Who is a person; empty: as the profile says.
    #[serde(default)]
    #[schema(value_type = texts::DirectoryFilter)]
    people_filter: String,
    /// Where groups are; empty: the base.
    #[serde(default)]
    #[schema(value_type = texts::DirectoryText)]
    groups_base: String,
    /// What is a group; empty: as the profile says.
    #[serde(default)]
    #[schema(value_type = texts::DirectoryFilter)]
    groups_filter: String,
    /// Which attributes say what.
    #[serde(default)]
    attributes: Attributes,
    /// Active Directory: short names of the domain.
    #[serde(default)]
    #[schema(value_type = Vec<texts::ProviderText>, max_items = 200)]
    netbios: BTreeSet<String>,
    /// What may stand after the `@` of a name.
    #[serde(default)]
    #[schema(value_type = Vec<texts::ProviderText>, max_items = 200)]
    upn_suffixes: BTreeSet<String>,
    /// How groups are found; null: as the profile says.
    #[serde(default)]
    strategy: Option<Strategy>,
    /// How long and how much.
    #[serde(default)]
    limits: Limits,
}

impl From<ldap::LdapSettings> for Directory {
    fn from(s: ldap::LdapSettings) -> Self {
        Self {
            profile: s.profile.into(),
            servers: s.servers,
            domain: s.domain,
            security: s.security.into(),
            ca: s.ca,
            bind_name: s.bind_name,
            base: s.base,
            people_base: s.people_base,
            people_filter: s.people_filter,
            groups_base: s.groups_base,
            groups_filter: s.groups_filter,
            attributes: s.attributes.into(),
            netbios: s.netbios,
            upn_suffixes: s.upn_suffixes,
            strategy: s.strategy.map(Into::into),
            limits: s.limits.into(),
        }
    }
}

impl From<Directory> for ldap::LdapSettings {
    fn from(s: Directory) -> Self {
        Self {
            profile: s.profile.into(),
            servers: s.servers,
            domain: s.domain,
            security: s.security.into(),
            ca: s.ca,
            bind_name: s.bind_name,
            base: s.base,
            people_base: s.people_base,
            people_filter: s.people_filter,
            groups_base: s.groups_base,
            groups_filter: s.groups_filter,
            attributes: s.attributes.into(),
            netbios: s.netbios,
            upn_suffixes: s.upn_suffixes,
            strategy: s.strategy.map(Into::into),
            limits: s.limits.into(),
        }
    }
}
