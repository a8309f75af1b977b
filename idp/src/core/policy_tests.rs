//! Role by role, act by act.

use super::*;
use crate::core::naive::{group, person, space};
use crate::core::refusal::RefusalKind;

fn right(role: Role, scope: Scope) -> Right {
    Right { role, scope }
}

fn actor(rights: Vec<Right>) -> Actor {
    Actor {
        person: Some(person(0)),
        name: "ann".into(),
        via: Via::Session,
        credential: None,
        rights,
        address: None,
        request_id: None,
    }
}

fn acts() -> Vec<(&'static str, Act)> {
    vec![
        ("read all", Act::ReadAll),
        ("read audit", Act::ReadAudit),
        ("read sign-ins", Act::ReadSignIns),
        ("explain", Act::Explain),
        ("manage people", Act::ManagePeople),
        ("credentials", Act::ManageCredentials(person(1), vec![])),
        ("manage groups", Act::ManageGroups),
        ("read own group", Act::ReadGroup(group(0))),
        ("read other group", Act::ReadGroup(group(1))),
        ("own members", Act::ManageMembers(group(0))),
        ("other members", Act::ManageMembers(group(1))),
        ("manage spaces", Act::ManageSpaces),
        ("read own space", Act::ReadSpace(space(0))),
        ("read other space", Act::ReadSpace(space(1))),
        ("own space", Act::ManageSpace(space(0))),
        ("other space", Act::ManageSpace(space(1))),
        ("own grants", Act::ManageGrants(space(0))),
        ("other grants", Act::ManageGrants(space(1))),
        ("clients", Act::ManageClients),
        ("rights", Act::ManageRights(right(Role::Owner, Scope::All))),
    ]
}

/// One column per act in the order of [`acts`]: `y` yes, `f` forbidden, `n` not found (may not know that it exists).
#[test]
fn roles_by_acts() {
    let (all, own_space, own_group) = (Scope::All, Scope::Space(space(0)), Scope::Group(group(0)));
    #[rustfmt::skip]
    let table: [(Option<Right>, &str); 13] = [
        // all, audit, sign-ins, explain; people, credentials; groups, reading 2, members 2; spaces, reading 2, managing 2,
        // grants 2; clients, rights
        (None,                                              "fffffffnnnnfnnnnnnff"),
        (Some(right(Role::Owner, all.clone())),             "yyyyyyyyyyyyyyyyyyyy"),
        (Some(right(Role::Auditor, all.clone())),           "yyyyfffyyfffyyffffff"),
        (Some(right(Role::SpaceAdmin, all.clone())),        "yffyfffyyffyyyyyyyff"),
        (Some(right(Role::GroupAdmin, all)),                "yffyffyyyyyfnnnnnnff"),
        (Some(right(Role::Owner, own_space.clone())),       "fffffffnnnnfynynynff"),
        (Some(right(Role::SpaceAdmin, own_space.clone())),  "fffffffnnnnfynynynff"),
        (Some(right(Role::Auditor, own_space.clone())),     "fffffffnnnnfynfnfnff"),
        (Some(right(Role::GroupAdmin, own_space)),          "fffffffnnnnfnnnnnnff"),
        (Some(right(Role::Owner, own_group.clone())),       "fffffffynynfnnnnnnff"),
        (Some(right(Role::GroupAdmin, own_group.clone())),  "fffffffynynfnnnnnnff"),
        (Some(right(Role::Auditor, own_group.clone())),     "fffffffynfnfnnnnnnff"),
        (Some(right(Role::SpaceAdmin, own_group)),          "fffffffnnnnfnnnnnnff"),
    ];
    for (right, expected) in table {
        let actor = actor(right.clone().into_iter().collect());
        let answers = acts().into_iter().map(|(_, act)| match actor.may(&act).map_err(|refusal| refusal.kind) {
            Ok(()) => 'y',
            Err(RefusalKind::Forbidden) => 'f',
            Err(RefusalKind::NotFound) => 'n',
            Err(other) => panic!("{right:?}: {other:?}"),
        });
        assert_eq!(answers.collect::<String>(), expected, "{right:?}");
        assert_eq!(acts().len(), expected.len());
    }
}

#[test]
fn a_token_that_may_only_read_reads_what_its_owner_reads() {
    for (write, owner) in [(false, true), (true, true), (false, false)] {
        let rights = if owner { vec![right(Role::Owner, Scope::All)] } else { vec![] };
        let token = Actor { via: Via::Token(TokenScopes { write }), ..actor(rights.clone()) };
        for (name, act) in acts() {
            let reads = matches!(name, "read all" | "read audit" | "explain") || name.starts_with("read ");
            assert_eq!(token.may(&act).is_ok(), owner && (write || reads), "{name}, write {write}, owner {owner}");
        }
    }
}

#[test]
fn rights_add_up_and_do_not_leak() {
    let both = actor(vec![right(Role::SpaceAdmin, Scope::Space(space(0))), right(Role::GroupAdmin, Scope::Group(group(0)))]);
    assert!(both.may(&Act::ManageGrants(space(0))).is_ok());
    assert!(both.may(&Act::ManageMembers(group(0))).is_ok());
    assert!(both.may(&Act::ManageMembers(group(1))).is_err());
    assert!(both.may(&Act::ManageRights(right(Role::SpaceAdmin, Scope::Space(space(0))))).is_err(), "rights are given by owners");
    assert!(Actor::system("projector").may(&Act::ManageClients).is_ok());
}

#[test]
fn an_owner_must_remain() {
    let owner = |active, has_local_credential, until: Option<i64>| OwnerFacts {
        person: person(0),
        active,
        has_local_credential,
        until: until.map(Timestamp),
    };
    let good = owner(true, true, None);
    for (owners, ok) in [
        (vec![good.clone()], true),
        (vec![owner(false, false, Some(1)), good.clone()], true),
        (vec![good.clone(), good], true),
        (vec![], false),
        (vec![owner(false, true, None)], false),
        (vec![owner(true, false, None)], false),
        (vec![owner(true, true, Some(i64::MAX))], false),
        (vec![owner(true, true, Some(9)), owner(true, false, None), owner(false, true, None)], false),
    ] {
        assert_eq!(lockout(&owners).map_err(|refusal| refusal.code), if ok { Ok(()) } else { Err("owner.last") }, "{owners:?}");
    }
}
