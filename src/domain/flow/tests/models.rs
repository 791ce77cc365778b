//! Models in flows: what is read of their answers, what stands in for them, what they note and when they explain.

use super::*;
use crate::domain::model::{
    Background, Beyond, Encoding, ExplainWhen, Feature as Column, Link, Logistic, Model, ModelParts,
    Predictor, Range,
};
use crate::domain::model::{BaseComes, Boosted, BoostedParts, Branch, Missing, Rule, Width};
use crate::domain::verdict::Explanation;

fn column(name: &str, kind: Kind) -> Column {
    Column {
        name: name.into(),
        encoding: if matches!(kind, Kind::Choice(_)) { Encoding::OneHot } else { Encoding::AsIs },
        kind,
        missing: crate::domain::model::Fallback::Refuse,
        flags_missing: false,
        unseen: crate::domain::model::Fallback::Refuse,
        range: None,
    }
}

fn model(features: Vec<Column>, predictor: Predictor) -> Model {
    let parts = ModelParts {
        name: "credit".into(),
        version: 3,
        digest: "sha256:test".into(),
        decimals: 6,
        features,
        predictor,
    };
    Model::new(parts).unwrap()
}

/// `-2 + 0.05 age + 4 score`, and 1 more when the account is overdrawn; age has no reason.
fn logistic() -> Model {
    let status = Kind::Choice(["none".into(), "below_0".into()].into());
    let clipped = Some(Range { low: 0.0, high: 0.9, beyond: Beyond::Clip });
    let columns = vec![
        column("age", Kind::Integer),
        Column { range: clipped, ..column("score", Kind::Number) },
        Column { unseen: crate::domain::model::Fallback::Zero, ..column("status", status) },
    ];
    let logistic = Logistic::new(-2.0, vec![0.05, 4.0, 0.0, 1.0]).unwrap();
    let means = Background { covers: vec![], means: vec![40.0, 0.2, 0.75, 0.25] };
    let reasons = [("score".into(), Name::from("R1")), ("status".into(), Name::from("R2"))].into();
    let whole = model(columns, Predictor::Logistic(logistic)).with_background(&means).unwrap();
    whole.with_reasons(&reasons).unwrap()
}

fn using(model: Model, script: &str) -> FlowDeclaration {
    let used = ModelUseDeclaration {
        name: text("risk"),
        reference: text("credit@champion"),
        model: Some(Arc::new(model)),
        if_it_fails: None,
    };
    FlowDeclaration { models: vec![used], ..declaration(script) }
}

fn given(probability: Option<f64>, score: Option<f64>, reasons: &[&str]) -> Option<IfItFails> {
    let reasons = reasons.iter().map(|code| text(code)).collect();
    let (probability, score) = (probability.map(at), score.map(at));
    let place = Place::default();
    Some(IfItFails::Answer(AnswerDeclaration { probability, score, reasons, place }))
}

