//! Our cookies. Host-only, `Path=/`, `HttpOnly`, `SameSite=Lax`; with https also `Secure` and the `__Host-` prefix, so that
//! no other host of the site can set them (RFC 6265bis §4.1.3.2). Octopus uses the names `s` and `n`: never ours.

use crate::config::Settings;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The sign-in session.
    Session,
    /// Binds sign-ins under way to this browser.
    Login,
    /// A device on which somebody signed in before; keeps its own lane when others fail (rules D1).
    Device,
    /// Chosen language.
    Lang,
    /// Key of a message for the next page.
    Flash,
}

impl Cookie {
    /// Its name; `secure` tells whether the public address is https.
    #[must_use]
    pub fn name(self, secure: bool) -> String {
        let name = match self {
            Self::Session => "odcm-session",
            Self::Login => "odcm-login",
            Self::Device => "odcm-device",
            Self::Lang => "odcm-lang",
            Self::Flash => "odcm-flash",
        };
        if secure { format!("__Host-{name}") } else { name.into() }
    }
}

/// The value of a cookie in the request, if it is there, printable ASCII (as all of ours are) and at most 4096 bytes long.
/// The header is read as bytes: browsers send the cookies of the whole site in one line, and whatever another host of the
/// site put there (`x=é`) must not hide ours.
#[must_use]
pub fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let fine = (1..=4096).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        std::str::from_utf8(value).ok().filter(|_| fine)
    })
}

/// Sets a cookie on the answer; without `max_age_s` it lives as long as the browser session.
pub fn set(response: &mut Response, settings: &Settings, cookie: Cookie, value: &str, max_age_s: Option<i64>) {
    let secure = settings.public.secure();
    let age = max_age_s.map(|s| format!("; Max-Age={s}")).unwrap_or_default();
    let tail = if secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{tail}", cookie.name(secure));
    match HeaderValue::from_str(&text) {
        Ok(value) => {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        Err(_) => tracing::error!(?cookie, "a cookie value is not fit for a header"),
    }
}

/// Makes the browser forget a cookie.
pub fn clear(response: &mut Response, settings: &Settings, cookie: Cookie) {
    set(response, settings, cookie, "", Some(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;
    use axum::response::IntoResponse;

    #[test]
    fn attributes_follow_the_public_address() {
        for (public, expected) in [
            ("https://id.example.com", "__Host-odcm-session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=5; Secure"),
            ("http://localhost:8080", "odcm-session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=5"),
        ] {
            let settings = Settings::with_public(PublicUrl::parse(public).unwrap());
            let mut response = ().into_response();
            set(&mut response, &settings, Cookie::Session, "v", Some(5));
            assert_eq!(response.headers()[header::SET_COOKIE], expected);
        }
    }

    #[test]
    fn finds_the_exact_name_only() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; odcm-session=; xodcm-session=bad; odcm-session=good".parse().unwrap());
        headers.append(header::COOKIE, "odcm-login=2".parse().unwrap());
        assert_eq!(find(&headers, "odcm-session"), Some("good"));
        assert_eq!(find(&headers, "odcm-login"), Some("2"));
        assert_eq!(find(&headers, "odcm"), None);
    }

    #[test]
    fn cookies_of_other_hosts_hide_none_of_ours() {
        for (line, expected) in [
            (b"bad=\xc3\xa9\xc3\xa9; odcm-session=good".as_slice(), Some("good")),
            (b"bad=\xff\xfe;odcm-session=good", Some("good")),
            (b"odcm-session=good; \xe9=1", Some("good")),
            (b"odcm-session=b\xc3\xa9; odcm-session=good", Some("good")),
            (b"odcm-session=b\xc3\xa9", None),
            (b"odcm-session", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
            assert_eq!(find(&headers, "odcm-session"), expected, "{line:?}");
        }
    }
}
