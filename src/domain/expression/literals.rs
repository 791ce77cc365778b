//! Literals that meet a decimal are read as one, exactly, also behind branches and arithmetic; so are whole numbers
//! that stand for one, for otherwise the type of a value would hang on which branch was taken.

use rust_decimal::Decimal;

use super::typed::Typed;
use super::words::Word;
use super::{Code, Expression};
use crate::domain::value::{Kind, Value};

/// Makes an expression of literals and whole numbers the decimal that was written.
pub fn exact(expression: &mut Expression) {
    match &mut expression.code {
        Code::Literal { decimal, .. } => expression.code = Code::Constant(Value::Decimal(*decimal)),
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
            items.iter_mut().filter(|item| matches!(item.code, Code::Literal { .. })).for_each(exact);
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
