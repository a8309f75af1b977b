use super::Timestamp;
use super::ids::{PersonId, SessionId};
use super::login::*;
use super::session::{Authentication, Method, Session};
use serde_json::Value;

const BEGUN: Timestamp = Timestamp(1_000_000);
const NOW: Timestamp = Timestamp(1_010_000);

fn person(n: u8) -> PersonId {
    PersonId::parse(&format!("01890a5d-ac96-774b-bcce-b302099a80{n:02x}")).unwrap()
}

fn session_id(n: u8) -> SessionId {
    SessionId::parse(&format!("01890a5d-ac96-774b-bcce-b302099a90{n:02x}")).unwrap()
}

fn session(who: u8, authenticated: i64) -> Session {
    Session {
        id: session_id(who),
        person: person(who),
        display_name: String::new(),
        username: String::new(),
        authentications: vec![Authentication { method: Method::Password, at: Timestamp(authenticated), identity: None }],
        created_at: Timestamp(authenticated),
        last_seen_at: Timestamp(authenticated),
        expires_at: Timestamp(i64::MAX),
    }
}

fn old() -> Session {
    session(1, BEGUN.0 - 5_000)
}

fn confirmed(by: u8, consented: bool) -> Stage {
    Stage::Confirmed { session: session_id(by), consented, fresh: false }
}

fn proven(by: u8, consented: bool) -> Stage {
    Stage::Confirmed { session: session_id(by), consented, fresh: true }
}

