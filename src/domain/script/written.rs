//! A tree back to text, in one spelling: the same tree always gives the same text, whatever blanks, comments,
//! brackets and quotes its author used. For pictures and for telling whether two texts mean the same. Absent on
//! purpose: line breaks and indentation, which are for whoever shows a whole script.

use rust_decimal::Decimal;

use super::syntax::{Arm, Node, Operator, Program, Syntax, Word};

/// How a literal's digits are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// `0.40` stays `0.40`.
    AsWritten,
    /// `0.40` and `0.4` are the same number.
    ByValue,
}

/// How tightly an expression holds together; a looser one inside a tighter one needs brackets.
mod binding {
    pub const LOOSEST: u8 = 0;
    pub const OR: u8 = 30;
    pub const AND: u8 = 60;
    pub const EQUALITY: u8 = 90;
    pub const IN: u8 = 110;
    pub const COMPARISON: u8 = 130;
    pub const COALESCE: u8 = 135;
    pub const RANGE: u8 = 140;
    pub const SUM: u8 = 150;
    pub const PRODUCT: u8 = 180;
    pub const POWER: u8 = 190;
    pub const UNARY: u8 = 220;
    pub const TIGHTEST: u8 = 255;
}

/// A number's text without what does not change its value: trailing zeros, an exponent. As it is, where it is no
/// decimal.
#[must_use]
pub fn by_value(number: &str) -> String {
    let exact = Decimal::from_str_exact(number).or_else(|_| Decimal::from_scientific(number));
    exact.map_or_else(|_| number.to_owned(), |decimal| decimal.normalize().to_string())
}

/// One expression or statement, on one line.
#[must_use]
pub fn written(syntax: &Syntax, digits: Digits) -> String {
    let mut writer = Writer { out: String::new(), digits };
    writer.bound(syntax, binding::LOOSEST);
    writer.out
}

/// A whole script, a statement a line: functions first, then what it does.
#[must_use]
pub fn written_program(program: &Program) -> String {
    let mut writer = Writer { out: String::new(), digits: Digits::AsWritten };
    for function in &program.functions {
        writer.put(&format!("fn {}({}) ", function.name, function.parameters.join(", ")));
        writer.block(&function.body);
        writer.put("\n");
    }
    for statement in &program.body {
        writer.bound(statement, binding::LOOSEST);
        writer.put(";\n");
    }
    writer.out
}

/// What comes before the arrow of a `switch` arm: `"a" | "b" if x > 1`, or `_`.
#[must_use]
pub fn arm_head(arm: &Arm, digits: Digits) -> String {
    let mut writer = Writer { out: String::new(), digits };
    writer.arm_head(arm);
    writer.out
}

struct Writer {
    out: String,
    digits: Digits,
}

fn binding_of(node: &Node) -> u8 {
    match node {
        Node::Or(_) => binding::OR,
        Node::And(_) => binding::AND,
        Node::In(_) => binding::IN,
        Node::Coalesce(_) => binding::COALESCE,
        Node::Not(_) | Node::Negate(_) => binding::UNARY,
        Node::Binary(operator, _) => binding_of_operator(*operator),
        Node::Lambda { .. }
        | Node::If(_)
        | Node::Switch { .. }
        | Node::Let { .. }
        | Node::Assign { .. }
        | Node::While { .. }
        | Node::For { .. }
        | Node::Return(_) => binding::LOOSEST,
        _ => binding::TIGHTEST,
    }
}

