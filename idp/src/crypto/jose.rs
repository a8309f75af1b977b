//! JSON Web Signatures, small and ours (`docs/decisions` and the facts: the usual library parses the key at each call, which
//! doubles the price of RS256). A key pair is parsed once; headers are encoded once; a verifier accepts exactly the algorithm
//! of its key (RFC 8725 §3.1), exactly the `typ` asked for (§3.11), and no other header member.

use super::CryptoError;
use super::hash::{b64, sha256, unb64};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde::{Deserialize, Serialize};

pub use crate::core::keyset::Alg;

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 12 * 1024;

/// What kind of token it is: the `typ` of its header, so that one kind never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typ {
    /// ID token.
    Jwt,
    /// Access token (RFC 9068 §2.1).
    AccessToken,
}

impl Typ {
    fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AccessToken => "at+jwt",
        }
    }
}

/// A public key as JSON (RFC 7517), with the members RFC 7638 makes its thumbprint of, and no certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `RSA`, `EC`, `OKP`.
    pub kty: String,
    /// Algorithm.
    pub alg: String,
    /// Key id: the RFC 7638 thumbprint, 43 characters that are safe in a file name.
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_: String,
    /// RSA modulus.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub n: Option<String>,
    /// RSA exponent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub e: Option<String>,
    /// Curve.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crv: Option<String>,
    /// First coordinate, or the whole Ed25519 key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub x: Option<String>,
    /// Second coordinate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub y: Option<String>,
}

impl Jwk {
    fn new(alg: Alg, members: [Option<Vec<u8>>; 4]) -> Self {
        let [n, e, x, y] = members.map(|part| part.map(b64));
        let (kty, crv) = match alg {
            Alg::Rs256 => ("RSA", None),
            Alg::Es256 => ("EC", Some("P-256")),
            Alg::EdDsa => ("OKP", Some("Ed25519")),
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        // RFC 7638 §3.2 and RFC 8037 §2: required members only, in lexicographic order, without white space
        let canonical = match alg {
            Alg::Rs256 => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(&e), text(&n)),
            Alg::Es256 => format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(&x), text(&y)),
            Alg::EdDsa => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(&x)),
        };
        let kid = b64(sha256(canonical.as_bytes()));
        Self { kty: kty.into(), alg: alg.as_str().into(), kid, use_: "sig".into(), n, e, crv: crv.map(Into::into), x, y }
    }
}

/// A key pair, parsed once. Keep it in an `Arc`.
pub struct Signer {
    pair: Pair,
    jwk: Jwk,
    alg: Alg,
    verifier: Verifier,
    jwt_header: String,
    access_header: String,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({} {})", self.alg.as_str(), self.jwk.kid)
    }
}

/// Makes a private key in PKCS#8 form, with the generator of aws-lc-rs. A secret. RSA takes a tenth of a second or more.
///
/// # Errors
/// Only if the library fails.
pub fn generate(alg: Alg) -> Result<Vec<u8>, CryptoError> {
    let fault = |_| CryptoError::new("no key could be made");
    match alg {
        Alg::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(fault)?;
            let der: Pkcs8V1Der<'static> = pair.as_der().map_err(fault)?;
            Ok(der.as_ref().to_vec())
        }
        Alg::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(fault)?;
            Ok(pair.to_pkcs8v1().map_err(fault)?.as_ref().to_vec())
        }
        Alg::EdDsa => {
            let pair = Ed25519KeyPair::generate().map_err(fault)?;
            Ok(pair.to_pkcs8().map_err(fault)?.as_ref().to_vec())
        }
    }
}

