//! The texts of bodies, as types: what a text may be stands in the document and is held to when a body is read, from one rule
//! each. The sentence of a refusal names the field; the rules are those of the use cases.

use crate::accounts::input;
use crate::core::text::{self, Email};
use crate::core::text_rule::TextRule;
use crate::core::{client, ids, provider};
use crate::http::etag;
use serde::{Deserialize, Deserializer};
use std::ops::Deref;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// What is said of a text.
struct Said {
    pattern: String,
    length: (usize, usize),
}

fn said(rule: &TextRule) -> Said {
    Said { pattern: rule.pattern(), length: (rule.min, rule.max) }
}

fn text_schema(said: Said, description: &str) -> ObjectBuilder {
    let (min, max) = said.length;
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some(description))
        .pattern(Some(said.pattern))
        .min_length(Some(min))
        .max_length(Some(max))
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident: $fault:expr, $said:expr;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name(String);

        impl $name {
            fn fault(text: &str) -> Option<String> { $fault(text) }
        }
        impl From<$name> for String {
            fn from(text: $name) -> Self { text.0 }
        }
        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                match Self::fault(&text) {
                    None => Ok(Self(text)),
                    Some(why) => Err(serde::de::Error::custom(why)),
                }
            }
        }
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let object: Object = text_schema($said, concat!($($doc),+).trim()).build();
                RefOr::T(Schema::Object(object))
            }
        }
        impl ToSchema for $name {}
    )*};
}

fn by(rule: &'static TextRule) -> impl Fn(&str) -> Option<String> {
    move |text| rule.fault(text).map(|fault| fault.to_string())
}

texts! {
    /// A user name: A-Z, a-z, 0-9, dot, underscore and hyphen.
    Username: by(&text::USERNAME), said(&text::USERNAME);
    /// A name for people, without control characters and marks that turn the direction of text.
    Name: by(&text::NAME), said(&text::NAME);
    /// A short name: lower-case letters, digits and hyphens, not at the edges.
    Slug: by(&text::SLUG), said(&text::SLUG);
    /// An e-mail address.
    Address: Email::fault, Said { pattern: Email::pattern(), length: Email::LENGTH };
    /// Text for people, with line breaks.
    Description: by(&input::DESCRIPTION), said(&input::DESCRIPTION);
    /// A provider, as the configuration of ODCM names it.
    Provider: by(&input::PROVIDER), said(&input::PROVIDER);
    /// A stable id at a provider, byte by byte.
    ForeignId: by(&input::FOREIGN_ID), said(&input::FOREIGN_ID);
    /// What people read of an identity, such as an address.
    Label: by(&input::LABEL), said(&input::LABEL);
    /// Why somebody is disabled; usually `manual`.
    ReasonCode: by(&input::REASON), said(&input::REASON);
    /// The whole public URL of a Space: https, http on loopback only, without user name, query and fragment.
    BaseUrl: by(&input::BASE_URL), said(&input::BASE_URL);
    /// An id of ODCM, lower case.
    ObjectId: ids::fault, Said { pattern: ids::pattern(), length: (36, 36) };
    /// The id of a client.
    ClientKey: by(&ids::CLIENT_ID), said(&ids::CLIENT_ID);
    /// An absolute URI: https, http on loopback, or a private scheme with a dot; without fragment, user name and wildcard.
    RedirectUri: by(&client::REDIRECT_URI), said(&client::REDIRECT_URI);
    /// A scope (RFC 6749).
    ScopeName: by(&client::SCOPE), said(&client::SCOPE);
    /// The audience of access tokens, usually the URL of an API.
    Audience: by(&client::AUDIENCE), said(&client::AUDIENCE);
    /// The name of a provider on buttons.
    Button: by(&provider::BUTTON), said(&provider::BUTTON);
    /// An id at a provider, the name of a claim, the name of an organisation there.
    ProviderText: by(&provider::TEXT), said(&provider::TEXT);
    /// The address of a provider: https, without user name, query and fragment.
    ProviderAddress: by(&provider::ADDRESS), said(&provider::ADDRESS);
    /// A scope of a provider (RFC 6749).
    ProviderScope: by(&provider::SCOPE), said(&provider::SCOPE);
    /// A domain, lower case.
    Domain: by(&provider::DOMAIN), said(&provider::DOMAIN);
    /// The id of an Entra tenant, lower case.
    Tenant: by(&provider::TENANT), said(&provider::TENANT);
    /// The name of an entry or account of a directory.
    DirectoryText: by(&provider::ENTRY), said(&provider::ENTRY);
    /// A filter (RFC 4515).
    DirectoryFilter: by(&provider::FILTER), said(&provider::FILTER);
    /// The name of an attribute (RFC 4512), or nothing.
    AttributeName: by(&provider::ATTRIBUTE), said(&provider::ATTRIBUTE);
    /// Certificates in PEM (RFC 7468).
    Pem: by(&provider::PEM), said(&provider::PEM);
    /// The secret that a provider gave.
    ProviderSecret: by(&crate::accounts::providers::SECRET), said(&crate::accounts::providers::SECRET);
    /// The id of an account or team in a Space, such as `Users-21`.
    SpaceKey: by(&input::SPACE_KEY), said(&input::SPACE_KEY);
}

/// The header `If-Match` as it is described; [`etag::if_match`] reads it.
pub(super) struct IfMatch;

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let (min, max) = etag::LENGTH;
        let tag = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(etag::pattern()))
            .min_length(Some(min))
            .max_length(Some(max));
        let text = "The ETag of the object as you read it, such as `\"7\"`: if somebody changed the object since, the answer is 412 \
                    and nothing happened. `*`, or no header: the last writer wins.";
        let header = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(text))
            .schema(Some(tag));
        vec![header.build()]
    }
}
