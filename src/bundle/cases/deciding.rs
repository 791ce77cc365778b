//! What decided a case that does not hold: who recorded the outcome that won, under which conditions, and what those
//! read; why a reason that was expected was not given. In an analyst's words, with places. A whole account of a
//! decision is not told here.

use std::cell::{Cell, RefCell};

use super::Expectation;
use super::compare::shown;
use crate::documents::Source;
use crate::domain::declaration::FlowDeclaration;
use crate::domain::expression::{Code, Expression};
use crate::domain::facts::Facts;
use crate::domain::flow::Flow;
use crate::domain::flow::watch::{Gave, Seen, Site, Watch};
use crate::domain::place::{Place, Span};
use crate::domain::table::Source as ColumnSource;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{FeatureState, RecordedBy, RuleResult, Step, Verdict};

/// One line each; what belongs to a line stands indented behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deciding {
    pub lines: Vec<String>,
}

/// Looks on while a case is decided.
pub(super) struct Looker<'a> {
    declaration: &'a FlowDeclaration,
    sources: &'a [Source],
    /// How many flows deep: of another flow only what it decided is told.
    depth: Cell<usize>,
    seen: RefCell<Vec<Noted>>,
}

/// Something that was evaluated.
struct Noted {
    site: Site,
    span: Span,
    what: What,
}

enum What {
    /// A name, or a field of one, and its value.
    Read(String),
    Truth(bool),
    If {
        condition: Span,
        then: Span,
        otherwise: Span,
    },
    Verb,
}

impl Watch for Looker<'_> {
    fn seen(&self, seen: Seen<'_>) {
        if self.depth.get() > 0 {
            return;
        }
        let Seen { site, expression: Expression { span, code }, gave, .. } = seen;
        let what = match (code, gave) {
            (Code::If { condition, then, otherwise }, _) => {
                What::If { condition: condition.span, then: then.span, otherwise: otherwise.span }
            }
            (Code::Verb { .. }, _) => What::Verb,
            (_, Gave::Value(Value::Boolean(truth))) if !is_name(code) => What::Truth(*truth),
            (_, Gave::Value(Value::Step(_))) => return,
            (code, Gave::Value(value)) if is_name(code) => What::Read(shown(value)),
            (code, Gave::Failed(why)) if is_name(code) => What::Read(format!("failed ({why})")),
            _ => return,
        };
        self.seen.borrow_mut().push(Noted { site, span: *span, what });
    }

    fn enter(&self, _: &Name) {
        self.depth.set(self.depth.get() + 1);
    }

    fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }
}

/// Whether a node is something that an analyst has a name for. Thresholds are constants here; what is no name is
/// sorted out by its text.
fn is_name(code: &Code) -> bool {
    matches!(
        code,
        Code::Input(_)
            | Code::Feature(_)
            | Code::Local(_)
            | Code::Named { .. }
            | Code::Property { .. }
            | Code::Constant(_)
            | Code::Literal { .. }
            | Code::Today
            | Code::DecidedAt
    )
}

impl<'a> Looker<'a> {
    pub(super) fn new(declaration: &'a FlowDeclaration, sources: &'a [Source]) -> Self {
        Self { declaration, sources, depth: Cell::new(0), seen: RefCell::new(Vec::new()) }
    }

    /// Who recorded the outcome that won, what carried and scored what was expected otherwise, and why an expected
    /// reason is not there.
    pub(super) fn told(
        &self,
        flow: &Flow,
        facts: &Facts,
        verdict: &Verdict,
        expect: &Expectation,
    ) -> Deciding {
        let mut told = Told { looker: self, flow, facts, verdict, lines: Vec::new() };
        if verdict.needs.is_empty() {
            told.winners();
        }
        for (name, _) in &expect.output {
            told.who_gave(name);
        }
        for (name, _) in &expect.scores {
            told.bins(name);
        }
        let expected = expect.reasons.iter().chain(&expect.reasons_include).flatten();
        for reason in expected.filter(|reason| !verdict.reasons.iter().any(|got| **got == ***reason)) {
            told.why_not(reason);
        }
        Deciding { lines: told.lines }
    }

