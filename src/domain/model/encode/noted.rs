//! What a model did with inputs that it could not take as they came: missing values, categories that it was not fitted
//! on, numbers beyond those that it was fitted on. So that nothing is replaced in silence. Absent: the facts
//! themselves; a note holds what stood in for one, which is the model's own.

use super::{Encoder, Fallback, Feature, How};
use crate::domain::value::{Kind, Name, Value};

/// One input that was not taken as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct InputNote {
    pub input: Name,
    pub problem: InputProblem,
    pub taken: Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputProblem {
    Missing,
    /// A category that was not declared.
    Unseen,
    /// A number beyond those that the model was fitted on.
    OutOfRange,
}

impl InputProblem {
    /// The word for it in traces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unseen => "unseen",
            Self::OutOfRange => "out_of_range",
        }
    }
}

/// What the model did then, as its recipe says.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// This stood in for it.
    As(Value),
    /// No evidence either way.
    AsNothing,
    /// A thing of its own, for which the model has an answer.
    AsItsOwn,
    /// Taken as it came.
    AsItIs,
}

impl Taken {
    /// The word for it in traces.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::As(_) => "as",
            Self::AsNothing => "zero",
            Self::AsItsOwn => "own",
            Self::AsItIs => "keep",
        }
    }
}

impl From<&Fallback> for Taken {
    fn from(fallback: &Fallback) -> Self {
        match fallback {
            // What is refused is a failure and never noted.
            Fallback::Refuse => Self::AsItIs,
            Fallback::As(value) => Self::As(value.clone()),
            Fallback::Zero => Self::AsNothing,
            Fallback::Own => Self::AsItsOwn,
        }
    }
}

/// The numbers that a model was fitted on, and what it does beyond them. Finite, `low` at most `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
    pub beyond: Beyond,
}

/// What a number beyond the range becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Taken as it is, and noted.
    Keep,
    /// The nearest end of the range.
    Clip,
    /// The model does not answer.
    Refuse,
}

impl Range {
    pub(super) fn check(self, feature: &Feature) -> Result<(), &'static str> {
        if !(self.low.is_finite() && self.high.is_finite() && self.low <= self.high) {
            return Err("its range does not go from a number up to another");
        }
        if !matches!(feature.kind, Kind::Integer | Kind::Decimal | Kind::Number) {
            return Err("only a number has a range");
        }
        Ok(())
    }

    /// The number within the range.
    pub(super) fn nearest(self, number: f64) -> f64 {
        number.clamp(self.low, self.high)
    }

    #[must_use]
    pub fn holds(self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }
}

/// The numbers that an input was fitted on.
pub(in crate::domain::model) fn range(encoders: &[Encoder], input: usize) -> Option<Range> {
    encoders.get(input)?.range
}

/// What is noted of one row that has an answer, in the order of the inputs.
pub(in crate::domain::model) fn notes(encoders: &[Encoder], row: &[Value]) -> Vec<InputNote> {
    encoders.iter().zip(row).filter_map(|(encoder, value)| encoder.note(value)).collect()
}

impl Encoder {
    fn note(&self, value: &Value) -> Option<InputNote> {
        let note = |problem, taken| Some(InputNote { input: self.name.clone(), problem, taken });
        if *value == Value::Missing {
            return self.missing.and_then(|_| note(InputProblem::Missing, self.taken.missing.clone()));
        }
        let mut is_noted = false;
        self.place(value, &mut is_noted).ok().filter(|_| is_noted)?;
        match (&self.how, self.range) {
            (How::Number { .. } | How::NumberBins { .. }, Some(range)) => {
                let clipped = || super::as_number(value).map(|number| Value::Number(range.nearest(number)));
                let taken = match range.beyond {
                    Beyond::Clip => Taken::As(clipped()?),
                    Beyond::Keep | Beyond::Refuse => Taken::AsItIs,
                };
                note(InputProblem::OutOfRange, taken)
            }
            _ => note(InputProblem::Unseen, self.taken.unseen.clone()),
        }
    }
}
