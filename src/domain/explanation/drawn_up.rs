//! An evaluation that was looked on at, told from its beginning: conditions where they were asked, steps where they
//! were done. What a step says of itself is `steps`', what stood in the way `way`'s.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conditions::Where;
use super::evaluated::{Evaluated, Given, Level, Recorder};
use super::hidden::Hidden;
use super::way::{self, Link, Obstacle};
use super::words::written;
use super::{Explanation, Read, Shown, Told};
use crate::domain::declaration::FlowDeclaration;
use crate::domain::expression::{Code, CompiledArm, Expression, ExpressionId};
use crate::domain::facts::Facts;
use crate::domain::flow::remote::{Answered, Known};
use crate::domain::flow::watch::{Assumed, Site};
use crate::domain::flow::{Budget, Flow, Pins};
use crate::domain::outline::Outline;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{Step, Verdict};

/// Steps that are told of one flow; the others are counted.
const MOST_STEPS: usize = 1_000;

/// What is to be explained.
#[derive(Debug)]
pub struct Asked<'a> {
    pub flow: &'a Flow,
    /// Its documents, where they are at hand: for the path through the outline, and cells as they are written.
    pub declaration: Option<&'a FlowDeclaration>,
    pub facts: &'a Facts,
    pub decided_at: Timestamp,
    pub budget: &'a Budget<'a>,
    pub pins: &'a Pins,
    /// What models on other servers answered; those that are not here do not answer.
    pub gathered: &'a [Answered],
    /// Inputs and needs whose values are not to be shown, those of flows below as `fraud_check.phone`.
    pub hidden: BTreeSet<Name>,
}

/// What came of one evaluation of one flow, told.
pub(super) struct Account {
    pub verdict: Verdict,
    pub level: Level,
    pub steps: Vec<Told>,
    pub left_out: usize,
    pub obstacles: Vec<Obstacle>,
}

/// Evaluates, and tells why the verdict is what it is.
#[must_use]
pub fn explain(asked: &Asked<'_>) -> Explanation {
    let account = asked.account(Assumed::default());
    let why_not = way::why_not(asked, &account);
    let path = asked.declaration.and_then(|declaration| {
        let outline = Outline::of(declaration).ok()?;
        Some(super::path::of_level(&outline, declaration.script.place.file, asked.flow, &account.level))
    });
    Explanation {
        flow: asked.flow.name.clone(),
        market: asked.flow.market.clone(),
        outcomes: asked.flow.outcomes.clone(),
        steps: account.steps,
        left_out: account.left_out,
        why_not,
        path: path.unwrap_or_default(),
        verdict: account.verdict,
    }
}

impl Asked<'_> {
    /// One evaluation, with some things taken to be otherwise.
    pub(super) fn account(&self, assumed: Assumed) -> Account {
        let mut gathered = self.gathered.to_vec();
        let (verdict, recorder) = loop {
            let recorder = Recorder::new(assumed.clone());
            let (with, known) = ((self.budget, self.pins), Known::SoFar(&gathered));
            match self.flow.decide_knowing(self.facts, self.decided_at, with, known, Some(&recorder)) {
                Ok(verdict) => break (verdict, recorder),
                Err(wanted) => gathered.extend(wanted.into_iter().map(Answered::unknown)),
            }
        };
        let level = recorder.finish();
        let mut teller = Teller::new(
            Flowing {
                flow: self.flow,
                declaration: self.declaration,
                values: &self.facts.values,
                pins: self.pins,
            },
            &self.hidden,
            (&verdict.trace, &verdict.outcome),
        );
        teller.tell(&level);
        let (steps, left_out, obstacles) = (teller.told, teller.left_out, teller.obstacles);
        Account { verdict, level, steps, left_out, obstacles }
    }
}

/// The flow that is told of, and what it was given.
#[derive(Clone, Copy)]
pub(super) struct Flowing<'f> {
    pub flow: &'f Flow,
    pub declaration: Option<&'f FlowDeclaration>,
    /// A value for each input.
    pub values: &'f [Value],
    pub pins: &'f Pins,
}

pub(super) struct Teller<'f> {
    pub on: Flowing<'f>,
    pub hidden: Hidden,
    /// As the flow and those above say it: names with the flows that lead to them.
    pub(super) hidden_below: BTreeSet<Name>,
    expressions: BTreeMap<ExpressionId, &'f Expression>,
    trace: &'f [Step],
    /// Strictest recorded: what the verdict is.
    pub outcome: &'f Name,
    cursor: usize,
    /// Features computed so far.
    pub features: BTreeMap<Name, Value>,
    /// Conditions that led to where we are.
    pub way: Vec<Link>,
    pub told: Vec<Told>,
    pub left_out: usize,
    pub obstacles: Vec<Obstacle>,
    /// What stood in the way within the flows that were asked, by their outcomes.
    pub below: Vec<(Name, Name, Vec<Obstacle>)>,
}

impl<'f> Teller<'f> {
    pub fn new(on: Flowing<'f>, hidden: &BTreeSet<Name>, (trace, outcome): (&'f [Step], &'f Name)) -> Self {
        let mut expressions = BTreeMap::new();
        let flow = on.flow;
        let rules = flow.rule_sets.iter().flat_map(|set| &set.rules).map(|rule| &rule.condition);
        let features = flow.features.iter().map(|feature| &feature.formula);
        let functions = flow.script.functions.iter().map(|function| &function.body);
        for root in rules.chain(features).chain(functions).chain([&flow.script.body]) {
            known(root, &mut expressions);
        }
        let own = hidden.iter().filter(|name| !name.contains('.')).cloned();
        Self {
            on,
            hidden: Hidden::of(flow, own),
            hidden_below: hidden.iter().filter(|name| name.contains('.')).cloned().collect(),
            expressions,
            trace,
            outcome,
            cursor: 0,
            features: BTreeMap::new(),
            way: Vec::new(),
            told: Vec::new(),
            left_out: 0,
            obstacles: Vec::new(),
            below: Vec::new(),
        }
    }

