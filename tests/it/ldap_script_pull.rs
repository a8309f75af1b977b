//! Pulls from servers that do what Samba and OpenLDAP do not: limits, ranges, lists without end, lies.

use crate::ldap_script::{Asked, Peer, Script, control, entry, int, message, page_cookie, result, text, tlv};
use crate::ldap_script_wire::{against, settings};
use crate::ldap_world::{Names, ldap, pull, pulled};
use odcm::connectors::ldap::{Directory, Error, Ldap};
use odcm::core::ldap::{LdapSettings, Limits, Profile};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

pub const DIRSYNC: &str = "1.2.840.113556.1.4.841";

pub fn root(controls: &[&str]) -> Vec<u8> {
    let controls: Vec<&[u8]> = controls.iter().map(|c| c.as_bytes()).collect();
    entry("", &[("namingContexts", &[b"dc=x"]), ("supportedControl", &controls)])
}

pub fn ad_root(usn: &str, controls: &[&str]) -> Vec<u8> {
    let controls: Vec<&[u8]> = controls.iter().map(|c| c.as_bytes()).collect();
    entry(
        "",
        &[
            ("defaultNamingContext", &[b"dc=x"]),
            ("supportedCapabilities", &[b"1.2.840.113556.1.4.800"]),
            ("supportedControl", &controls),
            ("highestCommittedUSN", &[usn.as_bytes()]),
            ("dsServiceName", &[b"cn=ntds"]),
        ],
    )
}

pub fn ntds() -> Vec<u8> {
    entry("cn=ntds", &[("invocationId", &[&[7; 16]])])
}

pub fn person(n: u32) -> Vec<u8> {
    let (key, dn) = (format!("key-{n}"), format!("uid=u{n},dc=x"));
    entry(&dn, &[("entryUUID", &[key.as_bytes()]), ("uid", &[format!("u{n}").as_bytes()])])
}

/// Lets anybody in, and answers every other request with the bytes that `play` makes.
pub async fn playing<F>(profile: Profile, change: impl FnOnce(&mut LdapSettings), play: F) -> (Ldap, Script)
where
    F: Fn(&Asked) -> Vec<u8> + Send + Sync + 'static,
{
    let play = Arc::new(play);
    let script = Script::start(move |mut peer: Peer| {
        let play = play.clone();
        async move {
            while let Some(asked) = peer.next().await {
                let sent = if asked.is_bind() { peer.ok_bind(&asked).await } else { peer.send(&play(&asked)).await };
                if !sent {
                    return;
                }
            }
        }
    })
    .await;
    let mut settings = LdapSettings { profile, ..settings(vec![script.server()]) };
    change(&mut settings);
    (ldap(settings, "pw", Names::host("dc.test", "127.0.0.1")), script)
}

/// Entries and the end.
pub fn list(asked: &Asked, entries: &[Vec<u8>], code: u8, controls: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(|e| message(asked.id, e, &[])).collect();
    bytes.extend(message(asked.id, &result(0x65, code, ""), controls));
    bytes
}

fn is_groups(asked: &Asked) -> bool {
    asked.has("groupOfNames")
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let (ldap, _script) = playing(
        Profile::Openldap,
        |s| s.limits.page = 10,
        |asked| match asked.page() {
            None => list(asked, &[root(&["1.2.840.113556.1.4.319"])], 0, &[]),
            Some(_) if is_groups(asked) => list(asked, &[], 0, &page_cookie("")),
            Some(cookie) => {
                let page: u32 = cookie.parse().unwrap_or(0);
                let next = if page == 129 { String::new() } else { (page + 1).to_string() };
                let entries: Vec<_> = (0..10).map(|i| person(page * 10 + i)).collect();
                list(asked, &entries, 0, &page_cookie(&next))
            }
        },
    )
    .await;
    let (done, got) = pulled(&ldap, None).await;
    assert_eq!((got.people.len(), done.counts.people, done.complete, got.batches), (1300, 1300, true, 3));
    assert_eq!(got.people["key-1299"].username.as_deref(), Some("u1299"));
}

#[tokio::test]
async fn a_list_that_is_cut_off_is_no_list() {
    // a server that knows no pages and ends after a thousand
    let (ldap, _script) = playing(
        Profile::Openldap,
        |_| {},
        |asked| match asked.name.as_str() {
            "" => list(asked, &[root(&[])], 0, &[]),
            _ => list(asked, &(0..1000).map(person).collect::<Vec<_>>(), 4, &[]),
        },
    )
    .await;
    let (result, got) = pull(&ldap, None).await;
    assert!(matches!(result, Err(Error::TooMuch(_))), "{result:?}");
    assert_eq!(got.people.len(), 1000);
    // and one whose second page fails
    let (ldap, _script) = playing(
        Profile::Openldap,
        |_| {},
        |asked| match asked.page().as_deref() {
            None => list(asked, &[root(&["1.2.840.113556.1.4.319"])], 0, &[]),
            Some("") => list(asked, &[person(1)], 0, &page_cookie("more")),
            Some(_) => list(asked, &[], 51, &[]),
        },
    )
    .await;
    assert_eq!(pull(&ldap, None).await.0.unwrap_err().code(), Some(51));
}

