//! Finds facts that tell a flow from its mutant: cases moved to the bounds that the flow knows, one fact at a time,
//! then what several cases give mixed, then two facts; where the answer changes between two values, halved down to the
//! smallest step. Found means tried: both flows decided it, and differently. Not found means only that this did not
//! find it.

use std::cell::Cell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::axes::{Axis, axes, member, with};
use super::case_text::{self, NewCase, Written, expectation, is_alike};
use super::run::Seen;
use crate::bundle::cases::Prepared;
use crate::domain::facts::Given;
use crate::domain::flow::{Budget, Flow, ModelPin, Pins};
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
use crate::trial::applicant::Dice;

/// Cases that are started from.
const MOST_STARTS: usize = 8;
/// Decisions that may be taken to make a case simpler.
const BUDGET_FOR_SIMPLER: u32 = 9_000;
/// Cases that are mixed.
const MOST_MIXED: usize = 256;
/// Facts that are moved in a mixture of two cases, at most.
const MOST_MOVES: usize = 3;
/// Halvings between two values.
const MOST_HALVINGS: u32 = 48;

/// A mutant that no case notices.
pub(super) struct Suspect<'a> {
    pub original: &'a Flow,
    pub mutant: &'a Flow,
    /// Names that the changed thing reads; empty: not known.
    pub reads: &'a [String],
    pub shown: &'a str,
    pub market: &'a Name,
}

/// What all searches of a flow share.
pub(super) struct Search<'a> {
    pub sets: &'a BTreeMap<String, Given>,
    /// Decisions that the search for one survivor may take.
    pub budget: u32,
}

/// Facts and circumstances.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub given: Given,
    pub at: Timestamp,
    pub models: BTreeMap<Name, ModelPin>,
}

struct Hunt<'s, 'a> {
    suspect: &'s Suspect<'a>,
    left: Cell<u32>,
}

impl Search<'_> {
    /// A case that tells the two apart, starting from these in their order.
    pub fn case(&self, suspect: &Suspect<'_>, cases: &[&Seen<'_>]) -> Option<NewCase> {
        let starts = starts(cases);
        let axes = axes(suspect, cases);
        let hunt = Hunt { suspect, left: Cell::new(self.budget) };
        let all = points(cases);
        let point = hunt
            .one_fact(&starts, &axes, self.budget / 2)
            .or_else(|| hunt.mixtures(&all, &axes, self.budget / 4))
            .or_else(|| hunt.two_facts(&starts, &axes))?;
        let (like, point) = self.simplest(&hunt, point);
        self.written(suspect, like, point)
    }

    /// The named set that the facts are nearest to, and as many of its facts as still tell the two apart.
    fn simplest(&self, hunt: &Hunt<'_, '_>, mut point: Point) -> (Option<&str>, Point) {
        hunt.left.set(BUDGET_FOR_SIMPLER);
        let distance = |set: &Given| {
            let (given, without) = differing(&point.given, set);
            given.len() + without.len()
        };
        let Some((name, set)) = self.sets.iter().min_by_key(|(_, set)| distance(set)) else {
            return (None, point);
        };
        let (given, without) = differing(&point.given, set);
        for fact in given.into_iter().map(|(name, _)| name).chain(without) {
            let mut tried = point.clone();
            tried.given = with(&tried.given, std::slice::from_ref(&fact), member(set, &fact).cloned());
            if hunt.tells(&tried) {
                point = tried;
            }
        }
        (Some(name), point)
    }

    fn written(&self, suspect: &Suspect<'_>, like: Option<&str>, point: Point) -> Option<NewCase> {
        let empty = Given::Map(Vec::new());
        let set = like.and_then(|like| self.sets.get(like)).unwrap_or(&empty);
        let name = format!("notices {}", suspect.shown);
        let facts = suspect.original.admit(&point.given).ok()?;
        let pins = Pins { models: point.models.clone(), lists: BTreeMap::new() };
        let decided = |flow: &Flow| flow.decide_with(&facts, point.at, &Budget::default(), &pins);
        let expect = expectation(&decided(suspect.original), &decided(suspect.mutant));
        let (given, without) = differing(&point.given, set);
        let written = Written {
            name: &name,
            like,
            given,
            without,
            at: point.at,
            models: &point.models,
            market: suspect.market,
        };
        let text = case_text::text(&written, &expect);
        let new = NewCase {
            run: Prepared {
                name,
                path: String::new(),
                line: 0,
                market: Name::clone(suspect.market),
                given: point.given,
                facts,
                at: Some(point.at),
                decided_at: point.at,
                pins,
                expect,
            },
            text,
        };
        new.catches(suspect.mutant).then_some(new)
    }
}

