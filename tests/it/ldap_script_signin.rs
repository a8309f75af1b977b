//! Signing in at servers that lie.

use crate::ldap_script::{Asked, Peer, Script, entry, message, reference, result};
use crate::ldap_script_wire::{against, settings};
use crate::ldap_world::{Names, ldap};
use odcm::connectors::ldap::{Directory, Error, Ldap, SignIn, Standing};
use odcm::core::ldap::{GroupStrategy, LdapSettings, Profile};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Log = Arc<Mutex<Vec<Asked>>>;

/// Lets anybody in, answers searches with what `found` says, and writes everything down.
async fn answering<F>(profile: Profile, found: F) -> (Ldap, Script, Log)
where
    F: Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
{
    let log = Log::default();
    let (written, found) = (log.clone(), Arc::new(found));
    let script = Script::start(move |mut peer: Peer| {
        let (written, found) = (written.clone(), found.clone());
        async move {
            while let Some(asked) = peer.next().await {
                written.lock().unwrap().push(asked.clone());
                match asked.tag {
                    0x60 => peer.ok_bind(&asked).await,
                    0x63 => peer.answer(&asked, &found(&asked)).await,
                    _ => true,
                };
            }
        }
    })
    .await;
    let settings = LdapSettings { profile, ..settings(vec![script.server()]) };
    (ldap(settings, "pw", Names::host("dc.test", "127.0.0.1")), script, log)
}

fn binds(log: &Log) -> Vec<String> {
    log.lock().unwrap().iter().filter(|a| a.is_bind() && a.name != "cn=svc,dc=x").map(|a| a.name.clone()).collect()
}

fn somebody(dn: &str, key: &'static [u8]) -> Vec<u8> {
    entry(dn, &[("entryUUID", &[key]), ("uid", &[b"alice"]), ("mail", &[b"alice@x.test"])])
}