impl Signer {
    /// Parses a private key in PKCS#8 form.
    ///
    /// # Errors
    /// When it is not a key of that algorithm.
    pub fn from_pkcs8(alg: Alg, der: &[u8]) -> Result<Self, CryptoError> {
        let fault = |_| CryptoError::new("this is not a private key of that algorithm");
        let (pair, public) = match alg {
            Alg::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(fault)?;
                let public = pair.public_key().as_ref().to_vec();
                (Pair::Rsa(Box::new(pair)), public)
            }
            Alg::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(fault)?;
                let public = pair.public_key().as_ref().to_vec();
                (Pair::Ec(Box::new(pair)), public)
            }
            Alg::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(der).map_err(fault)?;
                let public = pair.public_key().as_ref().to_vec();
                (Pair::Ed(Box::new(pair)), public)
            }
        };
        let jwk = public_jwk(alg, &public).ok_or_else(|| CryptoError::new("the public key has an unexpected form"))?;
        let verifier = Verifier::new(alg, &public)?;
        let header =
            |typ: Typ| b64(format!(r#"{{"alg":"{}","kid":"{}","typ":"{}"}}"#, alg.as_str(), jwk.kid, typ.as_str())) + ".";
        Ok(Self { pair, alg, verifier, jwt_header: header(Typ::Jwt), access_header: header(Typ::AccessToken), jwk })
    }

    /// The public half.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }
    /// Key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }
    /// Algorithm.
    #[must_use]
    pub fn alg(&self) -> Alg {
        self.alg
    }
    /// Checks what this key signed.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
    /// The raw public key: 32 bytes for Ed25519.
    #[must_use]
    pub fn public_raw(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// Signs bytes as they are: what JWS, and the documents of the fleet, put their signature on.
    ///
    /// # Errors
    /// Only if the library fails.
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let fault = |_| CryptoError::new("signing failed");
        // aws-lc-rs ignores this argument and uses its own generator.
        let random = SystemRandom::new();
        Ok(match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut out).map_err(fault)?;
                out
            }
            Pair::Ec(pair) => pair.sign(&random, message).map_err(fault)?.as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }

    /// A signed token (RFC 7515 §3.1 compact form).
    ///
    /// # Errors
    /// When the claims cannot be written as JSON, or the library fails.
    pub fn sign(&self, typ: Typ, claims: &impl Serialize) -> Result<String, CryptoError> {
        let json = serde_json::to_vec(claims).map_err(|e| CryptoError(format!("claims: {e}")))?;
        let mut token = match typ {
            Typ::Jwt => self.jwt_header.clone(),
            Typ::AccessToken => self.access_header.clone(),
        };
        token.push_str(&b64(json));
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&b64(signature));
        Ok(token)
    }
}

/// A public key, parsed once; accepts signatures of its own algorithm only.
#[derive(Clone, Debug)]
pub struct Verifier {
    alg: Alg,
    key: ParsedPublicKey,
}

impl Verifier {
    /// From the raw form: `RSAPublicKey` DER, uncompressed point, or 32 bytes of Ed25519.
    ///
    /// # Errors
    /// When it is not a public key of that algorithm.
    pub fn new(alg: Alg, public: &[u8]) -> Result<Self, CryptoError> {
        let fault = |_| CryptoError::new("this is not a public key of that algorithm");
        let key = match alg {
            Alg::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
            Alg::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
            Alg::EdDsa => ParsedPublicKey::new(&ED25519, public),
        };
        Ok(Self { alg, key: key.map_err(fault)? })
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

/// Verifies an Ed25519 signature by a raw public key: what agents use to prove themselves.
#[must_use]
pub fn ed25519_verifies(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    Verifier::new(Alg::EdDsa, public).is_ok_and(|key| key.verifies(message, signature))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Checks a token made by [`Signer::sign`] and gives the JSON of its claims. Says nothing about issuer, audience and time:
/// that is for the caller. `find` gives the verifier of a key id.
#[must_use]
pub fn verify(token: &str, typ: Typ, find: impl FnOnce(&str) -> Option<Verifier>) -> Option<Vec<u8>> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&unb64(header)?).ok()?;
    if header.typ != typ.as_str() {
        return None;
    }
    let verifier = find(&header.kid)?;
    if header.alg != verifier.alg.as_str() || !verifier.verifies(signed.as_bytes(), &unb64(signature)?) {
        return None;
    }
    unb64(claims)
}

fn public_jwk(alg: Alg, public: &[u8]) -> Option<Jwk> {
    Some(match alg {
        Alg::Rs256 => {
            let (n, e) = rsa_numbers(public)?;
            Jwk::new(alg, [Some(n), Some(e), None, None])
        }
        Alg::Es256 => {
            let (x, y) = public.strip_prefix(&[4])?.split_at_checked(32)?;
            (y.len() == 32).then(|| Jwk::new(alg, [None, None, Some(x.to_vec()), Some(y.to_vec())]))?
        }
        Alg::EdDsa => Jwk::new(alg, [None, None, Some(public.to_vec()), None]),
    })
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 A.1.1), as aws-lc-rs writes it.
fn rsa_numbers(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (body, rest) = der_value(0x30, der)?;
    let (n, after) = der_value(0x02, body)?;
    let (e, end) = der_value(0x02, after)?;
    let unsigned = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    (rest.is_empty() && end.is_empty()).then(|| (unsigned(n), unsigned(e)))
}

fn der_value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(a, rest)| (usize::from(*a), rest))?,
        0x82 => rest.split_first_chunk::<2>().map(|(ab, rest)| (usize::from(u16::from_be_bytes(*ab)), rest))?,
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
#[path = "jose_tests.rs"]
mod tests;
