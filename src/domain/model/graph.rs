//! A pipeline as ONNX writes them: small steps from the columns to the answer, each over numbers that came before it,
//! so that every evaluation ends. Trees in it are the same boosted trees. Absent: shapes (one row at a time, each number
//! has its own place), text (categories are codes before they come here), and anything that is not decided row by row.

mod arithmetic;
mod check;

pub use arithmetic::{Binary, Norm, Unary};

use super::ModelError;
use super::boosted::{Boosted, Width};
use super::explain::Space;
use super::link::Link;
use super::trees::BLOCK;

/// Most places for numbers: columns, constants and what steps give.
pub const MAX_SLOTS: usize = 1 << 16;
/// Most steps.
pub const MAX_STEPS: usize = 20_000;
/// Most weights of all dense steps together.
pub const MAX_WEIGHTS: usize = 1 << 22;

/// Where a number stands while a row is evaluated: columns first, then constants, then what each step gives.
pub type Slot = u32;

/// One step. What it gives stands in the next free slots.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// One number for each of `of`.
    Unary { does: Unary, of: Vec<Slot>, width: Width },
    /// One number for each pair.
    Binary { does: Binary, left: Vec<Slot>, right: Vec<Slot>, width: Width },
    /// `weights` has a row of `of.len()` for each number given, `bias` one number each.
    Dense { of: Vec<Slot>, weights: Vec<f64>, bias: Vec<f64>, width: Width },
    /// All of them, to a sum of 1.
    Softmax { of: Vec<Slot>, width: Width },
    /// All of them, to a norm of 1.
    Normalise { norm: Norm, of: Vec<Slot>, width: Width },
    /// Their sum.
    Sum { of: Vec<Slot>, width: Width },
    /// For each, the value that stands beside the same key, or `otherwise`.
    Lookup { of: Vec<Slot>, keys: Vec<f64>, values: Vec<f64>, otherwise: f64 },
    /// For each triple: `then` when the condition is not 0, else `otherwise`.
    Choose { condition: Vec<Slot>, then: Vec<Slot>, otherwise: Vec<Slot> },
    /// The answer of trees over these columns.
    Trees { of: Vec<Slot>, trees: Boxed },
}

/// Boosted trees as a step holds them.
pub type Boxed = Box<Boosted>;

/// What a graph is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphParts {
    pub columns: usize,
    pub constants: Vec<f64>,
    pub steps: Vec<Step>,
    /// Where the answer stands.
    pub answer: Slot,
    /// Whether the answer is a probability; rounding above 1 or below 0 is then cut off.
    pub is_probability: bool,
}

/// Validated steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    parts: GraphParts,
    slots: usize,
    core: Option<Core>,
}

/// The one step that turns columns into the answer, but for a link: what can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Core {
    step: usize,
    /// Which of the numbers that the step gives.
    output: usize,
    space: Space,
}

