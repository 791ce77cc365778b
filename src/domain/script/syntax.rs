//! The tree of what an analyst wrote, as parsed: every node with its span, nothing resolved yet. Conditions,
//! formulas and flow scripts share it, and so do checking, coverage, mutation and explanation.

use crate::domain::place::Span;

/// One node. Blocks, loops and declarations are nodes too: in rhai's grammar most of them have a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Syntax {
    pub span: Span,
    pub node: Node,
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Unit,
    Boolean(bool),
    Integer(i64),
    /// Source text of a literal with a fraction or an exponent, so that it can be read as an exact decimal.
    Number(String),
    Text(String),
    Name(String),
    List(Vec<Syntax>),
    Map(Vec<(Word, Syntax)>),
    Interpolated(Vec<Syntax>),
    Not(Box<Syntax>),
    Negate(Box<Syntax>),
    Binary(Operator, Box<(Syntax, Syntax)>),
    And(Vec<Syntax>),
    Or(Vec<Syntax>),
    Coalesce(Vec<Syntax>),
    /// `item in collection`
    In(Box<(Syntax, Syntax)>),
    Call {
        name: Word,
        arguments: Vec<Syntax>,
    },
    Method {
        receiver: Box<Syntax>,
        name: Word,
        arguments: Vec<Syntax>,
    },
    Property {
        of: Box<Syntax>,
        name: Word,
    },
    Index(Box<(Syntax, Syntax)>),
    Lambda {
        parameters: Vec<String>,
        body: Vec<Syntax>,
    },
    Block(Vec<Syntax>),
    If(Box<Branch>),
    Switch {
        on: Box<Syntax>,
        arms: Vec<Arm>,
    },
    Let {
        name: Word,
        value: Box<Syntax>,
        constant: bool,
    },
    /// `target = value` or, with an operator, `target += value`.
    Assign {
        target: Box<Syntax>,
        operator: Option<Operator>,
        value: Box<Syntax>,
    },
    /// `while`; without a condition `loop`.
    While {
        condition: Option<Box<Syntax>>,
        body: Vec<Syntax>,
    },
    For {
        item: Word,
        counter: Option<Word>,
        over: Box<Syntax>,
        body: Vec<Syntax>,
    },
    Break,
    Continue,
    Return(Option<Box<Syntax>>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub condition: Syntax,
    pub then: Vec<Syntax>,
    pub otherwise: Vec<Syntax>,
}

/// `"a" | "b" if condition => value`; no labels for `_`.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    pub labels: Vec<Syntax>,
    pub condition: Option<Syntax>,
    pub value: Syntax,
}

/// A function declared in the script.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub name: String,
    pub parameters: Vec<String>,
    pub body: Vec<Syntax>,
    pub span: Span,
}

/// A whole script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    pub body: Vec<Syntax>,
    pub functions: Vec<Function>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// `a..b`, b not included.
    RangeTo,
    /// `a..=b`
    RangeThrough,
}

impl Operator {
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::RangeTo => "..",
            Self::RangeThrough => "..=",
        }
    }

    #[must_use]
    pub fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            "**" => Self::Power,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::Greater,
            ">=" => Self::AtLeast,
            ".." => Self::RangeTo,
            "..=" => Self::RangeThrough,
            _ => return None,
        })
    }

    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Less | Self::AtMost | Self::Greater | Self::AtLeast
        )
    }
}
