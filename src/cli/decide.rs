//! `tollgate decide FLOW --facts FILE`: one decision, no server and no record. Absent on purpose: deciding.

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::check;
use super::say::{Say, Trouble};
use crate::bundle::Bundle;
use crate::config::Settings;
use crate::documents::json::{self, JsonLimits};
use crate::domain::value::Name;
use crate::engine::{self, DecideError, DecideRequest, Decision, TraceLevel};
use crate::gather::Remotes;
use crate::http::{decision_json, problem::Problem};

/// One decision, no server; nothing is recorded.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate decide personal_loan --facts applicant.json
  jq .facts request.json | tollgate decide personal_loan --facts - --trace full --format json")]
pub(super) struct Decide {
    /// The flow that decides
    flow: String,
    /// The facts: a JSON object; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    facts: String,
    /// The market; base if left out
    #[arg(long)]
    market: Option<String>,
    /// What is shown of how it came about
    #[arg(long, value_enum, default_value_t = Trace::None)]
    trace: Trace,
    /// Ask no other server: models that answer elsewhere fail, as their flow says
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Trace {
    None,
    Summary,
    Full,
}

impl Decide {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let (facts, offline) = (self.read_facts()?, self.offline);
        let given_in = if self.facts == "-" { "stdin".to_owned() } else { format!("`{}`", self.facts) };
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
        match decided(&built.bundle, &request, offline)? {
            Ok(decision) => {
                let bytes = decision_json(&decision, trace)
                    .map_err(|error| Trouble::because("the decision cannot be shown", &error))?;
                let shown: serde_json::Value = serde_json::from_slice(&bytes)
                    .map_err(|error| Trouble::because("the decision cannot be shown", &error))?;
                say.result(&shown, || text(&shown))?;
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

    fn read_facts(&self) -> Result<crate::domain::facts::Given, Trouble> {
        let bytes = if self.facts == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(&self.facts)
        };
        let unread = |error| Trouble::because(&format!("`{}` cannot be read", self.facts), &error);
        json::parse(&bytes.map_err(unread)?, JsonLimits::default())
            .map_err(|error| Trouble::because(&format!("`{}` is not JSON", self.facts), &error))
    }
}

/// Decides here; where the flow asks models on other servers, they are asked.
fn decided(
    bundle: &Bundle,
    request: &DecideRequest,
    offline: bool,
) -> Result<Result<Decision, DecideError>, Trouble> {
    let flows = bundle.flow(&request.flow).into_iter();
    let mut variants = flows.flat_map(|flow| std::iter::once(flow).chain(flow.markets.values()));
    if offline || !variants.any(|variant| variant.flow.asks_elsewhere()) {
        return Ok(engine::decide_once(bundle, request, Timestamp::now()));
    }
    super::wait(async {
        let remotes = Remotes::new(tokio::runtime::Handle::current());
        Ok(engine::decide_asking(bundle, request, Timestamp::now(), Some(&remotes)).await)
    })
}

fn text(decision: &serde_json::Value) -> String {
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
