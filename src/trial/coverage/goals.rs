//! What there is to reach in a flow as it is in force in one market, each thing with its place and its goals.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Covered, Goal, Kind};
use crate::bundle::FlowRevision;
use crate::domain::declaration::{FlowDeclaration, OnInvalid};
use crate::domain::flow::Flow;
use crate::domain::flow::parts::{Part, PartKind};
use crate::domain::flow::watch::Site;
use crate::domain::place::{Place, Span};
use crate::domain::script::Grammar;
use crate::domain::value::Name;
use crate::domain::verdict::RuleResult;
use crate::trial::evidence::Evidence;

/// What has to be seen for a goal.
#[derive(Debug, Clone)]
pub(super) enum Aim {
    Rule(Name, usize, RuleResult),
    True(Site, Span),
    False(Site, Span),
    Seen(Site, Span),
    Row(Name, u32),
    Bin(Name, Name, u32),
    Feature(Name),
    Outcome(Name),
    Reason(Name),
    /// The model's own `if_it_fails`.
    ModelFallback(Name),
    OnError,
    OnInvalid,
}

impl Aim {
    pub fn is_reached(&self, evidence: &Evidence) -> bool {
        let seen = |site: &Site, span: &Span| evidence.seen.get(&(*site, *span)).copied();
        match self {
            Self::Rule(set, at, result) => evidence.rule(set, *at, *result),
            Self::True(site, span) => seen(site, span).is_some_and(|given| given.was_true()),
            Self::False(site, span) => seen(site, span).is_some_and(|given| given.was_false()),
            Self::Seen(site, span) => seen(site, span).is_some(),
            Self::Row(table, row) => evidence.rows.contains(&(Name::clone(table), *row)),
            Self::Bin(card, characteristic, bin) => {
                evidence.bins.contains(&(Name::clone(card), Name::clone(characteristic), *bin))
            }
            Self::Feature(name) => evidence.features.contains(name),
            Self::Outcome(name) => evidence.outcome.as_ref() == Some(name),
            Self::Reason(code) => evidence.reasons.contains(code),
            Self::ModelFallback(name) => evidence.models.contains(&(Name::clone(name), true)),
            Self::OnError => evidence.on_error,
            Self::OnInvalid => evidence.on_invalid,
        }
    }
}

/// A goal, and what has to be seen for it: any of these.
pub(super) struct Aimed {
    word: &'static str,
    aims: Vec<Aim>,
}

impl Aimed {
    pub fn is_reached(&self, evidence: &Evidence) -> bool {
        self.aims.iter().any(|aim| aim.is_reached(evidence))
    }
}

/// One thing of one variant of a flow.
pub(super) struct Item {
    pub kind: Kind,
    pub what: String,
    pub place: Place,
    pub goals: Vec<Aimed>,
}

impl Item {
    pub fn nothing_reached(&self) -> Covered {
        let goals = self.goals.iter().map(|goal| Goal { word: goal.word, runs: Vec::new() });
        Covered {
            kind: self.kind,
            what: self.what.clone(),
            place: self.place,
            goals: goals.collect(),
            markets: Vec::new(),
            failed: 0,
        }
    }

    pub fn failed(&self, evidence: &Evidence) -> bool {
        self.goals.iter().flat_map(|goal| &goal.aims).any(|aim| match aim {
            Aim::Rule(set, at, _) => evidence.rule(set, *at, RuleResult::Failed),
            _ => false,
        })
    }
}

/// Everything that can be reached in one variant.
pub(super) fn of(variant: &FlowRevision) -> Vec<Item> {
    let mut finder = Finder { items: Vec::new() };
    let (flow, declaration) = (&*variant.flow, &*variant.declaration);
    finder.rules(flow, declaration);
    finder.tables(flow, declaration);
    finder.scorecards(declaration);
    finder.names(flow, declaration);
    finder.fallbacks(declaration);
    finder.parts(flow, declaration);
    finder.items
}

struct Finder {
    items: Vec<Item>,
}

