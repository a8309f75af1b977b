//! Tokens that somebody else signed: the keys that a provider publishes (RFC 7517) and the signatures it makes with them. A key
//! is good for one family of algorithms, whatever a token's header says (RFC 8725 §3.1); `none` and everything symmetric do not
//! exist here (§3.2). What a token claims about time, issuer and audience is for the caller.

use super::hash::unb64;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest token that is looked at, in bytes: those of Entra with groups reach 10 KiB.
pub const MAX_TOKEN: usize = 32 * 1024;
/// Most keys of one provider.
const MAX_KEYS: usize = 64;

/// What is wrong with a token. For administrators and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No token, or too long.
    #[error("it is no signed token (RFC 7515), or longer than 32 KiB")]
    Form,
    /// A header that is not understood or not allowed.
    #[error("its header names an algorithm or extension that is not accepted")]
    Header,
    /// No key of the provider fits.
    #[error("it names a key that the provider does not publish")]
    Key,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(ParsedPublicKey),
    P384(ParsedPublicKey),
    Ed25519(ParsedPublicKey),
}

/// A public key of a provider.
pub struct ForeignKey {
    kid: Option<String>,
    /// The one algorithm it is for, if the provider says so.
    alg: Option<String>,
    public: Public,
}

impl std::fmt::Debug for ForeignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ForeignKey({:?} {:?})", self.kid, self.alg)
    }
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl ForeignKey {
    fn parse(raw: RawKey) -> Option<Self> {
        if raw.use_.is_some_and(|use_| use_ != "sig") {
            return None;
        }
        let bytes = |part: Option<String>| unb64(part?);
        let point = |size: usize| {
            let (x, y) = (bytes(raw.x.clone())?, bytes(raw.y.clone())?);
            (x.len() == size && y.len() == size).then(|| [vec![4], x, y].concat())
        };
        let public = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(raw.n)?, bytes(raw.e)?);
                // a modulus in front of which zeroes stand is refused by the library when it is used
                (n.len() <= 1024 && e.len() <= 8).then(|| Public::Rsa(RsaPublicKeyComponents { n, e }))?
            }
            ("EC", Some("P-256")) => Public::P256(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(32)?).ok()?),
            ("EC", Some("P-384")) => Public::P384(ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(48)?).ok()?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(ParsedPublicKey::new(&ED25519, bytes(raw.x)?).ok()?),
            _ => return None,
        };
        Some(Self { kid: raw.kid, alg: raw.alg, public })
    }

    /// Its kind, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.public {
            Public::Rsa(_) => "RSA",
            Public::P256(_) => "P-256",
            Public::P384(_) => "P-384",
            Public::Ed25519(_) => "Ed25519",
        }
    }

    /// Whether this key is one for an algorithm.
    fn is_for(&self, alg: &str) -> bool {
        let family = match &self.public {
            Public::Rsa(_) => rsa(alg).is_some(),
            Public::P256(_) => alg == "ES256",
            Public::P384(_) => alg == "ES384",
            Public::Ed25519(_) => matches!(alg, "EdDSA" | "Ed25519"),
        };
        family && self.alg.as_deref().is_none_or(|own| own == alg)
    }

    fn verifies(&self, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::Rsa(key) => rsa(alg).is_some_and(|how| key.verify(how, message, signature).is_ok()),
            Public::P256(key) | Public::P384(key) | Public::Ed25519(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

fn rsa(alg: &str) -> Option<&'static RsaParameters> {
    Some(match alg {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// Reads a key set. Keys of a kind that is not known here are left out, as RFC 7517 §5 has it.
#[must_use]
pub fn keys(set: &Value) -> Vec<ForeignKey> {
    let list = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let raw = list.iter().take(MAX_KEYS).filter_map(|key| RawKey::deserialize(key).ok());
    raw.filter_map(ForeignKey::parse).collect()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token that was cut up and not checked yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    alg: String,
    kid: Option<String>,
    /// What kind of token it says it is.
    pub typ: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Cuts up a token in compact form.
    ///
    /// # Errors
    /// [`Fault::Form`], and [`Fault::Header`] for extensions that must be understood (RFC 7515 §4.1.11): none is.
    pub fn parse(token: &'a str) -> Result<Self, Fault> {
        if token.len() > MAX_TOKEN {
            return Err(Fault::Form);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Fault::Form)?;
        let signature = unb64(signature).ok_or(Fault::Form)?;
        let header: Header = unb64(header).and_then(|json| serde_json::from_slice(&json).ok()).ok_or(Fault::Form)?;
        if header.crit.is_some() {
            return Err(Fault::Header);
        }
        Ok(Self { signed, claims, signature, alg: header.alg, kid: header.kid, typ: header.typ })
    }

    /// Whether one of these keys is the one it names. If not, the provider may have published a new one.
    #[must_use]
    pub fn finds_key(&self, keys: &[ForeignKey]) -> bool {
        self.candidates(keys).next().is_some()
    }

    /// A key with the name that the token gives; if it gives none, any of the right kind.
    fn candidates<'k>(&self, keys: &'k [ForeignKey]) -> impl Iterator<Item = &'k ForeignKey> {
        let named = |key: &&ForeignKey| match (&self.kid, &key.kid) {
            (Some(named), Some(own)) => named == own,
            (Some(_), None) | (None, _) => true,
        };
        keys.iter().filter(move |key| named(key) && key.is_for(&self.alg))
    }

    /// Checks the signature and gives the claims.
    ///
    /// # Errors
    /// [`Fault::Header`], [`Fault::Key`], [`Fault::Signature`], [`Fault::Form`] when the claims are no JSON object.
    pub fn verify(&self, keys: &[ForeignKey]) -> Result<Map<String, Value>, Fault> {
        if rsa(&self.alg).is_none() && !matches!(self.alg.as_str(), "ES256" | "ES384" | "EdDSA" | "Ed25519") {
            return Err(Fault::Header);
        }
        let mut found = self.candidates(keys).peekable();
        if found.peek().is_none() {
            return Err(Fault::Key);
        }
        if !found.any(|key| key.verifies(&self.alg, self.signed.as_bytes(), &self.signature)) {
            return Err(Fault::Signature);
        }
        unb64(self.claims).and_then(|json| serde_json::from_slice(&json).ok()).ok_or(Fault::Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::b64;
    use crate::crypto::jose::{Alg, Signer, Typ, generate};
    use serde_json::json;

    fn set(signers: &[&Signer]) -> Value {
        json!({ "keys": signers.iter().map(|s| serde_json::to_value(s.jwk()).unwrap()).collect::<Vec<_>>() })
    }

    fn signer(alg: Alg) -> Signer {
        Signer::from_pkcs8(alg, &generate(alg).unwrap()).unwrap()
    }

    fn check(token: &str, keys: &[ForeignKey]) -> Result<Map<String, Value>, Fault> {
        Unverified::parse(token)?.verify(keys)
    }

    #[test]
    fn what_was_signed_is_read_with_each_kind_of_key() {
        for alg in [Alg::Rs256, Alg::Es256, Alg::EdDsa] {
            let (mine, other) = (signer(alg), signer(alg));
            let token = mine.sign(Typ::Jwt, &json!({ "sub": "x" })).unwrap();
            assert_eq!(check(&token, &keys(&set(&[&other, &mine]))).unwrap()["sub"], "x");
            assert_eq!(check(&token, &keys(&set(&[&other]))).unwrap_err(), Fault::Key);
            let (head, signature) = token.rsplit_once('.').unwrap();
            let mut wrong = unb64(signature).unwrap();
            wrong[5] ^= 1;
            assert_eq!(check(&format!("{head}.{}", b64(wrong)), &keys(&set(&[&mine]))).unwrap_err(), Fault::Signature);
            let (header, _) = head.split_once('.').unwrap();
            let forged = format!("{header}.{}.{signature}", b64(r#"{"sub":"y"}"#));
            assert_eq!(check(&forged, &keys(&set(&[&mine]))).unwrap_err(), Fault::Signature);
        }
    }

    #[test]
    fn algorithms_that_are_none_do_not_exist() {
        let mine = signer(Alg::Rs256);
        let keys = keys(&set(&[&mine]));
        let with = |header: Value| {
            let head = format!("{}.{}", b64(header.to_string()), b64(r#"{"sub":"x"}"#));
            let signature = mine.sign_bytes(head.as_bytes()).unwrap();
            format!("{head}.{}", b64(signature))
        };
        check(&with(json!({ "alg": "RS256", "kid": mine.kid() })), &keys).unwrap();
        check(&with(json!({ "alg": "RS256" })), &keys).unwrap();
        for alg in ["none", "None", "HS256", "HS512", "RSA1_5", "", "rs256"] {
            assert_eq!(check(&with(json!({ "alg": alg, "kid": mine.kid() })), &keys).unwrap_err(), Fault::Header, "{alg}");
        }
        // its key says RS256
        assert_eq!(check(&with(json!({ "alg": "PS256", "kid": mine.kid() })), &keys).unwrap_err(), Fault::Key);
        assert_eq!(check(&with(json!({ "alg": "ES256", "kid": mine.kid() })), &keys).unwrap_err(), Fault::Key);
        assert_eq!(check(&with(json!({ "alg": "RS256", "crit": ["b64"], "b64": false })), &keys).unwrap_err(), Fault::Header);
        for broken in ["", "a.b", "a.b.c", "..", &format!("{}.e30.", b64(r#"{"alg":"none"}"#))] {
            assert!(check(broken, &keys).is_err(), "{broken}");
        }
        assert_eq!(check(&"a".repeat(MAX_TOKEN + 1), &keys).unwrap_err(), Fault::Form);
    }

    #[test]
    fn strange_keys_are_left_out_and_the_others_kept() {
        let mine = signer(Alg::Es256);
        let good = serde_json::to_value(mine.jwk()).unwrap();
        let mut encrypts = good.clone();
        encrypts["use"] = json!("enc");
        let short = json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" });
        let strange = json!({ "kty": "OCT", "k": "AAAA" });
        assert_eq!(keys(&json!({ "keys": [1, null, {}, strange, short, encrypts, good] })).len(), 1);
        let many: Vec<_> = (0..1000).map(|_| good.clone()).collect();
        assert_eq!(keys(&json!({ "keys": many })).len(), MAX_KEYS);
        assert_eq!(keys(&json!({ "keys": "x" })).len() + keys(&json!([])).len(), 0);
    }
}
