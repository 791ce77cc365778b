//! The reasons of a flow as it decides: its own, and those of the flows that it asks. Which of them a record names is
//! the script's.

use super::compile::Build;
use super::{Reason, text_in};
use crate::domain::declaration::SubFlowFound;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::value::Name;

impl Build<'_> {
    /// The declared reasons, each in every language of the flow; behind them those that asked flows bring, so that
    /// what they found can be recorded here. What is declared here has the word.
    pub(super) fn reasons(&mut self) -> Vec<Reason> {
        let declaration = self.declaration;
        let mut reasons: Vec<Reason> = Vec::new();
        for reason in &declaration.reasons {
            // Of what is shared a flow has what it uses, as it has when it is built again.
            if reason.is_shared && !self.usage.reasons.contains(reason.code.value.as_str()) {
                continue;
            }
            let lacking: Vec<String> = declaration
                .languages
                .iter()
                .filter(|language| text_in(&reason.texts, &language.value).is_none())
                .map(|language| format!("`{}`", language.value))
                .collect();
            // Without any text at all, `Names` has said so.
            if !lacking.is_empty() && !reason.texts.is_empty() {
                let message =
                    format!("the reason `{}` has no text in {}", reason.code.value, lacking.join(", "));
                self.diagnostics.push(
                    Diagnostic::error("T074", reason.code.place, message)
                        .help("write one here or under the market's `reasons:`, or take the language out of `languages:`"),
                );
            }
            let code = Name::from(reason.code.value.as_str());
            reasons.push(Reason { code, texts: reason.texts.clone(), is_score: reason.is_score });
        }
        for asked in &declaration.sub_flows {
            let SubFlowFound::Flow(flow) = &asked.found else { continue };
            for reason in &flow.reasons {
                self.usage.reasons.insert(reason.code.clone());
                if !reasons.iter().any(|known| known.code == reason.code) {
                    reasons.push(reason.clone());
                }
            }
        }
        reasons
    }
}
