//! What a hostile or broken server can do to the bytes.

use crate::ldap_script::{Peer, Script, entry, message, read, reference, result, text, tlv};
use crate::ldap_world::{Names, ldap};
use odcm::connectors::ldap::{Directory, Error, Ldap, Service, SignIn};
use odcm::core::ldap::{LdapSettings, Limits, Profile, Security};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub fn settings(servers: Vec<String>) -> LdapSettings {
    LdapSettings {
        profile: Profile::Openldap,
        servers,
        security: Security::Plain,
        base: "dc=x".into(),
        bind_name: "cn=svc,dc=x".into(),
        limits: Limits { operation_s: 1, connect_s: 1, entry_mib: 1, ..Limits::default() },
        ..LdapSettings::default()
    }
}

pub async fn against<F, Fut>(play: F) -> (Ldap, Script)
where
    F: Fn(Peer) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let script = Script::start(play).await;
    (ldap(settings(vec![script.server()]), "pw", Names::host("dc.test", "127.0.0.1")), script)
}

/// Answers the first request of every connection with these bytes, and waits.
async fn first_answer(bytes: Vec<u8>) -> Result<SignIn, Error> {
    let bytes = Arc::new(bytes);
    let (ldap, _script) = against(move |mut peer| {
        let bytes = bytes.clone();
        async move {
            peer.next().await;
            peer.send(&bytes).await;
            peer.next().await;
        }
    })
    .await;
    let begun = Instant::now();
    let said = ldap.sign_in("alice", "secret", true).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "took {:?}", begun.elapsed());
    said
}

#[tokio::test]
async fn a_tower_of_tags_does_not_bring_the_house_down() {
    // with a parser that recurses, this ends the process before anybody has bound
    let levels = 100_000_u32;
    let tower = (0..levels).flat_map(|k| {
        let rest = ((levels - k - 1) * 5).to_be_bytes();
        [0x30, 0x83, rest[1], rest[2], rest[3]]
    });
    assert!(matches!(first_answer(tower.collect()).await, Err(Error::Nonsense(_))));
}

#[tokio::test]
async fn garbage_is_nonsense() {
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        vec![0x30, 0x80, 0, 0],
        vec![0x30, 0x85, 1, 1, 1, 1, 1],
        tlv(0x30, b""),
        tlv(0x30, &[0xff; 40]),
        message(1, &tlv(0x61, b""), &[]),
        message(1, &tlv(0x6f, b"abc"), &[]),
        message(1, &result(0x65, 0, ""), &[]),
        message(1, &result(0x61, 0, ""), b"\x04\x01x"),
    ] {
        let said = first_answer(bytes.clone()).await;
        assert!(matches!(said, Err(Error::Nonsense(_))), "{bytes:x?}: {said:?}");
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_no_answer() {
    assert!(matches!(first_answer(message(2, &result(0x61, 0, ""), &[])).await, Err(Error::Nonsense(_))));
    let farewell = message(0, &result(0x78, 52, "bye"), &[]);
    assert!(matches!(first_answer(farewell).await, Err(Error::Lost(_))));
}

#[tokio::test]
async fn a_length_that_promises_gigabytes_is_refused_at_once() {
    let said = first_answer(vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1]).await;
    assert_eq!(said, Err(Error::TooMuch("dc.test sent an entry of more than 1 MiB".into())));
}

