//! Models that a flow uses: each of a recipe's columns is matched to an input or a feature, by name and type.

use super::ModelUse;
use super::compile::Build;
use crate::domain::declaration::ModelUseDeclaration;
use crate::domain::expression::predicate::Source;
use crate::domain::expression::scope::position;
use crate::domain::expression::typed::Typed;
use crate::domain::value::{Kind, Name};

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
        if let Some(fallback) = used.if_it_fails.as_ref().filter(|p| !(0.0..=1.0).contains(&p.value)) {
            self.error("T029", fallback, "a probability is from 0 to 1".to_owned(), None);
        }
        Some(ModelUse {
            name: Name::from(used.name.value.as_str()),
            reference: used.reference.value.clone(),
            model,
            if_it_fails: used.if_it_fails.as_ref().map(|p| p.value),
            columns,
        })
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
