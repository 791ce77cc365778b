//! Models that a flow uses: each of a recipe's columns is matched to an input or a feature, by name and type.

use std::sync::Arc;

use super::compile::Build;
use super::remote::in_a_circle;
use super::{GivenAnswer, ModelUse, StandIn};
use crate::domain::declaration::{AnswerDeclaration, IfItFails, ModelUseDeclaration};
use crate::domain::expression::predicate::Source;
use crate::domain::expression::scope::{FallbackGives, ModelGives, ScopedModel, position};
use crate::domain::expression::typed::Typed;
use crate::domain::model::Model;
use crate::domain::nearest::nearest;
use crate::domain::place::Located;
use crate::domain::value::{Field, Kind, Name};

impl Build<'_> {
    pub(super) fn models(&mut self) -> Vec<ModelUse> {
        let declaration = self.declaration;
        let models: Vec<ModelUse> = declaration.models.iter().filter_map(|used| self.model(used)).collect();
        let stand_ins: Vec<_> = models.iter().map(|used| used.if_it_fails.clone()).collect();
        // Where a model is wrong, those behind it stand at other places.
        let circle =
            if models.len() == declaration.models.len() { in_a_circle(&stand_ins) } else { Vec::new() };
        for at in circle {
            let Some(used) = declaration.models.get(at) else { continue };
            let message = format!("what stands in for `{}` is, in the end, itself", used.name.value);
            let help = "let the last of them have a probability or an outcome".to_owned();
            self.error("T129", &used.name, message, Some(help));
        }
        models
    }

    pub(super) fn model(&mut self, used: &ModelUseDeclaration) -> Option<ModelUse> {
        let model = used.model.clone()?;
        let mut columns = Vec::new();
        for wanted in &model.inputs {
            let input = position(&self.scope.inputs, &wanted.name);
            let feature = position(&self.scope.features, &wanted.name);
            let (column, known) = match (input, feature) {
                (Some(at), _) => (Source::Input(at), self.scope.inputs.get(usize::from(at))),
                (None, Some(at)) => (Source::Feature(at), self.scope.features.get(usize::from(at))),
                (None, None) => {
                    let message = format!("the model reads `{}`, which this flow does not give", wanted.name);
                    let help =
                        format!("declare an input or a feature `{}`: {}", wanted.name, wanted.kind.word());
                    self.error("T028", &used.reference, message, Some(help));
                    continue;
                }
            };
            let Some((_, known)) = known else { continue };
            if let Some(problem) = unsuitable(&known.typed, &wanted.kind) {
                let message = format!("the model reads `{}` {problem}", wanted.name);
                self.error("T028", &used.reference, message, None);
            }
            self.usage.reads.insert(wanted.name.clone());
            if self.scope.protected.iter().any(|(name, _)| *name == wanted.name) {
                let message = format!("the model reads `{}`, which is protected", wanted.name);
                self.error("T024", &used.reference, message, Some("train the model without it".to_owned()));
            }
            columns.push(column);
        }
        let if_it_fails = match &used.if_it_fails {
            None => None,
            Some(fallback) => Some(self.stand_in(&model, fallback)?),
        };
        Some(ModelUse {
            name: Name::from(used.name.value.as_str()),
            reference: used.reference.value.clone(),
            model,
            if_it_fails,
            columns,
        })
    }
}

/// The model as scripts ask it.
pub(super) fn scoped(used: &ModelUseDeclaration) -> ScopedModel {
    let fallback = used.if_it_fails.as_ref();
    let stands_in = matches!(fallback, Some(IfItFails::Answer(_) | IfItFails::Model(_)));
    let gives = used.model.as_ref().map(|model| {
        // When something else stands in, nothing is known of any input.
        let field = Field { kind: Kind::Number, optional: stands_in };
        ModelGives {
            version: format!("{} version {}", model.name, model.version),
            is_probability: model.gives_probability(),
            score: model.space().word(),
            contributions: Arc::new(
                model.inputs.iter().map(|input| (input.name.clone(), field.clone())).collect(),
            ),
            reasons: model.reason_codes(),
            not_explainable: model.not_explainable(),
            fallback: match fallback {
                None | Some(IfItFails::Refer { .. }) => FallbackGives::Nothing,
                Some(IfItFails::Model(name)) => FallbackGives::Model(Name::from(name.value.as_str())),
                Some(IfItFails::Answer(answer)) => FallbackGives::Answer {
                    has_score: answer.score.is_some(),
                    has_reasons: !answer.reasons.is_empty(),
                },
            },
        }
    });
    ScopedModel { name: Name::from(used.name.value.as_str()), gives }
}

