//! Providers that vouch for people: what an administrator sets for each, which settings make no sense, and what is believed of
//! what they say.

use super::Refusal;
use super::ldap::LdapSettings;
use super::text::fold;
use super::text_rule::{CONTROL, Chars, Ranges, SPACE, TURNS, TextRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use url::Url;

/// How ODCM proves itself at a provider's token endpoint (OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// HTTP Basic.
    #[default]
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// A signed assertion (RFC 7523 §2.2); the provider reads our key set.
    PrivateKeyJwt,
    /// Not at all: PKCE alone.
    None,
}

/// Whose rules an OpenID provider follows beyond the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// None.
    #[default]
    Generic,
    /// Microsoft Entra ID: a person is tenant and object id, not `sub`; `email` proves nothing unless `xms_edov` says so.
    Entra,
    /// Google: `hd` names the Workspace domain.
    Google,
    /// Okta.
    Okta,
}

/// Which claims say what. A name of a claim, or a JSON pointer (RFC 6901) such as `/realm_access/roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimMap {
    /// Name to show.
    pub name: String,
    /// User name to propose.
    pub username: String,
    /// Address.
    pub email: String,
    /// Whether the provider verified it.
    pub email_verified: String,
    /// Groups: a list of texts.
    pub groups: String,
}

impl Default for ClaimMap {
    fn default() -> Self {
        Self {
            name: "name".into(),
            username: "preferred_username".into(),
            email: "email".into(),
            email_verified: "email_verified".into(),
            groups: "groups".into(),
        }
    }
}

/// An OpenID provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcSettings {
    /// Whose rules.
    pub profile: Profile,
    /// Its issuer identifier. For several tenants of Entra: `https://login.microsoftonline.com/organizations/v2.0`.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// How we prove ourselves.
    pub client_auth: ClientAuth,
    /// Scopes besides `openid`.
    pub scopes: BTreeSet<String>,
    /// Entra: the tenants that are let in. Required when the issuer speaks for several.
    pub tenants: BTreeSet<String>,
    /// Google: the Workspace domains that are let in; empty: any account.
    pub hosted_domains: BTreeSet<String>,
    /// Whether the userinfo endpoint is asked too.
    pub userinfo: bool,
    /// Which claims say what.
    pub claims: ClaimMap,
    /// Entra: ask Microsoft Graph for groups that do not fit into the token. Google: ask Cloud Identity for groups.
    pub vendor_groups: bool,
    /// Where that is, if not at the vendor's usual address (national clouds).
    pub vendor_url: Option<String>,
}

/// GitHub, or an Enterprise Server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GithubSettings {
    /// Where people sign in.
    pub base_url: String,
    /// Where its API is.
    pub api_url: String,
    /// Our client id there.
    pub client_id: String,
    /// Organisations of which somebody must be a member; empty: any account.
    pub organisations: BTreeSet<String>,
}

impl Default for GithubSettings {
    fn default() -> Self {
        Self {
            base_url: "https://github.com".into(),
            api_url: "https://api.github.com".into(),
            client_id: String::new(),
            organisations: BTreeSet::new(),
        }
    }
}

/// What kind of provider it is, with the settings of that kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Settings {
    /// OpenID Connect.
    Oidc(OidcSettings),
    /// GitHub's OAuth, which is no OpenID Connect.
    Github(GithubSettings),
    /// Active Directory or another LDAP server.
    Ldap(Box<LdapSettings>),
}

/// Who becomes a person here by signing in for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Creation {
    /// Nobody: an administrator makes people, or invites them.
    #[default]
    Nobody,
    /// Everybody whom the provider lets in.
    Everybody,
    /// Whoever has a proven address in one of these domains.
    Domains {
        /// Folded.
        domains: BTreeSet<String>,
    },
    /// Whoever is in one of these groups of the provider.
    Groups {
        /// Their ids there.
        groups: BTreeSet<String>,
    },
}

