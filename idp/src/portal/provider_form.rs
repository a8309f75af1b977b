//! The form of a provider: which fields each kind has, and how they are read.

use super::desk::{Fault, Input};
use super::form::Field;
use crate::core::ldap::{LdapSettings, Profile as DirectoryProfile};
use crate::core::provider::{ClaimMap, ClientAuth, Creation, GithubSettings, OidcSettings, Profile, Provider, Settings};
use crate::http::Problem;
use axum::http::StatusCode;
use std::collections::BTreeSet;

/// Kinds that can be set up: name in addresses, and for people.
pub(super) const KINDS: [(&str, &str); 7] = [
    ("entra", "Microsoft Entra ID"),
    ("google", "Google"),
    ("okta", "Okta"),
    ("oidc", "OpenID Connect"),
    ("github", "GitHub"),
    ("ad", "Active Directory"),
    ("ldap", "LDAP"),
];

/// The kind of a provider, as in [`KINDS`].
pub(super) fn kind_of(settings: &Settings) -> &'static str {
    match settings {
        Settings::Oidc(oidc) => match oidc.profile {
            Profile::Entra => "entra",
            Profile::Google => "google",
            Profile::Okta => "okta",
            Profile::Generic => "oidc",
        },
        Settings::Github(_) => "github",
        Settings::Ldap(ldap) if ldap.profile == DirectoryProfile::ActiveDirectory => "ad",
        Settings::Ldap(_) => "ldap",
    }
}

/// A kind for people.
pub(super) fn kind_name(kind: &str) -> &'static str {
    KINDS.iter().find(|(id, _)| *id == kind).map_or("Provider", |(_, name)| name)
}

/// What a new provider of a kind begins with.
pub(super) fn blank(kind: &str) -> Option<Provider> {
    let scopes = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
    let oidc = |profile, issuer: &str, scopes: BTreeSet<String>| {
        Settings::Oidc(OidcSettings {
            profile,
            issuer: issuer.into(),
            client_auth: ClientAuth::ClientSecretPost,
            scopes,
            ..OidcSettings::default()
        })
    };
    let usual = || scopes(&["profile", "email"]);
    let (id, settings) = match kind {
        "entra" => ("entra", oidc(Profile::Entra, "", usual())),
        "google" => ("google", oidc(Profile::Google, "https://accounts.google.com", usual())),
        "okta" => ("okta", oidc(Profile::Okta, "", scopes(&["profile", "email", "groups"]))),
        "oidc" => ("", oidc(Profile::Generic, "", usual())),
        "github" => ("github", Settings::Github(GithubSettings::default())),
        "ad" => ("corp", Settings::Ldap(Box::default())),
        "ldap" => {
            let ldap = LdapSettings { profile: DirectoryProfile::Openldap, ..LdapSettings::default() };
            ("ldap", Settings::Ldap(Box::new(ldap)))
        }
        _ => return None,
    };
    Some(Provider {
        id: id.into(),
        name: if kind == "oidc" { String::new() } else { kind_name(kind).into() },
        settings,
        domains: BTreeSet::new(),
        creation: Creation::Nobody,
        authoritative: false,
        enabled: true,
        version: 0,
    })
}

pub(super) fn option(value: &str, text: &str) -> (String, String) {
    (value.to_owned(), text.to_owned())
}

pub(super) fn lines(list: &BTreeSet<String>) -> String {
    list.iter().cloned().collect::<Vec<_>>().join("\n")
}

fn auth_text(auth: ClientAuth) -> &'static str {
    match auth {
        ClientAuth::ClientSecretBasic => "client_secret_basic",
        ClientAuth::ClientSecretPost => "client_secret_post",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
        ClientAuth::None => "none",
    }
}

