//! What is wished to be otherwise, as it is written on a command line, and a situation in which it is.

use std::sync::Arc;

use super::{Situation, WhatIfError};
use crate::bundle::{Bundle, FlowRevision};
use crate::documents::json::{self, JsonLimits};
use crate::domain::declaration::{FlowDeclaration, SubFlowFound, ThresholdLiteral};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::facts::Given;
use crate::domain::flow::{Flow, Input, ModelPin};
use crate::domain::nearest::nearest;
use crate::domain::value::{Field, Kind, Name};

/// One thing that is to be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A threshold, of the flow or of one that it asks.
    Threshold {
        flow: Option<String>,
        name: String,
        value: String,
    },
    /// By its path: `employer.since`.
    Fact {
        path: String,
        value: String,
    },
    Without {
        path: String,
    },
    /// A probability, or `fails`.
    Model {
        name: String,
        value: String,
    },
    Market {
        name: String,
    },
}

/// One thing that is otherwise, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `threshold`, `fact`, `model`, `market`.
    pub what: &'static str,
    pub name: String,
    /// `None`: it was not there.
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Wish {
    /// `max_default_risk=0.40`, `fraud_check.large_at_night=500`, `facts.amount=1500`, `models.default_risk=0.2`,
    /// `market=mx`.
    ///
    /// # Errors
    /// When it names nothing or gives no value.
    pub fn read(text: &str) -> Result<Self, WhatIfError> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(WhatIfError::wish(
                format!("`--set {text}` gives no value"),
                "write NAME=VALUE, such as `--set max_default_risk=0.40` or `--set facts.amount=1500`",
            ));
        };
        let (name, value) = (name.trim(), value.trim().to_owned());
        Ok(Self::of(name, value))
    }

    /// The wish that a name stands for.
    #[must_use]
    pub fn of(name: &str, value: String) -> Self {
        match name.split_once('.') {
            Some(("facts", path)) => Self::Fact { path: path.to_owned(), value },
            Some(("models", name)) => Self::Model { name: name.to_owned(), value },
            Some(("thresholds", name)) => Self::Threshold { flow: None, name: name.to_owned(), value },
            Some((flow, name)) => {
                Self::Threshold { flow: Some(flow.to_owned()), name: name.to_owned(), value }
            }
            None if name == "market" => Self::Market { name: value },
            None => Self::Threshold { flow: None, name: name.to_owned(), value },
        }
    }

    /// The market comes before what stands in it.
    fn order(&self) -> u8 {
        u8::from(!matches!(self, Self::Market { .. }))
    }
}

impl Situation {
    /// The same where these things are otherwise, and what they were.
    ///
    /// # Errors
    /// When something is not there, cannot be that, or makes the flow one that does not check.
    pub fn with(&self, wishes: &[Wish], bundle: &Bundle) -> Result<(Self, Vec<Change>), WhatIfError> {
        let mut changed = self.clone();
        let mut changes = Vec::new();
        let mut ordered: Vec<&Wish> = wishes.iter().collect();
        ordered.sort_by_key(|wish| wish.order());
        let mut declaration: Option<FlowDeclaration> = None;
        for wish in ordered {
            changes.push(match wish {
                Wish::Market { name } => changed.in_market(name, bundle)?,
                Wish::Threshold { flow: None, name, value } => {
                    let declared = declaration.get_or_insert_with(|| (*changed.flow.declaration).clone());
                    set_threshold(declared, name, value, &changed.flow.flow)?
                }
                Wish::Threshold { flow: Some(flow), name, value } => {
                    let declared = declaration.get_or_insert_with(|| (*changed.flow.declaration).clone());
                    set_below(declared, (flow, name, value), &changed.flow.flow, bundle)?
                }
                Wish::Fact { path, value } => changed.set_fact(path, value)?,
                Wish::Without { path } => changed.without(path)?,
                Wish::Model { name, value } => changed.pin(name, value)?,
            });
        }
        if let Some(declaration) = declaration {
            changed.compile(declaration)?;
        }
        Ok((changed, changes))
    }

