//! What there is to be reached in a flow's conditions and script: parts of conditions, branches, loops, statements,
//! look-ups, each at its site. Coverage counts them. Absent on purpose: rules, rows and bins, which have a trace of
//! their own.

use super::Flow;
use super::watch::Site;
use crate::domain::expression::{Code, Expression};
use crate::domain::place::Span;

/// One thing that an evaluation may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub site: Site,
    /// Counts from the beginning of the site's text.
    pub span: Span,
    pub kind: PartKind,
}

/// What a part is, and by that what there is to see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// One side of `&&` or `||`: to be seen true and false.
    Condition,
    /// The condition of `if` or `while`: to be seen true and false.
    Branch,
    /// What an arm of `switch` gives.
    Arm,
    /// The body of a loop.
    Loop,
    /// `return`
    Return,
    /// A verb or `.apply()`.
    Record,
    /// Any other statement.
    Statement,
    /// `x in NAME` of a list, by the list's position.
    LookUp(u16),
}

impl Flow {
    /// All parts, in the order of the texts; a function that is called with several types has its parts more than once.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let mut all = Vec::new();
        for (at, feature) in self.features.iter().enumerate() {
            Finder { site: Site::Feature(position(at)), found: &mut all }.value(&feature.formula);
        }
        for (set, rules) in self.rule_sets.iter().enumerate() {
            for (rule, of) in rules.rules.iter().enumerate() {
                let site = Site::Rule { set: position(set), rule: position(rule) };
                Finder { site, found: &mut all }.value(&of.condition);
            }
        }
        for (at, function) in self.script.functions.iter().enumerate() {
            Finder { site: Site::Function(position(at)), found: &mut all }.statement(&function.body);
        }
        Finder { site: Site::Script, found: &mut all }.statement(&self.script.body);
        all
    }

    /// The name of a function, and whether it stands in `rules/_shared/`.
    #[must_use]
    pub fn function(&self, at: u16) -> Option<(&str, bool)> {
        let function = self.script.functions.get(usize::from(at))?;
        Some((&function.name, function.is_shared))
    }

    /// Whether its script asks which rows of a table answered.
    #[must_use]
    pub fn reads_rows(&self) -> bool {
        let mut found = false;
        let mut look = |expression: &Expression| {
            found |= matches!(&expression.code, Code::Property { name, .. } if &**name == "rows");
        };
        self.script.body.each(&mut look);
        self.script.functions.iter().for_each(|function| function.body.each(&mut look));
        found
    }
}

fn position(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

struct Finder<'f> {
    site: Site,
    found: &'f mut Vec<Part>,
}

impl Finder<'_> {
    fn add(&mut self, of: &Expression, kind: PartKind) {
        self.found.push(Part { site: self.site, span: of.span, kind });
    }

    fn statement(&mut self, statement: &Expression) {
        match &statement.code {
            Code::Block(body) => body.iter().for_each(|one| self.statement(one)),
            Code::Nothing => {}
            Code::Verb { .. } | Code::Apply(_) => {
                self.add(statement, PartKind::Record);
                self.value(statement);
            }
            Code::Return(_) => {
                self.add(statement, PartKind::Return);
                self.value(statement);
            }
            Code::If { .. } | Code::Switch { .. } | Code::While { .. } | Code::For { .. } => {
                self.control(statement);
            }
            _ => {
                self.add(statement, PartKind::Statement);
                self.value(statement);
            }
        }
    }

    fn control(&mut self, of: &Expression) {
        match &of.code {
            Code::If { condition, then, otherwise } => {
                self.branch(condition);
                self.statement(then);
                self.statement(otherwise);
            }
            Code::Switch { on, arms } => {
                self.value(on);
                for arm in arms {
                    if let Some(condition) = &arm.condition {
                        self.branch(condition);
                    }
                    self.add(&arm.value, PartKind::Arm);
                    self.inner(&arm.value);
                }
            }
            Code::While { condition, body } => {
                if let Some(condition) = condition {
                    self.branch(condition);
                }
                self.add(body, PartKind::Loop);
                self.statement(body);
            }
            Code::For { over, body, .. } => {
                self.value(over);
                self.add(body, PartKind::Loop);
                self.statement(body);
            }
            _ => {}
        }
    }

    /// What stands in an arm that was noted itself.
    fn inner(&mut self, of: &Expression) {
        match &of.code {
            Code::Block(_) | Code::If { .. } | Code::Switch { .. } => self.statement(of),
            _ => self.value(of),
        }
    }

    /// The condition of a branch; a constant one cannot come out otherwise.
    fn branch(&mut self, condition: &Expression) {
        if !matches!(condition.code, Code::Constant(_)) {
            self.add(condition, PartKind::Branch);
        }
        self.value(condition);
    }

    fn value(&mut self, of: &Expression) {
        match &of.code {
            Code::And(parts) | Code::Or(parts) => {
                for part in parts {
                    let is_joined = matches!(part.code, Code::And(_) | Code::Or(_) | Code::Constant(_));
                    // A look-up is counted as what it is.
                    if !is_joined && !matches!(part.code, Code::InList { .. }) {
                        self.add(part, PartKind::Condition);
                    }
                    self.value(part);
                }
            }
            Code::InList { list, item } => {
                self.add(of, PartKind::LookUp(*list));
                self.value(item);
            }
            Code::If { .. } | Code::Switch { .. } | Code::While { .. } | Code::For { .. } => self.control(of),
            Code::Block(_) => self.statement(of),
            _ => of.children().into_iter().for_each(|below| self.value(below)),
        }
    }
}
