//! Signing in at a real domain controller (Samba), and what an administrator is told about it.

use crate::ldap_world::{Names, ldap};
use odcm::connectors::ldap::{Directory, Error, Finding, Ldap, SignIn, Standing, Step, Verdict};
use odcm::core::ldap::{GroupStrategy, LdapSettings, Limits, Security};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const BASE: &str = "DC=corp,DC=test";
pub const PASSWORD: &str = "S3cret-pass!";
pub const ADMIN: (&str, &str) = ("Administrator@corp.test", "Adm1n-Passw0rd!");
pub const SVC: (&str, &str) = ("svc-ldap@corp.test", PASSWORD);

/// A peer that a script started; stopped when the test is over.
pub struct Peer {
    script: PathBuf,
    pub dir: PathBuf,
    pub ip: &'static str,
}

impl Peer {
    /// Starts `tests/peers/NAME`. A machine without it fails the test: a test that is not run shows nothing.
    pub fn up(name: &str, ip: &'static str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
        let base = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        let dir = base.join(format!("odcm-{name}-{}-{ip}", std::process::id()));
        let peer = Self { script, dir, ip };
        let out = Command::new(&peer.script).arg("up").arg(&peer.dir).arg(ip).stdin(Stdio::null()).output().unwrap();
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        peer
    }

    pub fn ca(&self) -> String {
        let samba = self.dir.join("private/tls/ca.crt");
        std::fs::read_to_string(if samba.exists() { samba } else { self.dir.join("tls/ca.crt") }).unwrap()
    }

    /// Changes something in the domain, with LDIF, as the administrator.
    pub fn change(&self, ldif: &str) {
        change(&format!("ldap://{}", self.ip), ADMIN, ldif);
    }
}

pub fn change(url: &str, (name, password): (&str, &str), ldif: &str) {
    use std::io::Write;
    let mut child = Command::new("ldapmodify")
        .args(["-x", "-H", url, "-D", name, "-w", password])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{ldif}: {}", String::from_utf8_lossy(&out.stderr));
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("down").arg(&self.dir).status();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub fn settings(dc: &Peer) -> LdapSettings {
    LdapSettings {
        servers: vec!["dc1.corp.test".into()],
        ca: Some(dc.ca()),
        bind_name: SVC.0.into(),
        base: BASE.into(),
        limits: Limits { operation_s: 60, connect_s: 20, ..Limits::default() },
        ..LdapSettings::default()
    }
}

pub fn names(dc: &Peer) -> Names {
    Names::host("dc1.corp.test", dc.ip).and("wrong.corp.test", dc.ip).and("dead.corp.test", "127.0.0.79")
}

fn connector(dc: &Peer, change: impl FnOnce(&mut LdapSettings)) -> Ldap {
    let mut settings = settings(dc);
    change(&mut settings);
    ldap(settings, PASSWORD, names(dc))
}

async fn who(ldap: &Ldap, name: &str, password: &str) -> Result<SignIn, Error> {
    ldap.sign_in(name, password, false).await
}

async fn dn(ldap: &Ldap, name: &str, password: &str) -> String {
    match who(ldap, name, password).await.unwrap() {
        SignIn::In { person, .. } => person.dn,
        other => panic!("{name}: {other:?}"),
    }
}

/// One domain controller for all: starting one takes seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_controller() {
    let dc = Peer::up("samba", "127.0.0.71");
    protections(&dc).await;
    forms_of_names(&dc).await;
    standings(&dc).await;
    groups(&dc).await;
    findings(&dc).await;
    failover(&dc).await;
}

async fn protections(dc: &Peer) {
    for security in [Security::Ldaps, Security::Starttls, Security::Plain] {
        let ldap = connector(dc, |s| s.security = security);
        assert_eq!(dn(&ldap, "alice@corp.test", PASSWORD).await, format!("CN=Alice Example,OU=People,{BASE}"), "{security:?}");
    }
    let stranger = rcgen::generate_simple_self_signed(vec!["dc1.corp.test".into()]).unwrap().cert.pem();
    for security in [Security::Ldaps, Security::Starttls] {
        let wrong_ca = connector(dc, |s| (s.security, s.ca) = (security, Some(stranger.clone())));
        let said = who(&wrong_ca, "alice@corp.test", PASSWORD).await.unwrap_err().to_string();
        assert!(said.contains("no authority that is trusted here issued it"), "{said}");
        let no_ca = connector(dc, |s| (s.security, s.ca) = (security, None));
        assert!(matches!(who(&no_ca, "alice@corp.test", PASSWORD).await, Err(Error::Unreachable(_))));
        let wrong_name = connector(dc, |s| (s.security, s.servers) = (security, vec!["wrong.corp.test".into()]));
        let said = who(&wrong_name, "alice@corp.test", PASSWORD).await.unwrap_err().to_string();
        assert!(said.contains("it is for another name") && said.contains("dc1.corp.test"), "{said}");
    }
}

