//! What a step is made of, from its declaration: rules, bins, rows, and what each of them can record.

use super::reads::{Thresholds, shown};
use super::{OutlineStep, ReasonSource, Recording, StepKind, StepPart, ThresholdRead};
use crate::domain::declaration::{
    BinDeclaration, BinTest, Collected, FlowDeclaration, HitPolicy, ModelUseDeclaration, RowDeclaration,
    RuleDeclaration, ScorecardDeclaration, SubFlowFound, TableDeclaration, TableHitPolicy, ThresholdLiteral,
};
use crate::domain::flow::Flow;
use crate::domain::place::Located;

/// Columns of a table that `.apply()` records.
const OUTCOME: &str = "outcome";
const REASON: &str = "reason";
/// A cell that gives none.
const MISSING: &str = "missing";

/// The declarations, asked by step.
pub(super) struct Details<'f> {
    pub flow: &'f FlowDeclaration,
    pub thresholds: Thresholds<'f>,
}

impl Details<'_> {
    /// A step with its parts; `with` is what the call hands over.
    pub(super) fn step(&self, kind: StepKind, name: &str, with: Vec<(String, String)>) -> OutlineStep {
        let (note, parts) = match kind {
            StepKind::RuleSet => self.rule_set(name),
            StepKind::Scorecard => self.scorecard(name),
            StepKind::Table => self.table(name),
            StepKind::Model => (self.model(name), Vec::new()),
            StepKind::Need => (self.need(name), Vec::new()),
            StepKind::SubFlow => (self.sub_flow(name), Vec::new()),
        };
        OutlineStep { kind, name: name.to_owned(), with, gives: None, note, parts }
    }

    /// What `.apply()` can record, an outcome at a time, the strictest first.
    pub(super) fn records(&self, kind: StepKind, name: &str) -> Vec<Recording> {
        if let (StepKind::SubFlow, Some(asked)) = (kind, self.asked(name)) {
            return of_sub_flow(asked);
        }
        let step = self.step(kind, name, Vec::new());
        let mut found: Vec<Recording> = Vec::new();
        for recording in step.parts.into_iter().filter_map(|part| part.record) {
            if recording.outcome.is_empty() {
                continue;
            }
            match found.iter_mut().find(|known| known.outcome == recording.outcome) {
                Some(known) => {
                    let new = recording.reasons.into_iter().filter(|r| !known.reasons.contains(r));
                    let new: Vec<ReasonSource> = new.collect();
                    known.reasons.extend(new);
                }
                None => found.push(recording),
            }
        }
        let strictness = |outcome: &str| self.flow.outcomes.iter().position(|o| o.value == outcome);
        found.sort_by_key(|recording| std::cmp::Reverse(strictness(&recording.outcome)));
        found
    }

    /// Every reason that a step can give, in the order of its parts.
    pub(super) fn reasons(&self, kind: StepKind, name: &str) -> Vec<String> {
        if let (StepKind::SubFlow, Some(asked)) = (kind, self.asked(name)) {
            return asked.usage.reasons.iter().map(ToString::to_string).collect();
        }
        let mut codes = Vec::new();
        for record in self.step(kind, name, Vec::new()).parts.into_iter().filter_map(|part| part.record) {
            for reason in record.reasons {
                if let ReasonSource::Code { code, .. } = reason
                    && !codes.contains(&code)
                {
                    codes.push(code);
                }
            }
        }
        codes
    }

    /// A reason by its code, with its text in the flow's first language.
    pub(super) fn code(&self, code: &str) -> ReasonSource {
        let declared = self.flow.reasons.iter().find(|reason| reason.code.value == code);
        let first = self.flow.languages.first().map_or("en", |language| language.value.as_str());
        let text = declared.and_then(|r| r.texts.get(first).or_else(|| r.texts.values().next()));
        ReasonSource::Code { code: code.to_owned(), text: text.cloned() }
    }

    fn record(&self, outcome: Option<&str>, reason: Option<&str>) -> Option<Recording> {
        if outcome.is_none() && reason.is_none() {
            return None;
        }
        Some(Recording {
            outcome: outcome.unwrap_or_default().to_owned(),
            reasons: reason
                .into_iter()
                .flat_map(|codes| codes.split('|'))
                .map(|c| self.code(c.trim()))
                .collect(),
            outputs: Vec::new(),
        })
    }

    fn rule_set(&self, name: &str) -> (Option<String>, Vec<StepPart>) {
        let Some(set) = self.flow.rule_sets.iter().find(|set| set.name.value == name) else {
            return (None, Vec::new());
        };
        let note = match set.hit_policy {
            HitPolicy::Collect => "every hit counts",
            HitPolicy::First => "the first hit ends it",
        };
        (Some(note.to_owned()), set.rules.iter().map(|rule| self.rule(rule)).collect())
    }

    fn rule(&self, rule: &RuleDeclaration) -> StepPart {
        let word = |word: &Option<Located<String>>| word.as_ref().map(|w| w.value.clone());
        StepPart {
            id: rule.id.value.clone(),
            place: rule.id.place,
            condition: rule.when.value.split_whitespace().collect::<Vec<_>>().join(" "),
            thresholds: self.thresholds.read_by_text(&rule.when),
            record: self.record(word(&rule.outcome).as_deref(), word(&rule.reason).as_deref()),
            points: rule.points.as_ref().map(|points| points.value),
        }
    }

    fn scorecard(&self, name: &str) -> (Option<String>, Vec<StepPart>) {
        let Some(card) = self.flow.scorecards.iter().find(|card| card.name.value == name) else {
            return (None, Vec::new());
        };
        let mut parts = Vec::new();
        for characteristic in &card.characteristics {
            for (index, bin) in characteristic.bins.iter().enumerate() {
                let of = &characteristic.name.value;
                let reason = bin.reason.as_ref().map(|reason| reason.value.as_str());
                parts.push(StepPart {
                    id: format!("{of}.{}", index + 1),
                    place: bin.place,
                    condition: format!("{of} {}", bin_test(bin)),
                    thresholds: self.thresholds.named_in(bin_words(&bin.test)),
                    record: self.record(None, reason),
                    points: Some(bin.points.value),
                });
            }
        }
        (Some(base_points(card)), parts)
    }

    fn table(&self, name: &str) -> (Option<String>, Vec<StepPart>) {
        let Some(table) = self.flow.tables.iter().find(|table| table.name.value == name) else {
            return (None, Vec::new());
        };
        let of = |wanted: &str| table.columns.iter().position(|c| c.is_output && c.name.value == wanted);
        let (outcome, reason) = (of(OUTCOME), of(REASON));
        let mut groups: Vec<(Option<&str>, Option<&str>, Vec<&RowDeclaration>)> = Vec::new();
        if outcome.is_some() || reason.is_some() {
            for row in &table.rows {
                let cell = |at: Option<usize>| {
                    let cell = row.cells.get(at?).map(|cell| cell.value.trim());
                    cell.filter(|cell| *cell != MISSING)
                };
                let (outcome, reason) = (cell(outcome), cell(reason));
                match groups.iter_mut().find(|(o, r, _)| (*o, *r) == (outcome, reason)) {
                    Some((_, _, rows)) => rows.push(row),
                    None => groups.push((outcome, reason, vec![row])),
                }
            }
        }
        let parts = groups.into_iter().map(|(outcome, reason, rows)| {
            let numbers: Vec<String> = rows.iter().take(8).map(|row| row.number.to_string()).collect();
            let more = if rows.len() > numbers.len() { ", …" } else { "" };
            let word = if rows.len() == 1 { "row" } else { "rows" };
            let place = rows.first().and_then(|row| row.cells.first()).map_or(table.place, |cell| cell.place);
            StepPart {
                id: format!("rows.{}", numbers.join("-")),
                place,
                condition: format!("{word} {}{more}", numbers.join(", ")),
                thresholds: Vec::new(),
                record: self.record(outcome, reason),
                points: None,
            }
        });
        (Some(table_note(table)), parts.collect())
    }

    fn model(&self, name: &str) -> Option<String> {
        let used = self.flow.models.iter().find(|used| used.name.value == name)?;
        Some(model_note(used))
    }

    /// Thresholds that the cells of a table name.
    pub(super) fn read_by_cells(&self, step: &OutlineStep) -> Vec<ThresholdRead> {
        let tables = self.flow.tables.iter();
        let table = tables.filter(|table| step.kind == StepKind::Table && table.name.value == step.name);
        let cells = table.flat_map(|table| &table.rows).flat_map(|row| &row.cells);
        self.thresholds.named_in(cells.map(|cell| cell.value.as_str()).filter(|cell| !cell.contains('\'')))
    }

    fn asked(&self, name: &str) -> Option<&Flow> {
        self.flow.sub_flows.iter().filter(|sub| sub.name == name).find_map(|sub| match &sub.found {
            SubFlowFound::Flow(flow) => Some(&**flow),
            _ => None,
        })
    }

    fn sub_flow(&self, name: &str) -> Option<String> {
        let asked = self.asked(name)?;
        let market = asked.market.as_deref().map(|market| format!(", as in {market}")).unwrap_or_default();
        let outcomes: Vec<&str> = outcomes(asked).collect();
        Some(format!("asked whole{market}; decides {}", outcomes.join(", ")))
    }

    fn need(&self, name: &str) -> Option<String> {
        let need = self.flow.needs.iter().find(|need| need.name.value == name)?;
        let names: Vec<&str> = need.of.iter().map(|input| input.name.value.as_str()).collect();
        Some(format!("asks the caller for {}", names.join(", ")))
    }
}

