//! The one evaluator: conditions, features and scripts run here, tick by tick, under one budget. It computes
//! and remembers; it reads no clock, and nothing outside of the flow and the facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::model_steps::ModelResult;
use super::remote::{Known, ModelAsked};
use super::rule_sets::SetResult;
use super::scorecards::CardResult;
use super::steps::{AskedScore, Recorded};
use super::sub_flows::SubFlowResult;
use super::tables::TableResult;
use super::watch::{Site, Watch};
use super::{Budget, Flow, Pins};
use crate::domain::expression::operators::{self, Impossible};
use crate::domain::expression::words::{self, Moment};
use crate::domain::expression::{Code, Expression};
use crate::domain::facts::Facts;
use crate::domain::place::Span;
use crate::domain::script::limits;
use crate::domain::value::{StepHandle, Value};
use crate::domain::verdict::{Failure, NeedAsked, Step};

/// Ticks between two looks at the wall-clock guard.
const TICKS_BETWEEN_ALARMS: u64 = 256;

/// Why evaluation left the ordinary path.
#[derive(Debug)]
pub(super) enum Stop {
    Fault(Box<Fault>),
    Break,
    Continue,
    Return(Value),
    /// The caller has to give this first. Nothing catches it, and nothing has failed.
    Needs(Box<NeedAsked>),
    /// Other servers have to answer first. Nothing catches it, and nothing has failed.
    Gathers,
    /// A model did not answer, and what is recorded then is recorded: the script ends. Nothing catches it.
    Referred,
}

/// Something that could not be evaluated, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub code: &'static str,
    pub detail: String,
    pub span: Span,
}

impl Fault {
    pub fn new(code: &'static str, detail: impl Into<String>, span: Span) -> Self {
        Self { code, detail: detail.into(), span }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

/// How far a feature has come.
#[derive(Debug, Clone)]
pub(super) enum FeatureSlot {
    Unread,
    Value(Value),
    Failed,
}

/// One evaluation of one flow.
pub(super) struct Machine<'a> {
    pub flow: &'a Flow,
    pub facts: &'a Facts,
    pub moment: Moment,
    pub budget: &'a Budget<'a>,
    pub pins: &'a Pins,
    pub watch: Option<&'a dyn Watch>,
    /// Every model is explained, whether the script asks or not.
    pub(super) explains: bool,
    pub known: Known<'a>,
    /// What has to be asked of other servers.
    pub wanted: Vec<ModelAsked>,
    /// Something stood in for an answer from another server.
    pub fell_back: bool,
    /// Where what is evaluated now stands.
    pub(super) site: Site,
    pub ticks: u64,
    /// No tick before this one can stop the evaluation.
    quiet_until: u64,
    pub stopped_at: Option<u64>,
    pub(super) depth: usize,
    locals: Vec<Value>,
    base: usize,
    pub features: Vec<FeatureSlot>,
    /// In the order evaluated; a set stands here once for each different call.
    pub sets: Vec<SetResult>,
    pub models: Vec<Option<ModelResult>>,
    /// In the order evaluated, each once for each different call.
    pub tables: Vec<TableResult>,
    pub cards: Vec<CardResult>,
    /// Models and scorecards, in the order asked.
    pub asked: Vec<AskedScore>,
    /// In the order asked; a sub-flow stands here once for each different call.
    pub sub_flows: Vec<SubFlowResult>,
    pub records: Vec<Recorded>,
    /// What the caller was asked for: each need once.
    pub needs: Vec<NeedAsked>,
    /// What of it the caller still has to give.
    pub open: Vec<NeedAsked>,
    pub trace: Vec<Step>,
    pub failures: Vec<Failure>,
}

pub(super) type Outcome<T> = Result<T, Stop>;

impl<'a> Machine<'a> {
    pub fn new(
        flow: &'a Flow,
        facts: &'a Facts,
        moment: Moment,
        budget: &'a Budget<'a>,
        pins: &'a Pins,
    ) -> Self {
        Self {
            flow,
            facts,
            moment,
            budget,
            pins,
            watch: None,
            explains: false,
            known: Known::Offline,
            wanted: Vec::new(),
            fell_back: false,
            site: Site::Script,
            ticks: 0,
            quiet_until: 0,
            stopped_at: None,
            depth: 0,
            locals: Vec::new(),
            base: 0,
            features: vec![FeatureSlot::Unread; flow.features.len()],
            sets: Vec::new(),
            models: vec![None; flow.models.len()],
            tables: Vec::new(),
            cards: Vec::new(),
            asked: Vec::new(),
            sub_flows: Vec::new(),
            records: Vec::new(),
            needs: Vec::new(),
            open: Vec::new(),
            trace: Vec::with_capacity(16),
            failures: Vec::new(),
        }
    }

