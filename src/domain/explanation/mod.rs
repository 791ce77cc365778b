//! Why a verdict came out as it did: every step with what it read and gave, every condition with the values in it, and
//! what stood in the way of a milder outcome. Drawn up from an evaluation that was looked on at, so that nothing is
//! guessed. Absent on purpose: how it looks, in which language, and any evaluation on the way of a decision.

mod conditions;
mod drawn_up;
mod evaluated;
mod hidden;
mod path;
mod steps;
mod way;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use drawn_up::{Asked, explain};
pub use way::{Obstacle, WhyNot};
pub use words::shown;

use super::model::Space;
use super::value::{Name, Value};
use super::verdict::{Failure, RecordedBy, RuleResult, Verdict};

/// Everything that led to one verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub flow: Name,
    /// `None` is `base`.
    pub market: Option<Name>,
    pub verdict: Verdict,
    /// Mildest first.
    pub outcomes: Vec<Name>,
    pub steps: Vec<Told>,
    /// Steps beyond the most that are told, as a script with loops can have them.
    pub left_out: usize,
    /// For each milder outcome, nearest first.
    pub why_not: Vec<WhyNot>,
    /// Nodes and arms of the outline that the evaluation came through, by their ids.
    pub path: BTreeSet<String>,
}

/// A value, unless whoever asks may not see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Value(Value),
    Hidden,
}

/// Something that was read, with what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub name: Name,
    pub value: Shown,
}

/// One thing that happened, with its grounds.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A feature was computed.
    Feature {
        name: Name,
        formula: String,
        reads: Vec<Read>,
        value: Option<Shown>,
    },
    Rules {
        name: Name,
        rules: Vec<RuleTold>,
        not_asked: usize,
        points: i64,
    },
    Model(ModelTold),
    Scorecard {
        name: Name,
        base_points: i64,
        points: i64,
        characteristics: Vec<CharacteristicTold>,
    },
    Table {
        name: Name,
        columns: Vec<Read>,
        rows: Vec<u32>,
        output: Vec<Read>,
        missed: Vec<RowMissed>,
    },
    /// Something was looked up.
    List {
        name: Name,
        value: Shown,
        is_listed: bool,
    },
    SubFlow {
        name: Name,
        outcome: Name,
        reasons: Vec<Name>,
        degraded: bool,
        steps: Vec<Told>,
    },
    /// The caller was asked; `answer` is `None` where that is still to come or cannot be had.
    Need {
        name: Name,
        with: Shown,
        answer: Option<Shown>,
    },
    /// The script asked a condition, in this line of `flow.rhai`.
    Branch {
        line: u32,
        condition: Condition,
    },
    /// The script chose by a value: `switch`.
    Switch {
        line: u32,
        on: Read,
        arm: Option<u32>,
    },
    /// The script worked something out.
    Computed {
        line: u32,
        text: String,
        value: Shown,
    },
    Record(RecordTold),
    Failed(Failure),
}

/// How one rule came out.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTold {
    pub id: Name,
    pub result: RuleResult,
    pub condition: Condition,
    /// What a hit of it records or is worth.
    pub outcome: Option<Name>,
    pub reason: Option<Name>,
    pub points: i64,
}

/// What a model said, and how much each of its inputs did for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTold {
    pub name: Name,
    pub model: Arc<str>,
    pub version: u32,
    pub score: Option<f64>,
    pub fallback: bool,
    /// The score was said beforehand, as cases and what-ifs do: nothing was asked.
    pub is_pinned: bool,
    pub reads: Vec<Read>,
    /// `None` where the model cannot say, or was not asked.
    pub contributions: Option<ContributionsTold>,
}

/// The score's parts: the base and all of these add up to it, in their space.
#[derive(Debug, Clone, PartialEq)]
pub struct ContributionsTold {
    pub space: Space,
    pub base: f64,
    /// Largest first, either way.
    pub inputs: Vec<(Name, f64)>,
}

/// Which bin a characteristic came to.
#[derive(Debug, Clone, PartialEq)]
pub struct CharacteristicTold {
    pub name: Name,
    pub value: Shown,
    /// What the bin asks, in its document's words.
    pub bin: String,
    pub points: i64,
    /// Of the best bin.
    pub best: i64,
    pub reason: Option<Name>,
}

/// Why a row did not answer: the first of its cells that does not take its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowMissed {
    pub row: u32,
    pub column: Name,
    /// What the cell asks.
    pub cell: String,
}

/// A recorded outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordTold {
    pub outcome: Name,
    pub reasons: Vec<Name>,
    pub output: Vec<Read>,
    pub by: RecordedBy,
    /// Of `flow.rhai`, 0 if it has none.
    pub line: u32,
    /// It is as strict as the verdict, so its reasons are the verdict's.
    pub counts: bool,
}

/// A condition, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As written, in one line.
    pub text: String,
    /// The same with the values in it: `burden 0.52 > max_burden 0.40`.
    pub shown: String,
    pub truth: Truth,
    /// Of the parts of one condition: what settled it.
    pub decided: bool,
    /// What was read, each name once.
    pub reads: Vec<Read>,
    /// Of `&&`, `||` and `!`.
    pub parts: Vec<Condition>,
}

/// What came of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    /// The code of the failure.
    Failed(&'static str),
    /// It was settled before it came to this part.
    NotAsked,
}

impl Truth {
    /// The word for it in explanations.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Failed(_) => "failed",
            Self::NotAsked => "not asked",
        }
    }
}
