//! A bundle as a whole: the sample flow, what breaks a flow and what does not, revisions and rebuilding.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::documents::findings::{Colour, rendered};
use crate::domain::facts::Given;
use crate::domain::flow::Budget;

/// Everything in the repository's `rules/`.
fn repository() -> Documents {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    read_folder(&root.join("rules"), &root.join("models"))
}

/// A small flow that tests may change as they like.
fn sample() -> Documents {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    read_folder(&root.join("tests/fixtures/small/rules"), &root.join("models"))
}

/// The sample with one file changed.
fn edited(path: &str, from: &str, to: &str) -> Documents {
    let mut documents = sample();
    let text = String::from_utf8(documents.files.get(path).unwrap().to_vec()).unwrap();
    assert!(text.contains(from), "{path} has no `{from}`");
    documents.files.insert(path.to_owned(), Arc::from(text.replacen(from, to, 1).into_bytes()));
    documents
}

fn told(built: &Built) -> String {
    rendered(&built.diagnostics, &built.sources, Colour::Never)
}

const FLOW: &str = "rules/personal_loan/flow.yaml";
const KNOCKOUT: &str = "rules/personal_loan/knockout.rules.yaml";

#[test]
fn the_samples_check_without_a_finding() {
    for documents in [sample(), repository()] {
        let built = build(&documents);
        assert_eq!(told(&built), "");
        let flow = built.bundle.flow("personal_loan").unwrap();
        let sets = &flow.declaration.rule_sets;
        assert!(sets.len() >= 2 && sets.iter().map(|set| set.rules.len()).sum::<usize>() >= 12);
    }
    let flows: Vec<Name> = build(&repository()).flows.into_keys().collect();
    assert_eq!(flows, ["card_payment", "consumer_credit", "fraud_check", "personal_loan"].map(Name::from));
}

#[test]
fn the_sample_cases_hold_and_hit_every_rule() {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    for (name, report) in build(&repository()).flows {
        let revision = report.revision.as_ref().unwrap();
        let (results, coverage) = cases::run(&name, revision, &report.cases.cases, now);
        assert_eq!(cases::rendered(&results), "");
        assert!(results.len() >= 12, "{name}: {} cases", results.len());
        assert_eq!(coverage.never_hit(), Vec::<&(Name, Name)>::new());
    }
}

/// Every applicant of the data as a caller would send it, and whether the loan went bad.
fn applicants() -> Vec<(Given, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("models/german_credit/data/german_credit.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let numbers = [
        "duration_months",
        "amount",
        "instalment_rate_pct",
        "residence_since",
        "age",
        "existing_credits",
        "dependants",
    ];
    lines
        .map(|line| {
            let mut facts = Vec::new();
            let mut bad = false;
            for (name, cell) in names.iter().zip(line.split(',')) {
                if *name == "outcome" {
                    bad = cell == "bad";
                } else if numbers.contains(name) {
                    facts.push(((*name).to_owned(), Given::Number(cell.to_owned())));
                } else {
                    facts.push(((*name).to_owned(), Given::Text(cell.to_owned())));
                }
            }
            (Given::Map(facts), bad)
        })
        .collect()
}

#[test]
fn the_declined_of_the_thousand_applicants_turned_out_worse_than_the_approved() {
    let built = build(&repository());
    let flow = &built.bundle.flow("personal_loan").unwrap().flow;
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (facts, bad) in applicants() {
        let verdict = flow.decide(&flow.admit(&facts).unwrap(), now, &Budget::default());
        assert!(!verdict.degraded, "{:?}", verdict.failures);
        let count = counts.entry(verdict.outcome.to_string()).or_default();
        count.0 += 1;
        count.1 += usize::from(bad);
    }
    let of = |outcome: &str| counts.get(outcome).copied().unwrap_or_default();
    let (approved, declined) = (of("approve"), of("decline"));
    assert!(approved.0 >= 50 && declined.0 >= 50, "{counts:?}");
    // Shares of bad loans, compared without dividing: at least twice the share.
    assert!(declined.1 * approved.0 >= 2 * approved.1 * declined.0, "{counts:?}");
}

