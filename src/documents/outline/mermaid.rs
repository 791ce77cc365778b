//! An outline as a Mermaid flowchart.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Strictness, step_lines, thresholds};
use crate::domain::outline::{Act, Outline, OutlineArm, OutlineNode, Recording, ThresholdRead};

/// Where a line comes from, and what is written on it.
type Loose = (String, Option<String>);

/// The flowchart's text: what stands in a ```` ```mermaid ```` block.
#[must_use]
pub fn mermaid(outline: &Outline) -> String {
    drawn_up(outline, None)
}

/// The same with the way that an evaluation took: `path` has the ids of the nodes and arms that it came through. The
/// rest is faint.
#[must_use]
pub fn mermaid_with_path(outline: &Outline, path: &BTreeSet<String>) -> String {
    drawn_up(outline, Some(path))
}

fn drawn_up(outline: &Outline, path: Option<&BTreeSet<String>>) -> String {
    let mut chart = Chart {
        outcomes: &outline.outcomes,
        path,
        out: String::new(),
        count: 0,
        loops: Vec::new(),
        left: Vec::new(),
        taken: Vec::new(),
    };
    chart.out.push_str("flowchart TD\n");
    let start = chart.shape("([", std::slice::from_ref(&outline.flow), "])", "edge");
    let end = chart.shape("([", &["the strictest outcome recorded".to_owned()], "])", "edge");
    let loose = chart.block(&outline.nodes, vec![(start, None)], &end);
    chart.join(&loose, &end);
    for function in &outline.functions {
        let header = format!("{}({})", function.name, function.parameters.join(", "));
        let _ = writeln!(chart.out, "  subgraph fn_{}[\"{}\"]", function.name, escaped(&header));
        let start = chart.shape("([", std::slice::from_ref(&header), "])", "edge");
        let end = chart.shape("([", &["back".to_owned()], "])", "edge");
        let loose = chart.block(&function.nodes, vec![(start, None)], &end);
        chart.join(&loose, &end);
        chart.out.push_str("  end\n");
    }
    chart.out.push_str(
        "  classDef edge fill:#eef1f5,stroke:#5b6775,color:#14181d\n\
         \x20 classDef step fill:#e3edfb,stroke:#3465a8,color:#14181d\n\
         \x20 classDef plain fill:#ffffff,stroke:#8a94a0,color:#14181d\n\
         \x20 classDef asks fill:#fff7db,stroke:#a07b13,color:#14181d\n\
         \x20 classDef mildest fill:#dcf3e4,stroke:#2b7a4b,color:#14181d\n\
         \x20 classDef between fill:#fde9c8,stroke:#b26b00,color:#14181d\n\
         \x20 classDef strictest fill:#fbdcdc,stroke:#b3261e,color:#14181d\n",
    );
    if path.is_some() {
        chart.out.push_str("  classDef left opacity:0.32\n  classDef taken stroke-width:3px\n");
        for (class, ids) in [("left", &chart.left), ("taken", &chart.taken)] {
            if !ids.is_empty() {
                let _ = writeln!(chart.out, "  class {} {class}", ids.join(","));
            }
        }
    }
    chart.out
}

/// Only letters, digits and blanks stay as they are: every sign that Mermaid may read as its own is an entity.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | ',') => out.push(c),
            c if c.is_control() => out.push(' '),
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out
}

struct Chart<'o> {
    outcomes: &'o [String],
    path: Option<&'o BTreeSet<String>>,
    /// Shapes that the evaluation did not come to, and that it did.
    left: Vec<String>,
    taken: Vec<String>,
    out: String,
    count: usize,
    /// Of the loops around: where `continue` leads, and what `break` left.
    loops: Vec<(String, Vec<Loose>)>,
}

