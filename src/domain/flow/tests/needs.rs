//! A script that asks its caller: where it stops, where it goes on, and what is wrong before it runs.

use super::*;
use crate::domain::facts::NeedAnswer;
use crate::domain::verdict::NeedAsked;

const SCRIPT: &str = r#"
if age < min_age { decline("R1"); return; }
let bureau = need("bureau", #{ depth: if share > 50 { "full" } else { "basic" } });
if bureau.score < 300 || (is_given(bureau.late) && bureau.late > 2) { decline("R2"); return; }
let employer = need("employer");
if is_missing(employer) { review("R3"); return; }
approve();
"#;

fn asking(script: &str) -> FlowDeclaration {
    let bounded = InputDeclaration {
        min: Some(text("0")),
        max: Some(text("999")),
        ..input("score", Kind::Integer, false)
    };
    let depth = Field { kind: Kind::Choice(["basic".into(), "full".into()].into()), optional: false };
    let bureau = NeedDeclaration {
        name: text("bureau"),
        of: vec![bounded, input("late", Kind::Integer, true)],
        with: BTreeMap::from([("depth".into(), depth)]),
        optional: false,
    };
    let employer = NeedDeclaration {
        name: text("employer"),
        of: vec![input("since", Kind::Date, false)],
        with: BTreeMap::new(),
        optional: true,
    };
    FlowDeclaration {
        features: vec![feature("share", "amount / 50")],
        needs: vec![bureau, employer],
        ..declaration(script)
    }
}

fn map(entries: &[(&str, Given)]) -> Given {
    Given::Map(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn number(text: &str) -> Given {
    Given::Number(text.to_owned())
}

fn scored(score: &str) -> (&'static str, Given) {
    ("bureau", map(&[("score", number(score))]))
}

fn employed() -> (&'static str, Given) {
    ("employer", map(&[("since", Given::Text("2020-01-31".to_owned()))]))
}

#[track_caller]
fn outcome_of(given: &[(&str, Given)]) -> Verdict {
    decide(&compiled(&asking(SCRIPT)), &facts(given))
}

#[test]
fn it_stops_where_it_asks_and_has_neither_failed_nor_decided() {
    let stopped = outcome_of(&[("amount", number("9000"))]);
    let full = Value::Map(Arc::new(BTreeMap::from([("depth".into(), Value::text("full"))])));
    assert_eq!(stopped.needs, [NeedAsked { name: "bureau".into(), with: full }]);
    assert_eq!((stopped.degraded, stopped.failures.as_slice()), (false, [].as_slice()));
    assert!(matches!(stopped.trace.last(), Some(Step::Need { answer: None, .. })));
    assert!(!stopped.trace.iter().any(|step| matches!(step, Step::Record { .. })));

    let minor = outcome_of(&[("age", number("17"))]);
    assert_eq!((minor.needs.len(), &*minor.outcome), (0, "decline"));
}

#[test]
fn with_the_answer_it_comes_to_the_same_place_and_goes_on() {
    let first = outcome_of(&[]);
    let second = outcome_of(&[scored("700")]);
    assert_eq!(second.needs.first().map(|asked| &*asked.name), Some("employer"));
    let before = first.trace.len() - 1;
    assert_eq!(first.trace[..before], second.trace[..before], "the same steps up to the question");
    assert_eq!(first.features, second.features);
    let (Step::Need { asked: a, .. }, Step::Need { asked: b, answer: Some(_) }) =
        (&first.trace[before], &second.trace[before])
    else {
        panic!("{:#?}", second.trace)
    };
    assert_eq!(a, b);
    assert!(first.ticks < second.ticks);

    let last = outcome_of(&[scored("700"), employed()]);
    assert_eq!((&*last.outcome, last.needs.len()), ("approve", 0));
    assert_eq!(last, outcome_of(&[scored("700"), employed()]), "to the tick");
    assert_eq!(&*outcome_of(&[scored("299")]).outcome, "decline");
    let late = ("bureau", map(&[("score", number("700")), ("late", number("3"))]));
    assert_eq!(&*outcome_of(&[late]).outcome, "decline");
}

#[test]
fn what_cannot_be_had_fails_the_line_unless_it_may_be_missing() {
    let failed = outcome_of(&[("bureau", Given::Null)]);
    assert_eq!(
        (&*failed.outcome, failed.degraded, failed.failures[0].code),
        ("review", true, "need_unavailable")
    );
    let asked = outcome_of(&[scored("700"), ("employer", Given::Null)]);
    assert_eq!((&*asked.outcome, asked.degraded, asked.reasons[0].as_ref()), ("review", false, "R3"));
}

#[test]
fn nothing_catches_a_question() {
    for script in [
        r#"fn asked() { need("bureau", #{ depth: "full" }).score } if asked() < 300 { decline("R1"); } approve();"#,
        r#"decline("R1"); let x = need("bureau", #{ depth: "full" }).score ?? 0; if x > 1 { approve(); }"#,
        r#"if age > 1 || need("bureau", #{ depth: "full" }).score > 1 { need("bureau", #{ depth: "full" }); } approve();"#,
    ] {
        let verdict = decide(&compiled(&asking(script)), &facts(&[]));
        assert_eq!(verdict.needs.len(), 1, "{script}\n{verdict:#?}");
        assert!(verdict.failures.is_empty() && !verdict.degraded);
    }
}

#[test]
fn a_need_is_asked_for_with_one_set_of_words() {
    let script = r#"
        let a = need("bureau", #{ depth: "full" });
        let b = need("bureau", #{ depth: if age > 40 { "basic" } else { "full" } });
        if a.score == b.score { approve(); } else { review("R1"); }
    "#;
    let flow = compiled(&asking(script));
    let otherwise = decide(&flow, &facts(&[scored("1")]));
    assert_eq!((&*otherwise.outcome, otherwise.failures[0].code), ("review", "asked_otherwise"));
    let alike = decide(&flow, &facts(&[scored("1"), ("age", number("30"))]));
    assert_eq!(&*alike.outcome, "approve");
    assert_eq!(alike.trace.iter().filter(|step| matches!(step, Step::Need { .. })).count(), 1);
}

#[test]
fn answers_are_admitted_like_inputs_with_their_place() {
    let flow = compiled(&asking(SCRIPT));
    let found = |given: &[(&str, Given)]| {
        let problems = flow.admit(&facts(given)).unwrap_err();
        problems.iter().map(|p| format!("{} {}", p.pointer, p.code)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(found(&[scored("1000")]), "/bureau/score too_high");
    assert_eq!(
        found(&[("bureau", map(&[("scroe", number("1"))]))]),
        "/bureau/score missing, /bureau/scroe unknown"
    );
    assert_eq!(found(&[("bureau", number("1"))]), "/bureau wrong_type");
    assert_eq!(found(&[("buraeu", Given::Null)]), "/buraeu unknown");
    let admitted = flow.admit(&facts(&[employed()])).unwrap();
    assert!(matches!(&*admitted.needs, [NeedAnswer::Awaited, NeedAnswer::Given(_)]));

    let answers = flow.admit_answers(&map(&[employed(), ("bureau", Given::Null)])).unwrap();
    assert!(matches!(answers.as_slice(), [(1, NeedAnswer::Given(_)), (0, NeedAnswer::Unavailable)]));
    let refused =
        flow.admit_answers(&map(&[("age", number("3")), ("x", Given::Null), scored("-1")])).unwrap_err();
    let codes: Vec<_> = refused.iter().map(|p| (p.pointer.as_str(), p.code)).collect();
    assert_eq!(codes, [("/age", "not_asked"), ("/x", "unknown"), ("/bureau/score", "too_low")]);
}

#[test]
fn what_is_wrong_with_asking_is_said_before_it_runs() {
    let ask = r#"let bureau = need("bureau", #{ depth: "full" }); "#;
    let all = r#"let employer = need("employer"); if is_given(employer) { review("R1"); } "#;
    for (script, code) in [
        (r#"need("buraeu", #{ depth: "full" });"#, "T085"),
        (r#"need("bureau");"#, "T086"),
        (r#"need("bureau", #{ depth: "full", more: 1 });"#, "T086"),
        (r#"need("bureau", #{ depth: "ful" });"#, "T007"),
        (r#"need("bureau", #{ depth: 1 });"#, "T003"),
        (r#"need("bureau", "full");"#, "T002"),
        (r#"for x in 1..3 { need("bureau", #{ depth: "full" }); }"#, "T087"),
        (
            r#"if any(accounts ?? [], |a| need("bureau", #{ depth: "full" }).score > 1) { review("R1"); }"#,
            "T087",
        ),
        ("if bureau.score > 1 { review(\"R1\"); }", "T004"),
        (r#"let x = need("bureau", #{ depth: "full" }).scroe;"#, "T012"),
        (r#"let x = need("employer"); if x.since > today { review("R1"); }"#, "T009"),
    ] {
        let (_, found) = Flow::compile(&asking(&format!("{script} approve();")));
        assert!(found.iter().any(|d| d.code == code), "{script}: {found:#?}");
    }
    let (_, found) = Flow::compile(&asking(&format!("{ask}{all}approve();")));
    assert!(!found.iter().any(|d| d.code.starts_with("T08")), "{found:#?}");
    let (_, found) = Flow::compile(&asking(&format!("{ask}approve();")));
    assert!(found.iter().any(|d| d.code == "T088" && d.message.contains("employer")), "{found:#?}");

    let outside = FlowDeclaration {
        features: vec![feature("share", "need(\"bureau\", #{ depth: \"full\" }).score")],
        ..asking("approve();")
    };
    let (_, found) = Flow::compile(&outside);
    assert!(found.iter().any(|d| d.code == "T087"), "{found:#?}");
    let mut twice = asking(SCRIPT);
    twice.needs[1].name = text("age");
    let (_, found) = Flow::compile(&twice);
    assert!(found.iter().any(|d| d.code == "T025"), "{found:#?}");
}

#[test]
fn bounds_that_leave_nothing_are_told_of_answers_as_of_inputs() {
    let mut swapped = asking(SCRIPT);
    let score = &mut swapped.needs[0].of[0];
    std::mem::swap(&mut score.min, &mut score.max);
    let (_, found) = Flow::compile(&swapped);
    assert!(found.iter().any(|d| d.code == "T029"), "{found:#?}");
}
