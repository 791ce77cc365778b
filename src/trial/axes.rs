//! What can be changed in an applicant, one thing at a time: every input, field, need and model, with the values at
//! which answers may change and the step from one value to the next. Absent on purpose: lists with items of their own.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use jiff::civil::{Date, date};
use jiff::{Span as Duration, Timestamp};
use rust_decimal::Decimal;

use super::applicant::{Applicant, Dice};
use crate::bundle::FlowRevision;
use crate::domain::analysis::{Edges, edges};
use crate::domain::facts::Given;
use crate::domain::flow::{Input, ModelPin};
use crate::domain::value::{Kind, Name, Value};

const EPOCH: Date = date(1970, 1, 1);
const DAY: i128 = 86_400;

/// One thing that can be changed.
#[derive(Debug, Clone)]
pub struct Axis {
    pub at: At,
    /// It may be left out.
    pub optional: bool,
    pub values: Values,
    /// What the map that it is in looks like where that is not there.
    blank: Option<Given>,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// An input or a need, and the way into it.
    Fact(Vec<Name>),
    /// What a model answers.
    Model(Name),
}

/// What it can be.
#[derive(Debug, Clone)]
pub enum Values {
    /// One of some.
    Few(Vec<Given>),
    /// Counted in the scale's steps.
    Many {
        scale: Scale,
        low: i128,
        high: i128,
        /// Both sides of what it is compared with; in order.
        edges: Vec<i128>,
    },
}

/// What one step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Integer,
    /// A unit of the last of so many decimal places.
    Places(u32),
    Day,
    Second,
}

impl Scale {
    /// How many steps a value lies from 0; values between two steps count as the lower.
    #[must_use]
    pub fn steps(self, given: &Given) -> Option<i128> {
        let (Given::Number(text) | Given::Text(text)) = given else { return None };
        match self {
            Self::Integer => text.parse::<i64>().ok().map(i128::from),
            Self::Places(places) => {
                let number = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()?;
                steps_of(number, places)
            }
            Self::Day => text.parse().ok().map(day),
            Self::Second => text.parse::<Timestamp>().ok().map(|time| i128::from(time.as_second())),
        }
    }

    fn steps_of(self, value: &Value) -> Option<i128> {
        match (self, value) {
            (Self::Integer, Value::Integer(whole)) => Some(i128::from(*whole)),
            (Self::Integer, Value::Decimal(number)) => steps_of(*number, 0),
            (Self::Places(places), Value::Integer(whole)) => steps_of(Decimal::from(*whole), places),
            (Self::Places(places), Value::Decimal(number)) => steps_of(*number, places),
            (Self::Places(places), Value::Number(number)) => {
                steps_of(Decimal::from_str(&number.to_string()).ok()?, places)
            }
            (Self::Day, Value::Date(found)) => Some(day(*found)),
            (Self::Second, Value::Time(time)) => Some(i128::from(time.as_second())),
            _ => None,
        }
    }

    /// The value so many steps from 0, as a person would write it.
    #[must_use]
    pub fn given(self, steps: i128) -> Option<Given> {
        Some(match self {
            Self::Integer => Given::Number(steps.to_string()),
            Self::Places(places) => {
                let number = Decimal::try_from_i128_with_scale(steps, places).ok()?;
                Given::Number(number.normalize().to_string())
            }
            Self::Day => {
                let days = Duration::new().try_days(i64::try_from(steps).ok()?).ok()?;
                Given::Text(EPOCH.checked_add(days).ok()?.to_string())
            }
            Self::Second => Given::Text(Timestamp::from_second(i64::try_from(steps).ok()?).ok()?.to_string()),
        })
    }
}

fn steps_of(number: Decimal, places: u32) -> Option<i128> {
    let unit = Decimal::from_i128_with_scale(10_i128.checked_pow(places)?, 0);
    i128::try_from(number.checked_mul(unit)?.floor()).ok()
}

fn day(found: Date) -> i128 {
    EPOCH.until(found).map_or(0, |span| i128::from(span.get_days()))
}

impl Axis {
    /// The name of the input, need or model.
    #[must_use]
    pub fn root(&self) -> &Name {
        match &self.at {
            At::Fact(path) => path.first().unwrap_or_else(|| unnamed()),
            At::Model(name) => name,
        }
    }

