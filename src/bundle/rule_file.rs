//! `*.rules.yaml` as declared: shape and names. What a condition means is the flow's to check.

use super::names::{check_id, check_readable, check_unique};
use crate::documents::yaml::shape::Shape;
use crate::documents::yaml::{Node, read};
use crate::domain::declaration::{HitPolicy, RuleDeclaration, RuleSetDeclaration};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Located;
use crate::domain::value::Kind;

/// Reads one rule set; `name` is the file's name before its first dot.
pub(super) fn rule_set(shape: &mut Shape<'_>, file: u32, name: &str) -> Option<RuleSetDeclaration> {
    let root = match read(file, shape.source) {
        Ok(root) => root,
        Err(finding) => {
            shape.report(finding);
            return None;
        }
    };
    let mut keys = shape.keys(&root, "a rule set")?;
    let declared = keys.required("rule_set", shape).and_then(|node| shape.text(node));
    if let Some(declared) = &declared
        && declared.value != name
    {
        let message =
            format!("this rule set calls itself `{}` and its file is `{name}.rules.yaml`", declared.value);
        shape.report(
            Diagnostic::error("B004", declared.place, message).help(format!(
                "scripts say `rules(\"{name}\")`: write `rule_set: {name}` or rename the file"
            )),
        );
    }
    let policies = [("collect", HitPolicy::Collect), ("first", HitPolicy::First)];
    let hit_policy =
        keys.optional("hit_policy").and_then(|node| shape.word(node, &policies)).unwrap_or_default();
    let takes = keys.optional("takes").map(|node| takes(shape, node)).unwrap_or_default();
    let rules = keys.required("rules", shape).map(|node| rules(shape, node)).unwrap_or_default();
    keys.finish(shape);
    check_unique(shape, "rule", rules.iter().map(|rule| &rule.id));
    let declared = declared?;
    Some(RuleSetDeclaration { name: Located::new(name.to_owned(), declared.place), hit_policy, takes, rules })
}

pub(super) fn takes(shape: &mut Shape<'_>, node: &Node) -> Vec<(Located<String>, Kind)> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        if let Some(kind) = super::declared::short(shape, &entry.value) {
            all.push((entry.key.clone(), kind));
        }
    }
    all
}

fn rules(shape: &mut Shape<'_>, node: &Node) -> Vec<RuleDeclaration> {
    let items = shape.list(node).unwrap_or_default();
    items.iter().filter_map(|item| rule(shape, item)).collect()
}

fn rule(shape: &mut Shape<'_>, node: &Node) -> Option<RuleDeclaration> {
    let mut keys = shape.keys(node, "a rule")?;
    let id = keys.required("id", shape).and_then(|node| shape.text(node));
    let when = keys.required("when", shape).and_then(|node| shape.expression(node));
    let outcome = keys.optional("outcome").and_then(|node| shape.text(node));
    let reason = keys.optional("reason").and_then(|node| shape.text(node));
    let points = keys.optional("points").and_then(|node| shape.integer(node));
    keys.finish(shape);
    if let Some(id) = &id {
        check_id(shape, id);
    }
    Some(RuleDeclaration { id: id?, when: when?, outcome, reason, points })
}
