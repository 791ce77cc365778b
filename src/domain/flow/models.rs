//! Models that a flow uses: each of a recipe's columns is matched to an input or a feature, by name and type.

use super::compile::Build;
use super::remote::in_a_circle;
use super::{ModelUse, StandIn};
use crate::domain::declaration::{IfItFails, ModelUseDeclaration};
use crate::domain::expression::predicate::Source;
use crate::domain::expression::scope::position;
use crate::domain::expression::typed::Typed;
use crate::domain::nearest::nearest;
use crate::domain::value::{Kind, Name};

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
            Some(fallback) => Some(self.stand_in(fallback)?),
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

impl Build<'_> {
    fn stand_in(&mut self, fallback: &IfItFails) -> Option<StandIn> {
        match fallback {
            IfItFails::Probability(probability) => {
                if !(0.0..=1.0).contains(&probability.value) {
                    self.error("T029", probability, "a probability is from 0 to 1".to_owned(), None);
                }
                Some(StandIn::Probability(probability.value))
            }
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
