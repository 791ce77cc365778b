//! A declared flow → a flow that cannot be wrong. Everything that is wrong is said at once; only errors keep
//! the flow from being made.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::names::Names;
use super::{Fallback, Feature, Flow, Input, Output, Rule, RuleSet};
use crate::domain::analysis::{self, Coverage};
use crate::domain::declaration::{
    FlowDeclaration, InputDeclaration, OnInvalid, RuleDeclaration, RuleSetDeclaration,
};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::expression::compile::{Compiler, article};
use crate::domain::expression::functions::Functions;
use crate::domain::expression::operators;
use crate::domain::expression::predicate::Predicate;
use crate::domain::expression::scope::{Role, Scope, ScopedOutput, ScopedReason, ScopedRuleSet, Usage};
use crate::domain::expression::typed::{Static, Typed};
use crate::domain::expression::{Code, Expression};
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Span};
use crate::domain::script::Grammar;
use crate::domain::value::{Kind, Name, Value};
use crate::domain::verdict::RuleLabel;

/// The parser goes a long way down for the 48 levels that an expression may have, further than a thread's usual
/// stack allows in a build without optimisation.
const STACK: usize = 32 * 1024 * 1024;
const STACK_LEFT: usize = 16 * 1024 * 1024;

impl Flow {
    /// Compiles a declaration. There is a flow exactly when none of the diagnostics is an error.
    #[must_use]
    pub fn compile(declaration: &FlowDeclaration) -> (Option<Flow>, Vec<Diagnostic>) {
        let (flow, mut diagnostics) = stacker::maybe_grow(STACK_LEFT, STACK, || {
            let mut build = Build::new(declaration);
            let mut flow = build.flow();
            // Of what does not compile nothing can be said that would stay true.
            if let Some(flow) = &mut flow
                && !build.diagnostics.iter().any(|d| d.severity == Severity::Error)
            {
                let (found, coverage) = analysis::check(flow, declaration);
                build.diagnostics.extend(found);
                flow.coverage = coverage;
            }
            (flow, build.diagnostics)
        });
        diagnostics.sort_by_key(|d| (d.place.file, d.place.span.start, d.code));
        diagnostics.dedup();
        let broken = diagnostics.iter().any(|d| d.severity == Severity::Error);
        (flow.filter(|_| !broken), diagnostics)
    }

    /// As `compile`, without looking for what can never happen: for flows that are tried and thrown away.
    #[must_use]
    pub fn compile_unanalysed(declaration: &FlowDeclaration) -> Option<Flow> {
        stacker::maybe_grow(STACK_LEFT, STACK, || {
            let mut build = Build::new(declaration);
            let flow = build.flow();
            flow.filter(|_| !build.diagnostics.iter().any(|d| d.severity == Severity::Error))
        })
    }
}

pub(super) struct Build<'d> {
    pub declaration: &'d FlowDeclaration,
    pub(super) grammar: Grammar,
    pub diagnostics: Vec<Diagnostic>,
    pub scope: Scope,
    pub usage: Usage,
    pub(super) functions: Functions,
}

impl<'d> Build<'d> {
    fn new(declaration: &'d FlowDeclaration) -> Self {
        Self {
            declaration,
            grammar: Grammar::new(),
            diagnostics: Vec::new(),
            scope: Scope::default(),
            usage: Usage::default(),
            functions: Functions::default(),
        }
    }

