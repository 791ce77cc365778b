//! One flow in several markets: what an overlay changes, what it may not, what is said of it, and that a market's flow
//! is named and built again by its own files.

use std::sync::Arc;

use super::*;
use crate::documents::findings::{Colour, rendered};
use crate::domain::facts::Given;
use crate::domain::flow::Budget;
use crate::domain::verdict::Verdict;

const FLOW: &str = "flow: loan
time_zone: Europe/Berlin
inputs:
  applicant_id: { type: text, optional: true, personal: key }
  age: { type: integer, min: 0, max: 120, unit: years }
  amount: { type: decimal, min: 0 }
  income: { type: decimal, min: 0 }
  status: { type: choice, of: [new, known] }
features:
  share: amount / income
thresholds: { min_age: 18, max_share: 0.40, curp_length: 18, is_strict: false }
outputs:
  apr: { type: decimal, min: 0, optional: true }
outcomes: [approve, review, decline]
reasons:
  R101: { en: Too young, es: Menor de edad }
  R201: { en: Too much, es: Demasiado }
  R310: { en: CURP is not one, es: CURP inválida }
  R900: { en: By hand, es: A mano }
on_error: { outcome: review, reason: R900 }
";
const KNOCKOUT: &str = "rule_set: knockout
rules:
  - { id: under_age, when: age < min_age, outcome: decline, reason: R101 }
  - { id: heavy, when: share > max_share, outcome: review, reason: R201 }
";
const SCRIPT: &str =
    "rules(\"knockout\").apply();\nif is_strict { review(\"R201\"); }\napprove(#{ apr: 0.1 });\n";
/// A set that only a market uses, for it reads what only that market has.
const CURP: &str = "rule_set: curp_checks
rules:
  - { id: curp, when: len(curp) != curp_length, outcome: decline, reason: R310 }
";
const MX: &str = "market: mx
time_zone: America/Mexico_City
languages: [es, en]
thresholds: { min_age: 21 }
inputs: { curp: { type: text, personal: key } }
rules_also: { knockout: [curp_checks] }
";

fn documents(files: &[(&str, &str)]) -> Documents {
    let mut all = vec![
        ("flow.yaml", FLOW),
        ("flow.rhai", SCRIPT),
        ("knockout.rules.yaml", KNOCKOUT),
        ("curp_checks.rules.yaml", CURP),
        ("markets/mx.yaml", MX),
    ];
    for (path, text) in files {
        all.retain(|(known, _)| known != path);
        if !text.is_empty() {
            all.push((path, text));
        }
    }
    let bytes = |text: &str| -> Arc<[u8]> { Arc::from(text.as_bytes()) };
    Documents::from_files(all.into_iter().map(|(path, text)| (format!("rules/loan/{path}"), bytes(text))))
}

fn told(built: &Built) -> String {
    rendered(&built.diagnostics, &built.sources, Colour::Never)
}

#[track_caller]
fn loan(documents: &Documents) -> Arc<FlowRevision> {
    let built = build(documents);
    assert_eq!(told(&built), "");
    Arc::clone(built.bundle.flow("loan").unwrap())
}

fn facts(overrides: &[(&str, &str)]) -> Given {
    let number = |n: &str| Given::Number(n.to_owned());
    let mut all = vec![
        ("age".to_owned(), number("19")),
        ("amount".to_owned(), number("10")),
        ("income".to_owned(), number("100")),
        ("status".to_owned(), Given::Text("new".to_owned())),
    ];
    for (name, value) in overrides {
        all.retain(|(known, _)| known != name);
        let is_number = value.starts_with(|c: char| c.is_ascii_digit());
        all.push((
            (*name).to_owned(),
            if is_number { number(value) } else { Given::Text((*value).to_owned()) },
        ));
    }
    Given::Map(all)
}

#[track_caller]
fn decide(revision: &FlowRevision, overrides: &[(&str, &str)]) -> Verdict {
    let admitted = revision.flow.admit(&facts(overrides)).unwrap();
    revision.flow.decide(&admitted, "2026-11-22T23:30:00Z".parse().unwrap(), &Budget::default())
}

fn reasons(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|code| &**code).collect()
}

