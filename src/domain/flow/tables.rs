//! Decision tables: which rows answer, and what they give. Evaluating records nothing; `.apply()` does.

use super::machine::{Fault, Machine, Outcome, Stop};
use super::table_compile::is_single;
use super::watch::{TableId, Watch};
use crate::domain::declaration::{Collected, TableHitPolicy};
use crate::domain::expression::operators;
use crate::domain::expression::words;
use crate::domain::expression::{Code, Expression};
use crate::domain::place::Span;
use crate::domain::script::limits;
use crate::domain::script::syntax::Operator;
use crate::domain::table::{Row, Source, Table};
use crate::domain::value::{Kind, Name, StepHandle, Value};
use crate::domain::verdict::{RecordedBy, Step};

/// Rows that are looked through in one tick, by the index or without it.
const ROWS_A_TICK: usize = 1_024;

/// What a table gave.
#[derive(Debug, Clone, Default)]
pub(super) struct TableResult {
    /// Places of the rows that answer, in order.
    rows: Vec<usize>,
    /// One for each of the table's outputs; empty if it failed.
    outputs: Vec<Value>,
    failed: bool,
    /// The script asked `.failed`, so it may read what there is.
    asked_failed: bool,
    table: usize,
    /// What was handed over: the same call is remembered, another one is not.
    handed: Vec<Value>,
}

/// Each result of a step is kept, so a script cannot ask for any number of them.
pub(super) fn check_results(what: &str, so_far: usize, span: Span) -> Outcome<()> {
    if so_far < limits::RULE_SET_RESULTS {
        return Ok(());
    }
    Err(Fault::new("out_of_budget", format!("{what} more than 1,000 times"), span).into())
}

impl<'a> Machine<'a> {
    /// Asks a table, once a request for the same values handed over.
    pub(super) fn table(&mut self, index: u16, takes: &'a [(u16, Expression)], span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let index = usize::from(index);
        let Some(table) = flow.tables.get(index) else { return Ok(Value::Missing) };
        let taken = table.taken().map(|column| (&column.name, &column.kind));
        let handed = self.handed(taken, takes, span)?;
        let known = self.tables.iter().position(|result| result.table == index && result.handed == handed);
        let at = match known {
            Some(at) => at,
            None => {
                check_results("steps are evaluated", self.tables.len(), span)?;
                let result = self.ask_table(index, table, handed, span)?;
                self.tables.push(result);
                self.tables.len().saturating_sub(1)
            }
        };
        Ok(Value::Step(StepHandle::Table(u16::try_from(at).unwrap_or(u16::MAX))))
    }