    /// Counts one tick; the budget's end and the wall-clock guard stop everything.
    pub(super) fn tick(&mut self, span: Span) -> Outcome<()> {
        self.ticks += 1;
        if self.stopped_at.is_some() {
            return Err(Fault::new("out_of_time", "the evaluation was stopped", span).into());
        }
        if self.ticks > limits::OPERATIONS {
            return Err(Fault::new("out_of_budget", "more than 100,000 operations", span).into());
        }
        let late =
            self.ticks.is_multiple_of(TICKS_BETWEEN_ALARMS) && self.budget.alarm.is_some_and(|alarm| alarm());
        if late || self.budget.stop_at == Some(self.ticks) {
            self.stopped_at = Some(self.ticks);
            return Err(Fault::new("out_of_time", "the evaluation was stopped", span).into());
        }
        Ok(())
    }

    /// Whether nothing can stop the evaluation within this many ticks.
    #[inline]
    pub(super) fn is_quiet_for(&mut self, ticks: u32) -> bool {
        let end = self.ticks + u64::from(ticks);
        if end < self.quiet_until {
            return true;
        }
        let alarm = (self.ticks / TICKS_BETWEEN_ALARMS + 1) * TICKS_BETWEEN_ALARMS;
        let stop = self.budget.stop_at.filter(|at| *at > self.ticks).unwrap_or(u64::MAX);
        self.quiet_until =
            if self.stopped_at.is_some() { 0 } else { alarm.min(stop).min(limits::OPERATIONS) };
        end < self.quiet_until
    }

    /// Runs `inner` on a fresh frame of locals that begins with `arguments`.
    pub fn framed<T>(&mut self, arguments: Vec<Value>, frame: u16, inner: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.base;
        self.base = self.locals.len();
        self.locals.extend(arguments);
        self.locals.resize(self.base + usize::from(frame), Value::Missing);
        let result = inner(self);
        self.locals.truncate(self.base);
        self.base = outer;
        result
    }

    pub(super) fn set(&mut self, local: u16, value: Value) {
        if let Some(slot) = self.locals.get_mut(self.base + usize::from(local)) {
            *slot = value;
        }
    }

    /// A value that is there.
    pub fn value(&mut self, expression: &'a Expression) -> Outcome<Value> {
        let value = self.evaluate(expression)?;
        if matches!(value, Value::Missing) { Err(self.missing(expression).into()) } else { Ok(value) }
    }

    fn missing(&self, expression: &Expression) -> Fault {
        let detail = match &expression.code {
            Code::Input(at) => {
                let name = self.flow.inputs.get(usize::from(*at)).map_or("an input", |i| &*i.name);
                format!("reads `{name}`, which was not given")
            }
            Code::Property { name, .. } => format!("reads `{name}`, which was not given"),
            _ => "reads something that was not given".to_owned(),
        };
        Fault::new("missing_value", detail, expression.span)
    }

