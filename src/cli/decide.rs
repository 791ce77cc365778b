//! `tollgate decide FLOW --facts FILE`: one decision, no server and no record; with `--batch FILE` a file of them.
//! Absent on purpose: deciding.

mod batch;
mod markdown;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::explained::{self, Picture};
use super::say::{Say, Trouble};
use super::{check, declared, facts};
use crate::bundle::{Built, Bundle, FlowRevision};
use crate::config::Settings;
use crate::documents::findings::Colour;
use crate::domain::value::Name;
use crate::engine::{self, DecideError, DecideRequest, Decision, TraceLevel};
use crate::gather::Remotes;
use crate::http::{decision_json, problem::Problem};

/// One decision, or a file of them; no server, nothing is recorded.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate decide personal_loan --facts applicant.json
  jq .facts request.json | tollgate decide personal_loan --facts - --trace full --format json
  tollgate decide personal_loan --facts applicant.json --explain
  tollgate decide personal_loan --facts applicant.json --picture way.svg
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
    /// Why: every step with what it read and gave, and what stood in the way of a milder outcome
    #[arg(long)]
    explain: bool,
    /// Draw the way that the decision took: a file that ends with .svg, or with .mmd for Mermaid
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Decide as of this time (RFC 3339); now if left out
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Ask no other server: models that answer elsewhere fail, as their flow says
    #[arg(long)]
    offline: bool,
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
            let (flow, market) = (self.flow.as_str(), self.market.as_deref());
            return self.file.run(flow, market, self.at, settings, say);
        }
        let kind = self.picture.as_deref().map(Picture::of).transpose()?;
        let from = self.facts.as_deref().unwrap_or("-");
        let (facts, offline) = (facts::read(from)?, self.offline);
        let given_in = if from == "-" { "stdin".to_owned() } else { format!("`{from}`") };
        let built = check::read(settings)?;
        let trace = match self.trace {
            Trace::None => TraceLevel::None,
            Trace::Summary => TraceLevel::Summary,
            Trace::Full => TraceLevel::Full,
        };
        let is_explained = self.explain || self.picture.is_some();
        let request = DecideRequest {
            caller: Name::from("local"),
            flow: self.flow,
            market: self.market,
            reference: None,
            facts,
            key: None,
            dry_run: true,
            deadline: None,
            trace: if is_explained { TraceLevel::Full } else { trace },
            languages: Vec::new(),
            trace_context: None,
        };
        let now = self.at.unwrap_or_else(Timestamp::now);
        match decided(&built.bundle, &request, now, offline)? {
            Ok(mut decision) => {
                if let (Some(file), Some(kind)) = (&self.picture, kind) {
                    draw(&decision, &built, (file, kind), say)?;
                }
                if !self.explain && trace != TraceLevel::Full {
                    decision.explanation = None;
                }
                let bytes = decision_json(&decision, trace)
                    .map_err(|error| Trouble::because("the decision cannot be shown", &error))?;
                let shown: serde_json::Value = serde_json::from_slice(&bytes)
                    .map_err(|error| Trouble::because("the decision cannot be shown", &error))?;
                let shown_text = match decision.explanation.as_deref().filter(|_| self.explain) {
                    Some(explanation) => {
                        let flow = decided_by(&built, &decision)?;
                        let tree = explained::text(explanation, &flow, Colour::for_stdout());
                        format!("{tree}\nrevision {}", decision.revision)
                    }
                    None => shown_as_text(&shown),
                };
                say.result(&shown, || shown_text)?;
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
                facts::tell_problems(&problems, say);
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

/// The flow, in its market, that made a decision.
fn decided_by(built: &Built, decision: &Decision) -> Result<Arc<FlowRevision>, Trouble> {
    declared::in_market(&declared::flow(built, &decision.flow)?, Some(&decision.market))
}

fn draw(
    decision: &Decision,
    built: &Built,
    (file, kind): (&Path, Picture),
    say: &Say,
) -> Result<(), Trouble> {
    let Some(explanation) = decision.explanation.as_deref() else { return Ok(()) };
    let drawn = explained::picture(explanation, &*decided_by(built, decision)?, kind)?;
    explained::write(file, &drawn, say)
}

/// Decides here; where the flow asks models on other servers, they are asked.
fn decided(
    bundle: &Bundle,
    request: &DecideRequest,
    now: Timestamp,
    offline: bool,
) -> Result<Result<Decision, DecideError>, Trouble> {
    let flows = bundle.flow(&request.flow).into_iter();
    let mut variants = flows.flat_map(|flow| std::iter::once(flow).chain(flow.markets.values()));
    if offline || !variants.any(|variant| variant.flow.asks_elsewhere()) {
        return Ok(engine::decide_once(bundle, request, now));
    }
    super::wait(async {
        let remotes = Remotes::new(tokio::runtime::Handle::current());
        Ok(engine::decide_asking(bundle, request, now, Some(&remotes)).await)
    })
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
