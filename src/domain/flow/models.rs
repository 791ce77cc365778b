//! Models that a flow uses: each of a recipe's columns is matched to an input or a feature, by name and type.

use std::sync::Arc;

use super::compile::Build;
use super::{ModelUse, StandIn};
use crate::domain::declaration::{ModelUseDeclaration, StandInDeclaration};
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
        declaration.models.iter().filter_map(|used| self.model(used)).collect()
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
        let if_it_fails = used.if_it_fails.as_ref().map(|declared| self.stand_in(&model, declared));
        Some(ModelUse {
            name: Name::from(used.name.value.as_str()),
            reference: used.reference.value.clone(),
            model,
            if_it_fails: if_it_fails.map(Arc::new),
            columns,
        })
    }

    fn stand_in(&mut self, model: &Model, declared: &StandInDeclaration) -> StandIn {
        let StandInDeclaration { probability, score, reasons, place } = declared;
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
        StandIn {
            probability: probability.as_ref().map(|p| p.value),
            score: score.as_ref().map(|s| s.value),
            reasons: reasons.iter().map(|code| Name::from(code.value.as_str())).collect(),
            contributions: std::collections::BTreeMap::new(),
        }
    }
}

/// The model as scripts ask it.
pub(super) fn scoped(used: &ModelUseDeclaration) -> ScopedModel {
    let fallback = used.if_it_fails.as_ref();
    let gives = used.model.as_ref().map(|model| {
        // When something else stands in, nothing is known of any input.
        let field = Field { kind: Kind::Number, optional: fallback.is_some() };
        ModelGives {
            version: format!("{} version {}", model.name, model.version),
            is_probability: model.gives_probability(),
            score: model.space().word(),
            contributions: Arc::new(
                model.inputs.iter().map(|input| (input.name.clone(), field.clone())).collect(),
            ),
            reasons: model.reason_codes(),
            not_explainable: model.not_explainable(),
            fallback: fallback.map(|stand_in| FallbackGives {
                has_score: stand_in.score.is_some(),
                has_reasons: !stand_in.reasons.is_empty(),
            }),
        }
    });
    ScopedModel { name: Name::from(used.name.value.as_str()), gives }
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
