//! The operators of `ai.onnx.ml`: preprocessing, linear models, and trees (in `ensemble`).

use super::ensemble;
use super::lower::{Lowering, Row, Value};
use super::operators::{input, pick};
use super::proto::{AttributeProto, NodeProto};
use crate::domain::model::{Binary, Norm, Slot, Step, Unary, Width};
use crate::learn::import::{ImportError, refuse};

pub(super) fn lower(lowering: &mut Lowering, node: &NodeProto) -> Result<Vec<Value>, ImportError> {
    let value = match node.op_type.as_str() {
        "Scaler" => scaler(lowering, node)?,
        "Imputer" => imputer(lowering, node)?,
        "OneHotEncoder" => one_hot(lowering, node)?,
        "LabelEncoder" => label_encoder(lowering, node)?,
        "Normalizer" => normalizer(lowering, node)?,
        "Binarizer" => {
            let row = lowering.row(input(node, 0)?)?;
            let limit = lowering.constant(f64::from(float(node, "threshold")))?;
            against(lowering, Binary::Greater, row, limit)?
        }
        "ArrayFeatureExtractor" => {
            let places = lowering.constant_of(input(node, 1)?)?.numbers.clone();
            pick(&lowering.row(input(node, 0)?)?, &places)?
        }
        "FeatureVectorizer" => {
            let mut all = Row { slots: Vec::new(), width: Width::Single, is_probability: false };
            for name in &node.input {
                all.slots.extend(lowering.row(name)?.slots);
            }
            all
        }
        "LinearRegressor" => {
            let row = linear(lowering, node)?;
            let [_] = row.slots.as_slice() else { return refuse("it has several targets") };
            transformed(lowering, node, row)?
        }
        "LinearClassifier" => return linear_classifier(lowering, node),
        "TreeEnsembleClassifier" => return ensemble::classifier(lowering, node),
        "TreeEnsembleRegressor" => return ensemble::regressor(lowering, node),
        other => {
            return refuse(format!(
                "the operator `{other}` is not read; linear models, trees and preprocessing are"
            ));
        }
    };
    Ok(vec![Value::Row(value)])
}

pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

pub(super) fn float(node: &NodeProto, name: &str) -> f32 {
    attribute(node, name).map_or(0.0, |attribute| attribute.f)
}

pub(super) fn floats<'a>(node: &'a NodeProto, name: &str) -> &'a [f32] {
    attribute(node, name).map_or(&[], |attribute| attribute.floats.as_slice())
}

pub(super) fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    attribute(node, name).map_or(&[], |attribute| attribute.ints.as_slice())
}

pub(super) fn text(node: &NodeProto, name: &str) -> String {
    attribute(node, name)
        .map(|attribute| String::from_utf8_lossy(&attribute.s).into_owned())
        .unwrap_or_default()
}

fn strings(node: &NodeProto, name: &str) -> Vec<String> {
    let bytes = attribute(node, name).map_or(&[] as &[Vec<u8>], |attribute| attribute.strings.as_slice());
    bytes.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// Each number of a row with one constant.
fn against(lowering: &mut Lowering, does: Binary, row: Row, constant: Slot) -> Result<Row, ImportError> {
    let right = vec![constant; row.slots.len()];
    let slots = lowering.push(Step::Binary { does, left: row.slots, right, width: Width::Single })?;
    Ok(Row { slots, width: Width::Single, is_probability: false })
}

/// As many constants as a row is wide.
fn constants(lowering: &mut Lowering, numbers: &[f32], count: usize) -> Result<Vec<Slot>, ImportError> {
    match numbers {
        [one] => Ok(vec![lowering.constant(f64::from(*one))?; count]),
        all if all.len() == count => all.iter().map(|number| lowering.constant(f64::from(*number))).collect(),
        _ => refuse("its numbers are for rows of another width"),
    }
}

fn scaler(lowering: &mut Lowering, node: &NodeProto) -> Result<Row, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let count = row.slots.len();
    let width = Width::Single;
    let offset = constants(lowering, floats(node, "offset"), count)?;
    let scale = constants(lowering, floats(node, "scale"), count)?;
    let moved = lowering.push(Step::Binary { does: Binary::Minus, left: row.slots, right: offset, width })?;
    let slots = lowering.push(Step::Binary { does: Binary::Times, left: moved, right: scale, width })?;
    Ok(Row { slots, width, is_probability: false })
}

fn imputer(lowering: &mut Lowering, node: &NodeProto) -> Result<Row, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let values = floats(node, "imputed_value_floats");
    if values.is_empty() {
        return refuse("it imputes integers; impute numbers as floats");
    }
    let by = constants(lowering, values, row.slots.len())?;
    let replaced = f64::from(float(node, "replaced_value_float"));
    let condition = if replaced.is_nan() {
        lowering.unary(Unary::IsMissing, row.clone(), Width::Single)
    } else {
        let replaced = lowering.constant(replaced)?;
        against(lowering, Binary::Equal, row.clone(), replaced)?
    };
    let step = Step::Choose { condition: condition.slots, then: by, otherwise: row.slots };
    let slots = lowering.push(step)?;
    Ok(Row { slots, ..row })
}

