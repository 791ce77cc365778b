//! A flow as its documents declare it: parsed and shaped, with the place of each word, but not yet checked
//! against itself. `Flow::compile` turns it into a flow that cannot be wrong, or says everything that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::flow::Flow;
use super::list::List;
use super::model::Model;
use super::place::{Located, Place};
use super::value::{Field, Kind, Name};

/// Every document of one flow, for one market: an overlay has been laid over it before it comes here.
#[derive(Debug, Clone)]
pub struct FlowDeclaration {
    pub name: Located<String>,
    pub title: Option<String>,
    pub owner: Option<String>,
    /// The input that says whom the decision is about.
    pub subject: Option<Located<String>>,
    /// IANA name; UTC if left out.
    pub time_zone: Option<Located<String>>,
    pub inputs: Vec<InputDeclaration>,
    pub unknown_inputs: UnknownInputs,
    /// Input, and the rule sets, scorecards and tables in which it may be read.
    pub protected: Vec<(Located<String>, Vec<Located<String>>)>,
    pub features: Vec<FeatureDeclaration>,
    pub thresholds: Vec<ThresholdDeclaration>,
    pub models: Vec<ModelUseDeclaration>,
    pub outputs: Vec<OutputDeclaration>,
    /// Mildest first.
    pub outcomes: Vec<Located<String>>,
    pub reasons: Vec<ReasonDeclaration>,
    pub on_error: OnErrorDeclaration,
    pub on_invalid: OnInvalid,
    pub deadline_ms: u64,
    /// Where `flow.yaml` begins, for findings about the whole document.
    pub place: Place,
    pub rule_sets: Vec<RuleSetDeclaration>,
    pub scorecards: Vec<ScorecardDeclaration>,
    pub tables: Vec<TableDeclaration>,
    /// The flow's own lists, and those of `_shared/`.
    pub lists: Vec<ListDeclaration>,
    /// What the script may ask the caller for in the middle of a decision.
    pub needs: Vec<NeedDeclaration>,
    /// The other flows of the bundle; those that `flow("…")` in the script names come first, compiled.
    pub sub_flows: Vec<SubFlowDeclaration>,
    /// Texts of `rules/_shared/*.rhai`: functions only; each place starts at byte 0 of its file.
    pub shared_functions: Vec<Located<String>>,
    /// Languages that every reason must have a text in; none is asked for if empty.
    pub languages: Vec<Located<String>>,
    /// The market that this declaration is for; `None` is `base`.
    pub market: Option<Located<String>>,
    /// `market: required`: a request has to name one.
    pub is_market_required: bool,
    /// What must be true of all its answers.
    pub properties: Vec<PropertyDeclaration>,
    /// The text of `flow.rhai`; its place starts at byte 0 of that file.
    pub script: Located<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownInputs {
    #[default]
    Refuse,
    /// Kept in the record, unread.
    Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Personal {
    #[default]
    No,
    /// Identifies a person: shown masked, searched by keyed hash.
    Key,
    /// Shown masked.
    Mask,
}

#[derive(Debug, Clone)]
pub struct InputDeclaration {
    pub name: Located<String>,
    pub kind: Kind,
    pub optional: bool,
    /// Source text of the bound, inclusive.
    pub min: Option<Located<String>>,
    pub max: Option<Located<String>>,
    pub unit: Option<String>,
    pub personal: Personal,
}

#[derive(Debug, Clone)]
pub struct FeatureDeclaration {
    pub name: Located<String>,
    /// The place is that of the text's first byte, inside quotes if there are any.
    pub formula: Located<String>,
}

/// `name: literal`. Numbers keep their source text so that decimals stay exact.
#[derive(Debug, Clone)]
pub struct ThresholdDeclaration {
    pub name: Located<String>,
    pub literal: Located<ThresholdLiteral>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThresholdLiteral {
    Number(String),
    Boolean(bool),
    Text(String),
}

#[derive(Debug, Clone)]
pub struct ModelUseDeclaration {
    /// The name that the script uses.
    pub name: Located<String>,
    /// `german_credit@champion`, as written.
    pub reference: Located<String>,
    /// The version that the reference resolved to; `None` when that failed (and was reported).
    pub model: Option<Arc<Model>>,
    /// What stands in for an answer that does not come.
    pub if_it_fails: Option<IfItFails>,
}

/// What stands in for a model's answer that does not come.
#[derive(Debug, Clone)]
pub enum IfItFails {
    /// This answer.
    Answer(AnswerDeclaration),
    /// What another of the flow's models answers, by the name that the flow gives it.
    Model(Located<String>),
    /// Nothing: this outcome is recorded, and the script ends where it reads the answer.
    Refer { outcome: Located<String>, reason: Located<String> },
}

/// `{ probability: 0.5, score: 0, reasons: [R900] }`; a probability or a score is there.
#[derive(Debug, Clone)]
pub struct AnswerDeclaration {
    /// From 0 to 1.
    pub probability: Option<Located<f64>>,
    /// In the unit of the model's score.
    pub score: Option<Located<f64>>,
    pub reasons: Vec<Located<String>>,
    pub place: Place,
}

impl IfItFails {
    /// Where it was written.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Answer(answer) => answer.place,
            Self::Model(name) | Self::Refer { outcome: name, .. } => name.place,
        }
    }

    /// In short, for people: `0.5`, `score 480, reasons R900`, `model backup`, `review with R900`.
    #[must_use]
    pub fn said(&self) -> String {
        match self {
            Self::Answer(answer) => answer.said(),
            Self::Model(model) => format!("model {}", model.value),
            Self::Refer { outcome, reason } => format!("{} with {}", outcome.value, reason.value),
        }
    }
}

impl AnswerDeclaration {
    fn said(&self) -> String {
        let probability = self.probability.as_ref().map(|p| p.value.to_string());
        let score = self.score.as_ref().map(|s| format!("score {}", s.value));
        let mut said: Vec<String> = probability.into_iter().chain(score).collect();
        if !self.reasons.is_empty() {
            let codes: Vec<&str> = self.reasons.iter().map(|code| code.value.as_str()).collect();
            said.push(format!("reasons {}", codes.join(", ")));
        }
        said.join(", ")
    }
}

#[derive(Debug, Clone)]
pub struct OutputDeclaration {
    pub name: Located<String>,
    pub kind: Kind,
    pub optional: bool,
    pub min: Option<Located<String>>,
    pub max: Option<Located<String>>,
}

#[derive(Debug, Clone)]
pub struct ReasonDeclaration {
    pub code: Located<String>,
    /// Language tag → text.
    pub texts: BTreeMap<String, String>,
    /// `kind: score`: says only that a score was too high or low.
    pub is_score: bool,
    /// Of `rules/_shared/`: not using it is no finding.
    pub is_shared: bool,
}

#[derive(Debug, Clone)]
pub struct OnErrorDeclaration {
    pub outcome: Located<String>,
    pub reason: Located<String>,
}

/// What happens with facts of the right type that are out of range.
#[derive(Debug, Clone, Default)]
pub enum OnInvalid {
    #[default]
    Refuse,
    Record {
        outcome: Located<String>,
        reason: Located<String>,
    },
}

#[derive(Debug, Clone)]
pub struct RuleSetDeclaration {
    /// The file's name before its first dot.
    pub name: Located<String>,
    pub hit_policy: HitPolicy,
    pub takes: Vec<(Located<String>, Kind)>,
    pub rules: Vec<RuleDeclaration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HitPolicy {
    /// Every hit counts.
    #[default]
    Collect,
    /// The first hit (or failure) ends the set.
    First,
}

#[derive(Debug, Clone)]
pub struct RuleDeclaration {
    pub id: Located<String>,
    /// The place is that of the condition's first byte, inside quotes if there are any.
    pub when: Located<String>,
    pub outcome: Option<Located<String>>,
    pub reason: Option<Located<String>>,
    pub points: Option<Located<i64>>,
}

/// `NAME.scorecard.yaml`: points for what an input or feature is, characteristic by characteristic.
#[derive(Debug, Clone)]
pub struct ScorecardDeclaration {
    /// The file's name before its first dot.
    pub name: Located<String>,
    pub base_points: i64,
    /// Values that the call hands over, beside inputs and features.
    pub takes: Vec<(Located<String>, Kind)>,
    pub characteristics: Vec<CharacteristicDeclaration>,
}

#[derive(Debug, Clone)]
pub struct CharacteristicDeclaration {
    /// An input, a feature, or what the call hands over.
    pub name: Located<String>,
    /// The first that matches gives its points.
    pub bins: Vec<BinDeclaration>,
}

#[derive(Debug, Clone)]
pub struct BinDeclaration {
    pub test: BinTest,
    pub points: Located<i64>,
    pub reason: Option<Located<String>>,
    /// The whole bin, for findings about it.
    pub place: Place,
}

/// What a bin asks of its characteristic. Literals keep their source text; a bound may name a threshold.
#[derive(Debug, Clone)]
pub enum BinTest {
    /// `is: x`, `in: [x, y]`
    OneOf(Vec<Located<ThresholdLiteral>>),
    /// `from: a` (inclusive), `below: b` (exclusive), or both.
    Range {
        from: Option<Located<String>>,
        below: Option<Located<String>>,
    },
    Missing,
    Otherwise,
}

/// `NAME.table.csv` and `NAME.table.yaml`.
#[derive(Debug, Clone)]
pub struct TableDeclaration {
    /// The file's name before its first dot.
    pub name: Located<String>,
    pub hit_policy: TableHitPolicy,
    /// Inputs first, then outputs, each in the order of the header.
    pub columns: Vec<ColumnDeclaration>,
    pub rows: Vec<RowDeclaration>,
    /// Cells write `0,129` for 0.129.
    pub is_decimal_comma: bool,
    /// The header row, for findings about the whole table.
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct ColumnDeclaration {
    pub name: Located<String>,
    /// As declared in `NAME.table.yaml`; else what the cells are compared with decides.
    pub kind: Option<Located<Kind>>,
    pub is_output: bool,
}

#[derive(Debug, Clone)]
pub struct RowDeclaration {
    /// 1-based among the rows of the table, the header not counted.
    pub number: u32,
    /// One cell a column, as written, in the order of the columns; the place is that of the cell's text.
    pub cells: Vec<Located<String>>,
}

/// Which matching rows answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableHitPolicy {
    #[default]
    First,
    /// At most one row may match.
    Unique,
    /// The matching row whose `-> outcome` is strictest, else the first.
    Priority,
    Collect(Collected),
}

/// What becomes of the outputs of all matching rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    /// A list for each output.
    All,
    Sum,
    Min,
    Max,
    /// How many rows matched: `.count`.
    Count,
}

impl Collected {
    /// The word for it in hit policies and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "list",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
        }
    }
}

