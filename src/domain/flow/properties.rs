//! Properties: what a flow claims of all its answers, compiled and held against single answers. Absent on purpose:
//! finding the facts for which they do not hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::compile::Build;
use super::machine::{Machine, Stop};
use super::{Budget, Flow, Input, Need, Pins};
use crate::domain::declaration::{ClaimDeclaration, NeverDeclaration, PropertyDeclaration};
use crate::domain::expression::operators;
use crate::domain::expression::words::Moment;
use crate::domain::expression::{Code, Expression};
use crate::domain::facts::Facts;
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Place};
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Field, Kind, Name, Value};
use crate::domain::verdict::Verdict;

/// Where a condition finds the outcome: the first of what it is handed.
const OUTCOME: u16 = 0;

/// One property of a flow.
#[derive(Debug, Clone)]
pub struct Property {
    pub claim: Claim,
    pub why: Option<String>,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum Claim {
    Monotone {
        more: Subject,
        never: Never,
    },
    Always {
        when: Option<Condition>,
        always: Condition,
    },
    /// Indices of inputs.
    Ignores(Vec<u16>),
}

/// What there may be more of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An input or a need, and the way into it.
    Fact(Vec<Name>),
    /// What a model answers.
    Model(Name),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Never {
    Stricter,
    Milder,
    Higher(Name),
    Lower(Name),
}

/// A condition over facts, features and the answer.
#[derive(Debug, Clone)]
pub struct Condition {
    pub text: String,
    expression: Expression,
    frame: u16,
}

/// What a condition says of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Holds,
    /// It does not hold.
    Broken,
    /// Something that it reads is not there.
    Silent,
    /// It cannot be evaluated: why.
    Failed(String),
}

impl Condition {
    pub(in crate::domain) fn expression(&self) -> &Expression {
        &self.expression
    }

    /// `outcome == "decline"` and nothing else: that outcome.
    pub(in crate::domain) fn outcome_that_is_claimed(&self) -> Option<&Name> {
        let Code::Compare(Operator::Equal, sides) = &self.expression.code else { return None };
        let [left, right] = &**sides;
        match (&left.code, &right.code) {
            (Code::Local(OUTCOME), Code::Constant(Value::Text(name)))
            | (Code::Constant(Value::Text(name)), Code::Local(OUTCOME)) => Some(name),
            _ => None,
        }
    }

    /// Whether it reads `outcome`, `output` or `score`, or has values of its own.
    pub(in crate::domain) fn reads_the_answer(&self) -> bool {
        fn reads(expression: &Expression) -> bool {
            matches!(expression.code, Code::Local(_) | Code::Named { .. })
                || expression.children().into_iter().any(reads)
        }
        reads(&self.expression)
    }
}

impl Property {
    /// As an analyst would write it.
    #[must_use]
    pub fn text(&self, flow: &Flow) -> String {
        match &self.claim {
            Claim::Monotone { more, never } => {
                let more = match more {
                    Subject::Fact(path) => path.iter().map(|part| &**part).collect::<Vec<_>>().join("."),
                    Subject::Model(name) => name.to_string(),
                };
                let never = match never {
                    Never::Stricter => "stricter".to_owned(),
                    Never::Milder => "milder".to_owned(),
                    Never::Higher(output) => format!("a higher {output}"),
                    Never::Lower(output) => format!("a lower {output}"),
                };
                format!("more {more}, never {never}")
            }
            Claim::Always { when: None, always } => format!("always {}", always.text),
            Claim::Always { when: Some(when), always } => {
                format!("when {}, always {}", when.text, always.text)
            }
            Claim::Ignores(inputs) => {
                let names: Vec<&str> =
                    inputs.iter().filter_map(|at| Some(&*flow.inputs.get(usize::from(*at))?.name)).collect();
                format!("ignores {}", names.join(", "))
            }
        }
    }
}

