//! Golden samples: every message and every body of wire version 1 as it lies on the wire. Today's code must read each
//! file and write it again byte for byte. A failing test means that an older peer would misread the change: it belongs
//! into a new version. A new optional field gets a new sample beside the old ones.
//!
//! `ODCM_WRITE_GOLDEN=1 cargo test -p odcm-wire golden` writes samples that are missing, never one that exists.

use crate::Digest;
use crate::latest::*;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn digest() -> Digest {
    Digest::of(b"golden")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn check<T: Serialize + DeserializeOwned>(name: &str, value: &T, seen: &mut BTreeSet<String>) {
    let path = folder().join(format!("{name}.json"));
    let written = serde_json::to_string(value).unwrap();
    if !path.exists() && std::env::var_os("ODCM_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(written, golden, "{name}: today's code writes something else");
    let read: T = serde_json::from_str(&golden).unwrap_or_else(|e| panic!("{name}: cannot be read any more: {e}"));
    assert_eq!(serde_json::to_string(&read).unwrap(), golden, "{name}: does not survive reading and writing");
    seen.insert(format!("{name}.json"));
}

fn access() -> AccessState {
    let person = |name: &str, adoption| Person {
        username: name.into(),
        email: format!("{name}@example.com"),
        display_name: format!("{name} \u{e9}"),
        interval: Interval { from: Some(1), until: Some(2_000_000_000_000) },
        adoption,
    };
    let adopt = AdoptionDecision::Adopt {
        account: "Users-21".into(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: false,
    };
    AccessState {
        people: BTreeMap::from([
            ("p-1".into(), person("ann", None)),
            ("p-2".into(), person("bob", Some(adopt))),
            ("p-3".into(), Person { interval: Interval::default(), ..person("cyd", Some(AdoptionDecision::CreateNew)) }),
        ]),
        groups: BTreeMap::from([(
            "g-1".into(),
            Group {
                name: "Developers".into(),
                members: BTreeMap::from([("p-1".into(), Interval { from: None, until: Some(5) })]),
            },
        )]),
        confirmed_sweeps: BTreeSet::from(["Teams-3".into()]),
        revoke_api_keys: true,
    }
}

fn document(section: Section, base_revision: Option<u64>, body: Body) -> Document {
    Document {
        wire: VERSION,
        deployment: "d-1".into(),
        space: "s-1".into(),
        section,
        epoch: 1,
        revision: 7,
        base_revision,
        issued_at: 1_700_000_000_000,
        valid_until: 1_700_000_600_000,
        offline: Offline::Shut,
        installation_id: "i-1".into(),
        confirmation: Some(digest()),
        state_digest: digest(),
        body,
    }
}

fn reports() -> Vec<(&'static str, ReportKind)> {
    let link = AccountLink {
        person: "p-1".into(),
        account: "Users-21".into(),
        username: "ann".into(),
        email: "ann@example.com".into(),
        display_name: "Ann".into(),
        active: false,
        locally_disabled: true,
    };
    let item = ItemResult {
        item: "person/p-1".into(),
        state: ItemState::Applied,
        message: Some("said".into()),
        residual: vec!["password".into()],
    };
    let binding = TeamBinding {
        team: "Teams-3".into(),
        team_name: "Deployers".into(),
        inner_space: Some("Spaces-1".into()),
        group: "g-1".into(),
        administrative: true,
        managed: false,
        message: Some("why".into()),
    };
    let candidate = AdoptionCandidate {
        person: "p-1".into(),
        account: "Users-21".into(),
        username: "Ann".into(),
        email: "ANN@example.com".into(),
        display_name: "Ann".into(),
        matched_on: vec!["email".into(), "username".into()],
        active: true,
        may_have_password: true,
        api_keys: Some(2),
        identities: vec!["Azure AD".into()],
        teams: vec!["Deployers".into()],
    };
    let sweep = SweepCandidate { team: "Teams-3".into(), team_name: "Deployers".into(), people: vec!["p-2".into()] };
    let drift = Drift {
        item: "member/g-1/p-1".into(),
        found: "ann was removed from team Deployers".into(),
        by: Some("somebody".into()),
        action: DriftAction::Repaired,
    };
    vec![
        ("bindings", ReportKind::Bindings { bindings: vec![binding] }),
        ("drift", ReportKind::Drift { items: vec![drift] }),
        ("candidates", ReportKind::Candidates { candidates: vec![candidate] }),
        ("sweeps", ReportKind::Sweeps { sweeps: vec![sweep] }),
        ("links", ReportKind::Links { links: vec![link] }),
        ("items", ReportKind::Items { items: vec![item] }),
        ("closed-spaces", ReportKind::ClosedSpaces { spaces: vec![InnerSpace { id: "Spaces-2".into(), name: "Second".into() }] }),
        ("seen", ReportKind::Seen { section: Section::Access, seen: Seen { digest: digest(), at: 9 } }),
        ("alarm", ReportKind::Alarm(Alarm { code: "fork".into(), message: "two documents".into() })),
    ]
}

#[test]
fn wire_version_1_is_frozen() {
    let seen = &mut BTreeSet::new();
    let mut earlier = access();
    earlier.people.insert("p-9".into(), earlier.people["p-1"].clone());
    earlier.groups.insert("g-9".into(), Group::default());
    let mut later = access();
    later.groups.get_mut("g-1").unwrap().members.clear();
    later
        .groups
        .insert("g-2".into(), Group { name: "New".into(), members: BTreeMap::from([("p-1".into(), Interval::default())]) });
    later.confirmed_sweeps.clear();
    later.revoke_api_keys = false;
    later.people.get_mut("p-3").unwrap().username = "cydney".into();

    check("access-state", &access(), seen);
    check("access-delta", &earlier.diff(&later), seen);
    let body = Body::AccessSnapshot { state: access(), inheritance: Inheritance::default() };
    check("document-access-snapshot", &document(Section::Access, None, body.clone()), seen);
    let former = FormerLink { account: "Users-21".into(), active: false, locally_disabled: true };
    let team = FormerTeam { groups: BTreeSet::from(["g-1".into()]), unswept: BTreeSet::from(["p-1".into()]) };
    let inheritance =
        Inheritance { links: BTreeMap::from([("p-9".into(), former)]), teams: BTreeMap::from([("Teams-3".into(), team)]) };
    let inherited = Body::AccessSnapshot { state: AccessState::default(), inheritance };
    check("document-access-snapshot-inherited", &document(Section::Access, None, inherited), seen);
    let delta = Body::AccessDelta { delta: earlier.diff(&later) };
    check("document-access-delta", &document(Section::Access, Some(6), delta), seen);
    let state = AuthenticationState {
        issuer: "https://odcm.example.com".into(),
        client_id: "s-1".into(),
        display_name: "ODCM".into(),
        secret_generation: 2,
    };
    let authentication = Body::AuthenticationSnapshot { state };
    check("document-authentication", &document(Section::Authentication, None, authentication), seen);
    let signed = document(Section::Access, None, body).seal("k-1", |bytes| Digest::of(bytes).as_bytes().to_vec()).unwrap();
    check("signed-document", &signed, seen);
    let projection = Projection {
        people: BTreeMap::from([(
            "p-1".into(),
            SeenPerson { username: "ann".into(), email: "ann@example.com".into(), display_name: "Ann".into(), active: true },
        )]),
        teams: BTreeMap::from([("Teams-3".into(), BTreeSet::from(["p-1".into()]))]),
    };
    check("projection", &projection, seen);

    check(
        "enrolment-request",
        &EnrolmentRequest {
            code: "code".into(),
            public_key: "AA==".into(),
            installation_id: "i-1".into(),
            base_url: "https://mars.example.com".into(),
            server_version: "2025.4.1".into(),
            capabilities: vec!["generic_oidc".into()],
            agent_version: "0.1.0".into(),
        },
        seen,
    );
    check(
        "enrolment-accepted",
        &EnrolmentAccepted {
            agent: "a-1".into(),
            space: "s-1".into(),
            space_name: "Mars".into(),
            deployment: "d-1".into(),
            origin: "https://odcm.example.com".into(),
            fleet_keys: vec![FleetKey { key_id: "k-1".into(), public_key: "AA==".into() }],
        },
        seen,
    );

    let challenge = Challenge {
        wire_versions: vec![1],
        deployment: "d-1".into(),
        origin: "https://odcm.example.com".into(),
        nonce: "AA==".into(),
        now: 5,
    };
    check("server-challenge", &FromServer::Challenge(challenge), seen);
    let welcome = Welcome { connection_epoch: 3, wire_version: 1, heartbeat_ms: 10_000, now: 6 };
    check("server-welcome", &FromServer::Welcome(welcome), seen);
    check("server-document", &FromServer::Document(signed), seen);
    check("server-heartbeat", &FromServer::Heartbeat(Heartbeat { now: 7, valid_until: 8 }), seen);
    check("server-secret-stored", &FromServer::SecretStored { generation: 2 }, seen);
    check("server-probe", &FromServer::Probe(Probe { id: "x".into(), code: "dead".into() }), seen);
    let refused = Refused { code: RefusalCode::Busy, message: "later".into(), retry_after_ms: Some(1000) };
    check("server-refused", &FromServer::Refused(refused), seen);
    check("server-write-secret", &FromServer::WriteSecret { generation: 2 }, seen);
    let succession = Succession {
        deployment: "d-1".into(),
        previous: "k-1".into(),
        next: FleetKey { key_id: "k-2".into(), public_key: "AA==".into() },
        announced_at: 1_700_000_000_000,
        previous_until: 1_700_000_600_000,
    };
    check("succession", &succession, seen);
    let signed = succession.seal(|bytes| Digest::of(bytes).as_bytes().to_vec()).unwrap();
    check("server-fleet-key", &FromServer::FleetKey(signed), seen);

    let position = Position { section: Section::Access, epoch: 1, revision: 7, doc_digest: Some(digest()) };
    let hello = Hello {
        wire_versions: vec![1],
        wire_version: 1,
        agent: "a-1".into(),
        space: "s-1".into(),
        nonce: "AA==".into(),
        installation_id: "i-1".into(),
        base_url: "https://mars.example.com".into(),
        server_version: "2025.4.1".into(),
        agent_version: "0.1.0".into(),
        capabilities: vec!["generic_oidc".into()],
        positions: vec![position],
        fleet_key: None,
    };
    check("agent-hello", &FromAgent::Hello(hello.clone()), seen);
    check("agent-hello-fleet-key", &FromAgent::Hello(Hello { fleet_key: Some("k-2".into()), ..hello }), seen);
    check("agent-proof", &FromAgent::Proof(Proof { signature: "AA==".into() }), seen);
    let ack = Ack {
        section: Section::Access,
        epoch: 1,
        revision: 7,
        doc_digest: digest(),
        connection_epoch: 3,
        took_ms: 12,
        items: Vec::new(),
        links: Vec::new(),
        seen: Some(Seen { digest: digest(), at: 9 }),
    };
    check("agent-ack", &FromAgent::Ack(ack), seen);
    check("agent-secret", &FromAgent::Secret { generation: 2, sha256: digest(), connection_epoch: 3 }, seen);
    let need = FromAgent::NeedSnapshot { section: Section::Access, reason: "no base".into(), connection_epoch: 3 };
    check("agent-need-snapshot", &need, seen);
    check("agent-alive", &FromAgent::Alive { connection_epoch: 3 }, seen);
    for (name, what) in reports() {
        let report = FromAgent::Report(Report { connection_epoch: 3, at: 9, what });
        check(&format!("agent-report-{name}"), &report, seen);
    }

    seen.extend(LATER.map(|(name, _)| format!("{name}.json")));
    let there: BTreeSet<String> =
        std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(*seen, there, "a sample that nobody reads proves nothing");
}

#[test]
fn signed_and_proof_bytes_are_frozen() {
    // What is signed must not change either: digests of the bytes, taken when version 1 was made.
    let signed = SignedDocument { payload: "{}".into(), key_id: "k".into(), signature: String::new() };
    assert_eq!(signed.digest(), Digest::of(b"odcm-document-v1\0{}"));
    let succession = SignedSuccession { payload: "{}".into(), key_id: "k".into(), signature: String::new() };
    assert_eq!(succession.digest(), Digest::of(b"odcm-fleet-key-v1\0{}"));
    let mut proof = b"odcm-agent-proof-v1\0".to_vec();
    for part in ["c", "h", "d", "o", "1"] {
        proof.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        proof.extend_from_slice(part.as_bytes());
    }
    assert_eq!(proof_bytes("c", "h", "d", "o", 1), proof);
}

type Named = (&'static str, fn() -> Document);

/// Documents as a later ODCM of this version writes them: every object of state and delta has a field more than today's.
/// Written by hand once, with the digest that today's code announces.
const LATER: [Named; 3] = [
    ("later-access-snapshot", || {
        document(Section::Access, None, Body::AccessSnapshot { state: access(), inheritance: Inheritance::default() })
    }),
    ("later-access-delta", || {
        let delta = AccessState::default().diff(&access());
        document(Section::Access, Some(6), Body::AccessDelta { delta })
    }),
    ("later-authentication", || {
        let state = AuthenticationState {
            issuer: "https://odcm.example.com".into(),
            client_id: "s-1".into(),
            display_name: "ODCM".into(),
            secret_generation: 2,
        };
        document(Section::Authentication, None, Body::AuthenticationSnapshot { state })
    }),
];

/// Adds a field to every object that is a struct; `ids` levels of maps by id lie above the next struct.
fn add_later_fields(value: &mut serde_json::Value, ids: u8) {
    let serde_json::Value::Object(fields) = value else { return };
    let group = fields.contains_key("name");
    for (name, inner) in fields.iter_mut() {
        let below = match (ids, name.as_str()) {
            (1.., _) => ids - 1,
            (0, "people" | "groups") => 1,
            // A group's members by person; a delta's by group and person.
            (0, "members") => {
                if group {
                    1
                } else {
                    2
                }
            }
            _ => 0,
        };
        add_later_fields(inner, below);
    }
    if ids == 0 {
        fields.insert("later_field".into(), serde_json::json!(["of a later ODCM"]));
    }
}

#[test]
fn fields_of_a_later_odcm_are_ignored_and_the_digest_holds() {
    for (name, make) in LATER {
        let mut today = make();
        today.state_digest = match &today.body {
            Body::AuthenticationSnapshot { state } => state.digest().unwrap(),
            _ => access().digest().unwrap(),
        };
        let path = folder().join(format!("{name}.json"));
        if !path.exists() && std::env::var_os("ODCM_WRITE_GOLDEN").is_some() {
            let mut value = serde_json::to_value(&today).unwrap();
            add_later_fields(&mut value, 0);
            std::fs::write(&path, value.to_string()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(text.matches("later_field").count() >= 3, "{name}: document, body and state have one");
        let read: Document = serde_json::from_str(&text).unwrap();
        assert_eq!(read, today, "{name}");
        let after = match &read.body {
            Body::AccessSnapshot { state, .. } => state.digest().unwrap(),
            Body::AccessDelta { delta } => AccessState::default().apply(delta).digest().unwrap(),
            Body::AuthenticationSnapshot { state } => state.digest().unwrap(),
            Body::Unknown => panic!("{name}"),
        };
        assert_eq!(after, read.state_digest, "{name}: the delta met its base");
    }
}

/// The digests of two states, taken when version 1 was made: a field that is added later must not change them.
#[test]
fn the_digest_covers_what_version_1_began_with() {
    let text = std::fs::read(folder().join("access-state.json")).unwrap();
    assert_eq!(access().digest().unwrap(), Digest::of(&text));
    let text = br#"{"issuer":"i","client_id":"c","display_name":"d","secret_generation":2}"#;
    let state: AuthenticationState = serde_json::from_slice(text).unwrap();
    assert_eq!(state.digest().unwrap(), Digest::of(text));
    let empty = br#"{"people":{},"groups":{},"revoke_api_keys":false}"#;
    assert_eq!(AccessState::default().digest().unwrap(), Digest::of(empty));
}
