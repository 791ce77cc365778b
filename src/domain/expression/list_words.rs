//! Words over lists: `count(accounts, |row| row.balance < 0)` and the like.

use rust_decimal::Decimal;

use super::Expression;
use super::compile::{Compiler, Typing, article};
use super::typed::{Static, Typed};
use super::{Code, ListWord};
use crate::domain::place::Span;
use crate::domain::script::syntax::{Node, Syntax};
use crate::domain::value::Value;

impl Compiler<'_> {
    /// `min` and `max` are words over a list only with `|row| …`; over plain values they are plain words.
    pub(super) fn list_word(&self, name: &str, arguments: &[Syntax]) -> Option<ListWord> {
        let word = ListWord::from_name(name)?;
        let has_lambda = matches!(arguments, [_, Syntax { node: Node::Lambda { .. }, .. }]);
        match word {
            ListWord::Min | ListWord::Max if !has_lambda => None,
            _ => Some(word),
        }
    }

    pub(super) fn over_list(&mut self, word: ListWord, arguments: &[Syntax], span: Span) -> Typing {
        let (list, lambda) = match arguments {
            [list] => (list, None),
            [list, Syntax { node: Node::Lambda { parameters, body }, .. }] => {
                (list, Some((parameters, body)))
            }
            _ => {
                self.error("T002", span, "this word takes a list and, if wanted, `|row| …`").help =
                    Some("such as `count(accounts, |row| row.balance < 0)`".to_owned());
                return Self::broken(span);
            }
        };
        let (list_code, known) = self.given(list);
        let item = match known.typed {
            Typed::List(of) => of.settled(),
            Typed::Any => Typed::Any,
            other => {
                self.error("T003", list.span, format!("a list was expected, not {}", article(other.word())));
                Typed::Any
            }
        };
        let needs_lambda =
            matches!(word, ListWord::Any | ListWord::All | ListWord::Filter | ListWord::Latest);
        if needs_lambda && lambda.is_none() {
            self.error("T002", span, "this word needs `|row| …` behind the list");
            return Self::broken(span);
        }
        let ((of, of_type), row) = self.scoped(|c| {
            let Some((parameters, body)) = lambda else {
                return ((None, item.clone()), c.declare("", Static::given(Typed::Any), true));
            };
            let name = match parameters.as_slice() {
                [one] => one.as_str(),
                _ => {
                    c.error("T002", span, "`|row| …` has exactly one parameter");
                    "row"
                }
            };
            c.refuse_declared_name(name, span);
            let row = c.declare(name, Static::given(item.clone()), true);
            // A `return` in here gives the row's value, not the function's.
            let outer = (std::mem::take(&mut c.returns), std::mem::replace(&mut c.in_row, true));
            let (body, known) = c.block(body, span);
            (c.returns, c.in_row) = outer;
            ((Some(Box::new(body)), known.typed), row)
        });
        if (matches!(word, ListWord::Any | ListWord::All | ListWord::Filter)
            || (word == ListWord::Count && of.is_some()))
            && !matches!(of_type, Typed::Boolean | Typed::Any)
        {
            self.error("T008", span, format!("`|row| …` gives {}, not a condition", article(of_type.word())));
        }
        let typed = match word {
            ListWord::Count => Typed::Integer,
            ListWord::Any | ListWord::All => Typed::Boolean,
            ListWord::Filter => Typed::List(Box::new(item)),
            ListWord::Latest => item,
            ListWord::Average if of_type == Typed::Integer => Typed::Number,
            ListWord::Sum | ListWord::Average | ListWord::Min | ListWord::Max => of_type.settled(),
        };
        let nothing = match typed {
            Typed::Decimal => Value::Decimal(Decimal::ZERO),
            Typed::Number => Value::Number(0.0),
            _ => Value::Integer(0),
        };
        // The latest row of a list without rows is missing; so are the least, the greatest and the average.
        let may_be_missing = word == ListWord::Latest;
        let code = Code::OverList { word, list: Box::new(list_code), row, of, nothing };
        (Expression { span, code }, Static { typed, may_be_missing })
    }
}
