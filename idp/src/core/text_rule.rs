//! What a text may be, said once: the checks and the patterns in the document of the API are made from the same rule.

use std::fmt::{self, Write as _};

/// Characters from the first to the last, both included.
pub type Ranges = &'static [(char, char)];

/// What `char::is_control` calls so.
pub const CONTROL: Ranges = &[('\0', '\u{1f}'), ('\u{7f}', '\u{9f}')];
/// Control characters other than line breaks.
pub const CONTROL_IN_LINES: Ranges = &[('\0', '\u{9}'), ('\u{b}', '\u{c}'), ('\u{e}', '\u{1f}'), ('\u{7f}', '\u{9f}')];
/// What `char::is_whitespace` calls so.
pub const SPACE: Ranges = &[
    ('\u{9}', '\u{d}'),
    (' ', ' '),
    ('\u{85}', '\u{85}'),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
];
/// Marks with which one name can be made to look like another (Unicode TR36 §2.10).
pub const TURNS: Ranges =
    &[('\u{200e}', '\u{200f}'), ('\u{202a}', '\u{202e}'), ('\u{2066}', '\u{2069}'), ('\u{feff}', '\u{feff}')];

/// A set of characters.
#[derive(Clone, Copy, Debug)]
pub enum Chars {
    /// These.
    Only(&'static [Ranges]),
    /// All but these.
    Not(&'static [Ranges]),
}

impl Chars {
    /// Whether the character is in the set.
    #[must_use]
    pub fn has(self, c: char) -> bool {
        let named = |sets: &[Ranges]| sets.iter().copied().flatten().any(|(first, last)| (*first..=*last).contains(&c));
        match self {
            Self::Only(sets) => named(sets),
            Self::Not(sets) => !named(sets),
        }
    }
    /// As a regular expression says it (ECMA-262, and what Python and Rust read the same way).
    #[must_use]
    pub fn class(self) -> String {
        let (sets, mut out) = match self {
            Self::Only(sets) => (sets, String::from("[")),
            Self::Not(sets) => (sets, String::from("[^")),
        };
        for (first, last) in sets.iter().copied().flatten() {
            escaped(*first, &mut out);
            if first != last {
                if u32::from(*last) - u32::from(*first) > 1 {
                    out.push('-');
                }
                escaped(*last, &mut out);
            }
        }
        out.push(']');
        out
    }
}

fn escaped(c: char, out: &mut String) {
    let written = match c {
        '-' | '[' | ']' | '\\' | '^' => write!(out, "\\{c}"),
        '!'..='~' => write!(out, "{c}"),
        _ => write!(out, "\\u{:04x}", u32::from(c)),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// What a text may be.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
    /// One of these stands at the beginning; none: anything does.
    pub begins: &'static [&'static str],
    /// What the first and the last character may be.
    pub edge: Chars,
    /// What the others may be; has at least what `edge` has.
    pub inner: Chars,
}

impl TextRule {
    /// So many characters, all of one set.
    #[must_use]
    pub const fn of(min: usize, max: usize, chars: Chars) -> Self {
        Self { min, max, begins: &[], edge: chars, inner: chars }
    }
    /// Only these at the edges.
    #[must_use]
    pub const fn edged(self, edge: Chars) -> Self {
        Self { edge, ..self }
    }
    /// One of these at the beginning.
    #[must_use]
    pub const fn beginning(self, begins: &'static [&'static str]) -> Self {
        Self { begins, ..self }
    }

    /// What is wrong with a text, if anything is.
    #[must_use]
    pub fn fault(&self, text: &str) -> Option<Fault> {
        let count = text.chars().count();
        if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| c.is_control() && !self.inner.has(*c)) {
            return Some(Fault::Control { code: u32::from(c), place: at + 1 });
        }
        if !(self.min..=self.max).contains(&count) {
            return Some(Fault::Length { min: self.min, max: self.max });
        }
        if !self.begins.is_empty() && !self.begins.iter().any(|start| text.starts_with(start)) {
            return Some(Fault::Begins(self.begins));
        }
        if let Some(c) = text.chars().find(|c| !self.inner.has(*c)) {
            return Some(Fault::Foreign(c));
        }
        let edges = [text.chars().next(), text.chars().last()];
        edges.into_iter().flatten().find(|c| !self.edge.has(*c)).map(Fault::Edge)
    }

