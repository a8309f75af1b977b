//! Tokens of our own that come back: `id_token_hint` (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §4) and access
//! tokens (RFC 9068 §4). The key pins the algorithm, `typ` parts the kinds, `iss` and `aud` must be ours.

use crate::core::Timestamp;
use crate::core::ids::ClientId;
use crate::crypto::jose::Typ;
use crate::crypto::keys::KeyRing;
use serde::Deserialize;

/// What an ID token hint says. It may have expired (the sections say so for both uses).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hint {
    iss: String,
    /// Subject.
    pub sub: String,
    /// The client it was issued to.
    pub aud: ClientId,
    /// Session at that client.
    #[serde(default)]
    pub sid: Option<String>,
}

/// Reads an ID token of ours.
#[must_use]
pub fn hint(ring: &KeyRing, issuer: &str, token: &str) -> Option<Hint> {
    let hint: Hint = serde_json::from_slice(&ring.verify(token, Typ::Jwt)?).ok()?;
    (hint.iss == issuer).then_some(hint)
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Access {
    iss: String,
    /// Subject.
    pub sub: String,
    aud: OneOrMany,
    /// The client it was issued to.
    pub client_id: ClientId,
    /// End, Unix seconds.
    pub exp: i64,
    /// Its id; the part before the dot is the family.
    pub jti: String,
    /// Space-separated.
    #[serde(default)]
    pub scope: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Access {
    /// The family, for a token that belongs to a person.
    #[must_use]
    pub fn family(&self) -> Option<&str> {
        self.jti.split_once('.').map(|(family, _)| family)
    }
    /// Whether it carries a scope.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|s| s == scope)
    }
    /// Whether it is meant for ODCM's own endpoints.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            OneOrMany::One(aud) => aud == audience,
            OneOrMany::Many(list) => list.iter().any(|aud| aud == audience),
        }
    }
}

/// Reads an access token of ours that has not expired.
#[must_use]
pub fn access(ring: &KeyRing, issuer: &str, token: &str, now: Timestamp) -> Option<Access> {
    let access: Access = serde_json::from_slice(&ring.verify(token, Typ::AccessToken)?).ok()?;
    (access.iss == issuer && now.secs() < access.exp).then_some(access)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::jose::{Alg, Signer};
    use serde_json::{Value, json};
    use std::sync::Arc;

    const ISSUER: &str = "https://id.example.com";

    fn ring() -> (KeyRing, Arc<Signer>) {
        let signer = Arc::new(Signer::from_pkcs8(Alg::Es256, &crate::testing::ready_key(Alg::Es256).unwrap()).unwrap());
        (KeyRing::new(vec![signer.clone()], None, vec![signer.clone()]), signer)
    }
    fn with(mut claims: Value, name: &str, value: Value) -> Value {
        claims[name] = value;
        claims
    }

    #[test]
    fn hints() {
        let (ring, signer) = ring();
        let good = json!({"iss": ISSUER, "sub": "s", "aud": "app", "sid": "x", "exp": 1});
        let read = |typ, claims: &Value| hint(&ring, ISSUER, &signer.sign(typ, claims).unwrap());
        assert_eq!(read(Typ::Jwt, &good).unwrap().aud.as_str(), "app");
        assert!(read(Typ::AccessToken, &good).is_none(), "an access token is no hint");
        assert!(read(Typ::Jwt, &with(good.clone(), "iss", json!("https://evil.com"))).is_none());
        assert!(read(Typ::Jwt, &with(good.clone(), "aud", json!(["app", "b"]))).is_none());
        assert!(hint(&KeyRing::default(), ISSUER, &signer.sign(Typ::Jwt, &good).unwrap()).is_none(), "unknown key");
    }

    #[test]
    fn access_tokens() {
        let (ring, signer) = ring();
        let good =
            json!({"iss": ISSUER, "sub": "s", "aud": ISSUER, "client_id": "app", "exp": 100, "jti": "f.1", "scope": "openid x"});
        let read = |typ, claims: &Value, at| access(&ring, ISSUER, &signer.sign(typ, claims).unwrap(), Timestamp(at));
        let token = read(Typ::AccessToken, &good, 99_999).unwrap();
        assert_eq!(
            (token.family(), token.has("openid"), token.has("open"), token.is_for(ISSUER)),
            (Some("f"), true, false, true)
        );
        assert!(read(Typ::AccessToken, &good, 100_000).is_none(), "expired");
        assert!(read(Typ::Jwt, &good, 0).is_none(), "an ID token is no access token");
        assert!(read(Typ::AccessToken, &with(good.clone(), "iss", json!("x")), 0).is_none());
        let list = read(Typ::AccessToken, &with(good.clone(), "aud", json!(["api", ISSUER])), 0).unwrap();
        assert!(list.is_for(ISSUER) && list.is_for("api"));
        assert!(!read(Typ::AccessToken, &with(good, "aud", json!("api")), 0).unwrap().is_for(ISSUER));
    }
}
