//! Tensors as the protocols send them: a name, a type, a shape, and the values flat; also as raw little-endian bytes.
//! Absent on purpose: what a model makes of them (`batch`), and the protocols' own messages.

use std::sync::Arc;

use super::error::PredictError;
use crate::domain::value::{Kind, Name};

/// What a model's input or output is, to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    Bool,
    Int64,
    Fp64,
    /// Text, in UTF-8.
    Bytes,
}

impl Datatype {
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Bool,
            Kind::Integer => Self::Int64,
            Kind::Choice(_) | Kind::Text => Self::Bytes,
            _ => Self::Fp64,
        }
    }

    /// As the Open Inference Protocol writes it: `FP64`.
    #[must_use]
    pub fn open_inference(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Int64 => "INT64",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// As TensorFlow writes it: `DT_DOUBLE`.
    #[must_use]
    pub fn tensorflow(self) -> &'static str {
        match self {
            Self::Bool => "DT_BOOL",
            Self::Int64 => "DT_INT64",
            Self::Fp64 => "DT_DOUBLE",
            Self::Bytes => "DT_STRING",
        }
    }
}

/// One named input or output. Its shape is always [-1]: one value a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: Name,
    pub datatype: Datatype,
}

/// What was sent under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<i64>,
    pub data: TensorData,
}

/// The values of a tensor, flat, row after row.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    Booleans(Vec<bool>),
    /// Of any width, signed or not.
    Integers(Vec<i64>),
    /// Of any width; NaN is a value that was not given.
    Numbers(Vec<f64>),
    Texts(Vec<Text>),
}

/// One text of a tensor.
pub type Text = Arc<[u8]>;

/// Element types that may be sent, by the Open Inference Protocol's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

impl Element {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Bool, "BOOL"),
        (Self::Int8, "INT8"),
        (Self::Int16, "INT16"),
        (Self::Int32, "INT32"),
        (Self::Int64, "INT64"),
        (Self::Uint8, "UINT8"),
        (Self::Uint16, "UINT16"),
        (Self::Uint32, "UINT32"),
        (Self::Uint64, "UINT64"),
        (Self::Fp16, "FP16"),
        (Self::Bf16, "BF16"),
        (Self::Fp32, "FP32"),
        (Self::Fp64, "FP64"),
        (Self::Bytes, "BYTES"),
    ];

    /// # Errors
    /// When there is no such type.
    pub fn of_word(word: &str) -> Result<Self, PredictError> {
        Self::ALL.iter().find(|(_, own)| *own == word).map(|(element, _)| *element).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|(_, word)| *word).collect();
            PredictError::invalid(format!("a tensor's `datatype` must be one of {}", known.join(", ")))
        })
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(element, _)| *element == self).map_or("", |(_, word)| word)
    }

    fn width(self) -> usize {
        match self {
            Self::Bool | Self::Int8 | Self::Uint8 | Self::Bytes => 1,
            Self::Int16 | Self::Uint16 | Self::Fp16 | Self::Bf16 => 2,
            Self::Int32 | Self::Uint32 | Self::Fp32 => 4,
            Self::Int64 | Self::Uint64 | Self::Fp64 => 8,
        }
    }
}

