//! Tensors of the Open Inference Protocol's messages: values in the list of their type, or raw bytes. Absent on
//! purpose: what a model makes of them.

use crate::predict::{Element, PredictError, Servable, Tensor, TensorData, Text, shown};
use crate::wire::inference as wire;
use crate::wire::inference::model_infer_request::InferInputTensor;
use crate::wire::inference::model_infer_response::InferOutputTensor;

/// How the values of a request came, and those of its answer go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Lists,
    Raw,
}

pub fn form_of(request: &wire::ModelInferRequest) -> Form {
    if request.raw_input_contents.is_empty() { Form::Lists } else { Form::Raw }
}

/// About the bytes that its values take.
pub fn size(request: &wire::ModelInferRequest) -> usize {
    let values = |input: &InferInputTensor| {
        let sizes = input.shape.iter().map(|size| usize::try_from(*size).unwrap_or(0));
        sizes.fold(size_of::<f64>(), usize::saturating_mul)
    };
    let raw: usize = request.raw_input_contents.iter().map(Vec::len).sum();
    request.inputs.iter().map(values).fold(raw, usize::saturating_add)
}

/// The tensors of a request.
///
/// # Errors
/// An unknown type, values in two places or in none, bytes that are no whole elements.
pub fn read(request: wire::ModelInferRequest) -> Result<Vec<Tensor>, PredictError> {
    let wire::ModelInferRequest { inputs, raw_input_contents, .. } = request;
    if inputs.is_empty() {
        return Err(PredictError::invalid("the request has no `inputs`"));
    }
    if raw_input_contents.is_empty() {
        return inputs.into_iter().map(from_lists).collect();
    }
    if raw_input_contents.len() != inputs.len() {
        return Err(PredictError::invalid(format!(
            "`raw_input_contents` has {} entries for {} inputs; it must have one for each, in their order",
            raw_input_contents.len(),
            inputs.len()
        )));
    }
    inputs.into_iter().zip(raw_input_contents).map(|(input, raw)| from_raw(input, &raw)).collect()
}

fn from_raw(input: InferInputTensor, raw: &[u8]) -> Result<Tensor, PredictError> {
    let name = shown(&input.name);
    refuse_shared_memory(&input, &name)?;
    if input.contents.is_some_and(|contents| contents != wire::InferTensorContents::default()) {
        return Err(PredictError::invalid(format!(
            "contents field must not be specified when using raw_input_contents for '{name}'"
        )));
    }
    let data = TensorData::from_raw(&name, Element::of_word(&input.datatype)?, raw)?;
    Ok(Tensor { name: input.name, shape: input.shape, data })
}

fn refuse_shared_memory(input: &InferInputTensor, name: &str) -> Result<(), PredictError> {
    if input.parameters.contains_key("shared_memory_region") {
        let detail = format!("input `{name}`: shared memory is not supported; send the data");
        return Err(PredictError::Unimplemented { detail });
    }
    Ok(())
}

