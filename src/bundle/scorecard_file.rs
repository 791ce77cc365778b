//! `NAME.scorecard.yaml` as declared: characteristics and bins. What they mean is the flow's to check.

use super::names::check_readable;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Literal, Node, read};
use crate::domain::declaration::{
    BinDeclaration, BinTest, CharacteristicDeclaration, ScorecardDeclaration, ThresholdLiteral,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Located;

/// Reads one scorecard; `name` is the file's name before its first dot.
pub(super) fn scorecard(shape: &mut Shape<'_>, file: u32, name: &str) -> Option<ScorecardDeclaration> {
    let root = match read(file, shape.source) {
        Ok(root) => root,
        Err(finding) => {
            shape.report(finding);
            return None;
        }
    };
    let mut keys = shape.keys(&root, "a scorecard")?;
    let declared = keys.required("scorecard", shape).and_then(|node| shape.text(node));
    if let Some(declared) = declared.as_ref().filter(|declared| declared.value != name) {
        let message = format!(
            "this scorecard calls itself `{}` and its file is `{name}.scorecard.yaml`",
            declared.value
        );
        let help =
            format!("scripts say `scorecard(\"{name}\")`: write `scorecard: {name}` or rename the file");
        shape.report(Diagnostic::error("B004", declared.place, message).help(help));
    }
    let base = keys.optional("base_points").and_then(|node| shape.integer(node));
    let takes = keys.optional("takes").map(|node| super::rule_file::takes(shape, node)).unwrap_or_default();
    let characteristics =
        keys.required("characteristics", shape).map(|node| characteristics(shape, node)).unwrap_or_default();
    keys.finish(shape);
    Some(ScorecardDeclaration {
        name: Located::new(name.to_owned(), declared?.place),
        base_points: base.map_or(0, |base| base.value),
        takes,
        characteristics,
    })
}

fn characteristics(shape: &mut Shape<'_>, node: &Node) -> Vec<CharacteristicDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        let bins = shape.list(&entry.value).unwrap_or_default();
        let bins = bins.iter().filter_map(|item| bin(shape, item)).collect();
        all.push(CharacteristicDeclaration { name: entry.key.clone(), bins });
    }
    all
}

fn bin(shape: &mut Shape<'_>, node: &Node) -> Option<BinDeclaration> {
    let mut keys = shape.keys(node, "a bin")?;
    let place = keys.place();
    let test = test(shape, &mut keys);
    let points = keys.required("points", shape).and_then(|node| shape.integer(node));
    let reason = keys.optional("reason").and_then(|node| shape.text(node));
    keys.finish(shape);
    Some(BinDeclaration { test: test?, points: points?, reason, place })
}

/// What a bin asks: one of `is`, `in`, `from` and `below`, `missing`, `otherwise`.
fn test(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> Option<BinTest> {
    let is = keys.optional("is");
    let among = keys.optional("in");
    let from = keys.optional("from");
    let below = keys.optional("below");
    let missing = keys.optional("missing");
    let otherwise = keys.optional("otherwise");
    let asked = [is, among, from.or(below), missing, otherwise];
    match asked.iter().flatten().count() {
        1 => {}
        0 => {
            let help =
                "say `is: a`, `in: [a, b]`, `from: a`, `below: b`, `missing: true` or `otherwise: true`";
            shape.report(Diagnostic::error("B035", keys.place(), "this bin asks nothing").help(help));
            return None;
        }
        _ => {
            let help = "write a bin for each; only `from` and `below` stand together";
            shape.report(Diagnostic::error("B035", keys.place(), "this bin asks several things").help(help));
            return None;
        }
    }
    if let Some(node) = is {
        return Some(BinTest::OneOf(vec![literal(shape, node)?]));
    }
    if let Some(node) = among {
        let items = shape.list(node)?;
        if items.is_empty() {
            let help = "name the values: `in: [a, b]`";
            shape.report(Diagnostic::error("B035", node.place, "this bin takes nothing").help(help));
            return None;
        }
        return items.iter().map(|item| literal(shape, item)).collect::<Option<_>>().map(BinTest::OneOf);
    }
    if from.is_some() || below.is_some() {
        let mut bound = |node: Option<&Node>| match node {
            None => Some(None),
            Some(node) => written(shape, node).map(Some),
        };
        let (from, below) = (bound(from), bound(below));
        return Some(BinTest::Range { from: from?, below: below? });
    }
    let (node, test) = match (missing, otherwise) {
        (Some(node), _) => (node, BinTest::Missing),
        (None, node) => (node?, BinTest::Otherwise),
    };
    if !shape.boolean(node)? {
        let help = "write `true`, or remove the bin";
        shape.report(
            Diagnostic::error("B035", node.place, "a bin that is not asked takes nothing").help(help),
        );
        return None;
    }
    Some(test)
}

fn literal(shape: &mut Shape<'_>, node: &Node) -> Option<Located<ThresholdLiteral>> {
    let literal = match shape.literal(node)? {
        Literal::Number(text) => ThresholdLiteral::Number(text),
        Literal::Boolean(value) => ThresholdLiteral::Boolean(value),
        Literal::Text(text) => ThresholdLiteral::Text(text),
        Literal::Null => {
            let help = "write a value, or `missing: true` for what was not given";
            shape.report(Diagnostic::error("Y011", node.place, "this bin names no value").help(help));
            return None;
        }
    };
    Some(Located::new(literal, node.place))
}

/// A bound: a number, a date, or the name of a threshold.
fn written(shape: &mut Shape<'_>, node: &Node) -> Option<Located<String>> {
    let literal = literal(shape, node)?;
    let text = match literal.value {
        ThresholdLiteral::Number(text) | ThresholdLiteral::Text(text) => text,
        ThresholdLiteral::Boolean(value) => value.to_string(),
    };
    Some(Located::new(text, literal.place))
}