#[test]
fn a_market_decides_by_its_own_numbers_rules_and_inputs() {
    let base = loan(&documents(&[]));
    let mx = base.in_market("mx").unwrap();
    assert_eq!(base.market_names(), ["base", "mx"]);
    assert_eq!(&*decide(&base, &[]).outcome, "approve");
    let curp = ("curp", "XEXX010101HNEXXXA4");
    let declined = decide(mx, &[curp]);
    assert_eq!((&*declined.outcome, reasons(&declined)), ("decline", vec!["R101"]));
    assert_eq!(&*decide(mx, &[curp, ("age", "21")]).outcome, "approve");
    let declined = decide(mx, &[("curp", "short"), ("age", "21")]);
    assert_eq!((&*declined.outcome, reasons(&declined)), ("decline", vec!["R310"]));
    let hit = format!("{:?}", declined.trace);
    assert!(hit.contains("Rule { rule_set: \"knockout\", rule: \"curp\" }"), "{hit}");
    assert!(base.flow.admit(&facts(&[curp])).is_err(), "base has no such input");
    assert!(mx.flow.admit(&facts(&[])).is_err(), "the market requires it");
    assert_eq!(mx.flow.reason_text("R101", &[]), Some("Menor de edad"));
    assert_eq!(base.flow.reason_text("R101", &[]), Some("Too young"));
    assert_eq!(base.in_market("br").map(|r| &r.flow_revision), None);
}

#[test]
fn whatever_a_flow_has_can_be_another_in_a_market() {
    let knockout_br = "rule_set: knockout_br
rules:
  - { id: under_age, when: age < min_age - 2, outcome: decline, reason: R101 }
  - { id: cheap, when: amount < cheap, outcome: review, reason: R777 }
";
    let br = "market: br
rules: { knockout: knockout_br }
inputs: { age: { type: integer, min: 1, max: 90 }, status: { type: choice, of: [new, known, old] } }
features: { cheap: income / 100, share: amount / (income + cheap) }
thresholds: { is_strict: true }
outputs: { apr: { type: decimal, min: 0, max: 0.05, optional: true } }
reasons: { R777: { en: Not worth it }, R900: { en: Somebody looks } }
on_error: { outcome: decline, reason: R900 }
on_invalid: { outcome: review, reason: R900 }
deadline_ms: 20
";
    let base = loan(&documents(&[("markets/br.yaml", br), ("knockout_br.rules.yaml", knockout_br)]));
    let br = base.in_market("br").unwrap();
    let names: Vec<&str> = br.flow.features.iter().map(|feature| &*feature.name).collect();
    assert_eq!(
        names,
        ["cheap", "share"],
        "a new feature stands before the changed one that it was written before"
    );
    let age = br.flow.inputs.iter().find(|input| &*input.name == "age").unwrap();
    assert_eq!(age.unit.as_deref(), Some("years"), "what is not said of an input stays");
    assert_eq!((&*br.flow.rule_sets[0].name, br.flow.rule_sets.len()), ("knockout", 1));
    // 0.1 is above what apr may be here: the step fails, and on_error is this market's.
    let failed = decide(br, &[("status", "old"), ("amount", "0.5")]);
    assert_eq!((&*failed.outcome, reasons(&failed), failed.degraded), ("decline", vec!["R900"], true));
    assert_eq!(&*decide(br, &[("age", "99")]).outcome, "review", "facts out of range are recorded here");
    assert_eq!(&*decide(br, &[("age", "15")]).outcome, "decline");
    assert_eq!(base.in_market("mx").unwrap().flow.rule_sets[0].rules.len(), 3);
    assert_eq!(base.flow.rule_sets[0].rules.len(), 2);
}