impl Chart<'_> {
    fn shape(&mut self, open: &str, lines: &[String], close: &str, class: &str) -> String {
        self.count += 1;
        let id = format!("n{}", self.count);
        let label: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let _ = writeln!(self.out, "  {id}{open}\"{}\"{close}:::{class}", label.join("<br/>"));
        id
    }

    fn join(&mut self, from: &[Loose], to: &str) {
        for (from, label) in from {
            let _ = match label {
                Some(label) => writeln!(self.out, "  {from} -->|\"{}\"| {to}", escaped(label)),
                None => writeln!(self.out, "  {from} --> {to}"),
            };
        }
    }

    fn then(&mut self, loose: &[Loose], id: &str) -> Vec<Loose> {
        self.join(loose, id);
        vec![(id.to_owned(), None)]
    }

    fn block(&mut self, nodes: &[OutlineNode], mut loose: Vec<Loose>, end: &str) -> Vec<Loose> {
        for node in nodes {
            loose = self.node(node, loose, end);
        }
        loose
    }

    /// Draws a node and marks what was drawn of it, unless something in it was marked by itself.
    fn node(&mut self, node: &OutlineNode, loose: Vec<Loose>, end: &str) -> Vec<Loose> {
        let before = self.count;
        let loose = self.unmarked(node, loose, end);
        if let Some(path) = self.path {
            let is_taken = path.contains(&node.id);
            for number in before + 1..=self.count {
                let id = format!("n{number}");
                if !self.left.contains(&id) && !self.taken.contains(&id) {
                    if is_taken { self.taken.push(id) } else { self.left.push(id) }
                }
            }
        }
        loose
    }

    fn unmarked(&mut self, node: &OutlineNode, loose: Vec<Loose>, end: &str) -> Vec<Loose> {
        match &node.act {
            Act::Step(step) => {
                let mut lines = step_lines(step);
                lines.extend(reads(&node.thresholds));
                let id = self.shape("[[", &lines, "]]", "step");
                self.then(&loose, &id)
            }
            Act::Apply { name, records, .. } => {
                let mut lines = vec![format!("apply {name}")];
                lines.extend(records.iter().map(Recording::shown));
                let strictest = records.first().map_or("", |record| record.outcome.as_str());
                let class = if records.is_empty() {
                    "plain"
                } else {
                    Strictness::of(strictest, self.outcomes).class()
                };
                let id = self.shape("([", &lines, "])", class);
                self.then(&loose, &id)
            }
            Act::Record(recording) => {
                let mut lines = vec![recording.shown()];
                lines.extend(recording.outputs.iter().map(|(name, value)| format!("{name} = {value}")));
                lines.extend(reads(&node.thresholds));
                let class = Strictness::of(&recording.outcome, self.outcomes).class();
                let id = self.shape("([", &lines, "])", class);
                self.then(&loose, &id)
            }
            Act::Branch { arms, .. } => self.branch(arms, loose, end),
            Act::Loop { header, nodes } => {
                let mut lines = vec![header.clone()];
                lines.extend(reads(&node.thresholds));
                let id = self.shape("{{", &lines, "}}", "asks");
                self.join(&loose, &id);
                self.loops.push((id.clone(), Vec::new()));
                let back = self.block(nodes, vec![(id.clone(), Some("each".to_owned()))], end);
                self.join(&back, &id);
                let mut out = vec![(id, Some("done".to_owned()))];
                out.extend(self.loops.pop().map(|(_, broken)| broken).unwrap_or_default());
                out
            }
            Act::Compute { text } | Act::Call { text, .. } => {
                let mut lines = vec![text.clone()];
                lines.extend(reads(&node.thresholds));
                let id = self.shape("[", &lines, "]", "plain");
                self.then(&loose, &id)
            }
            Act::Leave { text } => self.leave(text, loose, end),
        }
    }

    fn leave(&mut self, text: &str, loose: Vec<Loose>, end: &str) -> Vec<Loose> {
        match (text, self.loops.last_mut()) {
            ("break", Some((_, broken))) => broken.extend(loose),
            ("continue", Some((header, _))) => {
                let header = header.clone();
                self.join(&loose, &header);
            }
            (text, _) => {
                let id = self.shape("[", &[text.to_owned()], "]", "plain");
                let loose = self.then(&loose, &id);
                self.join(&loose, end);
            }
        }
        Vec::new()
    }

    fn branch(&mut self, arms: &[OutlineArm], mut loose: Vec<Loose>, end: &str) -> Vec<Loose> {
        let mut out = Vec::new();
        for arm in arms {
            match &arm.condition {
                Some(condition) => {
                    let mut lines = vec![condition.clone()];
                    lines.extend(reads(&arm.thresholds));
                    let id = self.shape("{", &lines, "}", "asks");
                    self.join(&loose, &id);
                    out.extend(self.block(&arm.nodes, vec![(id.clone(), Some("yes".to_owned()))], end));
                    loose = vec![(id, Some("no".to_owned()))];
                }
                None => {
                    out.extend(self.block(&arm.nodes, std::mem::take(&mut loose), end));
                }
            }
        }
        out.extend(loose);
        out
    }
}

fn reads(read: &[ThresholdRead]) -> Option<String> {
    (!read.is_empty()).then(|| thresholds(read))
}
