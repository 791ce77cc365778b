//! What the YAML reader takes and refuses: the YAML group of the bad inputs, one line each. No flows here.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde::Deserialize;

use super::super::{Spanned, parse, place, read};
use super::*;
use crate::documents::findings::{Colour, rendered};

fn refused(text: &str) -> (&'static str, u32, u32) {
    let source = Source::new("a.yaml", text);
    let finding = read(0, &source).expect_err(text);
    let at = source.position(finding.place.span.start);
    (finding.code, at.line, at.column)
}

#[test]
fn every_yaml_that_we_do_not_take_is_refused_with_its_place() {
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    let merge = "base: {x: 1}\nit:\n  <<: {y: 2}\n";
    let table: &[(&str, &str, u32, u32)] = &[
        (laughs, "Y004", 1, 4),
        ("a: *unknown\n", "Y004", 1, 4),
        (merge, "Y004", 3, 3),
        ("a:\n\tb: 1\n", "Y003", 2, 1),
        ("a: 1\n---\nb: 2\n", "Y007", 2, 1),
        ("a: !x\n", "Y005", 1, 4),
        ("a: !!str 5\n", "Y005", 1, 4),
        ("%YAML 1.1\n---\na: 1\n", "Y005", 1, 1),
        ("a: .nan\n", "Y012", 1, 4),
        ("a: [1, -.INF]\n", "Y012", 1, 8),
        ("a: 1\na: 2\n", "Y008", 2, 1),
        ("a: {b: 1, \"b\": 2}\n", "Y008", 1, 12),
        ("a: 1\u{0}\n", "Y002", 1, 5),
        ("a: \u{202e}evil\n", "Y002", 1, 4),
        ("a: \u{1b}[31m\n", "Y002", 1, 4),
        ("", "Y015", 1, 1),
        ("# nothing\n", "Y015", 1, 1),
        ("---\n", "Y015", 1, 1),
        ("[a, b]: 1\n", "Y011", 1, 1),
        ("? {a: 1}\n: 2\n", "Y011", 1, 3),
        ("a: [1\n", "Y001", 1, 4),
        ("a: \"x\n", "Y001", 1, 4),
    ];
    for (text, code, line, column) in table {
        assert_eq!(refused(text), (*code, *line, *column), "{text:?}");
    }
}

#[test]
fn depth_size_and_count_are_bounded() {
    assert_eq!(refused(&"[".repeat(100_000)).0, "Y006");
    assert_eq!(refused(&format!("a: {}{}", "[".repeat(24), "]".repeat(24))).0, "Y006");
    assert!(read(0, &Source::new("a", format!("a: {}{}", "[".repeat(23), "]".repeat(23)))).is_ok());
    let mut deep = String::new();
    for level in 0..40 {
        let _ = writeln!(deep, "{}a:", "  ".repeat(level));
    }
    assert_eq!(refused(&deep).0, "Y006");
    assert_eq!(refused(&"- a\n".repeat(500_001)).0, "Y006");
    assert_eq!(refused(&"a".repeat(super::super::LARGEST_FILE + 1)).0, "Y006");
}

#[test]
fn a_condition_that_yaml_would_read_its_own_way_is_shown_in_quotes() {
    let conditions = [
        "!is_given(phone)",
        "*x > 1",
        "&x",
        "[1, 2].contains(a)",
        "{a} == 1",
        "\"x\" == a",
        "'x' == a",
        "a ? b: c",
        "% 5",
        "`a`",
        "@a",
        "a == \"b: c\"",
    ];
    let mut seen = String::new();
    for condition in conditions {
        let source = Source::new("k.rules.yaml", format!("rules:\n  - id: r\n    when: {condition}\n"));
        let finding = read(0, &source).expect_err(condition);
        let help = finding.help.clone().unwrap_or_default();
        assert!(help.contains(&super::super::quoted(condition)), "{condition}: {finding:?}");
        assert_eq!(source.position(finding.place.span.start).line, 3, "{condition}");
        let _ = writeln!(seen, "{}", rendered(&[finding], &[source], Colour::Never));
    }
    insta::assert_snapshot!("conditions", seen);
}

#[test]
fn a_comment_never_shortens_a_condition() {
    for text in ["when: a > 1 #b\n", "when: purpose == \"x # y\"\n", "when: a > 1 # why\n"] {
        let source = Source::new("a", text);
        let node = read(0, &source).unwrap();
        let mut shape = Shape::new(&source);
        let mut keys = shape.keys(&node, "a rule").unwrap();
        let when = keys.required("when", &mut shape).unwrap();
        assert_eq!(shape.expression(when), None);
        assert_eq!(shape.findings.first().map(|finding| finding.code), Some("Y014"), "{text}");
    }
    let source = Source::new("a", "when: 'a > 1 #b' # why\n");
    let node = read(0, &source).unwrap();
    let mut shape = Shape::new(&source);
    let when = shape.keys(&node, "a rule").unwrap().optional("when").unwrap();
    let text = shape.expression(when).unwrap();
    assert_eq!(
        (text.value.as_str(), text.place.span.start),
        ("a > 1 #b", 7),
        "the place is inside the quotes"
    );
}

