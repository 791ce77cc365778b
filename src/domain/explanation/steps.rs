//! What each step of a trace says of itself, with what it was evaluated from.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::Where;
use super::drawn_up::{Flowing, Teller};
use super::evaluated::Evaluated;
use super::words::{asked, shown};
use super::{
    CharacteristicTold, Condition, ContributionsTold, ModelTold, Read, RecordTold, RowMissed, RuleTold,
    Shown, Told, Truth,
};
use crate::domain::expression::predicate::Source as ModelSource;
use crate::domain::expression::{Code, Expression};
use crate::domain::flow::ModelUse;
use crate::domain::flow::watch::Site;
use crate::domain::table::{Row, Source, Table, Test};
use crate::domain::value::{Kind, Name, Value};
use crate::domain::verdict::{BinTrace, RuleResult, Step};

/// Rows that did not answer that are told of one table.
const MOST_ROWS: usize = 3;

/// An expression, and what came of it.
pub(super) type By<'f, 'n> = Option<(&'f Expression, &'n Evaluated)>;

impl<'f> Teller<'f> {
    pub(super) fn step(&mut self, step: &'f Step, by: By<'f, '_>) {
        let told = match step {
            Step::Feature { name, value, reads } => self.feature(name, value.as_ref(), reads),
            Step::Rules { name, rules, points } => self.rules(name, &rules.results, *points, by),
            Step::Model { name, .. } => {
                let Some(used) = self.on.flow.models.iter().find(|used| used.name == *name) else { return };
                Some(Told::Model(self.model(used, step)))
            }
            Step::Scorecard { name, points, bins } => self.scorecard(name, *points, bins, by),
            Step::Table { name, rows, output, .. } => self.table(name, rows, output, by),
            Step::List { name, is_listed, .. } => {
                let value = by.and_then(|(expression, node)| self.looked_up(expression, node));
                let value = value.unwrap_or(Shown::Hidden);
                Some(Told::List { name: name.clone(), value, is_listed: *is_listed })
            }
            Step::SubFlow { name, outcome, reasons, degraded, trace } => {
                let steps = self.sub_flow(name, (trace, outcome), by);
                let (name, outcome, reasons) = (name.clone(), outcome.clone(), reasons.clone());
                Some(Told::SubFlow { name, outcome, reasons, degraded: *degraded, steps })
            }
            Step::Need { asked, answer } => {
                let is_hidden = self.hidden.holds(&asked.name);
                let seen =
                    |value: &Value| if is_hidden { Shown::Hidden } else { Shown::Value(value.clone()) };
                let (with, answer) = (seen(&asked.with), answer.as_ref().map(seen));
                Some(Told::Need { name: asked.name.clone(), with, answer })
            }
            Step::Record { outcome, reasons, output, by: recorded_by, line } => {
                let output = output.iter().map(|(name, value)| read(name, value));
                let told = RecordTold {
                    outcome: outcome.clone(),
                    reasons: reasons.clone(),
                    output: output.collect(),
                    by: recorded_by.clone(),
                    line: *line,
                    counts: outcome == self.outcome,
                };
                self.obstacle(&told, by);
                Some(Told::Record(told))
            }
            Step::Gathered(answer) => Some(Told::Gathered(answer.clone())),
            Step::Failed(failure) => Some(Told::Failed(failure.clone())),
        };
        if let Some(told) = told {
            self.add(told);
        }
    }

    fn feature(&mut self, name: &Name, value: Option<&Value>, reads: &[Name]) -> Option<Told> {
        let feature = self.on.flow.features.iter().find(|feature| feature.name == *name)?;
        if let Some(value) = value {
            self.features.insert(name.clone(), value.clone());
        }
        let is_hidden = self.hidden.holds(name);
        let reads = reads.iter().filter_map(|name| self.named(name)).collect();
        let formula = feature.written.split_whitespace().collect::<Vec<_>>().join(" ");
        let value = value.map(|value| if is_hidden { Shown::Hidden } else { Shown::Value(value.clone()) });
        Some(Told::Feature { name: name.clone(), formula, reads, value })
    }

