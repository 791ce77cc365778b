//! Changes to one text of a condition, formula or script, made on its tree and written out again: never on its
//! letters. Which of them still compile is told by compiling.

use super::literal::moved;
use super::mutants::Operator as Kind;
use crate::domain::place::Span;
use crate::domain::script::syntax::{Node, Operator, Program, Syntax};
use crate::domain::script::{Digits, written};

/// Words that a flow declares, for swapping one with another.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// Mildest first.
    pub outcomes: Vec<String>,
    pub reasons: Vec<String>,
}

/// One change to a tree.
#[derive(Debug, Clone)]
pub(super) struct TreeChange {
    pub operator: Kind,
    /// Of what is changed, from the beginning of the text.
    pub span: Span,
    /// `age < min_age → age <= min_age`
    pub shown: String,
    /// The node, counted from the top in source order, and what it becomes.
    at: usize,
    becomes: Node,
}

/// Where a node stands: what may be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Value,
    /// The text of a call that reads a date or time from it.
    Moment,
    Condition,
    /// Behind `!`: to negate it once more would change nothing new.
    Negated,
    /// A statement of its own.
    Statement,
}

struct Finder<'w> {
    words: &'w Words,
    next: usize,
    found: Vec<TreeChange>,
}

/// The changes to a condition or, where `is_condition` is false, to a formula.
pub(super) fn of_expression(tree: &Syntax, is_condition: bool, words: &Words) -> Vec<TreeChange> {
    let mut finder = Finder { words, next: 0, found: Vec::new() };
    finder.node(tree, if is_condition { Stand::Condition } else { Stand::Value });
    finder.found
}

/// The changes to a script: functions first, then its body.
pub(super) fn of_program(program: &Program, words: &Words) -> Vec<TreeChange> {
    let mut finder = Finder { words, next: 0, found: Vec::new() };
    for function in &program.functions {
        finder.body(&function.body, Stand::Value);
    }
    finder.body(&program.body, Stand::Statement);
    finder.found
}

/// The tree with the change made.
pub(super) fn changed(tree: &Syntax, change: &TreeChange) -> Syntax {
    let mut tree = tree.clone();
    let mut next = 0;
    replace(&mut tree, &mut next, change);
    tree
}

/// The script with the change made.
pub(super) fn changed_program(program: &Program, change: &TreeChange) -> Program {
    let mut program = program.clone();
    let mut next = 0;
    for statement in program.functions.iter_mut().flat_map(|f| &mut f.body).chain(&mut program.body) {
        if replace(statement, &mut next, change) {
            break;
        }
    }
    program
}

fn replace(node: &mut Syntax, next: &mut usize, change: &TreeChange) -> bool {
    if *next == change.at {
        node.node = change.becomes.clone();
        return true;
    }
    *next += 1;
    node.children_mut().into_iter().any(|below| replace(below, next, change))
}