/// The cases to start from, each once: milder answers first, for what is declined already shows least.
fn starts(cases: &[&Seen<'_>]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut ordered: Vec<&&Seen<'_>> = cases.iter().take(MOST_STARTS * 4).collect();
    ordered.sort_by_key(|seen| (seen.verdict.degraded, seen.verdict.reasons.len()));
    // The nearest few stay in front whatever they answer.
    for seen in cases.iter().take(3).chain(ordered) {
        let run = seen.run;
        let is_known = points.iter().any(|point| point.given == run.given && point.models == run.pins.models);
        // The entries of a pinned list cannot be written down again.
        if is_known || !run.pins.lists.is_empty() {
            continue;
        }
        points.push(Point { given: run.given.clone(), at: run.decided_at, models: run.pins.models.clone() });
        if points.len() >= MOST_STARTS {
            break;
        }
    }
    points
}

/// The nearest cases as they are, each once.
fn points(cases: &[&Seen<'_>]) -> Vec<Point> {
    let mut all: Vec<Point> = Vec::new();
    let written = cases.iter().map(|seen| seen.run).filter(|run| run.pins.lists.is_empty());
    for run in written.take(MOST_MIXED) {
        if !all.iter().any(|point| point.given == run.given && point.models == run.pins.models) {
            let (given, models) = (run.given.clone(), run.pins.models.clone());
            all.push(Point { given, at: run.decided_at, models });
        }
    }
    all
}

/// Facts, pins and moment of the one, some of them of the other.
fn mixed(one: &Point, other: &Point, dice: &mut Dice) -> Point {
    let mut point = one.clone();
    if let (Given::Map(facts), Given::Map(others)) = (&one.given, &other.given) {
        let names: Vec<&String> = others.iter().chain(facts).map(|(name, _)| name).collect();
        for name in names {
            let (own, new) = (member(&one.given, name), member(&other.given, name));
            if own != new && dice.below(2) == 0 {
                point.given = with(&point.given, std::slice::from_ref(name), new.cloned());
            }
        }
    }
    if dice.below(2) == 0 {
        point.models.clone_from(&other.models);
    }
    if dice.below(2) == 0 {
        point.at = other.at;
    }
    point
}

impl Hunt<'_, '_> {
    /// What two cases give, mixed, with some facts moved: what takes several things at once.
    fn mixtures(&self, all: &[Point], axes: &[Axis], tries: u32) -> Option<Point> {
        let mut dice = Dice::of(self.suspect.shown);
        for _ in 0..tries {
            let mut point = mixed(dice.pick(all)?, dice.pick(all)?, &mut dice);
            for _ in 0..dice.below(MOST_MOVES + 1) {
                let Some(axis) = dice.pick(axes) else { break };
                let values: Vec<&Given> = match dice.below(2) {
                    0 => axis.values.few().collect(),
                    _ => axis.values.all().collect(),
                };
                let Some(value) = dice.pick(&values) else { continue };
                point = axis.moved(&point, value);
            }
            if self.left.get() == 0 {
                return None;
            }
            if self.tells(&point) {
                return Some(point);
            }
        }
        None
    }

    /// Both answers; `None` when the facts are not admitted or the budget is used up.
    fn verdicts(&self, point: &Point) -> Option<(Verdict, Verdict)> {
        self.left.set(self.left.get().checked_sub(1)?);
        let facts = self.suspect.original.admit(&point.given).ok()?;
        let pins = Pins { models: point.models.clone(), lists: BTreeMap::new() };
        let decided = |flow: &Flow| flow.decide_with(&facts, point.at, &Budget::default(), &pins);
        Some((decided(self.suspect.original), decided(self.suspect.mutant)))
    }

    fn tells(&self, point: &Point) -> bool {
        self.verdicts(point).is_some_and(|(a, b)| !is_alike(&a, &b))
    }

    fn one_fact(&self, starts: &[Point], axes: &[Axis], budget: u32) -> Option<Point> {
        if let Some(start) = starts.iter().find(|start| self.tells(start)) {
            return Some(start.clone());
        }
        let least = self.left.get().saturating_sub(budget);
        for axis in axes {
            for start in starts {
                if self.left.get() < least {
                    return None;
                }
                if let Some(found) = self.along(start, axis) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// One fact changed, then every other one along its values.
    fn two_facts(&self, starts: &[Point], axes: &[Axis]) -> Option<Point> {
        for start in starts {
            for (at, first) in axes.iter().enumerate() {
                for value in first.values.few() {
                    let moved = first.moved(start, value);
                    for second in axes.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, a)| a) {
                        if self.left.get() == 0 {
                            return None;
                        }
                        let mut points = second.values.few().map(|value| second.moved(&moved, value));
                        if let Some(found) = points.find(|point| self.tells(point)) {
                            return Some(found);
                        }
                    }
                }
            }
        }
        None
    }

    /// Every value of one fact; between two that are answered differently, the place where the answer changes.
    fn along(&self, start: &Point, axis: &Axis) -> Option<Point> {
        let mut before: Option<(&Given, Verdict, Verdict)> = None;
        for value in axis.values.all() {
            let point = axis.moved(start, value);
            let Some((original, mutant)) = self.verdicts(&point) else {
                before = None;
                continue;
            };
            if !is_alike(&original, &mutant) {
                return Some(point);
            }
            if let Some((low, a, b)) = &before
                && (!is_alike(a, &original) || !is_alike(b, &mutant))
                && let Some(found) = self.between(start, axis, (low, value), a)
            {
                return Some(found);
            }
            before = Some((value, original, mutant));
        }
        None
    }

    /// Halves the stretch in which the original's answer changes down to the smallest step.
    fn between(&self, start: &Point, axis: &Axis, ends: (&Given, &Given), at_low: &Verdict) -> Option<Point> {
        let (mut low, mut high) = (ends.0.clone(), ends.1.clone());
        for _ in 0..MOST_HALVINGS {
            let middle = axis.values.middle(&low, &high)?;
            let point = axis.moved(start, &middle);
            let (original, mutant) = self.verdicts(&point)?;
            if !is_alike(&original, &mutant) {
                return Some(point);
            }
            if is_alike(&original, at_low) { low = middle } else { high = middle }
        }
        None
    }
}

/// Facts that are not as in the set, and the names of those of the set that are not there.
fn differing(given: &Given, set: &Given) -> (Vec<(String, Given)>, Vec<String>) {
    let (Given::Map(facts), Given::Map(known)) = (given, set) else { return (Vec::new(), Vec::new()) };
    let other = |(name, value): &&(String, Given)| member(set, name) != Some(value);
    let gone = known.iter().filter(|(name, _)| member(given, name).is_none());
    (facts.iter().filter(other).cloned().collect(), gone.map(|(name, _)| name.clone()).collect())
}
