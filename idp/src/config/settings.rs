//! Validated settings, as the program uses them.

use std::path::PathBuf;
use url::Url;

/// The public address of ODCM: issuer, links in mails and cookies derive from it, never from a Host header (rules D2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    issuer: String,
    origin: String,
    secure: bool,
}

impl PublicUrl {
    /// Reads an absolute http(s) URL without path, query or fragment. Plain http is for loopback hosts only.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|e| format!("`{text}` is not a URL: {e}"))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" if url.host_str().is_some_and(is_loopback) => false,
            "http" => return Err(format!("`{text}` is plain http beyond loopback; use https")),
            other => return Err(format!("`{text}` has the scheme {other}; use https")),
        };
        if url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(format!("`{text}` must be scheme, host and port only"));
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { issuer: origin.clone(), origin, secure })
    }
    /// The issuer identifier: no trailing slash (RFC 8414 §2, and what Octopus needs).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// Scheme, host and port, to compare with an `Origin` header.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
    /// Whether it is https: cookies get `Secure` and the `__Host-` prefix then.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.secure
    }
    /// An absolute link; `path` begins with a slash.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// `localhost`, `*.localhost` (RFC 6761 §6.3), 127.0.0.0/8 and ::1.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// How long things live, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// Authorization code (RFC 6749 §4.1.2 recommends at most 600).
    pub code: i64,
    /// Access token.
    pub access: i64,
    /// ID token.
    pub id: i64,
    /// Refresh token, from its last use.
    pub refresh: i64,
    /// How long a retired signing key stays in the key set: at least the longest token life.
    pub key_overlap: i64,
}

/// Sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInSettings {
    /// A session ends this many seconds after its last use.
    pub session_idle: i64,
    /// A session ends this many seconds after it began.
    pub session_max: i64,
    /// A sign-in under way is forgotten after this many seconds.
    pub flow: i64,
    /// One-time links live this many seconds.
    pub one_time_link: i64,
    /// Argon2id memory in KiB.
    pub argon2_memory: u32,
    /// Argon2id passes.
    pub argon2_passes: u32,
    /// Hashing threads.
    pub hash_threads: usize,
}

/// Push to agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSettings {
    /// Milliseconds between heartbeats.
    pub heartbeat_ms: u64,
    /// Seconds for which a Space's state stays valid without word from ODCM.
    pub lease: i64,
    /// Documents kept per section.
    pub keep_documents: i64,
    /// Milliseconds between slow polls of the marks.
    pub poll_ms: u64,
    /// Seconds an enrolment code lives.
    pub enrolment_code: i64,
    /// Snapshots that may be under way at once.
    pub snapshots_at_once: usize,
    /// Messages that an agent may send at once …
    pub messages_burst: u32,
    /// … and a minute after that. Whoever sends more is listened to more slowly.
    pub messages_per_minute: u32,
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Public address.
    pub public: PublicUrl,
    /// Name of the organisation on pages.
    pub organisation: String,
    /// Folder with themes, for overrides at run time.
    pub themes: Option<PathBuf>,
    /// Name of the theme.
    pub theme: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// Lifetimes.
    pub tokens: TokenSettings,
    /// Sign-in.
    pub sign_in: SignInSettings,
    /// Push.
    pub push: PushSettings,
}

impl Settings {
    /// Defaults for a public address.
    #[must_use]
    pub fn with_public(public: PublicUrl) -> Self {
        Self {
            public,
            organisation: "ODCM".into(),
            themes: None,
            theme: "default".into(),
            trusted_proxies: Vec::new(),
            tokens: TokenSettings { code: 60, access: 300, id: 300, refresh: 30 * 86_400, key_overlap: 86_400 },
            sign_in: SignInSettings {
                session_idle: 8 * 3600,
                session_max: 7 * 86_400,
                flow: 1800,
                one_time_link: 3 * 86_400,
                argon2_memory: 19 * 1024,
                argon2_passes: 2,
                hash_threads: 1,
            },
            push: PushSettings {
                heartbeat_ms: 15_000,
                lease: 86_400,
                keep_documents: 100,
                poll_ms: 1000,
                enrolment_code: 3600,
                snapshots_at_once: 8,
                // An agent that was away tells of a thousand things that happened.
                messages_burst: 1500,
                messages_per_minute: 300,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["https://id.example.com", "http://localhost:8080", "http://127.0.0.1:8080/", "http://odcm.localhost"] {
            assert!(PublicUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.com",
            "ftp://x",
            "https://x/y",
            "https://x?y",
            "https://u:p@x",
            "x",
            "http://localhost.example.com",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(PublicUrl::parse("https://ID.example.com/").unwrap().issuer(), "https://id.example.com");
    }
}