/// The fields for a provider; `new` has its id too.
pub(super) fn fields(p: &Provider, new: bool, has_secret: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    if new {
        fields.push(
            Field::text("id", "Id", &p.id)
                .hint("Part of the redirect URI, and of what identities are known by: it never changes. a-z 0-9 . _ -"),
        );
    }
    fields.push(Field::text("name", "Name", &p.name).hint("On the button: “Continue with …”."));
    let secret = if has_secret { "Client secret (empty: the stored one stays)" } else { "Client secret" };
    match &p.settings {
        Settings::Oidc(s) => oidc(s, &mut fields, secret),
        Settings::Github(s) => github(s, &mut fields, secret),
        Settings::Ldap(s) => super::provider_directory::fields(s, &mut fields, has_secret),
    }
    fields.push(Field::area("domains", "Domains that are its own", &lines(&p.domains)).hint(
        "One a line, such as example.com. Who types an address there is sent to this provider, and only there is an address proven by what it says.",
    ));
    let (who, list) = match &p.creation {
        Creation::Nobody => ("nobody", String::new()),
        Creation::Everybody => ("everybody", String::new()),
        Creation::Domains { domains } => ("domains", lines(domains)),
        Creation::Groups { groups } => ("groups", lines(groups)),
    };
    fields.push(Field::select(
        "creation",
        "Who becomes a person here by signing in for the first time",
        who,
        vec![
            option("nobody", "Nobody: people are made or invited by an administrator"),
            option("domains", "Whoever has a proven address in one of the domains below"),
            option("groups", "Whoever is in one of the provider's groups below"),
            option("everybody", "Everybody whom the provider lets in"),
        ],
    ));
    fields.push(Field::area("creation_list", "Those domains or groups", &list).hint("One a line; groups by their id there."));
    fields.push(
        Field::check("authoritative", "Its “disabled” disables the person, not only the identity", p.authoritative)
            .hint("For the directory of your own organisation."),
    );
    fields.push(Field::check("enabled", "People can sign in with it", p.enabled));
    fields
}

fn oidc(s: &OidcSettings, fields: &mut Vec<Field>, secret: &str) {
    let (issuer, client) = match s.profile {
        Profile::Entra => (
            "https://login.microsoftonline.com/TENANT-ID/v2.0; for several organisations …/organizations/v2.0 with the list below.",
            "Application (client) ID of the app registration.",
        ),
        Profile::Google => ("https://accounts.google.com", "Client ID of the OAuth client."),
        Profile::Okta => ("Such as https://example.okta.com/oauth2/default.", "Client ID of the app integration."),
        Profile::Generic => ("Exactly as the provider's discovery document says it.", "As registered at the provider."),
    };
    fields.push(Field::url("issuer", "Issuer", &s.issuer).hint(issuer));
    fields.push(Field::text("client_id", "Client id", &s.client_id).hint(client));
    fields.push(Field::select(
        "client_auth",
        "How ODCM proves itself",
        auth_text(s.client_auth),
        vec![
            option("client_secret_post", "client_secret_post (in the body)"),
            option("client_secret_basic", "client_secret_basic (HTTP Basic)"),
            option("private_key_jwt", "private_key_jwt (signed with ODCM's own key; no secret)"),
            option("none", "none (PKCE alone)"),
        ],
    ));
    fields.push(Field::secret("secret", secret));
    let scopes: Vec<&str> = s.scopes.iter().map(String::as_str).collect();
    fields.push(Field::text("scopes", "Scopes besides openid", &scopes.join(" ")).optional());
    match s.profile {
        Profile::Entra => fields.push(
            Field::area("tenants", "Tenants that are let in", &lines(&s.tenants))
                .hint("One id a line. Needed when the issuer speaks for several organisations."),
        ),
        Profile::Google => fields.push(
            Field::area("hosted_domains", "Workspace domains that are let in", &lines(&s.hosted_domains))
                .hint("One a line. Empty: any Google account."),
        ),
        Profile::Okta | Profile::Generic => {}
    }
    let vendor = match s.profile {
        Profile::Entra => Some((
            "Ask Microsoft Graph for groups that do not fit into the token",
            "Needs the permission GroupMember.Read.All; without an answer nobody signs in.",
        )),
        Profile::Google => Some((
            "Ask Cloud Identity for groups",
            "Needs the scope https://www.googleapis.com/auth/cloud-identity.groups.readonly above; without an answer nobody signs in.",
        )),
        Profile::Okta | Profile::Generic => None,
    };
    if let Some((label, hint)) = vendor {
        fields.push(Field::check("vendor_groups", label, s.vendor_groups).hint(hint));
        let url = s.vendor_url.as_deref().unwrap_or_default();
        fields.push(Field::url("vendor_url", "Its address", url).optional().hint("Empty: the usual one. For national clouds."));
    }
    fields.push(Field::check("userinfo", "Ask the userinfo endpoint too", s.userinfo));
    for (name, label, value) in [
        ("claims.name", "Claim with the name", &s.claims.name),
        ("claims.username", "Claim with the user name", &s.claims.username),
        ("claims.email", "Claim with the address", &s.claims.email),
        ("claims.email_verified", "Claim that says that the address was verified", &s.claims.email_verified),
        ("claims.groups", "Claim with the groups", &s.claims.groups),
    ] {
        let field = Field::text(name, label, value);
        fields.push(if name == "claims.groups" {
            field.hint("A name, or a JSON pointer such as /realm_access/roles.")
        } else {
            field
        });
    }
}

