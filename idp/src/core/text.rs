//! Texts that are normalised once and then carried as types: e-mail addresses, user names, slugs, display names.

use super::Refusal;
use super::text_rule::{CONTROL, Chars, Fault, Ranges, SPACE, TURNS, TextRule};
use serde::Serialize;
use std::fmt;

const LETTERS: Ranges = &[('A', 'Z'), ('a', 'z')];
const DIGITS: Ranges = &[('0', '9')];
const HYPHEN: Ranges = &[('-', '-')];
/// Printable ASCII without space and `"(),:;<>@[\]`. Octopus joins by address in a collation of its database's: what looks or
/// compares alike must not get there.
const IN_ADDRESSES: Ranges =
    &[('!', '!'), ('#', '\''), ('*', '+'), ('-', '-'), ('.', '9'), ('=', '='), ('?', '?'), ('A', 'Z'), ('^', '~')];

/// What stands before the @ of an address.
const LOCAL: TextRule = TextRule::of(1, 64, Chars::Only(&[IN_ADDRESSES]));
/// A part of a domain.
const LABEL: TextRule = TextRule::of(1, 63, Chars::Only(&[LETTERS, DIGITS, HYPHEN])).edged(Chars::Only(&[LETTERS, DIGITS]));
/// Most characters of an address.
const ADDRESS: usize = 254;
/// A user name.
pub const USERNAME: TextRule = TextRule::of(1, 64, Chars::Only(&[LETTERS, DIGITS, &[('-', '.'), ('_', '_')]]));
/// A name for people to read, as long as Octopus accepts it.
pub const NAME: TextRule = TextRule::of(1, 64, Chars::Not(&[CONTROL, TURNS])).edged(Chars::Not(&[CONTROL, TURNS, SPACE]));
/// A short name for addresses.
pub const SLUG: TextRule =
    TextRule::of(1, 40, Chars::Only(&[&[('a', 'z')], DIGITS, HYPHEN])).edged(Chars::Only(&[&[('a', 'z')], DIGITS]));

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
        let text = text.trim();
        match Self::fault(text) {
            None => Ok(Self(text.into())),
            Some(why) => Err(Refusal::invalid("email", "email.invalid", format!("This is not an e-mail address: {why}."))),
        }
    }
    /// What is wrong with an address, if anything is.
    #[must_use]
    pub fn fault(text: &str) -> Option<String> {
        if let Some(fault) = TextRule::of(0, usize::MAX, Chars::Not(&[CONTROL])).fault(text) {
            return Some(fault.to_string());
        }
        let Some((local, domain)) = text.split_once('@') else {
            return Some("it needs an @ between name and domain".into());
        };
        let length = |fault: &Fault| matches!(fault, Fault::Length { .. });
        let within = LOCAL.fault(local);
        if text.chars().count() > ADDRESS || within.as_ref().is_some_and(length) {
            return Some(format!("the name before the @ has 1 to {} characters, the whole at most {ADDRESS}", LOCAL.max));
        }
        if let Some(fault) = within {
            return Some(fault.to_string());
        }
        let foreign = domain.split('.').any(|label| LABEL.fault(label).is_some());
        foreign.then(|| "the part after the @ is not a domain".into())
    }
    /// The regular expression of what [`Self::fault`] finds nothing wrong with, but for the whole length.
    #[must_use]
    pub fn pattern() -> String {
        let label = LABEL.part();
        format!("^{}@{label}(\\.{label})*$", LOCAL.part())
    }
    /// Fewest and most characters.
    pub const LENGTH: (usize, usize) = (3, ADDRESS);
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
        if let Some(fault) = USERNAME.fault(text) {
            let rule =
                "A user name has 1 to 64 characters: A-Z, a-z, 0-9, dot, underscore and hyphen. It is not an e-mail address.";
            return Err(fault.refusal("username", "username.invalid", rule));
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
        if let Some(fault) = NAME.fault(&text) {
            let rule = "A name has 1 to 64 characters, without control characters and marks that turn the direction of text.";
            return Err(fault.refusal(field, "name.invalid", rule));
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
        if let Some(fault) = SLUG.fault(text) {
            let rule = "A short name has 1 to 40 characters: lower-case letters, digits and hyphens, not at the edges.";
            return Err(fault.refusal("slug", "slug.invalid", rule));
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
