//! Lists and `rules/_shared/` through whole bundles: what decides, what is found, what a revision holds.

use std::sync::Arc;

use super::*;
use crate::documents::findings::{Colour, rendered};
use crate::domain::facts::Given;
use crate::domain::flow::Budget;
use crate::domain::verdict::{Step, Verdict};

const FLOW: &str = "\
inputs:
  phone: { type: text, optional: true }
  email: text
  branch: integer
  amount: decimal
outcomes: [approve, review, decline]
on_error: { outcome: review, reason: R900 }
";

/// A bundle of a flow `loan` (and, where a path says so, others) from its files below `rules/`.
fn files(extra: &[(&str, &str)]) -> Documents {
    let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (path, text) in extra {
        let text = if path.ends_with("flow.yaml") {
            let name = path.split('/').next().unwrap();
            format!("flow: {name}\n{FLOW}{text}")
        } else {
            (*text).to_owned()
        };
        all.insert(format!("rules/{path}"), text.into_bytes());
    }
    Documents::from_files(all)
}

const OWN: (&str, &str) =
    ("loan/flow.yaml", "reasons: { R105: { en: Blocked }, R900: { en: A manual look } }\n");
const ASK: (&str, &str) =
    ("loan/flow.rhai", "if is_given(phone) && phone in blocked { decline(\"R105\"); }\napprove();\n");

fn told(built: &Built) -> String {
    rendered(&built.diagnostics, &built.sources, Colour::Never)
}

fn codes(built: &Built) -> Vec<&str> {
    built.diagnostics.iter().map(|d| d.code).collect()
}

fn decide(flow: &FlowRevision, phone: Option<&str>, email: &str, branch: &str) -> Verdict {
    let mut facts = vec![
        ("email".to_owned(), Given::Text(email.to_owned())),
        ("branch".to_owned(), Given::Number(branch.to_owned())),
        ("amount".to_owned(), Given::Text("100.00".to_owned())),
    ];
    facts.extend(phone.map(|phone| ("phone".to_owned(), Given::Text(phone.to_owned()))));
    let facts = flow.flow.admit(&Given::Map(facts)).unwrap();
    flow.flow.decide(&facts, "2026-11-22T12:00:00Z".parse().unwrap(), &Budget::default())
}

#[track_caller]
fn good(documents: &Documents) -> Arc<FlowRevision> {
    let built = build(documents);
    assert_eq!(told(&built), "");
    Arc::clone(built.bundle.flow("loan").unwrap())
}

#[test]
fn a_list_decides_and_the_look_up_is_in_the_trace() {
    let list = ("loan/blocked.list.csv", "entry,note,expires\n0900 1,chargeback,\n0900 2,,2026-11-22\n");
    let flow = good(&files(&[OWN, ASK, list]));
    for (phone, outcome, looked_up) in [
        (Some("0900 1"), "decline", Some(true)),
        (Some("0900 2"), "approve", Some(false)),
        (None, "approve", None),
    ] {
        let verdict = decide(&flow, phone, "a@b.example", "1");
        assert_eq!(&*verdict.outcome, outcome, "{phone:?}");
        let found = verdict.trace.iter().find_map(|step| match step {
            Step::List { name, digest, is_listed } => {
                assert!(&**name == "blocked" && digest.starts_with("sha256:"));
                Some(*is_listed)
            }
            _ => None,
        });
        assert_eq!(found, looked_up);
    }
}

