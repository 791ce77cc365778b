//! What is known while operators become steps: the row that each name stands for, constants, and categories, which are
//! met as text and become codes.

use std::collections::BTreeMap;

use super::proto::TensorProto;
use super::{DOUBLE, FLOAT, STRING};
use crate::domain::model::{GraphParts, Slot, Step, Unary, Width};
use crate::learn::import::{ImportError, refuse};

/// Constants and what steps give have places of their own until it is known how many there are.
const CONSTANTS: Slot = 1 << 30;
const GIVEN: Slot = 2 << 30;
/// Most numbers of one constant.
const MAX_NUMBERS: usize = 1 << 22;
/// Most numbers that steps give, before those that nobody reads are left out.
const MAX_GIVEN: usize = 1 << 16;

/// One row of a tensor, flat.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub slots: Vec<Slot>,
    pub width: Width,
    /// Whether each number is from 0 to 1 by what made it.
    pub is_probability: bool,
}

/// A tensor that the file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub dims: Vec<usize>,
    pub numbers: Vec<f64>,
    pub width: Width,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Row(Row),
    Constant(Constant),
    /// A label: nothing can be done with it, and nothing needs it.
    Unread,
}

pub(super) struct Lowering {
    columns: usize,
    names: BTreeMap<String, Value>,
    steps: Vec<Step>,
    given: usize,
    constants: Vec<f64>,
    known_constants: BTreeMap<u64, Slot>,
    /// Of each column that holds text, its categories so far.
    categories: Vec<Option<Vec<String>>>,
}

impl Lowering {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns,
            names: BTreeMap::new(),
            steps: Vec::new(),
            given: 0,
            constants: Vec::new(),
            known_constants: BTreeMap::new(),
            categories: vec![None; columns],
        }
    }

    /// Makes columns what an input's name stands for.
    pub(super) fn input(&mut self, name: &str, kind: i32, first: usize, width: usize) {
        let columns = first..first + width;
        if kind == STRING {
            for categories in self.categories.iter_mut().skip(first).take(width) {
                *categories = Some(Vec::new());
            }
        }
        let slots: Vec<Slot> = columns.filter_map(|column| Slot::try_from(column).ok()).collect();
        let mut row = Row { slots, width: Width::Double, is_probability: false };
        if kind == FLOAT {
            row = self.unary(Unary::Identity, row, Width::Single);
        }
        self.set(name, Value::Row(row));
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.names.insert(name.to_owned(), value);
    }

    pub(super) fn value(&self, name: &str) -> Result<&Value, ImportError> {
        let missing = || ImportError::Malformed(format!("nothing gives `{name}` before it is read"));
        self.names.get(name).ok_or_else(missing)
    }

    /// The numbers that a name stands for; a constant becomes slots.
    pub(super) fn row(&mut self, name: &str) -> Result<Row, ImportError> {
        match self.value(name)?.clone() {
            Value::Row(row) => Ok(row),
            Value::Constant(constant) => {
                let width = constant.width;
                let slots = constant.numbers.iter().map(|number| self.constant(*number));
                Ok(Row { slots: slots.collect::<Result<_, _>>()?, width, is_probability: false })
            }
            Value::Unread => refuse(format!("`{name}` is a label, and the answer needs it")),
        }
    }

    pub(super) fn constant_of(&self, name: &str) -> Result<&Constant, ImportError> {
        match self.value(name)? {
            Value::Constant(constant) => Ok(constant),
            _ => refuse(format!("`{name}` is computed where only constants are read")),
        }
    }

    pub(super) fn constant(&mut self, number: f64) -> Result<Slot, ImportError> {
        if number.is_infinite() {
            return refuse("it holds an infinite constant");
        }
        if let Some(slot) = self.known_constants.get(&number.to_bits()) {
            return Ok(*slot);
        }
        let slot = place(CONSTANTS, self.constants.len())?;
        self.constants.push(number);
        self.known_constants.insert(number.to_bits(), slot);
        Ok(slot)
    }

    /// Adds a step; gives the slots of its numbers.
    pub(super) fn push(&mut self, step: Step) -> Result<Vec<Slot>, ImportError> {
        let count = step.gives();
        if self.given + count > MAX_GIVEN {
            return refuse("it computes more numbers for a row than are read (65,536)");
        }
        let slots = (self.given..self.given + count).map(|at| place(GIVEN, at)).collect();
        self.given += count;
        self.steps.push(step);
        slots
    }

    pub(super) fn unary(&mut self, does: Unary, row: Row, width: Width) -> Row {
        let step = Step::Unary { does, of: row.slots.clone(), width };
        // Elementwise steps are bounded by what they read, which was pushed before; past the bound nothing changes, and
        // the next step is refused.
        let slots = self.push(step).unwrap_or_else(|_| row.slots.clone());
        Row { slots, width, is_probability: row.is_probability }
    }

    /// The column whose text a slot holds.
    pub(super) fn text_column(&self, slot: Slot) -> Option<usize> {
        let column = slot as usize;
        self.categories.get(column)?.as_ref().map(|_| column)
    }

    /// The code of a category of a column; a new one gets the next.
    pub(super) fn code(&mut self, column: usize, category: &str) -> f64 {
        let Some(Some(categories)) = self.categories.get_mut(column) else { return f64::NAN };
        let known = categories.iter().position(|known| known == category);
        known.unwrap_or_else(|| {
            categories.push(category.to_owned());
            categories.len() - 1
        }) as f64
    }

    /// The graph, without the steps that the answer does not need, and the categories of each column.
    pub(super) fn finish(
        self,
        answer: Slot,
        is_probability: bool,
    ) -> Result<(GraphParts, Vec<Vec<String>>), ImportError> {
        let mut starts = Vec::with_capacity(self.steps.len());
        let mut next = 0;
        for step in &self.steps {
            starts.push(next);
            next += step.gives();
        }
        let mut wanted = vec![false; self.given];
        let mut want = |slot: Slot| {
            if let Some(wanted) = given_index(slot).and_then(|at| wanted.get_mut(at)) {
                *wanted = true;
            }
        };
        want(answer);
        let mut used = vec![false; self.steps.len()];
        for (at, step) in self.steps.iter().enumerate().rev() {
            let start = starts.get(at).copied().unwrap_or(0);
            if wanted.iter().skip(start).take(step.gives()).any(|wanted| *wanted) {
                if let Some(used) = used.get_mut(at) {
                    *used = true;
                }
                for slot in step.reads().into_iter().flatten() {
                    if let Some(wanted) = given_index(*slot).and_then(|at| wanted.get_mut(at)) {
                        *wanted = true;
                    }
                }
            }
        }
        let base = self.columns + self.constants.len();
        let mut moved = vec![0; self.given];
        let mut place_now = base;
        for ((step, start), _) in self.steps.iter().zip(&starts).zip(&used).filter(|(_, used)| **used) {
            for moved in moved.iter_mut().skip(*start).take(step.gives()) {
                *moved = place_now;
                place_now += 1;
            }
        }
        let columns = self.columns;
        let settle = |slot: Slot| {
            let at = match given_index(slot) {
                Some(at) => moved.get(at).copied().unwrap_or(usize::MAX),
                None if slot >= CONSTANTS => columns + (slot - CONSTANTS) as usize,
                None => slot as usize,
            };
            Slot::try_from(at).unwrap_or(Slot::MAX)
        };
        let steps = self.steps.into_iter().zip(&used).filter(|(_, used)| **used);
        let steps = steps.map(|(step, _)| renamed(step, &settle)).collect();
        let parts =
            GraphParts { columns, constants: self.constants, steps, answer: settle(answer), is_probability };
        Ok((parts, self.categories.into_iter().map(Option::unwrap_or_default).collect()))
    }
}

