//! The general operators. What only moves numbers makes no step: it gives the same slots in another order.

use super::lower::{Constant, Lowering, Row, Value};
use super::proto::NodeProto;
use super::{DOUBLE, FLOAT, ml};
use crate::domain::model::{Binary, Slot, Step, Unary, Width};
use crate::learn::import::{ImportError, refuse};

/// The values of a node's outputs, as many as are read.
pub(super) fn lower(lowering: &mut Lowering, node: &NodeProto) -> Result<Vec<Value>, ImportError> {
    if node.domain == "ai.onnx.ml" {
        return ml::lower(lowering, node);
    }
    if !matches!(node.domain.as_str(), "" | "ai.onnx") {
        return refuse(format!("operators of `{}` are not read", node.domain));
    }
    if let Some(does) = unary(node) {
        let row = lowering.row(input(node, 0)?)?;
        let keeps = matches!(does, Unary::Identity);
        let is_probability = row.is_probability && keeps || does == Unary::Logistic;
        let width = row.width;
        let row = lowering.unary(does, row, width);
        return Ok(vec![Value::Row(Row { is_probability, ..row })]);
    }
    if let Some(does) = binary(node) {
        return binary_step(lowering, node, does);
    }
    let value = match node.op_type.as_str() {
        "Concat" => concat(lowering, node)?,
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Dropout" => same(lowering, node)?,
        "Cast" => cast(lowering, node)?,
        "Gather" => gather(lowering, node)?,
        "Slice" => slice(lowering, node)?,
        "Gemm" => gemm(lowering, node)?,
        "MatMul" => {
            let row = lowering.row(input(node, 0)?)?;
            let weights = lowering.constant_of(input(node, 1)?)?.clone();
            dense(lowering, &row, &weights, false, 1.0, None)?
        }
        "Softmax" => {
            let row = lowering.row(input(node, 0)?)?;
            let slots = lowering.push(Step::Softmax { of: row.slots, width: row.width })?;
            Value::Row(Row { slots, width: row.width, is_probability: true })
        }
        "ReduceSum" => {
            let row = lowering.row(input(node, 0)?)?;
            let slots = lowering.push(Step::Sum { of: row.slots, width: row.width })?;
            Value::Row(Row { slots, width: row.width, is_probability: false })
        }
        "Clip" => clip(lowering, node)?,
        "Where" => choose(lowering, node)?,
        "Constant" => constant(node)?,
        other => {
            return refuse(format!(
                "the operator `{other}` is not read; export the pipeline without it, or the model alone"
            ));
        }
    };
    Ok(vec![value])
}

pub(super) fn input(node: &NodeProto, at: usize) -> Result<&str, ImportError> {
    let missing = || ImportError::Malformed(format!("it has no input {at}"));
    node.input.get(at).map(String::as_str).filter(|name| !name.is_empty()).ok_or_else(missing)
}

fn float(node: &NodeProto, name: &str) -> Option<f32> {
    node.attribute.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.f)
}

fn int(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.i)
}

fn unary(node: &NodeProto) -> Option<Unary> {
    let alpha = |usual: f32| f64::from(float(node, "alpha").unwrap_or(usual));
    Some(match node.op_type.as_str() {
        "Identity" => Unary::Identity,
        "Neg" => Unary::Negative,
        "Abs" => Unary::Absolute,
        "Exp" => Unary::Exponential,
        "Log" => Unary::Logarithm,
        "Sqrt" => Unary::Root,
        "Relu" => Unary::Relu,
        "LeakyRelu" => Unary::LeakyRelu(alpha(0.01)),
        "Elu" => Unary::Elu(alpha(1.0)),
        "Sigmoid" => Unary::Logistic,
        "Tanh" => Unary::Tanh,
        "Softplus" => Unary::Softplus,
        "Floor" => Unary::Floor,
        "Ceil" => Unary::Ceiling,
        "IsNaN" => Unary::IsMissing,
        "Not" => Unary::Not,
        _ => return None,
    })
}

fn binary(node: &NodeProto) -> Option<Binary> {
    Some(match node.op_type.as_str() {
        "Add" => Binary::Plus,
        "Sub" => Binary::Minus,
        "Mul" => Binary::Times,
        "Div" => Binary::Divide,
        "Min" => Binary::Least,
        "Max" => Binary::Greatest,
        "Pow" => Binary::Power,
        "Equal" => Binary::Equal,
        "Less" => Binary::Less,
        "LessOrEqual" => Binary::AtMost,
        "Greater" => Binary::Greater,
        "GreaterOrEqual" => Binary::AtLeast,
        "And" => Binary::And,
        "Or" => Binary::Or,
        _ => return None,
    })
}