    /// An input, a feature or a threshold by its name.
    fn named(&self, name: &Name) -> Option<Read> {
        use crate::domain::expression::scope::Threshold;
        let flow = self.on.flow;
        let input = || {
            let at = flow.inputs.iter().position(|input| input.name == *name)?;
            self.on.values.get(at).cloned()
        };
        let threshold = || {
            flow.thresholds.iter().find(|(known, _)| known == name).map(|(_, threshold)| match threshold {
                Threshold::Value(value) => value.clone(),
                Threshold::Literal { decimal, .. } => Value::Decimal(*decimal),
            })
        };
        let value = self.features.get(name).cloned().or_else(input).or_else(threshold)?;
        let value = if self.hidden.holds(name) { Shown::Hidden } else { Shown::Value(value) };
        Some(Read { name: name.clone(), value })
    }

    fn rules(&self, name: &Name, results: &[RuleResult], points: i64, by: By<'_, '_>) -> Option<Told> {
        let at = self.on.flow.rule_sets.iter().position(|set| set.name == *name)?;
        let set = self.on.flow.rule_sets.get(at)?;
        let (expression, node) = by?;
        let Code::RuleSet { takes, .. } = &expression.code else { return None };
        let locals = self.hidden_takes(takes, node.site);
        let mut rules = Vec::with_capacity(results.len());
        let asked: BTreeMap<Site, &Evaluated> = node.below.iter().map(|below| (below.site, below)).collect();
        for (index, (rule, result)) in set.rules.iter().zip(results).enumerate() {
            let position = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
            let site = Site::Rule { set: position(at), rule: position(index) };
            let place = Where { flow: self.on.flow, hidden: &self.hidden, site, locals: &locals };
            let condition = place.condition(&rule.condition, asked.get(&site).copied());
            let outcome = rule.outcome.and_then(|at| self.on.flow.outcomes.get(usize::from(at))).cloned();
            rules.push(RuleTold {
                id: rule.id.clone(),
                result: *result,
                condition,
                outcome,
                reason: rule.reason.clone(),
                points: rule.points,
            });
        }
        let not_asked = set.rules.len().saturating_sub(rules.len());
        Some(Told::Rules { name: set.name.clone(), rules, not_asked, points })
    }

    /// Which of the values that a call hands over are hidden.
    fn hidden_takes(&self, takes: &[(u16, Expression)], site: Site) -> BTreeSet<u16> {
        let place = self.place(site);
        takes.iter().filter(|(_, value)| place.hides(value)).map(|(at, _)| *at).collect()
    }

    fn model(&self, used: &ModelUse, step: &Step) -> ModelTold {
        let Step::Model { name, model, version, score, fallback, .. } = step else {
            return ModelTold::unasked(used);
        };
        let source = |source: &ModelSource| match source {
            ModelSource::Input(at) => self.on.flow.inputs.get(usize::from(*at)).map(|input| &input.name),
            ModelSource::Feature(at) => self.on.flow.features.get(usize::from(*at)).map(|f| &f.name),
        };
        let names: Vec<&Name> = used.columns.iter().filter_map(source).collect();
        let is_pinned = self.on.pins.models.contains_key(name);
        let row: Vec<Value> = names.iter().map(|name| self.plain(name)).collect();
        let contributions = if is_pinned || *fallback { None } else { used.model.explain(&row).ok() };
        let contributions = contributions.map(|found| {
            let mut inputs: Vec<(Name, f64)> =
                names.iter().map(|name| Name::clone(name)).zip(found.inputs.iter().copied()).collect();
            inputs.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
            ContributionsTold { space: found.space, base: found.base, inputs }
        });
        ModelTold {
            reads: names.iter().filter_map(|name| self.named(name)).collect(),
            score: score.map(|score| score.rounded),
            fallback: *fallback,
            name: name.clone(),
            model: model.clone(),
            version: *version,
            is_pinned,
            contributions,
        }
    }

    fn plain(&self, name: &Name) -> Value {
        let at = self.on.flow.inputs.iter().position(|input| input.name == *name);
        let input = at.and_then(|at| self.on.values.get(at));
        input.or_else(|| self.features.get(name)).cloned().unwrap_or(Value::Missing)
    }

