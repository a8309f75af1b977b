use super::*;

fn corp() -> LdapSettings {
    LdapSettings { servers: vec!["dc1.corp.test".into()], base: "DC=corp,DC=test".into(), ..LdapSettings::default() }
}

fn field(change: impl FnOnce(&mut LdapSettings)) -> &'static str {
    let mut settings = corp();
    change(&mut settings);
    settings.validate().unwrap_err().field.unwrap()
}

#[test]
fn wrong_settings_are_refused_by_field() {
    corp().validate().unwrap();
    assert_eq!(field(|s| s.servers.clear()), "servers");
    assert_eq!(field(|s| s.domain = "corp.test".into()), "domain");
    for bad in ["", "a b", "x:0", "x:70000", "x:", "[::1", "[x]", "-a", "1.2.3", "ldap://x", "user@x", "x/y"] {
        assert_eq!(field(|s| s.servers = vec![bad.into()]), "servers", "{bad}");
    }
    assert_eq!(field(|s| s.servers = vec!["x".into(); 17]), "servers");
    let only_domain = |s: &mut LdapSettings, domain: &str| {
        s.servers.clear();
        s.domain = domain.into();
    };
    assert_eq!(field(|s| only_domain(s, "corp")), "domain");
    assert_eq!(field(|s| s.ca = Some("x".into())), "ca");
    assert_eq!(field(|s| s.base = "corp.test".into()), "base");
    assert_eq!(field(|s| s.base.clear()), "base");
    assert_eq!(field(|s| s.people_base = "x".into()), "people_base");
    assert_eq!(field(|s| s.groups_base = "x".into()), "groups_base");
    assert_eq!(field(|s| s.people_filter = "x".into()), "people_filter");
    assert_eq!(field(|s| s.groups_filter = "(a=b".into()), "groups_filter");
    assert_eq!(field(|s| s.attributes.key = "a b".into()), "attributes.key");
    assert_eq!(field(|s| s.attributes.member = "member;range=0-1".into()), "attributes.member");
    assert_eq!(field(|s| s.netbios = ["CORP\\X".to_owned()].into()), "netbios");
    assert_eq!(field(|s| s.upn_suffixes = ["@corp.test".to_owned()].into()), "upn_suffixes");
    assert_eq!(field(|s| s.bind_name = " svc".into()), "bind_name");
    assert_eq!(field(|s| s.limits.connect_s = 0), "limits.connect_s");
    assert_eq!(field(|s| s.limits.operation_s = 121), "limits.operation_s");
    assert_eq!(field(|s| s.limits.page = 5001), "limits.page");
    assert_eq!(field(|s| s.limits.entry_mib = 65), "limits.entry_mib");
}

#[test]
fn a_profile_knows_what_is_usual_and_custom_nothing() {
    assert_eq!((corp().kind(), corp().attributes().key.as_str()), (Kind::Ad, "objectGUID"));
    assert_eq!(corp().strategy(), GroupStrategy::TokenGroups);
    let custom = |s: &mut LdapSettings| s.profile = Profile::Custom;
    assert_eq!(field(custom), "people_filter");
    let named = |s: &mut LdapSettings| {
        custom(s);
        s.people_filter = "(a=b)".into();
        s.groups_filter = "(a=c)".into();
        s.attributes.key = "entryUUID".into();
    };
    assert_eq!(field(named), "attributes.username");
    let mut settings = corp();
    named(&mut settings);
    settings.attributes.username = "uid".into();
    settings.validate().unwrap();
    settings.strategy = Some(GroupStrategy::TokenGroups);
    assert_eq!(settings.validate().unwrap_err().field, Some("strategy"));
    for profile in [Profile::ActiveDirectory, Profile::Openldap, Profile::Dirsrv, Profile::Posix] {
        LdapSettings { profile, ..corp() }.validate().unwrap();
    }
}

#[test]
fn hosts_and_ports() {
    assert_eq!(host_port("DC1.corp.test"), Ok(("dc1.corp.test".into(), None)));
    assert_eq!(host_port("dc1:3269"), Ok(("dc1".into(), Some(3269))));
    assert_eq!(host_port("127.0.0.53:389"), Ok(("127.0.0.53".into(), Some(389))));
    assert_eq!(host_port("[::1]:389"), Ok(("::1".into(), Some(389))));
    assert_eq!(host_port("[::1]"), Ok(("::1".into(), None)));
}

#[test]
fn settings_are_stored_as_they_are() {
    let text = serde_json::to_string(&corp()).unwrap();
    assert_eq!(serde_json::from_str::<LdapSettings>(&text).unwrap(), corp());
    assert!(serde_json::from_str::<LdapSettings>(r#"{"pasword":"x"}"#).is_err());
    let short: LdapSettings = serde_json::from_str(r#"{"profile":"openldap","limits":{"page":100}}"#).unwrap();
    assert_eq!((short.profile, short.limits.page, short.limits.connect_s), (Profile::Openldap, 100, 5));
}
