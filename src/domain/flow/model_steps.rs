//! Models as a script asks them: once a request, then their probability, score, reasons and contributions. What a model
//! answers is its own (`domain::model`); what stands in when it cannot is the flow's or the case's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::machine::{Fault, Machine, Outcome, Stop};
use super::remote::Unanswered;
use super::steps::AskedScore;
use super::{GivenAnswer, ModelPin, ModelUse};
use crate::domain::expression::predicate::Source;
use crate::domain::model::{ExplainWhen, InputNote, MOST_REASONS};
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{Explanation, Failure, ModelAnswered, Score, Step};

/// What a model answered.
#[derive(Debug, Clone)]
pub(super) struct ModelResult {
    /// `None`: it failed, and nothing stands in.
    pub score: Option<Score>,
    source: AnswerSource,
    explanation: Option<Arc<Explanation>>,
    /// Its step in the trace.
    step: usize,
}

/// Where an answer comes from.
#[derive(Debug, Clone)]
enum AnswerSource {
    /// The model, for this row.
    Row(Vec<Value>),
    Given(Arc<GivenAnswer>),
    /// Another model of the flow stands in.
    Other(u16),
    /// Another server.
    Elsewhere,
    Failed,
}

/// An answer before it is rounded and noted.
pub(super) struct ModelAnswer {
    raw: f64,
    source: AnswerSource,
    notes: Box<[InputNote]>,
}

impl ModelResult {
    pub(super) fn failed(&self) -> bool {
        self.score.is_none()
    }
}

