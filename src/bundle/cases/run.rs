//! Runs cases on flows: admits the facts, decides with the pinned answers, compares. On as many threads as wanted,
//! in an order that does not hang on them. The clock is the caller's.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::compare::differences;
use super::deciding::{Deciding, Looker};
use super::markets::facts_for;
use super::{Case, CaseResult, Difference};
use crate::bundle::{BASE, FlowRevision};
use crate::documents::Source;
use crate::domain::flow::{Budget, Pins};
use crate::domain::value::Name;
use crate::domain::verdict::{Step, Verdict};

/// Cases that one thread takes at a time.
const AT_A_TIME: usize = 32;

/// Which rules the cases of a flow hit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rule set and rule, each that is declared.
    pub rules: BTreeSet<(Name, Name)>,
    pub hit: BTreeSet<(Name, Name)>,
}

impl Coverage {
    /// Rules that no case hits.
    #[must_use]
    pub fn never_hit(&self) -> Vec<&(Name, Name)> {
        self.rules.difference(&self.hit).collect()
    }

    /// Nothing covered yet, of the rules of this flow in all its markets.
    #[must_use]
    pub fn of(revision: &FlowRevision) -> Self {
        let mut rules = BTreeSet::new();
        for variant in std::iter::once(revision).chain(revision.markets.values().map(AsRef::as_ref)) {
            for set in &variant.flow.rule_sets {
                rules.extend(set.rules.iter().map(|rule| (Name::clone(&set.name), Name::clone(&rule.id))));
            }
        }
        Self { rules, hit: BTreeSet::new() }
    }

    fn add(&mut self, verdict: &Verdict) {
        for step in &verdict.trace {
            let Step::Rules { name, rules, .. } = step else { continue };
            self.hit.extend(rules.hits().map(|rule| (Name::clone(name), Name::clone(&rule.id))));
        }
    }
}

/// Cases of one flow.
#[derive(Debug, Clone)]
pub struct Lot<'a> {
    pub flow: &'a Name,
    pub revision: &'a FlowRevision,
    pub cases: Vec<&'a Case>,
}

/// How cases are run.
#[derive(Debug, Clone, Copy)]
pub struct Running<'a> {
    /// When a case is decided that does not say it.
    pub now: Timestamp,
    pub threads: NonZeroUsize,
    /// The texts of the bundle, where a case that does not hold is to say what decided it.
    pub told: Option<&'a [Source]>,
}

/// Runs every case in each of its markets; one without `at:` is decided at `now`.
#[must_use]
pub fn run(
    flow_name: &Name,
    revision: &FlowRevision,
    cases: &[Case],
    now: Timestamp,
) -> (Vec<CaseResult>, Coverage) {
    let lot = Lot { flow: flow_name, revision, cases: cases.iter().collect() };
    let running = Running { now, threads: NonZeroUsize::MIN, told: None };
    run_all(&[lot], &running).pop().unwrap_or_default()
}

/// The results and what was hit, lot by lot; results in the order of the cases, then of their markets.
#[must_use]
pub fn run_all(lots: &[Lot<'_>], running: &Running<'_>) -> Vec<(Vec<CaseResult>, Coverage)> {
    let jobs: Vec<Job<'_>> = lots.iter().enumerate().flat_map(|(at, lot)| jobs(at, lot)).collect();
    let mut all: Vec<_> = lots.iter().map(|lot| (Vec::new(), Coverage::of(lot.revision))).collect();
    let threads = running.threads.get().min(jobs.len().div_ceil(AT_A_TIME));
    let next = AtomicUsize::new(0);
    let mut done: Vec<Done> = if threads < 2 {
        vec![work(&jobs, &next, running)]
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&jobs, &next, running))).collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
        })
    };
    for (lot, hit) in done.iter_mut().flat_map(|done| done.hit.drain(..)) {
        if let Some((_, coverage)) = all.get_mut(lot) {
            coverage.hit.extend(hit);
        }
    }
    let mut results: Vec<(usize, CaseResult)> = done.into_iter().flat_map(|done| done.results).collect();
    results.sort_by_key(|(at, _)| *at);
    for (at, result) in results {
        if let Some((results, _)) = jobs.get(at).and_then(|job| all.get_mut(job.lot)) {
            results.push(result);
        }
    }
    all
}

