//! RFC 6749 §3.1 and §3.2: form-encoded parameters; one without a value counts as absent, one that is sent twice is an
//! error, one that is not known is ignored. Bounded in size and number.

use crate::protocols::oidc::OauthError;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Longest query or body, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
const MAX_COUNT: usize = 64;

/// Parameters of a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<String, String>,
    twice: BTreeSet<String>,
}

/// Names only: among the values are codes, tokens and client secrets.
impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` bytes.
    ///
    /// # Errors
    /// `invalid_request` when it is too long, has too many parameters, or is not UTF-8.
    pub fn parse(text: &[u8]) -> Result<Self, OauthError> {
        let bad = |why: &'static str| OauthError::invalid_request(why);
        if text.len() > MAX_BYTES {
            return Err(bad("The request is longer than 16 KiB."));
        }
        let mut out = Self::default();
        for (count, pair) in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= MAX_COUNT {
                return Err(bad("The request has more than 64 parameters."));
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = form_decode(halves.next().unwrap_or_default());
            let value = form_decode(halves.next().unwrap_or_default());
            let (Some(name), Some(value)) = (name, value) else {
                return Err(bad("The request is not UTF-8."));
            };
            match out.values.entry(name) {
                Entry::Occupied(taken) => {
                    out.twice.insert(taken.key().clone());
                }
                Entry::Vacant(free) => {
                    free.insert(value);
                }
            }
        }
        Ok(out)
    }

    /// A parameter; absent when empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a parameter was sent more than once.
    #[must_use]
    pub fn is_twice(&self, name: &str) -> bool {
        self.twice.contains(name)
    }

    /// Refuses parameters among `known` that were sent more than once.
    ///
    /// # Errors
    /// `invalid_request` that names the parameter.
    pub fn once(&self, known: &[&'static str]) -> Result<(), OauthError> {
        match known.iter().find(|name| self.is_twice(name)) {
            Some(name) => Err(OauthError::invalid_request(format!("The parameter {name} was sent more than once."))),
            None => Ok(()),
        }
    }
}

/// Decodes `%XX` and `+`; what is no escape stays as it is. `None` when the result is not UTF-8.
#[must_use]
pub fn form_decode(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        out.push(match byte {
            b'+' => b' ',
            b'%' => match after.split_first_chunk::<2>().and_then(|(digits, after)| Some((hex(*digits)?, after))) {
                Some((byte, after)) => {
                    rest = after;
                    byte
                }
                None => b'%',
            },
            other => *other,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digits: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let [high, low] = digits;
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_forms_send() {
        let params = Params::parse(b"a=1&b=x+y%20%C3%A9&c=&&d&e=100%&f=%zz&a=2").unwrap();
        assert_eq!((params.get("a"), params.get("b")), (Some("1"), Some("x y é")));
        assert_eq!((params.get("c"), params.get("d"), params.get("g")), (None, None, None));
        assert_eq!((params.get("e"), params.get("f")), (Some("100%"), Some("%zz")));
        assert!(params.once(&["b", "c"]).is_ok());
        assert!(params.once(&["b", "a"]).unwrap_err().description.contains("parameter a"));
        let state = br#"state=%7B%22RedirectAfterLoginTo%22%3A%22%2F%22%7D"#;
        assert_eq!(Params::parse(state).unwrap().get("state"), Some(r#"{"RedirectAfterLoginTo":"/"}"#));
    }

    #[test]
    fn is_bounded() {
        assert!(Params::parse(&vec![b'a'; MAX_BYTES]).is_ok());
        assert!(Params::parse(&vec![b'a'; MAX_BYTES + 1]).is_err());
        let many = |n: usize| (0..n).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
        assert!(Params::parse(many(64).as_bytes()).is_ok());
        assert!(Params::parse(many(65).as_bytes()).is_err());
        assert!(Params::parse(b"a=%ff").is_err());
    }

    proptest! {
        #[test]
        fn gives_back_what_was_encoded(pairs in proptest::collection::btree_map("[a-z]{1,8}", ".{1,40}", 0..8)) {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let params = Params::parse(text.as_bytes()).unwrap();
            for (name, value) in &pairs {
                prop_assert_eq!(params.get(name), Some(value.as_str()));
            }
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Params::parse(&bytes);
        }
    }
}
