//! From the parsed script to the tree: statements in order, steps where they are first evaluated.

use std::collections::{BTreeMap, BTreeSet};

use super::details::Details;
use super::reads::{Thresholds, each};
use super::{
    Act, BranchKind, Outline, OutlineArm, OutlineFeature, OutlineFunction, OutlineNode, ReasonSource,
    Recording, StepKind, ThresholdRead,
};
use crate::domain::declaration::FlowDeclaration;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Place;
use crate::domain::script::syntax::{Arm, Branch, Function, Node, Program, Syntax};
use crate::domain::script::{Digits, Grammar, arm_head, written};

pub(super) fn outline(flow: &FlowDeclaration) -> Result<Outline, Vec<Diagnostic>> {
    let grammar = Grammar::new();
    let program = grammar.program(&flow.script)?;
    let mut shared = Vec::new();
    for text in &flow.shared_functions {
        shared.push((grammar.program(text)?, text.place));
    }
    let mut functions: BTreeMap<&str, (&Function, Place)> = BTreeMap::new();
    let own = std::iter::once((&program, flow.script.place));
    for (program, place) in shared.iter().map(|(p, place)| (p, *place)).chain(own) {
        functions.extend(program.functions.iter().map(|f| (f.name.as_str(), (f, place))));
    }
    let details = Details { flow, thresholds: Thresholds::of(flow, &grammar) };
    let drawer = Drawer { details, functions };
    Ok(Outline {
        flow: flow.name.value.clone(),
        title: flow.title.clone(),
        market: flow.market.as_ref().map(|market| market.value.clone()),
        outcomes: flow.outcomes.iter().map(|outcome| outcome.value.clone()).collect(),
        features: drawer.features(),
        nodes: drawer.block(&program.body, "", flow.script.place, &mut Known::default()),
        functions: drawer.called(&program),
        on_error: Recording {
            outcome: flow.on_error.outcome.value.clone(),
            reasons: vec![drawer.details.code(&flow.on_error.reason.value)],
            outputs: Vec::new(),
        },
    })
}

/// A step by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct StepCall {
    kind: StepKind,
    name: String,
}

/// What the script has so far.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Variables that hold a step.
    steps: BTreeMap<String, StepCall>,
    /// Steps that were evaluated already: asking again gives the same.
    evaluated: BTreeSet<StepCall>,
}

/// The nodes of one block as they are added.
struct Nodes {
    under: String,
    place: Place,
    counts: BTreeMap<String, usize>,
    nodes: Vec<OutlineNode>,
}

impl Nodes {
    fn id(&mut self, label: &str) -> String {
        let count = self.counts.entry(label.to_owned()).or_default();
        *count += 1;
        let own = match (*count, label.contains('.')) {
            (1, true) => label.to_owned(),
            (n, _) => format!("{label}.{n}"),
        };
        if self.under.is_empty() { own } else { format!("{}/{own}", self.under) }
    }

    fn add(&mut self, label: &str, at: &Syntax, thresholds: Vec<ThresholdRead>, act: Act) {
        let id = self.id(label);
        self.add_as(id, at, thresholds, act);
    }

    fn add_as(&mut self, id: String, at: &Syntax, thresholds: Vec<ThresholdRead>, act: Act) {
        let place = self.place.part(at.whole_span());
        self.nodes.push(OutlineNode { id, place, act, thresholds });
    }
}

struct Drawer<'f> {
    details: Details<'f>,
    functions: BTreeMap<&'f str, (&'f Function, Place)>,
}

fn at_hand(reads: &[ThresholdRead], read: &ThresholdRead) -> bool {
    reads.iter().any(|known| known.name == read.name)
}

fn text(syntax: &Syntax) -> String {
    written(syntax, Digits::AsWritten)
}

/// Something is made of what was evaluated: `need("bureau").score >= 600`.
fn is_worked_out(statement: &Syntax) -> bool {
    matches!(
        statement.node,
        Node::Binary(..) | Node::And(_) | Node::Or(_) | Node::Coalesce(_) | Node::Not(_) | Node::Negate(_)
    )
}

/// `rules("knockout")` and the like.
fn step_call(syntax: &Syntax) -> Option<StepCall> {
    let Node::Call { name, arguments } = &syntax.node else { return None };
    let kind = StepKind::of_word(&name.text)?;
    match arguments.first() {
        Some(Syntax { node: Node::Text(step), .. }) => Some(StepCall { kind, name: step.clone() }),
        _ => None,
    }
}

/// What stands at the beginning of `a.b[1].c`.
fn head(syntax: &Syntax) -> &Syntax {
    match &syntax.node {
        Node::Property { of, .. } => head(of),
        Node::Method { receiver, .. } => head(receiver),
        Node::Index(sides) => head(&sides.0),
        _ => syntax,
    }
}

