//! What the connector needs of the world outside: names, the guard's word, the time. Handed in, so that the guard decides where
//! connections go.

use std::net::IpAddr;

/// A server that DNS names for a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Lower first.
    pub priority: u16,
    /// Higher first.
    pub weight: u16,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Names, permission and time.
#[async_trait::async_trait]
pub trait World: Send + Sync {
    /// The addresses of a host to which connections may be made.
    ///
    /// # Errors
    /// A sentence: there is no such name, or we do not go there.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String>;

    /// The SRV records of a name such as `_ldap._tcp.corp.example`.
    ///
    /// # Errors
    /// A sentence.
    async fn services(&self, name: &str) -> Result<Vec<Service>, String>;

    /// Whether the operator allows to speak with this host without TLS.
    fn allows_plain(&self, host: &str) -> bool;

    /// Seconds since 1970.
    fn now(&self) -> i64;
}

/// The SRV records of a name, asked of the system's DNS servers.
///
/// The standard library cannot ask for SRV records; `hickory-resolver` with only its Tokio runtime and the system's
/// configuration can.
///
/// # Errors
/// A sentence.
pub async fn system_services(name: &str) -> Result<Vec<Service>, String> {
    use hickory_resolver::proto::rr::{RData, RecordType};
    let resolver = hickory_resolver::TokioResolver::builder_tokio()
        .and_then(hickory_resolver::ResolverBuilder::build)
        .map_err(|e| format!("the system's DNS configuration cannot be used: {e}"))?;
    // absolute: search lists would ask somebody else's domain
    let absolute = format!("{}.", name.trim_end_matches('.'));
    let found = resolver.lookup(absolute, RecordType::SRV).await.map_err(|e| format!("DNS knows no {name}: {e}"))?;
    let services = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(Service {
            priority: srv.priority,
            weight: srv.weight,
            host: srv.target.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
            port: srv.port,
        }),
        _ => None,
    });
    Ok(services.collect())
}
