//! What is written of each row: as a line of JSON, or as cells of columns; and the rows that were refused, as they came.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::Asked;
use super::columns::REJECTED;
use super::decide::{Decided, State, json};
use crate::bundle::FlowRevision;
use crate::documents::rows::write::{Cell, Column, ColumnKind, csv_lines};
use crate::documents::rows::{Row, Written};
use crate::domain::facts::{FactProblem, Given};
use crate::domain::flow::Flow;
use crate::domain::value::{Kind, Value};

/// In which form decided rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    Lines,
    /// Cells of the columns that `written_columns` names.
    Cells,
}

/// In which form refused rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The columns as they came; none where each row names its own.
    pub columns: Vec<String>,
    /// Of CSV; `None`: lines of JSON.
    pub separator: Option<u8>,
}

impl Kept {
    /// The header of the file that they are kept in.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let Some(separator) = self.separator else { return Vec::new() };
        let own = self.columns.iter().map(String::as_str).filter(|name| !REJECTED.contains(name));
        csv_lines(separator, [own.chain(REJECTED).collect::<Vec<_>>()])
    }
}

/// What is written of some rows, in order.
#[derive(Debug)]
pub struct Part {
    pub rows: u64,
    pub decided: Rendered,
    /// Refused rows as they came, with their number and why: lines of CSV or of JSON.
    pub refused: Vec<u8>,
}

#[derive(Debug)]
pub enum Rendered {
    Nothing,
    Lines(Vec<u8>),
    Cells(Vec<Vec<Cell>>),
}

/// One row as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    market: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Map<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Map<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<bool>,
    /// What the flow asks its caller for.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Wrong<'a>>>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    pointer: &'a str,
    code: &'a str,
    detail: &'a str,
}

pub(super) struct Renderer<'a> {
    asked: &'a Asked,
    rows: u64,
    decided: Rendered,
    refused: Vec<u8>,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(asked: &'a Asked) -> Self {
        let decided = match asked.form {
            None => Rendered::Nothing,
            Some(Form::Lines) => Rendered::Lines(Vec::new()),
            Some(Form::Cells) => Rendered::Cells(Vec::new()),
        };
        Self { asked, rows: 0, decided, refused: Vec::new() }
    }

    pub(super) fn add(&mut self, decided: &Decided<'_>, row: &Row<'_>) {
        self.rows += 1;
        match &mut self.decided {
            Rendered::Nothing => {}
            Rendered::Lines(lines) => {
                // Into memory, of names and finite numbers: nothing can fail.
                let _infallible = serde_json::to_writer(&mut *lines, &line(decided));
                lines.push(b'\n');
            }
            Rendered::Cells(rows) => rows.push(cells(decided, &self.asked.here.flow)),
        }
        if let (Some(kept), State::Refused(problems)) = (&self.asked.keep_refused, decided.here) {
            keep(&mut self.refused, kept, row, problems);
        }
    }

    pub(super) fn part(self) -> Part {
        Part { rows: self.rows, decided: self.decided, refused: self.refused }
    }
}

fn line<'a>(decided: &Decided<'a>) -> Line<'a> {
    let mut line = Line {
        row: decided.number,
        reference: decided.reference,
        market: decided.market,
        state: "decided",
        outcome: None,
        reasons: None,
        output: None,
        scores: None,
        degraded: None,
        needs: None,
        errors: None,
    };
    match decided.here {
        State::Decided(of) => {
            let verdict = &of.1;
            line.outcome = Some(&verdict.outcome);
            line.reasons = Some(verdict.reasons.iter().map(|code| &**code).collect());
            line.output =
                Some(verdict.output.iter().map(|(name, value)| (name.to_string(), json(value))).collect());
            let scores = verdict.scores.iter();
            line.scores =
                Some(scores.map(|(name, score)| (name.to_string(), Json::from(score.rounded))).collect());
            line.degraded = Some(verdict.degraded);
        }
        State::Needs(of) => {
            line.state = "needs";
            line.needs = Some(of.1.needs.iter().map(|need| &*need.name).collect());
        }
        State::Refused(problems) => {
            line.state = "refused";
            let wrong = |problem: &'a FactProblem| Wrong {
                pointer: &problem.pointer,
                code: problem.code,
                detail: &problem.detail,
            };
            line.errors = Some(problems.iter().map(wrong).collect());
        }
    }
    line
}

/// The columns of a decided row: the same whatever comes out.
pub(super) fn columns(flow: &FlowRevision) -> Vec<Column> {
    let column = |name: String, kind| Column { name, kind };
    let mut columns = vec![
        column("row".to_owned(), ColumnKind::Integer),
        column("reference".to_owned(), ColumnKind::Text),
        column("market".to_owned(), ColumnKind::Text),
        column("state".to_owned(), ColumnKind::Text),
        column("outcome".to_owned(), ColumnKind::Text),
        column("reasons".to_owned(), ColumnKind::Text),
        column("degraded".to_owned(), ColumnKind::Boolean),
    ];
    columns.extend(flow.flow.outputs.iter().map(|output| {
        let kind = match output.kind {
            Kind::Integer => ColumnKind::Integer,
            Kind::Number => ColumnKind::Number,
            Kind::Boolean => ColumnKind::Boolean,
            _ => ColumnKind::Text,
        };
        column(format!("output.{}", output.name), kind)
    }));
    let scores = scores_of(&flow.flow).into_iter();
    columns.extend(scores.map(|name| column(format!("score.{name}"), ColumnKind::Number)));
    columns.push(column("errors".to_owned(), ColumnKind::Text));
    columns
}