#[tokio::test]
async fn empty_pages_without_end_have_an_end() {
    let (ldap, _script) = playing(
        Profile::Openldap,
        |_| {},
        |asked| match asked.page() {
            None => list(asked, &[root(&["1.2.840.113556.1.4.319"])], 0, &[]),
            Some(_) => list(asked, &[], 0, &page_cookie("more")),
        },
    )
    .await;
    assert!(matches!(pull(&ldap, None).await.0, Err(Error::Nonsense(_))));
}

/// Sends entries without end, and counts the bytes that were taken.
async fn endless(limit: u32) -> (Ldap, Script, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let count = taken.clone();
    let script = Script::start(move |mut peer: Peer| {
        let count = count.clone();
        async move {
            while let Some(asked) = peer.next().await {
                if asked.is_bind() {
                    peer.ok_bind(&asked).await;
                } else if asked.name.is_empty() {
                    peer.answer(&asked, &[root(&[])]).await;
                } else {
                    for n in 0.. {
                        let some: Vec<u8> = (0..100).flat_map(|i| message(asked.id, &person(n * 100 + i), &[])).collect();
                        if !peer.send(&some).await {
                            return;
                        }
                        count.fetch_add(some.len() as u64, Ordering::SeqCst);
                    }
                }
            }
        }
    })
    .await;
    let mut settings = settings(vec![script.server()]);
    settings.limits = Limits { entries: limit, ..settings.limits };
    (ldap(settings, "pw", Names::host("dc.test", "127.0.0.1")), script, taken)
}

#[tokio::test]
async fn entries_without_end_are_cut_at_the_limit() {
    let (ldap, _script, _) = endless(20_000).await;
    let (result, got) = pull(&ldap, None).await;
    assert_eq!(result, Err(Error::TooMuch("the directory sent more than 20000 entries".into())));
    assert_eq!(got.people.len(), 20_000);
}

#[tokio::test]
async fn nothing_is_read_that_nobody_takes() {
    let (ldap, _script, taken) = endless(1_000_000).await;
    let (out, mut people) = tokio::sync::mpsc::channel(1);
    let pulling = tokio::spawn(async move { ldap.pull(None, out).await });
    assert_eq!(people.recv().await.unwrap().len(), 500);
    let mut stalled = 0;
    // longer than an operation may take: the clock does not run while nobody takes
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let now = taken.load(Ordering::SeqCst);
        if now == stalled {
            break;
        }
        stalled = now;
    }
    assert_eq!(taken.load(Ordering::SeqCst), stalled);
    // what the kernel holds for both ends, and two batches
    assert!(stalled < 16 * 1024 * 1024, "{stalled}");
    assert_eq!(people.recv().await.unwrap().len(), 500);
    drop(people);
    assert_eq!(pulling.await.unwrap(), Err(Error::Unwanted));
}

#[tokio::test]
async fn what_is_odd_is_passed_over_and_said() {
    let (ldap, _script) = playing(
        Profile::Openldap,
        |_| {},
        |asked| match asked.name.as_str() {
            "" => list(asked, &[root(&[])], 0, &[]),
            _ if is_groups(asked) => list(asked, &[], 0, &[]),
            _ => {
                let mut all: Vec<_> = (0..100).map(person).collect();
                all.push(entry("uid=nokey,dc=x", &[("uid", &[b"nokey"])]));
                all.push(entry("uid=two,dc=x", &[("entryUUID", &[b"a", b"b"])]));
                all.push(entry("uid=far,dc=elsewhere", &[("entryUUID", &[b"far"])]));
                list(asked, &all, 0, &[])
            }
        },
    )
    .await;
    let (done, got) = pulled(&ldap, None).await;
    assert_eq!((got.people.len(), done.counts.skipped, done.complete), (100, 3, true));
    let why: Vec<_> = done.skipped.iter().map(|s| (s.dn.as_str(), s.why.as_str())).collect();
    assert!(why[0].0 == "uid=nokey,dc=x" && why[0].1.contains("entryUUID"), "{why:?}");
    assert!(why[1].1.contains("several") && why[2].1.contains("not below the base"), "{why:?}");
}

#[tokio::test]
async fn an_absence_proves_nothing_where_little_can_be_seen() {
    // nobody at all; or nobody with a key
    for entries in [Vec::new(), vec![entry("uid=nokey,dc=x", &[("uid", &[b"nokey"])])], {
        let mut mixed: Vec<_> = (0..5).map(|i| entry(&format!("uid=n{i},dc=x"), &[])).collect();
        mixed.push(person(1));
        mixed
    }] {
        let (ldap, _script) = playing(
            Profile::Openldap,
            |_| {},
            move |asked| match asked.name.as_str() {
                "" => list(asked, &[root(&[])], 0, &[]),
                _ if is_groups(asked) => list(asked, &[], 0, &[]),
                _ => list(asked, &entries, 0, &[]),
            },
        )
        .await;
        assert!(!pulled(&ldap, None).await.0.complete);
    }
}

