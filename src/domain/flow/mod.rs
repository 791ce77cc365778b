//! A flow that cannot be wrong: every name resolved, every type checked. It admits facts and decides; it
//! holds no state, so one flow serves any number of requests at the same time.

mod admit;
mod alike;
mod blocks;
mod compile;
pub mod constants;
pub mod derive;
mod ending;
mod features;
mod lists;
mod machine;
mod model_steps;
mod models;
mod names;
mod needs;
pub mod parts;
mod paths;
pub mod properties;
mod protected;
mod reasons;
pub mod remote;
mod rule_sets;
mod scorecard_compile;
mod scorecards;
mod script;
mod shared;
mod steps;
mod sub_flows;
mod table_compile;
mod table_head;
mod tables;
mod thresholds;
pub mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::analysis::Coverage;
use super::declaration::{HitPolicy, Personal, UnknownInputs};
use super::expression::predicate::{Predicate, Source};
use super::expression::scope::{Threshold, Usage};
use super::expression::typed::Typed;
use super::expression::words::Moment;
use super::expression::{CompiledFunction, Expression};
use super::facts::Facts;
use super::list::List;
use super::model::Model;
use super::place::Span;
use super::scorecard::Scorecard;
use super::table::Table;
use super::value::{Field, Kind, Name, Value};
use super::verdict::{RuleLabel, Verdict};

/// One compiled flow.
#[derive(Debug)]
pub struct Flow {
    pub name: Name,
    pub title: Option<String>,
    pub owner: Option<String>,
    /// Index of the input that says whom the decision is about.
    pub subject: Option<usize>,
    pub time_zone: TimeZone,
    pub inputs: Vec<Input>,
    pub unknown_inputs: UnknownInputs,
    pub features: Vec<Feature>,
    pub thresholds: Vec<(Name, Threshold)>,
    pub models: Vec<ModelUse>,
    pub rule_sets: Vec<RuleSet>,
    pub scorecards: Vec<Scorecard>,
    pub tables: Vec<Table>,
    pub lists: Vec<(Name, Arc<List>)>,
    pub needs: Vec<Need>,
    pub sub_flows: Vec<SubFlow>,
    /// Mildest first.
    pub outcomes: Vec<Name>,
    pub reasons: Vec<Reason>,
    pub outputs: Vec<Output>,
    /// What it claims of all its answers.
    pub properties: Vec<properties::Property>,
    pub on_error: Fallback,
    /// `None`: facts out of range are refused.
    pub on_invalid: Option<Fallback>,
    pub deadline_ms: u64,
    /// Languages that every reason is given in, the first of them where a caller names none of them.
    pub languages: Vec<String>,
    /// `None`: `base`.
    pub market: Option<Name>,
    pub is_market_required: bool,
    /// What of it could be analysed for what can never happen.
    pub coverage: Coverage,
    /// Everything that its conditions, features and script name.
    pub usage: Usage,
    pub(in crate::domain) script: Script,
}

/// What the script may ask the caller for.
#[derive(Debug, Clone)]
pub struct Need {
    pub name: Name,
    /// What the caller answers with, in the declared order.
    pub of: Vec<Input>,
    pub with: BTreeMap<Name, Field>,
    /// The caller may answer `null`: it is then missing, and the script asks.
    pub optional: bool,
}

/// A flow that the script asks.
#[derive(Debug, Clone)]
pub struct SubFlow {
    pub name: Name,
    pub flow: Arc<Flow>,
}

#[derive(Debug, Clone)]
pub struct Input {
    pub name: Name,
    pub kind: Kind,
    pub optional: bool,
    /// Inclusive, in the input's own type.
    pub min: Option<Value>,
    pub max: Option<Value>,
    pub unit: Option<String>,
    pub personal: Personal,
}

#[derive(Debug, Clone)]
pub struct Feature {
    pub name: Name,
    pub typed: Typed,
    /// Inputs, thresholds and earlier features that the formula names.
    pub reads: Arc<[Name]>,
    /// The formula as written.
    pub written: Arc<str>,
    pub(in crate::domain) formula: Expression,
    pub(super) frame: u16,
}