/// Both of one length: a single number stands for as many as the other has.
fn broadcast(rows: &mut [&mut Vec<Slot>]) -> Result<(), ImportError> {
    let longest = rows.iter().map(|slots| slots.len()).max().unwrap_or(0);
    for slots in rows {
        match slots.as_slice() {
            all if all.len() == longest => {}
            [one] => **slots = vec![*one; longest],
            _ => return refuse("it takes rows of different widths"),
        }
    }
    Ok(())
}

fn binary_step(lowering: &mut Lowering, node: &NodeProto, does: Binary) -> Result<Vec<Value>, ImportError> {
    if node.input.len() != 2 {
        return refuse("it takes other than two inputs");
    }
    let (mut left, mut right) = (lowering.row(input(node, 0)?)?, lowering.row(input(node, 1)?)?);
    if left.slots.iter().chain(&right.slots).any(|slot| lowering.text_column(*slot).is_some()) {
        return refuse("it compares text; encode text with `OneHotEncoder` or `OrdinalEncoder`");
    }
    broadcast(&mut [&mut left.slots, &mut right.slots])?;
    // What is 1 less a probability is one.
    let is_probability = does == Binary::Minus && right.is_probability && !left.is_probability;
    let width = if left.width == Width::Single { left.width } else { right.width };
    let slots = lowering.push(Step::Binary { does, left: left.slots, right: right.slots, width })?;
    Ok(vec![Value::Row(Row { slots, width, is_probability })])
}

fn concat(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    if !matches!(int(node, "axis"), Some(1 | -1)) {
        return refuse("it joins rows, not columns");
    }
    let mut all = Row { slots: Vec::new(), width: Width::Double, is_probability: true };
    for name in &node.input {
        let row = lowering.row(name)?;
        all.slots.extend(row.slots);
        all.is_probability &= row.is_probability;
        if row.width == Width::Single {
            all.width = Width::Single;
        }
    }
    Ok(Value::Row(all))
}

/// Another shape of the same row.
fn same(lowering: &Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    lowering.value(input(node, 0)?).cloned()
}

fn cast(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let to = int(node, "to").and_then(|to| i32::try_from(to).ok()).unwrap_or(0);
    if row.slots.iter().any(|slot| lowering.text_column(*slot).is_some()) {
        return if to == super::STRING { Ok(Value::Row(row)) } else { refuse("it makes numbers of text") };
    }
    Ok(Value::Row(match to {
        FLOAT if row.width == Width::Double => lowering.unary(Unary::Identity, row, Width::Single),
        FLOAT => row,
        DOUBLE => Row { width: Width::Double, ..row },
        6 | 7 => lowering.unary(Unary::Truncate, row, Width::Double),
        9 => {
            let not = lowering.unary(Unary::Not, row, Width::Double);
            lowering.unary(Unary::Not, not, Width::Double)
        }
        _ => return refuse("it casts to a type that is not read"),
    }))
}

/// Some columns of a row, by their places; those below 0 count from the end.
pub(super) fn pick(row: &Row, places: &[f64]) -> Result<Row, ImportError> {
    let count = row.slots.len() as f64;
    let slot = |place: &f64| {
        let from_start = if *place < 0.0 { place + count } else { *place };
        let slot = (from_start >= 0.0).then(|| row.slots.get(from_start as usize)).flatten();
        slot.copied()
            .ok_or_else(|| ImportError::Malformed("it picks a column that does not exist".to_owned()))
    };
    Ok(Row { slots: places.iter().map(slot).collect::<Result<_, _>>()?, ..*row })
}

fn gather(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    if !matches!(int(node, "axis"), Some(1 | -1)) {
        return refuse("it picks rows, not columns");
    }
    let places = lowering.constant_of(input(node, 1)?)?.numbers.clone();
    Ok(Value::Row(pick(&lowering.row(input(node, 0)?)?, &places)?))
}

fn slice(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    let one = |lowering: &Lowering, at| match lowering.constant_of(input(node, at)?)?.numbers.as_slice() {
        [number] => Ok(*number),
        _ => refuse("it slices several axes"),
    };
    let (start, end, axis) = (one(lowering, 1)?, one(lowering, 2)?, one(lowering, 3)?);
    if !(axis < 0.0 || (0.5..1.5).contains(&axis)) || node.input.len() > 4 {
        return refuse("it slices rows, or in steps");
    }
    let row = lowering.row(input(node, 0)?)?;
    let count = row.slots.len() as f64;
    let bound = |place: f64| (if place < 0.0 { place + count } else { place }).clamp(0.0, count) as usize;
    let slots = row.slots.get(bound(start)..bound(end)).unwrap_or_default().to_vec();
    Ok(Value::Row(Row { slots, ..row }))
}