    /// A value that can be had without any work, so that comparisons need not copy it.
    fn at_hand(&self, expression: &'a Expression) -> Option<&'a Value> {
        match &expression.code {
            Code::Input(at) => {
                self.facts.values.get(usize::from(*at)).filter(|v| !matches!(v, Value::Missing))
            }
            Code::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Runs a statement; what it gives is dropped.
    pub fn statement(&mut self, expression: &'a Expression) -> Outcome<()> {
        self.evaluate(expression).map(drop)
    }

    pub fn truth(&mut self, expression: &'a Expression) -> Outcome<bool> {
        match self.value(expression)? {
            Value::Boolean(truth) => Ok(truth),
            other => Err(wrong_type(expression, "a condition", &other)),
        }
    }

    pub(super) fn evaluate(&mut self, expression: &'a Expression) -> Outcome<Value> {
        let result = self.evaluate_unwatched(expression);
        if self.watch.is_some() {
            return self.show(expression, result);
        }
        result
    }

    fn evaluate_unwatched(&mut self, expression: &'a Expression) -> Outcome<Value> {
        self.tick(expression.span)?;
        let impossible = |i: Impossible| Stop::from(Fault::new(i.code, i.detail, expression.span));
        Ok(match &expression.code {
            Code::Constant(value) => value.clone(),
            Code::Literal { number, .. } => Value::Number(*number),
            Code::Input(at) => self.facts.values.get(usize::from(*at)).cloned().unwrap_or(Value::Missing),
            Code::Feature(at) => return self.feature(*at, expression.span),
            Code::Local(at) | Code::Named { local: at, .. } => {
                self.locals.get(self.base + usize::from(*at)).cloned().unwrap_or(Value::Missing)
            }
            Code::Today => Value::Date(self.moment.today()),
            Code::DecidedAt => Value::Time(self.moment.decided_at),
            Code::Compare(operator, sides) => {
                let [left, right] = &**sides;
                return self.compare(*operator, left, right, expression.span);
            }
            Code::Arithmetic(operator, sides) => {
                let [left, right] = &**sides;
                let (left, right) = self.pair(left, right)?;
                let result = operators::arithmetic(*operator, &left, &right).map_err(impossible)?;
                return self.bounded(result, expression.span);
            }
            Code::Exact(of) => match self.evaluate(of)? {
                Value::Integer(whole) => Value::Decimal(Decimal::from(whole)),
                other => other,
            },
            Code::Not(of) => Value::Boolean(!self.truth(of)?),
            Code::Negate(of) => operators::negated(&self.value(of)?).map_err(impossible)?,
            Code::And(parts) => {
                for part in parts {
                    if !self.truth(part)? {
                        return Ok(Value::Boolean(false));
                    }
                }
                Value::Boolean(true)
            }
            Code::Or(parts) => {
                for part in parts {
                    if self.truth(part)? {
                        return Ok(Value::Boolean(true));
                    }
                }
                Value::Boolean(false)
            }
            Code::Coalesce(parts) => {
                let mut found = Value::Missing;
                for part in parts {
                    found = self.evaluate(part)?;
                    if !matches!(found, Value::Missing) {
                        break;
                    }
                }
                found
            }
            Code::IsGiven(of) => Value::Boolean(!matches!(self.evaluate(of)?, Value::Missing)),
            Code::In(sides) => {
                let [item, collection] = &**sides;
                let (item, collection) = self.pair(item, collection)?;
                self.walked(&collection, expression.span)?;
                Value::Boolean(operators::contains(&collection, &item).map_err(impossible)?)
            }
            Code::Word(word, arguments) => {
                let values = self.arguments(arguments)?;
                for value in &values {
                    self.walked(value, expression.span)?;
                }
                words::call(*word, &values, &self.moment).map_err(impossible)?
            }
            _ => return self.evaluate_rarer(expression),
        })
    }

    /// The rest of the tree, apart so that the common path stays small.
    fn evaluate_rarer(&mut self, expression: &'a Expression) -> Outcome<Value> {
        Ok(match &expression.code {
            Code::List(items) => {
                let list = Value::List(self.values(items)?.into());
                return self.bounded(list, expression.span);
            }
            Code::Map(entries) => {
                let mut map = BTreeMap::new();
                for (name, value) in entries {
                    map.insert(name.clone(), self.value(value)?);
                }
                return self.bounded(Value::Map(Arc::new(map)), expression.span);
            }
            Code::Interpolated(parts) => self.interpolated(parts, expression.span)?,
            Code::Range { from, to, inclusive } => self.range(from, to, *inclusive)?,
            Code::OverList { word, list, row, of, nothing } => {
                return self.over_list((*word, nothing), list, *row, of.as_deref(), expression.span);
            }
            Code::Call { function, arguments } => return self.call(*function, arguments, expression.span),
            Code::Property { of, name } => {
                // What a missing map would hold is missing too: whoever needs it there fails on that.
                return match self.evaluate(of)? {
                    Value::Missing => Ok(Value::Missing),
                    of => self.property(&of, name, expression.span),
                };
            }
            Code::Index(sides) => {
                let [of, index] = &**sides;
                let (of, index) = (self.value(of)?, self.value(index)?);
                return self.index(&of, &index, expression.span);
            }
            Code::RuleSet { index, takes } => {
                let result = self.rule_set(*index, takes, expression.span)?;
                Value::Step(StepHandle::RuleSet(result))
            }
            Code::Model(index) => {
                self.model(*index);
                Value::Step(StepHandle::Model(*index))
            }
            Code::Scorecard { index, takes } => return self.scorecard(*index, takes, expression.span),
            Code::Table { index, takes } => return self.table(*index, takes, expression.span),
            Code::SubFlow { index, takes } => return self.sub_flow(*index, takes, expression.span),
            Code::Need { index, with } => return self.need(*index, with, expression.span),
            Code::InList { item, list } => return self.in_list(item, *list, expression.span),
            Code::Apply(_) | Code::Verb { .. } if self.is_silent(expression) => Value::Missing,
            Code::Apply(of) => {
                let of = self.value(of)?;
                return self.apply(&of, expression.span);
            }
            Code::Verb { outcome, reasons, output } => {
                return self.verb(*outcome, reasons, output, expression.span);
            }
            Code::Block(body) => {
                let mut last = Value::Missing;
                for statement in body {
                    last = self.evaluate(statement)?;
                }
                last
            }
            Code::If { condition, then, otherwise } => {
                return if self.truth(condition)? { self.evaluate(then) } else { self.evaluate(otherwise) };
            }
            Code::Switch { on, arms } => return self.switch(on, arms),
            Code::Set { local, value } => return self.assign(*local, value),
            Code::While { condition, body } => self.repeat(condition.as_deref(), body)?,
            Code::For { item, counter, over, body } => self.each(*item, *counter, over, body)?,
            Code::Break => return Err(Stop::Break),
            Code::Continue => return Err(Stop::Continue),
            Code::Return(value) => return self.leave(value.as_deref()),
            _ => Value::Missing,
        })
    }

    fn compare(
        &mut self,
        operator: crate::domain::script::syntax::Operator,
        left: &'a Expression,
        right: &'a Expression,
        span: Span,
    ) -> Outcome<Value> {
        let result = match (self.at_hand(left), self.at_hand(right)) {
            (Some(a), Some(b)) => {
                if self.watch.is_some() {
                    self.show_at_hand(left, a);
                    self.show_at_hand(right, b);
                }
                self.walked(a, span)?;
                operators::comparison(operator, a, b)
            }
            _ => {
                let (a, b) = self.pair(left, right)?;
                self.walked(&a, span)?;
                operators::comparison(operator, &a, &b)
            }
        };
        result.map(Value::Boolean).map_err(|i| Fault::new(i.code, i.detail, span).into())
    }

    /// Both sides of an operator; a literal beside a decimal is read as one.
    fn pair(&mut self, left: &'a Expression, right: &'a Expression) -> Outcome<(Value, Value)> {
        let (mut a, mut b) = (self.value(left)?, self.value(right)?);
        match (left.code.as_written(), right.code.as_written()) {
            (_, Some(decimal)) if matches!(a, Value::Decimal(_)) => b = Value::Decimal(decimal),
            (Some(decimal), _) if matches!(b, Value::Decimal(_)) => a = Value::Decimal(decimal),
            _ => {}
        }
        Ok((a, b))
    }

    pub(super) fn values(&mut self, all: &'a [Expression]) -> Outcome<Vec<Value>> {
        all.iter().map(|one| self.value(one)).collect()
    }

    /// Arguments of a word; literals beside a decimal are read as decimals.
    fn arguments(&mut self, all: &'a [Expression]) -> Outcome<Vec<Value>> {
        let mut values = self.values(all)?;
        if values.iter().any(|v| matches!(v, Value::Decimal(_))) {
            for (value, expression) in values.iter_mut().zip(all) {
                if let Some(decimal) = expression.code.as_written() {
                    *value = Value::Decimal(decimal);
                }
            }
        }
        Ok(values)
    }

    /// Notes a failed step once, in the trace and among the failures.
    pub fn fail(&mut self, step: String, stop: Stop, line: u32) {
        let Stop::Fault(fault) = stop else { return };
        let failure = Failure { code: fault.code, step, line, detail: fault.detail };
        self.trace.push(Step::Failed(failure.clone()));
        self.failures.push(failure);
    }
}

pub(super) fn wrong_type(expression: &Expression, expected: &str, got: &Value) -> Stop {
    let detail = format!("{expected} was expected, not {}", got.type_word());
    Fault::new("wrong_type", detail, expression.span).into()
}
