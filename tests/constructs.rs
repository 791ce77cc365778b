//! What `show` and `diff` tell of every construct: small documents in, one edit, and exactly the changes that it means.
//! What belongs to others (a shared function that the flow does not call, a comment in a flow that it asks) is not told.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path;

use tollgate::bundle::{
    Documents, FlowDifference, Flows, build, flows_difference, market_difference, read_folder,
};
use tollgate::documents::findings::Colour;
use tollgate::documents::{definitions, difference, outline};
use tollgate::domain::outline::Outline;

const FILES: &[(&str, &str)] = &[
    (
        "rules/loan/flow.yaml",
        "\
flow: loan
languages: [en]
inputs:
  age: { type: integer, min: 0, max: 120 }
  amount: { type: decimal, min: 0 }
  housing: { type: choice, of: [own, rent, free] }
  country: text
  phone: { type: text, personal: mask }
features:
  late: is_late(decided_at)
thresholds: { min_age: 18, low_apr: 0.05 }
needs:
  bureau: { of: { score: { type: integer, min: 0 } }, with: { depth: text } }
outputs: { apr: decimal, fee: decimal }
lists: { blocked_countries: { fold: [case] } }
outcomes: [approve, review, decline]
reasons:
  R1: { en: Too young }
  R2: { en: Blocked }
on_error: { outcome: review, reason: R900 }
",
    ),
    (
        "rules/loan/flow.rhai",
        "\
rules(\"knockout\").apply();
flow(\"fraud\").apply();
let card = scorecard(\"application\");
if card.points < 50 { review(card.reasons, \"R2\"); }
if need(\"bureau\", #{ depth: \"full\" }).score < 400 { decline(\"R2\"); }
approve(#{ apr: table(\"pricing\").apr, fee: table(\"fees\").fee });
",
    ),
    (
        "rules/loan/knockout.rules.yaml",
        "\
rule_set: knockout
rules:
  - { id: young, when: age < min_age && !late, outcome: decline, reason: R1 }
  - { id: from_there, when: country in blocked_countries, outcome: decline, reason: R2 }
  - { id: known_phone, when: phone in blocked_phones, outcome: decline, reason: R2 }
",
    ),
    (
        "rules/loan/pricing.table.csv",
        "\
age,housing,-> apr
< 25,-,0.149
25..40,own,low_apr
25..40,rent|free,0.099
-,-,0.199
",
    ),
    (
        "rules/loan/pricing_mx.table.csv",
        "\
age,housing,-> apr
< 25,-,0.40
-,-,0.50
",
    ),
    (
        "rules/loan/fees.table.yaml",
        "\
table: fees
hit_policy: collect sum
rows:
  - { when: { amount: < 1000 }, then: { fee: 25.50 } }
  - { when: { housing: own }, then: { fee: 10.50 } }
",
    ),
    (
        "rules/loan/application.scorecard.yaml",
        "\
scorecard: application
base_points: 500
characteristics:
  age:
    - { below: 25, points: 5, reason: R1 }
    - { from: 25, below: 60, points: 30 }
    - { otherwise: true, points: 20 }
  housing:
    - { is: own, points: 40 }
    - { otherwise: true, points: 10 }
",
    ),
    ("rules/loan/blocked_countries.list.csv", "entry,note,expires\nXX,war,\nYY,debts,2027-01-31\n"),
    ("rules/loan/blocked_countries_mx.list.csv", "XX\nZZ\n"),
    (
        "rules/loan/markets/mx.yaml",
        "\
market: mx
thresholds: { min_age: 21 }
tables: { pricing: pricing_mx }
lists: { blocked_countries: blocked_countries_mx }
",
    ),
    (
        "rules/fraud/flow.yaml",
        "\
flow: fraud
inputs: { amount: decimal }
thresholds: { most: 9000 }
outcomes: [approve, review]
reasons: { F1: { en: Much } }
on_error: { outcome: review, reason: F1 }
",
    ),
    ("rules/fraud/flow.rhai", "if amount > most { review(\"F1\"); }\napprove();\n"),
    (
        "rules/_shared/hours.rhai",
        "fn is_late(moment) { hour_of(moment) >= closing() }\nfn closing() { 22 }\n",
    ),
    ("rules/_shared/money.rhai", "fn half(x) { x / 2 }\n"),
    ("rules/_shared/shared.yaml", "lists: { blocked_phones: { match: prefix } }\n"),
    ("rules/_shared/blocked_phones.list.csv", "0900\n+49900\n"),
    ("rules/_shared/others.list.csv", "something\n"),
    ("rules/_shared/reasons.yaml", "R900: { en: Needs a look }\nR999: { en: Nobody gives it }\n"),
];

/// One edit: a file, what stands there, and what stands there then. A file that is not there is made of the last.
type Edit<'e> = (&'e str, &'e str, &'e str);

fn flows(edits: &[Edit<'_>]) -> Flows {
    let mut files: BTreeMap<String, String> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for (file, from, to) in edits {
        let text = files.entry(format!("rules/{file}")).or_default();
        assert!(text.contains(from), "{file} has no {from}");
        *text = if text.is_empty() { (*to).to_owned() } else { text.replacen(from, to, 1) };
    }
    let built =
        build(&Documents::from_files(files.into_iter().map(|(path, text)| (path, text.into_bytes()))));
    let said: Vec<_> = built.diagnostics.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    assert!(!built.has_errors(), "{said:?}");
    built.bundle.flows
}

fn text(found: &[FlowDifference]) -> String {
    let mut out = String::new();
    for flow in found {
        out.push_str(&format!("{}\n", flow.flow));
        out.push_str(&difference::text(&flow.changes, "  ", Colour::Never));
        for market in &flow.markets {
            out.push_str(&format!("  {} {}\n", market.market, market.kind.word()));
            out.push_str(&difference::text(&market.changes, "    ", Colour::Never));
        }
    }
    out
}

fn told(edits: &[Edit<'_>]) -> String {
    text(&flows_difference(&flows(&[]), &flows(edits)))
}

#[track_caller]
fn hold(cases: &[(&[Edit<'_>], &str)]) {
    for (edits, expected) in cases {
        assert_eq!(told(edits), *expected, "{edits:?}");
    }
}

const PRICING: &str = "loan/pricing.table.csv";

#[test]
fn rows_are_known_by_what_they_ask() {
    hold(&[
        (
            &[(PRICING, "25..40,rent|free", "40..60,own,0.12\n25..40,rent|free")],
            "loan\n  + pricing, row 3: age 40..60, housing own → apr 0.12\n",
        ),
        (
            &[(PRICING, "25..40,own,low_apr\n", "")],
            "loan\n  - pricing, row 2: age 25..40, housing own → apr low_apr\n",
        ),
        (&[(PRICING, "-,-,0.199", "-,-,0.205")], "loan\n  ~ pricing, row 4, -> apr: 0.199 → 0.205\n"),
        (&[(PRICING, "< 25,-", "<= 25,-")], "loan\n  ~ pricing, row 1, age: < 25 → <= 25\n"),
        (
            &[(
                PRICING,
                "25..40,own,low_apr\n25..40,rent|free,0.099",
                "25..40,rent|free,0.099\n25..40,own,low_apr",
            )],
            "loan\n  ↕ pricing, row 2 moved\
             \n      - row 3: age 25..40, housing rent|free → apr 0.099\
             \n      + row 2: age 25..40, housing rent|free → apr 0.099\n",
        ),
        (&[(PRICING, "< 25,-,0.149\n25..40", "<25 , -, 0.1490\n[25 .. 40)")], ""),
    ]);
}

#[test]
fn columns_and_hit_policies_are_told_of_once() {
    let with_country = "\
age,country,housing,-> apr
< 25,-,-,0.149
25..40,DE,own,low_apr
25..40,-,rent|free,0.099
-,-,-,0.199
";
    let pricing = FILES.iter().find(|(path, _)| path.ends_with(PRICING)).unwrap().1;
    hold(&[
        (&[(PRICING, pricing, with_country)], "loan\n  + column pricing/country: type of what it meets\n"),
        (
            &[("loan/fees.table.yaml", "collect sum", "collect max")],
            "loan\n  ~ table fees, hit policy: collect sum → collect max\n",
        ),
        (
            &[("loan/fees.table.yaml", "amount: < 1000", "amount: <= 1000")],
            "loan\n  ~ fees, row 1, amount: < 1000 → <= 1000\n",
        ),
    ]);
}

#[test]
fn scorecards_are_compared_bin_by_bin() {
    const CARD: &str = "loan/application.scorecard.yaml";
    hold(&[
        (
            &[(CARD, "points: 5, reason", "points: 8, reason")],
            "loan\n  ~ bin application.age, below 25, points: 5 → 8\n",
        ),
        (&[(CARD, "500", "480")], "loan\n  ~ scorecard application, base points: 500 → 480\n"),
        (
            &[(CARD, "points: 20", "points: 20, reason: R2")],
            "loan\n  + bin application.age, otherwise, reason: R2\n",
        ),
        (
            &[(CARD, "below: 60", "below: 65")],
            "loan\n  - bin application.age, from 25 below 60: 30 points\n  + bin application.age, from 25 below 65: 30 points\n",
        ),
        (
            &[(
                CARD,
                "    - { is: own, points: 40 }\n",
                "    - { is: own, points: 40 }\n    - { is: rent, points: 15 }\n",
            )],
            "loan\n  + bin application.housing, is rent: 15 points\n",
        ),
    ]);
}

#[test]
fn entries_are_named_where_they_can_be_of_nobody_and_counted_elsewhere() {
    const COUNTRIES: &str = "loan/blocked_countries.list.csv";
    const PHONES: &str = "_shared/blocked_phones.list.csv";
    hold(&[
        (
            &[(COUNTRIES, "XX,war,\n", "ZA,,\nZB,,\nZC,,\nZD,,\nZE,,\nZF,,\n")],
            "loan\n  - list blocked_countries, entries: 1 entry (XX)\
             \n  + list blocked_countries, entries: 6 entries (ZA, ZB, ZC, ZD, ZE, …)\n",
        ),
        (
            &[(COUNTRIES, "2027-01-31", "2028-01-31")],
            "loan\n  ~ list blocked_countries, expires: 1 entry (YY until 2027-01-31 → until 2028-01-31)\n",
        ),
        (
            &[
                (COUNTRIES, "XX,war,\nYY,debts", "YY,more debts"),
                (COUNTRIES, "2027-01-31\n", "2027-01-31\nxx,,\n"),
            ],
            "",
        ),
        (&[("loan/flow.yaml", "{ fold: [case] }", "{}")], "loan\n  - list blocked_countries, fold: case\n"),
        (
            &[(PHONES, "0900", "0901\n0902")],
            "loan\n  - list blocked_phones, entries: 1 entry\n  + list blocked_phones, entries: 2 entries\n",
        ),
        (
            &[("_shared/shared.yaml", "prefix", "exact")],
            "loan\n  ~ list blocked_phones, match: prefix → exact\n",
        ),
        (&[("_shared/others.list.csv", "something", "something else")], ""),
    ]);
}

#[test]
fn what_is_derived_from_a_person_is_of_a_person() {
    const FLOW: &str = "loan/flow.yaml";
    const COUNTRIES: &str = "loan/blocked_countries.list.csv";
    const SETS: &str = "loan/knockout.rules.yaml";
    let derived: Edit<'_> = (FLOW, "features:\n", "features:\n  line: phone\n  again: line\n");
    let entry: Edit<'_> = (COUNTRIES, "XX,war,\n", "");
    let counted = "loan\n  - list blocked_countries, entries: 1 entry\n";
    let before = flows(&[derived, (SETS, "country in", "again in")]);
    let after = flows(&[derived, (SETS, "country in", "again in"), entry]);
    assert_eq!(text(&flows_difference(&before, &after)), counted);
    let any = "'any([country], |one| one in blocked_countries)'";
    let unclear: Edit<'_> = (SETS, "country in blocked_countries", any);
    assert_eq!(text(&flows_difference(&flows(&[unclear]), &flows(&[unclear, entry]))), counted);
    let named = "loan\n  - list blocked_countries, entries: 1 entry (XX)\n";
    let derived: Edit<'_> = (FLOW, "features:\n", "features:\n  origin: country\n");
    let plain: Edit<'_> = (SETS, "country in", "origin in");
    assert_eq!(text(&flows_difference(&flows(&[derived, plain]), &flows(&[derived, plain, entry]))), named);
}

#[test]
fn of_what_is_shared_only_what_the_flow_uses_counts() {
    const HOURS: &str = "_shared/hours.rhai";
    hold(&[
        (&[(HOURS, "22", "23")], "loan\n  ~ function closing: 22 → 23\n"),
        (
            &[(HOURS, ">= closing", "> closing")],
            "loan\n  ~ function is_late: hour_of(moment) >= closing() → hour_of(moment) > closing()\n",
        ),
        (&[("_shared/money.rhai", "x / 2", "x / 3"), ("_shared/reasons.yaml", "Nobody", "No flow")], ""),
        (
            &[("_shared/reasons.yaml", "Needs a look", "To be looked at")],
            "loan\n  ~ reason R900, en: Needs a look → To be looked at\n",
        ),
    ]);
}

#[test]
fn a_flow_that_asks_a_changed_one_says_so() {
    hold(&[
        (
            &[("fraud/flow.yaml", "most: 9000", "most: 8000")],
            "fraud\n  ~ threshold most: 9000 → 8000\nloan\n  ~ asks fraud, which changed: its own difference says how\n",
        ),
        (&[("fraud/flow.rhai", "approve", "// fine\napprove")], ""),
        (
            &[("loan/flow.rhai", "flow(\"fraud\").apply();\n", "")],
            "loan\n  - script flow.rhai: flow(\"fraud\").apply()\n  - asks fraud\n",
        ),
    ]);
    let (was, is) = (flows(&[]), flows(&[("fraud/flow.yaml", "most: 9000", "most: 8000")]));
    let found = flows_difference(&was, &is);
    let asks = found.last().unwrap().changes.last().unwrap();
    assert_eq!(asks.before.as_deref(), Some(&*was["fraud"].flow_revision));
    assert_eq!(asks.after.as_deref(), Some(&*is["fraud"].flow_revision));
}

#[test]
fn needs_languages_and_markets_are_parts_of_the_contract() {
    const FLOW: &str = "loan/flow.yaml";
    hold(&[
        (
            &[(FLOW, "min: 0 } }, with", "min: 1 } }, with")],
            "loan\n  ~ need bureau, of: score: integer from 0 → score: integer from 1\n",
        ),
        (
            &[(FLOW, "{ score: {", "{ age_of_file: integer, score: {")],
            "loan\n  ~ need bureau, of\n      - score: integer from 0\n      + age_of_file: integer, score: integer from 0\n",
        ),
        (
            &[(FLOW, "languages: [en]\n", "languages: [en]\nmarket: required\n")],
            "loan\n  + flow loan, market: required\n",
        ),
        (&[(FLOW, "languages: [en]\n", "")], "loan\n  - flow loan, languages: en\n"),
    ]);
}

#[test]
fn what_only_a_market_has_stands_under_that_market() {
    hold(&[
        (&[("loan/markets/mx.yaml", "21", "20")], "loan\n  mx changed\n    ~ threshold min_age: 21 → 20\n"),
        (
            &[("loan/pricing_mx.table.csv", "-,-,0.50", "25..40,-,0.45\n-,-,0.50")],
            "loan\n  mx changed\n    + pricing, row 2: age 25..40, housing - → apr 0.45\n",
        ),
        (
            &[("loan/blocked_countries_mx.list.csv", "ZZ\n", "")],
            "loan\n  mx changed\n    - list blocked_countries, entries: 1 entry (ZZ)\n",
        ),
        (&[("loan/markets/at.yaml", "", "market: at\nthresholds: { min_age: 19 }\n")], "loan\n  at added\n"),
        (&[(PRICING, "0.199", "0.205")], "loan\n  ~ pricing, row 4, -> apr: 0.199 → 0.205\n"),
        (
            &[("fraud/markets/mx.yaml", "", "market: mx\nthresholds: { most: 100 }\n")],
            "fraud\n  mx added\nloan\n  mx changed\n    ~ asks fraud, which changed: its own difference says how\n",
        ),
    ]);
    let (was, is) = (flows(&[]), flows(&[("loan/pricing_mx.table.csv", "0.50", "0.55")]));
    let in_mx = market_difference(&was, &is, "mx").unwrap();
    assert_eq!(text(&in_mx), "loan\n  ~ pricing, row 2, -> apr: 0.50 → 0.55\n");
    assert_eq!(market_difference(&was, &is, "base").unwrap(), []);
    assert_eq!(market_difference(&was, &is, "fr"), None);
    let more = flows(&[("loan/markets/at.yaml", "", "market: at\nthresholds: { min_age: 19 }\n")]);
    assert_eq!(text(&market_difference(&was, &more, "at").unwrap()), "loan\n  at added\n");
}

#[test]
fn an_alias_that_moved_is_another_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = |champion: &str| {
        let documents = read_folder(&root.join("rules"), &root.join("models"));
        let files = documents.files.iter().map(|(path, bytes)| {
            let mut bytes = bytes.to_vec();
            if path == "models/german_credit/model.yaml" {
                bytes = format!("aliases: {{ champion: {champion}, challenger: 2 }}\n").into_bytes();
            }
            (path.clone(), bytes)
        });
        build(&Documents::from_files(files.collect::<Vec<_>>())).bundle.flows
    };
    let (was, is) = (built("1"), built("2"));
    let found = flows_difference(&was, &is);
    let loan = found.iter().find(|difference| &*difference.flow == "personal_loan").unwrap();
    let told: Vec<_> =
        loan.changes.iter().map(|c| (c.name.as_str(), c.field.as_deref(), c.after.as_deref())).collect();
    let digest = is["personal_loan"].flow.models[0].model.digest.to_string();
    assert_eq!(
        told,
        [
            ("default_risk", Some("version"), Some("german_credit version 2")),
            ("default_risk", Some("digest"), Some(digest.as_str())),
        ]
    );
    assert!(loan.markets.is_empty(), "told once: {:?}", loan.markets);
}

fn outlined(market: Option<&str>) -> Outline {
    let flows = flows(&[]);
    let loan = &flows["loan"];
    let flow = market.map_or(loan, |market| loan.in_market(market).unwrap());
    Outline::of(&flow.declaration).unwrap()
}

#[test]
fn the_tree_has_every_construct() {
    insta::assert_snapshot!(outline::tree(&outlined(None), Colour::Never));
}

#[test]
fn the_pictures_have_what_the_tree_has() {
    let outline = outlined(Some("mx"));
    let (chart, picture) = (outline::mermaid(&outline), outline::svg(&outline));
    for words in [
        "flow fraud",
        "asked whole",
        "scorecard application",
        "500 base points",
        "need bureau with depth",
        "table pricing",
        "2 rows",
        "min_age",
        "is_late",
        "closing",
    ] {
        assert!(picture.contains(words), "{words}: {picture}");
        assert!(chart.contains(words), "{words}: {chart}");
    }
    let mut ids = Vec::new();
    outline.visit(&mut |node| ids.push(node.id.clone()));
    for id in [
        "flow.fraud",
        "apply.fraud",
        "scorecard.application",
        "need.bureau",
        "table.pricing",
        "fn.is_late/compute.1",
    ] {
        assert!(ids.iter().any(|known| known.starts_with(id)), "{id}: {ids:?}");
    }
}

#[test]
fn the_definitions_have_what_stands_elsewhere() {
    let text = definitions::rhai(&flows(&[])["loan"].declaration);
    for line in [
        "fn is_late(moment: ?) -> ?;",
        "There is `\"fraud\"`.",
        "fn scorecard(name: String, with: Map) -> Map;",
        "const blocked_phones: Array;",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