    fn in_market(&mut self, market: &str, bundle: &Bundle) -> Result<Change, WhatIfError> {
        let whole = bundle.flow(&self.flow.flow.name).unwrap_or(&self.flow);
        let before = self.flow.flow.market.as_deref().unwrap_or("base").to_owned();
        let found = whole
            .in_market(market)
            .cloned()
            .ok_or_else(|| unknown("market", market, whole.market_names().into_iter(), ""))?;
        self.flow = found;
        Ok(Change {
            what: "market",
            name: "market".to_owned(),
            before: Some(before),
            after: Some(market.to_owned()),
        })
    }

    /// Compiles what was changed; what is found that the flow did not have is noted.
    fn compile(&mut self, declaration: FlowDeclaration) -> Result<(), WhatIfError> {
        let (flow, found) = Flow::compile(&declaration);
        let errors: Vec<Diagnostic> =
            found.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
        let Some(flow) = flow else { return Err(WhatIfError::DoesNotCheck(errors)) };
        let (_, known) = Flow::compile(&self.flow.declaration);
        self.notes = found.into_iter().filter(|finding| !known.contains(finding)).collect();
        self.flow = Arc::new(FlowRevision {
            flow: Arc::new(flow),
            declaration: Arc::new(declaration),
            ..(*self.flow).clone()
        });
        Ok(())
    }

    fn set_fact(&mut self, path: &str, value: &str) -> Result<Change, WhatIfError> {
        let kind = self.kind_of(path)?;
        let given = given(path, value, &kind)?;
        let before = replace(&mut self.facts, path, Some(given));
        let before = before.as_ref().map(shown);
        Ok(Change { what: "fact", name: path.to_owned(), before, after: Some(value.to_owned()) })
    }

    fn without(&mut self, path: &str) -> Result<Change, WhatIfError> {
        self.kind_of(path)?;
        let before = replace(&mut self.facts, path, None).as_ref().map(shown);
        Ok(Change { what: "fact", name: path.to_owned(), before, after: None })
    }

    /// The declared type of a fact, or of something in it.
    pub(super) fn kind_of(&self, path: &str) -> Result<Kind, WhatIfError> {
        let flow = &self.flow.flow;
        let mut parts = path.split('.');
        let first = parts.next().unwrap_or_default();
        let fields = |of: &[Input]| {
            let field = |input: &Input| {
                (input.name.clone(), Field { kind: input.kind.clone(), optional: input.optional })
            };
            Kind::Map(Arc::new(of.iter().map(field).collect()))
        };
        let input = flow.inputs.iter().find(|input| *input.name == *first).map(|input| input.kind.clone());
        let need = flow.needs.iter().find(|need| *need.name == *first).map(|need| fields(&need.of));
        let names = flow.inputs.iter().map(|i| &*i.name).chain(flow.needs.iter().map(|n| &*n.name));
        let mut kind = input.or(need).ok_or_else(|| unknown("fact", first, names, "facts."))?;
        for part in parts {
            let Kind::Map(entries) = &kind else {
                return Err(WhatIfError::wish(
                    format!("`facts.{path}`: {} holds nothing by the name `{part}`", kind.word()),
                    format!("write the whole of it: `--set facts.{first}=…`"),
                ));
            };
            let found = entries.get(part).map(|field| field.kind.clone());
            kind = found.ok_or_else(|| unknown("fact", part, entries.keys().map(|name| &**name), ""))?;
        }
        Ok(kind)
    }

    fn pin(&mut self, name: &str, value: &str) -> Result<Change, WhatIfError> {
        let names = self.flow.flow.model_names();
        if !names.iter().any(|known| known == name) {
            return Err(unknown("model", name, names.iter().map(String::as_str), "models."));
        }
        let pin = match value {
            "fails" => Some(ModelPin::Fails),
            value => value.parse().ok().filter(|p| (0.0..=1.0).contains(p)).map(ModelPin::Probability),
        };
        let pin = pin.ok_or_else(|| {
            WhatIfError::wish(
                format!("`models.{name}={value}` is no answer of a model"),
                "give a probability from 0 to 1, or `fails`",
            )
        })?;
        let key = Name::from(name);
        let before = self.pins.models.insert(key, pin).map(|before| match before {
            ModelPin::Probability(probability) => probability.to_string(),
            ModelPin::Answer(_) => "as it was pinned".to_owned(),
            ModelPin::Fails => "fails".to_owned(),
        });
        let before = before.or_else(|| Some("as the model says".to_owned()));
        Ok(Change { what: "model", name: name.to_owned(), before, after: Some(value.to_owned()) })
    }
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>, prefix: &str) -> WhatIfError {
    let known: Vec<&str> = known.collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{prefix}{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("there is `{}`", known.join("`, `"))),
    };
    WhatIfError::Wish { what: format!("there is no {what} `{}`", name.escape_debug()), help }
}

