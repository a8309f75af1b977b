use super::*;
use proptest::prelude::*;

#[test]
fn filters_are_read() {
    let all =
        Filter::parse(" (&(objectCategory=person)\n (!(userAccountControl:1.2.840.113556.1.4.803:=2))(|(cn=a*b*)(mail=*))) ");
    let Ok(Filter::And(parts)) = all else { panic!("{all:?}") };
    assert_eq!(parts[0], Filter::equal("objectCategory", "person"));
    let rule = Filter::Rule {
        attribute: "userAccountControl".into(),
        rule: "1.2.840.113556.1.4.803".into(),
        value: b"2".to_vec(),
        dn: false,
    };
    assert_eq!(parts[1], Filter::Not(Box::new(rule)));
    let Filter::Or(either) = &parts[2] else { panic!() };
    let pieces = Filter::Pieces { attribute: "cn".into(), first: b"a".to_vec(), middle: vec![b"b".to_vec()], last: Vec::new() };
    assert_eq!(either, &[pieces, Filter::Present("mail".into())]);
    assert_eq!(Filter::parse("(cn=\\2a\\28x)").unwrap(), Filter::equal("cn", "*(x"));
    assert_eq!(Filter::parse("(o:dn:=x)").unwrap().to_string(), "(o:dn:=x)");
}

#[test]
fn faults_are_named() {
    for (text, said) in [
        ("", "a `(` is missing, at its end"),
        ("cn=a", "a `(` is missing, at `cn=a`"),
        ("(cn=a", "a `)` is missing, at its end"),
        ("(cn=a))", "something follows"),
        ("(&)", "at least one"),
        ("(=a)", "name of an attribute"),
        ("(cn)", "comparison"),
        ("(cn=\\2)", "two hexadecimal digits"),
        ("(cn>=a*)", "a star"),
        ("(:=x)", "a name or an attribute"),
        ("(a:b:c:=x)", "matching rule"),
        ("(cn=a(b)", "a `)` is missing"),
    ] {
        let got = Filter::parse(text).unwrap_err();
        assert!(got.contains(said), "{text}: {got}");
    }
    assert!(Filter::parse(&"(!".repeat(1500)).unwrap_err().contains("nested deeper"));
    assert!(Filter::parse(&"x".repeat(4001)).unwrap_err().contains("longer"));
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let name = "[a-zA-Z][a-zA-Z0-9.-]{0,8}";
    let value = || proptest::collection::vec(any::<u8>(), 1..8);
    let leaf = prop_oneof![
        name.prop_map(Filter::Present),
        (name, value()).prop_map(|(a, v)| Filter::Equal(a, v)),
        (name, value()).prop_map(|(a, v)| Filter::AtLeast(a, v)),
        (name, value()).prop_map(|(a, v)| Filter::AtMost(a, v)),
        (name, value(), value(), value()).prop_map(|(attribute, first, m, last)| Filter::Pieces {
            attribute,
            first,
            middle: vec![m],
            last
        }),
        (name, name, value())
            .prop_filter("dn is a word", |(_, rule, _)| rule != "dn")
            .prop_map(|(attribute, rule, value)| { Filter::Rule { attribute, rule, value, dn: true } }),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(filter in any_filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= MAX_TEXT);
        prop_assert_eq!(Filter::parse(&text), Ok(filter));
    }

    #[test]
    fn nothing_panics(text in "[()&|!=*:><~a\\\\0 é]{0,40}") {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn a_value_never_leaves_its_place(value in any::<Vec<u8>>()) {
        let text = format!("(cn={})", escape(&value));
        prop_assume!(text.len() <= MAX_TEXT);
        prop_assert_eq!(Filter::parse(&text), Ok(Filter::equal("cn", &value)));
    }
}
