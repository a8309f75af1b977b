//! Keeping in step with a real domain controller (Samba).

use crate::ldap_samba::{ADMIN, BASE, Peer, SVC, names, settings};
use crate::ldap_world::{Got, ldap, pulled};
use odcm::connectors::ldap::{Directory, Ldap, MemberRef, Pulled, Standing};
use odcm::core::ldap::LdapSettings;
use serde_json::Value;
use std::time::Duration;

fn connector(dc: &Peer, (name, password): (&str, &str), change: impl FnOnce(&mut LdapSettings)) -> Ldap {
    let mut settings = LdapSettings { bind_name: name.into(), ..settings(dc) };
    change(&mut settings);
    ldap(settings, password, names(dc))
}

/// Pulls what changed, and it must not be everything.
async fn changes(ldap: &Ldap, cursor: &mut Value) -> (Pulled, Got) {
    let (done, got) = pulled(ldap, Some(cursor)).await;
    assert!(!done.complete && done.skipped.is_empty(), "{done:?}");
    *cursor = done.cursor.clone();
    (done, got)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain() {
    let dc = Peer::up("samba", "127.0.0.72");
    let everything = everything(&dc).await;
    // an ordinary account with DirSync; an administrator with it; and numbers of changes, when DirSync is not possible
    for (account, how) in [(SVC, "dir_sync"), (ADMIN, "dir_sync"), (ADMIN, "usn"), (SVC, "usn")] {
        let ldap = connector(&dc, account, |_| {});
        let mut cursor = pulled(&ldap, None).await.0.cursor;
        assert_eq!(cursor["how"], "dir_sync");
        if how == "usn" {
            let old = cursor.as_object_mut().unwrap();
            old.insert("how".into(), "usn".into());
            old.remove("cookie");
        }
        // facts of Active Directory too: what is deleted moves to where an ordinary account may not look
        story(&dc, &ldap, &mut cursor, &everything, account == ADMIN).await;
    }
    notified(&dc).await;
}

async fn everything(dc: &Peer) -> Got {
    let ldap = connector(dc, SVC, |s| s.limits.page = 200);
    let (done, got) = pulled(&ldap, None).await;
    assert!(done.complete && done.skipped.is_empty(), "{done:?}");
    assert!(got.people.len() > 3200 && got.batches > 6);
    assert_eq!((done.counts.people, done.counts.groups), (got.people.len() as u64, got.groups.len() as u64));
    let standing = |name: &str| got.person(name).standing;
    assert_eq!(standing("alice"), None);
    assert_eq!(standing("disabled1"), Some(Standing::Disabled));
    assert_eq!(standing("expired1"), Some(Standing::AccountExpired));
    assert_eq!(standing("mustchange"), Some(Standing::MustChangePassword));
    assert_eq!(standing("pwdold1"), Some(Standing::PasswordExpired));
    let alice = got.person("alice");
    assert_eq!(got.group("lvl1").members, [MemberRef::Key(alice.key.clone())]);
    assert_eq!(got.group("lvl2").members, [MemberRef::Key(got.group("lvl1").key.clone())]);
    assert_eq!(got.group("a,b (c) \\ d* ü").dn, format!("CN=a\\,b (c) \\\\ d* ü,OU=Groups,{BASE}"));
    assert_eq!(got.group("empty").members, []);
    assert_eq!(got.group("big").members.len(), 3200);
    // everybody's primary group, whose member attribute names nobody
    let users = got.group("Domain Users");
    assert!(users.members.contains(&MemberRef::Key(alice.key.clone())) && users.members.len() >= 3200);
    assert!(users.sid.as_ref().unwrap().ends_with("-513"));
    let below = connector(dc, SVC, |s| {
        s.people_base = format!("OU=People,{BASE}");
        s.groups_base = format!("OU=Groups,{BASE}");
        s.people_filter = "(&(objectCategory=person)(objectClass=user)(!(sAMAccountName=b0*)))".into();
    });
    let (_, few) = pulled(&below, None).await;
    assert_eq!(few.groups.len(), 9);
    assert!(few.people.len() < 30 && few.people.contains_key(&alice.key));
    got
}

/// A person's life, told by pulls. `sees_deleted`: deletions are told, not only missing from the next full list.
async fn story(dc: &Peer, ldap: &Ldap, cursor: &mut Value, all: &Got, sees_deleted: bool) {
    let (_, got) = changes(ldap, cursor).await;
    assert!(got.people.is_empty() && got.groups.is_empty() && got.gone.is_empty(), "{got:?}");

    // new, and in a group
    let dn = format!("CN=newcomer,OU=People,{BASE}");
    dc.change(&format!("dn: {dn}\nchangetype: add\nobjectClass: user\nsAMAccountName: newcomer\nuserAccountControl: 544\n"));
    dc.change(&format!("dn: CN=empty,OU=Groups,{BASE}\nchangetype: modify\nadd: member\nmember: {dn}\n"));
    let (_, got) = changes(ldap, cursor).await;
    let key = got.person("newcomer").key.clone();
    assert_eq!(got.usernames(), ["newcomer"]);
    assert_eq!(got.group("empty").members, [MemberRef::Key(key.clone())]);
    // the primary group did not change, yet has a member more
    assert!(got.group("Domain Users").members.contains(&MemberRef::Key(key.clone())));

    // changed, disabled
    dc.change(&format!("dn: {dn}\nchangetype: modify\nreplace: mail\nmail: n@corp.test\n-\nreplace: userAccountControl\nuserAccountControl: 546\n"));
    let (_, got) = changes(ldap, cursor).await;
    assert_eq!(
        (got.person("newcomer").email.as_deref(), got.person("newcomer").standing),
        (Some("n@corp.test"), Some(Standing::Disabled))
    );
    assert!(got.groups.is_empty(), "{:?}", got.groups);

    // renamed and moved: the same key, another name
    dc.change(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: CN=renamed\ndeleteoldrdn: 1\nnewsuperior: OU=Elsewhere,{BASE}\n"));
    let (_, got) = changes(ldap, cursor).await;
    let dn = format!("CN=renamed,OU=Elsewhere,{BASE}");
    assert_eq!((got.people[&key].dn.as_str(), got.people.len()), (dn.as_str(), 1));

    // out of the group; the group that is sent has what is left
    dc.change(&format!("dn: CN=empty,OU=Groups,{BASE}\nchangetype: modify\ndelete: member\nmember: {dn}\n"));
    let (_, got) = changes(ldap, cursor).await;
    assert_eq!((got.group("empty").members.len(), got.people.len()), (0, 0));

    // a large group with one member more
    dc.change(&format!("dn: CN=big,OU=Groups,{BASE}\nchangetype: modify\nadd: member\nmember: {dn}\n"));
    let (_, got) = changes(ldap, cursor).await;
    assert_eq!((got.group("big").members.len(), got.groups.len()), (all.group("big").members.len() + 1, 1));

    // gone
    dc.change(&format!("dn: {dn}\nchangetype: delete\n"));
    let (done, got) = changes(ldap, cursor).await;
    assert_eq!(done.tells_gone, sees_deleted);
    assert_eq!((got.gone.contains(&key), got.people.len()), (sees_deleted, 0), "{got:?}");
    let (done, got) = pulled(ldap, None).await;
    assert!(done.complete && !got.people.contains_key(&key));
    *cursor = done.cursor;

    // a group: new, renamed, gone
    let dn = format!("CN=team,OU=Groups,{BASE}");
    let alice = all.person("alice");
    dc.change(&format!("dn: {dn}\nchangetype: add\nobjectClass: group\nsAMAccountName: team\nmember: {}\n", alice.dn));
    let (_, got) = changes(ldap, cursor).await;
    let key = got.group("team").key.clone();
    assert_eq!(got.group("team").members, [MemberRef::Key(alice.key.clone())]);
    dc.change(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: CN=squad\ndeleteoldrdn: 1\n"));
    let (_, got) = changes(ldap, cursor).await;
    assert_eq!(got.groups[&key].name, "squad");
    dc.change(&format!("dn: CN=squad,OU=Groups,{BASE}\nchangetype: delete\n"));
    let (_, got) = changes(ldap, cursor).await;
    assert_eq!(got.gone.contains(&key), sees_deleted, "{got:?}");

    primary_group(dc, ldap, cursor, all).await;
    moves(dc, all).await;
}

/// Another primary group: one has a member more by number, the other by name.
async fn primary_group(dc: &Peer, ldap: &Ldap, cursor: &mut Value, all: &Got) {
    let mover = all.person("mover");
    let member = MemberRef::Key(mover.key.clone());
    let (users, lvl1) = (all.group("Domain Users"), all.group("lvl1"));
    let rid = |sid: &Option<String>| sid.as_ref().unwrap().rsplit('-').next().unwrap().to_owned();
    let number = |rid: &str| format!("dn: {}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: {rid}\n", mover.dn);
    let named = |what: &str| format!("dn: {}\nchangetype: modify\n{what}: member\nmember: {}\n", lvl1.dn, mover.dn);
    dc.change(&named("add"));
    dc.change(&number(&rid(&lvl1.sid)));
    let (_, got) = changes(ldap, cursor).await;
    assert!(got.group("lvl1").members.contains(&member) && got.group("Domain Users").members.contains(&member));
    // back, and out of it
    dc.change(&number(&rid(&users.sid)));
    dc.change(&named("delete"));
    let (_, got) = changes(ldap, cursor).await;
    assert!(!got.group("lvl1").members.contains(&member) && got.group("Domain Users").members.contains(&member));
}

/// Out of the base and back: gone, and there again.
async fn moves(dc: &Peer, all: &Got) {
    let mover = all.person("mover");
    let people = connector(dc, SVC, |s| s.people_base = format!("OU=People,{BASE}"));
    let mut cursor = pulled(&people, None).await.0.cursor;
    let go = |from: &str, to: &str| {
        dc.change(&format!(
            "dn: CN=mover,OU={from},{BASE}\nchangetype: modrdn\nnewrdn: CN=mover\ndeleteoldrdn: 1\nnewsuperior: OU={to},{BASE}\n"
        ));
    };
    go("People", "Elsewhere");
    let (_, got) = changes(&people, &mut cursor).await;
    assert!(got.gone.contains(&mover.key) && got.people.is_empty(), "{got:?}");
    go("Elsewhere", "People");
    let (_, got) = changes(&people, &mut cursor).await;
    assert_eq!(got.people[&mover.key].dn, mover.dn);
}

async fn notified(dc: &Peer) {
    let ldap = connector(dc, SVC, |_| {});
    assert_eq!(ldap.wait_for_change(Duration::from_millis(300)).await, Ok(false));
    let waiting = ldap.wait_for_change(Duration::from_secs(30));
    let changing = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        dc.change(&format!("dn: CN=leaver,OU=People,{BASE}\nchangetype: modify\nreplace: description\ndescription: x\n"));
    };
    assert_eq!(tokio::join!(waiting, changing).0, Ok(true));
}