/// A provider as it is stored, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its id: part of addresses, and of what identities are known by.
    pub id: String,
    /// Name on buttons.
    pub name: String,
    /// Kind and settings.
    pub settings: Settings,
    /// Domains it is authoritative for (rules D3), folded. Only there is an address proven by what it says.
    pub domains: BTreeSet<String>,
    /// Who becomes a person here.
    pub creation: Creation,
    /// Whether its "disabled" disables the person, or only the identity (rules C6).
    pub authoritative: bool,
    /// Whether people can sign in with it.
    pub enabled: bool,
    /// Raised by each change.
    pub version: i64,
}

/// Most entries of a list.
pub const MAX_LIST: usize = 200;
/// The name on buttons.
pub const BUTTON: TextRule = TextRule::of(1, 60, Chars::Not(&[CONTROL, TURNS])).edged(Chars::Not(&[CONTROL, TURNS, SPACE]));
/// An id at a provider, the name of a claim, the name of an organisation there.
pub const TEXT: TextRule = TextRule::of(1, 500, Chars::Not(&[CONTROL])).edged(Chars::Not(&[CONTROL, SPACE]));
/// The address of a provider; that it is one is for [`Provider::validate`] to say.
pub const ADDRESS: TextRule = TextRule::of(8, 500, Chars::Not(&[CONTROL, SPACE, &[('#', '#'), ('?', '?'), ('\\', '\\')]]))
    .beginning(&["https://", "http://"]);
/// A scope (RFC 6749 §3.3).
pub const SCOPE: TextRule = TextRule::of(1, 200, Chars::Only(&[&[('!', '!'), ('#', '['), (']', '~')]]));
const NAME_CHARS: Ranges = &[('a', 'z'), ('0', '9')];
/// The characters of a domain, lower case; that it is one is for [`Provider::validate`] to say.
pub const DOMAIN: TextRule = TextRule::of(3, 253, Chars::Only(&[NAME_CHARS, &[('-', '.')]])).edged(Chars::Only(&[NAME_CHARS]));
/// The name of an entry or account of a directory; that it is one is for [`Provider::validate`] to say.
pub const ENTRY: TextRule = TextRule::of(0, 500, Chars::Not(&[CONTROL]));
/// A filter of a directory.
pub const FILTER: TextRule = TextRule::of(0, 2000, Chars::Not(&[CONTROL]));
/// The name of an attribute, or nothing.
pub const ATTRIBUTE: TextRule =
    TextRule::of(0, 100, Chars::Only(&[&[('A', 'Z'), ('a', 'z'), ('0', '9'), ('-', '.'), (';', ';')]]));
/// Certificates.
pub const PEM: TextRule = TextRule::of(0, 65_536, Chars::Only(&[&[(' ', '~'), ('\n', '\n'), ('\r', '\r')]]));
/// The id of an Entra tenant, lower case.
pub const TENANT: TextRule = TextRule::of(36, 36, Chars::Only(&[&[('a', 'f'), ('0', '9'), ('-', '-')]]));

fn address(field: &'static str, text: &str) -> Result<(), Refusal> {
    let rule = "This is a whole address such as https://login.example.com, without query, fragment and user name.";
    if let Some(fault) = ADDRESS.fault(text) {
        return Err(fault.refusal(field, "provider.address", rule));
    }
    let fine = |url: &Url| url.host().is_some() && url.username().is_empty() && url.password().is_none();
    if Url::parse(text).is_ok_and(|url| fine(&url)) { Ok(()) } else { Err(Refusal::invalid(field, "provider.address", rule)) }
}

const TEXT_RULE: &str = "This has 1 to 500 characters, without line breaks or space around it.";

fn text(field: &'static str, text: &str) -> Result<(), Refusal> {
    TEXT.fault(text).map_or(Ok(()), |fault| Err(fault.refusal(field, "provider.text", TEXT_RULE)))
}

fn names(field: &'static str, list: &BTreeSet<String>) -> Result<(), Refusal> {
    if list.len() > MAX_LIST {
        return Err(Refusal::invalid(field, "provider.list", format!("At most {MAX_LIST} entries.")));
    }
    list.iter().try_for_each(|entry| text(field, entry))
}