fn gemm(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    if int(node, "transA").unwrap_or(0) != 0 {
        return refuse("it turns its row");
    }
    let (alpha, beta) = (float(node, "alpha").unwrap_or(1.0), float(node, "beta").unwrap_or(1.0));
    let row = lowering.row(input(node, 0)?)?;
    let weights = lowering.constant_of(input(node, 1)?)?.clone();
    let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
        Some(name) => Some(lowering.constant_of(name)?.numbers.iter().map(|b| b * f64::from(beta)).collect()),
        None => None,
    };
    dense(lowering, &row, &weights, int(node, "transB").unwrap_or(0) != 0, f64::from(alpha), bias)
}

/// A row times a matrix of the file: `[inputs, outputs]`, or the other way round when it is turned.
fn dense(
    lowering: &mut Lowering,
    row: &Row,
    matrix: &Constant,
    turned: bool,
    alpha: f64,
    bias: Option<Vec<f64>>,
) -> Result<Value, ImportError> {
    let [first, second] = *matrix.dims.as_slice() else { return refuse("its weights are no matrix") };
    let (inputs, outputs) = if turned { (second, first) } else { (first, second) };
    if inputs != row.slots.len() || outputs == 0 {
        return refuse("its weights are for rows of another width");
    }
    let mut bias = bias.unwrap_or_else(|| vec![0.0; outputs]);
    if let [one] = *bias.as_slice() {
        bias = vec![one; outputs];
    }
    let weight = |output: usize, input: usize| {
        let at = if turned { output * inputs + input } else { input * outputs + output };
        matrix.numbers.get(at).copied().unwrap_or(f64::NAN) * alpha
    };
    let weights = (0..outputs).flat_map(|output| (0..inputs).map(move |input| (output, input)));
    let weights = weights.map(|(output, input)| weight(output, input)).collect();
    if bias.len() != outputs {
        return refuse("its bias is of another width");
    }
    let slots = lowering.push(Step::Dense { of: row.slots.clone(), weights, bias, width: row.width })?;
    Ok(Value::Row(Row { slots, width: row.width, is_probability: false }))
}

fn clip(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    let mut row = lowering.row(input(node, 0)?)?;
    for (at, does) in [(1, Binary::Greatest), (2, Binary::Least)] {
        let Some(name) = node.input.get(at).filter(|name| !name.is_empty()) else { continue };
        let mut limit = lowering.row(name)?.slots;
        broadcast(&mut [&mut row.slots, &mut limit])?;
        row.slots = lowering.push(Step::Binary { does, left: row.slots, right: limit, width: row.width })?;
    }
    Ok(Value::Row(row))
}

fn choose(lowering: &mut Lowering, node: &NodeProto) -> Result<Value, ImportError> {
    let mut condition = lowering.row(input(node, 0)?)?;
    let (mut then, mut otherwise) = (lowering.row(input(node, 1)?)?, lowering.row(input(node, 2)?)?);
    broadcast(&mut [&mut condition.slots, &mut then.slots, &mut otherwise.slots])?;
    let is_probability = then.is_probability && otherwise.is_probability;
    let step = Step::Choose { condition: condition.slots, then: then.slots, otherwise: otherwise.slots };
    let slots = lowering.push(step)?;
    Ok(Value::Row(Row { slots, width: then.width, is_probability }))
}

fn constant(node: &NodeProto) -> Result<Value, ImportError> {
    let given = node.attribute.first();
    let Some(attribute) = given else { return Err(ImportError::Malformed("it is empty".to_owned())) };
    Ok(Value::Constant(match attribute.name.as_str() {
        "value" => Constant::read(attribute.t.as_ref().unwrap_or(&Default::default()))?,
        "value_float" => {
            Constant { dims: vec![], numbers: vec![f64::from(attribute.f)], width: Width::Single }
        }
        "value_int" => Constant { dims: vec![], numbers: vec![attribute.i as f64], width: Width::Double },
        "value_floats" => Constant {
            dims: vec![attribute.floats.len()],
            numbers: attribute.floats.iter().copied().map(f64::from).collect(),
            width: Width::Single,
        },
        "value_ints" => Constant {
            dims: vec![attribute.ints.len()],
            numbers: attribute.ints.iter().map(|number| *number as f64).collect(),
            width: Width::Double,
        },
        _ => return refuse("it holds what is no number"),
    }))
}