    /// `employer.since`
    #[must_use]
    pub fn name(&self) -> String {
        match &self.at {
            At::Fact(path) => path.iter().map(|part| &**part).collect::<Vec<_>>().join("."),
            At::Model(name) => name.to_string(),
        }
    }

    /// What an applicant has there.
    #[must_use]
    pub fn of(&self, applicant: &Applicant) -> Option<Given> {
        match &self.at {
            At::Fact(path) => applicant.fact(path).cloned(),
            At::Model(name) => match applicant.pins.models.get(name)? {
                ModelPin::Probability(pinned) => Some(Given::Number(pinned.to_string())),
                _ => None,
            },
        }
    }

    /// How many steps from 0 an applicant has there.
    #[must_use]
    pub fn steps_of(&self, applicant: &Applicant) -> Option<i128> {
        let Values::Many { scale, .. } = &self.values else { return None };
        scale.steps(&self.of(applicant)?)
    }

    /// The applicant with another value there, or without one.
    #[must_use]
    pub fn changed(&self, applicant: &Applicant, value: Option<Given>) -> Applicant {
        let mut changed = applicant.clone();
        match &self.at {
            At::Fact(path) => changed.set(path, value, self.blank.as_ref()),
            At::Model(name) => {
                let pinned = match value {
                    Some(Given::Number(text)) => text.parse().ok().map(ModelPin::Probability),
                    _ => None,
                };
                match pinned {
                    Some(pin) => changed.pins.models.insert(name.clone(), pin),
                    None => changed.pins.models.remove(name),
                };
            }
        }
        changed
    }

    /// The applicant with the value so many steps from 0.
    #[must_use]
    pub fn stepped(&self, applicant: &Applicant, steps: i128) -> Option<Applicant> {
        let Values::Many { scale, low, high, .. } = &self.values else { return None };
        if !(*low..=*high).contains(&steps) {
            return None;
        }
        Some(self.changed(applicant, Some(scale.given(steps)?)))
    }

    /// The applicants that differ in this by the least: one step, or another of few values, or nothing at all.
    #[must_use]
    pub fn neighbours(&self, applicant: &Applicant) -> Vec<Applicant> {
        let own = self.of(applicant);
        let mut all = Vec::new();
        match &self.values {
            Values::Few(values) => {
                let others = values.iter().filter(|value| own.as_ref() != Some(*value));
                all.extend(others.map(|value| self.changed(applicant, Some(value.clone()))));
            }
            Values::Many { .. } => {
                if let Some(steps) = self.steps_of(applicant) {
                    all.extend([steps - 1, steps + 1].iter().filter_map(|s| self.stepped(applicant, *s)));
                }
            }
        }
        if self.optional && own.is_some() {
            all.push(self.changed(applicant, None));
        }
        all
    }

    /// Values to go along, in order: the edges and their neighbours, the ends, and some between and around what is
    /// there now, for what only formulas read.
    #[must_use]
    pub fn grid(&self, now: Option<i128>) -> Vec<i128> {
        let Values::Many { scale, low, high, edges } = &self.values else { return Vec::new() };
        let mut grid: Vec<i128> = edges.iter().flat_map(|edge| [edge - 1, *edge, edge + 1]).collect();
        match scale {
            Scale::Second => {
                let now = now.unwrap_or_default();
                grid.extend((-30..=30).map(|hours| now + hours * 3_600));
                grid.extend((-7..=7).map(|days| now + days * DAY));
            }
            Scale::Day => {
                let now = now.unwrap_or_default();
                grid.extend([-400, -100, -40, -20, -8, 8, 20, 40, 100, 400].map(|days| now + days));
                grid.extend((0..=40).map(|part| low + (high - low) * part / 40));
            }
            Scale::Integer | Scale::Places(_) => {
                grid.extend([*low, *high]);
                if let Some(now) = now {
                    grid.extend([now, now / 2, now * 2, now / 10, now * 10, now - now / 5, now + now / 5]);
                }
            }
        }
        grid.retain(|steps| (*low..=*high).contains(steps));
        grid.sort_unstable();
        grid.dedup();
        grid
    }

