use super::*;
use serde_json::json;

fn signer(alg: Alg) -> Signer {
    Signer::from_pkcs8(alg, &generate(alg).unwrap()).unwrap()
}

#[test]
fn signs_and_verifies_with_each_algorithm() {
    for alg in [Alg::Rs256, Alg::Es256, Alg::EdDsa] {
        let signer = signer(alg);
        let token = signer.sign(Typ::Jwt, &json!({"sub": "x"})).unwrap();
        let find = |kid: &str| (kid == signer.kid()).then(|| signer.verifier().clone());
        assert_eq!(verify(&token, Typ::Jwt, find).unwrap(), br#"{"sub":"x"}"#);
        assert_eq!(verify(&token, Typ::AccessToken, find), None, "one kind does not pass for another");
        assert_eq!(verify(&token, Typ::Jwt, |_| None), None);
        let kid = signer.kid();
        assert!(kid.len() == 43 && kid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        // every altered character is noticed
        for at in (0..token.len()).step_by(7) {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(verify(std::str::from_utf8(&altered).unwrap(), Typ::Jwt, find), None, "{alg:?} {at}");
        }
    }
}

#[test]
fn the_header_is_pinned() {
    let signer = signer(Alg::Es256);
    let find = |_: &str| Some(signer.verifier().clone());
    let claims = b64(r#"{"sub":"x"}"#);
    let make = |header: &str| {
        let signed = format!("{}.{claims}", b64(header));
        let signature = b64(signer.sign_bytes(signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    };
    assert!(verify(&make(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#), Typ::Jwt, find).is_some());
    for header in [
        r#"{"alg":"none","kid":"k","typ":"JWT"}"#,
        r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"k","typ":"JWT"}"#,
        r#"{"alg":"es256","kid":"k","typ":"JWT"}"#,
        r#"{"alg":"ES256","typ":"JWT"}"#,
        r#"{"alg":"ES256","kid":"k"}"#,
        r#"{"alg":"ES256","kid":"k","typ":"JWT","crit":["b64"]}"#,
        r#"{"alg":"ES256","kid":"k","typ":"JWT","jwk":{}}"#,
        "[]",
        "",
    ] {
        assert_eq!(verify(&make(header), Typ::Jwt, find), None, "{header}");
    }
    let none = format!("{}.{claims}.", b64(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#));
    for bad in [none.as_str(), "", ".", "..", "a.b.c", &"a".repeat(MAX_TOKEN + 1)] {
        assert_eq!(verify(bad, Typ::Jwt, find), None, "{bad:.20}");
    }
}

#[test]
fn thumbprints_follow_the_rfc() {
    // RFC 7638 §3.1
    let n = unb64("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw").unwrap();
    let jwk = Jwk::new(Alg::Rs256, [Some(n), Some(vec![1, 0, 1]), None, None]);
    assert_eq!(jwk.kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 A.3
    let x = unb64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    assert_eq!(Jwk::new(Alg::EdDsa, [None, None, Some(x), None]).kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn an_rsa_key_shows_modulus_and_exponent_and_no_certificate() {
    let json = serde_json::to_value(signer(Alg::Rs256).jwk()).unwrap();
    let n = unb64(json["n"].as_str().unwrap()).unwrap();
    assert_eq!((n.len(), n[0] >= 0x80, json["e"].as_str()), (256, true, Some("AQAB")));
    assert_eq!(json["kty"], "RSA");
    let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    assert!(Signer::from_pkcs8(Alg::Rs256, &generate(Alg::Es256).unwrap()).is_err());
    assert!(Signer::from_pkcs8(Alg::Es256, b"").is_err());
    assert!(!ed25519_verifies(&[0; 31], b"m", &[0; 64]));
}
