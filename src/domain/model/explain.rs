//! Why a model answers as it does: what each input adds to what the model gives on average, exact and adding up.
//! Absent: approximations, words (a reason is a code that the model's recipe gives to an input), and networks, whose
//! answer no exact split is known for.

use std::collections::BTreeMap;

use super::boosted::Boosted;
use super::forest::Forest;
use super::graph::CoreStep;
use super::link::Link;
use super::shap::Shap;
use super::trees::Node;
use super::{Adverse, Model, ModelError, ModelFailure, Predictor};
use crate::domain::value::{Name, Value};

/// What the numbers of a contribution are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Of the probability: the sum before the logistic function.
    LogOdds,
    Probability,
    /// Of a scorecard.
    Points,
    /// The logarithm of the answer.
    Logarithm,
    /// The answer itself, which is no probability.
    Number,
}

impl Space {
    /// The space of what stands before a link.
    pub(super) fn before(link: Link) -> Self {
        match link {
            Link::Identity => Self::Number,
            Link::Exponential | Link::ExponentialSingle => Self::Logarithm,
            Link::Logistic { .. } | Link::LogisticSingle | Link::LogisticTurned | Link::Step => Self::LogOdds,
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::LogOdds => "log_odds",
            Self::Probability => "probability",
            Self::Points => "points",
            Self::Logarithm => "logarithm",
            Self::Number => "number",
        }
    }
}

/// What each input adds, for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    pub space: Space,
    /// What the model gives on average (or with nothing known): the row's own answer is this plus all inputs.
    pub base: f64,
    /// In the order of the model's inputs.
    pub inputs: Vec<f64>,
    /// What each characteristic of a scorecard adds, with the reason that its own attribute gives for this row; empty
    /// for other models.
    pub characteristics: Vec<OwnReason>,
}

/// What one characteristic of a scorecard adds to the input that it is about, which may have several.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnReason {
    /// Its place among the model's inputs.
    pub input: usize,
    pub adds: f64,
    pub reason: Option<Name>,
}

impl Contributions {
    /// The row's answer in this space.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.base + self.inputs.iter().sum::<f64>()
    }
}

/// Something that speaks against the person, by its code.
#[derive(Debug, Clone, PartialEq)]
pub struct ReasonCode {
    pub code: Name,
    /// How much, in the space of the contributions, above 0: all inputs with this code together.
    pub weight: f64,
}

/// What is known of the rows that a model was fitted on, as far as explanations need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Background {
    /// For each node of each tree, breadth first, how many rows (or what weight of them) came there.
    pub covers: Vec<Vec<f64>>,
    /// For each column of a sum, its mean.
    pub means: Vec<f64>,
}

/// Made ready when the model is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Explainer {
    /// Contributions are `coefficient (x - mean)`.
    Linear {
        means: Box<[f64]>,
    },
    Trees(Box<Shap>),
    /// Points against baselines, which the scorecard has itself.
    Points,
    /// Trees without covers, or a network.
    None {
        why: &'static str,
    },
}

const NO_COVERS: &str =
    "it was stored without the covers of its nodes; import it again with `--rows`, or train it again";
const ELSEWHERE: &str = "it answers on another server, and of its inside nothing is known here";
const MIXED: &str = "each step of a network mixes the inputs, so no exact split is known";

impl Explainer {
    pub(super) fn elsewhere() -> Self {
        Self::None { why: ELSEWHERE }
    }

    pub(super) fn new(predictor: &Predictor, background: &Background) -> Result<Self, ModelError> {
        let trees = |nodes: &[Vec<Node>], players: Vec<u16>, count| {
            if background.covers.is_empty() {
                return Ok(Self::None { why: NO_COVERS });
            }
            Ok(Self::Trees(Box::new(Shap::new(nodes, &background.covers, &players, count)?)))
        };
        let linear = |columns: usize| {
            let means: Box<[f64]> = match background.means.len() {
                0 => vec![0.0; columns].into(),
                count if count == columns && background.means.iter().all(|mean| mean.is_finite()) => {
                    background.means.clone().into()
                }
                _ => return Err(ModelError::Covers { problem: "the means are for other columns" }),
            };
            Ok(Self::Linear { means })
        };
        let boosted = |boosted: &Boosted| trees(&boosted.nodes(), boosted.players(), boosted.columns());
        match predictor {
            Predictor::Remote(_) => Ok(Self::elsewhere()),
            Predictor::Logistic(logistic) => linear(logistic.columns()),
            Predictor::Forest(forest) => {
                let own = (0..=u16::MAX).take(forest.columns()).collect();
                trees(&forest.nodes(), own, forest.columns())
            }
            Predictor::Scorecard(scorecard) => linear(scorecard.columns()),
            Predictor::Boosted(trees) => boosted(trees),
            Predictor::Characteristics(_) => Ok(Self::Points),
            Predictor::Graph(graph) => match graph.core() {
                Some((CoreStep::Linear { coefficients, .. }, _)) => linear(coefficients.len()),
                Some((CoreStep::Trees(trees), _)) => boosted(trees),
                None => Ok(Self::None { why: MIXED }),
            },
        }
    }
}