/// Those that the flow can decide, mildest first.
fn outcomes(flow: &Flow) -> impl DoubleEndedIterator<Item = &str> {
    flow.outcomes.iter().filter(|outcome| flow.usage.outcomes.contains(*outcome)).map(|outcome| &**outcome)
}

/// Which outcome carries which of its reasons is the other flow's to tell.
fn of_sub_flow(flow: &Flow) -> Vec<Recording> {
    let recording = |outcome: &str| Recording { outcome: outcome.to_owned(), ..Recording::default() };
    outcomes(flow).rev().map(recording).collect()
}

fn base_points(card: &ScorecardDeclaration) -> String {
    format!("{} base points", card.base_points)
}

fn model_note(used: &ModelUseDeclaration) -> String {
    let version = used.model.as_ref().map(|model| format!(", version {}", model.version)).unwrap_or_default();
    let fallback = used
        .if_it_fails
        .as_ref()
        .map(|fallback| format!(", {} if it fails", fallback.said()))
        .unwrap_or_default();
    format!("{}{version}{fallback}", used.reference.value)
}

fn table_note(table: &TableDeclaration) -> String {
    let names = |outputs: bool| {
        let columns = table.columns.iter().filter(|column| column.is_output == outputs);
        columns.map(|column| column.name.value.as_str()).collect::<Vec<_>>().join(", ")
    };
    let word = if table.rows.len() == 1 { "row" } else { "rows" };
    let policy = table_policy(table.hit_policy);
    format!("{policy}, {} {word}: {} → {}", table.rows.len(), names(false), names(true))
}

