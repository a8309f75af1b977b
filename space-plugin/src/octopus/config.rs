//! Where the server is and how to reach it.

use std::time::Duration;
use url::{Host, Url};

/// Settings of an [`OctopusAdapter`](super::OctopusAdapter). `Debug` leaves the secrets out.
#[derive(Clone)]
pub struct OctopusConfig {
    /// Address to dial, perhaps with a virtual directory, such as `https://octopus.example/deploy`.
    pub base_url: String,
    /// Address that people use where it differs from `base_url`: the probe says it to the server (`ApiAbsUrl`).
    pub public_url: Option<String>,
    /// API key of the agent's service account.
    pub api_key: String,
    /// Certificates of the private authority that vouches for the server, PEM; nothing else is trusted then.
    pub ca_pem: Option<Vec<u8>>,
    /// HTTP proxy to go through, such as `http://proxy.example:3128`; the environment is not asked.
    pub proxy: Option<String>,
    /// Allows plain http beyond this host: the key then travels in the clear.
    pub allow_plain_http: bool,
    /// Time for one request, answer included.
    pub request_timeout: Duration,
    /// Time for one call of the adapter, all its requests included.
    pub call_timeout: Duration,
    /// Largest answer that is read, in bytes.
    pub max_body: usize,
}

impl OctopusConfig {
    /// Settings for a server at `base_url`, with 30 s for a request, 2 min for a call and 32 MiB for an answer.
    #[must_use]
    pub fn new(base_url: &str, api_key: &str) -> Self {
        Self {
            base_url: base_url.into(),
            public_url: None,
            api_key: api_key.into(),
            ca_pem: None,
            proxy: None,
            allow_plain_http: false,
            request_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(120),
            max_body: 32 * 1024 * 1024,
        }
    }
}

impl std::fmt::Debug for OctopusConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OctopusConfig")
            .field("base_url", &self.base_url)
            .field("public_url", &self.public_url)
            .field("allow_plain_http", &self.allow_plain_http)
            .finish_non_exhaustive()
    }
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("octopus {setting}: {problem}")]
pub struct ConfigError {
    /// Name of the setting.
    pub setting: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into() }
    }
}

/// Reads an address; the result ends in a slash.
pub(super) fn address(setting: &'static str, text: &str) -> Result<Url, ConfigError> {
    let mut url = Url::parse(text.trim()).map_err(|_| ConfigError::new(setting, "write it as https://host/path"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(ConfigError::new(setting, "it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::new(setting, "it must not carry a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::new(setting, "it must end before `?` and `#`"));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Whether an address is on this host.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_and_others_are_refused() {
        let read = |text| address("base_url", text).map(String::from);
        assert_eq!(read("http://127.0.0.1:80").unwrap(), "http://127.0.0.1/");
        assert_eq!(read(" https://o.example/deploy// ").unwrap(), "https://o.example/deploy/");
        for wrong in ["", "o.example", "ftp://o.example", "http://u:p@o.example", "http://o.example/?a=b", "http://o.example/#x"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn loopback_is_recognised() {
        let on_this_host = |text| is_loopback(&Url::parse(text).unwrap());
        assert!(on_this_host("http://127.9.9.9/") && on_this_host("http://[::1]:1/") && on_this_host("http://mars.localhost/"));
        assert!(!on_this_host("http://10.0.0.1/") && !on_this_host("http://localhost.example/"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut config = OctopusConfig::new("http://127.0.0.1", "API-SECRET");
        config.proxy = Some("http://me:SECRET@proxy.example".into());
        assert!(!format!("{config:?}").contains("SECRET"));
    }
}
