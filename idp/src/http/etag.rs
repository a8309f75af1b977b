//! Versions as entity tags (RFC 9110 §8.8.3 and §13.1.1): `"7"` for version 7, so that nobody overwrites what they have not
//! seen.

use super::Problem;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

/// Most digits of a version.
const DIGITS: usize = 18;

/// Fewest and most characters of what [`if_match`] reads.
pub const LENGTH: (usize, usize) = (1, DIGITS + 2);

/// The regular expression of what [`if_match`] reads.
#[must_use]
pub fn pattern() -> String {
    format!("^(\\*|\"[0-9]{{1,{DIGITS}}}\")$")
}

/// The tag of a version.
#[must_use]
pub fn tag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The version that the caller has seen: `None` without `If-Match` or with `*`.
///
/// # Errors
/// 400 when the header is not one tag of ours.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let version = inner.filter(|t| t.len() <= DIGITS && t.bytes().all(|b| b.is_ascii_digit()));
    version.and_then(|t| t.parse().ok()).map(Some).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "if_match.invalid",
            "If-Match must be the ETag of the object as you read it, such as \"7\".",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_tags() {
        let with = |v: HeaderValue| HeaderMap::from_iter([(header::IF_MATCH, v)]);
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
        assert_eq!(if_match(&with(tag(7))).unwrap(), Some(7));
        assert_eq!(if_match(&with(HeaderValue::from_static("*"))).unwrap(), None);
        for bad in ["7", "W/\"7\"", "\"x\"", "\"7\", \"8\"", "\"-7\"", "\"+7\"", "\"\"", "\"1000000000000000000\""] {
            assert!(if_match(&with(HeaderValue::from_str(bad).unwrap())).is_err(), "{bad}");
        }
    }
}