/// Models and scorecards that a flow may ask, and those of the flows that it asks.
fn scores_of(flow: &Flow) -> Vec<String> {
    let models = flow.models.iter().map(|used| used.name.to_string());
    let cards = flow.scorecards.iter().map(|card| card.name.to_string());
    let below = flow.sub_flows.iter().flat_map(|sub| {
        scores_of(&sub.flow).into_iter().map(|name| format!("{}.{name}", sub.name)).collect::<Vec<_>>()
    });
    models.chain(cards).chain(below).collect()
}

fn cells(decided: &Decided<'_>, flow: &FlowRevision) -> Vec<Cell> {
    let line = line(decided);
    let text = |text: Option<&str>| text.map_or(Cell::Nothing, |text| Cell::Text(text.to_owned()));
    let mut cells = vec![
        Cell::Integer(i64::try_from(line.row).unwrap_or(i64::MAX)),
        text(line.reference),
        text(Some(line.market)),
        text(Some(line.state)),
        text(line.outcome),
        line.reasons.map_or(Cell::Nothing, |reasons| Cell::Text(reasons.join("|"))),
        line.degraded.map_or(Cell::Nothing, Cell::Boolean),
    ];
    let verdict = decided.here.verdict();
    for output in &flow.flow.outputs {
        let found = verdict.and_then(|verdict| verdict.output.iter().find(|(name, _)| *name == output.name));
        cells.push(found.map_or(Cell::Nothing, |(_, value)| cell(value)));
    }
    for name in scores_of(&flow.flow) {
        let found = verdict.and_then(|verdict| verdict.scores.iter().find(|(known, _)| **known == *name));
        cells.push(found.map_or(Cell::Nothing, |(_, score)| Cell::Number(score.rounded)));
    }
    let needs = line.needs.map(|needs| format!("needs {}", needs.join(", ")));
    let errors = line.errors.map(|errors| {
        errors.iter().map(|wrong| format!("{} {}", wrong.pointer, wrong.code)).collect::<Vec<_>>().join("; ")
    });
    cells.push(needs.or(errors).map_or(Cell::Nothing, Cell::Text));
    cells
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Missing | Value::Step(_) => Cell::Nothing,
        Value::Boolean(value) => Cell::Boolean(*value),
        Value::Integer(value) => Cell::Integer(*value),
        Value::Number(value) => Cell::Number(*value),
        Value::Text(text) => Cell::Text(text.to_string()),
        other => match json(other) {
            Json::String(text) => Cell::Text(text),
            json => Cell::Text(json.to_string()),
        },
    }
}

/// The row as it came, its number and why it was refused: read again, those two stand for nothing.
fn keep(refused: &mut Vec<u8>, kept: &Kept, row: &Row<'_>, problems: &[FactProblem]) {
    let number = row.number.to_string();
    let one = |problem: &FactProblem| {
        let place = if problem.pointer.is_empty() { String::new() } else { format!("{} ", problem.pointer) };
        format!("{place}{}: {}", problem.code, problem.detail)
    };
    let because = problems.iter().map(one).collect::<Vec<_>>().join("; ");
    let named = |values: &mut dyn Iterator<Item = Json>| -> Map<String, Json> {
        kept.columns.iter().cloned().zip(values).collect()
    };
    let mut written = match (&row.written, kept.separator) {
        (Written::Texts(cells), Some(separator)) => {
            let cells = kept.columns.iter().zip(cells.iter());
            let own = cells.filter(|(name, _)| !REJECTED.contains(&name.as_str())).map(|(_, cell)| cell);
            let cells: Vec<&str> = own.chain([number.as_str(), because.as_str()]).collect();
            refused.extend(csv_lines(separator, [cells]));
            return;
        }
        (Written::Broken(_), Some(separator)) => {
            refused.extend_from_slice(row.raw);
            refused.push(separator);
            refused.extend(csv_lines(separator, [[number, because]]));
            return;
        }
        (Written::Texts(cells), None) => named(&mut cells.iter().map(Json::from)),
        (Written::Values(values), _) => named(&mut values.iter().map(as_json)),
        (Written::Object(entries), _) => {
            entries.iter().map(|(name, value)| (name.clone(), as_json(value))).collect()
        }
        (Written::Broken(_), None) => {
            let raw = String::from_utf8_lossy(row.raw).into_owned();
            Map::from_iter([("unreadable".to_owned(), Json::from(raw))])
        }
    };
    let [row_name, because_name] = REJECTED;
    written.insert(row_name.to_owned(), Json::from(row.number));
    written.insert(because_name.to_owned(), Json::from(because));
    let _infallible = serde_json::to_writer(&mut *refused, &written);
    refused.push(b'\n');
}

/// As it was given; a number keeps its digits.
fn as_json(value: &Given) -> Json {
    match value {
        Given::Null => Json::Null,
        Given::Boolean(value) => Json::from(*value),
        Given::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str())),
        Given::Text(text) => Json::from(text.as_str()),
        Given::List(items) => items.iter().map(as_json).collect(),
        Given::Map(entries) => {
            Json::Object(entries.iter().map(|(name, value)| (name.clone(), as_json(value))).collect())
        }
    }
}
