//! PMML scorecards: characteristics of attributes with conditions, points and reasons. Other PMML models, computed points
//! and derived fields are refused by name. Absent: entities and external documents (a DOCTYPE is refused).

use std::sync::Arc;

use roxmltree::{Document, Node, ParsingOptions};

use super::{Algorithm, ImportError, Known, Read, refuse};
use crate::domain::model::{Adverse, Attribute, Characteristic, Characteristics, Compare, Condition};
use crate::domain::value::Name;

/// Most nodes of a document.
const MAX_NODES: u32 = 1_000_000;
/// Most levels of conditions in conditions.
const MAX_DEPTH: usize = 32;

/// A field of the data dictionary.
struct Field {
    name: String,
    /// Texts that it may hold, in the order in which they are first met; `None` is a number.
    categories: Option<Vec<String>>,
}

pub(super) fn read(text: &str) -> Result<Read, ImportError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| ImportError::Malformed(format!("it is no XML that is read here: {error}")))?;
    let root = document.root_element();
    if root.tag_name().name() != "PMML" {
        return refuse(format!("it is XML, but `{}` is no PMML", root.tag_name().name()));
    }
    let Some(card) = children(root, "Scorecard").next() else {
        let model = elements(root).map(|node| node.tag_name().name()).find(|name| name.contains("Model"));
        return refuse(match model {
            Some(model) => format!("it is a PMML `{model}`; of PMML, scorecards are read. Export it as ONNX"),
            None => "it has no `Scorecard`".to_owned(),
        });
    };
    for (parent, name) in [(root, "TransformationDictionary"), (card, "LocalTransformations")] {
        if children(parent, name).any(|node| elements(node).next().is_some()) {
            return refuse(format!("it derives fields (`{name}`); put what they say into the attributes"));
        }
    }
    let mut fields = fields(root, card)?;
    let characteristics = children(card, "Characteristics").flat_map(|node| children(node, "Characteristic"));
    let overall = card.attribute("baselineScore").map(|text| number(text, "baselineScore")).transpose()?;
    let uses_reasons = card.attribute("useReasonCodes") != Some("false");
    let mut reader = Reader { fields: &mut fields, overall, uses_reasons };
    let characteristics = characteristics
        .enumerate()
        .map(|(at, node)| reader.characteristic(at, node))
        .collect::<Result<Vec<_>, _>>()?;
    let card = Characteristics {
        start: card.attribute("initialScore").map_or(Ok(0.0), |text| number(text, "initialScore"))?,
        columns: fields.len(),
        characteristics,
        adverse: match card.attribute("reasonCodeAlgorithm") {
            Some("pointsAbove") => Adverse::Above,
            _ => Adverse::Below,
        },
    };
    let algorithm = Algorithm {
        library: "pmml",
        library_version: root.attribute("version").unwrap_or_default().to_owned(),
        name: "scorecard".to_owned(),
        parameters: serde_json::json!({ "characteristics": card.characteristics.len() }),
    };
    let known = fields.into_iter().map(|field| Known {
        name: Some(field.name),
        is_category: field.categories.is_some(),
        categories: field.categories.unwrap_or_default(),
    });
    Ok(Read::characteristics(card, known.collect(), algorithm))
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn children<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(node).filter(move |child| child.tag_name().name() == name)
}

fn number(text: &str, what: &str) -> Result<f64, ImportError> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| ImportError::Malformed(format!("`{what}` is not a finite number")))
}

