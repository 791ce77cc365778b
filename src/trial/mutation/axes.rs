//! What of a case can be moved while looking for one that tells two flows apart: each fact, each pinned model, the
//! moment; and the values worth trying: bounds that the flow knows, a step to either side, what other cases give.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, ToSpan as _};
use rust_decimal::Decimal;

use super::run::Seen;
use super::search::{Point, Suspect};
use crate::domain::facts::Given;
use crate::domain::flow::constants::{Constants, constants};
use crate::domain::flow::{Flow, Input, ModelPin};
use crate::domain::value::{self, Field, Kind, Name, Value};

/// Longest text that is made up.
const LONGEST: usize = 200;
/// Values of one fact that are tried.
const MOST_VALUES: usize = 160;
/// Of those, how many together with another fact's.
const FEW: usize = 12;

/// One thing that can be moved.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    way: Way,
    pub values: Values,
}

#[derive(Debug, Clone)]
enum Way {
    /// A fact, or what it holds under a name.
    Fact(Vec<String>),
    /// `null` lets the model answer itself.
    Model(Name),
    At,
}

/// Values in order.
#[derive(Debug, Clone)]
pub(super) struct Values {
    all: Vec<Given>,
    few: Vec<Given>,
    between: Between,
}

/// How two values are halved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// Down to this many decimals.
    Decimals(u32),
    Days,
    Seconds,
}

impl Values {
    pub fn all(&self) -> impl Iterator<Item = &Given> {
        self.all.iter()
    }

    pub fn few(&self) -> impl Iterator<Item = &Given> {
        self.few.iter()
    }

    /// A value between two, nothing when there is no smaller step.
    pub fn middle(&self, low: &Given, high: &Given) -> Option<Given> {
        match (self.between, low, high) {
            (Between::Decimals(decimals), Given::Number(low), Given::Number(high)) => {
                let (low, high) = (decimal(low)?, decimal(high)?);
                let middle = low.checked_add(high)?.checked_div(Decimal::TWO)?.round_dp(decimals);
                (middle > low.min(high) && middle < low.max(high)).then(|| number(middle))
            }
            (Between::Days, Given::Text(low), Given::Text(high)) => {
                let (low, high) = (value::date(low)?, value::date(high)?);
                let days = low.until(high).ok()?.get_days();
                let middle = low.checked_add((days / 2).days()).ok()?;
                (middle != low && middle != high).then(|| Given::Text(middle.to_string()))
            }
            (Between::Seconds, Given::Text(low), Given::Text(high)) => {
                let (low, high) = (value::time(low)?, value::time(high)?);
                let half = (high.as_second() - low.as_second()) / 2;
                let middle = Timestamp::from_second(low.as_second() + half).ok()?;
                (middle != low && middle != high).then(|| Given::Text(middle.to_string()))
            }
            _ => None,
        }
    }
}

impl Axis {
    /// The point with this value.
    pub fn moved(&self, from: &Point, to: &Given) -> Point {
        let mut point = from.clone();
        match &self.way {
            Way::Fact(path) => {
                let value = (*to != Given::Null).then(|| to.clone());
                point.given = with(&from.given, path, value);
            }
            Way::Model(name) => match to {
                Given::Number(text) => {
                    if let Ok(probability) = text.parse() {
                        point.models.insert(Name::clone(name), ModelPin::Probability(probability));
                    }
                }
                Given::Text(_) => {
                    point.models.insert(Name::clone(name), ModelPin::Fails);
                }
                _ => {
                    point.models.remove(name);
                }
            },
            Way::At => {
                if let Given::Text(text) = to
                    && let Some(at) = value::time(text)
                {
                    point.at = at;
                }
            }
        }
        point
    }
}

/// A member of a map.
pub(super) fn member<'g>(map: &'g Given, name: &str) -> Option<&'g Given> {
    let Given::Map(entries) = map else { return None };
    entries.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The map with this value at a path; without what is there for none.