impl<'f> Drawer<'f> {
    fn reads(&self, syntax: &Syntax) -> Vec<ThresholdRead> {
        self.details.thresholds.read_by(syntax)
    }

    fn features(&self) -> Vec<OutlineFeature> {
        let features = self.details.flow.features.iter();
        features
            .map(|feature| OutlineFeature {
                name: feature.name.value.clone(),
                formula: feature.formula.value.split_whitespace().collect::<Vec<_>>().join(" "),
                place: feature.name.place,
                thresholds: self.details.thresholds.read_by_text(&feature.formula),
            })
            .collect()
    }

    /// Functions that the script, a feature or a condition reaches.
    fn called(&self, program: &Program) -> Vec<OutlineFunction> {
        let flow = self.details.flow;
        let conditions = flow.rule_sets.iter().flat_map(|set| &set.rules).map(|rule| &rule.when);
        let formulas = flow.features.iter().map(|feature| &feature.formula).chain(conditions);
        // Most flows have no function that a condition could call.
        let formulas = formulas.take_while(|_| !self.functions.is_empty());
        let formulas: Vec<Syntax> =
            formulas.filter_map(|text| self.details.thresholds.parsed(text)).collect();
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut bodies: Vec<&[Syntax]> = vec![&program.body, &formulas];
        while let Some(body) = bodies.pop() {
            for statement in body {
                each(statement, &mut |node| {
                    if let Node::Call { name, .. } = &node.node
                        && let Some((name, (function, _))) = self.functions.get_key_value(name.text.as_str())
                        && reached.insert(name)
                    {
                        bodies.push(&function.body);
                    }
                });
            }
        }
        let functions = reached.into_iter().filter_map(|name| self.functions.get(name));
        functions
            .map(|(function, place)| OutlineFunction {
                name: function.name.clone(),
                parameters: function.parameters.clone(),
                nodes: self.block(
                    &function.body,
                    &format!("fn.{}", function.name),
                    *place,
                    &mut Known::default(),
                ),
            })
            .collect()
    }

    fn block(&self, body: &[Syntax], under: &str, place: Place, known: &mut Known) -> Vec<OutlineNode> {
        let mut out = Nodes { under: under.to_owned(), place, counts: BTreeMap::new(), nodes: Vec::new() };
        for statement in body {
            self.statement(statement, &mut out, known);
        }
        out.nodes
    }

    fn statement(&self, statement: &Syntax, out: &mut Nodes, known: &mut Known) {
        match &statement.node {
            Node::Let { name, value, .. } => self.binding(statement, &name.text, value, out, known),
            Node::Assign { target, operator: None, value } => match &target.node {
                Node::Name(name) => self.binding(statement, name, value, out, known),
                _ => self.computed(statement, out, known),
            },
            Node::Block(body) => body.iter().for_each(|inner| self.statement(inner, out, known)),
            Node::If(branch) => self.branch(statement, branch, out, known),
            Node::Switch { on, arms } => self.switch(statement, on, arms, out, known),
            Node::While { condition, body } => {
                if let Some(condition) = condition {
                    self.expression(condition, out, known);
                }
                let header = condition.as_ref().map_or("loop".to_owned(), |c| format!("while {}", text(c)));
                let reads = condition.as_ref().map(|c| self.reads(c)).unwrap_or_default();
                self.looping(statement, header, reads, body, out, known);
            }
            Node::For { item, over, body, .. } => {
                self.expression(over, out, known);
                let header = format!("for {} in {}", item.text, text(over));
                self.looping(statement, header, self.reads(over), body, out, known);
            }
            Node::Return(Some(value)) if self.acts(value) => {
                self.statement(value, out, known);
                out.add("leave", statement, Vec::new(), Act::Leave { text: "return".to_owned() });
            }
            Node::Return(_) | Node::Break | Node::Continue => {
                let act = Act::Leave { text: text(statement) };
                out.add("leave", statement, self.reads(statement), act);
            }
            _ if self.acts(statement) && !is_worked_out(statement) => self.expression(statement, out, known),
            _ => self.computed(statement, out, known),
        }
    }

    fn looping(
        &self,
        at: &Syntax,
        header: String,
        reads: Vec<ThresholdRead>,
        body: &[Syntax],
        out: &mut Nodes,
        known: &Known,
    ) {
        let id = out.id("loop");
        let nodes = self.block(body, &id, out.place, &mut known.clone());
        out.add_as(id, at, reads, Act::Loop { header, nodes });
    }

