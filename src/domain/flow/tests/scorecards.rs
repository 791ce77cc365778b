//! Scorecards in whole flows: points, ranked reasons, what no bin takes, scores of the verdict.

use super::*;

fn bin(test: BinTest, points: i64, reason: Option<&str>) -> BinDeclaration {
    BinDeclaration { test, points: at(points), reason: reason.map(text), place: Place::default() }
}

fn is(value: &str) -> BinTest {
    BinTest::OneOf(vec![at(ThresholdLiteral::Text(value.to_owned()))])
}

fn below(bound: &str) -> BinTest {
    BinTest::Range { from: None, below: Some(text(bound)) }
}

fn characteristic(name: &str, bins: Vec<BinDeclaration>) -> CharacteristicDeclaration {
    CharacteristicDeclaration { name: text(name), bins }
}

/// The card of the language page, over the inputs of the test flow.
fn card() -> ScorecardDeclaration {
    ScorecardDeclaration {
        name: text("application"),
        base_points: 500,
        takes: vec![],
        characteristics: vec![
            characteristic(
                "status",
                vec![
                    bin(is("none"), 55, None),
                    bin(is("below_0"), 5, Some("R1")),
                    bin(BinTest::Otherwise, 25, Some("R2")),
                ],
            ),
            characteristic(
                "age",
                vec![
                    bin(below("min_age"), -60, Some("R3")),
                    bin(below("40.5"), 25, None),
                    bin(BinTest::Otherwise, 40, Some("R2")),
                ],
            ),
            characteristic(
                "phone",
                vec![
                    bin(BinTest::Missing, 0, Some("R3")),
                    bin(is("0900"), 0, Some("R1")),
                    bin(BinTest::Otherwise, 10, None),
                ],
            ),
        ],
    }
}

fn flow_with(script: &str, card: ScorecardDeclaration) -> FlowDeclaration {
    FlowDeclaration { scorecards: vec![card], ..declaration(script) }
}

#[test]
fn points_add_up_and_reasons_are_ranked_by_points_lost() {
    let script = r#"let s = scorecard("application"); if s.points < 580 { decline(s.reasons); } approve();"#;
    let flow = compiled(&flow_with(script, card()));
    let with = |status: &str, age: &str, phone: Option<&str>| {
        let mut sent =
            vec![("status", Given::Text(status.to_owned())), ("age", Given::Number(age.to_owned()))];
        sent.extend(phone.map(|phone| ("phone", Given::Text(phone.to_owned()))));
        let verdict = decide(&flow, &facts(&sent));
        assert!(!verdict.degraded, "{:#?}", verdict.failures);
        let (name, score) = verdict.scores[0].clone();
        assert_eq!((&*name, score.raw.to_bits()), ("application", score.rounded.to_bits()));
        let reasons: Vec<&str> = verdict.reasons.iter().map(|r| &**r).collect();
        format!("{} {}", score.rounded, reasons.join(","))
    };
    assert_eq!(with("none", "41", Some("1")), "605 ");
    assert_eq!(with("below_0", "41", None), "545 R1,R3", "50 points lost before 10, and none for the age");
    assert_eq!(with("from_200", "17", Some("0900")), "465 R3,R2,R1", "100 before 30 before 10");
    assert_eq!(with("none", "40", None), "580 ", "40 is below 40.5");
}

#[test]
fn the_trace_says_which_bin_gave_what() {
    let flow = compiled(&flow_with(
        r#"if scorecard("application").points > 0 { approve(); } else { approve(); }"#,
        card(),
    ));
    let verdict = decide(&flow, &facts(&[]));
    let Some(Step::Scorecard { points, bins, .. }) = verdict.trace.first() else { panic!("{verdict:#?}") };
    let bins: Vec<String> =
        bins.iter().map(|b| format!("{} {} {} {}", b.characteristic, b.bin, b.points, b.lost)).collect();
    assert_eq!(
        (*points, bins),
        (595, ["status 1 55 0", "age 3 40 0", "phone 1 0 10"].map(str::to_owned).into())
    );
}

