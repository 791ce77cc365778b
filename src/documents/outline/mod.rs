//! An outline as people and programs read it: a tree for the terminal, Mermaid, SVG, JSON. Absent on purpose:
//! drawing up the outline (the domain's), and browsers or fonts: a picture is laid out here and is one text.

mod json;
mod layout;
mod mermaid;
mod svg;
mod tree;

pub use json::json;
pub use mermaid::{mermaid, mermaid_with_path};
pub use svg::{svg, svg_with_path};
pub use tree::{Branch, draw, tree};

use crate::domain::outline::{OutlineStep, StepPart, ThresholdRead};

/// Rules or bins that a box of a picture lists; the others are counted.
const MOST_PARTS: usize = 14;

/// `min_age = 18, max_age = 99`
fn thresholds(read: &[ThresholdRead]) -> String {
    read.iter().map(|t| format!("{} = {}", t.name, t.value)).collect::<Vec<_>>().join(", ")
}

/// What hitting a part does: `decline: R101, 30 points`.
fn effect(part: &StepPart) -> String {
    let record = part.record.as_ref().map(crate::domain::outline::Recording::shown);
    let points = part.points.map(|points| match points {
        1 => "1 point".to_owned(),
        n => format!("{n} points"),
    });
    [record, points].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a step is called in a picture: `rule set knockout`, and what it is handed.
fn title(step: &OutlineStep) -> String {
    let with: Vec<String> = step.with.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
    format!("{} {}{with}", step.kind.title(), step.name)
}

/// Whether an outcome is the mildest, the strictest, or between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Mildest,
    Between,
    Strictest,
}

impl Strictness {
    fn of(outcome: &str, outcomes: &[String]) -> Self {
        match outcomes {
            [mildest, ..] if mildest == outcome => Self::Mildest,
            [.., strictest] if strictest == outcome => Self::Strictest,
            _ => Self::Between,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Mildest => "mildest",
            Self::Between => "between",
            Self::Strictest => "strictest",
        }
    }
}

/// The lines of a step's box: what it is, what is said of it, its parts.
fn step_lines(step: &OutlineStep) -> Vec<String> {
    let mut lines = vec![title(step)];
    lines.extend(step.note.clone());
    for part in step.parts.iter().take(MOST_PARTS) {
        let effect = effect(part);
        let arrow = if effect.is_empty() { "" } else { " → " };
        lines.push(format!("{}{arrow}{effect}", part_head(part)));
    }
    if step.parts.len() > MOST_PARTS {
        lines.push(format!("… and {} more", step.parts.len() - MOST_PARTS));
    }
    lines.extend(step.gives.as_ref().map(|gives| format!("gives {gives}")));
    lines
}

/// A rule by its condition; a bin or rows by themselves.
fn part_head(part: &StepPart) -> String {
    let read = if part.thresholds.is_empty() {
        String::new()
    } else {
        format!(" ({})", thresholds(&part.thresholds))
    };
    if part.id.contains('.') {
        format!("{}{read}", part.condition)
    } else {
        format!("{}: {}{read}", part.id, part.condition)
    }
}
