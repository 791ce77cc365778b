//! The values that facts, features, rules and scripts work on. A number in here is always finite and a
//! decimal always exact; there is no null, only `Missing`, and nothing converts by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// The name of an input, feature, threshold, model, rule set, outcome or reason.
pub type Name = Arc<str>;

/// One value. Cloning is cheap: texts, lists and maps are shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Not given. Never zero, never false.
    Missing,
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    /// Finite: not NaN, not an infinity.
    Number(f64),
    /// Text, and a choice once it has been admitted.
    Text(Arc<str>),
    Date(Date),
    Time(Timestamp),
    List(Arc<[Value]>),
    Map(Arc<BTreeMap<Name, Value>>),
    /// A step of the running flow, by its index there. Only scripts see these; facts never hold one.
    Step(StepHandle),
}

/// Which step of a flow a script holds in its hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepHandle {
    /// What a rule set found, by its place among the results of this run.
    RuleSet(u16),
    /// By its place among the flow's models.
    Model(u16),
    /// What a scorecard gave, by its place among the results of this run.
    Scorecard(u16),
    /// What a table gave, by its place among the results of this run.
    Table(u16),
    /// What a sub-flow decided, by its place among the results of this run.
    SubFlow(u16),
}

impl Value {
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }

    /// The word for this value's type in messages to people.
    #[must_use]
    pub fn type_word(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Step(_) => "step",
        }
    }
}

/// The declared type of an input, a column or an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Integer,
    /// Money and the like: exact.
    Decimal,
    /// A 64-bit float, finite.
    Number,
    Text,
    /// One of these texts, in the declared order.
    Choice(Arc<[Name]>),
    Date,
    Time,
    List(Arc<Field>),
    Map(Arc<BTreeMap<Name, Field>>),
}

/// What a list holds, or a map under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub kind: Kind,
    pub optional: bool,
}

impl Kind {
    /// The word that declares this type (`type: decimal`).
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Number => "number",
            Self::Text => "text",
            Self::Choice(_) => "choice",
            Self::Date => "date",
            Self::Time => "time",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

/// A date as everything here writes it: `2026-01-31`.
#[must_use]
pub fn date(text: &str) -> Option<Date> {
    let is_shaped = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    text.parse().ok().filter(|_| is_shaped)
}

/// A time with its offset: `2026-01-31T09:00:00Z`.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    let is_leap_second = text.get(17..19) == Some("60");
    text.parse().ok().filter(|_| !is_leap_second && text.get(10..11) == Some("T"))
}