/// A fixed list: an allow or block list that is part of the revision.
#[derive(Debug, Clone)]
pub struct ListDeclaration {
    /// The file's name before its first dot.
    pub name: Located<String>,
    pub list: Arc<List>,
    /// Of `rules/_shared/`: not using it is no finding.
    pub is_shared: bool,
}

/// `needs: { bureau: { of: { score: integer }, with: { depth: text } } }`.
#[derive(Debug, Clone)]
pub struct NeedDeclaration {
    pub name: Located<String>,
    /// What the caller answers with: types as of inputs.
    pub of: Vec<InputDeclaration>,
    /// What `need("bureau", #{ … })` tells the caller.
    pub with: BTreeMap<Name, Field>,
    /// The caller may answer that it cannot be had, and the script asks whether it is there.
    pub optional: bool,
}

/// `properties: [{ more: monthly_income, never: stricter }]`: one line of it.
#[derive(Debug, Clone)]
pub struct PropertyDeclaration {
    pub claim: ClaimDeclaration,
    /// Why it must be so, for whoever meets a violation.
    pub why: Option<String>,
    /// The whole line.
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum ClaimDeclaration {
    /// `{ more: monthly_income, never: stricter }`: of an input, a field, a need's field or a model's answer.
    Monotone { more: Located<String>, never: NeverDeclaration },
    /// `{ when: age < min_age, always: outcome == "decline" }`
    Always { when: Option<Located<String>>, always: Located<String> },
    /// `{ ignores: [foreign_worker] }`
    Ignores(Vec<Located<String>>),
}

/// What more of something never makes of the answer.
#[derive(Debug, Clone)]
pub enum NeverDeclaration {
    Stricter,
    Milder,
    /// `{ higher: apr }`
    Higher(Located<String>),
    Lower(Located<String>),
}

/// Another flow of the bundle, as this one's script may call it with `flow("NAME")`.
#[derive(Debug, Clone)]
pub struct SubFlowDeclaration {
    pub name: String,
    pub found: SubFlowFound,
}

/// What a name in `flow("NAME")` leads to.
#[derive(Debug, Clone)]
pub enum SubFlowFound {
    /// Compiled, for the market that this declaration is for if it has that, else for `base`.
    Flow(Arc<Flow>),
    /// There is such a flow, and it does not check.
    Broken,
    /// It asks this flow in turn: the way from this flow back to itself, both ends named.
    Cycle(Vec<String>),
    /// The script does not name it; known so that a near name can be offered.
    Uncalled,
}

#[cfg(test)]
impl FlowDeclaration {
    /// A flow that takes nothing and says nothing, for tests to fill in what they are about.
    pub fn blank() -> Self {
        let text = |text: &str| Located::new(text.to_owned(), Place::default());
        Self {
            name: text("test"),
            title: None,
            owner: None,
            subject: None,
            time_zone: None,
            inputs: Vec::new(),
            unknown_inputs: UnknownInputs::Refuse,
            protected: Vec::new(),
            features: Vec::new(),
            thresholds: Vec::new(),
            models: Vec::new(),
            outputs: Vec::new(),
            outcomes: ["approve", "review", "decline"].map(text).into(),
            reasons: Vec::new(),
            on_error: OnErrorDeclaration { outcome: text("review"), reason: text("R900") },
            on_invalid: OnInvalid::Refuse,
            deadline_ms: 50,
            place: Place::default(),
            rule_sets: Vec::new(),
            scorecards: Vec::new(),
            tables: Vec::new(),
            lists: Vec::new(),
            needs: Vec::new(),
            sub_flows: Vec::new(),
            shared_functions: Vec::new(),
            languages: Vec::new(),
            market: None,
            is_market_required: false,
            properties: Vec::new(),
            script: text(""),
        }
    }
}