impl Finder<'_> {
    fn add(&mut self, of: &Syntax, at: usize, operator: Kind, becomes: Node) {
        let new = Syntax { span: of.span, node: becomes.clone() };
        let shown = format!("{} → {}", written(of, Digits::AsWritten), written(&new, Digits::AsWritten));
        self.found.push(TreeChange { operator, span: of.whole_span(), shown, at, becomes });
    }

    fn drop(&mut self, of: &Syntax, at: usize) {
        let shown = format!("drop `{}`", written(of, Digits::AsWritten));
        let becomes = Node::Block(Vec::new());
        self.found.push(TreeChange { operator: Kind::Dropped, span: of.whole_span(), shown, at, becomes });
    }

    fn body(&mut self, statements: &[Syntax], last: Stand) {
        for (at, statement) in statements.iter().enumerate() {
            let is_last = at + 1 == statements.len();
            self.node(statement, if is_last { last } else { Stand::Statement });
        }
    }

    fn node(&mut self, of: &Syntax, stand: Stand) {
        let at = self.next;
        self.next += 1;
        if stand == Stand::Condition {
            self.negated(of, at);
        }
        match &of.node {
            Node::Integer(_) | Node::Number(_) => self.number(of, at),
            Node::Text(text) => self.text(of, at, text, stand),
            Node::Binary(operator, sides) => {
                if let Some(swapped) = swapped(*operator) {
                    self.add(of, at, Kind::Comparison, Node::Binary(swapped, sides.clone()));
                }
                if stand == Stand::Value && operator.is_comparison() {
                    self.negated(of, at);
                }
            }
            Node::In(_) | Node::And(_) | Node::Or(_) if stand == Stand::Value => self.negated(of, at),
            Node::Call { name, arguments } => {
                for outcome in self.beside(&name.text) {
                    let mut swapped = name.clone();
                    swapped.text = outcome;
                    let becomes = Node::Call { name: swapped, arguments: arguments.clone() };
                    self.add(of, at, Kind::Outcome, becomes);
                }
                if self.words.outcomes.contains(&name.text) {
                    self.drop(of, at);
                }
            }
            Node::Method { name, .. } if name.text == "apply" => self.drop(of, at),
            Node::Return(_) if stand == Stand::Statement => self.drop(of, at),
            _ => {}
        }
        self.below(of, stand);
    }

    fn below(&mut self, of: &Syntax, stand: Stand) {
        match &of.node {
            Node::And(parts) | Node::Or(parts) => {
                parts.iter().for_each(|part| self.node(part, Stand::Condition));
            }
            Node::Not(part) => self.node(part, Stand::Negated),
            Node::If(branch) => {
                self.node(&branch.condition, Stand::Condition);
                self.body(&branch.then, stand);
                self.body(&branch.otherwise, stand);
            }
            Node::While { condition, body } => {
                if let Some(condition) = condition {
                    self.node(condition, Stand::Condition);
                }
                self.body(body, Stand::Statement);
            }
            Node::For { over, body, .. } => {
                self.node(over, Stand::Value);
                self.body(body, Stand::Statement);
            }
            Node::Block(body) => self.body(body, stand),
            Node::Lambda { body, .. } => self.body(body, Stand::Value),
            Node::Call { name, arguments } if matches!(name.text.as_str(), "date" | "time") => {
                arguments.iter().for_each(|argument| self.node(argument, Stand::Moment));
            }
            Node::Switch { on, arms } => {
                self.node(on, Stand::Value);
                for arm in arms {
                    arm.labels.iter().for_each(|label| self.node(label, Stand::Value));
                    if let Some(condition) = &arm.condition {
                        self.node(condition, Stand::Condition);
                    }
                    self.node(&arm.value, stand);
                }
            }
            _ => of.children().into_iter().for_each(|below| self.node(below, Stand::Value)),
        }
    }

    /// The opposite, in the plainest spelling.
    fn negated(&mut self, of: &Syntax, at: usize) {
        let becomes = match &of.node {
            Node::Not(inner) => inner.node.clone(),
            Node::Binary(Operator::Equal, sides) => Node::Binary(Operator::NotEqual, sides.clone()),
            Node::Binary(Operator::NotEqual, sides) => Node::Binary(Operator::Equal, sides.clone()),
            Node::Boolean(value) => Node::Boolean(!value),
            _ => Node::Not(Box::new(of.clone())),
        };
        self.add(of, at, Kind::Negated, becomes);
    }

    fn number(&mut self, of: &Syntax, at: usize) {
        let text = written(of, Digits::AsWritten);
        for text in moved(&text) {
            let becomes = match (&of.node, text.parse::<i64>()) {
                (Node::Integer(_), Ok(whole)) => Node::Integer(whole),
                _ => Node::Number(text),
            };
            self.add(of, at, Kind::Bound, becomes);
        }
    }

    fn text(&mut self, of: &Syntax, at: usize, text: &str, stand: Stand) {
        if stand == Stand::Moment {
            for text in moved(text) {
                self.add(of, at, Kind::Bound, Node::Text(text));
            }
        } else if let Some(other) = another(&self.words.reasons, text) {
            self.add(of, at, Kind::Reason, Node::Text(other));
        }
    }

    /// The outcomes just milder and just stricter than this one.
    fn beside(&self, outcome: &str) -> Vec<String> {
        beside(&self.words.outcomes, outcome)
    }
}

/// `<` and `<=`, `>` and `>=`.
fn swapped(operator: Operator) -> Option<Operator> {
    Some(match operator {
        Operator::Less => Operator::AtMost,
        Operator::AtMost => Operator::Less,
        Operator::Greater => Operator::AtLeast,
        Operator::AtLeast => Operator::Greater,
        _ => return None,
    })
}

/// The next word of a list, the first after the last; nothing for a word that is not in it or alone.
pub(super) fn another(words: &[String], word: &str) -> Option<String> {
    let at = words.iter().position(|known| known == word)?;
    let next = words.get(at + 1).or_else(|| words.first())?;
    (next != word).then(|| next.clone())
}

/// The words just before and just after a word.
pub(super) fn beside(words: &[String], word: &str) -> Vec<String> {
    let Some(at) = words.iter().position(|known| known == word) else { return Vec::new() };
    let before = at.checked_sub(1).and_then(|at| words.get(at));
    before.into_iter().chain(words.get(at + 1)).cloned().collect()
}
