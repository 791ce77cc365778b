//! A compiled condition as tests of one name each, where it is that: comparisons of an input, feature or variable
//! with constants and thresholds, `in […]`, `is_given`, booleans, and `!`, `&&`, `||` of those. Everything else is
//! `Unknown`: nothing is claimed of it.

use super::line::{Line, Spans};
use super::region::{Region, Union};
use super::space::{Axis, Base, Key, Space};
use crate::domain::expression::words::Word;
use crate::domain::expression::{Code, Expression, operators};
use crate::domain::place::Span;
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Kind, Name, Value};

/// A condition as far as it can be decided.
#[derive(Debug, Clone)]
pub enum Formula {
    /// Written as `true` or `false`, or a comparison of constants only.
    Constant {
        holds: bool,
        is_literal: bool,
        span: Span,
    },
    Test(Test),
    Not(Box<Formula>),
    All(Vec<Formula>),
    Any(Vec<Formula>),
    Unknown,
}

/// What is asked of one name.
#[derive(Debug, Clone)]
pub struct Test {
    pub axis: usize,
    /// Given values for which it holds.
    pub spans: Spans,
    pub if_missing: IfMissing,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    Holds,
    Misses,
    Fails,
}

/// What a name in a condition is: its own axis, made when it is first met.
pub trait Names {
    fn axis(&self, key: &Key, met: &Met) -> Option<Axis>;
}

/// What a name is compared with tells its type where nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    Nothing,
    Boolean,
    Number,
    Text,
}

/// Reads conditions into one space.
pub struct Reader<'a> {
    pub space: &'a mut Space,
    pub names: &'a dyn Names,
    /// What the spans count in.
    pub source: &'a str,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("space", &self.space).finish_non_exhaustive()
    }
}

impl Reader<'_> {
    pub fn read(&mut self, expression: &Expression) -> Formula {
        let span = expression.span;
        match &expression.code {
            // A boolean threshold is a switch for people: what it is set to now is no mistake.
            Code::Constant(Value::Boolean(holds)) => match self.written(span) {
                "true" | "false" => Formula::Constant { holds: *holds, is_literal: true, span },
                _ => Formula::Unknown,
            },
            Code::Not(of) => Formula::Not(Box::new(self.read(of))),
            Code::And(parts) => Formula::All(parts.iter().map(|part| self.read(part)).collect()),
            Code::Or(parts) => Formula::Any(parts.iter().map(|part| self.read(part)).collect()),
            Code::IsGiven(of) => self.presence(of, span).unwrap_or(Formula::Unknown),
            Code::Compare(operator, sides) => {
                let [left, right] = &**sides;
                let found = self.comparison(*operator, left, right, span);
                found.or_else(|| self.comparison(mirrored(*operator)?, right, left, span))
            }
            .unwrap_or(Formula::Unknown),
            Code::In(sides) => self.membership(sides, span).unwrap_or(Formula::Unknown),
            _ => self.boolean(expression).unwrap_or(Formula::Unknown),
        }
    }

    fn written(&self, span: Span) -> &str {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        self.source.get(at(span.start)..at(span.end)).unwrap_or_default()
    }

    /// A condition that is one name: it holds where that is true.
    fn boolean(&mut self, expression: &Expression) -> Option<Formula> {
        self.tested(expression, Met::Boolean, expression.span, |line| {
            line.satisfying(Operator::Equal, &Value::Boolean(true))
        })
    }

    fn presence(&mut self, of: &Expression, span: Span) -> Option<Formula> {
        let axis = self.axis(of, Met::Nothing)?;
        let spans = self.space.axes.get(axis).map(|axis| {
            let (from, to) = axis.domain.clone();
            Spans::between(from, to)
        })?;
        Some(Formula::Test(Test { axis, spans, if_missing: IfMissing::Misses, span }))
    }

    fn comparison(
        &mut self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
        span: Span,
    ) -> Option<Formula> {
        let constant = constants(right)?;
        if let Some(value) = constants(left) {
            let holds = value.compare(operator, &constant)?;
            return Some(Formula::Constant { holds, is_literal: false, span });
        }
        let met = constant.met();
        self.tested(left, met, span, |line| line.satisfying(operator, &constant.on(line)))
    }

    fn membership(&mut self, sides: &[Expression; 2], span: Span) -> Option<Formula> {
        let [item, collection] = sides;
        let Code::List(items) = &collection.code else { return None };
        let constants: Vec<Constant> = items.iter().map(constants).collect::<Option<_>>()?;
        let met = constants.first().map_or(Met::Nothing, Constant::met);
        self.tested(item, met, span, |line| {
            constants.iter().try_fold(Spans::default(), |found, constant| {
                Some(found.union(&line.satisfying(Operator::Equal, &constant.on(line))?))
            })
        })
    }

    /// `name …` or `(name ?? constant) …`.
    fn tested(
        &mut self,
        of: &Expression,
        met: Met,
        span: Span,
        holds: impl Fn(&Line) -> Option<Spans>,
    ) -> Option<Formula> {
        let (of, otherwise) = match &of.code {
            Code::Coalesce(parts) => match &**parts {
                [of, otherwise] => (of, Some(constants(otherwise)?)),
                _ => return None,
            },
            _ => (of, None),
        };
        let axis = self.axis(of, met)?;
        let found = self.space.axes.get_mut(axis)?;
        let spans = holds(&found.line)?.within(&found.domain);
        let if_missing = match otherwise {
            None => IfMissing::Fails,
            Some(constant) => {
                let (place, _) = found.line.locate(&constant.on(&found.line))?;
                // A place that no value has may still be between two: only one with a value is followed.
                let all = holds(&found.line)?;
                let within = all.0.iter().any(|(from, to)| *from <= place && place < *to);
                let value = constant.on(&found.line);
                found.line.satisfying(Operator::Equal, &value).filter(|equal| !equal.is_empty())?;
                if within { IfMissing::Holds } else { IfMissing::Misses }
            }
        };
        found.cut(&spans);
        Some(Formula::Test(Test { axis, spans, if_missing, span }))
    }

    fn axis(&mut self, of: &Expression, met: Met) -> Option<usize> {
        let key = key(of)?;
        let names = self.names;
        self.space.axis(&key, || names.axis(&key, &met))
    }
}