/// What `check` says about the sample with one file changed, and whether its flow still comes into force.
fn after(path: &str, from: &str, to: &str) -> (String, bool) {
    let built = build(&edited(path, from, to));
    (told(&built), built.bundle.flow("personal_loan").is_some())
}

#[test]
fn every_edit_that_breaks_the_flow_is_told_with_its_place_and_the_way_out() {
    let table: &[(&str, &str, &str, &[&str])] = &[
        (
            KNOCKOUT,
            "when: amount > max_amount",
            "wen: amount > max_amount",
            &["error[Y009]", "did you mean `when`?", "11:5"],
        ),
        (KNOCKOUT, "when: amount > max_amount", "when: !amount", &["error[Y005]", "`when: '!amount'`"]),
        (KNOCKOUT, "when: amount > max_amount", "when: amount > 5 #000", &["error[Y014]", "11:22"]),
        (KNOCKOUT, "id: amount_too_large", "id: under_age", &["error[B008]", "10:9"]),
        (
            KNOCKOUT,
            "rule_set: knockout",
            "rule_set: knock_out",
            &["error[B004]", "3:11", "write `rule_set: knockout`"],
        ),
        (KNOCKOUT, "hit_policy: collect", "hit_policy: colect", &["error[Y011]", "did you mean `collect`?"]),
        (KNOCKOUT, "max_amount", "max_amont", &["11:20", "`max_amont`", "`max_amount`"]),
        (
            KNOCKOUT,
            "when: amount > max_amount",
            "when: is_given(foreign_worker)",
            &["error[T", "11:20", "`foreign_worker`"],
        ),
        (
            FLOW,
            "is_overdrawn: checking_status == \"below_0\"",
            "is_overdrawn: age < 30",
            &["error[T", "`age`"],
        ),
        (FLOW, "flow: personal_loan", "flow: other", &["error[B004]", "4:7"]),
        (FLOW, "min_age: 18", "min_age: 018", &["error[Y013]", "write `18` for a number"]),
        (FLOW, "min_age: 18", "min_age:", &["error[Y011]", "threshold `min_age` has no value"]),
        (FLOW, "min_age: 18", "case: 18", &["error[B005]", "`case` is a word of the script language"]),
        (FLOW, "german_credit@champion", "german_credt@champion", &["error[B006]", "german_credit"]),
        (FLOW, "german_credit@champion", "german_credit@9", &["error[B006]", "it has 1, 2, 3"]),
        (
            FLOW,
            "type: integer, min: 0, max: 120, unit: years",
            "type: whole",
            &["error[Y011]", "unknown value `whole`"],
        ),
        (FLOW, "personal: key", "personal: kee", &["error[Y011]", "did you mean `key`?"]),
        (FLOW, "of: [none, below_0,", "off: [none, below_0,", &["error[Y009]", "did you mean `of`?"]),
        (
            FLOW,
            "on_invalid: refuse",
            "counters: {}",
            &["error[B003]", "`counters` is not supported by this version"],
        ),
        (FLOW, "deadline_ms: 50", "deadline_ms: 0", &["error[B007]", "1 to 60000"]),
        (FLOW, "kind: score", "Kind: score", &["error[Y009]", "is not the tag of a language"]),
    ];
    for (path, from, to, expected) in table {
        let (told, in_force) = after(path, from, to);
        for part in *expected {
            assert!(told.contains(part), "`{to}` should say `{part}`:\n{told}");
        }
        assert!(!in_force, "`{to}` must keep the flow out of force:\n{told}");
    }
}