    fn flow(&mut self) -> Option<Flow> {
        let declaration = self.declaration;
        Names::check(declaration, &mut self.diagnostics);
        let inputs = self.inputs();
        let lists = self.lists();
        let thresholds = self.thresholds();
        self.reasons_and_outcomes();
        let program = self.program();
        self.scope.flows = super::sub_flows::scoped(declaration);
        let outputs = self.outputs();
        let needs = self.needs();
        let features = self.features();
        let models = self.models();
        let rule_sets = self.rule_sets();
        let table_heads = self.table_heads();
        self.scope_scorecards();
        let script = self.script(program);
        let sub_flows = self.sub_flows();
        let tables = self.tables(table_heads);
        let scorecards = self.scorecards();
        let properties = self.properties(&inputs, &needs);
        let time_zone = self.time_zone();
        let on_error = self.fallback(&declaration.on_error.outcome, &declaration.on_error.reason, "on_error");
        let on_invalid = match &declaration.on_invalid {
            OnInvalid::Refuse => None,
            OnInvalid::Record { outcome, reason } => self.fallback(outcome, reason, "on_invalid"),
        };
        let reasons = self.reasons();
        let kept = |fallback: Fallback| {
            let code = &self.scope.reasons.get(usize::from(fallback.reason))?.code;
            let reason = reasons.iter().position(|reason| reason.code == *code)?;
            Some(Fallback { reason: u16::try_from(reason).ok()?, ..fallback })
        };
        let (on_error, on_invalid) = (on_error.and_then(kept), on_invalid.and_then(kept));
        let subject = declaration.subject.as_ref().and_then(|s| self.subject(s));
        // What does not compile hides what it uses: a warning then could be false.
        if !self.diagnostics.iter().any(|d| d.severity == Severity::Error) {
            self.unused();
        }
        Some(Flow {
            name: Name::from(declaration.name.value.as_str()),
            title: declaration.title.clone(),
            owner: declaration.owner.clone(),
            subject,
            time_zone,
            inputs,
            unknown_inputs: declaration.unknown_inputs,
            features,
            thresholds,
            models,
            rule_sets,
            scorecards,
            tables,
            lists,
            needs,
            sub_flows,
            languages: declaration.languages.iter().map(|language| language.value.clone()).collect(),
            market: declaration.market.as_ref().map(|market| Name::from(market.value.as_str())),
            is_market_required: declaration.is_market_required,
            usage: self.usage.clone(),
            outcomes: self.scope.outcomes.clone(),
            reasons,
            outputs,
            properties,
            coverage: Coverage::default(),
            on_error: on_error?,
            on_invalid,
            deadline_ms: declaration.deadline_ms,
            script: script?,
        })
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        at: &Located<impl Sized>,
        message: String,
        help: Option<String>,
    ) {
        let mut diagnostic = Diagnostic::error(code, at.place, message);
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    fn inputs(&mut self) -> Vec<Input> {
        let declaration = self.declaration;
        let inputs = declaration.inputs.iter().map(|input| {
            let name = Name::from(input.name.value.as_str());
            let known = Static { typed: Typed::of(&input.kind), may_be_missing: input.optional };
            self.scope.inputs.push((name.clone(), known));
            self.input(name, input)
        });
        let inputs = inputs.collect();
        self.protected();
        inputs
    }

    /// An input, or a field of what answers a need.
    pub(super) fn input(&mut self, name: Name, declared: &InputDeclaration) -> Input {
        let (min, max) = self.bounds(declared.min.as_ref(), declared.max.as_ref(), &declared.kind);
        Input {
            name,
            kind: declared.kind.clone(),
            optional: declared.optional,
            min,
            max,
            unit: declared.unit.clone(),
            personal: declared.personal,
        }
    }

    pub(super) fn bound(&mut self, bound: Option<&Located<String>>, kind: &Kind) -> Option<Value> {
        let bound = bound?;
        let text = bound.value.as_str();
        let value = match kind {
            Kind::Integer => text.parse().ok().map(Value::Integer),
            Kind::Decimal => text.parse().ok().map(Value::Decimal),
            Kind::Number => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::Number),
            Kind::Date => text.parse().ok().map(Value::Date),
            Kind::Time => text.parse().ok().map(Value::Time),
            _ => None,
        };
        if value.is_none() {
            let help = match kind {
                Kind::Date => Some("write `2026-01-31`".to_owned()),
                Kind::Time => Some("write a time with its offset, `2026-01-31T09:00:00Z`".to_owned()),
                _ => None,
            };
            self.error("T029", bound, format!("`{text}` cannot bound {}", article(kind.word())), help);
        }
        value
    }

    /// Both bounds of an input or output; together they must leave something.
    fn bounds(
        &mut self,
        low: Option<&Located<String>>,
        high: Option<&Located<String>>,
        kind: &Kind,
    ) -> (Option<Value>, Option<Value>) {
        let (min, max) = (self.bound(low, kind), self.bound(high, kind));
        if let (Some(a), Some(b), Some(at)) = (&min, &max, high)
            && operators::ordering(a, b).is_some_and(std::cmp::Ordering::is_gt)
        {
            let message = format!("no {} is at least `min` and at most `max`", kind.word());
            self.error("T029", at, message, Some("exchange the two bounds".to_owned()));
        }
        (min, max)
    }

    fn reasons_and_outcomes(&mut self) {
        let declaration = self.declaration;
        self.scope.outcomes = declaration.outcomes.iter().map(|o| Name::from(o.value.as_str())).collect();
        self.scope.reasons = declaration
            .reasons
            .iter()
            .map(|r| ScopedReason { code: Name::from(r.code.value.as_str()), is_score: r.is_score })
            .collect();
        self.scope.rule_sets = declaration
            .rule_sets
            .iter()
            .map(|set| ScopedRuleSet { name: Name::from(set.name.value.as_str()), takes: takes_of(set) })
            .collect();
        self.scope.models = declaration.models.iter().map(super::models::scoped).collect();
    }

