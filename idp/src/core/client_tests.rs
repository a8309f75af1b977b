use super::*;

fn application(kind: &ClientKind) -> ClientSettings {
    ClientSettings::for_application(kind, vec!["https://app.example.com/cb".into()])
}

#[test]
fn redirect_uris_that_may_be_registered() {
    for (uri, fine) in [
        ("https://app.example.com/cb", true),
        ("https://app.example.com/cb?x=1", true),
        ("http://localhost:3000/cb", true),
        ("http://127.0.0.1/cb", true),
        ("http://[::1]:9/cb", true),
        ("http://mars.localhost:8091/api/users/authenticatedToken/Okta", true),
        ("com.example.app:/cb", true),
        ("http://app.example.com/cb", false),
        ("http://localhost.evil.com/cb", false),
        ("https://app.example.com/cb#x", false),
        ("https://u:p@app.example.com/cb", false),
        ("https://*.example.com/cb", false),
        ("https://app.example.com/c b", false),
        ("https://app.example.com\\@evil.com/", false),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("myapp:/cb", false),
        ("/cb", false),
        ("", false),
    ] {
        assert_eq!(redirect_uri(uri).is_ok(), fine, "{uri}");
    }
}

#[test]
fn each_senseless_setting_is_named() {
    type Change = fn(&mut ClientSettings);
    let (public, confidential) = (ClientKind::Public, ClientKind::Confidential);
    let space = ClientKind::Space(SpaceId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap());
    let cases: [(&ClientKind, Change, Option<&str>); 14] = [
        (&public, |_| {}, None),
        (&confidential, |_| {}, None),
        (&confidential, |s| s.require_pkce = false, None),
        (&public, |s| s.require_pkce = false, Some("require_pkce")),
        (&public, |s| s.token_endpoint_auth_method = AuthMethod::ClientSecretPost, Some("token_endpoint_auth_method")),
        (&confidential, |s| s.token_endpoint_auth_method = AuthMethod::None, Some("token_endpoint_auth_method")),
        (&public, |s| s.grant_types.extend([GrantType::ClientCredentials]), Some("grant_types")),
        (&confidential, |s| s.grant_types = [GrantType::RefreshToken].into(), Some("grant_types")),
        (&confidential, |s| s.grant_types.clear(), Some("grant_types")),
        (&confidential, |s| s.redirect_uris.clear(), Some("redirect_uris")),
        (&confidential, |s| s.scopes.extend(["a b".to_owned()]), Some("scopes")),
        (&confidential, |s| s.signing_alg = Alg::EdDsa, Some("signing_alg")),
        (&confidential, |s| s.audience = Some(String::new()), Some("audience")),
        (&space, |_| {}, Some("settings")),
    ];
    for (n, (kind, change, field)) in cases.into_iter().enumerate() {
        let mut settings = application(kind);
        change(&mut settings);
        let refused = settings.validate(kind).err().map(|r| r.field.unwrap());
        assert_eq!(refused, field, "case {n}");
    }
    assert!(ClientSettings::for_space("https://mars.example.com").validate(&space).is_ok());
}

#[test]
fn a_space_redeems_at_any_registered_uri_and_others_at_the_same_one() {
    let space = Client {
        id: ClientId::parse("mars").unwrap(),
        kind: ClientKind::Space(SpaceId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap()),
        name: "Mars".into(),
        settings: ClientSettings::for_space("https://mars.example.com/octopus/"),
        enabled: true,
        version: 1,
    };
    let asked = "https://mars.example.com/octopus/api/users/authenticatedToken/Okta";
    for (given, fine) in [
        (asked, true),
        ("https://mars.example.com/octopus/api/users/authenticatedToken/GenericOidc", true),
        ("https://mars.example.com/api/users/authenticatedToken/Okta", true),
        ("http://mars.example.com/api/users/authenticatedToken/Okta", false),
        ("https://venus.example.com/api/users/authenticatedToken/Okta", false),
        ("https://mars.example.com/api/users/authenticatedToken/Other", false),
        ("", false),
    ] {
        assert_eq!(space.redeems_at(asked, given), fine, "{given}");
    }
    let app = Client { kind: ClientKind::Confidential, ..space };
    assert!(app.redeems_at(asked, asked));
    assert!(!app.redeems_at(asked, "https://mars.example.com/octopus/api/users/authenticatedToken/GenericOidc"));
}

#[test]
fn settings_survive_json_and_unknown_members_do_not() {
    let settings = application(&ClientKind::Confidential);
    let json = serde_json::to_value(&settings).unwrap();
    assert_eq!(json["signing_alg"], "RS256");
    assert_eq!(json["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(serde_json::from_value::<ClientSettings>(json.clone()).unwrap(), settings);
    let mut more = json;
    more["requirePkce"] = false.into();
    assert!(serde_json::from_value::<ClientSettings>(more).is_err());
}

#[test]
fn the_port_of_a_loopback_address_is_free_for_public_clients_alone() {
    let client = |kind: ClientKind| {
        let uris = ["http://127.0.0.1/cb", "http://[::1]:7000/cb?x=1", "http://localhost:3000/cb", "https://127.0.0.1/cb"];
        let settings = ClientSettings::for_application(&kind, uris.map(str::to_owned).to_vec());
        Client { id: ClientId::parse("app").unwrap(), kind, name: "App".into(), settings, enabled: true, version: 1 }
    };
    let (public, confidential) = (client(ClientKind::Public), client(ClientKind::Confidential));
    for (uri, fine) in [
        ("http://127.0.0.1:51004/cb", true),
        ("http://127.0.0.1:1/cb", true),
        ("http://[::1]:51004/cb?x=1", true),
        ("http://[::1]/cb?x=1", true),
        ("http://127.0.0.1:51004/cb/", false),
        ("http://127.0.0.1:51004/cb?x=1", false),
        ("http://127.0.0.1:51004/cb#x", false),
        ("http://127.0.0.1:0/cb", false),
        ("http://127.0.0.1:65536/cb", false),
        ("http://127.0.0.1:/cb", false),
        ("http://127.0.0.1:+80/cb", false),
        ("http://127.0.0.1.evil.com/cb", false),
        ("http://127.0.0.1:80@evil.com/cb", false),
        ("http://127.0.0.1@evil.com/cb", false),
        ("http://127.0.0.1\\@evil.com/cb", false),
        ("http://127.0.0.2:51004/cb", false),
        ("http://localhost:51004/cb", false),
        ("https://127.0.0.1:51004/cb", false),
        ("HTTP://127.0.0.1:51004/cb", false),
        ("http://[::1]:51004/cb", false),
    ] {
        assert_eq!(public.sends_to(uri), fine, "{uri}");
        assert!(!confidential.sends_to(uri), "{uri}");
    }
    for registered in &public.settings.redirect_uris {
        assert!(public.sends_to(registered) && confidential.sends_to(registered), "{registered}");
    }
    for (uri, fine) in [("http://127.0.0.1/cb", true), ("com.example.app:/cb", true), ("https://127.0.0.1/cb", false)] {
        assert_eq!(public.may_be_impersonated(uri), fine, "{uri}");
        assert!(!confidential.may_be_impersonated(uri));
    }
}
