//! Inputs that several use cases share, checked once.

use crate::core::directory::Span;
use crate::core::{Refusal, Timestamp};
use url::{Host, Url};

/// Up to 500 characters of text for people, without control characters but line breaks.
///
/// # Errors
/// A refusal that names `description`.
pub fn description(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() > 500 || text.chars().any(|c| c.is_control() && c != '\n' && c != '\r') {
        return Err(Refusal::invalid("description", "description.invalid", "A description has at most 500 characters."));
    }
    Ok(text.into())
}

/// The name of a provider: 1 to 64 characters `a-z 0-9 . _ -`, as in the configuration of ODCM.
///
/// # Errors
/// A refusal that names `provider`.
pub fn provider(text: &str) -> Result<String, Refusal> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&text.len()) && text.chars().all(good) {
        return Ok(text.to_owned());
    }
    Err(Refusal::invalid("provider", "provider.invalid", "A provider has 1 to 64 characters: a-z 0-9 . _ - (such as `entra`)."))
}

/// The stable id of something at a provider, byte by byte as the provider says it: 1 to 256 characters without control
/// characters or space around them.
///
/// # Errors
/// A refusal that names `field`.
pub fn foreign_id(field: &'static str, text: &str) -> Result<String, Refusal> {
    if (1..=256).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let why = "The id at the provider has 1 to 256 characters, without line breaks or space around it.";
    Err(Refusal::invalid(field, "foreign_id.invalid", why))
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
    if text.len() > 500 {
        return Err(bad("has at most 500 characters"));
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