#[track_caller]
fn model_step(verdict: &Verdict) -> (&Option<Arc<Explanation>>, Vec<String>, bool) {
    let found = verdict.trace.iter().find_map(|step| match step {
        Step::Model { explanation, notes, fallback, .. } => {
            let notes =
                notes.iter().map(|note| format!("{} {} {:?}", note.input, note.problem.word(), note.taken));
            Some((explanation, notes.collect(), *fallback))
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{verdict:#?}"))
}

fn overdrawn() -> [(&'static str, Given); 2] {
    [("status", Given::Text("below_0".to_owned())), ("score", Given::Number("0.8".to_owned()))]
}

const ASKS: &str = r#"
    let answer = model("risk");
    if answer.score > 3 && answer.contributions.score > 2.3 && answer.probability < 1 {
        decline(answer.reasons, "R3");
    } else { approve(); }
"#;

#[test]
fn a_flow_reads_score_contributions_and_reasons() {
    let flow = compiled(&using(logistic(), ASKS));
    let verdict = decide(&flow, &facts(&overdrawn()));
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", false), "{verdict:#?}");
    // 4 (0.8 - 0.2) and 1 (1 - 0.25): the score counts more; what is below average or has no code is no reason.
    assert_eq!(verdict.reasons, ["R1".into(), "R2".into(), Name::from("R3")]);
    let explanations = verdict.explanations();
    let [(name, explanation)] = explanations.as_slice() else { panic!("{explanations:?}") };
    assert_eq!((name.as_str(), explanation.space.word()), ("risk", "log_odds"));
    assert!((explanation.score() - (-2.0 + 0.05 * 41.0 + 4.0 * 0.8 + 1.0)).abs() < 1e-9);
    let adds: Vec<(&str, f64)> = explanation
        .contributions
        .iter()
        .map(|(input, adds)| (&**input, (adds * 1e6).round() / 1e6))
        .collect();
    assert_eq!(adds, [("age", 0.05), ("score", 2.4), ("status", 0.75)]);
    let weights: Vec<(&str, f64)> = explanation
        .reasons
        .iter()
        .map(|reason| (&*reason.code, (reason.weight * 1e6).round() / 1e6))
        .collect();
    assert_eq!(weights, [("R1", 2.4), ("R2", 0.75)]);
}

#[test]
fn models_explain_when_asked_by_script_recipe_or_caller_and_never_else() {
    let quiet = r#"if model("risk").probability > 0.9 { decline("R1", "R2"); } else { approve(); }"#;
    let explained = |model: Model, given: &[(&str, Given)]| {
        let verdict = decide(&compiled(&using(model, quiet)), &facts(given));
        (verdict.outcome.to_string(), model_step(&verdict).0.is_some())
    };
    let (bad, good) = (overdrawn(), []);
    assert_eq!(explained(logistic(), &bad), ("decline".to_owned(), false));
    assert_eq!(explained(logistic().explaining(ExplainWhen::Adverse), &bad), ("decline".to_owned(), true));
    assert_eq!(explained(logistic().explaining(ExplainWhen::Adverse), &good), ("approve".to_owned(), false));
    assert_eq!(explained(logistic().explaining(ExplainWhen::Always), &good), ("approve".to_owned(), true));

    let flow = compiled(&using(logistic(), quiet));
    let admitted = flow.admit(&facts(&bad)).unwrap();
    let (now, budget) = ("2026-11-22T09:00:00Z".parse().unwrap(), Budget::default());
    let (plain, asked) = (
        flow.decide(&admitted, now, &budget),
        flow.decide_watched(&admitted, now, (&budget, &Pins::default()), &watch::Explaining),
    );
    assert!(model_step(&asked).0.is_some() && plain.explanations().is_empty());
    // But for the trace nothing is another: a replay agrees, whoever asked.
    assert_eq!(Verdict { trace: plain.trace.clone(), ..asked }, plain);
}

#[test]
fn what_a_model_did_not_take_as_it_came_is_in_the_trace() {
    let quiet = r#"if model("risk").probability > 0.9 { decline("R1", "R2"); } else { approve(); }"#;
    let notes = |model: Model, given: &[(&str, Given)]| {
        let verdict = decide(&compiled(&using(model, quiet)), &facts(given));
        assert!(!verdict.degraded, "{verdict:#?}");
        model_step(&verdict).1
    };
    assert_eq!(notes(logistic(), &[]), Vec::<String>::new());
    let given = [("status", Given::Text("from_200".to_owned())), ("score", Given::Number("7".to_owned()))];
    assert_eq!(notes(logistic(), &given), ["score out_of_range As(Number(0.9))", "status unseen AsNothing"]);

    let own = crate::domain::model::Fallback::As(Value::Number(0.5));
    let columns = vec![Column { missing: own, ..column("limit", Kind::Number) }];
    let one = || model(columns.clone(), Predictor::Logistic(Logistic::new(0.0, vec![1.0]).unwrap()));
    let mut declared = using(one(), quiet);
    declared.inputs.push(input("limit", Kind::Number, true));
    let verdict = decide(&compiled(&declared), &facts(&[]));
    assert_eq!(model_step(&verdict).1, ["limit missing As(Number(0.5))"]);

    let kept = Some(Range { low: 0.0, high: 0.9, beyond: Beyond::Keep });
    let column_of = |range| vec![Column { range, ..column("score", Kind::Number) }];
    let of_range =
        |range| model(column_of(range), Predictor::Logistic(Logistic::new(0.0, vec![1.0]).unwrap()));
    assert_eq!(notes(of_range(kept), &given), ["score out_of_range AsItIs"]);
    let refused = Some(Range { low: 0.0, high: 0.9, beyond: Beyond::Refuse });
    let verdict = decide(&compiled(&using(of_range(refused), quiet)), &facts(&given));
    let codes: Vec<&str> = verdict.failures.iter().map(|failure| failure.code).collect();
    assert_eq!((codes, verdict.degraded), (vec!["out_of_range", "failed_step"], true));
    assert!(!format!("{:?}", verdict.failures).contains('7'), "a failure names the input, not its value");
}

#[test]
fn what_stands_in_for_a_failed_model_has_what_it_declares() {
    let optional = || {
        let mut one = using(logistic(), "");
        one.inputs.retain(|input| input.name.value != "score");
        one.inputs.push(input("score", Kind::Number, true));
        one
    };
    let without = |declared: &FlowDeclaration| {
        let Given::Map(mut given) = facts(&[]) else { unreachable!() };
        given.retain(|(name, _)| name != "score");
        decide(&compiled(declared), &Given::Map(given))
    };
    let script = r#"
        let answer = model("risk");
        if answer.score > 1 && (answer.contributions.score ?? 0) == 0 { decline(answer.reasons, "R1"); }
        else { approve(); }
    "#;
    let mut declared = FlowDeclaration { script: text(script), ..optional() };
    declared.models[0].if_it_fails = given(Some(0.8), Some(1.5), &["R3"]);
    let verdict = without(&declared);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", false), "{verdict:#?}");
    assert_eq!(verdict.reasons, ["R3".into(), Name::from("R1")]);
    assert_eq!(verdict.scores[0].1.raw.to_bits(), 0.8_f64.to_bits());
    let (explanation, _, fallback) = model_step(&verdict);
    assert!(fallback && explanation.is_none(), "what stands in is not explained");
    assert!(matches!(&verdict.trace[0], Step::Failed(failure) if failure.code == "missing_value"));
}

#[track_caller]
fn said(declared: &FlowDeclaration, code: &str) -> String {
    let (_, found) = Flow::compile(declared);
    let one = found.iter().find(|d| d.code == code).unwrap_or_else(|| panic!("{found:#?}"));
    format!("{} / {}", one.message, one.help.as_deref().unwrap_or_default())
}

/// Boosted trees for a number that is no probability, stored without covers.
fn number() -> Model {
    let split = |threshold| {
        vec![
            Branch::Split {
                column: 0,
                rule: Rule::AtMost { threshold, missing: Missing::AsZero },
                low: 1,
                high: 2,
            },
            Branch::Leaf(1.0),
            Branch::Leaf(2.0),
        ]
    };
    let parts = BoostedParts {
        trees: vec![split(0.5)],
        sets: vec![],
        columns: 1,
        width: Width::Double,
        base: 0.0,
        base_comes: BaseComes::First,
        divide_by: 1,
        link: Link::Identity,
    };
    model(vec![column("score", Kind::Number)], Predictor::Boosted(Boosted::new(&parts).unwrap()))
}

#[test]
fn what_a_model_cannot_give_is_found_before_anything_runs() {
    let check = |model: Model, script: &str, code: &str, says: &str| {
        let said = said(&using(model, script), code);
        assert!(said.contains(says), "{said}");
    };
    let probability = r#"if model("risk").probability > 1 { decline("R1", "R2"); } else { approve(); }"#;
    check(number(), probability, "T120", "gives number, not a probability / read `.score`");
    let reasons = r#"if age > 3 { decline(model("risk").reasons); } else { approve(); }"#;
    check(number(), reasons, "T121", "has no reason for any input: this list is empty");
    let mapped = || number().with_reasons(&[("score".into(), Name::from("R1"))].into()).unwrap();
    check(mapped(), reasons, "T123", "`--rows`");
    let contributions =
        r#"if model("risk").contributions.score > 1 { decline("R1", "R2"); } else { approve(); }"#;
    check(number(), contributions, "T123", "`--rows`");
    let bare = model(
        vec![column("score", Kind::Number)],
        Predictor::Logistic(Logistic::new(0.0, vec![1.0]).unwrap()),
    );
    check(bare, reasons, "T121", "has no reason for any input");
    let other = logistic().with_reasons(&[("age".into(), Name::from("R77"))].into()).unwrap();
    check(other, reasons, "T122", "may give `R77`, which this flow does not declare");
    check(
        logistic(),
        r#"if model("risk").chance > 1 { decline("R1", "R2"); } else { approve(); }"#,
        "T012",
        "it has",
    );
    let missing_input =
        r#"if model("risk").contributions.ages > 1 { decline("R1", "R2"); } else { approve(); }"#;
    check(logistic(), missing_input, "T012", "did you mean `age`?");
}

#[test]
fn what_stands_in_must_have_what_is_read() {
    let check = |fallback, model: Model, script: &str, code: &str, says: &str| {
        let mut declared = using(model, script);
        declared.models[0].if_it_fails = fallback;
        let said = said(&declared, code);
        assert!(said.contains(says), "{said}");
    };
    let half = || given(Some(0.5), None, &[]);
    let score = r#"if model("risk").score > 1 { decline("R1", "R2"); } else { approve(); }"#;
    check(half(), logistic(), score, "T124", "`score: …` (log-odds)");
    let reasons = r#"if age > 3 { decline(model("risk").reasons, "R3"); } else { approve(); }"#;
    check(half(), logistic(), reasons, "T125", "`reasons: [R900]`");
    check(half(), number(), score, "T126", "only `score`");
    check(given(None, Some(1.0), &[]), logistic(), score, "T126", "`probability`");
    check(given(Some(0.5), None, &["R30"]), logistic(), reasons, "T015", "this flow has no reason `R30`");
}

#[test]
fn another_model_stands_in_with_its_own_score_reasons_and_contributions() {
    let script = r#"
        let answer = model("risk");
        if answer.score > 1 && is_missing(answer.contributions.phone_risk) { decline(answer.reasons, "R3"); }
        else { approve(); }
    "#;
    let asking = |backup: Model| {
        let lacking = column("phone_risk", Kind::Number);
        let first = model(vec![lacking], Predictor::Logistic(Logistic::new(0.0, vec![1.0]).unwrap()));
        let mut declared =
            using(first.with_reasons(&[("phone_risk".into(), Name::from("R3"))].into()).unwrap(), script);
        declared.inputs.push(input("phone_risk", Kind::Number, true));
        declared.models[0].if_it_fails = Some(IfItFails::Model(text("backup")));
        let mut second = declared.models[0].clone();
        (second.name, second.model, second.if_it_fails) = (text("backup"), Some(Arc::new(backup)), None);
        declared.models.push(second);
        declared
    };
    let verdict = decide(&compiled(&asking(logistic())), &facts(&overdrawn()));
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", false), "{verdict:#?}");
    assert_eq!(verdict.reasons, ["R1".into(), "R2".into(), Name::from("R3")]);
    let explained: Vec<String> = verdict.explanations().into_iter().map(|(name, _)| name).collect();
    assert_eq!(explained, ["backup"], "the model that answered explains itself");

    // What is read is checked of what stands in as well.
    let codes = logistic().with_reasons(&[("age".into(), Name::from("R77"))].into()).unwrap();
    assert!(said(&asking(codes), "T122").contains("`backup` (credit version 3) may give `R77`"));
    assert!(said(&asking(number()), "T126").contains("`backup` cannot stand in"));
}

#[test]
fn a_pinned_model_gives_what_is_pinned_and_nothing_of_its_own() {
    let flow = compiled(&using(logistic(), ASKS));
    let admitted = flow.admit(&facts(&overdrawn())).unwrap();
    let decide = |pin: ModelPin| {
        let pins = Pins { models: [("risk".into(), pin)].into(), ..Pins::default() };
        flow.decide_with(&admitted, "2026-11-22T09:00:00Z".parse().unwrap(), &Budget::default(), &pins)
    };
    let whole = GivenAnswer {
        probability: Some(0.99),
        score: Some(4.6),
        reasons: vec!["R2".into()],
        contributions: [("score".into(), 3.0)].into(),
    };
    let verdict = decide(ModelPin::Answer(Arc::new(whole)));
    assert_eq!((&*verdict.outcome, verdict.reasons.clone()), ("decline", vec!["R2".into(), "R3".into()]));
    // A probability alone says nothing of a score: the step that reads one fails, and says why.
    let verdict = decide(ModelPin::Probability(0.99));
    assert_eq!((&*verdict.outcome, verdict.failures[0].code), ("review", "missing_value"));
}