impl Finder {
    fn add<const N: usize>(
        &mut self,
        kind: Kind,
        (what, place): (String, Place),
        goals: [(&'static str, Aim); N],
    ) {
        let goals = goals.into_iter().map(|(word, aim)| Aimed { word, aims: vec![aim] }).collect();
        self.items.push(Item { kind, what, place, goals });
    }

    fn rules(&mut self, flow: &Flow, declaration: &FlowDeclaration) {
        for (set, declared) in flow.rule_sets.iter().zip(&declaration.rule_sets) {
            for (at, (rule, written)) in set.rules.iter().zip(&declared.rules).enumerate() {
                let aim = |result| Aim::Rule(Name::clone(&set.name), at, result);
                let what = format!("{} in {}", rule.id, set.name);
                let goals = [("hit", aim(RuleResult::Hit)), ("missed", aim(RuleResult::Miss))];
                self.add(Kind::Rule, (what, written.when.place), goals);
            }
        }
    }

    fn tables(&mut self, flow: &Flow, declaration: &FlowDeclaration) {
        for (table, declared) in flow.tables.iter().zip(&declaration.tables) {
            for row in &declared.rows {
                let (Some(first), Some(last)) = (row.cells.first(), row.cells.last()) else { continue };
                let whole = Span { start: first.place.span.start, end: last.place.span.end };
                let place = match whole.start < whole.end && first.place.file == last.place.file {
                    true => Place { file: first.place.file, span: whole },
                    false => first.place,
                };
                let what = format!("row {} of {}", row.number, table.name);
                let goals = [("answered", Aim::Row(Name::clone(&table.name), row.number))];
                self.add(Kind::Row, (what, place), goals);
            }
        }
    }

    fn scorecards(&mut self, declaration: &FlowDeclaration) {
        for card in &declaration.scorecards {
            let name = Name::from(card.name.value.as_str());
            for characteristic in &card.characteristics {
                for (number, bin) in (1..).zip(&characteristic.bins) {
                    let of = Name::from(characteristic.name.value.as_str());
                    let what = format!("bin {number} of {of} in {name}");
                    let goals = [("taken", Aim::Bin(Name::clone(&name), of, number))];
                    self.add(Kind::Bin, (what, bin.place), goals);
                }
            }
        }
    }

    fn names(&mut self, flow: &Flow, declaration: &FlowDeclaration) {
        let name = |text: &str| Name::from(text);
        for feature in &declaration.features {
            let goals = [("read", Aim::Feature(name(&feature.name.value)))];
            self.add(Kind::Feature, (feature.name.value.clone(), feature.formula.place), goals);
        }
        for outcome in &declaration.outcomes {
            // What nothing in the flow can record is `check`'s to say.
            if flow.usage.outcomes.contains(outcome.value.as_str()) {
                let goals = [("given", Aim::Outcome(name(&outcome.value)))];
                self.add(Kind::Outcome, (outcome.value.clone(), outcome.place), goals);
            }
        }
        for reason in &declaration.reasons {
            if flow.usage.reasons.contains(reason.code.value.as_str()) {
                let goals = [("given", Aim::Reason(name(&reason.code.value)))];
                self.add(Kind::Reason, (reason.code.value.clone(), reason.code.place), goals);
            }
        }
    }

    fn fallbacks(&mut self, declaration: &FlowDeclaration) {
        for model in &declaration.models {
            if let Some(fallback) = &model.if_it_fails {
                let goals = [("used", Aim::ModelFallback(Name::from(model.name.value.as_str())))];
                self.add(
                    Kind::Fallback,
                    (format!("if_it_fails of {}", model.name.value), fallback.place()),
                    goals,
                );
            }
        }
        let place = declaration.on_error.outcome.place;
        self.add(Kind::Fallback, ("on_error".to_owned(), place), [("used", Aim::OnError)]);
        if let OnInvalid::Record { outcome, .. } = &declaration.on_invalid {
            self.add(Kind::Fallback, ("on_invalid".to_owned(), outcome.place), [("used", Aim::OnInvalid)]);
        }
    }

    fn parts(&mut self, flow: &Flow, declaration: &FlowDeclaration) {
        let texts = Texts::of(flow, declaration);
        for part in flow.parts() {
            let Part { site, span, kind } = part;
            let Some(text) = texts.place(site) else { continue };
            let place = text.part(span);
            let what = texts.what(site);
            let either = [("true", Aim::True(site, span)), ("false", Aim::False(site, span))];
            let seen = Aim::Seen(site, span);
            match kind {
                PartKind::Condition => self.add(Kind::Condition, (what, place), either),
                PartKind::Branch => {
                    let [(_, yes), (_, no)] = either;
                    self.add(Kind::Branch, (what, place), [("taken", yes), ("passed over", no)]);
                }
                PartKind::LookUp(list) => {
                    let Some((name, _)) = flow.lists.get(usize::from(list)) else { continue };
                    let [(_, yes), (_, no)] = either;
                    self.add(
                        Kind::List,
                        (format!("{name} in {what}"), place),
                        [("found", yes), ("not found", no)],
                    );
                }
                PartKind::Arm => self.add(Kind::Arm, (what, place), [("taken", seen)]),
                PartKind::Loop => self.add(Kind::Loop, (what, place), [("entered", seen)]),
                PartKind::Return => self.add(Kind::Return, (what, place), [("reached", seen)]),
                PartKind::Record => self.add(Kind::Record, (what, place), [("reached", seen)]),
                PartKind::Statement => self.add(Kind::Statement, (what, place), [("reached", seen)]),
            }
        }
        // A function that is called with several types has each of its parts more than once.
        self.merge();
    }

    fn merge(&mut self) {
        let mut merged: BTreeMap<(Kind, Place, String), Item> = BTreeMap::new();
        for item in std::mem::take(&mut self.items) {
            match merged.entry((item.kind, item.place, item.what.clone())) {
                Entry::Vacant(empty) => {
                    empty.insert(item);
                }
                Entry::Occupied(mut known) => {
                    for (goal, more) in known.get_mut().goals.iter_mut().zip(item.goals) {
                        goal.aims.extend(more.aims);
                    }
                }
            }
        }
        self.items = merged.into_values().collect();
    }
}

/// Where the text of each site stands, and what it is called.
pub(in crate::trial) struct Texts<'d> {
    flow: &'d Flow,
    declaration: &'d FlowDeclaration,
    /// Functions of `rules/_shared/` by name.
    shared: BTreeMap<String, Place>,
}

impl<'d> Texts<'d> {
    pub fn of(flow: &'d Flow, declaration: &'d FlowDeclaration) -> Self {
        let grammar = Grammar::new();
        let mut shared = BTreeMap::new();
        for text in &declaration.shared_functions {
            let functions = grammar.program(text).map(|program| program.functions).unwrap_or_default();
            shared.extend(functions.into_iter().map(|function| (function.name, text.place)));
        }
        Self { flow, declaration, shared }
    }

