//! Every small change that there is to make to one variant of a flow, each with its place, its words, and what a case
//! must have come to so that it could notice.

use serde::Serialize;

use super::change::{BinChange, Change, Recorded, RuleChange};
use super::literal::moved;
use super::trees::{self, TreeChange, Words, another, beside};
use crate::bundle::FlowRevision;
use crate::domain::declaration::{
    AnswerDeclaration, BinDeclaration, BinTest, FlowDeclaration, IfItFails, OnInvalid, RuleDeclaration,
    ThresholdLiteral,
};
use crate::domain::flow::watch::Site;
use crate::domain::place::{Located, Place, Span};
use crate::domain::script::syntax::{Node, Syntax};
use crate::domain::script::{Digits, Grammar, written, written_program};
use crate::domain::value::Name;
use crate::domain::verdict::RuleResult;
use crate::learn::library::ModelLibrary;
use crate::trial::coverage::Texts;
use crate::trial::evidence::Evidence;

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// A threshold moved by one step.
    Threshold,
    /// Another bound or number moved by one step.
    Bound,
    /// `<` for `<=`, `>` for `>=`, and back.
    Comparison,
    Negated,
    Dropped,
    Outcome,
    Reason,
    Points,
    /// Another value in what a row gives.
    Output,
    Model,
}

/// What a case has to have come to so that the change could show.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// An expression of this text, by its place.
    Seen(Place),
    /// The rule was evaluated.
    Rule(Name, usize),
    /// The rule hit or failed.
    RuleCounted(Name, usize),
    Table(Name),
    Row(Name, u32),
    Scorecard(Name),
    Bin(Name, Name, u32),
    Model(Name),
    /// The model failed and its `if_it_fails` answered.
    Fallback(Name),
    OnError,
    OnInvalid,
    /// Nothing in particular: every case may tell.
    Anything,
}

/// One change to one variant of a flow.
#[derive(Debug, Clone)]
pub(super) struct Mutant {
    pub operator: Operator,
    pub place: Place,
    /// `min_age: 18 → 19`
    pub shown: String,
    pub change: Change,
    /// Any of these.
    pub reach: Vec<Reach>,
    /// Names of inputs, features, thresholds that the changed thing reads; empty: not known.
    pub reads: Vec<String>,
}

/// Expressions that a case saw, by their places.
pub(super) type SeenPlaces = std::collections::HashSet<Place>;

/// The places of what a case saw in a variant.
pub(super) fn seen_places(evidence: &Evidence, texts: &Texts<'_>) -> SeenPlaces {
    let place = |(site, span): &(Site, Span)| Some(texts.place(*site)?.part(*span));
    evidence.seen.keys().filter_map(place).collect()
}

impl Reach {
    pub fn is_met(&self, evidence: &Evidence, seen: &SeenPlaces) -> bool {
        match self {
            Self::Seen(place) => seen.contains(place),
            Self::Rule(set, at) => evidence.rules.contains_key(&(Name::clone(set), *at)),
            Self::RuleCounted(set, at) => {
                evidence.rule(set, *at, RuleResult::Hit) || evidence.rule(set, *at, RuleResult::Failed)
            }
            Self::Table(table) => evidence.tables.contains(table),
            Self::Row(table, row) => evidence.rows.contains(&(Name::clone(table), *row)),
            Self::Scorecard(card) => evidence.scorecards.contains(card),
            Self::Bin(card, of, bin) => evidence.bins.contains(&(Name::clone(card), Name::clone(of), *bin)),
            Self::Model(name) => {
                [true, false].iter().any(|fallback| evidence.models.contains(&(Name::clone(name), *fallback)))
            }
            Self::Fallback(name) => evidence.models.contains(&(Name::clone(name), true)),
            Self::OnError => evidence.on_error,
            Self::OnInvalid => evidence.on_invalid,
            Self::Anything => true,
        }
    }
}

