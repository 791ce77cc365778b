//! An outline as a tree for the terminal.

use super::{Strictness, effect, thresholds, title};
use crate::documents::findings::Colour;
use crate::domain::outline::{
    Act, Outline, OutlineArm, OutlineNode, OutlineStep, Recording, StepPart, ThresholdRead,
};

/// The whole outline, one line a thing, with the lines of a tree before them.
#[must_use]
pub fn tree(outline: &Outline, colour: Colour) -> String {
    let ink = Ink { colour, outcomes: &outline.outcomes };
    let mut out = String::new();
    let market = outline.market.as_deref().unwrap_or("base");
    let title = outline.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    out.push_str(&format!("{}{title} (market {market})\n", ink.bold(&outline.flow)));
    let outcomes: Vec<String> =
        outline.outcomes.iter().map(|outcome| ink.outcome(outcome, outcome)).collect();
    out.push_str(&format!("outcomes, mildest first: {}\n", outcomes.join(", ")));
    if !outline.features.is_empty() {
        let features = outline.features.iter().map(|feature| {
            let line = format!("{} = {}", ink.bold(&feature.name), feature.formula);
            Branch::leaf(line + &ink.reads(&feature.thresholds))
        });
        section(&mut out, "features", features.collect());
    }
    section(&mut out, "steps", ink.nodes(&outline.nodes));
    for function in &outline.functions {
        let header = format!("function {}({})", function.name, function.parameters.join(", "));
        section(&mut out, &header, ink.nodes(&function.nodes));
    }
    out.push_str(&format!("\nwhen a step fails: {}\n", ink.recording(&outline.on_error)));
    out
}

fn section(out: &mut String, header: &str, branches: Vec<Branch>) {
    out.push_str(&format!("\n{header}\n"));
    draw(out, "", &branches);
}

/// A line and what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub line: String,
    pub below: Vec<Branch>,
}

impl Branch {
    #[must_use]
    pub fn leaf(line: String) -> Self {
        Self { line, below: Vec::new() }
    }
}

/// Writes branches below each other, with the lines of a tree; each line begins with `before`.
pub fn draw(out: &mut String, before: &str, branches: &[Branch]) {
    for (index, branch) in branches.iter().enumerate() {
        let is_last = index + 1 == branches.len();
        let (knot, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        out.push_str(&format!("{before}{knot}{}\n", branch.line));
        draw(out, &format!("{before}{trunk}"), &branch.below);
    }
}

struct Ink<'o> {
    colour: Colour,
    outcomes: &'o [String],
}

impl Ink<'_> {
    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            Colour::Never => text.to_owned(),
            Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn outcome(&self, outcome: &str, text: &str) -> String {
        let code = match Strictness::of(outcome, self.outcomes) {
            Strictness::Mildest => "32",
            Strictness::Between => "33",
            Strictness::Strictest => "31",
        };
        self.paint(code, text)
    }

    /// `  [min_age = 18]`
    fn reads(&self, read: &[ThresholdRead]) -> String {
        if read.is_empty() {
            return String::new();
        }
        self.paint("2", &format!("  [{}]", thresholds(read)))
    }

    fn recording(&self, recording: &Recording) -> String {
        let outputs: Vec<String> = recording.outputs.iter().map(|(n, v)| format!("{n} = {v}")).collect();
        let outputs =
            if outputs.is_empty() { String::new() } else { format!(" with {}", outputs.join(", ")) };
        let shown = recording.shown();
        match recording.outcome.as_str() {
            "" => shown + &outputs,
            outcome => self.outcome(outcome, &shown) + &outputs,
        }
    }

    fn nodes(&self, nodes: &[OutlineNode]) -> Vec<Branch> {
        nodes.iter().flat_map(|node| self.node(node)).collect()
    }

    fn node(&self, node: &OutlineNode) -> Vec<Branch> {
        let reads = self.reads(&node.thresholds);
        let line = match &node.act {
            Act::Step(step) => return vec![self.step(step, &reads)],
            Act::Apply { name, records, .. } => {
                let records: Vec<String> = records.iter().map(|record| self.recording(record)).collect();
                match records.is_empty() {
                    true => format!("apply {}", self.bold(name)),
                    false => format!("apply {} → {}", self.bold(name), records.join("; ")),
                }
            }
            Act::Record(recording) => self.recording(recording) + &reads,
            Act::Branch { arms, .. } => return self.arms(arms),
            Act::Loop { header, nodes } => {
                return vec![Branch { line: format!("{header}{reads}"), below: self.nodes(nodes) }];
            }
            Act::Compute { text } | Act::Call { text, .. } | Act::Leave { text } => format!("{text}{reads}"),
        };
        vec![Branch::leaf(line)]
    }

    fn arms(&self, arms: &[OutlineArm]) -> Vec<Branch> {
        let arm = |(index, arm): (usize, &OutlineArm)| {
            let head = match (&arm.condition, index) {
                (Some(condition), 0) => format!("if {condition}"),
                (Some(condition), _) => format!("else if {condition}"),
                (None, _) => "else".to_owned(),
            };
            Branch { line: head + &self.reads(&arm.thresholds), below: self.nodes(&arm.nodes) }
        };
        arms.iter().enumerate().map(arm).collect()
    }

    fn step(&self, step: &OutlineStep, reads: &str) -> Branch {
        let note = step.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let gives = step.gives.as_ref().map(|gives| format!(" → {gives}")).unwrap_or_default();
        let line = format!("{}{note}{gives}{reads}", self.bold(&title(step)));
        let widest = |text: fn(&StepPart) -> &str| {
            step.parts.iter().map(|part| text(part).chars().count()).max().unwrap_or_default().min(48)
        };
        let (id, condition) = (widest(|part| &part.id), widest(|part| &part.condition));
        let below = step.parts.iter().map(|part| {
            let effect = effect(part);
            let effect = match part.record.as_ref().map(|record| record.outcome.as_str()) {
                Some(outcome) if !outcome.is_empty() => self.outcome(outcome, &effect),
                _ => effect,
            };
            let arrow = if effect.is_empty() { "" } else { "→ " };
            let head = if part.id.contains('.') { String::new() } else { format!("{:<id$}  ", part.id) };
            let line = format!("{head}{:<condition$}  {arrow}{effect}", part.condition);
            Branch::leaf(line.trim_end().to_owned() + &self.reads(&part.thresholds))
        });
        Branch { line, below: below.collect() }
    }
}
