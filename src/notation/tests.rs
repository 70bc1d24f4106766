use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Value {
    Value::parse(text.as_bytes(), Form::Line).unwrap_or_else(|fault| panic!("{text:?}: {fault}"))
}

/// Checks that `text` means `value` on one line and in a settings file alike.
#[track_caller]
fn check(text: &str, value: &Value) {
    for form in [Form::Line, Form::Lines] {
        assert_eq!(Value::parse(text.as_bytes(), form).as_ref(), Ok(value), "{text:?}");
    }
}

#[track_caller]
fn check_fault(text: &[u8], form: Form, at: usize, what: Syntax) {
    assert_eq!(Value::parse(text, form), Err(SyntaxFault { at, what }), "{}", text.escape_ascii());
}

#[test]
fn every_kind_of_object_is_read() {
    check("john.doe@example.com", &Value::from("john.doe@example.com"));
    check(" 007 ", &Value::from("007"));
    check("Grüße", &Value::from("Grüße"));
    check(r#""a b""#, &Value::from("a b"));
    check(r#""""#, &Value::from(""));
    check(r#""a" "b""c""#, &Value::from("abc"));
    check("[Zm9v YmFy]", &Value::Data(b"foobar".to_vec()));
    check("[Zm8=] [bw==]", &Value::Data(b"foo".to_vec()));
    check("[]", &Value::Data(Vec::new()));
    check("#-5", &Value::Number(-5));
    check("#0x7fffffffffffffff", &Value::Number(i64::MAX));
    check("#-0x8000000000000000", &Value::Number(i64::MIN));
    check("#0o17", &Value::Number(15));
    check("#-0b101", &Value::Number(-5));
    check("#T13-02-2009_23:31:30", &Value::Timestamp(Timestamp::from_unix(1_234_567_890).unwrap()));
    check("#TPAST", &Value::Timestamp(Timestamp::PAST));
    check("#I[10.0.0.1]", &Value::Address(IpAddr::from([10, 0, 0, 1]), None));
    check("#I[::1]:106", &Value::Address("::1".parse().unwrap(), Some(106)));
    check("#NULL#", &Value::Null);
    check("()", &Value::Array(Vec::new()));
    check("( a , (b) )", &Value::Array(vec!["a".into(), Value::Array(vec!["b".into()])]));
    check("{}", &Value::Dictionary(Dictionary::new()));
    check(
        "{ a = b ; \"c d\"={};}",
        &Value::Dictionary([("a", "b".into()), ("c d", parse("{}"))].into_iter().collect()),
    );
}

#[test]
fn every_escape_is_read() {
    check(r#""\"\\\r\n\t\e\065\195\164\u'20AC'\u'1F600'""#, &Value::from("\"\\\r\n\t\nAä€😀"));
}

#[test]
fn lines_may_hold_comments_and_breaks() {
    let text = b"// head\r\n{ /* { */\tkey = // why\n (a,\n b); }\n// tail";
    assert_eq!(Value::parse(text, Form::Lines).unwrap().to_string(), "{key=(a,b);}");
    check_fault(b"{\tkey=a;}", Form::Line, 1, Syntax::NoKey);
    check_fault(b"a // b", Form::Line, 2, Syntax::Trailing);
    check_fault(b"a /* b", Form::Lines, 2, Syntax::Unended);
}

#[test]
fn xml_is_kept_as_it_is() {
    for text in [
        "<a/>",
        "<a b='>' c=\"/>\">x<!-- </a> --><a><![CDATA[</a>]]></a><?p </a>?></a >",
        "<presence><show>away</show></presence>",
    ] {
        assert_eq!(parse(text).to_string(), text);
        assert_eq!(parse(&format!("({text}, {text})")).to_string(), format!("({text},{text})"));
    }
    check_fault(b"(<a>)", Form::Line, 1, Syntax::Unended);
    check_fault(b"<a></b>", Form::Line, 3, Syntax::BadXml);
    check_fault(b"<!-- -->", Form::Line, 0, Syntax::BadXml);
    check_fault(b"<a>\n</a>", Form::Lines, 0, Syntax::BadXml);
    check_fault(b"< a/>", Form::Line, 0, Syntax::BadXml);
    check_fault(b"<a>\xff</a>", Form::Line, 3, Syntax::BadUtf8);
    let deep = "<a>".repeat(NESTING_MAX + 1);
    check_fault(deep.as_bytes(), Form::Line, 3 * NESTING_MAX, Syntax::TooDeep);
}

#[test]
fn what_is_malformed_is_refused_where_it_is() {
    let cases: &[(&[u8], usize, Syntax)] = &[
        (b"", 0, Syntax::NoValue),
        (b"  ", 2, Syntax::NoValue),
        (b"a b", 2, Syntax::Trailing),
        (b"(a,)", 3, Syntax::NoValue),
        (b"(a b)", 3, Syntax::Expected(b',')),
        (b"(a", 2, Syntax::Expected(b',')),
        (b"{a=b}", 4, Syntax::Expected(b';')),
        (b"{a;}", 2, Syntax::Expected(b'=')),
        (b"{=a;}", 1, Syntax::NoKey),
        (b"{(a)=b;}", 1, Syntax::NoKey),
        (b"{RealName=\"x \"y\" z\";}", 14, Syntax::Expected(b';')),
        (b"{b=1;a=1;a=2;}", 9, Syntax::DuplicateKey),
        (b"\"abc", 0, Syntax::Unended),
        (b"\"abc\\", 4, Syntax::BadEscape),
        (b"\"\\x\"", 1, Syntax::BadEscape),
        (b"\"\\256\"", 1, Syntax::BadEscape),
        (b"\"\\12\"", 1, Syntax::BadEscape),
        (b"\"\\u'D800'\"", 1, Syntax::BadEscape),
        (b"\"\\u'41'\"", 1, Syntax::BadEscape),
        (b"\"\\u'0000041'\"", 1, Syntax::BadEscape),
        (b"\"\\u'20AC\"", 1, Syntax::BadEscape),
        (b"\"\\195\"", 0, Syntax::BadUtf8),
        (b"(\xff)", 1, Syntax::BadUtf8),
        (b"\"\\000\"", 0, Syntax::ZeroByte),
        (b"\"a\0b\"", 0, Syntax::ZeroByte),
        (b"[Zm8", 0, Syntax::Unended),
        (b"([Z])", 1, Syntax::BadBase64),
        (b"#", 0, Syntax::BadNumber),
        (b"#-", 0, Syntax::BadNumber),
        (b"#--1", 0, Syntax::BadNumber),
        (b"#12a", 0, Syntax::BadNumber),
        (b"#0x", 0, Syntax::BadNumber),
        (b"#9223372036854775808", 0, Syntax::BadNumber),
        (b"#NULL", 0, Syntax::BadNumber),
        (b"#T31-02-2000", 0, Syntax::BadTimestamp),
        (b"#I[10.0.0]", 0, Syntax::BadAddress),
        (b"#I[::1]:65536", 0, Syntax::BadAddress),
        (b"#I[::1", 0, Syntax::Unended),
        (b"#(Thing:data)", 0, Syntax::Unreadable),
    ];
    for (text, at, what) in cases {
        check_fault(text, Form::Line, *at, *what);
    }
}

#[test]
fn depth_and_length_have_bounds() {
    let nested = |depth| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
    parse(&nested(NESTING_MAX));
    check_fault(nested(NESTING_MAX + 1).as_bytes(), Form::Line, NESTING_MAX, Syntax::TooDeep);
    let long = vec![b'a'; TEXT_BYTES_MAX + 1];
    assert!(Value::parse(&long[1..], Form::Line).is_ok());
    check_fault(&long, Form::Line, TEXT_BYTES_MAX, Syntax::TooLong);
}

#[test]
fn a_prefix_ends_where_the_next_argument_begins() {
    let length = |text: &str| Value::parse_prefix(text.as_bytes(), Form::Line).unwrap().1;
    assert_eq!(length("(a) next"), 4);
    assert_eq!(length("{a=b;}next"), 6);
    assert_eq!(length("word{}"), 4);
}

#[test]
fn strings_are_bare_only_where_every_client_reads_them_so() {
    let printed = |text: &str| Value::from(text).to_string();
    for bare in ["a", "A1", "john.doe@example.com", "a_b-c", "007"] {
        assert_eq!(printed(bare), bare);
    }
    for quoted in ["", "-1", ".a", "@x", "a b", "a:b", "a!b", "ä", "#1", "a]"] {
        assert_eq!(printed(quoted), format!("\"{quoted}\""));
    }
    assert_eq!(printed("\"\\\n\r\t\x01\x7f"), r#""\"\\\e\r\t\001\127""#);
}

#[test]
fn dictionaries_print_by_key_without_regard_to_case() {
    assert_eq!(parse("{b=1;B=2;a=3;C=4;}").to_string(), "{a=3;B=2;b=1;C=4;}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = || prop_oneof!["[^\0]{0,12}", "[a-zA-Z0-9_.@-]{0,8}"];
    let moment = (i64::from(i32::MIN) * 20..i64::from(i32::MAX) * 100)
        .prop_filter_map("no text form", |seconds| Timestamp::from_unix(seconds).map(Value::Timestamp));
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        1 => vec(any::<u8>(), 0..20).prop_map(Value::Data),
        1 => any::<i64>().prop_map(Value::Number),
        1 => moment,
        1 => Just(Value::Timestamp(Timestamp::FUTURE)),
        1 => (any::<IpAddr>(), any::<Option<u16>>()).prop_map(|(address, port)| Value::Address(address, port)),
        1 => Just(Value::Null),
        1 => "[a-z]{1,3}".prop_map(|name| parse(&format!("<{name} x='>'>text</{name}>"))),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let pairs = vec((text(), inner.clone()), 0..6);
        prop_oneof![
            vec(inner, 0..6).prop_map(Value::Array),
            pairs.prop_map(|pairs| {
                Value::Dictionary(pairs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(value in any_value()) {
        let text = value.to_string();
        prop_assert!(!text.contains(['\r', '\n']));
        prop_assert_eq!(Value::parse(text.as_bytes(), Form::Line), Ok(value.clone()));
        prop_assert_eq!(Value::parse(text.as_bytes(), Form::Lines), Ok(value));
    }

    #[test]
    fn no_bytes_panic_the_parser(text in vec(prop_oneof![
        any::<u8>(),
        proptest::sample::select(b"(){}[]<>\"\\#=;, /*TI'-:aA1!?".to_vec()),
    ], 0..60)) {
        for form in [Form::Line, Form::Lines] {
            match Value::parse(&text, form) {
                Ok(value) => prop_assert_eq!(Value::parse(value.to_string().as_bytes(), Form::Line), Ok(value)),
                Err(fault) => prop_assert!(fault.at <= text.len()),
            }
        }
    }

    #[test]
    fn a_dictionary_agrees_with_a_map(changes in vec(("[aAbB]{0,2}", any::<Option<bool>>()), 0..30)) {
        let mut dictionary = Dictionary::new();
        let mut map = std::collections::BTreeMap::new();
        for (key, change) in changes {
            let value = |given: bool| Value::from(if given { "YES" } else { "NO" });
            match change {
                Some(given) => prop_assert_eq!(dictionary.insert(&key, value(given)), map.insert(key, value(given))),
                None => prop_assert_eq!(dictionary.remove(&key), map.remove(&key)),
            }
        }
        prop_assert_eq!(dictionary.len(), map.len());
        for (key, value) in &map {
            prop_assert_eq!(dictionary.get(key), Some(value));
        }
    }
}
