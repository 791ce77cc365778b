//! Whether steps make a graph: every number they read stands before them, and shapes and sizes fit.

use super::{GraphParts, MAX_SLOTS, MAX_STEPS, MAX_WEIGHTS, Slot, Step};
use crate::domain::model::MAX_COLUMNS;

/// The number of slots, or the step and what is wrong with it.
pub(super) fn check(parts: &GraphParts) -> Result<usize, (usize, &'static str)> {
    let GraphParts { columns, constants, steps, answer, .. } = parts;
    let mut slots = columns.saturating_add(constants.len());
    if *columns > MAX_COLUMNS || slots > MAX_SLOTS || steps.len() > MAX_STEPS {
        return Err((0, "the graph has too many columns, constants or steps"));
    }
    let mut weights_in_all = 0;
    for (index, step) in steps.iter().enumerate() {
        let wrong = |problem| Err((index, problem));
        let reads = step.reads();
        if reads.iter().any(|of| of.is_empty()) {
            return wrong("it reads nothing");
        }
        if reads.iter().flat_map(|of| of.iter()).any(|slot| *slot as usize >= slots) {
            return wrong("it reads what does not stand before it");
        }
        if !fits(step, &reads) {
            return wrong("its parts are not of one size");
        }
        if !numbers(step).all(|number| number.is_finite()) {
            return wrong("one of its numbers is not finite");
        }
        if let Step::Dense { weights, .. } = step {
            weights_in_all += weights.len();
        }
        slots = slots.saturating_add(step.gives());
        if slots > MAX_SLOTS || weights_in_all > MAX_WEIGHTS {
            return wrong("the graph has too many numbers by here");
        }
    }
    if *answer as usize >= slots {
        return Err((steps.len(), "the answer stands nowhere"));
    }
    Ok(slots)
}

fn fits(step: &Step, reads: &[&[Slot]]) -> bool {
    let one_size = reads.iter().all(|of| Some(of.len()) == reads.first().map(|first| first.len()));
    one_size
        && match step {
            Step::Dense { of, weights, bias, .. } => weights.len() == of.len().saturating_mul(bias.len()),
            Step::Lookup { keys, values, .. } => keys.len() == values.len(),
            Step::Trees { of, trees } => trees.columns() == of.len(),
            _ => true,
        }
}

/// The numbers that must be finite. A constant may be none: what stands for a missing value is not a number.
fn numbers(step: &Step) -> Box<dyn Iterator<Item = f64> + '_> {
    match step {
        Step::Dense { weights, bias, .. } => Box::new(weights.iter().chain(bias).copied()),
        Step::Lookup { keys, values, .. } => Box::new(keys.iter().chain(values).copied()),
        Step::Unary { does: super::Unary::LeakyRelu(alpha) | super::Unary::Elu(alpha), .. } => {
            Box::new(std::iter::once(*alpha))
        }
        _ => Box::new(std::iter::empty()),
    }
}
