//! A condition that was asked: each part with its truth, and the values that it met.

use std::collections::BTreeSet;

use super::evaluated::{Evaluated, Given};
use super::hidden::Hidden;
use super::words::{is_literal, shown, sides, written};
use super::{Condition, Read, Shown, Truth};
use crate::domain::expression::{Code, Expression};
use crate::domain::flow::Flow;
use crate::domain::flow::watch::Site;
use crate::domain::value::{Name, Value};

/// What stands for a value that may not be seen.
const MASK: &str = "***";

/// Where expressions stand that are to be told: the text that their spans count in, and what is hidden there.
#[derive(Clone, Copy)]
pub(super) struct Where<'c> {
    pub flow: &'c Flow,
    pub hidden: &'c Hidden,
    pub site: Site,
    /// Variables that hold something hidden.
    pub locals: &'c BTreeSet<u16>,
}

impl<'c> Where<'c> {
    /// The text of a flow in which the expressions of a site stand.
    pub fn text(&self) -> &'c str {
        let flow = self.flow;
        let found = match self.site {
            Site::Script => Some(&*flow.script.text),
            Site::Function(at) => {
                let function = flow.script.functions.get(usize::from(at));
                function.filter(|function| !function.is_shared).map(|_| &*flow.script.text)
            }
            Site::Feature(at) => flow.features.get(usize::from(at)).map(|feature| &*feature.written),
            Site::Rule { set, rule } => {
                let set = flow.rule_sets.get(usize::from(set));
                set.and_then(|set| set.rules.get(usize::from(rule))).map(|rule| rule.when.as_str())
            }
        };
        found.unwrap_or_default()
    }

    pub fn written(&self, expression: &Expression) -> String {
        let text = written(self.text(), expression.span);
        match &expression.code {
            // What is in a shared file is not at hand.
            Code::Input(at) if text.is_empty() => {
                self.flow.inputs.get(usize::from(*at)).map(|i| i.name.to_string()).unwrap_or_default()
            }
            _ => text,
        }
    }

    pub fn hides(&self, expression: &Expression) -> bool {
        self.hidden.hides(self.flow, expression, self.locals)
    }

    /// What an expression gave, if it gave anything: a literal exactly as written.
    pub fn value(&self, expression: &Expression, node: Option<&Evaluated>) -> Option<Shown> {
        let gave = node?.value()?;
        if self.hides(expression) {
            return Some(Shown::Hidden);
        }
        let exact = expression.code.as_written().map(Value::Decimal);
        Some(Shown::Value(exact.unwrap_or_else(|| gave.clone())))
    }

    pub fn condition(&self, expression: &Expression, node: Option<&Evaluated>) -> Condition {
        let truth = match node.map(|node| &node.gave) {
            None | Some(Given::Left) => Truth::NotAsked,
            Some(Given::Value(Value::Boolean(true))) => Truth::True,
            Some(Given::Value(Value::Boolean(false))) => Truth::False,
            Some(Given::Value(_)) => Truth::Failed("missing_value"),
            Some(Given::Failed(code)) => Truth::Failed(code),
        };
        let text = self.written(expression);
        let mut parts = self.parts(expression, node);
        let settled_by = match &expression.code {
            Code::And(_) => Truth::False,
            Code::Or(_) => Truth::True,
            _ => Truth::NotAsked,
        };
        let is_settled = truth == settled_by;
        for part in &mut parts {
            part.decided = match truth {
                Truth::NotAsked => false,
                Truth::Failed(_) => matches!(part.truth, Truth::Failed(_)),
                _ if is_settled => part.truth == settled_by,
                _ => part.truth != Truth::NotAsked,
            };
        }
        let mut reads = Vec::new();
        self.reads(expression, node, &mut reads);
        let shown = if parts.is_empty() {
            self.leaf(expression, node, &text, &reads)
        } else {
            self.joined(expression, &parts)
        };
        Condition { text, shown, truth, decided: false, reads, parts }
    }

    fn parts(&self, expression: &Expression, node: Option<&Evaluated>) -> Vec<Condition> {
        let part = |part: &Expression| self.condition(part, node.and_then(|node| node.of(part)));
        match &expression.code {
            Code::And(parts) | Code::Or(parts) => parts.iter().map(part).collect(),
            Code::Not(of) if matches!(of.code, Code::And(_) | Code::Or(_)) => vec![part(of)],
            _ => Vec::new(),
        }
    }

    fn joined(&self, expression: &Expression, parts: &[Condition]) -> String {
        let (between, is_not) = match expression.code {
            Code::And(_) => (" && ", false),
            Code::Or(_) => (" || ", false),
            _ => ("", true),
        };
        let bracketed = |part: &Condition| match part.parts.is_empty() {
            false if !is_not || part.parts.len() > 1 => format!("({})", part.shown),
            _ => part.shown.clone(),
        };
        let all: Vec<String> = parts.iter().map(bracketed).collect();
        if is_not { format!("!{}", all.join("")) } else { all.join(between) }
    }

    /// What is no `&&` and no `||`, with its values.
    fn leaf(&self, expression: &Expression, node: Option<&Evaluated>, text: &str, reads: &[Read]) -> String {
        match &expression.code {
            Code::Compare(operator, both) => {
                let [left, right] = &**both;
                let (a, b) = self.operands(left, right, node);
                format!("{a} {} {b}", operator.symbol())
            }
            Code::In(both) => {
                let [item, list] = &**both;
                let (item, _) = self.operands(item, list, node);
                format!("{item} in {}", self.written(list))
            }
            Code::InList { item, list } => {
                let (item, _) = self.operands(item, item, node);
                let name = self.flow.lists.get(usize::from(*list)).map_or("", |(name, _)| name);
                format!("{item} in {name}")
            }
            Code::Input(_) | Code::Feature(_) | Code::Local(_) => text.to_owned(),
            _ => {
                let with: Vec<String> = reads.iter().map(Read::shown).filter(|read| read != text).collect();
                if with.is_empty() { text.to_owned() } else { format!("{text} ({})", with.join(", ")) }
            }
        }
    }

    /// Both sides of an operator, each with its value behind it unless it is one.
    fn operands(&self, left: &Expression, right: &Expression, node: Option<&Evaluated>) -> (String, String) {
        let value = |side: &Expression| self.value(side, node.and_then(|node| node.of(side)));
        let (a, b) = (value(left), value(right));
        let (a_shown, b_shown) = match (&a, &b) {
            (Some(Shown::Value(a)), Some(Shown::Value(b))) => {
                let (a, b) = sides(a, b);
                (Some(a), Some(b))
            }
            (a, b) => (a.as_ref().map(Shown::text), b.as_ref().map(Shown::text)),
        };
        (named(&self.written(left), a_shown), named(&self.written(right), b_shown))
    }

    /// Everything by a name that an expression read, and thresholds.
    pub fn reads(&self, expression: &Expression, node: Option<&Evaluated>, found: &mut Vec<Read>) {
        let is_constant = matches!(expression.code, Code::Constant(_) | Code::Literal { .. });
        let is_read = match &expression.code {
            Code::Input(_)
            | Code::Feature(_)
            | Code::Local(_)
            | Code::Named { .. }
            | Code::Today
            | Code::DecidedAt => true,
            Code::Property { .. } => true,
            Code::Constant(_) | Code::Literal { .. } => !is_literal(&self.written(expression)),
            _ => false,
        };
        if !is_read && !is_constant {
            for child in expression.children() {
                self.reads(child, node.and_then(|node| node.of(child)), found);
            }
            return;
        }
        let name = self.written(expression);
        let is_known = name.is_empty() || found.iter().any(|read| *read.name == *name);
        if let Some(value) = self.value(expression, node).filter(|_| is_read && !is_known) {
            found.push(Read { name: Name::from(name), value });
        }
    }
}

fn named(text: &str, value: Option<String>) -> String {
    match value {
        Some(value) if !is_literal(text) && value != text => format!("{text} {value}"),
        _ => text.to_owned(),
    }
}

impl Shown {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Value(value) => shown(value),
            Self::Hidden => MASK.to_owned(),
        }
    }
}

impl Read {
    /// `burden 0.52`
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} {}", self.name, self.value.text())
    }
}