impl Model {
    /// What each input adds to the model's average answer, exactly: the base and all inputs add up to what stands
    /// before the model's link (to 1e-9, or 1e-6 where the model sums 32-bit floats).
    ///
    /// # Errors
    /// As [`Model::predict`], and `not_explainable` when the model has no covers or is a network.
    pub fn explain(&self, row: &[Value]) -> Result<Contributions, ModelFailure> {
        let columns = self.encode(row)?;
        let mut inputs = vec![0.0; self.inputs.len()];
        let base = match &self.predictor {
            Predictor::Logistic(logistic) => {
                let owner = |column| self.owner(column);
                self.linear(logistic.coefficients(), logistic.intercept(), &columns, owner, &mut inputs)?
            }
            Predictor::Scorecard(scorecard) => {
                let points = vec![1.0; columns.len()];
                let owner = |column| self.owner(column);
                self.linear(&points, scorecard.start(), &columns, owner, &mut inputs)?
            }
            Predictor::Forest(forest) => self.forest(forest, &columns, &mut inputs)?,
            Predictor::Boosted(trees) => {
                self.boosted(trees, &columns, |column| self.owner(column), &mut inputs)?
            }
            Predictor::Graph(graph) => {
                let Some((core, _)) = graph.core() else { return Err(not_explainable(MIXED)) };
                let own = graph.core_columns(&columns);
                let origins = graph.core_origins();
                let owner = |column| self.owner(origins.get(column).copied().flatten()?);
                match core {
                    CoreStep::Linear { coefficients, bias } => {
                        self.linear(coefficients, bias, &own, owner, &mut inputs)?
                    }
                    CoreStep::Trees(trees) => self.boosted(trees, &own, owner, &mut inputs)?,
                }
            }
            Predictor::Characteristics(_) => return self.points(&columns, inputs),
            Predictor::Remote(_) => return Err(not_explainable(ELSEWHERE)),
        };
        Ok(Contributions { space: self.space(), base, inputs, characteristics: Vec::new() })
    }

    /// The word for the space of its contributions, or why it has none.
    ///
    /// # Errors
    /// Of networks, and of trees without covers.
    pub fn explains_in(&self) -> Result<&'static str, &'static str> {
        match &*self.explainer {
            Explainer::None { why } => Err(why),
            Explainer::Points => Ok(Space::Points.word()),
            Explainer::Linear { .. } | Explainer::Trees(_) => Ok(self.space().word()),
        }
    }

