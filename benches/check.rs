//! What it costs to check and load a large bundle: 10,000 rules over 40 inputs and 2,000 thresholds, in sets of 1,000,
//! some under `first`; once as it should be, once with a mistake in each tenth rule; and a table of 8,000 rows, its gaps
//! and hidden rows looked for. `cargo bench --bench check` prints the best of some times, and the memory that the loaded
//! bundle takes. Absent: reading files from disk.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use tollgate::bundle::{Documents, build};
use tollgate::documents::findings::{Colour, rendered};

const SETS: usize = 10;
const RULES: usize = 1_000;
const INPUTS: usize = 40;
const THRESHOLDS: usize = 2_000;

fn main() {
    let good = documents(false);
    let before = resident();
    let built = build(&good);
    println!("memory of the loaded bundle: {} MiB", resident().saturating_sub(before) / 1024 / 1024);
    assert!(!built.has_errors());
    drop(built);
    let times: Vec<Duration> = (0..5).map(|_| timed(|| drop(build(&good)))).collect();
    println!("10,000 rules, nothing wrong: {:?}", times.iter().min().unwrap());
    let bad = documents(true);
    let mut findings = 0;
    let times: Vec<Duration> = (0..3)
        .map(|_| {
            timed(|| {
                let built = build(&bad);
                findings = built.diagnostics.len();
                drop(rendered(&built.diagnostics, &built.sources, Colour::Never));
            })
        })
        .collect();
    println!("10,000 rules, {findings} findings, shown: {:?}", times.iter().min().unwrap());
    let table = table();
    let times: Vec<Duration> = (0..5).map(|_| timed(|| drop(build(&table)))).collect();
    println!("a table of 8,000 rows: {:?}", times.iter().min().unwrap());
    let built = build(&table);
    let coverage = &built.bundle.flow("priced").unwrap().flow.coverage;
    assert!(built.diagnostics.is_empty() && coverage.tables.analysed == 1, "{:?}", built.diagnostics);
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Bytes of this process in memory; 0 where the system does not say.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<usize>().ok()).unwrap_or_default() * 1024
}

fn documents(is_wrong: bool) -> Documents {
    let mut flow = "flow: large\ninputs:\n".to_owned();
    for at in 0..INPUTS {
        let kind = ["integer", "decimal", "number", "{ type: choice, of: [a, b, c] }"][at % 4];
        writeln!(flow, "  input_{at}: {kind}").unwrap();
    }
    flow.push_str("thresholds:\n");
    for at in 0..THRESHOLDS {
        writeln!(flow, "  limit_{at}: {at}").unwrap();
    }
    flow.push_str(
        "outcomes: [approve, decline]\nreasons:\n  R1: { en: A reason }\non_error: { outcome: decline, reason: R1 }\n",
    );
    let mut script = String::new();
    let mut files = Vec::new();
    for set in 0..SETS {
        let policy = if set % 5 == 0 { "first" } else { "collect" };
        let mut text = format!("rule_set: set_{set}\nhit_policy: {policy}\nrules:\n");
        for rule in 0..RULES {
            let at = set * RULES + rule;
            let number = (at * 7) % INPUTS / 4 * 4;
            let choice = (at * 3) % INPUTS / 4 * 4 + 3;
            let name = if is_wrong && at.is_multiple_of(10) { "inptu" } else { "input" };
            let letter = ["a", "b", "c"][at % 3];
            let threshold = at % THRESHOLDS;
            writeln!(
                text,
                "  - id: rule_{rule}\n    when: {name}_{number} > limit_{threshold} && input_{choice} == \"{letter}\" && \
                 input_{} < {at}.5\n    outcome: decline\n    reason: R1",
                number + 1
            )
            .unwrap();
        }
        files.push((format!("rules/large/set_{set}.rules.yaml"), text.into_bytes()));
        writeln!(script, "rules(\"set_{set}\").apply();").unwrap();
    }
    script.push_str("approve();\n");
    files.push(("rules/large/flow.yaml".to_owned(), flow.into_bytes()));
    files.push(("rules/large/flow.rhai".to_owned(), script.into_bytes()));
    Documents::from_files(files)
}

/// 20 by 20 by 20 rows that meet without a gap.
fn table() -> Documents {
    let cell = |at: usize| match at {
        0 => "< 10".to_owned(),
        19 => ">= 190".to_owned(),
        at => format!("{}..{}", at * 10, at * 10 + 10),
    };
    let mut text = "age,income,amount,-> rate\n".to_owned();
    for a in 0..20 {
        for b in 0..20 {
            for c in 0..20 {
                writeln!(text, "{},{},{},0.{:03}", cell(a), cell(b), cell(c), 100 + a + b + c).unwrap();
            }
        }
    }
    let flow = "flow: priced\ninputs:\n  age: integer\n  income: decimal\n  amount: decimal\n\
                outputs:\n  rate: decimal\noutcomes: [approve, decline]\nreasons:\n  R1: { en: A reason }\n\
                on_error: { outcome: decline, reason: R1 }\n";
    let script = "let offer = table(\"pricing\");\nif offer.rate > 0.15 { decline(\"R1\"); return; }\n\
                  approve(#{ rate: offer.rate });\n";
    Documents::from_files([
        ("rules/priced/flow.yaml", flow.as_bytes().to_vec()),
        ("rules/priced/flow.rhai", script.as_bytes().to_vec()),
        ("rules/priced/pricing.table.csv", text.into_bytes()),
    ])
}