impl Machine<'_> {
    /// Asks a model, once a request. On another server: where its answer is not known yet, nothing is noted but that it
    /// is wanted.
    pub fn model(&mut self, index: u16) {
        let at = usize::from(index);
        if self.models.get(at).is_none_or(Option::is_some) {
            return;
        }
        let flow = self.flow;
        let Some(used) = flow.models.get(at) else { return };
        let Some(answer) = self.answer(at, used) else { return };
        let (answered, fallback) = match answer {
            Ok(answered) => (Some(answered), false),
            Err((code, detail)) => {
                let failure = Failure { code, step: format!("model {}", used.name), line: 0, detail };
                self.trace.push(Step::Failed(failure.clone()));
                // With a declared answer for this case nothing has failed.
                if used.if_it_fails.is_none() {
                    self.failures.push(failure);
                }
                let Some(stood) = self.stand_in(at) else { return };
                (stood, true)
            }
        };
        let score = answered
            .as_ref()
            .map(|answered| Score { rounded: rounded(answered.raw, used.model.decimals), raw: answered.raw });
        let (source, notes) =
            answered.map_or((AnswerSource::Failed, [].into()), |answered| (answered.source, answered.notes));
        let step = self.trace.len();
        self.trace.push(Step::Model {
            name: used.name.clone(),
            model: used.model.name.clone(),
            version: used.model.version,
            score,
            fallback,
            notes,
            explanation: None,
        });
        self.asked.push(AskedScore::Model(index));
        if let Some(slot) = self.models.get_mut(at) {
            *slot = Some(ModelResult { score, source, explanation: None, step });
        }
    }

    /// `None`: another server has to be asked first.
    fn answer(&mut self, at: usize, used: &ModelUse) -> Option<Result<ModelAnswer, Unanswered>> {
        Some(match self.pins.models.get(&used.name) {
            Some(ModelPin::Probability(pinned)) => ModelAnswer::given(&Arc::new(GivenAnswer {
                probability: Some(*pinned),
                ..GivenAnswer::default()
            })),
            Some(ModelPin::Answer(given)) => ModelAnswer::given(given),
            Some(ModelPin::Fails) => Err(("model_failed", "the case pins it to fail".to_owned())),
            None if used.model.remote().is_some() => {
                let answer = self.answer_from_elsewhere(at)?;
                answer.map(|raw| ModelAnswer { raw, source: AnswerSource::Elsewhere, notes: [].into() })
            }
            None => self.row(&used.columns).and_then(|row| {
                let answer = used.model.answer(&row).map_err(|failure| (failure.code, failure.detail))?;
                let notes = if answer.is_noted { used.model.notes(&row).into() } else { [].into() };
                Ok(ModelAnswer { raw: answer.value, source: AnswerSource::Row(row), notes })
            }),
        })
    }

    pub(super) fn row(&mut self, columns: &[Source]) -> Result<Vec<Value>, Unanswered> {
        let mut row = Vec::with_capacity(columns.len());
        for column in columns {
            row.push(match column {
                Source::Input(at) => {
                    self.facts.values.get(usize::from(*at)).cloned().unwrap_or(Value::Missing)
                }
                Source::Feature(at) => match self.feature(*at, Span::default()) {
                    Ok(value) => value,
                    Err(Stop::Fault(fault)) => return Err((fault.code, fault.detail)),
                    Err(_) => Value::Missing,
                },
            });
        }
        Ok(row)
    }

    /// `.probability`, `.score`, `.reasons`, `.contributions` and `.failed`.
    pub(super) fn model_property(&mut self, index: u16, name: &Name, span: Span) -> Outcome<Value> {
        self.readable(index, name)?;
        let flow = self.flow;
        let at = usize::from(index);
        let (Some(used), Some(Some(result))) = (flow.models.get(at), self.models.get(at)) else {
            return Ok(Value::Missing);
        };
        if &**name == "failed" {
            return Ok(Value::Boolean(result.score.is_none()));
        }
        let Some(score) = result.score else {
            let detail = format!("reads the result of model `{}`, which failed", used.name);
            return Err(Fault::new("failed_step", detail, span).into());
        };
        match (&**name, &result.source) {
            ("score" | "reasons", AnswerSource::Other(other)) => {
                let other = *other;
                self.model_property(other, name, span)
            }
            ("contributions", AnswerSource::Other(other)) => {
                let other = *other;
                let Value::Map(found) = self.model_property(other, name, span)? else {
                    return Ok(Value::Missing);
                };
                let added = |name: &Name| found.get(name).cloned().unwrap_or(Value::Missing);
                Ok(used.by_input(added))
            }
            ("score", AnswerSource::Row(row)) => {
                let raw = used.model.score(row);
                let raw = raw.map_err(|failure| Fault::new(failure.code, failure.detail, span))?;
                Ok(Value::Number(rounded(raw, used.model.decimals)))
            }
            ("score", AnswerSource::Given(given)) => match given.score {
                Some(raw) => Ok(Value::Number(rounded(raw, used.model.decimals))),
                None => {
                    let detail = format!(
                        "reads `.score` of model `{}`, and what stands in for it has none",
                        used.name
                    );
                    Err(Fault::new("missing_value", detail, span).into())
                }
            },
            ("reasons", AnswerSource::Given(given)) => Ok(texts(given.reasons.iter())),
            ("contributions", AnswerSource::Given(given)) => {
                let added = |name: &Name| given.contributions.get(name).copied().map(Value::Number);
                Ok(used.by_input(|name| added(name).unwrap_or(Value::Missing)))
            }
            // `check` has warned of it; an older version that is promoted again must not stop the flow.
            ("reasons", AnswerSource::Row(_)) if !used.model.has_reasons() => Ok(texts([].iter())),
            // Of another server's model only the answer comes over the wire.
            ("reasons", AnswerSource::Elsewhere) => Ok(texts([].iter())),
            ("reasons", AnswerSource::Row(_))
            | ("contributions", AnswerSource::Row(_) | AnswerSource::Elsewhere) => {
                let explanation =
                    self.explained(at).map_err(|(code, detail)| Fault::new(code, detail, span))?;
                Ok(match &**name {
                    "reasons" => texts(explanation.reasons.iter().map(|reason| &reason.code)),
                    _ => {
                        let number = |(input, adds): &(Name, f64)| (input.clone(), Value::Number(*adds));
                        let all: BTreeMap<_, _> = explanation.contributions.iter().map(number).collect();
                        Value::Map(Arc::new(all))
                    }
                })
            }
            _ => Ok(Value::Number(score.rounded)),
        }
    }

    /// Why a model that answered did so, found out once and then in the trace.
    fn explained(&mut self, at: usize) -> Result<Arc<Explanation>, Unanswered> {
        let unknown = || ("not_explainable", "the model's answer cannot be explained".to_owned());
        let flow = self.flow;
        let (Some(used), Some(Some(result))) = (flow.models.get(at), self.models.get_mut(at)) else {
            return Err(unknown());
        };
        if let Some(known) = &result.explanation {
            return Ok(Arc::clone(known));
        }
        let AnswerSource::Row(row) = &result.source else { return Err(unknown()) };
        let found = used.model.explain(row).map_err(|failure| (failure.code, failure.detail))?;
        let explanation = Arc::new(Explanation {
            reasons: used.model.reasons(&found, MOST_REASONS),
            space: found.space,
            base: found.base,
            contributions: used
                .model
                .inputs
                .iter()
                .map(|input| input.name.clone())
                .zip(found.inputs)
                .collect(),
        });
        result.explanation = Some(Arc::clone(&explanation));
        let step = result.step;
        if let Some(Step::Model { explanation: shown, .. }) = self.trace.get_mut(step) {
            *shown = Some(Arc::clone(&explanation));
        }
        Ok(explanation)
    }

    /// The rows that models on this machine were asked, with their answers; they are asked nothing more.
    pub(super) fn models_answered(&mut self) -> Vec<ModelAnswered> {
        let asked = std::mem::take(&mut self.models);
        let answered = asked.into_iter().zip(&self.flow.models).filter_map(|(result, used)| match result? {
            ModelResult { score: Some(score), source: AnswerSource::Row(row), .. } => {
                Some(ModelAnswered { model: Arc::clone(&used.model), row, answer: score.raw })
            }
            _ => None,
        });
        answered.collect()
    }

    /// Explains what the script did not ask to be explained, where the model's recipe or the caller wants it.
    /// A model without an explanation has none in the trace.
    pub(super) fn explain_models(&mut self, is_adverse: bool) {
        let flow = self.flow;
        for (at, used) in flow.models.iter().enumerate() {
            let wanted = self.explains
                || match used.model.explains() {
                    ExplainWhen::Asked => false,
                    ExplainWhen::Adverse => is_adverse,
                    ExplainWhen::Always => true,
                };
            let answered = |result: &ModelResult| matches!(result.source, AnswerSource::Row(_));
            if wanted && self.models.get(at).and_then(Option::as_ref).is_some_and(answered) {
                drop(self.explained(at));
            }
        }
    }
}

