//! The world as the product sees it: names of the system's resolver, as far as the operator's guard admits their addresses.

use super::world::{Service, World, system_services};
use crate::net::Guard;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Seconds since 1970, as the product's clock has them.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Names that the guard admits.
pub struct Guarded {
    guard: Arc<Guard>,
    now: Now,
}

impl Guarded {
    /// Of this guard and clock.
    #[must_use]
    pub fn new(guard: Arc<Guard>, now: Now) -> Self {
        Self { guard, now }
    }
}

#[async_trait::async_trait]
impl World for Guarded {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        // looked at after the name was resolved, so that a name cannot say one address and mean another
        let found: Vec<IpAddr> = match host.parse() {
            Ok(literal) => vec![literal],
            Err(_) => match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => found.map(|address: SocketAddr| address.ip()).collect(),
                Err(error) => return Err(format!("there is no address of the name {host}: {error}")),
            },
        };
        let admitted: Vec<IpAddr> = found.iter().copied().filter(|ip| self.guard.admits(host, *ip)).collect();
        if admitted.is_empty() && !found.is_empty() {
            return Err(format!("{host} is inside a private network; if that is meant, add it to [outbound] allow"));
        }
        Ok(admitted)
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, String> {
        system_services(name).await
    }

    fn allows_plain(&self, host: &str) -> bool {
        self.guard.allows_host(host) || host.parse().is_ok_and(|ip| self.guard.allows_address(ip))
    }

    fn now(&self) -> i64 {
        (self.now)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(allow: &[&str]) -> Guarded {
        Guarded::new(Arc::new(Guard::parse(allow).unwrap()), Arc::new(|| 7))
    }

    #[tokio::test]
    async fn the_guard_decides_where_to_go_and_whether_plainly() {
        let closed = world(&[]);
        for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "localhost"] {
            let said = closed.addresses(inside).await.unwrap_err();
            assert!(said.contains("[outbound] allow"), "{inside}: {said}");
            assert!(!closed.allows_plain(inside));
        }
        let open = world(&["10.0.0.0/8", "localhost"]);
        assert_eq!(open.addresses("10.0.0.1").await.unwrap(), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert!(open.addresses("127.0.0.1").await.is_err());
        assert!(open.addresses("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
        assert!(open.allows_plain("10.0.0.1") && open.allows_plain("localhost") && !open.allows_plain("8.8.8.8"));
        assert_eq!(open.now(), 7);
    }
}