    pub fn place(&self, site: Site) -> Option<Place> {
        let declaration = self.declaration;
        match site {
            Site::Script => Some(declaration.script.place),
            Site::Function(at) => match self.flow.function(at)? {
                (name, true) => self.shared.get(name).copied(),
                (_, false) => Some(declaration.script.place),
            },
            Site::Feature(at) => Some(declaration.features.get(usize::from(at))?.formula.place),
            Site::Rule { set, rule } => {
                let set = declaration.rule_sets.get(usize::from(set))?;
                Some(set.rules.get(usize::from(rule))?.when.place)
            }
        }
    }

    fn what(&self, site: Site) -> String {
        match site {
            Site::Script => "flow.rhai".to_owned(),
            Site::Function(at) => {
                self.flow.function(at).map_or_else(String::new, |(name, _)| format!("function {name}"))
            }
            Site::Feature(at) => {
                let feature = self.flow.features.get(usize::from(at));
                feature.map_or_else(String::new, |feature| format!("feature {}", feature.name))
            }
            Site::Rule { set, rule } => {
                let set = self.flow.rule_sets.get(usize::from(set));
                let rule = set.and_then(|set| Some((set, set.rules.get(usize::from(rule))?)));
                rule.map_or_else(String::new, |(set, rule)| format!("rule {} in {}", rule.id, set.name))
            }
        }
    }
}