    /// The codes that speak most against the person, the heaviest first: those inputs' that add toward the adverse side.
    /// Inputs of one code count together; inputs without a code are passed over.
    #[must_use]
    pub fn reasons(&self, contributions: &Contributions, most: usize) -> Vec<ReasonCode> {
        let sign = if self.adverse() == Adverse::Above { 1.0 } else { -1.0 };
        let mut weights: BTreeMap<Name, (usize, f64)> = BTreeMap::new();
        let mut weigh = |at: usize, own: Option<&'_ Name>, adds: f64| {
            let code = own.cloned().or_else(|| self.reason_codes.get(at)?.clone());
            if let Some(code) = code {
                weights.entry(code).or_insert((at, 0.0)).1 += sign * adds;
            }
        };
        if contributions.characteristics.is_empty() {
            for (at, adds) in contributions.inputs.iter().enumerate() {
                weigh(at, None, *adds);
            }
        }
        for one in &contributions.characteristics {
            weigh(one.input, one.reason.as_ref(), one.adds);
        }
        let mut ranked: Vec<(usize, ReasonCode)> = weights
            .into_iter()
            .filter(|(_, (_, weight))| *weight > 0.0)
            .map(|(code, (first, weight))| (first, ReasonCode { code, weight }))
            .collect();
        // Of equal weight, the one whose input comes first.
        ranked.sort_by(|(a_at, a), (b_at, b)| b.weight.total_cmp(&a.weight).then(a_at.cmp(b_at)));
        ranked.truncate(most);
        ranked.into_iter().map(|(_, reason)| reason).collect()
    }

    /// What explanations need to know of the rows that the model was fitted on, measured by passing rows through it.
    ///
    /// # Errors
    /// When a row cannot be encoded.
    pub fn background<'r>(
        &self,
        rows: impl IntoIterator<Item = &'r Vec<Value>>,
    ) -> Result<Background, ModelFailure> {
        let mut measured = Measured::default();
        for row in rows {
            let columns = self.encode(row)?;
            match &self.predictor {
                Predictor::Logistic(_) | Predictor::Scorecard(_) => measured.mean(&columns),
                Predictor::Forest(forest) => forest.visit(&columns, &mut measured.covers),
                Predictor::Boosted(trees) => trees.visit(&columns, &mut measured.covers),
                Predictor::Graph(graph) => match graph.core() {
                    Some((CoreStep::Linear { .. }, _)) => measured.mean(&graph.core_columns(&columns)),
                    Some((CoreStep::Trees(trees), _)) => {
                        trees.visit(&graph.core_columns(&columns), &mut measured.covers);
                    }
                    None => {}
                },
                Predictor::Characteristics(_) | Predictor::Remote(_) => {}
            }
        }
        Ok(measured.background())
    }

    fn linear(
        &self,
        coefficients: &[f64],
        intercept: f64,
        columns: &[f64],
        owner: impl Fn(usize) -> Option<usize>,
        inputs: &mut [f64],
    ) -> Result<f64, ModelFailure> {
        let Explainer::Linear { means } = &*self.explainer else { return Err(self.why_not()) };
        let mut base = intercept;
        for (column, ((coefficient, x), mean)) in coefficients.iter().zip(columns).zip(means).enumerate() {
            match owner(column).and_then(|input| inputs.get_mut(input)) {
                Some(input) => {
                    base += coefficient * mean;
                    *input += coefficient * (x - mean);
                }
                // A constant of the pipeline belongs to nobody.
                None => base += coefficient * x,
            }
        }
        Ok(base)
    }

    fn forest(&self, forest: &Forest, columns: &[f64], inputs: &mut [f64]) -> Result<f64, ModelFailure> {
        let Explainer::Trees(shap) = &*self.explainer else { return Err(self.why_not()) };
        let mut each = vec![0.0; forest.columns()];
        shap.add(columns, &mut each);
        let trees = f64::from(forest.trees());
        for (column, contribution) in each.iter().enumerate() {
            if let Some(input) = self.owner(column).and_then(|input| inputs.get_mut(input)) {
                *input += contribution / trees;
            }
        }
        Ok(shap.base() / trees)
    }

    fn boosted(
        &self,
        trees: &Boosted,
        columns: &[f64],
        owner: impl Fn(usize) -> Option<usize>,
        inputs: &mut [f64],
    ) -> Result<f64, ModelFailure> {
        let Explainer::Trees(shap) = &*self.explainer else { return Err(self.why_not()) };
        let mut each = vec![0.0; trees.columns()];
        shap.add(&trees.views(columns), &mut each);
        let scale = trees.scale();
        let mut base = trees.base() + shap.base() * scale;
        for (column, contribution) in each.iter().enumerate() {
            match owner(column).and_then(|input| inputs.get_mut(input)) {
                Some(input) => *input += contribution * scale,
                None => base += contribution * scale,
            }
        }
        Ok(base)
    }

    fn points(&self, columns: &[f64], mut inputs: Vec<f64>) -> Result<Contributions, ModelFailure> {
        let Predictor::Characteristics(card) = &self.predictor else { return Err(self.why_not()) };
        let mut characteristics = Vec::with_capacity(card.characteristics.len());
        let mut base = card.start;
        for characteristic in &card.characteristics {
            let attribute = characteristic.attribute(columns).ok_or_else(super::no_attribute)?;
            base += characteristic.baseline;
            let Some(at) = self.owner(characteristic.column) else { continue };
            let adds = attribute.points - characteristic.baseline;
            if let Some(input) = inputs.get_mut(at) {
                *input += adds;
            }
            characteristics.push(OwnReason { input: at, adds, reason: attribute.reason.clone() });
        }
        Ok(Contributions { space: Space::Points, base, inputs, characteristics })
    }

    fn why_not(&self) -> ModelFailure {
        match &*self.explainer {
            Explainer::None { why } => not_explainable(why),
            _ => not_explainable(NO_COVERS),
        }
    }
}

fn not_explainable(why: &str) -> ModelFailure {
    ModelFailure { code: "not_explainable", detail: format!("the model's answer cannot be explained: {why}") }
}

/// Sums while rows pass.
#[derive(Default)]
struct Measured {
    covers: Vec<Vec<f64>>,
    sums: Vec<f64>,
    rows: f64,
}

impl Measured {
    fn mean(&mut self, columns: &[f64]) {
        self.sums.resize(columns.len(), 0.0);
        for (sum, x) in self.sums.iter_mut().zip(columns) {
            *sum += x;
        }
        self.rows += 1.0;
    }

    fn background(self) -> Background {
        let means = self.sums.iter().map(|sum| sum / self.rows).collect();
        Background { covers: self.covers, means }
    }
}