fn set_threshold(
    declared: &mut FlowDeclaration,
    name: &str,
    value: &str,
    flow: &Flow,
) -> Result<Change, WhatIfError> {
    let Some(found) = declared.thresholds.iter_mut().find(|threshold| threshold.name.value == name) else {
        if flow.inputs.iter().any(|input| *input.name == *name) {
            return Err(WhatIfError::wish(
                format!("`{name}` is a fact, not a threshold"),
                format!("write `facts.{name}`"),
            ));
        }
        if flow.models.iter().any(|model| *model.name == *name) {
            return Err(WhatIfError::wish(
                format!("`{name}` is a model, not a threshold"),
                format!("write `models.{name}` with a probability or `fails`"),
            ));
        }
        let below = flow.sub_flows.iter().flat_map(|sub| {
            sub.flow.thresholds.iter().map(move |(threshold, _)| format!("{}.{threshold}", sub.name))
        });
        let own = flow.thresholds.iter().map(|(threshold, _)| threshold.to_string());
        let below: Vec<String> = below.collect();
        if let Some(there) = below.iter().find(|known| known.ends_with(&format!(".{name}"))) {
            return Err(WhatIfError::wish(
                format!("there is no threshold `{name}` in this flow"),
                format!("a flow that it asks has one: write `{there}`"),
            ));
        }
        let known: Vec<String> = own.chain(below).collect();
        return Err(unknown("threshold", name, known.iter().map(String::as_str), ""));
    };
    let before = literal_text(&found.literal.value);
    let literal = match &found.literal.value {
        ThresholdLiteral::Number(_) if json::is_number(value) => ThresholdLiteral::Number(value.to_owned()),
        ThresholdLiteral::Boolean(_) if matches!(value, "true" | "false") => {
            ThresholdLiteral::Boolean(value == "true")
        }
        ThresholdLiteral::Text(_) => ThresholdLiteral::Text(value.to_owned()),
        ThresholdLiteral::Number(_) => {
            return Err(WhatIfError::wish(
                format!("`{name}={value}`: this threshold is a number"),
                format!("write it plainly, as `{name}={before}` is written"),
            ));
        }
        ThresholdLiteral::Boolean(_) => {
            return Err(WhatIfError::wish(
                format!("`{name}={value}`: this threshold is `true` or `false`"),
                format!("write `{name}=true` or `{name}=false`"),
            ));
        }
    };
    found.literal.value = literal;
    Ok(Change {
        what: "threshold",
        name: name.to_owned(),
        before: Some(before),
        after: Some(literal_text(&found.literal.value)),
    })
}

/// A threshold of a flow that this one asks.
fn set_below(
    declared: &mut FlowDeclaration,
    (name, threshold, value): (&str, &str, &str),
    flow: &Flow,
    bundle: &Bundle,
) -> Result<Change, WhatIfError> {
    let asked = flow.sub_flows.iter().any(|sub| *sub.name == *name);
    let known = bundle.flow(name).filter(|_| asked);
    let Some(known) = known.map(|known| known.for_caller_in(flow.market.as_deref())) else {
        let kinds = ["facts", "models", "thresholds"].into_iter();
        let names = kinds.chain(flow.sub_flows.iter().map(|sub| &*sub.name));
        let near = nearest(name, names).map(|near| format!("did you mean `{near}.{threshold}`?"));
        let help = near
            .unwrap_or_else(|| "write `facts.NAME`, `models.NAME`, or a threshold's name alone".to_owned());
        return Err(WhatIfError::wish(format!("`{name}` is no flow that this one asks"), help));
    };
    let slot = declared.sub_flows.iter_mut().find(|sub| sub.name == name);
    let mut inner = (*known.declaration).clone();
    let change = set_threshold(&mut inner, threshold, value, &known.flow)?;
    let (compiled, found) = Flow::compile(&inner);
    let Some(compiled) = compiled else { return Err(WhatIfError::DoesNotCheck(found)) };
    if let Some(slot) = slot {
        slot.found = SubFlowFound::Flow(Arc::new(compiled));
    }
    Ok(Change { name: format!("{name}.{threshold}"), ..change })
}