/// The value that an expression names.
fn key(of: &Expression) -> Option<Key> {
    match &of.code {
        Code::Input(at) => Some((Base::Input(*at), Vec::new())),
        Code::Feature(at) => Some((Base::Feature(*at), Vec::new())),
        Code::Local(at) => Some((Base::Local(*at), Vec::new())),
        Code::Exact(of) => key(of),
        Code::Property { of, name } => {
            let (base, mut path) = key(of)?;
            path.push(name.clone());
            Some((base, path))
        }
        _ => None,
    }
}

fn mirrored(operator: Operator) -> Option<Operator> {
    Some(match operator {
        Operator::Equal | Operator::NotEqual => operator,
        Operator::Less => Operator::Greater,
        Operator::AtMost => Operator::AtLeast,
        Operator::Greater => Operator::Less,
        Operator::AtLeast => Operator::AtMost,
        _ => return None,
    })
}

/// A constant; one with a fraction is a number or a decimal, as what it meets.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    number: Value,
    decimal: Value,
}

impl Constant {
    fn of(value: Value) -> Self {
        Self { number: value.clone(), decimal: value }
    }

    fn on(&self, line: &Line) -> Value {
        match line {
            Line::Decimal | Line::AnyNumber => self.decimal.clone(),
            _ => self.number.clone(),
        }
    }

    fn met(&self) -> Met {
        match self.number {
            Value::Boolean(_) => Met::Boolean,
            Value::Integer(_) | Value::Number(_) | Value::Decimal(_) => Met::Number,
            Value::Text(_) => Met::Text,
            _ => Met::Nothing,
        }
    }

    /// The value, where it is the same beside a number and beside a decimal.
    pub(super) fn plain(&self) -> Option<&Value> {
        (self.number == self.decimal).then_some(&self.number)
    }