#[test]
fn what_no_bin_takes_fails_the_scorecard_and_gives_no_score() {
    let script = r#"let s = scorecard("application"); if s.failed { review("R1"); } else { approve(); }"#;
    let mut without = card();
    without.characteristics[2].bins.remove(0);
    let verdict = decide(&compiled(&flow_with(script, without)), &facts(&[]));
    assert_eq!(
        (verdict.failures[0].code, &*verdict.outcome, verdict.scores.len()),
        ("missing_value", "review", 0)
    );
    let mut gap = card();
    gap.characteristics[1].bins.pop();
    let verdict = decide(&compiled(&flow_with(script, gap.clone())), &facts(&[]));
    assert_eq!(
        (verdict.failures[0].code, verdict.failures[0].step.as_str()),
        ("no_bin", "scorecard application")
    );
    let unasked = r#"if scorecard("application").points > 1 { approve(); } else { approve(); }"#;
    let verdict = decide(&compiled(&flow_with(unasked, gap)), &facts(&[]));
    assert_eq!((verdict.degraded, &*verdict.outcome), (true, "review"));
}

#[test]
fn what_a_scorecard_takes_is_handed_over_and_remembered() {
    let mut takes = card();
    takes.takes = vec![(text("risk"), Kind::Number)];
    takes.characteristics = vec![characteristic(
        "risk",
        vec![bin(below("max_share"), 10, None), bin(BinTest::Otherwise, 0, Some("R1"))],
    )];
    let script = r#"
        let a = scorecard("application", #{ risk: score });
        let b = scorecard("application", #{ risk: score });
        let c = scorecard("application", #{ risk: 0.4 });
        if a.points == 510 && b.points == 510 && c.points == 500 { decline(c.reasons); } else { approve(); }"#;
    let verdict = decide(&compiled(&flow_with(script, takes.clone())), &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.scores.len()), ("decline", 1));
    assert_eq!(verdict.trace.iter().filter(|step| matches!(step, Step::Scorecard { .. })).count(), 2);
    let unhanded = r#"let s = scorecard("application").points; approve();"#;
    assert!(Flow::compile(&flow_with(unhanded, takes)).1.iter().any(|d| d.code == "T018"));
}

#[test]
fn each_mistake_in_a_scorecard_is_found() {
    let of = |name: &str, bins: Vec<BinDeclaration>| {
        let characteristics = vec![characteristic(name, bins)];
        ScorecardDeclaration { characteristics, ..card() }
    };
    let backwards = BinTest::Range { from: Some(text("9")), below: Some(text("3")) };
    for (card, code) in [
        (of("agee", vec![bin(below("3"), 1, None)]), "T004"),
        (of("age", vec![bin(below("three"), 1, None)]), "T044"),
        (of("age", vec![bin(backwards, 1, None)]), "T047"),
        (of("age", vec![bin(BinTest::Missing, 1, None)]), "T048"),
        (of("age", vec![]), "T049"),
        (of("accounts", vec![bin(BinTest::Otherwise, 1, None)]), "T049"),
        (of("status", vec![bin(is("none_"), 1, None)]), "T007"),
        (of("age", vec![bin(BinTest::Otherwise, 1, Some("R77"))]), "T015"),
        (of("age", vec![bin(BinTest::Otherwise, 2_000_000_000, None)]), "T029"),
    ] {
        let (_, found) =
            Flow::compile(&flow_with(r#"let s = scorecard("application").points; approve();"#, card));
        assert!(found.iter().any(|d| d.code == code), "{code} is not among {found:#?}");
    }
    for (script, code) in [
        (r#"let s = scorecard("aplication"); approve();"#, "T041"),
        (r#"let s = scorecard("application").score; approve();"#, "T012"),
        (r#"scorecard("application").apply(); approve();"#, "T012"),
        (r#"scorecard("application"); approve();"#, "T020"),
        ("approve();", "T032"),
    ] {
        let (_, found) = Flow::compile(&flow_with(script, card()));
        assert!(found.iter().any(|d| d.code == code), "{script}: {found:#?}");
    }
}
