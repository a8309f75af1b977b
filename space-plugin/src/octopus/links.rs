//! Link templates as Octopus writes them: RFC 6570 with `{name}`, `{/name}`, `{?a,b}` and `{&a,b}`.

use crate::adapter::{AdapterError, Result};
use serde_json::Value;

/// The link `name` of a document.
pub(super) fn link<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    document.get("Links")?.get(name)?.as_str().filter(|link| !link.is_empty())
}

/// Whether a template takes a variable.
pub(super) fn takes(template: &str, name: &str) -> bool {
    parts(template).is_ok_and(|parts| parts.iter().any(|part| matches!(part, Part::Variables(_, names) if names.contains(&name))))
}

/// Fills a template; a variable without a value vanishes, a value without a variable is left out.
pub(super) fn expand(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut url = String::with_capacity(template.len());
    for part in parts(template)? {
        let (operator, names) = match part {
            Part::Text(text) => {
                url.push_str(text);
                continue;
            }
            Part::Variables(operator, names) => (operator, names),
        };
        let mut first = true;
        for name in names {
            let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else { continue };
            match operator {
                '/' => url.push('/'),
                '?' | '&' => {
                    url.push(if first && operator == '?' && !url.contains('?') { '?' } else { '&' });
                    encode(&mut url, name);
                    url.push('=');
                }
                _ if !first => url.push(','),
                _ => {}
            }
            encode(&mut url, value);
            first = false;
        }
    }
    Ok(url)
}

/// Adds query values that a template did not take (newer servers list less than they understand; what a server does not
/// know it ignores).
pub(super) fn with_query(mut url: String, values: &[(&str, &str)]) -> String {
    for (name, value) in values {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair.split('=').next() == Some(name)) {
            continue;
        }
        url.push(if url.contains('?') { '&' } else { '?' });
        encode(&mut url, name);
        url.push('=');
        encode(&mut url, value);
    }
    url
}

/// Percent-encodes everything but RFC 3986 unreserved characters.
fn encode(url: &mut String, text: &str) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            url.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

enum Part<'a> {
    Text(&'a str),
    /// Operator (a space when there is none) and names.
    Variables(char, Vec<&'a str>),
}

fn parts(template: &str) -> Result<Vec<Part<'_>>> {
    let malformed = || AdapterError::Garbage(format!("a link template is malformed: {}", template.escape_debug()));
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or_else(malformed)?;
        let (operator, names) = match inside.chars().next() {
            Some(operator @ ('/' | '?' | '&')) => (operator, inside.get(1..).unwrap_or_default()),
            Some(char) if char.is_ascii_alphanumeric() || char == '_' => (' ', inside),
            _ => return Err(malformed()),
        };
        let names: Vec<&str> = names.split(',').map(|name| name.trim_end_matches('*')).collect();
        if names.iter().any(|name| name.is_empty() || name.contains('{')) {
            return Err(malformed());
        }
        parts.push(Part::Text(text));
        parts.push(Part::Variables(operator, names));
        rest = after;
    }
    if rest.contains('}') {
        return Err(malformed());
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_octopus_are_filled() {
        let users = "/api/users{/id}{?skip,take,ids,filter}";
        assert_eq!(expand(users, &[]).unwrap(), "/api/users");
        assert_eq!(expand(users, &[("id", "Users-1")]).unwrap(), "/api/users/Users-1");
        assert_eq!(expand(users, &[("take", "5"), ("skip", "0"), ("nope", "1")]).unwrap(), "/api/users?skip=0&take=5");
        assert_eq!(expand(users, &[("id", "../a b?x")]).unwrap(), "/api/users/..%2Fa%20b%3Fx");
        assert_eq!(expand(users, &[("filter", "é&=")]).unwrap(), "/api/users?filter=%C3%A9%26%3D");
        assert_eq!(expand("/api/{spaceId}/x", &[("spaceId", "Spaces-1")]).unwrap(), "/api/Spaces-1/x");
        assert_eq!(expand("/api/x?a=1{&b}", &[("b", "2")]).unwrap(), "/api/x?a=1&b=2");
        assert!(takes(users, "filter") && !takes(users, "users"));
    }

    #[test]
    fn malformed_templates_are_refused() {
        for template in ["/api/{", "/api/}", "/api/{}", "/api/{+a}", "/api/{?}", "/a{?b,,c}", "{{a}}"] {
            assert!(matches!(expand(template, &[]), Err(AdapterError::Garbage(_))), "{template}");
        }
    }

    #[test]
    fn missing_query_values_are_added_once() {
        let url = expand("/api/teams{/id}{?spaces}", &[("spaces", "all")]).unwrap();
        let all = [("spaces", "all"), ("includeSystem", "true")];
        assert_eq!(with_query(url, &all), "/api/teams?spaces=all&includeSystem=true");
        assert_eq!(with_query("/api/teams".into(), &all), "/api/teams?spaces=all&includeSystem=true");
    }
}