    fn text(&self, site: Site) -> &str {
        let text = match site {
            Site::Script | Site::Function(_) => Some(&self.declaration.script.value),
            Site::Feature(at) => {
                self.declaration.features.get(usize::from(at)).map(|feature| &feature.formula.value)
            }
            Site::Rule { set, rule } => self
                .declaration
                .rule_sets
                .get(usize::from(set))
                .and_then(|set| set.rules.get(usize::from(rule)))
                .map(|rule| &rule.when.value),
        };
        text.map(String::as_str).unwrap_or_default()
    }

    fn part(&self, site: Site, span: Span) -> &str {
        let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        self.text(site).get(at(span.start)..at(span.end)).unwrap_or_default()
    }

    /// `age = 17, min_age = 18`: what was read within a span, the longest names only, each once.
    fn reads(&self, site: Site, within: Span) -> String {
        let seen = self.seen.borrow();
        let mut reads: Vec<(Span, &str, &str)> = Vec::new();
        for noted in seen.iter().filter(|noted| noted.site == site && holds(within, noted.span)) {
            let What::Read(value) = &noted.what else { continue };
            let text = self.part(site, noted.span);
            let is_written_name = text.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && !matches!(text, "true" | "false")
                && text.chars().all(|c| c.is_alphanumeric() || "_. ".contains(c));
            if is_written_name {
                reads.retain(|(span, known, _)| !holds(noted.span, *span) && *known != text);
                reads.push((noted.span, text, value));
            }
        }
        reads.sort_by_key(|(span, ..)| span.start);
        reads.iter().map(|(_, text, value)| format!("{text} = {value}")).collect::<Vec<_>>().join(", ")
    }

    /// `` `age < min_age` (age = 17, min_age = 18) ``
    fn condition(&self, site: Site, span: Span) -> String {
        let text = self.part(site, span).split_whitespace().collect::<Vec<_>>().join(" ");
        match self.reads(site, span) {
            reads if reads.is_empty() => format!("`{text}`"),
            reads => format!("`{text}` ({reads})"),
        }
    }

    fn truth(&self, site: Site, span: Span) -> Option<bool> {
        self.seen.borrow().iter().rev().find_map(|noted| match noted.what {
            What::Truth(truth) if noted.site == site && noted.span == span => Some(truth),
            _ => None,
        })
    }

    fn place(&self, place: Place) -> String {
        let source = usize::try_from(place.file).ok().and_then(|at| self.sources.get(at));
        source.map_or_else(String::new, |source| {
            format!("{}:{}", source.path, source.position(place.span.start).line)
        })
    }