fn binding_of_operator(operator: Operator) -> u8 {
    match operator {
        Operator::Equal | Operator::NotEqual => binding::EQUALITY,
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => binding::COMPARISON,
        Operator::RangeTo | Operator::RangeThrough => binding::RANGE,
        Operator::Add | Operator::Subtract => binding::SUM,
        Operator::Multiply | Operator::Divide | Operator::Remainder => binding::PRODUCT,
        Operator::Power => binding::POWER,
    }
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// In brackets where it would fall apart otherwise.
    fn bound(&mut self, syntax: &Syntax, least: u8) {
        if binding_of(&syntax.node) < least {
            self.put("(");
            self.node(&syntax.node);
            self.put(")");
        } else {
            self.node(&syntax.node);
        }
    }

    fn joined(&mut self, items: &[Syntax], between: &str, least: u8) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.put(between);
            }
            self.bound(item, least);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Unit => self.put("()"),
            Node::Boolean(value) => self.put(if *value { "true" } else { "false" }),
            Node::Integer(value) => self.put(&value.to_string()),
            Node::Number(text) => match self.digits {
                Digits::AsWritten => self.put(text),
                Digits::ByValue => self.put(&by_value(text)),
            },
            Node::Text(text) => self.text(text),
            Node::Name(name) => self.put(name),
            Node::List(items) => {
                self.put("[");
                self.joined(items, ", ", binding::LOOSEST);
                self.put("]");
            }
            Node::Map(entries) => self.map(entries),
            Node::Interpolated(parts) => self.interpolated(parts),
            Node::Not(of) => {
                self.put("!");
                self.bound(of, binding::UNARY);
            }
            Node::Negate(of) => {
                self.put("-");
                self.bound(of, binding::UNARY);
            }
            Node::Binary(operator, sides) => self.binary(*operator, sides),
            Node::And(items) => self.joined(items, " && ", binding::AND + 1),
            Node::Or(items) => self.joined(items, " || ", binding::OR + 1),
            Node::Coalesce(items) => self.joined(items, " ?? ", binding::COALESCE + 1),
            Node::In(sides) => {
                self.bound(&sides.0, binding::IN + 1);
                self.put(" in ");
                self.bound(&sides.1, binding::IN + 1);
            }
            Node::Call { name, arguments } => self.call(name, arguments),
            Node::Method { receiver, name, arguments } => {
                self.bound(receiver, binding::TIGHTEST);
                self.put(".");
                self.call(name, arguments);
            }
            Node::Property { of, name } => {
                self.bound(of, binding::TIGHTEST);
                self.put(".");
                self.put(&name.text);
            }
            Node::Index(sides) => {
                self.bound(&sides.0, binding::TIGHTEST);
                self.put("[");
                self.bound(&sides.1, binding::LOOSEST);
                self.put("]");
            }
            other => self.statement(other),
        }
    }

    fn statement(&mut self, node: &Node) {
        match node {
            Node::Lambda { parameters, body } => {
                self.put(&format!("|{}| ", parameters.join(", ")));
                match body.as_slice() {
                    [only] => self.bound(only, binding::LOOSEST),
                    body => self.block(body),
                }
            }
            Node::Block(body) => self.block(body),
            Node::If(branch) => {
                self.put("if ");
                self.bound(&branch.condition, binding::LOOSEST);
                self.put(" ");
                self.block(&branch.then);
                match branch.otherwise.as_slice() {
                    [] => {}
                    [Syntax { node: chained @ Node::If(_), .. }] => {
                        self.put(" else ");
                        self.node(chained);
                    }
                    otherwise => {
                        self.put(" else ");
                        self.block(otherwise);
                    }
                }
            }
            Node::Switch { on, arms } => {
                self.put("switch ");
                self.bound(on, binding::LOOSEST);
                self.put(" { ");
                for (index, arm) in arms.iter().enumerate() {
                    self.put(if index > 0 { ", " } else { "" });
                    self.arm_head(arm);
                    self.put(" => ");
                    self.bound(&arm.value, binding::LOOSEST);
                }
                self.put(" }");
            }
            Node::Let { name, value, constant } => {
                self.put(if *constant { "const " } else { "let " });
                self.put(&format!("{} = ", name.text));
                self.bound(value, binding::LOOSEST);
            }
            Node::Assign { target, operator, value } => {
                self.bound(target, binding::LOOSEST);
                self.put(&format!(" {}= ", operator.map_or("", Operator::symbol)));
                self.bound(value, binding::LOOSEST);
            }
            looping => self.looping(looping),
        }
    }

    fn looping(&mut self, node: &Node) {
        match node {
            Node::While { condition, body } => {
                match condition {
                    Some(condition) => {
                        self.put("while ");
                        self.bound(condition, binding::LOOSEST);
                    }
                    None => self.put("loop"),
                }
                self.put(" ");
                self.block(body);
            }
            Node::For { item, counter, over, body } => {
                match counter {
                    Some(counter) => self.put(&format!("for ({}, {}) in ", item.text, counter.text)),
                    None => self.put(&format!("for {} in ", item.text)),
                }
                self.bound(over, binding::LOOSEST);
                self.put(" ");
                self.block(body);
            }
            Node::Break => self.put("break"),
            Node::Continue => self.put("continue"),
            Node::Return(value) => {
                self.put("return");
                if let Some(value) = value {
                    self.put(" ");
                    self.bound(value, binding::LOOSEST);
                }
            }
            _ => {}
        }
    }

    fn block(&mut self, body: &[Syntax]) {
        if body.is_empty() {
            return self.put("{ }");
        }
        self.put("{ ");
        self.joined(body, "; ", binding::LOOSEST);
        self.put(" }");
    }

    fn binary(&mut self, operator: Operator, sides: &(Syntax, Syntax)) {
        let own = binding_of_operator(operator);
        // Everything but `**` is read from the left.
        let (left, right) = if operator == Operator::Power { (own + 1, own) } else { (own, own + 1) };
        let symbol = operator.symbol();
        let is_range = matches!(operator, Operator::RangeTo | Operator::RangeThrough);
        self.bound(&sides.0, left);
        self.put(&if is_range { symbol.to_owned() } else { format!(" {symbol} ") });
        self.bound(&sides.1, right);
    }

    fn call(&mut self, name: &Word, arguments: &[Syntax]) {
        self.put(&name.text);
        self.put("(");
        self.joined(arguments, ", ", binding::LOOSEST);
        self.put(")");
    }

    fn map(&mut self, entries: &[(Word, Syntax)]) {
        if entries.is_empty() {
            return self.put("#{ }");
        }
        self.put("#{ ");
        for (index, (name, value)) in entries.iter().enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            self.put(&format!("{}: ", name.text));
            self.bound(value, binding::LOOSEST);
        }
        self.put(" }");
    }

    fn arm_head(&mut self, arm: &Arm) {
        if arm.labels.is_empty() {
            self.put("_");
        }
        self.joined(&arm.labels, " | ", binding::LOOSEST);
        if let Some(condition) = &arm.condition {
            self.put(" if ");
            self.bound(condition, binding::LOOSEST);
        }
    }

    fn interpolated(&mut self, parts: &[Syntax]) {
        self.put("`");
        for part in parts {
            match &part.node {
                Node::Text(text) => self.put(&text.replace('`', "``")),
                _ => {
                    self.put("${");
                    self.bound(part, binding::LOOSEST);
                    self.put("}");
                }
            }
        }
        self.put("`");
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.put("\\\""),
                '\\' => self.put("\\\\"),
                '\n' => self.put("\\n"),
                '\r' => self.put("\\r"),
                '\t' => self.put("\\t"),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::{Located, Place};
    use crate::domain::script::Grammar;

    fn parsed(text: &str) -> Syntax {
        Grammar::new().condition(&Located::new(text.to_owned(), Place::default())).unwrap()
    }

    #[test]
    fn one_meaning_has_one_spelling_and_the_brackets_it_needs() {
        for (text, expected) in [
            ("age<min_age", "age < min_age"),
            ("(a&&b)||c", "a && b || c"),
            ("a && (b || c)", "a && (b || c)"),
            ("(a + b) * 2", "(a + b) * 2"),
            ("a - (b - c)", "a - (b - c)"),
            ("(a - b) - c", "a - b - c"),
            ("-(a + b)", "-(a + b)"),
            ("!(a == 1)", "!(a == 1)"),
            ("!is_given( phone )", "!is_given(phone)"),
            ("phone   in blocked", "phone in blocked"),
            ("(a ?? b) > 1", "a ?? b > 1"),
            ("a ?? (b > 1)", "a ?? (b > 1)"),
            (
                "count(accounts,|a| a.balance<money(0,2))>1",
                "count(accounts, |a| a.balance < money(0, 2)) > 1",
            ),
            (r#"x == "a\"b""#, r#"x == "a\"b""#),
            ("m[0].b", "m[0].b"),
            ("(a == b) == (c == d)", "a == b == (c == d)"),
            ("[1,  2.50]", "[1, 2.50]"),
        ] {
            assert_eq!(written(&parsed(text), Digits::AsWritten), expected);
        }
        assert_eq!(written(&parsed("x > 0.40"), Digits::ByValue), "x > 0.4");
        assert_eq!(by_value("1e3"), "1000");
    }

    #[test]
    fn what_is_written_reads_as_the_same_tree() {
        for text in [
            "a - (b - c) * -d ** 2",
            "(a || b) && !(c && d) || e in [1, 2]",
            "any(rows, |r| r.x > 1 && is_given(r.y)) && (x ?? 3) + 1 >= min(a, b)",
            "(1 + 2).to_text() == \"3\"",
            "if a { 1 } else { 2 }",
            "switch a { 1 | 2 if b => 3, _ => 4 }",
            "x ** (y ** z)",
            "(x ** y) ** z",
        ] {
            let once = written(&parsed(text), Digits::AsWritten);
            assert_eq!(written(&parsed(&once), Digits::AsWritten), once, "{text}");
        }
    }
}
