//! Which way an evaluation took through the flow's outline, by the stable ids of its nodes and arms.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluated::{Evaluated, Level};
use crate::domain::expression::{Code, Expression, ExpressionId};
use crate::domain::flow::Flow;
use crate::domain::flow::watch::Site;
use crate::domain::outline::{Act, Outline, OutlineArm, OutlineNode};
use crate::domain::place::Span;

/// The ids of all nodes that the evaluation came to, and of the arms that it took; `file` is that of the flow's script.
pub(super) fn of_level(outline: &Outline, file: u32, flow: &Flow, level: &Level) -> BTreeSet<String> {
    let mut seen = Seen { flow, spans: BTreeSet::new(), ids: BTreeSet::new() };
    for node in &level.pending {
        seen.add(node);
    }
    let mut branches = BTreeMap::new();
    let own = flow.script.functions.iter().filter(|function| !function.is_shared).map(|f| &f.body);
    for root in own.chain([&flow.script.body]) {
        find_branches(root, &mut branches);
    }
    let mut path = Path { seen: &seen, file, branches, ids: BTreeSet::new() };
    path.nodes(&outline.nodes);
    for function in &outline.functions {
        path.nodes(&function.nodes);
    }
    path.ids
}

/// What was evaluated in the flow's own script.
struct Seen<'f> {
    flow: &'f Flow,
    spans: BTreeSet<Span>,
    ids: BTreeSet<ExpressionId>,
}

impl Seen<'_> {
    fn add(&mut self, node: &Evaluated) {
        let is_own = match node.site {
            Site::Script => true,
            Site::Function(at) => {
                let function = self.flow.script.functions.get(usize::from(at));
                function.is_some_and(|function| !function.is_shared)
            }
            _ => false,
        };
        if is_own {
            self.ids.insert(node.id);
            self.spans.insert(node.span);
        }
        for below in &node.below {
            self.add(below);
        }
    }

    fn within(&self, span: Span) -> bool {
        let from = Span { start: span.start, end: 0 };
        self.spans.range(from..).take_while(|seen| seen.start < span.end).any(|seen| seen.end <= span.end)
    }
}

/// Branches of the compiled script, by where they begin.
fn find_branches<'f>(root: &'f Expression, found: &mut BTreeMap<u32, Vec<&'f Expression>>) {
    if matches!(root.code, Code::If { .. } | Code::Switch { .. }) {
        found.entry(root.span.start).or_default().push(root);
    }
    for child in root.children() {
        find_branches(child, found);
    }
}

struct Path<'f> {
    seen: &'f Seen<'f>,
    file: u32,
    branches: BTreeMap<u32, Vec<&'f Expression>>,
    ids: BTreeSet<String>,
}

impl<'f> Path<'f> {
    fn nodes(&mut self, nodes: &[OutlineNode]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &OutlineNode) {
        // Shared functions stand in other files: what they do is not looked into.
        if node.place.file != self.file || !self.seen.within(node.place.span) {
            return;
        }
        self.ids.insert(node.id.clone());
        match &node.act {
            Act::Branch { arms, .. } => self.arms(node, arms),
            Act::Loop { nodes, .. } => self.nodes(nodes),
            _ => {}
        }
    }

    fn arms(&mut self, node: &OutlineNode, arms: &[OutlineArm]) {
        let compiled = self.branches.get(&node.place.span.start).cloned().unwrap_or_default();
        for (at, arm) in arms.iter().enumerate() {
            if compiled.iter().any(|branch| self.takes(branch, at, arm)) {
                self.ids.insert(arm.id.clone());
                self.nodes(&arm.nodes);
            }
        }
    }

    /// Whether the arm at this place of a chain of branches was evaluated.
    fn takes(&self, branch: &'f Expression, at: usize, arm: &OutlineArm) -> bool {
        match &branch.code {
            Code::If { then, .. } if at == 0 => self.is_seen(then),
            Code::If { otherwise, .. } => match (&otherwise.code, &arm.condition) {
                (Code::If { .. }, Some(_)) => self.takes(otherwise, at.saturating_sub(1), arm),
                (Code::If { .. }, None) if at > 1 => self.takes(otherwise, at.saturating_sub(1), arm),
                _ => self.is_seen(otherwise),
            },
            Code::Switch { arms, .. } => arms.get(at).is_some_and(|arm| self.is_seen(&arm.value)),
            _ => false,
        }
    }

    fn is_seen(&self, expression: &Expression) -> bool {
        self.seen.ids.contains(&expression.id())
    }
}