pub(super) fn with(map: &Given, path: &[String], value: Option<Given>) -> Given {
    let Some((name, rest)) = path.split_first() else { return value.unwrap_or(Given::Null) };
    let mut entries = match map {
        Given::Map(entries) => entries.clone(),
        _ => Vec::new(),
    };
    let at = entries.iter().position(|(known, _)| known == name);
    let inner = at.and_then(|at| entries.get(at)).map(|(_, value)| value.clone());
    let new = match (rest.is_empty(), value) {
        (true, value) => value,
        (false, value) => {
            let made = with(inner.as_ref().unwrap_or(&Given::Map(Vec::new())), rest, value);
            (inner.is_some() || made != Given::Map(Vec::new())).then_some(made)
        }
    };
    match (at, new) {
        (Some(at), Some(new)) => {
            if let Some(entry) = entries.get_mut(at) {
                entry.1 = new;
            }
        }
        (Some(at), None) => {
            entries.remove(at);
        }
        (None, Some(new)) => entries.push((name.clone(), new)),
        (None, None) => {}
    }
    Given::Map(entries)
}

/// Everything that can be moved; what the change reads first.
pub(super) fn axes(suspect: &Suspect<'_>, cases: &[&Seen<'_>]) -> Vec<Axis> {
    let flow = suspect.original;
    let (before, after) = (constants(flow), constants(suspect.mutant));
    let hot = before.difference(&after).union(&after.difference(&before));
    let makers = Maker { all: before.union(&after), hot, cases };
    let mut found: Vec<(bool, Axis)> = Vec::new();
    let read = read_by(flow, suspect.reads);
    let needs = flow.needs.iter().map(|need| (need.name.to_string(), &need.of));
    for input in &flow.inputs {
        let is_read = read.is_empty() || read.contains(&*input.name);
        makers.input(vec![input.name.to_string()], input, &mut |axis| found.push((is_read, axis)));
    }
    for (name, of) in needs {
        for input in of {
            let path = vec![name.clone(), input.name.to_string()];
            makers.input(path, input, &mut |axis| found.push((true, axis)));
        }
    }
    for model in &flow.models {
        found.push((true, makers.model(&model.name)));
    }
    found.push((false, makers.at()));
    found.sort_by_key(|(is_read, _)| !is_read);
    found.into_iter().map(|(_, axis)| axis).collect()
}

/// The inputs behind some names: what a feature is made of, all the way down.
fn read_by(flow: &Flow, names: &[String]) -> BTreeSet<String> {
    let mut open: Vec<String> = names.to_vec();
    let mut known: BTreeSet<String> = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        if let Some(feature) = flow.features.iter().find(|feature| *feature.name == *name) {
            open.extend(feature.reads.iter().map(ToString::to_string));
        }
        // A threshold is read where it is compared: what stands beside it there may show it.
        if flow.thresholds.iter().any(|(threshold, _)| **threshold == *name) {
            let rules = flow.rule_sets.iter().flat_map(|set| &set.rules).map(|rule| &rule.reads);
            let formulas = flow.features.iter().map(|feature| &feature.reads);
            for reads in rules.chain(formulas) {
                if reads.iter().any(|read| **read == *name) {
                    open.extend(reads.iter().map(ToString::to_string));
                }
            }
        }
    }
    known.retain(|name| flow.inputs.iter().any(|input| *input.name == **name));
    known
}

struct Maker<'c, 'r> {
    all: Constants,
    /// Those that only one of the two flows has.
    hot: Constants,
    cases: &'c [&'c Seen<'r>],
}

impl Maker<'_, '_> {
    fn input(&self, path: Vec<String>, input: &Input, found: &mut dyn FnMut(Axis)) {
        let bounds: Vec<&Value> = input.min.iter().chain(&input.max).collect();
        self.fact(path, (&input.kind, input.optional), &bounds, found);
    }

