//! What a stand-in is started with.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc};

use super::switches::Switches;

/// Answers the time in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
/// Fills a buffer with unpredictable bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// An Octopus version such as `2023.1.9626`: year, release, build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Year, the first number.
    pub year: u32,
    /// Release within the year, the second number.
    pub release: u32,
    /// Build, the third number.
    pub build: u32,
}

impl Version {
    /// The oldest version that the stand-in imitates: the first with the PKCE code flow.
    pub const OLDEST: Self = Self::new(2022, 2, 4498);

    /// A version from its numbers.
    #[must_use]
    pub const fn new(year: u32, release: u32, build: u32) -> Self {
        Self { year, release, build }
    }

    /// Whether this is `year.release` or newer.
    #[must_use]
    pub fn at_least(self, year: u32, release: u32) -> bool {
        (self.year, self.release) >= (year, release)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.year, self.release, self.build)
    }
}

impl FromStr for Version {
    type Err = String;
    /// Reads `2023.1.9626`; the error says what would be right.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("version `{text}`: write it as year.release.build, such as 2023.1.9626");
        let mut numbers = text.split('.').map(|part| part.parse::<u32>().map_err(|_| wrong()));
        let mut next = || numbers.next().ok_or_else(wrong)?;
        let version = Self::new(next()?, next()?, next()?);
        if numbers.next().is_some() {
            return Err(wrong());
        }
        if version < Self::OLDEST {
            return Err(format!("version `{text}`: the stand-in imitates {} and newer", Self::OLDEST));
        }
        Ok(version)
    }
}

/// Settings of one stand-in server.
#[derive(Clone)]
pub struct StandinConfig {
    /// Address to listen on; loopback only, port 0 for a free one.
    pub listen: SocketAddr,
    /// Address that browsers use, without a trailing slash; `http://127.0.0.1:PORT` when absent.
    pub public_url: Option<String>,
    /// Name shown on the pages, such as "Mars".
    pub name: String,
    /// File that keeps the state across restarts; nothing is kept when absent.
    pub data: Option<PathBuf>,
    /// Version that the server claims and whose features it shows.
    pub version: Version,
    /// Key of the first administrator's service account; random when absent. Must match `^API-[A-Z0-9]+$`.
    pub admin_key: Option<String>,
    /// Password of the local user `admin`; without one the user has no password.
    pub admin_password: Option<String>,
    /// Address of ODCM, for the link back on the pages.
    pub odcm_url: Option<String>,
    /// Assumptions about the real server.
    pub switches: Switches,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where random bytes come from.
    pub entropy: Entropy,
}

impl Default for StandinConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            name: "Octopus".into(),
            data: None,
            version: Version::new(2023, 1, 9626),
            admin_key: None,
            admin_password: None,
            odcm_url: None,
            switches: Switches::default(),
            clock: Arc::new(system_clock),
            entropy: Arc::new(system_entropy),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where a stand-in's default clock is made")]
fn system_clock() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn system_entropy(buffer: &mut [u8]) {
    // The system generator cannot fail once it has started; a zeroed buffer would only make ids collide.
    let _ = aws_lc_rs::rand::fill(buffer);
}
