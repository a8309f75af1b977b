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
            fields: oidc(vec![field("RoleClaimType", Kind::Text, json!("roles"))]),
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
        }
    }

    /// What a typed body has when the field is absent.
    pub fn absent(self) -> Value {
        match self {
            Self::Flag => json!(false),
            Self::Number => json!(0),
            Self::Texts => json!([]),
            Self::MaybeFlag | Self::Text | Self::Secret => Value::Null,
        }
    }
}