fn from_lists(input: InferInputTensor) -> Result<Tensor, PredictError> {
    let name = shown(&input.name);
    refuse_shared_memory(&input, &name)?;
    let element = Element::of_word(&input.datatype)?;
    let contents = input.contents.unwrap_or_default();
    let wire::InferTensorContents {
        bool_contents,
        int_contents,
        int64_contents,
        uint_contents,
        uint64_contents,
        fp32_contents,
        fp64_contents,
        bytes_contents,
    } = contents;
    let lengths = [
        ("bool_contents", bool_contents.len()),
        ("int_contents", int_contents.len()),
        ("int64_contents", int64_contents.len()),
        ("uint_contents", uint_contents.len()),
        ("uint64_contents", uint64_contents.len()),
        ("fp32_contents", fp32_contents.len()),
        ("fp64_contents", fp64_contents.len()),
        ("bytes_contents", bytes_contents.len()),
    ];
    let (list, data) = match element {
        Element::Bool => ("bool_contents", TensorData::Booleans(bool_contents)),
        Element::Int8 | Element::Int16 | Element::Int32 => {
            ("int_contents", TensorData::Integers(int_contents.into_iter().map(i64::from).collect()))
        }
        Element::Int64 => ("int64_contents", TensorData::Integers(int64_contents)),
        Element::Uint8 | Element::Uint16 | Element::Uint32 => {
            ("uint_contents", TensorData::Integers(uint_contents.into_iter().map(i64::from).collect()))
        }
        Element::Uint64 => ("uint64_contents", TensorData::Integers(signed(&name, &uint64_contents)?)),
        Element::Fp32 => {
            ("fp32_contents", TensorData::Numbers(fp32_contents.into_iter().map(f64::from).collect()))
        }
        Element::Fp64 => ("fp64_contents", TensorData::Numbers(fp64_contents)),
        Element::Bytes => {
            ("bytes_contents", TensorData::Texts(bytes_contents.into_iter().map(Text::from).collect()))
        }
        Element::Fp16 | Element::Bf16 => {
            let word = element.word();
            let detail = format!("input `{name}`: {word} values must be sent in `raw_input_contents`");
            return Err(PredictError::invalid(detail));
        }
    };
    if let Some((other, _)) = lengths.iter().find(|(other, length)| *length > 0 && *other != list) {
        let word = element.word();
        let detail =
            format!("input `{name}` is of type {word}: its values belong into `{list}`, not `{other}`");
        return Err(PredictError::invalid(detail));
    }
    Ok(Tensor { name: input.name, shape: input.shape, data })
}

/// Unsigned integers as signed ones.
///
/// # Errors
/// When one is too large.
pub fn signed(name: &str, values: &[u64]) -> Result<Vec<i64>, PredictError> {
    let all: Option<Vec<i64>> = values.iter().map(|value| i64::try_from(*value).ok()).collect();
    all.ok_or_else(|| {
        PredictError::invalid(format!("input `{name}`: an unsigned integer is beyond 9223372036854775807"))
    })
}

/// # Errors
/// When another output is asked for than the model has, or in a form that is not there.
pub fn check_outputs(servable: &Servable, request: &wire::ModelInferRequest) -> Result<(), PredictError> {
    let own = &servable.output.name;
    if request.outputs.len() > 1 {
        let detail = format!("inference output '{own}' is asked for more than once");
        return Err(PredictError::invalid(detail));
    }
    let Some(asked) = request.outputs.first() else { return Ok(()) };
    if *asked.name != **own {
        let (name, model) = (shown(&asked.name), &servable.name);
        return Err(PredictError::invalid(format!(
            "unexpected inference output '{name}' for model '{model}'; it has '{own}'"
        )));
    }
    let is_unknown = ["shared_memory_region", "classification"];
    if is_unknown.iter().any(|name| asked.parameters.contains_key(*name)) {
        let detail =
            format!("output `{own}`: shared memory and the classification extension are not supported");
        return Err(PredictError::Unimplemented { detail });
    }
    Ok(())
}

/// The answers, in the form in which the rows came.
pub fn answer(servable: &Servable, id: String, form: Form, answers: Vec<f64>) -> wire::ModelInferResponse {
    let shape = vec![i64::try_from(answers.len()).unwrap_or(i64::MAX)];
    let (contents, raw_output_contents) = match form {
        Form::Raw => (None, vec![answers.iter().flat_map(|answer| answer.to_le_bytes()).collect()]),
        Form::Lists => {
            let contents = wire::InferTensorContents { fp64_contents: answers, ..Default::default() };
            (Some(contents), Vec::new())
        }
    };
    let output = InferOutputTensor {
        name: servable.output.name.to_string(),
        datatype: servable.output.datatype.open_inference().to_owned(),
        shape,
        contents,
        ..Default::default()
    };
    wire::ModelInferResponse {
        model_name: servable.name.to_string(),
        model_version: servable.version.to_string(),
        id,
        outputs: vec![output],
        raw_output_contents,
        ..Default::default()
    }
}
