//! Members that come in pieces, as Active Directory sends them unasked, and pieces that do not fit together.

use crate::ldap_script::{Asked, entry};
use crate::ldap_script_pull::{ad_root, list, ntds, playing};
use crate::ldap_world::pulled;
use odcm::connectors::ldap::MemberRef;
use odcm::core::ldap::{LdapSettings, Profile};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A group of 3,200 members that come in pieces of 1,500, as Active Directory sends them unasked.
fn ranged(asked: &Asked, lie: &str, asks: &AtomicUsize) -> Vec<u8> {
    let piece = |from: usize, usn: &str| {
        let to = (from + 1500).min(3200);
        let values: Vec<String> = (from..to).map(|i| format!("<GUID=00000000-0000-0000-0000-{i:012x}>;CN=u{i},DC=x")).collect();
        let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        let name = if to == 3200 { format!("member;range={from}-*") } else { format!("member;range={from}-{}", to - 1) };
        let dn = "<GUID=05050505-0505-0505-0505-050505050505>;CN=big,DC=x";
        let guid: &[&[u8]] = if lie == "another" && from > 0 { &[&[6; 16]] } else { &[&[5; 16]] };
        entry(dn, &[("objectGUID", guid), ("uSNChanged", &[usn.as_bytes()]), ("member", &[]), (&name, &values)])
    };
    match asked.name.as_str() {
        "" => list(asked, &[ad_root("5", &[])], 0, &[]),
        "cn=ntds" => list(asked, &[ntds()], 0, &[]),
        "<GUID=05050505-0505-0505-0505-050505050505>" => {
            let n = asks.fetch_add(1, Ordering::SeqCst);
            let from = [0, 1500, 3000].into_iter().find(|f| asked.has(&format!("range={f}-*"))).unwrap();
            let usn = match lie {
                "once" if n == 0 => "2",
                "once" => "3",
                "always" => return list(asked, &[piece(from, &n.to_string())], 0, &[]),
                _ => "1",
            };
            list(asked, &[piece(if lie == "again" { 0 } else { from }, usn)], 0, &[])
        }
        _ if asked.has("objectCategory") => list(asked, &vec![entry("cn=a,dc=x", &[("objectGUID", &[&[1; 16]])]); 30], 0, &[]),
        _ => list(asked, &[piece(0, "1")], 0, &[]),
    }
}

#[tokio::test]
async fn members_in_pieces_make_up_the_whole() {
    for (lie, asked) in [("", 2), ("once", 4)] {
        let asks = Arc::new(AtomicUsize::new(0));
        let count = asks.clone();
        let (ldap, _script) = playing(Profile::ActiveDirectory, |_| {}, move |a| ranged(a, lie, &count)).await;
        let (done, got) = pulled(&ldap, None).await;
        let members = &got.group("05050505-0505-0505-0505-050505050505").members;
        assert_eq!((members.len(), done.complete), (3200, true), "{lie}: {:?}", done.skipped);
        assert_eq!(members[3199], MemberRef::Key("00000000-0000-0000-0000-000000000c7f".into()));
        assert_eq!(asks.load(Ordering::SeqCst), asked, "{lie}");
    }
}

#[tokio::test]
async fn members_that_do_not_fit_together_are_no_members() {
    for (lie, says) in
        [("again", "in order"), ("another", "another entry"), ("always", "all the time"), ("many", "more than 2000")]
    {
        let asks = AtomicUsize::new(0);
        let most = |s: &mut LdapSettings| s.limits.members = if lie == "many" { 2000 } else { 10_000 };
        let (ldap, _script) = playing(Profile::ActiveDirectory, most, move |a| ranged(a, lie, &asks)).await;
        let begun = Instant::now();
        let (done, got) = pulled(&ldap, None).await;
        // the group exists: that it was not sent must not be taken for its end
        assert!(got.groups.is_empty() && !done.complete, "{lie}");
        assert_eq!((done.counts.skipped, done.skipped[0].dn.as_str()), (1, "CN=big,DC=x"), "{lie}");
        assert!(done.skipped[0].why.contains(says), "{:?}", done.skipped);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