/// The fields that the mining schema takes as inputs.
fn fields(root: Node<'_, '_>, card: Node<'_, '_>) -> Result<Vec<Field>, ImportError> {
    let declared: Vec<Node<'_, '_>> =
        children(root, "DataDictionary").flat_map(|node| children(node, "DataField")).collect();
    let mut fields = Vec::new();
    for mined in children(card, "MiningSchema").flat_map(|node| children(node, "MiningField")) {
        if matches!(mined.attribute("usageType"), Some("predicted" | "target" | "supplementary" | "weight")) {
            continue;
        }
        let name = mined.attribute("name").unwrap_or_default();
        for what in ["missingValueReplacement", "invalidValueReplacement"] {
            if mined.attribute(what).is_some() {
                return refuse(format!(
                    "field `{name}` has a `{what}`; give a missing value an attribute of its own"
                ));
            }
        }
        if mined.attribute("outliers").is_some_and(|treatment| treatment != "asIs") {
            return refuse(format!("field `{name}` treats outliers; put the limits into the attributes"));
        }
        let field = declared.iter().find(|field| field.attribute("name") == Some(name));
        let Some(field) = field else {
            return Err(ImportError::Malformed(format!("field `{name}` is not in the data dictionary")));
        };
        let categories = match field.attribute("dataType") {
            Some("integer" | "float" | "double") => None,
            Some("string" | "boolean") => {
                let values = children(*field, "Value").filter_map(|value| value.attribute("value"));
                Some(values.map(str::to_owned).collect())
            }
            other => {
                let other = other.unwrap_or("none");
                return refuse(format!(
                    "field `{name}` has the type `{other}`; numbers, strings and booleans are read"
                ));
            }
        };
        fields.push(Field { name: name.to_owned(), categories });
    }
    if fields.is_empty() {
        return Err(ImportError::Malformed("its mining schema names no inputs".to_owned()));
    }
    Ok(fields)
}

struct Reader<'a> {
    fields: &'a mut Vec<Field>,
    /// The scorecard's own baseline, for characteristics without one.
    overall: Option<f64>,
    uses_reasons: bool,
}