#[test]
fn a_market_uses_another_model_and_its_revision_says_so() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = read_folder(&root.join("tests/fixtures/small/rules"), &root.join("models"));
    let market = "market: mx\nmodels: { default_risk: german_credit@challenger }\n";
    let path = "rules/personal_loan/markets/mx.yaml".to_owned();
    documents.files.insert(path, Arc::from(market.as_bytes()));
    let built = build(&documents);
    assert_eq!(told(&built), "");
    let base = built.bundle.flow("personal_loan").unwrap();
    let mx = base.in_market("mx").unwrap();
    let models = |revision: &FlowRevision| -> Vec<String> {
        let files = revision.files.iter().map(|file| file.path.clone());
        files.filter(|path| path.starts_with("models/")).collect()
    };
    assert_eq!(models(base), ["models/german_credit@champion/3"]);
    assert_eq!(models(mx), ["models/german_credit@challenger/2"]);
    let files: Vec<_> = base.all_files().into_iter().map(|file| (file.path, file.bytes)).collect();
    let market = Expected::InMarket { market: "mx", flow_revision: &mx.flow_revision };
    let again = rebuild("personal_loan", &files, market).unwrap();
    assert_eq!(again.markets.keys().collect::<Vec<_>>(), [&Name::from("mx")]);
    assert_eq!(again.in_market("mx").unwrap().files, mx.files);
    assert!(rebuild("personal_loan", &files, Expected::Whole(&base.whole_revision())).is_ok());
    let gone = Expected::InMarket { market: "br", flow_revision: "" };
    assert!(matches!(rebuild("personal_loan", &files, gone), Err(RebuildError::NoSuchMarket { .. })));
    let other = Expected::InMarket { market: "base", flow_revision: &mx.flow_revision };
    assert!(matches!(rebuild("personal_loan", &files, other), Err(RebuildError::OtherRevision { .. })));
}

#[test]
fn a_revision_changes_with_what_decides_and_with_nothing_else() {
    let bundle = |files: &[(&str, &str)]| build(&documents(files)).bundle;
    let before = bundle(&[]);
    let revisions = |bundle: &Bundle| {
        let flow = bundle.flow("loan").unwrap();
        (flow.flow_revision.to_string(), flow.in_market("mx").unwrap().flow_revision.to_string())
    };
    let (base, mx) = revisions(&before);
    assert_ne!(base, mx);
    let market = MX.replace("min_age: 21", "min_age: 22");
    let curp = CURP.replace("!=", "<");
    let cases = "cases: []\n";
    let flow = FLOW.replace("max_share: 0.40", "max_share: 0.41");
    let table: &[(&str, &str, bool, bool)] = &[
        ("markets/mx.yaml", &market, false, true),
        ("curp_checks.rules.yaml", &curp, false, true),
        ("flow.yaml", &flow, true, true),
        ("cases/a.yaml", cases, false, false),
    ];
    for (path, text, changes_base, changes_mx) in table {
        let after = bundle(&[(path, text)]);
        let (base_after, mx_after) = revisions(&after);
        assert_eq!((base != base_after, mx != mx_after), (*changes_base, *changes_mx), "{path}");
        assert_eq!(before.revision != after.revision, *changes_mx, "{path}");
    }
    let without = bundle(&[("markets/mx.yaml", ""), ("curp_checks.rules.yaml", "")]);
    assert_eq!(without.flow("loan").unwrap().flow_revision.to_string(), base, "a market is nothing to base");
}