    fn script_line(&self, span: Span) -> u32 {
        let end = usize::try_from(span.start).unwrap_or(usize::MAX);
        let before = self.declaration.script.value.get(..end).unwrap_or_default();
        u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The account as it grows.
struct Told<'t> {
    looker: &'t Looker<'t>,
    flow: &'t Flow,
    facts: &'t Facts,
    verdict: &'t Verdict,
    lines: Vec<String>,
}

impl Told<'_> {
    fn say(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    fn winners(&mut self) {
        let verdict = self.verdict;
        for step in &verdict.trace {
            let Step::Record { outcome, reasons, by, line, .. } = step else { continue };
            if *outcome != verdict.outcome {
                continue;
            }
            let reasons: Vec<&str> = reasons.iter().map(AsRef::as_ref).collect();
            let why = if reasons.is_empty() { String::new() } else { format!(" for {}", reasons.join(", ")) };
            let what = format!("`{outcome}`{why}");
            match by {
                RecordedBy::Rule { rule_set, rule } => self.rule(rule_set, rule, "hit", &what),
                RecordedBy::Row { table, row } => self.row(table, *row, &what),
                RecordedBy::Verb => self.verb(*line, &what),
                // That another flow found nothing decides nothing.
                RecordedBy::SubFlow(_) if self.flow.outcomes.first() == Some(outcome) => {}
                RecordedBy::SubFlow(name) => self.sub_flow(name, &what),
                RecordedBy::OnError => self.say(format!("`on_error` recorded {what}, because a step failed")),
                RecordedBy::IfItFails(model) => {
                    self.say(format!("`if_it_fails` of the model `{model}` recorded {what}"));
                }
                RecordedBy::OnInvalid => {
                    self.say(format!("`on_invalid` recorded {what}: a fact is out of its range"));
                }
            }
        }
    }

    fn rule(&mut self, set: &str, rule: &str, result: &str, recorded: &str) {
        let sets = &self.looker.declaration.rule_sets;
        let Some(found) = sets.iter().position(|known| known.name.value == set) else { return };
        let rules = sets.get(found).map(|set| set.rules.as_slice()).unwrap_or_default();
        let Some((at, declared)) = rules.iter().enumerate().find(|(_, known)| known.id.value == rule) else {
            return;
        };
        let site = Site::Rule {
            set: u16::try_from(found).unwrap_or(u16::MAX),
            rule: u16::try_from(at).unwrap_or(u16::MAX),
        };
        let place = self.looker.place(declared.id.place);
        let recorded = if recorded.is_empty() { String::new() } else { format!(" and recorded {recorded}") };
        self.say(format!("rule `{rule}` in {set} {result}{recorded}  ({place})"));
        let whole = Span::new(0, declared.when.value.len());
        self.say(format!("  {}", self.looker.condition(site, whole)));
        self.features(site, whole);
    }

    /// The features that a condition read, each with its formula.
    fn features(&mut self, site: Site, within: Span) {
        let text = self.looker.part(site, within).to_owned();
        let names: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for (at, feature) in self.flow.features.iter().enumerate() {
            let Some(FeatureState::Value(value)) = self.verdict.features.get(at).map(|(_, state)| state)
            else {
                continue;
            };
            if names.contains(&&*feature.name) {
                let site = Site::Feature(u16::try_from(at).unwrap_or(u16::MAX));
                let whole = Span::new(0, self.looker.text(site).len());
                let formula = self.looker.condition(site, whole);
                self.say(format!("  {} = {}, from {formula}", feature.name, shown(value)));
            }
        }
    }

    fn verb(&mut self, line: u32, recorded: &str) {
        let looker = self.looker;
        let script = looker.place(looker.declaration.script.place);
        let file = script.rsplit_once(':').map_or("flow.rhai", |(path, _)| path);
        self.say(format!("the script recorded {recorded}  ({file}:{line})"));
        let seen = looker.seen.borrow();
        let verb = seen
            .iter()
            .rev()
            .find(|noted| matches!(noted.what, What::Verb) && looker.script_line(noted.span) == line);
        let Some(verb) = verb else { return };
        let mut because = Vec::new();
        for noted in seen.iter().filter(|noted| noted.site == verb.site) {
            let What::If { condition, then, otherwise } = noted.what else { continue };
            let is_then = holds(then, verb.span);
            if is_then || holds(otherwise, verb.span) && otherwise.start > condition.start {
                let truth = looker.truth(noted.site, condition).unwrap_or(is_then);
                let not = if truth { "" } else { "not " };
                because.push((noted.site, condition, not));
            }
        }
        drop(seen);
        because.sort_by_key(|(_, condition, _)| condition.start);
        for (site, condition, not) in because {
            self.say(format!("  because {not}{}", looker.condition(site, condition)));
            self.features(site, condition);
        }
    }

    fn sub_flow(&mut self, name: &Name, recorded: &str) {
        self.say(format!("the flow `{name}` decided {recorded}"));
        for step in &self.verdict.trace {
            let Step::SubFlow { name: asked, trace, .. } = step else { continue };
            if asked != name {
                continue;
            }
            for inner in trace {
                let Step::Rules { name: set, rules, .. } = inner else { continue };
                let hits: Vec<String> = rules.hits().map(|rule| format!("`{}`", rule.id)).collect();
                if !hits.is_empty() {
                    self.say(format!("  its rules that hit in {set}: {}", hits.join(", ")));
                }
            }
        }
    }

    /// What a row asked, and what it met where that is known.
    fn row(&mut self, table: &str, number: u32, recorded: &str) {
        let tables = &self.looker.declaration.tables;
        let (Some(declared), Some(compiled)) = (
            tables.iter().find(|known| known.name.value == table),
            self.flow.tables.iter().find(|known| *known.name == *table),
        ) else {
            return;
        };
        let Some(row) = declared.rows.iter().find(|row| row.number == number) else { return };
        let place = row.cells.first().map(|cell| self.looker.place(cell.place)).unwrap_or_default();
        let recorded = if recorded.is_empty() { "answered" } else { recorded };
        let verb = if recorded == "answered" { "" } else { "recorded " };
        self.say(format!("row {number} of table `{table}` {verb}{recorded}  ({place})"));
        let asked = declared.columns.iter().zip(&row.cells).filter(|(column, _)| !column.is_output);
        let mut cells = Vec::new();
        for ((column, cell), known) in asked.zip(&compiled.columns) {
            let value = match known.source {
                ColumnSource::Input(at) => self.facts.values.get(usize::from(at)).map(shown),
                ColumnSource::Feature(at) => match self.verdict.features.get(usize::from(at)) {
                    Some((_, FeatureState::Value(value))) => Some(shown(value)),
                    _ => None,
                },
                ColumnSource::Taken(_) => None,
            };
            let is = value.map_or_else(String::new, |value| format!(" = {value}"));
            cells.push(format!("{}{is} fits `{}`", column.name.value, cell.value));
        }
        self.say(format!("  {}", cells.join(", ")));
    }

    /// The rows that gave a value of this name.
    fn who_gave(&mut self, output: &str) {
        for step in &self.verdict.trace {
            let Step::Table { name, rows, output: gave, .. } = step else { continue };
            if gave.iter().any(|(given, _)| **given == *output) {
                for row in rows {
                    self.row(name, *row, "");
                }
            }
        }
    }

    fn bins(&mut self, card: &str) {
        for step in &self.verdict.trace {
            let Step::Scorecard { name, points, bins } = step else { continue };
            if **name != *card {
                continue;
            }
            self.say(format!("scorecard `{card}` added up to {points}"));
            for bin in bins {
                let place = self.flow.scorecards.iter().find(|known| known.name == *name).and_then(|card| {
                    let of = card.characteristics.iter().find(|of| of.name == bin.characteristic)?;
                    of.bins.get(usize::try_from(bin.bin).ok()?.checked_sub(1)?)
                });
                let place = place.map(|bin| self.looker.place(bin.place)).unwrap_or_default();
                self.say(format!("  {}: {} points  ({place})", bin.characteristic, bin.points));
            }
        }
    }

    /// The rules that give a reason, and how they came out.
    fn why_not(&mut self, reason: &str) {
        let flow = self.flow;
        let giving = flow.rule_sets.iter().flat_map(|set| {
            let gives = move |rule: &&crate::domain::flow::Rule| {
                rule.reason.as_ref().is_some_and(|given| **given == *reason)
            };
            set.rules.iter().filter(gives).map(move |rule| (set, rule))
        });
        for (set, rule) in giving {
            let result = self.verdict.trace.iter().find_map(|step| match step {
                Step::Rules { name, rules, .. } if *name == set.name => {
                    Some(rules.iter().find(|(label, _)| label.id == rule.id).map(|(_, result)| result))
                }
                _ => None,
            });
            let how = match result {
                Some(Some(RuleResult::Miss)) => "missed",
                Some(Some(RuleResult::Failed)) => "failed",
                Some(Some(RuleResult::Hit)) => "hit, and something stricter was recorded",
                Some(None) | None => "was not reached",
            };
            self.rule(&set.name, &rule.id, &format!("gives {reason}, and {how}"), "");
        }
    }
}
