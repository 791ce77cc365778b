//! rhai's syntax tree → ours. What the language leaves out (`try`, `throw`, `import`, `export`, `this`,
//! function pointers, `?.`) is refused here by name; nothing is dropped in silence.

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnCallExpr, FnPtr, Position, Stmt, StmtBlock};

use super::syntax::{Branch, Function, Node, Operator, Program, Syntax, Word};
use super::text::SourceText;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Place, Span};

/// Converts one parsed text; collects every refusal.
pub struct Converter<'a> {
    pub(super) engine: &'a Engine,
    pub(super) text: &'a SourceText<'a>,
    place: Place,
    refusals: Vec<Diagnostic>,
}

impl<'a> Converter<'a> {
    pub fn new(engine: &'a Engine, text: &'a SourceText<'a>, place: Place) -> Self {
        Self { engine, text, place, refusals: Vec::new() }
    }

    pub fn finish(self) -> Result<(), Vec<Diagnostic>> {
        if self.refusals.is_empty() { Ok(()) } else { Err(self.refusals) }
    }

    pub fn program(&mut self, ast: &AST) -> Program {
        let functions = declared_functions(ast).into_iter().map(|(name, parameters)| {
            let body = self.function_body(ast, &name, parameters.len());
            let span = body.first().map_or(Span::default(), |first| first.span);
            Function { name, parameters, body, span }
        });
        let functions = functions.collect();
        Program { body: self.statements(ast), functions }
    }

    pub(super) fn statements(&mut self, ast: &AST) -> Vec<Syntax> {
        ast.statements().iter().filter_map(|s| self.statement(s)).collect()
    }