async fn forms_of_names(dc: &Peer) {
    let ldap = connector(dc, |s| s.netbios = ["CORP".to_owned()].into());
    let alice = format!("CN=Alice Example,OU=People,{BASE}");
    for name in ["alice@corp.test", "ALICE@corp.test", "CORP\\alice", "corp\\Alice", "alice", " alice ", alice.as_str()] {
        assert_eq!(dn(&ldap, name, PASSWORD).await, alice, "{name}");
    }
    assert_eq!(dn(&connector(dc, |_| {}), "alice", PASSWORD).await, alice);
    assert!(dn(&ldap, "alt.suffix@partner.example", PASSWORD).await.starts_with("CN=alt,"));
    assert!(dn(&ldap, "zoë@corp.test", "Pässwörd-山1!").await.starts_with("CN=Zoë Ångström 山田太郎,"));
    assert_eq!(dn(&ldap, "CORP\\bob", PASSWORD).await, format!("CN=Bob (Ops) \\, Jr*,OU=People,{BASE}"));
    assert_eq!(dn(&ldap, &format!("CN=Bob (Ops) \\, Jr*,OU=People,{BASE}"), PASSWORD).await, dn(&ldap, "bob", PASSWORD).await);
    assert!(dn(&ldap, "back", PASSWORD).await.starts_with("CN=Back\\\\Slash,"));
    for (name, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("nobody@corp.test", PASSWORD),
        ("OTHER\\alice", PASSWORD),
        ("alice@elsewhere.test", PASSWORD),
        ("CN=nobody,DC=corp,DC=test", PASSWORD),
        ("*", PASSWORD),
        ("alice", ""),
    ] {
        assert_eq!(who(&ldap, name, password).await, Ok(SignIn::Wrong), "{name}");
    }
    let SignIn::In { person, groups: None } = who(&ldap, "alice", PASSWORD).await.unwrap() else { panic!() };
    assert_eq!((person.label.as_str(), person.username.as_deref()), ("alice@corp.test", Some("alice")));
    assert_eq!((person.name.as_deref(), person.email.as_deref()), (Some("Alice Example"), Some("alice@corp.test")));
    assert!(person.sid.unwrap().starts_with("S-1-5-21-") && person.key.len() == 36 && person.standing.is_none());
    // whoever is not below the people's base is nobody here, with the right password too
    let elsewhere = connector(dc, |s| s.people_base = format!("OU=Elsewhere,{BASE}"));
    assert_eq!(who(&elsewhere, "alice", PASSWORD).await, Ok(SignIn::Wrong));
    let nobody = connector(dc, |s| s.bind_name = String::new());
    assert_eq!(dn(&nobody, "alice", PASSWORD).await, alice);
}

async fn standings(dc: &Peer) {
    let ldap = connector(dc, |_| {});
    for (name, standing) in [
        ("disabled1", Standing::Disabled),
        ("expired1", Standing::AccountExpired),
        ("mustchange", Standing::MustChangePassword),
        ("pwdold1", Standing::PasswordExpired),
        ("hours1", Standing::OutsideHours),
        ("wks1", Standing::OtherWorkstation),
    ] {
        assert_eq!(who(&ldap, name, PASSWORD).await, Ok(SignIn::Barred(standing)), "{name}");
        assert_eq!(who(&ldap, name, "wrong").await, Ok(SignIn::Wrong), "{name}");
    }
    for _ in 0..5 {
        let _ = who(&ldap, "locked1", "wrong").await;
    }
    assert_eq!(who(&ldap, "locked1", PASSWORD).await, Ok(SignIn::Barred(Standing::Locked)));
}

