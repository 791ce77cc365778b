//! Rule sets: each rule hits, misses or fails. Evaluating records nothing; `.apply()` does.

use super::Rule;
use super::machine::{Fault, FeatureSlot, Machine, Stop};
use super::tables::check_results;
use super::watch::Site;
use crate::domain::declaration::HitPolicy;
use crate::domain::expression::Expression;
use crate::domain::expression::predicate::Source;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{RecordedBy, RuleResult, RulesTrace, Step};

/// What a rule set found.
#[derive(Debug, Clone, Default)]
pub(super) struct SetResult {
    /// Indices of rules that hit, in file order.
    pub hits: Vec<usize>,
    pub points: i64,
    /// Strictest outcome of the hits.
    pub outcome: Option<u16>,
    /// A rule failed, and no hit already has the strictest outcome.
    pub failed: bool,
    /// The script asked `.failed`, so it may read what there is.
    pub asked_failed: bool,
    /// Which set it was.
    set: usize,
    /// What was handed over: the same call is remembered, another one is not.
    handed: Vec<Value>,
}

impl<'a> Machine<'a> {
    /// Evaluates a set, once a request for the same values handed over; gives the place of its result.
    pub fn rule_set(&mut self, index: u16, takes: &'a [(u16, Expression)], span: Span) -> Result<u16, Stop> {
        let flow = self.flow;
        let nowhere = u16::MAX;
        let Some(set) = flow.rule_sets.get(usize::from(index)) else { return Ok(nowhere) };
        let handed = self.handed(set.takes.iter().map(|(name, kind)| (name, kind)), takes, span)?;
        let index = usize::from(index);
        let known = self.sets.iter().position(|result| result.set == index && result.handed == handed);
        if known.is_none() {
            check_results("rule sets are evaluated", self.sets.len(), span)?;
            let result = self.run_rules(index, handed);
            self.sets.push(result);
        }
        Ok(u16::try_from(known.unwrap_or(self.sets.len().saturating_sub(1))).unwrap_or(nowhere))
    }

    fn run_rules(&mut self, index: usize, handed: Vec<Value>) -> SetResult {
        let flow = self.flow;
        let mut found = SetResult { set: index, handed, ..SetResult::default() };
        let Some(set) = flow.rule_sets.get(index) else { return found };
        let mut results = Vec::with_capacity(set.rules.len());
        let mut any_failed = false;
        for (at, rule) in set.rules.iter().enumerate() {
            let hit = match self.quick(rule) {
                Some(hit) => Ok(hit),
                None => {
                    let position = |at| u16::try_from(at).unwrap_or(u16::MAX);
                    let site = Site::Rule { set: position(index), rule: position(at) };
                    self.at_site(site, |m| {
                        m.framed(found.handed.clone(), rule.frame, |m| m.truth(&rule.condition))
                    })
                }
            };
            let result = match hit {
                Ok(true) => {
                    found.hits.push(at);
                    found.points = found.points.saturating_add(rule.points);
                    found.outcome = found.outcome.max(rule.outcome);
                    RuleResult::Hit
                }
                Ok(false) => RuleResult::Miss,
                Err(stop) => {
                    any_failed = true;
                    self.fail(format!("rule {} in {}", rule.id, set.name), stop, 0);
                    RuleResult::Failed
                }
            };
            results.push(result);
            if set.hit_policy == HitPolicy::First && result != RuleResult::Miss {
                break;
            }
        }
        let strictest = u16::try_from(flow.outcomes.len().saturating_sub(1)).ok();
        found.failed = any_failed && (found.outcome.is_none() || found.outcome != strictest);
        let rules = RulesTrace { labels: set.labels.clone(), results };
        self.trace.push(Step::Rules { name: set.name.clone(), rules, points: found.points });
        found
    }

    /// Whether a rule hits, where that can be told without its tree. Never nearer than its ticks to a moment at which
    /// an evaluation could be stopped: that is the evaluator's.
    #[inline]
    fn quick(&mut self, rule: &Rule) -> Option<bool> {
        let (predicate, most_ticks) = rule.predicate.as_ref()?;
        if self.watch.is_some() || !self.is_quiet_for(*most_ticks) {
            return None;
        }
        let (facts, features) = (&self.facts.values, &self.features);
        let value = |source| match source {
            Source::Input(at) => facts.get(usize::from(at)),
            Source::Feature(at) => match features.get(usize::from(at)) {
                Some(FeatureSlot::Value(value)) => Some(value),
                _ => None,
            },
        };
        let mut ticks = 0;
        let hit = predicate.holds(&value, &mut ticks)?;
        self.ticks += u64::from(ticks);
        Some(hit)
    }

    /// Records what a set found: each hit with an outcome, and `on_error` if it failed.
    pub fn apply_set(&mut self, result: u16, line: u32) {
        let flow = self.flow;
        let Some(found) = self.sets.get(usize::from(result)) else { return };
        let Some(set) = flow.rule_sets.get(found.set) else { return };
        let (hits, failed) = (found.hits.clone(), found.failed);
        for rule in hits.iter().filter_map(|at| set.rules.get(*at)) {
            let Some(outcome) = rule.outcome else { continue };
            let by = RecordedBy::Rule { rule_set: set.name.clone(), rule: rule.id.clone() };
            let reasons = rule.reason.iter().cloned().collect();
            self.record(outcome, reasons, Vec::new(), by, line);
            self.contributed(rule.points);
        }
        if failed {
            self.record_on_error(line);
        }
    }

    /// `.outcome`, `.hits`, … of a set. What failed can be read only after `.failed` was asked.
    pub fn set_property(&mut self, result: u16, name: &Name, span: Span) -> Result<Value, Stop> {
        let flow = self.flow;
        let Some(found) = self.sets.get_mut(usize::from(result)) else { return Ok(Value::Missing) };
        let Some(set) = flow.rule_sets.get(found.set) else { return Ok(Value::Missing) };
        if &**name == "failed" {
            found.asked_failed = true;
            return Ok(Value::Boolean(found.failed));
        }
        if found.failed && !found.asked_failed {
            let detail = format!("reads the result of `{}`, which failed", set.name);
            return Err(Fault::new("failed_step", detail, span).into());
        }
        let found = &*found;
        let texts = |names: Vec<Name>| Value::List(names.into_iter().map(Value::Text).collect());
        let hits = || found.hits.iter().filter_map(|at| set.rules.get(*at));
        Ok(match &**name {
            "outcome" => found
                .outcome
                .and_then(|o| flow.outcomes.get(usize::from(o)))
                .map_or(Value::Missing, |o| Value::Text(o.clone())),
            "is_hit" => Value::Boolean(found.outcome.is_some()),
            "hits" => texts(hits().map(|r| r.id.clone()).collect()),
            "points" => Value::Integer(found.points),
            "reasons" => {
                let mut ranked: Vec<_> = hits().filter(|r| r.reason.is_some()).collect();
                ranked.sort_by_key(|r| std::cmp::Reverse((r.outcome, r.points)));
                let mut codes: Vec<Name> = Vec::new();
                for code in ranked.into_iter().filter_map(|r| r.reason.clone()) {
                    if !codes.contains(&code) {
                        codes.push(code);
                    }
                }
                texts(codes)
            }
            _ => Value::Missing,
        })
    }
}
