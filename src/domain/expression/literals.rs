//! Literals that meet a decimal are read as one, exactly, also behind branches and arithmetic; so are whole numbers
//! that stand for one, for otherwise the type of a value would hang on which branch was taken.

use rust_decimal::Decimal;

use super::typed::Typed;
use super::words::Word;
use super::{Code, Expression, operators};
use crate::domain::value::{Kind, Value};

/// Makes an expression of literals and whole numbers the decimal that was written.
pub fn exact(expression: &mut Expression) {
    match &mut expression.code {
        Code::Literal { decimal, .. } | Code::Named { decimal, .. } => {
            expression.code = Code::Constant(Value::Decimal(*decimal));
        }
        Code::Constant(Value::Integer(whole)) => {
            expression.code = Code::Constant(Value::Decimal(Decimal::from(*whole)));
        }
        Code::Constant(_) | Code::Exact(_) => {}
        Code::Arithmetic(_, sides) => sides.iter_mut().for_each(exact),
        Code::Negate(of) => exact(of),
        Code::Coalesce(parts) | Code::List(parts) | Code::Word(Word::Min | Word::Max, parts) => {
            parts.iter_mut().for_each(exact);
        }
        Code::If { then, otherwise, .. } => {
            exact(then);
            exact(otherwise);
        }
        Code::Switch { arms, .. } => arms.iter_mut().for_each(|arm| exact(&mut arm.value)),
        Code::Block(body) => {
            if let Some(last) = body.last_mut() {
                exact(last);
            }
        }
        _ => {
            let empty = Expression { span: expression.span, code: Code::Nothing };
            let whole = std::mem::replace(expression, empty);
            expression.code = Code::Exact(Box::new(whole));
        }
    }
}

/// The decimal that a literal, a threshold or an arithmetic of them is; `None` for what only a request decides.
#[must_use]
pub fn folded(expression: &Expression) -> Option<Decimal> {
    let decimal = |value: Value| match value {
        Value::Decimal(decimal) => Some(decimal),
        _ => None,
    };
    match &expression.code {
        Code::Literal { decimal, .. } | Code::Named { decimal, .. } => Some(*decimal),
        Code::Constant(Value::Integer(whole)) => Some(Decimal::from(*whole)),
        Code::Negate(of) => folded(of).map(|of| -of),
        Code::Arithmetic(operator, sides) => {
            let [left, right] = &**sides;
            let sides = (Value::Decimal(folded(left)?), Value::Decimal(folded(right)?));
            operators::arithmetic(*operator, &sides.0, &sides.1).ok().and_then(decimal)
        }
        _ => None,
    }
}

/// Makes two sides of an operator alike where one is a decimal and the other a literal.
pub fn pair(a: (&mut Expression, &Typed), b: (&mut Expression, &Typed)) {
    match (a.1, b.1) {
        (Typed::Decimal, Typed::Literal) => exact(b.0),
        (Typed::Literal, Typed::Decimal) => exact(a.0),
        _ => {}
    }
}

/// Makes one of several values that stand for the same thing (branches, items, arguments) a decimal where the whole
/// is one.
pub fn part(expression: &mut Expression, typed: &Typed, whole: &Typed) {
    if *whole == Typed::Decimal && matches!(typed, Typed::Literal | Typed::Integer) {
        exact(expression);
    }
}

/// Reads the literals of a list that a decimal is looked for in.
pub fn items(list: &mut Expression, typed: &Typed) {
    match (&mut list.code, typed) {
        (_, Typed::List(of)) if **of == Typed::Literal => exact(list),
        (Code::List(items), _) => {
            let is_literal =
                |item: &&mut Expression| matches!(item.code, Code::Literal { .. } | Code::Named { .. });
            items.iter_mut().filter(is_literal).for_each(exact);
        }
        _ => {}
    }
}

/// Reads literals exactly where a decimal, or a list of them, is declared.
pub fn exact_for(expression: &mut Expression, typed: &Typed, kind: Option<&Kind>) {
    match (typed, kind) {
        (Typed::Literal, Some(Kind::Decimal)) => exact(expression),
        (Typed::List(of), Some(Kind::List(field)))
            if **of == Typed::Literal && field.kind == Kind::Decimal =>
        {
            exact(expression);
        }
        _ => {}
    }
}
