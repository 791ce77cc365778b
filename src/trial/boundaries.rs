//! Cases at the boundaries of a flow that nobody has written yet: somebody whom the cases know, with one thing
//! changed, where a rule, row, bin or condition begins to say something else. Only what shows something new is kept.
//! Absent on purpose: writing files.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::applicant::{Applicant, known};
use super::axes::{Axis, Values, axes};
use super::marks::{Mark, State, Watched};
use super::written::{NewCase, pinned};
use crate::bundle::FlowRevision;
use crate::bundle::cases::CaseFiles;
use crate::domain::facts::Given;
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;

/// Cases that one flow may be given at a time: what nobody reads through confirms nothing.
const MOST: usize = 400;

/// A case that shows something new.
#[derive(Debug, Clone)]
pub struct Boundary {
    pub market: Name,
    pub name: String,
    pub applicant: Applicant,
    pub verdict: Verdict,
    /// The flow's scorecards: their points belong to the answer.
    pub cards: Vec<Name>,
}

impl Boundary {
    /// As it is to be written: with today's answer, to be confirmed.
    #[must_use]
    pub fn new_case(&self, at: Timestamp) -> NewCase<'_> {
        NewCase {
            name: self.name.clone(),
            applicant: &self.applicant,
            verdict: &self.verdict,
            market: &self.market,
            is_generated: true,
            at: Some(at),
            cards: &self.cards,
            expected: None,
        }
    }
}

