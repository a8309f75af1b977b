//! How typed values travel to and from columns, the same on both engines.

use crate::core::Timestamp;
use crate::core::ids::{
    AgentId, ApiTokenId, AuditId, ClientId, EmailId, GrantId, GroupId, IdentityId, JobId, PersonId, RightId, SessionId, SpaceId,
};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

/// JSON kept as TEXT on both engines; never queried inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct J<T>(pub T);

impl<T, DB: Database> Type<DB> for J<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }
    fn compatible(ty: &DB::TypeInfo) -> bool {
        String::compatible(ty)
    }
}

impl<'q, T: serde::Serialize, DB: Database> Encode<'q, DB> for J<T>
where
    String: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buf: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        serde_json::to_string(&self.0)?.encode(buf)
    }
}

impl<'r, T: serde::de::DeserializeOwned, DB: Database> Decode<'r, DB> for J<T>
where
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(serde_json::from_str(<&str>::decode(value)?)?))
    }
}

macro_rules! text {
    ($($t:ty)*) => {$(
        impl<DB: Database> Type<DB> for $t where String: Type<DB> {
            fn type_info() -> DB::TypeInfo { String::type_info() }
            fn compatible(ty: &DB::TypeInfo) -> bool { String::compatible(ty) }
        }
        impl<'q, DB: Database> Encode<'q, DB> for $t where String: Encode<'q, DB> {
            fn encode_by_ref(&self, buf: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                self.as_str().to_owned().encode(buf)
            }
        }
        impl<'r, DB: Database> Decode<'r, DB> for $t where &'r str: Decode<'r, DB> {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(Self::parse(<&str>::decode(value)?)?)
            }
        }
    )*};
}

text! { AgentId ApiTokenId AuditId ClientId EmailId GrantId GroupId IdentityId JobId PersonId RightId SessionId SpaceId }

impl<DB: Database> Type<DB> for Timestamp
where
    i64: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        i64::type_info()
    }
    fn compatible(ty: &DB::TypeInfo) -> bool {
        i64::compatible(ty)
    }
}

impl<'q, DB: Database> Encode<'q, DB> for Timestamp
where
    i64: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buf: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(buf)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Timestamp
where
    i64: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        i64::decode(value).map(Self)
    }
}