fn place(base: Slot, at: usize) -> Result<Slot, ImportError> {
    let at = Slot::try_from(at).ok().filter(|at| *at < CONSTANTS);
    at.map(|at| base + at).ok_or_else(|| ImportError::Refused("it holds too many numbers".to_owned()))
}

fn given_index(slot: Slot) -> Option<usize> {
    slot.checked_sub(GIVEN).map(|at| at as usize)
}

fn renamed(mut step: Step, settle: &impl Fn(Slot) -> Slot) -> Step {
    let lists: Vec<&mut Vec<Slot>> = match &mut step {
        Step::Unary { of, .. }
        | Step::Dense { of, .. }
        | Step::Softmax { of, .. }
        | Step::Normalise { of, .. }
        | Step::Sum { of, .. }
        | Step::Lookup { of, .. }
        | Step::Trees { of, .. } => vec![of],
        Step::Binary { left, right, .. } => vec![left, right],
        Step::Choose { condition, then, otherwise } => vec![condition, then, otherwise],
    };
    for slot in lists.into_iter().flatten() {
        *slot = settle(*slot);
    }
    step
}

impl Constant {
    pub(super) fn read(tensor: &TensorProto) -> Result<Self, ImportError> {
        let wrong = |problem: &str| ImportError::Malformed(format!("constant `{}` {problem}", tensor.name));
        if tensor.data_location != 0 {
            return refuse("it keeps constants in another file; save it in one");
        }
        let dims: Option<Vec<usize>> = tensor.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let dims = dims.ok_or_else(|| wrong("has a size below 0"))?;
        let count = dims.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
        let count = count.filter(|count| *count <= MAX_NUMBERS).ok_or_else(|| wrong("is too large"))?;
        let raw = &tensor.raw_data;
        let (numbers, width): (Vec<f64>, Width) = match tensor.data_type {
            FLOAT if raw.is_empty() => {
                (tensor.float_data.iter().copied().map(f64::from).collect(), Width::Single)
            }
            FLOAT => (words(raw).map(|word| f64::from(f32::from_le_bytes(word))).collect(), Width::Single),
            DOUBLE if raw.is_empty() => (tensor.double_data.clone(), Width::Double),
            DOUBLE => (words(raw).map(f64::from_le_bytes).collect(), Width::Double),
            7 if raw.is_empty() => {
                (tensor.int64_data.iter().map(|number| *number as f64).collect(), Width::Double)
            }
            7 => (words(raw).map(|word| i64::from_le_bytes(word) as f64).collect(), Width::Double),
            6 | 9 if raw.is_empty() => {
                (tensor.int32_data.iter().copied().map(f64::from).collect(), Width::Double)
            }
            6 => (words(raw).map(|word| f64::from(i32::from_le_bytes(word))).collect(), Width::Double),
            9 => (raw.iter().copied().map(f64::from).collect(), Width::Double),
            // Labels, which nothing that is read needs.
            STRING => (vec![f64::NAN; tensor.string_data.len()], Width::Double),
            _ => return Err(wrong("is of a type that is not read")),
        };
        if numbers.len() == count {
            Ok(Self { dims, numbers, width })
        } else {
            Err(wrong("is not of its size"))
        }
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.chunks_exact(N).filter_map(|chunk| chunk.try_into().ok())
}
