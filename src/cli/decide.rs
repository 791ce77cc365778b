//! `tollgate decide FLOW --facts FILE`: one decision, no server and no record; with `--batch FILE` a file of them.
//! Absent on purpose: deciding.

mod batch;
mod markdown;
mod text;

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::check;
use super::say::{Say, Trouble};
use crate::config::Settings;
use crate::documents::json::{self, JsonLimits};
use crate::domain::value::Name;
use crate::engine::{self, DecideError, DecideRequest, TraceLevel};
use crate::http::{decision_json, problem::Problem};

/// One decision, or a file of them; no server, nothing is recorded.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate decide personal_loan --facts applicant.json
  jq .facts request.json | tollgate decide personal_loan --facts - --trace full --format json
  tollgate decide personal_loan --batch applicants.csv --out decisions.csv
  tollgate decide personal_loan --batch applicants.parquet --label outcome --bad bad --groups sex \\
      --compare ../main --report report.html

Exit codes of a file: 0 every row was decided, 1 some were refused or ask for more, 2 could not run")]
pub(super) struct Decide {
    /// The flow that decides
    flow: String,
    /// The facts: a JSON object; `-` reads stdin
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    facts: Option<String>,
    /// The market; base if left out
    #[arg(long)]
    market: Option<String>,
    /// What is shown of how it came about
    #[arg(long, value_enum, default_value_t = Trace::None)]
    trace: Trace,
    #[command(flatten)]
    file: batch::BatchFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Trace {
    None,
    Summary,
    Full,
}

impl Decide {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        if self.file.is_asked() {
            return self.file.run(&self.flow, self.market.as_deref(), settings, say);
        }
        let from = self.facts.as_deref().unwrap_or("-");
        let facts = read_facts(from)?;
        let given_in = if from == "-" { "stdin".to_owned() } else { format!("`{from}`") };
        let built = check::read(settings)?;
        let trace = match self.trace {
            Trace::None => TraceLevel::None,
            Trace::Summary => TraceLevel::Summary,
            Trace::Full => TraceLevel::Full,
        };
        let request = DecideRequest {
            caller: Name::from("local"),
            flow: self.flow,
            market: self.market,
            reference: None,
            facts,
            key: None,
            dry_run: true,
            deadline: None,
            trace,
            languages: Vec::new(),
        };
        match engine::decide_once(&built.bundle, &request, Timestamp::now()) {
            Ok(decision) => {
                let bytes = decision_json(&decision, trace)
                    .map_err(|error| Trouble::because("the decision cannot be shown", &error))?;
                let shown: serde_json::Value = serde_json::from_slice(&bytes)
                    .map_err(|error| Trouble::because("the decision cannot be shown", &error))?;
                say.result(&shown, || shown_as_text(&shown))?;
                if let Some(need) = decision.needs.first() {
                    say.talk(&format!(
                        "not decided: the flow asks for `{0}`; add `{0}` to the facts in {1}",
                        need.input, given_in
                    ));
                    return Ok(ExitCode::from(1));
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(DecideError::InvalidFacts(problems)) => {
                for problem in &problems {
                    say.talk(&format!("error: {} {}: {}", problem.pointer, problem.code, problem.detail));
                }
                Ok(ExitCode::from(1))
            }
            Err(error) => {
                let problem = Problem::from(error);
                Err(Trouble::new(problem.detail())
                    .help("`tollgate check` says which flows there are and check"))
            }
        }
    }

    /// Whether a file of rows is decided.
    pub(super) fn is_batch(&self) -> bool {
        self.file.is_asked()
    }
}

fn read_facts(from: &str) -> Result<crate::domain::facts::Given, Trouble> {
    let bytes = if from == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(from)
    };
    let unread = |error| Trouble::because(&format!("`{from}` cannot be read"), &error);
    json::parse(&bytes.map_err(unread)?, JsonLimits::default())
        .map_err(|error| Trouble::because(&format!("`{from}` is not JSON"), &error))
}

fn shown_as_text(decision: &serde_json::Value) -> String {
    let word =
        |name: &str| decision.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let needs = decision.get("needs").and_then(serde_json::Value::as_array);
    let mut lines = match needs {
        None => vec![word("outcome")],
        Some(needs) => needs
            .iter()
            .map(|need| {
                let part = |name: &str| need.get(name).cloned().unwrap_or_default();
                format!("needs {} {}", part("input").as_str().unwrap_or_default(), part("with"))
            })
            .collect(),
    };
    for reason in decision.get("reasons").and_then(serde_json::Value::as_array).into_iter().flatten() {
        let part = |name: &str| reason.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        lines.push(format!("  {}  {}", part("code"), part("text")));
    }
    for name in ["output", "scores", "trace"] {
        if let Some(value) =
            decision.get(name).filter(|value| !value.as_object().is_some_and(serde_json::Map::is_empty))
        {
            lines.push(format!("{name}: {value}"));
        }
    }
    if decision.get("degraded").is_some_and(|d| *d == true) {
        lines.push("degraded: something could not be evaluated; `--trace summary` says what".to_owned());
    }
    lines.push(format!("revision {}", word("revision")));
    lines.join("\n")
}