    pub fn tell(&mut self, level: &Level) {
        for node in &level.pending {
            self.node(node);
        }
        self.done(self.trace.len(), None);
    }

    pub fn add(&mut self, told: Told) {
        if self.told.len() < MOST_STEPS {
            self.told.push(told);
        } else {
            self.left_out += 1;
        }
    }

    pub fn place(&self, site: Site) -> Where<'_> {
        Where { flow: self.on.flow, hidden: &self.hidden, site, locals: &self.hidden.locals }
    }

    pub fn line(&self, span: Span) -> u32 {
        self.on.flow.script.line(span)
    }

    /// Whether a site is a part of the flow's own script.
    fn is_script(&self, site: Site) -> bool {
        match site {
            Site::Script => true,
            Site::Function(at) => {
                let function = self.on.flow.script.functions.get(usize::from(at));
                function.is_some_and(|function| !function.is_shared)
            }
            _ => false,
        }
    }

    fn node(&mut self, node: &Evaluated) {
        let Some(expression) = self.expressions.get(&node.id).copied() else { return };
        match &expression.code {
            Code::If { condition, .. } if self.is_script(node.site) => self.branch(condition, node),
            Code::While { condition: Some(condition), .. } if self.is_script(node.site) => {
                self.branch(condition, node);
            }
            Code::Switch { on, arms } if self.is_script(node.site) => self.switch(on, arms, node),
            _ => node.below.iter().for_each(|below| self.node(below)),
        }
        if let Code::Set { local, value } = &expression.code
            && self.is_script(node.site)
        {
            self.computed(expression, *local, (value, node));
        }
        self.done(node.steps, Some((expression, node)));
    }

    /// Tells the steps that were done by then, by this expression.
    fn done(&mut self, steps: usize, by: Option<(&'f Expression, &Evaluated)>) {
        while self.cursor < steps {
            let Some(step) = self.trace.get(self.cursor) else { return };
            self.cursor += 1;
            self.step(step, by);
        }
    }

    /// `if` and `while`: the condition, and what was done because of it.
    fn branch(&mut self, condition: &'f Expression, node: &Evaluated) {
        let outer = self.way.len();
        for below in &node.below {
            if below.id != condition.id() {
                self.node(below);
                continue;
            }
            self.way.truncate(outer);
            self.node(below);
            self.asked(condition, below);
        }
        self.way.truncate(outer);
    }

    fn asked(&mut self, condition: &'f Expression, node: &Evaluated) {
        let told = self.place(node.site).condition(condition, Some(node));
        let line = self.line(condition.span);
        self.add(Told::Branch { line, condition: told.clone() });
        if let Given::Value(Value::Boolean(truth)) = node.gave {
            self.way.push(Link { condition: Some((condition.id(), truth)), told });
        }
    }

    fn switch(&mut self, on: &'f Expression, arms: &'f [CompiledArm], node: &Evaluated) {
        let outer = self.way.len();
        for below in &node.below {
            if below.id == on.id() {
                self.node(below);
                let place = self.place(node.site);
                let value = place.value(on, Some(below)).unwrap_or(Shown::Hidden);
                let read = Read { name: Name::from(place.written(on)), value };
                let arm = arms.iter().position(|arm| node.below.iter().any(|n| n.id == arm.value.id()));
                let arm = arm.and_then(|at| u32::try_from(at + 1).ok());
                self.way.push(Link::chosen(&read));
                self.add(Told::Switch { line: self.line(on.span), on: read, arm });
                continue;
            }
            let condition = arms.iter().filter_map(|arm| arm.condition.as_ref()).find(|c| c.id() == below.id);
            self.node(below);
            if let Some(condition) = condition {
                self.asked(condition, below);
            }
        }
        self.way.truncate(outer);
    }

    /// `let` and assignments of anything that is not a step.
    fn computed(&mut self, at: &'f Expression, local: u16, (value, node): (&'f Expression, &Evaluated)) {
        let place = self.place(node.site);
        let Some(below) = node.of(value) else { return };
        let hides = place.hides(value);
        let shown = place.value(value, Some(below));
        let start = at.span.start.min(value.span.start);
        let text = written(place.text(), Span { start, end: at.span.end.max(value.span.end) });
        if hides {
            self.hidden.locals.insert(local);
        }
        // What is one condition is told as one: `let is_known_good = score >= 650`.
        if matches!(shown, Some(Shown::Value(Value::Step(_))) | None) || matches!(value.code, Code::If { .. })
        {
            return;
        }
        let line = self.line(at.span);
        let text =
            text.strip_prefix("let ").or_else(|| text.strip_prefix("const ")).unwrap_or(&text).to_owned();
        self.add(Told::Computed { line, text, value: shown.unwrap_or(Shown::Hidden) });
    }
}

fn known<'f>(root: &'f Expression, all: &mut BTreeMap<ExpressionId, &'f Expression>) {
    all.insert(root.id(), root);
    for child in root.children() {
        known(child, all);
    }
}
