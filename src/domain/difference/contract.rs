//! `flow.yaml` and what it names: inputs, features, thresholds, models, outputs, outcomes, reasons, lists, needs.

use super::{About, ChangeKind, Found, Part, Said, Stated};
use crate::domain::declaration::{
    FlowDeclaration, InputDeclaration, ModelUseDeclaration, NeedDeclaration, OnInvalid, OutputDeclaration,
    Personal, ReasonDeclaration, ThresholdLiteral, UnknownInputs,
};
use crate::domain::place::Located;
use crate::domain::script::{Digits, by_value, written};
use crate::domain::value::{Field, Kind};

pub(super) fn compare(found: &mut Found, was: Stated<'_>, is: Stated<'_>) {
    let (before, after) = (was.declaration, is.declaration);
    about_the_flow(found, before, after);
    inputs(found, before, after);
    features(found, before, after);
    thresholds(found, before, after);
    found.named(
        (&before.models, &after.models),
        |model| About::new(Part::Model, &model.name.value),
        |model| model.reference.value.clone(),
        model,
    );
    found.named(
        (&before.outputs, &after.outputs),
        |output| About::new(Part::Output, &output.name.value),
        |output| kind(&output.kind),
        output,
    );
    outcomes(found, before, after);
    found.named(
        (&given(was), &given(is)),
        |reason| About::new(Part::Reason, &reason.code.value),
        |reason| reason.texts.values().next().cloned().unwrap_or_default(),
        reason,
    );
    found.named(
        (&before.needs, &after.needs),
        |need| About::new(Part::Need, &need.name.value),
        |need| answered(&need.of),
        need,
    );
}

/// The flow's own reasons, and those of `_shared/` that it gives.
fn given(side: Stated<'_>) -> Vec<ReasonDeclaration> {
    let given = |reason: &&ReasonDeclaration| {
        !reason.is_shared || side.usage.reasons.contains(reason.code.value.as_str())
    };
    side.declaration.reasons.iter().filter(given).cloned().collect()
}

pub(super) fn plain(text: Option<&Located<String>>) -> Option<Said> {
    text.map(|text| Said::plain(text.value.as_str()))
}

/// A number by its value.
fn number(text: Option<&Located<String>>) -> Option<Said> {
    text.map(|text| Said { text: text.value.clone(), meaning: by_value(&text.value) })
}

fn yes(is: bool) -> Option<Said> {
    is.then(|| Said::plain("true"))
}

pub(super) fn literal(literal: &ThresholdLiteral) -> Said {
    match literal {
        ThresholdLiteral::Number(text) => Said { text: text.clone(), meaning: by_value(text) },
        ThresholdLiteral::Boolean(value) => Said::plain(value.to_string()),
        ThresholdLiteral::Text(text) => Said::plain(format!("\"{text}\"")),
    }
}

/// A type in the words of flow.yaml.
pub(super) fn kind(kind: &Kind) -> String {
    let field = |field: &Field| {
        format!("{}{}", self::kind(&field.kind), if field.optional { " (optional)" } else { "" })
    };
    match kind {
        Kind::Choice(choices) => {
            format!("choice of {}", choices.iter().map(|c| &**c).collect::<Vec<_>>().join(", "))
        }
        Kind::List(of) => format!("list of {}", field(of)),
        Kind::Map(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, of)| format!("{name}: {}", field(of))).collect();
            format!("map of {{ {} }}", fields.join(", "))
        }
        plain => plain.word().to_owned(),
    }
}