    /// What a call hands over, in the types that the step takes.
    pub(super) fn handed<'t>(
        &mut self,
        takes: impl Iterator<Item = (&'t Name, &'t Kind)> + Clone,
        handed: &'a [(u16, Expression)],
        span: Span,
    ) -> Outcome<Vec<Value>> {
        let mut values = vec![Value::Missing; takes.clone().count()];
        for (at, expression) in handed {
            let value = self.value(expression)?;
            let Some((name, kind)) = takes.clone().nth(usize::from(*at)) else { continue };
            let value = super::steps::coerced(value, &expression.code, kind)
                .map_err(|i| Fault::new(i.code, format!("`{name}`: {}", i.detail), span))?;
            if let Some(slot) = values.get_mut(usize::from(*at)) {
                *slot = value;
            }
        }
        Ok(values)
    }

    /// The value of a column or characteristic: there, or missing where it may be.
    pub(super) fn asked(
        &mut self,
        source: Source,
        kind: &Kind,
        handed: &[Value],
        span: Span,
    ) -> Outcome<Value> {
        let value = match source {
            Source::Input(at) => self.facts.values.get(usize::from(at)).cloned().unwrap_or(Value::Missing),
            Source::Feature(at) => self.feature(at, span)?,
            Source::Taken(at) => handed.get(usize::from(at)).cloned().unwrap_or(Value::Missing),
        };
        let fits = match (&value, kind) {
            (Value::Missing, _) | (Value::Text(_), Kind::Choice(_)) => true,
            (Value::Integer(_), Kind::Decimal | Kind::Number) => true,
            (value, kind) => value.type_word() == kind.word(),
        };
        if fits {
            return Ok(value);
        }
        let detail = format!("{} was expected, not {}", kind.word(), value.type_word());
        Err(Fault::new("wrong_type", detail, span).into())
    }

    /// A fault makes the step fail; the budget's end stops everything.
    fn ask_table(
        &mut self,
        index: usize,
        table: &'a Table,
        handed: Vec<Value>,
        span: Span,
    ) -> Outcome<TableResult> {
        for _ in 0..=table.rows.len() / ROWS_A_TICK {
            self.tick(span)?;
        }
        let mut result = TableResult { table: index, handed, ..TableResult::default() };
        if let Err(stop) = self.find_rows(table, &mut result, span) {
            self.fail(format!("table {}", table.name), stop, 0);
            result.failed = true;
        }
        let numbers = result.rows.iter().filter_map(|at| table.rows.get(*at)).map(|row| row.number);
        self.trace.push(Step::Table {
            name: table.name.clone(),
            rows: numbers.collect(),
            output: self.shown(table, &result),
            reads: table.reads.clone(),
        });
        Ok(result)
    }

    fn find_rows(&mut self, table: &'a Table, result: &mut TableResult, span: Span) -> Outcome<()> {
        let mut values = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            values.push(self.asked(column.source, &column.kind, &result.handed, span)?);
        }
        let most = match table.hit_policy {
            TableHitPolicy::First => 1,
            TableHitPolicy::Unique => 2,
            TableHitPolicy::Priority | TableHitPolicy::Collect(_) => limits::LIST_ITEMS + 1,
        };
        let mut strictest: Option<(usize, u16)> = None;
        let is_priority = table.hit_policy == TableHitPolicy::Priority;
        let found = &mut result.rows;
        let assumed = self.watch.and_then(Watch::assumed);
        table.find(&values, &mut |at, row| {
            if assumed.is_some_and(|assumed| assumed.rows.contains(&(TableId::of(table), row.number))) {
                return true;
            }
            if is_priority {
                // No outcome is milder than any.
                let rank = row.outcome.map_or(0, |outcome| outcome.saturating_add(1));
                if strictest.is_none_or(|(_, before)| rank > before) {
                    strictest = Some((at, rank));
                }
                return true;
            }
            found.push(at);
            found.len() < most
        });
        found.extend(strictest.map(|(at, _)| at));
        let fault = |code, detail: &str| Err(Fault::new(code, detail, span).into());
        match (table.hit_policy, found.len()) {
            (TableHitPolicy::Unique, 2..) => fault("several_rows", "more than one row matches"),
            (TableHitPolicy::Collect(_), more) if more > limits::LIST_ITEMS => {
                found.clear();
                fault("out_of_budget", "more than 1,000 rows match")
            }
            (TableHitPolicy::Collect(Collected::All | Collected::Sum | Collected::Count), _) | (_, 1..) => {
                result.outputs = outputs(table, &result.rows, span)?;
                Ok(())
            }
            (_, 0) => fault("no_row", "no row matches"),
        }
    }

    /// What the trace says that a table gave.
    fn shown(&self, table: &Table, result: &TableResult) -> Vec<(Name, Value)> {
        let mut shown: Vec<(Name, Value)> = table
            .outputs
            .iter()
            .zip(&result.outputs)
            .filter(|(_, value)| !matches!(value, Value::Missing))
            .map(|(output, value)| (output.name.clone(), value.clone()))
            .collect();
        if !result.failed && is_single(table.hit_policy) {
            let row = result.rows.first().and_then(|at| table.rows.get(*at));
            let outcome = row.and_then(|row| self.flow.outcomes.get(usize::from(row.outcome?)));
            shown.extend(outcome.map(|outcome| (Name::from("outcome"), Value::Text(outcome.clone()))));
            let reasons: Vec<Value> =
                row.into_iter().flat_map(|row| row.reasons.iter().cloned().map(Value::Text)).collect();
            if !reasons.is_empty() {
                shown.push((Name::from("reasons"), Value::List(reasons.into())));
            }
        }
        shown
    }

    /// `.apr`, `.rows`, … of a table. What failed can be read only after `.failed` was asked.
    pub(super) fn table_property(&mut self, result: u16, name: &Name, span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let Some(found) = self.tables.get_mut(usize::from(result)) else { return Ok(Value::Missing) };
        let Some(table) = flow.tables.get(found.table) else { return Ok(Value::Missing) };
        if &**name == "failed" {
            found.asked_failed = true;
            return Ok(Value::Boolean(found.failed));
        }
        let found = &*found;
        if found.failed && !(found.asked_failed && &**name == "rows") {
            let detail = format!("reads the result of `{}`, which failed", table.name);
            return Err(Fault::new("failed_step", detail, span).into());
        }
        let rows = || found.rows.iter().filter_map(|at| table.rows.get(*at));
        let count = |n: usize| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        Ok(match &**name {
            "rows" => Value::List(rows().map(|row| Value::Integer(row.number.into())).collect()),
            "count" => count(found.rows.len()),
            "outcome" => {
                let strictest = rows().filter_map(|row| row.outcome).max();
                let outcome = strictest.and_then(|outcome| flow.outcomes.get(usize::from(outcome)));
                outcome.map_or(Value::Missing, |outcome| Value::Text(outcome.clone()))
            }
            "reason" => ranked(rows()).first().cloned().map_or(Value::Missing, Value::Text),
            "reasons" => Value::List(ranked(rows()).into_iter().map(Value::Text).collect()),
            _ => {
                let at = table.outputs.iter().position(|output| output.name == *name);
                at.and_then(|at| found.outputs.get(at)).cloned().unwrap_or(Value::Missing)
            }
        })
    }

    /// Records what the rows say: each outcome with its reasons and the flow's outputs, and `on_error` if the table
    /// failed.
    pub(super) fn apply_table(&mut self, result: u16, span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let Some(found) = self.tables.get(usize::from(result)) else { return Ok(Value::Missing) };
        let Some(table) = flow.tables.get(found.table) else { return Ok(Value::Missing) };
        let line = flow.script.line(span);
        if found.failed {
            self.record_on_error(line);
            return Ok(Value::Missing);
        }
        let rows = found.rows.clone();
        for row in rows.iter().filter_map(|at| table.rows.get(*at)) {
            self.tick(span)?;
            let Some(outcome) = row.outcome else { continue };
            let by = RecordedBy::Row { table: table.name.clone(), row: row.number };
            let carried =
                if is_single(table.hit_policy) { carried(self, table, row, span)? } else { Vec::new() };
            self.record(outcome, row.reasons.to_vec(), carried, by, line);
        }
        Ok(Value::Missing)
    }
}

