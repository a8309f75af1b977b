//! Which server is asked: the one that answered last, as long as it answers, for what changed is counted by each server for
//! itself; then the others, those that failed lately last. And how many connections there are.

use super::conn::{Begin, Connection, Target};
use super::error::Error;
use super::tls;
use super::world::{Service, World};
use crate::core::ldap::{Kind, LdapSettings, Security, host_port};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Most connections of the service account.
const SERVICE: usize = 4;
/// Most connections of people who are signing in.
const GUESTS: usize = 8;
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);
/// How long what DNS said is believed.
const LISTED: Duration = Duration::from_secs(60);
/// Longest time for which a server that failed is asked last.
const BACK_OFF: u64 = 60;
/// Most addresses of a host that are tried.
const ADDRESSES: usize = 4;
/// Most bytes of a message while somebody signs in.
const SMALL: usize = 4 * 1024 * 1024;

/// A host and its port.
type Server = (String, u16);

#[derive(Default)]
struct State {
    listed: Option<(Instant, Vec<Server>)>,
    preferred: Option<Server>,
    /// How often each has failed in a row, and until when it is asked last.
    failed: BTreeMap<Server, (u32, Instant)>,
    idle: Vec<(Connection, Instant)>,
}

/// The servers of a directory.
pub struct Servers {
    world: Arc<dyn World>,
    configured: Vec<Server>,
    domain: String,
    kind: Kind,
    security: Security,
    ca: Option<String>,
    tls: OnceLock<Result<Arc<rustls::ClientConfig>, Error>>,
    bind_name: String,
    secret: String,
    connect: Duration,
    patience: Duration,
    most: usize,
    state: Mutex<State>,
    service: Semaphore,
    guests: Semaphore,
}

/// A connection that is being used, and its place among those that may be.
pub struct Lease<'a> {
    /// The connection.
    pub conn: Connection,
    _place: SemaphorePermit<'a>,
}

