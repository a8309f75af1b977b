//! The part of a provider's form that a directory has.

use super::desk::{Fault, Input};
use super::form::Field;
use super::provider_form::{lines, list, option, wrong};
use crate::core::ldap::{Attributes, GroupStrategy, LdapSettings, Profile, Security};

fn profile_text(profile: Profile) -> &'static str {
    match profile {
        Profile::ActiveDirectory => "active_directory",
        Profile::Openldap => "openldap",
        Profile::Dirsrv => "dirsrv",
        Profile::Posix => "posix",
        Profile::Custom => "custom",
    }
}

fn strategy_text(strategy: Option<GroupStrategy>) -> &'static str {
    match strategy {
        None => "",
        Some(GroupStrategy::TokenGroups) => "token_groups",
        Some(GroupStrategy::MemberOfWalk) => "member_of_walk",
        Some(GroupStrategy::MemberSearchWalk) => "member_search_walk",
        Some(GroupStrategy::InChain) => "in_chain",
    }
}

/// Its fields.
pub(super) fn fields(s: &LdapSettings, fields: &mut Vec<Field>, has_secret: bool) {
    let ad = s.profile == Profile::ActiveDirectory;
    if !ad {
        fields.push(Field::select(
            "profile",
            "Kind of directory",
            profile_text(s.profile),
            vec![
                option("openldap", "OpenLDAP (inetOrgPerson, groupOfNames)"),
                option("dirsrv", "389 Directory Server, FreeIPA"),
                option("posix", "Accounts and groups of RFC 2307 (memberUid)"),
                option("custom", "Anything else: filters and attributes below"),
            ],
        ));
    }
    fields.push(
        Field::area("servers", "Servers", &s.servers.join("\n"))
            .hint("One a line, host or host:port, tried in this order. Empty: those that DNS lists for the domain below."),
    );
    fields.push(Field::text("domain", "Domain", &s.domain).optional().hint("Such as corp.example; instead of servers."));
    let security = match s.security {
        Security::Ldaps => "ldaps",
        Security::Starttls => "starttls",
        Security::Plain => "plain",
    };
    fields.push(Field::select(
        "security",
        "Protection of the connection",
        security,
        vec![
            option("ldaps", "LDAPS (TLS from the first byte, port 636)"),
            option("starttls", "StartTLS (port 389)"),
            option("plain", "None: passwords travel in the clear; only where the operator allows it"),
        ],
    ));
    fields.push(
        Field::area("ca", "Certificates of its authority (PEM)", s.ca.as_deref().unwrap_or_default())
            .hint("For a private authority. Empty: those of the system."),
    );
    let example = if ad { "Such as odcm@corp.example or CORP\\odcm; an ordinary account is enough." } else { "Its DN." };
    fields.push(Field::text("bind_name", "Service account", &s.bind_name).optional().hint(example));
    let secret = if has_secret { "Its password (empty: the stored one stays)" } else { "Its password" };
    fields.push(Field::secret("secret", secret));
    fields.push(Field::text("base", "Base", &s.base).hint("Where people and groups are, such as DC=corp,DC=example."));
    fields.push(Field::text("people_base", "Base of people", &s.people_base).optional().hint("Empty: the base."));
    fields.push(Field::text("people_filter", "Filter of people", &s.people_filter).optional().hint("Empty: as is usual there."));
    fields.push(Field::text("groups_base", "Base of groups", &s.groups_base).optional().hint("Empty: the base."));
    fields.push(Field::text("groups_filter", "Filter of groups", &s.groups_filter).optional().hint("Empty: as is usual there."));
    if ad {
        fields.push(
            Field::area("netbios", "Short names of the domain", &lines(&s.netbios))
                .hint("One a line, such as CORP: people sign in as CORP\\name."),
        );
    }
    fields.push(
        Field::area("upn_suffixes", "What stands after the @ of its names", &lines(&s.upn_suffixes))
            .hint("One a line, such as corp.example: people sign in as name@corp.example."),
    );
    for (name, label, value) in attributes(&s.attributes) {
        fields.push(Field::text(name, label, value).optional());
    }
    let mut strategies = vec![option("", "As is usual there")];
    if ad {
        strategies.push(option("token_groups", "tokenGroups (security groups; the fastest)"));
        strategies.push(option("in_chain", "LDAP_MATCHING_RULE_IN_CHAIN (can be very slow)"));
    }
    strategies.push(option("member_of_walk", "memberOf, upwards"));
    strategies.push(option("member_search_walk", "Searching for groups, upwards"));
    fields.push(Field::select("strategy", "How groups of one person are found", strategy_text(s.strategy), strategies));
}

fn attributes(a: &Attributes) -> [(&'static str, &'static str, &str); 7] {
    [
        ("attributes.key", "Attribute that never changes", &a.key),
        ("attributes.username", "Attribute with the user name", &a.username),
        ("attributes.name", "Attribute with the name", &a.name),
        ("attributes.email", "Attribute with the address", &a.email),
        ("attributes.member", "Attribute with the members of a group", &a.member),
        ("attributes.member_of", "Attribute with the groups of an entry", &a.member_of),
        ("attributes.group_name", "Attribute with the name of a group", &a.group_name),
    ]
}

/// Reads them.
pub(super) fn parse(input: &Input, old: &LdapSettings) -> Result<LdapSettings, Fault> {
    let text = |name: &str| input.get(name).to_owned();
    Ok(LdapSettings {
        profile: match (old.profile, input.get("profile")) {
            (Profile::ActiveDirectory, _) => Profile::ActiveDirectory,
            (_, "openldap") => Profile::Openldap,
            (_, "dirsrv") => Profile::Dirsrv,
            (_, "posix") => Profile::Posix,
            (_, "custom") => Profile::Custom,
            _ => return Err(wrong("profile", "Choose a kind.")),
        },
        servers: input.get("servers").lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect(),
        domain: text("domain"),
        security: match input.get("security") {
            "ldaps" => Security::Ldaps,
            "starttls" => Security::Starttls,
            "plain" => Security::Plain,
            _ => return Err(wrong("security", "Choose how.")),
        },
        ca: input.filled("ca").map(|pem| pem.replace('\r', "")),
        bind_name: text("bind_name"),
        base: text("base"),
        people_base: text("people_base"),
        people_filter: text("people_filter"),
        groups_base: text("groups_base"),
        groups_filter: text("groups_filter"),
        attributes: Attributes {
            key: text("attributes.key"),
            username: text("attributes.username"),
            name: text("attributes.name"),
            email: text("attributes.email"),
            member: text("attributes.member"),
            member_of: text("attributes.member_of"),
            group_name: text("attributes.group_name"),
        },
        netbios: list(input, "netbios"),
        upn_suffixes: list(input, "upn_suffixes"),
        strategy: match input.get("strategy") {
            "" => None,
            "token_groups" => Some(GroupStrategy::TokenGroups),
            "member_of_walk" => Some(GroupStrategy::MemberOfWalk),
            "member_search_walk" => Some(GroupStrategy::MemberSearchWalk),
            "in_chain" => Some(GroupStrategy::InChain),
            _ => return Err(wrong("strategy", "Choose how.")),
        },
        limits: old.limits.clone(),
    })
}