/// What a row gives under the names of the flow's outputs, in their types.
fn carried(machine: &Machine<'_>, table: &Table, row: &Row, span: Span) -> Outcome<Vec<(u16, Value)>> {
    let mut all = Vec::new();
    for (output, value) in table.outputs.iter().zip(&row.outputs) {
        let declared = output.output.and_then(|at| Some((at, machine.flow.outputs.get(usize::from(at))?)));
        let Some((at, declared)) = declared.filter(|_| !matches!(value, Value::Missing)) else { continue };
        let value = super::steps::coerced(value.clone(), &Code::Nothing, &declared.kind).map_err(|i| {
            Fault::new("invalid_output", format!("output `{}`: {}", declared.name, i.detail), span)
        })?;
        all.push((at, value));
    }
    Ok(all)
}

/// Reasons of some rows: strictest first, then in order, each once.
fn ranked<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<Name> {
    let mut rows: Vec<&Row> = rows.collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.outcome));
    let mut codes: Vec<Name> = Vec::new();
    for code in rows.into_iter().flat_map(|row| row.reasons.iter()) {
        if !codes.contains(code) {
            codes.push(code.clone());
        }
    }
    codes
}

/// What the rows give together.
fn outputs(table: &Table, rows: &[usize], span: Span) -> Result<Vec<Value>, Stop> {
    let mut all = Vec::with_capacity(table.outputs.len());
    for (at, output) in table.outputs.iter().enumerate() {
        let mut values = rows.iter().filter_map(|row| table.rows.get(*row)?.outputs.get(at));
        let TableHitPolicy::Collect(how) = table.hit_policy else {
            all.push(values.next().cloned().unwrap_or(Value::Missing));
            continue;
        };
        let given: Vec<Value> = values.filter(|value| !matches!(value, Value::Missing)).cloned().collect();
        let value = match how {
            Collected::All | Collected::Count => Ok(Value::List(given.into())),
            Collected::Sum => given.iter().try_fold(nothing(&output.kind), |total, value| {
                operators::arithmetic(Operator::Add, &total, value)
            }),
            Collected::Min => words::extreme(&given, std::cmp::Ordering::Less),
            Collected::Max => words::extreme(&given, std::cmp::Ordering::Greater),
        };
        all.push(value.map_err(|i| Fault::new(i.code, format!("`{}`: {}", output.name, i.detail), span))?);
    }
    Ok(all)
}

/// The sum of no rows.
fn nothing(kind: &Kind) -> Value {
    match kind {
        Kind::Decimal => Value::Decimal(rust_decimal::Decimal::ZERO),
        Kind::Number => Value::Number(0.0),
        _ => Value::Integer(0),
    }
}
