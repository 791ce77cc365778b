//! `flow.yaml` as declared: shape and names, every problem at once. Whether the parts fit together is the flow's
//! to check.

use std::collections::BTreeMap;

use super::declared;
use super::lists::{self, DeclaredList};
use super::models::Models;
use super::names::{check_id, check_readable, check_unique};
use super::needs;
use super::parts::Beside;
use super::properties;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Content, Literal, Node, read};
use crate::domain::declaration::{
    AnswerDeclaration, FeatureDeclaration, FlowDeclaration, IfItFails, ModelUseDeclaration,
    OnErrorDeclaration, OnInvalid, ReasonDeclaration, ThresholdDeclaration, ThresholdLiteral, UnknownInputs,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Located, Place, Span};

/// Milliseconds that gathering may take where a flow does not say.
const DEFAULT_DEADLINE_MS: u64 = 1_000;

/// Keys of language.md whose meaning a later version brings.
const LATER_KEYS: &[&str] = &["counters", "sources", "assignment"];

/// Reads `flow.yaml` of the folder `name`; rule sets and script come from their own files.
pub(super) fn flow(
    shape: &mut Shape<'_>,
    file: u32,
    name: &str,
    models: &Models<'_>,
    beside: Beside,
    declared_lists: &mut Vec<DeclaredList>,
    script: Located<String>,
) -> Option<FlowDeclaration> {
    let root = match read(file, shape.source) {
        Ok(root) => root,
        Err(finding) => {
            shape.report(finding);
            return None;
        }
    };
    let mut keys = shape.keys(&root, "`flow.yaml`")?;
    let declared_name = flow_name(shape, &mut keys, name);
    let title = text(shape, &mut keys, "title").map(|title| title.value);
    let owner = text(shape, &mut keys, "owner").map(|owner| owner.value);
    let subject = text(shape, &mut keys, "subject");
    let time_zone = text(shape, &mut keys, "time_zone");
    let inputs = keys.required("inputs", shape).map(|node| declared::inputs(shape, node)).unwrap_or_default();
    let unknown = [("refuse", UnknownInputs::Refuse), ("record", UnknownInputs::Record)];
    let unknown_inputs =
        keys.optional("unknown_inputs").and_then(|node| shape.word(node, &unknown)).unwrap_or_default();
    let protected = keys.optional("protected").map(|node| protected(shape, node)).unwrap_or_default();
    let features = keys.optional("features").map(|node| features(shape, node)).unwrap_or_default();
    let thresholds = keys.optional("thresholds").map(|node| thresholds(shape, node)).unwrap_or_default();
    let models = keys.optional("models").map(|node| model_uses(shape, node, models)).unwrap_or_default();
    let outputs = keys.optional("outputs").map(|node| declared::outputs(shape, node)).unwrap_or_default();
    let needs = keys.optional("needs").map(|node| needs::needs(shape, node)).unwrap_or_default();
    let outcomes = keys.required("outcomes", shape).map(|node| outcomes(shape, node)).unwrap_or_default();
    let reasons = keys.optional("reasons").map(|node| reasons(shape, node)).unwrap_or_default();
    let on_error =
        keys.required("on_error", shape).and_then(|node| outcome_and_reason(shape, node, "`on_error`"));
    let on_invalid = keys.optional("on_invalid").map(|node| on_invalid(shape, node)).unwrap_or_default();
    let deadline_ms =
        keys.optional("deadline_ms").and_then(|node| deadline(shape, node)).unwrap_or(DEFAULT_DEADLINE_MS);
    *declared_lists = keys.optional("lists").map(|node| lists::declared(shape, node)).unwrap_or_default();
    let languages = keys.optional("languages").map(|node| languages(shape, node)).unwrap_or_default();
    let is_market_required = is_market_required(shape, &mut keys);
    let properties =
        keys.optional("properties").map(|node| properties::properties(shape, node)).unwrap_or_default();
    later_keys(shape, &mut keys);
    keys.finish(shape);
    let (outcome, reason) = on_error?;
    Some(FlowDeclaration {
        name: declared_name?,
        title,
        owner,
        subject,
        time_zone,
        inputs,
        unknown_inputs,
        protected,
        features,
        thresholds,
        models,
        outputs,
        outcomes,
        reasons,
        on_error: OnErrorDeclaration { outcome, reason },
        on_invalid,
        deadline_ms,
        place: Place { file, span: Span::default() },
        rule_sets: beside.rule_sets,
        scorecards: beside.scorecards,
        tables: beside.tables,
        lists: Vec::new(),
        needs,
        sub_flows: Vec::new(),
        shared_functions: beside.shared_functions,
        languages,
        market: None,
        is_market_required,
        properties,
        script,
    })
}

