//! Distinguished names (RFC 4514): taken apart, compared, escaped.

/// Longest name that is looked at.
const MAX_DN: usize = 8 * 1024;

/// A distinguished name, taken apart and folded: two that are equal name the same entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dn(Vec<Vec<(String, Vec<u8>)>>);

impl Dn {
    /// Takes a name apart; `None` when it is none. The empty name is the root of the tree.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_DN {
            return None;
        }
        let text = text.trim();
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let rdns = split(text, ',').into_iter().map(rdn).collect::<Option<Vec<_>>>()?;
        Some(Self(rdns))
    }

    /// Whether this entry is `base` or below it.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        self.0.ends_with(&base.0)
    }

    /// The DNS domain that the `DC` parts at the end spell, folded: `corp.test` of `OU=x,DC=corp,DC=test`.
    #[must_use]
    pub fn domain(&self) -> Option<String> {
        let mut labels: Vec<&str> = Vec::new();
        for rdn in self.0.iter().rev() {
            match rdn.as_slice() {
                [(kind, value)] if kind == "dc" => labels.push(std::str::from_utf8(value).ok()?),
                _ => break,
            }
        }
        labels.reverse();
        (!labels.is_empty()).then(|| labels.join("."))
    }

    /// The folded value of the first part, when its attribute is `kind` (lower case).
    #[must_use]
    pub fn leaf(&self, kind: &str) -> Option<&str> {
        let (_, value) = self.0.first()?.iter().find(|(k, _)| k == kind)?;
        std::str::from_utf8(value).ok()
    }

    /// Whether it has no parts.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

/// Cuts at `at` where it is not escaped.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == at {
            parts.push(text.get(start..i).unwrap_or_default());
            start = i + 1;
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn rdn(text: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let mut pairs = split(text, '+')
        .into_iter()
        .map(|pair| {
            let (kind, value) = pair.split_once('=')?;
            let kind = kind.trim();
            let named = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
            named.then_some(())?;
            Some((kind.to_ascii_lowercase(), value_of(value)?))
        })
        .collect::<Option<Vec<_>>>()?;
    pairs.sort();
    Some(pairs)
}

/// Takes the escapes out and folds: no space around, one space within, lower case.
fn value_of(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    // length up to which an escaped character forbids trimming
    let mut keep = 0;
    let mut chars = text.trim_start_matches(' ').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let first = chars.next()?;
                match (first.to_digit(16), chars.peek().and_then(|c| c.to_digit(16))) {
                    (Some(high), Some(low)) => {
                        chars.next();
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    _ => bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                keep = bytes.len();
            }
            '"' | ';' | '<' | '>' | '\0' => return None,
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    while bytes.len() > keep && bytes.last() == Some(&b' ') {
        bytes.pop();
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => {
            let mut folded = String::with_capacity(text.len());
            for c in text.chars().flat_map(char::to_lowercase) {
                if !(c == ' ' && folded.ends_with(' ')) {
                    folded.push(c);
                }
            }
            folded.into_bytes()
        }
        Err(raw) => raw.into_bytes(),
    })
}

/// A text as the value of a part of a name, with nothing left that could end it or begin another.
#[must_use]
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        match c {
            '\0' => out.push_str("\\00"),
            ' ' if i == 0 || i == last => out.push_str("\\20"),
            '#' if i == 0 => out.push_str("\\23"),
            '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out.push_str(&format!("\\{b:02x}"))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn names_are_compared_as_a_directory_does() {
        assert_eq!(dn("CN=Bob (Ops) \\, Jr*,DC=Corp,DC=test"), dn("cn=bob (ops) \\2c jr*, dc=corp , dc=TEST"));
        assert_eq!(dn("cn=a+uid=b,dc=x"), dn("UID=b+CN=a,dc=x"));
        assert_ne!(dn("cn=a\\,dc=x"), dn("cn=a,dc=x"));
        assert_eq!(dn("cn=z\\c3\\b6"), dn("CN=Zö"));
        assert_ne!(dn("cn=\\ff"), dn("cn=\\fe"));
        assert_eq!(dn("cn=a  b"), dn("cn=A b "));
        assert_ne!(dn("cn=a\\20"), dn("cn=a"));
    }

    #[test]
    fn below_means_whole_parts() {
        assert!(dn("cn=a,dc=corp,dc=test").is_within(&dn("DC=corp,DC=test")));
        assert!(dn("dc=test").is_within(&dn("")) && dn("dc=test").is_within(&dn("dc=test")));
        assert!(!dn("cn=a,dc=evilcorp,dc=test").is_within(&dn("dc=corp,dc=test")));
        assert!(!dn("dc=test").is_within(&dn("dc=corp,dc=test")));
        assert!(!dn("cn=a\\,dc=corp,dc=test").is_within(&dn("dc=corp,dc=test")));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["a", "=x", "cn=a,", ",", "cn", "cn=\\", "<GUID=1>", "cn=\"a\"", "c n=a", "cn=a;dc=x"] {
            assert_eq!(Dn::parse(text), None, "{text}");
        }
        assert_eq!(Dn::parse(&format!("cn={}", "a".repeat(MAX_DN))), None);
        assert_eq!(dn("OU=x,DC=Corp,DC=test").domain().as_deref(), Some("corp.test"));
        assert_eq!(dn("o=x").domain(), None);
    }

    proptest! {
        #[test]
        fn an_escaped_value_stays_one_value(value in any::<String>().prop_filter("short", |v| v.len() < 1000)) {
            let parsed = Dn::parse(&format!("cn={},dc=x", escape(&value)));
            let parsed = parsed.expect("parses");
            prop_assert_eq!(parsed.0.len(), 2);
            prop_assert!(parsed.is_within(&dn("dc=x")));
            let plain: String = value.chars().flat_map(char::to_lowercase).collect();
            if !plain.contains("  ") {
                prop_assert_eq!(parsed.leaf("cn"), Some(plain.as_str()));
            }
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _ = Dn::parse(&text).map(|d| (d.domain(), d.is_root()));
        }
    }
}
