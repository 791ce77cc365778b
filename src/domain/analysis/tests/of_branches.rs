//! Branches of scripts, and records that never count.

use super::*;

#[track_caller]
fn check(script: &str, expected: &[&str]) {
    let (_, found) = compiled(&declaration(script));
    let said: Vec<String> = found
        .iter()
        .filter(|d| d.code != "T032")
        .map(|d| {
            let span = d.place.span.start as usize..d.place.span.end as usize;
            format!("{} {}", d.code, script.get(span).unwrap())
        })
        .collect();
    assert_eq!(said, expected, "{script}");
}

#[test]
fn branches_are_followed_through_what_stands_around_and_before_them() {
    check("if age > 3 { if age < 2 { decline(\"R1\"); } } approve();", &["T099 age < 2"]);
    check("if age > 3 { if age > 2 { decline(\"R1\"); } } approve();", &["T099 age > 2"]);
    check(
        "if age > 3 { review(\"R1\"); return; } if age > 4 { decline(\"R1\"); } approve();",
        &["T099 age > 4"],
    );
    check(
        "if age > 3 { review(\"R1\"); } else if age > 4 { decline(\"R1\"); } approve();",
        &["T099 age > 4"],
    );
    check("if age > 9 { review(\"R1\"); } approve();", &["T090 age > 9"]);
    check("if true { review(\"R1\"); } approve();", &["T099 true"]);
    check("if age > 3 { if age < 5 { decline(\"R1\"); } } approve();", &[]);
    check(
        "if is_missing(rate) { review(\"R1\"); return; } if rate >= 0.5 { decline(\"R1\"); } approve();",
        &[],
    );
}

#[test]
fn variables_are_followed_until_they_are_assigned() {
    check("let x = age * 2; if x > 3 { if x < 2 { decline(\"R1\"); } } approve();", &["T099 x < 2"]);
    check("let x = age * 2; if x > 3 { x = 1; if x < 2 { decline(\"R1\"); } } approve();", &[]);
    check("let x = 1; while x < 5 { x += 1; if x >= 5 { break; } } approve();", &[]);
    check("for x in 0..5 { if x > 3 { review(\"R1\"); } } approve();", &[]);
    check("let x = age / 3; if x > 0.1 && x < 0.2 { decline(\"R1\"); } approve();", &[]);
}

#[test]
fn a_record_that_never_counts_is_found() {
    check("review(\"R1\"); decline(\"R1\");", &["T033 review"]);
    check("approve(); if age > 3 { decline(\"R1\"); } else { review(\"R1\"); }", &["T033 approve"]);
    check("approve(); if age > 3 { decline(\"R1\"); }", &[]);
    check("if age > 3 { review(\"R1\"); return; } decline(\"R1\");", &[]);
    check("decline(\"R1\"); approve();", &[]);
    check("for x in 0..age { review(\"R1\"); } decline(\"R1\");", &["T033 review"]);
}

#[test]
fn a_loop_that_records_before_it_is_left_has_recorded() {
    check("loop { approve(); break; }", &[]);
    check("loop { if age > 3 { break; } approve(); break; }", &["T021 loop"]);
    check("loop { if age > 3 { decline(\"R1\"); break; } approve(); break; }", &[]);
    check("while age > 3 { approve(); break; }", &["T021 while"]);
}
