//! Configuration: one serde struct per section, unknown keys refused with the nearest right name, validated into typed
//! [`Settings`]. Everything else of the program sees `Settings` only.
//!
//! May use: `core`. Example: `Config::load(Some(path), std::env::vars())?.settings`.

mod file;
mod guard;
mod load;
mod reference;
mod section;
mod settings;

pub use guard::Guard;
pub use load::ConfigError;
pub use reference::{markdown, template};
pub use settings::{PublicUrl, PushSettings, Settings, SignInSettings, TokenSettings, is_loopback};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything the program is started with: [`Settings`] for the rooms, the rest for the composition root.
#[derive(Clone)]
pub struct Config {
    /// For the rooms.
    pub settings: Settings,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where health and metrics are.
    pub management: Option<SocketAddr>,
    /// Database URL: may hold a password.
    pub database_url: String,
    /// Connections of the pool.
    pub database_connections: u32,
    /// How long a request waits for a connection.
    pub database_wait: Duration,
    /// File of the master key.
    pub master_key_path: PathBuf,
    /// The master key itself, in place of the file.
    pub master_key: Option<String>,
    /// Where the way out leads beyond public addresses.
    pub guard: Guard,
    /// Certificates of private authorities that providers may show.
    pub outbound_ca: Option<PathBuf>,
    /// Time for open requests after SIGTERM.
    pub drain: Duration,
    /// Log directives.
    pub log_level: String,
    /// Log as JSON.
    pub log_json: bool,
}

