//! `|row| …`. rhai keeps anonymous functions under a hash of their bodies, and different bodies can have the
//! same hash (1.27 leaves parts of them out), so the body is parsed again from where it stands.

use super::convert::Converter;
use super::switch::scan;
use super::syntax::{Node, Syntax};
use crate::domain::place::Span;

impl Converter<'_> {
    /// The anonymous function that begins at `span`.
    pub(super) fn lambda(&mut self, span: Span) -> Syntax {
        let source = self.text.text;
        let start = span.start as usize;
        let bars = source.get(start..).and_then(|rest| {
            let first = rest.find('|')?;
            let second = rest.get(first + 1..)?.find('|')? + first + 1;
            Some((start + first, start + second))
        });
        let Some((open, close)) = bars else {
            return self.refuse(span, "this `|row| …` cannot be read", "write `|row| row.balance < 0`");
        };
        let names = source.get(open + 1..close).unwrap_or_default();
        let parameters = names.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
        let end = body_end(source, close + 1);
        let span = Span::new(open, end);
        match self.engine.compile(alone(source, close + 1, end)) {
            Ok(ast) => {
                let body = self.statements(&ast);
                Syntax { span, node: Node::Lambda { parameters, body } }
            }
            Err(_) => self.refuse(span, "this `|row| …` cannot be read", "write `|row| row.balance < 0`"),
        }
    }
}

/// Offset behind the body: the comma or bracket that ends the argument.
fn body_end(source: &str, from: usize) -> usize {
    let mut end = source.len();
    scan(source, from, |at, depth, rest| {
        let ends = depth == 0 && rest.starts_with([',', ')', ']', '}', ';']);
        if ends {
            end = at;
        }
        ends
    });
    end
}

/// The text from `from` to `to` with blanks in the place of all before it, so that positions stay true.
fn alone(source: &str, from: usize, to: usize) -> String {
    let before = source.get(..from).unwrap_or_default();
    let mut text: String = before.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
    text.push_str(source.get(from..to).unwrap_or_default());
    text
}