#[test]
fn conditions_features_rows_and_typed_entries_look_up_alike() {
    let flow = (
        "loan/flow.yaml",
        "reasons: { R105: { en: Blocked }, R900: { en: A manual look } }
features:
  is_risky: email in risky && !(branch in branches)
lists:
  risky: { match: domain }
  prefixes: { match: prefix, fold: [case, unicode] }
",
    );
    let rules = (
        "loan/knockout.rules.yaml",
        "rule_set: knockout
rules:
  - { id: risky, when: is_risky, outcome: decline, reason: R105 }
  - { id: premium, when: phone in prefixes, outcome: review, reason: R105 }
  - { id: any, when: 'any([1, 2], |n| n in branches) && amount in amounts', outcome: review, reason: R105 }
",
    );
    let script = ("loan/flow.rhai", "rules(\"knockout\").apply(); approve();");
    let documents = files(&[
        flow,
        rules,
        script,
        ("loan/risky.list.csv", "Mailinator.com\n"),
        ("loan/branches.list.csv", "7\n12\n"),
        ("loan/prefixes.list.csv", "VIP\n"),
        ("loan/amounts.list.csv", "100\n"),
    ]);
    let built = build(&documents);
    assert_eq!(codes(&built), ["T009"], "{}", told(&built));
    let flow = Arc::clone(built.bundle.flow("loan").unwrap());
    for (phone, email, branch, outcome, degraded) in [
        (Some("x"), "jo@eu.mailinator.com", "1", "decline", false),
        (Some("x"), "jo@eu.mailinator.com", "12", "approve", false),
        (Some("ｖｉｐ 1"), "jo@b.example", "1", "review", false),
        // Missing is never `not in the list`: the rule fails.
        (None, "jo@b.example", "1", "review", true),
    ] {
        let verdict = decide(&flow, phone, email, branch);
        assert_eq!((&*verdict.outcome, verdict.degraded), (outcome, degraded), "{:#?}", verdict.failures);
    }
}

#[test]
fn what_is_wrong_with_a_list_is_told_where_it_stands() {
    let typed = ("loan/flow.rhai", "if branch in blocked { decline(\"R105\"); }\napprove();\n");
    for (files_, code, says) in [
        (vec![OWN, typed, ("loan/blocked.list.csv", "12\nx1\n")], "T062", "blocked.list.csv:2:1"),
        (vec![OWN, ASK, ("loan/blocked.list.csv", "12\n\"\"\n")], "B021", "blocked.list.csv:2:2"),
        (
            vec![
                OWN,
                ("loan/flow.rhai", "if count(blocked) > 1 { decline(\"R105\"); } approve();"),
                ("loan/blocked.list.csv", "12\n"),
            ],
            "T060",
            "x in blocked",
        ),
        (
            vec![
                OWN,
                ("loan/flow.rhai", "if (phone == \"\") in blocked { decline(\"R105\"); } approve();"),
                ("loan/blocked.list.csv", "12\n"),
            ],
            "T061",
            "a boolean cannot",
        ),
        (vec![OWN, ASK, ("loan/block.list.csv", "12\n")], "T004", "this flow has a list `block`"),
        (
            vec![OWN, ASK, ("loan/blocked.list.csv", "1\n"), ("_shared/blocked.list.csv", "2\n")],
            "B028",
            "rename",
        ),
        (
            vec![OWN, ("loan/flow.rhai", "approve();"), ("loan/blocked.list.csv", "1\n")],
            "T032",
            "the list `blocked`",
        ),
    ] {
        let built = build(&files(&files_));
        assert!(codes(&built).contains(&code), "{code}: {}", told(&built));
        assert!(told(&built).contains(says), "{says}: {}", told(&built));
    }
}

#[test]
fn lists_as_declared() {
    for (lists, code) in [
        ("lists: { blocked: { managed: true, match: exact, personal: true } }\n", "B003"),
        ("lists: { blocked: { match: cidr } }\n", "B003"),
        ("lists: { blocked: { match: exakt } }\n", "Y011"),
        ("lists: { blocked: { managed: true, mach: exact } }\n", "Y009"),
        ("lists: { blocked: { personal: true } }\n", "B007"),
        ("lists: { blokced: {} }\n", "B027"),
        ("lists: { blocked: { fold: [kase] } }\n", "Y011"),
    ] {
        let flow = ("loan/flow.yaml", format!("{}{lists}", OWN.1));
        let built = build(&files(&[(flow.0, &flow.1), ASK, ("loan/blocked.list.csv", "1\n")]));
        assert!(codes(&built).contains(&code), "{lists} {}", told(&built));
        assert!(built.bundle.flow("loan").is_none(), "{lists}");
    }
}