#[test]
fn the_decision_table() {
    let plain = || Demand::to("/x");
    let named = || Stage::Named { name: "bob".into() };
    let away = || Stage::Away { provider: "fake".into(), state: "s".into(), memory: Value::Null };
    let password = || Next::Password { name: "bob".into() };
    let fresh = || session(1, NOW.0);
    let edge = || session(1, BEGUN.0);
    type Case = (&'static str, Demand, Stage, Option<Session>, bool, Next);
    let cases: Vec<Case> = vec![
        ("no session", plain(), Stage::Open, None, false, Next::Identify),
        ("single sign-on", plain(), Stage::Open, Some(old()), false, Next::Finish),
        ("named", plain(), named(), None, false, password()),
        ("named although there is a session", plain(), named(), Some(old()), false, password()),
        ("away", plain(), away(), Some(old()), false, Next::Await { provider: "fake".into() }),
        ("wants another", plain(), Stage::Another, Some(old()), false, Next::Identify),
        ("session gone after confirmation", plain(), confirmed(1, true), None, true, Next::Identify),
        ("denied wins", plain(), Stage::Denied, Some(old()), true, Next::Denied),
        ("prompt=login, old proof", Demand { login: true, ..plain() }, Stage::Open, Some(old()), false, Next::Identify),
        (
            "prompt=login, old proof chosen",
            Demand { login: true, ..plain() },
            confirmed(1, false),
            Some(old()),
            false,
            Next::Identify,
        ),
        ("prompt=login, proven here", Demand { login: true, ..plain() }, proven(1, false), Some(fresh()), false, Next::Finish),
        (
            "prompt=login, proven elsewhere",
            Demand { login: true, ..plain() },
            confirmed(1, false),
            Some(fresh()),
            false,
            Next::Identify,
        ),
        ("prompt=login, same instant", Demand { login: true, ..plain() }, Stage::Open, Some(edge()), false, Next::Identify),
        (
            "prompt=login, another session since",
            Demand { login: true, ..plain() },
            proven(2, false),
            Some(fresh()),
            false,
            Next::Identify,
        ),
        ("max_age holds", Demand { max_age_s: Some(15), ..plain() }, Stage::Open, Some(old()), false, Next::Finish),
        ("max_age passed", Demand { max_age_s: Some(14), ..plain() }, Stage::Open, Some(old()), false, Next::Identify),
        ("max_age=0, old proof", Demand { max_age_s: Some(0), ..plain() }, Stage::Open, Some(old()), false, Next::Identify),
        (
            "max_age=0, proof in this flow",
            Demand { max_age_s: Some(0), ..plain() },
            proven(1, false),
            Some(edge()),
            false,
            Next::Finish,
        ),
        ("select, not yet", Demand { select_account: true, ..plain() }, Stage::Open, Some(old()), false, Next::Select),
        ("select, chosen", Demand { select_account: true, ..plain() }, confirmed(1, false), Some(old()), false, Next::Finish),
        (
            "select, another session since",
            Demand { select_account: true, ..plain() },
            confirmed(2, false),
            Some(old()),
            false,
            Next::Select,
        ),
        ("select, nobody", Demand { select_account: true, ..plain() }, Stage::Open, None, false, Next::Identify),
        ("expected, right", Demand { expected: Some(person(1)), ..plain() }, Stage::Open, Some(old()), false, Next::Finish),
        (
            "expected, other session",
            Demand { expected: Some(person(2)), ..plain() },
            Stage::Open,
            Some(old()),
            false,
            Next::Identify,
        ),
        (
            "expected, other signed in",
            Demand { expected: Some(person(2)), ..plain() },
            confirmed(1, false),
            Some(fresh()),
            false,
            Next::WrongPerson,
        ),
        (
            "consent needed",
            Demand { consent: ConsentRule::Remembered, ..plain() },
            Stage::Open,
            Some(old()),
            false,
            Next::Consent,
        ),
        (
            "consent remembered",
            Demand { consent: ConsentRule::Remembered, ..plain() },
            Stage::Open,
            Some(old()),
            true,
            Next::Finish,
        ),
        (
            "consent given now",
            Demand { consent: ConsentRule::Remembered, ..plain() },
            confirmed(1, true),
            Some(old()),
            false,
            Next::Finish,
        ),
        (
            "consent of another session",
            Demand { consent: ConsentRule::Remembered, ..plain() },
            confirmed(2, true),
            Some(old()),
            false,
            Next::Consent,
        ),
        (
            "prompt=consent ignores memory",
            Demand { consent: ConsentRule::Always, ..plain() },
            Stage::Open,
            Some(old()),
            true,
            Next::Consent,
        ),
        (
            "prompt=consent given",
            Demand { consent: ConsentRule::Always, ..plain() },
            confirmed(1, true),
            Some(old()),
            true,
            Next::Finish,
        ),
        (
            "sign in before consent",
            Demand { consent: ConsentRule::Always, login: true, ..plain() },
            confirmed(1, true),
            Some(old()),
            true,
            Next::Identify,
        ),
    ];
    for (name, demand, stage, session, remembered, expected) in cases {
        let flow = Flow { demand, begun_at: BEGUN, stage };
        assert_eq!(flow.next(session.as_ref(), remembered, NOW), expected, "{name}");
    }
}

#[test]
fn transitions_refuse_what_does_not_fit() {
    let flow = |stage| Flow { demand: Demand::to("/"), begun_at: BEGUN, stage };
    let named = || Stage::Named { name: "bob".into() };
    let away = || Stage::Away { provider: "p".into(), state: "s".into(), memory: Value::Null };
    // nobody is authenticated without a name or a journey
    for stage in [Stage::Open, Stage::Another, confirmed(1, false), Stage::Denied] {
        assert_eq!(flow(stage.clone()).authenticated(session_id(1)), Err(WrongStage), "{stage:?}");
    }
    for stage in [named(), away()] {
        assert_eq!(flow(stage).authenticated(session_id(1)).unwrap().stage, proven(1, false));
    }
    // choosing does not skip a password that is being asked for
    for stage in [named(), away(), confirmed(1, false), Stage::Denied] {
        assert_eq!(flow(stage.clone()).chosen(session_id(1)), Err(WrongStage), "{stage:?}");
    }
    assert_eq!(flow(Stage::Open).chosen(session_id(1)).unwrap().stage, confirmed(1, false));
    assert_eq!(flow(proven(1, false)).consented(session_id(1)).unwrap().stage, proven(1, true));
    // consent is given by the session that was confirmed
    assert_eq!(flow(confirmed(1, false)).consented(session_id(1)).unwrap().stage, confirmed(1, true));
    for stage in [confirmed(2, false), named(), away(), Stage::Another, Stage::Denied] {
        assert_eq!(flow(stage.clone()).consented(session_id(1)), Err(WrongStage), "{stage:?}");
    }
    // a denial is final
    assert_eq!(flow(Stage::Denied).named("x".into()), Err(WrongStage));
    assert_eq!(flow(Stage::Denied).another(), Err(WrongStage));
    assert_eq!(flow(Stage::Denied).departed("p".into(), "s".into(), Value::Null), Err(WrongStage));
    assert_eq!(flow(named()).denied().stage, Stage::Denied);
}

#[test]
fn a_flow_survives_its_row() {
    let flow = Flow::begin(Demand { scopes: vec!["email".into()], ..Demand::to("/a?b=c") }, BEGUN).named("bob".into()).unwrap();
    let text = serde_json::to_string(&flow).unwrap();
    assert_eq!(serde_json::from_str::<Flow>(&text).unwrap(), flow);
}

#[test]
fn only_paths_of_this_site_are_returned_to() {
    for good in ["/", "/a?b=c#d", "/a//b"] {
        assert_eq!(local_path(good), Some(good));
    }
    for bad in ["", "a", "//evil.example", "/\\evil.example", "https://evil.example", "/\n/evil", "/a\tb", "/\u{fc}", "/a b"] {
        assert_eq!(local_path(bad), None, "{bad:?}");
        assert_eq!(Demand::to(bad).return_to, "/");
    }
}
