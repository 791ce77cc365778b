//! Models on other servers: where the evaluation stops, what it asks, what stands in for an answer, and that with all
//! answers known it comes to one verdict.

use std::time::Duration;

use super::*;
use crate::domain::flow::remote::{Answered, Known, ModelAsked, RemoteAnswer, RemoteFailure, RemoteFault};
use crate::domain::model::remote::{
    Datatype, Fetch, Hole, Layout, Output, Protocol, Remote, Retries, Sent, Servers, Transport,
};
use crate::domain::model::{Model, ModelInput};
use crate::domain::verdict::RecordedBy;

/// A model elsewhere that reads the amount and the score.
fn elsewhere(name: &str, fetch: Fetch) -> Arc<Model> {
    let sent = |datatype| Sent { datatype, if_missing: None };
    let score = Sent { datatype: Datatype::Fp64, if_missing: Some(Hole::Value(Value::Number(0.5))) };
    let remote = Remote {
        protocol: Protocol::OpenInference,
        over: Transport::Http,
        servers: Servers::Listed(vec!["http://a:1".to_owned()]),
        model: name.to_owned(),
        version: None,
        signature: None,
        layout: Layout::Vectors,
        sent: vec![sent(Datatype::Fp64), score],
        output: Output::default(),
        fetch,
        deadline: Duration::from_millis(40),
        attempt: Duration::from_millis(20),
        retries: Retries { most: 0, percent: 0, always_per_s: 0 },
        most_at_once: 8,
        health: None,
        ejection: None,
        breaker: None,
        key_from: None,
    };
    let input = |name: &str, kind| ModelInput { name: name.into(), kind };
    let inputs = vec![input("amount", Kind::Decimal), input("score", Kind::Number)];
    let model = Model::elsewhere((name.into(), 0), "sha256:e".into(), 6, inputs, Arc::new(remote));
    Arc::new(model.unwrap())
}

fn uses(name: &str, fetch: Fetch, if_it_fails: Option<IfItFails>) -> ModelUseDeclaration {
    ModelUseDeclaration {
        name: text(name),
        reference: text(name),
        model: Some(elsewhere(name, fetch)),
        if_it_fails,
    }
}

fn refer() -> IfItFails {
    IfItFails::Refer { outcome: text("review"), reason: text("R2") }
}

fn asking(script: &str, models: Vec<ModelUseDeclaration>) -> FlowDeclaration {
    FlowDeclaration { models, ..declaration(script) }
}

fn answered(asked: &ModelAsked, result: Result<f64, RemoteFault>) -> Answered {
    let why = |code| RemoteFailure { code, detail: "for a reason".into() };
    let answer = RemoteAnswer {
        result: result.map_err(why),
        endpoint: Some("a:1".into()),
        version: Some("7".into()),
        attempts: 1,
        latency_us: 900,
    };
    Answered { asked: asked.clone(), answer }
}

fn at_once() -> jiff::Timestamp {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

/// Decides with these answers by model; gives the verdict, and for each pass the models that it waited for.
#[track_caller]
fn to_the_end(
    flow: &Flow,
    given: &Given,
    answers: &[(&str, Result<f64, RemoteFault>)],
) -> (Verdict, Vec<Vec<String>>) {
    let facts = flow.admit(given).unwrap();
    let (mut known, mut passes) = (Vec::new(), Vec::new());
    loop {
        let so_far = Known::SoFar(&known);
        let decided =
            flow.decide_knowing(&facts, at_once(), (&Budget::default(), &Pins::default()), so_far, None);
        match decided {
            Ok(verdict) => return (verdict, passes),
            Err(wanted) => {
                passes.push(wanted.iter().map(|asked| asked.model.name.to_string()).collect());
                assert!(passes.len() < 20, "it goes on");
                for asked in &wanted {
                    let result = answers.iter().find(|(name, _)| **name == *asked.model.name).unwrap().1;
                    known.push(answered(asked, result));
                }
            }
        }
    }
}

const SCRIPT: &str = r#"
if age < 18 { decline("R1"); return; }
let fraud = model("fraud");
let risk = model("risk");
if fraud.probability > 0.5 { decline("R1"); return; }
if risk.probability > 0.5 { review("R2"); return; }
approve();
"#;

#[test]
fn what_is_asked_before_the_first_answer_is_read_is_asked_together() {
    let models = vec![uses("fraud", Fetch::Lazy, None), uses("risk", Fetch::Lazy, None)];
    let flow = compiled(&asking(SCRIPT, models));
    let (verdict, passes) = to_the_end(&flow, &facts(&[]), &[("fraud", Ok(0.1)), ("risk", Ok(0.7))]);
    assert_eq!(passes, [["fraud", "risk"]]);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("review", false));
    assert_eq!(
        verdict.scores.iter().map(|(name, s)| (&**name, s.raw)).collect::<Vec<_>>(),
        [("fraud", 0.1), ("risk", 0.7)]
    );
    let gathered: Vec<_> = verdict
        .trace
        .iter()
        .filter_map(|step| if let Step::Gathered(gathered) = step { Some(gathered) } else { None })
        .collect();
    assert_eq!(gathered.len(), 2);
    assert_eq!((gathered[1].answer, gathered[1].endpoint.as_deref()), (Some(0.7), Some("a:1")));

    let (minor, passes) = to_the_end(&flow, &facts(&[("age", Given::Number("17".into()))]), &[]);
    assert_eq!((&*minor.outcome, passes.len()), ("decline", 0), "nobody is asked in vain");
}