const SHARED_REASONS: (&str, &str) =
    ("_shared/reasons.yaml", "R900: { en: A manual look }\nR105: { en: Blocked }\nR7: { en: Unused }\n");
const SHARED_LIST: (&str, &str) = ("_shared/blocked.list.csv", "0900 1\n");
const SHARED_SETTINGS: (&str, &str) = ("_shared/shared.yaml", "lists: { blocked: { match: prefix } }\n");
const FUNCTIONS: (&str, &str) =
    ("_shared/money.rhai", "fn over(amount, limit) { amount > limit }\nfn share(a, b) { a / b }\n");
const UNUSED: (&str, &str) = ("_shared/unused.rhai", "fn nobody(x) { x + 1 }\n");
const USER: (&str, &str) =
    ("loan/flow.yaml", "features: { half: 'share(amount, 2)' }\nthresholds: { limit: 49.5 }\n");
const CALLS: (&str, &str) =
    ("loan/flow.rhai", "if over(half, limit) && phone in blocked { decline(\"R105\"); }\napprove();\n");

fn sharing() -> Vec<(&'static str, &'static str)> {
    vec![SHARED_REASONS, SHARED_LIST, SHARED_SETTINGS, FUNCTIONS, UNUSED, USER, CALLS]
}

#[test]
fn what_is_shared_serves_every_flow_and_only_what_one_uses_is_in_its_revision() {
    let mut all = sharing();
    all.push(("other/flow.yaml", ""));
    all.push((
        "other/flow.rhai",
        "if amount > 9 { decline(\"R900\"); } if amount > 5 { review(\"R900\"); } approve();",
    ));
    let built = build(&files(&all));
    assert_eq!(codes(&built), ["T009"], "{}", told(&built));
    let paths = |name: &str| -> Vec<String> {
        let flow = built.bundle.flow(name).unwrap();
        flow.files.iter().map(|file| file.path.replace("rules/", "")).collect()
    };
    assert_eq!(
        paths("loan"),
        [
            "_shared/blocked.list.csv",
            "_shared/money.rhai",
            "_shared/reasons.yaml",
            "_shared/shared.yaml",
            "loan/flow.rhai",
            "loan/flow.yaml",
        ]
    );
    assert_eq!(paths("other"), ["_shared/reasons.yaml", "other/flow.rhai", "other/flow.yaml"]);
    let flow = built.bundle.flow("loan").unwrap();
    assert_eq!(&*decide(flow, Some("0900 12"), "a", "1").outcome, "decline");
    let codes: Vec<&str> = flow.flow.reasons.iter().map(|reason| &*reason.code).collect();
    assert_eq!(codes, ["R900", "R105"], "an unused shared reason is not the flow's");

    let stored: Vec<_> = built.bundle.files().into_iter().map(|file| (file.path, file.bytes)).collect();
    let again =
        rebuild("loan", &stored, Expected::InMarket { market: BASE, flow_revision: &flow.flow_revision })
            .unwrap();
    assert_eq!(decide(&again, Some("0900 12"), "a", "1"), decide(flow, Some("0900 12"), "a", "1"));

    let changed = |path: &str, text: &str| {
        let mut all = all.clone();
        all.retain(|(known, _)| *known != path);
        all.push((path, text));
        build(&files(&all)).bundle
    };
    let unused = changed("_shared/unused.rhai", "fn nobody(x) { x + 2 }\n");
    assert_eq!(unused.revision, built.bundle.revision);
    let list = changed("_shared/blocked.list.csv", "0901\n");
    assert_ne!(list.flow("loan").unwrap().flow_revision, flow.flow_revision);
    assert_eq!(list.flow("other").unwrap().flow_revision, built.bundle.flow("other").unwrap().flow_revision);
}

