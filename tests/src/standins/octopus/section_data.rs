//! The configuration sections: fields, types, starting values.

use serde_json::{Value, json};

use super::{config::Version, state::Document};

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// `true`, `false` or null.
    MaybeFlag,
    /// Text or null.
    Text,
    /// Whole number.
    Number,
    /// List of texts.
    Texts,
    /// A `SensitiveValue`.
    Secret,
    /// An object of texts; its fields are those of the starting value.
    Object,
}

/// One field of a section.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name in the values.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Starting value; also what a `PUT` without the field sets, if `reset` is false.
    pub start: Value,
    /// First version (year, release) that has it.
    pub since: (u32, u32),
}

/// One section.
pub struct Section {
    /// Id, such as `authentication-od`.
    pub id: &'static str,
    /// Shown name.
    pub name: &'static str,
    /// Free text.
    pub description: &'static str,
    /// First version that has it.
    pub since: Version,
    /// Fields.
    pub fields: Vec<Field>,
}

fn field(name: &'static str, kind: Kind, start: Value) -> Field {
    Field { name, kind, start, since: (0, 0) }
}

fn oidc(more: Vec<Field>) -> Vec<Field> {
    let mut fields = vec![
        field("IsEnabled", Kind::Flag, json!(false)),
        field("Issuer", Kind::Text, Value::Null),
        field("ClientId", Kind::Text, Value::Null),
        field("ClientSecret", Kind::Secret, Value::Null),
        field("AllowAutoUserCreation", Kind::MaybeFlag, json!(true)),
    ];
    fields.extend(more);
    fields
}

const ALWAYS: Version = Version::OLDEST;

/// The sections of a version.
pub fn sections(version: Version) -> Vec<Section> {
    let all = vec![
        Section {
            id: "authentication",
            name: "Authentication",
            description: "Settings of all authentication providers",
            since: ALWAYS,
            fields: vec![
                field("AutoLoginEnabled", Kind::Flag, json!(false)),
                field("IsSelfServiceIdentityEditingEnabled", Kind::Flag, json!(false)),
                field("TrustedRedirectUrls", Kind::Texts, json!([])),
                field("CookieDomain", Kind::Text, Value::Null),
                field("SessionTimeoutInSeconds", Kind::Number, json!(1200)),
                field("MaximumSessionDurationInSeconds", Kind::Number, json!(1_728_000)),
                field("RememberMeEnabled", Kind::Flag, json!(true)),
                Field { since: (2023, 2), ..field("UserApiKeysEnabled", Kind::Flag, json!(true)) },
                Field { since: (2025, 4), ..field("ApiKeyDefaultExpiryDays", Kind::Number, json!(180)) },
                Field { since: (2025, 4), ..field("ApiKeyMaxExpiryDays", Kind::Number, json!(0)) },
                Field { since: (2025, 4), ..field("OidcConfigurationSettings", Kind::Object, json!({"OidcIssuerUrl": null})) },
            ],
        },
        Section {
            id: "authentication-usernamepassword",
            name: "Username / Password",
            description: "Sign-in with a password kept by this server",
            since: ALWAYS,
            fields: vec![field("IsEnabled", Kind::Flag, json!(true))],
        },
        Section {
            id: "authentication-guest",
            name: "Guest Login",
            description: "Sign-in without a password",
            since: ALWAYS,
            fields: vec![field("IsEnabled", Kind::Flag, json!(false))],
        },
        Section {
            id: "authentication-aad",
            name: "Azure AD",
            description: "Sign-in through Azure AD",
            since: ALWAYS,
            fields: oidc(vec![
                field("RoleClaimType", Kind::Text, json!("roles")),
                Field { since: (2025, 4), ..field("ScimEnabled", Kind::Flag, json!(false)) },
            ]),
        },
        Section {
            id: "authentication-googleapps",
            name: "GoogleApps",
            description: "Sign-in through Google",
            since: ALWAYS,
            fields: oidc(vec![field("HostedDomain", Kind::Text, Value::Null)]),
        },
        Section {
            id: "authentication-od",
            name: "Okta",
            description: "Sign-in through Okta",
            since: ALWAYS,
            fields: oidc(vec![
                field("RoleClaimType", Kind::Text, json!("groups")),
                field("UsernameClaimType", Kind::Text, json!("preferred_username")),
            ]),
        },
        directory_services(),
        ldap(),
        Section {
            id: "authentication-octopusid",
            name: "Octopus ID",
            description: "Sign-in through Octopus ID",
            since: ALWAYS,
            fields: oidc(vec![
                field("RoleClaimType", Kind::Text, json!("roles")),
                field("AllowDynamicRegistration", Kind::Flag, json!(false)),
                field("M2MClientId", Kind::Text, Value::Null),
            ]),
        },
        Section {
            id: "authentication-generic-oidc",
            name: "OpenID Connect",
            description: "Sign-in through any OpenID Connect provider",
            since: Version::new(2025, 4, 0),
            fields: oidc(vec![
                field("RoleClaimType", Kind::Text, json!("groups")),
                field("UsernameClaimType", Kind::Text, json!("preferred_username")),
                field("Resource", Kind::Text, Value::Null),
                field("Scopes", Kind::Texts, json!(["openid", "profile", "email"])),
                field("DisplayName", Kind::Text, json!("OpenID Connect")),
            ]),
        },
    ];
    let mut known = all.into_iter().filter(|section| version >= section.since).collect::<Vec<_>>();
    for section in &mut known {
        section.fields.retain(|field| version.at_least(field.since.0, field.since.1));
    }
    known
}

