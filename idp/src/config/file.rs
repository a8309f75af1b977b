//! The configuration as written: a file, then the environment on top.

use super::section::{Key, section};
use serde::{Deserialize, Serialize};

section! { "server"
    /// Where ODCM is reached.
    Server {
        /// Public address of ODCM as browsers and Spaces see it: scheme, host and port, nothing else.
        /// It is the OpenID Connect issuer and cannot change once a Space is enlisted.
        public_url: String = "http://localhost:8080".into();
        /// Address and port to listen on.
        listen: String = "127.0.0.1:8080".into();
        /// PEM file of the TLS certificate chain. Without it ODCM speaks plain http, which it does on loopback only.
        tls_cert_file: Option<String> = None;
        /// PEM file of the TLS private key.
        tls_key_file: Option<String> = None;
        /// Addresses of reverse proxies whose X-Forwarded-For is believed.
        trusted_proxies: Vec<String> = Vec::new();
        /// Seconds that open requests get to finish after SIGTERM.
        drain_seconds: u64 = 10;
    }
}

section! { "management"
    /// Health, readiness and metrics for the operator's own network.
    Management {
        /// Address and port of `/healthz`, `/readyz` and `/metrics`; empty switches them off.
        listen: String = "127.0.0.1:8081".into();
    }
}

section! { "database"
    /// Where ODCM keeps its data.
    Database {
        /// `sqlite:PATH` for one node, `postgres://USER:PASSWORD@HOST/NAME` otherwise.
        @secret url: String = "sqlite:odcm.db".into();
        /// Connections of the pool.
        connections: u32 = 8;
        /// Milliseconds a request waits for a connection.
        wait_ms: u64 = 5000;
    }
}

section! { "secrets"
    /// The key that protects secrets in the database. Keep it outside the database and its backups.
    Secrets {
        /// File with the master key: 32 bytes in base64. Made at the first start, readable by its owner only.
        master_key_path: String = "odcm.master-key".into();
        /// The master key itself, in place of the file.
        @secret master_key: Option<String> = None;
    }
}

section! { "pages"
    /// What people see.
    Pages {
        /// Name of the organisation on pages.
        organisation: String = "ODCM".into();
        /// Folder with themes that override the built-in one file by file, at run time.
        themes_path: Option<String> = None;
        /// Name of the theme.
        theme: String = "default".into();
    }
}

section! { "sign_in"
    /// Sessions and passwords.
    SignIn {
        /// A session ends this many seconds after its last use.
        session_idle_seconds: i64 = 28_800;
        /// A session ends this many seconds after it began.
        session_max_seconds: i64 = 604_800;
        /// One-time links (set a password, set up) live this many seconds.
        one_time_link_seconds: i64 = 259_200;
        /// Memory of one Argon2id hash in KiB (OWASP: at least 19456).
        argon2_memory_kib: u32 = 19_456;
        /// Passes of one Argon2id hash.
        argon2_passes: u32 = 2;
        /// Threads that hash passwords; 0 means one less than there are processors.
        hash_threads: usize = 0;
    }
}

section! { "tokens"
    /// How long tokens live.
    Tokens {
        /// Authorization code, seconds (RFC 6749 §4.1.2: at most 600).
        code_seconds: i64 = 60;
        /// Access token, seconds.
        access_seconds: i64 = 300;
        /// ID token, seconds.
        id_seconds: i64 = 300;
        /// Refresh token, seconds since its last use.
        refresh_seconds: i64 = 2_592_000;
        /// A retired signing key stays published this many seconds.
        key_overlap_seconds: i64 = 86_400;
    }
}

section! { "push"
    /// Agents.
    Push {
        /// Milliseconds between heartbeats.
        heartbeat_ms: u64 = 15_000;
        /// Seconds for which the state of a Space stays valid without word from ODCM.
        lease_seconds: i64 = 86_400;
        /// Documents kept per section of a Space.
        keep_documents: i64 = 100;
        /// Milliseconds between looks for work, as a net under the wake-ups.
        poll_ms: u64 = 1000;
        /// Seconds an enrolment code lives.
        enrolment_code_seconds: i64 = 3600;
        /// Snapshots that may be under way at once.
        snapshots_at_once: usize = 8;
    }
}

section! { "outbound"
    /// The way out to providers. Only public addresses over https are asked, unless they are allowed here.
    Outbound {
        /// Networks and host names beyond that, such as `10.0.0.0/8`, `idp.corp.example`, `*.corp.example`.
        /// What is named here may also be asked in plain http.
        allow: Vec<String> = Vec::new();
        /// PEM file with certificates of private authorities that providers show, besides those of the system.
        ca_file: Option<String> = None;
    }
}

section! { "log"
    /// What is logged.
    Log {
        /// `error`, `warn`, `info`, `debug`, or directives such as `info,odcm::push=debug`.
        level: String = "info".into();
        /// `text` for people, `json` for programs.
        format: String = "text".into();
    }
}

/// All sections.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// `[server]`
    pub server: Server,
    /// `[management]`
    pub management: Management,
    /// `[database]`
    pub database: Database,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[pages]`
    pub pages: Pages,
    /// `[sign_in]`
    pub sign_in: SignIn,
    /// `[tokens]`
    pub tokens: Tokens,
    /// `[push]`
    pub push: Push,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[log]`
    pub log: Log,
}

/// Every section: name, what it is about, keys.
pub const SECTIONS: &[(&str, &[&str], &[Key])] = &[
    (Server::SECTION, Server::ABOUT, Server::KEYS),
    (Management::SECTION, Management::ABOUT, Management::KEYS),
    (Database::SECTION, Database::ABOUT, Database::KEYS),
    (Secrets::SECTION, Secrets::ABOUT, Secrets::KEYS),
    (Pages::SECTION, Pages::ABOUT, Pages::KEYS),
    (SignIn::SECTION, SignIn::ABOUT, SignIn::KEYS),
    (Tokens::SECTION, Tokens::ABOUT, Tokens::KEYS),
    (Push::SECTION, Push::ABOUT, Push::KEYS),
    (Outbound::SECTION, Outbound::ABOUT, Outbound::KEYS),
    (Log::SECTION, Log::ABOUT, Log::KEYS),
];
