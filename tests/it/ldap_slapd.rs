//! A real OpenLDAP: signing in, and keeping in step by content synchronisation and by times.

use crate::ldap_samba::{Peer, change};
use crate::ldap_world::{Names, ldap, pulled};
use odcm::connectors::ldap::{Directory, Error, Ldap, MemberRef, SignIn, Standing, Step, Verdict};
use odcm::core::ldap::{Attributes, GroupStrategy, LdapSettings, Limits, Profile, Security};
use serde_json::Value;
use std::collections::BTreeSet;

const BASE: &str = "dc=example,dc=test";

fn modify(peer: &Peer, ldif: &str) {
    change(&format!("ldap://{}:3890", peer.ip), ("cn=admin,dc=example,dc=test", "secret"), ldif);
}

fn connector(peer: &Peer, change: impl FnOnce(&mut LdapSettings)) -> Ldap {
    let mut settings = LdapSettings {
        profile: Profile::Openldap,
        servers: vec!["ldap.example.test:3891".into()],
        ca: Some(peer.ca()),
        bind_name: format!("cn=sync,{BASE}"),
        base: BASE.into(),
        limits: Limits { operation_s: 30, connect_s: 20, ..Limits::default() },
        ..LdapSettings::default()
    };
    change(&mut settings);
    let secret = if settings.bind_name.starts_with("cn=sync") { "syncpw" } else { "pw5" };
    ldap(settings, secret, Names::host("ldap.example.test", peer.ip))
}

