//! From a source column to matrix columns: one rule for fitting and for serving.
//! Learns nothing: means and scales are given. Echoes no value: a refusal names the input only.

use std::sync::Arc;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{ModelError, ModelFailure};
use crate::domain::value::{Kind, Name, Value};

/// A source column and how it becomes matrix columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    pub name: Name,
    /// `Choice`, `Integer`, `Decimal`, `Number` or `Boolean`.
    pub kind: Kind,
    pub encoding: Encoding,
    /// What a value that was not given stands for.
    pub missing: Fallback,
    /// What a category that was not declared stands for (choices only).
    pub unseen: Fallback,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Encoding {
    /// The number itself; a boolean as 0 or 1.
    AsIs,
    /// `(x - mean) / scale`.
    Standardised { mean: f64, scale: f64 },
    /// One column a category, in the declared order: 1 in its own, 0 elsewhere.
    OneHot,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fallback {
    /// The model does not answer, and says which input it was.
    Refuse,
    As(Value),
}

/// A feature made ready: checked, with the place of its first column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoder {
    name: Name,
    missing: Fallback,
    at: usize,
    how: How,
}

#[derive(Debug, Clone, PartialEq)]
enum How {
    /// `AsIs` is mean 0 and scale 1, which changes no bit.
    Number {
        mean: f64,
        scale: f64,
    },
    Boolean,
    OneHot {
        categories: Arc<[Name]>,
        unseen: Option<usize>,
    },
}

/// Checks the features and lays their columns one after the other; also says how many columns there are.
pub(super) fn compile(features: &[Feature]) -> Result<(Box<[Encoder]>, usize), ModelError> {
    let mut at = 0_usize;
    let mut encoders = Vec::with_capacity(features.len());
    for (index, feature) in features.iter().enumerate() {
        if features.iter().take(index).any(|earlier| earlier.name == feature.name) {
            return Err(ModelError::DuplicateFeature { name: feature.name.clone() });
        }
        let wrong = |problem| ModelError::Feature { name: feature.name.clone(), problem };
        let how = how(feature).map_err(wrong)?;
        let encoder = Encoder { name: feature.name.clone(), missing: feature.missing.clone(), at, how };
        if let Fallback::As(value) = &feature.missing {
            let stands = !matches!(value, Value::Missing) && encoder.place(value).is_ok();
            if !stands {
                return Err(wrong("what stands for a missing value is not of the feature's type"));
            }
        }
        at = at.saturating_add(encoder.width());
        encoders.push(encoder);
    }
    Ok((encoders.into(), at))
}

fn how(feature: &Feature) -> Result<How, &'static str> {
    if !matches!(feature.kind, Kind::Choice(_)) && feature.unseen != Fallback::Refuse {
        return Err("only a choice can have an unseen category");
    }
    match (&feature.kind, feature.encoding) {
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::AsIs) => {
            Ok(How::Number { mean: 0.0, scale: 1.0 })
        }
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::Standardised { mean, scale }) => {
            if !mean.is_finite() || !scale.is_finite() || scale <= 0.0 {
                return Err("mean and scale must be finite, and the scale above 0");
            }
            Ok(How::Number { mean, scale })
        }
        (Kind::Boolean, Encoding::AsIs) => Ok(How::Boolean),
        (Kind::Choice(categories), Encoding::OneHot) => one_hot(categories, &feature.unseen),
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::OneHot) => {
            Err("only a choice can be one-hot")
        }
        (Kind::Boolean, _) => Err("a boolean is encoded as it is"),
        (Kind::Choice(_), _) => Err("a choice is encoded one-hot"),
        _ => Err("a model reads integers, decimals, numbers, booleans and choices only"),
    }
}

fn one_hot(categories: &Arc<[Name]>, unseen: &Fallback) -> Result<How, &'static str> {
    if categories.is_empty() {
        return Err("a choice needs at least one category");
    }
    let repeated = categories.iter().enumerate().any(|(i, c)| categories.iter().take(i).any(|d| d == c));
    if repeated {
        return Err("a category stands twice");
    }
    let unseen = match unseen {
        Fallback::Refuse => None,
        Fallback::As(Value::Text(text)) => {
            let known = categories.iter().position(|c| c == text);
            Some(known.ok_or("what stands for an unseen category is not a declared one")?)
        }
        Fallback::As(_) => return Err("what stands for an unseen category is not a declared one"),
    };
    Ok(How::OneHot { categories: categories.clone(), unseen })
}

