//! What a new password must be (NIST SP 800-63B §5.1.1.2): long enough, not one of the most common ones, not the person's
//! own name. No rules of composition, no expiry.

use crate::core::Refusal;
use crate::core::text::fold;
use crate::deps::Deps;
use crate::http::Ctx;

/// Shortest password, in characters.
pub(super) const SHORTEST: usize = 8;
/// Longest password, in characters.
pub(super) const LONGEST: usize = 256;

/// Passwords of eight and more characters that lead every list of stolen ones.
const COMMON: &str = include_str!("common_passwords.txt");

/// Checks a new password. `names` are the person's user name, addresses and name.
///
/// # Errors
/// A refusal that names `password`.
pub fn check_new(password: &str, names: &[&str]) -> Result<(), Refusal> {
    let refuse = |code, text: String| Err(Refusal::invalid("password", code, text));
    let length = password.chars().count();
    if length < SHORTEST {
        return refuse("password.short", format!("A password has at least {SHORTEST} characters. A few words make a good one."));
    }
    if length > LONGEST {
        return refuse("password.long", format!("A password has at most {LONGEST} characters."));
    }
    let folded = fold(password);
    let plain: String = folded.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '!' | '.' | '?')).into();
    if COMMON.lines().any(|common| common == folded || (!plain.is_empty() && common == plain)) {
        return refuse("password.common", "This password is one of the first that an attacker tries. Choose another.".into());
    }
    let mut chars = folded.chars();
    if chars.next().is_some_and(|first| chars.all(|c| c == first)) {
        return refuse("password.common", "This password is one of the first that an attacker tries. Choose another.".into());
    }
    let own = |name: &&&str| {
        let name = fold(name);
        name.chars().count() >= 4 && (folded == name || plain == name || name.split('@').next() == Some(plain.as_str()))
    };
    if names.iter().any(|name| own(&name)) {
        return refuse("password.name", "A password must not be your name or address.".into());
    }
    Ok(())
}

/// The sentence of a refusal in the reader's language: the locale key is its code.
pub(super) fn sentence(deps: &Deps, ctx: &Ctx, refusal: &Refusal) -> String {
    deps.pages.say(&ctx.lang, refusal.code, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules() {
        let names = ["bobsmith", "bob.smith@example.com", "Bob Smith"];
        for (password, code) in [
            ("correct horse", None),
            ("пароль-из-слов", None),
            ("1234567", Some("password.short")),
            (&"x1".repeat(129), Some("password.long")),
            (&"x1".repeat(128), None),
            ("password", Some("password.common")),
            ("Password123!", Some("password.common")),
            ("aaaaaaaaaaaa", Some("password.common")),
            ("BobSmith", Some("password.name")),
            ("bobsmith2026", Some("password.name")),
            ("bob.smith1", Some("password.name")),
        ] {
            assert_eq!(check_new(password, &names).err().map(|r| r.code), code, "{password}");
        }
    }
}
