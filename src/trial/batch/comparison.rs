//! Two sides on the same rows: which outcome became which, where the evaluations part, what reasons came and went, and
//! with labels how those who changed sides turned out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::counts::Counts;
use super::decide::{Decided, State, json};
use super::parting::parting;
use crate::domain::value::{Name, Value};

/// Rows shown of each cell, and places at which evaluations part.
const EXAMPLES: usize = 10;
const PLACES: usize = 500;

/// Two sides on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Where the rules of the other side are from, and its revision.
    pub with: String,
    pub with_revision: String,
    pub rows: u64,
    /// Rows with the same outcome on both sides.
    pub same_outcome: u64,
    /// Rows with the same outcome, of which the reasons or the output differ.
    pub same_outcome_other_reasons: u64,
    pub same_outcome_other_output: u64,
    /// Words for what became of rows, in the order of the matrix: outcomes, mildest first, then `(needs)`, `(refused)`.
    pub outcomes: Vec<String>,
    /// Every cell that has rows, those with the same outcome too.
    pub cells: Vec<Flip>,
    pub reasons: Vec<ReasonChange>,
    /// Those whom only one side approves: their labels say what the change is worth.
    pub only_there_approves: Counts,
    pub only_here_approves: Counts,
}

/// Rows that one side gave one outcome and the other another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flip {
    pub there: String,
    pub here: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub bad_rate: Option<f64>,
    /// Where the evaluations part, most rows first.
    pub parted: Vec<(String, u64)>,
    /// The first rows.
    pub examples: Vec<Example>,
}

/// A row that came out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    pub row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub parted: Option<String>,
    pub reasons_there: Vec<Name>,
    pub reasons_here: Vec<Name>,
    /// Only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Json>,
}

/// How many rows were given a reason by one side only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReasonChange {
    pub code: Name,
    pub both: u64,
    pub lost: u64,
    pub gained: u64,
}

#[derive(Debug, Default)]
struct Cell {
    counts: Counts,
    parted: BTreeMap<String, u64>,
    examples: Vec<Example>,
}

/// What is counted of two sides.
#[derive(Debug)]
pub(super) struct Flips {
    show_facts: bool,
    rows: u64,
    other_reasons: u64,
    other_output: u64,
    /// There, here.
    cells: BTreeMap<(String, String), Cell>,
    reasons: BTreeMap<Name, [u64; 3]>,
}

impl Flips {
    pub(super) fn new(show_facts: bool) -> Self {
        let (cells, reasons) = (BTreeMap::new(), BTreeMap::new());
        Self { show_facts, rows: 0, other_reasons: 0, other_output: 0, cells, reasons }
    }

    pub(super) fn add(&mut self, decided: &Decided<'_>) {
        let Some(there) = decided.there else { return };
        let here = decided.here;
        self.rows += 1;
        self.count_reasons(there, here);
        let (was, is) = (there.word(), here.word());
        let key = (was.to_owned(), is.to_owned());
        let cell = self.cells.entry(key).or_default();
        cell.counts.add(decided.is_bad);
        if was == is {
            if let (Some(there), Some(here)) = (there.verdict(), here.verdict()) {
                self.other_reasons += u64::from(there.reasons != here.reasons);
                self.other_output += u64::from(there.output != here.output);
            }
            return;
        }
        let parted = match (there, here) {
            (State::Decided(there) | State::Needs(there), State::Decided(here) | State::Needs(here)) => {
                parting(&there.1, &here.1)
            }
            (State::Refused(problems), _) | (_, State::Refused(problems)) => {
                problems.first().map(|problem| format!("facts {} {}", problem.pointer, problem.code))
            }
        };
        if let Some(place) = &parted
            && (cell.parted.len() < PLACES || cell.parted.contains_key(place))
        {
            *cell.parted.entry(place.clone()).or_default() += 1;
        }
        if cell.examples.len() < EXAMPLES {
            let reasons = |state: &State| state.verdict().map(|v| v.reasons.clone()).unwrap_or_default();
            cell.examples.push(Example {
                row: decided.number,
                reference: decided.reference.map(str::to_owned),
                parted,
                reasons_there: reasons(there),
                reasons_here: reasons(here),
                facts: self.show_facts.then(|| facts(decided)),
            });
        }
    }

