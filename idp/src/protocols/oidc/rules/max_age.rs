//! OpenID Connect Core §3.1.2.1, `max_age`: seconds since the last authentication that the client accepts.

use crate::core::Timestamp;
use crate::protocols::oidc::OauthError;

/// Reads `max_age`.
///
/// # Errors
/// `invalid_request` unless it is a number of at most ten digits.
pub fn parse(text: Option<&str>) -> Result<Option<i64>, OauthError> {
    let digits = |t: &str| t.len() <= 10 && t.bytes().all(|b| b.is_ascii_digit());
    match text {
        None => Ok(None),
        Some(text) if digits(text) => Ok(text.parse().ok()),
        Some(_) => Err(OauthError::invalid_request("max_age is a number of seconds.")),
    }
}

/// Whether an authentication at `auth_time` is too old at `now`.
#[must_use]
pub fn is_stale(max_age: Option<i64>, auth_time: Timestamp, now: Timestamp) -> bool {
    max_age.is_some_and(|seconds| now.since(auth_time) > seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_compares() {
        for (text, expected) in [("0", Some(0)), ("3600", Some(3600)), ("9999999999", Some(9_999_999_999))] {
            assert_eq!(parse(Some(text)), Ok(expected));
        }
        for bad in ["-1", "1.5", "x", "99999999999", "+1", " 1"] {
            assert!(parse(Some(bad)).is_err(), "{bad}");
        }
        let (now, minute_ago) = (Timestamp(100_000), Timestamp(40_000));
        assert!(!is_stale(None, minute_ago, now));
        assert!(!is_stale(Some(60), minute_ago, now));
        assert!(is_stale(Some(59), minute_ago, now));
        assert!(!is_stale(Some(0), now, now));
        assert!(is_stale(Some(0), minute_ago, now));
    }
}
