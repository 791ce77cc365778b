//! What the steps of a graph compute, in 32 or 64 bits. A sum, product, quotient or root of two 32-bit floats that is
//! taken in 64 bits and rounded once is what 32-bit arithmetic gives. Long sums are taken in 64 bits and rounded at the
//! end: nearer to the truth than the order in which a library happens to add.

use std::cmp::Ordering;

use super::{Slot, Step, read};
use crate::domain::model::boosted::Width;
use crate::domain::model::link::Link;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    Identity,
    Negative,
    Absolute,
    Exponential,
    Logarithm,
    Root,
    Relu,
    /// `alpha x` below 0.
    LeakyRelu(f64),
    /// `alpha (e^x - 1)` below 0.
    Elu(f64),
    Logistic,
    Tanh,
    Softplus,
    Floor,
    Ceiling,
    /// Toward 0: a cast to an integer.
    Truncate,
    /// 1 when it is not a number (or was not given), else 0.
    IsMissing,
    /// 1 when it is 0, else 0.
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Plus,
    Minus,
    Times,
    Divide,
    Least,
    Greatest,
    Power,
    /// 1 or 0, as all below.
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The largest absolute value.
    Greatest,
    /// The sum of the absolute values.
    Sum,
    /// The root of the sum of the squares.
    Euclid,
}

fn round(width: Width, x: f64) -> f64 {
    match width {
        Width::Single => f64::from(x as f32),
        Width::Double => x,
    }
}

fn one_if(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

impl Unary {
    fn of(self, x: f64, width: Width) -> f64 {
        let y = match self {
            Self::Identity => x,
            Self::Negative => -x,
            Self::Absolute => x.abs(),
            Self::Exponential => libm::exp(x),
            Self::Logarithm => libm::log(x),
            Self::Root => x.sqrt(),
            Self::Relu => {
                // What is not a number stays so.
                if x < 0.0 { 0.0 } else { x }
            }
            Self::LeakyRelu(alpha) if x < 0.0 => alpha * x,
            Self::Elu(alpha) if x < 0.0 => alpha * libm::expm1(x),
            Self::LeakyRelu(_) | Self::Elu(_) => x,
            Self::Logistic => match width {
                Width::Single => Link::LogisticTurned.answer(x),
                Width::Double => Link::Logistic { slope: 1.0 }.answer(x),
            },
            Self::Tanh => libm::tanh(x),
            Self::Softplus => libm::log1p(libm::exp(-x.abs())) + x.max(0.0),
            Self::Floor => x.floor(),
            Self::Ceiling => x.ceil(),
            Self::Truncate => x.trunc(),
            Self::IsMissing => one_if(x.is_nan()),
            // Exact: what was made 0 is 0.
            Self::Not => one_if(is_zero(x)),
        };
        round(width, y)
    }
}

fn is_zero(x: f64) -> bool {
    x.abs() <= 0.0
}

impl Binary {
    fn of(self, x: f64, y: f64, width: Width) -> f64 {
        let z = match self {
            Self::Plus => x + y,
            Self::Minus => x - y,
            Self::Times => x * y,
            Self::Divide => x / y,
            Self::Least | Self::Greatest if x.is_nan() || y.is_nan() => f64::NAN,
            Self::Least => x.min(y),
            Self::Greatest => x.max(y),
            Self::Power => libm::pow(x, y),
            Self::Equal => one_if(x.partial_cmp(&y) == Some(Ordering::Equal)),
            Self::Less => one_if(x < y),
            Self::AtMost => one_if(x <= y),
            Self::Greater => one_if(x > y),
            Self::AtLeast => one_if(x >= y),
            Self::And => one_if(!is_zero(x) && !is_zero(y)),
            Self::Or => one_if(!is_zero(x) || !is_zero(y)),
        };
        round(width, z)
    }
}

/// Computes one step from what stands in `slots` and gives each number to `push`.
pub(super) fn run(step: &Step, slots: &mut [f64], push: &mut impl FnMut(&mut [f64], f64)) {
    match step {
        Step::Unary { does, of, width } => {
            for slot in of {
                let y = does.of(read(slots, *slot), *width);
                push(slots, y);
            }
        }
        Step::Binary { does, left, right, width } => {
            for (left, right) in left.iter().zip(right) {
                let z = does.of(read(slots, *left), read(slots, *right), *width);
                push(slots, z);
            }
        }
        Step::Dense { of, weights, bias, width } => {
            for (weights, bias) in weights.chunks_exact(of.len().max(1)).zip(bias) {
                let terms = weights.iter().zip(of).map(|(weight, slot)| weight * read(slots, *slot));
                let sum = terms.sum::<f64>() + bias;
                push(slots, round(*width, sum));
            }
        }
        Step::Softmax { of, width } => softmax(of, *width, slots, push),
        Step::Normalise { norm, of, width } => normalise(*norm, of, *width, slots, push),
        Step::Sum { of, width } => {
            let sum = of.iter().map(|slot| read(slots, *slot)).sum::<f64>();
            push(slots, round(*width, sum));
        }
        Step::Lookup { of, keys, values, otherwise } => {
            for slot in of {
                let x = read(slots, *slot);
                let same = |key: &f64| Binary::Equal.of(*key, x, Width::Double) > 0.0;
                let found = keys.iter().position(same).and_then(|at| values.get(at));
                push(slots, found.copied().unwrap_or(*otherwise));
            }
        }
        Step::Choose { condition, then, otherwise } => {
            for ((condition, then), otherwise) in condition.iter().zip(then).zip(otherwise) {
                let chosen = if is_zero(read(slots, *condition)) { otherwise } else { then };
                let y = read(slots, *chosen);
                push(slots, y);
            }
        }
        Step::Trees { of, trees } => {
            let mut few = [0.0; 128];
            let answer = match few.get_mut(..of.len()) {
                Some(columns) => trees.answer(gathered(of, slots, columns)),
                None => trees.answer(gathered(of, slots, &mut vec![0.0; of.len()])),
            };
            push(slots, answer);
        }
    }
}

pub(super) fn gathered<'a>(of: &[Slot], slots: &[f64], into: &'a mut [f64]) -> &'a [f64] {
    for (column, slot) in into.iter_mut().zip(of) {
        *column = read(slots, *slot);
    }
    into
}

fn softmax(of: &[Slot], width: Width, slots: &mut [f64], push: &mut impl FnMut(&mut [f64], f64)) {
    let most = of.iter().map(|slot| read(slots, *slot)).fold(f64::NEG_INFINITY, f64::max);
    let part = |slots: &[f64], slot: Slot| libm::exp(read(slots, slot) - most);
    let all: f64 = of.iter().map(|slot| part(slots, *slot)).sum();
    for slot in of {
        let share = part(slots, *slot) / all;
        push(slots, round(width, share));
    }
}

fn normalise(
    norm: Norm,
    of: &[Slot],
    width: Width,
    slots: &mut [f64],
    push: &mut impl FnMut(&mut [f64], f64),
) {
    let all = of.iter().map(|slot| read(slots, *slot));
    let size = match norm {
        Norm::Greatest => all.map(f64::abs).fold(0.0, f64::max),
        Norm::Sum => all.map(f64::abs).sum(),
        Norm::Euclid => all.map(|x| x * x).sum::<f64>().sqrt(),
    };
    // A row of zeros stays one.
    let size = if is_zero(size) { 1.0 } else { size };
    for slot in of {
        let y = read(slots, *slot) / size;
        push(slots, round(width, y));
    }
}
