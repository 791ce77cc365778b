//! `tensorflow.Example`s, as `Classify` and `Regress` take them, to rows. A feature that is not there, or has no value,
//! is a value that was not given. Absent on purpose: features of several values, which no tabular model reads.

use crate::domain::model::{Model, ModelInput};
use crate::domain::value::Value;
use crate::predict::{self, Batch, BatchBuilder, PredictError, Refusal, check_size};
use crate::wire::tensorflow as tf;
use crate::wire::tensorflow::feature::Kind;
use crate::wire::tensorflow::serving as wire;

/// The rows of some examples; what they share stands in the context.
///
/// # Errors
/// No example, a feature with several values, a value that its input cannot have.
pub fn read(model: &Model, input: Option<&wire::Input>) -> Result<Batch, PredictError> {
    let (examples, context) = parts(input);
    if examples.is_empty() {
        return Err(PredictError::invalid("Input is empty."));
    }
    check_size(model, examples.len())?;
    let mut rows = BatchBuilder::new(model);
    for (row, example) in examples.iter().enumerate() {
        rows.begin_row();
        for (at, input) in model.inputs.iter().enumerate() {
            let own = feature(Some(example), input).or_else(|| feature(context, input));
            let value = own.map_or(Ok(Value::Missing), |feature| value(input, row, feature))?;
            rows.put(at, value);
        }
    }
    Ok(rows.finish())
}

/// About the bytes that its rows take: an example of two bytes stands for a whole row.
pub fn size(model: &Model, input: Option<&wire::Input>) -> usize {
    let (examples, _) = parts(input);
    examples.len().saturating_mul(model.inputs.len()).saturating_mul(size_of::<f64>())
}

fn parts(input: Option<&wire::Input>) -> (&[tf::Example], Option<&tf::Example>) {
    match input.and_then(|input| input.kind.as_ref()) {
        Some(wire::input::Kind::ExampleList(list)) => (&list.examples, None),
        Some(wire::input::Kind::ExampleListWithContext(list)) => (&list.examples, list.context.as_ref()),
        None => (&[], None),
    }
}

fn feature<'e>(example: Option<&'e tf::Example>, input: &ModelInput) -> Option<&'e Kind> {
    example?.features.as_ref()?.feature.get(&*input.name)?.kind.as_ref()
}

fn value(input: &ModelInput, row: usize, feature: &Kind) -> Result<Value, PredictError> {
    let (count, value) = match feature {
        Kind::BytesList(list) => {
            (list.value.len(), list.value.first().map(|value| predict::bytes(input, value)))
        }
        Kind::FloatList(list) => {
            (list.value.len(), list.value.first().map(|value| predict::number(input, f64::from(*value))))
        }
        Kind::Int64List(list) => {
            (list.value.len(), list.value.first().map(|value| predict::integer(input, *value)))
        }
    };
    if count > 1 {
        let detail = format!("input `{}`, row {row}: it has {count} values and must have one", input.name);
        return Err(PredictError::invalid(detail));
    }
    let settled =
        |value: Result<Value, Refusal>| value.map_err(|refusal| predict::refused(input, row, refusal));
    value.map_or(Ok(Value::Missing), settled)
}
