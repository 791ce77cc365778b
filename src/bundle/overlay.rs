//! A market laid over its flow: one declaration that is then compiled like any other. What the overlay replaces must
//! be there, and what it brings too. No meaning is checked here: that is the compiled flow's.

use std::collections::BTreeSet;

use super::market_file::Overlay;
use super::replaced::{LISTS, RULE_SETS, SCORECARDS, TABLES};
use crate::domain::declaration::{
    FeatureDeclaration, FlowDeclaration, IfItFails, InputDeclaration, OnErrorDeclaration, OnInvalid,
    OutputDeclaration, Personal, ThresholdLiteral,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::compile::article;
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Place};

/// Names of files by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub rule_sets: BTreeSet<String>,
    pub scorecards: BTreeSet<String>,
    pub tables: BTreeSet<String>,
}

impl Files {
    /// The files that a declaration's parts stand in, where none has been replaced.
    pub fn of(declaration: &FlowDeclaration) -> Self {
        Self {
            rule_sets: declaration.rule_sets.iter().map(|set| set.name.value.clone()).collect(),
            scorecards: declaration.scorecards.iter().map(|card| card.name.value.clone()).collect(),
            tables: declaration.tables.iter().map(|table| table.name.value.clone()).collect(),
        }
    }

    /// The declaration without the parts that stand in these files.
    pub fn left_out_of(&self, mut declaration: FlowDeclaration) -> FlowDeclaration {
        declaration.rule_sets.retain(|set| !self.rule_sets.contains(&set.name.value));
        declaration.scorecards.retain(|card| !self.scorecards.contains(&card.name.value));
        declaration.tables.retain(|table| !self.tables.contains(&table.name.value));
        declaration
    }
}

/// A flow as it is in one market.
pub(super) struct LaidOver {
    pub declaration: FlowDeclaration,
    /// What its parts stand in.
    pub files: Files,
    pub findings: Vec<Diagnostic>,
}

/// Lays a market over a flow. `whole` has every part that its folder holds, `base` only those that the flow has
/// without a market.
pub(super) fn lay_over(whole: &FlowDeclaration, base: &FlowDeclaration, overlay: &Overlay) -> LaidOver {
    let market = &overlay.market.value;
    let mut laying = Laying { market, flow: &base.name.value, findings: Vec::new() };
    if overlay.is_empty {
        let message = format!("the market `{market}` changes nothing");
        laying.findings.push(
            Diagnostic::warning("B041", overlay.market.place, message)
                .help("a request for it is decided as `base` would: say what differs, or remove the file"),
        );
    }
    let mut declaration = base.clone();
    declaration.market = Some(overlay.market.clone());
    laying.settings(&mut declaration, overlay);
    laying.inputs(&mut declaration, overlay);
    laying.features(&mut declaration.features, &overlay.features);
    laying.thresholds(&mut declaration, overlay);
    laying.models(&mut declaration, overlay);
    laying.outputs(&mut declaration.outputs, &overlay.outputs);
    laying.reasons(&mut declaration, overlay);
    let mut files = Files::default();
    declaration.rule_sets =
        laying.parts(&RULE_SETS, (&whole.rule_sets, &base.rule_sets), &overlay.rules, &mut files.rule_sets);
    declaration.scorecards = laying.parts(
        &SCORECARDS,
        (&whole.scorecards, &base.scorecards),
        &overlay.scorecards,
        &mut files.scorecards,
    );
    declaration.tables =
        laying.parts(&TABLES, (&whole.tables, &base.tables), &overlay.tables, &mut files.tables);
    declaration.lists =
        laying.parts(&LISTS, (&whole.lists, &base.lists), &overlay.lists, &mut BTreeSet::new());
    laying.rules_also(&mut declaration, whole, overlay, &mut files.rule_sets);
    LaidOver { declaration, files, findings: laying.findings }
}

pub(super) struct Laying<'a> {
    pub market: &'a str,
    pub flow: &'a str,
    pub findings: Vec<Diagnostic>,
}

