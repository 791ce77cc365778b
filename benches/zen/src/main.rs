//! The same decision table of 8,000 rows, and the same 14 rules, in Tollgate and in the public zen-engine crate, in one
//! process: `cargo run --release` in this folder. Both get their facts parsed; both are warmed up; the median of 9 runs
//! is shown. Absent on purpose: HTTP, storage, and any claim about other workloads.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use futures_executor::block_on;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tollgate::bundle::{Documents, build};
use tollgate::domain::facts::Given;
use tollgate::domain::flow::{Budget, Flow};
use zen_engine::model::DecisionContent;
use zen_engine::{Decision, DecisionEngine};

const CONTRACT: &str = "
inputs:
  country: { type: text }
  product: { type: choice, of: [p0, p1, p2, p3, p4] }
  score: { type: number }
  amount: { type: number }
outcomes: [approve, decline]
reasons: { R1: { en: No }, R900: { en: Look } }
on_error: { outcome: decline, reason: R900 }
";

/// One row: country, product, band of the score, band of the amount, and the rate.
type Row = (usize, usize, [f64; 2], [usize; 2], String);

fn rows() -> Vec<Row> {
    let mut all = Vec::new();
    for country in 0..40 {
        for product in 0..5 {
            for score in 0..8_u32 {
                for amount in 0..5 {
                    let score_band = [f64::from(score) / 8.0, f64::from(score + 1) / 8.0];
                    let rate = 50 + (country * 7 + product * 3 + score as usize * 11 + amount) % 200;
                    let amount_band = [amount * 2_000, (amount + 1) * 2_000];
                    all.push((country, product, score_band, amount_band, format!("0.{rate:03}")));
                }
            }
        }
    }
    all
}

fn flow(script: &str, file: (&str, String)) -> Arc<Flow> {
    let contract = format!("flow: price{CONTRACT}");
    let documents = [("flow.yaml", contract), ("flow.rhai", script.to_owned()), file];
    let documents =
        documents.map(|(name, text)| (format!("rules/price/{name}"), Arc::<[u8]>::from(text.into_bytes())));
    let built = build(&Documents::from_files(documents.to_vec()));
    Arc::clone(&built.bundle.flow("price").expect("the flow checks").flow)
}

