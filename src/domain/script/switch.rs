//! `switch` arms. rhai keeps only hashes of their labels, so the labels are read again from the source:
//! the arms are found by their `=>`, and each label is parsed by rhai as the literal it is.

use rhai::{Expr, Position, SwitchCasesCollection};

use super::convert::Converter;
use super::syntax::{Arm, Node, Syntax};
use super::text::quoted_length;
use crate::domain::place::Span;

impl Converter<'_> {
    pub(super) fn switch(&mut self, on: &Expr, cases: &SwitchCasesCollection, position: Position) -> Syntax {
        let span = self.at(position);
        let on = self.expression(on);
        let Some(open) = self.text.text.get(on.span.end as usize..).and_then(|t| t.find('{')) else {
            return self.refuse(span, "this `switch` has no arms", "write `switch x { 1 => …, _ => … }`");
        };
        let mut cursor = on.span.end as usize + open + 1;
        let mut arms = Vec::new();
        for case in &cases.expressions {
            let Some(head) = arm_head(self.text.text, cursor) else {
                return self.refuse(
                    span,
                    "this `switch` cannot be read",
                    "write `switch x { 1 => …, _ => … }`",
                );
            };
            let labels = self.labels(cursor, head);
            let condition = match &case.lhs {
                Expr::BoolConstant(true, at) if at.is_none() => None,
                condition => Some(self.expression(condition)),
            };
            arms.push(Arm { labels, condition, value: self.expression(&case.rhs) });
            cursor = arm_end(self.text.text, head + 2);
        }
        Syntax { span, node: Node::Switch { on: Box::new(on), arms } }
    }

    /// The literals before `=>`; none for `_`.
    fn labels(&mut self, from: usize, to: usize) -> Vec<Syntax> {
        let head = without_comments(self.text.text.get(from..to).unwrap_or_default());
        let literals = head.find(" if ").map_or(&*head, |at| head.get(..at).unwrap_or_default());
        if literals.trim() == "_" {
            return Vec::new();
        }
        let mut labels = Vec::new();
        let mut start = from;
        for piece in split_at_bars(literals) {
            let leading = piece.len() - piece.trim_start().len();
            let span = Span::new(start + leading, start + piece.trim_end().len());
            labels.push(self.label(piece.trim(), span));
            start += piece.len() + 1;
        }
        labels
    }

    fn label(&mut self, literal: &str, span: Span) -> Syntax {
        let parsed = self.engine.compile_expression(literal).ok();
        let node = parsed.as_ref().and_then(|ast| match ast.statements() {
            [rhai::Stmt::Expr(expression)] => literal_node(expression, literal),
            _ => None,
        });
        match node {
            Some(node) => Syntax { span, node },
            None => self.refuse(
                span,
                "a label of `switch` is a literal",
                "use texts, integers, `true` or `false`; compare ranges with `if`",
            ),
        }
    }
}

fn literal_node(expression: &Expr, source: &str) -> Option<Node> {
    Some(match expression {
        Expr::BoolConstant(value, _) => Node::Boolean(*value),
        Expr::IntegerConstant(value, _) => Node::Integer(*value),
        Expr::FloatConstant(..) => Node::Number(source.replace(['_', ' '], "")),
        Expr::StringConstant(value, _) => Node::Text(value.to_string()),
        _ => return None,
    })
}

/// Offset of the next `=>` outside quotes, comments and brackets.
fn arm_head(text: &str, from: usize) -> Option<usize> {
    let mut found = None;
    scan(text, from, |at, depth, rest| {
        if depth == 0 && rest.starts_with("=>") {
            found = Some(at);
        }
        found.is_some()
    });
    found
}

/// Offset just behind the arm whose value begins at `from`.
fn arm_end(text: &str, from: usize) -> usize {
    let blank = text.get(from..).map_or(0, |rest| rest.len() - rest.trim_start().len());
    let is_block = text.get(from + blank..).is_some_and(|rest| rest.starts_with('{'));
    let mut end = text.len();
    let mut closed = false;
    scan(text, from, |at, depth, rest| {
        if depth == 0 && rest.starts_with(',') {
            end = at + 1;
            return true;
        }
        if is_block && depth == 0 && closed && !rest.starts_with(char::is_whitespace) {
            end = at;
            return true;
        }
        if depth == 1 && rest.starts_with('}') {
            closed = true;
        }
        false
    });
    end
}

/// Walks the text from `from`, skipping quoted texts and comments, until `stop(offset, depth, rest)` says so
/// or the enclosing bracket closes.
pub(super) fn scan(text: &str, from: usize, mut stop: impl FnMut(usize, i32, &str) -> bool) {
    let mut depth = 0;
    let mut at = from;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(c) = rest.chars().next() else { return };
        if stop(at, depth, rest) {
            return;
        }
        if let Some(skipped) = quoted_or_comment(rest) {
            at += skipped;
            continue;
        }
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return;
        }
        at += c.len_utf8();
    }
}

fn quoted_or_comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |at| at + 2));
    }
    let quote = rest.chars().next().filter(|c| "\"`'".contains(*c))?;
    Some(quoted_length(rest, quote))
}

/// The same text with blanks in the place of comments.
fn without_comments(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = quoted_or_comment(rest).or_else(|| rest.chars().next().map(char::len_utf8)).unwrap_or(1);
        let piece = rest.get(..length).unwrap_or_default();
        if piece.starts_with("//") || piece.starts_with("/*") {
            bare.extend(std::iter::repeat_n(' ', length));
        } else {
            bare.push_str(piece);
        }
        at += length;
    }
    bare
}

fn split_at_bars(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(skipped) = quoted_or_comment(rest) {
            at += skipped;
            continue;
        }
        if rest.starts_with('|') {
            pieces.push(text.get(from..at).unwrap_or_default());
            from = at + 1;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    pieces.push(text.get(from..).unwrap_or_default());
    pieces
}