fn directory_services() -> Section {
    Section {
        id: "authentication-directoryservices",
        name: "Active Directory",
        description: "Sign-in with an account of Active Directory",
        since: ALWAYS,
        fields: vec![
            field("IsEnabled", Kind::Flag, json!(false)),
            field("ActiveDirectoryContainer", Kind::Text, Value::Null),
            field("AuthenticationScheme", Kind::Text, json!("Ntlm")),
            field("AllowFormsAuthenticationForDomainUsers", Kind::Flag, json!(true)),
            field("AreSecurityGroupsEnabled", Kind::Flag, json!(true)),
            field("AllowAutoUserCreation", Kind::MaybeFlag, json!(true)),
        ],
    }
}

fn ldap() -> Section {
    let names = json!({
        "UniqueAccountNameAttribute": "cn",
        "UserDisplayNameAttribute": "displayName",
        "UserPrincipalNameAttribute": "userPrincipalName",
        "UserMembershipAttribute": "memberOf",
        "UserEmailAttribute": "mail",
        "GroupNameAttribute": "cn",
    });
    Section {
        id: "authentication-ldap",
        name: "LDAP",
        description: "Sign-in with an account of an LDAP directory",
        since: ALWAYS,
        fields: vec![
            field("IsEnabled", Kind::Flag, json!(false)),
            field("Server", Kind::Text, Value::Null),
            field("Port", Kind::Number, json!(389)),
            field("SecurityProtocol", Kind::Text, json!("None")),
            field("IgnoreSslErrors", Kind::Flag, json!(false)),
            field("ConnectUsername", Kind::Text, Value::Null),
            field("ConnectPassword", Kind::Secret, Value::Null),
            field("UserBaseDN", Kind::Text, Value::Null),
            field("DefaultDomain", Kind::Text, Value::Null),
            field("UserFilter", Kind::Text, json!("(&(objectClass=person)(sAMAccountName=*))")),
            field("GroupBaseDN", Kind::Text, Value::Null),
            field("GroupFilter", Kind::Text, json!("(&(objectClass=group)(cn=*))")),
            field("NestedGroupFilter", Kind::Text, json!("(&(objectClass=group)(uniqueMember=*))")),
            field("NestedGroupSearchDepth", Kind::Number, json!(5)),
            field("AllowAutoUserCreation", Kind::MaybeFlag, json!(true)),
            field("ReferralFollowingEnabled", Kind::Flag, json!(true)),
            field("ReferralHopLimit", Kind::Number, json!(10)),
            field("ConstraintTimeLimit", Kind::Number, json!(0)),
            field("AttributeMapping", Kind::Object, names),
        ],
    }
}

impl Section {
    /// The values that the section starts with.
    pub fn start(&self) -> Document {
        self.fields.iter().map(|field| (field.name.to_owned(), field.start.clone())).collect()
    }
}

impl Kind {
    /// Name of the type in the metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "Boolean",
            Self::MaybeFlag => "Boolean?",
            Self::Text => "String",
            Self::Number => "Int32",
            Self::Texts => "String[]",
            Self::Secret => "SensitiveValue",
            Self::Object => "Object",
        }
    }

    /// What a typed body has when the field is absent.
    pub fn absent(self) -> Value {
        match self {
            Self::Flag => json!(false),
            Self::Number => json!(0),
            Self::Texts => json!([]),
            Self::MaybeFlag | Self::Text | Self::Secret | Self::Object => Value::Null,
        }
    }
}
