//! One chunk decided: what each row became, counted and written. What runs on every core; it shares nothing but what it
//! reads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::columns::{Columns, Layout};
use super::rendered::{Part, Renderer};
use super::tally::Tally;
use super::{Asked, Market};
use crate::bundle::BASE;
use crate::documents::rows::{Chunk, Row, Written};
use crate::domain::facts::{FactProblem, Facts};
use crate::domain::flow::{Budget, Flow};
use crate::domain::value::Value;
use crate::domain::verdict::Verdict;

pub(super) struct Worker<'a> {
    pub asked: &'a Asked,
    pub layout: &'a Layout,
    pub columns: &'a Columns,
    /// Rows whose lot is below this are wanted for the sample.
    pub sample_below: Arc<AtomicU64>,
}

/// What a chunk became.
pub(super) struct Done {
    pub part: Part,
    pub tally: Tally,
    /// The first row, and its line, whose label means neither good nor bad.
    pub wrong_label: Option<(u64, Option<u64>)>,
}

/// What one side made of a row.
pub(super) enum State {
    Decided(Box<(Facts, Verdict)>),
    /// It stops there until its caller has given more.
    Needs(Box<(Facts, Verdict)>),
    Refused(Vec<FactProblem>),
}

impl State {
    /// The outcome, or in brackets why there is none.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Decided(decided) => &decided.1.outcome,
            Self::Needs(_) => "(needs)",
            Self::Refused(_) => "(refused)",
        }
    }

    pub(super) fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Decided(decided) => Some(&decided.1),
            Self::Needs(_) | Self::Refused(_) => None,
        }
    }

    pub(super) fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Decided(of) | Self::Needs(of) => Some(&of.0),
            Self::Refused(_) => None,
        }
    }
}

/// A row and what became of it.
pub(super) struct Decided<'r> {
    pub number: u64,
    pub line: Option<u64>,
    pub reference: Option<&'r str>,
    pub market: &'r str,
    pub is_bad: Option<bool>,
    pub groups: &'r [String],
    pub here: &'r State,
    /// The flow that decided here; `None` where the row names no market that there is.
    pub flow: Option<&'r Flow>,
    pub there: Option<&'r State>,
}

impl Worker<'_> {
    pub(super) fn decide(&self, chunk: &Chunk) -> Done {
        let mut tally = Tally::new(self.asked, self.layout);
        let mut renderer = Renderer::new(self.asked);
        let mut wrong_label = None;
        let below = self.sample_below.load(Ordering::Relaxed);
        chunk.each(|row| {
            if wrong_label.is_some() {
                return;
            }
            let beside = self.columns.beside(&row.written);
            let Ok(is_bad) = self.is_bad(&beside.label) else {
                wrong_label = Some((row.number, row.line));
                return;
            };
            let market = match &self.asked.market {
                Market::Fixed(name) => name.as_str(),
                Market::Column(_) => beside.market.as_deref().unwrap_or(BASE),
            };
            let at = self.layout.here.get(market).copied();
            let here = self.state(&row, at);
            let there = self.layout.there.as_ref().map(|there| self.state(&row, there.get(market).copied()));
            let decided = Decided {
                number: row.number,
                line: row.line,
                reference: beside.reference.as_deref(),
                market: if at.is_some() { market } else { "(unknown)" },
                is_bad,
                groups: &beside.groups,
                here: &here,
                flow: at.and_then(|at| self.layout.flows.get(at)).map(|revision| &*revision.flow),
                there: there.as_ref(),
            };
            tally.add(&decided, below);
            renderer.add(&decided, &row);
        });
        Done { part: renderer.part(), tally, wrong_label }
    }

    fn is_bad(&self, label: &str) -> Result<Option<bool>, ()> {
        match (&self.asked.named.bad, label) {
            (_, "") => Ok(None),
            (Some(bad), label) => Ok(Some(label == bad)),
            (None, "bad" | "1" | "true" | "True" | "TRUE") => Ok(Some(true)),
            (None, "good" | "0" | "false" | "False" | "FALSE") => Ok(Some(false)),
            (None, _) => Err(()),
        }
    }

    fn state(&self, row: &Row<'_>, flow: Option<usize>) -> State {
        if let Written::Broken(why) = &row.written {
            return refused("", "unreadable", why.clone());
        }
        let found = flow.and_then(|at| Some((at, self.layout.flows.get(at)?)));
        let Some((at, revision)) = found else {
            return refused("", "unknown_market", "the flow has no such market".to_owned());
        };
        let flow = &revision.flow;
        match flow.admit(&self.columns.facts(&row.written, self.layout, at)) {
            Err(problems) => State::Refused(problems),
            Ok(facts) => {
                let budget = Budget::default();
                let verdict = catch_unwind(AssertUnwindSafe(|| flow.decide(&facts, self.asked.at, &budget)));
                let verdict = verdict.unwrap_or_else(|_| {
                    flow.given_up(&facts, self.asked.at, "the evaluation could not be finished")
                });
                let of = Box::new((facts, verdict));
                if of.1.needs.is_empty() { State::Decided(of) } else { State::Needs(of) }
            }
        }
    }
}

fn refused(pointer: &str, code: &'static str, detail: String) -> State {
    State::Refused(vec![FactProblem { pointer: pointer.to_owned(), code, detail }])
}

/// A value for JSON: decimals, dates and times as texts, as everywhere.
pub(super) fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Missing | Value::Step(_) => Json::Null,
        Value::Boolean(value) => Json::from(*value),
        Value::Integer(value) => Json::from(*value),
        Value::Decimal(value) => Json::from(value.to_string()),
        Value::Number(value) => Json::from(*value),
        Value::Text(value) => Json::from(&**value),
        Value::Date(value) => Json::from(value.to_string()),
        Value::Time(value) => Json::from(value.to_string()),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(name, value)| (name.to_string(), json(value))).collect())
        }
    }
}
