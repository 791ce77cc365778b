//! Lists asked: folding, prefixes, domains, expiry, types.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn moment() -> Moment {
    // Already the 2nd of March in Berlin.
    Moment {
        decided_at: "2026-03-01T23:30:00Z".parse().unwrap(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
    }
}

fn options(match_by: ListMatch, case: bool, unicode: bool) -> ListOptions {
    ListOptions { match_by, folding: Folding { case, unicode } }
}

fn list(options: ListOptions, texts: &[&str]) -> List {
    let mut entries = Entries::default();
    for text in texts {
        entries.push(text, 0, None);
    }
    List::new("sha256:test".into(), options, entries).0
}

#[track_caller]
fn check(list: &List, item: &str, expected: bool) {
    assert_eq!(list.holds(&Value::text(item), &moment()).unwrap(), expected, "{item}");
}

#[test]
fn nothing_is_folded_unless_declared() {
    let exact = list(ListOptions::default(), &["Straße", "0151"]);
    for (item, expected) in [("Straße", true), ("straße", false), ("0151", true), ("151", false), ("", false)]
    {
        check(&exact, item, expected);
    }
}

#[test]
fn case_and_unicode_fold_as_declared() {
    let case = list(options(ListMatch::Exact, true, false), &["Straße", "ΜΆΪΟΣ"]);
    for (item, expected) in [("STRASSE", true), ("strasse", true), ("μάϊος", true), ("Ｓtrasse", false)]
    {
        check(&case, item, expected);
    }
    let unicode = list(options(ListMatch::Exact, false, true), &["café", "12"]);
    for (item, expected) in [("cafe\u{301}", true), ("１２", true), ("CAFÉ", false)] {
        check(&unicode, item, expected);
    }
    let both = list(options(ListMatch::Exact, true, true), &["ﬁne café"]);
    for (item, expected) in [("FINE CAFE\u{301}", true), ("ＦＩＮＥ café", true), ("fine cafe", false)] {
        check(&both, item, expected);
    }
}

#[test]
fn a_prefix_is_the_beginning_and_never_cuts_a_character() {
    let prefixes = list(options(ListMatch::Prefix, false, false), &["+4915", "0900", "é"]);
    for (item, expected) in [
        ("+491512345", true),
        ("+4915", true),
        ("+491", false),
        ("090", false),
        ("0900 1", true),
        ("éa", true),
    ] {
        check(&prefixes, item, expected);
    }
    check(&list(options(ListMatch::Prefix, false, false), &["\u{e9}"]), "\u{e8}x", false);
}

#[test]
fn a_domain_is_itself_and_what_is_below_it() {
    let domains = list(options(ListMatch::Domain, false, false), &["Example.com", "co.uk."]);
    for (item, expected) in [
        ("example.com", true),
        ("EXAMPLE.COM.", true),
        ("mail.example.com", true),
        ("jo@mail.example.com", true),
        ("notexample.com", false),
        ("example.com.evil.org", false),
        ("a@b@shop.co.uk", true),
        ("uk", false),
        ("", false),
    ] {
        check(&domains, item, expected);
    }
}

#[test]
fn an_entry_counts_until_its_expiry_in_the_flows_time_zone() {
    let mut entries = Entries::default();
    let on = |text: &str| Some(Expires::On(text.parse().unwrap()));
    let at = |text: &str| Some(Expires::At(text.parse().unwrap()));
    for (text, expires) in [
        ("for good", None),
        ("tomorrow", on("2026-03-03")),
        ("today", on("2026-03-02")),
        ("a second ago", at("2026-03-01T23:29:59Z")),
        ("now", at("2026-03-02T00:30:00+01:00")),
        ("in a second", at("2026-03-01T23:30:01Z")),
    ] {
        entries.push(text, 0, expires);
    }
    let list = List::new("".into(), ListOptions::default(), entries).0;
    for (item, expected) in [
        ("for good", true),
        ("tomorrow", true),
        ("today", false),
        ("a second ago", false),
        ("now", false),
        ("in a second", true),
    ] {
        check(&list, item, expected);
    }
}