/// `market: required`
fn is_market_required(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> bool {
    keys.optional("market").and_then(|node| shape.word(node, &[("required", true)])).unwrap_or_default()
}

fn flow_name(shape: &mut Shape<'_>, keys: &mut Keys<'_>, folder: &str) -> Option<Located<String>> {
    let node = keys.required("flow", shape)?;
    let name = shape.text(node)?;
    check_id(shape, &name);
    if name.value != folder {
        let message = format!("this flow calls itself `{}` and its folder is `{folder}`", name.value);
        shape.report(
            Diagnostic::error("B004", name.place, message)
                .help(format!("write `flow: {folder}` or rename the folder")),
        );
    }
    Some(name)
}

pub(super) fn text(shape: &mut Shape<'_>, keys: &mut Keys<'_>, key: &'static str) -> Option<Located<String>> {
    keys.optional(key).and_then(|node| shape.text(node))
}

fn later_keys(shape: &mut Shape<'_>, keys: &mut Keys<'_>) {
    for key in LATER_KEYS {
        if keys.optional(key).is_some() {
            let place = keys.place_of(key).unwrap_or_default();
            let message = format!("`{key}` is not supported by this version");
            shape.report(Diagnostic::error("B003", place, message).help("remove it"));
        }
    }
}

fn protected(shape: &mut Shape<'_>, node: &Node) -> Vec<(Located<String>, Vec<Located<String>>)> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        let Some(mut keys) = shape.keys(&entry.value, format!("protected input `{}`", entry.key.value))
        else {
            continue;
        };
        let sets = keys.required("only_in", shape).map(|node| texts(shape, node)).unwrap_or_default();
        keys.finish(shape);
        all.push((entry.key.clone(), sets));
    }
    all
}

pub(super) fn texts(shape: &mut Shape<'_>, node: &Node) -> Vec<Located<String>> {
    let items = shape.list(node).unwrap_or_default();
    items.iter().filter_map(|item| shape.text(item)).collect()
}

pub(super) fn features(shape: &mut Shape<'_>, node: &Node) -> Vec<FeatureDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        if let Some(formula) = shape.expression(&entry.value) {
            all.push(FeatureDeclaration { name: entry.key.clone(), formula });
        }
    }
    all
}

pub(super) fn thresholds(shape: &mut Shape<'_>, node: &Node) -> Vec<ThresholdDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        let literal = match shape.literal(&entry.value) {
            None => continue,
            Some(Literal::Number(text)) => ThresholdLiteral::Number(text),
            Some(Literal::Boolean(value)) => ThresholdLiteral::Boolean(value),
            Some(Literal::Text(text)) => ThresholdLiteral::Text(text),
            Some(Literal::Null) => {
                let message = format!("threshold `{}` has no value", entry.key.value);
                shape.report(
                    Diagnostic::error("Y011", entry.key.place, message)
                        .help("write a number, text or boolean"),
                );
                continue;
            }
        };
        all.push(ThresholdDeclaration {
            name: entry.key.clone(),
            literal: Located::new(literal, entry.value.place),
        });
    }
    all
}

pub(super) fn model_uses(
    shape: &mut Shape<'_>,
    node: &Node,
    models: &Models<'_>,
) -> Vec<ModelUseDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        let (reference, if_it_fails) = match &entry.value.content {
            Content::Map(_) => long_model_use(shape, &entry.value, &entry.key.value),
            _ => (shape.text(&entry.value), None),
        };
        let Some(reference) = reference else { continue };
        let model = match models.resolve(&reference.value) {
            Ok(model) => Some(model),
            Err(why) => {
                shape.report(Diagnostic::error("B006", reference.place, why));
                None
            }
        };
        all.push(ModelUseDeclaration { name: entry.key.clone(), reference, model, if_it_fails });
    }
    all
}

fn long_model_use(
    shape: &mut Shape<'_>,
    node: &Node,
    name: &str,
) -> (Option<Located<String>>, Option<IfItFails>) {
    let Some(mut keys) = shape.keys(node, format!("model `{name}`")) else { return (None, None) };
    let reference = keys.required("use", shape).and_then(|node| shape.text(node));
    let fallback = keys.optional("if_it_fails").and_then(|node| if_it_fails(shape, node));
    keys.finish(shape);
    (reference, fallback)
}

/// `{ probability: 0.5, score: 0, reasons: [R900] }`, `{ model: backup }`, or `{ outcome: review, reason: R900 }`.
pub(super) fn if_it_fails(shape: &mut Shape<'_>, node: &Node) -> Option<IfItFails> {
    let what = "`if_it_fails`";
    if let Content::Map(entries) = &node.content
        && entries.iter().any(|entry| matches!(entry.key.value.as_str(), "outcome" | "reason"))
    {
        let (outcome, reason) = outcome_and_reason(shape, node, what)?;
        return Some(IfItFails::Refer { outcome, reason });
    }
    let mut keys = shape.keys(node, what)?;
    let fallback = match keys.optional("model") {
        Some(node) => shape.text(node).map(IfItFails::Model),
        None => answer(shape, &mut keys, node).map(IfItFails::Answer),
    };
    keys.finish(shape);
    fallback
}

