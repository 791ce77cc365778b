//! `tensorflow.TensorProto`, both ways: raw bytes or the list of its type, a list that is shorter than the shape filled
//! up with its last value, as TensorFlow does. Absent on purpose: types that no tabular model reads.

use super::super::inference::signed;
use crate::predict::{
    Datatype, Element, MOST_VALUES, PredictError, Tensor, TensorData, TensorSpec, Text, half, shown,
};
use crate::wire::tensorflow as tf;
use crate::wire::tensorflow::DataType;

/// One input of a request.
///
/// # Errors
/// A type or shape that cannot be read, or more values than the shape says.
pub fn read(name: String, tensor: tf::TensorProto) -> Result<Tensor, PredictError> {
    let told = shown(&name);
    let (shape, count) = shape_of(&told, tensor.tensor_shape.as_ref())?;
    let data = data(&told, tensor, count)?;
    Ok(Tensor { name, shape, data })
}

fn wrong(name: &str, what: &str) -> PredictError {
    PredictError::invalid(format!("input `{name}`: {what}"))
}

/// About the bytes that its values take: one value may stand for as many as the shape says.
pub fn size(tensor: &tf::TensorProto) -> usize {
    let dims = tensor.tensor_shape.iter().flat_map(|shape| &shape.dim);
    let values = dims.fold(1_usize, |n, dim| n.saturating_mul(usize::try_from(dim.size).unwrap_or(0)));
    values.saturating_mul(size_of::<f64>()).max(tensor.tensor_content.len())
}

/// The dimensions and how many values they stand for.
fn shape_of(name: &str, shape: Option<&tf::TensorShapeProto>) -> Result<(Vec<i64>, usize), PredictError> {
    let Some(shape) = shape else { return Ok((Vec::new(), 1)) };
    if shape.unknown_rank {
        return Err(wrong(name, "its shape must be known"));
    }
    let mut count: usize = 1;
    for dim in &shape.dim {
        let size =
            usize::try_from(dim.size).map_err(|_| wrong(name, "a dimension of its shape is negative"))?;
        count = count.saturating_mul(size);
    }
    if count > MOST_VALUES {
        let detail = format!("input `{name}`: a request may have {MOST_VALUES} values at most; send several");
        return Err(PredictError::TooMuch { detail });
    }
    Ok((shape.dim.iter().map(|dim| dim.size).collect(), count))
}

fn data(name: &str, tensor: tf::TensorProto, count: usize) -> Result<TensorData, PredictError> {
    let dtype = DataType::try_from(tensor.dtype).unwrap_or(DataType::DtInvalid);
    if !tensor.tensor_content.is_empty() && dtype != DataType::DtString {
        let data = TensorData::from_raw(name, element(name, dtype)?, &tensor.tensor_content)?;
        if data.len() != count {
            return Err(wrong(name, "`tensor_content` has another number of values than its shape"));
        }
        return Ok(data);
    }
    Ok(match dtype {
        DataType::DtFloat => {
            TensorData::Numbers(filled(name, map(&tensor.float_val, |v| f64::from(*v)), count, 0.0)?)
        }
        DataType::DtDouble => TensorData::Numbers(filled(name, tensor.double_val, count, 0.0)?),
        DataType::DtHalf => {
            TensorData::Numbers(filled(name, map(&tensor.half_val, |v| half(bits(*v))), count, 0.0)?)
        }
        DataType::DtBfloat16 => {
            let wide = |v: &i32| f64::from(f32::from_bits(u32::from(bits(*v)) << 16));
            TensorData::Numbers(filled(name, map(&tensor.half_val, wide), count, 0.0)?)
        }
        DataType::DtInt8 | DataType::DtInt16 | DataType::DtInt32 | DataType::DtUint8 | DataType::DtUint16 => {
            TensorData::Integers(filled(name, map(&tensor.int_val, |v| i64::from(*v)), count, 0)?)
        }
        DataType::DtInt64 => TensorData::Integers(filled(name, tensor.int64_val, count, 0)?),
        DataType::DtUint32 => {
            TensorData::Integers(filled(name, map(&tensor.uint32_val, |v| i64::from(*v)), count, 0)?)
        }
        DataType::DtUint64 => {
            TensorData::Integers(filled(name, signed(name, &tensor.uint64_val)?, count, 0)?)
        }
        DataType::DtBool => TensorData::Booleans(filled(name, tensor.bool_val, count, false)?),
        DataType::DtString => {
            let texts = tensor.string_val.into_iter().map(Text::from).collect();
            TensorData::Texts(filled(name, texts, count, Text::from([].as_slice()))?)
        }
        _ => return Err(unread(name)),
    })
}

fn map<T, U>(values: &[T], read: impl Fn(&T) -> U) -> Vec<U> {
    values.iter().map(read).collect()
}

