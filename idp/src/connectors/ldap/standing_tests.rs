use super::*;
use crate::connectors::ldap::ber::Writer;
use proptest::prelude::*;

fn said(code: i64, text: &str) -> BindSays {
    of_bind(&Outcome { code, text: text.into(), controls: Vec::new() })
}

fn with_policy(code: i64, error: Option<i64>) -> BindSays {
    let mut body = Writer::default().nest(0xa0, Writer::default().number(0x80, 600));
    if let Some(error) = error {
        body = body.number(0x81, error);
    }
    let value = Some(Writer::default().nest(SEQUENCE, body).done());
    let control = Control { oid: PPOLICY.into(), critical: false, value };
    of_bind(&Outcome { code, text: String::new(), controls: vec![control] })
}

#[test]
fn the_codes_of_active_directory() {
    let text = |data: &str| format!("80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {data}, v1db1");
    for (data, standing) in [
        ("530", Standing::OutsideHours),
        ("531", Standing::OtherWorkstation),
        ("532", Standing::PasswordExpired),
        ("533", Standing::Disabled),
        ("701", Standing::AccountExpired),
        ("773", Standing::MustChangePassword),
        ("775", Standing::Locked),
    ] {
        assert_eq!(said(49, &text(data)), BindSays::Barred(standing), "{data}");
    }
    for data in ["525", "52e", "0", "", "zzz", "7750"] {
        assert_eq!(said(49, &text(data)), BindSays::Wrong, "{data}");
    }
    assert_eq!(said(49, ""), BindSays::Wrong);
    // only with the code for a refused password
    assert_eq!(said(1, &text("533")), BindSays::Other);
    assert_eq!(said(0, &text("533")), BindSays::Right);
}

#[test]
fn password_policies() {
    assert_eq!(with_policy(0, None), BindSays::Right);
    assert_eq!(with_policy(0, Some(2)), BindSays::RightBut(Standing::MustChangePassword));
    assert_eq!(with_policy(49, Some(1)), BindSays::Barred(Standing::Locked));
    assert_eq!(with_policy(49, Some(0)), BindSays::Barred(Standing::PasswordExpired));
    assert_eq!(with_policy(49, None), BindSays::Wrong);
    assert_eq!(said(53, "Account inactivated. Contact system administrator."), BindSays::Barred(Standing::Disabled));
    assert_eq!(said(19, "Exceed password retry limit. Please try later."), BindSays::Barred(Standing::Locked));
    for code in [32, 34, 48] {
        assert_eq!(said(code, ""), BindSays::Wrong);
    }
    assert_eq!(said(53, "no"), BindSays::Other);
}

fn entry(pairs: &[(&str, &str)]) -> Entry {
    let attributes = pairs.iter().map(|(k, v)| ((*k).to_owned(), vec![v.as_bytes().to_vec()])).collect();
    Entry { attributes, ..Entry::default() }
}

#[test]
fn what_entries_say() {
    let of = |pairs: &[(&str, &str)]| of_entry(&entry(pairs), 1_700_000_000);
    assert_eq!(of(&[("userAccountControl", "512")]), None);
    assert_eq!(of(&[("userAccountControl", "514")]), Some(Standing::Disabled));
    assert_eq!(of(&[("nsaccountlock", "TRUE")]), Some(Standing::Disabled));
    assert_eq!(of(&[("accountExpires", "9223372036854775807")]), None);
    assert_eq!(of(&[("accountExpires", "0")]), None);
    assert_eq!(of(&[("accountExpires", "128271456000000000")]), Some(Standing::AccountExpired));
    assert_eq!(of(&[("accountExpires", "233271456000000000")]), None);
    assert_eq!(of(&[("pwdLastSet", "0")]), Some(Standing::MustChangePassword));
    assert_eq!(of(&[("pwdLastSet", "0"), ("userAccountControl", "66048")]), None);
    assert_eq!(of(&[("msDS-User-Account-Control-Computed", "16")]), Some(Standing::Locked));
    assert_eq!(of(&[("msDS-User-Account-Control-Computed", "8388608")]), Some(Standing::PasswordExpired));
    assert_eq!(of(&[("pwdAccountLockedTime", "000001010000Z")]), Some(Standing::Locked));
    assert_eq!(of(&[("krbPrincipalExpiration", "20200101000000Z")]), Some(Standing::AccountExpired));
}

#[test]
fn times() {
    assert_eq!(generalized("19700101000000Z"), Some(0));
    assert_eq!(generalized("20260102030405.0Z"), Some(1_767_323_045));
    assert_eq!(generalized("20240229120000Z"), Some(1_709_208_000));
    for bad in ["", "20260102030405", "2026010203040Z", "20261302030405Z", "2026010203040xZ", "é0260102030405Z"] {
        assert_eq!(generalized(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn times_come_back(seconds in 0i64..250_000_000_000) {
        prop_assert_eq!(generalized(&to_generalized(seconds)), Some(seconds));
    }

    #[test]
    fn garbage_in_controls_never_panics(value in any::<Vec<u8>>(), text in any::<String>()) {
        let _ = policy_error(&value);
        let _ = (sub_code(&text), generalized(&text));
    }
}