    /// `let name = value`: a step is named after what it gives; all else is a computation.
    fn binding(&self, at: &Syntax, name: &str, value: &Syntax, out: &mut Nodes, known: &mut Known) {
        let before = out.nodes.len();
        let branches = matches!(value.node, Node::If(_) | Node::Switch { .. } | Node::Block(_));
        if branches && self.acts(value) {
            self.statement(value, out, known);
            let text = format!("{name} = what that gave");
            return out.add(&format!("let.{name}"), at, Vec::new(), Act::Compute { text });
        }
        self.expression(value, out, known);
        let from = head(value);
        let Some(call) = step_call(from) else { return self.add_compute(at, out) };
        let is_whole = std::ptr::eq(from, value);
        if is_whole {
            known.steps.insert(name.to_owned(), call.clone());
        } else {
            known.steps.remove(name);
        }
        let path = text(value).strip_prefix(&text(from)).unwrap_or_default().to_owned();
        let new = out.nodes.get_mut(before..).unwrap_or_default().iter_mut();
        let step = new.filter_map(|node| match &mut node.act {
            Act::Step(step) if step.kind == call.kind && step.name == call.name => Some(step),
            _ => None,
        });
        match step.last() {
            Some(step) if is_whole => step.gives = Some(name.to_owned()),
            Some(step) => step.gives = Some(format!("{name} = {path}")),
            None => self.add_compute(at, out),
        }
    }

    fn computed(&self, statement: &Syntax, out: &mut Nodes, known: &mut Known) {
        self.expression(statement, out, known);
        self.add_compute(statement, out);
    }

    fn add_compute(&self, statement: &Syntax, out: &mut Nodes) {
        let label = match &statement.node {
            Node::Let { name, .. } => format!("let.{}", name.text),
            _ => "compute".to_owned(),
        };
        out.add(&label, statement, self.reads(statement), Act::Compute { text: text(statement) });
    }

    /// Whether something is evaluated or recorded by it, rather than only worked out.
    fn acts(&self, syntax: &Syntax) -> bool {
        let mut found = false;
        each(syntax, &mut |node| {
            found |= match &node.node {
                Node::Call { name, .. } => {
                    step_call(node).is_some() || self.is_verb(&name.text) || self.function_acts(&name.text)
                }
                Node::Method { name, .. } => name.text == "apply",
                _ => false,
            };
        });
        found
    }

    fn is_verb(&self, name: &str) -> bool {
        self.details.flow.outcomes.iter().any(|outcome| outcome.value == name)
    }

    /// Functions may call each other, never in a circle without an end: the evaluator's limit is met first here.
    fn function_acts(&self, name: &str) -> bool {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut todo = vec![name.to_owned()];
        while let Some(next) = todo.pop() {
            let Some((name, (function, _))) = self.functions.get_key_value(next.as_str()) else { continue };
            if !seen.insert(name) {
                continue;
            }
            let mut acts = false;
            for statement in &function.body {
                each(statement, &mut |node| match &node.node {
                    Node::Call { name, .. } => {
                        acts |= step_call(node).is_some() || self.is_verb(&name.text);
                        todo.push(name.text.clone());
                    }
                    Node::Method { name, .. } => acts |= name.text == "apply",
                    _ => {}
                });
            }
            if acts {
                return true;
            }
        }
        false
    }

    /// Adds what an expression evaluates and records, in the order in which it does.
    fn expression(&self, syntax: &Syntax, out: &mut Nodes, known: &mut Known) {
        match &syntax.node {
            Node::If(_) | Node::Switch { .. } | Node::Block(_) | Node::While { .. } | Node::For { .. }
                if self.acts(syntax) =>
            {
                return self.statement(syntax, out, known);
            }
            _ => {}
        }
        for child in syntax.children() {
            self.expression(child, out, known);
        }
        if let Some(call) = step_call(syntax) {
            return self.step(syntax, call, out, known);
        }
        match &syntax.node {
            Node::Call { name, arguments } if self.is_verb(&name.text) => {
                let recording = self.recording(&name.text, arguments, known);
                out.add(&name.text, syntax, self.reads(syntax), Act::Record(recording));
            }
            Node::Call { name, .. } if self.function_acts(&name.text) => {
                let act = Act::Call { function: name.text.clone(), text: text(syntax) };
                out.add(&format!("call.{}", name.text), syntax, self.reads(syntax), act);
            }
            Node::Method { receiver, name, .. } if name.text == "apply" => {
                if let Some(StepCall { kind, name }) = self.held(receiver, known) {
                    let records = self.details.records(kind, &name);
                    let label = format!("apply.{name}");
                    out.add(&label, syntax, Vec::new(), Act::Apply { kind, name, records });
                }
            }
            _ => {}
        }
    }

