//! The constants that a flow compares and computes with, wherever they stand: its conditions, formulas, script, tables
//! and scorecards. Where its answers may change, they are near. Absent on purpose: what each is compared with.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::Flow;
use crate::domain::expression::{Code, Expression};
use crate::domain::table::Test;
use crate::domain::value::{Name, Value};

/// Constants by type, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constants {
    pub numbers: BTreeSet<Decimal>,
    pub texts: BTreeSet<Name>,
    pub dates: BTreeSet<Date>,
    pub times: BTreeSet<Timestamp>,
}

impl Constants {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Integer(number) => {
                self.numbers.insert(Decimal::from(*number));
            }
            Value::Decimal(number) => {
                self.numbers.insert(*number);
            }
            Value::Number(number) => self.numbers.extend(number.to_string().parse::<Decimal>()),
            Value::Text(text) => {
                self.texts.insert(text.clone());
            }
            Value::Date(date) => {
                self.dates.insert(*date);
            }
            Value::Time(time) => {
                self.times.insert(*time);
            }
            _ => {}
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::OneOf(values) => values.iter().for_each(|value| self.add(value)),
            Test::Range { low, high } => {
                low.iter().chain(high).for_each(|bound| self.add(&bound.value));
            }
            Test::Any | Test::Missing => {}
        }
    }

    fn expression(&mut self, of: &Expression) {
        of.each(&mut |node| match &node.code {
            Code::Constant(value) => self.add(value),
            Code::Literal { decimal, .. } => {
                self.numbers.insert(*decimal);
            }
            Code::Switch { arms, .. } => {
                arms.iter().flat_map(|arm| &arm.labels).for_each(|label| self.add(label));
            }
            _ => {}
        });
    }

    /// These without the others.
    #[must_use]
    pub fn difference(&self, others: &Self) -> Self {
        Self {
            numbers: &self.numbers - &others.numbers,
            texts: &self.texts - &others.texts,
            dates: &self.dates - &others.dates,
            times: &self.times - &others.times,
        }
    }

    #[must_use]
    pub fn union(&self, others: &Self) -> Self {
        Self {
            numbers: &self.numbers | &others.numbers,
            texts: &self.texts | &others.texts,
            dates: &self.dates | &others.dates,
            times: &self.times | &others.times,
        }
    }

    /// Decimals of the number that has most of them.
    #[must_use]
    pub fn most_decimals(&self) -> u32 {
        self.numbers.iter().map(|number| number.normalize().scale()).max().unwrap_or_default()
    }
}

/// All constants of a flow; those of the flows that it asks are theirs.
#[must_use]
pub fn constants(flow: &Flow) -> Constants {
    let mut found = Constants::default();
    flow.features.iter().for_each(|feature| found.expression(&feature.formula));
    flow.rule_sets.iter().flat_map(|set| &set.rules).for_each(|rule| found.expression(&rule.condition));
    found.expression(&flow.script.body);
    flow.script.functions.iter().for_each(|function| found.expression(&function.body));
    flow.tables.iter().flat_map(|table| &table.rows).for_each(|row| {
        row.tests.iter().for_each(|test| found.test(test));
    });
    let bins = flow.scorecards.iter().flat_map(|card| &card.characteristics).flat_map(|of| &of.bins);
    bins.filter_map(|bin| bin.test.as_ref()).for_each(|test| found.test(test));
    found
}