/// A model under the name that the flow gives it.
#[derive(Debug, Clone)]
pub struct ModelUse {
    pub name: Name,
    /// As written: `german_credit@champion`.
    pub reference: String,
    pub model: Arc<Model>,
    /// What stands in for an answer that does not come.
    pub if_it_fails: Option<StandIn>,
    pub(in crate::domain) columns: Vec<Source>,
}

/// What stands in for a model's answer that does not come.
#[derive(Debug, Clone, PartialEq)]
pub enum StandIn {
    /// This answer.
    Answer(Arc<GivenAnswer>),
    /// What another model answers: index into the flow's models.
    Model(u16),
    /// This is recorded, and the script ends where it reads the answer.
    Refer { outcome: u16, reason: Name },
}

#[derive(Debug, Clone)]
pub struct RuleSet {
    pub name: Name,
    pub hit_policy: HitPolicy,
    pub takes: Vec<(Name, Kind)>,
    pub rules: Vec<Rule>,
    /// The rules as traces name them, in the same order.
    pub labels: Arc<[RuleLabel]>,
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub id: Name,
    /// Index into the flow's outcomes.
    pub outcome: Option<u16>,
    pub reason: Option<Name>,
    pub points: i64,
    pub reads: Arc<[Name]>,
    /// The condition as written.
    pub when: String,
    pub(in crate::domain) condition: Expression,
    /// The condition once more, where it only compares names with constants, and the most ticks that it takes.
    pub(super) predicate: Option<(Predicate, u32)>,
    pub(super) frame: u16,
}

#[derive(Debug, Clone)]
pub struct Reason {
    pub code: Name,
    /// Language tag → text.
    pub texts: BTreeMap<String, String>,
    pub is_score: bool,
}

#[derive(Debug, Clone)]
pub struct Output {
    pub name: Name,
    pub kind: Kind,
    pub optional: bool,
    pub min: Option<Value>,
    pub max: Option<Value>,
}

/// What is recorded when something could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// Index into the flow's outcomes.
    pub outcome: u16,
    /// Index into the flow's reasons.
    pub reason: u16,
}

/// `flow.rhai`, compiled.
#[derive(Debug)]
pub(in crate::domain) struct Script {
    pub body: Expression,
    pub frame: u16,
    pub functions: Vec<CompiledFunction>,
    /// Offset at which each line begins.
    pub lines: Vec<u32>,
    /// As written.
    pub text: Arc<str>,
}

impl Script {
    /// 1-based line of a span.
    pub fn line(&self, span: Span) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= span.start)).unwrap_or(u32::MAX)
    }
}

/// What bounds one evaluation.
#[derive(Default)]
pub struct Budget<'a> {
    /// Asked every 256 ticks: true ends the evaluation. The last guard; ticks are the first.
    pub alarm: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// Replay: the tick at which the recorded evaluation was stopped.
    pub stop_at: Option<u64>,
}

impl std::fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("stop_at", &self.stop_at).finish_non_exhaustive()
    }
}

/// Answers that a case pins instead of asking.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pins {
    /// By the name that the flow gives the model.
    pub models: BTreeMap<Name, ModelPin>,
    /// Entries that a list has instead of its own.
    pub lists: BTreeMap<Name, Arc<List>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ModelPin {
    Probability(f64),
    Answer(Arc<GivenAnswer>),
    Fails,
}

/// What is given in the place of a model's answer: by the flow for the case that it fails, or by a case that pins it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenAnswer {
    /// From 0 to 1.
    pub probability: Option<f64>,
    /// What `.score` gives; of a model that gives no probability the answer.
    pub score: Option<f64>,
    pub reasons: Vec<Name>,
    /// By the model's inputs; empty where nothing is said of them.
    pub contributions: BTreeMap<Name, f64>,
}

impl Flow {
    /// Decides one request: pure, and cannot fail; failures are in the verdict.
    #[must_use]
    pub fn decide(&self, facts: &Facts, decided_at: Timestamp, budget: &Budget<'_>) -> Verdict {
        self.decide_with(facts, decided_at, budget, &Pins::default())
    }

    /// As `decide`, with some answers pinned.
    #[must_use]
    pub fn decide_with(
        &self,
        facts: &Facts,
        decided_at: Timestamp,
        budget: &Budget<'_>,
        pins: &Pins,
    ) -> Verdict {
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        machine::Machine::new(self, facts, moment, budget, pins).run()
    }

