//! An outline as an SVG picture: one file, no fonts, scripts or addresses in it, and colours for bright and dark.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::layout::{LINE, Look, Mark, Part, Shape, Way};
use super::{Strictness, step_lines, thresholds};
use crate::domain::outline::{Act, Outline, OutlineArm, OutlineNode, Recording, ThresholdRead};

const MARGIN: f64 = 16.0;

const STYLE: &str = "\
.back{fill:#fff}.line{fill:none;stroke:#5b6775;stroke-width:1.4}.tip{fill:#5b6775}\
.frame{fill:none;stroke:#a07b13;stroke-dasharray:5 4}\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#14181d;white-space:pre}\
.label{fill:#5b6775}rect{stroke-width:1.2}\
.edge{fill:#eef1f5;stroke:#5b6775}.step{fill:#e3edfb;stroke:#3465a8}.plain{fill:#fff;stroke:#8a94a0}\
.left{opacity:.32}.taken rect{stroke-width:2.4}.taken .line{stroke-width:2.6}\
.asks{fill:#fff7db;stroke:#a07b13}.mildest{fill:#dcf3e4;stroke:#2b7a4b}.between{fill:#fde9c8;stroke:#b26b00}\
.strictest{fill:#fbdcdc;stroke:#b3261e}\
@media (prefers-color-scheme:dark){.back{fill:#14181d}.line{stroke:#9aa6b2}.tip{fill:#9aa6b2}\
text{fill:#eef1f5}.label{fill:#b7c1cb}.edge{fill:#2a323b;stroke:#9aa6b2}.step{fill:#1c2f4a;stroke:#7aa7e6}\
.plain{fill:#1d232a;stroke:#8a94a0}.asks{fill:#3b3213;stroke:#d5ac35}.mildest{fill:#163823;stroke:#5fbf87}\
.between{fill:#452e0b;stroke:#e5a23c}.strictest{fill:#4a1a18;stroke:#ef7b74}}";

/// The picture's text.
#[must_use]
pub fn svg(outline: &Outline) -> String {
    drawn_up(outline, None)
}

/// The same with the way that an evaluation took: `path` has the ids of the nodes and arms that it came through. The
/// rest is faint.
#[must_use]
pub fn svg_with_path(outline: &Outline, path: &BTreeSet<String>) -> String {
    drawn_up(outline, Some(path))
}

