//! `needs:` of `flow.yaml`: what the script may ask the caller for, with the types of what comes back and of what is
//! said with the question. Absent: whether the script asks for it; that is the flow's to check.

use std::collections::BTreeMap;

use super::declared;
use super::names::check_readable;
use crate::documents::yaml::Node;
use crate::documents::yaml::shape::Shape;
use crate::domain::declaration::NeedDeclaration;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Located;
use crate::domain::value::{Field, Kind, Name};

/// `bureau: { of: { score: integer }, with: { depth: text }, optional: true }` lines.
pub(super) fn needs(shape: &mut Shape<'_>, node: &Node) -> Vec<NeedDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        if let Some(need) = need(shape, &entry.key, &entry.value) {
            all.push(need);
        }
    }
    all
}

fn need(shape: &mut Shape<'_>, name: &Located<String>, node: &Node) -> Option<NeedDeclaration> {
    let mut keys = shape.keys(node, format!("need `{}`", name.value))?;
    let of = keys.required("of", shape).map(|node| (node.place, declared::inputs(shape, node)));
    let with = keys.optional("with").map(|node| told(shape, node)).unwrap_or_default();
    let optional = keys.optional("optional").and_then(|node| shape.boolean(node)).unwrap_or(false);
    keys.finish(shape);
    let (place, of) = of?;
    if of.is_empty() {
        let message = format!("the need `{}` asks for nothing", name.value);
        let help = "say what the caller answers with: `of: { score: integer }`";
        shape.report(Diagnostic::error("B050", place, message).help(help));
        return None;
    }
    Some(NeedDeclaration { name: name.clone(), of, with, optional })
}

fn told(shape: &mut Shape<'_>, node: &Node) -> BTreeMap<Name, Field> {
    match declared::fields(shape, node) {
        Some(Kind::Map(fields)) => fields.as_ref().clone(),
        _ => BTreeMap::new(),
    }
}