    fn fact(
        &self,
        path: Vec<String>,
        (kind, optional): (&Kind, bool),
        bounds: &[&Value],
        found: &mut dyn FnMut(Axis),
    ) {
        let mut pool = self.pool(&path);
        let mut few: Vec<Given> = Vec::new();
        let mut between = Between::Nothing;
        match kind {
            Kind::Boolean => pool.extend([Given::Boolean(true), Given::Boolean(false)]),
            Kind::Choice(of) => pool.extend(of.iter().map(|one| Given::Text(one.to_string()))),
            Kind::Integer | Kind::Decimal | Kind::Number => {
                let decimals = match kind {
                    Kind::Integer => 0,
                    _ => self.all.most_decimals().max(2),
                };
                between = Between::Decimals(decimals);
                let (values, hot) = self.numbers(&pool, bounds, decimals);
                few = hot;
                pool = values;
            }
            Kind::Date => {
                between = Between::Days;
                pool = self.dates(&pool, bounds);
            }
            Kind::Time => {
                between = Between::Seconds;
                pool = self.times(&pool, bounds);
            }
            Kind::Text => {
                pool.extend(self.all.texts.iter().map(|text| Given::Text(text.to_string())));
                pool.extend(self.lengths());
            }
            Kind::List(of) => {
                let more: Vec<Given> = pool.iter().flat_map(|list| self.lists(list, of)).collect();
                pool.extend(more);
                pool.push(Given::List(Vec::new()));
            }
            Kind::Map(fields) => {
                for (name, field) in fields.iter() {
                    let mut inner = path.clone();
                    inner.push(name.to_string());
                    self.fact(inner, (&field.kind, field.optional), &[], found);
                }
            }
        }
        let mut all = unique(pool);
        all.truncate(MOST_VALUES);
        if few.is_empty() {
            few = all.iter().take(FEW).cloned().collect();
        }
        few.truncate(FEW);
        if optional {
            all.push(Given::Null);
            few.push(Given::Null);
        }
        found(Axis { way: Way::Fact(path), values: Values { all, few, between } });
    }

    /// What the cases give there.
    fn pool(&self, path: &[String]) -> Vec<Given> {
        let at = |given: &Given| path.iter().try_fold(given.clone(), |of, name| member(&of, name).cloned());
        unique(self.cases.iter().filter_map(|seen| at(&seen.run.given)).collect())
    }

    /// Texts as long as the numbers that only one of the flows has, and a character to either side.
    fn lengths(&self) -> Vec<Given> {
        let whole = self.hot.numbers.iter().filter_map(|number| usize::try_from(*number).ok());
        let near = whole
            .filter(|length| *length <= LONGEST)
            .flat_map(|length| length.saturating_sub(1)..=length + 1);
        let lengths: BTreeSet<usize> = near.collect();
        lengths.into_iter().map(|length| Given::Text("X".repeat(length))).collect()
    }

    /// Every bound and a step to either side, in order; and the few that matter most.
    fn numbers(&self, pool: &[Given], bounds: &[&Value], decimals: u32) -> (Vec<Given>, Vec<Given>) {
        let step = Decimal::new(1, decimals);
        let around = |number: Decimal| {
            let number = number.round_dp(decimals);
            [number.checked_sub(step), Some(number), number.checked_add(step)].into_iter().flatten()
        };
        let hot: BTreeSet<Decimal> = self.hot.numbers.iter().copied().flat_map(around).collect();
        let given = pool.iter().filter_map(|given| match given {
            Given::Number(text) => decimal(text),
            _ => None,
        });
        let ends: Vec<Decimal> = bounds.iter().filter_map(|value| as_decimal(value)).collect();
        let mut all: BTreeSet<Decimal> = self.all.numbers.iter().copied().flat_map(around).collect();
        all.extend(given.flat_map(around));
        all.extend(ends.iter().copied());
        // Between bounds that lie far apart: something of every size.
        let mut size = Decimal::ONE;
        for _ in 0..6 {
            size = size.saturating_mul(Decimal::TEN);
            all.extend([size, size.saturating_mul(Decimal::from(3))]);
        }
        if let [low, high] = ends.as_slice() {
            all.retain(|number| number >= low && number <= high);
        }
        let few = hot.iter().chain(&all).take(FEW).copied().map(number).collect();
        let thin = all.len() / MOST_VALUES + 1;
        let kept = all.iter().enumerate().filter(|(at, n)| at % thin == 0 || hot.contains(n));
        (kept.map(|(_, n)| number(*n)).collect(), few)
    }

    fn dates(&self, pool: &[Given], bounds: &[&Value]) -> Vec<Given> {
        let given = pool.iter().filter_map(|given| match given {
            Given::Text(text) => value::date(text),
            _ => None,
        });
        let ends = bounds.iter().filter_map(|bound| match bound {
            Value::Date(date) => Some(*date),
            _ => None,
        });
        let today =
            self.cases.first().map(|seen| seen.run.decided_at.to_zoned(jiff::tz::TimeZone::UTC).date());
        let mut all: BTreeSet<jiff::civil::Date> = BTreeSet::new();
        for date in given.chain(ends).chain(today).chain(self.all.dates.iter().copied()) {
            for days in [-36_500, -7_300, -366, -31, -1, 0, 1, 31, 366] {
                all.extend(date.checked_add(days.days()));
            }
        }
        all.into_iter().map(|date| Given::Text(date.to_string())).collect()
    }