#[tokio::test]
async fn silence_and_slowness_have_an_end() {
    assert!(matches!(first_answer(Vec::new()).await, Err(Error::Slow(..))));
    assert!(matches!(first_answer(vec![0x30, 0x84, 0, 0, 0xff]).await, Err(Error::Slow(..))));
    let (ldap, script) = against(|mut peer| async move {
        peer.next().await;
        for byte in message(1, &result(0x61, 0, &"x".repeat(100)), &[]) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if !peer.send(&[byte]).await {
                return;
            }
        }
    })
    .await;
    let begun = Instant::now();
    assert!(matches!(ldap.sign_in("alice", "secret", false).await, Err(Error::Slow(..))));
    assert!(begun.elapsed() < Duration::from_secs(3));
    // a connection that was given up is not used again
    assert!(matches!(ldap.sign_in("alice", "secret", false).await, Err(Error::Slow(..))));
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_always_has_something_to_say_is_late_too() {
    let (ldap, _script) = against(|mut peer| async move {
        let bind = peer.next().await.unwrap();
        peer.ok_bind(&bind).await;
        let search = peer.next().await.unwrap();
        let flood = message(search.id, &reference("ldap://elsewhere.test/dc=x"), &[]).repeat(500);
        while peer.send(&flood).await {}
    })
    .await;
    let begun = Instant::now();
    assert!(matches!(ldap.sign_in("alice", "secret", false).await, Err(Error::Slow(..))));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn more_entries_than_asked_for_end_the_search() {
    let (ldap, _script) = against(|mut peer| async move {
        let bind = peer.next().await.unwrap();
        peer.ok_bind(&bind).await;
        let search = peer.next().await.unwrap();
        let many = message(search.id, &entry("uid=a,dc=x", &[]), &[]).repeat(1000);
        while peer.send(&many).await {}
    })
    .await;
    assert!(matches!(ldap.sign_in("alice", "secret", false).await, Err(Error::TooMuch(_))));
}

#[tokio::test]
async fn a_connection_that_ends_is_lost_and_a_stale_one_is_not_used() {
    let (ldap, script) = against(|mut peer| async move {
        // the service account's connection ends after its search
        if let Some(asked) = peer.next().await
            && peer.ok_bind(&asked).await
            && asked.name == "cn=svc,dc=x"
            && let Some(search) = peer.next().await
        {
            peer.answer(&search, &[entry("uid=alice,dc=x", &[("entryUUID", &[b"k1"]), ("uid", &[b"alice"])])]).await;
        }
    })
    .await;
    for _ in 0..3 {
        let said = ldap.sign_in("alice", "secret", false).await.unwrap();
        assert!(matches!(said, SignIn::In { .. }));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(script.connections.load(Ordering::SeqCst), 6);
    assert!(matches!(first_close().await, Err(Error::Lost(_))));
}

async fn first_close() -> Result<SignIn, Error> {
    let (ldap, _script) = against(|mut peer| async move {
        peer.next().await;
    })
    .await;
    ldap.sign_in("alice", "secret", false).await
}

#[tokio::test]
async fn nothing_secret_is_said_before_tls() {
    let extended = |code: u8| message(1, &tlv(0x78, &[tlv(0x0a, &[code]), text(""), text("no")].concat()), &[]);
    // refused; or agreed to, with more behind it that somebody else may have put there
    let injected = [extended(0), message(2, &result(0x61, 0, ""), &[])].concat();
    for (answer, says) in [(extended(2), "does not begin TLS"), (injected, "no LDAP"), (result(0x78, 0, ""), "no LDAP")] {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let script = Script::start(move |mut peer| {
            let (answer, count) = (answer.clone(), count.clone());
            async move {
                while let Some(asked) = peer.next().await {
                    assert_eq!(asked.tag, 0x77);
                    count.fetch_add(1, Ordering::SeqCst);
                    peer.send(&answer).await;
                }
            }
        })
        .await;
        let settings = LdapSettings { security: Security::Starttls, ..settings(vec![script.server()]) };
        let ldap = ldap(settings, "pw", Names::host("dc.test", "127.0.0.1"));
        let said = ldap.sign_in("alice", "secret", false).await.unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
        assert_eq!(seen.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn without_tls_only_where_the_operator_allows_it() {
    let script = Script::start(|_| async {}).await;
    let names = Names { plain_forbidden: true, ..Names::host("dc.test", "127.0.0.1") };
    let ldap = ldap(settings(vec![script.server()]), "pw", names);
    assert!(matches!(ldap.sign_in("a", "b", false).await, Err(Error::Misconfigured(_))));
    assert_eq!(script.connections.load(Ordering::SeqCst), 0);
}

/// Finds alice, and lets anybody in.
async fn friendly(mut peer: Peer) {
    while let Some(asked) = peer.next().await {
        if asked.is_bind() {
            peer.ok_bind(&asked).await;
        } else if asked.tag == 0x63 {
            peer.answer(&asked, &[entry("uid=alice,dc=x", &[("entryUUID", &[b"k1"])])]).await;
        }
    }
}

#[tokio::test]
async fn the_next_server_is_asked_and_stays_the_one() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (one, two) = (Script::start(friendly).await, Script::start(friendly).await);
    let servers =
        vec![format!("dead.test:{dead}"), format!("one.test:{}", one.address.port()), format!("two.test:{}", two.address.port())];
    let names = Names::host("dead.test", "127.0.0.1").and("one.test", "127.0.0.1").and("two.test", "127.0.0.1");
    let ldap = ldap(settings(servers), "pw", names);
    for _ in 0..3 {
        assert!(matches!(ldap.sign_in("alice", "secret", false).await, Ok(SignIn::In { .. })));
    }
    assert!(one.connections.load(Ordering::SeqCst) >= 4);
    assert_eq!(two.connections.load(Ordering::SeqCst), 0);
    // when it goes, the third takes over
    drop(one);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut said = ldap.sign_in("alice", "secret", false).await;
    if said.is_err() {
        said = ldap.sign_in("alice", "secret", false).await;
    }
    assert!(matches!(said, Ok(SignIn::In { .. })), "{said:?}");
    assert!(two.connections.load(Ordering::SeqCst) >= 1);
}

#[tokio::test]
async fn dns_may_only_name_servers_of_the_domain() {
    let script = Script::start(friendly).await;
    let port = script.address.port();
    let of = |priority, host: &str, port| Service { priority, weight: 0, host: host.into(), port };
    let list = vec![of(0, "dc.corp.test.evil.test", 1), of(1, "evilcorp.test", 2), of(2, "DC.corp.test", port)];
    let mut names =
        Names::host("dc.corp.test", "127.0.0.1").and("dc.corp.test.evil.test", "127.0.0.1").and("evilcorp.test", "127.0.0.1");
    names.services.insert("_ldap._tcp.corp.test".into(), list);
    let names = Arc::new(names);
    let settings = LdapSettings { servers: Vec::new(), domain: "corp.test".into(), ..settings(Vec::new()) };
    let ldap = Ldap::new(settings, "pw".into(), names.clone()).unwrap();
    assert!(matches!(ldap.sign_in("alice", "secret", false).await, Ok(SignIn::In { .. })));
    let asked = names.asked.lock().unwrap().clone();
    assert!(!asked.iter().any(|n| n.contains("evil")), "{asked:?}");
    assert_eq!(asked.iter().filter(|n| n.starts_with('_')).count(), 1, "{asked:?}");
}

#[test]
fn the_writer_of_the_tests_can_be_read_by_their_reader() {
    let long = tlv(4, &[7; 300]);
    assert_eq!(read(&long), Some((4, &[7; 300][..], &[][..])));
}
