//! `x in blocked_phones`: what may be looked up in a list, checked against its entries.

use super::compile::{Compiler, Typing, article};
use super::scope::ScopedList;
use super::typed::{Static, Typed};
use super::{Code, Expression, literals};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::list::{EntryType, ListMatch};
use crate::domain::place::{Place, Span};
use crate::domain::script::syntax::{Node, Syntax};

impl<'a> Compiler<'a> {
    /// The list that a bare name means here, by its place in the scope.
    pub(super) fn list_named(&self, syntax: &Syntax) -> Option<(u16, &'a ScopedList)> {
        let Node::Name(name) = &syntax.node else { return None };
        if self.locals.iter().any(|local| local.name == *name) {
            return None;
        }
        let scope = self.scope;
        let at = scope.lists.iter().position(|list| *list.name == **name)?;
        Some((u16::try_from(at).ok()?, scope.lists.get(at)?))
    }

    pub(super) fn look_up(&mut self, item: &Syntax, (at, list): (u16, &ScopedList), span: Span) -> Typing {
        let (mut code, known) = self.given(item);
        self.usage.lists.insert(list.name.clone());
        let as_type = match &known.typed {
            Typed::Any | Typed::Text | Typed::Choice(_) => None,
            Typed::Integer => Some(EntryType::Integer),
            Typed::Decimal => Some(EntryType::Decimal),
            Typed::Literal => {
                literals::exact(&mut code);
                Some(EntryType::Decimal)
            }
            Typed::Number => Some(EntryType::Number),
            Typed::Date => Some(EntryType::Date),
            Typed::Time => Some(EntryType::Time),
            other => {
                let message = format!("{} cannot be looked up in a list", article(other.word()));
                let finding = self.error("T061", item.span, message);
                if let Typed::List(_) = other {
                    finding.help = Some(format!("ask for each: `any(…, |item| item in {})`", list.name));
                }
                return Self::broken(span);
            }
        };
        if let Some(as_type) = as_type {
            self.check_entries(item, (list, as_type), article(known.typed.word()));
        }
        let code = Code::InList { item: Box::new(code), list: at };
        (Expression { span, code }, Static::given(Typed::Boolean))
    }

    /// Something other than a text is compared with entries of its own type.
    fn check_entries(&mut self, item: &Syntax, (list, as_type): (&ScopedList, EntryType), looked_up: String) {
        let word = match list.list.options.match_by {
            ListMatch::Exact => None,
            ListMatch::Prefix => Some("prefix"),
            ListMatch::Domain => Some("domain"),
        };
        if let Some(word) = word {
            let message = format!("`{}` is matched by {word}, and {looked_up} has none", list.name);
            self.error("T061", item.span, message).help = Some("look up a text".to_owned());
            return;
        }
        if let Err(entry) = list.list.typed(as_type) {
            let place = Place { file: list.file, span: list.list.span(entry) };
            let message = format!("`{}` is not {}", list.list.entry(entry).escape_debug(), as_type.article());
            let help =
                format!("{looked_up} is looked up in `{}`: its entries must all be read as one", list.name);
            self.diagnostics.push(Diagnostic::error("T062", place, message).help(help));
        }
    }
}