#[test]
fn files_that_are_missing_foreign_or_broken_are_told() {
    let without = |path: &str| {
        let mut documents = sample();
        documents.files.remove(path).unwrap();
        told(&build(&documents))
    };
    assert!(without(FLOW).contains("error[B001]: the flow `personal_loan` has no `flow.yaml`"));
    assert!(without("rules/personal_loan/flow.rhai").contains("has no `flow.rhai`"));
    let with = |path: &str, bytes: &[u8]| {
        let mut documents = sample();
        documents.files.insert(path.to_owned(), Arc::from(bytes));
        let built = build(&documents);
        (told(&built), built.bundle.flow("personal_loan").is_some())
    };
    let table: &[(&str, &[u8], &str, bool)] = &[
        ("rules/personal_loan/markets/mx.yaml", b"", "error[Y015]", false),
        ("rules/personal_loan/markets/mx.yml", b"market: mx", "warning[B009]", true),
        ("rules/personal_loan/a.scorecard.yaml", b"", "error[Y015]", false),
        ("rules/personal_loan/pricing.table.csv", b"", "error[B030]", false),
        ("rules/_shared/reasons.yaml", b"", "error[Y015]", true),
        ("rules/personal_loan/more.rules.yml", b"", "warning[B009]", true),
        ("rules/knockout.rules.yaml", b"", "warning[B009]", true),
        ("rules/personal_loan/more.rules.yaml", b"\xff", "error[B002]", false),
        ("rules/personal_loan/more.rules.yaml", b"", "error[Y015]", false),
        ("rules/personal_loan/9x.rules.yaml", b"rule_set: 9x\nrules: []\n", "error[B005]", false),
        ("rules/personal_loan/README.md", b"hello", "", true),
        ("rules/personal_loan/flow.d.rhai", b"module static;", "", true),
        ("rules/README.md", b"hello", "", true),
        (
            "rules/personal_loan/cases/c.yaml",
            b"cases: [{ case: x, expect: { outcome: aprove } }]\n",
            "error[B010]",
            true,
        ),
    ];
    for (path, bytes, expected, in_force) in table {
        let (told, is_in_force) = with(path, bytes);
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{path}:\n{told}");
        assert_eq!(is_in_force, *in_force, "{path}:\n{told}");
    }
}

#[test]
fn a_case_that_is_not_right_is_told_and_keeps_no_flow_out_of_force() {
    let table: &[(&str, &[&str])] = &[
        ("{ case: x, expect: { outcome: aprove } }", &["error[B010]", "did you mean `approve`?"]),
        (
            "{ case: x, expect: { reasons: [R1O1] } }",
            &["error[B010]: there is no reason `R1O1`", "did you mean `R101`?"],
        ),
        ("{ case: x, expect: { outcome: approve }, models: { risk: 0.1 } }", &["there is no model `risk`"]),
        ("{ case: x, expect: { outcome: approve }, models: { default_risk: 1.5 } }", &["error[B007]"]),
        ("{ case: x, expect: { outcome: approve }, like: nobody }", &["there is no set of facts"]),
        ("{ case: x, expect: { outcome: approve }, without: [agee] }", &["did you mean `age`?"]),
        ("{ case: x, expect: { outcome: approve }, market: mx }", &["there is no market `mx`"]),
        (
            "{ case: x, expect: { outcome: approve }, at: yesterday }",
            &["error[Y011]", "2026-02-28T23:59:00-06:00"],
        ),
        ("{ case: x, expect: { outcome: approve }, given: { age: 017 } }", &["error[Y013]"]),
        ("{ case: x, expect: {} }", &["error[Y010]: this case expects nothing"]),
        ("{ case: x }", &["error[Y010]: a case lacks the key `expect`"]),
        (
            "{ case: x, expect: { outcome: approve, scores: { default_risk: { is: 1, withn: 2 } } } }",
            &["did you mean `within`?"],
        ),
    ];
    for (case, expected) in table {
        let mut documents = sample();
        let text = format!("cases:\n  - {case}\n");
        documents
            .files
            .insert("rules/personal_loan/cases/wrong.yaml".to_owned(), Arc::from(text.into_bytes()));
        let built = build(&documents);
        let told = told(&built);
        for part in *expected {
            assert!(told.contains(part), "`{case}` should say `{part}`:\n{told}");
        }
        assert!(built.bundle.flow("personal_loan").is_some(), "{case}");
        let cases = &built.flows.get("personal_loan").unwrap().cases.cases;
        assert!(cases.iter().all(|case| case.name != "x"), "a wrong case is not run: {case}");
    }
}

