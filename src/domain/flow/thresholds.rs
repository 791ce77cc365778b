//! The numbers, texts and booleans that people tune, as values: exact as written.

use rust_decimal::Decimal;

use super::compile::Build;
use crate::domain::declaration::ThresholdLiteral;
use crate::domain::expression::scope::Threshold;
use crate::domain::value::{Name, Value};

impl Build<'_> {
    pub(super) fn thresholds(&mut self) -> Vec<(Name, Threshold)> {
        for threshold in &self.declaration.thresholds {
            let value = match &threshold.literal.value {
                ThresholdLiteral::Boolean(value) => Some(Threshold::Value(Value::Boolean(*value))),
                ThresholdLiteral::Text(text) => Some(Threshold::Value(Value::text(text))),
                ThresholdLiteral::Number(text) => number_threshold(text),
            };
            let Some(value) = value else {
                let message =
                    format!("the threshold `{}` is not a number that can be used", threshold.name.value);
                self.error(
                    "T029",
                    &threshold.literal,
                    message,
                    Some("write a plain number like `0.40`".to_owned()),
                );
                continue;
            };
            self.scope.thresholds.push((Name::from(threshold.name.value.as_str()), value));
        }
        self.scope.thresholds.clone()
    }
}

fn number_threshold(text: &str) -> Option<Threshold> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Threshold::Value(Value::Integer(integer)));
    }
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite())?;
    match text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text)) {
        Ok(decimal) => Some(Threshold::Literal { number, decimal }),
        Err(_) => Some(Threshold::Value(Value::Number(number))),
    }
}