fn github(s: &GithubSettings, fields: &mut Vec<Field>, secret: &str) {
    fields.push(Field::text("client_id", "Client id", &s.client_id).hint("Of the OAuth app."));
    fields.push(Field::secret("secret", secret));
    fields.push(Field::url("base_url", "Address", &s.base_url).hint("Of your Enterprise Server, if you have one."));
    fields.push(Field::url("api_url", "Address of its API", &s.api_url).hint("Enterprise Server: https://HOST/api/v3."));
    fields.push(
        Field::area("organisations", "Organisations that are let in", &lines(&s.organisations))
            .hint("One a line. Empty: any GitHub account."),
    );
}

pub(super) fn wrong(field: &'static str, text: &str) -> Fault {
    Fault(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "form.invalid", text).field(field))
}

pub(super) fn list(input: &Input, field: &str) -> BTreeSet<String> {
    input.get(field).lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn lower(input: &Input, field: &str) -> BTreeSet<String> {
    list(input, field).into_iter().map(|entry| entry.to_lowercase()).collect()
}

/// Reads the form over what was there before: a field that a kind does not have stays. Gives the provider and a new secret.
pub(super) fn parse(input: &Input, before: &Provider) -> Result<(Provider, Option<String>), Fault> {
    let settings = match &before.settings {
        Settings::Oidc(old) => Settings::Oidc(OidcSettings {
            profile: old.profile,
            issuer: input.get("issuer").into(),
            client_id: input.get("client_id").into(),
            client_auth: match input.get("client_auth") {
                "client_secret_basic" => ClientAuth::ClientSecretBasic,
                "client_secret_post" => ClientAuth::ClientSecretPost,
                "private_key_jwt" => ClientAuth::PrivateKeyJwt,
                "none" => ClientAuth::None,
                _ => return Err(wrong("client_auth", "Choose a method.")),
            },
            scopes: input.get("scopes").split_whitespace().map(str::to_owned).collect(),
            tenants: lower(input, "tenants"),
            hosted_domains: lower(input, "hosted_domains"),
            userinfo: input.ticked("userinfo"),
            claims: ClaimMap {
                name: input.get("claims.name").into(),
                username: input.get("claims.username").into(),
                email: input.get("claims.email").into(),
                email_verified: input.get("claims.email_verified").into(),
                groups: input.get("claims.groups").into(),
            },
            vendor_groups: input.ticked("vendor_groups"),
            vendor_url: input.filled("vendor_url").map(str::to_owned),
        }),
        Settings::Github(_) => Settings::Github(GithubSettings {
            base_url: input.get("base_url").into(),
            api_url: input.get("api_url").into(),
            client_id: input.get("client_id").into(),
            organisations: list(input, "organisations"),
        }),
        Settings::Ldap(old) => Settings::Ldap(Box::new(super::provider_directory::parse(input, old)?)),
    };
    let creation = match input.get("creation") {
        "nobody" => Creation::Nobody,
        "everybody" => Creation::Everybody,
        "domains" => Creation::Domains { domains: lower(input, "creation_list") },
        "groups" => Creation::Groups { groups: list(input, "creation_list") },
        _ => return Err(wrong("creation", "Choose who.")),
    };
    let provider = Provider {
        id: if before.id.is_empty() || before.version == 0 { input.get("id").into() } else { before.id.clone() },
        name: input.get("name").into(),
        settings,
        domains: lower(input, "domains"),
        creation,
        authoritative: input.ticked("authoritative"),
        enabled: input.ticked("enabled"),
        version: input.version().unwrap_or(0),
    };
    Ok((provider, input.filled("secret").map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_chosen_and_is_recognised() {
        for (kind, name) in KINDS {
            let provider = blank(kind).unwrap();
            assert_eq!((kind_of(&provider.settings), kind_name(kind)), (kind, name));
        }
        assert!(blank("").is_none() && blank("saml").is_none());
    }
}