impl TensorData {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Booleans(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Little-endian elements side by side; texts with their length (four bytes) before each.
    ///
    /// # Errors
    /// When the bytes are no whole number of elements, or an unsigned integer is too large.
    pub fn from_raw(name: &str, element: Element, bytes: &[u8]) -> Result<Self, PredictError> {
        let width = element.width();
        if !bytes.len().is_multiple_of(width) {
            let word = element.word();
            return Err(PredictError::invalid(format!(
                "input `{name}`: {} bytes are no whole number of {word} elements",
                bytes.len()
            )));
        }
        let integers = |read: &dyn Fn(&[u8]) -> Option<i64>| -> Result<Self, PredictError> {
            let all: Option<Vec<i64>> = bytes.chunks_exact(width).map(read).collect();
            all.map(Self::Integers).ok_or_else(|| too_large(name))
        };
        match element {
            Element::Bool => Ok(Self::Booleans(bytes.iter().map(|byte| *byte != 0).collect())),
            Element::Int8 => integers(&|c| Some(i64::from(i8::from_le_bytes(array(c))))),
            Element::Int16 => integers(&|c| Some(i64::from(i16::from_le_bytes(array(c))))),
            Element::Int32 => integers(&|c| Some(i64::from(i32::from_le_bytes(array(c))))),
            Element::Int64 => integers(&|c| Some(i64::from_le_bytes(array(c)))),
            Element::Uint8 => integers(&|c| Some(i64::from(u8::from_le_bytes(array(c))))),
            Element::Uint16 => integers(&|c| Some(i64::from(u16::from_le_bytes(array(c))))),
            Element::Uint32 => integers(&|c| Some(i64::from(u32::from_le_bytes(array(c))))),
            Element::Uint64 => integers(&|c| i64::try_from(u64::from_le_bytes(array(c))).ok()),
            Element::Fp16 => Ok(numbers(bytes, width, |c| half(u16::from_le_bytes(array(c))))),
            Element::Bf16 => Ok(numbers(bytes, width, |c| {
                f64::from(f32::from_bits(u32::from(u16::from_le_bytes(array(c))) << 16))
            })),
            Element::Fp32 => Ok(numbers(bytes, width, |c| f64::from(f32::from_le_bytes(array(c))))),
            Element::Fp64 => Ok(numbers(bytes, width, |c| f64::from_le_bytes(array(c)))),
            Element::Bytes => texts(name, bytes).map(Self::Texts),
        }
    }
}

fn too_large(name: &str) -> PredictError {
    PredictError::invalid(format!("input `{name}`: an unsigned integer is beyond 9223372036854775807"))
}

fn numbers(bytes: &[u8], width: usize, read: impl Fn(&[u8]) -> f64) -> TensorData {
    TensorData::Numbers(bytes.chunks_exact(width).map(read).collect())
}

fn texts(name: &str, mut bytes: &[u8]) -> Result<Vec<Text>, PredictError> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let text = bytes
            .split_at_checked(4)
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(array(length)) as usize));
        let Some((text, rest)) = text else {
            return Err(PredictError::invalid(format!(
                "input `{name}`: a BYTES element ends before its length, which stands before it in four bytes"
            )));
        };
        all.push(Text::from(text));
        bytes = rest;
    }
    Ok(all)
}

/// The bytes of one element; of another length, zeros.
fn array<const N: usize>(chunk: &[u8]) -> [u8; N] {
    chunk.try_into().unwrap_or([0; N])
}

/// A number of 16 bits (IEEE 754 binary16).
#[must_use]
pub fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * 2_f64.powi(-14),
        31 if fraction > 0.0 => f64::NAN,
        31 => sign * f64::INFINITY,
        _ => sign * (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

/// Rows that a shape stands for: its first dimension, the others being 1. No dimension is one row.
///
/// # Errors
/// When a further dimension is not 1, or the values are another number.
pub fn rows_of(name: &str, shape: &[i64], values: usize) -> Result<usize, PredictError> {
    let wrong = |what: &str| PredictError::invalid(format!("input `{name}`: {what}"));
    let (first, rest) = shape.split_first().map_or((1, [].as_slice()), |(first, rest)| (*first, rest));
    if rest.iter().any(|dimension| *dimension != 1) {
        return Err(wrong("its shape must be [rows] or [rows, 1]: each input has one value a row"));
    }
    let rows = usize::try_from(first).map_err(|_| wrong("a dimension of its shape is negative"))?;
    if rows != values {
        return Err(wrong(&format!("its shape says {rows} values and {values} were sent")));
    }
    Ok(rows)
}