#[test]
fn only_what_can_change_a_verdict_changes_a_revision() {
    let before = build(&sample()).bundle;
    let flow = |bundle: &Bundle| Arc::clone(&bundle.flow("personal_loan").unwrap().flow_revision);
    let same = [
        ("rules/personal_loan/README.md", "x"),
        ("rules/personal_loan/cases/new.yaml", "cases: []\n"),
        ("models/german_credit/1/card.json", "{}"),
    ];
    for (path, text) in same {
        let mut documents = sample();
        documents.files.insert(path.to_owned(), Arc::from(text.as_bytes()));
        let after = build(&documents).bundle;
        assert_eq!((&before.revision, flow(&before)), (&after.revision, flow(&after)), "{path}");
    }
    let changes = [
        (FLOW, "max_default_risk: 0.60", "max_default_risk: 0.61"),
        (KNOCKOUT, "age < min_age", "age <= min_age"),
        (KNOCKOUT, "# What", "# what"),
        ("rules/personal_loan/flow.rhai", "// 1.", "// one"),
        ("models/german_credit/model.yaml", "champion: 3, challenger: 2", "champion: 2, challenger: 3"),
    ];
    for (path, from, to) in changes {
        let after = build(&edited(path, from, to)).bundle;
        assert_ne!(before.revision, after.revision, "{path}");
        assert_ne!(flow(&before), flow(&after), "{path}");
    }
    assert!(before.revision.starts_with("sha256:") && before.revision.len() == 71);
}

#[test]
fn stored_files_give_the_same_flow_again_even_after_the_alias_moved() {
    let bundle = build(&sample()).bundle;
    let flow = bundle.flow("personal_loan").unwrap();
    let files: Vec<(String, Arc<[u8]>)> =
        bundle.files().iter().map(|file| (file.path.clone(), Arc::clone(&file.bytes))).collect();
    let again = rebuild("personal_loan", &files, Expected::Whole(&flow.flow_revision)).unwrap();
    assert_eq!(again.files, flow.files);
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    for (facts, _) in applicants().iter().step_by(50) {
        let verdict = |flow: &crate::domain::flow::Flow| {
            flow.decide(&flow.admit(facts).unwrap(), now, &Budget::default())
        };
        assert_eq!(verdict(&again.flow), verdict(&flow.flow));
    }

    let missing: Vec<_> = files.iter().filter(|(path, _)| !path.ends_with("flow.rhai")).cloned().collect();
    assert!(matches!(
        rebuild("personal_loan", &missing, Expected::Anything),
        Err(RebuildError::DoesNotCheck { .. })
    ));
    let other = edited(KNOCKOUT, "age < min_age", "age <= min_age");
    let mut changed = files.clone();
    for (path, bytes) in &mut changed {
        if let Some(other) = other.files.get(path) {
            *bytes = Arc::clone(other);
        }
    }
    let error = rebuild("personal_loan", &changed, Expected::Whole(&flow.flow_revision)).unwrap_err();
    assert!(matches!(error, RebuildError::OtherRevision { .. }), "{error}");
    assert!(matches!(rebuild("other", &files, Expected::Anything), Err(RebuildError::NoSuchFlow { .. })));
}

/// The sample twice, under two names, the second with one edit.
fn two_flows(edit: Option<(&str, &str)>) -> Documents {
    let mut documents = sample();
    for (path, bytes) in sample().files {
        let Some(rest) = path.strip_prefix("rules/personal_loan/") else { continue };
        let mut text = String::from_utf8(bytes.to_vec()).unwrap();
        if rest == "flow.yaml" {
            text = text.replacen("flow: personal_loan", "flow: second", 1);
        }
        if let (Some((from, to)), "knockout.rules.yaml") = (edit, rest) {
            text = text.replacen(from, to, 1);
        }
        documents.files.insert(format!("rules/second/{rest}"), Arc::from(text.into_bytes()));
    }
    documents
}