#[test]
fn early_ones_are_known_before_the_script_and_lazy_ones_are_not() {
    let models = vec![uses("fraud", Fetch::Early, None), uses("risk", Fetch::Lazy, None)];
    let flow = compiled(&asking(SCRIPT, models));
    let early = flow.early(&flow.admit(&facts(&[])).unwrap(), at_once(), &Budget::default());
    assert_eq!(early.iter().map(|asked| &*asked.model.name).collect::<Vec<_>>(), ["fraud"]);
    assert_eq!(early[0].row.as_ref(), [Value::Decimal("2500.00".parse().unwrap()), Value::Number(0.3)]);
}

#[test]
fn a_script_cannot_go_on_without_an_answer_even_in_a_function_or_another_flow() {
    let script = "fn risky() { model(\"fraud\").probability > 0.5 }\nif risky() { decline(\"R1\"); } else { approve(); }";
    let flow = compiled(&asking(script, vec![uses("fraud", Fetch::Lazy, None)]));
    let (verdict, passes) = to_the_end(&flow, &facts(&[]), &[("fraud", Ok(0.9))]);
    assert_eq!((&*verdict.outcome, passes.len()), ("decline", 1));

    let mut outer = declaration("flow(\"inner\").apply();");
    let found = SubFlowFound::Flow(Arc::new(flow));
    outer.sub_flows = vec![SubFlowDeclaration { name: "inner".to_owned(), found }];
    let (verdict, passes) = to_the_end(&compiled(&outer), &facts(&[]), &[("fraud", Ok(0.9))]);
    assert_eq!((&*verdict.outcome, passes), ("decline", vec![vec!["fraud".to_owned()]]));
    assert_eq!(verdict.models, [("inner.fraud".into(), "sha256:e".into())]);
}

fn probability(value: f64) -> IfItFails {
    let (probability, place) = (Some(at(value)), Place::default());
    IfItFails::Answer(AnswerDeclaration { probability, score: None, reasons: vec![], place })
}

#[test]
fn without_an_answer_the_flow_goes_on_as_it_says() {
    let late = [("fraud", Err(RemoteFault::Late)), ("risk", Ok(0.1)), ("backup", Ok(0.9))];
    let check = |stands: Option<IfItFails>, outcome: &str, reasons: &[&str], failures: &[&str]| {
        let models = vec![
            uses("fraud", Fetch::Lazy, stands.clone()),
            uses("risk", Fetch::Lazy, None),
            uses("backup", Fetch::Lazy, None),
        ];
        let script = format!("{SCRIPT}\nif false {{ model(\"backup\"); }}");
        let flow = compiled(&asking(&script, models));
        let (verdict, _) = to_the_end(&flow, &facts(&[]), &late);
        assert_eq!(&*verdict.outcome, outcome, "{stands:?} {verdict:#?}");
        assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), reasons, "{stands:?}");
        assert_eq!(verdict.failures.iter().map(|f| f.code).collect::<Vec<_>>(), failures, "{stands:?}");
        assert!(verdict.degraded, "{stands:?}");
        verdict
    };
    check(None, "review", &["R900"], &["late", "failed_step"]);
    check(Some(probability(0.2)), "approve", &[], &[]);
    check(Some(probability(0.6)), "decline", &["R1"], &[]);
    check(Some(IfItFails::Model(text("backup"))), "decline", &["R1"], &[]);
    let referred = check(Some(refer()), "review", &["R2"], &[]);
    let by = RecordedBy::IfItFails("fraud".into());
    assert!(referred.trace.iter().any(|step| matches!(step, Step::Record { by: is, .. } if *is == by)));
}