#[test]
fn what_is_wrong_with_a_market_is_told_with_its_place_and_the_way_out() {
    let with = |line: &str| -> (String, bool) {
        let built = build(&documents(&[("markets/mx.yaml", &format!("{MX}{line}\n"))]));
        (told(&built), built.bundle.flow("loan").is_some())
    };
    let errors: &[(&str, &[&str])] = &[
        (
            "models: { risk: german_credit@champion }",
            &["error[T070]", "changes the model `risk`", "markets/mx.yaml:7:11"],
        ),
        ("outputs: { limit: decimal }", &["error[T070]", "changes the output `limit`"]),
        ("rules: { knokout: curp_checks }", &["error[T070]", "did you mean `knockout`?"]),
        ("rules: { knockout: knockout_mx }", &["error[T072]", "write `rules/loan/knockout_mx.rules.yaml`"]),
        ("rules: { knockout: curp_check }", &["error[T072]", "did you mean `curp_checks`?"]),
        ("tables: { pricing: pricing_mx }", &["error[T070]", "changes the table `pricing`"]),
        ("outputs: { apr: { type: number } }", &["error[T071]", "the output `apr` is a decimal"]),
        ("on_error: { outcome: approve, reason: R900 }", &["error[T016]", "may not be the mildest"]),
        ("on_error: { outcome: decline, reason: R901 }", &["error[T015]", "no reason `R901`"]),
        ("thresholdss: { min_age: 21 }", &["error[Y009]", "did you mean `thresholds`?"]),
        ("reasons: { R777: { en: Only English } }", &["error[T074]", "`R777` has no text in `es`"]),
        ("features: { share: amount / incom }", &["error[T004]", "`incom`", "markets/mx.yaml:7:29"]),
    ];
    for (line, expected) in errors {
        let (told, in_force) = with(line);
        for part in *expected {
            assert!(told.contains(part), "`{line}` should say `{part}`:\n{told}");
        }
        assert!(!in_force, "`{line}` must keep the flow out of force:\n{told}");
    }
    let edits: &[(&str, &str, &[&str])] = &[
        ("market: mx", "market: me", &["error[B004]", "write `market: mx`"]),
        ("min_age: 21", "min_agee: 21", &["error[T070]", "did you mean `min_age`?"]),
        ("min_age: 21", "min_age: many", &["error[T071]", "is a number and the market `mx` makes it a text"]),
        ("languages: [es, en]", "languages: [espanol]", &["error[B007]"]),
        ("time_zone: America/Mexico_City", "time_zone: America/Mexico", &["error[T029]"]),
        (
            "knockout: [curp_checks]",
            "knockout: [curp_check]",
            &["error[T072]", "did you mean `curp_checks`?"],
        ),
        ("knockout: [curp_checks]", "knock: [curp_checks]", &["error[T070]"]),
        (
            "{ type: text, personal: key }",
            "{ type: integer }",
            &["error[T003]", "(in the market `mx`)", "curp_checks.rules.yaml:3:23"],
        ),
    ];
    for (from, to, expected) in edits {
        let built = build(&documents(&[("markets/mx.yaml", &MX.replace(from, to))]));
        let told = told(&built);
        for part in *expected {
            assert!(told.contains(part), "`{to}` should say `{part}`:\n{told}");
        }
        assert!(built.bundle.flow("loan").is_none(), "{to}");
    }
    for (line, expected) in [
        ("on_error: { outcome: review, reason: R900 }", "nothing about `on_error`"),
        ("outputs: { apr: { type: decimal, min: 0, optional: true } }", "nothing about the output `apr`"),
        ("features: { share: amount / income }", "nothing about the feature `share`"),
        ("reasons: { R101: { es: Menor de edad } }", "nothing about the reason `R101`"),
        ("rules: { knockout: knockout }", "nothing about the rule set `knockout`"),
    ] {
        let (told, in_force) = with(line);
        assert!(told.contains("warning[T073]") && told.contains(expected), "`{line}`:\n{told}");
        assert!(in_force, "a warning lets it run:\n{told}");
    }
}

#[test]
fn sets_that_are_evaluated_together_must_fit() {
    let table = [
        ("id: curp,", "id: under_age,", "the rule `under_age` of `curp_checks` has the id of another rule"),
        ("rules:", "hit_policy: first\nrules:", "another hit policy"),
        ("rules:", "takes: { risk: number }\nrules:", "takes `risk` (number), which is not handed over"),
    ];
    for (from, to, expected) in table {
        let told = told(&build(&documents(&[("curp_checks.rules.yaml", &CURP.replacen(from, to, 1))])));
        assert!(told.contains("error[T075]") && told.contains(expected), "{told}");
    }
}

#[test]
fn a_market_of_nothing_is_told_and_names_are_kept_for_base_and_all() {
    let built = build(&documents(&[("markets/xx.yaml", "market: xx\n")]));
    assert!(told(&built).contains("warning[B041]: the market `xx` changes nothing"), "{}", told(&built));
    assert!(built.bundle.flow("loan").unwrap().in_market("xx").is_some());
    for name in ["base", "all"] {
        let path = format!("markets/{name}.yaml");
        let text = format!("market: {name}\nthresholds: {{ min_age: 30 }}\n");
        assert!(told(&build(&documents(&[(&path, &text)]))).contains("error[B040]"), "{name}");
    }
    let required = format!("{FLOW}market: required\n");
    let alone = [("flow.yaml", required.as_str()), ("markets/mx.yaml", ""), ("curp_checks.rules.yaml", "")];
    assert!(told(&build(&documents(&alone))).contains("error[B042]"));
    let flow = FLOW
        .replace(", curp_length: 18", "")
        .replace("R310: { en: CURP is not one, es: CURP inválida }\n  ", "");
    let with_mx = [("flow.yaml", required.as_str())];
    let revision = loan(&documents(&with_mx));
    assert_eq!((revision.in_market("base").is_none(), revision.market_names()), (true, vec!["mx"]));
    assert!(!flow.contains("R310"));
}