/// A table's hit policy in its document's words.
#[must_use]
pub fn table_policy(policy: TableHitPolicy) -> &'static str {
    match policy {
        TableHitPolicy::First => "first",
        TableHitPolicy::Unique => "unique",
        TableHitPolicy::Priority => "priority",
        TableHitPolicy::Collect(Collected::All) => "collect all",
        TableHitPolicy::Collect(Collected::Sum) => "collect sum",
        TableHitPolicy::Collect(Collected::Min) => "collect min",
        TableHitPolicy::Collect(Collected::Max) => "collect max",
        TableHitPolicy::Collect(Collected::Count) => "collect count",
    }
}

/// What a bin asks, in its document's words: `below 36`, `is none`.
#[must_use]
pub fn bin_test(bin: &BinDeclaration) -> String {
    match &bin.test {
        BinTest::Missing => "missing".to_owned(),
        BinTest::Otherwise => "otherwise".to_owned(),
        BinTest::OneOf(values) => {
            let shown: Vec<String> = values.iter().map(|value| literal(&value.value)).collect();
            match shown.as_slice() {
                [only] => format!("is {only}"),
                all => format!("in {}", all.join(", ")),
            }
        }
        BinTest::Range { from, below } => {
            let bound = |word: &str, at: &Option<Located<String>>| {
                at.as_ref().map(|at| format!("{word} {}", at.value))
            };
            [bound("from", from), bound("below", below)].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    }
}

fn literal(value: &ThresholdLiteral) -> String {
    match value {
        ThresholdLiteral::Text(text) => text.clone(),
        other => shown(other),
    }
}

fn bin_words(test: &BinTest) -> Vec<&str> {
    match test {
        BinTest::Range { from, below } => {
            [from, below].into_iter().flatten().map(|bound| bound.value.as_str()).collect()
        }
        _ => Vec::new(),
    }
}