#[test]
fn entries_are_read_in_the_type_that_is_looked_up() {
    let numbers = list(ListOptions::default(), &["7", "12.50", "0"]);
    let holds = |value: Value| numbers.holds(&value, &moment());
    for (value, expected) in [
        (Value::Decimal("12.5".parse().unwrap()), true),
        (Value::Decimal("7.00".parse().unwrap()), true),
        (Value::Decimal("12".parse().unwrap()), false),
        (Value::Number(12.5), true),
        (Value::Number(-0.0), true),
        (Value::text("12.5"), false),
    ] {
        assert_eq!(holds(value.clone()).unwrap(), expected, "{value:?}");
    }
    assert_eq!(holds(Value::Integer(7)).unwrap_err().code, "wrong_type", "12.50 is no integer");
    assert_eq!(numbers.typed(EntryType::Integer), Err(1));
    let dates = list(ListOptions::default(), &["2026-02-28"]);
    assert!(dates.holds(&Value::Date("2026-02-28".parse().unwrap()), &moment()).unwrap());
    let times = list(ListOptions::default(), &["2026-02-28T12:00:00+01:00"]);
    assert!(times.holds(&Value::Time("2026-02-28T11:00:00Z".parse().unwrap()), &moment()).unwrap());
    for value in [Value::Boolean(true), Value::List([].into()), Value::Missing] {
        assert_eq!(holds(value).unwrap_err().code, "wrong_type");
    }
}

#[test]
fn what_stands_twice_once_folded_is_told() {
    let mut entries = Entries::default();
    for (text, expires) in [("a", None), ("b", None), ("A", None), ("B", Some("2026-01-01"))] {
        entries.push(text, 0, expires.map(|date| Expires::On(date.parse().unwrap())));
    }
    let (list, doubled) = List::new("".into(), options(ListMatch::Exact, true, false), entries);
    let found: Vec<_> = doubled.iter().map(|d| (d.entry, d.earlier, d.is_contradiction)).collect();
    assert_eq!(found, [(2, 0, false), (3, 1, true)]);
    assert_eq!(list.entry(3), "B");
}

proptest! {
    #[test]
    fn a_list_holds_its_entries_and_nothing_else(
        texts in proptest::collection::vec("\\PC{1,12}", 0..40),
        other in "\\PC{0,12}",
        case in any::<bool>(),
        unicode in any::<bool>(),
    ) {
        let options = options(ListMatch::Exact, case, unicode);
        let list = list(options, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        for text in &texts {
            prop_assert!(list.holds(&Value::text(text), &moment()).unwrap());
        }
        let fold = |text: &str| fold::folded(text, options.folding).into_owned();
        let expected = texts.iter().any(|text| fold(text) == fold(&other));
        prop_assert_eq!(list.holds(&Value::text(&other), &moment()).unwrap(), expected);
    }

    #[test]
    fn folding_twice_is_folding_once(text in "\\PC{0,20}", case in any::<bool>(), unicode in any::<bool>()) {
        let folding = Folding { case, unicode };
        let once = fold::folded(&text, folding).into_owned();
        prop_assert_eq!(&fold::folded(&once, folding), &once);
    }

    #[test]
    fn a_prefix_list_agrees_with_starts_with(
        texts in proptest::collection::vec("[0-9é]{1,5}", 0..20),
        item in "[0-9é]{0,8}",
    ) {
        let list = list(options(ListMatch::Prefix, false, false), &texts.iter().map(String::as_str).collect::<Vec<_>>());
        let expected = texts.iter().any(|text| item.starts_with(text.as_str()));
        prop_assert_eq!(list.holds(&Value::text(&item), &moment()).unwrap(), expected);
    }
}