fn about_the_flow(found: &mut Found, before: &FlowDeclaration, after: &FlowDeclaration) {
    let about = About::new(Part::Flow, &after.name.value);
    found.text(&about, "title", before.title.as_deref(), after.title.as_deref());
    found.text(&about, "owner", before.owner.as_deref(), after.owner.as_deref());
    found.field(&about, "subject", plain(before.subject.as_ref()), plain(after.subject.as_ref()));
    found.field(&about, "time_zone", plain(before.time_zone.as_ref()), plain(after.time_zone.as_ref()));
    let unknown = |flow: &FlowDeclaration| {
        Some(Said::plain(match flow.unknown_inputs {
            UnknownInputs::Refuse => "refuse",
            UnknownInputs::Record => "record",
        }))
    };
    found.field(&about, "unknown_inputs", unknown(before), unknown(after));
    let on_error = |flow: &FlowDeclaration| {
        Some(Said::plain(format!("{}: {}", flow.on_error.outcome.value, flow.on_error.reason.value)))
    };
    found.field(&about, "on_error", on_error(before), on_error(after));
    let on_invalid = |flow: &FlowDeclaration| {
        Some(Said::plain(match &flow.on_invalid {
            OnInvalid::Refuse => "refuse".to_owned(),
            OnInvalid::Record { outcome, reason } => format!("{}: {}", outcome.value, reason.value),
        }))
    };
    found.field(&about, "on_invalid", on_invalid(before), on_invalid(after));
    let deadline = |flow: &FlowDeclaration| Some(Said::plain(flow.deadline_ms.to_string()));
    found.field(&about, "deadline_ms", deadline(before), deadline(after));
    let required = |flow: &FlowDeclaration| flow.is_market_required.then(|| Said::plain("required"));
    found.field(&about, "market", required(before), required(after));
    let languages = |flow: &FlowDeclaration| {
        let all: Vec<&str> = flow.languages.iter().map(|language| language.value.as_str()).collect();
        (!all.is_empty()).then(|| Said::plain(all.join(", ")))
    };
    found.field(&about, "languages", languages(before), languages(after));
}

fn inputs(found: &mut Found, before: &FlowDeclaration, after: &FlowDeclaration) {
    found.named(
        (&before.inputs, &after.inputs),
        |input| About::new(Part::Input, &input.name.value),
        |input| kind(&input.kind),
        |found, was: &InputDeclaration, is: &InputDeclaration| {
            let about = About::new(Part::Input, &is.name.value);
            found.field(
                &about,
                "type",
                Some(Said::plain(kind(&was.kind))),
                Some(Said::plain(kind(&is.kind))),
            );
            found.field(&about, "optional", yes(was.optional), yes(is.optional));
            found.field(&about, "min", number(was.min.as_ref()), number(is.min.as_ref()));
            found.field(&about, "max", number(was.max.as_ref()), number(is.max.as_ref()));
            found.text(&about, "unit", was.unit.as_deref(), is.unit.as_deref());
            let personal = |input: &InputDeclaration| match input.personal {
                Personal::No => None,
                Personal::Key => Some(Said::plain("key")),
                Personal::Mask => Some(Said::plain("mask")),
            };
            found.field(&about, "personal", personal(was), personal(is));
            let protected = |flow: &FlowDeclaration| {
                let (_, sets) = flow.protected.iter().find(|(name, _)| name.value == is.name.value)?;
                let mut sets: Vec<&str> = sets.iter().map(|set| set.value.as_str()).collect();
                sets.sort_unstable();
                Some(Said::plain(format!("only in {}", sets.join(", ")).trim_end().to_owned()))
            };
            found.field(&about, "protected", protected(before), protected(after));
        },
    );
}

impl Found {
    /// A condition or formula by its meaning, as far as its tree tells.
    pub(super) fn expression(&self, text: &Located<String>) -> Said {
        let parsed = self.grammar.condition(text);
        let meaning = parsed.map_or_else(|_| text.value.clone(), |tree| written(&tree, Digits::ByValue));
        Said { text: text.value.split_whitespace().collect::<Vec<_>>().join(" "), meaning }
    }

    /// Two conditions or formulas; parsed only where their texts differ.
    pub(super) fn expressions(
        &mut self,
        about: &About,
        field: &str,
        was: &Located<String>,
        is: &Located<String>,
    ) {
        if was.value != is.value {
            let (was, is) = (self.expression(was), self.expression(is));
            self.field(about, field, Some(was), Some(is));
        }
    }
}

fn features(found: &mut Found, before: &FlowDeclaration, after: &FlowDeclaration) {
    found.named(
        (&before.features, &after.features),
        |feature| About::new(Part::Feature, &feature.name.value),
        |feature| feature.formula.value.clone(),
        |found, was, is| {
            let about = About::new(Part::Feature, &is.name.value);
            found.expressions(&about, "formula", &was.formula, &is.formula);
        },
    );
}

fn thresholds(found: &mut Found, before: &FlowDeclaration, after: &FlowDeclaration) {
    found.named(
        (&before.thresholds, &after.thresholds),
        |threshold| About::new(Part::Threshold, &threshold.name.value),
        |threshold| literal(&threshold.literal.value).text,
        |found, was, is| {
            let about = About::new(Part::Threshold, &is.name.value);
            let (was, is) = (literal(&was.literal.value), literal(&is.literal.value));
            if was.meaning != is.meaning {
                found.add(&about, ChangeKind::Changed, Some(was.text), Some(is.text));
            }
        },
    );
}

