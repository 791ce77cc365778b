//! What is written anew, what is left alone.

use super::*;

#[test]
fn what_people_type_is_written_as_it_is_written_here() {
    let table = [
        ("a > 1 and b < 2", "a > 1 && b < 2"),
        ("a OR b", "a || b"),
        ("not a", "!a"),
        ("not (a && b)", "!(a && b)"),
        ("not is_given(phone) and a", "!is_given(phone) && a"),
        ("not a > 3", "!(a > 3)"),
        ("not employer.since == x", "!(employer.since == x)"),
        ("age = 18", "age == 18"),
        ("age <> 18", "age != 18"),
        ("age => 18", "age >= 18"),
        ("age =< 18", "age <= 18"),
        ("age === 18", "age == 18"),
        ("age !== 18", "age != 18"),
        ("country = 'mx'", "country == \"mx\""),
        ("age between 18 and 65", "age >= 18 && age <= 65"),
        (
            "a && employer.since between f(1) and -2 or b",
            "a && employer.since >= f(1) && employer.since <= -2 || b",
        ),
        ("phone is null", "is_missing(phone)"),
        ("phone IS NOT NULL", "is_given(phone)"),
        ("phone == null && a", "is_missing(phone) && a"),
        ("phone != None", "is_given(phone)"),
        ("phone <> null", "is_given(phone)"),
        ("x is not 3", "x != 3"),
        ("status in ('a', 'b')", "status in [\"a\", \"b\"]"),
        ("status not in (\"a\", \"b\")", "!(status in [\"a\", \"b\"])"),
        ("share > 40%", "share > 0.4"),
        ("share > 40% and a", "share > 0.4 && a"),
        ("amount > 1,000", "amount > 1000"),
        ("amount > 1,000,000.50", "amount > 1000000.50"),
        ("amount > 1.000,50", "amount > 1000.50"),
        ("amount > 0,5", "amount > 0.5"),
        ("name like 'ab%'", "starts_with(name, \"ab\")"),
        ("name like '%ab%'", "contains(name, \"ab\")"),
        ("a == TRUE", "a == true"),
        ("country == “mx”", "country == \"mx\""),
        ("age ≥ 18", "age >= 18"),
        ("age ＞ 18", "age > 18"),
    ];
    for (written, expected) in table {
        let found = rewritten(written, Kind::Condition).unwrap_or_else(|| panic!("{written}"));
        assert_eq!(found.text, expected, "{written}");
    }
    assert_eq!(rewritten("if a then b", Kind::Script).unwrap().text, "if a { b");
    assert_eq!(rewritten("} elif a = 1 {", Kind::Script).unwrap().text, "} else if a == 1 {");
}

#[test]
fn what_is_written_as_it_should_be_is_left_alone() {
    for text in [
        "age < 18 && phone in [\"a\", 'b']".replace('\'', "\""),
        "min(1,000) > 100 % age".to_owned(),
        "x in [1,200,300] || f(1,200)".to_owned(),
        "\"and not = null\" == name // and".to_owned(),
    ] {
        assert_eq!(rewritten(&text, Kind::Condition), None, "{text}");
    }
    for text in ["let x = 5;", "x = x + 1;", "switch x { 1 => 2, _ => 3 }"] {
        assert_eq!(rewritten(text, Kind::Script), None, "{text}");
    }
}

#[test]
fn no_text_can_break_it() {
    for text in [
        "",
        "not",
        "between",
        "is",
        "x is",
        "x like",
        "in (",
        "x between 1",
        "= null",
        "'",
        "“",
        "40%%",
        "1,",
        "((",
        ")",
    ] {
        let _any = rewritten(text, Kind::Condition);
        let _any = rewritten(text, Kind::Script);
    }
}
