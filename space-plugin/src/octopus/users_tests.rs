use super::*;

fn bob() -> Value {
    json!({
        "Id": "Users-21", "Username": "bob", "DisplayName": "Bob", "EmailAddress": "bob@x.example", "IsActive": true,
        "IsService": false, "CanPasswordBeEdited": true, "Password": null, "Future": [{"a": 1}],
        "Identities": [
            {"IdentityProviderName": "Active Directory", "Claims": {"upn": {"Value": "bob", "IsIdentifyingClaim": true}}},
            {"IdentityProviderName": "Okta", "Claims": {"email": {"Value": "bob@x.example", "IsIdentifyingClaim": true},
                "pun": {"Value": "bob", "IsIdentifyingClaim": true}, "dn": {"Value": "Bob", "IsIdentifyingClaim": false}}},
        ],
        "Links": {"Self": "/api/users/Users-21"},
    })
}

fn edited(change: &AccountChange) -> Value {
    let mut user = bob();
    edit(&mut user, change, "Okta").unwrap();
    user
}

#[test]
fn nothing_asked_changes_nothing() {
    assert_eq!(edited(&AccountChange::default()), bob());
    let same =
        AccountChange { active: Some(true), ensure_our_identity: true, username: Some("bob".into()), ..AccountChange::default() };
    assert_eq!(edited(&same), bob());
}

#[test]
fn only_what_is_asked_changes() {
    let mut wanted = bob();
    wanted["IsActive"] = json!(false);
    assert_eq!(edited(&AccountChange { active: Some(false), ..AccountChange::default() }), wanted);

    let mut wanted = bob();
    wanted["EmailAddress"] = json!("Bob@y.example");
    wanted["Identities"][1]["Claims"]["email"]["Value"] = json!("Bob@y.example");
    assert_eq!(edited(&AccountChange { email: Some("Bob@y.example".into()), ..AccountChange::default() }), wanted);

    let mut wanted = bob();
    wanted["Username"] = json!("robert");
    wanted["Identities"][1]["Claims"]["pun"]["Value"] = json!("robert");
    assert_eq!(edited(&AccountChange { username: Some("robert".into()), ..AccountChange::default() }), wanted);

    let mut wanted = bob();
    wanted["Password"] = json!("secret");
    assert_eq!(edited(&AccountChange { password: Some("secret".into()), ..AccountChange::default() }), wanted);
}

#[test]
fn identities_are_made_single_and_foreign_ones_go_when_asked() {
    let change = AccountChange { ensure_our_identity: true, remove_foreign_identities: true, ..AccountChange::default() };
    let user = edited(&change);
    assert_eq!(user["Identities"], json!([bob()["Identities"][1]]));

    let mut twice = bob();
    let other = identity("Okta", "BOB@x.example", "Bob");
    twice["Identities"].as_array_mut().unwrap().insert(0, other);
    edit(&mut twice, &AccountChange { ensure_our_identity: true, ..AccountChange::default() }, "Okta").unwrap();
    assert_eq!(twice, bob(), "of two identities of one provider the fitting one stays");

    let mut without = bob();
    without["Identities"] = Value::Null;
    edit(&mut without, &AccountChange { ensure_our_identity: true, ..AccountChange::default() }, "Okta").unwrap();
    assert_eq!(without["Identities"], json!([identity("Okta", "bob@x.example", "Bob")]));
}

#[test]
fn no_identity_without_an_address() {
    let mut user = bob();
    user["EmailAddress"] = Value::Null;
    let refused = edit(&mut user, &AccountChange { ensure_our_identity: true, ..AccountChange::default() }, "Okta");
    assert!(matches!(refused, Err(AdapterError::Invalid(_))));
}

#[test]
fn what_did_not_hold_is_noticed() {
    let wanted = AccountChange {
        email: Some("bob@x.example".into()),
        active: Some(true),
        ensure_our_identity: true,
        ..AccountChange::default()
    };
    held(&bob(), &wanted, "Okta").unwrap();
    let spoil: [fn(&mut Value); 5] = [
        |user| user["IsActive"] = json!(false),
        |user| user["IsActive"] = Value::Null,
        |user| user["EmailAddress"] = json!("bob@X.example"),
        |user| user["Identities"] = json!([]),
        |user| user["Identities"][1]["Claims"]["email"]["Value"] = json!("Bob@x.example"),
    ];
    for spoil in spoil {
        let mut user = bob();
        spoil(&mut user);
        assert!(matches!(held(&user, &wanted, "Okta"), Err(AdapterError::NotHeld(_))), "{user}");
    }
    let foreign = AccountChange { remove_foreign_identities: true, ..AccountChange::default() };
    assert!(held(&bob(), &foreign, "Okta").is_err());
}

#[test]
fn accounts_are_read_and_garbage_is_refused() {
    let read = account(&bob(), "Okta").unwrap();
    assert_eq!((read.id.as_str(), read.active, read.service), ("Users-21", true, false));
    assert_eq!(read.identities, ["Active Directory", "Okta"]);
    assert_eq!(read.our_identity_email.as_deref(), Some("bob@x.example"));
    assert_eq!(account(&bob(), "okta").unwrap().our_identity_email, None);
    for wrong in [json!(null), json!([]), json!({"Id": "Users-1"}), json!({"Id": 7, "Username": "x"})] {
        assert!(matches!(account(&wrong, "Okta"), Err(AdapterError::Garbage(_))), "{wrong}");
    }
    let odd = json!({"Id": "Users-1", "Username": "x", "Identities": [7, {"Claims": null}], "IsActive": "no"});
    assert!(account(&odd, "Okta").unwrap().active);
}

#[test]
fn names_are_checked_before_sending() {
    let long = "x".repeat(65);
    assert!(check(Some("bob"), Some("b@x.example"), None).is_ok());
    assert!(check(Some(&long), None, None).is_err());
    assert!(check(None, Some(" "), None).is_err());
    assert!(check(None, None, Some("")).is_err());
}