impl Reader<'_> {
    fn characteristic(&mut self, at: usize, node: Node<'_, '_>) -> Result<Characteristic, ImportError> {
        let name = node.attribute("name").map_or_else(|| format!("characteristic {at}"), str::to_owned);
        let baseline = match node.attribute("baselineScore") {
            Some(text) => Some(number(text, "baselineScore")?),
            None => self.overall,
        };
        let reason = node.attribute("reasonCode");
        let mut column = None;
        let mut attributes = Vec::new();
        for attribute in children(node, "Attribute") {
            if children(attribute, "ComplexPartialScore").next().is_some() {
                return refuse(format!(
                    "`{name}` computes its points (`ComplexPartialScore`); write points instead"
                ));
            }
            let Some(points) = attribute.attribute("partialScore") else {
                return Err(ImportError::Malformed(format!(
                    "an attribute of `{name}` has no `partialScore`"
                )));
            };
            let Some(predicate) = elements(attribute).find(|node| node.tag_name().name() != "Extension")
            else {
                return Err(ImportError::Malformed(format!("an attribute of `{name}` has no condition")));
            };
            let holds = self.condition(predicate, MAX_DEPTH, &mut column)?;
            let reason = attribute.attribute("reasonCode").or(reason).filter(|_| self.uses_reasons);
            attributes.push(Attribute {
                holds,
                points: number(points, "partialScore")?,
                reason: reason.map(Name::from),
            });
        }
        // Without a baseline, the best that somebody could have had.
        let best = || attributes.iter().map(|attribute| attribute.points).fold(f64::NEG_INFINITY, f64::max);
        let baseline = baseline.unwrap_or_else(best);
        Ok(Characteristic { name: Arc::from(name), baseline, column: column.unwrap_or(0), attributes })
    }

    /// `first` becomes the first column that is met.
    fn condition(
        &mut self,
        node: Node<'_, '_>,
        depth: usize,
        first: &mut Option<usize>,
    ) -> Result<Condition, ImportError> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| ImportError::Malformed("conditions are nested too deep".to_owned()))?;
        match node.tag_name().name() {
            "True" => Ok(Condition::Always),
            "False" => Ok(Condition::Never),
            "SimplePredicate" => self.simple(node, first),
            "SimpleSetPredicate" => self.set(node, first),
            "CompoundPredicate" => {
                let inner = elements(node)
                    .filter(|child| child.tag_name().name() != "Extension")
                    .map(|child| self.condition(child, depth, first))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(match node.attribute("booleanOperator") {
                    Some("and") => Condition::All(inner),
                    Some("or") => Condition::Any(inner),
                    Some("xor") => Condition::Odd(inner),
                    Some("surrogate") => Condition::FirstKnown(inner),
                    _ => {
                        return Err(ImportError::Malformed(
                            "a compound condition has no operator".to_owned(),
                        ));
                    }
                })
            }
            other => refuse(format!("`{other}` is no condition that is read")),
        }
    }

    fn column(&self, node: Node<'_, '_>, first: &mut Option<usize>) -> Result<usize, ImportError> {
        let name = node.attribute("field").unwrap_or_default();
        let column = self.fields.iter().position(|field| field.name == name);
        let column = column.ok_or_else(|| {
            ImportError::Malformed(format!("a condition reads `{name}`, which is no active field"))
        })?;
        first.get_or_insert(column);
        Ok(column)
    }

    fn simple(&mut self, node: Node<'_, '_>, first: &mut Option<usize>) -> Result<Condition, ImportError> {
        let column = self.column(node, first)?;
        let operator = node.attribute("operator").unwrap_or_default();
        let how = match operator {
            "isMissing" => return Ok(Condition::Given { column, is: false }),
            "isNotMissing" => return Ok(Condition::Given { column, is: true }),
            "equal" => Compare::Equal,
            "notEqual" => Compare::NotEqual,
            "lessThan" => Compare::Below,
            "lessOrEqual" => Compare::AtMost,
            "greaterThan" => Compare::Above,
            "greaterOrEqual" => Compare::AtLeast,
            other => return refuse(format!("`{other}` is no operator that is read")),
        };
        let ordered = !matches!(how, Compare::Equal | Compare::NotEqual);
        let is_text = self.fields.get(column).is_some_and(|field| field.categories.is_some());
        if ordered && is_text {
            return refuse("a condition orders text; only numbers have an order here");
        }
        let with = self.value(column, node.attribute("value").unwrap_or_default())?;
        Ok(Condition::Compare { column, how, with })
    }

    fn set(&mut self, node: Node<'_, '_>, first: &mut Option<usize>) -> Result<Condition, ImportError> {
        let column = self.column(node, first)?;
        let is = match node.attribute("booleanOperator") {
            Some("isIn") => true,
            Some("isNotIn") => false,
            _ => return Err(ImportError::Malformed("a set condition has no operator".to_owned())),
        };
        let text: String = children(node, "Array").filter_map(|array| array.text()).collect();
        let of = members(&text).iter().map(|member| self.value(column, member)).collect::<Result<_, _>>()?;
        Ok(Condition::OneOf { column, of, is })
    }

    /// A number, or the place of a category, which is added when it was not declared.
    fn value(&mut self, column: usize, text: &str) -> Result<f64, ImportError> {
        let Some(Field { categories: Some(categories), .. }) = self.fields.get_mut(column) else {
            return number(text, "value");
        };
        let known = categories.iter().position(|category| category == text);
        Ok(known.unwrap_or_else(|| {
            categories.push(text.to_owned());
            categories.len() - 1
        }) as f64)
    }
}

/// An array's members: apart by blanks, or in quotes, in which `\"` is one.
fn members(text: &str) -> Vec<String> {
    let mut members = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut member = String::new();
        match letter {
            blank if blank.is_whitespace() => continue,
            '"' => {
                while let Some(letter) = letters.next() {
                    match letter {
                        '"' => break,
                        '\\' if letters.peek() == Some(&'"') => member.extend(letters.next()),
                        letter => member.push(letter),
                    }
                }
            }
            letter => {
                member.push(letter);
                while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace()) {
                    member.push(letter);
                }
            }
        }
        members.push(member);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_arrays_may_be_quoted() {
        assert_eq!(members(r#" a "b c" "d \"e\"" 1.5 "#), ["a", "b c", "d \"e\"", "1.5"]);
    }
}
