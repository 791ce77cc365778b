//! What the JSON reader takes and refuses: the JSON group of the bad inputs, one line each. No HTTP here.

use proptest::prelude::*;

use super::*;

fn refused(body: &[u8]) -> (JsonProblem, usize, usize) {
    let error = parse(body, JsonLimits::default()).unwrap_err();
    (error.problem, error.line, error.column)
}

#[test]
fn every_bad_body_is_refused_with_its_place() {
    use JsonProblem as P;
    let utf16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let table: &[(&[u8], P, usize, usize)] = &[
        (b"", P::Empty, 1, 1),
        (b" \n ", P::Empty, 2, 2),
        (b"{\"a\":1} x", P::TrailingText, 1, 9),
        (b"{}{}", P::TrailingText, 1, 3),
        (b"\xEF\xBB\xBF{}", P::ByteOrderMark, 1, 1),
        (&utf16, P::ExpectedName, 1, 2),
        (b"\xFF\xFE{\0}\0", P::NotUtf8, 1, 1),
        (b"{\"a\": \"\xC3\x28\"}", P::NotUtf8, 1, 8),
        (br#"{"a": "\ud800"}"#, P::LoneSurrogate, 1, 8),
        (br#"{"a": "\udc00"}"#, P::LoneSurrogate, 1, 8),
        (br#"{"a": "\ud800\u0041"}"#, P::LoneSurrogate, 1, 8),
        (br#"{"a": "\u0000"}"#, P::Nul, 1, 8),
        (b"{\"a\": \"\0\"}", P::ControlCharacter, 1, 8),
        (b"{\"a\": \"\n\"}", P::ControlCharacter, 1, 8),
        (br#"{"a": "\x41"}"#, P::BadEscape, 1, 8),
        (br#"{"a": "\u00g0"}"#, P::BadEscape, 1, 8),
        (br#"{"a":1,"a":2}"#, P::DuplicateName, 1, 8),
        (br#"{"a":1,"\u0061":2}"#, P::DuplicateName, 1, 8),
        (b"{\"a\":1,}", P::ExpectedName, 1, 8),
        (b"{a:1}", P::ExpectedName, 1, 2),
        (b"{'a':1}", P::ExpectedName, 1, 2),
        (b"[1,]", P::ExpectedValue, 1, 4),
        (b"[1 2]", P::ExpectedComma, 1, 4),
        (b"{\"a\" 1}", P::ExpectedColon, 1, 6),
        (b"{\"a\":1", P::UnexpectedEnd, 1, 7),
        (b"[", P::UnexpectedEnd, 1, 2),
        (b"\"abc", P::UnexpectedEnd, 1, 5),
        (b"nul", P::ExpectedValue, 1, 1),
        (b"NaN", P::ExpectedValue, 1, 1),
        (b"[Infinity]", P::ExpectedValue, 1, 2),
        (b"01", P::BadNumber, 1, 1),
        (b"+1", P::ExpectedValue, 1, 1),
        (b"1.", P::BadNumber, 1, 1),
        (b".5", P::ExpectedValue, 1, 1),
        (b"1e", P::BadNumber, 1, 1),
        (b"-", P::BadNumber, 1, 1),
        (b"1.000,00", P::TrailingText, 1, 6),
        (b"// x\n{}", P::ExpectedValue, 1, 1),
    ];
    for (body, problem, line, column) in table {
        assert_eq!(refused(body), (*problem, *line, *column), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn depth_and_counts_are_bounded() {
    let nested = |n: usize| ["[".repeat(n), "]".repeat(n)].concat();
    assert!(parse(nested(64).as_bytes(), JsonLimits::default()).is_ok());
    assert_eq!(refused(nested(65).as_bytes()), (JsonProblem::TooDeep, 1, 65));
    assert_eq!(refused("[".repeat(100_000).as_bytes()).0, JsonProblem::TooDeep);
    assert_eq!(refused("{\"a\":".repeat(100_000).as_bytes()).0, JsonProblem::TooDeep);

    let keys: Vec<String> = (0..1_000_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let body = format!("{{{}}}", keys.join(","));
    let started = std::time::Instant::now();
    assert_eq!(refused(body.as_bytes()).0, JsonProblem::TooManyValues);
    // No measurement, but a stop: what is quadratic would take minutes.
    assert!(started.elapsed().as_secs() < 60);

    assert_eq!(refused("9".repeat(1_025).as_bytes()).0, JsonProblem::NumberTooLong);
}

#[test]
fn a_repeated_name_is_found_among_many() {
    let mut keys: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":1")).collect();
    keys.push("\"k\\u0037\":1".to_owned());
    assert_eq!(refused(format!("{{{}}}", keys.join(",")).as_bytes()).0, JsonProblem::DuplicateName);
}

#[test]
fn numbers_keep_their_text_and_names_their_order() {
    let body = r#" {"b": [1, -0, 0.10, 1e400, 9007199254740993, 1E+3], "a": {"x": null, "y": true}, "ü": "\ud83d\ude00\n\u00e9/\/"} "#;
    let number = |text: &str| Given::Number(text.to_owned());
    let expected = Given::Map(vec![
        (
            "b".to_owned(),
            Given::List(["1", "-0", "0.10", "1e400", "9007199254740993", "1E+3"].map(number).to_vec()),
        ),
        (
            "a".to_owned(),
            Given::Map(vec![("x".to_owned(), Given::Null), ("y".to_owned(), Given::Boolean(true))]),
        ),
        ("ü".to_owned(), Given::Text("😀\né//".to_owned())),
    ]);
    assert_eq!(parse(body.as_bytes(), JsonLimits::default()), Ok(expected));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, JsonLimits::default());
    }

    #[test]
    fn nothing_json_like_makes_it_panic(text in r#"[\[\]{}",:\\u0-9a-f \n.eE+\-ü]{0,80}"#) {
        let ours = parse(text.as_bytes(), JsonLimits::default());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // serde_json takes duplicate names and refuses what an f64 cannot hold; apart from that both agree.
        match ours {
            Ok(_) => prop_assert!(theirs.is_ok() || theirs.is_err_and(|error| error.to_string().contains("out of range"))),
            Err(error) => prop_assert!(
                theirs.is_err() || matches!(error.problem, JsonProblem::DuplicateName | JsonProblem::Nul),
                "{error}"
            ),
        }
    }
}
