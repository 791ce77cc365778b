//! The outline of a flow: what its script does step by step, where it branches and on what, which outcomes and
//! reasons each part can record, and the thresholds that the parts read with their values in force. A tree with
//! places and stable ids, for pictures, coverage and explanation. Absent on purpose: how it looks, and any value
//! of a request.

pub mod cut_offs;
pub mod details;
mod draw_up;
mod reads;

use super::declaration::FlowDeclaration;
use super::diagnostic::Diagnostic;
use super::place::Place;

/// One flow, outlined.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    pub flow: String,
    pub title: Option<String>,
    /// `None` is `base`.
    pub market: Option<String>,
    /// Mildest first.
    pub outcomes: Vec<String>,
    pub features: Vec<OutlineFeature>,
    /// What the script does, in order.
    pub nodes: Vec<OutlineNode>,
    /// Functions that the script calls, its own and shared ones, by name.
    pub functions: Vec<OutlineFunction>,
    /// Recorded when a step cannot be evaluated.
    pub on_error: Recording,
}

/// A derived value and how it is derived.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineFeature {
    pub name: String,
    pub formula: String,
    pub place: Place,
    pub thresholds: Vec<ThresholdRead>,
}

/// A threshold by name with the value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdRead {
    pub name: String,
    pub value: String,
}

/// A function, with what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineFunction {
    pub name: String,
    pub parameters: Vec<String>,
    pub nodes: Vec<OutlineNode>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineNode {
    /// What it is and which one of its kind among its siblings, below its parent's: `rules.knockout`,
    /// `if.2/then/decline.1`. The same after edits elsewhere, and after reformatting.
    pub id: String,
    pub place: Place,
    pub act: Act,
    /// Thresholds that are read here, in order of reading.
    pub thresholds: Vec<ThresholdRead>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// A rule set, model, scorecard, table, sub-flow or need is evaluated.
    Step(OutlineStep),
    /// What a step found is recorded: `.apply()`.
    Apply { kind: StepKind, name: String, records: Vec<Recording> },
    /// A verb.
    Record(Recording),
    /// `if` and `switch`: the arms are tried in order, and one is taken; none if there is no `else`.
    Branch { kind: BranchKind, arms: Vec<OutlineArm> },
    /// `for`, `while`, `loop`.
    Loop { header: String, nodes: Vec<OutlineNode> },
    /// A value is worked out or changed.
    Compute { text: String },
    /// A function of the analyst's is called.
    Call { function: String, text: String },
    /// `return`, `break`, `continue`.
    Leave { text: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchKind {
    If,
    Switch,
}

/// One way to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineArm {
    pub id: String,
    /// The condition, or the labels of a `switch`; `None` for all that is left.
    pub condition: Option<String>,
    pub thresholds: Vec<ThresholdRead>,
    pub nodes: Vec<OutlineNode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    RuleSet,
    Model,
    Scorecard,
    Table,
    SubFlow,
    Need,
}

/// What an evaluated step is.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineStep {
    pub kind: StepKind,
    pub name: String,
    /// What the call hands over: name and expression.
    pub with: Vec<(String, String)>,
    /// How the script goes on to call it or what it takes of it: `let risk = … .probability`.
    pub gives: Option<String>,
    /// `collect`, `first`, `german_credit@champion (version 1)`, …
    pub note: Option<String>,
    /// Its rules, characteristics or rows, and what each can record.
    pub parts: Vec<StepPart>,
}

/// A rule, a characteristic, or the rows of a table that give the same outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPart {
    pub id: String,
    pub place: Place,
    pub condition: String,
    pub thresholds: Vec<ThresholdRead>,
    pub record: Option<Recording>,
    pub points: Option<i64>,
}

/// An outcome that can be recorded, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// Empty where only reasons or points come of it.
    pub outcome: String,
    /// Reason codes, or `the reasons of rules "affordability"`.
    pub reasons: Vec<ReasonSource>,
    /// What an approval carries: name and expression.
    pub outputs: Vec<(String, String)>,
}

/// Where the reasons of a record come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReasonSource {
    /// A declared code, with its text in the flow's first language.
    Code { code: String, text: Option<String> },
    /// Whatever a step gave as reasons: the codes that it can give.
    Step { kind: StepKind, name: String, codes: Vec<String> },
    /// Worked out in the script.
    Expression(String),
}

impl StepKind {
    /// The word of the script that asks for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RuleSet => "rules",
            Self::Model => "model",
            Self::Scorecard => "scorecard",
            Self::Table => "table",
            Self::SubFlow => "flow",
            Self::Need => "need",
        }
    }

    /// What it is, to people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::RuleSet => "rule set",
            Self::Model => "model",
            Self::Scorecard => "scorecard",
            Self::Table => "table",
            Self::SubFlow => "flow",
            Self::Need => "need",
        }
    }

    pub(in crate::domain) fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "rules" => Self::RuleSet,
            "model" => Self::Model,
            "scorecard" => Self::Scorecard,
            "table" => Self::Table,
            "flow" => Self::SubFlow,
            "need" => Self::Need,
            _ => return None,
        })
    }
}

impl ReasonSource {
    /// In one line: `R101`, `reasons of rules affordability`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Code { code, .. } => code.clone(),
            Self::Step { kind, name, .. } => format!("reasons of {} {name}", kind.word()),
            Self::Expression(text) => text.clone(),
        }
    }
}

impl Recording {
    /// In one line: `decline: R101, R204`.
    #[must_use]
    pub fn shown(&self) -> String {
        let reasons: Vec<String> = self.reasons.iter().map(ReasonSource::shown).collect();
        match (self.outcome.as_str(), reasons.is_empty()) {
            (outcome, true) => outcome.to_owned(),
            ("", false) => reasons.join(", "),
            (outcome, false) => format!("{outcome}: {}", reasons.join(", ")),
        }
    }
}

impl OutlineStep {
    /// In one line, as the script writes it: `rules("knockout")`.
    #[must_use]
    pub fn call(&self) -> String {
        format!("{}(\"{}\")", self.kind.word(), self.name)
    }
}

impl Outline {
    /// Outlines a flow as declared, for the market that it was declared for.
    ///
    /// # Errors
    /// When the script or a formula cannot be parsed: the flow does not check.
    pub fn of(flow: &FlowDeclaration) -> Result<Self, Vec<Diagnostic>> {
        draw_up::outline(flow)
    }

    /// Every node, parents before their children.
    pub fn visit<'a>(&'a self, look: &mut dyn FnMut(&'a OutlineNode)) {
        visit(&self.nodes, look);
        for function in &self.functions {
            visit(&function.nodes, look);
        }
    }
}

fn visit<'a>(nodes: &'a [OutlineNode], look: &mut dyn FnMut(&'a OutlineNode)) {
    for node in nodes {
        look(node);
        match &node.act {
            Act::Branch { arms, .. } => arms.iter().for_each(|arm| visit(&arm.nodes, look)),
            Act::Loop { nodes, .. } => visit(nodes, look),
            _ => {}
        }
    }
}
