//! What is known of an expression before anything runs: its type, and whether it may be missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::script::syntax::Operator;
use crate::domain::value::{Field, Kind, Name};

/// A type as far as it is known. `Any` is checked when the script runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Any,
    Boolean,
    Integer,
    Decimal,
    Number,
    /// A literal or threshold with a fraction: reads as a decimal or as a number.
    Literal,
    Text,
    Choice(Arc<[Name]>),
    Date,
    Time,
    List(Box<Typed>),
    /// Entries if they are known.
    Map(Option<Arc<BTreeMap<Name, Field>>>),
    RuleSet,
    /// By its place among the flow's models, scorecards, tables, sub-flows.
    Model(u16),
    Scorecard(u16),
    Table(u16),
    SubFlow(u16),
    /// A statement without a value.
    Nothing,
}

/// A type, and whether the value may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Static {
    pub typed: Typed,
    pub may_be_missing: bool,
}

impl Static {
    #[must_use]
    pub fn given(typed: Typed) -> Self {
        Self { typed, may_be_missing: false }
    }

    #[must_use]
    pub fn field(field: &Field) -> Self {
        Self { typed: Typed::of(&field.kind), may_be_missing: field.optional }
    }
}

impl Typed {
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean,
            Kind::Integer => Self::Integer,
            Kind::Decimal => Self::Decimal,
            Kind::Number => Self::Number,
            Kind::Text => Self::Text,
            Kind::Choice(of) => Self::Choice(of.clone()),
            Kind::Date => Self::Date,
            Kind::Time => Self::Time,
            Kind::List(of) => Self::List(Box::new(Self::of(&of.kind))),
            Kind::Map(of) => Self::Map(Some(of.clone())),
        }
    }

    /// The declared type that this is, if it is one of a plain value.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Boolean => Kind::Boolean,
            Self::Integer => Kind::Integer,
            Self::Decimal => Kind::Decimal,
            Self::Number | Self::Literal => Kind::Number,
            Self::Text => Kind::Text,
            Self::Choice(of) => Kind::Choice(of.clone()),
            Self::Date => Kind::Date,
            Self::Time => Kind::Time,
            _ => return None,
        })
    }

    /// The word for this type in messages.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Number | Self::Literal => "number",
            Self::Text => "text",
            Self::Choice(_) => "choice",
            Self::Date => "date",
            Self::Time => "time",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::RuleSet => "rule set",
            Self::Model(_) => "model",
            Self::Scorecard(_) => "scorecard",
            Self::Table(_) => "table",
            Self::SubFlow(_) => "flow",
            Self::Nothing => "nothing",
        }
    }

    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Choice(_))
    }

    #[must_use]
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Number | Self::Literal)
    }

    /// The type of both, where two branches meet.
    #[must_use]
    pub fn either(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Decimal, Self::Literal | Self::Integer) => Self::Decimal,
            (Self::Literal | Self::Integer, Self::Decimal) => Self::Decimal,
            (Self::Literal, Self::Integer) | (Self::Integer, Self::Literal) => Self::Literal,
            (Self::Number, Self::Literal | Self::Integer) => Self::Number,
            (Self::Literal | Self::Integer, Self::Number) => Self::Number,
            (a, b) if a.is_text() && b.is_text() => Self::Text,
            // `[]` is an empty list of whatever the other one holds.
            (Self::List(a), Self::List(b)) if *b == Self::Any => Self::List(a),
            (Self::List(a), Self::List(b)) if *a == Self::Any => Self::List(b),
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.either(*b))),
            _ => Self::Any,
        }
    }

    /// The type once it has a name or stands in a list: a literal then is a number like any other.
    #[must_use]
    pub fn settled(self) -> Self {
        match self {
            Self::Literal => Self::Number,
            Self::List(of) => Self::List(Box::new(of.settled())),
            other => other,
        }
    }

    /// The type of `self operator other`, or `None` where the operator has no meaning between the two.
    #[must_use]
    pub fn arithmetic(&self, operator: Operator, other: &Self) -> Option<Self> {
        use Typed::{Any, Decimal, Integer, Literal, Number};
        Some(match (self, other) {
            (Any, _) | (_, Any) => Any,
            (Integer, Integer) if operator == Operator::Divide => Number,
            (Integer, Integer) => Integer,
            (Decimal, Decimal | Integer | Literal) | (Integer | Literal, Decimal) => Decimal,
            (Decimal, Number) | (Number, Decimal) => return None,
            (Literal, Literal | Integer) | (Integer, Literal) if operator != Operator::Power => Literal,
            (a, b) if a.is_numeric() && b.is_numeric() => Number,
            (a, b) if operator == Operator::Add && a.is_text() && b.is_text() => Self::Text,
            (Self::List(a), Self::List(b)) if operator == Operator::Add => {
                Self::List(Box::new(a.as_ref().clone().either(b.as_ref().clone())))
            }
            (Self::List(a), b) if operator == Operator::Add => {
                Self::List(Box::new(a.as_ref().clone().either(b.clone())))
            }
            _ => return None,
        })
    }

    /// Whether the two can be compared with this operator.
    #[must_use]
    pub fn compares(&self, operator: Operator, other: &Self) -> bool {
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Decimal, Self::Number) | (Self::Number, Self::Decimal) => false,
            (a, b) if a.is_numeric() && b.is_numeric() => true,
            (a, b) if a.is_text() && b.is_text() => true,
            (Self::Date, Self::Date) | (Self::Time, Self::Time) => true,
            (Self::Boolean, Self::Boolean)
            | (Self::List(_), Self::List(_))
            | (Self::Map(_), Self::Map(_)) => equality,
            _ => false,
        }
    }

    /// Whether a value of this type can stand where `kind` is declared.
    #[must_use]
    pub fn fits(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Self::Any, _) => true,
            (Self::Integer | Self::Literal, Kind::Decimal | Kind::Number) => true,
            (a, Kind::Text | Kind::Choice(_)) => a.is_text(),
            (Self::List(of), Kind::List(field)) => of.fits(&field.kind),
            (Self::Map(_), Kind::Map(_)) => true,
            (a, kind) => a.word() == kind.word() && *a != Self::Literal,
        }
    }
}