impl Build<'_> {
    pub(super) fn properties(&mut self, inputs: &[Input], needs: &[Need]) -> Vec<Property> {
        let declared = &self.declaration.properties;
        let known = Known { inputs, needs };
        // They say what must be, and decide nothing: what is protected may be named.
        let protected = std::mem::take(&mut self.scope.protected);
        let all = declared.iter().filter_map(|property| self.property(property, &known)).collect();
        self.scope.protected = protected;
        all
    }

    fn property(&mut self, declared: &PropertyDeclaration, known: &Known<'_>) -> Option<Property> {
        let claim = match &declared.claim {
            ClaimDeclaration::Monotone { more, never } => {
                let subject = self.subject_of(more, known);
                let never = self.never(never);
                Claim::Monotone { more: subject?, never: never? }
            }
            ClaimDeclaration::Always { when, always } => {
                let when = when.as_ref().map(|when| self.claimed(when));
                let always = self.claimed(always);
                Claim::Always { when, always }
            }
            ClaimDeclaration::Ignores(names) => {
                let found = names.iter().map(|name| self.ignored(name, known));
                let found: Vec<Option<u16>> = found.collect();
                Claim::Ignores(found.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(Property { claim, why: declared.why.clone(), place: declared.place })
    }

    fn ignored(&mut self, name: &Located<String>, known: &Known<'_>) -> Option<u16> {
        let at = known.inputs.iter().position(|input| *input.name == *name.value);
        if at.is_none() {
            let names: Vec<&str> = known.inputs.iter().map(|input| &*input.name).collect();
            self.unknown_in_property(name, "input", &names);
        }
        at.and_then(|at| u16::try_from(at).ok())
    }

    fn subject_of(&mut self, name: &Located<String>, known: &Known<'_>) -> Option<Subject> {
        let path: Vec<Name> = name.value.split('.').map(Name::from).collect();
        let first = path.first()?;
        if path.len() == 1 && self.scope.models.iter().any(|model| model.name == *first) {
            return Some(Subject::Model(first.clone()));
        }
        let Some(kind) = known.kind(&path) else {
            let inputs = known.inputs.iter().map(|input| &*input.name);
            let needs = known.needs.iter().map(|need| &*need.name);
            let models: Vec<Name> = self.scope.models.iter().map(|model| model.name.clone()).collect();
            let names: Vec<&str> = inputs.chain(needs).chain(models.iter().map(|name| &**name)).collect();
            self.unknown_in_property(name, "input, need or model", &names);
            return None;
        };
        let has_order = matches!(
            kind,
            Kind::Boolean | Kind::Integer | Kind::Decimal | Kind::Number | Kind::Date | Kind::Time
        );
        if !has_order {
            let message = format!("there is no more and less of `{}`: it is a {}", name.value, kind.word());
            let help = "name a number, a date, a time or a boolean; `ignores:` takes every type";
            self.error("T111", name, message, Some(help.to_owned()));
            return None;
        }
        Some(Subject::Fact(path))
    }

    fn never(&mut self, never: &NeverDeclaration) -> Option<Never> {
        let (output, is_higher) = match never {
            NeverDeclaration::Stricter => return Some(Never::Stricter),
            NeverDeclaration::Milder => return Some(Never::Milder),
            NeverDeclaration::Higher(output) => (output, true),
            NeverDeclaration::Lower(output) => (output, false),
        };
        let Some(found) = self.scope.outputs.iter().find(|known| *known.name == *output.value).cloned()
        else {
            let names: Vec<Name> = self.scope.outputs.iter().map(|known| known.name.clone()).collect();
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            self.unknown_in_property(output, "output", &names);
            return None;
        };
        if !matches!(found.kind, Kind::Integer | Kind::Decimal | Kind::Number | Kind::Date | Kind::Time) {
            let message =
                format!("no `{}` is higher than another: it is a {}", output.value, found.kind.word());
            let help = "name an output that is a number, a date or a time".to_owned();
            self.error("T111", output, message, Some(help));
            return None;
        }
        Some(if is_higher { Never::Higher(found.name) } else { Never::Lower(found.name) })
    }

    fn unknown_in_property(&mut self, name: &Located<String>, what: &str, known: &[&str]) {
        let help = nearest(&name.value, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.error("T110", name, format!("this flow has no {what} `{}`", name.value.escape_debug()), help);
    }

    /// A condition that reads the answer too: `outcome`, `output.apr`, `score.default_risk`.
    fn claimed(&mut self, text: &Located<String>) -> Condition {
        let given = |kind: Kind| Field { kind, optional: false };
        let outputs = self.scope.outputs.iter().map(|known| (known.name.clone(), given(known.kind.clone())));
        let outputs: BTreeMap<Name, Field> = outputs.collect();
        let models = self.scope.models.iter().map(|model| &model.name);
        let scored = models.chain(self.scope.scorecards.iter().map(|card| &card.name));
        let scores = scored.map(|name| (name.clone(), given(Kind::Number))).collect();
        let takes = [
            (Name::from("outcome"), Kind::Choice(self.scope.outcomes.clone().into())),
            (Name::from("output"), Kind::Map(Arc::new(outputs.clone()))),
            (Name::from("score"), Kind::Map(Arc::new(scores))),
        ];
        let before = self.diagnostics.len();
        let (expression, frame) = self.claimed_condition(text, &takes);
        for found in self.diagnostics.iter_mut().skip(before).filter(|found| found.code == "T004") {
            let output = outputs.keys().find(|name| found.message.contains(&format!("`{name}`")));
            if let Some(name) = output {
                found.help = Some(format!("the output is read as `output.{name}`"));
            }
        }
        Condition { text: text.value.clone(), expression, frame }
    }
}

struct Known<'k> {
    inputs: &'k [Input],
    needs: &'k [Need],
}

impl Known<'_> {
    fn kind(&self, path: &[Name]) -> Option<Kind> {
        let (first, rest) = path.split_first()?;
        if let Some(input) = self.inputs.iter().find(|input| input.name == *first) {
            return field(&input.kind, rest);
        }
        let need = self.needs.iter().find(|need| need.name == *first)?;
        let (second, rest) = rest.split_first()?;
        field(&need.of.iter().find(|input| input.name == *second)?.kind, rest)
    }
}

fn field(kind: &Kind, path: &[Name]) -> Option<Kind> {
    let Some((name, rest)) = path.split_first() else { return Some(kind.clone()) };
    match kind {
        Kind::Map(fields) => field(&fields.get(name)?.kind, rest),
        _ => None,
    }
}

impl Flow {
    /// Holds a condition of a property against one answer of this flow.
    #[must_use]
    pub fn judge(
        &self,
        condition: &Condition,
        facts: &Facts,
        decided_at: Timestamp,
        verdict: &Verdict,
    ) -> Judgement {
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        let (budget, pins) = (Budget::default(), Pins::default());
        let mut machine = Machine::new(self, facts, moment, &budget, &pins);
        let map = |entries: BTreeMap<Name, Value>| Value::Map(Arc::new(entries));
        let answer = vec![
            Value::Text(verdict.outcome.clone()),
            map(verdict.output.iter().cloned().collect()),
            map(verdict.scores.iter().map(|(name, s)| (name.clone(), Value::Number(s.rounded))).collect()),
        ];
        match machine.framed(answer, condition.frame, |m| m.truth(&condition.expression)) {
            Ok(true) => Judgement::Holds,
            Ok(false) => Judgement::Broken,
            // What an answer does not carry, or nobody sent, is not claimed to be anything.
            Err(Stop::Fault(fault)) if fault.code == "missing_value" => Judgement::Silent,
            Err(Stop::Fault(fault)) => Judgement::Failed(format!("{}: {}", fault.code, fault.detail)),
            Err(_) => Judgement::Silent,
        }
    }

    /// Whether `after` is what more of something never makes of `before`.
    #[must_use]
    pub fn is_forbidden(&self, never: &Never, before: &Verdict, after: &Verdict) -> bool {
        let rank = |verdict: &Verdict| self.outcomes.iter().position(|known| *known == verdict.outcome);
        let carried = |verdict: &Verdict, name: &Name| {
            verdict.output.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let ordered = |name: &Name| operators::ordering(&carried(before, name)?, &carried(after, name)?);
        match never {
            Never::Stricter => rank(before) < rank(after),
            Never::Milder => rank(before) > rank(after),
            Never::Higher(output) => ordered(output) == Some(std::cmp::Ordering::Less),
            Never::Lower(output) => ordered(output) == Some(std::cmp::Ordering::Greater),
        }
    }

    /// Names of inputs that anything in this flow could read: what is not among them decides nothing.
    #[must_use]
    pub fn may_read(&self) -> std::collections::BTreeSet<Name> {
        use crate::domain::expression::predicate::Source;
        let mut all = self.usage.reads.clone();
        for used in &self.models {
            all.extend(used.columns.iter().filter_map(|column| match column {
                Source::Input(at) => self.inputs.get(usize::from(*at)).map(|input| input.name.clone()),
                Source::Feature(_) => None,
            }));
        }
        let asked = self.sub_flows.iter().flat_map(|sub| sub.flow.inputs.iter());
        all.extend(asked.map(|input| input.name.clone()));
        all.extend(self.tables.iter().flat_map(|table| table.columns.iter()).map(|c| c.name.clone()));
        let characteristics = self.scorecards.iter().flat_map(|card| card.characteristics.iter());
        all.extend(characteristics.map(|of| of.name.clone()));
        all
    }
}
