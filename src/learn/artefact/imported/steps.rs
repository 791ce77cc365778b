//! How an artefact stores the steps of a pipeline.

use serde::{Deserialize, Serialize};

use super::{BoostedStored, WidthStored};
use crate::domain::model::{Binary, Graph, GraphParts, Norm, Slot, Step, Unary};
use crate::learn::artefact::ArtefactError;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::learn::artefact) struct GraphStored {
    /// `null` is what stands for a missing value.
    constants: Vec<Option<f64>>,
    /// Slots: columns, then constants, then what each step gives.
    steps: Vec<StepStored>,
    answer: Slot,
    is_probability: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StepStored {
    Unary {
        does: UnaryStored,
        of: Vec<Slot>,
        width: WidthStored,
    },
    Binary {
        does: BinaryStored,
        left: Vec<Slot>,
        right: Vec<Slot>,
        width: WidthStored,
    },
    Dense {
        of: Vec<Slot>,
        weights: Vec<f64>,
        bias: Vec<f64>,
        width: WidthStored,
    },
    Softmax {
        of: Vec<Slot>,
        width: WidthStored,
    },
    Normalise {
        norm: NormStored,
        of: Vec<Slot>,
        width: WidthStored,
    },
    Sum {
        of: Vec<Slot>,
        width: WidthStored,
    },
    Lookup {
        of: Vec<Slot>,
        keys: Vec<f64>,
        values: Vec<f64>,
        /// `null` is what stands for a missing value.
        otherwise: Option<f64>,
    },
    Choose {
        condition: Vec<Slot>,
        then: Vec<Slot>,
        otherwise: Vec<Slot>,
    },
    Trees {
        of: Vec<Slot>,
        trees: BoostedStored,
    },
}

/// One word for each thing that is done, in both directions.
macro_rules! words {
    ($stored:ident, $domain:ident: $($word:ident),+ $(; $($with:ident),+)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        enum $stored {
            $($word,)+
            $($($with(f64),)+)?
        }

        impl From<$stored> for $domain {
            fn from(stored: $stored) -> Self {
                match stored {
                    $($stored::$word => Self::$word,)+
                    $($($stored::$with(number) => Self::$with(number),)+)?
                }
            }
        }

        impl From<$domain> for $stored {
            fn from(domain: $domain) -> Self {
                match domain {
                    $($domain::$word => Self::$word,)+
                    $($($domain::$with(number) => Self::$with(number),)+)?
                }
            }
        }
    };
}

words!(
    UnaryStored, Unary:
    Identity, Negative, Absolute, Exponential, Logarithm, Root, Relu, Logistic, Tanh, Softplus, Floor, Ceiling,
    Truncate, IsMissing, Not; LeakyRelu, Elu
);
words!(
    BinaryStored, Binary:
    Plus, Minus, Times, Divide, Least, Greatest, Power, Equal, Less, AtMost, Greater, AtLeast, And, Or
);
words!(NormStored, Norm: Greatest, Sum, Euclid);

fn given(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

impl GraphStored {
    pub(in crate::learn::artefact) fn of(parts: &GraphParts) -> Self {
        Self {
            constants: parts.constants.iter().map(|number| given(*number)).collect(),
            steps: parts.steps.iter().map(store).collect(),
            answer: parts.answer,
            is_probability: parts.is_probability,
        }
    }

    pub(in crate::learn::artefact) fn graph(&self, columns: usize) -> Result<Graph, ArtefactError> {
        Ok(Graph::new(GraphParts {
            columns,
            constants: self.constants.iter().map(|number| number.unwrap_or(f64::NAN)).collect(),
            steps: self.steps.iter().map(read).collect::<Result<_, _>>()?,
            answer: self.answer,
            is_probability: self.is_probability,
        })?)
    }
}

fn store(step: &Step) -> StepStored {
    match step.clone() {
        Step::Unary { does, of, width } => StepStored::Unary { does: does.into(), of, width: width.into() },
        Step::Binary { does, left, right, width } => {
            StepStored::Binary { does: does.into(), left, right, width: width.into() }
        }
        Step::Dense { of, weights, bias, width } => {
            StepStored::Dense { of, weights, bias, width: width.into() }
        }
        Step::Softmax { of, width } => StepStored::Softmax { of, width: width.into() },
        Step::Normalise { norm, of, width } => {
            StepStored::Normalise { norm: norm.into(), of, width: width.into() }
        }
        Step::Sum { of, width } => StepStored::Sum { of, width: width.into() },
        Step::Lookup { of, keys, values, otherwise } => {
            StepStored::Lookup { of, keys, values, otherwise: given(otherwise) }
        }
        Step::Choose { condition, then, otherwise } => StepStored::Choose { condition, then, otherwise },
        Step::Trees { of, trees } => StepStored::Trees { of, trees: BoostedStored::of(&trees.parts()) },
    }
}

fn read(stored: &StepStored) -> Result<Step, ArtefactError> {
    Ok(match stored.clone() {
        StepStored::Unary { does, of, width } => Step::Unary { does: does.into(), of, width: width.into() },
        StepStored::Binary { does, left, right, width } => {
            Step::Binary { does: does.into(), left, right, width: width.into() }
        }
        StepStored::Dense { of, weights, bias, width } => {
            Step::Dense { of, weights, bias, width: width.into() }
        }
        StepStored::Softmax { of, width } => Step::Softmax { of, width: width.into() },
        StepStored::Normalise { norm, of, width } => {
            Step::Normalise { norm: norm.into(), of, width: width.into() }
        }
        StepStored::Sum { of, width } => Step::Sum { of, width: width.into() },
        StepStored::Lookup { of, keys, values, otherwise } => {
            Step::Lookup { of, keys, values, otherwise: otherwise.unwrap_or(f64::NAN) }
        }
        StepStored::Choose { condition, then, otherwise } => Step::Choose { condition, then, otherwise },
        StepStored::Trees { of, trees } => {
            let trees = Box::new(trees.boosted(of.len())?);
            Step::Trees { of, trees }
        }
    })
}