#[test]
fn what_was_found_before_a_referral_is_not_lost_and_one_who_asks_failed_goes_on() {
    let models = || vec![uses("fraud", Fetch::Lazy, Some(refer()))];
    let late = [("fraud", Err(RemoteFault::BreakerOpen))];
    let script = "decline(\"R1\"); if model(\"fraud\").probability > 0.5 { decline(\"R2\"); }";
    let (verdict, _) = to_the_end(&compiled(&asking(script, models())), &facts(&[]), &late);
    assert_eq!((&*verdict.outcome, verdict.reasons.len()), ("decline", 1));
    let script = "if model(\"fraud\").failed { decline(\"R1\"); } else { approve(); }";
    let (verdict, _) = to_the_end(&compiled(&asking(script, models())), &facts(&[]), &late);
    assert_eq!(&*verdict.outcome, "decline");
}

#[test]
fn offline_it_fails_as_declared_and_a_pin_answers_for_it() {
    let script = "if model(\"fraud\").probability > 0.5 { decline(\"R1\"); } else { approve(); }";
    let flow = compiled(&asking(script, vec![uses("fraud", Fetch::Early, None)]));
    let verdict = decide(&flow, &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.failures[0].code), ("review", "not_gathered"));
    let models = BTreeMap::from([("fraud".into(), ModelPin::Probability(0.7))]);
    let pins = Pins { models, ..Pins::default() };
    let given = flow.admit(&facts(&[])).unwrap();
    let verdict = flow.decide_with(&given, at_once(), &Budget::default(), &pins);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", false));
}

#[test]
fn a_missing_input_has_its_stand_in_or_nobody_is_asked() {
    let script = "if model(\"fraud\").probability > 0.5 { decline(\"R1\"); } else { approve(); }";
    let mut declared = asking(script, vec![uses("fraud", Fetch::Early, None)]);
    for input in &mut declared.inputs {
        input.optional = true;
    }
    let flow = compiled(&declared);
    let (verdict, passes) = to_the_end(&flow, &facts(&[("score", Given::Null)]), &[("fraud", Ok(0.1))]);
    assert_eq!((&*verdict.outcome, passes.len()), ("approve", 1));
    let (verdict, passes) = to_the_end(&flow, &facts(&[("amount", Given::Null)]), &[]);
    assert_eq!((verdict.failures[0].code, passes.len()), ("missing_value", 0));
    assert!(verdict.failures[0].detail.contains("`amount`"));
}

#[test]
fn what_stands_in_must_be_there_and_go_in_no_circle() {
    let declared = |of: &str, to: &str| {
        let script = "if model(\"fraud\").probability > 0.5 { decline(\"R1\"); } else { approve(); }";
        let models = vec![
            uses("fraud", Fetch::Lazy, Some(IfItFails::Model(text(of)))),
            uses("backup", Fetch::Lazy, Some(IfItFails::Model(text(to)))),
        ];
        let (flow, found) = Flow::compile(&asking(script, models));
        let errors = found.iter().filter(|d| d.severity == Severity::Error);
        (flow.is_some(), errors.map(|d| d.code).collect::<Vec<_>>())
    };
    assert_eq!(declared("backup", "fraud"), (false, vec!["T129", "T129"]));
    assert_eq!(declared("fraud", "fraud").1, ["T129"]);
    assert_eq!(declared("bakcup", "fraud").1, ["T004"]);
}

#[test]
fn of_a_model_elsewhere_the_reasons_are_none_and_the_outcome_keeps_its_own() {
    let script =
        "if model(\"fraud\").probability > 0.5 { decline(model(\"fraud\").reasons, \"R1\"); }\napprove();";
    let declared = asking(script, vec![uses("fraud", Fetch::Lazy, None)]);
    let (verdict, _) = to_the_end(&compiled(&declared), &facts(&[]), &[("fraud", Ok(0.9))]);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", false), "{:?}", verdict.failures);
    assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), ["R1"]);
}