/// The 16 bits of which a half-wide float consists.
fn bits(value: i32) -> u16 {
    let [low, high, ..] = value.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn element(name: &str, dtype: DataType) -> Result<Element, PredictError> {
    Ok(match dtype {
        DataType::DtFloat => Element::Fp32,
        DataType::DtDouble => Element::Fp64,
        DataType::DtHalf => Element::Fp16,
        DataType::DtBfloat16 => Element::Bf16,
        DataType::DtInt8 => Element::Int8,
        DataType::DtInt16 => Element::Int16,
        DataType::DtInt32 => Element::Int32,
        DataType::DtInt64 => Element::Int64,
        DataType::DtUint8 => Element::Uint8,
        DataType::DtUint16 => Element::Uint16,
        DataType::DtUint32 => Element::Uint32,
        DataType::DtUint64 => Element::Uint64,
        DataType::DtBool => Element::Bool,
        _ => return Err(unread(name)),
    })
}

fn unread(name: &str) -> PredictError {
    wrong(name, "its `dtype` must be a number, DT_BOOL or DT_STRING")
}

/// A list shorter than the shape repeats its last value; an empty one stands for zeros.
fn filled<T: Clone>(name: &str, mut values: Vec<T>, count: usize, zero: T) -> Result<Vec<T>, PredictError> {
    if values.len() > count {
        return Err(wrong(name, "it has more values than its shape"));
    }
    let last = values.last().cloned().unwrap_or(zero);
    values.resize(count, last);
    Ok(values)
}

/// The answers, one a row.
pub fn of_answers(answers: Vec<f64>) -> tf::TensorProto {
    let rows = i64::try_from(answers.len()).unwrap_or(i64::MAX);
    tf::TensorProto {
        dtype: DataType::DtDouble.into(),
        tensor_shape: Some(shape(rows)),
        double_val: answers,
        ..Default::default()
    }
}

/// An input or output, as metadata tells it.
pub fn described(spec: &TensorSpec) -> tf::TensorInfo {
    let dtype = match spec.datatype {
        Datatype::Bool => DataType::DtBool,
        Datatype::Int64 => DataType::DtInt64,
        Datatype::Fp64 => DataType::DtDouble,
        Datatype::Bytes => DataType::DtString,
    };
    tf::TensorInfo {
        encoding: Some(tf::tensor_info::Encoding::Name(format!("{}:0", spec.name))),
        dtype: dtype.into(),
        tensor_shape: Some(shape(-1)),
    }
}

fn shape(rows: i64) -> tf::TensorShapeProto {
    let dim = tf::tensor_shape_proto::Dim { size: rows, name: String::new() };
    tf::TensorShapeProto { dim: vec![dim], unknown_rank: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(dtype: DataType, dims: &[i64]) -> tf::TensorProto {
        let dim = dims.iter().map(|size| tf::tensor_shape_proto::Dim { size: *size, name: String::new() });
        let shape = tf::TensorShapeProto { dim: dim.collect(), unknown_rank: false };
        tf::TensorProto { dtype: dtype.into(), tensor_shape: Some(shape), ..Default::default() }
    }

    fn read_data(tensor: tf::TensorProto) -> Result<TensorData, String> {
        read("x".to_owned(), tensor).map(|tensor| tensor.data).map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_fills_the_shape() {
        let tensor = tf::TensorProto { float_val: vec![1.0, 0.5], ..sent(DataType::DtFloat, &[4, 1]) };
        assert_eq!(read_data(tensor), Ok(TensorData::Numbers(vec![1.0, 0.5, 0.5, 0.5])));
        assert_eq!(read_data(sent(DataType::DtInt64, &[2])), Ok(TensorData::Integers(vec![0, 0])));
        let many = tf::TensorProto { int64_val: vec![1, 2, 3], ..sent(DataType::DtInt64, &[2]) };
        assert_eq!(read_data(many), Err("input `x`: it has more values than its shape".to_owned()));
    }

    #[test]
    fn raw_bytes_and_lists_say_the_same() {
        let content = [1.5_f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let raw = tf::TensorProto { tensor_content: content, ..sent(DataType::DtDouble, &[2]) };
        assert_eq!(read_data(raw.clone()), Ok(TensorData::Numbers(vec![1.5, -2.0])));
        let short = tf::TensorProto { tensor_shape: sent(DataType::DtDouble, &[3]).tensor_shape, ..raw };
        assert!(read_data(short).unwrap_err().contains("another number of values"));
        let halves = tf::TensorProto { half_val: vec![0x3c00, 0xc000], ..sent(DataType::DtHalf, &[2]) };
        assert_eq!(read_data(halves), Ok(TensorData::Numbers(vec![1.0, -2.0])));
        let texts = tf::TensorProto { string_val: vec![b"own".to_vec()], ..sent(DataType::DtString, &[]) };
        assert_eq!(read_data(texts), Ok(TensorData::Texts(vec![Text::from(b"own".as_slice())])));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (tensor, expected) in [
            (sent(DataType::DtComplex64, &[1]), "`dtype` must be"),
            (sent(DataType::DtDouble, &[-1]), "a dimension of its shape is negative"),
            (sent(DataType::DtDouble, &[i64::MAX, i64::MAX]), "values at most"),
            (tf::TensorProto { dtype: 999, ..Default::default() }, "`dtype` must be"),
        ] {
            let told = read_data(tensor).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }
}