/// A case in one market.
struct Job<'a> {
    lot: usize,
    flow: &'a Name,
    /// The flow as it is in `base`.
    revision: &'a FlowRevision,
    here: &'a FlowRevision,
    market: &'a Name,
    case: &'a Case,
}

fn jobs<'a>(at: usize, lot: &Lot<'a>) -> Vec<Job<'a>> {
    let Lot { flow, revision, .. } = *lot;
    let in_markets = |case: &'a Case| {
        case.markets.iter().filter_map(move |market| {
            // A case of a market that is not there was not read.
            let here = match &**market {
                BASE => revision,
                _ => revision.markets.get(market)?,
            };
            Some(Job { lot: at, flow, revision, here, market, case })
        })
    };
    lot.cases.iter().copied().flat_map(in_markets).collect()
}

/// What one thread did: results with the places of their jobs, and what each lot hit.
#[derive(Default)]
struct Done {
    results: Vec<(usize, CaseResult)>,
    hit: Vec<(usize, BTreeSet<(Name, Name)>)>,
}

fn work(jobs: &[Job<'_>], next: &AtomicUsize, running: &Running<'_>) -> Done {
    let mut done = Done::default();
    loop {
        let from = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
        if from >= jobs.len() {
            return done;
        }
        for (at, job) in jobs.iter().enumerate().skip(from).take(AT_A_TIME) {
            let mut coverage = Coverage::default();
            done.results.push((at, job.run(running, &mut coverage)));
            match done.hit.last_mut() {
                Some((lot, hit)) if *lot == job.lot => hit.extend(coverage.hit),
                _ => done.hit.push((job.lot, coverage.hit)),
            }
        }
    }
}

impl Job<'_> {
    fn run(&self, running: &Running<'_>, coverage: &mut Coverage) -> CaseResult {
        let (differences, deciding) = self.held(running, coverage);
        CaseResult {
            flow: Name::clone(self.flow),
            market: Name::clone(self.market),
            case: self.case.name.clone(),
            file: self.case.path.clone(),
            line: self.case.line,
            is_generated: self.case.is_generated,
            differences,
            deciding,
        }
    }

    fn held(&self, running: &Running<'_>, coverage: &mut Coverage) -> (Vec<Difference>, Deciding) {
        let (case, flow) = (self.case, &self.here.flow);
        let facts = match flow.admit(&facts_for(&case.facts, self.here, self.revision)) {
            Ok(facts) => facts,
            Err(problems) => {
                let got: Vec<String> = problems
                    .iter()
                    .map(|problem| format!("{} {}: {}", problem.pointer, problem.code, problem.detail))
                    .collect();
                let expected = "facts that the flow admits".to_owned();
                let difference = Difference { part: "facts".to_owned(), expected, got: got.join("\n") };
                return (vec![difference], Deciding::default());
            }
        };
        let expect = case.expect.overlaid(case.differing.get(self.market));
        let pins = Pins { models: case.models.clone(), lists: case.lists.clone() };
        let (at, budget) = (case.at.unwrap_or(running.now), Budget::default());
        let verdict = flow.decide_with(&facts, at, &budget, &pins);
        coverage.add(&verdict);
        let differences = differences(&expect, &verdict);
        let told = running.told.filter(|_| !differences.is_empty());
        let deciding = told.map(|sources| {
            // Nearly all cases hold: those that do not are decided once more, with somebody looking on.
            let looker = Looker::new(&self.here.declaration, sources);
            let verdict = flow.decide_watched(&facts, at, (&budget, &pins), &looker);
            looker.told(flow, &facts, &verdict, &expect)
        });
        (differences, deciding.unwrap_or_default())
    }
}