fn one_hot(lowering: &mut Lowering, node: &NodeProto) -> Result<Row, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let (names, numbers) = (strings(node, "cats_strings"), ints(node, "cats_int64s"));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for slot in &row.slots {
        let column = lowering.text_column(*slot);
        if column.is_some() == names.is_empty() {
            return refuse("its categories are not of the type of its input");
        }
        for name in &names {
            let code = column.map_or(f64::NAN, |column| lowering.code(column, name));
            right.push(lowering.constant(code)?);
        }
        for number in numbers.iter().filter(|_| names.is_empty()) {
            right.push(lowering.constant(*number as f64)?);
        }
        left.resize(right.len(), *slot);
    }
    let width = Width::Single;
    let slots = lowering.push(Step::Binary { does: Binary::Equal, left, right, width })?;
    Ok(Row { slots, width, is_probability: false })
}

fn label_encoder(lowering: &mut Lowering, node: &NodeProto) -> Result<Row, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let (names, numbers, floats_in) =
        (strings(node, "keys_strings"), ints(node, "keys_int64s"), floats(node, "keys_floats"));
    let (values, width, otherwise) = match (floats(node, "values_floats"), ints(node, "values_int64s")) {
        ([], []) => return refuse("it gives no numbers"),
        ([], integers) => {
            let values: Vec<f64> = integers.iter().map(|value| *value as f64).collect();
            let otherwise = attribute(node, "default_int64").map_or(-1.0, |attribute| attribute.i as f64);
            (values, Width::Double, otherwise)
        }
        (floats, _) => {
            let values: Vec<f64> = floats.iter().copied().map(f64::from).collect();
            (values, Width::Single, f64::from(float(node, "default_float")))
        }
    };
    if !names.is_empty() {
        let mut slots = Vec::new();
        for slot in &row.slots {
            let Some(column) = lowering.text_column(*slot) else {
                return refuse("it encodes text, and its input is none");
            };
            let keys = names.iter().map(|name| lowering.code(column, name)).collect();
            let step = Step::Lookup { of: vec![*slot], keys, values: values.clone(), otherwise };
            slots.extend(lowering.push(step)?);
        }
        return Ok(Row { slots, width, is_probability: false });
    }
    let keys =
        numbers.iter().map(|key| *key as f64).chain(floats_in.iter().copied().map(f64::from)).collect();
    let slots = lowering.push(Step::Lookup { of: row.slots, keys, values, otherwise })?;
    Ok(Row { slots, width, is_probability: false })
}

fn normalizer(lowering: &mut Lowering, node: &NodeProto) -> Result<Row, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let norm = match text(node, "norm").as_str() {
        "MAX" | "" => Norm::Greatest,
        "L1" => Norm::Sum,
        "L2" => Norm::Euclid,
        other => return refuse(format!("the norm `{other}` is not known")),
    };
    let width = Width::Single;
    let slots = lowering.push(Step::Normalise { norm, of: row.slots, width })?;
    Ok(Row { slots, width, is_probability: row.is_probability && norm == Norm::Sum })
}

/// The sums, one a row of coefficients, before any transform.
fn linear(lowering: &mut Lowering, node: &NodeProto) -> Result<Row, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let coefficients = floats(node, "coefficients");
    let width = row.slots.len();
    let targets = coefficients.len().checked_div(width).unwrap_or(0);
    if targets == 0 || targets * width != coefficients.len() {
        return refuse("its coefficients are for rows of another width");
    }
    let intercepts = floats(node, "intercepts");
    let bias: Vec<f64> = match intercepts.len() {
        0 => vec![0.0; targets],
        count if count == targets => intercepts.iter().copied().map(f64::from).collect(),
        _ => return refuse("its intercepts are not as many as its sums"),
    };
    let weights = coefficients.iter().copied().map(f64::from).collect();
    let slots = lowering.push(Step::Dense { of: row.slots, weights, bias, width: Width::Single })?;
    Ok(Row { slots, width: Width::Single, is_probability: false })
}

/// What `post_transform` makes of scores.
pub(super) fn transformed(lowering: &mut Lowering, node: &NodeProto, row: Row) -> Result<Row, ImportError> {
    let (slots, is_probability) = match text(node, "post_transform").as_str() {
        "" | "NONE" => (row.slots, row.is_probability),
        "LOGISTIC" => (lowering.unary(Unary::Logistic, row, Width::Single).slots, true),
        "SOFTMAX" => (lowering.push(Step::Softmax { of: row.slots, width: Width::Single })?, true),
        other => return refuse(format!("the transform `{other}` is not read")),
    };
    Ok(Row { slots, width: Width::Single, is_probability })
}

fn linear_classifier(lowering: &mut Lowering, node: &NodeProto) -> Result<Vec<Value>, ImportError> {
    let scores = linear(lowering, node)?;
    let given = match scores.slots.len() {
        1 => {
            let one = transformed(lowering, node, scores)?;
            with_its_rest(lowering, one)?
        }
        2 => transformed(lowering, node, scores)?,
        _ => return refuse("it has several classes; only models of one outcome are read"),
    };
    Ok(vec![Value::Unread, Value::Row(given)])
}

/// The probability of the first class beside that of the second.
pub(super) fn with_its_rest(lowering: &mut Lowering, row: Row) -> Result<Row, ImportError> {
    let one = lowering.constant(1.0)?;
    let count = row.slots.len();
    let left = vec![one; count];
    let rest = Step::Binary { does: Binary::Minus, left, right: row.slots.clone(), width: row.width };
    let mut slots = lowering.push(rest)?;
    slots.extend(row.slots);
    Ok(Row { slots, ..row })
}