/// The step that can be explained, as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum CoreStep<'a> {
    Linear { coefficients: &'a [f64], bias: f64 },
    Trees(&'a Boosted),
}

impl Graph {
    /// # Errors
    /// The first thing found wrong: counts, a slot that comes too late, shapes that do not fit, numbers that are none.
    pub fn new(parts: GraphParts) -> Result<Self, ModelError> {
        let slots = check::check(&parts).map_err(|(step, problem)| ModelError::Graph { step, problem })?;
        let mut graph = Self { parts, slots, core: None };
        graph.core = graph.find_core();
        Ok(graph)
    }

    #[must_use]
    pub fn columns(&self) -> usize {
        self.parts.columns
    }

    #[must_use]
    pub fn parts(&self) -> &GraphParts {
        &self.parts
    }

    /// The answer for one row of columns.
    #[must_use]
    pub fn answer(&self, columns: &[f64]) -> f64 {
        match self.slots {
            0..=128 => self.answer_in(columns, &mut [0.0; 128]),
            129..=1024 => self.answer_in(columns, &mut [0.0; 1024]),
            _ => self.answer_in(columns, &mut vec![0.0; self.slots]),
        }
    }

    /// The answers for rows of [`Graph::columns`] cells each: trees go over several rows at a time. As many as `into`
    /// holds.
    pub(super) fn answers(&self, cells: &[f64], into: &mut [f64]) {
        let steps = &self.parts.steps;
        let at = steps.iter().position(|step| matches!(step, Step::Trees { .. }));
        let Some((before, [Step::Trees { of, trees }, after @ ..])) =
            at.and_then(|at| steps.split_at_checked(at))
        else {
            for (columns, answer) in cells.chunks_exact(self.parts.columns.max(1)).zip(into) {
                *answer = self.answer(columns);
            }
            return;
        };
        let (width, read_by_trees) = (self.parts.columns.max(1), of.len().max(1));
        let most = BLOCK.min(into.len());
        let mut slots = vec![0.0; self.slots * most];
        let mut gathered = vec![0.0; read_by_trees * most];
        let mut leaves = [0.0; BLOCK];
        for (cells, answers) in cells.chunks(width * BLOCK).zip(into.chunks_mut(BLOCK)) {
            let mut next = 0;
            let rows = slots.chunks_exact_mut(self.slots).zip(gathered.chunks_exact_mut(read_by_trees));
            for (columns, (slots, gathered)) in cells.chunks_exact(width).zip(rows) {
                let first = self.begin(columns, slots);
                next = Self::run(before, slots, first);
                arithmetic::gathered(of, slots, gathered);
            }
            let leaves = leaves.get_mut(..answers.len()).unwrap_or_default();
            trees.answers(&gathered, leaves);
            for ((answer, slots), leaf) in
                answers.iter_mut().zip(slots.chunks_exact_mut(self.slots)).zip(leaves)
            {
                if let Some(slot) = slots.get_mut(next) {
                    *slot = *leaf;
                }
                Self::run(after, slots, next + 1);
                *answer = self.read_answer(slots);
            }
        }
    }

    fn answer_in(&self, columns: &[f64], slots: &mut [f64]) -> f64 {
        self.fill(columns, slots);
        self.read_answer(slots)
    }

    fn read_answer(&self, slots: &[f64]) -> f64 {
        let answer = read(slots, self.parts.answer);
        if self.parts.is_probability && !answer.is_nan() { answer.clamp(0.0, 1.0) } else { answer }
    }

    fn fill(&self, columns: &[f64], slots: &mut [f64]) {
        let first = self.begin(columns, slots);
        Self::run(&self.parts.steps, slots, first);
    }

    /// Puts columns and constants where the steps find them, and says where the first step's numbers go.
    fn begin(&self, columns: &[f64], slots: &mut [f64]) -> usize {
        let given = columns.iter().take(self.parts.columns).chain(&self.parts.constants);
        for (slot, number) in slots.iter_mut().zip(given) {
            *slot = *number;
        }
        self.parts.columns + self.parts.constants.len()
    }

    /// Runs steps whose numbers go to `next` and after it; says where those of the step after them go.
    fn run(steps: &[Step], slots: &mut [f64], next: usize) -> usize {
        let mut next = next;
        let mut push = |slots: &mut [f64], number: f64| {
            if let Some(slot) = slots.get_mut(next) {
                *slot = number;
            }
            next += 1;
        };
        for step in steps {
            arithmetic::run(step, slots, &mut push);
        }
        next
    }

    /// What can be explained, and in which space; nothing when several steps after another mix the columns.
    pub(super) fn core(&self) -> Option<(CoreStep<'_>, Space)> {
        let core = self.core?;
        let step = match self.parts.steps.get(core.step)? {
            Step::Dense { of, weights, bias, .. } => {
                let coefficients = weights.chunks_exact(of.len().max(1)).nth(core.output)?;
                CoreStep::Linear { coefficients, bias: *bias.get(core.output)? }
            }
            Step::Trees { trees, .. } => CoreStep::Trees(trees),
            _ => return None,
        };
        Some((step, core.space))
    }

    /// The columns of the core for one row.
    pub(super) fn core_columns(&self, columns: &[f64]) -> Vec<f64> {
        let mut slots = vec![0.0; self.slots];
        self.fill(columns, &mut slots);
        self.core_slots().iter().map(|slot| read(&slots, *slot)).collect()
    }

    /// For each column of the core, the column of the graph that it comes from; `None` is a constant.
    pub(super) fn core_origins(&self) -> Vec<Option<usize>> {
        let origins = self.origins();
        let origin = |slot: &Slot| match origins.get(*slot as usize) {
            Some(Origin::Column(column)) => Some(*column),
            _ => None,
        };
        self.core_slots().iter().map(origin).collect()
    }

    fn core_slots(&self) -> &[Slot] {
        let step = self.core.and_then(|core| self.parts.steps.get(core.step));
        match step {
            Some(Step::Dense { of, .. } | Step::Trees { of, .. }) => of,
            _ => &[],
        }
    }

    /// Follows the answer back through what only bends it.
    fn find_core(&self) -> Option<Core> {
        let mut slot = self.parts.answer;
        let mut space = Space::Number;
        // Each turn goes to an earlier step.
        for _ in 0..=self.parts.steps.len() {
            let (index, output) = self.step_of(slot)?;
            let step = self.parts.steps.get(index)?;
            match step {
                Step::Unary { does: Unary::Logistic, of, .. } => {
                    space = Space::LogOdds;
                    slot = *of.get(output)?;
                }
                Step::Unary { does: Unary::Identity, of, .. } | Step::Normalise { of, .. } => {
                    slot = *of.get(output)?;
                }
                Step::Dense { of, .. } | Step::Trees { of, .. } => {
                    if let Step::Trees { trees, .. } = step {
                        space = match (space, trees.link()) {
                            // What a step after the trees makes of their sum has said it already.
                            (Space::LogOdds, Link::Identity) => Space::LogOdds,
                            (Space::LogOdds, _) => return None,
                            (_, Link::Identity) if self.parts.is_probability => Space::Probability,
                            (_, link) => Space::before(link),
                        };
                    }
                    let origins = self.origins();
                    let mixed = |slot: &Slot| origins.get(*slot as usize).is_none_or(|o| *o == Origin::Mixed);
                    return (!of.iter().any(mixed)).then_some(Core { step: index, output, space });
                }
                _ => return None,
            }
        }
        None
    }

    /// The step that gives a slot, and which of its numbers that is.
    fn step_of(&self, slot: Slot) -> Option<(usize, usize)> {
        let mut first = self.parts.columns + self.parts.constants.len();
        for (index, step) in self.parts.steps.iter().enumerate() {
            let next = first + step.gives();
            if (first..next).contains(&(slot as usize)) {
                return Some((index, slot as usize - first));
            }
            first = next;
        }
        None
    }

    /// Where each slot's number comes from.
    fn origins(&self) -> Vec<Origin> {
        let mut origins: Vec<Origin> = (0..self.parts.columns).map(Origin::Column).collect();
        origins.resize(self.parts.columns + self.parts.constants.len(), Origin::Constant);
        for step in &self.parts.steps {
            let at = |slot: &Slot| origins.get(*slot as usize).copied().unwrap_or(Origin::Mixed);
            let given: Vec<Origin> = match step {
                Step::Unary { of, .. } | Step::Lookup { of, .. } => of.iter().map(at).collect(),
                Step::Binary { left, right, .. } => {
                    left.iter().zip(right).map(|(left, right)| at(left).with(at(right))).collect()
                }
                Step::Choose { condition, then, otherwise } => {
                    let triples = condition.iter().zip(then).zip(otherwise);
                    triples.map(|((a, b), c)| at(a).with(at(b)).with(at(c))).collect()
                }
                _ => vec![Origin::Mixed; step.gives()],
            };
            origins.extend(given);
        }
        origins
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Constant,
    Column(usize),
    /// Several columns at once.
    Mixed,
}

impl Origin {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant, other) | (other, Self::Constant) => other,
            (one, other) if one == other => one,
            _ => Self::Mixed,
        }
    }
}

impl Step {
    /// The slots that it reads, operand by operand.
    #[must_use]
    pub fn reads(&self) -> Vec<&[Slot]> {
        match self {
            Self::Unary { of, .. }
            | Self::Dense { of, .. }
            | Self::Softmax { of, .. }
            | Self::Normalise { of, .. }
            | Self::Sum { of, .. }
            | Self::Lookup { of, .. }
            | Self::Trees { of, .. } => vec![of],
            Self::Binary { left, right, .. } => vec![left, right],
            Self::Choose { condition, then, otherwise } => vec![condition, then, otherwise],
        }
    }

    /// How many numbers it gives.
    #[must_use]
    pub fn gives(&self) -> usize {
        match self {
            Self::Unary { of, .. }
            | Self::Softmax { of, .. }
            | Self::Normalise { of, .. }
            | Self::Lookup { of, .. } => of.len(),
            Self::Binary { left, .. } => left.len(),
            Self::Dense { bias, .. } => bias.len(),
            Self::Choose { condition, .. } => condition.len(),
            Self::Sum { .. } | Self::Trees { .. } => 1,
        }
    }
}

fn read(slots: &[f64], slot: Slot) -> f64 {
    slots.get(slot as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