    fn count_reasons(&mut self, there: &State, here: &State) {
        let none: &[Name] = &[];
        let of = |state: &State| state.verdict().map_or(none, |verdict| verdict.reasons.as_slice()).to_vec();
        let (there, here) = (of(there), of(here));
        for code in &there {
            let at = if here.contains(code) { 0 } else { 1 };
            self.count_reason(code, at);
        }
        for code in here.iter().filter(|code| !there.contains(code)) {
            self.count_reason(code, 2);
        }
    }

    fn count_reason(&mut self, code: &Name, at: usize) {
        if let Some(count) = self.reasons.entry(code.clone()).or_default().get_mut(at) {
            *count += 1;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.other_reasons += other.other_reasons;
        self.other_output += other.other_output;
        for (code, counts) in other.reasons {
            let mine = self.reasons.entry(code).or_default();
            mine.iter_mut().zip(counts).for_each(|(mine, theirs)| *mine += theirs);
        }
        for (key, theirs) in other.cells {
            let mine = self.cells.entry(key).or_default();
            mine.counts.merge(theirs.counts);
            for (place, rows) in theirs.parted {
                if mine.parted.len() < PLACES || mine.parted.contains_key(&place) {
                    *mine.parted.entry(place).or_default() += rows;
                }
            }
            let room = EXAMPLES.saturating_sub(mine.examples.len());
            mine.examples.extend(theirs.examples.into_iter().take(room));
        }
    }

    /// `outcomes`: of both sides, mildest first.
    pub(super) fn comparison(self, with: (String, String), mut outcomes: Vec<String>) -> Comparison {
        for special in ["(needs)", "(refused)"] {
            if self.cells.keys().any(|(there, here)| there == special || here == special) {
                outcomes.push(special.to_owned());
            }
        }
        let rank = |word: &str| outcomes.iter().position(|outcome| outcome == word);
        let same: u64 =
            self.cells.iter().filter(|((there, here), _)| there == here).map(|(_, c)| c.counts.rows).sum();
        let (mut only_there, mut only_here) = (Counts::default(), Counts::default());
        for ((there, here), cell) in &self.cells {
            match (rank(there) == Some(0), rank(here) == Some(0)) {
                (true, false) => only_there.merge(cell.counts),
                (false, true) => only_here.merge(cell.counts),
                _ => {}
            }
        }
        let mut cells: Vec<Flip> = self
            .cells
            .into_iter()
            .map(|((there, here), cell)| {
                let mut parted: Vec<(String, u64)> = cell.parted.into_iter().collect();
                parted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                let bad_rate = cell.counts.bad_rate();
                Flip { there, here, counts: cell.counts, bad_rate, parted, examples: cell.examples }
            })
            .collect();
        cells.sort_by_key(|cell| (rank(&cell.there), rank(&cell.here)));
        let changed =
            |(code, [both, lost, gained]): (Name, [u64; 3])| ReasonChange { code, both, lost, gained };
        let mut reasons: Vec<ReasonChange> = self.reasons.into_iter().map(changed).collect();
        reasons.retain(|reason| reason.lost + reason.gained > 0);
        Comparison {
            with: with.0,
            with_revision: with.1,
            rows: self.rows,
            same_outcome: same,
            same_outcome_other_reasons: self.other_reasons,
            same_outcome_other_output: self.other_output,
            outcomes,
            cells,
            reasons,
            only_there_approves: only_there,
            only_here_approves: only_here,
        }
    }
}

/// The facts as the flow here took them; what was not given is left out.
fn facts(decided: &Decided<'_>) -> Json {
    let (Some(facts), Some(flow)) = (decided.here.facts(), decided.flow) else { return Json::Null };
    let given = flow.inputs.iter().zip(&facts.values).filter(|(_, value)| !matches!(value, Value::Missing));
    Json::Object(given.map(|(input, value)| (input.name.to_string(), json(value))).collect::<Map<_, _>>())
}
