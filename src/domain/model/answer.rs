//! What is asked of a model beside its probability: the score that its contributions add up to, what it noted of its
//! inputs, and when it explains itself. Not how contributions are found: that is `explain`.

use std::collections::BTreeSet;

use super::explain::{Explainer, Space};
use super::graph::CoreStep;
use super::link::Link;
use super::{Model, ModelFailure, Predictor, encode};
use crate::domain::model::{InputNote, Range};
use crate::domain::value::{Name, Value};

/// Most reasons that a model gives for one answer. US Regulation B's commentary finds more than four of little help.
pub const MOST_REASONS: usize = 4;

/// What a model answers for one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// As [`Model::predict`] gives it.
    pub value: f64,
    /// Some input was not taken as it came: [`Model::notes`] says which.
    pub is_noted: bool,
}

/// When a model explains its answers beside the times that somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExplainWhen {
    #[default]
    Asked,
    /// Whenever the outcome is not the mildest.
    Adverse,
    Always,
}

impl Model {
    /// The inputs that were not taken as they came, in order; for a row that has an answer.
    #[must_use]
    pub fn notes(&self, row: &[Value]) -> Vec<InputNote> {
        encode::noted::notes(&self.encoders, row)
    }

    /// The numbers that an input, by its place, was fitted on, if that is known.
    #[must_use]
    pub fn range(&self, input: usize) -> Option<Range> {
        encode::noted::range(&self.encoders, input)
    }

    /// What the contributions are of, and the score is in.
    #[must_use]
    pub fn space(&self) -> Space {
        match &self.predictor {
            Predictor::Logistic(_) => Space::LogOdds,
            Predictor::Scorecard(_) | Predictor::Characteristics(_) => Space::Points,
            Predictor::Forest(_) | Predictor::Remote(_) => Space::Probability,
            Predictor::Boosted(trees) => match trees.link() {
                Link::Identity if self.gives_probability() => Space::Probability,
                link => Space::before(link),
            },
            Predictor::Graph(graph) => match graph.core() {
                Some((_, space)) => space,
                None if self.gives_probability() => Space::Probability,
                None => Space::Number,
            },
        }
    }

    /// The number that the contributions add up to: the points of a scorecard, the log-odds of a logistic regression
    /// or of boosted trees, the probability of a forest; of what cannot be explained the answer itself.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn score(&self, row: &[Value]) -> Result<f64, ModelFailure> {
        let columns = self.encode(row)?;
        let sum = |coefficients: &[f64], columns: &[f64], start: f64| {
            start + coefficients.iter().zip(columns).map(|(c, x)| c * x).sum::<f64>()
        };
        let score = match &self.predictor {
            Predictor::Logistic(logistic) => sum(logistic.coefficients(), &columns, logistic.intercept()),
            Predictor::Scorecard(card) => card.points(&columns),
            Predictor::Boosted(trees) => trees.margin(&columns),
            Predictor::Graph(graph) => match graph.core() {
                Some((CoreStep::Linear { coefficients, bias }, _)) => {
                    sum(coefficients, &graph.core_columns(&columns), bias)
                }
                Some((CoreStep::Trees(trees), _)) => trees.margin(&graph.core_columns(&columns)),
                None => graph.answer(&columns),
            },
            Predictor::Forest(_) | Predictor::Characteristics(_) | Predictor::Remote(_) => {
                self.predict(row)?
            }
        };
        if score.is_finite() { Ok(score) } else { Err(super::too_large()) }
    }

    /// Why no answer of this model can be explained, if none can.
    #[must_use]
    pub fn not_explainable(&self) -> Option<&'static str> {
        match &*self.explainer {
            Explainer::None { why } => Some(why),
            _ => None,
        }
    }

    /// Whether any input has a reason.
    #[must_use]
    pub fn has_reasons(&self) -> bool {
        let of_attributes = matches!(&self.predictor, Predictor::Characteristics(card)
            if card.characteristics.iter().flat_map(|one| &one.attributes).any(|one| one.reason.is_some()));
        of_attributes || self.reason_codes.iter().any(Option::is_some)
    }

    /// Every code that the model may give as a reason.
    #[must_use]
    pub fn reason_codes(&self) -> BTreeSet<Name> {
        let mut codes: BTreeSet<Name> = self.reason_codes.iter().flatten().cloned().collect();
        if let Predictor::Characteristics(card) = &self.predictor {
            let attributes = card.characteristics.iter().flat_map(|one| &one.attributes);
            codes.extend(attributes.filter_map(|attribute| attribute.reason.clone()));
        }
        codes
    }

    /// When it explains its answers beside the times that somebody asks.
    #[must_use]
    pub fn explains(&self) -> ExplainWhen {
        self.explains
    }

    #[must_use]
    pub fn explaining(mut self, when: ExplainWhen) -> Self {
        self.explains = when;
        self
    }
}