async fn groups(dc: &Peer) {
    let all = connector(dc, |_| {});
    let (_, seen) = crate::ldap_world::pulled(&all, None).await;
    let of = async |strategy, change: fn(&mut LdapSettings)| -> BTreeSet<String> {
        let ldap = connector(dc, |s| {
            s.strategy = Some(strategy);
            change(s);
        });
        let SignIn::In { groups, .. } = ldap.sign_in("alice", PASSWORD, true).await.unwrap() else { panic!() };
        groups.unwrap().iter().map(|key| seen.groups[key].name.clone()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    let nested = ["lvl1", "lvl2", "lvl3", "lvl4", "lvl5"];
    let token = of(GroupStrategy::TokenGroups, |_| {}).await;
    assert_eq!(token, set(&[&nested[..], &["Domain Users", "a,b (c) \\ d* ü"]].concat()));
    // distribution groups are in no token, but on the way upwards; so are BUILTIN groups above the primary group
    let walked = set(&[&nested[..], &["Domain Users", "Users", "letters", "a,b (c) \\ d* ü"]].concat());
    assert_eq!(of(GroupStrategy::MemberOfWalk, |_| {}).await, walked);
    assert_eq!(of(GroupStrategy::MemberSearchWalk, |_| {}).await, walked);
    let below = |s: &mut LdapSettings| s.groups_base = format!("OU=Groups,{BASE}");
    let ours = set(&[&nested[..], &["letters", "a,b (c) \\ d* ü"]].concat());
    assert_eq!(of(GroupStrategy::InChain, below).await, ours);
    assert_eq!(of(GroupStrategy::MemberOfWalk, below).await, ours);
    assert_eq!(of(GroupStrategy::TokenGroups, below).await, set(&[&nested[..], &["a,b (c) \\ d* ü"]].concat()));
}

fn find(findings: &[Finding], step: Step, verdict: Verdict) -> Vec<&str> {
    findings.iter().filter(|f| f.step == step && f.verdict == verdict).map(|f| f.text.as_str()).collect()
}

async fn findings(dc: &Peer) {
    let good = connector(dc, |_| {}).test().await;
    assert!(good.iter().all(|f| f.verdict == Verdict::Fine), "{good:#?}");
    assert_eq!(find(&good, Step::People, Verdict::Fine).len(), 4, "{good:#?}");
    assert!(find(&good, Step::People, Verdict::Fine)[0].starts_with("Found at least 1000 people"));
    assert!(find(&good, Step::Changes, Verdict::Fine)[0].contains("DirSync"));
    let failed = async |change: &dyn Fn(&mut LdapSettings)| {
        let findings = connector(dc, change).test().await;
        let bad: Vec<_> = findings.into_iter().filter(|f| f.verdict != Verdict::Fine).collect();
        assert!(!bad.is_empty());
        bad
    };
    let one = |bad: &[Finding], step, word: &str| {
        assert!(bad.iter().any(|f| f.step == step && f.text.contains(word)), "{bad:#?}");
    };
    one(&failed(&|s| s.servers = vec!["unknown.corp.test".into()]).await, Step::Names, "private network");
    one(&failed(&|s| s.servers = vec!["dead.corp.test".into()]).await, Step::Connection, "takes no connection");
    one(&failed(&|s| s.ca = None).await, Step::Connection, "Paste the certificate");
    one(&failed(&|s| s.servers = vec!["wrong.corp.test".into()]).await, Step::Connection, "Use the name");
    one(&failed(&|s| s.bind_name = "nobody@corp.test".into()).await, Step::Account, "cannot sign in");
    one(&failed(&|s| s.security = Security::Plain).await, Step::Connection, "unprotected");
    one(&failed(&|s| s.people_base = format!("OU=Nowhere,{BASE}")).await, Step::Base, "no such entry");
    one(&failed(&|s| s.people_filter = "(objectClass=contact)".into()).await, Step::People, "No people");
    one(&failed(&|s| s.groups_filter = "(cn=none)".into()).await, Step::Groups, "No groups");
    one(&failed(&|s| s.attributes.username = "employeeID".into()).await, Step::People, "employeeID: missing");
    one(&failed(&|s| s.profile = odcm::core::ldap::Profile::Openldap).await, Step::Server, "active_directory");
}

async fn failover(dc: &Peer) {
    let ldap = connector(dc, |s| s.servers = vec!["dead.corp.test".into(), "dc1.corp.test".into()]);
    let begun = std::time::Instant::now();
    assert!(dn(&ldap, "alice", PASSWORD).await.starts_with("CN=Alice"));
    assert!(dn(&ldap, "alice", PASSWORD).await.starts_with("CN=Alice"));
    assert!(begun.elapsed() < Duration::from_secs(20));
}