fn our_table() -> Arc<Flow> {
    let mut csv = "country,product,score,amount,-> rate\n".to_owned();
    for (country, product, [low, high], [from, to], rate) in rows() {
        writeln!(csv, "c{country},p{product},{low}..{high},{from}..{to},{rate}").expect("memory");
    }
    flow(r#"if table("pricing").rate > 0.2 { decline("R1"); } approve();"#, ("pricing.table.csv", csv))
}

/// Fourteen conditions, each over one input: field, operator, bound, and the bound as an expression.
const RULES: [(&str, &str, &str); 14] = [
    ("amount", ">", "9000"),
    ("amount", "<", "10"),
    ("amount", ">=", "8500"),
    ("score", ">", "0.9"),
    ("score", ">=", "0.8"),
    ("score", "<", "0.001"),
    ("score", ">", "0.85"),
    ("country", "==", "\"c7\""),
    ("country", "==", "\"c8\""),
    ("country", "==", "\"c9\""),
    ("product", "==", "\"p1\""),
    ("product", "==", "\"p2\""),
    ("amount", ">", "7000"),
    ("score", ">", "0.95"),
];

fn our_rules() -> Arc<Flow> {
    let mut yaml = "rule_set: knockout\nrules:\n".to_owned();
    for (at, (field, operator, bound)) in RULES.iter().enumerate() {
        writeln!(yaml, "  - id: r{at}\n    when: '{field} {operator} {bound}'\n    points: 1")
            .expect("memory");
    }
    flow(r#"if rules("knockout").points > 3 { decline("R1"); } approve();"#, ("knockout.rules.yaml", yaml))
}

fn zen(hit_policy: &str, inputs: &Json, rules: Vec<Json>) -> Decision {
    let content: DecisionContent = serde_json::from_value(json!({
        "nodes": [
            { "id": "in", "name": "request", "type": "inputNode", "content": {} },
            { "id": "table", "name": "table", "type": "decisionTableNode", "content": {
                "hitPolicy": hit_policy, "inputs": inputs, "rules": rules,
                "outputs": [{ "id": "out", "name": "out", "field": "out" }]
            } },
            { "id": "end", "name": "end", "type": "outputNode", "content": {} }
        ],
        "edges": [
            { "id": "a", "sourceId": "in", "targetId": "table" },
            { "id": "b", "sourceId": "table", "targetId": "end" }
        ]
    }))
    .expect("a decision");
    let mut decision = DecisionEngine::default().create_decision(Arc::new(content)).expect("a decision");
    decision.compile();
    decision
}

fn columns(names: &[&str]) -> Json {
    names.iter().map(|name| json!({ "id": name, "name": name, "field": name })).collect()
}

fn zen_table() -> Decision {
    let rules =
        rows().into_iter().enumerate().map(|(at, (country, product, [low, high], [from, to], rate))| {
            json!({
                "_id": format!("r{at}"), "out": rate,
                "country": format!("\"c{country}\""), "product": format!("\"p{product}\""),
                "score": format!("[{low}..{high})"), "amount": format!("[{from}..{to})"),
            })
        });
    zen("first", &columns(&["country", "product", "score", "amount"]), rules.collect())
}

fn zen_rules() -> Decision {
    let rules = RULES.iter().enumerate().map(|(at, (field, operator, bound))| {
        let cell = if *operator == "==" { (*bound).to_owned() } else { format!("{operator} {bound}") };
        json!({ "_id": format!("r{at}"), "out": "1", *field: cell })
    });
    zen("collect", &columns(&["country", "product", "score", "amount"]), rules.collect())
}

/// What callers send, each a little different from the one before.
fn sent() -> Vec<Json> {
    let one = |n: usize| {
        json!({
            "country": format!("c{}", n * 7919 % 40), "product": format!("p{}", n % 5),
            "score": (n * 31 % 1000) as f64 / 1000.0, "amount": n * 6151 % 10_000,
        })
    };
    (0..997).map(one).collect()
}

fn given(json: &Json) -> Given {
    match json {
        Json::Object(fields) => {
            Given::Map(fields.iter().map(|(name, value)| (name.clone(), given(value))).collect())
        }
        Json::String(text) => Given::Text(text.clone()),
        other => Given::Number(other.to_string()),
    }
}

/// Nanoseconds for one call: the median of nine runs over everything sent.
fn measured(count: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
    let sent = sent();
    println!("| what | tollgate | zen-engine 2.1.6 | |\n|---|---|---|---|");
    for (name, flow, decision) in
        [("table of 8,000 rows", our_table(), zen_table()), ("14 rules", our_rules(), zen_rules())]
    {
        let facts: Vec<_> = sent.iter().map(|one| flow.admit(&given(one)).expect("facts")).collect();
        let ours = measured(facts.len(), || {
            for facts in &facts {
                std::hint::black_box(flow.decide(facts, now, &Budget::default()));
            }
        });
        let contexts: Vec<zen_engine::Variable> = sent.iter().map(|one| one.clone().into()).collect();
        let theirs = measured(contexts.len(), || {
            for context in &contexts {
                std::hint::black_box(block_on(decision.evaluate(context.clone())).expect("an answer"));
            }
        });
        agree(name, &flow, &decision, &sent, now);
        println!("| {name} | {:.2} µs | {:.2} µs | {:.1} × |", ours / 1e3, theirs / 1e3, theirs / ours);
    }
}

/// Both have to say the same, or nothing was compared.
fn agree(name: &str, flow: &Flow, decision: &Decision, sent: &[Json], now: Timestamp) {
    for one in sent {
        let facts = flow.admit(&given(one)).expect("facts");
        let verdict = flow.decide(&facts, now, &Budget::default());
        assert!(!verdict.degraded, "{name}: {:?}", verdict.failures);
        let theirs = block_on(decision.evaluate(one.clone().into())).expect("an answer").result.to_value();
        let declined = match &theirs {
            Json::Array(hits) => hits.len() > 3,
            row => row["out"].as_f64().expect("a rate") > 0.2,
        };
        assert_eq!(&*verdict.outcome == "decline", declined, "{name}: {one} {theirs}");
    }
}
