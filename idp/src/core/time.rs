//! Points in time: Unix milliseconds. Where "now" comes from is the business of `ports::Clock`.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This point plus `ms` milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// This point plus `s` seconds.
    #[must_use]
    pub fn plus_secs(self, s: i64) -> Self {
        self.plus_ms(s.saturating_mul(1000))
    }
    /// Milliseconds from `earlier` to this point.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    /// Whole Unix seconds (RFC 7519 NumericDate).
    #[must_use]
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// RFC 3339 in UTC with milliseconds, such as `2026-11-22T13:00:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (y, m, d) = civil(days);
        let (h, min, s, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{milli:03}Z")
    }
    /// Reads RFC 3339 in UTC as programs write it, with seconds and an end that says UTC: what [`Self::pattern`] matches.
    #[must_use]
    pub fn parse_exact(text: &str) -> Option<Self> {
        let rest = text.get(PICTURE.len()..)?;
        let digit = |(c, p): (u8, u8)| if p == b'0' { c.is_ascii_digit() } else { c == p };
        let clock = rest.strip_suffix("Z").or_else(|| rest.strip_suffix("+00:00"))?;
        let fraction = |t: &str| (1..=FRACTION).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        let whole =
            text.bytes().zip(PICTURE.bytes()).all(digit) && (clock.is_empty() || clock.strip_prefix('.').is_some_and(fraction));
        whole.then(|| Self::parse(text)).flatten()
    }
    /// The regular expression of what [`Self::parse_exact`] reads, but for days and hours that do not exist.
    #[must_use]
    pub fn pattern() -> String {
        let rest = PICTURE.get(4..).unwrap_or_default().replace('0', "[0-9]");
        format!("^(19[7-9][0-9]|[2-9][0-9]{{3}}){rest}(\\.[0-9]{{1,{FRACTION}}})?(Z|\\+00:00)$")
    }
    /// Reads RFC 3339 in UTC (`…Z` or `+00:00`), with or without seconds and fractions; also the `YYYY-MM-DD` and
    /// `YYYY-MM-DDTHH:MM` of HTML forms, taken as UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
        let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
        let mut date = date.split('-').map(|p| if p.bytes().all(|b| b.is_ascii_digit()) { p.parse::<i64>().ok() } else { None });
        let (y, m, d) = (date.next()??, date.next()??, date.next()??);
        if date.next().is_some() || !(1970..=9999).contains(&y) || !(1..=12).contains(&m) || d < 1 {
            return None;
        }
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = clock.split(':').map(|p| if p.len() == 2 { p.parse::<u32>().ok() } else { None });
        let (h, min, s) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
        if parts.next().is_some() || h > 23 || min > 59 || s > 59 || fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        let nanos = fraction.parse::<u64>().ok()? * 10u64.pow(9 - u32::try_from(fraction.len()).ok()?);
        let days = days_from_civil(y, m, d);
        if civil(days) != (y, m, d) {
            return None;
        }
        let seconds = i64::from(h) * 3600 + i64::from(min) * 60 + i64::from(s);
        Some(Self(days * 86_400_000 + seconds * 1000 + i64::try_from(nanos / 1_000_000).ok()?))
    }
}

/// How a point in time begins: 0 stands for a digit.
const PICTURE: &str = "0000-00-00T00:00:00";
/// Most digits of a fraction of a second.
const FRACTION: usize = 9;

// Howard Hinnant's days-from-civil algorithm, proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(m <= 2), m, doy - (153 * mp + 2) / 5 + 1)
}

fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_795_352_400_000, "2026-11-22T13:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(ms).rfc3339(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(ms)));
        }
        assert_eq!(Timestamp::parse("2026-11-22"), Timestamp::parse("2026-11-22T00:00Z"));
        for exact in ["2026-11-22T13:00:00Z", "2026-11-22T13:00:00+00:00", "2026-11-22T13:00:00.123456789Z"] {
            assert_eq!(Timestamp::parse_exact(exact).map(Timestamp::secs), Some(1_795_352_400), "{exact}");
        }
        for loose in [
            "2026-11-22",
            "2026-11-22 13:00:00Z",
            "2026-11-22T13:00Z",
            "2026-11-22T13:00:00",
            " 2026-11-22T13:00:00Z",
            "2026-11-22T13:00:00.Z",
            "2026-11-22T13:00:00\u{661}Z",
        ] {
            assert_eq!(Timestamp::parse_exact(loose), None, "{loose}");
        }
        for bad in [
            "",
            "2026",
            "2026-02-30",
            "2026-13-01",
            "2026-01-01T24:00",
            "2026-01-01T1:00",
            "-1-01-01",
            "2026-01-01T00:00:00+02:00",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }
}
