//! Dates as the API writes them: `2023-05-01T10:20:30.456+00:00`.

const DAY: i64 = 86_400_000;

/// Writes Unix milliseconds as an ISO date with milliseconds and the offset `+00:00`.
pub fn iso(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY));
    let rest = ms.rem_euclid(DAY);
    let (h, m, s, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}+00:00")
}

/// Reads an ISO date with or without fraction and offset (no offset means UTC); `None` when it is none.
pub fn parse(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut ms = days(year, month, day) * DAY;
    let Some(clock) = text.get(10..).filter(|rest| !rest.is_empty()) else { return Some(ms) };
    if !clock.starts_with(['T', ' ']) {
        return None;
    }
    let (h, m, s) = (number(11..13)?, number(14..16)?, number(17..19)?);
    ms += (h * 3600 + m * 60 + s) * 1000;
    let mut rest = text.get(19..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let padded = format!("{:0<3}", fraction.get(..digits)?);
        ms += padded.get(..3)?.parse::<i64>().ok()?;
        rest = fraction.get(digits..)?;
    }
    match rest {
        "" | "Z" => Some(ms),
        offset => {
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            Some(ms - sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000)
        }
    }
}

/// Writes a date as cookies and `Expires` headers want it.
pub fn http_date(ms: i64) -> String {
    const WEEK: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = ms.div_euclid(DAY);
    let (year, month, day) = civil(days);
    let seconds = ms.rem_euclid(DAY) / 1000;
    let pick = |list: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| list.get(index).copied()).unwrap_or_default()
    };
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        pick(&WEEK, days.rem_euclid(7)),
        pick(&MONTHS, month - 1),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

// Civil calendar from days since 1970, after Howard Hinnant's algorithms.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for ms in [0, 951_782_400_123, 1_700_000_000_000, 4_102_444_799_999] {
            assert_eq!(parse(&iso(ms)), Some(ms));
        }
        assert_eq!(iso(1_700_000_000_456), "2023-11-14T22:13:20.456+00:00");
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse("2023-11-14T23:13:20.4567891+01:00"), Some(1_700_000_000_456));
        assert_eq!(parse("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
        assert_eq!(parse("soon"), None);
    }
}