fn drawn_up(outline: &Outline, path: Option<&BTreeSet<String>>) -> String {
    let artist = Artist { outcomes: &outline.outcomes, path };
    let mut parts = vec![artist.framed(&outline.flow, "the strictest outcome recorded", &outline.nodes)];
    for function in &outline.functions {
        let header = format!("{}({})", function.name, function.parameters.join(", "));
        parts.push(artist.framed(&header, "back", &function.nodes));
    }
    let picture = Part::beside(parts);
    let (width, height) = (picture.width + 2.0 * MARGIN, picture.height + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" xml:space=\"preserve\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n<g transform=\"translate({MARGIN} {MARGIN})\">\n",
        escaped(outline.title.as_deref().unwrap_or(&outline.flow))
    );
    for shape in &picture.shapes {
        drawn(&mut out, shape);
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// XML's own signs as entities; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

fn drawn(out: &mut String, shape: &Shape) {
    if let Shape::Marked(mark, shape) = shape {
        let class = match mark {
            Mark::Taken => "taken",
            Mark::Left => "left",
        };
        let _ = write!(out, "<g class=\"{class}\">");
        drawn(out, shape);
        out.push_str("</g>\n");
        return;
    }
    let _ = match shape {
        Shape::Marked(..) => Ok(()),
        Shape::Box { id, x, y, width, height, lines, look } => {
            let id = id.as_ref().map(|id| format!(" data-id=\"{}\"", escaped(id))).unwrap_or_default();
            let round = match look {
                Look::Step | Look::Plain => 2.0,
                Look::Asks => 8.0,
                _ => (height / 2.0).min(14.0),
            };
            let _ = write!(
                out,
                "<g{id}><rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>",
                class(*look)
            );
            let mut baseline = y + 10.0 + LINE - 4.5;
            for line in lines {
                let _ =
                    write!(out, "<text x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>", x + 10.0, escaped(line));
                baseline += LINE;
            }
            writeln!(out, "</g>")
        }
        Shape::Line { points, arrow } => {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let tip = if *arrow { " marker-end=\"url(#tip)\"" } else { "" };
            writeln!(out, "<polyline class=\"line\" points=\"{}\"{tip}/>", points.join(" "))
        }
        Shape::Label { x, y, text } => {
            writeln!(out, "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text))
        }
        Shape::Frame { x, y, width, height } => writeln!(
            out,
            "<rect class=\"frame\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>"
        ),
    };
}

fn class(look: Look) -> &'static str {
    match look {
        Look::Edge => "edge",
        Look::Step => "step",
        Look::Plain => "plain",
        Look::Asks => "asks",
        Look::Mildest => "mildest",
        Look::Between => "between",
        Look::Strictest => "strictest",
    }
}

struct Artist<'o> {
    outcomes: &'o [String],
    path: Option<&'o BTreeSet<String>>,
}

fn reads(read: &[ThresholdRead]) -> Option<String> {
    (!read.is_empty()).then(|| thresholds(read))
}

impl Artist<'_> {
    /// From where it starts to where it ends.
    pub(super) fn framed(&self, start: &str, end: &str, nodes: &[OutlineNode]) -> Part {
        let mut parts = vec![Part::of_text(None, &[start.to_owned()], Look::Edge)];
        parts.extend(nodes.iter().map(|node| self.node(node)));
        parts.push(Part::of_text(None, &[end.to_owned()], Look::Edge));
        Part::stacked(parts)
    }

    fn block(&self, nodes: &[OutlineNode]) -> Part {
        Part::stacked(nodes.iter().map(|node| self.node(node)).collect())
    }

    fn look(&self, outcome: &str) -> Look {
        match Strictness::of(outcome, self.outcomes) {
            Strictness::Mildest => Look::Mildest,
            Strictness::Between => Look::Between,
            Strictness::Strictest => Look::Strictest,
        }
    }

    fn node(&self, node: &OutlineNode) -> Part {
        let part = self.unmarked(node);
        match self.mark(Some(&node.id)) {
            Some(mark) => part.marked(mark),
            None => part,
        }
    }

    /// Whether an evaluation came to a node or arm; what has no id is come to where nothing else is.
    fn mark(&self, id: Option<&str>) -> Option<Mark> {
        let path = self.path?;
        Some(if id.is_some_and(|id| path.contains(id)) { Mark::Taken } else { Mark::Left })
    }

    fn unmarked(&self, node: &OutlineNode) -> Part {
        let id = Some(node.id.as_str());
        match &node.act {
            Act::Step(step) => {
                let mut lines = step_lines(step);
                lines.extend(reads(&node.thresholds));
                Part::of_text(id, &lines, Look::Step)
            }
            Act::Apply { name, records, .. } => {
                let mut lines = vec![format!("apply {name}")];
                lines.extend(records.iter().map(Recording::shown));
                let look = records.first().map_or(Look::Plain, |record| self.look(&record.outcome));
                Part::of_text(id, &lines, look)
            }
            Act::Record(recording) => {
                let mut lines = vec![recording.shown()];
                lines.extend(recording.outputs.iter().map(|(name, value)| format!("{name} = {value}")));
                lines.extend(reads(&node.thresholds));
                Part::of_text(id, &lines, self.look(&recording.outcome))
            }
            Act::Branch { arms, .. } => self.branch(node, arms),
            Act::Loop { header, nodes } => {
                let mut lines = vec![header.clone()];
                lines.extend(reads(&node.thresholds));
                Part::repeated(Part::of_text(id, &lines, Look::Asks), self.block(nodes))
            }
            Act::Compute { text } | Act::Call { text, .. } => {
                let mut lines = vec![text.clone()];
                lines.extend(reads(&node.thresholds));
                Part::of_text(id, &lines, Look::Plain)
            }
            Act::Leave { text } => {
                Part { ends: true, ..Part::of_text(id, std::slice::from_ref(text), Look::Plain) }
            }
        }
    }

    /// One condition is asked in the box; of several the box has what is common, and each way its own.
    fn branch(&self, node: &OutlineNode, arms: &[OutlineArm]) -> Part {
        let has_rest = arms.iter().any(|arm| arm.condition.is_none());
        let mut ways: Vec<Way> = Vec::new();
        let conditions = arms.iter().filter(|arm| arm.condition.is_some()).count();
        for arm in arms {
            let label = match (&arm.condition, conditions) {
                (None, 1) => "no".to_owned(),
                (None, _) => "otherwise".to_owned(),
                (Some(_), 1) => "yes".to_owned(),
                (Some(condition), _) => {
                    let read = reads(&arm.thresholds).map(|read| format!(" ({read})")).unwrap_or_default();
                    format!("{condition}{read}")
                }
            };
            ways.push(Way { label, part: self.block(&arm.nodes), mark: self.mark(Some(&arm.id)) });
        }
        if !has_rest {
            let label = if conditions == 1 { "no" } else { "otherwise" };
            let is_taken = |mark: &Way| mark.mark == Some(Mark::Taken);
            let passed = self.mark(Some(&node.id)).map(|reached| match reached {
                Mark::Taken if !ways.iter().any(is_taken) => Mark::Taken,
                _ => Mark::Left,
            });
            ways.push(Way { label: label.to_owned(), part: Part::default(), mark: passed });
        }
        let head = match (arms, conditions) {
            ([first, ..], 1) => {
                let mut lines = first.condition.clone().into_iter().collect::<Vec<_>>();
                lines.extend(reads(&first.thresholds));
                lines
            }
            _ => vec!["the first that holds".to_owned()],
        };
        Part::chosen(Part::of_text(Some(&node.id), &head, Look::Asks), ways)
    }
}