#[test]
fn a_flow_is_rebuilt_without_the_shared_lists_that_it_does_not_ask() {
    let mut all = sharing();
    all.retain(|(path, _)| *path != "_shared/shared.yaml");
    all.push(("_shared/shared.yaml", "lists: { blocked: { match: prefix }, others: { fold: [case] } }\n"));
    all.push(("_shared/others.list.csv", "somebody\n"));
    let built = build(&files(&all));
    let flow = built.bundle.flow("loan").unwrap();
    let stored: Vec<_> = flow.files.iter().map(|file| (file.path.clone(), Arc::clone(&file.bytes))).collect();
    assert!(stored.iter().all(|(path, _)| !path.ends_with("others.list.csv")), "{stored:?}");
    let again = rebuild("loan", &stored, Expected::Whole(&flow.flow_revision)).unwrap();
    assert_eq!(decide(&again, Some("0900 12"), "a", "1"), decide(flow, Some("0900 12"), "a", "1"));
}

#[test]
fn what_is_wrong_in_a_shared_file_is_said_once_and_breaks_only_who_uses_it() {
    for (path, text, code, breaks) in [
        ("_shared/unused.rhai", "fn nobody(x) { x + }\n", "S001", false),
        ("_shared/unused.rhai", "fn nobody(x) { y }\n", "", false),
        ("_shared/unused.rhai", "let x = 1;\n", "B029", false),
        ("_shared/money.rhai", "fn over(a, b) { a > bb }\nfn share(a, b) { a / b }\n", "T004", true),
        ("_shared/money.rhai", "fn over(a, b) { a > b }\nfn share(a, b) { a / b }\n1 + 1;\n", "B029", true),
        (
            "_shared/money.rhai",
            "fn over(a, b) { decline(\"R105\"); a > b }\nfn share(a, b) { a / b }\n",
            "T001",
            true,
        ),
        ("_shared/more.rhai", "fn over(a, b) { a > b }\n", "B028", true),
        ("_shared/unused.rhai", "fn round(x) { x }\n", "T026", false),
        ("_shared/blocked.list.csv", "0900 1*\n", "B024", true),
        ("_shared/reasons.yaml", "R900: { en: A }\nR105: { en: B }\nR7: {}\n", "Y010", true),
        ("_shared/shared.yaml", "list: {}\n", "Y009", true),
        ("_shared/shared.yaml", "lists: { blocked: { match: prefix }, others: {} }\n", "B027", false),
        ("_shared/notes.yaml", "a: b\n", "B009", false),
    ] {
        let mut all = sharing();
        all.retain(|(known, _)| *known != path);
        all.push((path, text));
        let built = build(&files(&all));
        let found: Vec<&str> = codes(&built).into_iter().filter(|found| *found != "T009").collect();
        assert_eq!(
            found,
            if code.is_empty() { vec![] } else { vec![code] },
            "{path} {text}\n{}",
            told(&built)
        );
        assert_eq!(built.bundle.flow("loan").is_none(), breaks, "{path} {text}\n{}", told(&built));
    }
    // Two flows that use it: still one finding, and both are broken.
    let mut all = sharing();
    all.retain(|(path, _)| *path != "_shared/money.rhai");
    all.push(("_shared/money.rhai", "fn over(a, b) { a > bb }\nfn share(a, b) { a / b }\n"));
    all.push(("other/flow.yaml", ""));
    all.push(("other/flow.rhai", "if over(amount, 5) { review(\"R900\"); } approve();"));
    let built = build(&files(&all));
    assert_eq!(codes(&built).iter().filter(|code| **code == "T004").count(), 1, "{}", told(&built));
    assert_eq!(built.broken_flows().len(), 2);
}

