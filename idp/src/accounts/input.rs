//! Inputs that several use cases share, checked once.

use crate::core::directory::Span;
use crate::core::text_rule::{CONTROL, CONTROL_IN_LINES, Chars, Ranges, SPACE, TextRule};
use crate::core::{Refusal, Timestamp};
use url::{Host, Url};

const LOWER: Ranges = &[('a', 'z'), ('0', '9'), ('-', '.'), ('_', '_')];

/// Text for people, with line breaks.
pub const DESCRIPTION: TextRule = TextRule::of(0, 500, Chars::Not(&[CONTROL_IN_LINES]));
/// The name of a provider, as in the configuration of ODCM.
pub const PROVIDER: TextRule = TextRule::of(1, 64, Chars::Only(&[LOWER]));
/// The stable id of something at a provider.
pub const FOREIGN_ID: TextRule = TextRule::of(1, 256, Chars::Not(&[CONTROL])).edged(Chars::Not(&[CONTROL, SPACE]));
/// What people read of an identity.
pub const LABEL: TextRule = TextRule::of(0, 254, Chars::Not(&[CONTROL]));
/// The id of an account or team in a Space.
pub const SPACE_KEY: TextRule = TextRule::of(1, 100, Chars::Not(&[CONTROL]));
/// Why somebody is disabled.
pub const REASON: TextRule = TextRule::of(1, 64, Chars::Only(&[LOWER, &[(':', ':')]]));
/// The address of a Space; that it is one is for [`base_url`] to say.
pub const BASE_URL: TextRule = TextRule::of(8, 500, Chars::Not(&[CONTROL, SPACE, &[('#', '#'), ('?', '?'), ('\\', '\\')]]))
    .beginning(&["https://", "http://"]);

/// Up to 500 characters of text for people, without control characters but line breaks.
///
/// # Errors
/// A refusal that names `description`.
pub fn description(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    match DESCRIPTION.fault(text) {
        None => Ok(text.into()),
        Some(fault) => Err(fault.refusal("description", "description.invalid", "A description has at most 500 characters.")),
    }
}

/// The name of a provider: 1 to 64 characters `a-z 0-9 . _ -`, as in the configuration of ODCM.
///
/// # Errors
/// A refusal that names `provider`.
pub fn provider(text: &str) -> Result<String, Refusal> {
    let rule = "A provider has 1 to 64 characters: a-z 0-9 . _ - (such as `entra`).";
    PROVIDER.fault(text).map_or_else(|| Ok(text.to_owned()), |f| Err(f.refusal("provider", "provider.invalid", rule)))
}

/// The stable id of something at a provider, byte by byte as the provider says it: 1 to 256 characters without control
/// characters or space around them.
///
/// # Errors
/// A refusal that names `field`.
pub fn foreign_id(field: &'static str, text: &str) -> Result<String, Refusal> {
    let rule = "The id at the provider has 1 to 256 characters, without line breaks or space around it.";
    FOREIGN_ID.fault(text).map_or_else(|| Ok(text.to_owned()), |f| Err(f.refusal(field, "foreign_id.invalid", rule)))
}

/// A span that begins before it ends.
///
/// # Errors
/// A refusal that names `until`.
pub fn span(from: Option<Timestamp>, until: Option<Timestamp>) -> Result<Span, Refusal> {
    let span = Span { from, until };
    if span.ever() { Ok(span) } else { Err(Refusal::invalid("until", "span.empty", "The end must be after the beginning.")) }
}

/// A span that can still hold at `now`.
pub(super) fn still_to_come(span: Span, now: Timestamp) -> Result<(), Refusal> {
    self::span(span.from, span.until)?;
    if span.until.is_some_and(|until| until <= now) {
        return Err(Refusal::invalid("until", "span.past", "The end is in the past. Remove it instead, or choose a later end."));
    }
    Ok(())
}

/// The public URL of a Space, normalised: lower-case host, no default port, no trailing slash. Plain http is for loopback
/// hosts only. A path is allowed (Octopus may stand under a virtual directory).
///
/// # Errors
/// A refusal that names `base_url`.
pub fn base_url(text: &str) -> Result<String, Refusal> {
    let bad = |why: &str| Refusal::invalid("base_url", "base_url.invalid", format!("The address of a Space {why}."));
    let text = text.trim();
    if let Some(fault) = BASE_URL.fault(text) {
        let rule =
            "The address of a Space is a whole URL such as https://octopus.example.com, at most 500 characters, without ? and #.";
        return Err(fault.refusal("base_url", "base_url.invalid", rule));
    }
    let url = Url::parse(text).map_err(|_| bad("is a whole URL such as https://octopus.example.com"))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(bad("needs a host")),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(bad("must be https; plain http is for localhost only")),
        _ => return Err(bad("begins with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("must not contain a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("must not contain ? or #"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_spaces_are_normalised() {
        for (given, kept) in [
            ("https://Mars.Example.com/", "https://mars.example.com"),
            (" https://mars.example.com:443/octopus/ ", "https://mars.example.com/octopus"),
            ("http://mars.localhost:8091", "http://mars.localhost:8091"),
            ("http://[::1]:80/", "http://[::1]"),
            ("http://127.0.0.2:9", "http://127.0.0.2:9"),
        ] {
            assert_eq!(base_url(given).unwrap(), kept);
        }
        for bad in [
            "",
            "mars.example.com",
            "http://mars.example.com",
            "http://localhost.example.com",
            "ftp://localhost",
            "https://u@mars",
            "https://mars?x",
            "https://mars#x",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert_eq!(base_url(bad).unwrap_err().field, Some("base_url"), "{bad}");
        }
    }

    #[test]
    fn spans_end_after_they_begin() {
        let t = |n| Some(Timestamp(n));
        assert!(span(t(1), t(2)).is_ok() && span(None, t(2)).is_ok());
        assert!(span(t(2), t(2)).is_err());
        assert!(still_to_come(Span { from: None, until: t(5) }, Timestamp(4)).is_ok());
        assert!(still_to_come(Span { from: None, until: t(5) }, Timestamp(5)).is_err());
    }
}