/// Everything that can be changed in one variant, in the order of its documents.
pub(super) fn of(variant: &FlowRevision, library: &ModelLibrary) -> Vec<Mutant> {
    let declaration = &*variant.declaration;
    let texts = |all: &[Located<String>]| all.iter().map(|one| one.value.clone()).collect();
    let codes = declaration.reasons.iter().map(|reason| reason.code.value.clone());
    let words = Words { outcomes: texts(&declaration.outcomes), reasons: codes.collect() };
    let mut finder = Finder { declaration, words, grammar: Grammar::new(), found: Vec::new() };
    finder.thresholds();
    finder.features();
    finder.rules();
    finder.tables();
    finder.scorecards();
    finder.models(library);
    finder.fallbacks();
    finder.scripts();
    finder.found
}

pub(super) struct Finder<'d> {
    pub(super) declaration: &'d FlowDeclaration,
    pub(super) words: Words,
    grammar: Grammar,
    pub(super) found: Vec<Mutant>,
}

impl Finder<'_> {
    pub(super) fn add(
        &mut self,
        operator: Operator,
        place: Place,
        shown: String,
        change: Change,
        reach: Vec<Reach>,
    ) {
        self.found.push(Mutant { operator, place, shown, change, reach, reads: Vec::new() });
    }

    fn thresholds(&mut self) {
        let declaration = self.declaration;
        for (at, threshold) in declaration.thresholds.iter().enumerate() {
            let name = &threshold.name.value;
            let literals: Vec<ThresholdLiteral> = match &threshold.literal.value {
                ThresholdLiteral::Number(text) => {
                    moved(text).into_iter().map(ThresholdLiteral::Number).collect()
                }
                ThresholdLiteral::Boolean(value) => vec![ThresholdLiteral::Boolean(!value)],
                ThresholdLiteral::Text(text) => {
                    let others = beside(&self.words.outcomes, text).into_iter();
                    others.chain(another(&self.words.reasons, text)).map(ThresholdLiteral::Text).collect()
                }
            };
            let reach = self.reads_of(name);
            for literal in literals {
                let shown = format!(
                    "{name}: {} → {}",
                    literal_shown(&threshold.literal.value),
                    literal_shown(&literal)
                );
                let change = Change::Threshold { at, literal };
                self.add(Operator::Threshold, threshold.literal.place, shown, change, reach.clone());
                if let Some(last) = self.found.last_mut() {
                    last.reads = vec![name.clone()];
                }
            }
        }
    }

    /// Where a threshold is read: in conditions, formulas and scripts, in tables and scorecards.
    fn reads_of(&self, name: &str) -> Vec<Reach> {
        let mut reach = Vec::new();
        for (text, is_script) in self.texts() {
            let found = match is_script {
                false => self.grammar.condition(text).map(|tree| vec![tree]),
                true => self.grammar.program(text).map(|program| {
                    let functions = program.functions.into_iter().flat_map(|function| function.body);
                    functions.chain(program.body).collect()
                }),
            };
            for tree in found.unwrap_or_default() {
                names(&tree, &mut |word, span| {
                    if word == name {
                        reach.push(Reach::Seen(text.place.part(span)));
                    }
                });
            }
        }
        let declaration = self.declaration;
        for table in &declaration.tables {
            let cells = table.rows.iter().flat_map(|row| &row.cells);
            if cells.into_iter().any(|cell| cell.value.contains(name)) {
                reach.push(Reach::Table(Name::from(table.name.value.as_str())));
            }
        }
        for card in &declaration.scorecards {
            let bins = card.characteristics.iter().flat_map(|characteristic| &characteristic.bins);
            let named = |bound: &Option<Located<String>>| bound.as_ref().is_some_and(|b| b.value == name);
            if bins
                .into_iter()
                .any(|bin| matches!(&bin.test, BinTest::Range { from, below } if named(from) || named(below)))
            {
                reach.push(Reach::Scorecard(Name::from(card.name.value.as_str())));
            }
        }
        if !reach.is_empty() {
            reach.push(Reach::Anything);
        }
        reach
    }

    fn texts(&self) -> Vec<(&Located<String>, bool)> {
        let declaration = self.declaration;
        let rules = declaration.rule_sets.iter().flat_map(|set| &set.rules).map(|rule| (&rule.when, false));
        let formulas = declaration.features.iter().map(|feature| (&feature.formula, false));
        let scripts = declaration.shared_functions.iter().chain([&declaration.script]);
        rules.chain(formulas).chain(scripts.map(|script| (script, true))).collect()
    }

    /// The changes to one condition or formula, each with the text that it gives.
    fn expression(&self, text: &Located<String>, is_condition: bool) -> Vec<(TreeChange, String)> {
        let Ok(tree) = self.grammar.condition(text) else { return Vec::new() };
        let changes = trees::of_expression(&tree, is_condition, &self.words).into_iter();
        changes
            .map(|change| {
                let text = written(&trees::changed(&tree, &change), Digits::AsWritten);
                (change, text)
            })
            .collect()
    }

    fn features(&mut self) {
        let declaration = self.declaration;
        for (at, feature) in declaration.features.iter().enumerate() {
            for (change, formula) in self.expression(&feature.formula, false) {
                let place = feature.formula.place.part(change.span);
                let shown = format!("feature {}: {}", feature.name.value, change.shown);
                let reach = vec![Reach::Seen(feature.formula.place.part(change.span)), Reach::Anything];
                self.add(change.operator, place, shown, Change::Feature { at, formula }, reach);
                if let Some(last) = self.found.last_mut() {
                    last.reads = vec![feature.name.value.clone()];
                }
            }
        }
    }

    fn rules(&mut self) {
        let declaration = self.declaration;
        for (set, rules) in declaration.rule_sets.iter().enumerate() {
            let name = Name::from(rules.name.value.as_str());
            for (at, rule) in rules.rules.iter().enumerate() {
                let first = self.found.len();
                self.rule(&name, (set, at), rule);
                let mut reads = Vec::new();
                if let Ok(tree) = self.grammar.condition(&rule.when) {
                    names(&tree, &mut |word, _| reads.push(word.to_owned()));
                }
                for mutant in self.found.iter_mut().skip(first) {
                    mutant.reads.clone_from(&reads);
                }
            }
        }
    }

    fn rule(&mut self, set_name: &Name, (set, rule): (usize, usize), of: &RuleDeclaration) {
        let id = &of.id.value;
        let made = |change| Change::Rule { set, rule, change };
        let counted = || vec![Reach::RuleCounted(Name::clone(set_name), rule)];
        for (change, text) in self.expression(&of.when, true) {
            let place = of.when.place.part(change.span);
            let shown = format!("rule {id}: {}", change.shown);
            let reach = vec![Reach::Rule(Name::clone(set_name), rule)];
            self.add(change.operator, place, shown, made(RuleChange::When(text)), reach);
        }
        self.add(
            Operator::Dropped,
            of.id.place,
            format!("drop rule {id}"),
            made(RuleChange::Drop),
            counted(),
        );
        if let Some(outcome) = &of.outcome {
            for other in beside(&self.words.outcomes, &outcome.value) {
                let shown = format!("rule {id}: outcome {} → {other}", outcome.value);
                let change = made(RuleChange::Outcome(other));
                self.add(Operator::Outcome, outcome.place, shown, change, counted());
            }
        }
        if let Some(reason) = &of.reason
            && let Some(other) = another(&self.words.reasons, &reason.value)
        {
            let shown = format!("rule {id}: reason {} → {other}", reason.value);
            let change = made(RuleChange::Reason(other));
            self.add(Operator::Reason, reason.place, shown, change, counted());
        }
        if let Some(points) = &of.points {
            for other in stepped(points.value) {
                let shown = format!("rule {id}: points {} → {other}", points.value);
                let change = made(RuleChange::Points(other));
                self.add(Operator::Points, points.place, shown, change, counted());
            }
        }
    }

    fn scorecards(&mut self) {
        let declaration = self.declaration;
        for (at, card) in declaration.scorecards.iter().enumerate() {
            let name = Name::from(card.name.value.as_str());
            for points in stepped(card.base_points) {
                let shown = format!("scorecard {name}: base_points {} → {points}", card.base_points);
                let reach = vec![Reach::Scorecard(Name::clone(&name))];
                let change = Change::BasePoints { card: at, points };
                self.add(Operator::Points, card.name.place, shown, change, reach);
            }
            for (of_at, of) in card.characteristics.iter().enumerate() {
                let first = self.found.len();
                for (bin_at, bin) in of.bins.iter().enumerate() {
                    self.bin(&name, &of.name.value, (at, of_at, bin_at), bin);
                }
                for mutant in self.found.iter_mut().skip(first) {
                    mutant.reads = vec![of.name.value.clone()];
                }
            }
        }
    }

    fn bin(&mut self, card: &Name, of: &str, at: (usize, usize, usize), bin: &BinDeclaration) {
        let number = u32::try_from(at.2 + 1).unwrap_or(u32::MAX);
        let what = format!("bin {number} of {of} in {card}");
        let made = |change| Change::Bin { card: at.0, characteristic: at.1, bin: at.2, change };
        let asked = || vec![Reach::Scorecard(Name::clone(card))];
        let taken = || vec![Reach::Bin(Name::clone(card), Name::from(of), number)];
        if let BinTest::Range { from, below } = &bin.test {
            if let Some(bound) = from {
                for text in moved(&bound.value) {
                    let shown = format!("{what}: from {} → {text}", bound.value);
                    self.add(Operator::Bound, bound.place, shown, made(BinChange::From(text)), asked());
                }
            }
            if let Some(bound) = below {
                for text in moved(&bound.value) {
                    let shown = format!("{what}: below {} → {text}", bound.value);
                    self.add(Operator::Bound, bound.place, shown, made(BinChange::Below(text)), asked());
                }
            }
        }
        for points in stepped(bin.points.value) {
            let shown = format!("{what}: points {} → {points}", bin.points.value);
            // The best bin is what every other one of the characteristic is held against.
            self.add(Operator::Points, bin.points.place, shown, made(BinChange::Points(points)), asked());
        }
        if let Some(reason) = &bin.reason
            && let Some(other) = another(&self.words.reasons, &reason.value)
        {
            let shown = format!("{what}: reason {} → {other}", reason.value);
            self.add(Operator::Reason, reason.place, shown, made(BinChange::Reason(other)), taken());
        }
        self.add(Operator::Dropped, bin.place, format!("drop {what}"), made(BinChange::Drop), asked());
    }

    /// Another alias of the same model, and another answer where it cannot give one.
    fn models(&mut self, library: &ModelLibrary) {
        let declaration = self.declaration;
        for (at, used) in declaration.models.iter().enumerate() {
            let name = Name::from(used.name.value.as_str());
            let model = used.reference.value.split('@').next().unwrap_or_default();
            let aliases = library.models().get(model).map(|model| model.aliases.keys()).into_iter().flatten();
            for alias in aliases {
                let reference = format!("{model}@{alias}");
                let Ok(model) = library.resolve(&reference) else { continue };
                let shown = format!("model {name}: {} → {reference}", used.reference.value);
                if reference != used.reference.value {
                    let change = Change::Model { at, reference, model };
                    let reach = vec![Reach::Model(Name::clone(&name))];
                    self.add(Operator::Model, used.reference.place, shown, change, reach);
                }
            }
            let Some(stands_in) = &used.if_it_fails else { continue };
            for becomes in self.stand_ins(stands_in) {
                let operator = match &becomes {
                    IfItFails::Answer(_) => Operator::Bound,
                    IfItFails::Model(_) => Operator::Model,
                    IfItFails::Refer { .. } => Operator::Outcome,
                };
                let shown = format!("model {name}: if_it_fails {} → {}", stands_in.said(), becomes.said());
                let reach = vec![Reach::Fallback(Name::clone(&name)), Reach::Anything];
                self.add(operator, stands_in.place(), shown, Change::IfItFails { at, becomes }, reach);
            }
        }
    }

    /// What else might stand in for an answer that does not come.
    fn stand_ins(&self, stands_in: &IfItFails) -> Vec<IfItFails> {
        match stands_in {
            IfItFails::Answer(answer) => {
                let near = |of: &Option<Located<f64>>| {
                    let of = of.as_ref();
                    let texts = of.map(|number| moved(&number.value.to_string())).unwrap_or_default();
                    let place = of.map(|number| number.place).unwrap_or_default();
                    let numbers = texts.into_iter().filter_map(|text| text.parse().ok());
                    numbers.map(move |value: f64| Located::new(value, place)).collect::<Vec<_>>()
                };
                let probabilities = near(&answer.probability).into_iter();
                let probabilities = probabilities.filter(|near| (0.0..=1.0).contains(&near.value));
                let probabilities =
                    probabilities.map(|near| AnswerDeclaration { probability: Some(near), ..answer.clone() });
                let scores = near(&answer.score).into_iter();
                let scores = scores.map(|near| AnswerDeclaration { score: Some(near), ..answer.clone() });
                probabilities.chain(scores).map(IfItFails::Answer).collect()
            }
            IfItFails::Model(_) => Vec::new(),
            IfItFails::Refer { outcome, reason } => {
                let outcomes = beside(&self.words.outcomes, &outcome.value).into_iter().map(|other| {
                    IfItFails::Refer { outcome: Located::new(other, outcome.place), reason: reason.clone() }
                });
                let reasons = another(&self.words.reasons, &reason.value).into_iter().map(|other| {
                    IfItFails::Refer { outcome: outcome.clone(), reason: Located::new(other, reason.place) }
                });
                outcomes.chain(reasons).collect()
            }
        }
    }

    fn fallbacks(&mut self) {
        let declaration = self.declaration;
        let on_error = &declaration.on_error;
        self.fallback("on_error", (&on_error.outcome, &on_error.reason), Change::OnError, &Reach::OnError);
        if let OnInvalid::Record { outcome, reason } = &declaration.on_invalid {
            self.fallback("on_invalid", (outcome, reason), Change::OnInvalid, &Reach::OnInvalid);
        }
    }

    fn fallback(
        &mut self,
        key: &str,
        (outcome, reason): (&Located<String>, &Located<String>),
        made: fn(Recorded) -> Change,
        reach: &Reach,
    ) {
        for other in beside(&self.words.outcomes, &outcome.value) {
            let shown = format!("{key}: outcome {} → {other}", outcome.value);
            let change = made(Recorded::Outcome(other));
            self.add(Operator::Outcome, outcome.place, shown, change, vec![reach.clone()]);
        }
        if let Some(other) = another(&self.words.reasons, &reason.value) {
            let shown = format!("{key}: reason {} → {other}", reason.value);
            let change = made(Recorded::Reason(other));
            self.add(Operator::Reason, reason.place, shown, change, vec![reach.clone()]);
        }
    }

    fn scripts(&mut self) {
        let declaration = self.declaration;
        for (at, text) in declaration.shared_functions.iter().enumerate() {
            self.script(text, &|text| Change::Shared { at, text });
        }
        self.script(&declaration.script, &Change::Script);
    }

    fn script(&mut self, text: &Located<String>, made: &dyn Fn(String) -> Change) {
        let Ok(program) = self.grammar.program(text) else { return };
        for change in trees::of_program(&program, &self.words) {
            let place = text.place.part(change.span);
            let new = written_program(&trees::changed_program(&program, &change));
            let reach = vec![Reach::Seen(place), Reach::Anything];
            self.add(change.operator, place, change.shown, made(new), reach);
        }
    }
}

fn stepped(points: i64) -> impl Iterator<Item = i64> {
    [points.checked_sub(1), points.checked_add(1)].into_iter().flatten()
}

fn literal_shown(literal: &ThresholdLiteral) -> String {
    match literal {
        ThresholdLiteral::Number(text) | ThresholdLiteral::Text(text) => text.clone(),
        ThresholdLiteral::Boolean(value) => value.to_string(),
    }
}

/// Every name in a tree, with its place.
fn names(tree: &Syntax, found: &mut dyn FnMut(&str, Span)) {
    if let Node::Name(name) = &tree.node {
        found(name, tree.span);
    }
    tree.children().into_iter().for_each(|below| names(below, found));
}