/// Whether a text is a domain as [`fold`] leaves it.
fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.contains('.')
        && fold(text) == text
        && text.split('.').all(|l| (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn domains(field: &'static str, list: &BTreeSet<String>) -> Result<(), Refusal> {
    if list.len() > MAX_LIST {
        return Err(Refusal::invalid(field, "provider.list", format!("At most {MAX_LIST} domains.")));
    }
    let rule = "This is not a domain such as example.com (lower case, ASCII).";
    list.iter().try_for_each(|domain| match DOMAIN.fault(domain) {
        Some(fault) => Err(fault.refusal(field, "provider.domain", rule)),
        None if is_domain(domain) => Ok(()),
        None => Err(Refusal::invalid(field, "provider.domain", format!("`{domain}` is not a domain such as example.com."))),
    })
}

impl OidcSettings {
    /// Whether the issuer speaks for several tenants: its documents carry `{tenantid}` where the tenant's id belongs.
    #[must_use]
    pub fn is_multi_tenant(&self) -> bool {
        let tenant = self.issuer.split('/').nth(3).unwrap_or_default();
        self.profile == Profile::Entra && matches!(tenant, "common" | "organizations" | "consumers")
    }

    fn validate(&self) -> Result<(), Refusal> {
        address("issuer", &self.issuer)?;
        text("client_id", &self.client_id)?;
        if self.scopes.len() > MAX_LIST || self.scopes.iter().any(|s| SCOPE.fault(s).is_some()) {
            let message = "Scopes are words of 1 to 200 printable characters without quote and backslash (RFC 6749 §3.3).";
            return Err(Refusal::invalid("scopes", "provider.scopes", message));
        }
        names("tenants", &self.tenants)?;
        if let Some(bad) = self.tenants.iter().find(|t| uuid::Uuid::try_parse(t).is_err() || fold(t) != **t) {
            let message = format!("`{bad}` is not a tenant id such as 11111111-2222-3333-4444-555555555555 (lower case).");
            return Err(Refusal::invalid("tenants", "provider.tenant", message));
        }
        if self.is_multi_tenant() && self.tenants.is_empty() {
            let message = "This issuer speaks for every organisation at Microsoft. Name the tenants that are let in.";
            return Err(Refusal::invalid("tenants", "provider.tenants", message));
        }
        self.vendor_url.as_deref().map_or(Ok(()), |url| address("vendor_url", url))?;
        domains("hosted_domains", &self.hosted_domains)?;
        let claims = &self.claims;
        for (field, name) in [
            ("claims.name", &claims.name),
            ("claims.username", &claims.username),
            ("claims.email", &claims.email),
            ("claims.email_verified", &claims.email_verified),
            ("claims.groups", &claims.groups),
        ] {
            text(field, name)?;
        }
        Ok(())
    }
}

impl Provider {
    /// Checks it as a whole.
    ///
    /// # Errors
    /// A refusal that names the field and says what would be right.
    pub fn validate(&self) -> Result<(), Refusal> {
        if let Some(fault) = BUTTON.fault(&self.name) {
            let rule = "The name on the button has 1 to 60 characters, without line breaks or space around it.";
            return Err(fault.refusal("name", "provider.text", rule));
        }
        match &self.settings {
            Settings::Oidc(oidc) => oidc.validate()?,
            Settings::Github(github) => {
                address("base_url", &github.base_url)?;
                address("api_url", &github.api_url)?;
                text("client_id", &github.client_id)?;
                names("organisations", &github.organisations)?;
            }
            Settings::Ldap(ldap) => ldap.validate()?,
        }
        domains("domains", &self.domains)?;
        match &self.creation {
            Creation::Nobody | Creation::Everybody => Ok(()),
            Creation::Domains { domains: list } if list.is_empty() => {
                Err(Refusal::invalid("creation", "provider.creation", "Name at least one domain whose people are let in."))
            }
            Creation::Domains { domains: list } => {
                domains("creation", list)?;
                list.iter().find(|domain| !self.domains.contains(*domain)).map_or(Ok(()), |domain| {
                    let message = format!("This provider proves no address in {domain}: add it to the domains that are its own.");
                    Err(Refusal::invalid("creation", "provider.creation", message))
                })
            }
            Creation::Groups { groups } if groups.is_empty() => {
                Err(Refusal::invalid("creation", "provider.creation", "Name at least one group whose people are let in."))
            }
            Creation::Groups { groups } => names("creation", groups),
        }
    }

    /// Whether it can say of an address that it is somebody's.
    #[must_use]
    pub fn is_authoritative_for(&self, domain: &str) -> bool {
        self.domains.contains(&fold(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entra() -> Provider {
        Provider {
            id: "entra".into(),
            name: "Contoso".into(),
            settings: Settings::Oidc(OidcSettings {
                profile: Profile::Entra,
                issuer: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0".into(),
                client_id: "c".into(),
                ..OidcSettings::default()
            }),
            domains: ["contoso.com".to_owned()].into(),
            creation: Creation::Nobody,
            authoritative: false,
            enabled: true,
            version: 1,
        }
    }

    fn oidc(change: impl FnOnce(&mut OidcSettings)) -> Provider {
        let mut provider = entra();
        let Settings::Oidc(settings) = &mut provider.settings else { unreachable!() };
        change(settings);
        provider
    }

    #[test]
    fn wrong_settings_are_refused_by_field() {
        entra().validate().unwrap();
        let field = |p: Provider| p.validate().unwrap_err().field.unwrap();
        assert_eq!(field(Provider { name: " x".into(), ..entra() }), "name");
        assert_eq!(field(Provider { name: "x".repeat(61), ..entra() }), "name");
        assert_eq!(field(Provider { domains: ["Contoso.com".to_owned()].into(), ..entra() }), "domains");
        assert_eq!(field(Provider { domains: ["com".to_owned()].into(), ..entra() }), "domains");
        assert_eq!(field(Provider { creation: Creation::Domains { domains: [].into() }, ..entra() }), "creation");
        assert_eq!(field(Provider { creation: Creation::Groups { groups: [].into() }, ..entra() }), "creation");
        let of = |domain: &str| Creation::Domains { domains: [domain.to_owned()].into() };
        Provider { creation: of("contoso.com"), ..entra() }.validate().unwrap();
        assert_eq!(field(Provider { creation: of("fabrikam.com"), ..entra() }), "creation");
        for issuer in
            ["", "login.example.com", "ftp://x.example", "https://x.example/?a", "https://x.example/#a", "https://u@x.example"]
        {
            assert_eq!(field(oidc(|s| s.issuer = issuer.into())), "issuer", "{issuer}");
        }
        assert_eq!(field(oidc(|s| s.client_id = String::new())), "client_id");
        assert_eq!(field(oidc(|s| s.scopes = ["a b".to_owned()].into())), "scopes");
        assert_eq!(field(oidc(|s| s.tenants = ["contoso".to_owned()].into())), "tenants");
        assert_eq!(field(oidc(|s| s.claims.groups = String::new())), "claims.groups");
    }

    #[test]
    fn an_issuer_for_everybody_needs_a_list_of_tenants() {
        for tenant in ["common", "organizations", "consumers"] {
            let many = |s: &mut OidcSettings| s.issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
            assert_eq!(oidc(many).validate().unwrap_err().field, Some("tenants"));
            oidc(|s| {
                many(s);
                s.tenants = ["11111111-2222-3333-4444-555555555555".to_owned()].into();
            })
            .validate()
            .unwrap();
        }
    }

    #[test]
    fn domains_are_compared_folded_and_whole() {
        assert!(entra().is_authoritative_for("CONTOSO.com"));
        assert!(!entra().is_authoritative_for("sub.contoso.com") && !entra().is_authoritative_for("evilcontoso.com"));
    }
}