    fn compare(&self, operator: Operator, other: &Self) -> Option<bool> {
        let is_decimal = |value: &Self| matches!(value.number, Value::Decimal(_));
        let (a, b) = if is_decimal(self) || is_decimal(other) {
            (&self.decimal, &other.decimal)
        } else {
            (&self.number, &other.number)
        };
        operators::comparison(operator, a, b).ok()
    }
}

/// The value of an expression of literals and thresholds.
pub(super) fn constants(expression: &Expression) -> Option<Constant> {
    match &expression.code {
        Code::Constant(value) => Some(Constant::of(value.clone())),
        Code::Literal { number, decimal } => {
            Some(Constant { number: Value::Number(*number), decimal: Value::Decimal(*decimal) })
        }
        Code::Exact(of) => constants(of),
        Code::Negate(of) => {
            let of = constants(of)?;
            Some(Constant {
                number: operators::negated(&of.number).ok()?,
                decimal: operators::negated(&of.decimal).ok()?,
            })
        }
        Code::Arithmetic(operator, sides) => {
            let [left, right] = &**sides;
            let (left, right) = (constants(left)?, constants(right)?);
            // With literals of two readings the result would hang on what it meets.
            let plain = |of: &Constant| of.number == of.decimal;
            (plain(&left) && plain(&right))
                .then(|| operators::arithmetic(*operator, &left.number, &right.number).ok())?
                .map(Constant::of)
        }
        Code::Word(Word::DateOf, arguments) => match &**arguments {
            [Expression { code: Code::Constant(Value::Text(text)), .. }] => {
                text.parse().ok().map(|day| Constant::of(Value::Date(day)))
            }
            _ => None,
        },
        _ => None,
    }
}

impl Formula {
    /// Where the condition holds, misses and fails; the space has been settled.
    #[must_use]
    pub fn region(&self, space: &Space, sizes: &[u32]) -> Region {
        match self {
            Self::Constant { holds, .. } => Region::constant(*holds),
            Self::Test(test) => test.region(space, sizes),
            Self::Not(of) => of.region(space, sizes).inverted(),
            Self::All(parts) => parts
                .iter()
                .fold(Region::constant(true), |all, part| all.and(&part.region(space, sizes), sizes)),
            Self::Any(parts) => parts
                .iter()
                .fold(Region::constant(false), |any, part| any.or(&part.region(space, sizes), sizes)),
            Self::Unknown => Region::unknown(),
        }
    }

    /// Every test in the condition, with whether it stands under an odd number of `!`.
    pub fn tests<'f>(&'f self, found: &mut Vec<&'f Self>) {
        match self {
            Self::Constant { .. } | Self::Test(_) => found.push(self),
            Self::Not(of) => of.tests(found),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.tests(found)),
            Self::Unknown => {}
        }
    }
}

impl Test {
    #[must_use]
    pub fn region(&self, space: &Space, sizes: &[u32]) -> Region {
        let Some(axis) = space.axes.get(self.axis) else { return Region::unknown() };
        let (mut holds, mut misses) =
            (axis.atoms_of(&self.spans), axis.atoms_of(&self.spans.outside(&axis.domain)));
        let mut fails = super::space::Atoms::default();
        let missing = match self.if_missing {
            IfMissing::Holds => &mut holds,
            IfMissing::Misses => &mut misses,
            IfMissing::Fails => &mut fails,
        };
        *missing = missing.union(&axis.missing());
        let area = |atoms| Union::of_axis(self.axis, atoms, sizes);
        Region { holds: area(holds), misses: area(misses), fails: area(fails), is_exact: true }
    }
}

/// The type at the end of a path, and whether anything on the way may be missing.
#[must_use]
pub fn field(kind: &Kind, path: &[Name], may_be_missing: bool) -> Option<(Kind, bool)> {
    let Some((name, rest)) = path.split_first() else { return Some((kind.clone(), may_be_missing)) };
    let Kind::Map(fields) = kind else { return None };
    let inner = fields.get(name)?;
    field(&inner.kind, rest, may_be_missing || inner.optional)
}
