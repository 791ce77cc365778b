//! What analysts type from habit, in whole flows: each with the way to write it here.

use super::*;

/// The finding with this code in a script, and what it underlines.
#[track_caller]
fn found(script: &str, code: &str) -> (String, String, String) {
    let diagnostic = finds(script, code);
    let span = diagnostic.place.span.start as usize..diagnostic.place.span.end as usize;
    (diagnostic.message, script.get(span).unwrap().to_owned(), diagnostic.help.unwrap_or_default())
}

#[track_caller]
fn help(script: &str, code: &str, expected: &str) {
    let (_, _, help) = found(script, code);
    assert_eq!(help, expected, "{script}");
}

/// A condition in a rule, with the help that it gets.
#[track_caller]
fn rewritten(condition: &str, underlined: &str, expected: &str) {
    let mut declaration = declaration("rules(\"knockout\").apply(); approve();");
    let mut only = rule("r", condition, "decline", "R1");
    only.when.place.span = Span::new(0, condition.len());
    declaration.rule_sets = vec![rule_set(HitPolicy::Collect, vec![only])];
    let (_, found) = Flow::compile(&declaration);
    let diagnostic = found.iter().find(|d| d.code == "S005").unwrap_or_else(|| panic!("{found:#?}"));
    let span = diagnostic.place.span.start as usize..diagnostic.place.span.end as usize;
    assert_eq!(
        (condition.get(span).unwrap(), diagnostic.help.as_deref()),
        (underlined, Some(expected)),
        "{condition}"
    );
}

#[test]
fn a_condition_is_shown_as_it_is_written_here() {
    rewritten("age < 18 and status = 'none'", "and", "write `age < 18 && status == \"none\"`");
    rewritten("age between 18 and 65", "between", "write `age >= 18 && age <= 65`");
    rewritten("not is_given(phone)", "not", "write `!is_given(phone)`");
    rewritten("phone is not null", "is not null", "write `is_given(phone)`");
    rewritten("amount > 1,000", "1,000", "write `amount > 1000`");
    rewritten("score > 40%", "40%", "write `score > 0.4`");
    rewritten("status in ('none', 'below_0')", "in (", "write `status in [\"none\", \"below_0\"]`");
    rewritten("age ≥ 18", "≥", "write `age >= 18`");
    rewritten("status == “none”", "“none”", "write `status == \"none\"`");
}

#[test]
fn a_line_of_a_script_is_shown_as_it_is_written_here() {
    help("if age = 18 { decline(\"R1\"); }\napprove();", "S005", "write `if age == 18 { decline(\"R1\"); }`");
    help("if age < 18 {\n} elif age > 65 {\n}", "S005", "write `} else if age > 65 {`");
    help(
        "if age < 18 and score > 0.5 { approve(); }",
        "S005",
        "write `if age < 18 && score > 0.5 { approve(); }`",
    );
    let (message, place, help) = found("let x = 1\nlet y = 2;\napprove();", "S001");
    assert_eq!((message.as_str(), place.as_str()), ("this line ends without `;`", "1"));
    assert_eq!(help, "write `let x = 1;`");
}

#[test]
fn names_and_functions_of_other_languages_are_known() {
    help("if today() > date(\"2026-01-01\") { approve(); }", "T001", "write `today`, without brackets");
    help("reject(\"R1\");", "T001", "this flow's outcomes are `approve`, `review`, `decline`");
    help("declin(\"R1\");", "T001", "did you mean `decline`?");
    help("if age < 18 { decline }", "T004", "`decline` is an outcome: call it, `decline(\"R1\")`");
    help("if accounts == null { approve(); }", "S005", "write `if is_missing(accounts) { approve(); }`");
    help("if today < \"2026-01-01\" { approve(); }", "T005", "write `date(\"2026-01-01\")`");
    help("model(\"knockout\");", "T011", "this flow has none");
}

#[test]
fn numbers_are_not_asked_to_be_equal_to_the_last_bit() {
    finds("if score == 0.3 { approve(); }", "T034");
    for script in [
        "if round(score, 2) == 0.3 { decline(\"R1\"); } approve();",
        "if amount == 0.3 { decline(\"R1\"); } approve();",
    ] {
        let (_, found) = Flow::compile(&declaration(script));
        assert!(!found.iter().any(|d| d.code == "T034"), "{script}: {found:#?}");
    }
}
