//! Calls of steps: rule sets, scorecards and tables, what is handed over to them, and what a table gives.

use super::compile::{Compiler, Typing, article};
use super::typed::{Static, Typed};
use super::{Code, Expression, literals, meant};
use crate::domain::nearest::nearest;
use crate::domain::place::Span;
use crate::domain::script::syntax::{self, Node, Syntax};
use crate::domain::value::{Kind, Name};

/// A step as a call names it.
struct Called<'a> {
    /// `rules`
    word: &'static str,
    /// `rule set`
    kind: &'static str,
    name: &'a Name,
}

/// What a step takes. A kind that no document says is what the calls hand over.
type Takes = [(Name, Option<Kind>)];

impl Compiler<'_> {
    /// The literal name in `rules("knockout")`, found among `names` or reported.
    pub(super) fn step_name(
        &mut self,
        word: &str,
        kind: &str,
        code: &'static str,
        arguments: &[Syntax],
        span: Span,
        names: &[Name],
    ) -> Option<u16> {
        let Some(Syntax { node: Node::Text(wanted), span: at }) = arguments.first() else {
            self.error("T002", span, format!("`{word}` takes the name of a {kind} in quotes")).help =
                Some(format!("write `{word}(\"…\")`"));
            return None;
        };
        let found = names.iter().position(|n| **n == **wanted);
        if found.is_none() {
            let near = nearest(wanted, names.iter().map(|n| &**n));
            let help = meant::step(word, wanted, self.scope).unwrap_or_else(|| {
                near.map_or_else(
                    || format!("this flow has {}", super::calls::listed(names)),
                    |near| format!("did you mean `\"{near}\"`?"),
                )
            });
            self.error(code, *at, format!("this flow has no {kind} `{wanted}`")).help = Some(help);
        }
        found.and_then(|at| u16::try_from(at).ok())
    }

    pub(super) fn rule_set(&mut self, arguments: &[Syntax], span: Span) -> Typing {
        let names: Vec<Name> = self.scope.rule_sets.iter().map(|r| r.name.clone()).collect();
        let Some(index) = self.step_name("rules", "rule set", "T010", arguments, span, &names) else {
            return Self::broken(span);
        };
        let Some(set) = self.scope.rule_sets.get(usize::from(index)) else { return Self::broken(span) };
        self.usage.rule_sets.insert(set.name.clone());
        let takes = declared(&set.takes);
        let called = Called { word: "rules", kind: "rule set", name: &set.name };
        let takes = self.handed_over(&called, &takes, arguments, span);
        (Expression { span, code: Code::RuleSet { index, takes } }, Static::given(Typed::RuleSet))
    }

    pub(super) fn scorecard(&mut self, arguments: &[Syntax], span: Span) -> Typing {
        let names: Vec<Name> = self.scope.scorecards.iter().map(|s| s.name.clone()).collect();
        let Some(index) = self.step_name("scorecard", "scorecard", "T041", arguments, span, &names) else {
            return Self::broken(span);
        };
        let Some(card) = self.scope.scorecards.get(usize::from(index)) else { return Self::broken(span) };
        self.usage.scorecards.insert(card.name.clone());
        let takes = declared(&card.takes);
        let called = Called { word: "scorecard", kind: "scorecard", name: &card.name };
        let takes = self.handed_over(&called, &takes, arguments, span);
        (Expression { span, code: Code::Scorecard { index, takes } }, Static::given(Typed::Scorecard(index)))
    }

    pub(super) fn table(&mut self, arguments: &[Syntax], span: Span) -> Typing {
        let names: Vec<Name> = self.scope.tables.iter().map(|t| t.name.clone()).collect();
        let Some(index) = self.step_name("table", "table", "T040", arguments, span, &names) else {
            return Self::broken(span);
        };
        let Some(table) = self.scope.tables.get(usize::from(index)) else { return Self::broken(span) };
        self.usage.tables.insert(table.name.clone());
        if table.outputs.is_empty() {
            return Self::broken(span);
        }
        let called = Called { word: "table", kind: "table", name: &table.name };
        let takes = self.handed_over(&called, &table.takes, arguments, span);
        (Expression { span, code: Code::Table { index, takes } }, Static::given(Typed::Table(index)))
    }

    /// What `.name` of a table's result is, or the names that it has.
    pub(super) fn table_given(&self, at: u16, name: &str) -> Result<Static, Vec<String>> {
        let Some(table) = self.scope.tables.get(usize::from(at)) else { return Err(Vec::new()) };
        let found = table.outputs.iter().find(|(given, _)| **given == *name);
        found
            .map(|(_, known)| known.clone())
            .ok_or_else(|| table.outputs.iter().map(|(given, _)| given.to_string()).collect())
    }

    /// `.apply()` needs a result that has something to record.
    pub(super) fn check_applied(&mut self, typed: &Typed, span: Span) {
        match typed {
            Typed::RuleSet | Typed::Any => {}
            Typed::SubFlow(at) => self.applied_sub_flow(*at, span),
            Typed::Table(at) => {
                let table = self.scope.tables.get(usize::from(*at));
                if let Some(table) = table.filter(|table| !table.has_outcome) {
                    let message = format!("the table `{}` has nothing to record", table.name);
                    self.error("T012", span, message).help =
                        Some("add a column `-> outcome`, or read what it gives".to_owned());
                }
            }
            other => {
                let message = format!("{} cannot be applied", article(other.word()));
                self.error("T012", span, message).help = Some(
                    "only the result of `rules(\"…\")`, `flow(\"…\")` or a table with `-> outcome` can"
                        .to_owned(),
                );
            }
        }
    }

    /// The second argument of a step: every value that it takes, in its type, and no other.
    fn handed_over(
        &mut self,
        called: &Called<'_>,
        takes: &Takes,
        arguments: &[Syntax],
        span: Span,
    ) -> Box<[(u16, Expression)]> {
        let Called { word, kind, name: step } = called;
        let handed: &[(syntax::Word, Syntax)] = match arguments.get(1..).unwrap_or_default() {
            [] => &[],
            [Syntax { node: Node::Map(entries), .. }] => entries,
            [other, ..] => {
                let message = format!("`{word}` takes a name and a map of what is handed over");
                self.error("T002", other.span, message).help =
                    Some(format!("write `{word}(\"name\", #{{ risk: risk }})`"));
                &[]
            }
        };
        let mut compiled = Vec::new();
        for (name, value) in handed {
            let (mut code, known) = self.given(value);
            let Some(at) = takes.iter().position(|(n, _)| **n == *name.text) else {
                let help = nearest(&name.text, takes.iter().map(|(n, _)| &**n))
                    .map(|n| format!("did you mean `{n}`?"));
                self.error("T018", name.span, format!("the {kind} `{step}` takes no `{}`", name.text)).help =
                    help;
                continue;
            };
            match takes.get(at) {
                Some((_, Some(taken))) => {
                    literals::exact_for(&mut code, &known.typed, Some(taken));
                    if !known.typed.fits(taken) {
                        let (taken, found) = (article(taken.word()), article(known.typed.word()));
                        let message = format!("`{}` is {taken}, not {found}", name.text);
                        self.error("T003", value.span, message);
                    }
                }
                Some((taken, None)) => {
                    let handed = ((*step).clone(), taken.clone(), known.typed.settled());
                    self.usage.handed.push(handed);
                }
                None => {}
            }
            compiled.push((u16::try_from(at).unwrap_or(u16::MAX), code));
        }
        for (name, _) in takes.iter().filter(|(n, _)| !handed.iter().any(|(w, _)| *w.text == **n)) {
            let scope = self.scope;
            let readable = scope.inputs.iter().chain(&scope.features).map(|(n, _)| &**n);
            let near = (*kind == "table").then(|| nearest(name, readable)).flatten();
            let help = match near {
                Some(near) => format!(
                    "is `{near}` meant in the header of `{step}`? Else write `{word}(\"{step}\", #{{ {name}: … }})`"
                ),
                None => format!("write `{word}(\"{step}\", #{{ {name}: … }})`"),
            };
            self.error("T018", span, format!("the {kind} `{step}` needs `{name}`")).help = Some(help);
        }
        compiled.into()
    }
}

fn declared(takes: &[(Name, Kind)]) -> Vec<(Name, Option<Kind>)> {
    takes.iter().map(|(name, kind)| (name.clone(), Some(kind.clone()))).collect()
}