pub(super) fn literal_text(literal: &ThresholdLiteral) -> String {
    match literal {
        ThresholdLiteral::Number(text) | ThresholdLiteral::Text(text) => text.clone(),
        ThresholdLiteral::Boolean(truth) => truth.to_string(),
    }
}

/// What is written on a command line, as a fact of a type.
fn given(path: &str, value: &str, kind: &Kind) -> Result<Given, WhatIfError> {
    let wrong = |help: String| {
        Err(WhatIfError::wish(format!("`facts.{path}={value}`: {} is expected", with_article(kind)), help))
    };
    match kind {
        Kind::Integer | Kind::Decimal | Kind::Number if json::is_number(value) => {
            Ok(Given::Number(value.to_owned()))
        }
        Kind::Integer => wrong("write a whole number, such as `12`".to_owned()),
        Kind::Decimal | Kind::Number => wrong("write a plain number, such as `1500` or `0.25`".to_owned()),
        Kind::Boolean => match value {
            "true" | "false" => Ok(Given::Boolean(value == "true")),
            _ => wrong("write `true` or `false`".to_owned()),
        },
        Kind::Choice(of) if !of.iter().any(|known| **known == *value) => {
            let near = nearest(value, of.iter().map(|name| &**name));
            let one_of: Vec<&str> = of.iter().map(|name| &**name).collect();
            wrong(near.map_or_else(
                || format!("one of `{}`", one_of.join("`, `")),
                |near| format!("did you mean `{near}`?"),
            ))
        }
        Kind::Text | Kind::Choice(_) | Kind::Date | Kind::Time => Ok(Given::Text(value.to_owned())),
        Kind::List(_) | Kind::Map(_) => match json::parse(value.as_bytes(), JsonLimits::default()) {
            Ok(given) => Ok(given),
            Err(_) => wrong("write it as JSON in quotes, such as `'[{\"balance\": -1}]'`".to_owned()),
        },
    }
}

fn with_article(kind: &Kind) -> String {
    let article = if matches!(kind, Kind::Integer) { "an" } else { "a" };
    format!("{article} {}", kind.word())
}

/// Puts something at a path, or takes it away; gives what was there.
fn replace(facts: &mut Given, path: &str, value: Option<Given>) -> Option<Given> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if !matches!(facts, Given::Map(_)) {
        *facts = Given::Map(Vec::new());
    }
    let Given::Map(entries) = facts else { return None };
    let at = entries.iter().position(|(name, _)| name == first);
    match (at.and_then(|at| entries.get_mut(at)), rest, value) {
        (Some((_, inner)), Some(rest), value) => replace(inner, rest, value),
        (Some((_, found)), None, Some(value)) => Some(std::mem::replace(found, value)),
        (Some(_), None, None) => at.map(|at| entries.remove(at).1),
        (None, Some(rest), Some(value)) => {
            let mut inner = Given::Map(Vec::new());
            replace(&mut inner, rest, Some(value));
            entries.push((first.to_owned(), inner));
            None
        }
        (None, None, Some(value)) => {
            entries.push((first.to_owned(), value));
            None
        }
        (None, _, None) => None,
    }
}

/// A fact as it was written.
fn shown(given: &Given) -> String {
    match given {
        Given::Null => "null".to_owned(),
        Given::Boolean(truth) => truth.to_string(),
        Given::Number(text) | Given::Text(text) => text.clone(),
        Given::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Given::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, value)| format!("{name}: {}", shown(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}
