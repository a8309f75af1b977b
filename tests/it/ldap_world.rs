//! What all LDAP tests use: a world of fixed names, and shortcuts.

use odcm::connectors::ldap::{Directory, Error, Ldap, Pulled, Seen, SeenGroup, SeenPerson, Service, World};
use odcm::core::ldap::LdapSettings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// 14 November 2023, unless a test says otherwise.
pub const NOW: i64 = 1_700_000_000;

/// Names and services that a test chose.
#[derive(Default)]
pub struct Names {
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    pub services: BTreeMap<String, Vec<Service>>,
    pub now: i64,
    /// Names that were asked for.
    pub asked: Mutex<Vec<String>>,
    pub plain_forbidden: bool,
}

impl Names {
    pub fn host(name: &str, ip: &str) -> Self {
        Self { hosts: [(name.to_owned(), vec![ip.parse().unwrap()])].into(), now: NOW, ..Self::default() }
    }

    pub fn and(mut self, name: &str, ip: &str) -> Self {
        self.hosts.entry(name.to_owned()).or_default().push(ip.parse().unwrap());
        self
    }
}

#[async_trait::async_trait]
impl World for Names {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        self.asked.lock().unwrap().push(host.to_owned());
        self.hosts.get(host).cloned().ok_or_else(|| format!("{host} is inside a private network"))
    }
    async fn services(&self, name: &str) -> Result<Vec<Service>, String> {
        self.asked.lock().unwrap().push(name.to_owned());
        self.services.get(name).cloned().ok_or_else(|| format!("DNS knows no {name}"))
    }
    fn allows_plain(&self, _: &str) -> bool {
        !self.plain_forbidden
    }
    fn now(&self) -> i64 {
        self.now
    }
}

/// A connector, or a failed test.
pub fn ldap(settings: LdapSettings, secret: &str, names: Names) -> Ldap {
    Ldap::new(settings, secret.into(), Arc::new(names)).unwrap()
}

/// All that a pull sent.
#[derive(Debug, Default)]
pub struct Got {
    pub people: BTreeMap<String, SeenPerson>,
    pub groups: BTreeMap<String, SeenGroup>,
    pub gone: Vec<String>,
    pub batches: usize,
}

impl Got {
    /// The person of this user name.
    pub fn person(&self, username: &str) -> &SeenPerson {
        self.people.values().find(|p| p.username.as_deref() == Some(username)).unwrap_or_else(|| panic!("no {username}"))
    }
    /// The group of this name.
    pub fn group(&self, name: &str) -> &SeenGroup {
        self.groups.values().find(|g| g.name == name).unwrap_or_else(|| panic!("no {name}"))
    }
    pub fn usernames(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.people.values().filter_map(|p| p.username.as_deref()).collect();
        names.sort_unstable();
        names
    }
}

/// Pulls, and takes all that is sent. People must come before groups.
pub async fn pull(ldap: &Ldap, since: Option<&Value>) -> (Result<Pulled, Error>, Got) {
    let (out, mut taken) = mpsc::channel::<Vec<Seen>>(2);
    let taking = async {
        let mut got = Got::default();
        while let Some(batch) = taken.recv().await {
            assert!((1..=500).contains(&batch.len()));
            got.batches += 1;
            for seen in batch {
                match seen {
                    Seen::Person(person) => {
                        assert!(got.groups.is_empty(), "people come first");
                        got.people.insert(person.key.clone(), person);
                    }
                    Seen::Group(group) => {
                        got.groups.insert(group.key.clone(), group);
                    }
                    Seen::Gone { key } => got.gone.push(key),
                }
            }
        }
        got
    };
    tokio::join!(ldap.pull(since, out), taking)
}

/// Pulls, and it must work.
pub async fn pulled(ldap: &Ldap, since: Option<&Value>) -> (Pulled, Got) {
    let (result, got) = pull(ldap, since).await;
    (result.unwrap(), got)
}
