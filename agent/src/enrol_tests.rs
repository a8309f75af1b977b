//! Enrolment against a server played by hand.

use super::{Order, enrol};
use crate::AgentError;
use crate::state::State;
use crate::testkit::{Counting, Memory, Odcm};
use odcm_space_plugin::fake::FakeSpace;
use odcm_wire::latest::{EnrolmentAccepted, EnrolmentRequest, FleetKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one request; `{ORIGIN}` in the body becomes the server's own. Returns its URL and what it read.
async fn server(status: &'static str, body: String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://odcm.localhost:{}", listener.local_addr().unwrap().port());
    let body = body.replace("{ORIGIN}", &url);
    let read = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        let mut buffer = [0u8; 4096];
        let complete = |text: &str| {
            let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.trim().parse().ok());
            body.len() >= length.unwrap_or(0)
        };
        while !complete(&request) {
            let n = stream.read(&mut buffer).await.unwrap();
            request.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
        }
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: http://127.0.0.1:1/\r\n\r\n", body.len());
        // A client that has seen enough hangs up.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
        request
    });
    (url, read)
}

fn accepted(origin: &str) -> String {
    let keys = vec![FleetKey { key_id: "fleet-1".into(), public_key: Odcm::new("i").key.public() }];
    serde_json::to_string(&EnrolmentAccepted {
        agent: "agent-7".into(),
        space: "space-7".into(),
        space_name: "Mars".into(),
        deployment: "deployment-7".into(),
        origin: origin.into(),
        fleet_keys: keys,
    })
    .unwrap()
}

fn order(url: &str) -> Order {
    Order {
        url: url.into(),
        code: " one-time ".into(),
        octopus_url: "http://127.0.0.1:8091/".into(),
        octopus_public_url: Some("http://mars.localhost:8091/".into()),
        octopus_key_file: "key".into(),
        ca_file: None,
        proxy: None,
        octopus_ca_file: None,
        octopus_proxy: None,
        octopus_plain_http: false,
        again: false,
    }
}

async fn attempt(order: &Order, memory: &mut Memory) -> Result<String, AgentError> {
    let space = FakeSpace::new("installation-7");
    enrol(order, &space, &Counting::default(), memory).await.map(|e| e.agent)
}

#[tokio::test]
async fn a_code_becomes_a_key_pair_whose_private_half_stays_here() {
    let (url, read) = server("201 Created", accepted("{ORIGIN}")).await;
    let mut memory = Memory::default();
    assert_eq!(attempt(&order(&url), &mut memory).await.unwrap(), "agent-7");
    let request = read.await.unwrap();
    assert!(request.starts_with("POST /agent/v1/enrol HTTP/1.1\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let sent: EnrolmentRequest = serde_json::from_str(body).unwrap();
    assert_eq!((sent.code.as_str(), sent.installation_id.as_str()), ("one-time", "installation-7"));
    assert_eq!(sent.base_url, "http://mars.localhost:8091");
    assert!(sent.capabilities.contains(&"generic_oidc".to_owned()), "{:?}", sent.capabilities);
    let state = State::open(Box::new(memory.clone())).unwrap();
    assert!(!request.contains(&state.enrolment.private_key));
    let key = crate::keys::AgentKey::from_seed(&state.enrolment.private_key).unwrap();
    assert_eq!((sent.public_key, state.enrolment.origin.as_str()), (key.public(), url.as_str()));

    let again = attempt(&order(&url), &mut memory).await.unwrap_err().to_string();
    assert!(again.contains("agent-7") && again.contains("already"), "{again}");
}

#[tokio::test]
async fn refusals_and_wrong_answers_are_told_and_store_nothing() {
    let cases: [(&'static str, String, &str); 6] = [
        ("403 Forbidden", r#"{"title":"no","detail":"The code is unknown or expired."}"#.into(), "unknown or expired"),
        ("500 Oops", "<html>".into(), "500"),
        ("307 Temporary Redirect", String::new(), "307"),
        ("200 OK", "<html>hello</html>".into(), "not that of ODCM"),
        ("200 OK", "x".repeat(100_000), "too long"),
        ("200 OK", accepted("https://other.example"), "enrol with --url https://other.example"),
    ];
    for (status, body, expected) in cases {
        let (url, _read) = server(status, body).await;
        let mut memory = Memory::default();
        let error = attempt(&order(&url), &mut memory).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{status}: {error}");
        assert!(matches!(State::open(Box::new(memory)), Err(AgentError::NotEnrolled(_))), "{status}");
    }
    let keyless = accepted("{ORIGIN}").replace(&Odcm::new("i").key.public(), "AAAA");
    let (url, _read) = server("200 OK", keyless).await;
    assert!(attempt(&order(&url), &mut Memory::default()).await.unwrap_err().to_string().contains("no usable key"));
    let plain = attempt(&order("http://odcm.example.com"), &mut Memory::default()).await.unwrap_err().to_string();
    assert!(plain.contains("plain http"), "{plain}");
    let nobody = attempt(&order("http://127.0.0.1:1"), &mut Memory::default()).await.unwrap_err().to_string();
    assert!(nobody.contains("refused"), "{nobody}");
}
