//! Names as they are declared: well-formed, not reserved, each used once; and what was declared but never used.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Build;
use crate::domain::declaration::{FlowDeclaration, NeedDeclaration, ThresholdLiteral};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::compile::article;
use crate::domain::expression::words::{STEPS, WORDS, is_word};
use crate::domain::place::{Located, Place};
use crate::domain::script::{is_name, is_reserved};

pub(super) struct Names<'a> {
    seen: BTreeMap<&'a str, (&'static str, Place)>,
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> Names<'a> {
    /// Checks every declared name.
    pub fn check(flow: &'a FlowDeclaration, found: &'a mut Vec<Diagnostic>) {
        let mut names = Self { seen: BTreeMap::new(), found };
        for input in &flow.inputs {
            names.readable("input", &input.name);
        }
        for feature in &flow.features {
            names.readable("feature", &feature.name);
        }
        for threshold in &flow.thresholds {
            names.readable("threshold", &threshold.name);
            if let ThresholdLiteral::Text(text) = &threshold.literal.value
                && text.is_empty()
            {
                names.found.push(Diagnostic::error(
                    "T029",
                    threshold.literal.place,
                    "this threshold has no value",
                ));
            }
        }
        for list in &flow.lists {
            names.readable(if list.is_shared { "shared list" } else { "list" }, &list.name);
        }
        for need in &flow.needs {
            names.need(need);
        }
        names.outcomes(flow);
        names.unique("reason", flow.reasons.iter().map(|r| &r.code));
        names.unique("output", flow.outputs.iter().map(|o| &o.name));
        names.unique("model", flow.models.iter().map(|m| &m.name));
        for set in &flow.rule_sets {
            names.unique("rule", set.rules.iter().map(|r| &r.id));
            names.unique("name under `takes`", set.takes.iter().map(|(name, _)| name));
            for (name, _) in &set.takes {
                names.handed_over(name);
            }
        }
        for card in &flow.scorecards {
            names.unique("name under `takes`", card.takes.iter().map(|(name, _)| name));
            for (name, _) in &card.takes {
                names.handed_over(name);
            }
        }
        for reason in flow.reasons.iter().filter(|reason| !reason.is_shared) {
            if reason.texts.values().all(|text| text.trim().is_empty()) {
                let message = format!("the reason `{}` has no text", reason.code.value);
                let help = format!("write `{}: {{ en: … }}`", reason.code.value);
                names.found.push(Diagnostic::error("T030", reason.code.place, message).help(help));
            }
        }
    }

    /// Inputs, features and thresholds share one space: conditions read them by bare name.
    fn readable(&mut self, kind: &'static str, name: &'a Located<String>) {
        self.well_formed(kind, name);
        let is_word = WORDS.iter().any(|(word, ..)| *word == name.value)
            || ["today", "decided_at", "is_given", "is_missing"].contains(&name.value.as_str());
        if is_word {
            let message =
                format!("`{}` is a word of the language and cannot name {}", name.value, article(kind));
            self.found.push(Diagnostic::error("T026", name.place, message).help("choose another name"));
        }
        match self.seen.get(name.value.as_str()) {
            Some((before, _)) => {
                let message = format!("`{}` is already the name of {}", name.value, article(before));
                self.found.push(Diagnostic::error("T025", name.place, message).help("choose another name"));
            }
            None => {
                self.seen.insert(&name.value, (kind, name.place));
            }
        }
    }

    /// What a call hands over may not hide what everybody reads.
    fn handed_over(&mut self, name: &Located<String>) {
        self.well_formed("name under `takes`", name);
        if let Some((kind, _)) = self.seen.get(name.value.as_str()) {
            let message = format!("`{}` is already the name of {}", name.value, article(kind));
            self.found.push(Diagnostic::error("T025", name.place, message).help("choose another name"));
        }
    }

    /// What answers a need stands among the facts under the need's name.
    fn need(&mut self, need: &'a NeedDeclaration) {
        self.readable("need", &need.name);
        self.unique("name under `of`", need.of.iter().map(|field| &field.name));
        for field in &need.of {
            self.well_formed("name under `of`", &field.name);
        }
    }

    fn well_formed(&mut self, kind: &str, name: &Located<String>) {
        if is_reserved(&name.value) {
            let message = format!("`{}` is reserved and cannot name {}", name.value, article(kind));
            self.found.push(Diagnostic::error("T026", name.place, message).help("choose another name"));
        } else if !is_name(&name.value) {
            let message = format!("`{}` is not a name", name.value);
            let help = "a name begins with a letter and has letters, digits and `_`, at most 64";
            self.found.push(Diagnostic::error("T026", name.place, message).help(help));
        }
    }

    fn outcomes(&mut self, flow: &'a FlowDeclaration) {
        self.unique("outcome", flow.outcomes.iter());
        for outcome in &flow.outcomes {
            self.well_formed("outcome", outcome);
            let taken =
                STEPS.contains(&outcome.value.as_str()) || WORDS.iter().any(|(w, ..)| *w == outcome.value);
            if taken {
                let message =
                    format!("`{}` is a word of the language and cannot name an outcome", outcome.value);
                self.found
                    .push(Diagnostic::error("T026", outcome.place, message).help("choose another name"));
            }
        }
        if flow.outcomes.len() < 2 {
            let place = flow.outcomes.first().map_or(flow.place, |o| o.place);
            let diagnostic = Diagnostic::error("T016", place, "a flow has at least two outcomes")
                .help("write `outcomes: [approve, review, decline]`, mildest first");
            self.found.push(diagnostic);
        }
    }

    fn unique(&mut self, kind: &str, names: impl Iterator<Item = &'a Located<String>>) {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for name in names {
            if !seen.insert(name.value.as_str()) {
                let message = format!("the {kind} `{}` is declared twice", name.value);
                self.found.push(Diagnostic::error("T025", name.place, message).help("choose another name"));
            }
        }
    }
}

