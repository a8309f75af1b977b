use super::*;
use crate::connectors::ldap::{Service, World};
use crate::core::ldap::LdapSettings;
use std::sync::Arc;

struct Nowhere;

#[async_trait::async_trait]
impl World for Nowhere {
    async fn addresses(&self, _: &str) -> Result<Vec<std::net::IpAddr>, String> {
        Err("nowhere".into())
    }
    async fn services(&self, _: &str) -> Result<Vec<Service>, String> {
        Err("nowhere".into())
    }
    fn allows_plain(&self, _: &str) -> bool {
        false
    }
    fn now(&self) -> i64 {
        0
    }
}

fn ldap(change: impl FnOnce(&mut LdapSettings)) -> Ldap {
    let mut settings = LdapSettings {
        servers: vec!["dc1.corp.test".into()],
        base: "DC=corp,DC=test".into(),
        bind_name: "svc@corp.test".into(),
        ..LdapSettings::default()
    };
    change(&mut settings);
    Ldap::new(settings, "pw".into(), Arc::new(Nowhere)).unwrap()
}

#[test]
fn names_of_active_directory() {
    let plain = ldap(|_| {});
    let bind = |l: &Ldap, name: &str| ad_name(l, name).map(|n| n.bind);
    assert_eq!(bind(&plain, "alice").as_deref(), Some("alice@corp.test"));
    assert_eq!(bind(&plain, "a@b@corp.test").as_deref(), Some("a@b@corp.test"));
    assert_eq!(bind(&plain, "ANY\\alice").as_deref(), Some("ANY\\alice"));
    assert_eq!(bind(&plain, "CN=a,DC=corp,DC=test").as_deref(), Some("CN=a,DC=corp,DC=test"));
    assert_eq!(bind(&plain, "CN=a,DC=evil,DC=test"), None);
    for bad in ["\\alice", "CORP\\", "@corp.test", "CORP\\a\\b", "CORP\\a@x"] {
        assert_eq!(bind(&plain, bad), None, "{bad}");
    }
    let strict = ldap(|s| {
        s.netbios = ["CORP".to_owned()].into();
        s.upn_suffixes = ["corp.test".to_owned()].into();
    });
    assert_eq!(bind(&strict, "alice").as_deref(), Some("CORP\\alice"));
    assert_eq!(bind(&strict, "corp\\alice").as_deref(), Some("corp\\alice"));
    assert_eq!(bind(&strict, "OTHER\\alice"), None);
    assert_eq!(bind(&strict, "alice@partner.example"), None);
    assert_eq!(ad_name(&strict, "alice@CORP.test").unwrap().who, Who::Upn("alice@CORP.test".into()));
}

#[tokio::test]
async fn what_no_server_needs_to_see_is_refused_here() {
    let plain = ldap(|_| {});
    let long = "x".repeat(1025);
    for (name, password) in
        [("alice", ""), ("", "pw"), (" ", "pw"), ("a\u{0}", "pw"), ("alice", "a\0b"), ("alice", long.as_str())]
    {
        assert_eq!(sign_in(&plain, name, password, false).await, Ok(SignIn::Wrong), "{name:?}");
    }
    // and what is in order does reach for the server
    assert_eq!(sign_in(&plain, "alice", "pw", false).await, Err(Error::Unreachable("nowhere".into())));
}