    /// As `decide_with`, while `watch` looks on: to the same verdict, tick for tick.
    #[must_use]
    pub fn decide_watched(
        &self,
        facts: &Facts,
        decided_at: Timestamp,
        (budget, pins): (&Budget<'_>, &Pins),
        watch: &dyn watch::Watch,
    ) -> Verdict {
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        let mut machine = machine::Machine::new(self, facts, moment, budget, pins);
        machine.watch = Some(watch);
        machine.explains = watch.explains_models();
        machine.run()
    }

    /// The models that it asks, and under `flow.name` those of the flows that it asks.
    #[must_use]
    pub fn model_names(&self) -> Vec<String> {
        let own = self.models.iter().map(|used| used.name.to_string());
        let below = self.sub_flows.iter().flat_map(|sub| {
            let names = sub.flow.model_names().into_iter();
            names.map(|name| format!("{}.{name}", sub.name))
        });
        own.chain(below).collect()
    }

    /// Everything that a failure can name: `feature burden`, `rule heavy in knockout`, `model default_risk`, `table
    /// pricing`, `scorecard application`, `flow.rhai`.
    #[must_use]
    pub fn steps_that_may_fail(&self) -> Vec<String> {
        let rules = self
            .rule_sets
            .iter()
            .flat_map(|set| set.rules.iter().map(|rule| format!("rule {} in {}", rule.id, set.name)));
        let features = self.features.iter().map(|feature| format!("feature {}", feature.name));
        let models = self.models.iter().map(|used| format!("model {}", used.name));
        let tables = self.tables.iter().map(|table| format!("table {}", table.name));
        let cards = self.scorecards.iter().map(|card| format!("scorecard {}", card.name));
        let all = features.chain(rules).chain(models).chain(tables).chain(cards);
        all.chain(["flow.rhai".to_owned()]).collect()
    }

    /// The flows that it asks, and those that they ask.
    #[must_use]
    pub fn all_sub_flows(&self) -> Vec<Name> {
        let below = self.sub_flows.iter().flat_map(|sub| sub.flow.all_sub_flows());
        self.sub_flows.iter().map(|sub| sub.name.clone()).chain(below).collect()
    }

    /// What is personal: inputs, needs, and inputs of every flow that this one asks, directly or by way of others, as
    /// `fraud_check.phone`.
    #[must_use]
    pub fn personal(&self) -> Vec<(Name, Personal)> {
        let inputs = self.inputs.iter().map(|input| (input.name.clone(), input.personal));
        let needs = self.personal_needs().map(|need| (need.clone(), Personal::Mask));
        let below = self.sub_flows.iter().flat_map(|sub| {
            let own = sub.flow.personal().into_iter();
            own.map(|(name, personal)| (Name::from(format!("{}.{name}", sub.name)), personal))
        });
        inputs.chain(needs).chain(below).filter(|(_, personal)| *personal != Personal::No).collect()
    }

    /// Whom the facts are about, as text.
    #[must_use]
    pub fn subject_of(&self, facts: &Facts) -> Option<String> {
        match facts.values.get(self.subject?)? {
            Value::Text(text) => Some(text.to_string()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Decimal(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The reason's text in the first of these languages that it has, else in the first of the flow's own, else in
    /// English, else in any.
    #[must_use]
    pub fn reason_text(&self, code: &str, languages: &[&str]) -> Option<&str> {
        let texts = &self.reasons.iter().find(|r| &*r.code == code)?.texts;
        let own = self.languages.iter().map(String::as_str);
        let found = languages.iter().copied().chain(own).find_map(|language| text_in(texts, language));
        found.or_else(|| texts.get("en")).or_else(|| texts.values().next()).map(String::as_str)
    }
}

/// The text in this language, or in the one that it is a variety of.
fn text_in<'t>(texts: &'t BTreeMap<String, String>, language: &str) -> Option<&'t String> {
    let base = language.split('-').next().unwrap_or(language);
    texts.get(language).or_else(|| texts.get(base))
}

#[cfg(test)]
mod tests;
