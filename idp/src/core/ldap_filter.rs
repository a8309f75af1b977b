//! Search filters (RFC 4515) as values: read from what an administrator wrote, or built, never pasted together from texts.

use std::fmt;

/// Longest text, deepest nesting and most parts that are read.
const MAX_TEXT: usize = 4_000;
const MAX_DEPTH: usize = 24;

/// A search filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(String),
    /// Has this value.
    Equal(String, Vec<u8>),
    /// Has this value or a greater one.
    AtLeast(String, Vec<u8>),
    /// Has this value or a lesser one.
    AtMost(String, Vec<u8>),
    /// Sounds like this.
    Like(String, Vec<u8>),
    /// Pieces of a value in this order.
    Pieces {
        /// Attribute.
        attribute: String,
        /// How it begins; empty: in any way.
        first: Vec<u8>,
        /// What stands between.
        middle: Vec<Vec<u8>>,
        /// How it ends; empty: in any way.
        last: Vec<u8>,
    },
    /// A matching rule.
    Rule {
        /// Attribute; empty: any.
        attribute: String,
        /// Its name; empty: the one of the attribute.
        rule: String,
        /// Value.
        value: Vec<u8>,
        /// Whether parts of the name count as attributes.
        dn: bool,
    },
}

impl Filter {
    /// Equality with a text.
    #[must_use]
    pub fn equal(attribute: &str, value: impl AsRef<[u8]>) -> Self {
        Self::Equal(attribute.to_owned(), value.as_ref().to_vec())
    }

    /// Equality with one of several.
    pub fn any_of<V: AsRef<[u8]>>(attribute: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self::Or(values.into_iter().map(|value| Self::equal(attribute, value)).collect())
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(vec![self, other])
    }

    /// `(objectClass=*)`, which every entry matches.
    #[must_use]
    pub fn everything() -> Self {
        Self::Present("objectClass".into())
    }

    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong, and where, for an administrator.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("it is longer than {MAX_TEXT} characters"));
        }
        let mut reader = Reader { text, at: 0 };
        reader.space();
        let filter = reader.filter(0)?;
        reader.space();
        if reader.peek().is_some() { Err(reader.fault("something follows the end of the filter")) } else { Ok(filter) }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn fault(&self, what: &str) -> String {
        let near: String = self.text.get(self.at..).unwrap_or_default().chars().filter(|c| !c.is_control()).take(20).collect();
        if near.is_empty() { format!("{what}, at its end") } else { format!("{what}, at `{near}`") }
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.peek() == Some(c) {
            self.next();
            return Ok(());
        }
        Err(self.fault(&format!("a `{c}` is missing")))
    }

    fn filter(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        self.expect('(')?;
        let filter = match self.peek() {
            Some('&') => Filter::And(self.list(depth)?),
            Some('|') => Filter::Or(self.list(depth)?),
            Some('!') => {
                self.next();
                self.space();
                let inner = self.filter(depth + 1)?;
                self.space();
                Filter::Not(Box::new(inner))
            }
            _ => self.item()?,
        };
        self.expect(')')?;
        Ok(filter)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Filter>, String> {
        self.next();
        let mut parts = Vec::new();
        loop {
            self.space();
            if self.peek() == Some(')') {
                break;
            }
            parts.push(self.filter(depth + 1)?);
        }
        if parts.is_empty() { Err(self.fault("`&` and `|` need at least one filter")) } else { Ok(parts) }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_')) {
            word.push(c);
            self.next();
        }
        word
    }

    fn item(&mut self) -> Result<Filter, String> {
        let attribute = self.word();
        if self.peek() == Some(':') {
            return self.rule(attribute);
        }
        if !is_attribute(&attribute) {
            return Err(self.fault("the name of an attribute is missing"));
        }
        let kind = self.next();
        match kind {
            Some('=') => self.equality(attribute),
            Some('>' | '<' | '~') => {
                self.expect('=')?;
                let value = self.single()?;
                Ok(match kind {
                    Some('>') => Filter::AtLeast(attribute, value),
                    Some('<') => Filter::AtMost(attribute, value),
                    _ => Filter::Like(attribute, value),
                })
            }
            _ => Err(self.fault(&format!("a comparison such as `=` is missing after `{attribute}`"))),
        }
    }

    fn rule(&mut self, attribute: String) -> Result<Filter, String> {
        let (mut dn, mut rule) = (false, String::new());
        while self.peek() == Some(':') {
            self.next();
            if self.peek() == Some('=') {
                self.next();
                if attribute.is_empty() && rule.is_empty() {
                    return Err(self.fault("a matching rule needs a name or an attribute"));
                }
                return Ok(Filter::Rule { attribute, rule, value: self.single()?, dn });
            }
            let word = self.word();
            match word.as_str() {
                "dn" if !dn && rule.is_empty() => dn = true,
                _ if rule.is_empty() && is_attribute(&word) => rule = word,
                _ => break,
            }
        }
        Err(self.fault("the matching rule is not of the form `attribute:rule:=value`"))
    }

    fn equality(&mut self, attribute: String) -> Result<Filter, String> {
        let mut pieces = vec![self.value()?];
        while self.peek() == Some('*') {
            self.next();
            pieces.push(self.value()?);
        }
        let last = pieces.pop().unwrap_or_default();
        if pieces.is_empty() {
            return Ok(Filter::Equal(attribute, last));
        }
        let first = pieces.remove(0);
        let middle: Vec<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        if first.is_empty() && middle.is_empty() && last.is_empty() {
            return Ok(Filter::Present(attribute));
        }
        Ok(Filter::Pieces { attribute, first, middle, last })
    }

    fn single(&mut self) -> Result<Vec<u8>, String> {
        let value = self.value()?;
        if self.peek() == Some('*') { Err(self.fault("a star has no meaning here; write it as `\\2a`")) } else { Ok(value) }
    }

    fn value(&mut self) -> Result<Vec<u8>, String> {
        let mut value = Vec::new();
        while let Some(c) = self.peek().filter(|c| !matches!(c, '(' | ')' | '*' | '\0')) {
            self.next();
            if c == '\\' {
                let digit = |c: Option<char>| c.and_then(|c| c.to_digit(16));
                let (Some(high), Some(low)) = (digit(self.next()), digit(self.next())) else {
                    return Err(self.fault("a backslash is followed by two hexadecimal digits, as in `\\28`"));
                };
                value.extend(u8::try_from(high * 16 + low));
            } else {
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Ok(value)
    }
}

/// Whether a text can be the name of an attribute, with options.
#[must_use]
pub fn is_attribute(text: &str) -> bool {
    text.len() <= 200
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';' | b'_'))
}