/// The cases that are lacking in any market; a case without `at:` is decided at `now`.
#[must_use]
pub fn lacking(revision: &FlowRevision, files: &CaseFiles, now: Timestamp) -> Vec<Boundary> {
    let (mut covered, mut found) = (BTreeSet::new(), Vec::new());
    let markets: Vec<&str> = revision.market_names();
    let each = |market: &str| {
        let here = revision.variant(market)?;
        Some((Name::from(market), here, axes(here)))
    };
    let variants: Vec<_> = markets.into_iter().filter_map(each).collect();
    // What any market's case shows of what all have in common is shown.
    for (market, here, axes) in &variants {
        let watched = Watched::new(revision, here, market, axes);
        for applicant in cases_of(revision, files, market, now) {
            covered.extend(watched.all(&applicant));
        }
    }
    // First what a caller would notice, whoever shows it; then the rest, such as points that change no outcome.
    for noticed in [Noticed::ByCallers, Noticed::OrNot] {
        for (market, here, axes) in &variants {
            let watched = Watched::new(revision, here, market, axes);
            let mut search = Search { watched: &watched, covered: &mut covered, found: &mut found, noticed };
            for applicant in starts(revision, files, market, now, here) {
                for axis in watched.axes() {
                    search.go_along(axis, &applicant);
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    for boundary in &mut found {
        let mut name = boundary.name.clone();
        let mut nth = 2;
        while !names.insert(name.clone()) {
            name = format!("{} ({nth})", boundary.name);
            nth += 1;
        }
        boundary.name = name;
    }
    found
}

/// The cases that people (or an earlier run) wrote: sets of facts alone show nothing.
fn cases_of(revision: &FlowRevision, files: &CaseFiles, market: &str, now: Timestamp) -> Vec<Applicant> {
    let cases = CaseFiles { cases: files.cases.clone(), ..CaseFiles::default() };
    known(revision, &cases, market, now)
}

/// Whom to change something in: sets of facts first, since they are whom cases are about, with what their models
/// answer pinned; then every case whose lists are its own, or nobody could write it down.
fn starts(
    revision: &FlowRevision,
    files: &CaseFiles,
    market: &str,
    now: Timestamp,
    here: &FlowRevision,
) -> Vec<Applicant> {
    let models: Vec<Name> = here.flow.models.iter().map(|used| used.name.clone()).collect();
    let mut all = known(revision, files, market, now);
    all.retain(|one| one.pins.lists.is_empty());
    // The set of facts that most cases are like comes first.
    let is_set = |one: &Applicant| files.sets.values().any(|set| *set == one.given);
    let like = |one: &Applicant| files.cases.iter().filter(|case| are_near(&case.facts, &one.given)).count();
    let sets = all.iter().take_while(|one| is_set(one)).count();
    if let Some(sets) = all.get_mut(..sets) {
        sets.sort_by_key(|one| std::cmp::Reverse(like(one)));
    }
    let pinned = all.into_iter().filter_map(|applicant| {
        let (_, verdict) = applicant.decided(&here.flow)?;
        Some(pinned(&applicant, &verdict, &models))
    });
    pinned.collect()
}

/// Whether most facts are the same.
fn are_near(a: &Given, b: &Given) -> bool {
    let (Given::Map(a), Given::Map(b)) = (a, b) else { return false };
    let same = b.iter().filter(|entry| a.contains(entry)).count();
    same * 2 > b.len()
}

/// Which boundaries count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noticed {
    ByCallers,
    OrNot,
}

struct Search<'s, 'a> {
    watched: &'s Watched<'a>,
    covered: &'s mut BTreeSet<Mark>,
    found: &'s mut Vec<Boundary>,
    noticed: Noticed,
}

impl Search<'_, '_> {
    fn go_along(&mut self, axis: &Axis, from: &Applicant) {
        match &axis.values {
            Values::Few(values) => {
                for value in values {
                    self.consider(axis, &axis.changed(from, Some(value.clone())));
                }
            }
            Values::Many { .. } => self.go_up(axis, from),
        }
        if axis.optional && axis.of(from).is_some() {
            self.consider(axis, &axis.changed(from, None));
        }
    }

    /// Along the values in order; where something changes in between, to the very step at which it does.
    fn go_up(&mut self, axis: &Axis, from: &Applicant) {
        let mut before: Option<(i128, State)> = None;
        for steps in axis.grid(axis.steps_of(from)) {
            let Some((_, state)) = axis.stepped(from, steps).and_then(|next| self.watched.state(&next))
            else {
                before = None;
                continue;
            };
            if let Some((low, last)) = before.take() {
                self.between(axis, from, (low, &last), (steps, &state));
            }
            before = Some((steps, state));
        }
    }

    fn between(&mut self, axis: &Axis, from: &Applicant, low: (i128, &State), high: (i128, &State)) {
        let edges = self.watched.edges(axis, low.1, high.1);
        let back = self.watched.edges(axis, high.1, low.1);
        let is_new = |mark: &Mark| !self.covered.contains(mark);
        let fresh: Vec<Mark> = edges.into_iter().chain(back).filter(is_new).collect();
        for mark in fresh {
            if self.covered.contains(&mark) {
                continue;
            }
            let Mark::Edge(_, element, ..) = &mark else { continue };
            let (mut near, mut far) = (low.0, high.0);
            while far - near > 1 {
                let middle = near.midpoint(far);
                let state = axis.stepped(from, middle).and_then(|next| self.watched.state(&next));
                // Where facts are not admitted there is no edge to find.
                let Some((_, state)) = state else { break };
                if state.get(element) == low.1.get(element) {
                    near = middle;
                } else {
                    far = middle;
                }
            }
            for steps in [near, far] {
                if let Some(next) = axis.stepped(from, steps) {
                    self.consider(axis, &next);
                }
            }
        }
    }

    /// Keeps what shows something that nobody showed.
    fn consider(&mut self, axis: &Axis, applicant: &Applicant) {
        if self.found.len() >= MOST {
            return;
        }
        let Some((verdict, state)) = self.watched.state(applicant) else { return };
        // What stops at a guard of the machine says nothing of the policy.
        if verdict.stopped_at.is_some() {
            return;
        }
        let mut shown: Vec<Mark> = Vec::new();
        if self.noticed == Noticed::ByCallers {
            shown.extend(self.watched.turning(axis, applicant, (&verdict, &state)));
        } else {
            shown.extend(self.watched.reached(&state));
            shown.extend(self.watched.along(axis, applicant, &state));
        }
        let mut fresh: Vec<Mark> = shown.into_iter().filter(|mark| !self.covered.contains(mark)).collect();
        if fresh.is_empty() {
            return;
        }
        fresh.sort_by_key(Mark::rank);
        let what = fresh.first().map(|mark| mark.words(self.watched.here)).unwrap_or_default();
        let name = match axis.of(applicant) {
            Some(Given::Number(value) | Given::Text(value)) => format!("with {} {value} {what}", axis.name()),
            Some(Given::Boolean(value)) => format!("with {} {value} {what}", axis.name()),
            Some(_) => format!("with {} otherwise {what}", axis.name()),
            None => format!("without {} {what}", axis.name()),
        };
        // It shows all that it shows, whichever fact is moved: so another run finds nothing left to add.
        self.covered.extend(self.watched.all(applicant));
        self.found.push(Boundary {
            market: self.watched.market.clone(),
            name: name.trim_end().to_owned(),
            applicant: applicant.clone(),
            verdict,
            cards: self.watched.here.flow.scorecards.iter().map(|card| card.name.clone()).collect(),
        });
    }
}