impl Config {
    /// Reads and validates.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn load(path: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::validate(load::load(path, environment)?)
    }

    fn validate(file: file::File) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut address = |key: &str, text: &str| {
            text.parse::<SocketAddr>()
                .map_err(|_| problems.push(format!("{key}: `{text}` is not an address and port such as 127.0.0.1:8080")))
                .ok()
        };
        let listen = address("[server] listen", &file.server.listen);
        let management =
            if file.management.listen.is_empty() { None } else { address("[management] listen", &file.management.listen) };
        let public =
            PublicUrl::parse(&file.server.public_url).map_err(|e| problems.push(format!("[server] public_url: {e}"))).ok();
        let tls = match (file.server.tls_cert_file, file.server.tls_key_file) {
            (Some(cert), Some(key)) => Some((PathBuf::from(cert), PathBuf::from(key))),
            (None, None) => None,
            _ => {
                problems.push("[server] tls_cert_file and tls_key_file belong together".into());
                None
            }
        };
        if let Some(listen) = listen
            && tls.is_none()
            && !listen.ip().is_loopback()
        {
            problems.push("[server] listen: plain http beyond loopback is refused; give tls_cert_file and tls_key_file, or listen on 127.0.0.1 behind a proxy".into());
        }
        let mut trusted_proxies = Vec::new();
        for text in &file.server.trusted_proxies {
            match text.parse() {
                Ok(ip) => trusted_proxies.push(ip),
                Err(_) => problems.push(format!("[server] trusted_proxies: `{text}` is not an IP address")),
            }
        }
        let guard = Guard::parse(&file.outbound.allow).unwrap_or_else(|why| {
            problems.push(format!("[outbound] allow: {why}"));
            Guard::default()
        });
        let mut range = |key: &str, value: i64, low: i64, high: i64| {
            if !(low..=high).contains(&value) {
                problems.push(format!("{key}: {value} is outside {low} to {high}"));
            }
        };
        range("[tokens] code_seconds", file.tokens.code_seconds, 10, 600);
        range("[tokens] access_seconds", file.tokens.access_seconds, 30, 3600);
        range("[tokens] id_seconds", file.tokens.id_seconds, 30, 3600);
        range("[tokens] refresh_seconds", file.tokens.refresh_seconds, 60, 31_536_000);
        range(
            "[tokens] key_overlap_seconds",
            file.tokens.key_overlap_seconds,
            file.tokens.access_seconds.max(file.tokens.id_seconds),
            31_536_000,
        );
        range("[sign_in] session_idle_seconds", file.sign_in.session_idle_seconds, 60, 31_536_000);
        range("[sign_in] session_max_seconds", file.sign_in.session_max_seconds, file.sign_in.session_idle_seconds, 31_536_000);
        range("[sign_in] one_time_link_seconds", file.sign_in.one_time_link_seconds, 300, 2_592_000);
        range("[sign_in] argon2_memory_kib", i64::from(file.sign_in.argon2_memory_kib), 8192, 1_048_576);
        range("[sign_in] argon2_passes", i64::from(file.sign_in.argon2_passes), 1, 16);
        range("[push] heartbeat_ms", i64::try_from(file.push.heartbeat_ms).unwrap_or(i64::MAX), 200, 300_000);
        range("[push] lease_seconds", file.push.lease_seconds, 60, 31_536_000);
        range("[push] keep_documents", file.push.keep_documents, 1, 100_000);
        range("[push] poll_ms", i64::try_from(file.push.poll_ms).unwrap_or(i64::MAX), 50, 60_000);
        range("[push] enrolment_code_seconds", file.push.enrolment_code_seconds, 60, 604_800);
        if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| file.database.url.starts_with(scheme)) {
            problems.push("[database] url: begins with sqlite: or postgres:, such as sqlite:odcm.db".into());
        }
        if let Some(word) = file.log.level.split(',').find(|directive| !is_log_directive(directive)) {
            problems.push(format!("[log] level: `{word}` is neither one of {} nor target=level", LEVELS.join(", ")));
        }
        let log_json = match file.log.format.as_str() {
            "text" => false,
            "json" => true,
            other => {
                problems.push(format!("[log] format: `{other}` is neither text nor json"));
                false
            }
        };
        let (Some(public), Some(listen), true) = (public, listen, problems.is_empty()) else {
            return Err(ConfigError(problems));
        };
        let threads = match file.sign_in.hash_threads {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).max(1)),
            n => n,
        };
        let settings = Settings {
            organisation: file.pages.organisation,
            themes: file.pages.themes_path.map(PathBuf::from),
            theme: file.pages.theme,
            trusted_proxies,
            tokens: TokenSettings {
                code: file.tokens.code_seconds,
                access: file.tokens.access_seconds,
                id: file.tokens.id_seconds,
                refresh: file.tokens.refresh_seconds,
                key_overlap: file.tokens.key_overlap_seconds,
            },
            sign_in: SignInSettings {
                session_idle: file.sign_in.session_idle_seconds,
                session_max: file.sign_in.session_max_seconds,
                one_time_link: file.sign_in.one_time_link_seconds,
                argon2_memory: file.sign_in.argon2_memory_kib,
                argon2_passes: file.sign_in.argon2_passes,
                hash_threads: threads,
                ..Settings::with_public(public.clone()).sign_in
            },
            push: PushSettings {
                heartbeat_ms: file.push.heartbeat_ms,
                lease: file.push.lease_seconds,
                keep_documents: file.push.keep_documents,
                poll_ms: file.push.poll_ms,
                enrolment_code: file.push.enrolment_code_seconds,
                snapshots_at_once: file.push.snapshots_at_once.max(1),
                ..Settings::with_public(public.clone()).push
            },
            public,
        };
        Ok(Self {
            settings,
            listen,
            tls,
            management,
            database_url: file.database.url,
            database_connections: file.database.connections.max(1),
            database_wait: Duration::from_millis(file.database.wait_ms),
            master_key_path: file.secrets.master_key_path.into(),
            master_key: file.secrets.master_key,
            guard,
            outbound_ca: file.outbound.ca_file.map(PathBuf::from),
            drain: Duration::from_secs(file.server.drain_seconds),
            log_level: file.log.level,
            log_json,
        })
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A level, or a target with its level. (A misspelt level alone would be taken for a target, and silence the log.)
fn is_log_directive(text: &str) -> bool {
    let level = text.rsplit_once('=').map_or(text, |(_, level)| level);
    LEVELS.contains(&level.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::load(None, pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = load(&[]).unwrap();
        assert_eq!(config.settings.public.issuer(), "http://localhost:8080");
    }

    #[test]
    fn plain_http_beyond_loopback_is_refused() {
        let text = load(&[("ODCM__SERVER__LISTEN", "0.0.0.0:80")]).err().unwrap().to_string();
        assert!(text.contains("plain http beyond loopback"), "{text}");
    }

    #[test]
    fn every_problem_is_named() {
        let text = load(&[
            ("ODCM__SERVER__LISTEN", "x"),
            ("ODCM__TOKENS__CODE_SECONDS", "6000"),
            ("ODCM__SERVER__TLS_CERT_FILE", "x"),
            ("ODCM__LOG__FORMAT", "y"),
            ("ODCM__LOG__LEVEL", "odcm=debug,inof"),
            ("ODCM__DATABASE__URL", "mysql://x"),
            ("ODCM__OUTBOUND__ALLOW", "idp.corp.example, 10.0.0.0/99"),
        ])
        .err()
        .unwrap()
        .to_string();
        for part in [
            "[server] listen",
            "[tokens] code_seconds: 6000 is outside 10 to 600",
            "belong together",
            "neither text nor json",
            "[log] level: `inof` is neither",
            "[database] url: begins with sqlite:",
            "[outbound] allow: `10.0.0.0/99` is neither",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
