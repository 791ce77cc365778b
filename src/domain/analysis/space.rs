//! The names that conditions, rows and bins ask about, as axes; each axis is cut into atoms: stretches of values
//! that everything asked about the axis answers alike. What is missing is one more atom, the last.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::line::{Cut, Line, Spans};
use crate::domain::value::{Name, Value};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    Input(u16),
    Feature(u16),
    /// A variable of the script, or what a call hands over.
    Local(u16),
}

/// A value and the way into it: `employer.since`.
pub type Key = (Base, Vec<Name>);

/// One name and what it can be.
#[derive(Debug, Clone)]
pub struct Axis {
    pub key: Key,
    /// As an analyst writes it.
    pub name: String,
    pub line: Line,
    /// What the declaration allows.
    pub domain: (Cut, Cut),
    pub may_be_missing: bool,
    /// The only whole numbers that it can be, where that is known.
    only: Option<Arc<BTreeSet<i64>>>,
    cuts: BTreeSet<Cut>,
    atoms: Vec<(Cut, Cut)>,
}

/// Atoms by their places on one axis: ranges in order, apart from each other, ends exclusive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Atoms(pub Vec<(u32, u32)>);

impl Axis {
    #[must_use]
    pub fn new(key: Key, name: String, line: Line, may_be_missing: bool) -> Self {
        let domain = line.domain();
        Self { key, name, line, domain, may_be_missing, only: None, cuts: BTreeSet::new(), atoms: Vec::new() }
    }

    /// Of all whole numbers these only; nothing changes on a line of anything else.
    pub fn restrict(&mut self, only: &Arc<BTreeSet<i64>>) {
        if self.line == Line::Integer {
            self.only = Some(Arc::clone(only));
        }
    }

    /// Whether a value lies between two cuts.
    fn has_between(&self, from: &Cut, to: &Cut) -> bool {
        match (&self.only, from, to) {
            (Some(only), Cut::Whole(from), Cut::Whole(to)) => {
                only.iter().any(|value| *from <= i128::from(*value) && i128::from(*value) < *to)
            }
            _ => self.line.witness(from, to).is_some(),
        }
    }

    /// Narrows the domain to the declared bounds, both inclusive.
    #[must_use]
    pub fn bounded(mut self, min: Option<&Value>, max: Option<&Value>) -> Self {
        if let Some((before, _)) = min.and_then(|min| self.line.locate(min)) {
            self.domain.0 = self.domain.0.max(before);
        }
        if let Some((_, after)) = max.and_then(|max| self.line.locate(max)) {
            self.domain.1 = self.domain.1.min(after);
        }
        self
    }

    /// Notes where the axis has to be cut.
    pub fn cut(&mut self, spans: &Spans) {
        for (from, to) in &spans.0 {
            for cut in [from, to] {
                if *cut > self.domain.0 && *cut < self.domain.1 && !self.cuts.contains(cut) {
                    self.cuts.insert(cut.clone());
                }
            }
        }
    }

    /// Makes the atoms; stretches without a value are none.
    pub fn settle(&mut self) {
        let cuts = std::mem::take(&mut self.cuts);
        let mut from = self.domain.0.clone();
        self.atoms.clear();
        for to in cuts.into_iter().chain([self.domain.1.clone()]) {
            if from < to && self.has_between(&from, &to) {
                self.atoms.push((from, to.clone()));
            }
            from = to;
        }
    }

    /// What the axis was cut into, once it has been settled.
    pub fn stretches(&self) -> impl Iterator<Item = &(Cut, Cut)> {
        self.atoms.iter()
    }

    /// How many atoms stand for values that are given.
    #[must_use]
    pub fn given(&self) -> u32 {
        u32::try_from(self.atoms.len()).unwrap_or(u32::MAX)
    }

