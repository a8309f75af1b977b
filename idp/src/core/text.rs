//! Texts that are normalised once and then carried as types: e-mail addresses, user names, slugs, display names.

use super::Refusal;
use serde::Serialize;
use std::fmt;

/// An e-mail address as its owner writes it, with a case-folded key to compare by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Checks the shape: printable ASCII (a domain in its ASCII form), one `@`, at most 254 characters.
    ///
    /// # Errors
    /// A refusal that names `email`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let bad =
            |why: &'static str| Refusal::invalid("email", "email.invalid", format!("This is not an e-mail address: {why}."));
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or_else(|| bad("it needs an @ between name and domain"))?;
        if text.len() > 254 || local.is_empty() || local.len() > 64 {
            return Err(bad("the name before the @ has 1 to 64 characters, the whole at most 254"));
        }
        let forbidden = |c: char| {
            // Octopus joins by address in a collation of its database's: what looks or compares alike must not get there
            !c.is_ascii_graphic() || matches!(c, '<' | '>' | '(' | ')' | '"' | ',' | ';' | '\\' | '[' | ']' | ':' | '@')
        };
        if local.chars().any(forbidden) || domain.chars().any(forbidden) {
            return Err(bad("it contains a character that does not belong there"));
        }
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !domain.split('.').all(label) {
            return Err(bad("the part after the @ is not a domain"));
        }
        Ok(Self(text.into()))
    }
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Lower-case form: two addresses with one key are the same address here.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }
    /// The domain, lower case.
    #[must_use]
    pub fn domain(&self) -> String {
        self.0.rsplit_once('@').map(|(_, d)| fold(d)).unwrap_or_default()
    }
}

/// A user name: 1 to 64 characters `A-Z a-z 0-9 . _ -`, never looking like an address (rules A8). ASCII only: what two
/// servers call equal must not depend on their collations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Username(String);

impl Username {
    /// Checks length and characters.
    ///
    /// # Errors
    /// A refusal that names `username`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let count = text.chars().count();
        if !(1..=64).contains(&count) || !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
            return Err(Refusal::invalid(
                "username",
                "username.invalid",
                "A user name has 1 to 64 characters: A-Z, a-z, 0-9, dot, underscore and hyphen. It is not an e-mail address.",
            ));
        }
        Ok(Self(text.into()))
    }
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Lower-case form.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// Marks with which one name can be made to look like another (Unicode TR36 §2.10).
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A name for people to read: 1 to 64 characters (what Octopus accepts), no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DisplayName(String);

impl DisplayName {
    /// Checks the length. `field` is named in the refusal.
    ///
    /// # Errors
    /// A refusal that names `field`.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Refusal> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !(1..=64).contains(&text.chars().count()) || text.chars().any(|c| c.is_control() || turns_text(c)) {
            let text = "A name has 1 to 64 characters, without control characters and marks that turn the direction of text.";
            return Err(Refusal::invalid(field, "name.invalid", text));
        }
        Ok(Self(text))
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Lower-case form.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// A short name for addresses: 1 to 40 characters `a-z 0-9 -`, beginning and ending with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Checks length and characters.
    ///
    /// # Errors
    /// A refusal that names `slug`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.len() > 40 || !edge(text.chars().next()) || !edge(text.chars().last()) || !text.chars().all(inner) {
            return Err(Refusal::invalid(
                "slug",
                "slug.invalid",
                "A short name has 1 to 40 characters: lower-case letters, digits and hyphens, not at the edges.",
            ));
        }
        Ok(Self(text.into()))
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Case folding for keys: what "the same name" means everywhere.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

macro_rules! display {
    ($($t:ty)*) => {$(
        impl fmt::Display for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) } }
    )*};
}
display! { Email Username DisplayName Slug }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["bob@example.com", "Bob.O'Hara+x@Example.co.uk", "a@b"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "bob",
            "@x",
            "bob@",
            "b ob@x",
            "bob@x@y",
            "bob@-x",
            "<bob@x>",
            "bob@x\n",
            "a@b..c",
            "bob\u{200b}@x",
            "\u{ff42}ob@x",
            "\u{431}ob@x",
            "b\u{f6}b@x",
            "bob@\u{431}.com",
            "bob@x\u{200b}",
            "bob@\u{ff58}",
        ] {
            let trimmed_ok = bad == "bob@x\n"; // surrounding space is trimmed
            assert_eq!(Email::parse(bad).is_ok(), trimmed_ok, "{bad}");
        }
        assert_eq!(Email::parse("Bob@X.Com").unwrap().key(), "bob@x.com");
    }

    #[test]
    fn a_username_never_looks_like_an_address() {
        assert!(Username::parse("bob.smith-1").is_ok());
        for bad in ["", "bob@x", "bob smith", "b\u{f6}b", "\u{ff41}dmin", &"a".repeat(65)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slugs() {
        assert!(Slug::parse("mars-1").is_ok());
        for bad in ["", "-mars", "mars-", "Mars", "ma rs", &"a".repeat(41)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