    /// What a column or characteristic was.
    fn source(&self, source: Source, name: &Name, by: By<'_, '_>) -> (Value, Shown) {
        let flow = self.on.flow;
        let (value, is_hidden) = match source {
            Source::Input(at) => {
                let value = self.on.values.get(usize::from(at)).cloned();
                (value, flow.inputs.get(usize::from(at)).is_some_and(|input| self.hidden.holds(&input.name)))
            }
            Source::Feature(at) => {
                let feature = flow.features.get(usize::from(at)).map(|feature| &feature.name);
                let value = feature.and_then(|name| self.features.get(name)).cloned();
                (value, feature.is_some_and(|name| self.hidden.holds(name)))
            }
            Source::Taken(at) => self.taken(at, by).unwrap_or((None, self.hidden.holds(name))),
        };
        let value = value.unwrap_or(Value::Missing);
        let shown = if is_hidden { Shown::Hidden } else { Shown::Value(value.clone()) };
        (value, shown)
    }

    fn taken(&self, at: u16, by: By<'_, '_>) -> Option<(Option<Value>, bool)> {
        let (expression, node) = by?;
        let (Code::Table { takes, .. } | Code::Scorecard { takes, .. }) = &expression.code else {
            return None;
        };
        let (_, given) = takes.iter().find(|(to, _)| *to == at)?;
        Some((node.of(given).and_then(Evaluated::value).cloned(), self.place(node.site).hides(given)))
    }

    fn scorecard(&self, name: &Name, points: i64, bins: &[BinTrace], by: By<'_, '_>) -> Option<Told> {
        let card = self.on.flow.scorecards.iter().find(|card| card.name == *name)?;
        let told = card.characteristics.iter().zip(bins).map(|(characteristic, trace)| {
            let at = usize::try_from(trace.bin).unwrap_or_default().saturating_sub(1);
            let bin = characteristic.bins.get(at).map_or_else(String::new, |bin| match &bin.test {
                Some(test) => asked(test),
                None => "otherwise".to_owned(),
            });
            CharacteristicTold {
                name: characteristic.name.clone(),
                value: self.source(characteristic.source, &characteristic.name, by).1,
                bin,
                points: trace.points,
                best: characteristic.best(),
                reason: trace.reason.clone(),
            }
        });
        let characteristics = told.collect();
        Some(Told::Scorecard { name: name.clone(), base_points: card.base_points, points, characteristics })
    }

    fn table(&self, name: &Name, rows: &[u32], output: &[(Name, Value)], by: By<'_, '_>) -> Option<Told> {
        let table = self.on.flow.tables.iter().find(|table| table.name == *name)?;
        let (mut values, mut columns) = (Vec::new(), Vec::new());
        for column in &table.columns {
            let (value, shown) = self.source(column.source, &column.name, by);
            values.push(exact(value, &column.kind));
            columns.push(Read { name: column.name.clone(), value: shown });
        }
        let missed = table.rows.iter().filter(|row| !rows.contains(&row.number));
        // Only what comes before the answer could have been it, where the first one counts.
        let until = rows.iter().min().copied().unwrap_or(u32::MAX);
        let before = missed.filter(|row| row.number < until).filter_map(|row| {
            let at = row.tests.iter().zip(&values).position(|(test, value)| !test.matches(value))?;
            let column = table.columns.get(at)?.name.clone();
            Some(RowMissed { row: row.number, column, cell: self.cell(table, row, at) })
        });
        let mut missed: Vec<RowMissed> = before.collect();
        // The last ones came nearest.
        let first = missed.len().saturating_sub(MOST_ROWS);
        missed.drain(..first);
        let is_hidden = columns.iter().any(|column| column.value == Shown::Hidden);
        let output = output.iter().map(|(name, value)| {
            let value = if is_hidden { Shown::Hidden } else { Shown::Value(value.clone()) };
            Read { name: name.clone(), value }
        });
        Some(Told::Table {
            name: name.clone(),
            columns,
            rows: rows.to_vec(),
            output: output.collect(),
            missed,
        })
    }

