//! Operators between expressions: arithmetic, comparison, logic, membership, and what each asks of its sides.

use std::sync::Arc;

use super::compile::{Compiler, Typing, article};
use super::typed::{Static, Typed};
use super::{Code, Expression, literals, meant, narrowing};
use crate::domain::nearest::nearest;
use crate::domain::place::Span;
use crate::domain::script::limits;
use crate::domain::script::syntax::{Node, Operator, Syntax};
use crate::domain::value::Name;

impl Compiler<'_> {
    pub(super) fn binary(&mut self, operator: Operator, left: &Syntax, right: &Syntax, span: Span) -> Typing {
        let (mut a, a_known) = self.given(left);
        let (mut b, b_known) = self.given(right);
        let (a_type, b_type) = (a_known.typed, b_known.typed);
        literals::pair((&mut a, &a_type), (&mut b, &b_type));
        if operator.is_comparison() {
            self.check_comparison(operator, (left, &a_type), (right, &b_type), span);
            let code = Code::Compare(operator, Box::new([a, b]));
            return (Expression { span, code }, Static::given(Typed::Boolean));
        }
        if let Operator::RangeTo | Operator::RangeThrough = operator {
            for (known, side) in [(&a_type, left), (&b_type, right)] {
                if !matches!(known, Typed::Integer | Typed::Any) {
                    self.error(
                        "T014",
                        side.span,
                        format!("a range is between integers, not {}", known.word()),
                    );
                }
            }
            let inclusive = operator == Operator::RangeThrough;
            let code = Code::Range { from: Box::new(a), to: Box::new(b), inclusive };
            return (Expression { span, code }, Static::given(Typed::List(Box::new(Typed::Integer))));
        }
        let typed = match a_type.arithmetic(operator, &b_type) {
            Some(typed) => typed,
            None => {
                self.refuse_operator(operator, &a_type, &b_type, span);
                Typed::Any
            }
        };
        (Expression { span, code: Code::Arithmetic(operator, Box::new([a, b])) }, Static::given(typed))
    }

    /// Says why an operator has no meaning between two types.
    pub(super) fn refuse_operator(&mut self, operator: Operator, a: &Typed, b: &Typed, span: Span) {
        let mixed = matches!((a, b), (Typed::Decimal, Typed::Number) | (Typed::Number, Typed::Decimal));
        let (symbol, code) = (operator.symbol(), if mixed { "T006" } else { "T014" });
        let help =
            mixed.then(|| "make them alike: `money(x, 2)` gives a decimal, `number(x)` a number".to_owned());
        self.error(
            code,
            span,
            format!("`{symbol}` has no meaning between {} and {}", article(a.word()), article(b.word())),
        )
        .help = help;
    }

    pub(super) fn check_comparison(
        &mut self,
        operator: Operator,
        left: (&Syntax, &Typed),
        right: (&Syntax, &Typed),
        span: Span,
    ) {
        let ((left, a), (right, b)) = (left, right);
        if !a.compares(operator, b) {
            let mixed = matches!((a, b), (Typed::Decimal, Typed::Number) | (Typed::Number, Typed::Decimal));
            let help = match (a, b) {
                _ if mixed => Some("make them alike: `money(x, 2)` gives a decimal, `number(x)` a number"),
                (x, y) if x.is_text() && y.is_numeric() || x.is_numeric() && y.is_text() => {
                    Some("write numbers without quotes, texts with them")
                }
                _ => None,
            };
            let help = help.map(str::to_owned).or_else(|| meant::date(a, b, left, right));
            let message = format!("{} is compared with {}", article(a.word()), article(b.word()));
            self.error(if mixed { "T006" } else { "T005" }, span, message).help = help;
            return;
        }
        self.warn_of_exact_equality(operator, (left, a), (right, b), span);
        for (choice, literal) in [(a, right), (b, left)] {
            if let (Typed::Choice(of), Node::Text(text)) = (choice, &literal.node) {
                self.check_choice(of, text, literal.span);
            }
        }
    }

    pub(super) fn check_choice(&mut self, of: &Arc<[Name]>, text: &str, span: Span) {
        if of.iter().any(|o| &**o == text) {
            return;
        }
        let help = nearest(text, of.iter().map(|o| &**o)).map_or_else(
            || format!("it is one of {}", of.iter().map(|o| format!("`{o}`")).collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `\"{near}\"`?"),
        );
        self.error("T007", span, format!("this choice can never be `{text}`")).help = Some(help);
    }

    /// `&&` and `||`, left to right; what the earlier operands prove narrows the later ones.
    pub(super) fn logic(&mut self, parts: &[Syntax], and: bool, span: Span) -> Typing {
        let compiled: Box<[Expression]> = self.scoped(|c| {
            parts
                .iter()
                .map(|part| {
                    let expression = c.truth(part);
                    c.given.extend(narrowing::proved(part, and));
                    expression
                })
                .collect()
        });
        let code = if and { Code::And(compiled) } else { Code::Or(compiled) };
        (Expression { span, code }, Static::given(Typed::Boolean))
    }

    pub(super) fn coalesce(&mut self, parts: &[Syntax], span: Span) -> Typing {
        let mut typed: Option<Typed> = None;
        let mut may_be_missing = true;
        let mut compiled = Vec::new();
        for part in parts {
            let (expression, known) = self.maybe(part);
            may_be_missing = known.may_be_missing;
            typed = Some(match typed {
                None => known.typed.clone(),
                Some(before) => before.either(known.typed.clone()),
            });
            compiled.push((expression, known.typed));
        }
        let known = Static { typed: typed.unwrap_or(Typed::Any), may_be_missing };
        (Expression { span, code: Code::Coalesce(alike(compiled, &known.typed)) }, known)
    }

    pub(super) fn membership(&mut self, item: &Syntax, collection: &Syntax, span: Span) -> Typing {
        if let Some(list) = self.list_named(collection) {
            return self.look_up(item, list, span);
        }
        let (mut item_code, item_known) = self.given(item);
        let (mut collection_code, collection_known) = self.given(collection);
        match (&item_known.typed, &collection_known.typed) {
            (Typed::Decimal, typed) => literals::items(&mut collection_code, typed),
            (typed, Typed::List(of)) => literals::part(&mut item_code, typed, of),
            _ => {}
        }
        if let (Typed::Choice(of), Node::List(items)) = (&item_known.typed, &collection.node) {
            for listed in items {
                if let Node::Text(text) = &listed.node {
                    self.check_choice(of, text, listed.span);
                }
            }
        }
        match &collection_known.typed {
            Typed::Any | Typed::Map(_) => {}
            Typed::List(of) if of.compares(Operator::Equal, &item_known.typed) => {}
            Typed::List(of) => {
                let (item, of) = (article(item_known.typed.word()), of.word());
                self.error("T005", span, format!("{item} is looked for in a list of {of} values"));
            }
            typed if typed.is_text() && item_known.typed.is_text() => {}
            other => {
                let message = format!("`in` looks into lists and texts, not {}", article(other.word()));
                self.error("T014", collection.span, message);
            }
        }
        let code = Code::In(Box::new([item_code, collection_code]));
        (Expression { span, code }, Static::given(Typed::Boolean))
    }

    pub(super) fn list(&mut self, items: &[Syntax], span: Span) -> Typing {
        if items.len() > limits::LIST_ITEMS {
            self.error("S002", span, "this list has more than 1,000 items");
        }
        let mut typed: Option<Typed> = None;
        let mut compiled = Vec::new();
        for item in items {
            let (expression, known) = self.given(item);
            typed = Some(match typed {
                None => known.typed.clone(),
                Some(before) => before.either(known.typed.clone()),
            });
            compiled.push((expression, known.typed));
        }
        let of = Box::new(typed.unwrap_or(Typed::Any));
        let expression = Expression { span, code: Code::List(alike(compiled, &of)) };
        (expression, Static::given(Typed::List(of)))
    }
}

/// Values of which one is taken, all in the type of the whole.
fn alike(parts: Vec<(Expression, Typed)>, whole: &Typed) -> Box<[Expression]> {
    let made = parts.into_iter().map(|(mut expression, typed)| {
        literals::part(&mut expression, &typed, whole);
        expression
    });
    made.collect()
}