impl ModelAnswer {
    /// What is given in the place of an answer: a probability, or a score where the model gives no probability.
    pub(super) fn given(given: &Arc<GivenAnswer>) -> Result<Self, Unanswered> {
        let raw = given.probability.or(given.score);
        let raw = raw.ok_or_else(|| ("model_failed", "what stands in for it has no answer".to_owned()))?;
        Ok(Self { raw, source: AnswerSource::Given(Arc::clone(given)), notes: [].into() })
    }

    /// What another model of the flow answers.
    pub(super) fn by_another(raw: f64, index: u16) -> Self {
        Self { raw, source: AnswerSource::Other(index), notes: [].into() }
    }
}

impl ModelUse {
    /// A value for each input. What is not known of one stands there as missing, so that it can be asked for.
    fn by_input(&self, value: impl Fn(&Name) -> Value) -> Value {
        let inputs = self.model.inputs.iter();
        Value::Map(Arc::new(inputs.map(|input| (input.name.clone(), value(&input.name))).collect()))
    }
}

fn texts<'n>(codes: impl Iterator<Item = &'n Name>) -> Value {
    Value::List(codes.cloned().map(Value::Text).collect())
}

/// Half-even to this many decimals; what is not finite was refused before.
fn rounded(raw: f64, decimals: u32) -> f64 {
    let scale = libm::pow(10.0, f64::from(decimals));
    libm::rint(raw * scale) / scale
}
