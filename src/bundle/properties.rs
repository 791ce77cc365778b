//! `properties:` of `flow.yaml`: what must be true of all answers of a flow, as written. Absent: whether what they
//! name is there (the flow's to check), and whether they hold (`trial`'s to try).

use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Content, Node};
use crate::domain::declaration::{ClaimDeclaration, NeverDeclaration, PropertyDeclaration};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Place;

const FORMS: &str = "write `{ more: monthly_income, never: stricter }`, `{ always: output.apr <= 0.36 }` or `{ ignores: [telephone] }`";

/// One property a line.
pub(super) fn properties(shape: &mut Shape<'_>, node: &Node) -> Vec<PropertyDeclaration> {
    let lines = shape.list(node).unwrap_or_default();
    lines.iter().filter_map(|line| property(shape, line)).collect()
}

fn property(shape: &mut Shape<'_>, node: &Node) -> Option<PropertyDeclaration> {
    let mut keys = shape.keys(node, "a property")?;
    let place = keys.place();
    let more = keys.optional("more");
    let always = keys.optional("always");
    let ignores = keys.optional("ignores");
    let claim = match (more, always, ignores) {
        (Some(more), None, None) => monotone(shape, &mut keys, more),
        (None, Some(always), None) => {
            let when = keys.optional("when").map(|node| shape.expression(node));
            let always = shape.expression(always);
            // A guard that cannot be read must not become none.
            match (when, always) {
                (Some(None), _) | (_, None) => None,
                (when, Some(always)) => Some(ClaimDeclaration::Always { when: when.flatten(), always }),
            }
        }
        (None, None, Some(ignores)) => {
            let names = shape.list(ignores).unwrap_or_default();
            let names = names.iter().filter_map(|name| shape.text(name)).collect();
            Some(ClaimDeclaration::Ignores(names))
        }
        (None, None, None) => {
            shape.report(Diagnostic::error("B060", place, "this property claims nothing").help(FORMS));
            None
        }
        _ => {
            let message = "this property claims several things at once";
            shape.report(Diagnostic::error("B060", place, message).help("make a line of each"));
            None
        }
    };
    let why = keys.optional("why").and_then(|node| shape.text(node)).map(|why| why.value);
    if claim.is_some() {
        keys.finish(shape);
    }
    Some(PropertyDeclaration { claim: claim?, why, place: within(place, node) })
}

/// From the first key to the end of the line.
fn within(place: Place, node: &Node) -> Place {
    Place {
        span: crate::domain::place::Span { end: node.place.span.end.max(place.span.end), ..place.span },
        ..place
    }
}

fn monotone(shape: &mut Shape<'_>, keys: &mut Keys<'_>, more: &Node) -> Option<ClaimDeclaration> {
    let never = keys.required("never", shape);
    let more = shape.text(more)?;
    let never = never?;
    let never = match &never.content {
        Content::Map(_) => {
            let mut keys = shape.keys(never, "`never`")?;
            let (place, higher, lower) = (keys.place(), keys.optional("higher"), keys.optional("lower"));
            keys.finish(shape);
            match (higher, lower) {
                (Some(output), None) => NeverDeclaration::Higher(shape.text(output)?),
                (None, Some(output)) => NeverDeclaration::Lower(shape.text(output)?),
                _ => {
                    let message = "`never` names one output, as higher or as lower";
                    shape.report(
                        Diagnostic::error("B060", place, message).help("write `never: { higher: apr }`"),
                    );
                    return None;
                }
            }
        }
        _ => match shape.word(never, &[("stricter", true), ("milder", false)])? {
            true => NeverDeclaration::Stricter,
            false => NeverDeclaration::Milder,
        },
    };
    Some(ClaimDeclaration::Monotone { more, never })
}