fn model(found: &mut Found, was: &ModelUseDeclaration, is: &ModelUseDeclaration) {
    let about = About::new(Part::Model, &is.name.value);
    found.field(&about, "use", plain(Some(&was.reference)), plain(Some(&is.reference)));
    let version = |used: &ModelUseDeclaration| {
        used.model.as_ref().map(|model| Said::plain(format!("{} version {}", model.name, model.version)))
    };
    found.field(&about, "version", version(was), version(is));
    let digest = |used: &ModelUseDeclaration| used.model.as_ref().map(|model| Said::plain(&*model.digest));
    found.field(&about, "digest", digest(was), digest(is));
    let fails =
        |used: &ModelUseDeclaration| used.if_it_fails.as_ref().map(|fallback| Said::plain(fallback.said()));
    found.field(&about, "if_it_fails", fails(was), fails(is));
}

fn output(found: &mut Found, was: &OutputDeclaration, is: &OutputDeclaration) {
    let about = About::new(Part::Output, &is.name.value);
    found.field(&about, "type", Some(Said::plain(kind(&was.kind))), Some(Said::plain(kind(&is.kind))));
    found.field(&about, "optional", yes(was.optional), yes(is.optional));
    found.field(&about, "min", number(was.min.as_ref()), number(is.min.as_ref()));
    found.field(&about, "max", number(was.max.as_ref()), number(is.max.as_ref()));
}

/// Their order is their strictness.
fn outcomes(found: &mut Found, before: &FlowDeclaration, after: &FlowDeclaration) {
    let names = |flow: &FlowDeclaration| -> Vec<String> {
        flow.outcomes.iter().map(|outcome| outcome.value.clone()).collect()
    };
    let (was, is) = (names(before), names(after));
    for name in was.iter().filter(|name| !is.contains(name)) {
        found.add(&About::new(Part::Outcome, name), ChangeKind::Removed, Some(was.join(" < ")), None);
    }
    for name in is.iter().filter(|name| !was.contains(name)) {
        found.add(&About::new(Part::Outcome, name), ChangeKind::Added, None, Some(is.join(" < ")));
    }
    for index in super::order::moved(&was, &is) {
        let about = About::new(Part::Outcome, is.get(index).map_or("", String::as_str));
        found.add(&about, ChangeKind::Moved, Some(was.join(" < ")), Some(is.join(" < ")));
    }
}

fn reason(found: &mut Found, was: &ReasonDeclaration, is: &ReasonDeclaration) {
    let about = About::new(Part::Reason, &is.code.value);
    let languages: std::collections::BTreeSet<&String> = was.texts.keys().chain(is.texts.keys()).collect();
    for language in languages {
        let text = |reason: &ReasonDeclaration| reason.texts.get(language).map(Said::plain);
        found.field(&about, language, text(was), text(is));
    }
    let score = |reason: &ReasonDeclaration| reason.is_score.then(|| Said::plain("score"));
    found.field(&about, "kind", score(was), score(is));
}

fn need(found: &mut Found, was: &NeedDeclaration, is: &NeedDeclaration) {
    let about = About::new(Part::Need, &is.name.value);
    found.text(&about, "of", Some(&answered(&was.of)), Some(&answered(&is.of)));
    let told = |need: &NeedDeclaration| kind(&Kind::Map(std::sync::Arc::new(need.with.clone())));
    found.text(&about, "with", Some(&told(was)), Some(&told(is)));
    found.field(&about, "optional", yes(was.optional), yes(is.optional));
}

/// What a caller answers with.
fn answered(inputs: &[InputDeclaration]) -> String {
    let one = |input: &InputDeclaration| {
        let bound = |word: &str, at: &Option<Located<String>>| {
            at.as_ref().map(|at| format!(" {word} {}", by_value(&at.value))).unwrap_or_default()
        };
        let optional = if input.optional { " (optional)" } else { "" };
        let bounds = format!("{}{}", bound("from", &input.min), bound("to", &input.max));
        format!("{}: {}{bounds}{optional}", input.name.value, kind(&input.kind))
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(", ")
}