    /// The step that an expression is.
    fn held(&self, syntax: &Syntax, known: &Known) -> Option<StepCall> {
        match &syntax.node {
            Node::Name(name) => known.steps.get(name).cloned(),
            _ => step_call(syntax),
        }
    }

    fn step(&self, at: &Syntax, call: StepCall, out: &mut Nodes, known: &mut Known) {
        let Node::Call { arguments, .. } = &at.node else { return };
        let with = match arguments.get(1) {
            Some(Syntax { node: Node::Map(entries), .. }) => {
                entries.iter().map(|(name, value)| (name.text.clone(), text(value))).collect()
            }
            _ => Vec::new(),
        };
        if with.is_empty() && !known.evaluated.insert(call.clone()) {
            return;
        }
        let StepCall { kind, name } = call;
        let label = format!("{}.{name}", kind.word());
        let step = self.details.step(kind, &name, with);
        let mut reads = self.reads(at);
        let of_cells = self.details.read_by_cells(&step).into_iter();
        reads.extend(of_cells.filter(|read| !at_hand(&reads, read)).collect::<Vec<_>>());
        out.add(&label, at, reads, Act::Step(step));
    }

    fn recording(&self, outcome: &str, arguments: &[Syntax], known: &Known) -> Recording {
        let mut recording = Recording { outcome: outcome.to_owned(), ..Recording::default() };
        for argument in arguments {
            match &argument.node {
                Node::Map(entries) => {
                    recording.outputs.extend(entries.iter().map(|(n, v)| (n.text.clone(), text(v))));
                }
                _ => self.reasons(argument, known, &mut recording.reasons),
            }
        }
        recording
    }

    fn reasons(&self, argument: &Syntax, known: &Known, found: &mut Vec<ReasonSource>) {
        match &argument.node {
            Node::Text(code) => found.push(self.details.code(code)),
            Node::List(items) => items.iter().for_each(|item| self.reasons(item, known, found)),
            Node::Property { of, name } if name.text == "reasons" => match self.held(of, known) {
                Some(StepCall { kind, name }) => {
                    let codes = self.details.reasons(kind, &name);
                    found.push(ReasonSource::Step { kind, name, codes });
                }
                None => found.push(ReasonSource::Expression(text(argument))),
            },
            _ => found.push(ReasonSource::Expression(text(argument))),
        }
    }

    fn branch(&self, at: &Syntax, branch: &Branch, out: &mut Nodes, known: &mut Known) {
        self.expression(&branch.condition, out, known);
        let id = out.id("if");
        let place = out.place;
        let mut arms = Vec::new();
        let mut next = Some(branch);
        while let Some(Branch { condition, then, otherwise }) = next {
            let number = arms.len() + 1;
            let arm = if number == 1 { format!("{id}/then") } else { format!("{id}/then.{number}") };
            arms.push(OutlineArm {
                nodes: self.block(then, &arm, place, &mut known.clone()),
                id: arm,
                condition: Some(text(condition)),
                thresholds: self.reads(condition),
            });
            next = match otherwise.as_slice() {
                // A condition that evaluates a step does so only if it is reached: below `else`.
                [Syntax { node: Node::If(chained), .. }] if !self.acts(&chained.condition) => Some(chained),
                [] => None,
                otherwise => {
                    let arm = format!("{id}/else");
                    arms.push(OutlineArm {
                        nodes: self.block(otherwise, &arm, place, &mut known.clone()),
                        id: arm,
                        condition: None,
                        thresholds: Vec::new(),
                    });
                    None
                }
            };
        }
        out.add_as(id, at, Vec::new(), Act::Branch { kind: BranchKind::If, arms });
    }

    fn switch(&self, at: &Syntax, on: &Syntax, arms: &[Arm], out: &mut Nodes, known: &mut Known) {
        self.expression(on, out, known);
        let id = out.id("switch");
        let place = out.place;
        let drawn = arms.iter().enumerate().map(|(index, arm)| {
            let arm_id = format!("{id}/arm.{}", index + 1);
            let is_rest = arm.labels.is_empty() && arm.condition.is_none();
            let condition =
                (!is_rest).then(|| format!("{} is {}", text(on), arm_head(arm, Digits::AsWritten)));
            OutlineArm {
                nodes: self.block(std::slice::from_ref(&arm.value), &arm_id, place, &mut known.clone()),
                id: arm_id,
                condition,
                thresholds: arm.condition.as_ref().map(|c| self.reads(c)).unwrap_or_default(),
            }
        });
        let arms = drawn.collect();
        out.add_as(id, at, self.reads(on), Act::Branch { kind: BranchKind::Switch, arms });
    }
}