    /// The regular expression that matches what [`Self::fault`] finds nothing wrong with, but for the length.
    #[must_use]
    pub fn pattern(&self) -> String {
        let (edge, inner) = (self.edge.class(), self.inner.class());
        if !self.begins.is_empty() {
            return format!("^({}){inner}*{edge}$", self.begins.join("|"));
        }
        match (edge == inner, self.min) {
            (true, 0) => format!("^{inner}*$"),
            (true, _) => format!("^{inner}+$"),
            (false, 0) => format!("^({edge}({inner}*{edge})?)?$"),
            (false, _) => format!("^{edge}({inner}*{edge})?$"),
        }
    }

    /// The same without anchors and with the length, as a part of a longer expression.
    #[must_use]
    pub fn part(&self) -> String {
        let (edge, inner) = (self.edge.class(), self.inner.class());
        if edge == inner {
            return format!("{inner}{{{},{}}}", self.min, self.max);
        }
        format!("{edge}({inner}{{0,{}}}{edge})?", self.max.saturating_sub(2))
    }
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It contains a control character.
    Control {
        /// Code point.
        code: u32,
        /// As which character, from 1.
        place: usize,
    },
    /// It is too short or too long.
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// It begins in another way.
    Begins(&'static [&'static str]),
    /// A character does not belong there.
    Foreign(char),
    /// A character does not belong at the beginning or the end.
    Edge(char),
}

impl Fault {
    /// A refusal that names the field: for a control character, which and where; otherwise `rule`, the sentence that says
    /// what would be right.
    #[must_use]
    pub fn refusal(self, field: &'static str, code: &'static str, rule: &'static str) -> super::Refusal {
        match self {
            Self::Control { .. } => super::Refusal::invalid(field, code, format!("The field `{field}`: {self}.")),
            _ => super::Refusal::invalid(field, code, rule),
        }
    }
}

fn shown(c: char) -> String {
    if c.is_ascii_graphic() { format!("`{c}`") } else { format!("U+{:04X}", u32::from(c)) }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control { code, place } => write!(f, "character {place} is the control character U+{code:04X}; take it out"),
            Self::Length { min, max } => write!(f, "it has {min} to {max} characters"),
            Self::Begins(starts) => write!(f, "it begins with {}", starts.join(" or ")),
            Self::Foreign(c) => write!(f, "{} does not belong there", shown(*c)),
            Self::Edge(c) => write!(f, "{} does not belong at the beginning or the end", shown(*c)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_sets_are_those_of_the_language() {
        for c in '\0'..=char::MAX {
            assert_eq!(Chars::Only(&[CONTROL]).has(c), c.is_control(), "{c:?}");
            assert_eq!(Chars::Only(&[CONTROL_IN_LINES]).has(c), c.is_control() && c != '\n' && c != '\r', "{c:?}");
            assert_eq!(Chars::Only(&[SPACE]).has(c), c.is_whitespace(), "{c:?}");
        }
    }

    #[test]
    fn faults_say_what_is_wrong() {
        const RULE: TextRule = TextRule::of(2, 5, Chars::Only(&[&[('a', 'z'), ('-', '-')]])).edged(Chars::Only(&[&[('a', 'z')]]));
        for (text, says) in [
            ("ab\u{7}", "character 3 is the control character U+0007; take it out"),
            ("a", "it has 2 to 5 characters"),
            ("abcdef", "it has 2 to 5 characters"),
            ("a\u{e9}c", "U+00E9 does not belong there"),
            ("aBc", "`B` does not belong there"),
            ("ab-", "`-` does not belong at the beginning or the end"),
        ] {
            assert_eq!(RULE.fault(text).map(|f| f.to_string()).as_deref(), Some(says), "{text:?}");
        }
        assert_eq!(RULE.fault("a-b"), None);
        assert_eq!(RULE.pattern(), "^[a-z]([a-z\\-]*[a-z])?$");
        assert_eq!(RULE.part(), "[a-z]([a-z\\-]{0,3}[a-z])?");
    }
}
