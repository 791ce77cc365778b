//! An outline as one JSON document: every node with its id, what it is and what it can record.

use serde_json::{Map, Value as Json, json};

use crate::documents::Source;
use crate::domain::outline::{
    Act, BranchKind, Outline, OutlineArm, OutlineNode, OutlineStep, ReasonSource, Recording, StepPart,
    ThresholdRead,
};
use crate::domain::place::Place;

/// The outline; with file, line and column of each node where the sources that its places count in are at hand.
#[must_use]
pub fn json(outline: &Outline, sources: &[Source]) -> Json {
    let writer = Writer { sources };
    json!({
        "flow": outline.flow,
        "title": outline.title,
        "market": outline.market.as_deref().unwrap_or("base"),
        "outcomes": outline.outcomes,
        "features": outline.features.iter().map(|feature| {
            let mut shown = writer.placed(feature.place);
            shown.insert("feature".to_owned(), json!(feature.name));
            shown.insert("formula".to_owned(), json!(feature.formula));
            shown.insert("thresholds".to_owned(), thresholds(&feature.thresholds));
            Json::Object(shown)
        }).collect::<Vec<_>>(),
        "nodes": writer.nodes(&outline.nodes),
        "functions": outline.functions.iter().map(|function| json!({
            "function": function.name,
            "parameters": function.parameters,
            "nodes": writer.nodes(&function.nodes),
        })).collect::<Vec<_>>(),
        "on_error": recording(&outline.on_error),
    })
}

struct Writer<'s> {
    sources: &'s [Source],
}

fn thresholds(read: &[ThresholdRead]) -> Json {
    read.iter().map(|t| (t.name.clone(), json!(t.value))).collect::<Map<_, _>>().into()
}

fn recording(recording: &Recording) -> Json {
    let reason = |source: &ReasonSource| match source {
        ReasonSource::Code { code, text } => json!({"code": code, "text": text}),
        ReasonSource::Step { kind, name, codes } => {
            json!({"of": kind.word(), "name": name, "codes": codes})
        }
        ReasonSource::Expression(text) => json!({"expression": text}),
    };
    json!({
        "outcome": Some(&recording.outcome).filter(|outcome| !outcome.is_empty()),
        "reasons": recording.reasons.iter().map(reason).collect::<Vec<_>>(),
        "outputs": recording.outputs.iter().map(|(n, v)| (n.clone(), json!(v))).collect::<Map<_, _>>(),
    })
}

impl Writer<'_> {
    fn placed(&self, place: Place) -> Map<String, Json> {
        let mut shown = Map::new();
        let source = usize::try_from(place.file).ok().and_then(|file| self.sources.get(file));
        if let Some(source) = source {
            let position = source.position(place.span.start);
            shown.insert("file".to_owned(), json!(source.path));
            shown.insert("line".to_owned(), json!(position.line));
            shown.insert("column".to_owned(), json!(position.column));
        }
        shown
    }

    fn nodes(&self, nodes: &[OutlineNode]) -> Vec<Json> {
        nodes.iter().map(|node| self.node(node)).collect()
    }

    fn node(&self, node: &OutlineNode) -> Json {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), json!(node.id));
        let (kind, details) = match &node.act {
            Act::Step(step) => (step.kind.word(), self.step(step)),
            Act::Apply { kind, name, records } => (
                "apply",
                json!({
                    "of": kind.word(), "name": name,
                    "records": records.iter().map(recording).collect::<Vec<_>>(),
                }),
            ),
            Act::Record(record) => ("record", recording(record)),
            Act::Branch { kind, arms } => {
                let word = match kind {
                    BranchKind::If => "if",
                    BranchKind::Switch => "switch",
                };
                (word, json!({"arms": arms.iter().map(|arm| self.arm(arm)).collect::<Vec<_>>()}))
            }
            Act::Loop { header, nodes } => ("loop", json!({"header": header, "nodes": self.nodes(nodes)})),
            Act::Compute { text } => ("compute", json!({"text": text})),
            Act::Call { function, text } => ("call", json!({"function": function, "text": text})),
            Act::Leave { text } => ("leave", json!({"text": text})),
        };
        shown.insert("kind".to_owned(), json!(kind));
        if let Json::Object(details) = details {
            shown.extend(details);
        }
        shown.insert("thresholds".to_owned(), thresholds(&node.thresholds));
        shown.extend(self.placed(node.place));
        Json::Object(shown)
    }

    fn arm(&self, arm: &OutlineArm) -> Json {
        json!({
            "id": arm.id,
            "condition": arm.condition,
            "thresholds": thresholds(&arm.thresholds),
            "nodes": self.nodes(&arm.nodes),
        })
    }

    fn step(&self, step: &OutlineStep) -> Json {
        json!({
            "name": step.name,
            "with": step.with.iter().map(|(n, v)| (n.clone(), json!(v))).collect::<Map<_, _>>(),
            "gives": step.gives,
            "note": step.note,
            "parts": step.parts.iter().map(|part| self.part(part)).collect::<Vec<_>>(),
        })
    }

    fn part(&self, part: &StepPart) -> Json {
        let mut shown = Map::new();
        shown.insert("id".to_owned(), json!(part.id));
        shown.insert("condition".to_owned(), json!(part.condition));
        shown.insert("thresholds".to_owned(), thresholds(&part.thresholds));
        shown.insert("record".to_owned(), part.record.as_ref().map_or(Json::Null, recording));
        shown.insert("points".to_owned(), json!(part.points));
        shown.extend(self.placed(part.place));
        Json::Object(shown)
    }
}
