//! `markets/NAME.yaml` as declared: shape and names, every problem at once. Whether the flow has what the overlay
//! replaces is `overlay`'s to check.

use super::declared;
use super::flow_file;
use super::models::Models;
use super::names::check_id;
use crate::documents::yaml::shape::Shape;
use crate::documents::yaml::{Content, Node, read};
use crate::domain::declaration::{
    FeatureDeclaration, InputDeclaration, ModelUseDeclaration, OnErrorDeclaration, OnInvalid,
    OutputDeclaration, ReasonDeclaration, ThresholdDeclaration,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Located, Place, Span};

/// Names that no market can have: the flow without an overlay, and every market in cases.
pub(super) const TAKEN: &[&str] = &["base", "all"];

/// What differs in one market, as written. `None` and empty: as in `flow.yaml`.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    pub market: Located<String>,
    /// The whole file.
    pub place: Place,
    /// Nothing is said but the market's name.
    pub is_empty: bool,
    pub time_zone: Option<Located<String>>,
    pub languages: Option<Vec<Located<String>>>,
    pub inputs: Vec<InputDeclaration>,
    pub features: Vec<FeatureDeclaration>,
    pub thresholds: Vec<ThresholdDeclaration>,
    pub models: Vec<ModelUseDeclaration>,
    pub outputs: Vec<OutputDeclaration>,
    pub reasons: Vec<ReasonDeclaration>,
    pub on_error: Option<OnErrorDeclaration>,
    pub on_invalid: Option<Located<OnInvalid>>,
    pub deadline_ms: Option<Located<u64>>,
    /// What stands in the place of what.
    pub rules: Replacements,
    pub scorecards: Replacements,
    pub tables: Replacements,
    pub lists: Replacements,
    /// Rule sets whose rules come behind those of another.
    pub rules_also: Vec<(Located<String>, Vec<Located<String>>)>,
}

/// A name that scripts or conditions use, and the file that stands for it in this market.
pub(super) type Replacements = Vec<(Located<String>, Located<String>)>;

/// Reads one market; `name` is the file's name before `.yaml`.
pub(super) fn market(shape: &mut Shape<'_>, file: u32, name: &str, models: &Models<'_>) -> Option<Overlay> {
    let root = match read(file, shape.source) {
        Ok(root) => root,
        Err(finding) => {
            shape.report(finding);
            return None;
        }
    };
    let mut keys = shape.keys(&root, "a market")?;
    let declared = keys.required("market", shape).and_then(|node| shape.text(node));
    if let Some(declared) = &declared {
        check_name(shape, declared, name);
    }
    let time_zone = flow_file::text(shape, &mut keys, "time_zone");
    let languages = keys.optional("languages").map(|node| flow_file::languages(shape, node));
    let inputs = keys.optional("inputs").map(|node| declared::inputs(shape, node)).unwrap_or_default();
    let features = keys.optional("features").map(|node| flow_file::features(shape, node)).unwrap_or_default();
    let thresholds =
        keys.optional("thresholds").map(|node| flow_file::thresholds(shape, node)).unwrap_or_default();
    let models =
        keys.optional("models").map(|node| flow_file::model_uses(shape, node, models)).unwrap_or_default();
    let outputs = keys.optional("outputs").map(|node| declared::outputs(shape, node)).unwrap_or_default();
    let reasons = keys.optional("reasons").map(|node| flow_file::reasons(shape, node)).unwrap_or_default();
    let on_error = keys
        .optional("on_error")
        .and_then(|node| flow_file::outcome_and_reason(shape, node, "`on_error`"))
        .map(|(outcome, reason)| OnErrorDeclaration { outcome, reason });
    let on_invalid =
        keys.optional("on_invalid").map(|node| Located::new(flow_file::on_invalid(shape, node), node.place));
    let deadline_ms = keys
        .optional("deadline_ms")
        .and_then(|node| Some(Located::new(flow_file::deadline(shape, node)?, node.place)));
    let [rules, scorecards, tables, lists] = ["rules", "scorecards", "tables", "lists"]
        .map(|key| keys.optional(key).map(|node| replacements(shape, node)).unwrap_or_default());
    let rules_also = keys.optional("rules_also").map(|node| also(shape, node)).unwrap_or_default();
    keys.finish(shape);
    let is_empty = matches!(&root.content, Content::Map(entries) if entries.len() == 1);
    let text_length = shape.source.text.len();
    Some(Overlay {
        market: Located::new(name.to_owned(), declared?.place),
        place: Place { file, span: Span::new(0, text_length) },
        is_empty,
        time_zone,
        languages,
        inputs,
        features,
        thresholds,
        models,
        outputs,
        reasons,
        on_error,
        on_invalid,
        deadline_ms,
        rules,
        scorecards,
        tables,
        lists,
        rules_also,
    })
}

fn check_name(shape: &mut Shape<'_>, declared: &Located<String>, file_name: &str) {
    check_id(shape, declared);
    if TAKEN.contains(&declared.value.as_str()) {
        let message = format!("a market cannot be called `{}`", declared.value);
        let help = "`base` is the flow without an overlay and `all` means every market: take another name";
        shape.report(Diagnostic::error("B040", declared.place, message).help(help));
    }
    if declared.value != file_name {
        let message =
            format!("this market calls itself `{}` and its file is `{file_name}.yaml`", declared.value);
        shape.report(
            Diagnostic::error("B004", declared.place, message)
                .help(format!("write `market: {file_name}` or rename the file")),
        );
    }
}

/// `{ knockout: knockout_mx }`
fn replacements(shape: &mut Shape<'_>, node: &Node) -> Replacements {
    let entries = shape.entries(node).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry.key.clone(), shape.text(&entry.value)?))).collect()
}

/// `{ knockout: [curp_checks] }`, or `{ knockout: curp_checks }`.
fn also(shape: &mut Shape<'_>, node: &Node) -> Vec<(Located<String>, Vec<Located<String>>)> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        let sets = match &entry.value.content {
            Content::Scalar(_) => shape.text(&entry.value).into_iter().collect(),
            _ => flow_file::texts(shape, &entry.value),
        };
        all.push((entry.key.clone(), sets));
    }
    all
}
