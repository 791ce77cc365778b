//! ONNX pipelines, as scikit-learn's, XGBoost's and LightGBM's exporters write them, and small networks: each operator
//! that the answer needs becomes steps over single numbers, of one row. Operators that are not read are refused by name.

mod ensemble;
mod lower;
mod ml;
mod operators;
mod proto;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::{Algorithm, ImportError, Known, Read, refuse};
use crate::domain::model::MAX_COLUMNS;
use lower::{Constant, Lowering, Value};
use proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

/// Numbers for types of elements.
const FLOAT: i32 = 1;
const STRING: i32 = 8;
const DOUBLE: i32 = 11;

pub(super) fn read(bytes: &[u8]) -> Result<Read, ImportError> {
    let model = ModelProto::decode(bytes)
        .map_err(|error| ImportError::Malformed(format!("it is no ONNX that can be read: {error}")))?;
    let graph = model.graph.unwrap_or_default();
    if graph.node.is_empty() || graph.output.is_empty() {
        return Err(ImportError::Malformed("it has no operators, or no output".to_owned()));
    }
    let answer = answer(&graph)?;
    let needed = needed(&graph, &answer)?;
    let (mut lowering, known) = inputs(&graph)?;
    for tensor in &graph.initializer {
        lowering.set(&tensor.name, Value::Constant(Constant::read(tensor)?));
    }
    for (node, _) in graph.node.iter().zip(&needed).filter(|(_, needed)| **needed) {
        let given = operators::lower(&mut lowering, node).map_err(|error| at_operator(node, error))?;
        for (name, value) in node.output.iter().zip(given) {
            lowering.set(name, value);
        }
    }
    let row = lowering.row(&answer)?;
    let slot = match row.slots.as_slice() {
        [slot] | [_, slot] => *slot,
        slots => {
            return refuse(format!(
                "its output `{answer}` has {} numbers; a probability of one outcome has 1 or 2",
                slots.len()
            ));
        }
    };
    let is_probability = row.is_probability;
    let algorithm = Algorithm {
        library: "onnx",
        library_version: model.ir_version.to_string(),
        name: format!("{} {}", model.producer_name, model.producer_version).trim().to_owned(),
        parameters: serde_json::json!({ "operators": operators_of(&graph, &needed), "output": answer }),
    };
    let (parts, categories) = lowering.finish(slot, is_probability)?;
    let known = known.into_iter().zip(categories).map(|(known, categories)| Known { categories, ..known });
    Ok(Read::graph(parts, known.collect(), algorithm))
}

fn at_operator(node: &NodeProto, error: ImportError) -> ImportError {
    match error {
        ImportError::Malformed(problem) => ImportError::Malformed(format!("`{}`: {problem}", node.op_type)),
        ImportError::Refused(problem) => ImportError::Refused(format!("`{}`: {problem}", node.op_type)),
        other => other,
    }
}

fn operators_of<'a>(graph: &'a GraphProto, needed: &[bool]) -> BTreeSet<&'a str> {
    let used = graph.node.iter().zip(needed).filter(|(_, needed)| **needed);
    used.map(|(node, _)| node.op_type.as_str()).collect()
}

/// The output that is the probability: by its name, else the last one; what `ZipMap` makes a map of is taken before.
fn answer(graph: &GraphProto) -> Result<String, ImportError> {
    let named = graph.output.iter().find(|output| output.name.to_lowercase().contains("prob"));
    let Some(output) = named.or_else(|| graph.output.last()) else {
        return Err(ImportError::Malformed("it has no output".to_owned()));
    };
    let zip = graph.node.iter().find(|node| node.op_type == "ZipMap" && node.output.contains(&output.name));
    let before = zip.and_then(|zip| zip.input.first());
    Ok(before.unwrap_or(&output.name).clone())
}

/// Which operators the answer needs. None is needed by one before it, as ONNX has it, so that nothing goes in a circle.
fn needed(graph: &GraphProto, answer: &str) -> Result<Vec<bool>, ImportError> {
    let mut wanted: BTreeSet<&str> = BTreeSet::from([answer]);
    let mut needed = vec![false; graph.node.len()];
    for (node, is_needed) in graph.node.iter().zip(&mut needed).rev() {
        if node.output.iter().any(|output| wanted.contains(output.as_str())) {
            *is_needed = true;
            for output in &node.output {
                wanted.remove(output.as_str());
            }
            wanted.extend(node.input.iter().map(String::as_str).filter(|input| !input.is_empty()));
        }
    }
    let given: BTreeSet<&str> = graph
        .input
        .iter()
        .map(|input| input.name.as_str())
        .chain(graph.initializer.iter().map(|tensor| tensor.name.as_str()))
        .collect();
    match wanted.iter().find(|name| !given.contains(*name)) {
        Some(name) => Err(ImportError::Malformed(format!(
            "nothing gives `{name}` before it is read: operators go in a circle, or the file was cut"
        ))),
        None => Ok(needed),
    }
}

/// The columns that the inputs are made of: one for an input of width 1, by its name; several, without names, for a wide
/// one.
fn inputs(graph: &GraphProto) -> Result<(Lowering, Vec<Known>), ImportError> {
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut widths = BTreeMap::new();
    let mut known = Vec::new();
    let mut inputs = Vec::new();
    for input in graph.input.iter().filter(|input| !constants.contains(input.name.as_str())) {
        let (kind, width) = shape(input)?;
        let first = known.len();
        if width > MAX_COLUMNS || first + width > MAX_COLUMNS {
            return refuse(format!("it has more than {MAX_COLUMNS} columns"));
        }
        for _ in 0..width {
            known.push(Known {
                name: (width == 1).then(|| input.name.clone()),
                is_category: kind == STRING,
                categories: Vec::new(),
            });
        }
        if widths.insert(input.name.as_str(), width).is_some() {
            return Err(ImportError::Malformed(format!("input `{}` stands twice", input.name)));
        }
        inputs.push((input.name.as_str(), kind, first, width));
    }
    let mut lowering = Lowering::new(known.len());
    for (name, kind, first, width) in inputs {
        lowering.input(name, kind, first, width);
    }
    Ok((lowering, known))
}

fn shape(input: &ValueInfoProto) -> Result<(i32, usize), ImportError> {
    let Some(tensor) = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()) else {
        return refuse(format!("input `{}` is no tensor", input.name));
    };
    let dims: Vec<i64> = tensor
        .shape
        .as_ref()
        .map(|shape| shape.dim.iter().map(|dim| dim.dim_value).collect())
        .unwrap_or_default();
    match dims.as_slice() {
        [_] => Ok((tensor.elem_type, 1)),
        [_, width] if *width > 0 => Ok((tensor.elem_type, usize::try_from(*width).unwrap_or(usize::MAX))),
        _ => refuse(format!(
            "input `{}` does not say how many columns it has; export it with a shape of [None, columns]",
            input.name
        )),
    }
}