fn starttls(settings: &mut LdapSettings) {
    (settings.security, settings.servers) = (Security::Starttls, vec!["ldap.example.test:3890".into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn openldap() {
    let peer = Peer::up("slapd", "127.0.0.61");
    signing_in(&peer).await;
    policies(&peer).await;
    groups(&peer).await;
    story(&peer, &|_| {}, "sync").await;
    limits(&peer).await;
    posix(&peer).await;
    findings(&peer).await;
}

/// Without a log of what was deleted, and without content synchronisation at all.
#[tokio::test(flavor = "multi_thread")]
async fn openldap_that_forgets() {
    let peer = Peer::up("slapd", "127.0.0.62");
    let ldap = connector(&peer, |_| {});
    let mut cursor = pulled(&ldap, None).await.0.cursor;
    // a cookie from before the beginning of the log: the server can only name what is present
    let old = b"rid=000,csn=20200101000000.000000Z#000000#000#000000";
    use base64::Engine as _;
    cursor["cookie"] = base64::engine::general_purpose::STANDARD.encode(old).into();
    modify(&peer, &format!("dn: uid=u7,ou=people,{BASE}\nchangetype: delete\n"));
    let (done, got) = pulled(&ldap, Some(&cursor)).await;
    assert!(done.complete && got.people.len() > 1000, "{done:?}");
    assert!(!got.usernames().contains(&"u7"));

    // by times: what is another attribute than entryUUID cannot be synchronised by UUID
    let by_time = |s: &mut LdapSettings| s.attributes = Attributes { key: "uid".into(), ..Attributes::default() };
    let ldap = connector(&peer, |s| {
        by_time(s);
        s.groups_filter = "(objectClass=posixGroup)".into();
        s.attributes.key = "cn".into();
    });
    let (first, _) = pulled(&ldap, None).await;
    assert_eq!((first.cursor["how"].as_str(), first.tells_gone, first.complete), (Some("modified"), false, true));
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    modify(&peer, &format!("dn: uid=u9,ou=people,{BASE}\nchangetype: modify\nreplace: mail\nmail: nine@example.test\n"));
    let (second, got) = pulled(&ldap, Some(&first.cursor)).await;
    assert!(!second.complete);
    assert_eq!(got.person("u9").email.as_deref(), Some("nine@example.test"));
}

async fn signing_in(peer: &Peer) {
    for secure in [starttls as fn(&mut LdapSettings), |_: &mut LdapSettings| {}] {
        let ldap = connector(peer, secure);
        let SignIn::In { person, groups: None } = ldap.sign_in("u3", "pw3", false).await.unwrap() else { panic!() };
        assert_eq!((person.dn.as_str(), person.label.as_str()), ("uid=u3,ou=people,dc=example,dc=test", "u3"));
        assert_eq!((person.name.as_deref(), person.email.as_deref()), (Some("User 3"), Some("u3@example.test")));
        let stranger = rcgen::generate_simple_self_signed(vec!["ldap.example.test".into()]).unwrap().cert.pem();
        let wrong = connector(peer, |s| {
            secure(s);
            s.ca = Some(stranger);
        });
        assert!(matches!(wrong.sign_in("u3", "pw3", false).await, Err(Error::Unreachable(_))));
    }
    let ldap = connector(peer, |_| {});
    for name in ["u3@example.test", "U3", "uid=u3,ou=people,dc=example,dc=test"] {
        assert!(matches!(ldap.sign_in(name, "pw3", false).await, Ok(SignIn::In { .. })), "{name}");
    }
    for name in ["Bob (Ops), Jr*", "Back\\Slash", "Zoë Ångström", "#sharp", "a+b=c;d<e>\"f\""] {
        let SignIn::In { person, .. } = ldap.sign_in(name, "oddpw", false).await.unwrap() else { panic!("{name}") };
        assert_eq!(person.username.as_deref(), Some(name));
        let SignIn::In { person: again, .. } = ldap.sign_in(&person.dn, "oddpw", false).await.unwrap() else { panic!("{name}") };
        assert_eq!(again, person);
    }
    for (name, password) in [
        ("u3", "pw4"),
        ("u3", ""),
        ("nobody", "pw3"),
        ("u*", "pw3"),
        ("*", "pw3"),
        ("cn=admin,dc=example,dc=test", "secret"),
        ("cn=sync,dc=example,dc=test", "syncpw"),
    ] {
        assert_eq!(ldap.sign_in(name, password, false).await, Ok(SignIn::Wrong), "{name}");
    }
    let unknown = connector(peer, |s| s.bind_name = format!("cn=nobody,{BASE}"));
    assert!(matches!(unknown.sign_in("u3", "pw3", false).await, Err(Error::Misconfigured(_))));
    let anonymous = connector(peer, |s| s.bind_name = String::new());
    assert_eq!(anonymous.sign_in("u3", "pw3", false).await.unwrap_err().code(), Some(50));
}

async fn policies(peer: &Peer) {
    let ldap = connector(peer, |_| {});
    for _ in 0..3 {
        assert_eq!(ldap.sign_in("u20", "bad", false).await, Ok(SignIn::Wrong));
    }
    assert_eq!(ldap.sign_in("u20", "pw20", false).await, Ok(SignIn::Barred(Standing::Locked)));
    modify(peer, &format!("dn: uid=u21,ou=people,{BASE}\nchangetype: modify\nadd: pwdReset\npwdReset: TRUE\n"));
    let SignIn::In { person, .. } = ldap.sign_in("u21", "pw21", false).await.unwrap() else { panic!() };
    assert_eq!(person.standing, Some(Standing::MustChangePassword));
}

async fn groups(peer: &Peer) {
    let all = pulled(&connector(peer, |_| {}), None).await.1;
    for strategy in [GroupStrategy::MemberSearchWalk, GroupStrategy::MemberOfWalk] {
        let ldap = connector(peer, |s| s.strategy = Some(strategy));
        let SignIn::In { groups, .. } = ldap.sign_in("u1", "pw1", true).await.unwrap() else { panic!() };
        let names: BTreeSet<_> = groups.unwrap().iter().map(|k| all.groups[k].name.clone()).collect();
        // the memberOf overlay here knows groupOfNames only
        let mut want: BTreeSet<String> = ["lvl1", "lvl2", "lvl3", "big"].map(str::to_owned).into();
        if strategy == GroupStrategy::MemberSearchWalk {
            want.insert("unique".into());
        }
        assert_eq!(names, want, "{strategy:?}");
    }
}

async fn step(ldap: &Ldap, cursor: &mut Value) -> crate::ldap_world::Got {
    let (done, got) = pulled(ldap, Some(cursor)).await;
    assert!(!done.complete && done.skipped.is_empty(), "{done:?}");
    *cursor = done.cursor;
    got
}

async fn story(peer: &Peer, settings: &dyn Fn(&mut LdapSettings), how: &str) {
    let ldap = connector(peer, settings);
    let (done, all) = pulled(&ldap, None).await;
    assert!(done.complete && done.tells_gone && done.skipped.is_empty(), "{done:?}");
    assert_eq!((all.people.len(), all.groups.len(), done.cursor["how"].as_str()), (1205, 5, Some(how)));
    assert_eq!(all.group("big").members.len(), 1200);
    assert_eq!(all.group("unique").members, [MemberRef::Dn(format!("uid=u1,ou=people,{BASE}"))]);
    let mut cursor = done.cursor;

    // nothing changed: nothing is sent, and the cursor stays good
    for _ in 0..2 {
        let before = cursor.clone();
        let got = step(&ldap, &mut cursor).await;
        assert!(got.people.is_empty() && got.groups.is_empty() && got.gone.is_empty(), "{got:?}");
        assert_eq!(cursor, before);
    }
    let dn = format!("uid=new,ou=people,{BASE}");
    modify(peer, &format!("dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\ncn: New\nsn: N\n"));
    modify(peer, &format!("dn: cn=lvl3,ou=groups,{BASE}\nchangetype: modify\nadd: member\nmember: {dn}\n"));
    let got = step(&ldap, &mut cursor).await;
    let key = got.person("new").key.clone();
    assert_eq!(got.group("lvl3").members.len(), 2);
    // renamed, with its group following
    modify(peer, &format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=newer\ndeleteoldrdn: 1\n"));
    let got = step(&ldap, &mut cursor).await;
    assert_eq!(got.people[&key].username.as_deref(), Some("newer"));
    // moved within the base
    let dn = format!("uid=newer,ou=people,{BASE}");
    modify(
        peer,
        &format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=newer\ndeleteoldrdn: 0\nnewsuperior: ou=elsewhere,{BASE}\n"),
    );
    let got = step(&ldap, &mut cursor).await;
    assert_eq!(got.people[&key].dn, format!("uid=newer,ou=elsewhere,{BASE}"));
    // no person of ours any more, though it is still there
    let strict = connector(peer, |s| {
        settings(s);
        s.people_base = format!("ou=people,{BASE}");
    });
    let mut narrow = pulled(&strict, None).await.0.cursor;
    modify(
        peer,
        &format!(
            "dn: uid=u30,ou=people,{BASE}\nchangetype: modrdn\nnewrdn: uid=u30\ndeleteoldrdn: 0\nnewsuperior: ou=elsewhere,{BASE}\n"
        ),
    );
    assert_eq!(step(&strict, &mut narrow).await.gone, [all.person("u30").key.clone()]);
    step(&ldap, &mut cursor).await;
    // gone, with something changed beside it
    modify(peer, &format!("dn: uid=newer,ou=elsewhere,{BASE}\nchangetype: delete\n"));
    modify(peer, &format!("dn: uid=u31,ou=people,{BASE}\nchangetype: modify\nreplace: mail\nmail: x@example.test\n"));
    let got = step(&ldap, &mut cursor).await;
    assert_eq!((got.gone.as_slice(), got.usernames()), ([key].as_slice(), vec!["u31"]));
    modify(peer, &format!("dn: cn=lvl3,ou=groups,{BASE}\nchangetype: delete\n"));
    assert_eq!(step(&ldap, &mut cursor).await.gone, [all.group("lvl3").key.clone()]);
}

async fn limits(peer: &Peer) {
    // an ordinary account: 200 entries a page here, 500 without pages
    let ordinary = |page: u32| {
        connector(peer, |s| {
            s.bind_name = format!("uid=u5,ou=people,{BASE}");
            s.limits.page = page;
        })
    };
    let (done, got) = pulled(&ordinary(200), None).await;
    assert!(done.complete && got.people.len() > 1200);
    // a page that is too large is made smaller
    assert!(pulled(&ordinary(1000), None).await.0.complete);
    let few = connector(peer, |s| s.limits.entries = 1000);
    assert!(matches!(crate::ldap_world::pull(&few, None).await.0, Err(Error::TooMuch(_))));
}

async fn posix(peer: &Peer) {
    let ldap = connector(peer, |s| s.profile = Profile::Posix);
    let (done, got) = pulled(&ldap, None).await;
    assert!(done.complete);
    assert_eq!(got.group("staff").members, ["u1", "u2"].map(|u| MemberRef::Uid(u.into())));
    // half of the people have it as their primary group
    let primary = &got.group("primary").members;
    assert!(primary.len() > 590 && primary.contains(&MemberRef::Key(got.person("u1").key.clone())));
    let SignIn::In { groups, .. } = ldap.sign_in("u1", "pw1", true).await.unwrap() else { panic!() };
    let names: BTreeSet<_> = groups.unwrap().iter().map(|k| got.groups[k].name.clone()).collect();
    assert_eq!(names, ["primary", "staff"].map(str::to_owned).into());
    let mut cursor = done.cursor;
    modify(peer, &format!("dn: cn=staff,ou=posix,{BASE}\nchangetype: modify\ndelete: memberUid\nmemberUid: u2\n"));
    assert_eq!(step(&ldap, &mut cursor).await.group("staff").members, [MemberRef::Uid("u1".into())]);
}

async fn findings(peer: &Peer) {
    let good = connector(peer, |_| {}).test().await;
    assert!(good.iter().all(|f| f.verdict == Verdict::Fine), "{good:#?}");
    assert!(good.iter().any(|f| f.step == Step::Changes && f.text.contains("syncrepl")), "{good:#?}");
    let wrong = connector(peer, |s| s.profile = Profile::ActiveDirectory).test().await;
    assert!(wrong.iter().any(|f| f.step == Step::Server && f.text.contains("openldap")), "{wrong:#?}");
}