/// Writes one row into `columns`, which are all 0 and at least as many as the encoders need.
pub(super) fn write(encoders: &[Encoder], row: &[Value], columns: &mut [f64]) -> Result<(), ModelFailure> {
    if row.len() != encoders.len() {
        let detail = format!("the model reads {} inputs and was given {}", encoders.len(), row.len());
        return Err(ModelFailure { code: "wrong_row", detail });
    }
    for (encoder, value) in encoders.iter().zip(row) {
        let given = match (value, &encoder.missing) {
            (Value::Missing, Fallback::As(fallback)) => fallback,
            _ => value,
        };
        let (at, number) = encoder.place(given).map_err(|refusal| encoder.failure(refusal))?;
        if let Some(column) = columns.get_mut(at) {
            *column = number;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Refusal {
    Missing,
    UnknownCategory,
    WrongType,
    NotFinite,
}

impl Encoder {
    /// Which column the value sets, and to what.
    fn place(&self, value: &Value) -> Result<(usize, f64), Refusal> {
        match &self.how {
            How::Number { mean, scale } => {
                let number = (number(value)? - mean) / scale;
                if number.is_finite() { Ok((self.at, number)) } else { Err(Refusal::NotFinite) }
            }
            How::Boolean => match value {
                Value::Boolean(yes) => Ok((self.at, f64::from(u8::from(*yes)))),
                Value::Missing => Err(Refusal::Missing),
                _ => Err(Refusal::WrongType),
            },
            How::OneHot { categories, unseen } => match value {
                Value::Text(text) => {
                    let known = categories.iter().position(|category| category == text).or(*unseen);
                    known.map(|index| (self.at + index, 1.0)).ok_or(Refusal::UnknownCategory)
                }
                Value::Missing => Err(Refusal::Missing),
                _ => Err(Refusal::WrongType),
            },
        }
    }

    fn width(&self) -> usize {
        match &self.how {
            How::Number { .. } | How::Boolean => 1,
            How::OneHot { categories, .. } => categories.len(),
        }
    }

    #[cold]
    fn failure(&self, refusal: Refusal) -> ModelFailure {
        let name = &self.name;
        let (code, detail) = match refusal {
            Refusal::Missing => ("missing_value", format!("the model needs `{name}`, which is missing")),
            Refusal::UnknownCategory => {
                ("unknown_category", format!("`{name}` has a category that the model was not fitted on"))
            }
            Refusal::WrongType => ("wrong_type", format!("`{name}` is not of the type that the model reads")),
            Refusal::NotFinite => ("not_finite", format!("`{name}` is too large for the model")),
        };
        ModelFailure { code, detail }
    }
}

fn number(value: &Value) -> Result<f64, Refusal> {
    let number = match value {
        Value::Number(number) => *number,
        Value::Decimal(decimal) => nearest(decimal),
        // An integer beyond 2^53 is taken as its nearest f64, as when it is read from a training file.
        Value::Integer(integer) => integer.to_f64().ok_or(Refusal::NotFinite)?,
        Value::Missing => return Err(Refusal::Missing),
        _ => return Err(Refusal::WrongType),
    };
    if number.is_finite() { Ok(number) } else { Err(Refusal::NotFinite) }
}

const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The f64 nearest to a decimal, which `Decimal::to_f64` is not always: below 2^53 and down to 22 places both
/// parts are exact, so one division rounds once; beyond that the text is parsed, which rounds once too.
fn nearest(decimal: &Decimal) -> f64 {
    let power = usize::try_from(decimal.scale()).ok().and_then(|scale| POWERS_OF_TEN.get(scale));
    match (i64::try_from(decimal.mantissa()), power) {
        (Ok(mantissa), Some(power)) if mantissa.unsigned_abs() < (1 << 53) => {
            mantissa.to_f64().map_or(f64::NAN, |mantissa| mantissa / power)
        }
        _ => decimal.to_string().parse().unwrap_or(f64::NAN),
    }
}

pub(super) fn names(feature: &Feature) -> Vec<String> {
    match (&feature.kind, feature.encoding) {
        (Kind::Choice(categories), Encoding::OneHot) => {
            categories.iter().map(|category| format!("{}={category}", feature.name)).collect()
        }
        _ => vec![feature.name.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decimal_becomes_the_f64_that_its_text_is(mantissa in any::<i64>(), scale in 0_u32..28) {
            let decimal = Decimal::from_i128_with_scale(i128::from(mantissa), scale);
            let text = f64::from_str(&decimal.to_string()).unwrap();
            prop_assert_eq!(nearest(&decimal).to_bits(), text.to_bits());
        }
    }
}