/// A value as it stands in the text of a filter.
#[must_use]
pub fn escape(value: &[u8]) -> String {
    let plain = std::str::from_utf8(value).is_ok();
    value.iter().fold(String::with_capacity(value.len()), |mut out, &b| {
        if b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'*' | b'\\') || (plain && b == b' ') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("\\{b:02x}"));
        }
        out
    })
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, sign: char, parts: &[Self]| {
            write!(f, "({sign}")?;
            parts.iter().try_for_each(|part| write!(f, "{part}"))?;
            f.write_str(")")
        };
        match self {
            Self::And(parts) => list(f, '&', parts),
            Self::Or(parts) => list(f, '|', parts),
            Self::Not(inner) => write!(f, "(!{inner})"),
            Self::Present(a) => write!(f, "({a}=*)"),
            Self::Equal(a, v) => write!(f, "({a}={})", escape(v)),
            Self::AtLeast(a, v) => write!(f, "({a}>={})", escape(v)),
            Self::AtMost(a, v) => write!(f, "({a}<={})", escape(v)),
            Self::Like(a, v) => write!(f, "({a}~={})", escape(v)),
            Self::Pieces { attribute, first, middle, last } => {
                write!(f, "({attribute}={}*", escape(first))?;
                middle.iter().try_for_each(|piece| write!(f, "{}*", escape(piece)))?;
                write!(f, "{})", escape(last))
            }
            Self::Rule { attribute, rule, value, dn } => {
                let (dn, colon) = (if *dn { ":dn" } else { "" }, if rule.is_empty() { "" } else { ":" });
                write!(f, "({attribute}{dn}{colon}{rule}:={})", escape(value))
            }
        }
    }
}

#[cfg(test)]
#[path = "ldap_filter_tests.rs"]
mod tests;