    fn outputs(&mut self) -> Vec<Output> {
        let declaration = self.declaration;
        let mut outputs = Vec::new();
        for output in &declaration.outputs {
            let name = Name::from(output.name.value.as_str());
            let (kind, optional) = (output.kind.clone(), output.optional);
            self.scope.outputs.push(ScopedOutput { name: name.clone(), kind: kind.clone(), optional });
            let (min, max) = self.bounds(output.min.as_ref(), output.max.as_ref(), &kind);
            outputs.push(Output { name, kind, optional, min, max });
        }
        outputs
    }

    /// Compiles one condition or formula; its problems and its usage are kept.
    fn expression(&mut self, source: &Located<String>, role: Role<'_>) -> Compiled {
        let syntax = match self.grammar.condition(source) {
            Ok(syntax) => syntax,
            Err(problems) => {
                self.diagnostics.extend(problems);
                return Compiled::default();
            }
        };
        let mut compiler = Compiler::new(&self.scope, role, source.place, &self.functions);
        let (expression, known) = match role {
            Role::Condition { .. } => (compiler.truth(&syntax), Static::given(Typed::Boolean)),
            _ => compiler.given(&syntax),
        };
        let (frame, diagnostics, usage) = (compiler.frame, compiler.diagnostics, compiler.usage);
        self.diagnostics.extend(diagnostics);
        self.usage.add(&usage);
        Compiled { expression, typed: known.typed, frame, reads: usage.reads.into_iter().collect() }
    }

    /// A condition of a property, with the size of its frame. What it names of inputs and features is not used by it:
    /// nothing is decided.
    pub(super) fn claimed_condition(
        &mut self,
        source: &Located<String>,
        takes: &[(Name, Kind)],
    ) -> (Expression, u16) {
        let reads = self.usage.reads.clone();
        let compiled = self.expression(source, Role::Condition { rule_set: "properties", takes });
        let is_threshold = |name: &Name| self.scope.thresholds.iter().any(|(known, _)| known == name);
        self.usage.reads.retain(|name| reads.contains(name) || is_threshold(name));
        (compiled.expression, compiled.frame)
    }

    fn features(&mut self) -> Vec<Feature> {
        let mut features = Vec::new();
        for feature in &self.declaration.features {
            let mut compiled = self.expression(&feature.formula, Role::Feature);
            if compiled.typed == Typed::Literal {
                compiled.typed = Typed::Number;
            }
            let name = Name::from(feature.name.value.as_str());
            self.scope.features.push((name.clone(), Static::given(compiled.typed.clone())));
            let Compiled { expression, typed, frame, reads } = compiled;
            let written = Arc::from(feature.formula.value.as_str());
            features.push(Feature { name, typed, reads, written, formula: expression, frame });
        }
        features
    }

    fn rule_sets(&mut self) -> Vec<RuleSet> {
        let declaration = self.declaration;
        let mut sets = Vec::new();
        for declared in &declaration.rule_sets {
            let takes = takes_of(declared);
            let rules: Vec<Rule> =
                declared.rules.iter().map(|rule| self.rule(rule, &declared.name.value, &takes)).collect();
            let label = |rule: &Rule| RuleLabel { id: rule.id.clone(), reads: rule.reads.clone() };
            sets.push(RuleSet {
                labels: rules.iter().map(label).collect(),
                name: Name::from(declared.name.value.as_str()),
                hit_policy: declared.hit_policy,
                takes,
                rules,
            });
        }
        sets
    }

