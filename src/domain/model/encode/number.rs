//! Numbers as models read them: the nearest f64 to what was given.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Refusal;
use crate::domain::value::Value;

/// A number as models read it: the nearest f64; `None` for what is no finite number.
#[must_use]
pub fn as_number(value: &Value) -> Option<f64> {
    number(value).ok()
}

pub(super) fn number(value: &Value) -> Result<f64, Refusal> {
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