#[test]
fn a_broken_flow_keeps_its_last_good_version_and_the_others_move_on() {
    let first = build(&two_flows(None)).bundle;
    let mut documents = two_flows(Some(("age < min_age", "age < min_agee")));
    let moved = edited(FLOW, "max_default_risk: 0.60", "max_default_risk: 0.61");
    documents.files.insert(FLOW.to_owned(), Arc::clone(moved.files.get(FLOW).unwrap()));
    let built = build(&documents);
    assert_eq!(built.broken_flows(), [&Name::from("second")]);
    let mixed = built.keeping_last_good(&first);
    let revision = |bundle: &Bundle, flow: &str| Arc::clone(&bundle.flow(flow).unwrap().flow_revision);
    assert_eq!(revision(&mixed, "second"), revision(&first, "second"));
    assert_ne!(revision(&mixed, "personal_loan"), revision(&first, "personal_loan"));
    assert_ne!(mixed.revision, first.revision);
    for file in mixed.flow("second").unwrap().files.iter() {
        assert!(mixed.files().contains(file), "{} is kept for a rebuild", file.path);
    }
    documents.files.retain(|path, _| !path.starts_with("rules/second/"));
    assert_eq!(build(&documents).keeping_last_good(&first).flows.len(), 1, "a removed flow is gone");
}

#[test]
fn ten_thousand_rules_with_a_mistake_each_are_told_quickly() {
    let mut text = "rule_set: many\nrules:\n".to_owned();
    for n in 0..10_000 {
        text.push_str(&format!(
            "  - id: r{n}\n    when: amountt > {n}\n    outcome: decline\n    reason: R102\n"
        ));
    }
    let mut documents = sample();
    let library = Arc::clone(&build(&documents).bundle.models);
    documents.files.insert("rules/personal_loan/many.rules.yaml".to_owned(), Arc::from(text.into_bytes()));
    let started = std::time::Instant::now();
    let built = Built::with(&documents, Kept { library: Some(library), ..Kept::default() });
    let told = told(&built);
    assert!(built.diagnostics.len() >= 10_000 && told.contains("many.rules.yaml:40000:11"));
    // No measurement, but a stop: what is quadratic would take many minutes.
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_to_a_file_makes_a_build_panic(which in 0_usize..4, at in 0_usize..9_000, cut in 0_usize..40, put in "[a-z: \\-\\[\\]{}()|!&\"'#@%0-9.,\n\tü]{0,12}") {
        static SAMPLE: std::sync::OnceLock<(Documents, Arc<ModelLibrary>)> = std::sync::OnceLock::new();
        let (documents, library) = SAMPLE.get_or_init(|| {
            let documents = sample();
            let library = Arc::clone(&build(&documents).bundle.models);
            (documents, library)
        });
        let path = [FLOW, KNOCKOUT, "rules/personal_loan/flow.rhai", "rules/personal_loan/cases/score.yaml"][which];
        let text: Vec<char> = String::from_utf8(documents.files.get(path).unwrap().to_vec()).unwrap().chars().collect();
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        let damaged: String = text[..at].iter().copied().chain(put.chars()).chain(text[end..].iter().copied()).collect();
        let mut documents = documents.clone();
        documents.files.insert(path.to_owned(), Arc::from(damaged.into_bytes()));
        let built = Built::with(&documents, Kept { library: Some(Arc::clone(library)), ..Kept::default() });
        for finding in crate::documents::findings::listed(&built.diagnostics, &built.sources) {
            proptest::prop_assert!(finding.line >= 1 && finding.column >= 1 && finding.file.contains('/'), "{finding:?}");
        }
        let _ = told(&built);
    }
}