    /// What a cell asks: as written, and with the values of the thresholds that it names.
    fn cell(&self, table: &Table, row: &Row, at: usize) -> String {
        let Some(test) = row.tests.get(at) else { return String::new() };
        let plain = asked(test);
        let declared = self.on.declaration.and_then(|declaration| {
            let table = declaration.tables.iter().find(|declared| *declared.name.value == *table.name)?;
            let row = table.rows.iter().find(|declared| declared.number == row.number)?;
            let inputs = table.columns.iter().zip(&row.cells).filter(|(column, _)| !column.is_output);
            inputs.map(|(_, cell)| cell.value.trim()).nth(at)
        });
        match declared {
            Some(text) if self.names_a_threshold(text) => format!("{text} ({plain})"),
            _ => plain,
        }
    }

    fn names_a_threshold(&self, text: &str) -> bool {
        let is_threshold = |word: &str| self.on.flow.thresholds.iter().any(|(name, _)| **name == *word);
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(is_threshold)
    }

    /// Why a row of a table answered: each cell that asks anything.
    pub(super) fn row_conditions(&self, table: &Table, number: u32, columns: &[Read]) -> Vec<Condition> {
        let Some(row) = table.rows.iter().find(|row| row.number == number) else { return Vec::new() };
        let asks = row.tests.iter().enumerate().filter(|(_, test)| **test != Test::Any);
        let told = asks.filter_map(|(at, _)| {
            let (read, cell) = (columns.get(at)?, self.cell(table, row, at));
            Some(Condition {
                text: format!("{}: {cell}", read.name),
                shown: format!("{}: {cell}", read.shown()),
                truth: Truth::True,
                decided: true,
                reads: vec![read.clone()],
                parts: Vec::new(),
            })
        });
        told.collect()
    }

    fn looked_up(&self, expression: &Expression, node: &Evaluated) -> Option<Shown> {
        let Code::InList { item, .. } = &expression.code else { return None };
        self.place(node.site).value(item, node.of(item))
    }

    fn sub_flow(
        &mut self,
        name: &Name,
        (trace, outcome): (&'f [Step], &'f Name),
        by: By<'f, '_>,
    ) -> Vec<Told> {
        let Some(sub) = self.on.flow.sub_flows.iter().find(|sub| sub.name == *name) else {
            return Vec::new();
        };
        let Some((expression, node)) = by else { return Vec::new() };
        let (Code::SubFlow { takes, .. }, Some(level)) = (&expression.code, node.asked.first()) else {
            return Vec::new();
        };
        let handed = self.hidden_takes(takes, node.site);
        let inputs = sub.flow.inputs.iter().enumerate();
        let handed = inputs.filter(|(at, _)| u16::try_from(*at).is_ok_and(|at| handed.contains(&at)));
        let prefix = format!("{name}.");
        let own = self.hidden_below.iter().filter_map(|hidden| hidden.strip_prefix(&prefix)).map(Name::from);
        let hidden: BTreeSet<Name> = handed
            .map(|(_, input)| input.name.clone())
            .chain(self.hidden.names().cloned())
            .chain(own)
            .collect();
        let pins = self.on.pins.of_sub_flow(name);
        let on = Flowing { flow: &sub.flow, declaration: None, values: &level.values, pins: &pins };
        let mut inner = Teller::new(on, &hidden, (trace, outcome));
        inner.tell(level);
        let (steps, obstacles, left_out) = (inner.told, inner.obstacles, inner.left_out);
        self.left_out += left_out;
        self.below.push((name.clone(), outcome.clone(), obstacles));
        steps
    }
}

impl ModelTold {
    fn unasked(used: &ModelUse) -> Self {
        Self {
            name: used.name.clone(),
            model: used.model.name.clone(),
            version: used.model.version,
            score: None,
            fallback: false,
            is_pinned: false,
            reads: Vec::new(),
            contributions: None,
        }
    }
}

fn read(name: &Name, value: &Value) -> Read {
    Read { name: name.clone(), value: Shown::Value(value.clone()) }
}

/// In the column's type, as the table met it.
fn exact(value: Value, kind: &Kind) -> Value {
    match (&value, kind) {
        (Value::Integer(whole), Kind::Decimal) => Value::Decimal((*whole).into()),
        (Value::Number(_), Kind::Decimal) => shown(&value).parse().map_or(value, Value::Decimal),
        _ => value,
    }
}
