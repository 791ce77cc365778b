//! Literals that meet a decimal are read as one, exactly, also behind branches and arithmetic.

use super::typed::Typed;
use super::{Code, Expression};
use crate::domain::value::{Kind, Value};

/// Turns every literal that can become this expression's value into the decimal that was written.
pub fn exact(expression: &mut Expression) {
    match &mut expression.code {
        Code::Literal { decimal, .. } => expression.code = Code::Constant(Value::Decimal(*decimal)),
        Code::Arithmetic(_, sides) => sides.iter_mut().for_each(exact),
        Code::Negate(of) => exact(of),
        Code::Coalesce(parts) | Code::List(parts) | Code::Word(_, parts) => parts.iter_mut().for_each(exact),
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
        _ => {}
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

/// Reads literals exactly where a decimal is declared.
pub fn exact_for(expression: &mut Expression, typed: &Typed, kind: Option<&Kind>) {
    if *typed == Typed::Literal && kind == Some(&Kind::Decimal) {
        exact(expression);
    }
}