#[test]
fn what_any_market_uses_is_used_and_what_none_uses_is_told_once() {
    let unused = FLOW.replace("thresholds: {", "thresholds: { nobody: 1,");
    let built = build(&documents(&[("flow.yaml", &unused)]));
    let lines = told(&built);
    assert_eq!(built.diagnostics.len(), 1, "{lines}");
    assert!(lines.contains("warning[T032]: the threshold `nobody` is never used"), "{lines}");
    let broken = KNOCKOUT.replace("age < min_age", "age < min_agee");
    let built = build(&documents(&[("knockout.rules.yaml", &broken)]));
    assert_eq!(built.diagnostics.len(), 1, "said once, not again for the market: {}", told(&built));
    let no_market = build(&documents(&[("markets/mx.yaml", "")]));
    assert!(told(&no_market).contains("unknown name `curp`"), "without the market the set is the flow's own");
}

#[test]
fn cases_run_where_they_say_and_expect_what_differs() {
    let cases = "cases:
  - case: a young one
    given: { age: 19, amount: 10, income: 100, status: new, curp: XEXX010101HNEXXXA4 }
    market: all
    expect: { outcome: approve }
    in: { mx: { outcome: decline, reasons: [R101] } }
  - case: only here
    given: { age: 19, amount: 10, income: 100, status: new }
    expect: { outcome: approve }
  - case: not so
    given: { age: 40, amount: 90, income: 100, status: new, curp: XEXX010101HNEXXXA4 }
    market: [mx]
    expect: { outcome: approve }
";
    let built = build(&documents(&[("cases/a.yaml", cases)]));
    assert_eq!(told(&built), "");
    let report = built.flows.get("loan").unwrap();
    let revision = report.revision.as_ref().unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let (results, coverage) = cases::run(&Name::from("loan"), revision, &report.cases.cases, now);
    let ran: Vec<(&str, &str, bool)> =
        results.iter().map(|r| (r.case.as_str(), &*r.market, r.holds())).collect();
    assert_eq!(
        ran,
        [
            ("a young one", "base", true),
            ("a young one", "mx", true),
            ("only here", "base", true),
            ("not so", "mx", false)
        ]
    );
    assert!(cases::rendered(&results).starts_with("case failed: not so (in the market `mx`)\n"));
    assert_eq!(cases::summary(&results, &[]).failures[0].market, "mx");
    assert_eq!(coverage.rules.len(), 3);
    assert_eq!(coverage.never_hit(), [&(Name::from("knockout"), Name::from("curp"))]);

    let wrong = [
        ("market: [br]", "there is no market `br`"),
        ("in: { mx: { outcome: decline } }", "this case does not run in the market `mx`"),
        ("in: { br: { outcome: decline } }", "there is no market `br`"),
        ("market: mx, in: { mx: { outcome: refuse } }", "there is no outcome `refuse`"),
        ("market: mx, in: { mx: {} }", "this case expects nothing"),
    ];
    for (keys, expected) in wrong {
        let text = format!("cases:\n  - {{ case: x, expect: {{ outcome: approve }}, {keys} }}\n");
        let built = build(&documents(&[("cases/a.yaml", &text)]));
        assert!(told(&built).contains(expected), "{keys}: {}", told(&built));
        assert!(built.flows.get("loan").unwrap().cases.cases.is_empty(), "{keys}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn an_overlay_of_nothing_changes_nothing(age in 0_u32..120, amount in 0_u32..500, income in 0_u32..500, known in proptest::bool::ANY) {
        static LOAN: std::sync::OnceLock<Arc<FlowRevision>> = std::sync::OnceLock::new();
        let base = LOAN.get_or_init(|| {
            let built = build(&documents(&[("markets/xx.yaml", "market: xx\n")]));
            Arc::clone(built.bundle.flow("loan").unwrap())
        });
        let (age, amount, income) = (age.to_string(), amount.to_string(), income.to_string());
        let status = if known { "known" } else { "new" };
        let facts = [("age", &*age), ("amount", &*amount), ("income", &*income), ("status", status)];
        proptest::prop_assert_eq!(decide(base, &facts), decide(base.in_market("xx").unwrap(), &facts));
    }
}