#[tokio::test]
async fn an_empty_password_is_seen_by_no_server() {
    for profile in [Profile::Openldap, Profile::ActiveDirectory] {
        // this one answers success to anything
        let (ldap, script, _) = answering(profile, |_| vec![somebody("uid=alice,dc=x", b"k")]).await;
        assert_eq!(ldap.sign_in("alice", "", false).await, Ok(SignIn::Wrong));
        assert_eq!(script.connections.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_known_and_an_unknown_name_cost_the_same() {
    for (name, expect_in) in [("alice", true), ("nobody", false)] {
        let (ldap, script, log) =
            answering(
                Profile::Openldap,
                |a| {
                    if a.has("alice") { vec![somebody("uid=alice,ou=p,dc=x", b"k")] } else { Vec::new() }
                },
            )
            .await;
        let said = ldap.sign_in(name, "secret", false).await.unwrap();
        assert_eq!(matches!(said, SignIn::In { .. }), expect_in);
        // the bind as somebody who is not there succeeds at this server, and is still no sign-in
        let tags: Vec<u8> = log.lock().unwrap().iter().map(|a| a.tag).filter(|t| *t != 0x42).collect();
        assert_eq!(tags, [0x60, 0x63, 0x60], "{name}");
        assert_eq!(script.connections.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_name_is_a_value_and_never_a_part_of_the_filter() {
    let (ldap, _script, log) = answering(Profile::Openldap, |_| Vec::new()).await;
    let name = "*)(uid=*))(|(uid=\\2a";
    assert_eq!(ldap.sign_in(name, "secret", false).await, Ok(SignIn::Wrong));
    let log = log.lock().unwrap();
    let search = log.iter().find(|a| a.tag == 0x63).unwrap();
    // one assertion that holds the whole name as it was typed
    let assertion = [&[0xa3, 5 + 2 + name.len() as u8, 4, 3][..], b"uid", &[4, name.len() as u8], name.as_bytes()].concat();
    assert!(search.raw.windows(assertion.len()).any(|w| w == assertion));
    let bind = log.iter().rfind(|a| a.is_bind()).unwrap();
    assert_eq!(bind.name, "uid=*)(uid\\=*))(|(uid\\=\\\\2a,dc=x");
}

#[tokio::test]
async fn who_is_not_alone_or_not_below_the_base_does_not_sign_in() {
    let two = |_: &Asked| vec![somebody("uid=alice,ou=a,dc=x", b"k1"), somebody("uid=alice,ou=b,dc=x", b"k2")];
    let elsewhere = |_: &Asked| vec![somebody("uid=admin,dc=evil", b"k1")];
    let above = |_: &Asked| vec![somebody("dc=y,dc=x2", b"k1")];
    for found in [Arc::new(two) as Arc<dyn Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync>, Arc::new(elsewhere), Arc::new(above)] {
        let (ldap, _script, log) = answering(Profile::Openldap, move |a| found(a)).await;
        assert_eq!(ldap.sign_in("alice", "secret", false).await, Ok(SignIn::Wrong));
        assert_eq!(binds(&log), ["uid=alice,dc=x"]);
    }
}

#[tokio::test]
async fn keys_must_be_whole_and_single() {
    let bad: [&[&[u8]]; 4] = [&[], &[b"k1", b"k2"], &[b""], &[b"\xff\xfe"]];
    for values in bad {
        let (ldap, _script, _) =
            answering(Profile::Openldap, move |_| vec![entry("uid=alice,dc=x", &[("entryUUID", values), ("uid", &[b"alice"])])])
                .await;
        assert!(matches!(ldap.sign_in("alice", "secret", false).await, Err(Error::Nonsense(_))), "{values:?}");
    }
}

#[tokio::test]
async fn a_locked_account_is_barred_though_the_server_lets_it_in() {
    let (ldap, _script, _) =
        answering(Profile::Dirsrv, |_| vec![entry("uid=alice,dc=x", &[("nsUniqueId", &[b"k"]), ("nsAccountLock", &[b"TRUE"])])])
            .await;
    assert_eq!(ldap.sign_in("alice", "secret", false).await, Ok(SignIn::Barred(Standing::Disabled)));
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    for how in [0_u8, 10] {
        let script = Script::start(move |mut peer: Peer| async move {
            while let Some(asked) = peer.next().await {
                if asked.is_bind() {
                    peer.ok_bind(&asked).await;
                } else {
                    peer.send(&message(asked.id, &reference("ldap://evil.test/dc=x"), &[])).await;
                    peer.send(&message(asked.id, &result(0x65, how, ""), &[])).await;
                }
            }
        })
        .await;
        let names = Arc::new(Names::host("dc.test", "127.0.0.1").and("evil.test", "127.0.0.1"));
        let ldap = Ldap::new(settings(vec![script.server()]), "pw".into(), names.clone()).unwrap();
        let said = ldap.sign_in("alice", "secret", false).await;
        if how == 0 {
            assert_eq!(said, Ok(SignIn::Wrong))
        } else {
            assert_eq!(said.unwrap_err().code(), Some(10))
        }
        assert!(names.asked.lock().unwrap().iter().all(|n| n == "dc.test"));
    }
}

fn sid(rid: u8) -> Vec<u8> {
    let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0];
    bytes.extend([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, rid, 4, 0, 0]);
    bytes
}

fn ad_person(dn: &str, rid: u8, upn: &str) -> Vec<u8> {
    let (guid, sid) = ([rid; 16], sid(rid));
    entry(dn, &[("objectGUID", &[&guid]), ("objectSid", &[&sid]), ("userPrincipalName", &[upn.as_bytes()])])
}

/// The directory knows from the token who signed in; names may say something else.
async fn ad(token: Vec<Vec<u8>>, people: Vec<Vec<u8>>) -> (Ldap, Script, Log) {
    answering(Profile::ActiveDirectory, move |asked| {
        let values: Vec<&[u8]> = token.iter().map(Vec::as_slice).collect();
        match (asked.name.as_str(), asked.has("tokenGroups")) {
            ("", true) => vec![entry("", &[("tokenGroups", &values)])],
            _ if asked.has("userPrincipalName") => people.clone(),
            _ => vec![entry("cn=g,dc=x", &[("objectGUID", &[&[9; 16]]), ("objectSid", &[&sid(9)])])],
        }
    })
    .await
}

#[tokio::test]
async fn in_active_directory_it_is_whoever_the_token_says() {
    // mallory's explicit name is alice's implicit one: the server binds as mallory
    let both = vec![ad_person("cn=alice,dc=x", 1, "alice.real@x"), ad_person("cn=mallory,dc=x", 2, "alice@x")];
    let (ldap, _script, log) = ad(vec![sid(2), sid(9)], both.clone()).await;
    let Ok(SignIn::In { person, groups }) = ldap.sign_in("alice@x", "secret", true).await else { panic!() };
    assert_eq!((person.dn.as_str(), person.sid.as_deref()), ("cn=mallory,dc=x", Some("S-1-5-21-1-2-3-1026")));
    assert_eq!(groups.unwrap(), ["09090909-0909-0909-0909-090909090909"]);
    // and that took three questions after the bind
    let tags: Vec<u8> = log.lock().unwrap().iter().map(|a| a.tag).collect();
    assert_eq!(tags, [0x60, 0x63, 0x63, 0x63]);
    // only alice is below the base, but it is not her who signed in
    let (ldap, _script, _) = ad(vec![sid(2), sid(9)], both[..1].to_vec()).await;
    assert_eq!(ldap.sign_in("alice@x", "secret", false).await, Ok(SignIn::Wrong));
    // without a token an implicit name proves nothing, an explicit one does
    let (ldap, _script, _) = ad(Vec::new(), both[..1].to_vec()).await;
    assert_eq!(ldap.sign_in("alice@x", "secret", false).await, Ok(SignIn::Wrong));
    assert!(matches!(ldap.sign_in("ALICE.real@x", "secret", false).await, Ok(SignIn::In { .. })));
    // the same SID twice
    let (ldap, _script, _) = ad(vec![sid(1)], vec![both[0].clone(), both[0].clone()]).await;
    assert_eq!(ldap.sign_in("alice@x", "secret", false).await, Ok(SignIn::Wrong));
}

#[tokio::test]
async fn odd_guids_and_sids_are_not_believed() {
    let odd = |guid: &'static [u8], sid: &'static [u8]| {
        vec![entry("cn=a,dc=x", &[("objectGUID", &[guid]), ("objectSid", &[sid]), ("userPrincipalName", &[b"alice@x"])])]
    };
    let (ldap, _script, _) = ad(Vec::new(), odd(b"abc", b"")).await;
    assert!(matches!(ldap.sign_in("alice@x", "secret", false).await, Err(Error::Nonsense(_))));
    // a SID that promises more parts than there are is none, so it is not in the token
    let (ldap, _script, _) = ad(vec![sid(1)], odd(&[1; 16], b"\x01\xff\0\0\0\0\0\x05\x15\0\0\0")).await;
    assert_eq!(ldap.sign_in("alice@x", "secret", false).await, Ok(SignIn::Wrong));
}

#[tokio::test]
async fn groups_that_go_round_end_and_too_many_are_refused() {
    let ring = |asked: &Asked| {
        let (dn, up): (&str, &[u8]) = match asked.name.as_str() {
            "cn=g1,dc=x" => ("cn=g1,dc=x", b"CN=g2,dc=x"),
            "CN=g2,dc=x" => ("cn=G2,dc=x", b"cn=g1,dc=x"),
            "uid=alice,dc=x" | "dc=x" => ("uid=alice,dc=x", b"cn=g1,dc=x"),
            other => panic!("{other}"),
        };
        vec![entry(dn, &[("nsUniqueId", &[dn.as_bytes()]), ("memberOf", &[up, b"cn=far,dc=elsewhere"])])]
    };
    let (ldap, _script, log) = answering(Profile::Dirsrv, ring).await;
    let Ok(SignIn::In { groups, .. }) = ldap.sign_in("alice", "secret", true).await else { panic!() };
    assert_eq!(groups.unwrap(), ["cn=G2,dc=x", "cn=g1,dc=x"]);
    // the person, the person's groups, and each group once
    assert_eq!(log.lock().unwrap().iter().filter(|a| a.tag == 0x63).count(), 4);

    let count = AtomicUsize::new(0);
    let endless = move |asked: &Asked| {
        if asked.name == "dc=x" {
            return vec![somebody("uid=alice,dc=x", b"k")];
        }
        let n = count.fetch_add(1, Ordering::SeqCst);
        let up: Vec<String> = (0..100).map(|i| format!("cn=g{n}-{i},dc=x")).collect();
        let up: Vec<&[u8]> = up.iter().map(String::as_bytes).collect();
        vec![entry(&asked.name, &[("entryUUID", &[format!("k{n}").as_bytes()]), ("memberOf", &up)])]
    };
    let (plain, script, _) = answering(Profile::Openldap, endless).await;
    drop(plain);
    let settings = LdapSettings { strategy: Some(GroupStrategy::MemberOfWalk), ..settings(vec![script.server()]) };
    let ldap = crate::ldap_world::ldap(settings, "pw", Names::host("dc.test", "127.0.0.1"));
    assert!(matches!(ldap.sign_in("alice", "secret", true).await, Err(Error::TooMuch(_))));
}

#[tokio::test]
async fn groups_of_too_many_bytes_are_refused() {
    let junk = vec![7; 900 * 1024];
    let (ldap, _script, _) = answering(Profile::Openldap, move |asked| {
        if asked.has("groupOfNames") {
            let group =
                |n: u32| entry(&format!("cn=g{n},dc=x"), &[("entryUUID", &[format!("g{n}").as_bytes()]), ("junk", &[&junk])]);
            return (0..10).map(group).collect();
        }
        vec![somebody("uid=alice,dc=x", b"k")]
    })
    .await;
    // each is allowed, and so is their number; together they are more than a question may cost
    assert!(matches!(ldap.sign_in("alice", "secret", true).await, Err(Error::TooMuch(_))));
}

#[tokio::test]
async fn eight_sign_in_at_once_and_the_others_wait() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (a, b) = (now.clone(), most.clone());
    let (ldap, _script) = against(move |mut peer| {
        let (now, most) = (a.clone(), b.clone());
        async move {
            while let Some(asked) = peer.next().await {
                if asked.is_bind() && asked.name != "cn=svc,dc=x" {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    peer.ok_bind(&asked).await;
                } else if asked.is_bind() {
                    peer.ok_bind(&asked).await;
                } else {
                    peer.answer(&asked, &[somebody("uid=alice,dc=x", b"k")]).await;
                }
            }
        }
    })
    .await;
    let ldap = Arc::new(ldap);
    let all: Vec<_> = (0..24)
        .map(|_| {
            let ldap = ldap.clone();
            tokio::spawn(async move { ldap.sign_in("alice", "secret", false).await })
        })
        .collect();
    for one in all {
        assert!(matches!(one.await.unwrap(), Ok(SignIn::In { .. })));
    }
    assert!(most.load(Ordering::SeqCst) <= 8, "{}", most.load(Ordering::SeqCst));
}