fn answer(shape: &mut Shape<'_>, keys: &mut Keys<'_>, node: &Node) -> Option<AnswerDeclaration> {
    let probability = keys.optional("probability").map(|node| probability(shape, node));
    let score = keys.optional("score").map(|node| finite(shape, node));
    let reasons = keys.optional("reasons").map(|node| texts(shape, node)).unwrap_or_default();
    if probability.is_none() && score.is_none() {
        let message = "`if_it_fails` says no `probability`, `score`, `model` or `outcome`";
        shape.report(Diagnostic::error("Y010", node.place, message).help("write `{ probability: 0.5 }`"));
        return None;
    }
    let (probability, score) = (probability.flatten(), score.flatten());
    Some(AnswerDeclaration { probability, score, reasons, place: node.place })
}

/// A number that is one.
pub(super) fn finite(shape: &mut Shape<'_>, node: &Node) -> Option<Located<f64>> {
    let text = shape.number(node)?;
    match text.value.parse::<f64>() {
        Ok(value) if value.is_finite() => Some(Located::new(value, text.place)),
        _ => {
            shape.report(Diagnostic::error("B007", text.place, "a score is a number"));
            None
        }
    }
}

/// A number from 0 to 1.
pub(super) fn probability(shape: &mut Shape<'_>, node: &Node) -> Option<Located<f64>> {
    let text = shape.number(node)?;
    match text.value.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Some(Located::new(value, text.place)),
        _ => {
            shape.report(Diagnostic::error("B007", text.place, "a probability is a number from 0 to 1"));
            None
        }
    }
}

fn outcomes(shape: &mut Shape<'_>, node: &Node) -> Vec<Located<String>> {
    let all = texts(shape, node);
    for outcome in &all {
        check_readable(shape, outcome);
    }
    check_unique(shape, "outcome", &all);
    if all.len() < 2 && !all.is_empty() {
        shape.report(Diagnostic::error(
            "B007",
            node.place,
            "a flow needs at least two outcomes, the mildest first",
        ));
    }
    all
}

pub(super) fn reasons(shape: &mut Shape<'_>, node: &Node) -> Vec<ReasonDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_id(shape, &entry.key);
        if let Some(reason) = reason(shape, &entry.key, &entry.value) {
            all.push(reason);
        }
    }
    all
}

fn reason(shape: &mut Shape<'_>, code: &Located<String>, node: &Node) -> Option<ReasonDeclaration> {
    let mut texts = BTreeMap::new();
    let mut is_score = false;
    for entry in shape.entries(node)? {
        if entry.key.value == "kind" {
            is_score = shape.word(&entry.value, &[("score", true)]).unwrap_or_default();
        } else if is_language(&entry.key.value) {
            if let Some(text) = shape.text(&entry.value) {
                texts.insert(entry.key.value.clone(), text.value);
            }
        } else {
            let message = format!("`{}` is not the tag of a language", entry.key.value.escape_debug());
            shape.report(
                Diagnostic::error("Y009", entry.key.place, message)
                    .help("write `en`, `es`, `pt-BR`, …, or `kind: score`"),
            );
        }
    }
    if texts.is_empty() {
        let message = format!("reason `{}` has no text", code.value);
        shape.report(
            Diagnostic::error("Y010", code.place, message)
                .help("write it in at least one language, such as `en:`"),
        );
    }
    Some(ReasonDeclaration { code: code.clone(), texts, is_score, is_shared: false })
}

/// Tags of the languages that every reason must be given in.
pub(super) fn languages(shape: &mut Shape<'_>, node: &Node) -> Vec<Located<String>> {
    let all = texts(shape, node);
    for language in all.iter().filter(|language| !is_language(&language.value)) {
        let message = format!("`{}` is not the tag of a language", language.value.escape_debug());
        shape.report(Diagnostic::error("B007", language.place, message).help("write `en`, `es`, `pt-BR`, …"));
    }
    check_unique(shape, "language", &all);
    all
}

pub(super) fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.chars().all(|c| c.is_ascii_lowercase())
        && parts.all(|part| (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

pub(super) fn outcome_and_reason(
    shape: &mut Shape<'_>,
    node: &Node,
    what: &str,
) -> Option<(Located<String>, Located<String>)> {
    let mut keys = shape.keys(node, what)?;
    let outcome = keys.required("outcome", shape).and_then(|node| shape.text(node));
    let reason = keys.required("reason", shape).and_then(|node| shape.text(node));
    keys.finish(shape);
    Some((outcome?, reason?))
}

pub(super) fn on_invalid(shape: &mut Shape<'_>, node: &Node) -> OnInvalid {
    if let Content::Map(_) = node.content {
        return match outcome_and_reason(shape, node, "`on_invalid`") {
            Some((outcome, reason)) => OnInvalid::Record { outcome, reason },
            None => OnInvalid::Refuse,
        };
    }
    shape.word(node, &[("refuse", ())]);
    OnInvalid::Refuse
}

pub(super) fn deadline(shape: &mut Shape<'_>, node: &Node) -> Option<u64> {
    let milliseconds = shape.integer(node)?;
    match u64::try_from(milliseconds.value) {
        Ok(value @ 1..=60_000) => Some(value),
        _ => {
            shape.report(Diagnostic::error(
                "B007",
                milliseconds.place,
                "a deadline is 1 to 60000 milliseconds",
            ));
            None
        }
    }
}
