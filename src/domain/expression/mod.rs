//! The compiled tree: names resolved to positions, words to functions, types checked. One tree and one
//! evaluator (`flow::machine`) serve conditions, features and scripts.

pub mod calls;
mod children;
pub mod compile;
pub mod functions;
pub mod list_words;
pub mod literals;
pub mod look_ups;
mod meant;
mod models;
pub mod narrowing;
pub mod needs;
pub mod operations;
pub mod operators;
pub mod predicate;
pub mod scope;
pub mod statements;
mod steps;
mod sub_flow;
pub mod typed;
pub mod words;

use rust_decimal::Decimal;

use self::words::Word;
use crate::domain::place::Span;
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Name, Value};

/// One node of the compiled tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub span: Span,
    pub code: Code,
}

/// Tells one node from every other for as long as its flow lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpressionId(usize);

impl Expression {
    #[must_use]
    pub fn id(&self) -> ExpressionId {
        ExpressionId(std::ptr::from_ref(self).addr())
    }
}

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub enum Code {
    Constant(Value),
    /// A literal or threshold with a fraction: a decimal beside decimals, a number elsewhere.
    Literal {
        number: f64,
        decimal: Decimal,
    },
    Input(u16),
    Feature(u16),
    Local(u16),
    /// A local that holds what was written as a literal: beside a decimal it is that decimal.
    Named {
        local: u16,
        decimal: Decimal,
    },
    Today,
    DecidedAt,
    List(Box<[Expression]>),
    Map(Box<[(Name, Expression)]>),
    Interpolated(Box<[Expression]>),
    /// A whole number as the decimal that it stands for; anything else as it is.
    Exact(Box<Expression>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    Arithmetic(Operator, Box<[Expression; 2]>),
    Compare(Operator, Box<[Expression; 2]>),
    Range {
        from: Box<Expression>,
        to: Box<Expression>,
        inclusive: bool,
    },
    In(Box<[Expression; 2]>),
    And(Box<[Expression]>),
    Or(Box<[Expression]>),
    Coalesce(Box<[Expression]>),
    IsGiven(Box<Expression>),
    Word(Word, Box<[Expression]>),
    /// A word over a list; the row goes into local `row`.
    OverList {
        word: ListWord,
        list: Box<Expression>,
        row: u16,
        of: Option<Box<Expression>>,
        /// The sum of no rows, in the type of the sum of some.
        nothing: Value,
    },
    /// A function of the script; its frame starts at the arguments.
    Call {
        function: u16,
        arguments: Box<[Expression]>,
    },
    Property {
        of: Box<Expression>,
        name: Name,
    },
    Index(Box<[Expression; 2]>),
    /// `rules("…")`
    RuleSet {
        index: u16,
        takes: Box<[(u16, Expression)]>,
    },
    /// `model("…")`
    Model(u16),
    /// `scorecard("…")`
    Scorecard {
        index: u16,
        takes: Box<[(u16, Expression)]>,
    },
    /// `table("…", #{ … })`
    Table {
        index: u16,
        takes: Box<[(u16, Expression)]>,
    },
    /// `flow("…", #{ … })`
    SubFlow {
        index: u16,
        takes: Box<[(u16, Expression)]>,
    },
    /// `need("…", #{ … })`
    Need {
        index: u16,
        with: Box<[(Name, Expression)]>,
    },
    /// `x in blocked_phones`
    InList {
        item: Box<Expression>,
        list: u16,
    },
    Apply(Box<Expression>),
    Verb {
        outcome: u16,
        reasons: Box<[Expression]>,
        output: Box<[(u16, Expression)]>,
    },
    Block(Box<[Expression]>),
    If {
        condition: Box<Expression>,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
    Switch {
        on: Box<Expression>,
        arms: Box<[CompiledArm]>,
    },
    Set {
        local: u16,
        value: Box<Expression>,
    },
    While {
        condition: Option<Box<Expression>>,
        body: Box<Expression>,
    },
    For {
        item: u16,
        counter: Option<u16>,
        over: Box<Expression>,
        body: Box<Expression>,
    },
    Break,
    Continue,
    Return(Option<Box<Expression>>),
    Nothing,
}

impl Code {
    /// The decimal that was written here: for a literal, a threshold, or a variable that stands for one.
    #[must_use]
    pub fn as_written(&self) -> Option<Decimal> {
        match self {
            Self::Literal { decimal, .. } | Self::Named { decimal, .. } => Some(*decimal),
            _ => None,
        }
    }
}

/// An arm of `switch`; no labels means any value.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledArm {
    pub labels: Box<[Value]>,
    pub condition: Option<Expression>,
    pub value: Expression,
}

/// Words over lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListWord {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Any,
    All,
    Latest,
    Filter,
}

impl ListWord {
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "min" => Self::Min,
            "max" => Self::Max,
            "average" => Self::Average,
            "any" => Self::Any,
            "all" => Self::All,
            "latest" => Self::Latest,
            "filter" => Self::Filter,
            _ => return None,
        })
    }
}

/// A function of the script.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledFunction {
    pub name: Name,
    pub parameters: u16,
    /// Locals its frame needs, parameters included.
    pub frame: u16,
    pub body: Expression,
    /// Of `rules/_shared/`: its places are not the script's.
    pub is_shared: bool,
}