impl Build<'_> {
    /// A function with the name of a word or an outcome would never be called: those come first.
    pub(super) fn function_name(&mut self, name: &str, place: Place) {
        let taken = is_word(name) || self.scope.outcomes.iter().any(|outcome| **outcome == *name);
        if taken {
            let message = format!("`{name}` is a word of the language and cannot name a function");
            self.diagnostics.push(Diagnostic::error("T026", place, message).help("choose another name"));
        }
    }

    /// Warns of what was declared and is never used.
    pub(super) fn unused(&mut self) {
        let flow = self.declaration;
        let usage = &self.usage;
        let (mut found, mut found_needs) = (Vec::new(), Vec::new());
        let mut warn = |kind: &str, name: &Located<String>, used: bool| {
            if !used {
                let message = format!("the {kind} `{}` is never used", name.value);
                found.push(Diagnostic::warning("T032", name.place, message).help("use it or remove it"));
            }
        };
        for feature in &flow.features {
            warn("feature", &feature.name, usage.reads.contains(feature.name.value.as_str()));
        }
        for threshold in &flow.thresholds {
            warn("threshold", &threshold.name, usage.reads.contains(threshold.name.value.as_str()));
        }
        for list in flow.lists.iter().filter(|list| !list.is_shared) {
            warn("list", &list.name, usage.lists.contains(list.name.value.as_str()));
        }
        for reason in flow.reasons.iter().filter(|reason| !reason.is_shared) {
            warn("reason", &reason.code, usage.reasons.contains(reason.code.value.as_str()));
        }
        for model in &flow.models {
            warn("model", &model.name, usage.models.contains(model.name.value.as_str()));
        }
        for set in &flow.rule_sets {
            warn("rule set", &set.name, usage.rule_sets.contains(set.name.value.as_str()));
        }
        for card in &flow.scorecards {
            warn("scorecard", &card.name, usage.scorecards.contains(card.name.value.as_str()));
        }
        for table in &flow.tables {
            warn("table", &table.name, usage.tables.contains(table.name.value.as_str()));
        }
        for need in flow.needs.iter().filter(|need| !usage.needs.contains(need.name.value.as_str())) {
            let name = &need.name.value;
            let message = format!("the need `{name}` is never asked for");
            let help = format!("write `need(\"{name}\")` in `flow.rhai`, or remove it");
            found_needs.push(Diagnostic::warning("T088", need.name.place, message).help(help));
        }
        for outcome in &flow.outcomes {
            warn("outcome", outcome, usage.outcomes.contains(outcome.value.as_str()));
        }
        self.diagnostics.extend(found.into_iter().chain(found_needs));
    }
}