    /// All atoms, the one for missing included.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.given().saturating_add(u32::from(self.may_be_missing))
    }

    #[must_use]
    pub fn atoms_of(&self, spans: &Spans) -> Atoms {
        let place =
            |cut: &Cut| u32::try_from(self.atoms.partition_point(|(from, _)| from < cut)).unwrap_or(u32::MAX);
        let ranges = spans.0.iter().map(|(from, to)| (place(from), place(to)));
        Atoms::of(ranges.filter(|(from, to)| from < to).collect())
    }

    /// The atoms that hold some of these values, whole: what lies beside the values in them counts too.
    #[must_use]
    pub fn atoms_of_value(&self, spans: &Spans) -> Atoms {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let meets = |from: &Cut, to: &Cut| spans.0.iter().any(|(start, end)| start < to && from < end);
        let all = self.atoms.iter().enumerate().filter(|(_, (from, to))| meets(from, to));
        Atoms::of(all.map(|(at, _)| (place(at), place(at + 1))).collect())
    }

    /// All that is given.
    #[must_use]
    pub fn any(&self) -> Atoms {
        Atoms::first(self.given())
    }

    #[must_use]
    pub fn missing(&self) -> Atoms {
        Atoms::of(if self.may_be_missing { vec![(self.given(), self.size())] } else { Vec::new() })
    }

    /// A value of an atom; `Value::Missing` for the last where values may be missing.
    #[must_use]
    pub fn example(&self, atom: u32) -> Value {
        let found = self.atoms.get(usize::try_from(atom).unwrap_or(usize::MAX));
        found.and_then(|(from, to)| self.line.witness(from, to)).unwrap_or(Value::Missing)
    }

    /// `age = 17`, `phone = missing`
    #[must_use]
    pub fn shown(&self, atom: u32) -> String {
        format!("{} = {}", self.name, written(&self.line, &self.example(atom)))
    }
}

/// A value as an analyst would write it.
#[must_use]
pub fn written(line: &Line, value: &Value) -> String {
    match (line, value) {
        (Line::Choice(_), Value::Text(text)) => text.to_string(),
        (_, Value::Text(text)) => format!("\"{}\"", text.escape_debug()),
        (_, Value::Boolean(value)) => value.to_string(),
        (_, Value::Integer(number)) => number.to_string(),
        (_, Value::Decimal(number)) => number.to_string(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Date(day)) => day.to_string(),
        (_, Value::Time(time)) => time.to_string(),
        _ => "missing".to_owned(),
    }
}

impl Atoms {
    /// Ranges in order; those that touch become one.
    #[must_use]
    pub fn of(ranges: Vec<(u32, u32)>) -> Self {
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first so many atoms.
    #[must_use]
    pub fn first(count: u32) -> Self {
        Self(if count == 0 { Vec::new() } else { vec![(0, count)] })
    }

    #[must_use]
    pub fn least(&self) -> Option<u32> {
        self.0.first().map(|(from, _)| *from)
    }

    #[must_use]
    pub fn is_all(&self, size: u32) -> bool {
        self.0.as_slice() == [(0, size)]
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all: Vec<(u32, u32)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        Self::of(all)
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut found = Vec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((a, b)), Some((c, d))) = (left.peek(), right.peek()) {
            let (from, to) = (*a.max(c), *b.min(d));
            if from < to {
                found.push((from, to));
            }
            if b < d {
                left.next()
            } else {
                right.next()
            };
        }
        Self(found)
    }

    /// These without the others.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut rest = Vec::new();
        for (from, to) in &self.0 {
            let mut from = *from;
            for (start, end) in others.0.iter().filter(|(start, _)| start < to) {
                if from < *start {
                    rest.push((from, *start));
                }
                from = from.max(*end);
            }
            // What begins behind the end of a range cuts nothing from it.
            if from < *to {
                rest.push((from, *to));
            }
        }
        Self(rest)
    }

    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.intersection(other) == *other
    }
}

/// The axes of one analysis.
#[derive(Debug, Default)]
pub struct Space {
    pub axes: Vec<Axis>,
}

impl Space {
    /// The place of an axis, made when it is first asked for.
    pub fn axis(&mut self, key: &Key, make: impl FnOnce() -> Option<Axis>) -> Option<usize> {
        if let Some(at) = self.axes.iter().position(|axis| axis.key == *key) {
            return Some(at);
        }
        self.axes.push(make()?);
        Some(self.axes.len() - 1)
    }

    /// A feature may fail, which its axis does not show.
    #[must_use]
    pub fn reads_features(&self) -> bool {
        self.axes.iter().any(|axis| matches!(axis.key.0, Base::Feature(_)))
    }

    pub fn settle(&mut self) {
        self.axes.iter_mut().for_each(Axis::settle);
    }

    #[must_use]
    pub fn sizes(&self) -> Vec<u32> {
        self.axes.iter().map(Axis::size).collect()
    }

    /// `default_risk = 0.15, duration_months = 13`; axes that the example leaves open are left out.
    #[must_use]
    pub fn shown(&self, example: &[(usize, u32)]) -> String {
        let mut parts: Vec<(usize, u32)> = example.to_vec();
        parts.sort_unstable();
        let shown = parts.into_iter().filter_map(|(axis, atom)| Some(self.axes.get(axis)?.shown(atom)));
        shown.collect::<Vec<_>>().join(", ")
    }
}