    /// Some value, near an edge more often than not; `None` leaves it out.
    pub fn any(&self, dice: &mut Dice) -> Option<Given> {
        if self.optional && dice.below(6) == 0 {
            return None;
        }
        match &self.values {
            Values::Few(values) => dice.pick(values).cloned(),
            Values::Many { scale, low, high, edges } => {
                let steps = match (dice.below(4), dice.pick(edges)) {
                    (1.., Some(edge)) => edge + i128::try_from(dice.below(3)).unwrap_or_default() - 1,
                    _ => {
                        let from = edges.first().map_or(*low, |edge| low.midpoint(*edge).max(*low));
                        let to = edges.last().map_or(*high, |edge| high.midpoint(*edge).min(*high));
                        from + i128::from(dice.next() >> 1) % (to - from + 1).max(1)
                    }
                };
                scale.given(steps.clamp(*low, *high))
            }
        }
    }
}

fn unnamed() -> &'static Name {
    static NAME: std::sync::OnceLock<Name> = std::sync::OnceLock::new();
    NAME.get_or_init(|| Name::from(""))
}

/// Everything that can be changed where a flow decides.
#[must_use]
pub fn axes(here: &FlowRevision) -> Vec<Axis> {
    let flow = &here.flow;
    let found = edges(flow, &here.declaration);
    let mut making = Making { edges: &found, axes: Vec::new() };
    for (at, input) in flow.inputs.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        making.input(at, input);
    }
    for need in &flow.needs {
        let fields = need.of.iter().filter(|field| !field.optional);
        let blank = fields.map(|field| (field.name.to_string(), blank(&field.kind, field.min.as_ref())));
        let blank = Given::Map(blank.collect());
        for field in &need.of {
            let path = vec![need.name.clone(), field.name.clone()];
            making.leaf(path, &field.kind, field.optional, (None, Some(&blank)), bounds(field));
        }
    }
    for used in &flow.models {
        let scale = Scale::Places(used.model.decimals);
        let high = 10_i128.pow(used.model.decimals.min(15));
        let edges = within(&found.others, scale, 0, high);
        let values = Values::Many { scale, low: 0, high, edges };
        making.axes.push(Axis { at: At::Model(used.name.clone()), optional: false, values, blank: None });
    }
    making.axes
}

type Bounds<'b> = (Option<&'b Value>, Option<&'b Value>);

fn bounds(input: &Input) -> Bounds<'_> {
    (input.min.as_ref(), input.max.as_ref())
}

struct Making<'m> {
    edges: &'m Edges,
    axes: Vec<Axis>,
}