    /// The statements of one function. rhai shows them only through its walker, so the other functions are taken away
    /// first; its `clone_functions_only_filtered` would leave them all (1.27 does not filter into an empty module).
    fn function_body(&mut self, ast: &AST, name: &str, arity: usize) -> Vec<Syntax> {
        let mut alone = ast.clone_functions_only();
        alone.retain_functions(|_, _, found, params| found == name && params == arity);
        let mut body = Vec::new();
        alone.walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                body.extend(self.statement(statement));
            }
            true
        });
        body
    }

    pub(super) fn refuse(&mut self, span: Span, message: impl Into<String>, help: &str) -> Syntax {
        self.refusals.push(Diagnostic::error("S003", self.place.part(span), message).help(help));
        Syntax { span, node: Node::Unit }
    }

    pub(super) fn at(&self, position: Position) -> Span {
        self.text.token(self.text.offset(position))
    }

    pub(super) fn block(&mut self, block: &StmtBlock) -> Vec<Syntax> {
        block.statements().iter().filter_map(|s| self.statement(s)).collect()
    }

    fn statement(&mut self, statement: &Stmt) -> Option<Syntax> {
        let span = self.at(statement.position());
        let node = match statement {
            Stmt::Noop(_) => return None,
            Stmt::Expr(expression) => return Some(self.expression(expression)),
            Stmt::FnCall(call, position) => return Some(self.call(call, *position)),
            Stmt::Block(block) => Node::Block(self.block(block)),
            Stmt::If(flow, _) => Node::If(Box::new(Branch {
                condition: self.expression(&flow.expr),
                then: self.block(&flow.body),
                otherwise: self.block(&flow.branch),
            })),
            Stmt::Switch(switch, position) => return Some(self.switch(&switch.0, &switch.1, *position)),
            Stmt::While(flow, _) => {
                let condition = match &flow.expr {
                    Expr::Unit(_) => None,
                    condition => Some(Box::new(self.expression(condition))),
                };
                Node::While { condition, body: self.block(&flow.body) }
            }
            Stmt::For(parts, _) => {
                let (item, counter, flow) = &**parts;
                Node::For {
                    item: self.ident(item),
                    counter: counter.as_ref().map(|c| self.ident(c)),
                    over: Box::new(self.expression(&flow.expr)),
                    body: self.block(&flow.body),
                }
            }
            Stmt::Var(parts, flags, _) => {
                let (name, value, _) = &**parts;
                if flags.contains(ASTFlags::EXPORTED) {
                    return Some(self.refuse(span, "`export` is not part of the language", "remove it"));
                }
                Node::Let {
                    name: self.ident(name),
                    value: Box::new(self.expression(value)),
                    constant: flags.contains(ASTFlags::CONSTANT),
                }
            }
            Stmt::Assignment(parts) => return Some(self.assignment(parts)),
            Stmt::BreakLoop(value, flags, _) => {
                if value.is_some() {
                    return Some(self.refuse(
                        span,
                        "`break` with a value is not part of the language",
                        "set a variable before `break`",
                    ));
                }
                if flags.contains(ASTFlags::BREAK) { Node::Break } else { Node::Continue }
            }
            Stmt::Return(value, flags, _) => {
                if flags.contains(ASTFlags::BREAK) {
                    return Some(self.refuse(
                        span,
                        "`throw` is not part of the language",
                        "record an outcome instead: `review(\"R900\")`",
                    ));
                }
                Node::Return(value.as_ref().map(|v| Box::new(self.expression(v))))
            }
            other => return Some(self.refuse_statement(other, span)),
        };
        Some(Syntax { span, node })
    }

    /// Statements that the language leaves out, each by its name.
    fn refuse_statement(&mut self, statement: &Stmt, span: Span) -> Syntax {
        let (what, help) = match statement {
            Stmt::TryCatch(..) => {
                ("`try`", "a step that fails records `on_error`; ask `.failed` to handle it yourself")
            }
            Stmt::Do(..) => ("`do`", "use `while` or `for`"),
            Stmt::Import(..) => ("`import`", "functions in `rules/_shared/` need no import"),
            Stmt::Export(..) => ("`export`", "remove it"),
            _ => ("this statement", "see docs/language.md"),
        };
        self.refuse(span, format!("{what} is not part of the language"), help)
    }

    fn assignment(&mut self, parts: &(rhai::OpAssignment, rhai::BinaryExpr)) -> Syntax {
        let (operation, sides) = parts;
        let target = self.expression(&sides.lhs);
        let value = self.expression(&sides.rhs);
        let span = Span { start: target.span.start, end: value.span.end };
        let operator = match operation.get_op_assignment_info() {
            None => None,
            Some((.., symbol)) => match Operator::from_symbol(symbol) {
                Some(operator) => Some(operator),
                None => {
                    return self.refuse(
                        span,
                        format!("`{symbol}=` is not part of the language"),
                        "write the assignment out",
                    );
                }
            },
        };
        Syntax { span, node: Node::Assign { target: Box::new(target), operator, value: Box::new(value) } }
    }

    fn ident(&self, ident: &rhai::Ident) -> Word {
        Word { text: ident.name.to_string(), span: self.at(ident.pos) }
    }

    pub(super) fn expression(&mut self, expression: &Expr) -> Syntax {
        let span = self.at(expression.position());
        let node = match expression {
            Expr::BoolConstant(value, _) => Node::Boolean(*value),
            Expr::IntegerConstant(value, _) => Node::Integer(*value),
            Expr::FloatConstant(..) => Node::Number(self.text.slice(span).replace(['_', ' '], "")),
            Expr::CharConstant(letter, _) => {
                let help = format!("write texts in double quotes: `{:?}`", letter.to_string());
                return self.refuse(span, "single quotes do not make a text", &help);
            }
            Expr::StringConstant(value, _) => Node::Text(value.to_string()),
            Expr::Unit(_) => {
                return self.refuse(
                    span,
                    "`()` has no meaning here",
                    "write `is_missing(x)` to ask for a missing value",
                );
            }
            Expr::InterpolatedString(parts, _) => {
                Node::Interpolated(parts.iter().map(|p| self.expression(p)).collect())
            }
            Expr::Array(items, _) => {
                let items: Vec<Syntax> = items.iter().map(|i| self.expression(i)).collect();
                let end = self.text.closing(items.last().map_or(span.end, |i| i.span.end) as usize, ']');
                return Syntax { span: Span::new(span.start as usize, end), node: Node::List(items) };
            }
            Expr::Map(entries, _) => Node::Map(
                entries.0.iter().map(|(name, value)| (self.ident(name), self.expression(value))).collect(),
            ),
            Expr::Variable(parts, _, _) if !parts.2.is_empty() => {
                return self.refuse(span, "`::` is not part of the language", "use the name alone");
            }
            Expr::Variable(parts, ..) => Node::Name(parts.1.to_string()),
            Expr::Stmt(block) => return self.inline_block(block, span),
            Expr::FnCall(call, position) => return self.call(call, *position),
            Expr::And(parts, _) => return self.joined(parts, Node::And),
            Expr::Or(parts, _) => return self.joined(parts, Node::Or),
            Expr::Coalesce(parts, _) => return self.joined(parts, Node::Coalesce),
            Expr::Dot(..) | Expr::Index(..) => return self.chain(expression),
            Expr::DynamicConstant(value, _) if value.is::<FnPtr>() => return self.lambda(span),
            Expr::DynamicConstant(..) => Node::Number(self.text.slice(span).replace(['_', ' '], "")),
            _ => return self.refuse(span, "this is not part of the language", "see docs/language.md"),
        };
        Syntax { span, node }
    }

    /// A block used as a value: one statement stands for itself.
    fn inline_block(&mut self, block: &StmtBlock, span: Span) -> Syntax {
        let mut body = self.block(block);
        match (body.len(), body.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                body.push(last);
                Syntax { span, node: Node::Block(body) }
            }
            (_, None) => Syntax { span, node: Node::Unit },
        }
    }

    fn joined(&mut self, parts: &[Expr], make: fn(Vec<Syntax>) -> Node) -> Syntax {
        let parts: Vec<Syntax> = parts.iter().map(|p| self.expression(p)).collect();
        let span = covering(&parts);
        Syntax { span, node: make(parts) }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) -> Syntax {
        let name_span = self.at(position);
        if !call.namespace.is_empty() {
            return self.refuse(
                name_span,
                "`::` is not part of the language",
                "use the function's name alone",
            );
        }
        if call.capture_parent_scope {
            return self.refuse(
                name_span,
                "`!` after a function's name is not part of the language",
                "remove the `!`",
            );
        }
        let arguments: Vec<Syntax> = call.args.iter().map(|a| self.expression(a)).collect();
        let covered = covering(&arguments);
        let is_operator =
            call.op_token.is_some() || (call.name == "contains" && self.text.slice(name_span) == "in");
        if !is_operator {
            let from = if arguments.is_empty() { name_span.end } else { covered.end };
            let span = Span::new(name_span.start as usize, self.text.closing(from as usize, ')'));
            let name = Word { text: call.name.to_string(), span: name_span };
            return Syntax { span, node: Node::Call { name, arguments } };
        }
        let mut arguments = arguments.into_iter();
        match (arguments.next(), arguments.next(), call.name.as_str()) {
            (Some(of), None, "!") => {
                let span = Span { start: name_span.start.min(of.span.start), end: of.span.end };
                Syntax { span, node: Node::Not(Box::new(of)) }
            }
            (Some(of), None, "-") => Syntax {
                span: Span { start: name_span.start, end: of.span.end },
                node: Node::Negate(Box::new(of)),
            },
            (Some(of), None, "+") => of,
            (Some(collection), Some(item), "contains") => {
                let span = Span { start: item.span.start, end: collection.span.end };
                Syntax { span, node: Node::In(Box::new((item, collection))) }
            }
            (Some(left), Some(right), symbol) => match Operator::from_symbol(symbol) {
                Some(operator) => {
                    Syntax { span: covered, node: Node::Binary(operator, Box::new((left, right))) }
                }
                None => self.refuse(
                    name_span,
                    format!("`{symbol}` is not part of the language"),
                    "use `&&`, `||`, `!` and arithmetic",
                ),
            },
            _ => self.refuse(name_span, "this is not part of the language", "see docs/language.md"),
        }
    }

    /// `a.b[1].c(2)`: rhai nests chains to the right; ours nest to the left.
    fn chain(&mut self, expression: &Expr) -> Syntax {
        let (Expr::Dot(sides, flags, _) | Expr::Index(sides, flags, _)) = expression else {
            return self.expression(expression);
        };
        let receiver = self.expression(&sides.lhs);
        self.links(receiver, &sides.rhs, *flags, matches!(expression, Expr::Index(..)))
    }

    fn links(&mut self, receiver: Syntax, link: &Expr, flags: ASTFlags, by_index: bool) -> Syntax {
        if flags.contains(ASTFlags::NEGATED) {
            return self.refuse(
                receiver.span,
                "`?.` and `?[` are not part of the language",
                "write `is_given(x) && …` or `x ?? y`",
            );
        }
        // A chain goes on to the right unless it was marked as ended, in brackets.
        match link {
            Expr::Dot(sides, next, _) | Expr::Index(sides, next, _) if !flags.contains(ASTFlags::BREAK) => {
                let reached = self.link(receiver, &sides.lhs, by_index);
                self.links(reached, &sides.rhs, *next, matches!(link, Expr::Index(..)))
            }
            _ => self.link(receiver, link, by_index),
        }
    }

    fn link(&mut self, receiver: Syntax, link: &Expr, by_index: bool) -> Syntax {
        let start = receiver.span.start;
        let receiver_box = Box::new(receiver);
        match link {
            _ if by_index => {
                let index = self.expression(link);
                let end = self.text.closing(index.span.end as usize, ']');
                Syntax {
                    span: Span::new(start as usize, end),
                    node: Node::Index(Box::new((*receiver_box, index))),
                }
            }
            Expr::Property(names, position) => {
                let name = Word { text: names.2.to_string(), span: self.at(*position) };
                Syntax {
                    span: Span { start, end: name.span.end },
                    node: Node::Property { of: receiver_box, name },
                }
            }
            Expr::MethodCall(call, position) => {
                let name = Word { text: call.name.to_string(), span: self.at(*position) };
                let arguments: Vec<Syntax> = call.args.iter().map(|a| self.expression(a)).collect();
                let from = arguments.last().map_or(name.span.end, |a| a.span.end);
                let end = self.text.closing(from as usize, ')');
                let span = Span::new(start as usize, end);
                Syntax { span, node: Node::Method { receiver: receiver_box, name, arguments } }
            }
            other => {
                let span = self.at(other.position());
                self.refuse(span, "this is not part of the language", "see docs/language.md")
            }
        }
    }
}

fn covering(parts: &[Syntax]) -> Span {
    let start = parts.iter().map(|p| p.span.start).min().unwrap_or_default();
    let end = parts.iter().map(|p| p.span.end).max().unwrap_or_default();
    Span { start, end }
}

fn declared_functions(ast: &AST) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = ast
        .iter_functions()
        .filter(|f| !f.name.starts_with("anon$"))
        .map(|f| (f.name.to_owned(), f.params.iter().map(|p| (*p).to_owned()).collect()))
        .collect();
    found.sort();
    found
}