    fn rule(&mut self, rule: &RuleDeclaration, rule_set: &str, takes: &[(Name, Kind)]) -> Rule {
        let before = self.diagnostics.len();
        let compiled = self.expression(&rule.when, Role::Condition { rule_set, takes });
        for diagnostic in self.diagnostics.iter_mut().skip(before) {
            // In a file of many rules the rule's own name says more than `this condition`.
            diagnostic.message =
                diagnostic.message.replacen("this condition", &format!("rule `{}`", rule.id.value), 1);
        }
        let outcome = rule.outcome.as_ref().and_then(|o| self.outcome(o));
        let reason = rule.reason.as_ref().and_then(|r| self.reason(r));
        if let Some(outcome) = outcome {
            self.usage.outcomes.extend(self.scope.outcomes.get(usize::from(outcome)).cloned());
        }
        if outcome.is_some_and(|o| o > 0) && rule.reason.is_none() {
            let message = format!("rule `{}` has an outcome without a reason", rule.id.value);
            self.error(
                "T017",
                &rule.id,
                message,
                Some("add `reason:` with one of the flow's reasons".to_owned()),
            );
        }
        if rule.outcome.is_none() && rule.points.is_none() {
            let message = format!("rule `{}` has neither an outcome nor points", rule.id.value);
            self.error("T031", &rule.id, message, Some("add `outcome:` or `points:`".to_owned()));
        }
        Rule {
            id: Name::from(rule.id.value.as_str()),
            outcome,
            reason: reason.and_then(|at| self.scope.reasons.get(usize::from(at))).map(|r| r.code.clone()),
            points: rule.points.as_ref().map_or(0, |p| p.value),
            reads: compiled.reads,
            when: rule.when.value.clone(),
            predicate: Predicate::of(&compiled.expression).map(|predicate| {
                let ticks = predicate.most_ticks();
                (predicate, ticks)
            }),
            condition: compiled.expression,
            frame: compiled.frame,
        }
    }

    pub(super) fn outcome(&mut self, outcome: &Located<String>) -> Option<u16> {
        let found = self.scope.outcomes.iter().position(|o| **o == *outcome.value);
        if found.is_none() {
            let help = nearest(&outcome.value, self.scope.outcomes.iter().map(|o| &**o))
                .map(|near| format!("did you mean `{near}`?"));
            self.error("T016", outcome, format!("this flow has no outcome `{}`", outcome.value), help);
        }
        found.and_then(|at| u16::try_from(at).ok())
    }

    pub(super) fn reason(&mut self, reason: &Located<String>) -> Option<u16> {
        let found = self.scope.reasons.iter().position(|r| *r.code == *reason.value);
        match found.and_then(|at| self.scope.reasons.get(at)) {
            Some(known) => {
                self.usage.reasons.insert(known.code.clone());
            }
            None => {
                let help = nearest(&reason.value, self.scope.reasons.iter().map(|r| &*r.code)).map_or_else(
                    || "declare it under `reasons:`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                self.error("T015", reason, format!("this flow has no reason `{}`", reason.value), Some(help));
            }
        }
        found.and_then(|at| u16::try_from(at).ok())
    }

    pub(super) fn fallback(
        &mut self,
        outcome: &Located<String>,
        reason: &Located<String>,
        key: &str,
    ) -> Option<Fallback> {
        let (found, reason) = (self.outcome(outcome), self.reason(reason));
        if found == Some(0) {
            let message = format!("`{key}` may not be the mildest outcome");
            self.error(
                "T016",
                outcome,
                message,
                Some("choose a stricter one, such as a manual review".to_owned()),
            );
        }
        self.usage.outcomes.extend(found.and_then(|o| self.scope.outcomes.get(usize::from(o))).cloned());
        Some(Fallback { outcome: found?, reason: reason? })
    }

    fn subject(&mut self, subject: &Located<String>) -> Option<usize> {
        let found = self.declaration.inputs.iter().position(|i| i.name.value == subject.value);
        if found.is_none() {
            let names = self.declaration.inputs.iter().map(|i| i.name.value.as_str());
            let help = nearest(&subject.value, names).map(|near| format!("did you mean `{near}`?"));
            self.error(
                "T004",
                subject,
                format!("`subject` names an unknown input `{}`", subject.value),
                help,
            );
        }
        self.usage.reads.insert(Name::from(subject.value.as_str()));
        found
    }

    fn time_zone(&mut self) -> TimeZone {
        let Some(name) = &self.declaration.time_zone else { return TimeZone::UTC };
        match TimeZone::get(&name.value) {
            Ok(zone) => zone,
            Err(_) => {
                let help = "use a name like `Europe/Berlin` or `UTC`".to_owned();
                self.error("T029", name, format!("there is no time zone `{}`", name.value), Some(help));
                TimeZone::UTC
            }
        }
    }
}

struct Compiled {
    expression: Expression,
    typed: Typed,
    frame: u16,
    reads: Arc<[Name]>,
}

impl Default for Compiled {
    fn default() -> Self {
        let expression = Expression { span: Span::default(), code: Code::Nothing };
        Self { expression, typed: Typed::Any, frame: 0, reads: Arc::from([]) }
    }
}

fn takes_of(set: &RuleSetDeclaration) -> Vec<(Name, Kind)> {
    set.takes.iter().map(|(name, kind)| (Name::from(name.value.as_str()), kind.clone())).collect()
}