impl Making<'_> {
    fn input(&mut self, at: u16, input: &Input) {
        let blank = blank(&input.kind, None);
        let path = vec![input.name.clone()];
        self.branch(at, path, (&input.kind, input.optional), &blank, bounds(input));
    }

    fn branch(
        &mut self,
        at: u16,
        path: Vec<Name>,
        (kind, optional): (&Kind, bool),
        blank: &Given,
        bounds: Bounds<'_>,
    ) {
        let Kind::Map(fields) = kind else {
            let way: Vec<Name> = path.iter().skip(1).cloned().collect();
            let known = self.edges.inputs.get(&(at, way)).map(Vec::as_slice);
            let blank = (path.len() > 1).then_some(blank);
            self.leaf(path, kind, optional, (Some(known.unwrap_or_default()), blank), bounds);
            return;
        };
        if optional {
            // The whole map may be missing, or be there with what it must have.
            let values = Values::Few(vec![blank.clone()]);
            self.axes.push(Axis { at: At::Fact(path.clone()), optional, values, blank: None });
        }
        for (name, field) in fields.iter() {
            let mut path = path.clone();
            path.push(name.clone());
            self.branch(at, path, (&field.kind, field.optional), blank, (None, None));
        }
    }

    /// `own`: where its answers change; what is not known of a need is looked for among everything.
    fn leaf(
        &mut self,
        path: Vec<Name>,
        kind: &Kind,
        optional: bool,
        (own, blank): (Option<&[Value]>, Option<&Given>),
        bounds: Bounds<'_>,
    ) {
        let values = match kind {
            Kind::Boolean => Values::Few(vec![Given::Boolean(false), Given::Boolean(true)]),
            Kind::Choice(of) => Values::Few(of.iter().map(|one| Given::Text(one.to_string())).collect()),
            Kind::Text => {
                let texts = own.unwrap_or_default().iter().filter_map(|value| match value {
                    Value::Text(text) => Some(Given::Text(text.to_string())),
                    _ => None,
                });
                Values::Few(texts.collect())
            }
            Kind::List(_) => Values::Few(vec![Given::List(Vec::new())]),
            Kind::Map(_) => return,
            Kind::Integer => self.many(Scale::Integer, own, bounds, 1),
            Kind::Decimal => self.many(Scale::Places(self.places(own, 2)), own, bounds, 100),
            Kind::Number => self.many(Scale::Places(self.places(own, 4)), own, bounds, 10_000),
            Kind::Date => self.many(Scale::Day, own, bounds, 1),
            Kind::Time => self.many(Scale::Second, own, bounds, 1),
        };
        if matches!(&values, Values::Few(few) if few.is_empty()) && !optional {
            return;
        }
        self.axes.push(Axis { at: At::Fact(path), optional, values, blank: blank.cloned() });
    }

    /// As many decimal places as the finest of the constants has.
    fn places(&self, own: Option<&[Value]>, least: u32) -> u32 {
        let scale = |value: &Value| match value {
            Value::Decimal(number) => number.normalize().scale(),
            _ => 0,
        };
        own.unwrap_or(&self.edges.others).iter().map(scale).max().unwrap_or_default().max(least).min(6)
    }

    fn many(&self, scale: Scale, own: Option<&[Value]>, (min, max): Bounds<'_>, unit: i128) -> Values {
        let (low, high) = (min.and_then(|min| scale.steps_of(min)), max.and_then(|max| scale.steps_of(max)));
        let pool = own.unwrap_or(&self.edges.others);
        let (widest_low, widest_high) = match scale {
            Scale::Day => (day(date(1900, 1, 1)), day(date(2100, 1, 1))),
            Scale::Second => (0, 4_102_444_800),
            _ => (-1_000_000 * unit, 100_000_000 * unit),
        };
        let edges = within(pool, scale, low.unwrap_or(widest_low), high.unwrap_or(widest_high));
        let (low, high) = match scale {
            Scale::Day | Scale::Second => (low.unwrap_or(widest_low), high.unwrap_or(widest_high)),
            _ => {
                let (first, last) =
                    (edges.first().copied().unwrap_or_default(), edges.last().copied().unwrap_or_default());
                let low = low.unwrap_or_else(|| first.min(0) - 1_000 * unit);
                (low, high.unwrap_or_else(|| last.max(low) * 3 + 100_000 * unit))
            }
        };
        let edges = edges.into_iter().chain([low, high]).collect::<std::collections::BTreeSet<_>>();
        Values::Many { scale, low, high, edges: edges.into_iter().collect() }
    }
}

fn within(pool: &[Value], scale: Scale, low: i128, high: i128) -> Vec<i128> {
    let found: std::collections::BTreeSet<i128> =
        pool.iter().filter_map(|value| scale.steps_of(value)).collect();
    found.into_iter().filter(|steps| (low..=high).contains(steps)).collect()
}

/// A value of a type for where none is known: what a map must have.
fn blank(kind: &Kind, min: Option<&Value>) -> Given {
    match (kind, min) {
        (Kind::Integer, Some(Value::Integer(least))) => Given::Number(least.to_string()),
        (Kind::Decimal, Some(Value::Decimal(least))) => Given::Number(least.to_string()),
        (Kind::Boolean, _) => Given::Boolean(false),
        (Kind::Integer | Kind::Decimal | Kind::Number, _) => Given::Number("0".to_owned()),
        (Kind::Text, _) => Given::Text("other".to_owned()),
        (Kind::Choice(of), _) => Given::Text(of.first().map_or_else(String::new, ToString::to_string)),
        (Kind::Date, _) => Given::Text("2020-01-31".to_owned()),
        (Kind::Time, _) => Given::Text("2020-01-31T12:00:00Z".to_owned()),
        (Kind::List(_), _) => Given::List(Vec::new()),
        (Kind::Map(fields), _) => {
            let needed: BTreeMap<_, _> = fields.iter().filter(|(_, field)| !field.optional).collect();
            let entry = |(name, field): (&Name, &crate::domain::value::Field)| {
                (name.to_string(), blank(&field.kind, None))
            };
            Given::Map(needed.into_iter().map(|(name, field)| entry((name, field))).collect())
        }
    }
}