impl Build<'_> {
    fn stand_in(&mut self, model: &Model, fallback: &IfItFails) -> Option<StandIn> {
        match fallback {
            IfItFails::Answer(answer) => Some(StandIn::Answer(Arc::new(self.given_answer(model, answer)))),
            IfItFails::Model(name) => {
                let known: Vec<&str> =
                    self.declaration.models.iter().map(|m| m.name.value.as_str()).collect();
                let Some(at) = known.iter().position(|model| *model == name.value) else {
                    let help = match nearest(&name.value, known.iter().copied()) {
                        Some(near) => format!("this flow has a model `{near}`"),
                        None => "declare it under `models:` too".to_owned(),
                    };
                    let message = format!("`if_it_fails` names an unknown model `{}`", name.value);
                    self.error("T004", name, message, Some(help));
                    return None;
                };
                let other = self.declaration.models.get(at).and_then(|used| used.model.as_ref());
                if other.is_some_and(|other| other.gives_probability() != model.gives_probability()) {
                    let message = format!(
                        "`{}` cannot stand in for it: one gives a probability, the other does not",
                        name.value
                    );
                    self.error("T126", name, message, None);
                }
                self.usage.models.insert(Name::from(name.value.as_str()));
                u16::try_from(at).ok().map(StandIn::Model)
            }
            IfItFails::Refer { outcome, reason } => {
                let found = self.fallback(outcome, reason, "if_it_fails")?;
                let reason = Name::from(reason.value.as_str());
                Some(StandIn::Refer { outcome: found.outcome, reason })
            }
        }
    }
}

impl Build<'_> {
    fn given_answer(&mut self, model: &Model, declared: &AnswerDeclaration) -> GivenAnswer {
        let AnswerDeclaration { probability, score, reasons, place } = declared;
        let lacks = match (model.gives_probability(), probability, score) {
            (true, None, _) => Some("`probability`: the model gives one".to_owned()),
            (false, Some(_), _) | (false, None, None) => {
                Some(format!("only `score`: the model gives {}, not a probability", model.space().word()))
            }
            _ => None,
        };
        if let Some(lacks) = lacks {
            let at = Located::new((), *place);
            self.error("T126", &at, format!("`if_it_fails` has to say {lacks}"), None);
        }
        for code in reasons {
            let known = self.scope.reasons.iter().map(|reason| &*reason.code);
            if !known.clone().any(|known| known == code.value) {
                let help = nearest(&code.value, known).map_or_else(
                    || "declare it under `reasons:` in flow.yaml".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                self.error("T015", code, format!("this flow has no reason `{}`", code.value), Some(help));
            }
            self.usage.reasons.insert(Name::from(code.value.as_str()));
        }
        GivenAnswer {
            probability: probability.as_ref().map(|p| p.value),
            score: score.as_ref().map(|s| s.value),
            reasons: reasons.iter().map(|code| Name::from(code.value.as_str())).collect(),
            contributions: std::collections::BTreeMap::new(),
        }
    }
}

/// Why a value of this type cannot be a model's input, if it cannot.
fn unsuitable(known: &Typed, wanted: &Kind) -> Option<String> {
    let fits = match wanted {
        Kind::Integer => matches!(known, Typed::Integer),
        Kind::Decimal | Kind::Number => known.is_numeric(),
        Kind::Boolean => matches!(known, Typed::Boolean),
        _ => known.is_text(),
    };
    if *known == Typed::Any || fits {
        return None;
    }
    Some(format!("as {}, but here it is {}", wanted.word(), known.word()))
}
