//! Why somebody whose password may be right is not let in, as each kind of directory says it.

use super::ber::{Reader, SEQUENCE};
use super::proto::{Control, Entry, Outcome};
use serde::{Deserialize, Serialize};

/// What keeps somebody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// An administrator disabled the account.
    Disabled,
    /// The account had an end, and it is past.
    AccountExpired,
    /// The password is too old.
    PasswordExpired,
    /// The password was given by an administrator and must be changed first.
    MustChangePassword,
    /// Too many wrong passwords. It is said whatever the password was.
    Locked,
    /// Not at this hour.
    OutsideHours,
    /// Not from here.
    OtherWorkstation,
}

/// How a bind went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindSays {
    /// The password is right.
    Right,
    /// It is right, with a reservation.
    RightBut(Standing),
    /// Wrong name or wrong password: one answer.
    Wrong,
    /// Not let in for this reason.
    Barred(Standing),
    /// Nothing about the password.
    Other,
}

/// Password policy (draft-behera-ldap-password-policy).
pub const PPOLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// "The password has expired", of 389 Directory Server.
const NETSCAPE_EXPIRED: &str = "2.16.840.1.113730.3.4.4";

/// The control that asks for the reasons.
#[must_use]
pub fn ask_for_policy() -> Control {
    Control { oid: PPOLICY.into(), critical: false, value: None }
}

/// What the answer to a bind says of the person.
#[must_use]
pub fn of_bind(outcome: &Outcome) -> BindSays {
    let policy = outcome.control(PPOLICY).and_then(policy_error);
    let expired = outcome.controls.iter().any(|c| c.oid == NETSCAPE_EXPIRED);
    match (outcome.code, policy) {
        (0, Some(0)) => BindSays::RightBut(Standing::PasswordExpired),
        (0, Some(2)) => BindSays::RightBut(Standing::MustChangePassword),
        (0, _) if expired => BindSays::RightBut(Standing::MustChangePassword),
        (0, _) => BindSays::Right,
        (19 | 49 | 53, Some(0)) => BindSays::Barred(Standing::PasswordExpired),
        (19 | 49 | 53, Some(1)) => BindSays::Barred(Standing::Locked),
        (19 | 49 | 53, Some(2)) => BindSays::Barred(Standing::MustChangePassword),
        (49, _) if expired => BindSays::Barred(Standing::PasswordExpired),
        (49, _) => sub_code(&outcome.text).map_or(BindSays::Wrong, BindSays::Barred),
        // no such entry, inappropriate authentication, an invalid name: nobody is told which names exist
        (32 | 34 | 48, _) => BindSays::Wrong,
        // 389 Directory Server: "Account inactivated."
        (53, _) if outcome.text.to_ascii_lowercase().contains("account inactivated") => BindSays::Barred(Standing::Disabled),
        // 389 Directory Server: "Exceed password retry limit."
        (19, _) if outcome.text.to_ascii_lowercase().contains("retry limit") => BindSays::Barred(Standing::Locked),
        _ => BindSays::Other,
    }
}

/// The code in `80090308: LdapErr: DSID-…, comment: AcceptSecurityContext error, data 775, v1db1`.
fn sub_code(text: &str) -> Option<Standing> {
    let rest = text.get(text.find("data ")? + 5..)?;
    let code: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    match code.as_str() {
        "530" => Some(Standing::OutsideHours),
        "531" => Some(Standing::OtherWorkstation),
        "532" => Some(Standing::PasswordExpired),
        "533" => Some(Standing::Disabled),
        "701" => Some(Standing::AccountExpired),
        "773" => Some(Standing::MustChangePassword),
        "775" => Some(Standing::Locked),
        // 525 (no such user) and 52e (wrong password) are one answer
        _ => None,
    }
}

fn policy_error(value: &[u8]) -> Option<i64> {
    let mut body = Reader::new(value).within(SEQUENCE).ok()?;
    body.maybe(0xa0).ok()?;
    super::ber::number(body.maybe(0x81).ok()??).ok()
}

/// Attributes of Active Directory that [`of_entry`] reads.
pub const AD: [&str; 5] =
    ["userAccountControl", "msDS-User-Account-Control-Computed", "accountExpires", "pwdLastSet", "lockoutTime"];
/// Attributes of other directories that [`of_entry`] reads.
pub const LDAP: [&str; 4] = ["nsAccountLock", "pwdAccountLockedTime", "pwdReset", "krbPrincipalExpiration"];

const DISABLED: i64 = 0x2;
const NO_PASSWORD_AGE: i64 = 0x1_0000;
const LOCKED: i64 = 0x10;
const PASSWORD_EXPIRED: i64 = 0x80_0000;

/// What an entry says of its person at this time (seconds since 1970).
#[must_use]
pub fn of_entry(entry: &Entry, now: i64) -> Option<Standing> {
    let number = |name: &str| entry.text(name).and_then(|t| t.parse::<i64>().ok());
    let is_true = |name: &str| entry.text(name).is_some_and(|t| t.eq_ignore_ascii_case("true"));
    let control = number("userAccountControl").unwrap_or(0);
    let computed = number("msDS-User-Account-Control-Computed").unwrap_or(0);
    if control & DISABLED != 0 || is_true("nsAccountLock") {
        return Some(Standing::Disabled);
    }
    // 100 ns since 1601; 0 and the greatest number mean never
    let end = number("accountExpires").filter(|e| *e > 0 && *e != i64::MAX).map(|e| e / 10_000_000 - 11_644_473_600);
    let ends = entry.text("krbPrincipalExpiration").and_then(|t| generalized(&t));
    if end.or(ends).is_some_and(|end| end <= now) {
        return Some(Standing::AccountExpired);
    }
    if computed & LOCKED != 0 || entry.text("pwdAccountLockedTime").is_some() {
        return Some(Standing::Locked);
    }
    if (number("pwdLastSet") == Some(0) && control & NO_PASSWORD_AGE == 0) || is_true("pwdReset") {
        return Some(Standing::MustChangePassword);
    }
    (computed & PASSWORD_EXPIRED != 0).then_some(Standing::PasswordExpired)
}

/// Seconds since 1970 of a time such as `20260102030405Z` or `20260102030405.0Z`.
#[must_use]
pub fn generalized(text: &str) -> Option<i64> {
    let digits = text.get(..14).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    text.ends_with('Z').then_some(())?;
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    fits.then_some(())?;
    // days from the civil calendar, counting years from March
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// A time as a directory writes it.
#[must_use]
pub fn to_generalized(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let m = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * m + 2) / 5 + 1, if m < 10 { m + 3 } else { m - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