#[test]
fn given_facts_keep_norway_and_the_digits() {
    let text = "a: [NO, DK, no, yes]\nb: 0.40\nc: '0.40'\nd: 12:30:45\ne: true\nf: ~\ng: 2026-02-28\n";
    let source = Source::new("a", text);
    let mut shape = Shape::new(&source);
    let given = shape.given(&read(0, &source).unwrap()).unwrap();
    let texts = |all: &[&str]| Given::List(all.iter().map(|text| Given::Text((*text).to_owned())).collect());
    let member = |name: &str, value: Given| (name.to_owned(), value);
    assert_eq!(
        given,
        Given::Map(vec![
            member("a", texts(&["NO", "DK", "no", "yes"])),
            member("b", Given::Number("0.40".to_owned())),
            member("c", Given::Text("0.40".to_owned())),
            member("d", Given::Text("12:30:45".to_owned())),
            member("e", Given::Boolean(true)),
            member("f", Given::Null),
            member("g", Given::Text("2026-02-28".to_owned())),
        ])
    );
    assert!(shape.findings.is_empty());
    let source = Source::new("a", "a: 0777\nb: 1_000\n");
    let mut shape = Shape::new(&source);
    assert_eq!(shape.given(&read(0, &source).unwrap()), None);
    assert_eq!(shape.findings.first().map(|finding| finding.code), Some("Y013"));
}

#[test]
fn every_problem_of_a_map_is_reported_at_once() {
    let source =
        Source::new("a.rules.yaml", "rules:\n  - id: r\n    wen: a > 1\n    points: 3.5\n    outcome: [x]\n");
    let node = read(0, &source).unwrap();
    let mut shape = Shape::new(&source);
    let rules = shape.keys(&node, "a rule set").unwrap().optional("rules").unwrap();
    for rule in shape.list(rules).unwrap() {
        let mut keys = shape.keys(rule, "a rule").unwrap();
        keys.required("id", &mut shape);
        keys.required("when", &mut shape);
        let points = keys.optional("points").unwrap();
        shape.integer(points);
        let outcome = keys.optional("outcome").unwrap();
        shape.text(outcome);
        keys.finish(&mut shape);
    }
    insta::assert_snapshot!("every_problem", rendered(&shape.findings, &[source], Colour::Never));
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    name: Spanned<String>,
    #[serde(default)]
    country: String,
    seed: u64,
}

#[test]
fn a_struct_is_filled_or_the_first_problem_has_its_place() {
    let source = Source::new("train.yaml", "seed: 7\nname: \"ü\"\ncountry: NO\n");
    let recipe: Recipe = parse(3, &source).unwrap();
    assert_eq!((recipe.name.value.as_str(), recipe.country.as_str(), recipe.seed), ("ü", "NO", 7));
    let at = place(3, &recipe.name);
    assert_eq!((at.file, at.span.start), (3, 14));

    let table = [
        ("name: a\nsed: 7\n", "Y009", 2, 1, Some("did you mean `seed`?")),
        ("name: a\n", "Y010", 1, 1, None),
        ("name: a\nseed: x\n", "Y011", 2, 7, None),
        ("name: [a]\nseed: 1\n", "Y011", 1, 7, None),
        ("name: a\nseed: -1\n", "Y011", 2, 7, None),
        ("name: a\nname: b\nseed: 1\n", "Y008", 2, 1, Some("remove or rename one of them")),
    ];
    for (text, code, line, column, help) in table {
        let source = Source::new("train.yaml", text);
        let finding = parse::<Recipe>(0, &source).expect_err(text);
        let at = source.position(finding.place.span.start);
        assert_eq!((finding.code, at.line, at.column), (code, line, column), "{finding:?}");
        assert_eq!(finding.help.as_deref(), help, "{finding:?}");
        assert!(!finding.message.contains("u64") && !finding.message.contains("Recipe"), "{finding:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = read(0, &Source::new("a", text));
    }

    #[test]
    fn nothing_yaml_like_makes_it_panic(text in "[a: \\-\\[\\]{}&*!|>'\"#%@`?,0-9.~\n\tü]{0,80}") {
        let source = Source::new("a", text);
        match read(0, &source) {
            Err(finding) => {
                let shown = rendered(std::slice::from_ref(&finding), &[source], Colour::Never);
                prop_assert!(finding.code.starts_with('Y') && shown.contains("a:"), "{}", shown);
            }
            Ok(node) => {
                let mut shape = Shape::new(&source);
                let _ = shape.given(&node);
            }
        }
    }
}