#[test]
fn a_name_that_flow_and_shared_folder_both_declare_is_refused() {
    for (path, text, code) in [
        (
            "loan/flow.yaml",
            "features: { half: 'share(amount, 2)' }\nthresholds: { limit: 49.5 }\nreasons: { R105: { en: B } }\n",
            "B028",
        ),
        (
            "loan/flow.yaml",
            "features: { half: 'share(amount, 2)' }\nthresholds: { limit: 49.5, blocked: 1 }\n",
            "T025",
        ),
        (
            "loan/flow.yaml",
            "features: { half: 'share(amount, 2)' }\nthresholds: { limit: 49.5 }\nlists: { blocked: {} }\n",
            "B027",
        ),
        (
            "loan/flow.rhai",
            "fn over(a, b) { a > b } if over(half, limit) && phone in blocked { decline(\"R105\"); } approve();",
            "T025",
        ),
    ] {
        let mut all = sharing();
        all.retain(|(known, _)| *known != path);
        all.push((path, text));
        let built = build(&files(&all));
        assert!(codes(&built).contains(&code), "{text}\n{}", told(&built));
        assert!(built.bundle.flow("loan").is_none());
    }
}

#[test]
fn every_used_reason_has_a_text_in_every_declared_language() {
    let mut all = sharing();
    all.retain(|(path, _)| *path != "loan/flow.yaml");
    let flow = "features: { half: 'share(amount, 2)' }\nthresholds: { limit: 49.5 }\nlanguages: [en, es]\n";
    all.push(("loan/flow.yaml", flow));
    let built = build(&files(&all));
    // R7 is not used by this flow.
    assert_eq!(codes(&built).iter().filter(|code| **code == "T074").count(), 2, "{}", told(&built));
    all.retain(|(path, _)| *path != "_shared/reasons.yaml");
    all.push(("_shared/reasons.yaml", "R900: { en: A, es: B }\nR105: { en: A, es: B }\nR7: { en: C }\n"));
    assert_eq!(codes(&build(&files(&all))), ["T009"]);
}

#[test]
fn a_reload_takes_unchanged_lists_from_the_build_before() {
    let before = files(&[OWN, ASK, ("loan/blocked.list.csv", "0900 1\n")]);
    let first = build(&before);
    let script = ("loan/flow.rhai", "if phone in blocked { decline(\"R105\"); }\napprove();\n");
    let after = files(&[OWN, script, ("loan/blocked.list.csv", "0900 1\n")]);
    let second = Built::with(&after, Kept { lists: first.lists.clone(), ..Kept::default() });
    let list = |built: &Built| Arc::clone(&built.bundle.flow("loan").unwrap().flow.lists.first().unwrap().1);
    assert!(Arc::ptr_eq(&list(&first), &list(&second)));
    let changed = files(&[OWN, script, ("loan/blocked.list.csv", "0900 2\n")]);
    let third = Built::with(&changed, Kept { lists: second.lists.clone(), ..Kept::default() });
    assert!(!Arc::ptr_eq(&list(&second), &list(&third)));
}

#[test]
fn a_case_pins_the_entries_of_a_list() {
    let cases = (
        "loan/cases/lists.yaml",
        "cases:
  - case: as the file says
    given: { phone: 0900 1, email: a, branch: 1, amount: 5 }
    expect: { outcome: decline }
  - case: an empty list
    given: { phone: 0900 1, email: a, branch: 1, amount: 5 }
    lists: { blocked: [] }
    expect: { outcome: approve }
  - case: another list
    given: { phone: '7', email: a, branch: 1, amount: 5 }
    lists: { blocked: [7] }
    expect: { outcome: decline }
",
    );
    let documents = files(&[OWN, ASK, cases, ("loan/blocked.list.csv", "0900 1\n")]);
    let built = build(&documents);
    assert_eq!(told(&built), "");
    let report = built.flows.get("loan").unwrap();
    let revision = report.revision.as_ref().unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let (results, _) = cases::run(&Name::from("loan"), revision, &report.cases.cases, now);
    assert_eq!((results.len(), cases::rendered(&results).as_str()), (3, ""));
    let unknown = (
        "loan/cases/lists.yaml",
        "cases:\n  - { case: a, given: {}, lists: { blokced: [] }, expect: { outcome: approve } }\n",
    );
    let built = build(&files(&[OWN, ASK, unknown, ("loan/blocked.list.csv", "0900 1\n")]));
    assert_eq!(codes(&built), ["B010"], "{}", told(&built));
}
