//! `model("x")` and what is read of its answer, checked against what the very version can give: whether it is a
//! probability, whether it can be explained, and whether the flow declares the reasons that it may give.

use super::compile::{Compiler, Typing};
use super::scope::{FallbackGives, ModelGives};
use super::typed::{Static, Typed};
use super::{Code, Expression};
use crate::domain::place::Span;
use crate::domain::script::syntax::{Syntax, Word};
use crate::domain::value::Name;

const PROPERTIES: &[&str] = &["probability", "score", "reasons", "contributions", "failed"];

impl Compiler<'_> {
    pub(super) fn model(&mut self, arguments: &[Syntax], span: Span) -> Typing {
        let names: Vec<Name> = self.scope.models.iter().map(|model| model.name.clone()).collect();
        let Some(index) = self.step_name("model", "model", "T011", arguments, span, &names) else {
            return Self::broken(span);
        };
        if arguments.len() > 1 {
            self.error("T002", span, "`model` takes only a name").help =
                Some("it reads inputs and features by the names of its recipe".to_owned());
        }
        self.usage.models.extend(names.get(usize::from(index)).cloned());
        (Expression { span, code: Code::Model(index) }, Static::given(Typed::Model(index)))
    }

    /// What `.name` of a model's answer is, or the names that it has.
    pub(super) fn model_given(&mut self, at: u16, name: &Word) -> Result<Static, Vec<String>> {
        let scope = self.scope;
        let typed = match name.text.as_str() {
            "failed" => Typed::Boolean,
            "probability" | "score" => Typed::Number,
            "reasons" => Typed::List(Box::new(Typed::Text)),
            "contributions" => Typed::Map(None),
            _ => return Err(PROPERTIES.iter().map(|name| (*name).to_owned()).collect()),
        };
        let found = scope.models.get(usize::from(at));
        let Some((model, gives)) = found.and_then(|model| Some((&model.name, model.gives.as_ref()?))) else {
            return Ok(Static::given(typed));
        };
        self.check_given(model, gives, name);
        // What stands in may stand in for another one; a circle is an error of its own.
        let mut behind = gives;
        for _ in &scope.models {
            let FallbackGives::Model(other) = &behind.fallback else { break };
            let found = scope.models.iter().find(|model| model.name == *other);
            let Some((other, gives)) = found.and_then(|model| Some((&model.name, model.gives.as_ref()?)))
            else {
                break;
            };
            self.check_given(other, gives, name);
            behind = gives;
        }
        if name.text == "contributions" {
            return Ok(Static::given(Typed::Map(Some(gives.contributions.clone()))));
        }
        Ok(Static::given(typed))
    }

    /// What the very version can give.
    fn check_given(&mut self, model: &Name, gives: &ModelGives, name: &Word) {
        match name.text.as_str() {
            "probability" if !gives.is_probability => {
                let message = format!(
                    "the model `{model}` ({}) gives {}, not a probability",
                    gives.version, gives.score
                );
                self.error("T120", name.span, message).help = Some("read `.score`".to_owned());
            }
            "score" => self.check_fallback_score(model, gives, name.span),
            "reasons" | "contributions" => {
                let is_wanted = name.text == "contributions" || !gives.reasons.is_empty();
                if let Some(why) = gives.not_explainable.filter(|_| is_wanted) {
                    let message = format!("the model `{model}` ({}) cannot be explained", gives.version);
                    self.error("T123", name.span, message).help = Some(why.to_owned());
                } else if name.text == "reasons" {
                    self.check_reasons(model, gives, name.span);
                }
            }
            _ => {}
        }
    }

    fn check_fallback_score(&mut self, model: &Name, gives: &ModelGives, span: Span) {
        if let FallbackGives::Answer { has_score: false, .. } = gives.fallback {
            let message = format!("`if_it_fails` of the model `{model}` says no score, which is read here");
            self.error("T124", span, message).help = Some(format!(
                "add one to `if_it_fails` in flow.yaml: `score: …` ({})",
                gives.score.replace('_', "-")
            ));
        }
    }

    fn check_reasons(&mut self, model: &Name, gives: &ModelGives, span: Span) {
        let scope = self.scope;
        if gives.reasons.is_empty() {
            let message = format!(
                "the model `{model}` ({}) has no reason for any input: this list is empty",
                gives.version
            );
            self.warning("T121", span, message).help = Some(match gives.not_explainable {
                Some(why) => format!("{why}: give the outcome a reason of the flow's own beside it"),
                None => {
                    "say `reason: R205` for the inputs in its `train.yaml` and train a new version, or under \
                         `reasons:` of the columns file and import it again"
                        .to_owned()
                }
            });
        }
        let unknown: Vec<String> = gives
            .reasons
            .iter()
            .filter(|code| !scope.reasons.iter().any(|reason| reason.code == **code))
            .map(|code| format!("`{code}`"))
            .collect();
        if !unknown.is_empty() {
            let message = format!(
                "the model `{model}` ({}) may give {}, which this flow does not declare",
                gives.version,
                unknown.join(", ")
            );
            self.error("T122", span, message).help =
                Some("declare each under `reasons:` in flow.yaml, with its text".to_owned());
        }
        self.usage.reasons.extend(gives.reasons.iter().cloned());
        if let FallbackGives::Answer { has_reasons: false, .. } = gives.fallback {
            let message = format!("when the model `{model}` fails, what stands in for it has no reasons");
            self.warning("T125", span, message).help =
                Some("add one to `if_it_fails` in flow.yaml: `reasons: [R900]`".to_owned());
        }
    }
}