impl Servers {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`Error::Misconfigured`].
    pub fn new(settings: &LdapSettings, secret: String, world: Arc<dyn World>) -> Result<Self, Error> {
        let default = if settings.security == Security::Ldaps { 636 } else { 389 };
        let configured = settings
            .servers
            .iter()
            .map(|text| host_port(text).map(|(host, port)| (host, port.unwrap_or(default))).map_err(Error::Misconfigured))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            world,
            configured,
            domain: settings.domain.to_ascii_lowercase(),
            kind: settings.kind(),
            security: settings.security,
            ca: settings.ca.clone(),
            tls: OnceLock::new(),
            bind_name: settings.bind_name.clone(),
            secret,
            connect: Duration::from_secs(settings.limits.connect_s.into()),
            patience: Duration::from_secs(settings.limits.operation_s.into()),
            most: usize::try_from(settings.limits.entry_mib).unwrap_or(16) * 1024 * 1024,
            state: Mutex::default(),
            service: Semaphore::new(SERVICE),
            guests: Semaphore::new(GUESTS),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a service account.
    #[must_use]
    pub fn has_service_account(&self) -> bool {
        !self.bind_name.is_empty()
    }

    /// The servers, as configured or as DNS lists them.
    ///
    /// # Errors
    /// DNS lists none.
    pub async fn list(&self) -> Result<Vec<Server>, Error> {
        if self.domain.is_empty() {
            return Ok(self.configured.clone());
        }
        let fresh = |(at, list): &(Instant, Vec<Server>)| (at.elapsed() < LISTED).then(|| list.clone());
        if let Some(list) = self.state().listed.as_ref().and_then(fresh) {
            return Ok(list);
        }
        let name = match self.kind {
            Kind::Ad => format!("_ldap._tcp.dc._msdcs.{}", self.domain),
            Kind::Ldap => format!("_ldap._tcp.{}", self.domain),
        };
        let asked = tokio::time::timeout(self.connect, self.world.services(&name));
        let found = asked.await.map_err(|_| Error::Unreachable(format!("DNS did not answer for {name}")))?;
        let list = self.sort(found.map_err(Error::Unreachable)?);
        if list.is_empty() {
            return Err(Error::Unreachable(format!("DNS lists no server of {} under {name}", self.domain)));
        }
        self.state().listed = Some((Instant::now(), list.clone()));
        Ok(list)
    }

    /// Servers in the order that DNS gives them. Only those within the domain: answers of DNS are not signed, and a certificate
    /// for a name that somebody else chose proves nothing.
    fn sort(&self, mut found: Vec<Service>) -> Vec<Server> {
        let within = format!(".{}", self.domain);
        found.retain(|s| s.host.to_ascii_lowercase().ends_with(&within) || s.host.eq_ignore_ascii_case(&self.domain));
        found.sort_by_key(|s| (s.priority, std::cmp::Reverse(s.weight)));
        found.truncate(16);
        // records name port 389; TLS from the first byte has its own
        let port = |s: &Service| if self.security == Security::Ldaps && s.port == 389 { 636 } else { s.port };
        found.iter().map(|s| (s.host.to_ascii_lowercase(), port(s))).collect()
    }

    fn in_order(&self, mut list: Vec<Server>) -> Vec<Server> {
        let state = self.state();
        let now = Instant::now();
        list.sort_by_key(|server| {
            let until = state.failed.get(server).map(|(_, until)| *until).filter(|until| *until > now);
            (until, state.preferred.as_ref() != Some(server))
        });
        list
    }

    fn failed(&self, server: &Server) {
        let mut state = self.state();
        let times = state.failed.get(server).map_or(0, |(times, _)| *times).saturating_add(1);
        let wait = Duration::from_secs((1_u64 << times.min(6)).min(BACK_OFF));
        state.failed.insert(server.clone(), (times, Instant::now() + wait));
        if state.preferred.as_ref() == Some(server) {
            state.preferred = None;
        }
        state.idle.retain(|(c, _)| c.host() != server.0);
    }

    fn worked(&self, server: &Server) {
        let mut state = self.state();
        state.failed.remove(server);
        state.preferred = Some(server.clone());
    }

    /// Remembers that a server let us down in the middle.
    pub fn blame(&self, host: &str, error: &Error) {
        if error.is_about_the_server() {
            let server = self.state().preferred.clone().filter(|(h, _)| h == host);
            if let Some(server) = server {
                self.failed(&server);
            }
        }
    }

    /// What TLS needs; nothing for plain connections to hosts where the operator allows them.
    ///
    /// # Errors
    /// [`Error::Misconfigured`].
    pub fn protection(&self, host: &str) -> Result<Option<(Arc<rustls::ClientConfig>, Begin)>, Error> {
        let begin = match self.security {
            Security::Ldaps => Begin::AtOnce,
            Security::Starttls => Begin::StartTls,
            Security::Plain if self.world.allows_plain(host) => return Ok(None),
            Security::Plain => {
                let words = format!("{host} would be asked without TLS; use TLS, or add it to [outbound] allow");
                return Err(Error::Misconfigured(words));
            }
        };
        let config = self.tls.get_or_init(|| tls::config(self.ca.as_deref())).clone()?;
        Ok(Some((config, begin)))
    }

    /// The addresses of a host, as far as we may go there.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let asked = tokio::time::timeout(self.connect, self.world.addresses(host));
        let found = asked.await.map_err(|_| Error::Unreachable(format!("DNS did not answer for {host}")))?;
        let found = found.map_err(Error::Unreachable)?;
        if found.is_empty() {
            return Err(Error::Unreachable(format!("{host} has no address")));
        }
        Ok(found.into_iter().take(ADDRESSES).map(|ip| (ip, port).into()).collect())
    }

    /// Connects to one server.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn open(&self, (host, port): &Server, most: usize) -> Result<Connection, Error> {
        let target = Target { host: host.clone(), tls: self.protection(host)? };
        let end = Instant::now() + self.connect;
        let mut fault = Error::Unreachable(format!("{host} has no address"));
        for address in self.addresses(host, *port).await? {
            match Connection::open(&target, address, end, self.patience, most).await {
                Ok(connection) => return Ok(connection),
                Err(error) => fault = error,
            }
        }
        Err(fault)
    }

    /// Connects to a server, the next when one fails; with the service account's name if asked.
    async fn reach(&self, most: usize, bound: bool) -> Result<Connection, Error> {
        let mut faults = Vec::new();
        for server in self.in_order(self.list().await?) {
            let attempt = async {
                let mut connection = self.open(&server, most).await?;
                if bound {
                    self.bind(&mut connection).await?;
                }
                Ok::<_, Error>(connection)
            };
            match attempt.await {
                Ok(connection) => {
                    self.worked(&server);
                    return Ok(connection);
                }
                Err(error) if error.is_about_the_server() => {
                    tracing::info!(server = server.0, %error, "a directory server cannot be used now");
                    self.failed(&server);
                    faults.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        // one fault is told as it is; of several the first, which is the server wanted most
        let more = faults.len().saturating_sub(1);
        match faults.into_iter().next() {
            Some(Error::Unreachable(words)) if more > 0 => Err(Error::Unreachable(format!("{words} (and {more} more)"))),
            Some(error) => Err(error),
            None => Err(Error::Unreachable("there is no server".into())),
        }
    }

    /// Says who we are.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] when the directory does not know the service account.
    pub async fn bind(&self, connection: &mut Connection) -> Result<(), Error> {
        if !self.has_service_account() {
            return Ok(());
        }
        let outcome = connection.bind(&self.bind_name, &self.secret, &[]).await?;
        match outcome.code {
            0 => Ok(()),
            32 | 34 | 49 => {
                let words = Error::refused(outcome.code, &outcome.text);
                Err(Error::Misconfigured(format!("the service account cannot sign in: {words}")))
            }
            code => Err(Error::refused(code, &outcome.text)),
        }
    }

    async fn place<'a>(&self, among: &'a Semaphore) -> Result<SemaphorePermit<'a>, Error> {
        match tokio::time::timeout(self.patience, among.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Error::Busy),
        }
    }

    /// A connection of the service account.
    ///
    /// # Errors
    /// No server can be reached, or the account is refused.
    pub async fn service(&self) -> Result<Lease<'_>, Error> {
        let place = self.place(&self.service).await?;
        loop {
            let Some((connection, since)) = self.state().idle.pop() else { break };
            if since.elapsed() < IDLE && connection.is_quiet().await {
                return Ok(Lease { conn: connection, _place: place });
            }
        }
        Ok(Lease { conn: self.reach(self.most, true).await?, _place: place })
    }

    /// Gives a connection of the service account back. One that is not given back is closed, as it must be after a fault.
    pub fn done(&self, lease: Lease<'_>) {
        let mut state = self.state();
        if lease.conn.is_sound() && state.idle.len() < SERVICE {
            state.idle.push((lease.conn, Instant::now()));
        }
    }

    /// A connection of nobody yet, for one bind.
    ///
    /// # Errors
    /// No server can be reached.
    pub async fn guest(&self) -> Result<Lease<'_>, Error> {
        let place = self.place(&self.guests).await?;
        Ok(Lease { conn: self.reach(SMALL, false).await?, _place: place })
    }
}