impl Laying<'_> {
    /// It replaces what the flow does not have.
    pub fn unknown<'n>(
        &mut self,
        kind: &str,
        name: &Located<String>,
        known: impl Iterator<Item = &'n str>,
        otherwise: &str,
    ) {
        let message = format!(
            "the market `{}` changes the {kind} `{}`, which the flow does not have",
            self.market, name.value
        );
        let help = nearest(&name.value, known)
            .map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"));
        self.findings.push(Diagnostic::error("T070", name.place, message).help(help));
    }

    fn other_type(&mut self, what: &str, name: &str, (is, was): (&str, &str), place: Place) {
        let (is, was) = (article(is), article(was));
        let message = format!("{what} `{name}` is {was} and the market `{}` makes it {is}", self.market);
        self.findings.push(
            Diagnostic::error("T071", place, message)
                .help("a market may change the value, not the type: conditions and scripts rely on it"),
        );
    }

    /// What an overlay says is what the flow says anyway.
    pub fn nothing(&mut self, what: &str, place: Place) {
        let message = format!("the market `{}` changes nothing about {what}", self.market);
        self.findings
            .push(Diagnostic::warning("T073", place, message).help("remove it, or say what differs"));
    }

    fn settings(&mut self, declaration: &mut FlowDeclaration, overlay: &Overlay) {
        if let Some(zone) = &overlay.time_zone {
            if declaration.time_zone.as_ref().is_some_and(|base| base.value == zone.value) {
                self.nothing("`time_zone`", zone.place);
            }
            declaration.time_zone = Some(zone.clone());
        }
        if let Some(languages) = &overlay.languages {
            let same = languages.iter().map(|l| &l.value).eq(declaration.languages.iter().map(|l| &l.value));
            if let (true, Some(first)) = (same, languages.first()) {
                self.nothing("`languages`", first.place);
            }
            declaration.languages.clone_from(languages);
        }
        if let Some(OnErrorDeclaration { outcome, reason }) = &overlay.on_error {
            let base = &declaration.on_error;
            if base.outcome.value == outcome.value && base.reason.value == reason.value {
                self.nothing("`on_error`", outcome.place);
            }
            declaration.on_error = OnErrorDeclaration { outcome: outcome.clone(), reason: reason.clone() };
        }
        if let Some(on_invalid) = &overlay.on_invalid {
            if is_same_fallback(&declaration.on_invalid, &on_invalid.value) {
                self.nothing("`on_invalid`", on_invalid.place);
            }
            declaration.on_invalid = on_invalid.value.clone();
        }
        if let Some(deadline) = &overlay.deadline_ms {
            if declaration.deadline_ms == deadline.value {
                self.nothing("`deadline_ms`", deadline.place);
            }
            declaration.deadline_ms = deadline.value;
        }
    }

    /// More inputs; one that the flow has is declared anew, but for `unit` and `personal` where nothing is said.
    fn inputs(&mut self, declaration: &mut FlowDeclaration, overlay: &Overlay) {
        for input in &overlay.inputs {
            let name = &input.name;
            let Some(base) = declaration.inputs.iter_mut().find(|base| base.name.value == name.value) else {
                declaration.inputs.push(input.clone());
                continue;
            };
            if base.kind.word() != input.kind.word() {
                let words = (input.kind.word(), base.kind.word());
                self.other_type("the input", &name.value, words, name.place);
                continue;
            }
            let personal = if input.personal == Personal::No { base.personal } else { input.personal };
            let unit = input.unit.clone().or_else(|| base.unit.clone());
            let changed = InputDeclaration { personal, unit, ..input.clone() };
            let is_same = base.kind == changed.kind
                && base.optional == changed.optional
                && is_same_text(base.min.as_ref(), changed.min.as_ref())
                && is_same_text(base.max.as_ref(), changed.max.as_ref())
                && base.unit == changed.unit
                && base.personal == changed.personal;
            if is_same {
                self.nothing(&format!("the input `{}`", name.value), name.place);
            }
            *base = changed;
        }
    }

    /// Other formulas and more features. Features read earlier ones only, so a new one that is written before a
    /// changed one stands directly before it; the rest come last.
    fn features(&mut self, base: &mut Vec<FeatureDeclaration>, overlay: &[FeatureDeclaration]) {
        let mut waiting: Vec<FeatureDeclaration> = Vec::new();
        for feature in overlay {
            let Some(at) = base.iter().position(|known| known.name.value == feature.name.value) else {
                waiting.push(feature.clone());
                continue;
            };
            if let Some(known) = base.get_mut(at) {
                if known.formula.value == feature.formula.value {
                    self.nothing(&format!("the feature `{}`", feature.name.value), feature.name.place);
                }
                known.formula = feature.formula.clone();
            }
            base.splice(at..at, waiting.drain(..));
        }
        base.extend(waiting);
    }

    fn thresholds(&mut self, declaration: &mut FlowDeclaration, overlay: &Overlay) {
        for threshold in &overlay.thresholds {
            let (name, literal) = (&threshold.name, &threshold.literal);
            let Some(base) = declaration.thresholds.iter_mut().find(|t| t.name.value == name.value) else {
                let known = declaration.thresholds.iter().map(|t| t.name.value.as_str());
                self.unknown(
                    "threshold",
                    name,
                    known,
                    "declare it in `flow.yaml`, with the value for `base`",
                );
                continue;
            };
            let words = (literal_word(&literal.value), literal_word(&base.literal.value));
            if words.0 != words.1 {
                self.other_type("the threshold", &name.value, words, literal.place);
                continue;
            }
            if base.literal.value == literal.value {
                self.nothing(&format!("the threshold `{}`", name.value), name.place);
            }
            base.literal = literal.clone();
        }
    }

    /// Another model under the name that the script uses; its fallback stays where nothing is said of it.
    fn models(&mut self, declaration: &mut FlowDeclaration, overlay: &Overlay) {
        for used in &overlay.models {
            let name = &used.name;
            let Some(base) = declaration.models.iter_mut().find(|m| m.name.value == name.value) else {
                let known = declaration.models.iter().map(|m| m.name.value.as_str());
                self.unknown("model", name, known, "declare it in `flow.yaml`: the script is the same");
                continue;
            };
            let fallback = used.if_it_fails.as_ref().or(base.if_it_fails.as_ref());
            if base.reference.value == used.reference.value
                && base.if_it_fails.as_ref().map(IfItFails::said) == fallback.map(IfItFails::said)
            {
                self.nothing(&format!("the model `{}`", name.value), name.place);
            }
            base.if_it_fails = fallback.cloned();
            base.reference = used.reference.clone();
            base.model.clone_from(&used.model);
        }
    }

    fn outputs(&mut self, base: &mut [OutputDeclaration], overlay: &[OutputDeclaration]) {
        for output in overlay {
            let name = &output.name;
            let Some(at) = base.iter().position(|known| known.name.value == name.value) else {
                let known = base.iter().map(|o| o.name.value.as_str());
                self.unknown("output", name, known, "declare it in `flow.yaml`: the script is the same");
                continue;
            };
            let Some(known) = base.get_mut(at) else { continue };
            if known.kind.word() != output.kind.word() {
                let words = (output.kind.word(), known.kind.word());
                self.other_type("the output", &name.value, words, name.place);
                continue;
            }
            let is_same = known.kind == output.kind
                && known.optional == output.optional
                && is_same_text(known.min.as_ref(), output.min.as_ref())
                && is_same_text(known.max.as_ref(), output.max.as_ref());
            if is_same {
                self.nothing(&format!("the output `{}`", name.value), name.place);
            }
            *known = output.clone();
        }
    }

    /// More reasons, and other texts for those that there are: language by language.
    fn reasons(&mut self, declaration: &mut FlowDeclaration, overlay: &Overlay) {
        for reason in &overlay.reasons {
            let code = &reason.code;
            let Some(base) = declaration.reasons.iter_mut().find(|r| r.code.value == code.value) else {
                declaration.reasons.push(reason.clone());
                continue;
            };
            let says_nothing = reason.texts.iter().all(|(tag, text)| base.texts.get(tag) == Some(text));
            if says_nothing && (base.is_score || !reason.is_score) {
                self.nothing(&format!("the reason `{}`", code.value), code.place);
            }
            base.texts.extend(reason.texts.clone());
            base.is_score |= reason.is_score;
        }
    }
}

fn literal_word(literal: &ThresholdLiteral) -> &'static str {
    match literal {
        ThresholdLiteral::Number(_) => "number",
        ThresholdLiteral::Boolean(_) => "boolean",
        ThresholdLiteral::Text(_) => "text",
    }
}

fn is_same_text(a: Option<&Located<String>>, b: Option<&Located<String>>) -> bool {
    a.map(|a| &a.value) == b.map(|b| &b.value)
}

fn is_same_fallback(a: &OnInvalid, b: &OnInvalid) -> bool {
    match (a, b) {
        (OnInvalid::Refuse, OnInvalid::Refuse) => true,
        (OnInvalid::Record { outcome, reason }, OnInvalid::Record { outcome: other, reason: why }) => {
            outcome.value == other.value && reason.value == why.value
        }
        _ => false,
    }
}
