//! The script and its functions, statement by statement: each stands under its branch, and only what it says counts.

use std::collections::{BTreeMap, BTreeSet};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{About, ChangeKind, Found, Part, Said, Stated};
use crate::domain::place::Located;
use crate::domain::script::syntax::{Function, Node, Program, Syntax};
use crate::domain::script::{Digits, Grammar, arm_head, written};

/// One statement, or the head of a branch or loop.
#[derive(Debug, Clone)]
struct Line {
    /// The heads of what it stands in, from outside in.
    under: Vec<String>,
    said: Said,
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.under.len() == other.under.len() && self.said.meaning == other.said.meaning
    }
}
impl Eq for Line {}

impl PartialOrd for Line {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Line {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.under.len(), &self.said.meaning).cmp(&(other.under.len(), &other.said.meaning))
    }
}

impl std::hash::Hash for Line {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.said.meaning.hash(state);
    }
}

pub(super) fn compare(found: &mut Found, before: Stated<'_>, after: Stated<'_>) {
    let (was, is) = (Parsed::of(&found.grammar, before), Parsed::of(&found.grammar, after));
    let names: BTreeSet<&String> = was.functions.keys().chain(is.functions.keys()).collect();
    for name in names {
        let about = About::new(Part::Function, name);
        match (was.functions.get(name), is.functions.get(name)) {
            (Some(was), None) => found.add(&about, ChangeKind::Removed, Some(head(was)), None),
            (None, Some(is)) => found.add(&about, ChangeKind::Added, None, Some(head(is))),
            (Some(was), Some(is)) => {
                found.text(
                    &about,
                    "parameters",
                    Some(&was.parameters.join(", ")),
                    Some(&is.parameters.join(", ")),
                );
                let of = |function: &Function| lines(&function.body);
                statements(found, (Part::Function, name), &of(was), &of(is));
            }
            (None, None) => {}
        }
    }
    statements(found, (Part::Script, "flow.rhai"), &was.script, &is.script);
}

struct Parsed {
    script: Vec<Line>,
    functions: BTreeMap<String, Function>,
}

impl Parsed {
    /// A script that cannot be parsed is compared as a text.
    fn of(grammar: &Grammar, side: Stated<'_>) -> Self {
        let flow = side.declaration;
        let parse = |text: &Located<String>| grammar.program(text).ok();
        let own = parse(&flow.script);
        let script = match &own {
            Some(program) => lines(&program.body),
            None => vec![Line { under: Vec::new(), said: Said::plain(flow.script.value.as_str()) }],
        };
        let shared = flow.shared_functions.iter().filter_map(parse);
        let is_called = |function: &Function| side.usage.functions.contains(function.name.as_str());
        let shared = shared.flat_map(|program: Program| program.functions).filter(is_called);
        let own = own.into_iter().flat_map(|program| program.functions);
        let functions = shared.chain(own);
        Self { script, functions: functions.map(|function| (function.name.clone(), function)).collect() }
    }
}

fn head(function: &Function) -> String {
    format!("fn {}({})", function.name, function.parameters.join(", "))
}

fn lines(body: &[Syntax]) -> Vec<Line> {
    let mut found = Vec::new();
    block(body, &mut Vec::new(), &mut found);
    found
}

fn line(under: &[String], before: &str, syntax: &Syntax) -> Line {
    let of = |digits| format!("{before}{}", written(syntax, digits));
    let said = Said { text: of(Digits::AsWritten), meaning: of(Digits::ByValue) };
    Line { under: under.to_vec(), said }
}

/// The head, and what stands in it.
fn inside(head: Line, body: &[Syntax], under: &mut Vec<String>, found: &mut Vec<Line>) {
    under.push(head.said.text.clone());
    found.push(head);
    block(body, under, found);
    under.pop();
}

fn block(body: &[Syntax], under: &mut Vec<String>, found: &mut Vec<Line>) {
    for statement in body {
        match &statement.node {
            Node::Block(inner) => block(inner, under, found),
            Node::If(_) => branches(statement, "if ", under, found),
            Node::Switch { on, arms } => {
                for arm in arms {
                    let of = |digits| format!("switch {}: {}", written(on, digits), arm_head(arm, digits));
                    let said = Said { text: of(Digits::AsWritten), meaning: of(Digits::ByValue) };
                    let head = Line { under: under.clone(), said };
                    inside(head, std::slice::from_ref(&arm.value), under, found);
                }
            }
            Node::While { condition, body } => {
                let head = match condition {
                    Some(condition) => line(under, "while ", condition),
                    None => Line { under: under.clone(), said: Said::plain("loop") },
                };
                inside(head, body, under, found);
            }
            Node::For { item, counter, over, body } => {
                let counter = counter.as_ref().map(|c| format!(", {}", c.text)).unwrap_or_default();
                let head = line(under, &format!("for {}{counter} in ", item.text), over);
                inside(head, body, under, found);
            }
            _ => found.push(line(under, "", statement)),
        }
    }
}

fn branches(statement: &Syntax, word: &str, under: &mut Vec<String>, found: &mut Vec<Line>) {
    let Node::If(branch) = &statement.node else { return };
    inside(line(under, word, &branch.condition), &branch.then, under, found);
    match branch.otherwise.as_slice() {
        [] => {}
        [chained @ Syntax { node: Node::If(_), .. }] => branches(chained, "else if ", under, found),
        otherwise => {
            let head = Line { under: under.clone(), said: Said::plain("else") };
            inside(head, otherwise, under, found);
        }
    }
}

fn statements(found: &mut Found, (part, name): (Part, &str), was: &[Line], is: &[Line]) {
    let about = |line: &Line| match line.under.as_slice() {
        [] => About::new(part, name),
        under => About::new(part, name).within(&under.join(" / ")),
    };
    for op in capture_diff_slices(Algorithm::Myers, was, is) {
        let (old, new) = (op.old_range(), op.new_range());
        if let DiffOp::Equal { .. } = op {
            continue;
        }
        let (old, new) = (was.get(old).unwrap_or_default(), is.get(new).unwrap_or_default());
        let paired = old.len().min(new.len());
        for (was, is) in old.iter().zip(new) {
            let texts = (Some(was.said.text.clone()), Some(is.said.text.clone()));
            found.add(&about(is), ChangeKind::Changed, texts.0, texts.1);
        }
        for line in old.iter().skip(paired) {
            found.add(&about(line), ChangeKind::Removed, Some(line.said.text.clone()), None);
        }
        for line in new.iter().skip(paired) {
            found.add(&about(line), ChangeKind::Added, None, Some(line.said.text.clone()));
        }
    }
}