#[tokio::test]
async fn objectguid_of_three_bytes_is_no_key() {
    let (ldap, _script) = playing(
        Profile::ActiveDirectory,
        |_| {},
        |asked| match asked.name.as_str() {
            "" => list(asked, &[ad_root("5", &[])], 0, &[]),
            "cn=ntds" => list(asked, &[ntds()], 0, &[]),
            _ if asked.has("objectCategory") => {
                let good = entry("cn=a,dc=x", &[("objectGUID", &[b"abcdefghijklmnop"])]);
                let mut all = vec![good; 30];
                all.push(entry("cn=b,dc=x", &[("objectGUID", &[b"abc"])]));
                list(asked, &all, 0, &[])
            }
            _ => list(asked, &[], 0, &[]),
        },
    )
    .await;
    let (done, got) = pulled(&ldap, None).await;
    assert_eq!(got.people.keys().collect::<Vec<_>>(), ["64636261-6665-6867-696a-6b6c6d6e6f70"]);
    assert_eq!((done.skipped.len(), done.skipped[0].dn.as_str()), (1, "cn=b,dc=x"));
}

fn dirsync_answer(more: u32, cookie: &str) -> Vec<u8> {
    control(DIRSYNC, &tlv(0x30, &[int(2, more), int(2, 0), text(cookie)].concat()))
}

#[tokio::test]
async fn dirsync_that_never_ends_ends() {
    let (ldap, _script) = playing(
        Profile::ActiveDirectory,
        |_| {},
        |asked| match asked.name.as_str() {
            "" => list(asked, &[ad_root("5", &[DIRSYNC])], 0, &[]),
            "cn=ntds" => list(asked, &[ntds()], 0, &[]),
            _ => list(asked, &[], 0, &dirsync_answer(1, "same")),
        },
    )
    .await;
    assert!(matches!(pull(&ldap, None).await.0, Err(Error::Nonsense(_))));
}

#[tokio::test]
async fn a_restored_or_another_server_means_everything_again() {
    for (usn, invocation, whole) in [("5", 7_u8, false), ("4", 7, true), ("9", 8, true)] {
        let step = Arc::new(AtomicUsize::new(0));
        let now = step.clone();
        let (ldap, script) = playing(
            Profile::ActiveDirectory,
            |_| {},
            move |asked| {
                let later = now.load(Ordering::SeqCst) > 0;
                match asked.name.as_str() {
                    "" => list(asked, &[ad_root(if later { usn } else { "5" }, &[])], 0, &[]),
                    "cn=ntds" => {
                        let id = [if later { invocation } else { 7 }; 16];
                        list(asked, &[entry("cn=ntds", &[("invocationId", &[&id])])], 0, &[])
                    }
                    _ if asked.has("objectCategory") => {
                        list(asked, &[entry("cn=a,dc=x", &[("objectGUID", &[&[1; 16]])])], 0, &[])
                    }
                    _ => list(asked, &[], 0, &[]),
                }
            },
        )
        .await;
        let (first, _) = pulled(&ldap, None).await;
        step.store(1, Ordering::SeqCst);
        // a new connector: what the old one knew of the server is gone, as after a restart
        let settings = LdapSettings { profile: Profile::ActiveDirectory, ..settings(vec![script.server()]) };
        let ldap = crate::ldap_world::ldap(settings, "pw", Names::host("dc.test", "127.0.0.1"));
        let (second, got) = pulled(&ldap, Some(&first.cursor)).await;
        assert_eq!((second.complete, got.people.len()), (whole, usize::from(whole)), "{usn} {invocation}");
    }
}

#[tokio::test]
async fn a_cursor_of_other_settings_or_of_nobody_means_everything_again() {
    let (ldap, _script) = playing(
        Profile::Openldap,
        |_| {},
        |asked| match asked.name.as_str() {
            "" => list(asked, &[root(&[])], 0, &[]),
            _ if is_groups(asked) => list(asked, &[], 0, &[]),
            _ => list(asked, &[person(1)], 0, &[]),
        },
    )
    .await;
    for odd in
        [serde_json::json!(null), serde_json::json!({"how": "sync"}), serde_json::json!({"settings": "x", "how": "nothing"})]
    {
        assert!(pulled(&ldap, Some(&odd)).await.0.complete, "{odd}");
    }
}

#[tokio::test]
async fn a_pull_over_a_hanging_server_ends() {
    let (ldap, _script) = against(|mut peer| async move {
        let bind = peer.next().await.unwrap();
        peer.ok_bind(&bind).await;
        let asked = peer.next().await.unwrap();
        peer.answer(&asked, &[root(&[])]).await;
        let asked = peer.next().await.unwrap();
        peer.send(&message(asked.id, &person(1), &[])).await;
        peer.next().await;
    })
    .await;
    assert!(matches!(pull(&ldap, None).await.0, Err(Error::Slow(..))));
}
