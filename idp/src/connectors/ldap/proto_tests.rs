use super::*;
use proptest::prelude::*;

fn reply(id: i64, tag: u8, body: Writer) -> Vec<u8> {
    Writer::default().nest(SEQUENCE, Writer::default().number(INTEGER, id).nest(tag, body)).done()
}

#[test]
fn requests_are_what_the_standard_says() {
    let bind = Request::Bind { name: "cn=a", password: "pw", controls: &[] }.encode(1);
    assert_eq!(bind, b"\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw");
    assert_eq!(Request::Unbind.encode(5), b"\x30\x05\x02\x01\x05\x42\x00");
    assert_eq!(Request::StartTls.encode(1), b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037");
    let control = Control { oid: "1.2".into(), critical: true, value: Some(b"v".to_vec()) };
    let search = Search::at("dc=x", &["cn"]).with(control);
    let operation =
        b"\x63\x28\x04\x04dc=x\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x04\x04\x02cn";
    let list = b"\xa0\x0d\x30\x0b\x04\x031.2\x01\x01\xff\x04\x01v";
    let whole = [&b"\x30\x3c\x02\x01\x02"[..], operation, list].concat();
    assert_eq!(Request::Search(&search).encode(2), whole);
}

#[test]
fn filters_on_the_wire() {
    let bytes = |text: &str| filter(&Filter::parse(text).unwrap()).done();
    assert_eq!(bytes("(a=b)"), b"\xa3\x06\x04\x01a\x04\x01b");
    assert_eq!(bytes("(!(a=*))"), b"\xa2\x03\x87\x01a");
    assert_eq!(bytes("(&(a=*)(b=*))"), b"\xa0\x06\x87\x01a\x87\x01b");
    assert_eq!(bytes("(a=b*c*d)"), b"\xa4\x0e\x04\x01a\x30\x09\x80\x01b\x81\x01c\x82\x01d");
    assert_eq!(bytes("(a:1.2:=b)"), b"\xa9\x0b\x81\x031.2\x82\x01a\x83\x01b");
    assert_eq!(bytes("(a>=b)"), b"\xa5\x06\x04\x01a\x04\x01b");
}

#[test]
fn a_farewell_with_its_oid_in_the_wrong_place_is_understood() {
    let outcome = Writer::default().number(ENUMERATED, 52).put(OCTETS, b"").put(OCTETS, b"bye");
    let body = Writer::default().number(INTEGER, 0).nest(0x78, outcome).put(0x8a, b"1.3.6.1.4.1.1466.20036");
    let message = decode(&Writer::default().nest(SEQUENCE, body).done()).unwrap();
    let Message { id: 0, response: Response::Extended(outcome) } = message else { panic!("{message:?}") };
    assert_eq!((outcome.code, outcome.text.as_str()), (52, "bye"));
}

#[test]
fn many_empty_values_are_refused() {
    let values = Writer::default().raw(&b"\x04\x00".repeat(100_000));
    let attribute = Writer::default().nest(SEQUENCE, Writer::default().put(OCTETS, b"a").nest(SET, values));
    let bytes = reply(1, 0x64, Writer::default().put(OCTETS, b"dc=x").nest(SEQUENCE, attribute));
    assert_eq!(decode(&bytes), Err(Malformed));
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
        let _ = decode(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(at in 0usize..200, with in any::<u8>(), cut in 0usize..200) {
        let pair = Writer::default().put(OCTETS, b"cn").nest(SET, Writer::default().put(OCTETS, b"v"));
        let body = Writer::default().put(OCTETS, b"cn=a,dc=x").nest(SEQUENCE, Writer::default().nest(SEQUENCE, pair));
        let mut bytes = reply(7, 0x64, body);
        prop_assert!(decode(&bytes).is_ok());
        if let Some(b) = bytes.get_mut(at) { *b = with; }
        bytes.truncate(cut.max(1));
        let _ = decode(&bytes);
    }
}