    fn times(&self, pool: &[Given], bounds: &[&Value]) -> Vec<Given> {
        let given = pool.iter().filter_map(|given| match given {
            Given::Text(text) => value::time(text),
            _ => None,
        });
        let ends = bounds.iter().filter_map(|bound| match bound {
            Value::Time(time) => Some(*time),
            _ => None,
        });
        let mut all: BTreeSet<Timestamp> = BTreeSet::new();
        for time in given.chain(ends).chain(self.all.times.iter().copied()).take(4) {
            all.extend(hours_around(time));
        }
        all.into_iter().map(|time| Given::Text(time.to_string())).collect()
    }

    /// A list with an item less, one twice, and one with another value in it.
    fn lists(&self, list: &Given, of: &Field) -> Vec<Given> {
        let Given::List(items) = list else { return Vec::new() };
        let mut found = Vec::new();
        for at in 0..items.len().min(4) {
            let mut less = items.clone();
            let item = less.remove(at);
            let mut twice = items.clone();
            twice.push(item.clone());
            found.extend([Given::List(less), Given::List(twice)]);
            let Kind::Map(fields) = &of.kind else { continue };
            for (name, field) in fields.iter() {
                let mut inner: Vec<Axis> = Vec::new();
                self.fact(vec![name.to_string()], (&field.kind, field.optional), &[], &mut |axis| {
                    inner.push(axis);
                });
                for value in inner.iter().flat_map(|axis| axis.values.few()) {
                    let mut other = items.clone();
                    let value = (*value != Given::Null).then(|| value.clone());
                    if let Some(slot) = other.get_mut(at) {
                        *slot = with(&item, &[name.to_string()], value);
                    }
                    found.push(Given::List(other));
                }
            }
        }
        found
    }

    fn model(&self, name: &Name) -> Axis {
        let step = Decimal::new(1, 6);
        let around = |number: &Decimal| [*number - step, *number, *number + step];
        let share = |number: &Decimal| *number >= Decimal::ZERO && *number <= Decimal::ONE;
        let numbers: BTreeSet<Decimal> =
            self.all.numbers.iter().filter(|n| share(n)).flat_map(around).filter(share).collect();
        let hot: BTreeSet<Decimal> =
            self.hot.numbers.iter().filter(|n| share(n)).flat_map(around).filter(share).collect();
        let own = [Given::Null, Given::Text("fails".to_owned())];
        let all: Vec<Given> = numbers.iter().copied().map(number).chain(own.clone()).collect();
        let thin = numbers.len() / FEW + 1;
        let some = numbers.iter().step_by(thin).copied();
        let few = hot.into_iter().chain(some).map(number).chain(own).collect();
        Axis {
            way: Way::Model(Name::clone(name)),
            values: Values { all, few, between: Between::Decimals(6) },
        }
    }

    fn at(&self) -> Axis {
        let mut all: BTreeSet<Timestamp> = BTreeSet::new();
        for seen in self.cases.iter().take(4) {
            all.extend(hours_around(seen.run.decided_at));
        }
        let all: Vec<Given> = all.into_iter().map(|time| Given::Text(time.to_string())).collect();
        let few = all.iter().step_by(all.len() / FEW + 1).cloned().collect();
        Axis { way: Way::At, values: Values { all, few, between: Between::Seconds } }
    }
}

/// Each hour of a day, and the same hour on the days of a week.
fn hours_around(time: Timestamp) -> impl Iterator<Item = Timestamp> {
    let hour = time.as_second() - time.as_second().rem_euclid(3_600);
    let full = Timestamp::from_second(hour).unwrap_or(time);
    let shifts = (0..24).map(SignedDuration::from_hours);
    let days = (1..7).map(|day| SignedDuration::from_hours(24 * day));
    shifts.chain(days).filter_map(move |shift| full.checked_add(shift).ok())
}

fn decimal(text: &str) -> Option<Decimal> {
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

fn as_decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        Value::Number(number) => decimal(&number.to_string()),
        _ => None,
    }
}

fn number(number: Decimal) -> Given {
    Given::Number(number.normalize().to_string())
}

fn unique(values: Vec<Given>) -> Vec<Given> {
    let mut kept: Vec<Given> = Vec::with_capacity(values.len());
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}
